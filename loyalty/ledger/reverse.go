package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Shortfall is what happens to a return that takes back more than is available.
type Shortfall string

// The ways of a shortfall.
const (
	// ShortfallRefuse: the return is refused with INSUFFICIENT_BALANCE.
	ShortfallRefuse Shortfall = "refuse"
	// ShortfallTakeAvailable: what is not there is written off.
	ShortfallTakeAvailable Shortfall = "take_available"
	// ShortfallOverdraw: the balance goes below zero, and the next points pay it.
	ShortfallOverdraw Shortfall = "overdraw"
)

// Return says what to take back of a movement: an amount of its points, the part
// that an amount of what was spent stands for, lines of the sale, or with none of
// them all that is left.
type Return struct {
	Movement MovementKey
	Amount   *decimal.Decimal
	Spent    *decimal.Decimal
	Lines    []ReturnLine

	Source                 string
	Reference, Description string
	Key                    *Key
}

// ReturnLine is a line that comes back, wholly or an amount of its points.
type ReturnLine struct {
	Number int
	Amount *decimal.Decimal
}

// Returned is the answer to a return.
type Returned struct {
	Movement *Movement
	Replayed bool
}

// Reverse takes a movement back, or a part of it, in any order and number of parts:
// together they never come to more than the whole. Points given are taken back from
// the very lots they made, then from the others in spending order; what of them has
// expired is not taken again. Points spent return to the lots they came from, with
// the ends they had (card type: returned_lot_days for lots that have ended). Pending
// points are taken back before they count. It refuses with MOVEMENT_NOT_FOUND,
// NOT_REVERSIBLE, RETURN_TOO_LARGE, LINES_MISMATCH, AMOUNT_NOT_POSITIVE,
// AMOUNT_TOO_PRECISE and, by the card type's return_shortfall,
// INSUFFICIENT_BALANCE. A card that is not enabled takes returns all the same, but
// a cancelled one.
func (s *Service) Reverse(ctx context.Context, who auth.Principal, in Return) (Returned, error) {
	return s.ReverseWith(ctx, who, in, nil)
}

// ReverseWith is Reverse with other work in its transaction and under its key: with
// gets the movement that is taken back, may run again, and undoes the return by its
// error. A repeated request does not run it.
func (s *Service) ReverseWith(ctx context.Context, who auth.Principal, in Return, with func(tx db.Tx, origin *Movement) error) (Returned, error) {
	var out Returned
	err := s.keyed(ctx, who, in.Key, func(tx db.Tx) error {
		first, err := s.used(ctx, tx.Queries, who.CompanyID, in.Key)
		if err != nil || first != nil {
			out = Returned{Movement: first, Replayed: first != nil}
			return err
		}
		b, err := s.open(ctx, tx.Queries, who, []uuid.UUID{in.Movement.CardID}, false)
		if err != nil {
			return err
		}
		m, err := s.ReverseIn(ctx, tx, b, in)
		if err != nil {
			return err
		}
		out = Returned{Movement: m}
		if err := b.write(ctx); err != nil || with == nil {
			return err
		}
		origin, err := tx.MovementBySeq(ctx, db.MovementBySeqParams{CompanyID: who.CompanyID, CardID: *m.RelatedCardID, Seq: *m.RelatedSeq})
		if err != nil {
			return fmt.Errorf("read the movement that is taken back: %w", err)
		}
		return with(tx, &Movement{Movement: origin})
	})
	return out, s.posted(Reverse, out.Replayed, err)
}

// ReverseIn is Reverse in an open book, beside other work in its transaction.
func (s *Service) ReverseIn(ctx context.Context, tx db.Tx, b *Book, in Return) (*Movement, error) {
	reference, err := text(in.Reference, "reference", 100)
	if err != nil {
		return nil, err
	}
	description, err := text(in.Description, "description", 255)
	if err != nil {
		return nil, err
	}
	a := b.Account(in.Movement.CardID)
	if a == nil {
		return nil, loyalty.Refuse(loyalty.CodeMovementNotFound, "movementId")
	}
	r, err := a.reversal(ctx, tx, in.Movement.Seq)
	if err != nil {
		return nil, err
	}
	amount, lines, err := r.amount(in)
	if err != nil {
		return nil, err
	}
	e := Entry{
		Action: Reverse, Amount: amount, Spent: in.Spent, Source: in.Source, Reference: valueOr(reference), Description: valueOr(description),
		StoreID: r.origin.StoreID, Key: in.Key, Related: &MovementKey{CardID: r.origin.CardID, Seq: r.origin.Seq},
	}
	var m *Movement
	switch {
	case r.pending != nil:
		e.Amount = decimal.Zero
		m = a.append(e)
		r.pending.take(amount)
		a.note(m, []piece{{r.pending, amount.Neg()}})
	case r.origin.Amount.IsNeg():
		m, err = a.restore(ctx, e, r)
	default:
		e.Amount = amount.Neg()
		m, err = a.takeBack(ctx, tx, e, r)
	}
	if err != nil {
		return nil, err
	}
	return m, writeLines(ctx, tx, m, lines)
}

