package phone_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sello/db"
	"sello/db/dbtest"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/phone"
)

func newPhones(t *testing.T) (*phone.Service, func(code, prefix string) (auth.Principal, db.Company)) {
	t.Helper()
	store := db.NewStore(dbtest.New(t))
	now := func() time.Time { return time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC) }
	return &phone.Service{DB: store, Now: now}, func(code, prefix string) (auth.Principal, db.Company) {
		t.Helper()
		c, err := (&company.Service{DB: store, Now: now}).Create(t.Context(), company.NewCompany{
			Code: code, Name: code, TimeZone: "UTC", Language: "es", Currency: "MXN", PhonePrefix: prefix,
		})
		if err != nil {
			t.Fatal(err)
		}
		return auth.System(c.ID), c.Company
	}
}

// TestCountry: the table has as many prefixes as the document says.
func TestCountry(t *testing.T) {
	t.Parallel()
	count := 0
	for n := range 1000 {
		if phone.InCountry("+52", fmt.Sprintf("%03d", n)) {
			count++
		}
	}
	if count != 449 {
		t.Errorf("prefixes of Mexico: got %d, want 449", count)
	}
	for number, want := range map[string]string{"5512345678": "55", "8112345678": "81", "4771234567": "477", "3312345678": "33", "5612345678": "56", "5812345678": "581"} {
		if got := phone.AreaCode("+52", number); got != want {
			t.Errorf("area code of %s: got %s, want %s", number, got, want)
		}
	}
	if got := phone.AreaCode("+55", "5512345678"); got != "551" || !phone.InCountry("+55", "000") {
		t.Errorf("a country without a table: got %s, want every prefix", got)
	}
}

// TestCheck: prefixes as the country and the company have them, and the narrowest of
// the ranges.
func TestCheck(t *testing.T) {
	t.Parallel()
	phones, open := newPhones(t)
	who, mexican := open("acme", "+52")
	_, brazilian := open("verde", "+55")
	other, _ := open("other", "+52")
	load := func(who auth.Principal, replace bool, ranges ...phone.Range) {
		t.Helper()
		if _, err := phones.RangesLoad(t.Context(), who, ranges, replace); err != nil {
			t.Fatal(err)
		}
	}
	load(who, false,
		phone.Range{First: "4770000000", Last: "4779999999", Line: phone.Landline},
		phone.Range{First: "4771000000", Last: "4771999999", Line: phone.Mobile},
		phone.Range{First: "4771500000", Last: "4771500000", Line: phone.Landline},
		phone.Range{First: "4771999990", Last: "4772000009", Line: phone.Landline}, // crosses
		phone.Range{First: "0000000000", Last: "9999999999", Line: phone.Mobile},
	)
	load(other, false, phone.Range{First: "8180000000", Last: "8189999999", Line: phone.Landline})
	if _, err := phones.PrefixesSet(t.Context(), who, []string{"55", "442"}, false); err != nil {
		t.Fatal(err)
	}
	if _, err := phones.PrefixesSet(t.Context(), who, []string{"553", "100"}, true); err != nil {
		t.Fatal(err)
	}
	for number, want := range map[string]loyalty.Code{
		"4770000000": loyalty.CodePhoneLandline, "4779999999": loyalty.CodePhoneLandline, "4771000000": "", "4771499999": "",
		"4771500000": loyalty.CodePhoneLandline, "4771500001": "", "4771999989": "", "4771999990": loyalty.CodePhoneLandline,
		"4772000009": loyalty.CodePhoneLandline, "4780000000": "", "8181234567": "", "1002223333": "",
		"5512345678": loyalty.CodeAreaCodeUnsupported, "5532345678": "", "4421234567": loyalty.CodeAreaCodeUnsupported,
		"2212345678": "", "2392345678": loyalty.CodeAreaCodeUnsupported, "0001234567": loyalty.CodeAreaCodeUnsupported,
		"477123456": loyalty.CodeInvalid, "47712345678": loyalty.CodeInvalid, "477123456a": loyalty.CodeInvalid,
	} {
		if err := phones.Check(t.Context(), phones.DB.Queries, mexican, number); loyalty.CodeOf(err) != want || want == "" && err != nil {
			t.Errorf("check %s: got %v, want %q", number, err, want)
		}
	}
	if err := phones.Check(t.Context(), phones.DB.Queries, brazilian, "0001234567"); err != nil {
		t.Errorf("a country without a table: got %v", err)
	}
	// A range that is there again gets the line given; the others go where they are replaced.
	load(who, false, phone.Range{First: "4771500000", Last: "4771500000", Line: phone.Landline}, phone.Range{First: "4771500000", Last: "4771500000", Line: phone.Mobile})
	if err := phones.Check(t.Context(), phones.DB.Queries, mexican, "4771500000"); err != nil {
		t.Errorf("after it was loaded again: got %v", err)
	}
	load(who, true)
	if list, more, err := phones.Ranges(t.Context(), who.CompanyID, nil, 10); err != nil || len(list) > 0 || more {
		t.Errorf("ranges after they were cleared: got %v, %v", list, err)
	}
	if list, _, err := phones.Ranges(t.Context(), other.CompanyID, nil, 10); err != nil || len(list) != 1 || list[0].First() != "8180000000" {
		t.Errorf("another company's ranges: got %v, %v, want its own", list, err)
	}
}

