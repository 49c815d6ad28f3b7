package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

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
	return sent(ctx, w.Notify, job.JobRow, job.Args.CompanyID, job.Args.NotificationID)
}

// sent sends a message of any channel and tells River what comes next.
func sent(ctx context.Context, service *notify.Service, job *rivertype.JobRow, company, id uuid.UUID) error {
	err := service.Send(ctx, company, id)
	if err == nil {
		return nil
	}
	if errors.Is(ctx.Err(), context.Canceled) && !errors.Is(context.Cause(ctx), river.ErrJobCancelledRemotely) {
		return river.JobSnooze(0) // the process stops
	}
	_, permanent := errors.AsType[*notify.PermanentError](err)
	if permanent || job.Attempt >= job.MaxAttempts || errors.Is(context.Cause(ctx), river.ErrJobCancelledRemotely) {
		err = errors.Join(err, service.GiveUp(context.WithoutCancel(ctx), company, id, err))
	}
	if permanent {
		return river.JobCancel(err)
	}
	return err
}
