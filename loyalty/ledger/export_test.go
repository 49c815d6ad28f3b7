package ledger

import "context"

// EndOf is endOf, for tests that hold it against PostgreSQL's zones.
var EndOf = endOf

// Alter changes a card besides its figures, as operations on its life do.
func (a *Account) Alter(reason string) { a.Card.StatusReason, a.altered = &reason, true }

// Write is write, which an operation may call before the book's end.
func (b *Book) Write(ctx context.Context) error { return b.write(ctx) }
