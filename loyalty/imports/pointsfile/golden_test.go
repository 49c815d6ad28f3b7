package pointsfile_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sello/loyalty/imports/pointsfile"
)

// golden is the part of a fixture's import that this package decides.
type golden struct {
	Importacion struct {
		Archivo, Estado string
		Totales         *goldenTotals
		Errores         []goldenError
		Rechazo         *struct{ Codigo, Mensaje string }
	}
}

type goldenTotals struct {
	Filas               int64 `json:"filas"`
	Aplicadas           int64 `json:"aplicadas"`
	ConError            int64 `json:"con_error"`
	ClientesCreados     int64 `json:"clientes_creados"`
	ClientesActualizado int64 `json:"clientes_actualizados"`
	PuntosAsignados     int64 `json:"puntos_asignados"`
}

type goldenError struct {
	Linea                 int64
	Codigo, Motivo, Valor string
}

// customer is what the two checks of the database need to know of one.
type customer struct{ lastName, document string }

// apply does by hand, on the customers of the fixtures' baseline, what SQL does
// with the rows: the two checks that need them, and the counting.
func apply(t *testing.T, f *pointsfile.File, errorFile *pointsfile.ErrorFile) (goldenTotals, []goldenError) {
	t.Helper()
	customers := map[string]customer{
		"ana.quispe@example.com": {"Quispe Flores", "45678912"},
		"jose.munoz@example.com": {"Muñoz Pérez", ""},
		"anabel@example.com":     {"", "CE-00123"},
	}
	firstLine := map[string]int64{}
	var totals goldenTotals
	rejected := []goldenError{}
	for {
		row, err := f.Next()
		if errors.Is(err, io.EOF) {
			return totals, rejected
		}
		if err != nil {
			t.Fatalf("Next: %v", err)
		}
		totals.Filas++
		code, value := row.ErrorCode, row.ErrorValue
		first, seen := firstLine[row.Email]
		if code == "" && seen {
			code, value = pointsfile.EmailRepeated, row.EmailRaw
		}
		if code == "" {
			firstLine[row.Email] = row.Line
			for email, c := range customers {
				if row.Document != "" && c.document == row.Document && email != row.Email {
					code, value = pointsfile.DocumentOfAnother, row.Document
				}
			}
		}
		if code != "" {
			totals.ConError++
			reason := pointsfile.Reason(code, first)
			rejected = append(rejected, goldenError{row.Line, string(code), reason, value})
			if err := errorFile.Write(row.Raw, row.Line, reason); err != nil {
				t.Fatalf("write row of line %d: %v", row.Line, err)
			}
			continue
		}
		totals.Aplicadas++
		totals.PuntosAsignados += row.Points
		c, known := customers[row.Email]
		switch {
		case !known:
			totals.ClientesCreados++
		case c.lastName == "" && row.LastName != "", c.document == "" && row.Document != "":
			totals.ClientesActualizado++
		}
		customers[row.Email] = customer{lastName: c.lastName + row.LastName, document: c.document + row.Document}
	}
}

// TestFixtures holds the recorded imports of the legacy system: rows, error
// file and mail, to the byte.
func TestFixtures(t *testing.T) {
	t.Parallel()

	requests, err := filepath.Glob("testdata/*/request.csv")
	if err != nil || len(requests) < 10 {
		t.Fatalf("fixtures: got %d (error %v), want at least 10", len(requests), err)
	}
	for _, request := range requests {
		dir := filepath.Dir(request)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			var want golden
			if err := json.Unmarshal(readFile(t, dir, "import.json"), &want); err != nil {
				t.Fatalf("import.json: %v", err)
			}
			at := time.Date(2024, 3, 15, 18, 0, 0, 0, time.UTC)
			result := pointsfile.Result{
				Outcome: pointsfile.Outcome(want.Importacion.Estado), FileName: want.Importacion.Archivo,
				StartedAt: at, FinishedAt: at, Location: time.FixedZone("Lima", -5*60*60),
			}

			f, _, err := pointsfile.OpenSeeker(bytes.NewReader(readFile(t, dir, "request.csv")))

			if refusal, refused := errors.AsType[*pointsfile.Refusal](err); refused {
				if r := want.Importacion.Rechazo; r == nil || string(refusal.Code) != r.Codigo || refusal.Message != r.Mensaje {
					t.Fatalf("Open: got refusal %v, want %+v", refusal, r)
				}
				result.Refusal = refusal.Message
				checkMail(t, dir, pointsfile.RenderMail(result))
				return
			}
			if err != nil || want.Importacion.Rechazo != nil {
				t.Fatalf("Open: got error %v, want %+v", err, want.Importacion.Rechazo)
			}
			var out bytes.Buffer
			errorFile, err := pointsfile.NewErrorFile(&out, f.Header(), f.Delimiter())
			if err != nil {
				t.Fatalf("NewErrorFile: %v", err)
			}
			totals, rejected := apply(t, f, errorFile)
			if err := errorFile.Flush(); err != nil {
				t.Fatalf("Flush: %v", err)
			}
			if diff := cmp.Diff(*want.Importacion.Totales, totals); diff != "" {
				t.Errorf("totals (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want.Importacion.Errores, rejected); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			if errorFile.Size() != int64(out.Len()) {
				t.Errorf("Size: got %d, want %d", errorFile.Size(), out.Len())
			}
			if len(rejected) > 0 {
				if diff := cmp.Diff(string(readFile(t, dir, "errores.csv")), out.String()); diff != "" {
					t.Errorf("error file (-want +got):\n%s", diff)
				}
			}
			result.Totals = pointsfile.Totals{
				Rows: totals.Filas, Applied: totals.Aplicadas, Rejected: totals.ConError,
				CustomersCreated: totals.ClientesCreados, CustomersUpdated: totals.ClientesActualizado,
				PointsAssigned: totals.PuntosAsignados,
			}
			for _, e := range rejected {
				result.Errors = append(result.Errors, pointsfile.RowError{Line: e.Linea, Reason: e.Motivo, Value: e.Valor})
			}
			result.ErrorFileSize = errorFile.Size()
			checkMail(t, dir, pointsfile.RenderMail(result))
		})
	}
}

func checkMail(t *testing.T, dir string, got pointsfile.Mail) {
	t.Helper()
	want := string(readFile(t, dir, "email.txt"))
	to, _, _ := strings.Cut(want, "\n")
	attached := "-"
	if got.Attach {
		attached = pointsfile.ErrorFileName
	}
	text := to + "\nAsunto: " + got.Subject + "\nAdjuntos: " + attached + "\n\n" + got.Body
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("mail (-want +got):\n%s", diff)
	}
}

func readFile(t *testing.T, elem ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
