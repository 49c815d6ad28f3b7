package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"sello/loyalty/ledger"
)

// PointsExpire works [ledger.PointsExpire].
type PointsExpire struct {
	river.WorkerDefaults[ledger.PointsExpire]
	sliced
}

// Work ends the company's points whose last day is over.
func (w *PointsExpire) Work(ctx context.Context, job *river.Job[ledger.PointsExpire]) error {
	if err := w.early(ctx, job.Args.CompanyID, job.Args.Day); err != nil {
		return err
	}
	did, err := w.Ledger.PointsExpire(ctx, job.Args.CompanyID, w.pace())
	return sliceEnd(ctx, did, did.Done, err)
}
