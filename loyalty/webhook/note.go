package webhook

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty/auth"
)

// note writes what came of an attempt, and what is next: the lane's next delivery,
// another try, or the end of the webhook. Whoever noted first is right: a note that
// comes after somebody else took the lane again changes nothing.
func (s *Service) note(ctx context.Context, w db.Webhook, d db.WebhookDelivery, at time.Time, out outcome) error {
	now := s.now()
	label := "delivered"
	err := s.db.InTx(ctx, func(tx db.Tx) error {
		if out.delivered() {
			if err := s.noteSuccess(ctx, tx, w, now); err != nil {
				return err
			}
			return s.mark(ctx, tx, d, at, now, out, string(Delivered), now)
		}
		held, err := tx.WebhookLock(ctx, w.CompanyID, w.ID) // before the lane, always
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // deleted meanwhile
		}
		if err != nil {
			return fmt.Errorf("hold a webhook: %w", err)
		}
		var status string
		status, label, err = s.noteFailure(ctx, tx, held, d, at, now, out)
		if err != nil {
			return err
		}
		if status == string(Dead) {
			return s.mark(ctx, tx, d, at, now, out, status, now)
		}
		return s.mark(ctx, tx, d, at, now, out, status, nextTry(d, at, now, out))
	})
	if err != nil {
		return err
	}
	s.attempted(label)
	return nil
}

// noteSuccess ends a row of failures.
func (s *Service) noteSuccess(ctx context.Context, tx db.Tx, w db.Webhook, now time.Time) error {
	before := now.Add(-time.Minute)
	if w.Failures == 0 && w.ResumeAt == nil && w.LastSuccessAt != nil && w.LastSuccessAt.After(before) {
		return nil
	}
	_, err := tx.WebhookSucceeded(ctx, db.WebhookSucceededParams{CompanyID: w.CompanyID, ID: w.ID, Now: now, Before: before})
	return during("note that a webhook works", err)
}

// noteFailure counts a failure and disables a webhook whose time is over.
func (s *Service) noteFailure(ctx context.Context, tx db.Tx, w db.Webhook, d db.WebhookDelivery, at, now time.Time, out outcome) (status, label string, err error) {
	failed := db.WebhookFailedParams{CompanyID: w.CompanyID, ID: w.ID, Failures: w.Failures + 1}
	if n := failed.Failures - failuresInARow; n >= 0 {
		failed.ResumeAt = new(now.Add(min(restFirst<<min(n, 10), restMost)))
	}
	if err := tx.WebhookFailed(ctx, failed); err != nil {
		return "", "", fmt.Errorf("count a webhook's failure: %w", err)
	}
	status, label = string(Pending), "failed"
	began := at
	if d.FirstAttemptAt != nil {
		began = *d.FirstAttemptAt
	}
	switch {
	case Status(w.Status) != Enabled: // it was stopped meanwhile
	case out.status == http.StatusGone:
		err = s.disable(ctx, tx, w, Gone, now)
	case now.Sub(began) >= TryFor:
		status, label = string(Dead), "dead"
		if w.LastSuccessAt == nil || w.LastSuccessAt.Before(began) {
			err = s.disable(ctx, tx, w, Failing, now)
		}
	}
	return status, label, err
}

// nextTry is when a delivery that failed is tried again: later each time, with
// jitter, the last time when its time is over.
func nextTry(d db.WebhookDelivery, at, now time.Time, out outcome) time.Time {
	pause := backoffFirst
	for range d.Attempts {
		if pause *= 3; pause >= backoffMost {
			pause = backoffMost
			break
		}
	}
	pause += time.Duration((rand.Float64() - 0.5) * 0.4 * float64(pause)) //nolint:gosec // jitter is no secret
	next := now.Add(max(pause, out.retryAfter))
	began := at
	if d.FirstAttemptAt != nil {
		began = *d.FirstAttemptAt
	}
	if end := began.Add(TryFor); now.Before(end) && next.After(end) {
		return end
	}
	return next
}

