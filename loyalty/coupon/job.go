package coupon

import (
	"github.com/google/uuid"
	"github.com/riverqueue/river"
)

// Queue is where batches of coupons are made; ExpiryQueue is where coupons expire.
const (
	Queue       = "coupons"
	ExpiryQueue = "expiry"
)

// MakeBatch is the job that makes the coupons of a batch. It is put to sleep and
// goes on until the batch is in a final state.
type MakeBatch struct {
	CompanyID uuid.UUID `json:"company_id" river:"unique"`
	BatchID   uuid.UUID `json:"batch_id" river:"unique"`
	// Step is the batch's progress_seq when it was queued: it tells the job of a
	// batch that is queued again from the one before.
	Step int64 `json:"step" river:"unique"`
}

// makeAttempts is how often a batch is tried before it is given up. A chunk that
// succeeds does not count.
const makeAttempts = 25

// Kind is the job's name in River.
func (MakeBatch) Kind() string { return "coupon_batch_make" }

// InsertOpts makes the job unique per batch and queueing.
func (MakeBatch) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: Queue, MaxAttempts: makeAttempts, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

// ExpireDay is the job that ends a company's coupons whose last day has passed.
type ExpireDay struct {
	CompanyID uuid.UUID `json:"company_id" river:"unique"`
	// Day is the company's business day (2026-11-21), the first on which they are
	// not valid any more. It is part of the identity because River's own periods
	// are UTC.
	Day string `json:"day" river:"unique"`
}

// expireAttempts keeps a failing job within its day: the next day's does its work
// too.
const expireAttempts = 8

// Kind is the job's name in River.
func (ExpireDay) Kind() string { return "coupon_expire" }

// InsertOpts makes the job unique per company and day.
func (ExpireDay) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: ExpiryQueue, MaxAttempts: expireAttempts, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}
