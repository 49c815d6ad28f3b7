package ledger

import (
	"context"
	"fmt"
	"math"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
)

// LotEntry is what one movement did to a lot: it made it or gave back to it
// (positive), or took from it.
type LotEntry struct {
	Lot    *Lot
	Amount decimal.Decimal
}

// MovementLine is one line of a sale and its part in a movement, without a sign.
type MovementLine struct{ db.MovementLine }

// Number names the line within the sale.
func (l *MovementLine) Number() int { return int(l.Line) }

// maxReversals bounds the returns that are listed of one movement.
const maxReversals = 100

func (m *Movement) key() MovementKey { return MovementKey{m.CardID, m.Seq} }

// ofMovements reads something for a movement, and with it for those of its batch:
// one statement, however many there are.
func ofMovements[R any](m *Movement, name string, read func(cards []uuid.UUID, seqs []int64) (map[MovementKey]R, error)) (R, error) {
	return loyalty.Together(m.batch, m, name, func(all []*Movement) (map[*Movement]R, error) {
		return loyalty.Lookup(all, func(m *Movement) (MovementKey, bool) { return m.key(), true },
			func(keys []MovementKey) (map[MovementKey]R, error) {
				cards, seqs := make([]uuid.UUID, len(keys)), make([]int64, len(keys))
				for i, k := range keys {
					cards[i], seqs[i] = k.CardID, k.Seq
				}
				return read(cards, seqs)
			})
	})
}

// MovementLotsOf reads what a movement did to lots, and with it those of its batch.
func (s *Service) MovementLotsOf(ctx context.Context, company uuid.UUID, m *Movement) ([]*LotEntry, error) {
	return ofMovements(m, "lots", func(cards []uuid.UUID, seqs []int64) (map[MovementKey][]*LotEntry, error) {
		rows, err := s.DB.LotsByMovements(ctx, db.LotsByMovementsParams{CompanyID: company, CardIds: cards, Seqs: seqs})
		if err != nil {
			return nil, fmt.Errorf("list movements' lots: %w", err)
		}
		touched := make([]db.Lot, len(rows))
		for i, row := range rows {
			touched[i] = row.Lot
		}
		found := map[MovementKey][]*LotEntry{}
		for i, l := range lotsRead(touched) {
			k := MovementKey{rows[i].MovedCardID, rows[i].MovedSeq}
			found[k] = append(found[k], &LotEntry{Lot: l, Amount: rows[i].MovedAmount})
		}
		return found, nil
	})
}

// LinesOf reads the lines of a movement, and with it those of its batch.
func (s *Service) LinesOf(ctx context.Context, company uuid.UUID, m *Movement) ([]*MovementLine, error) {
	return ofMovements(m, "lines", func(cards []uuid.UUID, seqs []int64) (map[MovementKey][]*MovementLine, error) {
		rows, err := s.DB.LinesByMovements(ctx, db.LinesByMovementsParams{CompanyID: company, CardIds: cards, Seqs: seqs})
		if err != nil {
			return nil, fmt.Errorf("list movements' lines: %w", err)
		}
		found := map[MovementKey][]*MovementLine{}
		for _, row := range rows {
			k := MovementKey{row.CardID, row.Seq}
			found[k] = append(found[k], &MovementLine{MovementLine: row})
		}
		return found, nil
	})
}

// ReversalsOf reads the returns of a movement, oldest first and at most 100, and with
// it those of its batch.
func (s *Service) ReversalsOf(ctx context.Context, company uuid.UUID, m *Movement) ([]*Movement, error) {
	return ofMovements(m, "reversals", func(cards []uuid.UUID, seqs []int64) (map[MovementKey][]*Movement, error) {
		rows, err := s.DB.ReversalsByMovements(ctx, db.ReversalsByMovementsParams{
			CompanyID: company, CardIds: cards, Seqs: seqs, BatchSize: maxReversals,
		})
		if err != nil {
			return nil, fmt.Errorf("list movements' returns: %w", err)
		}
		found := map[MovementKey][]*Movement{}
		for _, answer := range movements(rows) {
			k := MovementKey{*answer.RelatedCardID, *answer.RelatedSeq}
			found[k] = append(found[k], answer)
		}
		return found, nil
	})
}

// ReversedOf is how much of a movement has been taken back, without a sign.
func (s *Service) ReversedOf(ctx context.Context, company uuid.UUID, m *Movement) (decimal.Decimal, error) {
	return ofMovements(m, "reversed", func(cards []uuid.UUID, seqs []int64) (map[MovementKey]decimal.Decimal, error) {
		rows, err := s.DB.ReversedByMovements(ctx, db.ReversedByMovementsParams{CompanyID: company, CardIds: cards, Seqs: seqs})
		if err != nil {
			return nil, fmt.Errorf("sum movements' returns: %w", err)
		}
		found := map[MovementKey]decimal.Decimal{}
		for _, row := range rows {
			found[MovementKey{row.CardID, row.Seq}] = row.Amount
		}
		return found, nil
	})
}

