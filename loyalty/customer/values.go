package customer

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
)

// maxAttributeText keeps a value within what an index entry holds.
const maxAttributeText = 500

// definitions are a company's attributes, archived ones too, oldest first.
type definitions []db.CustomerAttribute

// definitionsFor reads what a customer's attributes are to be written by, and
// keeps it so until the transaction ends.
func definitionsFor(ctx context.Context, q *db.Queries, company uuid.UUID) (definitions, error) {
	if err := q.CustomerAttributesLockShared(ctx, company); err != nil {
		return nil, fmt.Errorf("wait for a company's attributes: %w", err)
	}
	all, err := q.CustomerAttributes(ctx, company)
	if err != nil {
		return nil, fmt.Errorf("read a company's attributes: %w", err)
	}
	return all, nil
}

// free reports whether the company has no attributes in use: then a customer's are
// whatever somebody writes.
func (d definitions) free() bool {
	return !slices.ContainsFunc(d, func(a db.CustomerAttribute) bool { return a.ArchivedAt == nil })
}

func (d definitions) byCode(code string) (a db.CustomerAttribute, inUse bool) {
	i := slices.IndexFunc(d, func(a db.CustomerAttribute) bool { return a.Code == code })
	if i < 0 {
		return a, false
	}
	return d[i], d[i].ArchivedAt == nil
}

// apply sets what is given, an object that cleanAttributes has passed, on what a
// customer has. It refuses with ATTRIBUTE_UNKNOWN, ATTRIBUTE_INVALID and
// ATTRIBUTE_REQUIRED, in the order of the names, and with INVALID if it is too much.
func (d definitions) apply(has, given json.RawMessage) (json.RawMessage, error) {
	if d.free() {
		return given, nil
	}
	members, changes := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if len(has) > 0 {
		if err := json.Unmarshal(has, &members); err != nil {
			return nil, fmt.Errorf("read a customer's attributes: %w", err)
		}
	}
	if err := json.Unmarshal(given, &changes); err != nil {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "attributes")
	}
	for _, code := range slices.Sorted(maps.Keys(changes)) {
		a, inUse := d.byCode(code)
		if string(changes[code]) == "null" {
			if _, there := members[code]; !there && !inUse {
				return nil, unknown(code)
			}
			delete(members, code)
			continue
		}
		if !inUse {
			return nil, unknown(code)
		}
		value, _, ok := canonical(a, changes[code])
		if !ok {
			return nil, invalid(a)
		}
		members[code] = value
	}
	for _, a := range d {
		if _, there := members[a.Code]; a.Required && a.ArchivedAt == nil && !there {
			return nil, loyalty.Refuse(loyalty.CodeAttributeRequired, "attributes").With("attribute", a.Code)
		}
	}
	set, err := json.Marshal(members)
	if err != nil {
		return nil, fmt.Errorf("write a customer's attributes: %w", err)
	}
	set, ok := cleanAttributes(set)
	if !ok {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "attributes")
	}
	return set, nil
}

// index notes a customer's values where customers are looked for by them. It does
// nothing where nothing is defined.
func (d definitions) index(ctx context.Context, q *db.Queries, c db.Customer) error {
	if len(d) == 0 {
		return nil
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(c.Attributes, &members); err != nil {
		return fmt.Errorf("read a customer's attributes: %w", err)
	}
	in := db.CustomerAttributeValuesSetParams{CompanyID: c.CompanyID, CustomerID: c.ID, AttributeIds: []uuid.UUID{}, Values: []string{}}
	for _, a := range d {
		if _, key, ok := canonical(a, members[a.Code]); ok {
			in.AttributeIds, in.Values = append(in.AttributeIds, a.ID), append(in.Values, key)
		}
	}
	if err := q.CustomerAttributeValuesSet(ctx, in); err != nil {
		return fmt.Errorf("index a customer's attributes: %w", err)
	}
	return nil
}

// unknown is the refusal of a member that is no attribute.
func unknown(code string) error {
	if utf8.RuneCountInString(code) > 100 {
		code = string([]rune(code)[:100])
	}
	return loyalty.Refuse(loyalty.CodeAttributeUnknown, "attributes").With("attribute", code)
}

func invalid(a db.CustomerAttribute) error {
	return loyalty.Refuse(loyalty.CodeAttributeInvalid, "attributes").With("attribute", a.Code).With("type", a.Type)
}

var (
	integerPattern = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,17})$`)
	decimalPattern = regexp.MustCompile(`^-?[0-9]{1,15}(\.[0-9]{1,4})?$`)
)

// canonical reads a JSON value as one of the attribute: the form in which it is
// kept, and the one text by which equal values are equal. ok is false for a value
// of another type. No number passes through floating point: integers are read as
// they are written, decimals are strings.
func canonical(a db.CustomerAttribute, raw json.RawMessage) (value json.RawMessage, key string, ok bool) {
	text := ""
	kind := AttributeType(a.Type)
	switch kind {
	case AttributeInteger, AttributeBoolean:
		text = strings.TrimSpace(string(raw))
	default:
		if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &text) != nil || !storable(text) {
			return nil, "", false
		}
	}
	switch kind {
	case AttributeText:
		ok = utf8.RuneCountInString(text) <= maxAttributeText
	case AttributeInteger:
		ok = integerPattern.MatchString(text)
		if text == "-0" {
			text = "0"
		}
	case AttributeDecimal:
		if !decimalPattern.MatchString(text) {
			return nil, "", false
		}
		d, err := decimal.Parse(text)
		text, ok = d.Trim(0).String(), err == nil
	case AttributeBoolean:
		ok = text == "true" || text == "false"
	case AttributeDate:
		day, err := time.Parse(time.DateOnly, text)
		ok = err == nil && day.Year() > 0
	case AttributeChoice:
		ok = slices.Contains(a.Options, text)
	}
	if !ok {
		return nil, "", false
	}
	return asJSON(kind, text), text, true
}

// asJSON is the JSON value of a canonical text.
func asJSON(kind AttributeType, text string) json.RawMessage {
	if kind == AttributeInteger || kind == AttributeBoolean {
		return json.RawMessage(text)
	}
	quoted, err := json.Marshal(text)
	if err != nil { // a string always has a JSON form
		panic(err)
	}
	return quoted
}
