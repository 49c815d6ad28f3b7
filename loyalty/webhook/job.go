package webhook

import (
	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// Queue is where webhooks are served. It is not that of mails: a receiver that
// takes its time would hold them up.
const Queue = "webhooks"

// Send is the job that serves one webhook until nothing is left to do for it.
type Send struct {
	CompanyID uuid.UUID `json:"company_id" river:"unique"`
	WebhookID uuid.UUID `json:"webhook_id" river:"unique"`
}

// Kind is the job's name in River.
func (Send) Kind() string { return "webhook_deliver" }

// InsertOpts makes the job unique per webhook among those that may still run. It
// is tried a few times only: what it looks after is in our own tables, and the next
// look enqueues it again.
func (Send) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: Queue, MaxAttempts: 3, UniqueOpts: river.UniqueOpts{
		ByArgs: true,
		ByState: []rivertype.JobState{
			rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
			rivertype.JobStateRunning, rivertype.JobStateScheduled,
		},
	}}
}

// Plan is the job that enqueues a Send for each webhook that has work, once a
// minute: what Watch does all the time, where Watch does not run.
type Plan struct{}

// Kind is the job's name in River.
func (Plan) Kind() string { return "webhook_plan" }

// InsertOpts lets one wait or run at a time. It is not tried again: the next
// minute has a job of its own.
func (Plan) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: Queue, MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning,
		rivertype.JobStateRetryable, rivertype.JobStateScheduled,
	}}}
}
