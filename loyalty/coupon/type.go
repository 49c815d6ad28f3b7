package coupon

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Format is how a coupon reaches its customer.
type Format string

// The formats of a coupon.
const (
	Printed    Format = "printed"
	Electronic Format = "electronic"
)

// Validity is how the days of a coupon are found.
type Validity string

// The kinds of validity.
const (
	// Always has no first and no last day.
	Always Validity = "none"
	// Range is a fixed range of business days; one end may be open.
	Range Validity = "range"
	// Days lasts from the day of issue up to so many days after it.
	Days Validity = "days"
)

// Benefit is what a coupon is worth.
type Benefit string

// The kinds of benefit.
const (
	// Amount is a value in currency; each coupon may have one of its own.
	Amount Benefit = "amount"
	// Percentage is a share of what is bought.
	Percentage Benefit = "percentage"
	// Text is whatever the type's description says.
	Text Benefit = "text"
)

// Type is a kind of coupon.
type Type struct{ db.CouponType }

// GlobalID is the type's opaque id.
func (t *Type) GlobalID() string { return loyalty.GlobalID("CouponType", t.ID.String()) }

// Kind is how its coupons reach customers.
func (t *Type) Kind() Format { return Format(t.Format) }

// Lasting is how the days of its coupons are found.
func (t *Type) Lasting() Validity { return Validity(t.Validity) }

// Worth is what its coupons are worth.
func (t *Type) Worth() Benefit { return Benefit(t.Benefit) }

func (t *Type) codes() Codes {
	return Codes{Prefix: t.CodePrefix, Length: int(t.CodeLength), Alphabet: t.CodeAlphabet}
}

// days are the first and the last day of a coupon issued on a day; nil is open.
func (t *Type) days(today time.Time) (from, until *time.Time) {
	if t.Lasting() == Days {
		return &today, new(today.AddDate(0, 0, int(*t.ValidDays)))
	}
	return t.ValidFrom, t.ValidUntil
}

// Rules are all that an operator says of a type but its code.
type Rules struct {
	Name   string
	Format Format
	// Validity with ValidFrom and ValidUntil (Range) or ValidDays (Days).
	Validity              Validity
	ValidFrom, ValidUntil *time.Time
	ValidDays             *int
	MaxUses               int
	Nominated             bool
	// Benefit with Amount (the value of its coupons; nil: given at each issue) or
	// Percentage. Description is required for Text.
	Benefit            Benefit
	Amount, Percentage *decimal.Decimal
	Description        string
	Codes              Codes
}

// maxDays is a hundred years.
const maxDays = 36_525

func (r Rules) params() (p db.CouponTypeUpdateParams, err error) {
	if p.Name, err = loyalty.Text(r.Name, "name", 100); err != nil {
		return p, err
	}
	if p.Description, err = loyalty.OptionalText(r.Description, "description", 500); err != nil {
		return p, err
	}
	if err = r.checkDays(); err != nil {
		return p, err
	}
	if r.MaxUses < 1 || r.MaxUses > math.MaxInt32 {
		return p, loyalty.Refuse(loyalty.CodeInvalid, "maxUses")
	}
	if err = r.checkBenefit(p.Description); err != nil {
		return p, err
	}
	if err = r.Codes.check(); err != nil {
		return p, err
	}
	p.Format, p.Validity, p.ValidFrom, p.ValidUntil = string(r.Format), string(r.Validity), r.ValidFrom, r.ValidUntil
	if r.ValidDays != nil {
		p.ValidDays = new(int32(*r.ValidDays))
	}
	p.MaxUses, p.Nominated = int32(r.MaxUses), r.Nominated
	p.Benefit, p.Amount, p.Percentage = string(r.Benefit), r.Amount, r.Percentage
	p.CodePrefix, p.CodeLength, p.CodeAlphabet = r.Codes.Prefix, int32(r.Codes.Length), r.Codes.Alphabet
	return p, nil
}

