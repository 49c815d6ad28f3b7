package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Replacement says which card takes another's place.
type Replacement struct {
	CardChange
	// NewCode is a card of the same type on stock, or the code of one that is opened
	// for it; "" opens one with the next number.
	NewCode string
}

// CardReplace puts another card in the place of one that is lost: it gets the
// customer, the holder, the validity, the overdraft, and all that is on the old one
// with the ends it has, whatever the transfer policy; a debt too. The old one is
// cancelled. It refuses with CARD_NOT_FOUND, STATE_CONFLICT, HOLD_OPEN,
// CARD_HAS_CUSTOMER, TAKEN (the new code's card is in use, or of another type),
// INVALID, NUMBERS_USED_UP, and as CardActivate does.
func (s *Service) CardReplace(ctx context.Context, who auth.Principal, in Replacement) (Changed, error) {
	c, err := in.check()
	if err != nil {
		return Changed{}, err
	}
	var out Changed
	for range 5 {
		err = s.keyed(ctx, who, in.Key, func(tx db.Tx) error {
			first, err := s.used(ctx, tx.Queries, who.CompanyID, in.Key)
			if err != nil {
				return err
			}
			if first != nil {
				out, err = s.changedBefore(ctx, tx.Queries, first)
				return err
			}
			out, err = s.replace(ctx, tx, who, in, c)
			return err
		})
		if !errors.Is(err, errMoved) && (in.NewCode != "" || !db.Violates(err, "card_code_key")) {
			break
		}
	}
	switch {
	case err == nil:
		return out, nil
	case db.Violates(err, "card_code_key"):
		return Changed{}, loyalty.Refuse(loyalty.CodeTaken, "newCode")
	default:
		return Changed{}, err
	}
}

func (s *Service) replace(ctx context.Context, tx db.Tx, who auth.Principal, in Replacement, c change) (Changed, error) {
	row, err := tx.CardByCode(ctx, who.CompanyID, in.Code)
	if db.Absent(err) {
		return Changed{}, loyalty.Refuse(loyalty.CodeCardNotFound, "code")
	}
	if err != nil {
		return Changed{}, fmt.Errorf("find a card: %w", err)
	}
	if err := lockCustomers(ctx, tx.Queries, who.CompanyID, nil, row.CustomerID); err != nil {
		return Changed{}, err
	}
	successor, err := s.successor(ctx, tx.Queries, row, in.NewCode)
	if err != nil {
		return Changed{}, err
	}
	b, err := s.open(ctx, tx.Queries, who, []uuid.UUID{row.ID, successor.ID}, false)
	if err != nil {
		return Changed{}, err
	}
	old, fresh := b.Account(row.ID), b.Account(successor.ID)
	if old.Card.HiddenAt != nil || fresh.Card.HiddenAt != nil || valueOr(old.Card.CustomerID) != valueOr(row.CustomerID) {
		return Changed{}, errMoved
	}
	if old.Card.Held.IsPos() {
		return Changed{}, loyalty.Refuse(loyalty.CodeHoldOpen, "code")
	}
	out, err := s.succeed(ctx, old, fresh, c)
	if err != nil {
		return Changed{}, err
	}
	if err := b.write(ctx); err != nil {
		return Changed{}, err
	}
	if err := passHolder(ctx, old, fresh); err != nil {
		return Changed{}, err
	}
	out.Card, out.Replaced = &Card{Card: fresh.Card}, &Card{Card: old.Card}
	return out, s.audit(ctx, tx.Queries, who, "card_replace", out.Replaced, c.reason, out.Card)
}

// successor finds the card that takes another's place, or opens it.
func (s *Service) successor(ctx context.Context, q *db.Queries, old db.Card, code string) (db.Card, error) {
	if code != "" {
		row, err := q.CardByCode(ctx, old.CompanyID, code)
		switch {
		case err == nil && (row.CardTypeID != old.CardTypeID || Status(row.Status) != Inactive):
			return db.Card{}, loyalty.Refuse(loyalty.CodeTaken, "newCode")
		case err == nil && row.CustomerID != nil && valueOr(row.CustomerID) != valueOr(old.CustomerID):
			return db.Card{}, loyalty.Refuse(loyalty.CodeCardHasCustomer, "newCode")
		case err == nil:
			return row, nil
		case !db.Absent(err):
			return db.Card{}, fmt.Errorf("find a card: %w", err)
		}
	}
	t, err := q.CardTypeByID(ctx, old.CompanyID, old.CardTypeID)
	if err != nil {
		return db.Card{}, fmt.Errorf("read a card's type: %w", err)
	}
	row, err := s.insertCard(ctx, q, t, opening{code: code})
	if e, ok := errors.AsType[*loyalty.Error](err); ok && e.Field == "code" {
		return db.Card{}, loyalty.Refuse(e.Code, "newCode")
	}
	return row, err
}

