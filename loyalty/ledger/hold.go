package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
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

// Bounds of a hold's time.
const (
	DefaultHoldTime = 15 * time.Minute
	MaxHoldTime     = 30 * 24 * time.Hour
)

// Hold is part of a balance that is spoken for until it is captured, released
// or timed out: it counts against what is available at once.
type Hold struct {
	db.Hold
	batch *loyalty.Batch[Hold]
}

// GlobalID is the hold's opaque id.
func (h *Hold) GlobalID() string { return loyalty.GlobalID("Hold", h.ID.String()) }

// State is where it is in its life.
func (h *Hold) State() HoldStatus { return HoldStatus(h.Status) }

// begin shows the hold as it was made: what the first answer said.
func (h *Hold) begin() {
	h.Status, h.Captured, h.EndedSeq, h.EndedAt = string(HoldOpen), decimal.Zero, nil, nil
}

// NewHold says what to hold.
type NewHold struct {
	Card   CardRef
	Amount decimal.Decimal
	// Time is how long it is kept; 0 is DefaultHoldTime.
	Time                   time.Duration
	Source                 string
	Reference, Description string
	StoreCode              string
	StaffNumber            *int64
	CVV                    string
	Key                    *Key
}

// HoldResult is the answer to an operation on a hold.
type HoldResult struct {
	Hold *Hold
	// Movement is the line that the operation added.
	Movement *Movement
	Replayed bool
}

// HoldCreate keeps a part of what is available: from the lots that would be spent
// first. It refuses as Post does, and with INVALID for a time out of bounds.
func (s *Service) HoldCreate(ctx context.Context, who auth.Principal, in NewHold) (HoldResult, error) {
	keep := in.Time
	if keep == 0 {
		keep = DefaultHoldTime
	}
	if keep < time.Second || keep > MaxHoldTime {
		return HoldResult{}, s.refused(loyalty.Refuse(loyalty.CodeInvalid, "seconds"))
	}
	amount := in.Amount.Neg() // the rights and limits of a redemption
	p := Posting{
		Card: in.Card, Action: Redeem, Amount: &amount, Source: in.Source, Reference: in.Reference, Description: in.Description,
		StoreCode: in.StoreCode, StaffNumber: in.StaffNumber, CVV: in.CVV, Key: in.Key,
	}
	params, err := s.params(who, p)
	if err != nil {
		return HoldResult{}, s.refused(held(err))
	}
	a := &ask{ctx: ctx, who: who, posting: p, params: params}
	var out HoldResult
	err = s.keyed(ctx, who, in.Key, func(tx db.Tx) error {
		out = HoldResult{}
		first, err := s.used(ctx, tx.Queries, who.CompanyID, in.Key)
		if err != nil {
			return err
		}
		if first != nil {
			out.Movement, out.Replayed = first, true
			if out.Hold, err = s.holdOf(ctx, tx.Queries, first); err == nil {
				out.Hold.begin()
			}
			return err
		}
		found, err := tx.PostingsRead(ctx, postingsRead([]*ask{a}))
		if err != nil {
			return fmt.Errorf("read what a hold names: %w", err)
		}
		var ids []uuid.UUID
		if id := cardOf(found[0]); id != nil {
			ids = append(ids, *id)
		}
		b, err := s.open(ctx, tx.Queries, who, ids, false)
		if err != nil {
			return err
		}
		var account *Account
		if len(ids) > 0 {
			account = b.Account(ids[0])
		}
		if err := s.judge(a, found[0], account); err != nil {
			return err
		}
		if _, _, err := reckon(p, account.Type); err != nil {
			return err
		}
		e := Entry{
			Action: Reserve, Held: in.Amount, Source: in.Source, Reference: valueOr(params.Reference), Description: valueOr(params.Description),
			StoreID: found[0].StoreID, StaffID: found[0].StaffID, Key: in.Key,
		}
		if e.StoreID == nil {
			e.StoreID = found[0].StaffStoreID
		}
		if out.Movement, err = account.Post(e); err != nil {
			return err
		}
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make an id: %w", err)
		}
		row, err := tx.HoldCreate(ctx, db.HoldCreateParams{
			CompanyID: who.CompanyID, ID: id, CardID: account.Card.ID, Seq: out.Movement.Seq, Amount: in.Amount, ExpiresAt: b.now.Add(keep), Now: b.now,
		})
		if err != nil {
			return fmt.Errorf("create a hold: %w", err)
		}
		out.Hold = &Hold{Hold: row}
		return b.write(ctx)
	})
	return out, s.posted(Reserve, out.Replayed, held(err))
}

