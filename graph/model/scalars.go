// Package model holds GraphQL's scalars and the inputs and payloads that gqlgen
// makes of the schema.
package model

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/govalues/decimal"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"sello/loyalty/report"
)

// Node is an object with an opaque id.
type Node interface{ GlobalID() string }

// badValue is the caller's fault, told as such: a plain error would look like ours.
func badValue(text string) error {
	return &gqlerror.Error{Message: text, Extensions: map[string]any{"code": "BAD_USER_INPUT"}}
}

// MarshalDecimal writes a decimal as a string without trailing zeros, so that
// equal amounts give equal bytes whatever wire format PostgreSQL used.
func MarshalDecimal(d decimal.Decimal) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		_, _ = io.WriteString(w, `"`+FormatDecimal(d)+`"`)
	})
}

// FormatDecimal is a decimal without trailing zeros.
func FormatDecimal(d decimal.Decimal) string {
	if d.IsZero() {
		return "0" // never "-0"
	}
	return d.Trim(0).String()
}

// MarshalSum writes a sum of amounts as a Decimal; it may have more digits than
// one amount.
func MarshalSum(s report.Sum) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { _, _ = io.WriteString(w, `"`+s.String()+`"`) })
}

// UnmarshalSum reads a sum; inputs are amounts, so it only completes the pair.
func UnmarshalSum(v any) (report.Sum, error) {
	d, err := UnmarshalDecimal(v)
	if err != nil {
		return report.Sum{}, err
	}
	return report.ParseSum(d.String())
}

// UnmarshalDecimal reads a decimal from a string (or from an integer or decimal
// literal's own text): sign, 1 to 15 digits, up to 4 decimals. Numbers that have
// been floating point on their way are refused.
func UnmarshalDecimal(v any) (decimal.Decimal, error) {
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	case int64:
		text = strconv.FormatInt(v, 10)
	case int:
		text = strconv.Itoa(v)
	default:
		return decimal.Decimal{}, badValue("a Decimal is a string such as \"10.5\"")
	}
	if !plainDecimal(text) {
		return decimal.Decimal{}, badValue("a Decimal has 1 to 15 digits and up to 4 decimals, without exponent or separators")
	}
	d, err := decimal.Parse(text)
	if err != nil {
		return decimal.Decimal{}, badValue("a Decimal has 1 to 15 digits and up to 4 decimals, without exponent or separators")
	}
	return d, nil
}

// plainDecimal holds text against the one form that is accepted: what a decimal
// library takes beyond it (1e3, .5, +1) is refused.
func plainDecimal(text string) bool {
	whole, fraction, hasPoint := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	return digits(whole, 15) && (!hasPoint || digits(fraction, 4))
}

func digits(s string, limit int) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// MarshalDateTime writes an instant in UTC, RFC 3339.
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		_, _ = io.WriteString(w, t.UTC().Format(`"`+time.RFC3339Nano+`"`))
	})
}

// UnmarshalDateTime reads an instant in RFC 3339, between the years 1900 and 9999.
func UnmarshalDateTime(v any) (time.Time, error) {
	text, ok := v.(string)
	if !ok {
		return time.Time{}, badValue("a DateTime is a string such as \"2026-11-21T18:00:00Z\"")
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.UTC().Year() < 1900 || t.UTC().Year() > 9999 {
		return time.Time{}, badValue("a DateTime is written like 2026-11-21T18:00:00Z")
	}
	return t.UTC(), nil
}

// MarshalDate writes a calendar day.
func MarshalDate(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		_, _ = io.WriteString(w, t.Format(`"`+time.DateOnly+`"`))
	})
}

// UnmarshalDate reads a calendar day as midnight UTC.
func UnmarshalDate(v any) (time.Time, error) {
	text, ok := v.(string)
	if !ok {
		return time.Time{}, badValue("a Date is a string such as \"2026-11-21\"")
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() < 1 {
		return time.Time{}, badValue("a Date is written like 2026-11-21")
	}
	return t, nil
}

// MarshalJSON writes an object of the company's own values as it is stored.
func MarshalJSON(raw json.RawMessage) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		if len(raw) == 0 {
			raw = json.RawMessage("null")
		}
		_, _ = w.Write(raw)
	})
}

// UnmarshalJSON reads an object of the company's own values.
func UnmarshalJSON(v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	if _, ok := v.(map[string]any); !ok {
		return nil, badValue("attributes are an object")
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, badValue("attributes cannot be read")
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// MarshalInt16 writes a small number.
func MarshalInt16(i int16) graphql.Marshaler { return graphql.MarshalInt32(int32(i)) }

// UnmarshalInt16 reads a small number; inputs are Int, so it only completes the pair.
func UnmarshalInt16(v any) (int16, error) {
	i, err := graphql.UnmarshalInt32(v)
	if err != nil || i < -1<<15 || i >= 1<<15 {
		return 0, badValue("the number is out of range")
	}
	return int16(i), nil
}