// succeed makes one locked card of two.
func (s *Service) succeed(ctx context.Context, old, fresh *Account, c change) (Changed, error) {
	if Status(fresh.Card.Status) != Inactive { // somebody took it meanwhile
		return Changed{}, loyalty.Refuse(loyalty.CodeTaken, "newCode")
	}
	if err := old.become(replacing, c.reason); err != nil {
		return Changed{}, err
	}
	if old.Type.ArchivedAt != nil {
		return Changed{}, loyalty.Refuse(loyalty.CodeCardTypeArchived, "code")
	}
	if err := fresh.become(activating, c.reason); err != nil {
		return Changed{}, err
	}
	fresh.Card.CustomerID, fresh.Card.RegisteredAt, fresh.Card.Floor = old.Card.CustomerID, old.Card.RegisteredAt, old.Card.Floor
	if err := fresh.mayBeEnabled(ctx, "code", old.Card.ID); err != nil {
		return Changed{}, err
	}
	if old.Card.ValidTo == nil || !old.Card.ValidTo.Before(old.Today()) {
		fresh.Card.ValidFrom, fresh.Card.ValidTo = old.Card.ValidFrom, old.Card.ValidTo
	} else if err := fresh.setValidity(nil, nil, true); err != nil {
		return Changed{}, err
	}
	old.Card.ReplacedByID = &fresh.Card.ID
	begun := fresh.append(c.entry(Activate))
	e := c.entry(Replace)
	e.Key, e.Related = c.key, &MovementKey{CardID: fresh.Card.ID, Seq: begun.Seq}
	ended := old.append(e)
	if err := old.passTo(fresh, ended, c); err != nil {
		return Changed{}, err
	}
	cvv, err := s.firstCVV(ctx, fresh)
	return Changed{CVV: cvv}, err
}

// passTo moves all that is on a card to another: what is available with its lots, a
// debt the other way round, and what is pending.
func (a *Account) passTo(to *Account, ended *Movement, c change) error {
	e := c.entry("")
	var err error
	switch left := a.Available(); {
	case left.IsPos():
		_, _, err = a.move(to, left, e)
	case left.IsNeg():
		e.Overdraw = true
		_, _, err = to.move(a, left.Neg(), e)
	}
	if err != nil {
		return err
	}
	for _, l := range a.lots {
		if LotState(l.State) != LotPending {
			continue
		}
		e := c.entry("")
		e.At, e.Related = a.book.now, &MovementKey{CardID: a.Card.ID, Seq: l.Seq}
		e.Lot = LotTerms{Priority: &l.Priority, EarnedOn: &l.EarnedOn, ExpiresOn: l.ExpiresOn}
		amount := l.Remaining
		a.record(ended, piece{l, amount.Neg()})
		to.pend(e, amount, l.VestsOn)
	}
	return nil
}

// passHolder moves a contact's name and phone from one locked card to another. The
// phone is one card's at any time.
func passHolder(ctx context.Context, old, fresh *Account) error {
	if old.Card.HolderPhone == nil && old.Card.HolderName == nil {
		return nil
	}
	q, p := old.book.q, db.CardHolderSetParams{CompanyID: old.Card.CompanyID, ID: old.Card.ID, Now: old.book.now}
	name, phone, birthdate := old.Card.HolderName, old.Card.HolderPhone, old.Card.HolderBirthdate
	row, err := q.CardHolderSet(ctx, p)
	if err != nil {
		return fmt.Errorf("take a card's holder: %w", err)
	}
	old.Card = row
	p.ID, p.HolderName, p.HolderPhone, p.HolderBirthdate = fresh.Card.ID, name, phone, birthdate
	if row, err = q.CardHolderSet(ctx, p); err != nil {
		return fmt.Errorf("set a card's holder: %w", err)
	}
	fresh.Card = row
	return nil
}
