package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"sello/loyalty/webhook"
)

const (
	// webhookSlice is how long one run serves a webhook before it goes to the end of
	// its queue; what is under way then, and the notes of it, fit into the time-out.
	webhookSlice = 20 * time.Second
	// webhookLinger is how long a run waits for more, so that a steady trickle of
	// events is one job and not two a second.
	webhookLinger = time.Second
)

// WebhookDeliver works [webhook.Send].
type WebhookDeliver struct {
	river.WorkerDefaults[webhook.Send]

	Webhooks *webhook.Service
	// Stopping is closed when the process is about to stop. Nil: never.
	Stopping <-chan struct{}
	// Slice is webhookSlice if zero.
	Slice time.Duration
}

// NextRetry is soon: what failed is ours, receivers are tried again by themselves.
func (*WebhookDeliver) NextRetry(job *river.Job[webhook.Send]) time.Time {
	return time.Now().Add(time.Second << min(max(job.Attempt, 1), 5))
}

// Work serves a webhook. A run that gives way ends asleep for no time at all,
// which River counts as no attempt.
func (w *WebhookDeliver) Work(ctx context.Context, job *river.Job[webhook.Send]) error {
	slice := w.Slice
	if slice == 0 {
		slice = webhookSlice
	}
	done, err := w.Webhooks.Deliver(ctx, job.Args.CompanyID, job.Args.WebhookID, webhook.Run{
		Slice: slice, Linger: webhookLinger, Stopping: w.Stopping,
	})
	if errors.Is(context.Cause(ctx), river.ErrJobCancelledRemotely) {
		return river.JobCancel(errors.Join(err, river.ErrJobCancelledRemotely))
	}
	if err != nil {
		return err
	}
	if err := output(ctx, done); err != nil {
		return err
	}
	if done.More {
		return river.JobSnooze(0)
	}
	return nil
}

// WebhookPlan works [webhook.Plan].
type WebhookPlan struct {
	river.WorkerDefaults[webhook.Plan]

	Webhooks *webhook.Service
}

// Work enqueues what is due.
func (w *WebhookPlan) Work(ctx context.Context, _ *river.Job[webhook.Plan]) error {
	planned, err := w.Webhooks.Plan(ctx)
	if err != nil {
		return err
	}
	return output(ctx, map[string]int{"planned": planned})
}
