package loyalty

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/govalues/decimal"
)

// Text trims a text of 1 to limit characters. It refuses with REQUIRED, TOO_LONG
// and INVALID (what no column holds).
func Text(value, field string, limit int) (string, error) {
	text, err := OptionalText(value, field, limit)
	switch {
	case err != nil:
		return "", err
	case text == nil:
		return "", Refuse(CodeRequired, field)
	}
	return *text, nil
}

// OptionalText trims a text of up to limit characters; nil is none. It refuses with
// TOO_LONG and INVALID.
func OptionalText(value, field string, limit int) (*string, error) {
	value = strings.TrimSpace(value)
	switch {
	case value == "":
		return nil, nil
	case utf8.RuneCountInString(value) > limit:
		return nil, Refuse(CodeTooLong, field)
	case !Storable(value):
		return nil, Refuse(CodeInvalid, field)
	}
	return &value, nil
}

// Storable reports whether a column can hold the text: what it cannot hold names
// nothing.
func Storable(value string) bool { return utf8.ValidString(value) && !strings.ContainsRune(value, 0) }

var codePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$`)

// ObjectCode checks the code by which an operator names an object. It refuses with
// INVALID.
func ObjectCode(code, field string) error {
	if !codePattern.MatchString(code) {
		return Refuse(CodeInvalid, field)
	}
	return nil
}

// largest is the first whole number that numeric(19,4) does not hold.
var largest = decimal.MustParse("1000000000000000")

// Amount checks an amount of 0 or more, with up to 4 decimals. It refuses with
// INVALID, AMOUNT_TOO_PRECISE and AMOUNT_TOO_LARGE.
func Amount(amount decimal.Decimal, field string) error {
	switch {
	case amount.IsNeg():
		return Refuse(CodeInvalid, field)
	case amount.MinScale() > 4: // PostgreSQL would round it silently
		return Refuse(CodeAmountTooPrecise, field).With("decimals", "4")
	case amount.Cmp(largest) >= 0:
		return Refuse(CodeAmountTooLarge, field)
	}
	return nil
}
