package ledger

import (
	"context"

	"github.com/govalues/decimal"

	"sello/db"
)

// HoldStatus is where a hold is in its life.
type HoldStatus string

// The states of a hold. Only an open one keeps points.
const (
	HoldOpen     HoldStatus = "open"
	HoldCaptured HoldStatus = "captured"
	HoldReleased HoldStatus = "released"
	// HoldExpired: nobody came for it in time.
	HoldExpired HoldStatus = "expired"
)

// endHold ends a hold: what is captured leaves the balance, the rest is available
// again, in the lots it came from.
func (a *Account) endHold(ctx context.Context, h db.Hold, captured decimal.Decimal, status HoldStatus, e Entry) error {
	e.Amount, e.Held = captured.Neg(), h.Amount.Neg()
	e.Related = &MovementKey{CardID: h.CardID, Seq: h.Seq}
	if err := a.check(e); err != nil {
		return err
	}
	before := a.Available()
	m := a.append(e)
	if a.Type.TracksLots {
		if err := a.giveBack(ctx, m, h.Seq, nil, less(usable(a.Available()), usable(before))); err != nil {
			return err
		}
	}
	a.book.ended = append(a.book.ended, db.HoldEndParams{
		CompanyID: h.CompanyID, ID: h.ID, Status: string(status), Captured: captured, EndedSeq: &m.Seq, Now: &a.book.now,
	})
	return nil
}
