package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// lockCustomers locks those that are not nil, which comes before any card's lock:
// who is to get a card, and whose cards are. It refuses with CUSTOMER_NOT_FOUND, and
// of who is to get one with CUSTOMER_MERGED and CUSTOMER_ERASED: nobody would look
// for the card there, and an erased person gets nothing new.
func lockCustomers(ctx context.Context, q *db.Queries, company uuid.UUID, gets *uuid.UUID, has ...*uuid.UUID) error {
	var ids []uuid.UUID
	for _, c := range append(has, gets) {
		if c != nil && !slices.Contains(ids, *c) {
			ids = append(ids, *c)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := q.CardCustomersLock(ctx, company, ids)
	if err != nil {
		return fmt.Errorf("lock a card's customer: %w", err)
	}
	if len(found) < len(ids) {
		return loyalty.Refuse(loyalty.CodeCustomerNotFound, "customerId")
	}
	for _, c := range found {
		switch {
		case gets == nil || c.ID != *gets:
		case c.MergedIntoID != nil:
			return loyalty.Refuse(loyalty.CodeCustomerMerged, "customerId").With("intoId", loyalty.GlobalID("Customer", c.MergedIntoID.String()))
		case c.HiddenAt != nil:
			return loyalty.Refuse(loyalty.CodeCustomerNotFound, "customerId")
		case c.ErasedAt != nil && !c.Active: // who was made active since is somebody again
			return loyalty.Refuse(loyalty.CodeCustomerErased, "customerId")
		}
	}
	return nil
}

// LockRecipient locks who is to get something, in the caller's transaction, so that a
// merge or an erasure at the same time comes before or after it. It refuses with
// CUSTOMER_NOT_FOUND, and with CUSTOMER_MERGED and CUSTOMER_ERASED: nobody would look
// for it there.
func LockRecipient(ctx context.Context, tx db.Tx, company, customer uuid.UUID) error {
	return lockCustomers(ctx, tx.Queries, company, &customer)
}

// oneActive refuses where a locked customer has an enabled card of a type of which
// there is one at most, besides those excepted.
func oneActive(ctx context.Context, q *db.Queries, company, customer, cardType uuid.UUID, field string, except ...uuid.UUID) error {
	rows, err := q.CardsOnlyActive(ctx, company, []uuid.UUID{customer})
	if err != nil {
		return fmt.Errorf("look for a customer's active cards: %w", err)
	}
	for _, row := range rows {
		if row.CardTypeID == cardType && !slices.Contains(except, row.ID) {
			return loyalty.Refuse(loyalty.CodeActiveCardExists, field).With("card", row.Code)
		}
	}
	return nil
}

// OneActiveCards locks customers who become one, in the caller's transaction and
// before any card is locked. Together they may have no two enabled cards of a type
// that allows one: it refuses with ACTIVE_CARD_EXISTS, and with CUSTOMER_NOT_FOUND,
// CUSTOMER_MERGED and CUSTOMER_ERASED.
func OneActiveCards(ctx context.Context, tx db.Tx, company uuid.UUID, customers []uuid.UUID) error {
	pointers := make([]*uuid.UUID, len(customers))
	for i := range customers {
		pointers[i] = &customers[i]
	}
	if err := lockCustomers(ctx, tx.Queries, company, nil, pointers...); err != nil {
		return err
	}
	rows, err := tx.CardsOnlyActive(ctx, company, customers)
	if err != nil {
		return fmt.Errorf("look for customers' active cards: %w", err)
	}
	for i := 1; i < len(rows); i++ {
		if rows[i].CardTypeID == rows[i-1].CardTypeID {
			return loyalty.Refuse(loyalty.CodeActiveCardExists, "customerId").With("card", rows[i].Code)
		}
	}
	return nil
}

// ReassignCards gives all cards of one customer to another, for a merge, in the
// caller's transaction: each gets a line in its books. It refuses as OneActiveCards
// does, with CUSTOMER_MERGED and with CUSTOMER_ERASED (to), and answers how many
// cards there were.
func (s *Service) ReassignCards(ctx context.Context, tx db.Tx, who auth.Principal, from, to uuid.UUID, reason string) (int, error) {
	if err := lockCustomers(ctx, tx.Queries, who.CompanyID, &to, &from); err != nil {
		return 0, err
	}
	if err := OneActiveCards(ctx, tx, who.CompanyID, []uuid.UUID{from, to}); err != nil {
		return 0, err
	}
	cards, err := s.ownedBy(ctx, tx, who, []uuid.UUID{from}, func(a *Account) error {
		a.Card.CustomerID, a.altered = &to, true
		a.remark(change{reason: orNil(reason)}, Assign)
		return nil
	})
	return len(cards), err
}

// erasureReason is why an erased person's cards end (spec/promo-6.md 1).
const erasureReason = "ERASURE"

// EraseCards ends all cards of some customers, who are one person, in the caller's
// transaction and hides them: holds are released, what is left is written off, codes
// become tokens that say nothing, and the old ones are free. The movements stay. The
// customers are to be locked. It answers how many cards there were.
func (s *Service) EraseCards(ctx context.Context, tx db.Tx, who auth.Principal, customers ...uuid.UUID) (int, error) {
	cards, err := s.ownedBy(ctx, tx, who, customers, func(a *Account) error {
		c := change{reason: new(erasureReason)}
		if Status(a.Card.Status) == Cancelled {
			return a.clear(ctx, c)
		}
		return a.cancel(ctx, c, true)
	})
	if err != nil || len(cards) == 0 {
		return 0, err
	}
	tokens := make([]string, len(cards))
	for i := range tokens {
		tokens[i] = "erased-" + uuid.NewString()
	}
	if err := tx.CardsHide(ctx, db.CardsHideParams{CompanyID: who.CompanyID, Now: new(s.moment()), Ids: cards, Codes: tokens}); err != nil {
		return 0, fmt.Errorf("hide an erased customer's cards: %w", err)
	}
	return len(cards), auth.Audit(ctx, tx.Queries, who, s.Now(), "cards_erase", "customer", customers[0], map[string]any{"cards": len(cards)})
}

// EraseHolders takes off the cards of some customers, who are one person, who holds
// them, in the caller's transaction; the cards stay. The customers are to be locked.
func (s *Service) EraseHolders(ctx context.Context, tx db.Tx, who auth.Principal, customers ...uuid.UUID) error {
	n, err := tx.CardsHolderErase(ctx, db.CardsHolderEraseParams{CompanyID: who.CompanyID, CustomerIds: customers, Now: s.moment()})
	if err != nil {
		return fmt.Errorf("erase the holder of cards: %w", err)
	}
	if n == 0 {
		return nil
	}
	return auth.Audit(ctx, tx.Queries, who, s.Now(), "cards_holder_erase", "customer", customers[0], map[string]any{"cards": n})
}

// ownedBy runs fn on each card of some customers, in one book, writes it and answers
// which cards there are.
func (s *Service) ownedBy(ctx context.Context, tx db.Tx, who auth.Principal, customers []uuid.UUID, fn func(a *Account) error) ([]uuid.UUID, error) {
	ids, err := tx.CardIDsOfCustomers(ctx, who.CompanyID, customers)
	if err != nil {
		return nil, fmt.Errorf("list a customer's cards: %w", err)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	b, err := s.open(ctx, tx.Queries, who, ids, false)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if err := fn(b.Account(id)); err != nil {
			return nil, err
		}
	}
	return ids, b.write(ctx)
}

// Contact is who holds a wallet's card.
type Contact struct {
	CustomerID  uuid.UUID
	Name, Phone string
	Birthdate   *time.Time
}

// OpenContact opens a contact's card in the caller's transaction, with a code of its
// own or, if that is "", the next number. It refuses as CardActivate does.
func (s *Service) OpenContact(ctx context.Context, tx db.Tx, who auth.Principal, wallet db.CardType, code string, c Contact) (*Card, error) {
	out, err := s.openCard(ctx, tx, who, wallet, opening{
		code: code, free: code != "", holderName: &c.Name, holderPhone: &c.Phone, holderBirthdate: c.Birthdate,
		activation: activation{customer: &c.CustomerID, change: change{source: "wallet"}},
	})
	return out.Card, err
}

// ReopenContact gives a contact its card back: balance and movements are kept, name
// and a given birthdate replaced (spec/wallet.md 3.5). It refuses as CardActivate
// does.
func (s *Service) ReopenContact(ctx context.Context, tx db.Tx, who auth.Principal, old db.Card, c Contact) (*Card, error) {
	if err := lockCustomers(ctx, tx.Queries, who.CompanyID, nil, old.CustomerID); err != nil {
		return nil, err
	}
	b, err := s.open(ctx, tx.Queries, who, []uuid.UUID{old.ID}, false)
	if err != nil {
		return nil, err
	}
	a := b.Account(old.ID)
	if _, err := s.activate(ctx, a, activation{change: change{source: "wallet"}}); err != nil {
		return nil, err
	}
	a.Card.RegisteredAt = b.now
	if err := b.write(ctx); err != nil {
		return nil, err
	}
	birthdate := c.Birthdate
	if birthdate == nil {
		birthdate = a.Card.HolderBirthdate
	}
	row, err := tx.CardHolderSet(ctx, db.CardHolderSetParams{
		CompanyID: who.CompanyID, ID: old.ID, HolderName: &c.Name, HolderPhone: &c.Phone, HolderBirthdate: birthdate, Now: b.now,
	})
	return &Card{Card: row}, err
}
