package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"sello/loyalty/ledger"
)

// ExpiryNotice works [ledger.ExpiryNotice].
type ExpiryNotice struct {
	river.WorkerDefaults[ledger.ExpiryNotice]
	sliced
}

// Work tells the company's customers what ends soon.
func (w *ExpiryNotice) Work(ctx context.Context, job *river.Job[ledger.ExpiryNotice]) error {
	if err := w.early(ctx, job.Args.CompanyID, job.Args.Day); err != nil {
		return err
	}
	did, err := w.Ledger.ExpiryNotices(ctx, job.Args.CompanyID, w.pace())
	return sliceEnd(ctx, did, did.Done, err)
}
