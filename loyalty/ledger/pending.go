package ledger

import (
	"time"

	"github.com/govalues/decimal"
)

// pend notes points that are earned and not yet usable: a movement of zero, and a
// lot that waits. They are no part of the balance until they vest.
func (a *Account) pend(e Entry, amount decimal.Decimal, vestsOn *time.Time) *Movement {
	terms := e.Lot
	e.Action, e.Amount = Pend, decimal.Zero
	m := a.append(e)
	l := a.earn(m, 0, amount, amount, terms)
	l.State, l.VestsOn = string(LotPending), vestsOn
	a.use(dayOf(m.PostedAt, a.zone))
	return m
}

// vest gives the points of a pending lot. e says when and why.
func (a *Account) vest(l *lot, e Entry) (*Movement, error) {
	e.Action, e.Amount, e.Related = Accrue, l.Remaining, &MovementKey{CardID: l.CardID, Seq: l.Seq}
	if err := a.check(e); err != nil {
		return nil, err
	}
	before := a.Available()
	m := a.append(e)
	l.State, l.VestsOn, l.changed = string(LotOpen), nil, true
	if paid := less(l.Remaining, less(usable(a.Available()), usable(before))); paid.IsPos() {
		a.record(m, piece{l, paid.Neg()})
	}
	return m, nil
}
