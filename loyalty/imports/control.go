package imports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Reprocess takes up what an import left: of a finished one the rows that
// failed, in a new pass, where those that the file itself is wrong about stay
// failed; a failed or cancelled one goes on behind its last applied row. It
// refuses with IMPORT_NOT_FOUND, IMPORT_NOT_FINISHED and NOTHING_TO_REPROCESS.
func (s *Service) Reprocess(ctx context.Context, actor auth.Principal, id uuid.UUID) (*Import, error) {
	return s.change(ctx, actor.CompanyID, id, func(tx db.Tx, row db.Import) error {
		pass := row.Pass
		switch {
		case !Status(row.Status).Final():
			return loyalty.Refuse(loyalty.CodeImportNotFinished, "id")
		case stopped(row):
		case Status(row.Status) == Refused || row.RowsFailed == 0:
			return loyalty.Refuse(loyalty.CodeNothingToReprocess, "id")
		default:
			pass++
		}
		return s.queueAgain(ctx, tx, actor, row, pass)
	})
}

// goOn queues a failed or cancelled import again, which continues behind its
// last applied row. Of any other it changes nothing.
func (s *Service) goOn(ctx context.Context, actor auth.Principal, id uuid.UUID) (*Import, error) {
	return s.change(ctx, actor.CompanyID, id, func(tx db.Tx, row db.Import) error {
		if !stopped(row) {
			return nil // somebody else was faster
		}
		return s.queueAgain(ctx, tx, actor, row, row.Pass)
	})
}

// Cancel ends an import between two chunks: what is applied stays applied and
// is counted. It refuses with IMPORT_NOT_FOUND and, of an import that has ended
// already, STATE_CONFLICT.
func (s *Service) Cancel(ctx context.Context, actor auth.Principal, id uuid.UUID) (*Import, error) {
	return s.change(ctx, actor.CompanyID, id, func(tx db.Tx, row db.Import) error {
		if Status(row.Status).Final() {
			return loyalty.Refuse(loyalty.CodeStateConflict, "id")
		}
		if err := s.end(ctx, tx, row, Cancelled); err != nil {
			return err
		}
		return s.audit(ctx, tx.Queries, actor, "import.cancel", row, map[string]any{"rows_applied": row.RowsApplied})
	})
}

// Abandon gives an import up after its last attempt, or when its job is lost:
// it is failed, and the mail says how to go on (spec/pretii.md 4.7). It does
// nothing to one that has ended.
func (s *Service) Abandon(ctx context.Context, company, id uuid.UUID) error {
	_, err := s.change(ctx, company, id, func(tx db.Tx, row db.Import) error {
		if Status(row.Status).Final() {
			return nil
		}
		return s.end(ctx, tx, row, Failed)
	})
	return err
}

// change runs fn on a locked import and answers what became of it.
func (s *Service) change(ctx context.Context, company, id uuid.UUID, fn func(db.Tx, db.Import) error) (*Import, error) {
	var row db.Import
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		locked, err := tx.ImportLock(ctx, company, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return loyalty.Refuse(loyalty.CodeImportNotFound, "id")
		}
		if err != nil {
			return fmt.Errorf("lock an import: %w", err)
		}
		if err := fn(tx, locked); err != nil {
			return err
		}
		if row, err = tx.ImportByID(ctx, company, id); err != nil {
			return fmt.Errorf("read an import: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &Import{row}, nil
}

func (s *Service) queueAgain(ctx context.Context, tx db.Tx, actor auth.Principal, row db.Import, pass int16) error {
	row, err := tx.ImportQueueAgain(ctx, db.ImportQueueAgainParams{CompanyID: row.CompanyID, ID: row.ID, Pass: pass, Now: s.Now()})
	if err != nil {
		return fmt.Errorf("queue an import again: %w", err)
	}
	if err := s.enqueue(ctx, tx, row); err != nil {
		return err
	}
	if err := s.tell(ctx, tx.Queries, row); err != nil {
		return err
	}
	return s.audit(ctx, tx.Queries, actor, "import.reprocess", row, map[string]any{"pass": row.Pass, "rows_failed": row.RowsFailed})
}

// JobCancelled cancels the import of a job that was cancelled before it ran.
func (s *Service) JobCancelled(ctx context.Context, args []byte) error {
	var job Apply
	if err := json.Unmarshal(args, &job); err != nil {
		return fmt.Errorf("read the arguments of a cancelled job: %w", err)
	}
	return s.CancelByJob(ctx, job.CompanyID, job.ImportID)
}

// CancelByJob is what becomes of an import whose job an operator cancels in the
// job console. It does nothing to one that has ended.
func (s *Service) CancelByJob(ctx context.Context, company, id uuid.UUID) error {
	_, err := s.Cancel(ctx, auth.System(company), id)
	if loyalty.CodeOf(err) == loyalty.CodeStateConflict {
		return nil
	}
	return err
}
