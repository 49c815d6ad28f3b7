package ledger

import (
	"cmp"
	"slices"
	"time"

	"github.com/govalues/decimal"

	"sello/db"
)

// LotState is where a lot is in its life.
type LotState string

// The states of a lot.
const (
	// LotPending: earned and not yet usable; no part of the balance.
	LotPending LotState = "pending"
	// LotOpen: something of it is left.
	LotOpen LotState = "open"
	// LotClosed: spent, expired or taken back.
	LotClosed LotState = "closed"
)

// DefaultPriority is the spending order of lots of which nothing is said.
const DefaultPriority = 100

// lot is one earning in a book, with what the book did to it.
type lot struct {
	db.Lot
	made, changed bool
}

func (l *lot) key() lotKey { return lotKey{l.Seq, l.Part} }

// ended reports whether the lot's last day is over.
func (l *lot) ended(today time.Time) bool {
	return l.ExpiresOn != nil && l.ExpiresOn.Before(today)
}

type lotKey struct {
	seq  int64
	part int16
}

// piece is what a movement takes from a lot (negative) or gives back to it.
type piece struct {
	lot    *lot
	amount decimal.Decimal
}

// lots are what a card has left of its earnings.
type lots []*lot

// spendingOrder is priority, then the soonest end, then the oldest.
func spendingOrder(a, b *lot) int {
	return cmp.Or(
		cmp.Compare(a.Priority, b.Priority), compareEnds(a.ExpiresOn, b.ExpiresOn),
		cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Part, b.Part))
}

func compareEnds(a, b *time.Time) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return a.Compare(*b)
}

// find is the lot with the key; nil if the book has not read it.
func (all lots) find(key lotKey) *lot {
	for _, l := range all {
		if l.key() == key {
			return l
		}
	}
	return nil
}

// take takes an amount in spending order from the lots that keep says, as far as
// they hold, and returns what it took.
func (all lots) take(amount decimal.Decimal, keep func(*lot) bool) (taken []piece, rest decimal.Decimal) {
	ordered := slices.Clone(all)
	slices.SortFunc(ordered, spendingOrder)
	rest = amount
	for _, l := range ordered {
		if !rest.IsPos() {
			break
		}
		if LotState(l.State) != LotOpen || !keep(l) {
			continue
		}
		part := rest.Min(l.Remaining)
		l.move(part.Neg())
		taken = append(taken, piece{l, part.Neg()})
		rest = less(rest, part)
	}
	return taken, rest
}

// move changes what is left of the lot. The amounts of a book are checked before:
// neither side can run out of digits or of points here.
func (l *lot) move(amount decimal.Decimal) {
	l.Remaining = plus(l.Remaining, amount)
	l.State = string(LotOpen)
	if l.Remaining.IsZero() {
		l.State = string(LotClosed)
	}
	l.changed = true
}

// left sums what the lots that keep says hold.
func (all lots) left(keep func(*lot) bool) decimal.Decimal {
	sum := decimal.Zero
	for _, l := range all {
		if LotState(l.State) == LotOpen && keep(l) {
			sum = plus(sum, l.Remaining)
		}
	}
	return sum
}

// plus and less reckon inside a book. Every amount that comes in from outside is
// held against maxAmount first, so a result with more than 19 digits is a mistake
// of ours.
func plus(a, b decimal.Decimal) decimal.Decimal {
	sum, err := a.Add(b)
	if err != nil {
		panic(err)
	}
	return sum
}

func less(a, b decimal.Decimal) decimal.Decimal { return plus(a, b.Neg()) }
