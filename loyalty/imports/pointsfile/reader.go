package pointsfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

const (
	// MaxRecord is the longest record in bytes of UTF-8, delimiters included.
	// A longer one is read to its end and rejected; what is over is dropped.
	MaxRecord = 64 << 10
	// MaxColumns is the number of cells of a record that are kept.
	MaxColumns = 256
	// window holds a header of MaxRecord bytes whole, so that its delimiter
	// can be found before it is split.
	window = 2 * MaxRecord
)

// Record is one record of a file. Its cells live in the reader's buffers and
// change with the next call of [Reader.Read].
type Record struct {
	// Line is the physical line on which the record starts, from 1.
	Line int64
	// Cells holds the first MaxColumns cells, unquoted, not trimmed; of a
	// record that is TooLong only what came before the limit.
	Cells [][]byte
	// Unclosed tells that a quote was open when the file ended.
	Unclosed bool
	// TooLong tells that the record passes MaxRecord.
	TooLong bool
	// Overflow tells that there was a non-blank cell after MaxColumns.
	Overflow bool

	text  []byte // the cells one after the other
	solid bool   // something non-blank was dropped
}

// Blank tells whether the record is to be skipped without being counted: no
// cell holds more than white space (spec/pretii.md 4.2).
func (r *Record) Blank() bool {
	return !r.Unclosed && !r.Overflow && !r.solid && len(bytes.TrimSpace(r.text)) == 0
}

// Reader splits UTF-8 text into records (spec/pretii.md 4.2): RFC 4180 with
// CRLF, LF or CR, where a quote inside an unquoted cell is data, text after a
// closing quote belongs to the cell, and a quote that is never closed reaches
// to the end of the file. encoding/csv is not used: it stops at the first
// stray quote and holds a 100 MB cell in memory (hardening.md 3.7, B5).
type Reader struct {
	src      io.Reader
	buf      []byte
	pos, end int
	err      error // of src, io.EOF included
	delim    byte
	line     int64 // physical line of pos
	size     int   // bytes of this record, kept or not
	starts   []int
	rec      Record
}

// NewReader reads records from src. The delimiter is found in the header by
// [Reader.SniffDelimiter]; until then it is a comma.
func NewReader(src io.Reader) *Reader {
	return &Reader{src: src, buf: make([]byte, window), delim: ',', line: 1}
}

// Delimiter is the byte between two cells.
func (r *Reader) Delimiter() byte { return r.delim }

// fill makes room behind the unread bytes and reads once. It tells whether
// there are more bytes than before.
func (r *Reader) fill() bool {
	if r.pos > 0 {
		r.end = copy(r.buf, r.buf[r.pos:r.end])
		r.pos = 0
	}
	for idle := 0; r.err == nil && r.end < len(r.buf); idle++ {
		var n int
		n, r.err = r.src.Read(r.buf[r.end:])
		r.end += n
		if n > 0 {
			return true
		}
		if idle == 100 {
			r.err = io.ErrNoProgress
		}
	}
	return false
}

// more tells whether there is an unread byte.
func (r *Reader) more() bool { return r.pos < r.end || r.fill() }

// Read returns the next record, blank ones included, or io.EOF. Any other
// error is one of the source; what was read of that record is lost.
func (r *Reader) Read() (*Record, error) {
	if !r.more() {
		return nil, r.failure()
	}
	r.size, r.starts = 0, append(r.starts[:0], 0)
	r.rec = Record{Line: r.line, Cells: r.rec.Cells[:0], text: r.rec.text[:0]}
	for {
		if r.more() && r.buf[r.pos] == '"' {
			r.pos++
			if !r.quoted() {
				r.rec.Unclosed = true
				r.endCell()
				break
			}
		}
		again := r.unquoted()
		r.endCell()
		if !again {
			break
		}
	}
	if r.err != nil && !errors.Is(r.err, io.EOF) && r.pos == r.end {
		return nil, r.failure()
	}
	for i, start := range r.starts[:len(r.starts)-1] {
		end := r.starts[i+1]
		r.rec.Cells = append(r.rec.Cells, r.rec.text[start:end:end])
	}
	return &r.rec, nil
}

func (r *Reader) failure() error {
	if errors.Is(r.err, io.EOF) {
		return io.EOF
	}
	return fmt.Errorf("read a points file: %w", r.err)
}

