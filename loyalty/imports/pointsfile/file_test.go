package pointsfile_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sello/loyalty/imports/pointsfile"
)

func TestOpenRefusals(t *testing.T) {
	t.Parallel()

	wide := strings.Repeat(",x", pointsfile.MaxColumns)
	for _, tt := range []struct {
		name, in string
		code     pointsfile.Code
		message  string
	}{
		{"nothing", "", pointsfile.FileEmpty, "El archivo está vacío."},
		{"only a BOM", "\ufeff", pointsfile.FileEmpty, "El archivo está vacío."},
		{"blank lines", "\r\n ,;\n\"\",\"\"\n\n", pointsfile.FileEmpty, "El archivo está vacío."},
		{"no names", "email\na@b.pe", pointsfile.ColumnMissing, "Falta la columna obligatoria: nombres."},
		{"no email", "nombres\nAna", pointsfile.ColumnMissing, "Falta la columna obligatoria: email."},
		{"neither", "x;y\n", pointsfile.ColumnMissing, "Falta la columna obligatoria: nombres."},
		{"another delimiter", "nombres|email\n", pointsfile.ColumnMissing, "Falta la columna obligatoria: nombres."},
		{"repeated", "nombres,email,Email\n", pointsfile.ColumnRepeated, "La columna email está repetida."},
		{"repeated by alias", "nombres,email,DNI,C.I.,cedula\n", pointsfile.ColumnRepeated, "La columna documento_de_identidad está repetida."},
		{"two repeated: the first one met", "nombres,email,puntos,points,name", pointsfile.ColumnRepeated, "La columna puntos está repetida."},
		{"missing before repeated", "nombres,name\n", pointsfile.ColumnMissing, "Falta la columna obligatoria: email."},
		{"an unknown column twice", "nombres,email,linea,motivo,linea,motivo\n", "", ""},
		{"quote open", "nombres,email,\"x\nAna,a@b.pe,\n", pointsfile.UnclosedQuote, "El encabezado tiene comillas sin cerrar."},
		{"quote open, column missing", "nombres,\"email\nAna,a@b.pe\n", pointsfile.ColumnMissing, "Falta la columna obligatoria: email."},
		{"too many columns", "nombres,email" + wide, pointsfile.TooManyColumns, "El archivo tiene demasiadas columnas."},
		{"header too long", "nombres,email," + strings.Repeat("x", 1<<20), pointsfile.NotCSV, "El archivo no es un CSV válido."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if code, message := refusalOf(t, tt.in); code != tt.code || message != tt.message {
				t.Errorf("Open: got %q %q, want %q %q", code, message, tt.code, tt.message)
			}
		})
	}
}

func TestOpenHeaderNames(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		header string
		want   bool // accepted as nombres, email
	}{
		{"nombres,email", true},
		{"\ufeffNOMBRE,E-Mail", true},
		{" Name , e mail ", true},
		{"First  -_ Name,CORREO ELECTRÓNICO", true},
		{"first.name,Correo_Electro\u0301nico", true},
		{"\u00a0nómbrês\u00a0,mail", true},
		{"\"first\nname\",correo", true},
		{"nombres*,email", false},
		{"nombre s,email", false},
		{"nombres,e--mails", false},
	} {
		code, _ := refusalOf(t, tt.header+"\n")
		if got := code == ""; got != tt.want {
			t.Errorf("header %q: got accepted %t (%s), want %t", tt.header, got, code, tt.want)
		}
	}
	for column, aliases := range map[string]string{
		"nombres":                "nombre name first_name",
		"apellidos":              "apellido last_name",
		"email":                  "e_mail correo correo_electronico mail",
		"documento_de_identidad": "documento documento_identidad doc_identidad dni ci cedula",
		"puntos":                 "punto points puntaje",
	} {
		for alias := range strings.FieldsSeq(aliases) {
			_, message := refusalOf(t, "nombres,email,apellidos,dni,puntos,"+alias+"\n")
			if want := "La columna " + column + " está repetida."; message != want {
				t.Errorf("alias %s: got %q, want %q", alias, message, want)
			}
		}
	}
}

