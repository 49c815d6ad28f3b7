package webhook

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Range says which events are sent again. One of After and Since is given.
type Range struct {
	// After is the place of an event: those behind it. The zero Place is the
	// beginning of what is kept.
	After *db.Place
	// Since is a time: the events from it on.
	Since *time.Time
	// UpTo is the place of the last one; nil for the webhook's own.
	UpTo *db.Place
	// Kinds are the kinds that are sent; none are those of the webhook.
	Kinds []string
}

// Replay sends events again, in order, before any newer one. They come as
// deliveries of their own under the ids they had, and count as new ones: what a
// receiver has it knows by the id. Events that the webhook has not come to are not
// part of it; they come anyway. One replay runs at a time.
//
// It refuses with NOT_FOUND, INVALID, REQUIRED, REPLAY_RUNNING, and with
// EVENTS_GONE where the range begins before what is kept.
func (s *Service) Replay(ctx context.Context, who auth.Principal, id uuid.UUID, r Range) (*Webhook, error) {
	if (r.After == nil) == (r.Since == nil) {
		return nil, loyalty.Refuse(loyalty.CodeRequired, "after")
	}
	kinds, err := checkKinds(r.Kinds)
	if err != nil {
		return nil, err
	}
	w, err := s.change(ctx, who, id, "webhook_replay", map[string]any{"kinds": kinds}, func(tx db.Tx, w db.Webhook, now time.Time) (db.Webhook, error) {
		if w.ReplayUptoID != nil {
			return w, loyalty.Refuse(loyalty.CodeReplayRunning, "")
		}
		upto := w.CursorID
		if r.UpTo != nil {
			upto = min(upto, r.UpTo.ID)
		}
		after, err := s.beginning(ctx, tx.Queries, who.CompanyID, r, upto, now)
		if err != nil {
			return w, err
		}
		if r.UpTo != nil && r.After != nil && r.UpTo.ID < r.After.ID {
			return w, loyalty.Refuse(loyalty.CodeInvalid, "upTo")
		}
		if after >= upto {
			return w, nil // nothing is in the range
		}
		if len(kinds) == 0 {
			kinds = w.Kinds
		}
		w, err = tx.WebhookReplayStart(ctx, db.WebhookReplayStartParams{
			CompanyID: who.CompanyID, ID: id, AfterID: after, UptoID: upto, Kinds: kinds, Now: now,
		})
		if err != nil {
			return w, fmt.Errorf("begin a replay: %w", err)
		}
		return w, s.enqueue(ctx, tx, w)
	})
	if loyalty.CodeOf(err) == loyalty.CodeNotFound {
		err = loyalty.Refuse(loyalty.CodeNotFound, "webhookId")
	}
	return w, err
}

// beginning is the number behind which a range begins.
func (s *Service) beginning(ctx context.Context, q *db.Queries, company uuid.UUID, r Range, upto int64, now time.Time) (int64, error) {
	oldest, err := q.WebhookOldestEvent(ctx, company)
	if errors.Is(err, pgx.ErrNoRows) {
		return upto, nil
	}
	if err != nil {
		return 0, fmt.Errorf("find the oldest event: %w", err)
	}
	if r.After != nil {
		if gone(r.After.ID, oldest.ID) {
			return 0, loyalty.Refuse(loyalty.CodeEventsGone, "after").With("oldest", loyalty.EventCursor(oldest.ID))
		}
		return r.After.ID, nil
	}
	// What is younger than events are kept for is there, and so is what is younger
	// than the oldest one.
	if r.Since.Before(oldest.RecordedAt) && r.Since.Before(now.Add(-KeepEvents)) {
		return 0, loyalty.Refuse(loyalty.CodeEventsGone, "since").With("oldest", loyalty.EventCursor(oldest.ID))
	}
	id, err := q.WebhookEventBefore(ctx, db.WebhookEventBeforeParams{CompanyID: company, Since: *r.Since, UptoID: upto})
	return id, during("find the first event since a time", err)
}

// Test queues a delivery of kind webhook_test, which tells of nothing. It refuses
// with NOT_FOUND, and with STATE_CONFLICT unless the webhook is enabled.
func (s *Service) Test(ctx context.Context, who auth.Principal, id uuid.UUID) (*Delivery, error) {
	var row db.WebhookDelivery
	_, err := s.change(ctx, who, id, "webhook_test", nil, func(tx db.Tx, w db.Webhook, now time.Time) (db.Webhook, error) {
		if Status(w.Status) != Enabled {
			return w, loyalty.Refuse(loyalty.CodeStateConflict, "id")
		}
		var err error
		row, err = tx.WebhookQueueTest(ctx, db.WebhookQueueTestParams{CompanyID: who.CompanyID, WebhookID: id, Kind: TestKind, Now: now})
		if err != nil {
			return w, fmt.Errorf("queue a test: %w", err)
		}
		return w, s.enqueue(ctx, tx, w)
	})
	if err != nil {
		return nil, err
	}
	return &Delivery{WebhookDelivery: row}, nil
}

// Retry gives a dead delivery its full time again, before what its subject still
// has to be sent. It refuses with NOT_FOUND, and with STATE_CONFLICT for one that
// is not dead.
func (s *Service) Retry(ctx context.Context, who auth.Principal, id uuid.UUID, seq int64) (*Delivery, error) {
	var row db.WebhookDelivery
	detail := map[string]any{"seq": strconv.FormatInt(seq, 10)}
	_, err := s.change(ctx, who, id, "webhook_delivery_retry", detail, func(tx db.Tx, w db.Webhook, now time.Time) (db.Webhook, error) {
		again, err := tx.WebhookDeliveryRetry(ctx, db.WebhookDeliveryRetryParams{CompanyID: who.CompanyID, WebhookID: id, Seq: seq, Now: now})
		if errors.Is(err, pgx.ErrNoRows) {
			_, err := tx.WebhookDeliveryBySeq(ctx, db.WebhookDeliveryBySeqParams{CompanyID: who.CompanyID, WebhookID: id, Seq: seq})
			if errors.Is(err, pgx.ErrNoRows) {
				return w, loyalty.Refuse(loyalty.CodeNotFound, "id")
			}
			if err != nil {
				return w, fmt.Errorf("read a delivery: %w", err)
			}
			return w, loyalty.Refuse(loyalty.CodeStateConflict, "id")
		}
		if err != nil {
			return w, fmt.Errorf("queue a delivery again: %w", err)
		}
		row = db.WebhookDelivery(again)
		return w, s.enqueue(ctx, tx, w)
	})
	if err != nil {
		return nil, err
	}
	return &Delivery{WebhookDelivery: row}, nil
}
