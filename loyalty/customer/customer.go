package customer

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
)

// Customer is a person who collects points at a company.
type Customer struct {
	db.Customer
	batch *loyalty.Batch[Customer]
}

// GlobalID is the customer's opaque id.
func (c *Customer) GlobalID() string { return loyalty.GlobalID("Customer", c.ID.String()) }

// Batch is the list the customer was read with, nil for one read alone.
func (c *Customer) Batch() *loyalty.Batch[Customer] { return c.batch }

// AttributesJSON are the values that the company defines itself.
func (c *Customer) AttributesJSON() json.RawMessage { return c.Attributes }

func customers(rows []db.Customer) []*Customer {
	all := make([]*Customer, len(rows))
	for i, row := range rows {
		all[i] = &Customer{Customer: row}
	}
	batch := loyalty.NewBatch(all)
	for _, c := range all {
		c.batch = batch
	}
	return all
}

func customer(row db.Customer, err error) (*Customer, error) {
	if db.Absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a customer: %w", err)
	}
	return &Customer{Customer: row}, nil
}

// Fields are what a customer is known by. Empty texts are none.
type Fields struct {
	// Code is the name that the company's other systems have for the customer.
	Code string
	// Inactive customers are kept and shown; what else they may do is up to whoever asks.
	Inactive bool

	FirstName, LastName, Email, Phone, Document string
	Birthdate                                   *time.Time
	// Attributes is a JSON object; nil is an empty one.
	Attributes json.RawMessage
}

// Create registers a customer. It refuses with the rules of the fields, those of
// the company's attributes, and TAKEN (e-mail, document or code).
func (s *Service) Create(ctx context.Context, who auth.Principal, in Fields) (*Customer, error) {
	company, err := s.DB.CompanyByID(ctx, who.CompanyID)
	if err != nil {
		return nil, fmt.Errorf("read the company: %w", err)
	}
	in, err = s.clean(in, company)
	if err != nil {
		return nil, err
	}
	var row db.Customer
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		defined, err := definitionsFor(ctx, tx.Queries, who.CompanyID)
		if err != nil {
			return err
		}
		fields := in
		if fields.Attributes, err = defined.apply(nil, in.Attributes); err != nil {
			return err
		}
		if row, err = create(ctx, tx.Queries, who.CompanyID, fields, s.Now()); err != nil {
			return err
		}
		if err := defined.index(ctx, tx.Queries, row); err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "customer_create", "customer", row.ID, nil)
	})
	if err != nil {
		return nil, taken(err, "create a customer")
	}
	return &Customer{Customer: row}, nil
}

// create inserts a customer of cleaned fields.
func create(ctx context.Context, q *db.Queries, company uuid.UUID, in Fields, now time.Time) (db.Customer, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return db.Customer{}, fmt.Errorf("make an id: %w", err)
	}
	row, err := q.CustomerCreate(ctx, db.CustomerCreateParams{
		CompanyID: company, ID: id, Code: optional(in.Code), Active: !in.Inactive, FirstName: in.FirstName, LastName: optional(in.LastName),
		Email: optional(in.Email), Phone: optional(in.Phone), Document: optional(in.Document),
		DocumentKey: optional(strings.ToLower(in.Document)), QrCode: NewQRCode(), Birthdate: in.Birthdate,
		Attributes: in.Attributes, NameKey: loyalty.SearchKey(in.FirstName + " " + in.LastName),
		FirstKey: new(loyalty.SearchKey(in.FirstName)), Now: now,
	})
	if err != nil {
		return row, err
	}
	return row, tell(ctx, q, company, "customer_created", id, now)
}

// tell writes an event about a customer or a segment in the transaction that
// makes it true.
func tell(ctx context.Context, q *db.Queries, company uuid.UUID, kind string, subject uuid.UUID, now time.Time) error {
	return q.EventCreate(ctx, db.EventCreateParams{CompanyID: company, Kind: kind, SubjectID: subject, Now: now})
}

// Change says what to change of a customer: nil stays, a pointer to "" takes away.
type Change struct {
	Code, FirstName, LastName, Email, Phone, Document *string
	Active                                            *bool
	// Birthdate is used if SetBirthdate; nil takes it away.
	Birthdate    *time.Time
	SetBirthdate bool
	// Attributes replace the old ones as a whole where the company has defined none;
	// where it has, members are set, null takes one away, and the others stay.
	Attributes json.RawMessage
	// ClearAttributes takes all away before Attributes are set.
	ClearAttributes bool
}

