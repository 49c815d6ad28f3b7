package pointsfile_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sello/loyalty/imports/pointsfile"
)

func TestErrorFile(t *testing.T) {
	t.Parallel()

	var out bytes.Buffer
	e, err := pointsfile.NewErrorFile(&out, []string{"nombres", "=email", "a;b"}, ';')
	if err != nil {
		t.Fatal(err)
	}
	for i, raw := range []string{
		`Ana,=1+1,x`, `+1,-1,@x`, `"	tab","` + "\r" + `cr", =sp`, `"say ""hi""","a,b",c;d`, `short`, `one,two,three,four`,
		`,"` + "\n" + `=line",`, strings.Repeat("y", 100_000),
	} {
		if err := e.Write(raw, int64(i+2), "Motivo; dos."); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "\ufeffnombres;'=email;\"a;b\";linea;motivo\r\n" +
		"Ana;'=1+1;x;2;\"Motivo; dos.\"\r\n" +
		"'+1;'-1;'@x;3;\"Motivo; dos.\"\r\n" +
		"'\ttab;\"'\rcr\"; =sp;4;\"Motivo; dos.\"\r\n" +
		"\"say \"\"hi\"\"\";a,b;\"c;d\";5;\"Motivo; dos.\"\r\n" +
		"short;;;6;\"Motivo; dos.\"\r\n" +
		"one;two;three;7;\"Motivo; dos.\"\r\n" +
		";\"\n=line\";;8;\"Motivo; dos.\"\r\n" +
		strings.Repeat("y", 100_000) + ";;;9;\"Motivo; dos.\"\r\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("error file (-want +got):\n%s", diff)
	}
	if e.Size() != int64(len(want)) {
		t.Errorf("Size: got %d, want %d", e.Size(), len(want))
	}
}

// The error file is uploaded again: its header must still be read as the
// input's was, delimiter and columns.
func TestErrorFileHeaderIsReadAgain(t *testing.T) {
	t.Parallel()

	for _, header := range []string{
		`"a;b;c;d;e;f",nombres,email`, "\"a\tb\tc\";\"nombres\";email", "\"\tnombres\",email", `"say ""a;b;c;d;e""",nombres,email`,
	} {
		f := open(t, header+"\n")
		var out bytes.Buffer
		e, err := pointsfile.NewErrorFile(&out, f.Header(), f.Delimiter())
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Flush(); err != nil {
			t.Fatal(err)
		}
		again := open(t, out.String())
		if again.Delimiter() != f.Delimiter() || len(again.Header()) != len(f.Header())+2 {
			t.Errorf("header %q: got %q, want delimiter %q and two columns more", header, again.Header(), f.Delimiter())
		}
	}
}

type fullDisk struct{}

var errFull = errors.New("disk full")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestErrorFileFault(t *testing.T) {
	t.Parallel()

	e, err := pointsfile.NewErrorFile(fullDisk{}, []string{"nombres"}, ',')
	if err != nil {
		t.Fatal(err) // only buffered so far
	}
	if err := e.Write(strings.Repeat("y", 100_000), 2, "Motivo."); !errors.Is(err, errFull) {
		t.Errorf("Write: got %v, want %v", err, errFull)
	}
	if err := e.Flush(); !errors.Is(err, errFull) {
		t.Errorf("Flush: got %v, want %v", err, errFull)
	}
}

func TestCells(t *testing.T) {
	t.Parallel()

	for _, cells := range [][]string{
		{""}, {"", ""}, {"a"}, {"a", "", "b"}, {`"`}, {`""`, `a"b`, `"c"`}, {"a,b", "c\nd", "e\rf", "g\r\nh"}, {" a ", "\t", ";"},
		{strings.Repeat(`"`, 1<<17)}, {",", `","`},
	} {
		if diff := cmp.Diff(cells, pointsfile.SplitCells(pointsfile.JoinCells(cells))); diff != "" {
			t.Errorf("JoinCells and back (-want +got):\n%s", diff)
		}
	}
	if got := pointsfile.JoinCells([]string{"a\x00b"}); got != "ab" {
		t.Errorf("NUL: got %q, want it dropped", got)
	}
}

