// Package graphtest gives tests the whole GraphQL door on a database of their
// own: the real schema and resolvers behind the real server, with sign-in by
// password and API key (design.md 12). Nothing in it stands in for our code.
//
//	env := graphtest.New(t)
//	shop := env.Company(t, "shop")          // a company with an API key of every scope
//	shop.Fill(t, 20)                        // twenty customers with cards and movements
//	answer := shop.Query(t, `{ cards { totalCount } }`, nil)
//
// The clock stands still until a test moves it; queues are not worked unless a
// test asks for it (Env.Work, Env.Apply).
package graphtest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"sello/db"
	"sello/db/dbtest"
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
	"sello/server"
	"sello/server/gqlhttp"
	"sello/server/ops"
)

// Noon is when a new Env's clock stands still.
var Noon = time.Date(2026, time.March, 2, 18, 0, 0, 0, time.UTC)

// Env is one installation: a server with all it needs, on its own database.
type Env struct {
	Pool     *pgxpool.Pool
	Store    *db.Store
	Auth     *auth.Service
	Resolver *graph.Resolver
	Jobs     *river.Client[pgx.Tx]
	Clock    *Clock
	// Server answers all routes; URL is its /graphql.
	Server *httptest.Server
	URL    string
}

// Clock is the time of an Env.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Pass lets time pass.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Options change what New builds; the zero value is right for most tests.
type Options struct {
	// Tracer sees every statement.
	Tracer pgx.QueryTracer
	// Limits replace single limits of the GraphQL edge.
	Limits gqlhttp.Limits
	// Feed sets the event feed up.
	Feed db.FeedConfig
	// Server changes the server's configuration last.
	Server func(*server.Config)
}

// New builds an installation on an empty database and serves it until the test
// ends.
func New(tb testing.TB, options ...Options) *Env {
	tb.Helper()
	var o Options
	if len(options) > 0 {
		o = options[0]
	}
	e := &Env{Pool: pool(tb, o.Tracer), Clock: &Clock{now: Noon}}
	e.Store = db.NewStore(e.Pool)
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // never fails (crypto/rand)
	keys, err := auth.ParseKeys("test:" + base64.RawURLEncoding.EncodeToString(seed[:]))
	if err != nil {
		tb.Fatalf("graphtest: %v", err)
	}
	// Cheap: what tests look at does not depend on what a hash costs.
	hasher := auth.NewHasher(auth.Params{Memory: 64, Time: 1, Threads: 1}, 16)
	e.Auth = auth.New(auth.Config{DB: e.Store, Keys: keys, Now: e.Clock.Now, Issuer: "https://sello.test", Hasher: hasher})
	tb.Cleanup(e.Auth.Wait) // it writes behind the requests' backs; the pool goes after it

	importing := &imports.Service{DB: e.Store, Now: e.Clock.Now, SpoolDir: tb.TempDir()}
	log := slog.New(slog.DiscardHandler)
	plans := &plan.Service{DB: e.Store, Now: e.Clock.Now}
	notifying := &notify.Service{
		DB: e.Store, Mailer: notify.Keeper{}, Texter: notify.TextKeeper{Log: log}, Accounts: plans, Now: e.Clock.Now,
		Sources: map[string]notify.Source{imports.ResultMail: importing.WriteErrorFile},
	}
	books := ledger.New(e.Store, e.Clock.Now)
	// Transactions of other tests on the same server may stay open for a while.
	reporting := &report.Service{DB: e.Store, Ledger: books, Now: e.Clock.Now, SettleWait: time.Minute}
	coupons := coupon.New(e.Store, e.Clock.Now)
	hooks, err := webhook.New(webhook.Config{
		DB: e.Store, Now: e.Clock.Now, Secret: []byte("a secret of this test only"), AllowPrivate: true,
	})
	if err != nil {
		tb.Fatalf("graphtest: %v", err)
	}
	people := customer.New(e.Store, books, e.Clock.Now)
	products, rewards := catalog.New(e.Store, books, e.Clock.Now), reward.New(e.Store, books, e.Clock.Now)
	people.Coupons, people.Codes, people.Claims = coupons, products, rewards
	wallets := &wallet.Service{
		Plans: plans, Phones: &phone.Service{DB: e.Store, Now: e.Clock.Now}, Messages: &wording.Service{DB: e.Store, Now: e.Clock.Now},
		Notify: notifying, Secret: []byte("a secret of this test only"),
	}
	books.Terms, people.Terms = wallets, wallets
	e.Jobs, err = jobs.New(jobs.Config{
		Pool: e.Pool, Imports: importing, Ledger: books, Coupons: coupons, Notify: notifying, Work: true, Log: log, Fast: true,
		Upkeep:  &upkeep.Service{DB: e.Store, Auth: e.Auth, Imports: importing, Coupons: coupons, Now: e.Clock.Now, Webhooks: hooks},
		Reports: reporting, Webhooks: hooks, Customers: people,
	})
	if err != nil {
		tb.Fatalf("graphtest: %v", err)
	}
	e.Resolver = &graph.Resolver{
		Auth: e.Auth,
		Companies: &company.Service{
			DB: e.Store, Now: e.Clock.Now, Hash: hasher.Hash, FingerprintKey: []byte("a secret of this test only"),
			APIDomain: "api.sello.test",
		},
		Customers: people,
		Ledger:    books,
		Imports:   importing,
		Coupons:   coupons,
		Catalog:   products,
		POS:       &pos.Service{Ledger: books, Coupons: coupons},
		Rewards:   rewards,
		Notify:    notifying,
		Queue:     &queue.Service{DB: e.Store, River: e.Jobs, Now: e.Clock.Now, Asked: jobs.Asked()},
		Reports:   reporting,
		Feed:      db.NewFeed(e.Store, o.Feed),
		Webhooks:  hooks,
		Plans:     plans, Phones: wallets.Phones, Messages: wallets.Messages, Wallets: wallets,
	}
	e.Resolver.Contacts = contact.New(people, books, e.Resolver.Catalog, e.Resolver.Rewards, e.Clock.Now)
	e.Resolver.Points = points.New(people, e.Resolver.Companies, books, e.Clock.Now)
	e.follow(tb)
	e.serve(tb, o, log)
	return e
}

