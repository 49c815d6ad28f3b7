package customer

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// AttributeType is what values of an attribute are like.
type AttributeType string

// The types of attributes (customer_attribute_type_check).
const (
	AttributeText    AttributeType = "text"
	AttributeInteger AttributeType = "integer"
	// AttributeDecimal: an exact number, a string in JSON.
	AttributeDecimal AttributeType = "decimal"
	AttributeBoolean AttributeType = "boolean"
	AttributeDate    AttributeType = "date"
	// AttributeChoice: one of the attribute's options.
	AttributeChoice AttributeType = "choice"
)

var attributeTypes = []AttributeType{AttributeText, AttributeInteger, AttributeDecimal, AttributeBoolean, AttributeDate, AttributeChoice}

const (
	// maxAttributesDefined keeps all values of a customer in one JSON object.
	maxAttributesDefined = 50
	maxOptions           = 200
	maxOption            = 100
)

// Attribute is something that a company wants to know of its customers.
type Attribute struct{ db.CustomerAttribute }

// GlobalID is the attribute's opaque id.
func (a *Attribute) GlobalID() string { return loyalty.GlobalID("CustomerAttribute", a.ID.String()) }

// Kind is what its values are like.
func (a *Attribute) Kind() AttributeType { return AttributeType(a.Type) }

// Ready reports whether customers can be looked for by the attribute.
func (a *Attribute) Ready() bool { return a.IndexedAt != nil }

func attributes(rows []db.CustomerAttribute) []*Attribute {
	all := make([]*Attribute, len(rows))
	for i, row := range rows {
		all[i] = &Attribute{row}
	}
	return all
}

// NewAttribute says what an attribute is like.
type NewAttribute struct {
	// Code is its name in a customer's attributes.
	Code, Name string
	Type       AttributeType
	// Required: who registers a customer, or changes attributes, has to give it.
	Required bool
	// Options are what a choice is among; of other types there are none.
	Options []string
}

var attributeCodePattern = regexp.MustCompile(`^[\p{L}][\p{L}\p{Nd}_.-]{0,59}$`)

// AttributeCreate defines an attribute. The first one ends the company's free use
// of attributes; values that customers have already stay until they are changed, and
// a job puts those that are of the type into the index. It refuses with INVALID,
// REQUIRED, TOO_LONG, TAKEN and ATTRIBUTE_LIMIT.
func (s *Service) AttributeCreate(ctx context.Context, who auth.Principal, in NewAttribute) (*Attribute, error) {
	if !attributeCodePattern.MatchString(in.Code) {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "code")
	}
	if !slices.Contains(attributeTypes, in.Type) {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "type")
	}
	name, err := title(in.Name, "name")
	if err != nil {
		return nil, err
	}
	options, err := cleanOptions(in.Type, in.Options)
	if err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	var row db.CustomerAttribute
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		if err := roomForAttribute(ctx, tx.Queries, who.CompanyID); err != nil {
			return err
		}
		row, err = tx.CustomerAttributeCreate(ctx, db.CustomerAttributeCreateParams{
			CompanyID: who.CompanyID, ID: id, Code: in.Code, Name: name, Type: string(in.Type), Required: in.Required,
			Options: options, Now: s.Now(),
		})
		if err != nil {
			return err
		}
		if row.IndexedAt == nil {
			if _, err := s.Jobs.InsertTx(ctx, tx.Conn, AttributeIndex{CompanyID: who.CompanyID, AttributeID: id}, nil); err != nil {
				return fmt.Errorf("enqueue the indexing of an attribute: %w", err)
			}
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "customer_attribute_create", "customer_attribute", id, map[string]any{"code": in.Code})
	})
	return attribute(row, err, "create an attribute")
}