func TestRenderMailFailed(t *testing.T) {
	t.Parallel()

	got := pointsfile.RenderMail(pointsfile.Result{
		Outcome: pointsfile.Failed, FileName: "puntos.csv", ErrorFileSize: 10,
		Totals: pointsfile.Totals{Rows: 6, Applied: 4, Rejected: 2, CustomersCreated: 2, CustomersUpdated: 1, PointsAssigned: 1234567},
	})
	want := pointsfile.Mail{
		Subject: "La asignación masiva de puntos no terminó: puntos.csv",
		Body: `Hola:

La asignación masiva de puntos del archivo puntos.csv se detuvo por un error interno.
Filas leídas: 6
Filas aplicadas: 4
Filas con error: 2
Clientes creados: 2
Clientes actualizados: 1
Puntos asignados: 1234567
Puede subir el mismo archivo otra vez: continuará donde se detuvo.
`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mail (-want +got):\n%s", diff)
	}
}

func TestRenderMailLists(t *testing.T) {
	t.Parallel()

	result := func(rejected int, size int64) pointsfile.Result {
		r := pointsfile.Result{
			Outcome: pointsfile.Finished, FileName: "p.csv", ErrorFileSize: size,
			StartedAt: time.Date(2024, 3, 1, 3, 4, 59, 0, time.UTC), FinishedAt: time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC),
			Location: time.FixedZone("", -5*60*60), Totals: pointsfile.Totals{Rejected: int64(rejected)},
		}
		for i := range min(rejected, 100) {
			r.Errors = append(r.Errors, pointsfile.RowError{Line: int64(i + 2), Reason: "Motivo."})
		}
		return r
	}
	const (
		attached = "\n\nEl archivo adjunto errores.csv contiene todas las filas con error. Corrija esas filas y suba"
		download = "\n\nDescargue el archivo errores.csv desde el panel. Corrija esas filas y suba"
	)
	for _, tt := range []struct {
		name     string
		rejected int
		size     int64
		attach   bool
		want     string
	}{
		{"twenty", 20, 5 << 20, true, "- Línea 21: Motivo." + attached},
		{"twenty-one", 21, 9, true, "- Línea 21: Motivo.\n- … y 1 filas más." + attached},
		{"more than are kept", 5000, 5<<20 + 1, false, "- Línea 21: Motivo.\n- … y 4980 filas más." + download},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := pointsfile.RenderMail(result(tt.rejected, tt.size))
			if got.Attach != tt.attach || !strings.Contains(got.Body, tt.want) {
				t.Errorf("got attached %t and\n%s\nwant attached %t and\n%s", got.Attach, got.Body, tt.attach, tt.want)
			}
			if want := "Inicio: 29/02/2024 22:04\nFin: 01/03/2024 07:00\n"; !strings.Contains(got.Body, want) {
				t.Errorf("got\n%s\nwant the tenant's times\n%s", got.Body, want)
			}
		})
	}
}

// Neither a file name nor a cell adds a line to the mail or to its header.
func TestRenderMailOneLine(t *testing.T) {
	t.Parallel()

	for _, outcome := range []pointsfile.Outcome{pointsfile.Finished, pointsfile.Refused, pointsfile.Failed} {
		r := pointsfile.Result{
			Outcome: outcome, FileName: "p.csv\r\nBcc: x@y.z", Refusal: "No.\n\nHola",
			Totals: pointsfile.Totals{Rejected: 1}, Errors: []pointsfile.RowError{{Line: 2, Reason: "No.", Value: "a\u2028\nPuntos: 1"}},
		}
		clean := r
		clean.FileName, clean.Refusal = "p.csv", "No."
		clean.Errors = []pointsfile.RowError{{Line: 2, Reason: "No.", Value: "a"}}
		got, want := pointsfile.RenderMail(r), pointsfile.RenderMail(clean)
		if strings.ContainsAny(got.Subject, "\r\n") {
			t.Errorf("%s: subject %q has more than one line", outcome, got.Subject)
		}
		if g, w := strings.Count(got.Body, "\n"), strings.Count(want.Body, "\n"); g != w {
			t.Errorf("%s: got %d lines, want %d:\n%s", outcome, g, w, got.Body)
		}
	}
}
