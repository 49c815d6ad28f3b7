package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"sello/loyalty/coupon"
)

// CouponExpire works [coupon.ExpireDay]: batch after batch, for a slice of time.
type CouponExpire struct {
	river.WorkerDefaults[coupon.ExpireDay]

	Coupons *coupon.Service
	// Stopping is closed when the process is about to stop. Nil: never.
	Stopping <-chan struct{}
	// Slice is workSlice if zero.
	Slice time.Duration
}

// NextRetry waits a little.
func (*CouponExpire) NextRetry(job *river.Job[coupon.ExpireDay]) time.Time { return soon(job.Attempt) }

// Work ends what is due.
func (w *CouponExpire) Work(ctx context.Context, job *river.Job[coupon.ExpireDay]) error {
	day, err := time.Parse(time.DateOnly, job.Args.Day)
	if err != nil {
		return river.JobCancel(err) // no retry can mend the arguments
	}
	var expired int64
	done, err := inSteps(ctx, w.Slice, w.Stopping, func() (bool, error) {
		n, done, err := w.Coupons.ExpireStep(ctx, job.Args.CompanyID, day)
		expired += n
		return done, err
	})
	if err != nil {
		return err
	}
	if err := output(ctx, map[string]int64{"expired": expired}); err != nil || done {
		return err
	}
	return river.JobSnooze(0)
}
