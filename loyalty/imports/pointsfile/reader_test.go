package pointsfile_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"sello/loyalty/imports/pointsfile"
)

// record is a Record that outlives the reader's buffers.
type record struct {
	Line                        int64
	Cells                       []string
	Unclosed, TooLong, Overflow bool
	Blank                       bool
}

func records(t testing.TB, src io.Reader) ([]record, byte) {
	t.Helper()
	r := pointsfile.NewReader(src)
	r.SniffDelimiter()
	var all []record
	for {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			return all, r.Delimiter()
		}
		if err != nil {
			t.Fatalf("Read after %d records: %v", len(all), err)
		}
		got := record{Line: rec.Line, Unclosed: rec.Unclosed, TooLong: rec.TooLong, Overflow: rec.Overflow, Blank: rec.Blank()}
		for _, c := range rec.Cells {
			got.Cells = append(got.Cells, string(c))
		}
		all = append(all, got)
	}
}

func TestReader(t *testing.T) {
	t.Parallel()

	line := func(n int64, cells ...string) record { return record{Line: n, Cells: cells} }
	blank := func(n int64, cells ...string) record { return record{Line: n, Cells: cells, Blank: true} }
	for _, tt := range []struct {
		name, in string
		want     []record
	}{
		{"nothing", "", nil},
		{"no line end at the end", "a,b", []record{line(1, "a", "b")}},
		{"LF", "a\nb\n", []record{line(1, "a"), line(2, "b")}},
		{"CRLF", "a\r\nb\r\n", []record{line(1, "a"), line(2, "b")}},
		{"CR", "a\rb\r", []record{line(1, "a"), line(2, "b")}},
		{"mixed line ends", "a\rb\nc\r\nd", []record{line(1, "a"), line(2, "b"), line(3, "c"), line(4, "d")}},
		{"blank lines", "a\n\n \t\n,,\nb", []record{line(1, "a"), blank(2, ""), blank(3, " \t"), blank(4, "", "", ""), line(5, "b")}},
		{"quoted empties are blank", "a,b\n\"\",\"\"\n", []record{line(1, "a", "b"), blank(2, "", "")}},
		{"empty last cell", "a,b,\n,", []record{line(1, "a", "b", ""), blank(2, "", "")}},
		{"quoted delimiter", `a,"b,c",d`, []record{line(1, "a", "b,c", "d")}},
		{"quoted quote", `a,"b ""c""",""""`, []record{line(1, "a", `b "c"`, `"`)}},
		{"quoted line ends count", "a,\"1\n2\r\n3\r4\"\nb", []record{line(1, "a", "1\n2\r\n3\r4"), line(5, "b")}},
		{"CR LF around a quoted quote", "\"1\r\"\"\n2\"\nb", []record{line(1, "1\r\"\n2"), line(4, "b")}},
		{"quote inside an unquoted cell", "a,b\"c\"d,e\"\nx\n", []record{line(1, "a", `b"c"d`, `e"`), line(2, "x")}},
		{"quote after a space is data", `a, "b"`, []record{line(1, "a", ` "b"`)}},
		{"text after the closing quote", `"a"b"c,d`, []record{line(1, `ab"c`, "d")}},
		{"never closed", "a,b\nc,\"d\ne,f\n", []record{line(1, "a", "b"), {Line: 2, Cells: []string{"c", "d\ne,f\n"}, Unclosed: true}}},
		{"never closed and empty", "a\n\"", []record{line(1, "a"), {Line: 2, Cells: []string{""}, Unclosed: true}}},
		{"semicolon", "a;b;c,d\n1;2,5;3", []record{line(1, "a", "b", "c,d"), line(2, "1", "2,5", "3")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, _ := records(t, strings.NewReader(tt.in))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("records of %q (-want +got):\n%s", tt.in, diff)
			}
			got, _ = records(t, iotest.OneByteReader(strings.NewReader(tt.in)))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("records of %q read byte by byte (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

func TestReaderSniffDelimiter(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		in   string
		want byte
	}{
		{"nombres", ','},
		{"", ','},
		{"a,b;c", ','},       // a tie
		{"a;b\tc", ';'},      // a tie
		{"a,b;c\td;e", ';'},  // the commonest
		{"a\tb\tc,d", '\t'},  //
		{`"a,b,c,d";e`, ';'}, // outside quotes only
		{`"a,"",b";e`, ';'},
		{`a";b;c,d`, ';'},          // this quote is data
		{"a\"\n,,,,\n", ','},       // and does not hide the line end
		{"a;b\nc,d,e,f", ';'},      // the header only
		{"\n\r\n;;;\n \na;b", ';'}, // which comes after blank lines
		{"\n,,,\na\tb", '\t'},
	} {
		if _, got := records(t, strings.NewReader(tt.in)); got != tt.want {
			t.Errorf("delimiter of %q: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestReaderLimits(t *testing.T) {
	t.Parallel()

	full := strings.Repeat("x", pointsfile.MaxRecord)
	accent := strings.Repeat("ñ", pointsfile.MaxRecord/2)
	many := strings.Repeat(",", pointsfile.MaxColumns)
	for _, tt := range []struct {
		name, in string
		want     record // of the second line; Cells shortened to their number
		cells    int
		kept     int // bytes
		next     bool
	}{
		{"exactly the limit", full, record{Line: 2}, 1, len(full), true},
		{"one byte more", full + "y", record{Line: 2, TooLong: true}, 1, len(full), true},
		{"one delimiter more", full + ",", record{Line: 2, TooLong: true}, 2, len(full), true},
		{"a character is not cut", "x" + accent, record{Line: 2, TooLong: true}, 1, len(full) - 1, true},
		{"quoted", `"` + full + `yy"`, record{Line: 2, TooLong: true}, 1, len(full), true},
		{"cells to the limit", many[1:] + "z", record{Line: 2}, pointsfile.MaxColumns, 1, true},
		{"blank cells over the limit", "a" + many + ", ", record{Line: 2}, pointsfile.MaxColumns, 1, true},
		{"cells over the limit", many + "z", record{Line: 2, Overflow: true}, pointsfile.MaxColumns, 0, true},
		{"only delimiters, too many", strings.Repeat(",", 3*pointsfile.MaxRecord), record{Line: 2, TooLong: true, Blank: true}, pointsfile.MaxColumns, 0, true},
		{"never closed and too long", `"` + full + full, record{Line: 2, TooLong: true, Unclosed: true}, 1, len(full), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, _ := records(t, strings.NewReader("h,i\n"+tt.in+"\nnext"))
			if len(got) < 2 {
				t.Fatalf("got %d records, want at least 2", len(got))
			}
			second := got[1]
			if kept := len(strings.Join(second.Cells, "")); len(second.Cells) != tt.cells || kept != tt.kept {
				t.Errorf("kept: got %d cells of %d bytes, want %d of %d", len(second.Cells), kept, tt.cells, tt.kept)
			}
			second.Cells = nil
			if diff := cmp.Diff(tt.want, second); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
			if tt.next {
				if diff := cmp.Diff(record{Line: 3, Cells: []string{"next"}}, got[len(got)-1]); diff != "" {
					t.Errorf("record behind it (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestReaderFault(t *testing.T) {
	t.Parallel()

	broken := errors.New("disk gone")
	r := pointsfile.NewReader(io.MultiReader(strings.NewReader("a,b\nc,d"), iotest.ErrReader(broken)))
	if _, err := r.Read(); err != nil {
		t.Fatalf("first record: got error %v, want none", err)
	}
	if _, err := r.Read(); !errors.Is(err, broken) {
		t.Errorf("record that the fault cuts: got error %v, want %v", err, broken)
	}
	if _, err := r.Read(); !errors.Is(err, broken) {
		t.Errorf("record behind the fault: got error %v, want %v", err, broken)
	}
}