func (r Rules) checkDays() error {
	ranged, counted := r.ValidFrom != nil || r.ValidUntil != nil, r.ValidDays != nil
	switch {
	case r.Validity == Range && !ranged:
		return loyalty.Refuse(loyalty.CodeRequired, "validFrom")
	case ranged && r.Validity != Range:
		return loyalty.Refuse(loyalty.CodeInvalid, "validFrom")
	case r.ValidFrom != nil && r.ValidUntil != nil && r.ValidUntil.Before(*r.ValidFrom):
		return loyalty.Refuse(loyalty.CodeInvalid, "validUntil")
	case r.Validity == Days && !counted:
		return loyalty.Refuse(loyalty.CodeRequired, "validDays")
	case counted && (r.Validity != Days || *r.ValidDays < 0 || *r.ValidDays > maxDays):
		return loyalty.Refuse(loyalty.CodeInvalid, "validDays")
	}
	return nil
}

func (r Rules) checkBenefit(description *string) error {
	switch {
	case r.Amount != nil && r.Benefit != Amount:
		return loyalty.Refuse(loyalty.CodeInvalid, "amount")
	case r.Percentage != nil && r.Benefit != Percentage:
		return loyalty.Refuse(loyalty.CodeInvalid, "percentage")
	case r.Benefit == Percentage && r.Percentage == nil:
		return loyalty.Refuse(loyalty.CodeRequired, "percentage")
	case r.Percentage != nil && (!r.Percentage.IsPos() || r.Percentage.Cmp(decimal.Hundred) > 0 || r.Percentage.MinScale() > 4):
		return loyalty.Refuse(loyalty.CodeInvalid, "percentage")
	case r.Benefit == Text && description == nil:
		return loyalty.Refuse(loyalty.CodeRequired, "description")
	case r.Amount != nil:
		return loyalty.Amount(*r.Amount, "amount")
	}
	return nil
}

// TypeCreate sets up a coupon type. It refuses with the rules of the fields and
// TAKEN (code).
func (s *Service) TypeCreate(ctx context.Context, who auth.Principal, code string, rules Rules) (*Type, error) {
	if err := loyalty.ObjectCode(code, "code"); err != nil {
		return nil, err
	}
	p, err := rules.params()
	if err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	var row db.CouponType
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		var err error
		row, err = tx.CouponTypeCreate(ctx, db.CouponTypeCreateParams{
			CompanyID: who.CompanyID, ID: id, Code: code, Name: p.Name, Format: p.Format, Validity: p.Validity, ValidFrom: p.ValidFrom,
			ValidUntil: p.ValidUntil, ValidDays: p.ValidDays, MaxUses: p.MaxUses, Nominated: p.Nominated, Benefit: p.Benefit, Amount: p.Amount,
			Percentage: p.Percentage, Description: p.Description, CodePrefix: p.CodePrefix, CodeLength: p.CodeLength,
			CodeAlphabet: p.CodeAlphabet, Now: s.Now(),
		})
		if err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "coupon_type_create", "coupon_type", id, nil)
	})
	switch {
	case err == nil:
		return &Type{row}, nil
	case db.Violates(err, "coupon_type_code_key"):
		return nil, loyalty.Refuse(loyalty.CodeTaken, "code")
	default:
		return nil, fmt.Errorf("create a coupon type: %w", err)
	}
}

// TypeUpdate changes a type, as change does to its present rules, and archives or
// reopens it (nil: neither). Coupons that exist keep what they were issued with. It
// refuses with COUPON_TYPE_NOT_FOUND and the rules of the fields.
func (s *Service) TypeUpdate(ctx context.Context, who auth.Principal, code string, change func(*Rules), archived *bool) (*Type, error) {
	var row db.CouponType
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		current, err := tx.CouponTypeLock(ctx, who.CompanyID, code)
		if db.Absent(err) {
			return loyalty.Refuse(loyalty.CodeCouponTypeNotFound, "code")
		}
		if err != nil {
			return err
		}
		rules := (&Type{current}).rules()
		change(&rules)
		p, err := rules.params()
		if err != nil {
			return err
		}
		p.CompanyID, p.ID, p.ArchivedAt, p.Now = who.CompanyID, current.ID, current.ArchivedAt, s.Now()
		if archived != nil && *archived != (current.ArchivedAt != nil) {
			p.ArchivedAt = nil
			if *archived {
				p.ArchivedAt = new(s.Now())
			}
		}
		if row, err = tx.CouponTypeUpdate(ctx, p); err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "coupon_type_update", "coupon_type", row.ID, map[string]any{"archived": row.ArchivedAt != nil})
	})
	if err != nil {
		return nil, refusedOr(err, "update a coupon type")
	}
	return &Type{row}, nil
}

