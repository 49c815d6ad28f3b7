package wallet

import (
	"regexp"
	"testing"
	"time"

	"github.com/govalues/decimal"
)

func TestNationalPhone(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct{ text, want string }{
		{"4771234567", "4771234567"},
		{"(477) 123-45.67", "4771234567"},
		{"+52 477 123 4567", "4771234567"},
		{"00524771234567", "4771234567"},
		{"524771234567", "4771234567"},
		{"+5214771234567", "4771234567"},
		{"005214771234567", "4771234567"},
		{"5214771234567", "4771234567"},
		{"0444771234567", "4771234567"},
		{"0454771234567", "4771234567"},
		{"014771234567", "4771234567"},
		{"5214771234", "5214771234"}, // ten digits are never a prefix and less
		{"0102345678", "0102345678"},
		{"", ""},
		{"477123456", ""},
		{"47712345678", ""},
		{"+4771234567", ""},
		{"+14771234567", ""},
		{"0464771234567", ""},
		{"477-ABC-4567", ""},
		{"４７７１２３４５６７", ""}, // digits, and not ASCII
		{"4771234567+", ""},
		{"52+4771234567", ""},
	} {
		got, ok := nationalPhone(tt.text)
		if want := tt.want != ""; ok != want || ok && got != tt.want {
			t.Errorf("nationalPhone(%q): got %q, %v, want %q", tt.text, got, ok, tt.want)
		}
	}
}

var decimalSeeds = []string{
	"0", "1000", "123.45", "-5", "+5", "10.005", "999999999999.999999", "-0", "00012", "0.000001",
	"", "-", ".", ".5", "5.", "1e3", "1,000.00", "$100", "1 000", "1000000000000", "1.0000000", "--1", "+-1", "0x1F", "Inf", "NaN", "１",
}

func TestPlainDecimal(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		text, want string
	}{
		{"0", "0"}, {"1000", "1000"}, {"123.45", "123.45"}, {"-5", "-5"}, {"+5", "5"}, {"10.005", "10.005"},
		{"999999999999.999999", "999999999999.999999"}, {"00012", "12"}, {"10.00", "10.00"},
		{"", ""}, {"-", ""}, {".", ""}, {".5", ""}, {"5.", ""}, {"1e3", ""}, {"1,000.00", ""}, {"$100", ""},
		{"1 000", ""}, {"1000000000000", ""}, {"1.0000000", ""}, {"--1", ""}, {"+-1", ""}, {"-+1", ""}, {"NaN", ""}, {"１", ""},
	} {
		got, ok := plainDecimal(tt.text)
		if want := tt.want != ""; ok != want || ok && got.String() != tt.want {
			t.Errorf("plainDecimal(%q): got %s, %v, want %q", tt.text, got, ok, tt.want)
		}
	}
}

func TestInRange(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		text    string
		zeroToo bool
		want    bool
	}{
		{"0.01", false, true}, {"99999999.99", false, true}, {"0", true, true}, {"-0", true, true},
		{"0", false, false}, {"-0.01", true, false}, {"100000000", false, false}, {"100000000.00", false, false},
		{"0.001", false, false},
		{"10.000", false, false}, // three decimals as written: a thousands separator elsewhere
	} {
		d, ok := plainDecimal(tt.text)
		if !ok {
			t.Fatalf("plainDecimal(%q) failed", tt.text)
		}
		if got := inRange(d, tt.zeroToo); got != tt.want {
			t.Errorf("inRange(%s, %v): got %v, want %v", tt.text, tt.zeroToo, got, tt.want)
		}
	}
}

// FuzzPlainDecimal holds the reader against the form of spec/wallet.md 4.4 and
// against a number's way back into JSON.
func FuzzPlainDecimal(f *testing.F) {
	for _, seed := range decimalSeeds {
		f.Add(seed)
	}
	form := regexp.MustCompile(`\A[+-]?[0-9]{1,12}(\.[0-9]{1,6})?\z`)
	asJSON := regexp.MustCompile(`\A-?(0|[1-9][0-9]*)(\.[0-9]?[1-9])?\z`)
	f.Fuzz(func(t *testing.T, text string) {
		d, ok := plainDecimal(text)
		if want := form.MatchString(text); ok != want {
			t.Fatalf("plainDecimal(%q): got %v, want %v", text, ok, want)
		}
		if !ok {
			return
		}
		shown := number(d).String()
		if !asJSON.MatchString(shown) {
			t.Errorf("number(%q): got %s, want plain with at most 2 decimals", text, shown)
		}
		if inRange(d, true) && decimal.MustParse(shown).Cmp(d) != 0 {
			t.Errorf("number(%q): got %s, another value", text, shown)
		}
	})
}

func TestBirthdate(t *testing.T) {
	t.Parallel()

	leap := time.Date(1992, time.February, 29, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		text string
		want time.Time
	}{
		{"1992-02-29", leap},
		{"1992-02-29 00-00-00", leap},
		{"1992-02-29 23:59:59", leap},
		{"1992-02-29 99-99:99", leap}, // ignored
		{"1991-02-29", impossibleBirthdate},
		{"29/02/1992", impossibleBirthdate},
		{"1992-2-29", impossibleBirthdate},
		{"1992-02-29T00:00:00", impossibleBirthdate},
		{"1992-02-29  00-00-00", impossibleBirthdate},
		{"1992-02-29 ", impossibleBirthdate},
		{"1992-02-29 00-00", impossibleBirthdate},
		{"1992-02-29 00-00-0a", impossibleBirthdate},
		{"+992-02-29", impossibleBirthdate},
	} {
		if got := birthdate(tt.text); !got.Equal(tt.want) {
			t.Errorf("birthdate(%q): got %s, want %s", tt.text, got, tt.want)
		}
	}
}

func TestStaffNumber(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]int{
		"8101": 8101, "08101": 8101, "abc": nobody, "-1": nobody, "+8101": nobody, "8101.0": nobody, "8.1e3": nobody,
		"99999999999999999999": nobody, "true": nobody,
	} {
		if got := staffNumber(text); got != want {
			t.Errorf("staffNumber(%q): got %d, want %d", text, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{
		"100": "100", "100.50": "100.5", "99.99": "99.99", "0.0000": "0", "-0.00": "0", "10": "10", "1000000": "1000000",
		"0.9999": "0.99", // what can be spent of a finer wallet, never more
		"-12.5":  "-12.5", "999999999999999.9999": "999999999999999.99",
	} {
		if got := number(decimal.MustParse(text)); got.String() != want {
			t.Errorf("number(%s): got %s, want %s", text, got, want)
		}
	}
}
