package pointsfile

import (
	"bytes"
	"strings"
)

// JoinCells writes cells as one record of RFC 4180 with commas and no line
// end, the exact and compact form in which a row or a header waits for the
// error file. NUL, which PostgreSQL cannot hold, is dropped.
func JoinCells(cells []string) string {
	var b []byte
	for i, c := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCell(b, c, ',')
	}
	return string(b)
}

// SplitCells takes apart what [JoinCells] put together. Of any other text it
// makes what it can.
func SplitCells(raw string) []string {
	var cells []string
	for {
		var cell string
		if strings.HasPrefix(raw, `"`) {
			cell, raw = cutQuoted(raw[1:])
		}
		i := strings.IndexByte(raw, ',')
		if i < 0 {
			return append(cells, cell+raw)
		}
		cells = append(cells, cell+raw[:i])
		raw = raw[i+1:]
	}
}

// cutQuoted returns a quoted cell and what follows its closing quote.
func cutQuoted(s string) (cell, rest string) {
	for i := 0; i < len(s); i++ {
		if s[i] != '"' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '"' {
			i++
			continue
		}
		s, rest = s[:i], s[i+1:]
		break
	}
	return strings.ReplaceAll(s, `""`, `"`), rest
}

// appendCell adds a cell, quoted only where it must be.
func appendCell[T string | []byte](b []byte, cell T, delim byte) []byte {
	quote := false
	for i := range len(cell) {
		switch c := cell[i]; c {
		case '"', '\r', '\n', delim:
			quote = true
		}
	}
	if quote {
		b = append(b, '"')
	}
	for i := range len(cell) {
		switch c := cell[i]; c {
		case 0:
		case '"':
			b = append(b, '"', '"')
		default:
			b = append(b, c)
		}
	}
	if quote {
		b = append(b, '"')
	}
	return b
}

// plain tells whether no cell of text needs quotes or loses a NUL when it is
// joined with commas.
func plain(text []byte) bool {
	return bytes.IndexByte(text, '"') < 0 && bytes.IndexByte(text, ',') < 0 &&
		bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0 && bytes.IndexByte(text, 0) < 0
}
