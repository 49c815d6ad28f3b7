package reward

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
)

// AttemptKind is what somebody tried.
type AttemptKind string

// The kinds of attempts.
const (
	// Consumed is the use of a serial code.
	Consumed AttemptKind = "consume"
	// Claimed is the claim of a reward.
	Claimed AttemptKind = "claim"
)

// Attempt is a use of a serial code or a claim that somebody known tried, whether it
// succeeded or not: the history that spec/antcrm.md 3 shows.
type Attempt struct {
	db.RewardAttempt
	batch *loyalty.Batch[Attempt]
}

// What is what was tried.
func (a *Attempt) What() AttemptKind { return AttemptKind(a.Kind) }

// Refusal is why it failed; nil where it did not.
func (a *Attempt) Refusal() *loyalty.Code { return (*loyalty.Code)(a.Error) }

// Batch is the list the attempt was read with.
func (a *Attempt) Batch() *loyalty.Batch[Attempt] { return a.batch }

// AttemptFilter picks attempts: nil picks all.
type AttemptFilter struct {
	Kind       *AttemptKind
	CustomerID *uuid.UUID
	Failed     *bool
}

// Attempts reads a page of attempts, newest first, from below an id.
func (s *Service) Attempts(ctx context.Context, company uuid.UUID, f AttemptFilter, before *uuid.UUID, first int) (page []*Attempt, more bool, err error) {
	rows, err := s.DB.RewardAttemptsPage(ctx, db.RewardAttemptsPageParams{
		CompanyID: company, Before: before, Kind: (*string)(f.Kind), CustomerID: f.CustomerID, Failed: f.Failed, BatchSize: int32(first) + 1,
	})
	if err != nil {
		return nil, false, fmt.Errorf("list attempts: %w", err)
	}
	return attempts(rows[:min(first, len(rows))]), len(rows) > first, nil
}

// HistoryPage is how many attempts a numbered page has.
const HistoryPage = 20

// HistoryFilter picks attempts by time and customers: nil picks all.
type HistoryFilter struct {
	Kind AttemptKind
	// Since is the first moment, Until the first that is too late.
	Since, Until *time.Time
	// CustomerIDs are whose they may be; an empty list is nobody.
	CustomerIDs []uuid.UUID
}

// History reads a numbered page, from 1, of what known people tried, the latest first
// (spec/antcrm.md 3). Behind the last page there is nothing.
func (s *Service) History(ctx context.Context, company uuid.UUID, f HistoryFilter, page int) ([]*Attempt, error) {
	const mostPages = 1 << 26 // rows are counted in 32 bits
	if page < 1 || page > mostPages {
		return []*Attempt{}, nil
	}
	rows, err := s.DB.RewardAttemptsByTime(ctx, db.RewardAttemptsByTimeParams{
		CompanyID: company, Kind: string(f.Kind), Since: f.Since, Until: f.Until, CustomerIds: f.CustomerIDs,
		Skip: int32(page-1) * HistoryPage, BatchSize: HistoryPage,
	})
	if err != nil {
		return nil, fmt.Errorf("read a page of the history: %w", err)
	}
	return attempts(rows), nil
}

func attempts(rows []db.RewardAttempt) []*Attempt {
	list := make([]*Attempt, len(rows))
	for i, row := range rows {
		list[i] = &Attempt{RewardAttempt: row}
	}
	batch := loyalty.NewBatch(list)
	for _, a := range list {
		a.batch = batch
	}
	return list
}

// attempt is a try of somebody known at a reward that is there.
func (s *Service) attempt(who auth.Principal, account *ledger.Account, found db.RewardForClaimRow, source string) (db.RewardAttemptCreateParams, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return db.RewardAttemptCreateParams{}, fmt.Errorf("make an id: %w", err)
	}
	return db.RewardAttemptCreateParams{
		CompanyID: who.CompanyID, ID: id, Kind: string(Claimed), Score: found.Reward.Price, CardID: account.Card.ID,
		CustomerID: account.Card.CustomerID, RewardID: &found.Reward.ID, Source: source, Now: s.Now(),
	}, nil
}

// failed notes an attempt that the reward, its stock or the card's balance refused,
// after everything else of it is undone, and answers the refusal.
func (s *Service) failed(ctx context.Context, tried db.RewardAttemptCreateParams, err error) error {
	code := loyalty.CodeOf(err)
	switch code {
	case loyalty.CodeRewardInactive, loyalty.CodeRewardOutOfStock, loyalty.CodeInsufficientBalance:
	default:
		return err
	}
	tried.Seq, tried.ClaimID, tried.Error = nil, nil, new(string(code))
	if err := s.DB.RewardAttemptCreate(ctx, tried); err != nil {
		return fmt.Errorf("note a failed claim: %w", err)
	}
	return err
}