// rules are the type's present ones.
func (t *Type) rules() Rules {
	r := Rules{
		Name: t.Name, Format: t.Kind(), Validity: t.Lasting(), ValidFrom: t.ValidFrom, ValidUntil: t.ValidUntil, MaxUses: int(t.MaxUses),
		Nominated: t.Nominated, Benefit: t.Worth(), Amount: t.Amount, Percentage: t.Percentage, Codes: t.codes(),
	}
	if t.ValidDays != nil {
		r.ValidDays = new(int(*t.ValidDays))
	}
	if t.Description != nil {
		r.Description = *t.Description
	}
	return r
}

// refusedOr leaves refusals, and what a database may be asked again for, as they
// are; of a fault it says what was being done.
func refusedOr(err error, doing string) error {
	if loyalty.CodeOf(err) != "" {
		return err
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func couponType(row db.CouponType, err error) (*Type, error) {
	if db.Absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a coupon type: %w", err)
	}
	return &Type{row}, nil
}

// TypeByCode reads a type; nil if the company has none of that code.
func (s *Service) TypeByCode(ctx context.Context, company uuid.UUID, code string) (*Type, error) {
	return couponType(s.DB.CouponTypeByCode(ctx, company, code))
}

// TypeByID reads a type; nil if the company has none of that id.
func (s *Service) TypeByID(ctx context.Context, company, id uuid.UUID) (*Type, error) {
	return couponType(s.DB.CouponTypeByID(ctx, company, id))
}

// Types reads a page of the company's types, oldest first, from behind an id.
func (s *Service) Types(ctx context.Context, company uuid.UUID, after *uuid.UUID, first int, withArchived bool) (page []*Type, more bool, err error) {
	rows, err := s.DB.CouponTypesPage(ctx, db.CouponTypesPageParams{
		CompanyID: company, After: after, WithArchived: withArchived, BatchSize: int32(first) + 1,
	})
	if err != nil {
		return nil, false, fmt.Errorf("list coupon types: %w", err)
	}
	page, more = make([]*Type, 0, len(rows)), len(rows) > first
	for _, row := range rows[:min(first, len(rows))] {
		page = append(page, &Type{row})
	}
	return page, more, nil
}

// typesByIDs reads types by id, for the objects of a page that name them.
func (s *Service) typesByIDs(ctx context.Context, company uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]*Type, error) {
	rows, err := s.DB.CouponTypesByIDs(ctx, company, ids)
	if err != nil {
		return nil, fmt.Errorf("read coupon types: %w", err)
	}
	found := make(map[uuid.UUID]*Type, len(rows))
	for _, row := range rows {
		found[row.ID] = &Type{row}
	}
	return found, nil
}

// usable reads a type that coupons are about to be made of, and keeps it as it is
// until the transaction ends. It refuses with COUPON_TYPE_NOT_FOUND and
// COUPON_TYPE_ARCHIVED.
func usable(ctx context.Context, q *db.Queries, company uuid.UUID, code string) (*Type, error) {
	row, err := q.CouponTypeShare(ctx, company, code)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, loyalty.Refuse(loyalty.CodeCouponTypeNotFound, "typeCode")
	case err != nil:
		return nil, fmt.Errorf("read a coupon type: %w", err)
	case row.ArchivedAt != nil:
		return nil, loyalty.Refuse(loyalty.CodeCouponTypeArchived, "typeCode")
	}
	return &Type{row}, nil
}
