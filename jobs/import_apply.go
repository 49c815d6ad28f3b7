package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"sello/loyalty/imports"
)

// ImportApply works [imports.Apply]: chunk after chunk, for a slice of time.
type ImportApply struct {
	river.WorkerDefaults[imports.Apply]

	Imports *imports.Service
	// Stopping is closed when the process is about to stop: the import then
	// gives way after its chunk instead of being cut off. Nil: never.
	Stopping <-chan struct{}
	// Slice is workSlice if zero.
	Slice time.Duration
}

// NextRetry waits a little.
func (*ImportApply) NextRetry(job *river.Job[imports.Apply]) time.Time { return soon(job.Attempt) }

// Work takes the import further. A run that is not the last one ends asleep for
// no time at all, which River counts as no attempt.
func (w *ImportApply) Work(ctx context.Context, job *river.Job[imports.Apply]) error {
	done, err := inSteps(ctx, w.Slice, w.Stopping, func() (bool, error) {
		return w.Imports.ApplyStep(ctx, job.Args.CompanyID, job.Args.ImportID)
	})
	if err != nil {
		return w.interrupted(ctx, job, err)
	}
	if err := w.record(ctx, job); err != nil || done {
		return err
	}
	return river.JobSnooze(0)
}

// interrupted tells the ends of a run apart: an operator cancelled the job, the
// process stops, or something is wrong, for the last time perhaps.
func (w *ImportApply) interrupted(ctx context.Context, job *river.Job[imports.Apply], err error) error {
	after := context.WithoutCancel(ctx)
	switch {
	case errors.Is(context.Cause(ctx), river.ErrJobCancelledRemotely):
		return errors.Join(err, w.Imports.CancelByJob(after, job.Args.CompanyID, job.Args.ImportID))
	case errors.Is(ctx.Err(), context.Canceled):
		return river.JobSnooze(0)
	case job.Attempt >= job.MaxAttempts:
		return errors.Join(err, w.Imports.Abandon(after, job.Args.CompanyID, job.Args.ImportID))
	default:
		return err
	}
}

// record shows operators how far the import is.
func (w *ImportApply) record(ctx context.Context, job *river.Job[imports.Apply]) error {
	imp, err := w.Imports.Get(context.WithoutCancel(ctx), job.Args.CompanyID, job.Args.ImportID)
	if err != nil {
		return err
	}
	err = river.RecordOutput(ctx, map[string]any{
		"status": imp.Status, "rows_total": imp.RowsTotal, "rows_applied": imp.RowsApplied, "rows_failed": imp.RowsFailed,
	})
	if err != nil {
		return fmt.Errorf("record an import's progress: %w", err)
	}
	return nil
}