func TestNext(t *testing.T) {
	t.Parallel()

	const header = "email,nombres,apellidos,ci,puntos,nota"
	name120, mail254 := strings.Repeat("ñ", 120), strings.Repeat("a", 248)+"@b.com"
	for _, tt := range []struct {
		row   string
		code  pointsfile.Code
		value string
	}{
		{`a@b.pe,Ana`, "", ""},
		{`a@b.pe,Ana,,,,,,, ,`, "", ""},
		{`a@b.pe,Ana,,,,,x`, pointsfile.TooManyCells, ""},
		{`a@b.pe,Ana,,,,,,"x"`, pointsfile.TooManyCells, ""},
		{`,,,,,,x`, pointsfile.TooManyCells, ""},
		{`"a@b.pe,Ana`, pointsfile.UnclosedQuote, ""},
		{`a@b.pe,Ana,,,,` + strings.Repeat("x", pointsfile.MaxRecord), pointsfile.RowTooLong, ""},
		{`,, ,,-1`, pointsfile.FirstNameMissing, ""},
		{`a@b.pe," "`, pointsfile.FirstNameMissing, ""},
		{`a@b.pe, ` + name120 + ` `, "", ""},
		{`,x` + name120, pointsfile.FirstNameTooLong, "x" + strings.Repeat("ñ", 99)},
		{`,Ana,x` + name120, pointsfile.LastNameTooLong, "x" + strings.Repeat("ñ", 99)},
		{` ,Ana,,1`, pointsfile.EmailMissing, ""},
		{` Luis@ ,Ana,,1`, pointsfile.EmailInvalid, "Luis@"},
		{mail254 + `,Ana`, "", ""},
		{`a` + mail254 + `,Ana`, pointsfile.EmailInvalid, strings.Repeat("a", 100)},
		{`a@b.pe,Ana,,12,x`, pointsfile.DocumentInvalid, "12"},
		{`a@b.pe,Ana,,4.5678912E+07`, pointsfile.DocumentInvalid, "4.5678912E+07"},
		{`a@b.pe,Ana,,123,12.5`, pointsfile.PointsInvalid, "12.5"},
		{`a@b.pe,Ana,,123,"1,000"`, pointsfile.PointsInvalid, "1,000"},
		{`a@b.pe,Ana,,123,"1,00"`, "", ""},
	} {
		got := rows(t, open(t, header+"\n\n"+tt.row))
		if len(got) != 1 || got[0].Line != 3 || got[0].ErrorCode != tt.code || got[0].ErrorValue != tt.value {
			t.Errorf("row %.40q: got %+.200v, want one of line 3 with %q %q", tt.row, got, tt.code, tt.value)
			continue
		}
		if tt.code != "" && got[0] != (pointsfile.Row{Line: 3, ErrorCode: tt.code, ErrorValue: tt.value, Raw: got[0].Raw}) {
			t.Errorf("row %.40q: got %+v, want nothing but its error", tt.row, got[0])
		}
	}
}

func TestNextColumns(t *testing.T) {
	t.Parallel()

	f := open(t, "puntos\tcomentario\te-mail\tapellido\tcedula\tnombre\n"+
		"7\thola, amigo\t Ana.QUISPE@Example.com\tQuispe\tCE-1.b \t\"Ana \"\"La\n Grande\"\"\"\n\t\tb@b.pe\t\t\tBeto")
	want := []pointsfile.Row{
		{
			Line: 2, FirstName: "Ana \"La\n Grande\"", LastName: "Quispe", Email: "ana.quispe@example.com",
			EmailRaw: "Ana.QUISPE@Example.com", Document: "CE-1.b", Points: 7, HasPoints: true,
			Raw: "7,\"hola, amigo\", Ana.QUISPE@Example.com,Quispe,CE-1.b ,\"Ana \"\"La\n Grande\"\"\"",
		},
		{Line: 4, FirstName: "Beto", Email: "b@b.pe", EmailRaw: "b@b.pe", Raw: ",,b@b.pe,,,Beto"},
	}
	if diff := cmp.Diff(want, rows(t, f)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if f.Delimiter() != '\t' || f.Rows() != 2 {
		t.Errorf("got delimiter %q and %d rows, want a tab and 2", f.Delimiter(), f.Rows())
	}
}

func TestNextRefusesTooManyRows(t *testing.T) {
	t.Parallel()

	f := open(t, "nombres,email\n\n"+strings.Repeat("Ana,luis@\n,\n", 4))
	f.MaxRows = 3
	for range 3 {
		if row, err := f.Next(); err != nil || row.ErrorCode != pointsfile.EmailInvalid {
			t.Fatalf("Next: got %+v (error %v), want a rejected row, which counts", row, err)
		}
	}
	_, err := f.Next()
	refusal, ok := errors.AsType[*pointsfile.Refusal](err)
	if !ok || refusal.Code != pointsfile.TooManyRows || refusal.Message != "El archivo supera 1000000 de filas." {
		t.Errorf("Next past the limit: got %v, want %s", err, pointsfile.TooManyRows)
	}

	f = open(t, "nombres,email\nAna,a@b.pe\n,\n\n")
	f.MaxRows = 1
	if got := len(rows(t, f)); got != 1 {
		t.Errorf("exactly the limit: got %d rows, want 1", got)
	}
}

func TestNextBadRowStopsNothing(t *testing.T) {
	t.Parallel()

	const n = 100_000
	content := "nombres,email,puntos\n" + strings.Repeat("Ana,ana@example.com,1\n", n/2) + "x\"y,\"z\"z,,,\"\"\"\n" + `"` +
		",,\n" + strings.Repeat("Ana,ana@example.com,1\n", n/2-1)
	// Line n/2+2 has a surplus cell and opens a quote in its last one, which
	// the next line closes.
	var good, bad int
	f := open(t, content)
	for {
		row, err := f.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if row.ErrorCode == "" {
			good++
			continue
		}
		bad++
		if row.Line != n/2+2 || row.ErrorCode != pointsfile.TooManyCells {
			t.Errorf("got %+v, want only line %d with %s", row, n/2+2, pointsfile.TooManyCells)
		}
	}
	if good != n-1 || bad != 1 {
		t.Errorf("got %d good and %d bad rows, want %d and 1", good, bad, n-1)
	}
}
