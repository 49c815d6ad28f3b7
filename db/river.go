package db

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// River's own tables are not in our migrations, so sqlc cannot compile what reads
// them. A job belongs to the company that its arguments name.

// QueueFigures are what waits in one queue.
type QueueFigures struct {
	Name                                                string
	Available, Running, Retryable, Scheduled, Discarded int64
	CompletedLastMinute                                 int64
	// OldestAt is when the oldest ready job became ready.
	OldestAt *time.Time
	PausedAt *time.Time
}

// QueuesFigures reads the figures of all queues: of one company's jobs, or of all
// companies' where company is nil.
func (s *Store) QueuesFigures(ctx context.Context, company *uuid.UUID, now time.Time) ([]QueueFigures, error) {
	// Completed jobs are found by their index on (state, finalized_at); the states
	// that wait are few.
	rows, err := s.Pool.Query(ctx, `
		WITH waiting AS (
		    SELECT queue, state, scheduled_at, finalized_at FROM river_job
		    WHERE state IN ('available', 'running', 'retryable', 'scheduled', 'discarded')
		      AND ($1::uuid IS NULL OR args ->> 'company_id' = $1::uuid::text)
		    UNION ALL
		    SELECT queue, state, scheduled_at, finalized_at FROM river_job
		    WHERE state = 'completed' AND finalized_at > $2::timestamptz - interval '1 minute'
		      AND ($1::uuid IS NULL OR args ->> 'company_id' = $1::uuid::text)
		)
		SELECT river_queue.name,
		       count(*) FILTER (WHERE waiting.state = 'available'),
		       count(*) FILTER (WHERE waiting.state = 'running'),
		       count(*) FILTER (WHERE waiting.state = 'retryable'),
		       count(*) FILTER (WHERE waiting.state = 'scheduled'),
		       count(*) FILTER (WHERE waiting.state = 'discarded'),
		       count(*) FILTER (WHERE waiting.state = 'completed'),
		       min(waiting.scheduled_at) FILTER (WHERE waiting.state = 'available'),
		       river_queue.paused_at
		FROM river_queue
		LEFT JOIN waiting ON waiting.queue = river_queue.name
		GROUP BY river_queue.name, river_queue.paused_at
		ORDER BY river_queue.name`, company, now)
	if err != nil {
		return nil, fmt.Errorf("read the queues' figures: %w", err)
	}
	figures, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (QueueFigures, error) {
		var f QueueFigures
		err := row.Scan(&f.Name, &f.Available, &f.Running, &f.Retryable, &f.Scheduled, &f.Discarded,
			&f.CompletedLastMinute, &f.OldestAt, &f.PausedAt)
		return f, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the queues' figures: %w", err)
	}
	return figures, nil
}

// JobError is what went wrong in one attempt of a job.
type JobError struct {
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
	Error   string    `json:"error"`
}

// Job is one row of River's queue. Args are not for showing.
type Job struct {
	Args                   []byte
	ID                     int64
	Kind, Queue, State     string
	Attempt, MaxAttempts   int16
	Errors                 []JobError
	CreatedAt, ScheduledAt time.Time
	AttemptedAt            *time.Time
	FinalizedAt            *time.Time
}

const jobColumns = `id, kind, queue, state::text, attempt, max_attempts, errors, created_at, scheduled_at, attempted_at, finalized_at, args`

func scanJob(row pgx.CollectableRow) (Job, error) {
	var j Job
	err := row.Scan(&j.ID, &j.Kind, &j.Queue, &j.State, &j.Attempt, &j.MaxAttempts, &j.Errors,
		&j.CreatedAt, &j.ScheduledAt, &j.AttemptedAt, &j.FinalizedAt, &j.Args)
	return j, err
}

// JobsFilter picks jobs: nil picks all.
type JobsFilter struct {
	CompanyID   *uuid.UUID
	State, Kind *string
	// Before is the id above the page.
	Before *int64
	Limit  int
}

// JobsPage reads jobs, newest first.
func (s *Store) JobsPage(ctx context.Context, f JobsFilter) ([]Job, error) {
	rows, err := s.Pool.Query(ctx, `SELECT `+jobColumns+`
		FROM river_job
		WHERE ($1::uuid IS NULL OR args ->> 'company_id' = $1::uuid::text)
		  AND ($2::text IS NULL OR state = $2::text::river_job_state)
		  AND ($3::text IS NULL OR kind = $3)
		  AND ($4::bigint IS NULL OR id < $4)
		ORDER BY id DESC
		LIMIT $5`, f.CompanyID, f.State, f.Kind, f.Before, f.Limit)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	jobs, err := pgx.CollectRows(rows, scanJob)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	return jobs, nil
}

// JobByID reads one job, of a company or of any; pgx.ErrNoRows if there is none.
func (s *Store) JobByID(ctx context.Context, company *uuid.UUID, id int64) (Job, error) {
	rows, err := s.Pool.Query(ctx, `SELECT `+jobColumns+`
		FROM river_job
		WHERE id = $2 AND ($1::uuid IS NULL OR args ->> 'company_id' = $1::uuid::text)`, company, id)
	if err != nil {
		return Job{}, fmt.Errorf("read a job: %w", err)
	}
	return pgx.CollectExactlyOneRow(rows, scanJob)
}

// Message names a message of a company.
type Message struct{ CompanyID, ID uuid.UUID }

// MessagesCancelled finds queued messages whose newest job of the kinds was cancelled
// since a moment: of one company, or of all where company is nil.
func (s *Store) MessagesCancelled(ctx context.Context, company *uuid.UUID, kinds []string, since time.Time, limit int) ([]Message, error) {
	rows, err := s.Pool.Query(ctx, `
		SELECT notification.company_id, notification.id
		FROM (SELECT id, kind, args, (args ->> 'company_id')::uuid AS company_id, (args ->> 'notification_id')::uuid AS notification_id
		      FROM river_job
		      WHERE state = 'cancelled' AND finalized_at > $3 AND kind = ANY($2)
		        AND ($1::uuid IS NULL OR args ->> 'company_id' = $1::uuid::text)) AS cancelled
		JOIN notification ON notification.company_id = cancelled.company_id AND notification.id = cancelled.notification_id
		WHERE notification.status = 'queued'
		  AND NOT EXISTS (SELECT FROM river_job AS newer
		                  WHERE newer.id > cancelled.id AND newer.kind = cancelled.kind AND newer.args @> cancelled.args
		                    AND ($1::uuid IS NULL OR newer.args ->> 'company_id' = $1::uuid::text))
		ORDER BY cancelled.id
		LIMIT $4`, company, kinds, since, limit)
	if err != nil {
		return nil, fmt.Errorf("look for messages whose job was cancelled: %w", err)
	}
	messages, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Message])
	if err != nil {
		return nil, fmt.Errorf("look for messages whose job was cancelled: %w", err)
	}
	return messages, nil
}
