package customer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Merge makes one customer of two rows of the same person: cards, coupons, segments,
// used serial codes and claims of from go to into, and what into has no value of its
// own for is filled from it. Movements stay where they are, and each card and coupon
// that changes hands gets one; the rest is noted in the audit. From is found by no
// list any more; look-ups of what it kept say who it is now. It is asked again of what
// it did already: then it changes nothing and says replayed. It refuses with INVALID
// (the same customer twice), CUSTOMER_NOT_FOUND, CUSTOMER_MERGED, CUSTOMER_ERASED
// (into), ACTIVE_CARD_EXISTS, and INVALID (attributes) where those of both together
// are too much.
func (s *Service) Merge(ctx context.Context, who auth.Principal, fromID, intoID uuid.UUID) (into *Customer, replayed bool, err error) {
	if fromID == intoID {
		return nil, false, loyalty.Refuse(loyalty.CodeInvalid, "intoId")
	}
	if err := s.complete(); err != nil {
		return nil, false, err
	}
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		into, replayed = nil, false
		if err := tx.ImportCompanyLock(ctx, who.CompanyID); err != nil {
			return fmt.Errorf("wait for the company's imports: %w", err)
		}
		rows, err := tx.CustomersLock(ctx, who.CompanyID, []uuid.UUID{fromID, intoID})
		if err != nil {
			return fmt.Errorf("lock two customers: %w", err)
		}
		to, err := usable(rows, intoID, "intoId")
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row.ID == fromID && row.MergedIntoID != nil && *row.MergedIntoID == intoID {
				into, replayed = &Customer{Customer: to}, true
				return nil
			}
		}
		from, err := usable(rows, fromID, "fromId")
		if err != nil {
			return err
		}
		if erased(to) {
			return loyalty.Refuse(loyalty.CodeCustomerErased, "intoId")
		}
		row, err := s.merge(ctx, tx, who, from, to)
		into = &Customer{Customer: row}
		return err
	})
	if err != nil {
		return nil, false, taken(err, "merge two customers")
	}
	return into, replayed, nil
}

func (s *Service) merge(ctx context.Context, tx db.Tx, who auth.Principal, from, into db.Customer) (db.Customer, error) {
	if err := s.moveCards(ctx, tx, who, from.ID, into.ID); err != nil {
		return into, err
	}
	defined, err := definitionsFor(ctx, tx.Queries, who.CompanyID)
	if err != nil {
		return into, err
	}
	filled, err := fill(from, into)
	if err != nil {
		return into, err
	}
	// What is unique leaves the one row before the other takes it.
	err = tx.CustomerMergedAway(ctx, db.CustomerMergedAwayParams{
		CompanyID: who.CompanyID, FromID: from.ID, IntoID: into.ID, Now: s.Now(),
		TakesCode: into.Code == nil, TakesEmail: into.Email == nil, TakesDocument: into.DocumentKey == nil,
	})
	if err != nil {
		return into, fmt.Errorf("hide a merged customer: %w", err)
	}
	row, err := tx.CustomerUpdate(ctx, db.CustomerUpdateParams{
		CompanyID: who.CompanyID, ID: into.ID, Code: filled.Code, Active: filled.Active, FirstName: filled.FirstName, LastName: filled.LastName,
		Email: filled.Email, Phone: filled.Phone, Document: filled.Document, DocumentKey: filled.DocumentKey, Birthdate: filled.Birthdate,
		Attributes: filled.Attributes, NameKey: loyalty.SearchKey(filled.FirstName + " " + value(filled.LastName)),
		FirstKey: new(loyalty.SearchKey(filled.FirstName)), Now: s.Now(),
	})
	if err != nil {
		return into, err
	}
	if err := tx.CustomerAttributeValuesDelete(ctx, who.CompanyID, []uuid.UUID{from.ID}); err != nil {
		return into, fmt.Errorf("take a merged customer out of the index: %w", err)
	}
	if err := defined.index(ctx, tx.Queries, row); err != nil {
		return into, err
	}
	if err := s.moveBelongings(ctx, tx, who, from.ID, into.ID); err != nil {
		return into, err
	}
	if err := tell(ctx, tx.Queries, who.CompanyID, "customer_merged", from.ID, s.Now()); err != nil {
		return into, err
	}
	if err := tell(ctx, tx.Queries, who.CompanyID, "customer_updated", into.ID, s.Now()); err != nil {
		return into, err
	}
	return row, auth.Audit(ctx, tx.Queries, who, s.Now(), "customer_merge", "customer", into.ID, map[string]any{"from": from.ID})
}

// mergeReason is why cards change hands, in their books.
const mergeReason = "MERGE"

// moveCards gives the cards of one customer to another. It refuses with
// ACTIVE_CARD_EXISTS where both have an enabled card of a type of which a customer has
// one at most: one of the two has to be disabled first.
func (s *Service) moveCards(ctx context.Context, tx db.Tx, who auth.Principal, from, into uuid.UUID) error {
	_, err := s.Ledger.ReassignCards(ctx, tx, who, from, into, mergeReason)
	if e, ok := errors.AsType[*loyalty.Error](err); ok {
		return &loyalty.Error{Code: e.Code, Field: "fromId", Params: e.Params}
	}
	return err
}

// moveBelongings gives what one customer has besides cards to another. It comes after
// the cards: who uses a card of theirs meanwhile has to be done, or begin again.
func (s *Service) moveBelongings(ctx context.Context, tx db.Tx, who auth.Principal, from, into uuid.UUID) error {
	if err := tx.SegmentsMove(ctx, db.SegmentsMoveParams{CompanyID: who.CompanyID, FromID: from, IntoID: into, Now: s.Now()}); err != nil {
		return fmt.Errorf("move a merged customer's segments: %w", err)
	}
	for _, kept := range []Belongings{s.Coupons, s.Codes, s.Claims} {
		if err := kept.MoveToCustomer(ctx, tx, who, from, into); err != nil {
			return err
		}
	}
	return nil
}

// fill is into with what it lacks taken from from. A customer who was erased in
// part has nothing to give but the code.
func fill(from, into db.Customer) (db.Customer, error) {
	pick := func(has, other *string) *string {
		if has == nil && value(other) != erasedText {
			return other
		}
		return has
	}
	into.Code, into.LastName, into.Phone = pick(into.Code, from.Code), pick(into.LastName, from.LastName), pick(into.Phone, from.Phone)
	into.Email = pick(into.Email, from.Email)
	if into.DocumentKey == nil {
		into.Document, into.DocumentKey = from.Document, from.DocumentKey
	}
	if into.Birthdate == nil {
		into.Birthdate = from.Birthdate
	}
	members, more := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if err := errors.Join(json.Unmarshal(into.Attributes, &members), json.Unmarshal(from.Attributes, &more)); err != nil {
		return into, fmt.Errorf("read a customer's attributes: %w", err)
	}
	maps.Copy(more, members)
	attributes, err := json.Marshal(more)
	if err != nil {
		return into, fmt.Errorf("write a customer's attributes: %w", err)
	}
	attributes, ok := cleanAttributes(attributes)
	if !ok {
		return into, loyalty.Refuse(loyalty.CodeInvalid, "attributes")
	}
	into.Attributes = attributes
	return into, nil
}

func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