// RelatedOf reads the movement that a movement answers, nil if it answers none, and
// with it those of its batch.
func (s *Service) RelatedOf(ctx context.Context, company uuid.UUID, m *Movement) (*Movement, error) {
	return loyalty.Together(m.batch, m, "related", func(all []*Movement) (map[*Movement]*Movement, error) {
		return loyalty.Lookup(all, func(m *Movement) (MovementKey, bool) {
			return MovementKey{valueOr(m.RelatedCardID), valueOr(m.RelatedSeq)}, m.RelatedSeq != nil
		}, func(keys []MovementKey) (map[MovementKey]*Movement, error) {
			return s.MovementsByKeys(ctx, company, keys)
		})
	})
}

// lotsRead makes the lots of a page, read together.
func lotsRead(rows []db.Lot) []*Lot {
	all := make([]*Lot, len(rows))
	for i, row := range rows {
		all[i] = &Lot{Lot: row}
	}
	batch := loyalty.NewBatch(all)
	for _, l := range all {
		l.batch = batch
	}
	return all
}

// EarnedBy reads the movement that made a lot, and with it those of its batch.
func (s *Service) EarnedBy(ctx context.Context, company uuid.UUID, l *Lot) (*Movement, error) {
	return loyalty.Together(l.batch, l, "movement", func(all []*Lot) (map[*Lot]*Movement, error) {
		return loyalty.Lookup(all, func(l *Lot) (MovementKey, bool) { return MovementKey{l.CardID, l.Seq}, true },
			func(keys []MovementKey) (map[MovementKey]*Movement, error) {
				return s.MovementsByKeys(ctx, company, keys)
			})
	})
}

// HoldsPage is a page of a card's holds and whether older ones follow.
type HoldsPage struct {
	Holds []*Hold
	More  bool
}

// HoldsOf reads a page of a card's holds, newest first, from below the number of a
// movement (nil: from the newest), and with it those of its batch.
func (s *Service) HoldsOf(ctx context.Context, company uuid.UUID, c *Card, before *int64, first int, openOnly bool) (HoldsPage, error) {
	from := int64(math.MaxInt64)
	if before != nil {
		from = *before
	}
	return loyalty.Together(c.batch, c, fmt.Sprintf("holds %d %d %t", from, first, openOnly), func(all []*Card) (map[*Card]HoldsPage, error) {
		return loyalty.Lookup(all, func(c *Card) (uuid.UUID, bool) { return c.ID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]HoldsPage, error) {
				rows, err := s.DB.HoldsByCards(ctx, db.HoldsByCardsParams{
					CompanyID: company, CardIds: ids, BeforeSeq: from, OpenOnly: openOnly, BatchSize: int32(first) + 1,
				})
				if err != nil {
					return nil, fmt.Errorf("list cards' holds: %w", err)
				}
				pages := make(map[uuid.UUID]HoldsPage, len(ids))
				for _, h := range holdsRead(rows) {
					page := pages[h.CardID]
					if len(page.Holds) == first {
						page.More = true
					} else {
						page.Holds = append(page.Holds, h)
					}
					pages[h.CardID] = page
				}
				return pages, nil
			})
	})
}

func holdsRead(rows []db.Hold) []*Hold {
	all := make([]*Hold, len(rows))
	for i, row := range rows {
		all[i] = &Hold{Hold: row}
	}
	batch := loyalty.NewBatch(all)
	for _, h := range all {
		h.batch = batch
	}
	return all
}

// CardOfHold reads the card of a hold, and with it those of its batch.
func (s *Service) CardOfHold(ctx context.Context, company uuid.UUID, h *Hold) (*Card, error) {
	return loyalty.Together(h.batch, h, "card", func(all []*Hold) (map[*Hold]*Card, error) {
		return loyalty.Lookup(all, func(h *Hold) (uuid.UUID, bool) { return h.CardID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]*Card, error) { return s.CardsByIDs(ctx, company, ids) })
	})
}

// MovementsOfHold reads the movement that holds and the one that ended it, nil while
// it is open, and with them those of the batch.
func (s *Service) MovementsOfHold(ctx context.Context, company uuid.UUID, h *Hold) (begun, ended *Movement, err error) {
	pair, err := loyalty.Together(h.batch, h, "movements", func(all []*Hold) (map[*Hold][2]*Movement, error) {
		var keys []MovementKey
		for _, h := range all {
			keys = append(keys, MovementKey{h.CardID, h.Seq})
			if h.EndedSeq != nil {
				keys = append(keys, MovementKey{h.CardID, *h.EndedSeq})
			}
		}
		found, err := s.MovementsByKeys(ctx, company, keys)
		if err != nil {
			return nil, err
		}
		pairs := make(map[*Hold][2]*Movement, len(all))
		for _, h := range all {
			pairs[h] = [2]*Movement{found[MovementKey{h.CardID, h.Seq}], found[MovementKey{h.CardID, valueOr(h.EndedSeq)}]}
		}
		return pairs, nil
	})
	return pair[0], pair[1], err
}