// reversal is a movement with what has been taken back of it.
type reversal struct {
	account *Account
	origin  db.Movement
	// pending is its lot where its points are not usable yet.
	pending *lot
	// whole is the movement's amount without its sign, left what may still come back.
	whole, left decimal.Decimal
	// answers are the numbers of the returns so far; bySpent is what those that said
	// what was spent took back, spent what they said; unexpired is what returns said
	// not to have expired.
	answers                   []int64
	bySpent, spent, unexpired decimal.Decimal
	lines                     []db.MovementLine
	// returned is what has come back of each line.
	returned map[int32]decimal.Decimal
}

// reversal reads a movement and the returns of it.
func (a *Account) reversal(ctx context.Context, tx db.Tx, seq int64) (reversal, error) {
	company, card := a.Card.CompanyID, a.Card.ID
	// What the book has done so far may be, or have answered, the movement.
	if err := a.book.write(ctx); err != nil {
		return reversal{}, err
	}
	if Status(a.Card.Status) == Cancelled {
		return reversal{}, loyalty.Refuse(loyalty.CodeCardNotEnabled, "movementId")
	}
	origin, err := tx.MovementBySeq(ctx, db.MovementBySeqParams{CompanyID: company, CardID: card, Seq: seq})
	if err == nil && Action(origin.Action) == Accrue && origin.RelatedSeq != nil {
		// Points that have vested are taken back of the sale that they were earned with.
		origin, err = tx.MovementBySeq(ctx, db.MovementBySeqParams{CompanyID: company, CardID: card, Seq: *origin.RelatedSeq})
	}
	if db.Absent(err) {
		return reversal{}, loyalty.Refuse(loyalty.CodeMovementNotFound, "movementId")
	}
	if err != nil {
		return reversal{}, fmt.Errorf("read the movement to reverse: %w", err)
	}
	r := reversal{account: a, origin: origin, whole: origin.Amount.Abs(), returned: map[int32]decimal.Decimal{}}
	switch Action(origin.Action) {
	case Accrue, Redeem, Adjust, Recharge:
	case Pend:
		if err := a.readLots(ctx, []int64{seq, origin.Seq}); err != nil {
			return reversal{}, err
		}
		l := a.lots.find(lotKey{origin.Seq, 0})
		if l == nil {
			return reversal{}, errors.New("reverse pending points: their lot is gone")
		}
		r.whole = l.Amount
		if LotState(l.State) == LotPending {
			r.pending = l
		}
	default:
		return reversal{}, loyalty.Refuse(loyalty.CodeNotReversible, "movementId")
	}
	return r, r.readAnswers(ctx, tx)
}

// readAnswers reads what the returns so far came to.
func (r *reversal) readAnswers(ctx context.Context, tx db.Tx) error {
	company, card := r.origin.CompanyID, r.origin.CardID
	answers, err := tx.MovementAnswers(ctx, db.MovementAnswersParams{CompanyID: company, CardID: card, Seq: r.origin.Seq})
	if err != nil {
		return fmt.Errorf("read earlier returns: %w", err)
	}
	took := map[int64]decimal.Decimal{}
	var whilePending []int64
	for _, m := range answers {
		switch Action(m.Action) {
		case Expire:
			r.unexpired = plus(r.unexpired, m.Amount)
			continue
		case WriteOff:
			continue
		}
		r.answers = append(r.answers, m.Seq)
		took[m.Seq] = m.Amount.Abs()
		if m.Amount.IsZero() {
			whilePending = append(whilePending, m.Seq)
		}
	}
	if len(whilePending) > 0 {
		entries, err := tx.LotEntriesByMovement(ctx, db.LotEntriesByMovementParams{CompanyID: company, CardID: card, Seqs: whilePending})
		if err != nil {
			return fmt.Errorf("read returns of pending points: %w", err)
		}
		for _, e := range entries { // which come to nothing where points moved between lots
			took[e.Seq] = less(took[e.Seq], e.Amount)
		}
	}
	r.left = r.whole
	for _, m := range answers {
		r.left = less(r.left, took[m.Seq])
		if m.Spent != nil {
			r.spent, r.bySpent = plus(r.spent, *m.Spent), plus(r.bySpent, took[m.Seq])
		}
	}
	lines, err := tx.MovementLines(ctx, db.MovementLinesParams{CompanyID: company, CardID: card, Seqs: append([]int64{r.origin.Seq}, r.answers...)})
	if err != nil {
		return fmt.Errorf("read a movement's lines: %w", err)
	}
	for _, l := range lines {
		if l.Seq == r.origin.Seq {
			r.lines = append(r.lines, l)
		} else {
			r.returned[l.Line] = plus(r.returned[l.Line], l.Amount)
		}
	}
	return nil
}

