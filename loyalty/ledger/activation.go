package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Activation says how a card begins its life.
type Activation struct {
	CardChange
	// CustomerID is whose card it becomes; nil leaves it whose it is.
	CustomerID *uuid.UUID
	// ValidFrom and ValidTo are the first and the last day; nil is the card's own,
	// else the card type's.
	ValidFrom, ValidTo *time.Time
	// Amount is what the card is charged with at once; nil is the card type's
	// starting balance.
	Amount *decimal.Decimal
}

// CardActivate puts an inactive card to use, or a disabled one back, which gets no
// starting balance. It refuses with CARD_NOT_FOUND, STATE_CONFLICT,
// CARD_TYPE_ARCHIVED, CUSTOMER_NOT_FOUND, CUSTOMER_MERGED, CUSTOMER_ERASED,
// CARD_HAS_CUSTOMER, CUSTOMER_REQUIRED, ACTIVE_CARD_EXISTS, INVALID (the validity),
// AMOUNT_NOT_POSITIVE, AMOUNT_TOO_PRECISE, AMOUNT_TOO_LARGE and AMOUNT_OVER_LIMIT.
func (s *Service) CardActivate(ctx context.Context, who auth.Principal, in Activation) (Changed, error) {
	return s.changing(ctx, who, in.CardChange, in.CustomerID, "card_activate", func(_ db.Tx, a *Account, c change) (Changed, error) {
		return s.activate(ctx, a, activation{
			change: c, customer: in.CustomerID, validFrom: in.ValidFrom, validTo: in.ValidTo, amount: in.Amount,
		})
	})
}

// activation is an Activation, checked.
type activation struct {
	change
	customer           *uuid.UUID
	validFrom, validTo *time.Time
	amount             *decimal.Decimal
}

// activate puts a card to use: the movement of it, then what the card begins with.
func (s *Service) activate(ctx context.Context, a *Account, in activation) (Changed, error) {
	fresh := Status(a.Card.Status) == Inactive
	if err := a.become(activating, in.reason); err != nil {
		return Changed{}, err
	}
	if a.Type.ArchivedAt != nil {
		return Changed{}, loyalty.Refuse(loyalty.CodeCardTypeArchived, "code")
	}
	if err := a.belong(in.customer); err != nil {
		return Changed{}, err
	}
	if err := a.mayBeEnabled(ctx, "customerId"); err != nil {
		return Changed{}, err
	}
	if fresh {
		a.Card.RegisteredAt = a.book.now
	}
	if err := a.setValidity(in.validFrom, in.validTo, fresh); err != nil {
		return Changed{}, err
	}
	a.remark(in.change, Activate)
	if err := a.begin(in, fresh); err != nil {
		return Changed{}, err
	}
	cvv, err := s.firstCVV(ctx, a)
	return Changed{CVV: cvv}, err
}

// Validity are the first and the last day of a card of a type that is opened on a day
// without others being said; nil is open.
func Validity(t db.CardType, day time.Time) (from, to *time.Time) {
	if t.ValidDays != nil {
		return &day, new(day.AddDate(0, 0, int(*t.ValidDays)-1))
	}
	return t.ValidFrom, t.ValidTo
}

// setValidity gives a card the days that are said, else keeps its own, else takes
// the card type's.
func (a *Account) setValidity(from, to *time.Time, fresh bool) error {
	today := a.Today()
	c := &a.Card
	if from == nil && to == nil && c.ValidFrom == nil && c.ValidTo == nil && fresh {
		c.ValidFrom, c.ValidTo = Validity(a.Type, today)
		if c.ValidTo != nil && c.ValidTo.Before(today) {
			return loyalty.Refuse(loyalty.CodeCardNotValid, "validTo")
		}
		return nil
	}
	if from != nil {
		c.ValidFrom = from
	}
	if to != nil {
		c.ValidTo = to
	}
	if c.ValidTo != nil && (c.ValidTo.Before(today) || c.ValidFrom != nil && c.ValidTo.Before(*c.ValidFrom)) {
		return loyalty.Refuse(loyalty.CodeInvalid, "validTo")
	}
	return nil
}

// begin posts what an activated card is charged with, or its starting balance.
func (a *Account) begin(in activation, fresh bool) error {
	e := in.entry(Accrue)
	if e.Amount = a.Type.StartingBalance; in.amount != nil {
		e.Action, e.Amount = Recharge, *in.amount
	} else if !fresh {
		return nil
	}
	switch {
	case e.Amount.IsNeg():
		return loyalty.Refuse(loyalty.CodeAmountNotPositive, "amount")
	case e.Amount.IsZero():
		return nil
	case e.Amount.MinScale() > int(a.Type.Scale):
		return loyalty.Refuse(loyalty.CodeAmountTooPrecise, "amount").With("decimals", fmt.Sprint(a.Type.Scale))
	case e.Action == Recharge:
		if err := withinLimit(Recharge, e.Amount, a.Type, "amount"); err != nil {
			return err
		}
	}
	_, err := a.Post(e)
	return held(err)
}
