package pretii_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
	"sello/db/dbtest"
	"sello/graph"
	"sello/jobs"
	"sello/loyalty"
	"sello/loyalty/auth"
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
	"sello/server/compat/pretii"
	"sello/server/ops"
)

// now is the clock of the fixtures.
var now = time.Date(2024, time.March, 15, 18, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

// env is the real server with its workers, and the company of the fixtures'
// baseline, on a database of the test's own.
type env struct {
	*httptest.Server
	pool    *pgxpool.Pool
	auth    *auth.Service
	company uuid.UUID
}

const token = "elTokenGenerado"

func newEnv(t *testing.T, change ...func(*pretii.Config)) *env {
	t.Helper()
	e := &env{pool: dbtest.New(t), company: newID(t)}
	store, metrics := db.NewStore(e.pool), ops.NewMetrics()
	keys, err := auth.ParseKeys(auth.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	e.auth = auth.New(auth.Config{
		DB: store, Keys: keys, Now: clock, Issuer: "http://sello.test",
		Hasher: auth.NewHasher(auth.Params{Memory: 64, Time: 1, Threads: 1}, 4),
	})
	t.Cleanup(e.auth.Wait)
	in := &imports.Service{DB: store, Now: clock, SpoolDir: t.TempDir()}
	mail := &notify.Service{DB: store, Mailer: notify.Keeper{}, Now: clock, Sources: map[string]notify.Source{imports.ResultMail: in.WriteErrorFile}}
	coupons := coupon.New(store, clock)
	quiet := slog.New(slog.DiscardHandler)
	hooks, err := webhook.New(webhook.Config{DB: store, Now: clock, Secret: []byte("a secret of this test only"), AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	books := ledger.New(store, clock)
	client, err := jobs.New(jobs.Config{
		Pool: e.pool, Imports: in, Ledger: books, Coupons: coupons, Notify: mail, Webhooks: hooks,
		Customers: customer.New(store, books, clock),
		Upkeep:    &upkeep.Service{DB: store, Auth: e.auth, Imports: in, Coupons: coupons, Webhooks: hooks, Now: clock},
		Reports:   &report.Service{DB: store, Now: clock},
		Work:      true, Fast: true, Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("stop the workers: %v", err)
		}
	})
	resolver := &graph.Resolver{Auth: e.auth, Imports: in, Notify: mail, Queue: &queue.Service{DB: store, River: client, Now: clock}}
	config := pretii.Config{Imports: resolver, Auth: e.auth, APIDomain: "api.example.com", Company: e.companyByCode, SpoolDir: t.TempDir()}
	for _, c := range change {
		c(&config)
	}
	srv, err := server.New(server.Config{
		BaseURL: "http://sello.test", Schema: graph.NewSchema(resolver), Auth: e.auth, River: client,
		Metrics: metrics, Health: ops.NewHealth(), Log: quiet,
		Mounts: []server.Mount{{Path: pretii.Path, Handler: pretii.New(config)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	e.Server = httptest.NewUnstartedServer(srv)
	e.Config = server.HTTPServer(srv)
	e.Start()
	t.Cleanup(e.Close)
	e.baseline(t)
	return e
}

func (e *env) companyByCode(ctx context.Context, code string) (uuid.UUID, bool, error) {
	row, err := db.NewStore(e.pool).CompanyByCode(ctx, code)
	if err == pgx.ErrNoRows { //nolint:errorlint // sqlc answers it as it is
		return uuid.Nil, false, nil
	}
	return row.ID, err == nil, err
}

// baseline is fixtures/pretii/baseline.json as far as imports look at it.
func (e *env) baseline(t *testing.T) {
	t.Helper()
	e.addCompany(t, e.company, "bluepoints")
	e.importKey(t, e.company, token)
	e.customer(t, "Ana María", "Quispe Flores", "ana.quispe@example.com", "45678912", 120)
	e.customer(t, "José", "Muñoz Pérez", "jose.munoz@example.com", "", 20)
	e.customer(t, "Anabel", "", "anabel@example.com", "CE-00123", 0)
}

func (e *env) addCompany(t *testing.T, id uuid.UUID, code string) {
	t.Helper()
	e.exec(t, `INSERT INTO company (id, code, name, time_zone, language, currency, phone_prefix, created_at, updated_at)
		VALUES ($1, $2, $2, 'America/Lima', 'es', 'PEN', '+51', $3, $3)`, id, code, now)
	e.exec(t, `INSERT INTO card_type (company_id, id, code, name, unit, scale, created_at, updated_at)
		VALUES ($1, $1, 'puntos', 'Puntos', 'points', 0, $2, $2)`, id, now)
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

// customer adds a customer with a card of the programme and, for a balance, the
// movement that explains it.
func (e *env) customer(t *testing.T, first, last, email, document string, points int) {
	t.Helper()
	id := newID(t)
	key := strings.TrimSpace(loyalty.SearchKey(first) + " " + loyalty.SearchKey(last))
	e.exec(t, `INSERT INTO customer (company_id, id, first_name, last_name, email, document, document_key, qr_code, name_key, created_at, updated_at)
		VALUES ($1, $2, $3, nullif($4, ''), $5, nullif($6, ''), lower(nullif($6, '')), $5, $7, $8, $8)`,
		e.company, id, first, last, email, document, key, now)
	e.exec(t, `INSERT INTO card (company_id, id, card_type_id, customer_id, code, status, balance, seq, registered_at, created_at, updated_at)
		VALUES ($1, $2, $1, $2, $3, 'enabled', $4, $5, $6, $6, $6)`, e.company, id, email, points, min(points, 1), now)
	if points > 0 {
		e.exec(t, `INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source)
			VALUES ($1, $2, 1, 'accrue', $3, $3, $4, $4, 'pretii')`, e.company, id, points, now)
	}
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
