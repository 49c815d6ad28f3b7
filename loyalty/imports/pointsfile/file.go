package pointsfile

import (
	"errors"
	"fmt"
	"io"
)

// MaxRows is the most data rows of a file (spec/pretii.md 4.2).
const MaxRows = 1_000_000

// MaxFileSize is the most bytes of an upload (spec/pretii.md 4.2). Nothing
// here enforces it: it is refused while the file is received.
const MaxFileSize = 256 << 20

// File reads the rows of one points file. It is not safe for concurrent use.
type File struct {
	// MaxRows is the limit that Next refuses to pass; [MaxRows] after Open.
	MaxRows int

	reader *Reader
	header []string
	width  int // cells of the header
	at     columns
	rows   int
	joined []byte // scratch of raw
	starts []int  // scratch of raw
}

// Open reads the header of src, which stands at the first byte of the file
// that facts describe. A *Refusal tells that the file as a whole is turned
// away: NotCSV, FileEmpty, ColumnMissing, ColumnRepeated, TooManyColumns or,
// for a header that never ends, UnclosedQuote. Other errors are of src.
func Open(src io.Reader, facts Facts) (*File, error) {
	if facts.Binary {
		return nil, refuse(NotCSV)
	}
	text, err := Decode(src, facts)
	if err != nil {
		return nil, err
	}
	f := &File{MaxRows: MaxRows, reader: NewReader(text)}
	rec, err := f.readHeader()
	if errors.Is(err, io.EOF) {
		return nil, refuse(FileEmpty)
	}
	if err != nil {
		return nil, err
	}
	for _, c := range rec.Cells {
		f.header = append(f.header, string(c))
	}
	f.width = len(f.header)
	var refusal *Refusal
	if f.at, refusal = mapHeader(f.header); refusal != nil {
		return nil, refusal
	}
	// A header that is cut short is worth a complaint of its own only when the
	// columns are there: else the missing one says more.
	switch {
	case rec.Unclosed:
		return nil, refuseHeader()
	case rec.TooLong:
		return nil, refuse(NotCSV)
	case rec.Overflow:
		return nil, refuse(TooManyColumns)
	}
	return f, nil
}

// OpenSeeker inspects a spooled file and opens it, for callers that did not
// feed a [Sniffer] on the way. Errors are those of [Open].
func OpenSeeker(src io.ReadSeeker) (*File, Facts, error) {
	facts, err := Inspect(src)
	if err != nil {
		return nil, Facts{}, err
	}
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return nil, facts, fmt.Errorf("rewind a points file: %w", err)
	}
	f, err := Open(src, facts)
	return f, facts, err
}

func refuseHeader() *Refusal {
	return &Refusal{Code: UnclosedQuote, Message: "El encabezado tiene comillas sin cerrar."}
}

// readHeader returns the first record that is not blank.
func (f *File) readHeader() (*Record, error) {
	for {
		f.reader.SniffDelimiter()
		rec, err := f.reader.Read()
		if err != nil || !rec.Blank() {
			return rec, err
		}
	}
}

// Header returns the header's cells as read, for [NewErrorFile].
func (f *File) Header() []string { return f.header }

// Delimiter is the byte between two cells of the file.
func (f *File) Delimiter() byte { return f.reader.Delimiter() }

// Rows is the number of data rows read so far, good and bad.
func (f *File) Rows() int { return f.rows }

// Next returns the next data row, rejected ones included, or io.EOF. Past
// MaxRows it refuses with TooManyRows: nothing may be applied before Next has
// said io.EOF (spec/pretii.md 4.2). Other errors are of the source.
func (f *File) Next() (Row, error) {
	for {
		rec, err := f.reader.Read()
		if err != nil {
			return Row{}, err
		}
		if rec.Blank() {
			continue
		}
		if f.rows >= f.MaxRows {
			return Row{}, refuse(TooManyRows)
		}
		f.rows++
		return f.row(rec), nil
	}
}
