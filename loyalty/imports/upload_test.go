package imports_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/imports"
)

// TestTwoUploadsAtOnce sends the same bytes from eight callers.
func TestTwoUploadsAtOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	ids, fresh := map[uuid.UUID]bool{}, 0
	for range 8 {
		wg.Go(func() {
			imp, repeated, err := e.imports.Upload(t.Context(), e.actor, imports.Upload{Body: strings.NewReader(list(500))})
			if err != nil {
				t.Errorf("Upload: %v", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[imp.ID] = true
			if !repeated {
				fresh++
			}
		})
	}
	wg.Wait()
	if len(ids) != 1 || fresh != 1 {
		t.Errorf("uploads: got %d imports, %d of them new, want 1 and 1", len(ids), fresh)
	}
	e.same(t, 1, `SELECT count(*) FROM import`)
	e.same(t, 500, `SELECT count(*) FROM import_row`)
	e.same(t, 1, `SELECT count(*) FROM river_job`)
	e.work(t)
	for id := range ids {
		e.checkList(t, id, 500)
	}
	e.same(t, 1, `SELECT count(*) FROM audit_entry WHERE action = 'import.create'`)
}

func TestUploadRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		upload imports.Upload
		want   loyalty.Code
	}{
		{"recipient", imports.Upload{Recipient: "nobody"}, loyalty.CodeInvalid},
		{"no such programme", imports.Upload{CardTypeCode: "nada"}, loyalty.CodeCardTypeNotFound},
		{"archived programme", imports.Upload{CardTypeCode: "viejo"}, loyalty.CodeCardTypeArchived},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.exec(t, `INSERT INTO card_type (company_id, id, code, name, unit, scale, archived_at, created_at, updated_at)
				VALUES ($1, $2, 'viejo', 'Viejo', 'points', 0, $3, $3, $3)`, e.company, newID(t), now)
			tt.upload.Body = strings.NewReader(header)
			_, _, err := e.imports.Upload(t.Context(), e.actor, tt.upload)
			if got := loyalty.CodeOf(err); got != tt.want {
				t.Errorf("Upload: got %q (%v), want %q", got, err, tt.want)
			}
			e.same(t, 0, `SELECT count(*) FROM import`)
		})
	}
}

func TestUploadTooLarge(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.imports.MaxBytes = 100
	_, _, err := e.imports.Upload(t.Context(), e.actor, imports.Upload{Body: strings.NewReader(strings.Repeat("x", 101))})
	if tooLarge, ok := errors.AsType[*imports.TooLargeError](err); !ok || tooLarge.Limit != 100 {
		t.Errorf("Upload: got %v, want a *TooLargeError of 100", err)
	}
	left, err := os.ReadDir(e.imports.SpoolDir)
	if err != nil || len(left) != 0 {
		t.Errorf("spool folder: got %d files (%v), want none", len(left), err)
	}
	if _, _, err := e.imports.Upload(t.Context(), e.actor, imports.Upload{Body: strings.NewReader(header + strings.Repeat("\n", 100-len(header)))}); err != nil {
		t.Errorf("Upload of exactly the limit: %v", err)
	}
}

// TestRefusedFiles are refused as a whole by the job, with no row left.
func TestRefusedFiles(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.imports.MaxRows = 30_000
	for body, want := range map[string]string{
		"":                         "archivo_vacio",
		"PK\x03\x04 a spreadsheet": "archivo_no_es_csv",
		list(30_001):               "demasiadas_filas",
	} {
		imp, _ := e.upload(t, imports.Upload{}, body)
		if imp.State() != imports.Queued {
			t.Errorf("%s: Upload: got %s, want queued", want, imp.State())
		}
		got := e.apply(t, imp.ID)
		if got.State() != imports.Refused || *got.RefusalCode != want {
			t.Errorf("%s: got %s %v, want refused", want, got.State(), got.RefusalCode)
		}
		if again, repeated := e.upload(t, imports.Upload{}, body); !repeated || again.State() != imports.Refused {
			t.Errorf("%s: the same file again: got %s, repeated %v, want refused and repeated", want, again.State(), repeated)
		}
	}
	e.same(t, 0, `SELECT count(*) FROM import_row`)
	e.same(t, 3, `SELECT count(*) FROM notification WHERE subject LIKE 'No se pudo procesar%'`)
}

// TestFailedGoesOn gives an import up half way: the mail says so, and the same
// file again goes on behind the last applied row.
func TestFailedGoesOn(t *testing.T) {
	t.Parallel()
	for _, resume := range []string{"upload", "reprocess"} {
		t.Run(resume, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.imports.ChunkRows = 100
			imp, _ := e.upload(t, imports.Upload{}, list(1_000))
			for range 5 {
				if _, err := e.imports.ApplyStep(t.Context(), e.company, imp.ID); err != nil {
					t.Fatal(err)
				}
			}
			if err := e.imports.Abandon(t.Context(), e.company, imp.ID); err != nil {
				t.Fatal(err)
			}
			failed := e.get(t, imp.ID)
			if failed.State() != imports.Failed || failed.RowsRead() != 300 {
				t.Fatalf("Abandon: got %s after %d rows, want failed after 300", failed.State(), failed.RowsRead())
			}
			e.same(t, true, `SELECT body LIKE '%se detuvo por un error interno.%Filas leídas: 300%' FROM notification`)
			if resume == "upload" {
				again, repeated := e.upload(t, imports.Upload{}, list(1_000))
				if !repeated || again.ID != imp.ID || again.State() != imports.Queued {
					t.Errorf("Upload: got %s, repeated %v, want the same import queued", again.State(), repeated)
				}
			} else if _, err := e.imports.Reprocess(t.Context(), e.actor, imp.ID); err != nil {
				t.Fatal(err)
			}
			e.work(t)
			e.checkList(t, imp.ID, 1_000)
		})
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.imports.ChunkRows = 100
	imp, _ := e.upload(t, imports.Upload{}, list(1_000))
	for range 4 {
		if _, err := e.imports.ApplyStep(t.Context(), e.company, imp.ID); err != nil {
			t.Fatal(err)
		}
	}
	got, err := e.imports.Cancel(t.Context(), e.actor, imp.ID)
	if err != nil || got.State() != imports.Cancelled || got.RowsRead() != 200 {
		t.Fatalf("Cancel: got %+v, %v, want cancelled after 200 rows", got, err)
	}
	e.work(t)
	e.same(t, 200, `SELECT rows_applied + rows_failed FROM import`)
	e.same(t, 0, `SELECT count(*) FROM notification`)
	if _, err := e.imports.Cancel(t.Context(), e.actor, imp.ID); loyalty.CodeOf(err) != loyalty.CodeStateConflict {
		t.Errorf("Cancel again: got %v, want STATE_CONFLICT", err)
	}
	e.books(t)
	if _, err := e.imports.Reprocess(t.Context(), e.actor, imp.ID); err != nil {
		t.Fatalf("Reprocess: %v", err)
	}
	e.work(t)
	e.checkList(t, imp.ID, 1_000)
}

