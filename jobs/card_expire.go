package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"sello/loyalty/ledger"
)

// CardExpire works [ledger.CardExpire].
type CardExpire struct {
	river.WorkerDefaults[ledger.CardExpire]
	sliced
}

// Work disables the company's cards whose last day is over.
func (w *CardExpire) Work(ctx context.Context, job *river.Job[ledger.CardExpire]) error {
	if err := w.early(ctx, job.Args.CompanyID, job.Args.Day); err != nil {
		return err
	}
	did, err := w.Ledger.CardExpire(ctx, job.Args.CompanyID, w.pace())
	return sliceEnd(ctx, did, did.Done, err)
}