// amount is what a return takes back, without a sign, and its lines.
func (r *reversal) amount(in Return) (decimal.Decimal, []part, error) {
	ways := 0
	for _, given := range []bool{in.Amount != nil, in.Spent != nil, len(in.Lines) > 0} {
		if given {
			ways++
		}
	}
	scale := int(r.account.Type.Scale)
	switch {
	case ways > 1:
		return decimal.Zero, nil, loyalty.Refuse(loyalty.CodeInvalid, "amount")
	case in.Amount != nil:
		if !in.Amount.IsPos() {
			return decimal.Zero, nil, loyalty.Refuse(loyalty.CodeAmountNotPositive, "amount")
		}
		if in.Amount.MinScale() > scale {
			return decimal.Zero, nil, loyalty.Refuse(loyalty.CodeAmountTooPrecise, "amount").With("decimals", fmt.Sprint(scale))
		}
		return *in.Amount, nil, r.within(*in.Amount, r.left, "amount")
	case in.Spent != nil:
		amount, err := r.ofSpent(*in.Spent, scale)
		return amount, nil, err
	case len(in.Lines) > 0:
		return r.byLines(in.Lines, scale)
	case r.left.IsZero():
		return decimal.Zero, nil, r.tooLarge(r.left, "movementId")
	}
	return r.left, nil, nil
}

func (r *reversal) within(amount, left decimal.Decimal, field string) error {
	if amount.Cmp(left) > 0 {
		return r.tooLarge(left, field)
	}
	return nil
}

func (r *reversal) tooLarge(left decimal.Decimal, field string) error {
	return loyalty.Refuse(loyalty.CodeReturnTooLarge, field).With("left", left.Trim(0).String())
}

// ofSpent is the part of the points that an amount of what was spent stands for. All
// such returns together are rounded, not each: when all that was spent has come back,
// so have all the points.
func (r *reversal) ofSpent(spent decimal.Decimal, scale int) (decimal.Decimal, error) {
	switch {
	case r.origin.Spent == nil || r.origin.Spent.IsZero():
		return decimal.Zero, loyalty.Refuse(loyalty.CodeNotReversible, "spent")
	case !spent.IsPos():
		return decimal.Zero, loyalty.Refuse(loyalty.CodeAmountNotPositive, "spent")
	case spent.MinScale() > 4:
		return decimal.Zero, loyalty.Refuse(loyalty.CodeAmountTooPrecise, "spent").With("decimals", "4")
	}
	spentLeft := less(*r.origin.Spent, r.spent)
	if err := r.within(spent, spentLeft, "spent"); err != nil {
		return decimal.Zero, err
	}
	if r.left.IsZero() && !r.whole.IsZero() {
		return decimal.Zero, r.tooLarge(r.left, "spent")
	}
	if spent.Cmp(spentLeft) == 0 {
		return r.left, nil
	}
	num, den := fraction(r.whole, plus(r.spent, spent), *r.origin.Spent)
	due, ok := quotient(num, den, scale, false)
	if !ok {
		return decimal.Zero, loyalty.Refuse(loyalty.CodeAmountTooLarge, "spent")
	}
	return less(due, r.bySpent).Min(r.left), nil
}

