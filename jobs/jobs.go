// Package jobs runs the background work: one file a job kind, the queues and the
// periodic schedule (design.md 5; hardening.md 3.2). What the jobs do is in
// loyalty; here they are bound to River.
package jobs

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"sello/loyalty/coupon"
	"sello/loyalty/customer"
	"sello/loyalty/imports"
	"sello/loyalty/ledger"
	"sello/loyalty/notify"
	"sello/loyalty/plan"
	"sello/loyalty/report"
	"sello/loyalty/upkeep"
	"sello/loyalty/webhook"
)

// The queues, besides those that the packages of loyalty name.
const (
	queueFlatten = "flatten"
)

// Defaults of Config.
const (
	// DefaultJobTimeout ends a run; kinds with more to do work in slices.
	DefaultJobTimeout = 45 * time.Second
	// DefaultRescueAfter is when a job of a killed worker runs again. It exceeds
	// every kind's time-out, or jobs would run twice at the same time.
	DefaultRescueAfter = 60 * time.Second
	// DefaultSoftStop is how long a stopping worker lets its jobs finish.
	DefaultSoftStop = 20 * time.Second
)

// Config is what New needs. Pool and the services are required.
type Config struct {
	Pool      *pgxpool.Pool
	Imports   *imports.Service
	Ledger    *ledger.Service
	Coupons   *coupon.Service
	Notify    *notify.Service
	Upkeep    *upkeep.Service
	Customers *customer.Service
	Reports   *report.Service
	// Webhooks tell other systems what happened.
	Webhooks *webhook.Service

	// Work makes a client that can be started. Without it the client inserts,
	// retries, cancels and pauses, for processes that only serve.
	Work bool
	// Stopping is closed when the process is about to stop: long jobs then give
	// way early. The done channel of the process's context; nil for never.
	Stopping <-chan struct{}

	// Log is the default logger if nil: River's messages from warn on, and one line
	// for each attempt that fails. Arguments are never logged.
	Log *slog.Logger

	// JobTimeout, RescueAfter and SoftStop have the defaults above. RescueAfter
	// must exceed JobTimeout.
	JobTimeout, RescueAfter, SoftStop time.Duration
	// MaxWorkers replaces single queues' sizes, by name.
	MaxWorkers map[string]int
	// Fast makes a worker look for jobs all the time and without the jitter that
	// spreads the start of a cluster. For tests.
	Fast bool
}

// sizes are the most jobs that run at the same time in one process, by queue.
// Imports, batches of coupons and expiry are few and heavy; messages wait on somebody else's server.
// The database carries two or three statements a core, so none is large.
var sizes = map[string]int{
	imports.Queue: 2, coupon.Queue: 1, ledger.ExpiryQueue: 2, plan.Queue: 1, queueFlatten: 4, notify.JobQueue: 10, upkeep.Queue: 4,
	// One serves a webhook for as long as it has work, mostly waiting for receivers.
	webhook.Queue: 16,
}

// New makes the River client of a process and hands it to the services of Config
// that enqueue jobs (their Jobs fields), so call it before any of them is used:
//
//	imports := &imports.Service{DB: store, Now: time.Now}
//	client, err := jobs.New(jobs.Config{Pool: pool, Imports: imports, …, Work: true, Stopping: ctx.Done()})
//	queue := &queue.Service{DB: store, River: client, Now: time.Now}
//	err = client.Start(context.WithoutCancel(ctx))      // where Work is set
//	…; err = client.Stop(stopCtx)                        // soft, after SoftStop hard
//
// Every process registers every kind: the one that leads discards stuck jobs of
// kinds that it does not know.
func New(c Config) (*river.Client[pgx.Tx], error) {
	for _, required := range []bool{
		c.Pool != nil, c.Imports != nil, c.Ledger != nil, c.Coupons != nil, c.Notify != nil, c.Upkeep != nil, c.Customers != nil,
		c.Reports != nil, c.Webhooks != nil,
	} {
		if !required {
			return nil, errors.New("jobs: Pool and the services are required")
		}
	}
	log := c.Log
	if log == nil {
		log = slog.Default()
	}
	config := &river.Config{
		Workers:              workers(c),
		Logger:               slog.New(quiet{log.Handler()}),
		ErrorHandler:         &reporter{log: log},
		JobTimeout:           or(c.JobTimeout, DefaultJobTimeout),
		RescueStuckJobsAfter: or(c.RescueAfter, DefaultRescueAfter),
		SoftStopTimeout:      or(c.SoftStop, DefaultSoftStop),
		// Long enough to look into what went wrong over a weekend, short enough to
		// keep the table small (hardening.md 3.2).
		CompletedJobRetentionPeriod: 24 * time.Hour,
		CancelledJobRetentionPeriod: 7 * 24 * time.Hour,
		DiscardedJobRetentionPeriod: 30 * 24 * time.Hour,
	}
	if c.Work {
		config.Queues = queues(c)
		config.PeriodicJobs = periodic()
	}
	if c.Fast {
		config.TestOnly = true
		config.FetchCooldown, config.FetchPollInterval = 5*time.Millisecond, 50*time.Millisecond
	}
	client, err := river.NewClient(riverpgxv5.New(c.Pool), config)
	if err != nil {
		return nil, fmt.Errorf("make the client of the job queue: %w", err)
	}
	c.Imports.Jobs, c.Ledger.Jobs, c.Coupons.Jobs, c.Notify.Jobs, c.Upkeep.Jobs = client, client, client, client, client
	c.Customers.Jobs, c.Reports.Jobs, c.Webhooks.Jobs = client, client, client
	return client, nil
}

