package pointsfile

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ErrorFileName is the name of the file of rejected rows.
const ErrorFileName = "errores.csv"

// ErrorFile writes the file of rejected rows (spec/pretii.md 4.6), which its
// reader corrects and uploads again: UTF-8 with BOM, CRLF, the delimiter of
// the input, the input's header and cells, then linea and motivo. Rows go
// straight to the writer below.
type ErrorFile struct {
	w     *bufio.Writer
	delim byte
	width int
	line  []byte
	size  int64
}

// NewErrorFile starts a file of rejected rows on w. header and delim are those
// of the input.
func NewErrorFile(w io.Writer, header []string, delim byte) (*ErrorFile, error) {
	e := &ErrorFile{w: bufio.NewWriter(w), delim: delim, width: len(header)}
	e.line = append(e.line, "\ufeff"...)
	for _, cell := range append(header[:len(header):len(header)], "linea", "motivo") {
		e.headerCell(cell)
	}
	// In place of the delimiter behind the last cell.
	e.line = e.line[:len(e.line)-1]
	return e, e.endLine()
}

// headerCell adds a cell of the header, in which the next upload looks for the
// delimiter: what could be taken for one goes into quotes. A leading tab is
// dropped instead of disarmed, or the column would change its name.
func (e *ErrorFile) headerCell(cell string) {
	cell = disarm(strings.TrimLeft(cell, "\t\r"))
	if strings.ContainsAny(cell, ",;\t") && strings.IndexByte(cell, e.delim) < 0 && !strings.ContainsAny(cell, "\"\r\n") {
		cell = `"` + cell + `"`
		e.line = append(e.line, cell...)
	} else {
		e.line = appendCell(e.line, cell, e.delim)
	}
	e.line = append(e.line, e.delim)
}

// Write adds one rejected row: its Raw cells, its physical line in the input
// and the words of its error, see [Reason].
func (e *ErrorFile) Write(raw string, line int64, reason string) error {
	cells := SplitCells(raw)
	for i := range e.width {
		if i < len(cells) {
			e.line = appendCell(e.line, disarm(cells[i]), e.delim)
		}
		e.line = append(e.line, e.delim)
	}
	e.line = strconv.AppendInt(e.line, line, 10)
	e.line = append(e.line, e.delim)
	e.line = appendCell(e.line, reason, e.delim)
	return e.endLine()
}

func (e *ErrorFile) endLine() error {
	e.line = append(e.line, "\r\n"...)
	n, err := e.w.Write(e.line)
	e.size += int64(n)
	e.line = e.line[:0]
	if err != nil {
		return fmt.Errorf("write the file of rejected rows: %w", err)
	}
	return nil
}

// disarm puts an apostrophe before what a spreadsheet would take for a
// formula: the four characters of 4.6, and tab and CR, which a spreadsheet
// drops before it looks (hardening.md 3.7).
func disarm(cell string) string {
	if cell != "" {
		switch cell[0] {
		case '=', '+', '-', '@', '\t', '\r':
			return "'" + cell
		}
	}
	return cell
}

// Size is the number of bytes written so far; it decides whether the result
// mail carries the file.
func (e *ErrorFile) Size() int64 { return e.size }

// Flush hands what is buffered to the writer below. Call it once, at the end.
func (e *ErrorFile) Flush() error {
	if err := e.w.Flush(); err != nil {
		return fmt.Errorf("write the file of rejected rows: %w", err)
	}
	return nil
}
