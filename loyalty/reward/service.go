// Package reward keeps what points can be exchanged for: rewards with a price and a
// stock, and the claims on them (spec/antcrm.md 5 and 8).
package reward

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
)

// Service runs the operations on rewards and claims.
type Service struct {
	DB     *db.Store
	Ledger *ledger.Service
	Now    func() time.Time
}

// New makes the service on a store.
func New(store *db.Store, books *ledger.Service, now func() time.Time) *Service {
	return &Service{DB: store, Ledger: books, Now: now}
}

// key is the form in which codes of rewards are found: trimmed, in any case
// (spec/antcrm.md 5).
func key(code string) string { return strings.ToLower(strings.TrimSpace(code)) }

// MoveToCustomer gives the claims of one person to another, in the caller's
// transaction: two records turned out to be the same person's. It may run twice.
func (s *Service) MoveToCustomer(ctx context.Context, tx db.Tx, who auth.Principal, from, into uuid.UUID) error {
	n, err := tx.RewardClaimsMoveToCustomer(ctx, db.RewardClaimsMoveToCustomerParams{
		CompanyID: who.CompanyID, FromCustomerID: from, IntoCustomerID: into, Now: s.Now(),
	})
	if err != nil {
		return fmt.Errorf("move a customer's claims: %w", err)
	}
	err = tx.RewardAttemptsMoveToCustomer(ctx, db.RewardAttemptsMoveToCustomerParams{
		CompanyID: who.CompanyID, FromCustomerID: from, IntoCustomerID: into, Kind: string(Claimed),
	})
	if err != nil {
		return fmt.Errorf("move a customer's attempts: %w", err)
	}
	if n == 0 {
		return nil
	}
	return auth.Audit(ctx, tx.Queries, who, s.Now(), "reward_claim_move_to_customer", "customer", into, map[string]any{"claims": n})
}

// tell writes an event of a claim.
func (s *Service) tell(ctx context.Context, tx db.Tx, company uuid.UUID, kind string, claim uuid.UUID) error {
	err := tx.EventCreate(ctx, db.EventCreateParams{CompanyID: company, Kind: kind, SubjectID: claim, Now: s.Now()})
	if err != nil {
		return fmt.Errorf("tell of a claim: %w", err)
	}
	return nil
}

// refusedOr leaves refusals as they are; of a fault it says what was being done.
func refusedOr(err error, doing string) error {
	if isRefusal(err) {
		return err
	}
	return fmt.Errorf("%s: %w", doing, err)
}