// workers registers every kind.
func workers(c Config) *river.Workers {
	all := river.NewWorkers()
	river.AddWorker(all, &ImportApply{Imports: c.Imports, Stopping: c.Stopping, Slice: slice(c)})
	river.AddWorker(all, &CouponBatchMake{Coupons: c.Coupons, Stopping: c.Stopping, Slice: slice(c)})
	river.AddWorker(all, &CouponExpire{Coupons: c.Coupons, Stopping: c.Stopping, Slice: slice(c)})
	river.AddWorker(all, &NotifyEmail{Notify: c.Notify})
	river.AddWorker(all, &NotifySMS{Notify: c.Notify})
	river.AddWorker(all, &LimitReset{Plans: &plan.Service{DB: c.Notify.DB, Now: c.Notify.Now}})
	river.AddWorker(all, &Prune{Upkeep: c.Upkeep})
	river.AddWorker(all, &UpkeepPlan{Upkeep: c.Upkeep})
	river.AddWorker(all, &UpkeepSweep{Upkeep: c.Upkeep, Notify: c.Notify})
	river.AddWorker(all, &ReportCount{Reports: c.Reports, Slice: slice(c)})
	river.AddWorker(all, &ReportPlan{Reports: c.Reports})
	river.AddWorker(all, &LedgerCheck{Reports: c.Reports})
	river.AddWorker(all, &WebhookDeliver{Webhooks: c.Webhooks, Stopping: c.Stopping, Slice: slice(c)})
	river.AddWorker(all, &WebhookPlan{Webhooks: c.Webhooks})
	river.AddWorker(all, &CustomerAttributeIndex{Customers: c.Customers})
	river.AddWorker(all, &CustomerTraceErase{Customers: c.Customers})
	many := sliced{Ledger: c.Ledger, Stopping: c.Stopping, Slice: slice(c)}
	river.AddWorker(all, &PointsExpire{sliced: many})
	river.AddWorker(all, &CardExpire{sliced: many})
	river.AddWorker(all, &HoldExpire{sliced: many})
	river.AddWorker(all, &ExpiryNotice{sliced: many})
	river.AddWorker(all, &PolicyApply{sliced: many})
	return all
}

// slice keeps a long job's run well within a time-out that was lowered; zero is
// the worker's own.
func slice(c Config) time.Duration {
	if c.JobTimeout > 0 && c.JobTimeout/2 < min(workSlice, reportSlice) {
		return c.JobTimeout / 2
	}
	return 0
}

func queues(c Config) map[string]river.QueueConfig {
	all := make(map[string]river.QueueConfig, len(sizes))
	for name, size := range sizes {
		if n := c.MaxWorkers[name]; n > 0 {
			size = n
		}
		all[name] = river.QueueConfig{MaxWorkers: size}
	}
	return all
}

// periodic is the schedule. Each job is unique in its period, so that it runs once
// per cluster whoever leads, and RunOnStart makes up for a period in which nobody
// led (River keeps the schedule in the leader's memory only).
func periodic() []*river.PeriodicJob {
	return []*river.PeriodicJob{
		river.NewPeriodicJob(river.PeriodicInterval(time.Minute),
			func() (river.JobArgs, *river.InsertOpts) { return upkeep.Sweep{}, nil },
			&river.PeriodicJobOpts{ID: "upkeep", RunOnStart: true}),
		river.NewPeriodicJob(river.PeriodicInterval(time.Hour),
			func() (river.JobArgs, *river.InsertOpts) { return upkeep.Plan{}, nil },
			&river.PeriodicJobOpts{ID: "upkeep_plan", RunOnStart: true}),
		river.NewPeriodicJob(river.PeriodicInterval(time.Minute),
			func() (river.JobArgs, *river.InsertOpts) { return report.Plan{}, nil },
			&river.PeriodicJobOpts{ID: "report_plan", RunOnStart: true}),
		river.NewPeriodicJob(river.PeriodicInterval(time.Minute),
			func() (river.JobArgs, *river.InsertOpts) { return webhook.Plan{}, nil },
			&river.PeriodicJobOpts{ID: "webhook_plan", RunOnStart: true}),
		river.NewPeriodicJob(river.PeriodicInterval(time.Minute),
			func() (river.JobArgs, *river.InsertOpts) { return ledger.HoldExpire{}, nil },
			&river.PeriodicJobOpts{ID: "hold_expire", RunOnStart: true}),
		river.NewPeriodicJob(river.PeriodicInterval(time.Minute),
			func() (river.JobArgs, *river.InsertOpts) { return plan.LimitReset{}, nil },
			&river.PeriodicJobOpts{ID: "limit_reset", RunOnStart: true}),
	}
}

func or(d, fallback time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return fallback
}
