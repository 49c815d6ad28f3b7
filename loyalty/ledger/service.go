// Package ledger keeps the books: card types, cards, and the movements that are
// posted on them (design.md, "The ledger").
package ledger

import (
	"time"

	"sello/db"
)

// Service runs the ledger's operations.
type Service struct {
	DB *db.Store
	// Now is the clock.
	Now func() time.Time
	// Posted counts a posting, by action; Refused one that was refused, by code.
	Posted  func(action Action)
	Refused func(code string)
}

// New makes the service on a store, with counters that count nothing.
func New(store *db.Store, now func() time.Time) *Service {
	return &Service{DB: store, Now: now, Posted: func(Action) {}, Refused: func(string) {}}
}

// last makes a page from rows of which one more than asked for was read.
func last[T any](rows []T, first int) (page []T, more bool) {
	if len(rows) > first {
		return rows[:first], true
	}
	return rows, false
}