// Update changes a customer. It refuses with CUSTOMER_NOT_FOUND, CUSTOMER_MERGED,
// the rules of the fields, those of the company's attributes, and TAKEN.
func (s *Service) Update(ctx context.Context, who auth.Principal, id uuid.UUID, in Change) (*Customer, error) {
	company, err := s.DB.CompanyByID(ctx, who.CompanyID)
	if err != nil {
		return nil, fmt.Errorf("read the company: %w", err)
	}
	var row db.Customer
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		old, err := lock(ctx, tx.Queries, who.CompanyID, id, "id")
		if err != nil {
			return err
		}
		fields, err := s.clean(merge(old, in), company)
		if err != nil {
			return err
		}
		var defined definitions
		if in.Attributes != nil || in.ClearAttributes {
			if defined, err = definitionsFor(ctx, tx.Queries, who.CompanyID); err != nil {
				return err
			}
			if fields.Attributes, err = defined.apply(kept(old, in), fields.Attributes); err != nil {
				return err
			}
		}
		row, err = tx.CustomerUpdate(ctx, db.CustomerUpdateParams{
			CompanyID: who.CompanyID, ID: id, Code: optional(fields.Code), Active: !fields.Inactive, FirstName: fields.FirstName, LastName: optional(fields.LastName),
			Email: optional(fields.Email), Phone: optional(fields.Phone), Document: optional(fields.Document),
			DocumentKey: optional(strings.ToLower(fields.Document)), Birthdate: fields.Birthdate,
			Attributes: fields.Attributes, NameKey: loyalty.SearchKey(fields.FirstName + " " + fields.LastName),
			FirstKey: new(loyalty.SearchKey(fields.FirstName)), Now: s.Now(),
		})
		if err != nil {
			return err
		}
		if err := defined.index(ctx, tx.Queries, row); err != nil {
			return err
		}
		if err := tell(ctx, tx.Queries, who.CompanyID, "customer_updated", id, s.Now()); err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "customer_update", "customer", id, nil)
	})
	if err != nil {
		return nil, taken(err, "update a customer")
	}
	return &Customer{Customer: row}, nil
}

// lock takes a customer for the transaction. It refuses, of the field that names
// them, with CUSTOMER_NOT_FOUND and CUSTOMER_MERGED.
func lock(ctx context.Context, q *db.Queries, company, id uuid.UUID, field string) (db.Customer, error) {
	rows, err := q.CustomersLock(ctx, company, []uuid.UUID{id})
	if err != nil {
		return db.Customer{}, fmt.Errorf("lock a customer: %w", err)
	}
	return usable(rows, id, field)
}

// usable picks a customer of those locked.
func usable(rows []db.Customer, id uuid.UUID, field string) (db.Customer, error) {
	i := slices.IndexFunc(rows, func(c db.Customer) bool { return c.ID == id })
	switch {
	case i >= 0 && rows[i].MergedIntoID != nil:
		return db.Customer{}, loyalty.Refuse(loyalty.CodeCustomerMerged, field).
			With("intoId", (&Customer{Customer: db.Customer{ID: *rows[i].MergedIntoID}}).GlobalID())
	case i < 0 || rows[i].HiddenAt != nil:
		return db.Customer{}, loyalty.Refuse(loyalty.CodeCustomerNotFound, field)
	}
	return rows[i], nil
}

// erased tells of a person who was erased and is nobody since: who is made active
// again is somebody.
func erased(c db.Customer) bool { return c.ErasedAt != nil && !c.Active }

// kept are the attributes that a change builds on.
func kept(old db.Customer, in Change) json.RawMessage {
	if in.ClearAttributes {
		return nil
	}
	return old.Attributes
}

func merge(old db.Customer, in Change) Fields {
	pick := func(change, stays *string) string {
		if change != nil {
			return *change
		}
		if stays != nil {
			return *stays
		}
		return ""
	}
	f := Fields{
		Code: pick(in.Code, old.Code), Inactive: !old.Active, FirstName: pick(in.FirstName, &old.FirstName), LastName: pick(in.LastName, old.LastName),
		Email: pick(in.Email, old.Email), Phone: pick(in.Phone, old.Phone), Document: pick(in.Document, old.Document),
		Birthdate: old.Birthdate, Attributes: old.Attributes,
	}
	if in.SetBirthdate {
		f.Birthdate = in.Birthdate
	}
	if in.Active != nil {
		f.Inactive = !*in.Active
	}
	if in.Attributes != nil || in.ClearAttributes {
		f.Attributes = in.Attributes
	}
	return f
}

