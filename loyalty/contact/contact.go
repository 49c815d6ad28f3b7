// Package contact puts customers, serial codes and rewards together for those who
// name a person by phone or e-mail (spec/antcrm.md 4 and 5): the person is found or
// registered, their account opened on first use, and the rest is what the catalogue
// and the rewards do on it.
package contact

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/catalog"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
	"sello/loyalty/once"
	"sello/loyalty/reward"
)

// Service runs the operations of people who are named by phone or e-mail.
type Service struct {
	DB        *db.Store
	Customers *customer.Service
	Ledger    *ledger.Service
	Catalog   *catalog.Service
	Rewards   *reward.Service
	Now       func() time.Time
}

// New makes the service of those that it puts together.
func New(people *customer.Service, books *ledger.Service, products *catalog.Service, rewards *reward.Service, now func() time.Time) *Service {
	return &Service{DB: people.DB, Customers: people, Ledger: books, Catalog: products, Rewards: rewards, Now: now}
}

// attempts is how often a transaction begins again when the same person, or a card
// with the next number, came into being meanwhile.
const attempts = 8

// Accrual says which code is turned into points, and whose.
type Accrual struct {
	Code   string
	Person customer.Person
	// Source is the door it came in by: graphql, antcrm.
	Source string
	// Key makes it repeatable; a code is used once without.
	Key *ledger.Key
}

// Accrue turns a serial code into points of a person, who is registered where nobody
// has one of the phones and e-mails; an account is opened on first use. Person,
// account, code and movement are one transaction: refused, nothing of it is there. It
// refuses, in this order, with the rules of the person (INVALID, REQUIRED),
// IDEMPOTENCY_MISMATCH, CARD_TYPE_NOT_FOUND and CARD_TYPE_ARCHIVED (the company's
// programme), PRODUCT_CODE_NOT_FOUND, CUSTOMER_BLOCKED, what keeps the account from
// being posted on, PRODUCT_CODE_USED and PRODUCT_CODE_INACTIVE, and as
// catalog.Consume does. The last two are noted among the attempts of somebody who
// was known before.
func (s *Service) Accrue(ctx context.Context, who auth.Principal, in Accrual) (catalog.Used, error) {
	if err := in.Person.Check(); err != nil {
		return catalog.Used{}, err
	}
	result, replayed, err := once.Do(ctx, s.DB.Queries, who.CompanyID, in.Key, s.Now(), func() (once.Result, error) {
		return s.accrue(ctx, who, in)
	})
	if err != nil {
		return catalog.Used{}, s.refused(ctx, who, "contact_accrue_refused", err, "turn a code into points of a person")
	}
	return s.Catalog.UsedOf(ctx, who.CompanyID, result, replayed)
}

func (s *Service) accrue(ctx context.Context, who auth.Principal, in Accrual) (r once.Result, err error) {
	programme, err := s.Ledger.Programme(ctx, who.CompanyID)
	if err != nil {
		return r, err
	}
	code, err := s.Catalog.CodeByText(ctx, who.CompanyID, in.Code)
	if err != nil {
		return r, err
	}
	if code == nil {
		return r, loyalty.Refuse(loyalty.CodeProductCodeNotFound, "code")
	}
	use := catalog.Use{Code: in.Code, Source: in.Source, Key: in.Key}
	var tried catalog.Try
	var known *customer.Customer
	err = s.again(ctx, func(tx db.Tx) error {
		tried, known = catalog.Try{}, nil
		person, before, err := s.Customers.Meet(ctx, tx, who, in.Person)
		if err != nil {
			return err
		}
		if before {
			known = person
		}
		account, err := s.Ledger.AccountOf(ctx, tx, who, programme, person.ID, in.Source)
		if err != nil {
			return err
		}
		err = s.Ledger.BookIn(ctx, tx, who, []uuid.UUID{account.ID}, func(b *ledger.Book) error {
			r, tried, err = s.Catalog.ConsumeIn(ctx, tx, b, who, account.ID, use, nil)
			return err
		})
		if err != nil {
			return err
		}
		return s.Customers.Number(ctx, tx, person)
	})
	if !catalog.Refused(err) || known == nil {
		return r, err
	}
	// The account may have been opened by what was undone.
	account, opening := s.account(ctx, who, programme, known.ID, in.Source)
	if opening != nil {
		return r, opening
	}
	return r, s.Catalog.Failed(ctx, tried.On(account.ID), err)
}

// Redemption says which reward is exchanged for points, and whose.
type Redemption struct {
	Code   string
	Person customer.Person
	// Reference and Description are texts for people.
	Reference, Description string
	// WholePoints: only the whole part of the balance can be spent.
	WholePoints bool
	// Source is the door it came in by: graphql, antcrm.
	Source string
	// Key makes it repeatable; nil claims another one whenever it is called.
	Key *ledger.Key
}

