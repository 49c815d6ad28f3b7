package upkeep

import (
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
)

// Queue is where upkeep runs.
const Queue = "default"

// attempts keeps a failing job within its day: it comes again the next one.
const attempts = 8

// Prune is the job that prunes one company for one day.
type Prune struct {
	CompanyID uuid.UUID `json:"company_id" river:"unique"`
	// Day is the company's business day (2026-11-21). It is part of the identity
	// because River's own periods are UTC.
	Day string `json:"day" river:"unique"`
}

// Kind is the job's name in River.
func (Prune) Kind() string { return "prune" }

// InsertOpts makes the job unique per company and day.
func (Prune) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: Queue, MaxAttempts: attempts, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

// Plan is the job that plans each company's day, once an hour.
type Plan struct{}

// Kind is the job's name in River.
func (Plan) Kind() string { return "upkeep_plan" }

// InsertOpts makes the job unique per hour, so that a leader that starts, or
// several in a row, plan once.
func (Plan) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: Queue, MaxAttempts: attempts, UniqueOpts: river.UniqueOpts{ByPeriod: time.Hour}}
}

// Sweep is the job that looks after what killed processes left, once a minute.
type Sweep struct{}

// Kind is the job's name in River.
func (Sweep) Kind() string { return "upkeep" }

// InsertOpts makes the job unique per minute. It is not tried again: the next
// minute has a job of its own.
func (Sweep) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: Queue, MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByPeriod: time.Minute}}
}
