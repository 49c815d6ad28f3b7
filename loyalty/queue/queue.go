// Package queue lets operators see and steer background work: jobs and queues
// (design.md 5). A company's operators see the company's jobs, platform
// operators those of all.
package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// River is what steering takes of River's client.
type River interface {
	JobRetry(ctx context.Context, id int64) (*rivertype.JobRow, error)
	JobCancel(ctx context.Context, id int64) (*rivertype.JobRow, error)
	QueuePause(ctx context.Context, name string, opts *river.QueuePauseOpts) error
	QueueResume(ctx context.Context, name string, opts *river.QueuePauseOpts) error
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error)
}

// Maker makes the arguments of a job that somebody asked for. asked tells it from
// those of the schedule.
type Maker func(company uuid.UUID, asked string) river.JobArgs

// Service runs the operators' operations on jobs and queues.
type Service struct {
	DB    *db.Store
	River River
	// Now is the clock.
	Now func() time.Time
	// OnCancel tells the owner of a kind that a job of it was cancelled: one that
	// waited never runs, so its worker cannot.
	OnCancel map[string]func(ctx context.Context, args []byte) error
	// Asked are the kinds that can be run beside their schedule.
	Asked map[string]Maker
}

// State is where a job stands, in River's words.
type State string

// The states of a job.
const (
	Available State = "available"
	Cancelled State = "cancelled"
	Completed State = "completed"
	Discarded State = "discarded"
	Pending   State = "pending"
	Retryable State = "retryable"
	Running   State = "running"
	Scheduled State = "scheduled"
)

// Job is a piece of background work, without its arguments.
type Job struct{ db.Job }

// GlobalID is the job's opaque id.
func (j *Job) GlobalID() string { return loyalty.GlobalID("Job", strconv.FormatInt(j.ID, 10)) }

// Standing is where the job stands.
func (j *Job) Standing() State { return State(j.State) }

// Queue is what waits in one queue.
type Queue struct {
	db.QueueFigures
	now time.Time
}

// OldestAgeSeconds is how long the oldest ready job has waited; nil when none does.
func (q *Queue) OldestAgeSeconds() *int {
	if q.OldestAt == nil {
		return nil
	}
	return new(max(0, int(q.now.Sub(*q.OldestAt)/time.Second)))
}

// whose is the company whose jobs a principal sees, nil for all.
func whose(who auth.Principal) *uuid.UUID {
	if who.Has(auth.Platform) {
		return nil
	}
	return &who.CompanyID
}

// Filter picks jobs: nil picks all.
type Filter struct {
	State *State
	Kind  *string
	// Before is the id above the page.
	Before *int64
}

// Jobs reads a page of jobs, newest first.
func (s *Service) Jobs(ctx context.Context, who auth.Principal, f Filter, first int) (page []*Job, more bool, err error) {
	rows, err := s.DB.JobsPage(ctx, db.JobsFilter{
		CompanyID: whose(who), State: (*string)(f.State), Kind: f.Kind, Before: f.Before, Limit: first + 1,
	})
	if err != nil {
		return nil, false, err
	}
	if more = len(rows) > first; more {
		rows = rows[:first]
	}
	for _, row := range rows {
		page = append(page, &Job{row})
	}
	return page, more, nil
}

// Job reads one job; nil if the principal sees none of that id.
func (s *Service) Job(ctx context.Context, who auth.Principal, id int64) (*Job, error) {
	row, err := s.DB.JobByID(ctx, whose(who), id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a job: %w", err)
	}
	return &Job{row}, nil
}

// Retry runs a job again, now. It refuses with JOB_NOT_FOUND.
func (s *Service) Retry(ctx context.Context, who auth.Principal, id int64) (*Job, error) {
	return s.steer(ctx, who, id, "job_retry", s.River.JobRetry)
}

// Run enqueues a job of a kind for the principal's company, beside its schedule. It
// refuses with JOB_KIND_NOT_FOUND.
func (s *Service) Run(ctx context.Context, who auth.Principal, kind string) (*Job, error) {
	maker, ok := s.Asked[kind]
	if !ok {
		return nil, loyalty.Refuse(loyalty.CodeJobKindNotFound, "kind")
	}
	asked, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	var id int64
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		inserted, err := s.River.InsertTx(ctx, tx.Conn, maker(who.CompanyID, asked.String()), nil)
		if err != nil {
			return fmt.Errorf("job_run: %w", err)
		}
		id = inserted.Job.ID
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "job_run", "job", uuid.UUID{}, map[string]any{"job": id, "kind": kind})
	})
	if err != nil {
		return nil, err
	}
	return s.Job(ctx, who, id)
}

