package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Lot is what is left of one earning, and when it ends.
type Lot struct {
	db.Lot
	batch *loyalty.Batch[Lot]
}

// Standing is where the lot is in its life.
func (l *Lot) Standing() LotState { return LotState(l.State) }

// Expiring is what of a card ends on a day.
type Expiring struct {
	// On is the company's last business day on which it can be spent.
	On     time.Time
	Amount decimal.Decimal
}

// Due is what of a card is due and not yet posted: what can be spent does not wait
// for a job. Amounts are in the card type's unit.
type Due struct {
	// Ended is in lots whose last day is over, Vested in lots that have become
	// usable, Pending in lots that have not; Released is in holds whose time is up. What
	// a book has to reckon is all in Released.
	Ended, Vested, Pending, Released decimal.Decimal
}

// DueOf reads what is due on a card, and with it those of its batch.
func (s *Service) DueOf(ctx context.Context, company uuid.UUID, c *Card) (Due, error) {
	return loyalty.Together(c.batch, c, "due", func(all []*Card) (map[*Card]Due, error) {
		// Only a card that follows an expiry policy has lots.
		return loyalty.Lookup(all, func(c *Card) (uuid.UUID, bool) { return c.ID, c.ExpiryVersion > 0 || c.Held.IsPos() },
			func(ids []uuid.UUID) (map[uuid.UUID]Due, error) {
				rows, err := s.cardsDue(ctx, company, ids)
				if err != nil {
					return nil, fmt.Errorf("read what is due on cards: %w", err)
				}
				due := make(map[uuid.UUID]Due, len(rows))
				var byBook []uuid.UUID
				for _, row := range rows {
					due[row.ID] = Due{Ended: row.Ended, Vested: row.Vested, Pending: row.Waiting, Released: row.Released}
					if row.ByBook {
						byBook = append(byBook, row.ID)
					}
				}
				if len(byBook) == 0 {
					return due, nil
				}
				settled, err := s.settled(ctx, company, byBook)
				if err != nil {
					return nil, fmt.Errorf("reckon what comes of what is due: %w", err)
				}
				for id, comes := range settled {
					due[id] = Due{Pending: due[id].Pending, Released: comes}
				}
				return due, nil
			})
	})
}

func (s *Service) cardsDue(ctx context.Context, company uuid.UUID, ids []uuid.UUID) (rows []db.CardsDueRow, err error) {
	err = s.DB.InPlannedTx(ctx, func(tx db.Tx) error {
		rows, err = tx.CardsDue(ctx, db.CardsDueParams{CompanyID: company, CardIds: ids, Now: s.moment()})
		return err
	})
	return rows, err
}

// errUndone ends a transaction that is not meant to last.
var errUndone = errors.New("reckoned and undone")

// settled posts what is due on cards, sees how what can be spent changes by it, and
// undoes it: what comes back, or becomes usable and ends, may pay for credit or a debt,
// be taken for a return that found too little, or pass its points on from a sale that was
// returned, and only a book reckons that. A card that somebody posts on just now is left
// out.
func (s *Service) settled(ctx context.Context, company uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]decimal.Decimal, error) {
	comes := make(map[uuid.UUID]decimal.Decimal, len(ids))
	err := s.DB.InPlannedTx(ctx, func(tx db.Tx) error {
		clear(comes)
		rows, err := tx.CardsLockFree(ctx, company, ids)
		if err != nil {
			return fmt.Errorf("lock cards: %w", err)
		}
		b, err := s.open(ctx, tx.Queries, auth.System(company), ids, true)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if a := b.Account(row.Card.ID); a != nil {
				comes[row.Card.ID] = less(a.Available(), less(row.Card.Balance, row.Card.Held))
			}
		}
		return errUndone
	})
	if !errors.Is(err, errUndone) {
		return nil, err
	}
	return comes, nil
}

// AvailableOf is what can be spent of a card now: balance less holds, with what is
// due counted as posted.
func (s *Service) AvailableOf(ctx context.Context, company uuid.UUID, c *Card) (decimal.Decimal, error) {
	due, err := s.DueOf(ctx, company, c)
	if err != nil {
		return decimal.Decimal{}, err
	}
	available := less(c.Balance, c.Held)
	return plus(less(available, due.Ended), plus(due.Vested, due.Released)), nil
}