// HoldEnd says how a hold ends.
type HoldEnd struct {
	ID uuid.UUID
	// Amount is what is captured of it, nil for the whole; unused for a release.
	Amount                 *decimal.Decimal
	Source                 string
	Reference, Description string
	Key                    *Key
}

// HoldCapture takes what is held, or a part of it, and lets go of the rest. It
// refuses with HOLD_NOT_FOUND, HOLD_ENDED, AMOUNT_NOT_POSITIVE,
// AMOUNT_TOO_PRECISE and INSUFFICIENT_BALANCE (more than is held).
func (s *Service) HoldCapture(ctx context.Context, who auth.Principal, in HoldEnd) (HoldResult, error) {
	return s.holdEnd(ctx, who, in, HoldCaptured)
}

// HoldRelease lets go of what is held. It refuses with HOLD_NOT_FOUND and
// HOLD_ENDED.
func (s *Service) HoldRelease(ctx context.Context, who auth.Principal, in HoldEnd) (HoldResult, error) {
	return s.holdEnd(ctx, who, in, HoldReleased)
}

func (s *Service) holdEnd(ctx context.Context, who auth.Principal, in HoldEnd, status HoldStatus) (HoldResult, error) {
	reference, err := text(in.Reference, "reference", 100)
	if err != nil {
		return HoldResult{}, s.refused(err)
	}
	description, err := text(in.Description, "description", 255)
	if err != nil {
		return HoldResult{}, s.refused(err)
	}
	action := Release
	if status == HoldCaptured {
		action = Redeem
	}
	var out HoldResult
	err = s.keyed(ctx, who, in.Key, func(tx db.Tx) error {
		out = HoldResult{}
		first, err := s.used(ctx, tx.Queries, who.CompanyID, in.Key)
		if err != nil {
			return err
		}
		if first != nil {
			out.Movement, out.Replayed = first, true
			row, err := tx.HoldByID(ctx, who.CompanyID, in.ID)
			out.Hold = &Hold{Hold: row}
			return err
		}
		row, err := tx.HoldByID(ctx, who.CompanyID, in.ID)
		if db.Absent(err) {
			return loyalty.Refuse(loyalty.CodeHoldNotFound, "holdId")
		}
		if err != nil {
			return fmt.Errorf("read a hold: %w", err)
		}
		b, err := s.open(ctx, tx.Queries, who, []uuid.UUID{row.CardID}, false)
		if err != nil {
			return err
		}
		// The card is locked now: what the hold is stays so.
		if row, err = tx.HoldByID(ctx, who.CompanyID, in.ID); err != nil {
			return fmt.Errorf("read a hold: %w", err)
		}
		a := b.Account(row.CardID)
		if a == nil {
			return errors.New("end a hold: its card is gone")
		}
		if HoldStatus(row.Status) == HoldOpen && !row.ExpiresAt.After(b.now) {
			row.Status = string(HoldExpired) // the book has it, and it is not written yet
		}
		if HoldStatus(row.Status) != HoldOpen {
			return loyalty.Refuse(loyalty.CodeHoldEnded, "holdId").With("status", row.Status)
		}
		captured := decimal.Zero
		if status == HoldCaptured {
			captured = row.Amount
			if in.Amount != nil {
				captured = *in.Amount
			}
			switch {
			case !captured.IsPos():
				return loyalty.Refuse(loyalty.CodeAmountNotPositive, "amount")
			case captured.MinScale() > int(a.Type.Scale):
				return loyalty.Refuse(loyalty.CodeAmountTooPrecise, "amount").With("decimals", fmt.Sprint(a.Type.Scale))
			case captured.Cmp(row.Amount) > 0:
				return loyalty.Refuse(loyalty.CodeInsufficientBalance, "amount").With("available", row.Amount.Trim(0).String())
			}
		}
		out.Movement, err = a.endHold(ctx, row, captured, status, Entry{
			Action: action, Source: in.Source, Reference: valueOr(reference), Description: valueOr(description), Key: in.Key,
		})
		if err != nil {
			return err
		}
		row.Status, row.Captured, row.EndedSeq, row.EndedAt = string(status), captured, &out.Movement.Seq, &b.now
		out.Hold = &Hold{Hold: row}
		return b.write(ctx)
	})
	return out, s.posted(action, out.Replayed, err)
}

