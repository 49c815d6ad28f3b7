package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
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
	"sello/loyalty/queue"
	"sello/loyalty/report"
	"sello/loyalty/upkeep"
	"sello/loyalty/webhook"
	"sello/server"
	"sello/server/ops"
)

const password = "correct horse"

// env is the whole server on a database of the test's own: a company "acme" with
// an operator of its own and one of the platform, and the company "other".
type env struct {
	*httptest.Server
	srv     *server.Server
	pool    *pgxpool.Pool
	auth    *auth.Service
	river   *river.Client[pgx.Tx]
	metrics *ops.Metrics
	health  *ops.Health
	log     *logBuffer
	company uuid.UUID
}

// logBuffer keeps what is logged.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// requests are the access lines so far.
func (l *logBuffer) requests(t *testing.T) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []map[string]any
	for line := range strings.Lines(l.b.String()) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		if v["msg"] == "request" {
			lines = append(lines, v)
		}
	}
	return lines
}

func (l *logBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

func newEnv(t *testing.T, change ...func(*server.Config)) *env {
	t.Helper()
	e := &env{pool: dbtest.New(t), metrics: ops.NewMetrics(), log: &logBuffer{}, company: uuid.New()}
	store := db.NewStore(e.pool)
	keys, err := auth.ParseKeys(auth.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	e.auth = auth.New(auth.Config{
		DB: store, Keys: keys, Now: time.Now, Issuer: "http://sello.test", Failed: e.metrics.SignInFailed,
		Hasher: auth.NewHasher(auth.Params{Memory: 64, Time: 1, Threads: 1}, 8),
	})
	t.Cleanup(e.auth.Wait)
	in := &imports.Service{DB: store, Now: time.Now, SpoolDir: t.TempDir()}
	mail := &notify.Service{DB: store, Mailer: notify.Keeper{}, Now: time.Now}
	hooks, err := webhook.New(webhook.Config{DB: store, Now: time.Now, Secret: []byte("a secret of this test only"), AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	books := ledger.New(store, time.Now)
	people := customer.New(store, books, time.Now)
	coupons := coupon.New(store, time.Now)
	e.river, err = jobs.New(jobs.Config{
		Pool: e.pool, Imports: in, Ledger: books, Coupons: coupons, Notify: mail, Webhooks: hooks, Customers: people,
		Upkeep:  &upkeep.Service{DB: store, Auth: e.auth, Imports: in, Coupons: coupons, Webhooks: hooks, Now: time.Now},
		Reports: &report.Service{DB: store, Ledger: books, Now: time.Now},
	})
	if err != nil {
		t.Fatal(err)
	}
	resolver := &graph.Resolver{
		Auth: e.auth, Companies: &company.Service{DB: store, Now: time.Now}, Customers: people,
		Ledger: books, Imports: in, Notify: mail, Queue: &queue.Service{DB: store, River: e.river, Now: time.Now},
	}
	e.health = ops.NewHealth(
		ops.Check{Name: "database", Run: e.pool.Ping},
		ops.Check{Name: "migrations", Run: func(ctx context.Context) error { return db.CheckSchema(ctx, e.pool) }},
	)
	config := server.Config{
		BaseURL: "http://sello.test", Schema: graph.NewSchema(resolver), Auth: e.auth, River: e.river,
		Metrics: e.metrics, Health: e.health, GraphiQL: true,
		Log: slog.New(slog.NewJSONHandler(e.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&config)
	}
	if e.srv, err = server.New(config); err != nil {
		t.Fatal(err)
	}
	e.Server = httptest.NewUnstartedServer(e.srv)
	e.Config = server.HTTPServer(e.srv)
	e.Start()
	t.Cleanup(e.Close)

	e.addCompany(t, e.company, "acme")
	e.addOperator(t, e.company, "boss@acme.test", auth.CompanyScopes())
	e.addOperator(t, e.company, "root@acme.test", auth.Scopes())
	return e
}

func (e *env) addCompany(t *testing.T, id uuid.UUID, code string) {
	t.Helper()
	_, err := e.pool.Exec(t.Context(), `INSERT INTO company
		(id, code, name, time_zone, language, currency, phone_prefix, created_at, updated_at)
		VALUES ($1, $2, $2, 'America/Mexico_City', 'es', 'MXN', '+52', now(), now())`, id, code)
	if err != nil {
		t.Fatal(err)
	}
}

func (e *env) addOperator(t *testing.T, company uuid.UUID, email string, scopes []auth.Scope) {
	t.Helper()
	_, err := e.auth.OperatorCreate(t.Context(), auth.System(company), auth.OperatorInput{
		Email: email, Name: "Op", Password: password, Scopes: scopes,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// token is an access token of an operator of acme.
func (e *env) token(t *testing.T, email string) string {
	t.Helper()
	s, err := e.auth.SignIn(t.Context(), auth.Credentials{Company: "acme", Email: email, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return s.AccessToken
}

// browser is a client that keeps cookies and follows no redirect.
func (e *env) browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// answer is a response with its body read.
type answer struct {
	*http.Response
	body string
}

// send sends a request: headers are pairs of name and value.
func send(t *testing.T, c *http.Client, method, url, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.Do(r)
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

// plain is a client without cookies that follows no redirect.
var plain = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

const form = "application/x-www-form-urlencoded"

// signIn signs a browser in through the page.
func (e *env) signIn(t *testing.T, c *http.Client, email string) {
	t.Helper()
	got := send(t, c, http.MethodPost, e.URL+"/sign-in",
		"company=acme&password=correct+horse&email="+email, "Content-Type", form, "Sec-Fetch-Site", "same-origin")
	if got.StatusCode != http.StatusSeeOther {
		t.Fatalf("sign-in: got %d %s", got.StatusCode, got.body)
	}
}

// waitFor waits until something is true that only another goroutine can make so.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
		select {
		case <-t.Context().Done():
		case <-time.After(time.Millisecond):
		}
	}
}
