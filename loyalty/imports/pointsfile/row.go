package pointsfile

// Row is one data row after the checks that need no database. When ErrorCode
// is set, only Line, ErrorCode, ErrorValue and Raw are: nothing of a rejected
// row is fit for use. No text of a Row holds a NUL or is invalid UTF-8.
type Row struct {
	// Line is the physical line on which the row starts, from 1.
	Line int64
	// FirstName is nombres, 1 to MaxName characters.
	FirstName string
	// LastName is apellidos, blank when there is none.
	LastName string
	// Email is lower-cased: the key by which the customer is found.
	Email string
	// EmailRaw is the email as written, cut to 100 characters: the valor of
	// an EmailRepeated that is found later.
	EmailRaw string
	// Document is documento_de_identidad, blank when there is none; also the
	// valor of a DocumentOfAnother that is found later.
	Document string
	// Points to assign, 0 to MaxPoints.
	Points int64
	// HasPoints is false for a blank cell and for a file without the column.
	HasPoints bool
	// ErrorCode is the first rule the row breaks, blank for a good row. Its
	// words are Reason(ErrorCode, 0).
	ErrorCode Code
	// ErrorValue is the offending cell, trimmed and cut to 100 characters;
	// blank for errors of the whole row (spec/pretii.md 4.6).
	ErrorValue string
	// Raw holds the cells as they were read, as many as the header has, in the
	// form of JoinCells; see [ErrorFile].
	Raw string
}

// row checks a record in the order of spec/pretii.md 4.3: the first error
// wins, one error a row.
func (f *File) row(rec *Record) Row {
	var cell [columnCount]string
	r := Row{Line: rec.Line, Raw: f.raw(rec, &cell)}
	switch {
	case rec.Unclosed:
		return Row{Line: r.Line, Raw: r.Raw, ErrorCode: UnclosedQuote}
	case rec.TooLong:
		return Row{Line: r.Line, Raw: r.Raw, ErrorCode: RowTooLong}
	case rec.Overflow, f.surplus(rec):
		return Row{Line: r.Line, Raw: r.Raw, ErrorCode: TooManyCells}
	}
	bad := func(c column) Row {
		return Row{Line: r.Line, Raw: r.Raw, ErrorCode: r.ErrorCode, ErrorValue: shownValue(cell[c])}
	}
	if r.FirstName, r.ErrorCode = CheckFirstName(cell[colFirstName]); r.ErrorCode != "" {
		return bad(colFirstName)
	}
	if r.LastName, r.ErrorCode = CheckLastName(cell[colLastName]); r.ErrorCode != "" {
		return bad(colLastName)
	}
	if r.Email, r.ErrorCode = CheckEmail(cell[colEmail]); r.ErrorCode != "" {
		return bad(colEmail)
	}
	if r.Document, r.ErrorCode = CheckDocument(cell[colDocument]); r.ErrorCode != "" {
		return bad(colDocument)
	}
	if r.Points, r.HasPoints, r.ErrorCode = CheckPoints(cell[colPoints]); r.ErrorCode != "" {
		return bad(colPoints)
	}
	r.EmailRaw = shownValue(cell[colEmail])
	return r
}

// surplus tells whether a cell behind the header's last one is not blank.
func (f *File) surplus(rec *Record) bool {
	for _, c := range rec.Cells[min(f.width, len(rec.Cells)):] {
		if trim(string(c)) != "" {
			return true
		}
	}
	return false
}

// shownValue is what a person is shown of a cell.
func shownValue(s string) string { return cutText(trim(CleanText(s)), maxValue) }

// raw joins the record's cells, as many as the header has, and sets the
// columns we know. Nearly every row has no cell in need of quotes: its columns
// are then parts of the joined text, the one allocation of the row.
func (f *File) raw(rec *Record, cell *[columnCount]string) string {
	cells := rec.Cells[:min(f.width, len(rec.Cells))]
	b, starts := f.joined[:0], f.starts[:0]
	simple := plain(rec.text)
	for i := range f.width {
		if i > 0 {
			b = append(b, ',')
		}
		starts = append(starts, len(b))
		switch {
		case i >= len(cells):
		case simple:
			b = append(b, cells[i]...)
		default:
			b = appendCell(b, cells[i], ',')
		}
	}
	f.joined, f.starts = b, starts
	joined := string(b)
	for c, i := range f.at {
		switch {
		case i < 0 || i >= len(cells):
		case simple:
			cell[c] = joined[starts[i] : starts[i]+len(cells[i])]
		default:
			cell[c] = string(cells[i])
		}
	}
	return joined
}
