package phone

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// prefixDigits is how many digits of a number a prefix is.
const prefixDigits = 3

// mexico are the prefixes that are in use in Mexico, in rows of their first two digits
// (spec/wallet.md 4.2).
const mexico = `
22: 0123456789   23: 1235678      24: 13456789     27: 12345689     28: 1234578      29: 467
31: 12345679     32: 123456789    33: 0123456789   34: 123456789    35: 123456789    37: 12345678
38: 123456789    39: 12345        41: 12345789     42: 123456789    43: 12345678     44: 0123456789
45: 0123456789   46: 123456789    47: 123456789    48: 12356789     49: 2345689      55: 0123456789
56: 0123456789   58: 8            59: 12345679     61: 234568       62: 123456789    63: 123456789
64: 123456789    65: 1236789      66: 012345789    67: 1234567      68: 67           69: 45678
71: 123456789    72: 0123456789   73: 123456789    74: 123456789    75: 13456789     76: 123456789
77: 0123456789   78: 1234569      79: 17           81: 0123456789   82: 1345689      83: 123456
84: 12456        86: 1246789      87: 012378       89: 12479        91: 346789       92: 1234
93: 234678       95: 1348         96: 0123456789   97: 12           98: 12345678     99: 0123456789`

// short are the area codes of two digits; all others have three.
var short = map[string][]string{"+52": {"55", "56", "33", "81"}}

// countries are the prefixes in use, in order, by calling code. A country that is not
// here takes every prefix.
var countries = map[string][]string{"+52": rows(mexico)}

func rows(text string) []string {
	var all []string
	words := strings.Fields(text)
	for i := 0; i+1 < len(words); i += 2 {
		for _, last := range words[i+1] {
			all = append(all, strings.TrimSuffix(words[i], ":")+string(last))
		}
	}
	return all
}

// InCountry reports whether a prefix is in use in the country of a calling code.
func InCountry(callingCode, prefix string) bool {
	all, known := countries[callingCode]
	if !known {
		return true
	}
	_, found := slices.BinarySearch(all, prefix)
	return found
}

// AreaCode is the area code of a number: its first two digits in the largest cities,
// else three.
func AreaCode(callingCode, phone string) string {
	if slices.Contains(short[callingCode], phone[:2]) {
		return phone[:2]
	}
	return phone[:prefixDigits]
}

// Prefix is what a company takes of numbers that begin alike.
type Prefix struct {
	// Prefix is the first three digits.
	Prefix string
	// AreaCode is the area code that they are in.
	AreaCode string
	// Supported: contacts can be registered with such numbers.
	Supported bool
	// Own: the company said so itself; the others are as their country has them.
	Own bool
}

// Prefixes lists the prefixes of the company's country and those that it spoke of, in
// order, from behind the one given.
func (s *Service) Prefixes(ctx context.Context, company uuid.UUID, after string, first int) (list []*Prefix, more bool, err error) {
	c, err := s.DB.CompanyByID(ctx, company)
	if err != nil {
		return nil, false, fmt.Errorf("read a company: %w", err)
	}
	said, err := s.DB.AreaPrefixes(ctx, company)
	if err != nil {
		return nil, false, fmt.Errorf("list area codes: %w", err)
	}
	own := make(map[string]bool, len(said))
	all := slices.Clone(countries[c.PhonePrefix])
	for _, row := range said {
		own[row.Prefix] = row.Supported
		if !slices.Contains(countries[c.PhonePrefix], row.Prefix) {
			all = append(all, row.Prefix)
		}
	}
	slices.Sort(all)
	for _, prefix := range all {
		if prefix <= after {
			continue
		}
		if len(list) == first {
			return list, true, nil
		}
		p := &Prefix{Prefix: prefix, AreaCode: AreaCode(c.PhonePrefix, prefix), Supported: InCountry(c.PhonePrefix, prefix)}
		if supported, has := own[prefix]; has {
			p.Supported, p.Own = supported, true
		}
		list = append(list, p)
	}
	return list, false, nil
}

// PrefixesSet switches prefixes on or off. One of two digits stands for the ten that
// begin with it. It refuses with REQUIRED, TOO_LONG and INVALID.
func (s *Service) PrefixesSet(ctx context.Context, who auth.Principal, prefixes []string, supported bool) (int, error) {
	if err := checkCount(len(prefixes), "prefixes"); err != nil {
		return 0, err
	}
	var all []string
	for _, p := range prefixes {
		switch {
		case digits(p, prefixDigits):
			all = append(all, p)
		case digits(p, prefixDigits-1):
			for last := range 10 {
				all = append(all, fmt.Sprintf("%s%d", p, last))
			}
		default:
			return 0, loyalty.Refuse(loyalty.CodeInvalid, "prefixes")
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return s.change(ctx, who, "area_codes_set", func(q *db.Queries) (int64, error) {
		return int64(len(all)), q.AreaPrefixesSet(ctx, db.AreaPrefixesSetParams{
			CompanyID: who.CompanyID, Supported: supported, Now: s.Now(), Prefixes: all,
		})
	})
}
