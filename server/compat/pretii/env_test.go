package pretii_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"sello/db"
	"sello/db/dbtest"
	"sello/graph"
	"sello/jobs"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/coupon"
	"sello/loyalty/customer"
	"sello/loyalty/imports"
	"sello/loyalty/ledger"
	"sello/loyalty/notify"
	"sello/loyalty/points"
	"sello/loyalty/queue"
	"sello/loyalty/report"
	"sello/loyalty/upkeep"
	"sello/loyalty/webhook"
	"sello/server"
	"sello/server/compat/pretii"
	"sello/server/ops"
)

// now is the clock of the fixtures.
var now = time.Date(2024, time.March, 15, 18, 0, 0, 0, time.UTC)

// clock is a time that tests set while workers read it.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

// env is the real server with its workers, and the company of the fixtures'
// baseline, on a database of the test's own.
type env struct {
	*httptest.Server
	pool     *pgxpool.Pool
	clock    *clock
	keys     *auth.KeySet
	auth     *auth.Service
	resolver *graph.Resolver
	river    *river.Client[pgx.Tx]
	metrics  *ops.Metrics
	company  uuid.UUID
}

const token = "elTokenGenerado"

// newEnv is an installation with the fixtures' baseline.
func newEnv(t *testing.T, change ...func(*pretii.Config)) *env {
	t.Helper()
	e := install(t)
	e.load(t, readBaseline(t, nil), nil)
	e.serve(t, change...)
	return e
}