// roomForAttribute makes changes of a company's definitions follow each other, and
// refuses one too many with ATTRIBUTE_LIMIT.
func roomForAttribute(ctx context.Context, q *db.Queries, company uuid.UUID) error {
	if err := q.CustomerAttributesLock(ctx, company); err != nil {
		return err
	}
	all, err := q.CustomerAttributes(ctx, company)
	if err != nil {
		return err
	}
	inUse := 0
	for _, a := range all {
		if a.ArchivedAt == nil {
			inUse++
		}
	}
	if inUse >= maxAttributesDefined {
		return loyalty.Refuse(loyalty.CodeAttributeLimit, "code").With("limit", strconv.Itoa(maxAttributesDefined))
	}
	return nil
}

func attribute(row db.CustomerAttribute, err error, doing string) (*Attribute, error) {
	switch {
	case err == nil:
		return &Attribute{row}, nil
	case db.Violates(err, "customer_attribute_code_key"):
		return nil, loyalty.Refuse(loyalty.CodeTaken, "code")
	case loyalty.CodeOf(err) != "":
		return nil, err
	case db.Absent(err):
		return nil, loyalty.Refuse(loyalty.CodeAttributeUnknown, "code")
	default:
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
}

// AttributeChange says what to change of a definition; nil stays. Code and type
// stay for ever.
type AttributeChange struct {
	Name     *string
	Required *bool
	Options  []string
}

// AttributeUpdate changes a definition. Customers whose value is no option any more
// keep it until it is changed. It refuses with ATTRIBUTE_UNKNOWN, INVALID, REQUIRED
// and TOO_LONG.
func (s *Service) AttributeUpdate(ctx context.Context, who auth.Principal, code string, in AttributeChange) (*Attribute, error) {
	var row db.CustomerAttribute
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		if err := tx.CustomerAttributesLock(ctx, who.CompanyID); err != nil {
			return err
		}
		old, err := tx.CustomerAttributeByCode(ctx, who.CompanyID, code)
		if err != nil {
			return unknownAttribute(err)
		}
		change := db.CustomerAttributeUpdateParams{
			CompanyID: who.CompanyID, ID: old.ID, Name: old.Name, Required: old.Required, Options: old.Options, Now: s.Now(),
		}
		if in.Name != nil {
			if change.Name, err = title(*in.Name, "name"); err != nil {
				return err
			}
		}
		if in.Required != nil {
			change.Required = *in.Required
		}
		if in.Options != nil {
			if change.Options, err = cleanOptions(AttributeType(old.Type), in.Options); err != nil {
				return err
			}
		}
		if row, err = tx.CustomerAttributeUpdate(ctx, change); err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "customer_attribute_update", "customer_attribute", row.ID, nil)
	})
	return attribute(row, err, "update an attribute")
}

// AttributeArchive takes a definition out of use, or back into it. Values stay
// where they are; of an archived attribute none can be set, only taken away. It
// refuses with ATTRIBUTE_UNKNOWN and ATTRIBUTE_LIMIT.
func (s *Service) AttributeArchive(ctx context.Context, who auth.Principal, code string, archived bool) (*Attribute, error) {
	var row db.CustomerAttribute
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		if err := tx.CustomerAttributesLock(ctx, who.CompanyID); err != nil {
			return err
		}
		old, err := tx.CustomerAttributeByCode(ctx, who.CompanyID, code)
		if err != nil {
			return unknownAttribute(err)
		}
		if old.ArchivedAt != nil && !archived {
			if err := roomForAttribute(ctx, tx.Queries, who.CompanyID); err != nil {
				return err
			}
		}
		row, err = tx.CustomerAttributeArchive(ctx, db.CustomerAttributeArchiveParams{
			CompanyID: who.CompanyID, Code: code, Archived: archived, Now: s.Now(),
		})
		if err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "customer_attribute_archive", "customer_attribute", row.ID, map[string]any{"archived": archived})
	})
	return attribute(row, err, "archive an attribute")
}

