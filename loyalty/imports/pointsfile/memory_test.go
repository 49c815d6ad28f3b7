package pointsfile_test

import (
	"errors"
	"io"
	"runtime"
	"testing"

	"sello/loyalty/imports/pointsfile"
)

// No t.Parallel here: what the others allocate would count. A line or cell of
// any length must not cost more than the window and a few records.
//
//nolint:paralleltest // measures the process
func TestMemoryIsBounded(t *testing.T) {
	const (
		header = "nombres,email,puntos\n"
		tail   = "\nBeto,beto@example.com,2\n"
		budget = 4 << 20
	)
	for _, tt := range []struct {
		name string
		src  func() io.Reader
		code pointsfile.Code // of the first row
		good int             // rows behind it
		line int64           // of the last row
	}{
		{"a line of 10 MB", func() io.Reader { return repeated(header, "x", 10*mega, tail) }, pointsfile.RowTooLong, 1, 3},
		{"a cell of 100 MB", func() io.Reader { return repeated(header+`Ana,"`, "x", 100*mega, `",1`+tail) }, pointsfile.RowTooLong, 1, 3},
		{"a cell of 5 million lines", func() io.Reader { return repeated(header+`Ana,"`, "x\n", 5*mega, `",1`+tail) }, pointsfile.RowTooLong, 1, 3 + 5*mega},
		{"a cell of 5 million quotes", func() io.Reader { return repeated(header+`Ana,"`, `""`, 5*mega, `",1`+tail) }, pointsfile.RowTooLong, 1, 3},
		{"20 million columns", func() io.Reader { return repeated(header+"Ana", ",", 20*mega, "x"+tail) }, pointsfile.RowTooLong, 1, 3},
		{"100 MB behind a quote", func() io.Reader { return repeated(header+`"`, "Ana,a@b.pe,1\n", 8*mega, "") }, pointsfile.UnclosedQuote, 0, 2},
		{"10 million delimiters", func() io.Reader { return repeated(header, ",", 10*mega, tail) }, "", 0, 3},
		{"10 million blank lines", func() io.Reader { return repeated(header, "\n", 10*mega, tail) }, "", 0, 3 + 10*mega},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)

			f, err := pointsfile.Open(tt.src(), pointsfile.Facts{Encoding: pointsfile.UTF8, WellFormed: true})
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			first, err := f.Next()
			if err != nil {
				t.Fatalf("Next: %v", err)
			}
			last, good := first, 0
			for {
				row, err := f.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("Next: %v", err)
				}
				last = row
				good++
			}
			runtime.ReadMemStats(&after)

			if first.ErrorCode != tt.code || good != tt.good || last.Line != tt.line {
				t.Errorf("got first %q, %d rows behind it, last on line %d; want %q, %d, line %d",
					first.ErrorCode, good, last.Line, tt.code, tt.good, tt.line)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > budget {
				t.Errorf("allocated %d bytes, want at most %d", got, budget)
			}
			if len(first.Raw) > 2*pointsfile.MaxRecord+pointsfile.MaxColumns {
				t.Errorf("Raw: got %d bytes", len(first.Raw))
			}
		})
	}
}
