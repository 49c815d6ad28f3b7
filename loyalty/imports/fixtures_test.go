package imports_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sello/loyalty/imports"
)

// fixture is the part of a case that tells about the import.
type fixture struct {
	Request struct {
		Query map[string]string `json:"query"`
	} `json:"request"`
	After      map[string]any `json:"after"`
	AfterCount map[string]int `json:"afterCount"`
}

type answer struct {
	Importacion struct {
		Archivo  string `json:"archivo"`
		Estado   string `json:"estado"`
		Repetida bool   `json:"repetida"`
		Totales  *totals
		Errores  []rowError
		Rechazo  *struct {
			Codigo  string `json:"codigo"`
			Mensaje string `json:"mensaje"`
		} `json:"rechazo"`
	} `json:"importacion"`
}

type totals struct {
	Filas                int64 `json:"filas"`
	Aplicadas            int64 `json:"aplicadas"`
	ConError             int64 `json:"con_error"`
	ClientesCreados      int64 `json:"clientes_creados"`
	ClientesActualizados int64 `json:"clientes_actualizados"`
	PuntosAsignados      int64 `json:"puntos_asignados"`
}

type rowError struct {
	Linea  int32  `json:"linea"`
	Codigo string `json:"codigo"`
	Motivo string `json:"motivo"`
	Valor  string `json:"valor"`
}

var states = map[imports.Status]string{
	imports.Queued: "en_cola", imports.Running: "procesando", imports.Finished: "terminada",
	imports.Refused: "rechazada", imports.Failed: "fallida",
}

// told is an import as the fixtures write it.
func (e *env) told(t *testing.T, imp *imports.Import, repeated bool) answer {
	t.Helper()
	var a answer
	i := &a.Importacion
	i.Archivo, i.Estado, i.Repetida, i.Errores = imp.FileName, states[imp.State()], repeated, []rowError{}
	if imp.State() == imports.Finished {
		all := imp.Totals()
		i.Totales = &totals{all.Rows, all.Applied, all.Rejected, all.CustomersCreated, all.CustomersUpdated, all.PointsAssigned}
	}
	for _, r := range e.errors(t, imp.ID) {
		i.Errores = append(i.Errores, rowError{r.Line, string(r.Code), r.Reason, r.Value})
	}
	if imp.State() == imports.Refused {
		i.Rechazo = &struct {
			Codigo  string `json:"codigo"`
			Mensaje string `json:"mensaje"`
		}{*imp.RefusalCode, *imp.RefusalMessage}
	}
	return a
}

// TestFixtures replays the CSV cases of the legacy contract below HTTP, with
// River and a real mail server.
func TestFixtures(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob("testdata/pretii/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			var c fixture
			decode(t, bytes.NewReader(read(t, dir, "case.json")), &c)
			body := string(read(t, dir, "request.csv"))
			e := newEnv(t)
			var box mailbox
			again := strings.Contains(dir, "-again")
			if again { // "exactly these bytes were imported before"
				e.upload(t, imports.Upload{FileName: "lista.csv"}, body)
				e.work(t)
			}
			e.mailTo(t, box.serve(t, "127.0.0.1:0"))
			before := e.text(t, `SELECT count(*) FROM movement`)

			imp, repeated := e.upload(t, imports.Upload{
				FileName: c.Request.Query["archivo"], Recipient: c.Request.Query["email"], Forced: c.Request.Query["forzar"] == "1",
			}, body)

			var want answer
			decode(t, bytes.NewReader(read(t, dir, "response.json")), &want)
			if diff := cmp.Diff(want, e.told(t, imp, repeated)); diff != "" {
				t.Errorf("Upload (-want +got):\n%s", diff)
			}
			e.work(t)
			if file := read(t, dir, "followup1.json"); file != nil {
				want = answer{}
				decode(t, bytes.NewReader(file), &want)
				if diff := cmp.Diff(want, e.told(t, e.get(t, imp.ID), false)); diff != "" {
					t.Errorf("Get (-want +got):\n%s", diff)
				}
			}
			if file := read(t, dir, "followup2.csv"); file != nil {
				if diff := cmp.Diff(string(file), e.errorFile(t, imp.ID)); diff != "" {
					t.Errorf("errores.csv (-want +got):\n%s", diff)
				}
			}
			e.checkMail(t, &box, string(read(t, dir, "email.txt")), e.errorFile(t, imp.ID))
			e.checkState(t, c, before, again)
			e.books(t)
		})
	}
}

func (e *env) checkMail(t *testing.T, box *mailbox, want, errorFile string) {
	t.Helper()
	mails := box.all()
	if want == "" {
		if len(mails) != 0 {
			t.Errorf("mails: got %d, want none", len(mails))
		}
		return
	}
	if len(mails) != 1 {
		t.Fatalf("mails: got %d, want 1", len(mails))
	}
	m := mails[0]
	names := "-"
	for name, content := range m.attachments {
		names = name
		if diff := cmp.Diff(errorFile, content); diff != "" {
			t.Errorf("attachment (-want +got):\n%s", diff)
		}
	}
	got := fmt.Sprintf("Para: %s\nAsunto: %s\nAdjuntos: %s\n\n%s", m.to, m.subject, names, strings.ReplaceAll(m.body, "\r\n", "\n"))
	if diff := cmp.Diff(strings.TrimRight(want, "\n"), strings.TrimRight(got, "\n")); diff != "" {
		t.Errorf("mail (-want +got):\n%s", diff)
	}
}

// checkState compares the fixture's pointers into the state with the tables.
func (e *env) checkState(t *testing.T, c fixture, movementsBefore string, again bool) {
	t.Helper()
	for pointer, want := range c.After {
		path := strings.Split(strings.TrimPrefix(pointer, "/clientes/"), "/")
		fields := map[string]any{}
		if len(path) == 2 {
			fields[path[1]] = want
		} else {
			fields = want.(map[string]any)["$has"].(map[string]any)
		}
		for field, want := range fields {
			sql := map[string]string{
				"nombres": "first_name", "apellidos": "last_name", "email": "email", "documento_de_identidad": "document",
				"puntos": "(SELECT trim_scale(balance) FROM card WHERE card.customer_id = customer.id)",
			}[field]
			e.same(t, want, `SELECT `+sql+` FROM customer WHERE email = $1`, path[0])
		}
	}
	counts := map[string]string{
		"/clientes":      `SELECT count(*) FROM customer`,
		"/movimientos":   `SELECT count(*) - ` + movementsBefore + ` FROM movement`,
		"/importaciones": `SELECT count(*) FROM import`,
	}
	if again {
		counts["/emails"] = `SELECT count(*) - 1 FROM notification`
	} else {
		counts["/emails"] = `SELECT count(*) FROM notification`
	}
	for pointer, want := range c.AfterCount {
		e.same(t, want, counts[pointer])
	}
}

// read reads a file of a case; nil if it has none.
func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return content
}
