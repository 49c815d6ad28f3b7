package ledger

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty/auth"
)

// BookIn opens the cards with the ids in a caller's transaction, runs fn on them and
// writes the book: [Service.InBook] for who has locked something before the cards.
func (s *Service) BookIn(ctx context.Context, tx db.Tx, who auth.Principal, cards []uuid.UUID, fn func(b *Book) error) error {
	b, err := s.open(ctx, tx.Queries, who, cards, false)
	if err != nil {
		return err
	}
	if err := fn(b); err != nil {
		return err
	}
	return b.write(ctx)
}

// WriteOff takes everything off the card: open holds are released, points that are
// not usable yet are dropped, and what is left of the balance goes in one movement
// with the reason as its description. A debt is written off too. It answers nil
// where nothing was left.
func (a *Account) WriteOff(ctx context.Context, reason string) (*Movement, error) {
	if a.Card.Held.IsPos() {
		open, err := a.book.q.HoldsOpenOfCard(ctx, a.Card.CompanyID, a.Card.ID)
		if err != nil {
			return nil, fmt.Errorf("read a card's holds: %w", err)
		}
		for _, h := range open {
			if _, err := a.endHold(ctx, h, decimal.Zero, HoldReleased, Entry{Action: Release, Description: reason}); err != nil {
				return nil, err
			}
		}
	}
	for _, l := range a.lots {
		if LotState(l.State) == LotPending {
			m := a.append(Entry{Action: Reverse, Related: &MovementKey{CardID: l.CardID, Seq: l.Seq}, Description: reason})
			a.note(m, []piece{{l, l.Remaining.Neg()}})
			l.Remaining, l.State, l.VestsOn, l.changed = decimal.Zero, string(LotClosed), nil, true
		}
	}
	if a.Card.Balance.IsZero() {
		return nil, nil
	}
	return a.Post(Entry{Action: WriteOff, Amount: a.Card.Balance.Neg(), Description: reason})
}
