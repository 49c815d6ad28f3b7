package ledger

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

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

// Reason is why the card is in its state; "" if nobody said.
func (c *Card) Reason() string { return valueOr(c.StatusReason) }

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

// CardFilter narrows the list of a company's cards; zero fields are all cards.
type CardFilter struct {
	Status       Status
	CardTypeCode string
	CustomerID   *uuid.UUID
}

func (f CardFilter) statuses() []string {
	if f.Status != "" {
		return []string{string(f.Status)}
	}
	return []string{string(Inactive), string(Enabled), string(Disabled), string(Cancelled)}
}

// Cards reads a page of the company's cards, oldest first, from behind an id.
func (s *Service) Cards(ctx context.Context, company uuid.UUID, filter CardFilter, after *uuid.UUID, first int) (page []*Card, more bool, err error) {
	var rows []db.Card
	size := int32(first) + 1
	switch {
	case filter.CustomerID != nil:
		rows, err = s.DB.CardsOfCustomerPage(ctx, db.CardsOfCustomerPageParams{
			CompanyID: company, CustomerID: *filter.CustomerID, Statuses: filter.statuses(), CardTypeCode: orNil(filter.CardTypeCode),
			After: after, BatchSize: size,
		})
	case filter != CardFilter{}:
		rows, err = s.DB.CardsByStatusPage(ctx, db.CardsByStatusPageParams{
			CompanyID: company, Statuses: filter.statuses(), CardTypeCode: orNil(filter.CardTypeCode), After: after, BatchSize: size,
		})
	default:
		rows, err = s.DB.CardsPage(ctx, db.CardsPageParams{CompanyID: company, After: after, BatchSize: size})
	}
	if err != nil && !db.Unstorable(err) {
		return nil, false, fmt.Errorf("list cards: %w", err)
	}
	rows, more = last(rows, first)
	return cards(rows), more, nil
}

