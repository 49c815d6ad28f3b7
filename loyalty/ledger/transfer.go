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

// TransferPolicy is what a card type's cards may pass on.
type TransferPolicy string

// The transfer policies.
const (
	TransferNone    TransferPolicy = "none"
	TransferPartial TransferPolicy = "partial"
	// TransferTotal: all that is available, or nothing.
	TransferTotal TransferPolicy = "total"
)

// Transfer says what to move from one card to another.
type Transfer struct {
	From, To CardRef
	// Amount is what moves; nil is all that is available.
	Amount                 *decimal.Decimal
	Source                 string
	Reference, Description string
	StoreCode              string
	StaffNumber            *int64
	CVV                    string
	Key                    *Key
}

// Transferred are the two halves of a transfer.
type Transferred struct {
	Out, In  *Movement
	Replayed bool
}

// Transfer moves an amount between two cards of one unit: both movements or neither
// (design.md, "The ledger"). Points keep the ends they had. A debt cannot be passed
// on. It refuses as Post does for either card, and with TRANSFER_NOT_ALLOWED,
// HOLD_OPEN (a total transfer of a card with a hold) and INVALID (the same card,
// another unit).
func (s *Service) Transfer(ctx context.Context, who auth.Principal, in Transfer) (Transferred, error) {
	amount := decimal.NegOne
	if in.Amount != nil {
		if !in.Amount.IsPos() {
			return Transferred{}, s.refused(loyalty.Refuse(loyalty.CodeAmountNotPositive, "amount"))
		}
		amount = in.Amount.Neg()
	}
	from := Posting{
		Card: in.From, Action: Redeem, Amount: &amount, Source: in.Source, Reference: in.Reference, Description: in.Description,
		StoreCode: in.StoreCode, StaffNumber: in.StaffNumber, CVV: in.CVV, Key: in.Key,
	}
	to := Posting{Card: in.To, Action: Accrue, Amount: new(amount.Neg()), Source: in.Source}
	asks := make([]*ask, 2)
	for i, p := range []Posting{from, to} {
		params, err := s.params(who, p)
		if err != nil {
			return Transferred{}, s.refused(side(err, i))
		}
		params.IsSale = false
		asks[i] = &ask{ctx: ctx, who: who, posting: p, params: params}
	}
	var out Transferred
	err := s.keyed(ctx, who, in.Key, func(tx db.Tx) error {
		out = Transferred{}
		first, err := s.used(ctx, tx.Queries, who.CompanyID, in.Key)
		if err != nil {
			return err
		}
		if first != nil {
			out.Out, out.Replayed = first, true
			other, err := tx.MovementBySeq(ctx, db.MovementBySeqParams{CompanyID: who.CompanyID, CardID: *first.RelatedCardID, Seq: *first.RelatedSeq})
			out.In = &Movement{Movement: other}
			return err
		}
		found, err := tx.PostingsRead(ctx, postingsRead(asks))
		if err != nil {
			return fmt.Errorf("read what a transfer names: %w", err)
		}
		var ids []uuid.UUID
		for _, row := range found {
			if id := cardOf(row); id != nil {
				ids = append(ids, *id)
			}
		}
		b, err := s.open(ctx, tx.Queries, who, ids, false)
		if err != nil {
			return err
		}
		accounts := make([]*Account, 2)
		for i, row := range found {
			if id := cardOf(row); id != nil {
				accounts[i] = b.Account(*id)
			}
			if err := s.judge(asks[i], row, accounts[i]); err != nil {
				return side(err, i)
			}
		}
		e := Entry{
			Source: in.Source, Reference: valueOr(asks[0].params.Reference), Description: valueOr(asks[0].params.Description),
			StoreID: found[0].StoreID, StaffID: found[0].StaffID, Key: in.Key,
		}
		if e.StoreID == nil {
			e.StoreID = found[0].StaffStoreID
		}
		if out.Out, out.In, err = accounts[0].transfer(accounts[1], in.Amount, e); err != nil {
			return err
		}
		return b.write(ctx)
	})
	return out, s.posted(TransferOut, out.Replayed, held(err))
}

