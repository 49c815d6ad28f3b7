// Package ledger keeps the books: card types, cards, and the movements that are
// posted on them (design.md, "The ledger").
package ledger

import (
	"context"
	"time"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
)

// Service runs the ledger's operations.
type Service struct {
	DB *db.Store
	// Now is the clock.
	Now func() time.Time
	// Posted counts a posting, by action; Refused one that was refused, by code.
	Posted  func(action Action)
	Refused func(code string)
	// Jobs enqueues what a change of policy causes.
	Jobs Enqueuer
	// Mail queues what customers are told by mail, in the transaction that tells it;
	// nil: nothing is sent.
	Mail func(ctx context.Context, tx db.Tx, company uuid.UUID, mails []Mail) error
	// Terms are what companies' contracts say of postings on their wallets; nil:
	// nothing.
	Terms Terms
	// Secret keys what is kept of cards' CVVs.
	Secret []byte

	writer writer
}

// New makes the service on a store, with counters that count nothing.
func New(store *db.Store, now func() time.Time) *Service {
	return &Service{DB: store, Now: now, Posted: func(Action) {}, Refused: func(string) {}}
}

// posted counts an operation that went through; a refusal is counted where it is made.
func (s *Service) posted(action Action, replayed bool, err error) error {
	if err == nil && !replayed {
		s.Posted(action)
	}
	return err
}

// refused counts a refusal.
func (s *Service) refused(err error) error {
	if code := loyalty.CodeOf(err); code != "" {
		s.Refused(string(code))
	}
	return err
}

// last makes a page from rows of which one more than asked for was read.
func last[T any](rows []T, first int) (page []T, more bool) {
	if len(rows) > first {
		return rows[:first], true
	}
	return rows, false
}
