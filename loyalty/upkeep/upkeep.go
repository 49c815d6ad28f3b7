// Package upkeep throws away what has served its time: idempotency keys, events,
// sessions, the rows of old imports, and what dead processes left behind
// (design.md 5). Every operation may run twice, at the same time too, and may be
// killed between two batches: what is gone is gone, the rest goes next time.
package upkeep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/coupon"
	"sello/loyalty/customer"
	"sello/loyalty/imports"
	"sello/loyalty/ledger"
	"sello/loyalty/webhook"
)

// Retention says how long things are kept; a zero field means its default.
type Retention struct {
	// Events are kept for subscribers that come back: seven days.
	Events time.Duration
	// Sessions are kept after their end, so that a late refresh token is known as
	// one: thirty days.
	Sessions time.Duration
	// ImportRows are kept after an import's end, for its error file and for
	// reprocessing: ninety days.
	ImportRows time.Duration
	// Deliveries of webhooks are kept as their log: thirty days.
	Deliveries time.Duration
}

// Defaults of Retention.
const (
	DefaultEvents     = 7 * 24 * time.Hour
	DefaultSessions   = 30 * 24 * time.Hour
	DefaultImportRows = 90 * 24 * time.Hour
	DefaultDeliveries = 30 * 24 * time.Hour
)

// batch is the number of rows of one statement: short locks, and a killed job
// loses little.
const batch = 5_000

// Enqueuer inserts jobs in the transaction that causes them: River's client.
type Enqueuer interface {
	InsertManyTx(ctx context.Context, tx pgx.Tx, params []river.InsertManyParams) ([]*rivertype.JobInsertResult, error)
}

// Service cleans up. DB, Auth, Imports, Coupons, Webhooks and Now are required, Jobs by Plan
// only.
type Service struct {
	DB      *db.Store
	Auth    *auth.Service
	Imports *imports.Service
	Coupons *coupon.Service
	Jobs    Enqueuer
	Now     func() time.Time
	// Webhooks have a log.
	Webhooks *webhook.Service
	// Customers who are from before their first_key get one; nil leaves them.
	Customers *customer.Service
	// Keep replaces single defaults.
	Keep Retention
}

// Pruned counts what Prune dropped.
type Pruned struct {
	Keys     int64 `json:"keys"`
	Events   int64 `json:"events"`
	Sessions int64 `json:"sessions"`
	// Imports counts imports whose rows were dropped; they themselves stay.
	Imports int `json:"imports"`
	// Deliveries of webhooks, with their attempts.
	Deliveries int64 `json:"deliveries"`
}

// Prune drops what a company keeps no longer: idempotency keys past their time,
// events (all but the newest), sessions, rows of imports and the log of webhooks
// past their retention.
// It goes on after a kind that fails.
func (s *Service) Prune(ctx context.Context, company uuid.UUID) (Pruned, error) {
	now := s.Now()
	var p Pruned
	var keys, events, sessions, rows, deliveries error
	p.Keys, keys = inBatches(ctx, func() (int64, error) {
		return s.DB.IdempotencyKeyPrune(ctx, db.IdempotencyKeyPruneParams{CompanyID: company, Now: now, BatchSize: batch})
	})
	operations, operationKeys := inBatches(ctx, func() (int64, error) {
		return s.DB.OperationKeyPrune(ctx, db.OperationKeyPruneParams{CompanyID: company, Now: now, BatchSize: batch})
	})
	p.Keys += operations
	p.Events, events = inBatches(ctx, func() (int64, error) {
		return s.DB.EventsPrune(ctx, db.EventsPruneParams{
			CompanyID: company, OlderThan: now.Add(-or(s.Keep.Events, DefaultEvents)), BatchSize: batch,
		})
	})
	p.Sessions, sessions = inBatches(ctx, func() (int64, error) {
		return s.Auth.SessionsPrune(ctx, company, now.Add(-or(s.Keep.Sessions, DefaultSessions)), batch)
	})
	p.Imports, rows = s.Imports.PruneRows(ctx, company, now.Add(-or(s.Keep.ImportRows, DefaultImportRows)))
	p.Deliveries, deliveries = inBatches(ctx, func() (int64, error) {
		return s.Webhooks.Prune(ctx, company, now.Add(-or(s.Keep.Deliveries, DefaultDeliveries)), batch)
	})
	if s.Customers != nil {
		if _, err := s.Customers.FirstKeysFill(ctx, company); err != nil {
			return p, err
		}
	}
	return p, errors.Join(
		during("prune idempotency keys", errors.Join(keys, operationKeys)), during("prune events", events),
		during("prune sessions", sessions), during("prune the rows of imports", rows),
		during("prune the log of webhooks", deliveries))
}

