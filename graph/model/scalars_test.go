package model_test

import (
	"encoding/json"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"sello/graph/model"
)

// badInput holds an error against the form in which callers are told of theirs.
func badInput(t *testing.T, what string, err error) {
	t.Helper()
	e, ok := err.(*gqlerror.Error) //nolint:errorlint // gqlgen looks at the type itself
	if !ok || e.Extensions["code"] != "BAD_USER_INPUT" {
		t.Errorf("%s: got %v, want BAD_USER_INPUT", what, err)
	}
}

func written(m graphql.Marshaler) string {
	var b strings.Builder
	m.MarshalGQL(&b)
	return b.String()
}

func TestDecimal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   any
		want string // "" is refused
	}{
		{"0", "0"}, {"-0", "0"}, {"-0.0000", "0"}, {"10.50", "10.5"}, {"007", "7"}, {"-1", "-1"}, {"100", "100"},
		{"999999999999999.9999", "999999999999999.9999"}, {"-999999999999999.9999", "-999999999999999.9999"},
		{json.Number("12.5"), "12.5"}, {json.Number("3"), "3"}, {int64(-7), "-7"}, {7, "7"},
		{"1000000000000000", ""}, {"0.00001", ""}, {"1e3", ""}, {"1E3", ""}, {"+1", ""}, {".5", ""}, {"1.", ""}, {"", ""}, {" 1", ""},
		{"1 ", ""}, {"1,5", ""}, {"1_000", ""}, {"１", ""}, {"٣", ""}, {"NaN", ""}, {"Inf", ""}, {"-", ""}, {"--1", ""}, {"1.2.3", ""},
		{"0x10", ""}, {"1\x00", ""}, {"−1", ""}, {json.Number("1e3"), ""}, {json.Number("0.00001"), ""},
		{1.5, ""}, {math.NaN(), ""}, {true, ""}, {nil, ""}, {[]any{"1"}, ""}, {map[string]any{}, ""}, {int64(math.MaxInt64), ""},
		{strings.Repeat("9", 100_000), ""},
	} {
		d, err := model.UnmarshalDecimal(tt.in)
		if tt.want == "" {
			badInput(t, "UnmarshalDecimal", err)
			continue
		}
		if err != nil {
			t.Errorf("UnmarshalDecimal(%v): %v", tt.in, err)
			continue
		}
		if got := written(model.MarshalDecimal(d)); got != `"`+tt.want+`"` {
			t.Errorf("UnmarshalDecimal(%v): got %s, want %q", tt.in, got, tt.want)
		}
	}
}

var decimalForm = regexp.MustCompile(`^-?[0-9]{1,15}(\.[0-9]{1,4})?$`)

// FuzzDecimal: exactly one form is taken, what is taken keeps its value to the
// last digit, and what is written is taken again and written alike.
func FuzzDecimal(f *testing.F) {
	for _, seed := range []string{
		"0", "-0", "1e3", "10.50", "0.00001", "999999999999999.9999", "1000000000000000", "１", "1,5", "NaN", "+1", ".5", "1.", "\x00", "\xff1", "--1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := model.UnmarshalDecimal(text)
		if want := decimalForm.MatchString(text); (err == nil) != want {
			t.Fatalf("UnmarshalDecimal(%q): got error %v, want taken: %v", text, err, want)
		}
		if err != nil {
			badInput(t, text, err)
			return
		}
		if got, want := model.FormatDecimal(d), shortest(text); got != want {
			t.Fatalf("UnmarshalDecimal(%q): got %s, want %s", text, got, want)
		}
		again, err := model.UnmarshalDecimal(model.FormatDecimal(d))
		if err != nil || again.Cmp(d) != 0 {
			t.Fatalf("%q is written as %q, which gives %v, %v", text, model.FormatDecimal(d), again, err)
		}
	})
}

// shortest drops what does not change a decimal's value, in text alone.
func shortest(text string) string {
	text, negative := strings.CutPrefix(text, "-")
	whole, fraction, _ := strings.Cut(text, ".")
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	if whole == "" {
		whole = "0"
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if negative && whole != "0" {
		return "-" + whole
	}
	return whole
}

func TestDateTime(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"2026-11-21T18:00:00Z":             `"2026-11-21T18:00:00Z"`,
		"2026-11-21T12:00:00.123456-06:00": `"2026-11-21T18:00:00.123456Z"`,
		"1900-01-01T00:00:00Z":             `"1900-01-01T00:00:00Z"`,
	} {
		at, err := model.UnmarshalDateTime(in)
		if got := written(model.MarshalDateTime(at)); err != nil || got != want {
			t.Errorf("UnmarshalDateTime(%q): got %s, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []any{
		"2026-11-21", "2026-11-21 18:00:00Z", "2026-02-30T00:00:00Z", "1899-12-31T23:59:59Z", "1900-01-01T00:00:00+00:01", "9999-12-31T23:59:59-01:00",
		"20260-11-21T18:00:00Z", "", "now", 1732212000, json.Number("1"), nil, true,
	} {
		_, err := model.UnmarshalDateTime(in)
		badInput(t, "UnmarshalDateTime", err)
	}
}

func TestDate(t *testing.T) {
	t.Parallel()
	day, err := model.UnmarshalDate("2024-02-29")
	if got := written(model.MarshalDate(day)); err != nil || got != `"2024-02-29"` || day.Location() != time.UTC {
		t.Errorf("UnmarshalDate: got %s in %v, %v", got, day.Location(), err)
	}
	for _, in := range []any{"2023-02-29", "0000-01-01", "2026-1-1", "21/11/2026", "", 20261121, nil} {
		_, err := model.UnmarshalDate(in)
		badInput(t, "UnmarshalDate", err)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	in := map[string]any{"a": json.Number("12345678901234567890.10"), "b": []any{nil, "<é>"}}
	raw, err := model.UnmarshalJSON(in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"a":12345678901234567890.10,"b":[null,"<é>"]}`, written(model.MarshalJSON(raw))); diff != "" {
		t.Errorf("UnmarshalJSON keeps digits and letters (-want +got):\n%s", diff)
	}
	if raw, err := model.UnmarshalJSON(nil); raw != nil || err != nil {
		t.Errorf("UnmarshalJSON(nil): got %s, %v", raw, err)
	}
	if got := written(model.MarshalJSON(nil)); got != "null" {
		t.Errorf("MarshalJSON(nil): got %s", got)
	}
	for _, in := range []any{"text", 1, []any{}, true} {
		_, err := model.UnmarshalJSON(in)
		badInput(t, "UnmarshalJSON", err)
	}
}

func TestInt16(t *testing.T) {
	t.Parallel()
	if got := written(model.MarshalInt16(-32768)); got != "-32768" {
		t.Errorf("MarshalInt16: got %s", got)
	}
	if n, err := model.UnmarshalInt16(json.Number("32767")); n != 32767 || err != nil {
		t.Errorf("UnmarshalInt16(32767): got %d, %v", n, err)
	}
	for _, in := range []any{json.Number("32768"), json.Number("-32769"), "x", json.Number("99999999999")} {
		_, err := model.UnmarshalInt16(in)
		badInput(t, "UnmarshalInt16", err)
	}
}
