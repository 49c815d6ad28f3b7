package pointsfile_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"sello/loyalty/imports/pointsfile"
)

var seeds = []string{
	"", "\n", "\"", "a\r\rb", "nombres,email\n\"Ana\n,a@b.pe", "\ufeffe-mail;nombre\r\n=x;\"a;\"\"b\"\"\"\r\n",
	"nombres\temail\tpuntos\rAna\ta@b.pe\t1.0\r\t\t\r", "\xff\xfen\x00,\x00", "nombres,email\nJos\xe9,j@b.pe\n",
	"\"a;b;c\",nombres,email\n+1,Ana,@\n", "nombres,email,,\n,,,,x\nAna,a@b.pe,\x7f\n",
}

func addSeeds(f *testing.F) {
	f.Helper()
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Add([]byte(sample))
	f.Add([]byte("nombres,email\nAna," + strings.Repeat("x", pointsfile.MaxRecord) + "\nAna,a@b.pe\n"))
}

// FuzzReader: the records do not depend on how the bytes arrive, their lines
// rise, and of text without quotes they are what encoding/csv reads.
func FuzzReader(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, content []byte) {
		whole, delim := records(t, bytes.NewReader(content))
		bytewise, delimBytewise := records(t, iotest.OneByteReader(bytes.NewReader(content)))
		if diff := cmp.Diff(whole, bytewise); diff != "" || delim != delimBytewise {
			t.Fatalf("at once (-) and byte by byte (+), delimiters %q and %q:\n%s", delim, delimBytewise, diff)
		}
		line := int64(0)
		for i, r := range whole {
			if r.Line <= line {
				t.Fatalf("record %d: got line %d after %d", i, r.Line, line)
			}
			line = r.Line
			if len(r.Cells) == 0 || len(r.Cells) > pointsfile.MaxColumns {
				t.Fatalf("record %d: got %d cells", i, len(r.Cells))
			}
			if r.Unclosed && i != len(whole)-1 {
				t.Fatalf("record %d of %d is not closed", i, len(whole))
			}
		}
		if bytes.ContainsAny(content, "\"\r") || len(content) > pointsfile.MaxRecord || !utf8.Valid(content) {
			return
		}
		// Behind a header, for in front of it blank lines know no delimiter.
		content = append([]byte("h;h\n"), content...)
		whole, delim = records(t, bytes.NewReader(content))
		theirs := csv.NewReader(bytes.NewReader(content))
		theirs.Comma, theirs.FieldsPerRecord = rune(delim), -1
		all, err := theirs.ReadAll()
		if err != nil {
			t.Fatalf("encoding/csv: %v", err)
		}
		all = slices.DeleteFunc(all, func(cells []string) bool { return strings.TrimSpace(strings.Join(cells, "")) == "" })
		whole = slices.DeleteFunc(whole, func(r record) bool { return r.Blank })
		if len(all) != len(whole) {
			t.Fatalf("got %d records, encoding/csv has %d", len(whole), len(all))
		}
		for i := range all {
			want := all[i][:min(pointsfile.MaxColumns, len(all[i]))]
			if !slices.Equal(want, whole[i].Cells) {
				t.Fatalf("record %d: got %q, encoding/csv has %q", i, whole[i].Cells, want)
			}
		}
	})
}

// FuzzRow: whatever the bytes, a row is either fit for PostgreSQL and within
// the rules or carries a known error, and the file of rejected rows is read
// again with the same errors.
func FuzzRow(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, content []byte) {
		checkRows(t, content)
		checkRows(t, append([]byte("nombres,apellidos,email,ci,puntos,nota\n"), content...))
	})
}

func checkRows(t *testing.T, content []byte) {
	t.Helper()
	file, _, err := pointsfile.OpenSeeker(bytes.NewReader(content))
	if r, refused := errors.AsType[*pointsfile.Refusal](err); refused {
		if r.Message == "" || strings.ContainsAny(r.Message, "{}") {
			t.Fatalf("refusal %+v has no message", r)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	errorFile, err := pointsfile.NewErrorFile(&out, file.Header(), file.Delimiter())
	if err != nil {
		t.Fatal(err)
	}
	var rejected []pointsfile.Row
	for _, row := range rows(t, file) {
		checkText(t, row.Raw, row.FirstName, row.LastName, row.Email, row.EmailRaw, row.Document, row.ErrorValue)
		cells := pointsfile.SplitCells(row.Raw)
		if len(cells) != len(file.Header()) || pointsfile.JoinCells(cells) != row.Raw {
			t.Fatalf("Raw %q has not the header's %d cells", row.Raw, len(file.Header()))
		}
		if row.ErrorCode != "" {
			if pointsfile.Messages[row.ErrorCode] == "" || utf8.RuneCountInString(row.ErrorValue) > 100 {
				t.Fatalf("bad error of %+v", row)
			}
			rejected = append(rejected, row)
			if err := errorFile.Write(row.Raw, row.Line, pointsfile.Reason(row.ErrorCode, 0)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if row.FirstName == "" || utf8.RuneCountInString(row.FirstName) > 120 || !pointsfile.ValidEmail(row.Email) ||
			row.Document != "" && !pointsfile.ValidDocument(row.Document) || row.Points < 0 || row.Points > pointsfile.MaxPoints {
			t.Fatalf("accepted %+v", row)
		}
	}
	if err := errorFile.Flush(); err != nil {
		t.Fatal(err)
	}
	if len(file.Header()) > pointsfile.MaxColumns-2 || len(strings.Join(file.Header(), "")) > pointsfile.MaxRecord/2 {
		return // its two columns more may pass the limits
	}
	again, _, err := pointsfile.OpenSeeker(bytes.NewReader(out.Bytes()))
	if r, refused := errors.AsType[*pointsfile.Refusal](err); refused && r.Code == pointsfile.NotCSV {
		return // only rows full of control characters are left
	}
	if err != nil {
		t.Fatalf("error file %q: %v", out.String(), err)
	}
	rows := rows(t, again)
	if len(rows) != len(rejected) {
		t.Fatalf("error file: got %d rows, want %d", len(rows), len(rejected))
	}
	for i, want := range rejected {
		got := rows[i].ErrorCode
		switch want.ErrorCode {
		case pointsfile.UnclosedQuote, pointsfile.RowTooLong, pointsfile.TooManyCells:
			continue
		}
		disarmed := slices.ContainsFunc(pointsfile.SplitCells(want.Raw), func(c string) bool {
			return c != "" && strings.ContainsAny(c[:1], "=+-@\t\r")
		})
		if got != want.ErrorCode && !disarmed && got != pointsfile.RowTooLong && !strings.Contains(string(content), "\x00") {
			t.Fatalf("row %q read again: got %q, want %q", want.Raw, got, want.ErrorCode)
		}
	}
}

func checkText(t *testing.T, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
			t.Fatalf("%q is nothing for PostgreSQL", s)
		}
	}
}