// Swept counts what Sweep found.
type Swept struct {
	// Uploads counts uploads that died before they became imports.
	Uploads int `json:"uploads"`
	// Imports counts imports whose job was lost, given up.
	Imports int `json:"imports"`
	// Batches counts batches of coupons whose job was lost, given up.
	Batches int `json:"batches"`
}

// Sweep looks after what killed processes left of imports and batches of coupons, in
// all companies.
func (s *Service) Sweep(ctx context.Context) (Swept, error) {
	uploads, uploadsErr := s.Imports.PruneUploads(ctx)
	silent, silentErr := s.Imports.AbandonSilent(ctx)
	batches, batchesErr := s.Coupons.AbandonSilent(ctx)
	return Swept{Uploads: uploads, Imports: silent, Batches: batches}, errors.Join(
		during("drop dead uploads", uploadsErr), during("give up lost imports", silentErr),
		during("give up lost batches of coupons", batchesErr))
}

// Plan enqueues today's jobs of every company, today being the day in the company's
// own zone. Called every hour it starts a company's jobs within the hour after its
// midnight, and later where no process was there to do so; a day that has its jobs
// already is left alone. A change of policy whose job was given up gets another.
func (s *Service) Plan(ctx context.Context) (planned int, err error) {
	companies, err := s.DB.CompaniesAll(ctx)
	if err != nil {
		return 0, fmt.Errorf("list companies: %w", err)
	}
	now := s.Now()
	var unknown []error
	due := make([]river.InsertManyParams, 0, len(companies))
	for _, c := range companies {
		zone, err := loyalty.Zone(c.TimeZone)
		if err != nil {
			unknown = append(unknown, fmt.Errorf("read a company's time zone: %w", err))
			continue
		}
		for _, job := range daily(c.ID, now.In(zone).Format(time.DateOnly)) {
			due = append(due, river.InsertManyParams{Args: job})
		}
	}
	applying, err := s.DB.CardTypesApplying(ctx)
	if err != nil {
		return 0, fmt.Errorf("list expiry policies that are being applied: %w", err)
	}
	for _, t := range applying {
		due = append(due, river.InsertManyParams{Args: ledger.ExpiryPolicyApply{CompanyID: t.CompanyID, CardTypeID: t.ID, Version: t.ExpiryVersion}})
	}
	if len(due) > 0 {
		err = s.DB.InTx(ctx, func(tx db.Tx) error {
			planned = 0
			results, err := s.Jobs.InsertManyTx(ctx, tx.Conn, due)
			for _, r := range results {
				if !r.UniqueSkippedAsDuplicate {
					planned++
				}
			}
			return during("enqueue the day's jobs", err)
		})
	}
	return planned, errors.Join(append(unknown, err)...)
}

// daily are the jobs of a company's business day.
func daily(company uuid.UUID, day string) []river.JobArgs {
	return []river.JobArgs{
		Prune{CompanyID: company, Day: day},
		ledger.PointsExpire{CompanyID: company, Day: day},
		ledger.CardExpire{CompanyID: company, Day: day},
		ledger.ExpiryNotice{CompanyID: company, Day: day},
		coupon.ExpireDay{CompanyID: company, Day: day},
	}
}

// inBatches repeats a statement until it finds less than a whole batch.
func inBatches(ctx context.Context, drop func() (int64, error)) (dropped int64, err error) {
	for {
		n, err := drop()
		dropped += n
		if err != nil || n < batch {
			return dropped, err
		}
		if err := ctx.Err(); err != nil {
			return dropped, err
		}
	}
}

func during(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

func or(d, fallback time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return fallback
}