// maxLots bounds the lots that are read of one card.
const maxLots = 1000

// LotsOf reads what a card has left, in spending order, and with it those of its
// batch; at most 1,000 lots of a card.
func (s *Service) LotsOf(ctx context.Context, company uuid.UUID, c *Card) ([]*Lot, error) {
	return loyalty.Together(c.batch, c, "lots", func(all []*Card) (map[*Card][]*Lot, error) {
		return loyalty.Lookup(all, func(c *Card) (uuid.UUID, bool) { return c.ID, true },
			func(ids []uuid.UUID) (map[uuid.UUID][]*Lot, error) {
				rows, err := s.DB.LotsByCards(ctx, db.LotsByCardsParams{CompanyID: company, CardIds: ids, BatchSize: maxLots})
				if err != nil {
					return nil, fmt.Errorf("list cards' lots: %w", err)
				}
				found := make(map[uuid.UUID][]*Lot, len(ids))
				for _, l := range lotsRead(rows) {
					found[l.CardID] = append(found[l.CardID], l)
				}
				return found, nil
			})
	})
}

// LotsPage is a page of what a card has left and whether more follows.
type LotsPage struct {
	Lots []*Lot
	More bool
}

// LotsPageOf reads a page of what a card has left, in spending order, pending points
// last, from behind a lot as it was when its page was read (nil: from the first).
func (s *Service) LotsPageOf(ctx context.Context, company uuid.UUID, c *Card, after *Lot, first int) (LotsPage, error) {
	all, err := s.LotsOf(ctx, company, c)
	if err != nil {
		return LotsPage{}, err
	}
	if after != nil {
		n := slices.IndexFunc(all, func(l *Lot) bool { return listOrder(l, after) > 0 })
		if n < 0 {
			return LotsPage{}, nil
		}
		all = all[n:]
	}
	page, more := last(all, first)
	return LotsPage{Lots: page, More: more}, nil
}

// listOrder is the order of LotsByCards.
func listOrder(a, b *Lot) int {
	waiting := func(l *Lot) int { return map[bool]int{true: 1}[l.Standing() == LotPending] }
	return cmp.Or(waiting(a)-waiting(b), spendingOrder(&lot{Lot: a.Lot}, &lot{Lot: b.Lot}))
}

// ExpiryPlanOf is what of a card ends when, the soonest first, as things stand: all
// future days on which something ends. Pending points are in it too.
func (s *Service) ExpiryPlanOf(ctx context.Context, company uuid.UUID, c *Card) ([]Expiring, error) {
	lots, err := s.LotsOf(ctx, company, c)
	if err != nil {
		return nil, err
	}
	return expiryPlan(lots), nil
}

// LotExtension says which lots of a card end later.
type LotExtension struct {
	Card CardRef
	// Lot names one lot by its movement's number and part; nil is all of them.
	Lot *LotKey
	// ExpiresOn is the new last day.
	ExpiresOn      time.Time
	Reason, Source string
	Key            *Key
}

// LotKey names a lot of a card.
type LotKey struct {
	Seq  int64
	Part int16
}

