package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"sello/loyalty/coupon"
)

// CouponBatchMake works [coupon.MakeBatch]: chunk after chunk, for a slice of time.
type CouponBatchMake struct {
	river.WorkerDefaults[coupon.MakeBatch]

	Coupons *coupon.Service
	// Stopping is closed when the process is about to stop. Nil: never.
	Stopping <-chan struct{}
	// Slice is workSlice if zero.
	Slice time.Duration
}

// NextRetry waits a little.
func (*CouponBatchMake) NextRetry(job *river.Job[coupon.MakeBatch]) time.Time {
	return soon(job.Attempt)
}

// Work takes the batch further.
func (w *CouponBatchMake) Work(ctx context.Context, job *river.Job[coupon.MakeBatch]) error {
	done, err := inSteps(ctx, w.Slice, w.Stopping, func() (bool, error) {
		return w.Coupons.MakeStep(ctx, job.Args.CompanyID, job.Args.BatchID)
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
func (w *CouponBatchMake) interrupted(ctx context.Context, job *river.Job[coupon.MakeBatch], err error) error {
	after := context.WithoutCancel(ctx)
	switch {
	case errors.Is(context.Cause(ctx), river.ErrJobCancelledRemotely):
		return errors.Join(err, w.Coupons.CancelByJob(after, job.Args.CompanyID, job.Args.BatchID))
	case errors.Is(ctx.Err(), context.Canceled):
		return river.JobSnooze(0)
	case job.Attempt >= job.MaxAttempts:
		return errors.Join(err, w.Coupons.BatchAbandon(after, job.Args.CompanyID, job.Args.BatchID))
	default:
		return err
	}
}

// record shows operators how far the batch is.
func (w *CouponBatchMake) record(ctx context.Context, job *river.Job[coupon.MakeBatch]) error {
	b, err := w.Coupons.BatchByID(context.WithoutCancel(ctx), job.Args.CompanyID, job.Args.BatchID)
	if err != nil {
		return fmt.Errorf("record a batch's progress: %w", err)
	}
	return output(ctx, map[string]any{"status": b.Status, "codes_total": b.CodesTotal, "codes_issued": b.CodesIssued})
}
