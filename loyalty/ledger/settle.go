package ledger

import (
	"context"
	"slices"
	"time"

	"github.com/govalues/decimal"
)

// use moves the ends of a card whose points end with inactivity.
func (a *Account) use(day time.Time) {
	e := expiryOf(a.Type)
	if e.Policy != ExpiresWithInactivity {
		return
	}
	end := e.End(day, dayOf(a.Card.RegisteredAt, a.zone))
	for _, l := range a.lots {
		if LotState(l.State) != LotClosed && (l.ExpiresOn == nil || l.ExpiresOn.Before(*end)) {
			l.ExpiresOn, l.changed = end, true
		}
	}
}

// settle posts what is due on the card: holds whose time is up are released, points
// that have become usable are given, lots that have ended expire. Each is posted in
// the order and for the moment at which it fell due, so that the books come out the
// same however late somebody looks.
func (a *Account) settle(ctx context.Context) error {
	today := a.Today()
	for {
		ends, vests := a.lots.nextEnd(today), a.nextVest(today)
		at := func(l *lot) time.Time {
			if l == ends {
				return endOf(*l.ExpiresOn, a.zone)
			}
			return startOf(*l.VestsOn, a.zone)
		}
		next := ends
		if next == nil || vests != nil && at(vests).Before(at(ends)) {
			next = vests
		}
		switch {
		case len(a.due) > 0 && (next == nil || a.due[0].ExpiresAt.Before(at(next))):
			h := a.due[0]
			a.due = a.due[1:]
			if _, err := a.endHold(ctx, h, decimal.Zero, HoldExpired, Entry{Action: Release, At: h.ExpiresAt}); err != nil {
				return err
			}
		case next == nil:
			return nil
		case next == ends:
			a.expireDay(*ends.ExpiresOn)
		default:
			if _, err := a.vest(vests, Entry{At: at(vests)}); err != nil {
				return err
			}
		}
	}
}

// nextEnd is an open lot of those that ended first; nil if none has ended.
func (all lots) nextEnd(today time.Time) *lot {
	var next *lot
	for _, l := range all {
		if LotState(l.State) == LotOpen && l.ended(today) && (next == nil || l.ExpiresOn.Before(*next.ExpiresOn)) {
			next = l
		}
	}
	return next
}

// nextVest is the pending lot that has become usable first; nil if none has. What
// waits on a card that was ended for good waits for ever.
func (a *Account) nextVest(today time.Time) *lot {
	if Status(a.Card.Status) == Cancelled {
		return nil
	}
	var next *lot
	for _, l := range a.lots {
		if LotState(l.State) == LotPending && l.VestsOn != nil && !l.VestsOn.After(today) && (next == nil || l.VestsOn.Before(*next.VestsOn)) {
			next = l
		}
	}
	return next
}

// expire posts one movement for each day on which lots have ended, oldest first.
func (a *Account) expire(today time.Time) {
	for l := a.lots.nextEnd(today); l != nil; l = a.lots.nextEnd(today) {
		a.expireDay(*l.ExpiresOn)
	}
}

// expireDay takes what is left of the lots whose last day was that one.
func (a *Account) expireDay(day time.Time) {
	ended := slices.DeleteFunc(slices.Clone(a.lots), func(l *lot) bool {
		return LotState(l.State) != LotOpen || l.ExpiresOn == nil || !l.ExpiresOn.Equal(day)
	})
	slices.SortFunc(ended, spendingOrder)
	sum := decimal.Zero
	for _, l := range ended {
		sum = plus(sum, l.Remaining)
	}
	m := a.append(Entry{Action: Expire, Amount: sum.Neg(), At: endOf(day, a.zone)})
	for _, l := range ended {
		a.record(m, piece{l, l.Remaining.Neg()})
	}
}
