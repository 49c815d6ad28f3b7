package webhook

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"sello/db"
)

// watchEvery is how often Watch looks: what an event waits for at most, before its
// job is enqueued.
const watchEvery = 500 * time.Millisecond

// Watch enqueues the jobs of webhooks that have work, until ctx ends. Every process
// that works the queues runs it; the jobs are unique. There is no NOTIFY and no job
// in the transactions that post: they pay nothing for webhooks.
func (s *Service) Watch(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	away := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		_, err := s.Plan(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !away:
			slog.WarnContext(ctx, "webhooks cannot be looked after, will try again", "error", err)
		case err == nil && away:
			slog.InfoContext(ctx, "webhooks are looked after again")
		}
		away = err != nil
	}
}

// Plan enqueues a job for each webhook that has something to do and has none.
func (s *Service) Plan(ctx context.Context) (planned int, err error) {
	settled, err := s.settled.Look(ctx)
	if err != nil {
		return 0, err
	}
	due, err := s.db.WebhooksDue(ctx, s.now(), settled)
	if err != nil {
		return 0, fmt.Errorf("look for webhooks with work: %w", err)
	}
	params := make([]river.InsertManyParams, 0, len(due))
	for _, w := range due {
		if !s.runs(w.ID) {
			params = append(params, river.InsertManyParams{Args: Send{CompanyID: w.CompanyID, WebhookID: w.ID}})
		}
	}
	if len(params) == 0 {
		return 0, nil
	}
	err = s.db.InTx(ctx, func(tx db.Tx) error {
		planned = 0
		results, err := s.Jobs.InsertManyTx(ctx, tx.Conn, params)
		if err != nil {
			return fmt.Errorf("enqueue the jobs of webhooks: %w", err)
		}
		for _, r := range results {
			if !r.UniqueSkippedAsDuplicate {
				planned++
			}
		}
		return nil
	})
	return planned, err
}

// runs reports whether this process is serving a webhook.
func (s *Service) runs(webhook uuid.UUID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running[webhook] > 0
}

// ran notes that a run begins (1) or ends (-1).
func (s *Service) ran(webhook uuid.UUID, by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[webhook] += by
	if s.running[webhook] == 0 {
		delete(s.running, webhook)
	}
}

// Oldest is how long the oldest delivery has waited that an enabled webhook still
// has to be sent, over all companies; zero if none waits.
func (s *Service) Oldest(ctx context.Context) (time.Duration, error) {
	at, err := s.db.WebhookOldestPending(ctx)
	if err != nil {
		return 0, fmt.Errorf("look for the oldest delivery that waits: %w", err)
	}
	if at.Unix() <= 0 {
		return 0, nil
	}
	return max(0, s.now().Sub(at)), nil
}