// pool is that of dbtest.New, or one of our own that a tracer looks into.
func pool(tb testing.TB, tracer pgx.QueryTracer) *pgxpool.Pool {
	tb.Helper()
	if tracer == nil {
		return dbtest.New(tb)
	}
	config, err := pgxpool.ParseConfig(dbtest.URL(tb))
	if err != nil {
		tb.Fatalf("graphtest: %v", err)
	}
	config.MaxConns, config.ConnConfig.Tracer = 8, tracer
	config.AfterConnect = db.RegisterTypes
	p, err := pgxpool.NewWithConfig(tb.Context(), config)
	if err != nil {
		tb.Fatalf("graphtest: %v", err)
	}
	tb.Cleanup(p.Close)
	return p
}

// follow runs the event feed until the test ends.
func (e *Env) follow(tb testing.TB) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	ended := make(chan error, 1)
	go func() { ended <- e.Resolver.Feed.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("graphtest: the event feed: %v", err)
		}
	})
}

func (e *Env) serve(tb testing.TB, o Options, log *slog.Logger) {
	tb.Helper()
	config := server.Config{
		BaseURL: "https://sello.test", Schema: graph.NewSchema(e.Resolver), Auth: e.Auth, River: e.Jobs,
		Metrics: ops.NewMetrics(), Health: ops.NewHealth(), Rates: server.Rates{Principal: -1, Address: -1, Failures: -1},
		GraphQL: o.Limits, Customers: e.Resolver, QRImages: e.Resolver, Log: log, Now: e.Clock.Now, BatchCodes: e.Resolver.CouponBatchCodes,
	}
	if o.Server != nil {
		o.Server(&config)
	}
	srv, err := server.New(config)
	if err != nil {
		tb.Fatalf("graphtest: %v", err)
	}
	e.Server = httptest.NewServer(srv)
	e.URL = e.Server.URL + "/graphql"
	tb.Cleanup(func() {
		e.Server.CloseClientConnections() // streams that a failed test left open
		e.Server.Close()
	})
}

// Work works the queues until none of a company's jobs is left to run.
func (e *Env) Work(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	ended, unsubscribe := e.Jobs.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed,
		river.EventKindJobCancelled, river.EventKindJobSnoozed)
	defer unsubscribe()
	if err := e.Jobs.Start(ctx); err != nil {
		tb.Fatalf("graphtest: start the workers: %v", err)
	}
	for e.Count(tb, `SELECT count(*) FROM river_job WHERE finalized_at IS NULL AND args ? 'company_id'`) > 0 {
		select {
		case <-ended:
		case <-ctx.Done():
			tb.Fatal("graphtest: jobs still run after a minute")
		}
	}
	if err := e.Jobs.Stop(ctx); err != nil {
		tb.Fatalf("graphtest: stop the workers: %v", err)
	}
}

// Exec runs a statement.
func (e *Env) Exec(tb testing.TB, sql string, args ...any) {
	tb.Helper()
	if _, err := e.Pool.Exec(tb.Context(), sql, args...); err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
}

// Count is the number that a query answers.
func (e *Env) Count(tb testing.TB, sql string, args ...any) int {
	tb.Helper()
	var n int
	if err := e.Pool.QueryRow(tb.Context(), sql, args...).Scan(&n); err != nil {
		tb.Fatalf("%s: %v", sql, err)
	}
	return n
}
