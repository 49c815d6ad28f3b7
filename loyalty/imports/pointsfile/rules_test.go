package pointsfile_test

import (
	"strings"
	"testing"

	"sello/loyalty/imports/pointsfile"
)

func TestCheckPoints(t *testing.T) {
	t.Parallel()

	for in, want := range map[string]int64{
		"": -1, "  ": -1, "0": 0, "50": 50, "50.0": 50, "50,00": 50, "50.00": 50, " 7 ": 7, "007": 7, "1000000": 1_000_000,
		"0000000000000000000000005": 5, "1000000.00": 1_000_000,
	} {
		got, has, code := pointsfile.CheckPoints(in)
		if code != "" || has != (want >= 0) || has && got != want {
			t.Errorf("CheckPoints(%q): got %d, %t, %q, want %d", in, got, has, code, want)
		}
	}
	for _, in := range []string{
		"1.000", "1,000", "-5", "+5", "12.5", "abc", "1000001", "1e3", "5.", ".0", ",00", "5.01", "5.0.0", "5 0", "'5",
		"99999999999999999999999", "１", "٣", "0x1", "5\x00", "-0", "1.00.", "5.,0",
	} {
		if got, has, code := pointsfile.CheckPoints(in); code != pointsfile.PointsInvalid || got != 0 || has {
			t.Errorf("CheckPoints(%q): got %d, %t, %q, want %s", in, got, has, code, pointsfile.PointsInvalid)
		}
	}
}

func TestCheckEmail(t *testing.T) {
	t.Parallel()

	for in, want := range map[string]string{
		"a@b.c": "a@b.c", " ANA@Example.COM ": "ana@example.com", "o'hara+x@b.c.d": "o'hara+x@b.c.d",
		"ñandú@correo.pe": "ñandú@correo.pe", "\ufeffa@b.pe\u200b": "a@b.pe", "\u00a0a@b.pe": "a@b.pe",
	} {
		if got, code := pointsfile.CheckEmail(in); got != want || code != "" {
			t.Errorf("CheckEmail(%q): got %q, %q, want %q", in, got, code, want)
		}
	}
	for in, want := range map[string]pointsfile.Code{
		"": pointsfile.EmailMissing, " \t": pointsfile.EmailMissing, "\u200b": pointsfile.EmailMissing,
		"luis@": "", "@b.pe": "", "luis": "", "a@b": "", "a@.pe": "", "a@b.": "", "a@@b.pe": "", "a@b@c.pe": "", "a b@c.pe": "",
		"a@b .pe": "", "a\tb@c.pe": "", "a\nb@c.pe": "", "a\u00a0b@c.pe": "", "a\u200bb@c.pe": "", "a\x00b@c.pe": "",
		"a\u0085b@c.pe": "", "a\ufffd@c.pe": "", "a.b.pe": "", "a\x7f@c.pe": "",
		strings.Repeat("ñ", 250) + "@b.pe": "",
	} {
		if want == "" {
			want = pointsfile.EmailInvalid
		}
		if got, code := pointsfile.CheckEmail(in); got != "" || code != want {
			t.Errorf("CheckEmail(%q): got %q, %q, want %q", in, got, code, want)
		}
	}
	if _, code := pointsfile.CheckEmail(strings.Repeat("ñ", 249) + "@b.pe"); code != "" {
		t.Errorf("254 characters: got %q, want none", code)
	}
}

func TestCheckDocument(t *testing.T) {
	t.Parallel()

	for in, want := range map[string]string{
		"": "", "  ": "", "123": "123", " CE-00123 ": "CE-00123", "1.234.567-K": "1.234.567-K", "Ñ12": "Ñ12",
		strings.Repeat("9", 30): strings.Repeat("9", 30), strings.Repeat("Ñ", 30): strings.Repeat("Ñ", 30),
	} {
		if got, code := pointsfile.CheckDocument(in); got != want || code != "" {
			t.Errorf("CheckDocument(%q): got %q, %q, want %q", in, got, code, want)
		}
	}
	for _, in := range []string{
		"12", "ññ", strings.Repeat("9", 31), "4.5678912E+07", "12 345", "12_345", "12/345", "123\x00", "12\u200b3", "٣٣٣", "=123",
	} {
		if got, code := pointsfile.CheckDocument(in); got != "" || code != pointsfile.DocumentInvalid {
			t.Errorf("CheckDocument(%q): got %q, %q, want %s", in, got, code, pointsfile.DocumentInvalid)
		}
	}
}

func TestCheckNames(t *testing.T) {
	t.Parallel()

	longest := strings.Repeat("ñ", 120)
	for in, want := range map[string]string{
		" Ana ": "Ana", "Ana\nMaría": "Ana\nMaría", "A\x00n\x1ba\u0081": "Ana", "\x00 Ana \x00": "Ana", longest: longest,
		"\x00": "", " ": "", "": "",
	} {
		got, code := pointsfile.CheckFirstName(in)
		if wantCode := map[bool]pointsfile.Code{true: pointsfile.FirstNameMissing}[want == ""]; got != want || code != wantCode {
			t.Errorf("CheckFirstName(%q): got %q, %q, want %q, %q", in, got, code, want, wantCode)
		}
		if got, code := pointsfile.CheckLastName(in); got != want || code != "" {
			t.Errorf("CheckLastName(%q): got %q, %q, want %q", in, got, code, want)
		}
	}
	if _, code := pointsfile.CheckFirstName(longest + "x"); code != pointsfile.FirstNameTooLong {
		t.Errorf("121 characters: got %q, want %s", code, pointsfile.FirstNameTooLong)
	}
	if _, code := pointsfile.CheckLastName(longest + "x"); code != pointsfile.LastNameTooLong {
		t.Errorf("121 characters: got %q, want %s", code, pointsfile.LastNameTooLong)
	}
}

func TestReason(t *testing.T) {
	t.Parallel()

	if got, want := pointsfile.Reason(pointsfile.EmailRepeated, 1234567), "Email duplicado en el archivo (primera aparición en la línea 1234567)."; got != want {
		t.Errorf("Reason: got %q, want %q", got, want)
	}
	for code, message := range pointsfile.Messages {
		if !strings.HasSuffix(message, ".") {
			t.Errorf("message of %s: got %q, want a sentence", code, message)
		}
		if code != pointsfile.EmailRepeated && pointsfile.Reason(code, 3) != message {
			t.Errorf("Reason(%s): got %q, want %q", code, pointsfile.Reason(code, 3), message)
		}
	}
}