// CardsCount counts the company's cards.
func (s *Service) CardsCount(ctx context.Context, company uuid.UUID, filter CardFilter) (int, error) {
	var n int64
	var err error
	switch {
	case filter.CustomerID != nil:
		n, err = s.DB.CardsOfCustomerCount(ctx, db.CardsOfCustomerCountParams{
			CompanyID: company, CustomerID: *filter.CustomerID, Statuses: filter.statuses(), CardTypeCode: orNil(filter.CardTypeCode),
		})
	case filter != CardFilter{}:
		n, err = s.DB.CardsByStatusCount(ctx, db.CardsByStatusCountParams{
			CompanyID: company, Statuses: filter.statuses(), CardTypeCode: orNil(filter.CardTypeCode),
		})
	default:
		n, err = s.DB.CardsCount(ctx, company)
	}
	if err != nil && !db.Unstorable(err) {
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

// ReplacementOf reads the card that took a card's place, and with it those of its
// batch; nil if none did.
func (s *Service) ReplacementOf(ctx context.Context, company uuid.UUID, c *Card) (*Card, error) {
	return loyalty.Together(c.batch, c, "replacement", func(all []*Card) (map[*Card]*Card, error) {
		return loyalty.Lookup(all, func(c *Card) (uuid.UUID, bool) { return valueOr(c.ReplacedByID), c.ReplacedByID != nil },
			func(ids []uuid.UUID) (map[uuid.UUID]*Card, error) { return s.CardsByIDs(ctx, company, ids) })
	})
}

// TypeOf reads the type of a card, and with it those of its batch.
func (s *Service) TypeOf(ctx context.Context, company uuid.UUID, c *Card) (*CardType, error) {
	return loyalty.Together(c.batch, c, "type", func(all []*Card) (map[*Card]*CardType, error) {
		return loyalty.Lookup(all, func(c *Card) (uuid.UUID, bool) { return c.CardTypeID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]*CardType, error) { return s.CardTypesByIDs(ctx, company, ids) })
	})
}

var cardCodePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{3,63}$`)

// NewCard says what a new card is like.
type NewCard struct {
	CardTypeCode string
	// Code is the card's code; "" takes the next number of the card type.
	Code       string
	CustomerID *uuid.UUID
	// ValidFrom and ValidTo are the first and the last day; nil is the card type's.
	ValidFrom, ValidTo *time.Time
	// Amount is what the card is charged with at once; nil is the card type's
	// starting balance.
	Amount         *decimal.Decimal
	Reason, Source string
	// Key makes it repeatable; nil opens a card whenever it is called.
	Key *Key
}

// CardCreate opens a card and activates it. It refuses with CARD_TYPE_NOT_FOUND,
// CARD_TYPE_ARCHIVED, INVALID (a code that the card type's ranges do not have),
// TAKEN, NUMBERS_USED_UP, and as CardActivate does.
func (s *Service) CardCreate(ctx context.Context, who auth.Principal, in NewCard) (*Card, error) {
	out, err := s.CardOpen(ctx, who, in)
	return out.Card, err
}

// CardOpen is CardCreate with all that it has to tell.
func (s *Service) CardOpen(ctx context.Context, who auth.Principal, in NewCard) (Changed, error) {
	t, err := s.openType(ctx, who.CompanyID, in.CardTypeCode)
	if err != nil {
		return Changed{}, err
	}
	reason, err := text(in.Reason, "reason", maxReason)
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
			out, err = s.openCard(ctx, tx, who, t, opening{
				code: in.Code,
				activation: activation{
					customer: in.CustomerID, validFrom: in.ValidFrom, validTo: in.ValidTo, amount: in.Amount,
					change: change{reason: reason, source: in.Source, key: in.Key},
				},
			})
			if err != nil {
				return err
			}
			return s.audit(ctx, tx.Queries, who, "card_create", out.Card, reason, nil)
		})
		// Somebody opens a card by hand with the number that was next.
		if in.Code != "" || !db.Violates(err, "card_code_key") {
			break
		}
	}
	switch {
	case err == nil:
		return out, nil
	case db.Violates(err, "card_code_key"):
		return Changed{}, loyalty.Refuse(loyalty.CodeTaken, "code")
	case loyalty.CodeOf(err) != "":
		return Changed{}, err
	default:
		return Changed{}, fmt.Errorf("create a card: %w", err)
	}
}

// opening says what card to open.
type opening struct {
	// code is "" for the next number. free: a code of the program's own making,
	// which the card type's ranges do not bind.
	code                    string
	free                    bool
	holderName, holderPhone *string
	holderBirthdate         *time.Time
	activation
}

// openCard opens a card in the caller's transaction and activates it.
func (s *Service) openCard(ctx context.Context, tx db.Tx, who auth.Principal, t db.CardType, in opening) (Changed, error) {
	if err := lockCustomers(ctx, tx.Queries, who.CompanyID, in.customer); err != nil {
		return Changed{}, err
	}
	row, err := s.insertCard(ctx, tx.Queries, t, in)
	if err != nil {
		return Changed{}, err
	}
	b, err := s.open(ctx, tx.Queries, who, []uuid.UUID{row.ID}, false)
	if err != nil {
		return Changed{}, err
	}
	a := b.Account(row.ID)
	in.customer = nil
	out, err := s.activate(ctx, a, in.activation)
	if err != nil {
		return Changed{}, err
	}
	if err := b.write(ctx); err != nil {
		return Changed{}, err
	}
	out.Card = &Card{Card: a.Card}
	return out, nil
}

// insertCard adds an inactive card.
func (s *Service) insertCard(ctx context.Context, q *db.Queries, t db.CardType, in opening) (db.Card, error) {
	if !in.free {
		ranges, err := rangesOf(ctx, q, t)
		if err != nil {
			return db.Card{}, err
		}
		if in.code == "" {
			numbers, err := takeNumbers(ctx, q, t, ranges, 1)
			if err != nil {
				return db.Card{}, err
			}
			in.code = numbers[0]
		} else if err := fitsType(t, ranges, in.code, "code"); err != nil {
			return db.Card{}, err
		}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return db.Card{}, fmt.Errorf("make an id: %w", err)
	}
	return q.CardCreate(ctx, db.CardCreateParams{
		CompanyID: t.CompanyID, ID: id, CardTypeID: t.ID, CustomerID: in.customer, Code: in.code, Status: string(Inactive), Floor: t.Floor,
		HolderName: in.holderName, HolderPhone: in.holderPhone, HolderBirthdate: in.holderBirthdate, Now: s.moment(),
	})
}

// Issued are cards that were put on stock.
type Issued struct {
	// First and Last are the lowest and the highest of their numbers.
	First, Last string
	Count       int
}

// maxIssue bounds the cards of one issue.
const maxIssue = 5000

// CardsIssue puts cards of a type on stock: inactive, nobody's, with the next
// numbers. All of them or none. It refuses with INVALID (a count out of 1 to
// 5,000), CARD_TYPE_NOT_FOUND, CARD_TYPE_ARCHIVED and NUMBERS_USED_UP.
func (s *Service) CardsIssue(ctx context.Context, who auth.Principal, cardTypeCode string, count int) (Issued, error) {
	if count < 1 || count > maxIssue {
		return Issued{}, loyalty.Refuse(loyalty.CodeInvalid, "count")
	}
	t, err := s.openType(ctx, who.CompanyID, cardTypeCode)
	if err != nil {
		return Issued{}, err
	}
	ids := make([]uuid.UUID, count)
	for i := range ids {
		if ids[i], err = uuid.NewV7(); err != nil {
			return Issued{}, fmt.Errorf("make an id: %w", err)
		}
	}
	var out Issued
	for range 5 {
		err = s.DB.InTx(ctx, func(tx db.Tx) error {
			ranges, err := rangesOf(ctx, tx.Queries, t)
			if err != nil {
				return err
			}
			codes, err := takeNumbers(ctx, tx.Queries, t, ranges, count)
			if err != nil {
				return err
			}
			out = Issued{First: codes[0], Last: codes[count-1], Count: count}
			err = tx.CardsIssue(ctx, db.CardsIssueParams{
				CompanyID: who.CompanyID, CardTypeID: t.ID, Floor: t.Floor, Now: s.moment(), Ids: ids, Codes: codes,
			})
			if err != nil {
				return err
			}
			err = tx.EventCreate(ctx, db.EventCreateParams{CompanyID: who.CompanyID, Kind: "cards_issued", SubjectID: t.ID, Seq: int64(count), Now: s.moment()})
			if err != nil {
				return err
			}
			return auth.Audit(ctx, tx.Queries, who, s.Now(), "cards_issue", "card_type", t.ID, map[string]any{
				"first": out.First, "last": out.Last, "count": count,
			})
		})
		if !db.Violates(err, "card_code_key") {
			break
		}
	}
	switch {
	case err == nil:
		return out, nil
	case loyalty.CodeOf(err) != "":
		return Issued{}, err
	default:
		return Issued{}, fmt.Errorf("issue cards: %w", err)
	}
}

// CardNext is the next card of a type on stock, which waits for a customer; nil if
// there is none. Nothing is reserved: two may get the same, and the assignment of
// the second is refused. It refuses with CARD_TYPE_NOT_FOUND and
// CARD_TYPE_ARCHIVED.
func (s *Service) CardNext(ctx context.Context, company uuid.UUID, cardTypeCode string) (*Card, error) {
	t, err := s.openType(ctx, company, cardTypeCode)
	if err != nil {
		return nil, err
	}
	return card(s.DB.CardNext(ctx, db.CardNextParams{CompanyID: company, CardTypeID: t.ID, Now: s.moment()}))
}