// Cancel cancels a job; one that runs is asked to stop. It refuses with
// JOB_NOT_FOUND.
func (s *Service) Cancel(ctx context.Context, who auth.Principal, id int64) (*Job, error) {
	job, err := s.steer(ctx, who, id, "job_cancel", s.River.JobCancel)
	if err != nil || job.Standing() != Cancelled {
		return job, err
	}
	if tell, ok := s.OnCancel[job.Kind]; ok {
		if err := tell(ctx, job.Args); err != nil {
			return nil, fmt.Errorf("tell the owner of a cancelled job: %w", err)
		}
	}
	return job, nil
}

func (s *Service) steer(ctx context.Context, who auth.Principal, id int64, action string, do func(context.Context, int64) (*rivertype.JobRow, error)) (*Job, error) {
	job, err := s.Job(ctx, who, id)
	if err != nil {
		return nil, err
	}
	if job == nil {
		return nil, loyalty.Refuse(loyalty.CodeJobNotFound, "id")
	}
	if _, err := do(ctx, id); errors.Is(err, rivertype.ErrNotFound) {
		return nil, loyalty.Refuse(loyalty.CodeJobNotFound, "id")
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", action, err)
	}
	// River's client keeps transactions of its own, so the entry comes after: a
	// crash between the two leaves a job steered without a note.
	if err := auth.Audit(ctx, s.DB.Queries, who, s.Now(), action, "job", uuid.UUID{}, map[string]any{"job": id}); err != nil {
		return nil, err
	}
	return s.Job(ctx, who, id)
}

// Queues reads the figures of all queues, of the jobs that the principal sees.
func (s *Service) Queues(ctx context.Context, who auth.Principal) ([]*Queue, error) {
	now := s.Now()
	rows, err := s.DB.QueuesFigures(ctx, whose(who), now)
	if err != nil {
		return nil, err
	}
	queues := make([]*Queue, len(rows))
	for i, row := range rows {
		queues[i] = &Queue{QueueFigures: row, now: now}
	}
	return queues, nil
}

// Pause stops workers from taking up jobs of a queue. It refuses with
// QUEUE_NOT_FOUND.
func (s *Service) Pause(ctx context.Context, who auth.Principal, name string) (*Queue, error) {
	return s.switchQueue(ctx, who, name, "queue_pause", s.River.QueuePause)
}

// Resume lets workers take up jobs of a queue again. It refuses with
// QUEUE_NOT_FOUND.
func (s *Service) Resume(ctx context.Context, who auth.Principal, name string) (*Queue, error) {
	return s.switchQueue(ctx, who, name, "queue_resume", s.River.QueueResume)
}

func (s *Service) switchQueue(ctx context.Context, who auth.Principal, name, action string, do func(context.Context, string, *river.QueuePauseOpts) error) (*Queue, error) {
	if name == "*" { // River's word for all queues
		return nil, loyalty.Refuse(loyalty.CodeQueueNotFound, "name")
	}
	if err := do(ctx, name, nil); errors.Is(err, rivertype.ErrNotFound) {
		return nil, loyalty.Refuse(loyalty.CodeQueueNotFound, "name")
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", action, err)
	}
	if err := auth.Audit(ctx, s.DB.Queries, who, s.Now(), action, "queue", uuid.UUID{}, map[string]any{"queue": name}); err != nil {
		return nil, err
	}
	queues, err := s.Queues(ctx, who)
	if err != nil {
		return nil, err
	}
	for _, q := range queues {
		if q.Name == name {
			return q, nil
		}
	}
	return nil, loyalty.Refuse(loyalty.CodeQueueNotFound, "name")
}

// JobError is what went wrong in one attempt of a job.
type JobError struct {
	Attempt int
	At      time.Time
	// Message is the error's text; jobs keep personal data out of it.
	Message string
}

// Errors are those of the job's attempts, oldest first.
func (j *Job) Errors() []*JobError {
	all := make([]*JobError, len(j.Job.Errors))
	for i, e := range j.Job.Errors {
		all[i] = &JobError{Attempt: e.Attempt, At: e.At, Message: e.Error}
	}
	return all
}
