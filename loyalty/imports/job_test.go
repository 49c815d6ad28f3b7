package imports_test

import (
	"context"
	"errors"
	"testing"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"sello/jobs"
	"sello/loyalty/imports"
)

// job is a run of the job of an import, outside River.
func (e *env) job(imp *imports.Import, attempt int) (*jobs.ImportApply, *river.Job[imports.Apply]) {
	return &jobs.ImportApply{Imports: e.imports}, &river.Job[imports.Apply]{
		JobRow: &rivertype.JobRow{Attempt: attempt, MaxAttempts: 8, Metadata: []byte(`{}`)},
		Args:   imports.Apply{CompanyID: e.company, ImportID: imp.ID, Pass: imp.Pass, Step: imp.ProgressSeq},
	}
}

// TestLastAttempt breaks the ledger: the job is tried again, and after its last
// attempt the import is failed, told by mail, and goes on when the ledger does.
func TestLastAttempt(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.imports.ChunkRows = 100
	imp, _ := e.upload(t, imports.Upload{}, list(500))
	for range 3 { // start, check, one chunk
		if _, err := e.imports.ApplyStep(t.Context(), e.company, imp.ID); err != nil {
			t.Fatal(err)
		}
	}
	e.exec(t, `ALTER TABLE movement ADD CONSTRAINT broken CHECK (import_line < 150)`)

	worker, job := e.job(imp, 7)
	if err := worker.Work(t.Context(), job); err == nil {
		t.Error("Work, last attempt but one: want an error")
	}
	e.same(t, "running", `SELECT status FROM import`)
	worker, job = e.job(imp, 8)
	if err := worker.Work(t.Context(), job); err == nil {
		t.Error("Work, last attempt: want an error")
	}
	e.same(t, "failed", `SELECT status FROM import`)
	e.same(t, 100, `SELECT rows_applied + rows_failed FROM import`)
	e.same(t, 1, `SELECT count(*) FROM notification WHERE subject LIKE 'La asignación masiva de puntos no terminó:%'`)
	e.books(t)

	e.exec(t, `ALTER TABLE movement DROP CONSTRAINT broken`)
	e.upload(t, imports.Upload{}, list(500))
	e.work(t)
	e.checkList(t, imp.ID, 500)
}

// TestJobCancelled is the operator's cancel in the job console.
func TestJobCancelled(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	imp, _ := e.upload(t, imports.Upload{}, list(500))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(river.ErrJobCancelledRemotely)
	worker, job := e.job(imp, 1)
	if err := worker.Work(ctx, job); !errors.Is(err, context.Canceled) {
		t.Errorf("Work: got %v, want the cancellation", err)
	}
	e.same(t, "cancelled", `SELECT status FROM import`)
	e.work(t)
	e.same(t, 0, `SELECT rows_applied FROM import`)
}