// Redeem exchanges points of a person for one reward, as reward.Redeem does from a
// card. Nobody is registered by it. It refuses, in this order, with the rules of the
// person (INVALID, REQUIRED), IDEMPOTENCY_MISMATCH, REWARD_NOT_FOUND,
// CUSTOMER_NOT_FOUND, CUSTOMER_BLOCKED, and as reward.Redeem does.
func (s *Service) Redeem(ctx context.Context, who auth.Principal, in Redemption) (reward.Exchanged, error) {
	if err := in.Person.Check(); err != nil {
		return reward.Exchanged{}, err
	}
	var done reward.Exchanged
	result, replayed, err := once.Do(ctx, s.DB.Queries, who.CompanyID, in.Key, s.Now(), func() (r once.Result, err error) {
		done, err = s.redeem(ctx, who, in)
		if err != nil {
			return r, err
		}
		return once.Result{ID: done.Claim.ID, Seq: done.Claim.Seq}, nil
	})
	if err != nil {
		return reward.Exchanged{}, s.refused(ctx, who, "contact_redeem_refused", err, "exchange points of a person for a reward")
	}
	if !replayed {
		return done, nil
	}
	claim, err := s.Rewards.ClaimByID(ctx, who.CompanyID, result.ID)
	if err != nil {
		return reward.Exchanged{}, err
	}
	m, err := s.Ledger.Movement(ctx, who.CompanyID, claim.CardID, claim.Seq)
	return reward.Exchanged{Claim: claim, Movement: m, Replayed: true}, err
}

func (s *Service) redeem(ctx context.Context, who auth.Principal, in Redemption) (reward.Exchanged, error) {
	gift, err := s.Rewards.ByCode(ctx, who.CompanyID, in.Code)
	if err != nil {
		return reward.Exchanged{}, err
	}
	if gift == nil {
		return reward.Exchanged{}, loyalty.Refuse(loyalty.CodeRewardNotFound, "code")
	}
	person, err := s.Customers.ByPerson(ctx, who.CompanyID, in.Person)
	switch {
	case err != nil:
		return reward.Exchanged{}, err
	case person == nil:
		return reward.Exchanged{}, loyalty.Refuse(loyalty.CodeCustomerNotFound, "phones")
	case !person.Active:
		return reward.Exchanged{}, loyalty.Refuse(loyalty.CodeCustomerBlocked, "phones")
	}
	types, err := s.Ledger.CardTypesByIDs(ctx, who.CompanyID, []uuid.UUID{gift.CardTypeID})
	if err != nil {
		return reward.Exchanged{}, err
	}
	programme := types[gift.CardTypeID].CardType
	if programme.ArchivedAt != nil {
		return reward.Exchanged{}, loyalty.Refuse(loyalty.CodeCardTypeArchived, "code")
	}
	account, err := s.account(ctx, who, programme, person.ID, in.Source)
	if err != nil {
		return reward.Exchanged{}, err
	}
	return s.Rewards.Redeem(ctx, who, reward.Exchange{
		Code: in.Code, Card: ledger.CardRef{Code: account.Code}, Reference: in.Reference, Description: in.Description,
		WholePoints: in.WholePoints, Source: in.Source, Key: in.Key,
	})
}

// account is a person's account, opened on first use whatever comes of the rest.
func (s *Service) account(ctx context.Context, who auth.Principal, programme db.CardType, person uuid.UUID, source string) (account *ledger.Card, err error) {
	err = s.again(ctx, func(tx db.Tx) error {
		account, err = s.Ledger.AccountOf(ctx, tx, who, programme, person, source)
		return err
	})
	return account, err
}

// again runs a transaction, and once more where what it wanted to make came into
// being meanwhile: then it is found.
func (s *Service) again(ctx context.Context, fn func(tx db.Tx) error) (err error) {
	for range attempts {
		err = s.DB.InPlannedTx(ctx, fn)
		if !errors.Is(err, customer.ErrMet) && !db.Violates(err, "customer_email_key") && !db.Violates(err, "card_code_key") {
			break
		}
	}
	return err
}

// audited are refusals that are noted in the audit log and nowhere else, as nothing
// known is there to note them at (spec/antcrm.md 3.4).
var audited = []loyalty.Code{
	loyalty.CodeProductCodeNotFound, loyalty.CodeRewardNotFound, loyalty.CodeCustomerNotFound, loyalty.CodeCustomerBlocked,
	loyalty.CodeCardNotEnabled,
}

// refused notes a refusal in the audit log where it is to be, and wraps a fault.
func (s *Service) refused(ctx context.Context, who auth.Principal, action string, err error, doing string) error {
	code := loyalty.CodeOf(err)
	if code == "" {
		return fmt.Errorf("%s: %w", doing, err)
	}
	for _, noted := range audited {
		if code != noted {
			continue
		}
		if err := auth.Audit(ctx, s.DB.Queries, who, s.Now(), action, "company", who.CompanyID, map[string]any{"code": string(code)}); err != nil {
			return fmt.Errorf("note a refusal: %w", err)
		}
	}
	return err
}