// endHold ends a hold: what is captured leaves the balance, the rest is available
// again, in the lots it came from.
func (a *Account) endHold(ctx context.Context, h db.Hold, captured decimal.Decimal, status HoldStatus, e Entry) (*Movement, error) {
	e.Amount, e.Held = captured.Neg(), h.Amount.Neg()
	e.Related = &MovementKey{CardID: h.CardID, Seq: h.Seq}
	if err := a.check(e); err != nil {
		return nil, err
	}
	before := a.Available()
	m := a.append(e)
	if err := a.comeBack(ctx, m, []int64{h.Seq}, less(a.Available(), before), less(usable(a.Available()), usable(before))); err != nil {
		return nil, err
	}
	if a.Type.TracksLots && uses(e.Action) {
		a.use(dayOf(m.PostedAt, a.zone))
	}
	a.book.ended = append(a.book.ended, db.HoldEndParams{
		CompanyID: h.CompanyID, ID: h.ID, Status: string(status), Captured: captured, EndedSeq: &m.Seq, Now: &a.book.now,
	})
	return m, nil
}

// HoldByID reads a hold; nil if the company has none of that id.
func (s *Service) HoldByID(ctx context.Context, company, id uuid.UUID) (*Hold, error) {
	row, err := s.DB.HoldByID(ctx, company, id)
	if db.Absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a hold: %w", err)
	}
	return &Hold{Hold: row}, nil
}

func (s *Service) holdOf(ctx context.Context, q *db.Queries, m *Movement) (*Hold, error) {
	row, err := q.HoldByMovement(ctx, db.HoldByMovementParams{CompanyID: m.CompanyID, CardID: m.CardID, Seq: m.Seq})
	if err != nil {
		return nil, fmt.Errorf("read the hold of a movement: %w", err)
	}
	return &Hold{Hold: row}, nil
}

// keyed runs an operation that goes through a book, again where another request
// with the same key came first between the look and the write.
func (s *Service) keyed(ctx context.Context, who auth.Principal, key *Key, fn func(tx db.Tx) error) error {
	for range 5 {
		var refusal error
		err := s.DB.InPlannedTx(ctx, func(tx db.Tx) error {
			var fault error
			refusal, fault = counted(ctx, tx.Queries, fn(tx))
			return fault
		})
		switch {
		case err == nil && refusal != nil:
			err = refusal
		case err == nil:
			return nil
		case db.Violates(err, "idempotency_key_pkey"):
			continue
		case db.LockTimedOut(err) && key != nil:
			err = loyalty.Refuse(loyalty.CodeIdempotencyInProgress, "idempotencyKey")
		default:
			// The first request with the key may have been what the card was waited for,
			// and why this one is refused: then it has an answer to repeat.
			if first, again := s.late(ctx, s.DB.Queries, who.CompanyID, key, err); again != nil || first != nil {
				if again != nil {
					return again
				}
				continue
			}
		}
		return s.refused(err)
	}
	return errors.New("run an operation: its key is taken and free in turns")
}

// held names the field as callers of holds do.
func held(err error) error {
	if e, ok := errors.AsType[*loyalty.Error](err); ok && e.Field == "points" {
		return &loyalty.Error{Code: e.Code, Field: "amount", Params: e.Params}
	}
	return err
}
