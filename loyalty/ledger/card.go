package ledger

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Status is what can be done with a card.
type Status string

// The states of a card. Only an enabled one is posted on.
const (
	Inactive  Status = "inactive"
	Enabled   Status = "enabled"
	Disabled  Status = "disabled"
	Cancelled Status = "cancelled"
)

// Card is a balance with the gapless chain of its movements. Balance, Held and
// Floor are in the card type's unit; available is Balance less Held.
type Card struct {
	db.Card
	batch *loyalty.Batch[Card]
}

// GlobalID is the card's opaque id.
func (c *Card) GlobalID() string { return loyalty.GlobalID("Card", c.ID.String()) }

// State is what can be done with the card.
func (c *Card) State() Status { return Status(c.Status) }

// Available is what can be spent now: balance less holds.
func (c *Card) Available() (decimal.Decimal, error) { return c.Balance.Sub(c.Held) }

// Batch is the list the card was read with, nil for a card read alone.
func (c *Card) Batch() *loyalty.Batch[Card] { return c.batch }

// cards makes the cards of a page, read together.
func cards(rows []db.Card) []*Card {
	all := make([]*Card, len(rows))
	for i, row := range rows {
		all[i] = &Card{Card: row}
	}
	batch := loyalty.NewBatch(all)
	for _, c := range all {
		c.batch = batch
	}
	return all
}

func card(row db.Card, err error) (*Card, error) {
	if db.Absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a card: %w", err)
	}
	return &Card{Card: row}, nil
}

// CardByID reads a card; nil if the company has none of that id.
func (s *Service) CardByID(ctx context.Context, company, id uuid.UUID) (*Card, error) {
	return card(s.DB.CardByID(ctx, company, id))
}

// CardByCode reads a card; nil if the company has none of that code.
func (s *Service) CardByCode(ctx context.Context, company uuid.UUID, code string) (*Card, error) {
	return card(s.DB.CardByCode(ctx, company, code))
}

// CardByContact reads the card behind a phone in a wallet, whatever its state;
// nil if there is none.
func (s *Service) CardByContact(ctx context.Context, company, cardType uuid.UUID, phone string) (*Card, error) {
	return card(s.DB.CardByHolderPhone(ctx, db.CardByHolderPhoneParams{CompanyID: company, CardTypeID: cardType, HolderPhone: &phone}))
}

// Cards reads a page of the company's cards, oldest first, from behind an id.
func (s *Service) Cards(ctx context.Context, company uuid.UUID, after *uuid.UUID, first int) (page []*Card, more bool, err error) {
	rows, err := s.DB.CardsPage(ctx, db.CardsPageParams{CompanyID: company, After: after, BatchSize: int32(first) + 1})
	if err != nil {
		return nil, false, fmt.Errorf("list cards: %w", err)
	}
	rows, more = last(rows, first)
	return cards(rows), more, nil
}

// CardsCount counts the company's cards.
func (s *Service) CardsCount(ctx context.Context, company uuid.UUID) (int, error) {
	n, err := s.DB.CardsCount(ctx, company)
	if err != nil {
		return 0, fmt.Errorf("count cards: %w", err)
	}
	return int(n), nil
}

// Registered is a place in the list of a type's cards.
type Registered struct {
	At time.Time
	ID uuid.UUID
}

// CardsOfType reads a page of a type's cards in registration order, and with it
// those of its batch.
func (s *Service) CardsOfType(ctx context.Context, company uuid.UUID, t *CardType, after Registered, first int, enabledOnly bool) (CardsPage, error) {
	key := fmt.Sprintf("cards %s %s %d %t", after.At, after.ID, first, enabledOnly)
	return loyalty.Together(t.batch, t, key, func(all []*CardType) (map[*CardType]CardsPage, error) {
		return loyalty.Lookup(all, func(t *CardType) (uuid.UUID, bool) { return t.ID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]CardsPage, error) {
				rows, err := s.DB.CardsByTypes(ctx, db.CardsByTypesParams{
					CompanyID: company, CardTypeIds: ids, AfterRegisteredAt: after.At, After: after.ID,
					EnabledOnly: enabledOnly, BatchSize: int32(first) + 1,
				})
				if err != nil {
					return nil, fmt.Errorf("list card types' cards: %w", err)
				}
				return cardPages(cards(rows), first, func(c *Card) uuid.UUID { return c.CardTypeID }), nil
			})
	})
}

// CardsPage is a page of cards and whether more follow.
type CardsPage struct {
	Cards []*Card
	More  bool
}

// CardsByCustomers reads the first cards of each customer: one statement for all,
// and one batch, so that what the cards lead to is read together too.
func (s *Service) CardsByCustomers(ctx context.Context, company uuid.UUID, customers []uuid.UUID, after *uuid.UUID, first int) (map[uuid.UUID]CardsPage, error) {
	rows, err := s.DB.CardsByCustomers(ctx, db.CardsByCustomersParams{
		CompanyID: company, CustomerIds: customers, After: after, BatchSize: int32(first) + 1,
	})
	if err != nil {
		return nil, fmt.Errorf("list customers' cards: %w", err)
	}
	return cardPages(cards(rows), first, func(c *Card) uuid.UUID { return *c.CustomerID }), nil
}