// unknownAttribute is the refusal of a code that names no attribute.
func unknownAttribute(err error) error {
	if db.Absent(err) {
		return loyalty.Refuse(loyalty.CodeAttributeUnknown, "code")
	}
	return fmt.Errorf("read an attribute: %w", err)
}

// AttributeByID reads a definition; nil if the company has none of that id.
func (s *Service) AttributeByID(ctx context.Context, company, id uuid.UUID) (*Attribute, error) {
	row, err := s.DB.CustomerAttributeByID(ctx, company, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read an attribute: %w", err)
	}
	return &Attribute{row}, nil
}

// Attributes reads a page of definitions, oldest first, from behind an id.
func (s *Service) Attributes(ctx context.Context, company uuid.UUID, after *uuid.UUID, first int, withArchived bool) (page []*Attribute, more bool, err error) {
	rows, err := s.DB.CustomerAttributesPage(ctx, db.CustomerAttributesPageParams{
		CompanyID: company, After: after, WithArchived: withArchived, BatchSize: int32(first) + 1,
	})
	if err != nil {
		return nil, false, fmt.Errorf("list attributes: %w", err)
	}
	if more = len(rows) > first; more {
		rows = rows[:first]
	}
	return attributes(rows), more, nil
}

// ByAttribute reads a page of the customers with a value, oldest first, from behind
// an id. The value is as people write it: "true", "12", "10.5", "2026-11-21". It
// refuses with ATTRIBUTE_UNKNOWN, ATTRIBUTE_INVALID and ATTRIBUTE_NOT_READY.
func (s *Service) ByAttribute(ctx context.Context, company uuid.UUID, code, value string, after uuid.UUID, first int) (page []*Customer, more bool, err error) {
	row, err := s.DB.CustomerAttributeByCode(ctx, company, code)
	if err != nil {
		return nil, false, unknownAttribute(err)
	}
	_, key, ok := canonical(row, asJSON(AttributeType(row.Type), value))
	switch {
	case !ok:
		return nil, false, invalid(row)
	case row.IndexedAt == nil:
		return nil, false, loyalty.Refuse(loyalty.CodeAttributeNotReady, "attributes")
	}
	rows, err := s.DB.CustomersByAttribute(ctx, db.CustomersByAttributeParams{
		CompanyID: company, AttributeID: row.ID, Value: key, After: after, BatchSize: int32(first) + 1,
	})
	if err != nil {
		return nil, false, fmt.Errorf("list customers by an attribute: %w", err)
	}
	if more = len(rows) > first; more {
		rows = rows[:first]
	}
	return customers(rows), more, nil
}

// cleanOptions holds a choice's options against their rules.
func cleanOptions(kind AttributeType, options []string) ([]string, error) {
	if kind != AttributeChoice {
		if len(options) > 0 {
			return nil, loyalty.Refuse(loyalty.CodeInvalid, "options")
		}
		return []string{}, nil
	}
	clean := make([]string, 0, len(options))
	for _, o := range options {
		o = strings.TrimSpace(o)
		if o == "" || utf8.RuneCountInString(o) > maxOption || !storable(o) || slices.Contains(clean, o) {
			return nil, loyalty.Refuse(loyalty.CodeInvalid, "options")
		}
		clean = append(clean, o)
	}
	switch {
	case len(clean) == 0:
		return nil, loyalty.Refuse(loyalty.CodeRequired, "options")
	case len(clean) > maxOptions:
		return nil, loyalty.Refuse(loyalty.CodeTooLong, "options")
	}
	return clean, nil
}

// title reads the name of an attribute or a segment: 1 to 100 characters.
func title(text, field string) (string, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", loyalty.Refuse(loyalty.CodeRequired, field)
	case !storable(text):
		return "", loyalty.Refuse(loyalty.CodeInvalid, field)
	case utf8.RuneCountInString(text) > 100:
		return "", loyalty.Refuse(loyalty.CodeTooLong, field)
	}
	return text, nil
}

// storable reports whether PostgreSQL holds a text.
func storable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }
