package ledger

import (
	"context"

	"sello/db"
	"sello/loyalty/auth"
)

// Terms are what a company's contract says of postings on its wallets, beside the
// ledger's own rules: what they cost it and how many it has, and whom they are not
// for. The ledger asks; what the terms are it does not know.
type Terms interface {
	// Open begins with the postings of one transaction, on contacts with these phones.
	Open(tx db.Tx, who auth.Principal, phones []string) Tally
}

// Tally holds the postings of a transaction against terms, one after another.
type Tally interface {
	// Allow refuses a posting that breaks no rule of the ledger.
	Allow(ctx context.Context, a *Account, action Action) error
	// Made takes note of what came of a posting that was allowed.
	Made(ctx context.Context, a *Account, m *Movement) error
	// Write writes what was noted, behind the book.
	Write(ctx context.Context) error
}

// noTally allows everything.
type noTally struct{}

func (noTally) Allow(context.Context, *Account, Action) error   { return nil }
func (noTally) Made(context.Context, *Account, *Movement) error { return nil }
func (noTally) Write(context.Context) error                     { return nil }

// tally begins with a book's wallets; CardPost leaves out whatever terms there are
// for by the same conditions.
func (s *Service) tally(tx db.Tx, b *Book) Tally {
	if s.Terms == nil {
		return noTally{}
	}
	var phones []string
	for _, a := range b.accounts {
		if a.Contact() {
			phones = append(phones, *a.Card.HolderPhone)
		}
	}
	if len(phones) == 0 {
		return noTally{}
	}
	return s.Terms.Open(tx, b.who, phones)
}

// Contact reports whether the card is a wallet's contact's.
func (a *Account) Contact() bool { return a.Type.WalletKey != nil && a.Card.HolderPhone != nil }
