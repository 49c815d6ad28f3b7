package ledger

import (
	"context"
	"fmt"
	"slices"

	"github.com/govalues/decimal"

	"sello/db"
)

// comeBack does what belongs to points that a movement gives back: a hold that is
// let go, a redemption that is returned. takers are the movements that took them
// first, then those that have answered so far; back is what comes back, kept what of
// it is not eaten up by a debt. In turn: the lots that they came from get them back;
// what a return wrote off because they were not there is taken now; lots of sales
// that were taken back meanwhile pass them on to the lots that stood in for them;
// and what belongs to lots that have ended ends.
func (a *Account) comeBack(ctx context.Context, m *Movement, takers []int64, back, kept decimal.Decimal) error {
	if !back.IsPos() {
		return nil
	}
	var given []*lot
	if a.Type.TracksLots {
		var err error
		if given, err = a.giveBack(ctx, m, takers, kept); err != nil {
			return err
		}
	}
	if err := a.recover(ctx, m, takers[0], back, given); err != nil {
		return err
	}
	if err := a.passOn(ctx, m, given); err != nil {
		return err
	}
	a.expire(dayOf(m.PostedAt, a.zone))
	return nil
}

// giveBack returns an amount to the lots that movements took it from, less what is
// back already: what was taken last comes back first. What was taken while the card
// kept no lots, or on credit, is a new earning of the day.
func (a *Account) giveBack(ctx context.Context, m *Movement, takers []int64, amount decimal.Decimal) (given []*lot, err error) {
	entries, err := a.book.q.LotEntriesByMovement(ctx, db.LotEntriesByMovementParams{
		CompanyID: m.CompanyID, CardID: m.CardID, Seqs: takers,
	})
	if err != nil {
		return nil, fmt.Errorf("read what a movement took from lots: %w", err)
	}
	taken := map[lotKey]decimal.Decimal{}
	for _, e := range entries {
		key := lotKey{e.LotSeq, e.LotPart}
		taken[key] = less(taken[key], e.Amount)
	}
	return a.refill(ctx, m, taken, amount)
}

// refill gives an amount to lots, to each what it lacks, in the order against that of
// spending.
func (a *Account) refill(ctx context.Context, m *Movement, lacking map[lotKey]decimal.Decimal, amount decimal.Decimal) (given []*lot, err error) {
	var seqs []int64
	for key := range lacking {
		seqs = append(seqs, key.seq)
	}
	if err := a.readLots(ctx, seqs); err != nil {
		return nil, err
	}
	to := slices.DeleteFunc(slices.Clone(a.lots), func(l *lot) bool { return !lacking[l.key()].IsPos() })
	slices.SortFunc(to, func(x, y *lot) int { return spendingOrder(y, x) })
	for _, l := range to {
		part := amount.Min(lacking[l.key()])
		if !part.IsPos() {
			break
		}
		amount = less(amount, part)
		a.giveTo(l, m, part)
		given = append(given, l)
	}
	if amount.IsPos() {
		given = append(given, a.earn(m, 0, amount, amount, LotTerms{}))
	}
	return given, nil
}

// giveTo gives something back to a lot. One that has ended lives on for the days
// that the card type grants.
func (a *Account) giveTo(l *lot, m *Movement, amount decimal.Decimal) {
	day := dayOf(m.PostedAt, a.zone)
	if l.ended(day) && a.Type.ReturnedLotDays > 0 { // nothing else is left of it
		l.ExpiresOn = new(day.AddDate(0, 0, int(a.Type.ReturnedLotDays)))
	}
	a.record(m, piece{l, amount})
}

// recover takes what returns could not take because it was spent, now that what was
// spent comes back: else a sale, what its points bought and the returns of both would
// leave points behind. Only what was spent before the return counts.
func (a *Account) recover(ctx context.Context, m *Movement, spentBy int64, back decimal.Decimal, given []*lot) error {
	if err := a.book.writeBefore(ctx, m); err != nil {
		return err
	}
	rows, err := a.book.q.WriteOffsSince(ctx, db.WriteOffsSinceParams{CompanyID: m.CompanyID, CardID: m.CardID, Seq: spentBy})
	if err != nil {
		return fmt.Errorf("read what returns could not take: %w", err)
	}
	for _, row := range rows {
		amount := row.Amount.Min(back).Min(usable(less(a.Available(), a.Card.Floor)))
		if !amount.IsPos() {
			return nil
		}
		back = less(back, amount)
		before := a.Available()
		w := a.append(Entry{Action: WriteOff, Amount: amount.Neg(), Related: &MovementKey{CardID: m.CardID, Seq: row.RelatedSeq}, At: m.PostedAt})
		if a.Type.TracksLots {
			taken, rest := a.lots.take(less(usable(before), usable(a.Available())), func(l *lot) bool { return slices.Contains(given, l) })
			a.note(w, taken)
			a.spend(w, rest)
		}
	}
	return nil
}

// passOn moves what came back to lots of sales that have been taken back meanwhile
// to the lots that those returns took from in their place: as if the sale had never
// been. The movement that says so answers the sale, and moves no balance.
func (a *Account) passOn(ctx context.Context, m *Movement, given []*lot) error {
	var seqs []int64
	for _, l := range given {
		if l.Remaining.IsPos() && l.Seq != m.Seq {
			seqs = append(seqs, l.Seq)
		}
	}
	if len(seqs) == 0 {
		return nil
	}
	if err := a.book.writeBefore(ctx, m); err != nil {
		return err
	}
	rows, err := a.book.q.LotSubstitutes(ctx, db.LotSubstitutesParams{CompanyID: m.CompanyID, CardID: m.CardID, Seqs: distinct(seqs)})
	if err != nil {
		return fmt.Errorf("read what stood in for points of sales that were returned: %w", err)
	}
	for _, l := range given {
		stoodIn := map[lotKey]decimal.Decimal{}
		sum := decimal.Zero
		for _, row := range rows {
			if row.OriginSeq == l.Seq {
				stoodIn[lotKey{row.LotSeq, row.LotPart}] = row.Amount
				sum = plus(sum, row.Amount)
			}
		}
		amount := sum.Min(l.Remaining)
		if !amount.IsPos() {
			continue
		}
		p := a.append(Entry{Action: Reverse, Related: &MovementKey{CardID: m.CardID, Seq: l.Seq}, At: m.PostedAt})
		a.record(p, piece{l, amount.Neg()})
		if _, err := a.refill(ctx, p, stoodIn, amount); err != nil {
			return err
		}
	}
	return nil
}

// writeBefore writes the book if it has more than the movement that is being made:
// what is read next is then all there is.
func (b *Book) writeBefore(ctx context.Context, m *Movement) error {
	if len(b.entries) == 1 && b.entries[0].movement == m {
		return nil
	}
	return b.write(ctx)
}

// readLots reads the closed lots of movements, to give something back to them.
func (a *Account) readLots(ctx context.Context, seqs []int64) error {
	if len(seqs) == 0 {
		return nil
	}
	rows, err := a.book.q.LotsByKeys(ctx, db.LotsByKeysParams{CompanyID: a.Card.CompanyID, CardID: a.Card.ID, Seqs: distinct(seqs)})
	if err != nil {
		return fmt.Errorf("read lots: %w", err)
	}
	for _, row := range rows {
		if a.lots.find(lotKey{row.Seq, row.Part}) == nil {
			a.lots = append(a.lots, &lot{Lot: row})
		}
	}
	return nil
}

func distinct(seqs []int64) []int64 {
	seqs = slices.Clone(seqs)
	slices.Sort(seqs)
	return slices.Compact(seqs)
}
