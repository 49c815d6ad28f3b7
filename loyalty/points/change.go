package points

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
	"sello/loyalty/once"
)

// Change says how many points to give to or take from a person.
type Change struct {
	CustomerID uuid.UUID
	// Points are whole, 1 to 1,000,000. Spent is what the person spent, in currency,
	// which the programme's rule turns into points: it can be given to, not taken from.
	Points, Spent *decimal.Decimal
	// Reference is the other system's name for it, such as the ticket: it stands for one
	// change of its kind in the company, for ever.
	Reference string
	// Description is a text for people.
	Description string
	StoreCode   string
	// Source is the door it came in by: graphql, pretii.
	Source string
	// Key makes a change without a reference repeatable.
	Key *ledger.Key
}

// Changed is what came of it.
type Changed struct {
	Movement *ledger.Movement
	Account  *ledger.Card
	// StoreCode is where it happened; "" if nobody said.
	StoreCode string
	// Replayed: it was done before, and this is the first answer.
	Replayed bool
}

// Bounds of a change (spec/pretii.md 3.4).
var (
	mostPoints = decimal.MustParse("1000000")
	mostSpent  = decimal.MustParse("99999999.99")
)

const (
	spentDecimals  = 2
	maxReference   = 100
	maxDescription = 255
)

// Assign gives points to a person, whose account is opened on first use; points that
// come from an amount are whole, the rest of it is dropped, and none at all is a
// movement too, which tells the amount. It refuses, in this order, with
// CUSTOMER_NOT_FOUND, all that is wrong with the fields at once (REQUIRED of points:
// both or neither are given; INVALID; TOO_LONG; STORE_NOT_FOUND), IDEMPOTENCY_MISMATCH
// (reference: it was used for another change), and by the state of things with
// CUSTOMER_BLOCKED, CARD_TYPE_NOT_FOUND, CARD_TYPE_ARCHIVED, TICKET_REQUIRED,
// ACCRUAL_RULE_MISSING, CARD_NOT_ENABLED and as the ledger does.
func (s *Service) Assign(ctx context.Context, who auth.Principal, in Change) (Changed, error) {
	return s.change(ctx, who, in, ledger.Accrue)
}

// Deduct takes points from a person. It refuses as Assign does, and with
// INSUFFICIENT_BALANCE (available).
func (s *Service) Deduct(ctx context.Context, who auth.Principal, in Change) (Changed, error) {
	return s.change(ctx, who, in, ledger.Redeem)
}

// checked is a change whose fields are right.
type checked struct {
	Change
	action       ledger.Action
	person       *customer.Customer
	storeID      *uuid.UUID
	key          *ledger.Key
	keyIsForEver bool
}

func (s *Service) change(ctx context.Context, who auth.Principal, in Change, action ledger.Action) (Changed, error) {
	c, err := s.check(ctx, who.CompanyID, in, action)
	if err != nil {
		return Changed{}, err
	}
	result, replayed, err := s.once(ctx, who, c)
	if err != nil {
		if c.keyIsForEver && loyalty.CodeOf(err) == loyalty.CodeIdempotencyMismatch {
			return Changed{}, used()
		}
		return Changed{}, err
	}
	m, err := s.Ledger.Movement(ctx, who.CompanyID, result.ID, result.Seq)
	if err != nil {
		return Changed{}, err
	}
	account, err := s.Ledger.CardByID(ctx, who.CompanyID, result.ID)
	if err != nil {
		return Changed{}, err
	}
	if m == nil || account == nil {
		return Changed{}, fmt.Errorf("change points: the movement %s/%d is gone", result.ID, result.Seq)
	}
	out := Changed{Movement: m, Account: account, StoreCode: c.StoreCode, Replayed: replayed}
	if !replayed {
		return out, nil
	}
	if account.CustomerID == nil || *account.CustomerID != c.person.ID {
		return Changed{}, used()
	}
	out.StoreCode = ""
	if m.StoreID != nil {
		store, err := s.Companies.StoreByID(ctx, who.CompanyID, *m.StoreID)
		if err != nil {
			return Changed{}, err
		}
		if store != nil {
			out.StoreCode = store.Code
		}
	}
	return out, nil
}

// used tells of a reference that stands for another change.
func used() error { return loyalty.Refuse(loyalty.CodeIdempotencyMismatch, "reference") }

// once makes a change once for its reference or key. One that was refused because the
// first with its reference had just taken the points gets the first answer too.
func (s *Service) once(ctx context.Context, who auth.Principal, c checked) (once.Result, bool, error) {
	post := func() (once.Result, error) { return s.post(ctx, who, c) }
	result, replayed, err := once.Do(ctx, s.DB.Queries, who.CompanyID, c.key, s.Now(), post)
	if refused := err; c.key != nil && loyalty.CodeOf(refused) == loyalty.CodeInsufficientBalance {
		return once.Do(ctx, s.DB.Queries, who.CompanyID, c.key, s.Now(), func() (once.Result, error) { return once.Result{}, refused })
	}
	return result, replayed, err
}

