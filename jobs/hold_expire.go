package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"sello/loyalty/ledger"
)

// HoldExpire works [ledger.HoldExpire].
type HoldExpire struct {
	river.WorkerDefaults[ledger.HoldExpire]
	sliced
}

// Work releases holds whose time is up.
func (w *HoldExpire) Work(ctx context.Context, job *river.Job[ledger.HoldExpire]) error {
	did, err := w.Ledger.HoldExpire(ctx, job.Args.CompanyID, w.pace())
	return sliceEnd(ctx, did, did.Done, err)
}
