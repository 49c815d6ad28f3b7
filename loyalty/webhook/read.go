package webhook

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
)

// ByID reads a webhook; nil if the company has none of that id.
func (s *Service) ByID(ctx context.Context, company, id uuid.UUID) (*Webhook, error) {
	row, err := s.db.WebhookByID(ctx, company, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a webhook: %w", err)
	}
	return &Webhook{Webhook: row}, nil
}

// List reads a page of a company's webhooks, oldest first, from above the id given.
func (s *Service) List(ctx context.Context, company uuid.UUID, after *uuid.UUID, first int) (page []*Webhook, more bool, err error) {
	rows, err := s.db.WebhooksPage(ctx, db.WebhooksPageParams{CompanyID: company, After: after, BatchSize: int32(first) + 1})
	if err != nil {
		return nil, false, fmt.Errorf("list webhooks: %w", err)
	}
	if more = len(rows) > first; more {
		rows = rows[:first]
	}
	for _, row := range rows {
		page = append(page, &Webhook{Webhook: row})
	}
	batch := loyalty.NewBatch(page)
	for _, w := range page {
		w.batch = batch
	}
	return page, more, nil
}

// Filter picks deliveries: nil picks all.
type Filter struct {
	State *DeliveryState
	Kind  *string
	// Before is the number above the page.
	Before *int64
}

// DeliveriesPage is a page of a webhook's log and whether older ones follow.
type DeliveriesPage struct {
	Deliveries []*Delivery
	More       bool
}

// Deliveries reads a page of a webhook's log, newest first, and with it those of
// its batch.
func (s *Service) Deliveries(ctx context.Context, company uuid.UUID, w *Webhook, f Filter, first int) (DeliveriesPage, error) {
	from, state, kind := int64(math.MaxInt64), "", ""
	if f.Before != nil {
		from = *f.Before
	}
	if f.State != nil {
		state = string(*f.State)
	}
	if f.Kind != nil {
		kind = *f.Kind
	}
	key := fmt.Sprintf("deliveries %d %d %q %q %t", from, first, state, kind, f.Kind == nil)
	return loyalty.Together(w.batch, w, key, func(all []*Webhook) (map[*Webhook]DeliveriesPage, error) {
		return loyalty.Lookup(all, webhookID, func(ids []uuid.UUID) (map[uuid.UUID]DeliveriesPage, error) {
			rows, err := s.db.WebhookDeliveriesByWebhooks(ctx, db.WebhookDeliveriesByWebhooksParams{
				CompanyID: company, WebhookIds: ids, BeforeSeq: from, Status: (*string)(f.State), Kind: f.Kind, BatchSize: int32(first) + 1,
			})
			if err != nil {
				return nil, fmt.Errorf("list deliveries: %w", err)
			}
			pages := make(map[uuid.UUID]DeliveriesPage, len(ids))
			for _, d := range deliveries(rows) {
				page := pages[d.WebhookID]
				if len(page.Deliveries) == first {
					page.More = true
				} else {
					page.Deliveries = append(page.Deliveries, d)
				}
				pages[d.WebhookID] = page
			}
			return pages, nil
		})
	})
}

func webhookID(w *Webhook) (uuid.UUID, bool) { return w.ID, true }

// deliveries are rows that were read together.
func deliveries(rows []db.WebhookDelivery) []*Delivery {
	all := make([]*Delivery, len(rows))
	for i, row := range rows {
		all[i] = &Delivery{WebhookDelivery: row}
	}
	batch := loyalty.NewBatch(all)
	for _, d := range all {
		d.batch = batch
	}
	return all
}

// OldestPending is since when the webhook has had something to send; nil if it has
// nothing. It reads with those of its batch.
func (s *Service) OldestPending(ctx context.Context, company uuid.UUID, w *Webhook) (*time.Time, error) {
	return loyalty.Together(w.batch, w, "oldest", func(all []*Webhook) (map[*Webhook]*time.Time, error) {
		return loyalty.Lookup(all, webhookID, func(ids []uuid.UUID) (map[uuid.UUID]*time.Time, error) {
			rows, err := s.db.WebhookOldestPendings(ctx, ids, company)
			if err != nil {
				return nil, fmt.Errorf("look for the oldest deliveries that wait: %w", err)
			}
			oldest := make(map[uuid.UUID]*time.Time, len(rows))
			for _, row := range rows {
				oldest[row.WebhookID] = &row.CreatedAt
			}
			return oldest, nil
		})
	})
}

// DeliveryByKey reads a delivery; nil if the company has none of that key.
func (s *Service) DeliveryByKey(ctx context.Context, company, webhook uuid.UUID, seq int64) (*Delivery, error) {
	row, err := s.db.WebhookDeliveryBySeq(ctx, db.WebhookDeliveryBySeqParams{CompanyID: company, WebhookID: webhook, Seq: seq})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a delivery: %w", err)
	}
	return &Delivery{WebhookDelivery: row}, nil
}

// deliveryKey names a delivery within a company.
type deliveryKey struct {
	webhook uuid.UUID
	seq     int64
}

// Attempts reads the attempts of a delivery, the first one first, and with it
// those of its batch.
func (s *Service) Attempts(ctx context.Context, company uuid.UUID, d *Delivery) ([]*Attempt, error) {
	key := func(d *Delivery) (deliveryKey, bool) { return deliveryKey{d.WebhookID, d.Seq}, true }
	return loyalty.Together(d.batch, d, "attempts", func(all []*Delivery) (map[*Delivery][]*Attempt, error) {
		return loyalty.Lookup(all, key, func(keys []deliveryKey) (map[deliveryKey][]*Attempt, error) {
			in := db.WebhookAttemptsByDeliveriesParams{CompanyID: company}
			for _, k := range keys {
				in.WebhookIds, in.Seqs = append(in.WebhookIds, k.webhook), append(in.Seqs, k.seq)
			}
			rows, err := s.db.WebhookAttemptsByDeliveries(ctx, in)
			if err != nil {
				return nil, fmt.Errorf("list attempts: %w", err)
			}
			attempts := map[deliveryKey][]*Attempt{}
			for _, row := range rows {
				k := deliveryKey{row.WebhookID, row.Seq}
				attempts[k] = append(attempts[k], &Attempt{row})
			}
			return attempts, nil
		})
	})
}

// Prune drops a batch of what a company's log holds from before a time, and of
// webhooks that were deleted.
func (s *Service) Prune(ctx context.Context, company uuid.UUID, before time.Time, batch int32) (int64, error) {
	n, err := s.db.WebhookDeliveriesPrune(ctx, db.WebhookDeliveriesPruneParams{CompanyID: company, OlderThan: before, BatchSize: batch})
	if err != nil {
		return n, fmt.Errorf("prune deliveries: %w", err)
	}
	if n < int64(batch) {
		if _, err := s.db.WebhooksPrune(ctx, company); err != nil {
			return n, fmt.Errorf("prune webhooks: %w", err)
		}
	}
	return n, nil
}
