package report

import (
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// Queues of the jobs: counting is short and often, a check of the books is long.
const (
	CountQueue = "flatten"
	CheckQueue = "default"
)

// Count is the job that brings a company's figures up to date, and rebuilds them
// where that is due.
type Count struct {
	CompanyID uuid.UUID `json:"company_id" river:"unique"`
}

// Kind is the job's name in River.
func (Count) Kind() string { return "report_count" }

// InsertOpts makes the job unique per company until it has ended: one run at a
// time, and each minute a new one.
func (Count) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: CountQueue, MaxAttempts: 8, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateRetryable, rivertype.JobStateScheduled,
	}}}
}

// Plan is the job that plans each company's Count, once a minute, and gives up
// checks whose job was lost.
type Plan struct{}

// Kind is the job's name in River.
func (Plan) Kind() string { return "report_plan" }

// InsertOpts makes the job unique per minute. It is not tried again: the next
// minute has a job of its own.
func (Plan) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: CountQueue, MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByPeriod: time.Minute}}
}

// Check is the job that proves a company's books.
type Check struct {
	CompanyID uuid.UUID `json:"company_id" river:"unique"`
	CheckID   uuid.UUID `json:"check_id" river:"unique"`
}

// Kind is the job's name in River.
func (Check) Kind() string { return "ledger_check" }

// CheckTimeout is the longest that one run of a check takes. A killed worker's
// check begins again after it.
const CheckTimeout = 15 * time.Minute

// InsertOpts makes the job unique per check.
func (Check) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: CheckQueue, MaxAttempts: 3, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}
