package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"sello/db"
	"sello/graph"
	"sello/jobs"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/customer"
	"sello/loyalty/imports"
	"sello/loyalty/ledger"
	"sello/loyalty/notify"
	"sello/loyalty/queue"
	"sello/loyalty/upkeep"
	"sello/server/ops"
)

// app is one process: the domain on its pool, the job queue's client and the
// event feed. Everything is made here, by plain calls.
type app struct {
	config  Config
	log     *slog.Logger
	pool    *pgxpool.Pool
	store   *db.Store
	feed    *db.Feed
	auth    *auth.Service
	graph   *graph.Resolver
	jobs    *river.Client[pgx.Tx]
	works   bool
	metrics *ops.Metrics
}

// role says what a process does besides answering.
type role struct {
	// works: it works the queues.
	works bool
	// stopping is closed when the process is about to stop.
	stopping <-chan struct{}
}

// newApp connects and builds. Nothing runs yet.
func newApp(ctx context.Context, config Config, log *slog.Logger, r role) (*app, error) {
	metrics := ops.NewMetrics()
	pool, err := connect(ctx, config, metrics.Tracer(), r)
	if err != nil {
		return nil, err
	}
	a, err := build(config, log, pool, metrics, r)
	if err != nil {
		pool.Close()
		return nil, err
	}
	return a, nil
}

func build(config Config, log *slog.Logger, pool *pgxpool.Pool, metrics *ops.Metrics, r role) (*app, error) {
	keys, err := auth.ParseKeys(config.JWTKeys)
	if err != nil {
		return nil, fmt.Errorf("JWT_KEYS: %w", err)
	}
	mailer, err := mailer(config)
	if err != nil {
		return nil, err
	}
	a := &app{config: config, log: log, pool: pool, store: db.NewStore(pool), works: r.works, metrics: metrics}
	a.feed = db.NewFeed(a.store, db.FeedConfig{})
	hasher := auth.NewHasher(auth.DefaultParams, 4)
	a.auth = auth.New(auth.Config{DB: a.store, Keys: keys, Now: time.Now, Issuer: config.BaseURL, Hasher: hasher, Failed: metrics.SignInFailed})
	importing := &imports.Service{DB: a.store, Now: time.Now}
	notifying := &notify.Service{DB: a.store, Mailer: mailer, Now: time.Now, Sources: map[string]notify.Source{imports.ResultMail: importing.WriteErrorFile}}
	keeping := &upkeep.Service{DB: a.store, Auth: a.auth, Imports: importing, Now: time.Now}
	a.jobs, err = jobs.New(jobs.Config{
		Pool: pool, Imports: importing, Notify: notifying, Upkeep: keeping, Work: r.works, Stopping: r.stopping, Log: log,
		JobTimeout: config.JobTimeout, RescueAfter: config.JobRescueAfter,
	})
	if err != nil {
		return nil, err
	}
	a.graph = &graph.Resolver{
		Auth:      a.auth,
		Companies: &company.Service{DB: a.store, Now: time.Now, Hash: hasher.Hash, FingerprintKey: []byte(config.Secret)},
		Customers: customer.New(a.store, time.Now),
		Ledger:    ledger.New(a.store, time.Now),
		Imports:   importing,
		Notify:    notifying,
		Queue: &queue.Service{DB: a.store, River: a.jobs, Now: time.Now, OnCancel: map[string]func(context.Context, []byte) error{
			imports.Apply{}.Kind(): importing.JobCancelled,
		}},
		Feed: a.feed,
	}
	a.graph.Ledger.Posted = func(action ledger.Action) { metrics.Posted(string(action)) }
	a.graph.Ledger.Refused = metrics.Refused
	metrics.WatchPool(pool)
	metrics.WatchQueues(time.Now, func(ctx context.Context) ([]ops.QueueFigures, error) {
		rows, err := a.store.QueuesFigures(ctx, nil, time.Now())
		figures := make([]ops.QueueFigures, len(rows))
		for i, row := range rows {
			figures[i] = ops.QueueFigures(row)
		}
		return figures, err
	})
	return a, nil
}

// connect makes the pool with the limits that keep a stuck network or a forgotten
// transaction from holding everybody (hardening.md 3.3).
func connect(ctx context.Context, config Config, tracer pgx.QueryTracer, r role) (*pgxpool.Pool, error) {
	c, err := pgxpool.ParseConfig(config.DatabaseURL)
	if err != nil {
		// pgx leaves the password out of its text.
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	c.MaxConns = config.DatabasePool
	c.MinIdleConns = min(2, config.DatabasePool)
	c.ConnConfig.ConnectTimeout = 5 * time.Second
	c.ConnConfig.Tracer = tracer
	for name, value := range map[string]string{
		"application_name": "sello", "statement_timeout": "60s", "lock_timeout": lockTimeout(r),
		"idle_in_transaction_session_timeout": "30s", "tcp_user_timeout": "15s",
	} {
		if _, set := c.ConnConfig.RuntimeParams[name]; !set {
			c.ConnConfig.RuntimeParams[name] = value
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	return pool, nil
}

// lockTimeout is how long a statement waits for a row. A request gives up soon and
// says so (hardening.md 3.1); a worker's batch has time.
func lockTimeout(r role) string {
	if r.works {
		return "10s"
	}
	return "2s"
}

func mailer(config Config) (notify.Mailer, error) {
	if config.SMTP.Host == "" {
		return notify.Keeper{}, nil
	}
	smtp, err := notify.NewSMTP(notify.SMTPConfig{
		Host: config.SMTP.Host, Port: config.SMTP.Port, Username: config.SMTP.Username, Password: config.SMTP.Password,
		From: config.SMTP.From, FromName: "Sello", TLS: notify.TLS(config.SMTP.TLS),
	})
	if err != nil {
		return nil, fmt.Errorf("SMTP settings: %w", err)
	}
	return smtp, nil
}

// close lets go of the database, after everything that uses it has ended.
func (a *app) close() {
	a.auth.Wait()
	a.pool.Close()
}
