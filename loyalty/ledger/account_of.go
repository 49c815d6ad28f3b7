package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty/auth"
)

// AccountOf is the card that a customer has of a type, opened where there is none, in
// the caller's transaction: the enabled one with most to spend, else one that is
// disabled. The customer is locked before a card is opened, so that of two at once one
// opens it. It refuses with CUSTOMER_NOT_FOUND and as CardCreate does; a number that
// somebody took meanwhile breaks card_code_key, and the transaction is to be run again.
func (s *Service) AccountOf(ctx context.Context, tx db.Tx, who auth.Principal, cardType db.CardType, customer uuid.UUID, source string) (*Card, error) {
	return s.accountOf(ctx, tx, who, cardType, customer, "", source)
}

// AccountNamed is AccountOf in a programme whose cards go by a code of their customers
// (the text of the QR code, spec/pretii.md 5): one that is opened gets it as its code,
// and the type's next number only where another card has it.
func (s *Service) AccountNamed(ctx context.Context, tx db.Tx, who auth.Principal, cardType db.CardType, customer uuid.UUID, code, source string) (*Card, error) {
	return s.accountOf(ctx, tx, who, cardType, customer, code, source)
}

func (s *Service) accountOf(ctx context.Context, tx db.Tx, who auth.Principal, cardType db.CardType, customer uuid.UUID, code, source string) (*Card, error) {
	of := db.CardOfCustomerParams{CompanyID: who.CompanyID, CustomerID: customer, CardTypeID: cardType.ID}
	row, err := tx.CardOfCustomer(ctx, of)
	if errors.Is(err, pgx.ErrNoRows) {
		if err := lockCustomers(ctx, tx.Queries, who.CompanyID, &customer); err != nil {
			return nil, err
		}
		row, err = tx.CardOfCustomer(ctx, of)
	}
	switch {
	case err == nil:
		return &Card{Card: row}, nil
	case !errors.Is(err, pgx.ErrNoRows):
		return nil, fmt.Errorf("read a customer's account: %w", err)
	}
	in := opening{activation: activation{customer: &customer, change: change{source: source}}}
	if code != "" {
		switch _, err := tx.CardByCode(ctx, who.CompanyID, code); {
		case errors.Is(err, pgx.ErrNoRows):
			in.code, in.free = code, true
		case err != nil:
			return nil, fmt.Errorf("look for a card's code: %w", err)
		}
	}
	opened, err := s.openCard(ctx, tx, who, cardType, in)
	if err != nil {
		return nil, err
	}
	return opened.Card, s.audit(ctx, tx.Queries, who, "card_create", opened.Card, nil, nil)
}

// AdoptContact makes a contact of the account that its customer has already where the
// wallet is the company's programme, and that goes by no phone yet: points that a person
// got through another dialect are the till's too. Nil where there is none to adopt.
func (s *Service) AdoptContact(ctx context.Context, tx db.Tx, who auth.Principal, wallet db.CardType, c Contact) (*Card, error) {
	rows, err := tx.CardsOfProgramme(ctx, who.CompanyID, []uuid.UUID{c.CustomerID})
	if err != nil {
		return nil, fmt.Errorf("read a customer's account: %w", err)
	}
	if len(rows) == 0 || rows[0].CardTypeID != wallet.ID || rows[0].HolderPhone != nil || Status(rows[0].Status) != Enabled {
		return nil, nil
	}
	row, err := tx.CardHolderSet(ctx, db.CardHolderSetParams{
		CompanyID: who.CompanyID, ID: rows[0].ID, HolderName: &c.Name, HolderPhone: &c.Phone, HolderBirthdate: c.Birthdate, Now: s.moment(),
	})
	if err != nil {
		return nil, err
	}
	return &Card{Card: row}, nil
}

// BookIn opens the cards with the ids in a caller's transaction, runs fn on them and
// writes the book: [Service.InBook] for who has locked something before the cards.
func (s *Service) BookIn(ctx context.Context, tx db.Tx, who auth.Principal, cards []uuid.UUID, fn func(b *Book) error) error {
	b, err := s.open(ctx, tx.Queries, who, cards, false)
	if err != nil {
		return err
	}
	if err := fn(b); err != nil {
		return err
	}
	return b.write(ctx)
}
