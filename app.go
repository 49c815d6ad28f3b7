package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"sello/db"
	"sello/graph"
	"sello/jobs"
	"sello/loyalty/auth"
	"sello/loyalty/catalog"
	"sello/loyalty/company"
	"sello/loyalty/contact"
	"sello/loyalty/coupon"
	"sello/loyalty/customer"
	"sello/loyalty/imports"
	"sello/loyalty/ledger"
	"sello/loyalty/notify"
	"sello/loyalty/phone"
	"sello/loyalty/plan"
	"sello/loyalty/points"
	"sello/loyalty/pos"
	"sello/loyalty/queue"
	"sello/loyalty/report"
	"sello/loyalty/reward"
	"sello/loyalty/upkeep"
	"sello/loyalty/wallet"
	"sello/loyalty/webhook"
	"sello/loyalty/wording"
	"sello/server/ops"
)

// app is one process: the domain on its pool, the job queue's client and the
// event feed. Everything is made here, by plain calls.
type app struct {
	config Config
	log    *slog.Logger
	pool   *pgxpool.Pool
	// replica answers reports; nil without one.
	replica *pgxpool.Pool
	store   *db.Store
	feed    *db.Feed
	auth    *auth.Service
	graph   *graph.Resolver
	jobs    *river.Client[pgx.Tx]
	works   bool
	// webhooks are watched by processes that work the queues.
	webhooks *webhook.Service
	metrics  *ops.Metrics
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
	var replica *pgxpool.Pool
	if config.DatabaseReadURL != "" {
		// It may be away: reports are then read from the main pool.
		if replica, err = open(ctx, "DATABASE_READ_URL", config.DatabaseReadURL, config.DatabasePool, metrics.Tracer(), r); err != nil {
			pool.Close()
			return nil, err
		}
	}
	a, err := build(config, log, pool, replica, metrics, r)
	if err != nil {
		pool.Close()
		if replica != nil {
			replica.Close()
		}
		return nil, err
	}
	return a, nil
}

