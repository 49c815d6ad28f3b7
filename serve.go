package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"sello/db"
	"sello/graph"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
	"sello/server"
	"sello/server/compat/antcrm"
	"sello/server/compat/pretii"
	"sello/server/compat/wallet"
	"sello/server/ops"
)

// stopTime is how long a worker's jobs have to end once it is to stop: their
// queue stops softly for 20 s, then cancels them.
const stopTime = 30 * time.Second

// wrongKeysAMinute is how many wrong credentials an address may try.
const wrongKeysAMinute = 60

type serveCommand struct{}

// Run serves until a signal comes, then drains.
func (serveCommand) Run(ctx context.Context) error { return runProcess(ctx, true, false) }

type workerCommand struct{}

// Run works the queues until a signal comes; what runs is finished or handed back.
func (workerCommand) Run(ctx context.Context) error { return runProcess(ctx, false, true) }

func runProcess(ctx context.Context, serves, works bool) error {
	config, log, err := fromEnvironment()
	if err != nil {
		return err
	}
	if serves {
		tuneMemory(config)
	}
	a, err := newApp(ctx, config, log, role{works: works, stopping: ctx.Done()})
	if err != nil {
		return exitError{exitUnavailable, err}
	}
	defer a.close()
	if err := db.CheckSchema(ctx, a.pool); err != nil {
		return exitError{exitUnavailable, err}
	}
	var listener net.Listener
	if serves {
		if listener, err = listen(ctx, config.Addr); err != nil {
			return exitError{exitUnavailable, err}
		}
	}
	var opsListener net.Listener
	if config.OpsAddr != "" {
		if opsListener, err = listen(ctx, config.OpsAddr); err != nil {
			return exitError{exitUnavailable, err}
		}
	}
	return a.run(ctx, listener, opsListener)
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; choose another address", addr, err)
	}
	return l, nil
}

// run is the life of a process: it answers on the listeners it is given, works
// the queues if it is a worker, and ends all of it, in order, when ctx does.
func (a *app) run(ctx context.Context, listener, opsListener net.Listener) error {
	health := a.health()
	g, ctx := errgroup.WithContext(ctx)
	// The feed ends after the streams that read it have been told to go.
	feedCtx, endFeed := context.WithCancel(context.WithoutCancel(ctx))
	feedEnded := make(chan error, 1)
	go func() { feedEnded <- a.feed.Run(feedCtx) }()
	if a.works {
		g.Go(func() error { return a.work(ctx) })
		g.Go(func() error { return a.webhooks.Watch(ctx) })
	}
	if listener != nil {
		srv, err := a.server(health)
		if err != nil {
			endFeed()
			return err
		}
		g.Go(func() error { return srv.Run(ctx, listener) })
	}
	if opsListener != nil {
		g.Go(func() error { return server.Serve(ctx, opsListener, ops.Handler(health, a.metrics)) })
	}
	g.Go(func() error { // with nothing else to do, wait for the signal
		<-ctx.Done()
		return nil
	})
	err := g.Wait()
	endFeed()
	return errors.Join(err, <-feedEnded)
}

// work works the queues until ctx ends, and then stops softly: jobs under way
// finish, or give way and are taken up by another worker.
func (a *app) work(ctx context.Context) error {
	if err := a.jobs.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the workers: %w", err)
	}
	<-ctx.Done()
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if err := a.jobs.Stop(stopCtx); err != nil {
		return fmt.Errorf("stop the workers: %w", err)
	}
	return nil
}

func (a *app) health() *ops.Health {
	return ops.NewHealth(
		ops.Check{Name: "database", Run: a.pool.Ping},
		ops.Check{Name: "migrations", Run: func(ctx context.Context) error { return db.CheckSchema(ctx, a.pool) }},
	)
}

// server puts the HTTP side together.
func (a *app) server(health *ops.Health) (*server.Server, error) {
	var proxies []netip.Prefix
	for _, text := range a.config.TrustedProxies {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("TRUSTED_PROXIES: %w", err)
		}
		proxies = append(proxies, p)
	}
	tills := wallet.Config{Graph: a.graph, Log: a.log, Authenticate: func(ctx context.Context, key string) (auth.Principal, error) {
		return a.auth.KeyAuthenticate(ctx, key, auth.KeyWallet)
	}}
	integration := pretii.Config{
		Graph: a.graph, Auth: a.auth, Company: a.graph.Companies.ByHost, Log: a.log, Failures: server.NewLimiter(wrongKeysAMinute),
	}
	crm := antcrm.Config{Graph: a.graph, Log: a.log, Failures: server.NewLimiter(wrongKeysAMinute), Authenticate: func(ctx context.Context, key string) (auth.Principal, error) {
		return a.auth.KeyAuthenticate(ctx, key, auth.KeyAntCRM)
	}}
	if a.config.RateLimit > 0 {
		crm.Requests = server.NewLimiter(a.config.RateLimit)
		tills.Requests = server.NewLimiter(a.config.RateLimit)
		integration.Requests = server.NewLimiter(a.config.RateLimit)
	}
	till, points := wallet.New(tills), antcrm.New(crm)
	mounts := []server.Mount{
		{Path: "/wallet", Handler: till}, {Path: "/toolusers", Handler: till}, {Path: "/employee", Handler: till},
		{Path: pretii.Path, Handler: pretii.New(integration)},
		{Path: antcrm.HistoryPath, Handler: points}, {Path: antcrm.AccumulatePath, Handler: points}, {Path: antcrm.RedeemPath, Handler: points},
	}
	return server.New(server.Config{
		BaseURL: a.config.BaseURL, Schema: graph.NewSchema(a.graph), Auth: a.auth, River: a.jobs, Metrics: a.metrics,
		Health: health, OpsElsewhere: a.config.OpsAddr != "", TrustedProxies: proxies, Origins: a.config.Origins,
		Rates: server.Rates{Principal: a.config.RateLimit}, GraphiQL: a.config.GraphiQL, Customers: a.graph, QRImages: a.graph, Mounts: mounts, Log: a.log,
		BatchCodes: a.graph.CouponBatchCodes,
	})
}

type migrateCommand struct{}

// Run brings the tables up, ours and the queue's, under one lock.
func (migrateCommand) Run(ctx context.Context) error {
	config, err := readConfig()
	if err != nil {
		return exitError{exitUsage, err}
	}
	if config.DatabaseURL == "" {
		return exitError{exitUsage, errors.New("DATABASE_URL is required")}
	}
	if err := db.Migrate(ctx, config.DatabaseURL); err != nil {
		return exitError{exitUnavailable, err}
	}
	return nil
}

// newLedger is the ledger alone, for commands that need no more.
func newLedger(pool *pgxpool.Pool) *ledger.Service { return ledger.New(db.NewStore(pool), time.Now) }
