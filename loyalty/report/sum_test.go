package report_test

import (
	"testing"

	"sello/loyalty/report"
)

func sum(t testing.TB, text string) report.Sum {
	t.Helper()
	s, err := report.ParseSum(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSum(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0": "0", "0.0000": "0", "-0.0000": "0", "10": "10", "10.5000": "10.5", "-0.0001": "-0.0001", "100": "100",
		"123456789012345678901234.0001": "123456789012345678901234.0001", "-1000000000000000000000": "-1000000000000000000000",
		"0.10000000": "0.1",
	} {
		if got := sum(t, text).String(); got != want {
			t.Errorf("ParseSum(%q): got %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", ".5", "1e3", "1.00005", "NaN", "1,5", "0x1", "-"} {
		if s, err := report.ParseSum(text); err == nil {
			t.Errorf("ParseSum(%q): got %s, want an error", text, s)
		}
	}
	a, b := sum(t, "99999999999999999999.9999"), sum(t, "0.0001")
	if got := a.Add(b).String(); got != "100000000000000000000" {
		t.Errorf("Add: got %s", got)
	}
	if got := b.Sub(a).String(); got != "-99999999999999999999.9998" {
		t.Errorf("Sub: got %s", got)
	}
	if got := (report.Sum{}).Add(report.Sum{}).String(); got != "0" {
		t.Errorf("the zero value: got %s", got)
	}
}

// Ratios are rounded half to even in the fourth decimal.
func TestSumOver(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ part, whole, want string }{
		{"1", "3", "0.3333"}, {"2", "3", "0.6667"}, {"1", "1", "1"}, {"0", "7", "0"},
		{"1", "20000", "0"}, {"3", "20000", "0.0002"}, {"5", "20000", "0.0002"}, {"7", "20000", "0.0004"},
		{"-1", "3", "-0.3333"}, {"10", "4", "2.5"}, {"-3", "20000", "-0.0002"},
		{"12345678901234567890123", "12345678901234567890123", "1"},
	} {
		got := sum(t, tt.part).Over(sum(t, tt.whole))
		if got == nil || got.String() != tt.want {
			t.Errorf("%s of %s: got %v, want %s", tt.part, tt.whole, got, tt.want)
		}
	}
	if got := sum(t, "5").Over(report.Sum{}); got != nil {
		t.Errorf("a part of nothing: got %s, want none", got)
	}
}
