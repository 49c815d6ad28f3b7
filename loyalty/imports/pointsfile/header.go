package pointsfile

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// column is one of the columns that mean something to us.
type column int

const (
	colFirstName column = iota
	colLastName
	colEmail
	colDocument
	colPoints
	columnCount
)

// columnNames are the names a refusal speaks of.
var columnNames = [columnCount]string{"nombres", "apellidos", "email", "documento_de_identidad", "puntos"}

// columnsByName maps normalised header names, aliases included, to columns
// (spec/pretii.md 4.2).
var columnsByName = map[string]column{
	"nombres": colFirstName, "nombre": colFirstName, "name": colFirstName, "first_name": colFirstName,
	"apellidos": colLastName, "apellido": colLastName, "last_name": colLastName,
	"email": colEmail, "e_mail": colEmail, "correo": colEmail, "correo_electronico": colEmail, "mail": colEmail,
	"documento_de_identidad": colDocument, "documento": colDocument, "documento_identidad": colDocument,
	"doc_identidad": colDocument, "dni": colDocument, "ci": colDocument, "cedula": colDocument,
	"puntos": colPoints, "punto": colPoints, "points": colPoints, "puntaje": colPoints,
}

// normalizeHeader makes header names comparable: trimmed, without BOM,
// lower-cased, without accents, every run of spaces, "-", "." and "_" one "_".
func normalizeHeader(name string) string {
	var b strings.Builder
	gap := false
	for _, r := range norm.NFD.String(strings.ToLower(trim(CleanText(name)))) {
		switch {
		case unicode.Is(unicode.Mn, r) || r == '\ufeff':
			continue
		case unicode.IsSpace(r) || r == '-' || r == '.' || r == '_':
			if !gap {
				b.WriteByte('_')
			}
			gap = true
		default:
			b.WriteRune(r)
			gap = false
		}
	}
	return b.String()
}

// columns tells in which cell each column stands, -1 for a missing one.
type columns [columnCount]int

// mapHeader finds the columns in the cells of a header, whose order is free
// and among which unknown ones are ignored. It refuses with ColumnMissing and
// ColumnRepeated, in the order of the table in spec/pretii.md 4.2.
func mapHeader(cells []string) (columns, *Refusal) {
	var at columns
	for i := range at {
		at[i] = -1
	}
	repeated := columnCount
	for i, cell := range cells {
		c, known := columnsByName[normalizeHeader(cell)]
		switch {
		case !known:
		case at[c] < 0:
			at[c] = i
		case repeated == columnCount:
			repeated = c
		}
	}
	for _, c := range []column{colFirstName, colEmail} {
		if at[c] < 0 {
			return at, refuseColumn(ColumnMissing, columnNames[c])
		}
	}
	if repeated < columnCount {
		return at, refuseColumn(ColumnRepeated, columnNames[repeated])
	}
	return at, nil
}
