// Package points puts customers, stores and the ledger together for those who keep
// points of people and know nothing of cards (spec/pretii.md): whoever has signed up has
// an account in the company's programme, and points are given to and taken from people.
package points

import (
	"context"
	"time"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
)

// Service runs the operations on people's points.
type Service struct {
	DB        *db.Store
	Customers *customer.Service
	Companies *company.Service
	Ledger    *ledger.Service
	Now       func() time.Time
}

// New makes the service of those that it puts together.
func New(people *customer.Service, companies *company.Service, books *ledger.Service, now func() time.Time) *Service {
	return &Service{DB: people.DB, Customers: people, Companies: companies, Ledger: books, Now: now}
}

// attempts is how often a transaction begins again when a card with the next number, or
// another account of the person, came into being meanwhile.
const attempts = 8

// again runs a transaction, and once more where somebody else took what it wanted to
// make.
func (s *Service) again(ctx context.Context, fn func(tx db.Tx) error) (err error) {
	for range attempts {
		if err = s.DB.InPlannedTx(ctx, fn); !db.Violates(err, "card_code_key") {
			break
		}
	}
	return err
}

// Enrolled is who has signed up.
type Enrolled struct {
	Customer *customer.Customer
	Account  *ledger.Card
}

// Enrol registers a person and opens their account in the company's programme, named by
// the text of the QR code: both or neither. It refuses with all that is wrong with the
// fields at once, then with CARD_TYPE_NOT_FOUND and CARD_TYPE_ARCHIVED (the company's
// programme) and with TAKEN (email, else document), whose parameter customerId says who
// has it.
func (s *Service) Enrol(ctx context.Context, who auth.Principal, in customer.Fields, source string) (Enrolled, error) {
	in, err := s.Customers.EnrolCheck(ctx, who.CompanyID, in)
	if err != nil {
		return Enrolled{}, err
	}
	programme, err := s.Ledger.Programme(ctx, who.CompanyID)
	if err != nil {
		return Enrolled{}, err
	}
	var out Enrolled
	err = s.again(ctx, func(tx db.Tx) error {
		person, err := s.Customers.Enrol(ctx, tx, who, in)
		if err != nil {
			return err
		}
		account, err := s.Ledger.AccountNamed(ctx, tx, who, programme, person.ID, person.QrCode, source)
		out = Enrolled{Customer: person, Account: account}
		return err
	})
	if err != nil {
		return Enrolled{}, s.Customers.Taken(ctx, who.CompanyID, in, err)
	}
	return out, nil
}

// AccountOf is a customer's account in the company's programme, read with those of the
// customers in the same list; nil for who has none yet.
func (s *Service) AccountOf(ctx context.Context, company uuid.UUID, c *customer.Customer) (*ledger.Card, error) {
	return loyalty.Together(c.Batch(), c, "account", func(all []*customer.Customer) (map[*customer.Customer]*ledger.Card, error) {
		return loyalty.Lookup(all, func(c *customer.Customer) (uuid.UUID, bool) { return c.ID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]*ledger.Card, error) {
				return s.Ledger.ProgrammeAccounts(ctx, company, ids)
			})
	})
}
