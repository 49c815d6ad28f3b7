package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"sello/loyalty/imports"
)

const (
	// importSlice is how long one run of the job works before it goes to the end
	// of its queue: shorter than the job's time-out by more than one chunk takes,
	// so that a killed worker's job is known as stuck within a minute.
	importSlice = 20 * time.Second
	// importBackoffMax keeps the attempts of a failing import minutes apart from its
	// end, and a killed worker's import from waiting.
	importBackoffMax = 20 * time.Second
)

// ImportApply works [imports.Apply]: chunk after chunk, for a slice of time.
type ImportApply struct {
	river.WorkerDefaults[imports.Apply]

	Imports *imports.Service
	// Stopping is closed when the process is about to stop: the import then
	// gives way after its chunk instead of being cut off. Nil: never.
	Stopping <-chan struct{}
	// Slice is importSlice if zero.
	Slice time.Duration
}

// NextRetry waits 1, 2, 4 … s, at most importBackoffMax. It stays short, since a
// job whose worker was killed comes this way too and has done nothing wrong.
func (*ImportApply) NextRetry(job *river.Job[imports.Apply]) time.Time {
	wait := time.Second << min(max(job.Attempt, 1)-1, 10)
	return time.Now().Add(min(wait, importBackoffMax))
}

// Work takes the import further. A run that is not the last one ends asleep for
// no time at all, which River counts as no attempt.
func (w *ImportApply) Work(ctx context.Context, job *river.Job[imports.Apply]) error {
	slice := w.Slice
	if slice == 0 {
		slice = importSlice
	}
	until := time.Now().Add(slice)
	for {
		done, err := w.Imports.ApplyStep(ctx, job.Args.CompanyID, job.Args.ImportID)
		switch {
		case err != nil:
			return w.interrupted(ctx, job, err)
		case done:
			return w.record(ctx, job)
		case ctx.Err() != nil:
			return w.interrupted(ctx, job, ctx.Err())
		case w.stopping() || time.Now().After(until):
			if err := w.record(ctx, job); err != nil {
				return err
			}
			return river.JobSnooze(0)
		}
	}
}

func (w *ImportApply) stopping() bool {
	select {
	case <-w.Stopping:
		return true
	default:
		return false
	}
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
