package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
)

// fanOut turns the next events of a webhook into deliveries: a batch, in one
// transaction that also moves the cursor, so that whoever is killed leaves nothing
// half done, and no more of them than given. A replay goes first: what is new waits behind it, or a card's old
// events would come after its new ones. It answers how many events it looked at;
// zero when there are none.
func (s *Service) fanOut(ctx context.Context, company, webhook uuid.UUID, most int32) (looked int64, err error) {
	settled, err := s.settled.Look(ctx)
	if err != nil {
		return 0, err
	}
	err = s.db.InTx(ctx, func(tx db.Tx) error {
		looked = 0
		w, err := tx.WebhookLock(ctx, company, webhook)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("hold a webhook: %w", err)
		}
		if Status(w.Status) != Enabled {
			return nil
		}
		if w.ReplayUptoID != nil {
			looked, err = s.fanOutReplay(ctx, tx, w, most)
			return err
		}
		queued, err := s.queue(ctx, tx, w, w.CursorID, settled, w.Kinds, w.EventsSince, most)
		if err != nil || queued.Looked == 0 {
			return err
		}
		looked = queued.Looked
		err = tx.WebhookAdvance(ctx, db.WebhookAdvanceParams{
			CompanyID: company, ID: webhook, CursorID: queued.LastID, LastSeq: w.LastSeq + queued.Queued,
		})
		return during("move a webhook's cursor", err)
	})
	return looked, err
}

// fanOutReplay queues the next batch of a replay; one that has ended counts as
// one event, since what is new can now go on.
func (s *Service) fanOutReplay(ctx context.Context, tx db.Tx, w db.Webhook, most int32) (looked int64, err error) {
	queued, err := s.queue(ctx, tx, w, *w.ReplayAfterID, *w.ReplayUptoID, w.ReplayKinds, time.Time{}, most)
	if err != nil {
		return 0, err
	}
	in := db.WebhookReplayAdvanceParams{CompanyID: w.CompanyID, ID: w.ID, LastSeq: w.LastSeq + queued.Queued}
	if queued.Looked == int64(most) {
		in.AfterID = &queued.LastID
	}
	if err := tx.WebhookReplayAdvance(ctx, in); err != nil {
		return 0, fmt.Errorf("move a replay on: %w", err)
	}
	return max(queued.Looked, 1), nil
}

func (s *Service) queue(ctx context.Context, tx db.Tx, w db.Webhook, after, upto int64, kinds []string, since time.Time, most int32) (db.WebhookQueueEventsRow, error) {
	queued, err := tx.WebhookQueueEvents(ctx, db.WebhookQueueEventsParams{
		CompanyID: w.CompanyID, WebhookID: w.ID, AfterID: after, UptoID: upto, BatchSize: most,
		Kinds: append([]string{}, kinds...), LastSeq: w.LastSeq, EventsSince: since, Replay: w.ReplayUptoID != nil, Now: s.now(),
	})
	return queued, during("queue events for a webhook", err)
}