// check finds the person and holds the fields against their rules.
func (s *Service) check(ctx context.Context, company uuid.UUID, in Change, action ledger.Action) (checked, error) {
	if action == ledger.Redeem {
		in.Spent = nil
	}
	c := checked{Change: in, action: action, key: in.Key}
	person, err := s.person(ctx, company, in.CustomerID)
	if err != nil {
		return c, err
	}
	c.person = person
	var wrong loyalty.Refusals
	switch {
	case (in.Points == nil) == (in.Spent == nil):
		wrong.Add(loyalty.CodeRequired, "points")
	case in.Points != nil:
		if p := *in.Points; p.MinScale() > 0 || !p.IsPos() || p.Cmp(mostPoints) > 0 {
			wrong.Add(loyalty.CodeInvalid, "points")
		}
	default:
		if a := *in.Spent; !a.IsPos() || a.MinScale() > spentDecimals || a.Cmp(mostSpent) > 0 {
			wrong.Add(loyalty.CodeInvalid, "amount")
		}
	}
	reference, err := loyalty.OptionalText(in.Reference, "reference", maxReference)
	_ = wrong.AddError(err) // a refusal always
	description, err := loyalty.OptionalText(in.Description, "description", maxDescription)
	_ = wrong.AddError(err)
	c.Reference, c.Description = text(reference), text(description)
	if in.StoreCode != "" {
		store, err := s.Companies.StoreByCode(ctx, company, in.StoreCode)
		switch {
		case err != nil:
			return c, err
		case store == nil || store.ArchivedAt != nil:
			wrong.Add(loyalty.CodeStoreNotFound, "storeCode")
		default:
			c.storeID = &store.ID
		}
	}
	if reference != nil {
		c.key, c.keyIsForEver = referenceKey(action, *reference, in), true
	}
	return c, wrong.Err()
}

// person is who is meant: who a merged one is now.
func (s *Service) person(ctx context.Context, company, id uuid.UUID) (*customer.Customer, error) {
	c, err := s.Customers.ByID(ctx, company, id)
	if err == nil && c != nil && c.MergedIntoID != nil {
		c, err = s.Customers.ByID(ctx, company, *c.MergedIntoID)
	}
	if err == nil && c == nil {
		return nil, loyalty.Refuse(loyalty.CodeCustomerNotFound, "customerId")
	}
	return c, err
}

// post makes the change: person, account, movement and key in one transaction.
func (s *Service) post(ctx context.Context, who auth.Principal, c checked) (r once.Result, err error) {
	if !c.person.Active {
		return r, loyalty.Refuse(loyalty.CodeCustomerBlocked, "customerId")
	}
	programme, err := s.Ledger.Programme(ctx, who.CompanyID)
	switch {
	case err != nil:
		return r, err
	case programme.TicketRequired && c.Reference == "":
		return r, loyalty.Refuse(loyalty.CodeTicketRequired, "reference")
	case c.Spent != nil && programme.AccrualPercentage == nil && programme.RatioPoints == nil:
		return r, loyalty.Refuse(loyalty.CodeAccrualRuleMissing, "amount") // before an account is opened for nothing
	}
	err = s.again(ctx, func(tx db.Tx) error {
		account, err := s.Ledger.AccountNamed(ctx, tx, who, programme, c.person.ID, c.person.QrCode, c.Source)
		if err != nil {
			return err
		}
		return s.Ledger.BookIn(ctx, tx, who, []uuid.UUID{account.ID}, func(b *ledger.Book) error {
			m, err := entry(b.Account(account.ID), c)
			if err != nil {
				return err
			}
			r = once.Result{ID: m.CardID, Seq: m.Seq}
			return once.Note(ctx, tx.Queries, who.CompanyID, c.key, r, s.Now())
		})
	})
	switch {
	case err == nil, loyalty.CodeOf(err) != "":
		return r, err
	default:
		return r, fmt.Errorf("change points of a person: %w", err)
	}
}

// entry posts a change on the person's account.
func entry(a *ledger.Account, c checked) (*ledger.Movement, error) {
	if err := a.MayPost("customerId"); err != nil {
		return nil, err
	}
	p := ledger.Posting{Action: c.action, Amount: c.Points, Spent: c.Spent}
	if c.action == ledger.Redeem {
		p.Amount = new(c.Points.Neg())
	}
	amount, rate, err := a.Reckon(p)
	if err != nil {
		return nil, err
	}
	if c.Spent != nil {
		amount = amount.Floor(0) // whole, whatever the programme keeps
	}
	return a.Post(ledger.Entry{
		Action: c.action, Amount: amount, Spent: c.Spent, Rate: rate, Source: c.Source,
		Reference: c.Reference, Description: c.Description, StoreID: c.storeID,
	})
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