// side names the card at fault.
func side(err error, i int) error {
	e, ok := errors.AsType[*loyalty.Error](err)
	if !ok || e.Field != "card" {
		return held(err)
	}
	return &loyalty.Error{Code: e.Code, Field: [2]string{"from", "to"}[i], Params: e.Params}
}

// transfer moves an amount, nil for all there is, under the card type's policy.
func (a *Account) transfer(to *Account, amount *decimal.Decimal, e Entry) (out, in *Movement, err error) {
	if a == to || a.Type.Unit != to.Type.Unit {
		return nil, nil, loyalty.Refuse(loyalty.CodeInvalid, "to")
	}
	all := usable(a.Available())
	moved := all
	if amount != nil {
		moved = *amount
	}
	switch policy := TransferPolicy(a.Type.TransferPolicy); {
	case policy == TransferNone:
		return nil, nil, loyalty.Refuse(loyalty.CodeTransferNotAllowed, "from")
	case policy == TransferTotal && a.Card.Held.IsPos():
		return nil, nil, loyalty.Refuse(loyalty.CodeHoldOpen, "from")
	case policy == TransferTotal && moved.Cmp(all) < 0:
		return nil, nil, loyalty.Refuse(loyalty.CodeTransferNotAllowed, "amount")
	case moved.MinScale() > min(int(a.Type.Scale), int(to.Type.Scale)):
		return nil, nil, loyalty.Refuse(loyalty.CodeAmountTooPrecise, "amount").With("decimals", fmt.Sprint(min(a.Type.Scale, to.Type.Scale)))
	case moved.IsZero(), moved.Cmp(all) > 0:
		return nil, nil, loyalty.Refuse(loyalty.CodeInsufficientBalance, "amount").With("available", all.Trim(0).String())
	}
	if err := withinLimit(TransferOut, moved, a.Type, "amount"); err != nil {
		return nil, nil, err
	}
	return a.move(to, moved, e)
}

// move passes an amount on, with the lots it is in; all of it is available.
func (a *Account) move(to *Account, amount decimal.Decimal, e Entry) (out, in *Movement, err error) {
	give, take := e, e
	give.Action, give.Amount, give.Related = TransferOut, amount.Neg(), &MovementKey{CardID: to.Card.ID, Seq: to.Card.Seq + 1}
	take.Action, take.Amount, take.Related, take.Key = TransferIn, amount, &MovementKey{CardID: a.Card.ID, Seq: a.Card.Seq + 1}, nil
	if err := a.check(give); err != nil {
		return nil, nil, err
	}
	if err := to.check(take); err != nil {
		return nil, nil, err
	}
	out = a.append(give)
	var taken []piece
	if a.Type.TracksLots {
		taken, _ = a.lots.take(amount, func(*lot) bool { return true })
		a.note(out, taken)
	}
	before := to.Available()
	in = to.append(take)
	if !to.Type.TracksLots {
		return out, in, nil
	}
	debt := less(amount, less(usable(to.Available()), usable(before)))
	if len(taken) == 0 {
		to.earn(in, 0, amount, less(amount, debt), LotTerms{})
		return out, in, nil
	}
	for i, p := range taken {
		moved := p.amount.Neg()
		paid := debt.Min(moved)
		debt = less(debt, paid)
		terms := LotTerms{Priority: &p.lot.Priority, EarnedOn: &p.lot.EarnedOn}
		l := to.earn(in, int16(i), moved, less(moved, paid), terms)
		if a.Type.ID == to.Type.ID || p.lot.ExpiresOn != nil {
			l.ExpiresOn = p.lot.ExpiresOn
		}
	}
	return out, in, nil
}
