// Package catalog keeps products and their serial codes: what is printed in a pack
// and can be turned into points, once (spec/antcrm.md 4 and 8).
package catalog

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
)

// Service runs the operations on products and serial codes.
type Service struct {
	DB     *db.Store
	Ledger *ledger.Service
	Now    func() time.Time
}

// New makes the service on a store.
func New(store *db.Store, books *ledger.Service, now func() time.Time) *Service {
	return &Service{DB: store, Ledger: books, Now: now}
}

// Key is the form in which codes of products and serial codes are found: trimmed,
// in any case (spec/antcrm.md 4).
func Key(code string) string { return strings.ToLower(strings.TrimSpace(code)) }

// checkScore holds the points of a code: a ledger amount above zero. It refuses
// with AMOUNT_NOT_POSITIVE, AMOUNT_TOO_PRECISE and AMOUNT_TOO_LARGE.
func checkScore(score decimal.Decimal, field string) error {
	if !score.IsPos() {
		return loyalty.Refuse(loyalty.CodeAmountNotPositive, field)
	}
	return loyalty.Amount(score, field)
}

// MoveToCustomer gives what one person used to another, in the caller's
// transaction: two records turned out to be the same person's. It may run twice.
func (s *Service) MoveToCustomer(ctx context.Context, tx db.Tx, who auth.Principal, from, into uuid.UUID) error {
	n, err := tx.ProductCodesMoveToCustomer(ctx, db.ProductCodesMoveToCustomerParams{
		CompanyID: who.CompanyID, FromCustomerID: from, IntoCustomerID: into, Now: s.Now(),
	})
	if err != nil {
		return fmt.Errorf("move a customer's serial codes: %w", err)
	}
	err = tx.RewardAttemptsMoveToCustomer(ctx, db.RewardAttemptsMoveToCustomerParams{
		CompanyID: who.CompanyID, FromCustomerID: from, IntoCustomerID: into, Kind: attemptKind,
	})
	if err != nil {
		return fmt.Errorf("move a customer's attempts: %w", err)
	}
	if n == 0 {
		return nil
	}
	return auth.Audit(ctx, tx.Queries, who, s.Now(), "product_code_move_to_customer", "customer", into, map[string]any{"codes": n})
}