// LotsExtend moves the ends of a card's lots to a later day (PROMO's
// EXTENDED_POINTS) and notes why. Lots that end later already stay. It refuses with
// CARD_NOT_FOUND, REQUIRED (a reason), LOTS_NOT_KEPT, LOT_NOT_FOUND and INVALID (a
// day that is over, or one before the lot's).
func (s *Service) LotsExtend(ctx context.Context, who auth.Principal, in LotExtension) (Posted, error) {
	reason, err := text(in.Reason, "reason", 255)
	if err == nil && reason == nil {
		err = loyalty.Refuse(loyalty.CodeRequired, "reason")
	}
	if err != nil {
		return Posted{}, s.refused(err)
	}
	var out Posted
	err = s.onCard(ctx, who, in.Card, in.Key, &out, func(_ db.Tx, a *Account) (*Movement, error) {
		if !a.Type.TracksLots {
			return nil, loyalty.Refuse(loyalty.CodeLotsNotKept, "card")
		}
		if in.ExpiresOn.Before(a.Today()) {
			return nil, loyalty.Refuse(loyalty.CodeInvalid, "expiresOn")
		}
		var moved []*lot
		for _, l := range a.lots {
			if LotState(l.State) == LotClosed || in.Lot != nil && l.key() != (lotKey{in.Lot.Seq, in.Lot.Part}) {
				continue
			}
			if l.ExpiresOn != nil && l.ExpiresOn.Before(in.ExpiresOn) {
				moved = append(moved, l)
			} else if in.Lot != nil {
				return nil, loyalty.Refuse(loyalty.CodeInvalid, "expiresOn")
			}
		}
		if len(moved) == 0 {
			return nil, loyalty.Refuse(loyalty.CodeLotNotFound, "lot")
		}
		for _, l := range moved {
			l.ExpiresOn, l.changed = &in.ExpiresOn, true
		}
		return a.append(Entry{Action: Extend, Source: in.Source, Description: *reason, Key: in.Key}), nil
	})
	return out, s.posted(Extend, out.Replayed, err)
}

// Vesting names pending points that have become usable.
type Vesting struct {
	Movement            MovementKey
	Source, Description string
	Key                 *Key
}

// Vest gives points that were waiting for word (an order that was delivered, say).
// It refuses with MOVEMENT_NOT_FOUND, CARD_NOT_ENABLED (a cancelled card) and
// NOT_PENDING.
func (s *Service) Vest(ctx context.Context, who auth.Principal, in Vesting) (Posted, error) {
	description, err := text(in.Description, "description", 255)
	if err != nil {
		return Posted{}, s.refused(err)
	}
	var out Posted
	err = s.keyed(ctx, who, in.Key, func(tx db.Tx) error {
		first, err := s.used(ctx, tx.Queries, who.CompanyID, in.Key)
		if err != nil || first != nil {
			out = Posted{Movement: first, Replayed: first != nil}
			return err
		}
		b, err := s.open(ctx, tx.Queries, who, []uuid.UUID{in.Movement.CardID}, false)
		if err != nil {
			return err
		}
		a := b.Account(in.Movement.CardID)
		if a == nil {
			return loyalty.Refuse(loyalty.CodeMovementNotFound, "movementId")
		}
		if Status(a.Card.Status) == Cancelled {
			return loyalty.Refuse(loyalty.CodeCardNotEnabled, "movementId")
		}
		l := a.lots.find(lotKey{in.Movement.Seq, 0})
		if l == nil || LotState(l.State) != LotPending {
			return loyalty.Refuse(loyalty.CodeNotPending, "movementId")
		}
		m, err := a.vest(l, Entry{Source: in.Source, Description: valueOr(description), Key: in.Key})
		if err != nil {
			return err
		}
		out = Posted{Movement: m}
		return b.write(ctx)
	})
	return out, s.posted(Accrue, out.Replayed, err)
}

// onCard runs an operation on one card that adds one movement.
func (s *Service) onCard(ctx context.Context, who auth.Principal, ref CardRef, key *Key, out *Posted, fn func(tx db.Tx, a *Account) (*Movement, error)) error {
	code, walletKey, phone, err := ref.args()
	if err != nil {
		return err
	}
	named := &ask{who: who, params: db.CardPostParams{CardCode: code, WalletKey: walletKey, Phone: phone}}
	return s.keyed(ctx, who, key, func(tx db.Tx) error {
		first, err := s.used(ctx, tx.Queries, who.CompanyID, key)
		if err != nil || first != nil {
			*out = Posted{Movement: first, Replayed: first != nil}
			return err
		}
		found, err := tx.PostingsRead(ctx, postingsRead([]*ask{named}))
		if err != nil {
			return fmt.Errorf("find a card: %w", err)
		}
		id := cardOf(found[0])
		if id == nil {
			return loyalty.Refuse(loyalty.CodeCardNotFound, "card")
		}
		b, err := s.open(ctx, tx.Queries, who, []uuid.UUID{*id}, false)
		if err != nil {
			return err
		}
		m, err := fn(tx, b.Account(*id))
		if err != nil {
			return err
		}
		*out = Posted{Movement: m}
		return b.write(ctx)
	})
}
