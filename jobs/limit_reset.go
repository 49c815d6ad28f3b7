package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"sello/loyalty/plan"
)

// LimitReset works [plan.LimitReset].
type LimitReset struct {
	river.WorkerDefaults[plan.LimitReset]

	Plans *plan.Service
}

// Work begins the new periods of plans.
func (w *LimitReset) Work(ctx context.Context, _ *river.Job[plan.LimitReset]) error {
	turned, err := w.Plans.Turn(ctx)
	if err != nil {
		return err
	}
	return output(ctx, map[string]int{"turned": turned})
}
