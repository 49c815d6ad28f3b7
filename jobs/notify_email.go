package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"sello/loyalty/notify"
)

// notifyTimeout bounds one attempt: connecting, the exchange and the note of it.
const notifyTimeout = 45 * time.Second

// NotifyEmail works [notify.Email].
type NotifyEmail struct {
	river.WorkerDefaults[notify.Email]

	Notify *notify.Service
}

// Timeout bounds one attempt.
func (*NotifyEmail) Timeout(*river.Job[notify.Email]) time.Duration { return notifyTimeout }

// Work sends the message. What it told is not undone by a failure; the last one
// stays visible on the message (design.md 5).
func (w *NotifyEmail) Work(ctx context.Context, job *river.Job[notify.Email]) error {
	err := w.Notify.Send(ctx, job.Args.CompanyID, job.Args.NotificationID)
	if err == nil {
		return nil
	}
	if errors.Is(ctx.Err(), context.Canceled) && !errors.Is(context.Cause(ctx), river.ErrJobCancelledRemotely) {
		return river.JobSnooze(0) // the process stops
	}
	_, permanent := errors.AsType[*notify.PermanentError](err)
	if permanent || job.Attempt >= job.MaxAttempts || errors.Is(context.Cause(ctx), river.ErrJobCancelledRemotely) {
		err = errors.Join(err, w.Notify.GiveUp(context.WithoutCancel(ctx), job.Args.CompanyID, job.Args.NotificationID, err))
	}
	if permanent {
		return river.JobCancel(err)
	}
	return err
}
