package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"sello/loyalty/notify"
)

// NotifySMS works [notify.SMS].
type NotifySMS struct {
	river.WorkerDefaults[notify.SMS]

	Notify *notify.Service
}

// Timeout bounds one attempt.
func (*NotifySMS) Timeout(*river.Job[notify.SMS]) time.Duration { return notifyTimeout }

// Work sends the message. Its price is given back with the last failure.
func (w *NotifySMS) Work(ctx context.Context, job *river.Job[notify.SMS]) error {
	return sent(ctx, w.Notify, job.JobRow, job.Args.CompanyID, job.Args.NotificationID)
}