func TestReprocessRefusals(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	imp, _ := e.upload(t, imports.Upload{}, header+"Ana,,ana.quispe@example.com,,1\n")
	refused := func(step string, id uuid.UUID, actor auth.Principal, want loyalty.Code) {
		t.Helper()
		if _, err := e.imports.Reprocess(t.Context(), actor, id); loyalty.CodeOf(err) != want {
			t.Errorf("%s: Reprocess: got %v, want %s", step, err, want)
		}
	}
	refused("queued", imp.ID, e.actor, loyalty.CodeImportNotFinished)
	e.apply(t, imp.ID)
	refused("finished", imp.ID, e.actor, loyalty.CodeNothingToReprocess)
	refused("unknown", newID(t), e.actor, loyalty.CodeImportNotFound)
	stranger := e.actor
	stranger.CompanyID = newID(t)
	refused("another company", imp.ID, stranger, loyalty.CodeImportNotFound)
	if _, err := e.imports.Get(t.Context(), stranger.CompanyID, imp.ID); loyalty.CodeOf(err) != loyalty.CodeImportNotFound {
		t.Errorf("Get by another company: got %v, want IMPORT_NOT_FOUND", err)
	}
	if err := e.imports.WriteErrorFile(t.Context(), stranger.CompanyID, imp.ID, io.Discard); loyalty.CodeOf(err) != loyalty.CodeImportNotFound {
		t.Errorf("WriteErrorFile for another company: got %v, want IMPORT_NOT_FOUND", err)
	}
}

// broken is an upload whose sender goes away.
type broken struct{ io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestPrune(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	if _, _, err := e.imports.Upload(t.Context(), e.actor, imports.Upload{Body: broken{strings.NewReader(list(10))}}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Upload: got %v, want what the sender did", err)
	}
	e.same(t, 0, `SELECT count(*) FROM import`)
	finished, _ := e.upload(t, imports.Upload{}, list(100))
	e.apply(t, finished.ID)
	dead, _ := e.upload(t, imports.Upload{}, list(200))
	e.exec(t, `UPDATE import SET status = 'uploading' WHERE id = $1`, dead.ID)
	lost, _ := e.upload(t, imports.Upload{}, list(300))

	if n, err := e.imports.PruneUploads(t.Context()); n != 0 || err != nil {
		t.Errorf("PruneUploads within the hour: got %d, %v, want 0", n, err)
	}
	e.imports.Now = func() time.Time { return now.Add(7 * time.Hour) }
	if n, err := e.imports.PruneUploads(t.Context()); n != 1 || err != nil {
		t.Errorf("PruneUploads: got %d, %v, want 1", n, err)
	}
	e.same(t, 0, `SELECT count(*) FROM import_row WHERE import_id = $1`, dead.ID)
	if n, err := e.imports.AbandonSilent(t.Context()); n != 1 || err != nil {
		t.Errorf("AbandonSilent: got %d, %v, want 1", n, err)
	}
	if got := e.get(t, lost.ID).State(); got != imports.Failed {
		t.Errorf("silent import: got %s, want failed", got)
	}
	if n, err := e.imports.PruneRows(t.Context(), e.company, now.Add(time.Minute)); n != 1 || err != nil {
		t.Errorf("PruneRows: got %d, %v, want 1", n, err)
	}
	e.same(t, 300, `SELECT count(*) FROM import_row`)
	e.same(t, 100, `SELECT rows_total FROM import WHERE id = $1`, finished.ID)
}

func TestList(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	var want []uuid.UUID
	for i := range 5 {
		imp, _ := e.upload(t, imports.Upload{}, list(i+1))
		want = append([]uuid.UUID{imp.ID}, want...)
	}
	e.apply(t, want[4])
	page, err := e.imports.List(t.Context(), e.company, nil, nil, 3)
	if err != nil || len(page) != 3 || page[0].ID != want[0] {
		t.Fatalf("List: got %d imports, %v, want the newest 3", len(page), err)
	}
	page, err = e.imports.List(t.Context(), e.company, &page[2].ID, nil, 3)
	if err != nil || len(page) != 2 || page[0].ID != want[3] {
		t.Errorf("List: got %d imports, %v, want the other 2", len(page), err)
	}
	page, err = e.imports.List(t.Context(), e.company, nil, new(imports.Finished), 3)
	if err != nil || len(page) != 1 || page[0].ID != want[4] {
		t.Errorf("List of finished ones: got %d imports, %v, want 1", len(page), err)
	}
}