// mark writes the attempt and moves the lane: to be looked at when due.
func (s *Service) mark(ctx context.Context, tx db.Tx, d db.WebhookDelivery, at, now time.Time, out outcome, status string, due time.Time) error {
	_, err := tx.WebhookLaneLock(ctx, db.WebhookLaneLockParams{CompanyID: d.CompanyID, WebhookID: d.WebhookID, SubjectID: d.SubjectID})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // somebody else has ended it
	}
	if err != nil {
		return fmt.Errorf("hold a lane: %w", err)
	}
	in := db.WebhookDeliveryMarkParams{
		CompanyID: d.CompanyID, WebhookID: d.WebhookID, Seq: d.Seq, Attempts: d.Attempts, Status: status, At: at,
		DurationMs: int32(now.Sub(at).Milliseconds()), Response: out.response,
	}
	if out.status != 0 {
		in.StatusCode = new(int32(out.status))
	}
	if out.problem != "" {
		in.Error = &out.problem
	}
	if status == string(Pending) {
		in.NextAttemptAt = &due
	} else {
		in.EndedAt = &now
	}
	marked, err := tx.WebhookDeliveryMark(ctx, in)
	if err != nil {
		return fmt.Errorf("note an attempt: %w", err)
	}
	if marked == 0 {
		return nil // somebody else has, and has the lane
	}
	err = tx.WebhookLaneEnd(ctx, db.WebhookLaneEndParams{CompanyID: d.CompanyID, WebhookID: d.WebhookID, SubjectID: d.SubjectID, DueAt: due})
	return during("move a lane on", err)
}

// endLane ends a lane that had nothing to send: what waited in it was pruned.
func (s *Service) endLane(ctx context.Context, w db.Webhook, lane uuid.UUID, now time.Time) error {
	return s.db.InTx(ctx, func(tx db.Tx) error {
		_, err := tx.WebhookLaneLock(ctx, db.WebhookLaneLockParams{CompanyID: w.CompanyID, WebhookID: w.ID, SubjectID: lane})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("hold a lane: %w", err)
		}
		err = tx.WebhookLaneEnd(ctx, db.WebhookLaneEndParams{CompanyID: w.CompanyID, WebhookID: w.ID, SubjectID: lane, DueAt: now})
		return during("end a lane", err)
	})
}

// disable stops a webhook by itself, and tells the operators who can do something
// about it.
func (s *Service) disable(ctx context.Context, tx db.Tx, w db.Webhook, why Reason, now time.Time) error {
	_, err := tx.WebhookStatusSet(ctx, db.WebhookStatusSetParams{
		CompanyID: w.CompanyID, ID: w.ID, Status: string(Disabled), DisabledReason: (*string)(&why), Now: now,
	})
	if err != nil {
		return fmt.Errorf("disable a webhook: %w", err)
	}
	err = tx.EventCreate(ctx, db.EventCreateParams{CompanyID: w.CompanyID, Kind: DisabledEvent, SubjectID: w.ID, Now: now})
	if err != nil {
		return fmt.Errorf("tell that a webhook was disabled: %w", err)
	}
	err = auth.Audit(ctx, tx.Queries, auth.System(w.CompanyID), now, "webhook_disable", target, w.ID, map[string]any{"reason": string(why)})
	if err != nil || s.send == nil {
		return err
	}
	company, err := tx.CompanyByID(ctx, w.CompanyID)
	if err != nil {
		return fmt.Errorf("read a company: %w", err)
	}
	recipients, err := tx.WebhookRecipients(ctx, db.WebhookRecipientsParams{
		CompanyID: w.CompanyID, Scope: string(auth.WebhooksWrite), Most: 10,
	})
	if err != nil {
		return fmt.Errorf("find whom to tell of a webhook: %w", err)
	}
	for _, to := range recipients {
		if err := s.send(ctx, tx, w.CompanyID, disabledMail(company.Language, w, why, to)); err != nil {
			return err
		}
	}
	return nil
}