// unquoted reads up to the end of the cell and over the delimiter or line end
// behind it. It tells whether another cell of this record follows.
func (r *Reader) unquoted() bool {
	for {
		w := r.buf[r.pos:r.end]
		i, delim := 0, r.delim
		for i < len(w) && w[i] != delim && w[i] != '\n' && w[i] != '\r' {
			i++
		}
		r.keep(w[:i])
		r.pos += i
		if i == len(w) {
			if r.fill() {
				continue
			}
			return false
		}
		r.pos++
		switch w[i] {
		case delim:
			r.size++
			return true
		case '\r':
			if r.more() && r.buf[r.pos] == '\n' {
				r.pos++
			}
		}
		r.line++
		return false
	}
}

// quoted reads a quoted cell from behind its opening to behind its closing
// quote. It tells whether there is one.
func (r *Reader) quoted() bool {
	afterCR := false // the CRLF of a line may be cut by the window
	for r.more() {
		w := r.buf[r.pos:r.end]
		i := bytes.IndexByte(w, '"')
		if i >= 0 {
			w = w[:i]
		}
		afterCR = r.countLines(w, afterCR)
		r.keep(w)
		r.pos += len(w)
		if i < 0 {
			continue
		}
		r.pos++
		if !r.more() || r.buf[r.pos] != '"' {
			return true
		}
		r.keep(r.buf[r.pos : r.pos+1])
		r.pos++
		afterCR = false
	}
	return false
}

func (r *Reader) countLines(w []byte, afterCR bool) bool {
	for len(w) > 0 {
		i := bytes.IndexAny(w, "\r\n")
		if i < 0 {
			return false
		}
		if w[i] == '\r' || i > 0 || !afterCR {
			r.line++
		}
		afterCR = w[i] == '\r'
		w = w[i+1:]
	}
	return afterCR
}

// keep adds text to the cell as far as the limit allows.
func (r *Reader) keep(text []byte) {
	room := MaxRecord - r.size
	r.size += len(text)
	if r.size <= MaxRecord {
		r.rec.text = append(r.rec.text, text...)
		return
	}
	if !r.rec.TooLong {
		r.rec.TooLong = true
		// Also the part of a character that came before the limit is of no use.
		r.rec.text = append(r.rec.text, text[:max(room, 0)]...)
		r.rec.text = r.rec.text[:max(completeUTF8(r.rec.text), r.starts[len(r.starts)-1])]
		text = text[max(room, 0):]
	}
	r.size = MaxRecord + 1 // an int that does not grow with the file
	if !r.rec.solid && len(bytes.TrimSpace(text)) > 0 {
		r.rec.solid = true
	}
}

func (r *Reader) endCell() {
	if r.size > MaxRecord {
		r.rec.TooLong = true // by its delimiters
	}
	start := r.starts[len(r.starts)-1]
	if len(r.starts) <= MaxColumns {
		r.starts = append(r.starts, len(r.rec.text))
		return
	}
	if len(bytes.TrimSpace(r.rec.text[start:])) > 0 {
		r.rec.Overflow = true
	}
	r.rec.text = r.rec.text[:start]
}

// SniffDelimiter passes over lines without content and sets the delimiter to
// the one of comma, semicolon and tab that occurs most often outside quotes in
// the line that comes next, the header; on a tie the first in this order.
func (r *Reader) SniffDelimiter() {
	for {
		for r.end-r.pos < MaxRecord && r.fill() {
		}
		w := r.buf[r.pos:min(r.end, r.pos+MaxRecord)]
		i := 0
		for i < len(w) && bytes.IndexByte([]byte(" \t,;"), w[i]) >= 0 {
			i++
		}
		if i == len(w) || w[i] != '\r' && w[i] != '\n' {
			r.delim = commonest(w)
			return
		}
		r.pos += i + 1
		if w[i] == '\r' && r.more() && r.buf[r.pos] == '\n' {
			r.pos++
		}
		r.line++
	}
}

func commonest(text []byte) byte {
	var comma, semicolon, tab int
	quoted, start := false, true // a quote opens only where a cell starts
scan:
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quoted:
			if c != '"' {
				continue
			}
			if i+1 < len(text) && text[i+1] == '"' {
				i++
			} else {
				quoted = false
			}
		case c == '"' && start:
			quoted, start = true, false
		case c == '\r' || c == '\n':
			break scan
		default:
			start = true
			switch c {
			case ',':
				comma++
			case ';':
				semicolon++
			case '\t':
				tab++
			default:
				start = false
			}
		}
	}
	switch {
	case comma >= semicolon && comma >= tab:
		return ','
	case semicolon >= tab:
		return ';'
	default:
		return '\t'
	}
}

// cutText shortens s to n characters.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

func longerThan(s string, n int) bool { return len(s) > n && utf8.RuneCountInString(s) > n }