// byLines sums lines that come back.
func (r *reversal) byLines(lines []ReturnLine, scale int) (decimal.Decimal, []part, error) {
	sum := decimal.Zero
	var parts []part
	seen := map[int]bool{}
	for _, in := range lines {
		var found *db.MovementLine
		for i := range r.lines {
			if int(r.lines[i].Line) == in.Number {
				found = &r.lines[i]
			}
		}
		if found == nil || seen[in.Number] {
			return decimal.Zero, nil, loyalty.Refuse(loyalty.CodeLinesMismatch, "lines")
		}
		seen[in.Number] = true
		left := less(found.Amount, r.returned[found.Line])
		amount := left
		if in.Amount != nil {
			amount = *in.Amount
			if amount.IsNeg() || amount.MinScale() > scale {
				return decimal.Zero, nil, loyalty.Refuse(loyalty.CodeLinesMismatch, "lines")
			}
		}
		if err := r.within(amount, left, "lines"); err != nil {
			return decimal.Zero, nil, err
		}
		sum = plus(sum, amount)
		parts = append(parts, part{number: in.Number, amount: amount, code: valueOr(found.Code)})
	}
	if sum.IsZero() {
		return decimal.Zero, nil, r.tooLarge(r.left, "lines")
	}
	return sum, parts, r.within(sum, r.left, "lines")
}

// take takes from a pending lot.
func (l *lot) take(amount decimal.Decimal) {
	l.Remaining, l.changed = less(l.Remaining, amount), true
	if l.Remaining.IsZero() {
		l.State, l.VestsOn = string(LotClosed), nil
	}
}

// restore gives spent points back. Those of a hold that was captured were taken by
// the hold.
func (a *Account) restore(ctx context.Context, e Entry, r reversal) (*Movement, error) {
	if err := a.check(e); err != nil {
		return nil, err
	}
	takers := []int64{r.origin.Seq}
	if Action(r.origin.Action) == Redeem && r.origin.RelatedSeq != nil {
		takers = []int64{*r.origin.RelatedSeq, r.origin.Seq}
	}
	before := a.Available()
	m := a.append(e)
	return m, a.comeBack(ctx, m, append(takers, r.answers...), e.Amount, less(usable(a.Available()), usable(before)))
}

// takeBack takes given points back. What of them has expired is first said not to
// have, so that issues and breakage both come to what they would be without the sale.
func (a *Account) takeBack(ctx context.Context, tx db.Tx, e Entry, r reversal) (*Movement, error) {
	own := func(l *lot) bool { return l.Seq == r.origin.Seq }
	if a.Type.TracksLots {
		if err := a.unexpire(ctx, tx, less(e.Amount.Neg(), a.lots.left(own)), e, r); err != nil {
			return nil, err
		}
	}
	if lacking := less(e.Amount.Neg(), less(a.Available(), a.Card.Floor)); lacking.IsPos() {
		switch Shortfall(a.Type.ReturnShortfall) {
		case ShortfallOverdraw:
			e.Overdraw = true
		case ShortfallTakeAvailable:
			if _, err := a.Post(Entry{Action: WriteOff, Amount: lacking.Min(e.Amount.Neg()), Source: e.Source, Related: e.Related}); err != nil {
				return nil, err
			}
			e.Overdraw = true // of before, if there is a debt
		}
	}
	if err := a.check(e); err != nil {
		return nil, err
	}
	before := a.Available()
	m := a.append(e)
	if a.Type.TracksLots {
		taken, rest := a.lots.take(less(usable(before), usable(a.Available())), own)
		a.note(m, taken)
		a.spend(m, rest)
	}
	return m, nil
}

// unexpire takes back the expiry of a movement's points, as far as need be.
func (a *Account) unexpire(ctx context.Context, tx db.Tx, need decimal.Decimal, e Entry, r reversal) error {
	if !need.IsPos() {
		return nil
	}
	seq := e.Related.Seq
	expired, err := tx.LotExpired(ctx, db.LotExpiredParams{CompanyID: a.Card.CompanyID, CardID: a.Card.ID, LotSeq: seq})
	if err != nil {
		return fmt.Errorf("read what has expired: %w", err)
	}
	amount := need.Min(less(expired, r.unexpired))
	if !amount.IsPos() {
		return nil
	}
	if err := a.readLots(ctx, []int64{seq}); err != nil {
		return err
	}
	before := a.Available()
	m := a.append(Entry{Action: Expire, Amount: amount, Source: e.Source, Related: e.Related})
	back := less(usable(a.Available()), usable(before))
	for _, l := range a.lots {
		room := less(l.Amount, l.Remaining)
		if l.Seq != seq || !back.IsPos() || !room.IsPos() {
			continue
		}
		given := back.Min(room)
		back = less(back, given)
		a.record(m, piece{l, given})
	}
	return nil
}
