package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/riverqueue/river"

	"sello/loyalty/notify"
	"sello/loyalty/upkeep"
)

// Prune works [upkeep.Prune].
type Prune struct {
	river.WorkerDefaults[upkeep.Prune]

	Upkeep *upkeep.Service
}

// Work prunes one company.
func (w *Prune) Work(ctx context.Context, job *river.Job[upkeep.Prune]) error {
	pruned, err := w.Upkeep.Prune(ctx, job.Args.CompanyID)
	if err != nil {
		return err
	}
	return output(ctx, pruned)
}

// UpkeepPlan works [upkeep.Plan].
type UpkeepPlan struct {
	river.WorkerDefaults[upkeep.Plan]

	Upkeep *upkeep.Service
}

// Work enqueues what is due.
func (w *UpkeepPlan) Work(ctx context.Context, _ *river.Job[upkeep.Plan]) error {
	planned, err := w.Upkeep.Plan(ctx)
	if err != nil {
		return err
	}
	return output(ctx, map[string]int{"planned": planned})
}

// UpkeepSweep works [upkeep.Sweep].
type UpkeepSweep struct {
	river.WorkerDefaults[upkeep.Sweep]

	Upkeep *upkeep.Service
	Notify *notify.Service
}

// Work looks after what killed processes left, and messages that nobody sends.
func (w *UpkeepSweep) Work(ctx context.Context, _ *river.Job[upkeep.Sweep]) error {
	swept, err := w.Upkeep.Sweep(ctx)
	messages, overdue := w.Notify.Overdue(ctx)
	if err := errors.Join(err, overdue); err != nil {
		return err
	}
	return output(ctx, struct {
		upkeep.Swept
		// Messages counts those that were given up, and paid back where they were paid.
		Messages int `json:"messages"`
	}{swept, messages})
}

// output shows operators what a job did.
func output(ctx context.Context, done any) error {
	if err := river.RecordOutput(ctx, done); err != nil {
		return fmt.Errorf("record what a job did: %w", err)
	}
	return nil
}
