package wallet

import (
	"strconv"
	"strings"
	"time"

	"github.com/govalues/decimal"
)

// maxAmount is the largest amount and number of points of a call
// (spec/wallet.md 3.7 and 3.8), and two its decimals.
var maxAmount = decimal.MustParse("99999999.99")

const maxDecimals = 2

var phoneDrops = strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "")

// phonePrefixes are what a national number of ten digits may come behind
// (spec/wallet.md 4.1).
var phonePrefixes = []string{"+521", "00521", "521", "+52", "0052", "52", "044", "045", "01", ""}

// nationalPhone is a phone as ten digits; false if it is none.
func nationalPhone(text string) (string, bool) {
	text = phoneDrops.Replace(text)
	for _, prefix := range phonePrefixes {
		if number, ok := strings.CutPrefix(text, prefix); ok && len(number) == 10 && allDigits(number) {
			return number, true
		}
	}
	return "", false
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// plainDecimal reads an optional sign, 1 to 12 digits and optionally a point with
// 1 to 6 digits (spec/wallet.md 4.4); a library's own idea of a number (1e3, .5)
// is refused. Range and decimals are the caller's to check, as written: 10.000
// has three.
func plainDecimal(text string) (decimal.Decimal, bool) {
	digits, negative := strings.CutPrefix(text, "-")
	if !negative {
		digits = strings.TrimPrefix(text, "+")
	}
	whole, fraction, hasPoint := strings.Cut(digits, ".")
	if !allDigits(whole) || len(whole) > 12 || hasPoint && (!allDigits(fraction) || len(fraction) > 6) {
		return decimal.Decimal{}, false
	}
	d, err := decimal.Parse(digits)
	if err != nil {
		return decimal.Decimal{}, false
	}
	if negative {
		d = d.Neg()
	}
	return d, true
}

// inRange reports whether an amount is above zero, or zero where that is
// allowed, and within what a call may name.
func inRange(d decimal.Decimal, zeroToo bool) bool {
	return (d.IsPos() || zeroToo && d.IsZero()) && d.Scale() <= maxDecimals && d.Cmp(maxAmount) <= 0
}

// impossibleBirthdate stands for a birthdate that cannot be read: no company
// takes it, so that the core refuses it in its turn among the checks.
var impossibleBirthdate = time.Date(1, time.January, 1, 0, 0, 0, 0, time.UTC)

// birthdate reads YYYY-MM-DD, with a tail of three groups that is ignored
// (spec/wallet.md 4.3), or gives impossibleBirthdate. The core holds it against
// the calendar of the company's zone.
func birthdate(text string) time.Time {
	day, tail, hasTail := strings.Cut(text, " ")
	if hasTail && !timeOfDay(tail) {
		return impossibleBirthdate
	}
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return impossibleBirthdate
	}
	return t
}

// timeOfDay reports three groups of two digits between - or :.
func timeOfDay(s string) bool {
	return len(s) == 8 && allDigits(s[0:2]+s[3:5]+s[6:8]) &&
		(s[2] == '-' || s[2] == ':') && (s[5] == '-' || s[5] == ':')
}

// nobody is a number that no staff member has: what is no integer names nobody,
// and the core says so in its turn among the checks.
const nobody = -1

// staffNumber reads a usertool_id.
func staffNumber(text string) int {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || !allDigits(text) {
		return nobody
	}
	return int(n)
}

// storable makes a text that PostgreSQL holds, or that at least names nothing
// it holds.
func storable(text string) string { return strings.ReplaceAll(text, "\x00", "\uFFFD") }