// install makes the domain and its workers, with nobody in it.
func install(t *testing.T) *env {
	t.Helper()
	e := &env{pool: dbtest.New(t), clock: &clock{at: now}, metrics: ops.NewMetrics()}
	store := db.NewStore(e.pool)
	var err error
	if e.keys, err = auth.ParseKeys(auth.NewKey()); err != nil {
		t.Fatal(err)
	}
	e.signIn(t)
	in := &imports.Service{DB: store, Now: e.clock.Now, SpoolDir: t.TempDir()}
	mail := &notify.Service{DB: store, Mailer: notify.Keeper{}, Now: e.clock.Now, Sources: map[string]notify.Source{imports.ResultMail: in.WriteErrorFile}}
	coupons := coupon.New(store, e.clock.Now)
	hooks, err := webhook.New(webhook.Config{DB: store, Now: e.clock.Now, Secret: []byte("a secret of this test only"), AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	books := ledger.New(store, e.clock.Now)
	people := customer.New(store, books, e.clock.Now)
	e.river, err = jobs.New(jobs.Config{
		Pool: e.pool, Imports: in, Ledger: books, Coupons: coupons, Notify: mail, Webhooks: hooks, Customers: people,
		Upkeep:  &upkeep.Service{DB: store, Auth: e.auth, Imports: in, Coupons: coupons, Webhooks: hooks, Customers: people, Now: e.clock.Now},
		Reports: &report.Service{DB: store, Now: e.clock.Now},
		Work:    true, Fast: true, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.river.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.river.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("stop the workers: %v", err)
		}
	})
	companies := &company.Service{DB: store, Now: e.clock.Now, APIDomain: "api.example.com"}
	e.resolver = &graph.Resolver{
		Auth: e.auth, Companies: companies, Customers: people, Ledger: books, Imports: in, Notify: mail,
		Points: points.New(people, companies, books, e.clock.Now), Feed: db.NewFeed(store, db.FeedConfig{}),
		Queue: &queue.Service{DB: store, River: e.river, Now: e.clock.Now},
	}
	return e
}

// signIn makes a sign-in that has seen no token yet.
func (e *env) signIn(t *testing.T) {
	t.Helper()
	e.auth = auth.New(auth.Config{
		DB: db.NewStore(e.pool), Keys: e.keys, Now: e.clock.Now, Issuer: "http://sello.test",
		Hasher: auth.NewHasher(auth.Params{Memory: 64, Time: 1, Threads: 1}, 4),
	})
	t.Cleanup(e.auth.Wait)
}

// serve answers over HTTP until the test ends.
func (e *env) serve(t *testing.T, change ...func(*pretii.Config)) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	config := pretii.Config{Graph: e.resolver, Auth: e.auth, Company: e.resolver.Companies.ByHost, SpoolDir: t.TempDir(), Log: quiet}
	for _, c := range change {
		c(&config)
	}
	srv, err := server.New(server.Config{
		BaseURL: "http://sello.test", Schema: graph.NewSchema(e.resolver), Auth: e.auth, River: e.river,
		Metrics: e.metrics, Health: ops.NewHealth(), Log: quiet,
		Mounts: []server.Mount{{Path: pretii.Path, Handler: pretii.New(config)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	e.Server = httptest.NewUnstartedServer(srv)
	e.Config = server.HTTPServer(srv)
	e.Start()
	t.Cleanup(e.Close)
}

// addCompany opens a company that keeps points, 1 for each 10 spent.
func (e *env) addCompany(t *testing.T, id uuid.UUID, code string) {
	t.Helper()
	e.exec(t, `INSERT INTO company (id, code, name, time_zone, language, currency, phone_prefix, created_at, updated_at)
		VALUES ($1, $2, $2, 'America/Lima', 'es', 'PEN', '+51', $3, $3)`, id, code, now)
	e.exec(t, `INSERT INTO card_type (company_id, id, code, name, unit, scale, ratio_points, ratio_amount, created_at, updated_at)
		VALUES ($1, $1, 'puntos', 'Puntos', 'points', 0, 1, 10, $2, $2)`, id, now)
	e.exec(t, `INSERT INTO company_setting (company_id, name, value, updated_at) VALUES ($1, 'points_card_type', '"puntos"', $2)`, id, now)
}

func (e *env) importKey(t *testing.T, company uuid.UUID, secret string) {
	t.Helper()
	_, err := e.auth.KeyImport(t.Context(), auth.System(company), secret, auth.KeyInput{
		Kind: auth.KeyPretii, Name: "panel", ContactEmail: "admin@bluepoints.example.com",
	})
	if err != nil {
		t.Fatal(err)
	}
}

func newID(t *testing.T) uuid.UUID {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (e *env) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := e.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// text reads one value as text.
func (e *env) text(t *testing.T, sql string, args ...any) string {
	t.Helper()
	var v *string
	if err := e.pool.QueryRow(t.Context(), "SELECT ("+sql+")::text", args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if v == nil {
		return "<nil>"
	}
	return *v
}

// same fails where a value in the database is not the one wanted.
func (e *env) same(t *testing.T, want any, sql string, args ...any) {
	t.Helper()
	if got := e.text(t, sql, args...); got != fmt.Sprint(want) {
		t.Errorf("%s %v: got %s, want %v", sql, args, got, want)
	}
}

// settle waits until no import and no mail is under way.
func (e *env) settle(t *testing.T) {
	t.Helper()
	waitFor(t, "the jobs", func() bool {
		return e.text(t, `SELECT count(*) FROM river_job WHERE kind IN ('import_apply', 'notify_email') AND finalized_at IS NULL`) == "0"
	})
}

// waitFor waits until something is true that only another goroutine can make so.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
		select {
		case <-t.Context().Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// answer is a response with its body read.
type answer struct {
	*http.Response
	body string
}

// send sends a request of the company's client: headers are pairs of name and
// value, Host among them; Authorization is the token's unless given.
func (e *env) send(t *testing.T, method, path string, body io.Reader, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, e.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(headers); i += 2 {
		switch name, value := headers[i], headers[i+1]; {
		case name == "Host":
			r.Host = value
		case value == "":
			r.Header.Del(name)
		default:
			r.Header.Set(name, value)
		}
	}
	response, err := e.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response, string(content)}
}

// other is another company, whose host is greenpoints'.
func (e *env) other(t *testing.T) uuid.UUID {
	t.Helper()
	return uuid.MustParse(e.text(t, `SELECT id FROM company WHERE code = 'greenpoints'`))
}

// json sends a JSON body.
func (e *env) json(t *testing.T, path, body string, headers ...string) answer {
	t.Helper()
	return e.send(t, http.MethodPost, path, strings.NewReader(body), append([]string{"Content-Type", "application/json"}, headers...)...)
}