// cardPages parts cards by their owner into pages; one more than first was read of
// each, to know whether more follow.
func cardPages(all []*Card, first int, owner func(*Card) uuid.UUID) map[uuid.UUID]CardsPage {
	pages := map[uuid.UUID]CardsPage{}
	for _, c := range all {
		page := pages[owner(c)]
		if len(page.Cards) == first {
			page.More = true
		} else {
			page.Cards = append(page.Cards, c)
		}
		pages[owner(c)] = page
	}
	return pages
}

// CardsByIDs reads cards by id, for the objects of a page that name them.
func (s *Service) CardsByIDs(ctx context.Context, company uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]*Card, error) {
	rows, err := s.DB.CardsByIDs(ctx, company, ids)
	if err != nil {
		return nil, fmt.Errorf("read cards: %w", err)
	}
	found := make(map[uuid.UUID]*Card, len(rows))
	for _, c := range cards(rows) {
		found[c.ID] = c
	}
	return found, nil
}

// TypeOf reads the type of a card, and with it those of its batch.
func (s *Service) TypeOf(ctx context.Context, company uuid.UUID, c *Card) (*CardType, error) {
	return loyalty.Together(c.batch, c, "type", func(all []*Card) (map[*Card]*CardType, error) {
		return loyalty.Lookup(all, func(c *Card) (uuid.UUID, bool) { return c.CardTypeID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]*CardType, error) { return s.CardTypesByIDs(ctx, company, ids) })
	})
}

// NewCard says what a new card is like.
type NewCard struct {
	CardTypeCode string
	// Code is the card's code; "" takes the company's next number.
	Code       string
	CustomerID *uuid.UUID
}

var cardCodePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{3,63}$`)

// firstCardNumber is the code of the first card that gets a number by itself.
const firstCardNumber = 7000000000000001

// CardCreate opens a card, enabled and empty. It refuses with
// CARD_TYPE_NOT_FOUND, CARD_TYPE_ARCHIVED, CUSTOMER_NOT_FOUND, INVALID and TAKEN.
func (s *Service) CardCreate(ctx context.Context, who auth.Principal, in NewCard) (*Card, error) {
	if in.Code != "" && !cardCodePattern.MatchString(in.Code) {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "code")
	}
	t, err := s.CardTypeByCode(ctx, who.CompanyID, in.CardTypeCode)
	switch {
	case err != nil:
		return nil, err
	case t == nil:
		return nil, loyalty.Refuse(loyalty.CodeCardTypeNotFound, "cardTypeCode")
	case t.ArchivedAt != nil:
		return nil, loyalty.Refuse(loyalty.CodeCardTypeArchived, "cardTypeCode")
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	var row db.Card
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		code := in.Code
		if code == "" {
			n, err := tx.CounterNext(ctx, db.CounterNextParams{CompanyID: who.CompanyID, Name: "card", First: firstCardNumber})
			if err != nil {
				return err
			}
			code = strconv.FormatInt(n, 10)
		}
		var err error
		row, err = tx.CardCreate(ctx, db.CardCreateParams{
			CompanyID: who.CompanyID, ID: id, CardTypeID: t.ID, CustomerID: in.CustomerID, Code: code,
			Status: string(Enabled), Floor: t.Floor, Now: s.Now(),
		})
		if err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "card_create", "card", id, nil)
	})
	switch {
	case err == nil:
		return &Card{Card: row}, nil
	case db.Violates(err, "card_code_key"):
		return nil, loyalty.Refuse(loyalty.CodeTaken, "code")
	case db.Violates(err, "card_customer_fkey"):
		return nil, loyalty.Refuse(loyalty.CodeCustomerNotFound, "customerId")
	default:
		return nil, fmt.Errorf("create a card: %w", err)
	}
}

// CardStatusSet enables or disables a card. It refuses with CARD_NOT_FOUND,
// INVALID (another state than these two) and STATE_CONFLICT (a cancelled card).
func (s *Service) CardStatusSet(ctx context.Context, who auth.Principal, code string, status Status) (*Card, error) {
	if status != Enabled && status != Disabled {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "status")
	}
	current, err := s.CardByCode(ctx, who.CompanyID, code)
	if err != nil {
		return nil, err
	}
	if current == nil {
		return nil, loyalty.Refuse(loyalty.CodeCardNotFound, "code")
	}
	var row db.Card
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		var err error
		row, err = tx.CardStatusSet(ctx, db.CardStatusSetParams{
			CompanyID: who.CompanyID, ID: current.ID, Status: string(status), Now: s.Now(),
			FromStatuses: []string{string(Inactive), string(Enabled), string(Disabled)},
		})
		if errors.Is(err, pgx.ErrNoRows) {
			return loyalty.Refuse(loyalty.CodeStateConflict, "status")
		}
		if err != nil {
			return fmt.Errorf("set a card's state: %w", err)
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "card_status_set", "card", row.ID, map[string]any{"status": string(status)})
	})
	if err != nil {
		return nil, err
	}
	return &Card{Card: row}, nil
}