// TestLists: pages in order, and nothing twice.
func TestLists(t *testing.T) {
	t.Parallel()
	phones, open := newPhones(t)
	who, _ := open("acme", "+52")
	var all []string
	for i := range 7 {
		all = append(all, fmt.Sprintf("477000000%d", 6-i))
	}
	if n, err := phones.Block(t.Context(), who, append(all, all[0]), " spam "); n != 7 || err != nil {
		t.Errorf("block: got %d, %v, want 7", n, err)
	}
	if n, err := phones.Block(t.Context(), who, all[:1], ""); n != 0 || err != nil {
		t.Errorf("block again: got %d, %v, want 0", n, err)
	}
	if n, err := phones.Unblock(t.Context(), who, []string{"4770000003", "4770009999"}); n != 1 || err != nil {
		t.Errorf("unblock: got %d, %v, want 1", n, err)
	}
	var seen []string
	for after, more := "", true; more; {
		var list []*phone.Blocked
		var err error
		if list, more, err = phones.List(t.Context(), who.CompanyID, after, 4); err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			seen, after = append(seen, p.Phone), p.Phone
			if p.Reason == nil || *p.Reason != "spam" {
				t.Errorf("reason of %s: got %v", p.Phone, p.Reason)
			}
		}
	}
	if got := fmt.Sprint(seen); got != "[4770000000 4770000001 4770000002 4770000004 4770000005 4770000006]" {
		t.Errorf("blacklist: got %s", got)
	}
	count, off := 0, 0
	if _, err := phones.PrefixesSet(t.Context(), who, []string{"220", "000"}, false); err != nil {
		t.Fatal(err)
	}
	for after, more := "", true; more; {
		var list []*phone.Prefix
		var err error
		if list, more, err = phones.Prefixes(t.Context(), who.CompanyID, after, 100); err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			if p.Prefix <= after {
				t.Errorf("prefix %s comes behind %s", p.Prefix, after)
			}
			count, after = count+1, p.Prefix
			if !p.Supported {
				off++
			}
		}
	}
	if count != 450 || off != 2 {
		t.Errorf("prefixes: got %d, %d of them off, want 450 and 2", count, off)
	}
}

// TestRefusals: the rules of the fields.
func TestRefusals(t *testing.T) {
	t.Parallel()
	phones, open := newPhones(t)
	who, _ := open("acme", "+52")
	many := make([]string, 5001)
	for name, tt := range map[string]struct {
		do   func() (int, error)
		want loyalty.Code
	}{
		"nobody":   {func() (int, error) { return phones.Block(t.Context(), who, nil, "") }, loyalty.CodeRequired},
		"too many": {func() (int, error) { return phones.Unblock(t.Context(), who, many) }, loyalty.CodeTooLong},
		"no phone": {func() (int, error) { return phones.Block(t.Context(), who, []string{"+524771234567"}, "") }, loyalty.CodeInvalid},
		"a long reason": {func() (int, error) {
			return phones.Block(t.Context(), who, []string{"4771234567"}, strings.Repeat("é", 201))
		}, loyalty.CodeTooLong},
		"a prefix":  {func() (int, error) { return phones.PrefixesSet(t.Context(), who, []string{"4771"}, true) }, loyalty.CodeInvalid},
		"no ranges": {func() (int, error) { return phones.RangesLoad(t.Context(), who, nil, false) }, loyalty.CodeRequired},
		"backwards": {func() (int, error) {
			return phones.RangesLoad(t.Context(), who, []phone.Range{{First: "2", Last: "1", Line: phone.Mobile}}, false)
		}, loyalty.CodeInvalid},
		"no line": {func() (int, error) {
			return phones.RangesLoad(t.Context(), who, []phone.Range{{First: "4771234567", Last: "4771234568", Line: "pager"}}, true)
		}, loyalty.CodeInvalid},
	} {
		if _, err := tt.do(); loyalty.CodeOf(err) != tt.want {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}
