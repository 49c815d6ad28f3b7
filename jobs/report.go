package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"sello/loyalty/report"
)

// reportSlice is how long one run counts before it goes to the end of its queue:
// shorter than a job's time-out by more than one step takes.
const reportSlice = 20 * time.Second

// ReportCount works [report.Count]: step after step, for a slice of time.
type ReportCount struct {
	river.WorkerDefaults[report.Count]

	Reports *report.Service
	// Slice is reportSlice if zero.
	Slice time.Duration
}

// Work brings a company's figures up to date.
func (w *ReportCount) Work(ctx context.Context, job *river.Job[report.Count]) error {
	until := time.Now().Add(or(w.Slice, reportSlice))
	for {
		done, err := w.Reports.Step(ctx, job.Args.CompanyID)
		switch {
		case err != nil:
			return err
		case done:
			state, err := w.Reports.State(ctx, job.Args.CompanyID)
			if err != nil {
				return err
			}
			return output(ctx, map[string]any{"complete_to": state.CompleteTo})
		case time.Now().After(until):
			return river.JobSnooze(0)
		}
	}
}

// ReportPlan works [report.Plan].
type ReportPlan struct {
	river.WorkerDefaults[report.Plan]

	Reports *report.Service
}

// Work enqueues what is due.
func (w *ReportPlan) Work(ctx context.Context, _ *river.Job[report.Plan]) error {
	planned, err := w.Reports.Plan(ctx)
	if err != nil {
		return err
	}
	return output(ctx, planned)
}

// LedgerCheck works [report.Check].
type LedgerCheck struct {
	river.WorkerDefaults[report.Check]

	Reports *report.Service
}

// Timeout is the longest that one run takes.
func (*LedgerCheck) Timeout(*river.Job[report.Check]) time.Duration { return report.CheckTimeout }

// Work proves the books. A run that cannot be the last one leaves the check to
// the next; the last, and one that an operator cancels, end it.
func (w *LedgerCheck) Work(ctx context.Context, job *river.Job[report.Check]) error {
	err := w.Reports.CheckRun(ctx, job.Args.CompanyID, job.Args.CheckID)
	if err == nil {
		check, err := w.Reports.Check(ctx, job.Args.CompanyID, job.Args.CheckID)
		if err != nil || check == nil {
			return err
		}
		return output(ctx, map[string]any{"status": check.State(), "findings": check.FindingsCount()})
	}
	status := report.CheckFailed
	switch {
	case errors.Is(context.Cause(ctx), river.ErrJobCancelledRemotely):
		status = report.CheckCancelled
	case errors.Is(ctx.Err(), context.Canceled): // the process stops
		return river.JobSnooze(0)
	case job.Attempt < job.MaxAttempts:
		return err
	}
	return errors.Join(err, w.Reports.CheckAbandon(context.WithoutCancel(ctx), job.Args.CompanyID, job.Args.CheckID, status))
}