func build(config Config, log *slog.Logger, pool, replica *pgxpool.Pool, metrics *ops.Metrics, r role) (*app, error) {
	keys, err := auth.ParseKeys(config.JWTKeys)
	if err != nil {
		return nil, fmt.Errorf("JWT_KEYS: %w", err)
	}
	mailer, err := mailer(config)
	if err != nil {
		return nil, err
	}
	a := &app{config: config, log: log, pool: pool, replica: replica, store: db.NewStore(pool), works: r.works, metrics: metrics}
	a.feed = db.NewFeed(a.store, db.FeedConfig{})
	hasher := auth.NewHasher(auth.DefaultParams, 4)
	a.auth = auth.New(auth.Config{DB: a.store, Keys: keys, Now: time.Now, Issuer: config.BaseURL, Hasher: hasher, Failed: metrics.SignInFailed})
	texter, err := texter(config, log)
	if err != nil {
		return nil, err
	}
	plans := &plan.Service{DB: a.store, Now: time.Now}
	importing := &imports.Service{DB: a.store, Now: time.Now}
	notifying := &notify.Service{
		DB: a.store, Mailer: mailer, Now: time.Now, Sources: map[string]notify.Source{imports.ResultMail: importing.WriteErrorFile},
		Texter: texter, Accounts: plans,
	}
	if a.webhooks, err = webhooks(config, a.store, notifying, metrics); err != nil {
		return nil, err
	}
	coupons := coupon.New(a.store, time.Now)
	keeping := &upkeep.Service{DB: a.store, Auth: a.auth, Imports: importing, Coupons: coupons, Webhooks: a.webhooks, Now: time.Now}
	books := newLedger(pool)
	if config.SMTP.Host != "" {
		books.Mail = noticeMails(notifying)
	}
	people := customer.New(a.store, books, time.Now)
	products, rewards := catalog.New(a.store, books, time.Now), reward.New(a.store, books, time.Now)
	people.Coupons, people.Codes, people.Claims = coupons, products, rewards
	wallets := &wallet.Service{
		Plans: plans, Phones: &phone.Service{DB: a.store, Now: time.Now}, Messages: &wording.Service{DB: a.store, Now: time.Now},
		Notify: notifying, Secret: []byte(config.Secret),
	}
	books.Terms, people.Terms = wallets, wallets
	reporting := &report.Service{DB: a.store, Ledger: books, Now: time.Now}
	if replica != nil {
		reporting.Read = db.NewStore(replica)
	}
	a.jobs, err = jobs.New(jobs.Config{
		Pool: pool, Imports: importing, Ledger: books, Coupons: coupons, Notify: notifying, Upkeep: keeping, Customers: people,
		Reports: reporting, Webhooks: a.webhooks, Work: r.works, Stopping: r.stopping, Log: log,
		JobTimeout: config.JobTimeout, RescueAfter: config.JobRescueAfter,
	})
	if err != nil {
		return nil, err
	}
	a.graph = &graph.Resolver{
		Auth:      a.auth,
		Companies: &company.Service{DB: a.store, Now: time.Now, Hash: hasher.Hash, FingerprintKey: []byte(config.Secret), APIDomain: config.APIDomain},
		Customers: people,
		Ledger:    books,
		Imports:   importing,
		Coupons:   coupons,
		Catalog:   products,
		POS:       &pos.Service{Ledger: books, Coupons: coupons},
		Rewards:   rewards,
		Notify:    notifying,
		Queue: &queue.Service{DB: a.store, River: a.jobs, Now: time.Now, OnCancel: map[string]func(context.Context, []byte) error{
			imports.Apply{}.Kind():    importing.JobCancelled,
			coupon.MakeBatch{}.Kind(): coupons.JobCancelled,
			report.Check{}.Kind():     reporting.CheckJobCancelled,
			notify.Email{}.Kind():     notifying.JobCancelled,
			notify.SMS{}.Kind():       notifying.JobCancelled,
		}, Asked: jobs.Asked()},
		Reports:  reporting,
		Feed:     a.feed,
		Webhooks: a.webhooks,
		Plans:    plans, Phones: wallets.Phones, Messages: wallets.Messages, Wallets: wallets,
	}
	books.Secret = []byte(config.Secret)
	books.Posted = func(action ledger.Action) { metrics.Posted(string(action)) }
	books.Refused = metrics.Refused
	a.graph.Contacts = contact.New(people, books, a.graph.Catalog, a.graph.Rewards, time.Now)
	a.graph.Points = points.New(people, a.graph.Companies, books, time.Now)
	keeping.Customers = people
	metrics.WatchPool(pool)
	metrics.WatchWebhooks(a.webhooks.Oldest)
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

// webhooks makes their service; who is told of one that was disabled is told by
// mail.
func webhooks(config Config, store *db.Store, notifying *notify.Service, metrics *ops.Metrics) (*webhook.Service, error) {
	return webhook.New(webhook.Config{
		DB: store, Now: time.Now, Secret: []byte(config.Secret), AllowPrivate: config.WebhookAllowPrivate,
		Attempted: metrics.WebhookAttempted,
		Send: func(ctx context.Context, tx db.Tx, company uuid.UUID, m webhook.Mail) error {
			_, err := notify.Queue(ctx, tx, notifying.Jobs, company, time.Now(), notify.Message{
				Kind: m.Kind, SubjectID: m.SubjectID, Recipient: m.Recipient, Subject: m.Subject, Body: m.Body,
			})
			return err
		},
	})
}

// connect makes the main pool.
func connect(ctx context.Context, config Config, tracer pgx.QueryTracer, r role) (*pgxpool.Pool, error) {
	pool, err := open(ctx, "DATABASE_URL", config.DatabaseURL, config.DatabasePool, tracer, r)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	return pool, nil
}

// open makes a pool with the limits that keep a stuck network or a forgotten
// transaction from holding everybody (hardening.md 3.3). name is the setting that
// the address comes from.
func open(ctx context.Context, name, address string, size int32, tracer pgx.QueryTracer, r role) (*pgxpool.Pool, error) {
	c, err := pgxpool.ParseConfig(address)
	if err != nil {
		// pgx leaves the password out of its text.
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c.MaxConns = size
	c.MinIdleConns = min(2, size)
	c.ConnConfig.ConnectTimeout = 5 * time.Second
	c.ConnConfig.Tracer = tracer
	c.AfterConnect = db.RegisterTypes
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
		return nil, fmt.Errorf("%s: %w", name, err)
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

// texter is who takes messages to phones: the provider, or the outbox and the log.
func texter(config Config, log *slog.Logger) (notify.Texter, error) {
	if config.SMS.URL == "" {
		return notify.TextKeeper{Log: log}, nil
	}
	provider, err := notify.NewHTTPTexter(notify.HTTPConfig{URL: config.SMS.URL, Secret: config.SMS.Secret, Now: time.Now})
	if err != nil {
		return nil, fmt.Errorf("SMS settings: %w", err)
	}
	return provider, nil
}

// close lets go of the database, after everything that uses it has ended.
func (a *app) close() {
	a.auth.Wait()
	a.pool.Close()
	if a.replica != nil {
		a.replica.Close()
	}
}

// noticeMails queues what the ledger tells customers as messages.
func noticeMails(n *notify.Service) func(context.Context, db.Tx, uuid.UUID, []ledger.Mail) error {
	return func(ctx context.Context, tx db.Tx, company uuid.UUID, mails []ledger.Mail) error {
		messages := make([]notify.Message, len(mails))
		for i, m := range mails {
			messages[i] = notify.Message{Kind: m.Kind, SubjectID: m.SubjectID, Recipient: m.Recipient, Subject: m.Subject, Body: m.Body}
		}
		return n.QueueAll(ctx, tx, company, messages)
	}
}
