package customer

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Meet finds a person by phones and e-mails and holds them until the caller's
// transaction ends; new phones and e-mails that nobody has become theirs, and the
// name if they have none. Where nobody is found the person is registered; known is
// false then (spec/antcrm.md 4). Number is for the end of the transaction. It refuses
// as Person.Check does and with CUSTOMER_BLOCKED. ErrMet, and a broken
// customer_email_key, ask for the transaction to be run again.
func (s *Service) Meet(ctx context.Context, tx db.Tx, who auth.Principal, in Person) (c *Customer, known bool, err error) {
	points, err := in.points()
	if err != nil {
		return nil, false, err
	}
	in.Name = cut(in.Name, maxName)
	company, err := tx.CompanyByID(ctx, who.CompanyID)
	if err != nil {
		return nil, false, fmt.Errorf("read the company: %w", err)
	}
	found, err := owners(ctx, tx.Queries, company, points)
	if err != nil {
		return nil, false, err
	}
	id, known := first(points, found)
	var row db.Customer
	if known {
		row, err = s.held(ctx, tx, who, id, in.Name)
	} else {
		row, err = s.meet(ctx, tx, who, company, in.Name, points)
	}
	if err != nil {
		return nil, false, err
	}
	var fresh []point
	for _, p := range points {
		if len(found[named{p.kind, p.key}]) == 0 {
			fresh = append(fresh, p)
		}
	}
	added, err := s.addPoints(ctx, tx, row, fresh)
	if err != nil {
		return nil, false, err
	}
	if !known && added < min(len(fresh), MaxContactPoints) {
		return nil, false, ErrMet
	}
	return &Customer{Customer: row}, known, nil
}

// Number gives a customer whom the transaction holds the company's next number, where
// they have none. Everybody who is numbered waits for the company's counter until the
// transaction ends: it is the last thing that one does.
func (s *Service) Number(ctx context.Context, tx db.Tx, c *Customer) (err error) {
	c.Number, err = s.number(ctx, tx.Queries, c.Customer)
	return err
}

// held locks a customer who was found.
func (s *Service) held(ctx context.Context, tx db.Tx, who auth.Principal, id uuid.UUID, name string) (db.Customer, error) {
	row, err := lock(ctx, tx.Queries, who.CompanyID, id, "phones")
	switch {
	case loyalty.CodeOf(err) != "": // merged or erased since they were found
		return row, ErrMet
	case err != nil:
		return row, err
	case !row.Active:
		return row, loyalty.Refuse(loyalty.CodeCustomerBlocked, "phones")
	}
	if row.FirstName == "" && name != "" {
		row.FirstName = name
		err = tx.CustomerNameSet(ctx, db.CustomerNameSetParams{
			CompanyID: who.CompanyID, ID: id, FirstName: name, NameKey: loyalty.SearchKey(name + " " + value(row.LastName)),
			FirstKey: new(loyalty.SearchKey(name)), Now: s.Now(),
		})
		if err != nil {
			return row, fmt.Errorf("name a customer: %w", err)
		}
	}
	return row, nil
}

// meet registers a customer whom nobody knows; the first phone and the first e-mail
// are the customer's own.
func (s *Service) meet(ctx context.Context, tx db.Tx, who auth.Principal, company db.Company, name string, points []point) (db.Customer, error) {
	fields := Fields{FirstName: name, Attributes: []byte("{}")}
	for _, p := range points {
		switch numbers := e164(p.key, company.PhonePrefix); {
		case p.kind == ContactEmail && fields.Email == "":
			fields.Email = p.key
		case p.kind == ContactPhone && fields.Phone == "" && len(numbers) > 0:
			fields.Phone = numbers[0]
		}
	}
	row, err := create(ctx, tx.Queries, who.CompanyID, fields, s.Now())
	if err != nil {
		return row, fmt.Errorf("register a person: %w", err)
	}
	return row, auth.Audit(ctx, tx.Queries, who, s.Now(), "customer_create", "customer", row.ID, nil)
}

// addPoints gives a locked customer contact points that nobody had when they were
// looked for, as many as there is room for.
func (s *Service) addPoints(ctx context.Context, tx db.Tx, c db.Customer, fresh []point) (int, error) {
	if len(fresh) == 0 {
		return 0, nil
	}
	has, err := tx.CustomerContactsOf(ctx, c.CompanyID, []uuid.UUID{c.ID})
	if err != nil {
		return 0, fmt.Errorf("read a customer's phones and e-mails: %w", err)
	}
	p := db.CustomerContactsAddParams{CompanyID: c.CompanyID, CustomerID: c.ID, Now: s.Now()}
	for _, one := range fresh[:max(0, min(len(fresh), MaxContactPoints-len(has)))] {
		id, err := uuid.NewV7()
		if err != nil {
			return 0, fmt.Errorf("make an id: %w", err)
		}
		p.Ids, p.Kinds, p.Labels = append(p.Ids, id), append(p.Kinds, string(one.kind)), append(p.Labels, one.label)
		p.Values, p.ValueKeys = append(p.Values, one.value), append(p.ValueKeys, one.key)
	}
	if len(p.Ids) == 0 {
		return 0, nil
	}
	n, err := tx.CustomerContactsAdd(ctx, p)
	if err != nil {
		return 0, fmt.Errorf("add phones and e-mails: %w", err)
	}
	if n > 0 {
		err = tell(ctx, tx.Queries, c.CompanyID, "customer_updated", c.ID, s.Now())
	}
	return int(n), err
}

// number is a customer's number, the company's next one where there was none.
func (s *Service) number(ctx context.Context, q *db.Queries, c db.Customer) (*int64, error) {
	if c.Number != nil {
		return c.Number, nil
	}
	n, err := q.CustomerNumberSet(ctx, db.CustomerNumberSetParams{CompanyID: c.CompanyID, ID: c.ID, Now: s.Now()})
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("number a customer: %w", err)
	}
	return n, nil
}

// NumberGive gives a customer the company's next number, and leaves one that is
// there. It refuses with CUSTOMER_NOT_FOUND.
func (s *Service) NumberGive(ctx context.Context, company, id uuid.UUID) (*Customer, error) {
	if _, err := s.number(ctx, s.DB.Queries, db.Customer{CompanyID: company, ID: id}); err != nil {
		return nil, err
	}
	c, err := s.ByID(ctx, company, id)
	if err == nil && c == nil {
		return nil, loyalty.Refuse(loyalty.CodeCustomerNotFound, "id")
	}
	return c, err
}