// taken turns a broken unique rule into its refusal, and wraps faults.
func taken(err error, doing string) error {
	switch {
	case db.Violates(err, "customer_email_key"):
		return loyalty.Refuse(loyalty.CodeTaken, "email")
	case db.Violates(err, "customer_document_key"):
		return loyalty.Refuse(loyalty.CodeTaken, "document")
	case db.Violates(err, "customer_code_key"):
		return loyalty.Refuse(loyalty.CodeTaken, "code")
	case db.Unstorable(err), db.OutOfRange(err):
		// The other fields were looked at; JSON can hold what jsonb does not, such as
		// half a surrogate pair or 1e999999.
		return loyalty.Refuse(loyalty.CodeInvalid, "attributes")
	case loyalty.CodeOf(err) != "":
		return err
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}

// ByID reads a customer; nil if the company has none of that id.
func (s *Service) ByID(ctx context.Context, company, id uuid.UUID) (*Customer, error) {
	return customer(s.DB.CustomerByID(ctx, company, id))
}

// ByCode reads a customer by the company's own name for them; nil if there is none.
func (s *Service) ByCode(ctx context.Context, company uuid.UUID, code string) (*Customer, error) {
	return customer(s.DB.CustomerByCode(ctx, company, strings.TrimSpace(code)))
}

// ByEmail reads a customer by e-mail, any case; nil if there is none.
func (s *Service) ByEmail(ctx context.Context, company uuid.UUID, email string) (*Customer, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	return customer(s.DB.CustomerByEmail(ctx, company, &email))
}

// ByDocument reads a customer by document, any case; nil if there is none.
func (s *Service) ByDocument(ctx context.Context, company uuid.UUID, document string) (*Customer, error) {
	document = strings.ToLower(strings.TrimSpace(document))
	return customer(s.DB.CustomerByDocument(ctx, company, &document))
}

// ByQRCode reads a customer by the text of the QR code; nil if there is none.
func (s *Service) ByQRCode(ctx context.Context, company uuid.UUID, code string) (*Customer, error) {
	return customer(s.DB.CustomerByQRCode(ctx, company, code))
}

// ByPhone reads the first registered customer with a phone, E.164 or national;
// nil if there is none.
func (s *Service) ByPhone(ctx context.Context, company uuid.UUID, phone string) (*Customer, error) {
	c, err := s.DB.CompanyByID(ctx, company)
	if err != nil {
		return nil, fmt.Errorf("read the company: %w", err)
	}
	e164, ok := Phone(phone, c.PhonePrefix)
	if !ok {
		return nil, nil
	}
	return customer(s.DB.CustomerByPhone(ctx, company, &e164))
}

// ByIDs reads customers by id, for the objects of a page that name them.
func (s *Service) ByIDs(ctx context.Context, company uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]*Customer, error) {
	rows, err := s.DB.CustomersByIDs(ctx, company, ids)
	if err != nil {
		return nil, fmt.Errorf("read customers: %w", err)
	}
	found := make(map[uuid.UUID]*Customer, len(rows))
	for _, c := range customers(rows) {
		found[c.ID] = c
	}
	return found, nil
}

// List reads a page of customers, oldest first, from behind an id.
func (s *Service) List(ctx context.Context, company uuid.UUID, after *uuid.UUID, first int) (page []*Customer, more bool, err error) {
	rows, err := s.DB.CustomersPage(ctx, db.CustomersPageParams{CompanyID: company, After: after, BatchSize: int32(first) + 1})
	if err != nil {
		return nil, false, fmt.Errorf("list customers: %w", err)
	}
	if more = len(rows) > first; more {
		rows = rows[:first]
	}
	return customers(rows), more, nil
}

// Count counts the company's customers.
func (s *Service) Count(ctx context.Context, company uuid.UUID) (int, error) {
	n, err := s.DB.CustomersCount(ctx, company)
	if err != nil {
		return 0, fmt.Errorf("count customers: %w", err)
	}
	return int(n), nil
}

// MergedInto reads who a merged customer is now, and with them those of the batch;
// nil for one who was not merged.
func (s *Service) MergedInto(ctx context.Context, company uuid.UUID, c *Customer) (*Customer, error) {
	return loyalty.Together(c.batch, c, "mergedInto", func(all []*Customer) (map[*Customer]*Customer, error) {
		return loyalty.Lookup(all, func(c *Customer) (uuid.UUID, bool) {
			if c.MergedIntoID == nil {
				return uuid.UUID{}, false
			}
			return *c.MergedIntoID, true
		}, func(ids []uuid.UUID) (map[uuid.UUID]*Customer, error) { return s.ByIDs(ctx, company, ids) })
	})
}

// OwnerOf reads whose a card is, and with it those of its batch; nil for a card
// that is nobody's yet.
func (s *Service) OwnerOf(ctx context.Context, company uuid.UUID, card *ledger.Card) (*Customer, error) {
	return loyalty.Together(card.Batch(), card, "customer", func(all []*ledger.Card) (map[*ledger.Card]*Customer, error) {
		return loyalty.Lookup(all, func(c *ledger.Card) (uuid.UUID, bool) {
			if c.CustomerID == nil {
				return uuid.UUID{}, false
			}
			return *c.CustomerID, true
		}, func(ids []uuid.UUID) (map[uuid.UUID]*Customer, error) { return s.ByIDs(ctx, company, ids) })
	})
}
