package customer

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// maxEnrolName is the most characters of the first names of who is enrolled
// (spec/pretii.md 3.2).
const maxEnrolName = 120

// EnrolCheck trims the fields of somebody who is to be enrolled and holds them against
// their rules, those of Create and two more: an e-mail has to be there, and first names
// are shorter. It refuses with all that is wrong.
func (s *Service) EnrolCheck(ctx context.Context, company uuid.UUID, in Fields) (Fields, error) {
	c, err := s.DB.CompanyByID(ctx, company)
	if err != nil {
		return in, fmt.Errorf("read the company: %w", err)
	}
	var wrong loyalty.Refusals
	in, err = s.clean(in, c)
	if err := wrong.AddError(err); err != nil {
		return in, err
	}
	if utf8.RuneCountInString(in.FirstName) > maxEnrolName {
		wrong.Add(loyalty.CodeTooLong, "firstName")
	}
	if in.Email == "" {
		wrong.Add(loyalty.CodeRequired, "email")
	}
	return in, wrong.Err()
}

// Enrol registers somebody whose fields EnrolCheck has checked, in the caller's
// transaction. What the company asks its own people for (attributes) is not asked here:
// who enrols is a system that does not know of it. A broken unique rule ends the
// transaction; [Service.Taken] is its refusal.
func (s *Service) Enrol(ctx context.Context, tx db.Tx, who auth.Principal, in Fields) (*Customer, error) {
	row, err := create(ctx, tx.Queries, who.CompanyID, in, s.Now())
	if err != nil {
		return nil, err
	}
	return &Customer{Customer: row}, auth.Audit(ctx, tx.Queries, who, s.Now(), "customer_create", "customer", row.ID, nil)
}

// Taken turns a unique rule that an enrolment broke into the refusal TAKEN of the e-mail
// or, where that is free, of the document, with who has it (customerId). Any other error
// is answered as it is.
func (s *Service) Taken(ctx context.Context, company uuid.UUID, in Fields, err error) error {
	if !db.Violates(err, "customer_email_key") && !db.Violates(err, "customer_document_key") {
		return err
	}
	for _, key := range []struct {
		field, value string
		read         func(context.Context, uuid.UUID, string) (*Customer, error)
	}{{"email", in.Email, s.ByEmail}, {"document", in.Document, s.ByDocument}} {
		if key.value == "" {
			continue
		}
		has, err := key.read(ctx, company, key.value)
		if err != nil {
			return err
		}
		if has == nil {
			continue
		}
		if has.MergedIntoID != nil {
			has = &Customer{Customer: db.Customer{ID: *has.MergedIntoID}}
		}
		return loyalty.Refuse(loyalty.CodeTaken, key.field).With("customerId", has.GlobalID())
	}
	// Who had it let go of it meanwhile: there is nobody to name.
	return taken(err, "enrol a customer")
}
