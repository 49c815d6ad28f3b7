package antcrm_test

import (
	"context"
	"encoding/json"
	"errors"
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
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"sello/db"
	"sello/db/dbtest"
	"sello/graph"
	"sello/loyalty/auth"
	"sello/loyalty/catalog"
	"sello/loyalty/company"
	"sello/loyalty/contact"
	"sello/loyalty/coupon"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
	"sello/loyalty/reward"
	"sello/server/compat/antcrm"
)

// cheap keeps tests fast; nothing here depends on what a hash costs.
var cheap = auth.Params{Memory: 64, Time: 1, Threads: 1}

// programme is the card type that points are kept on.
const programme = "points"

// env is the shim over HTTP on real resolvers and a database of its own.
type env struct {
	pool     *pgxpool.Pool
	resolver *graph.Resolver
	server   *httptest.Server
	now      time.Time
}

func newEnv(t *testing.T, now time.Time) *env {
	t.Helper()
	e := &env{pool: dbtest.New(t), now: now}
	clock := func() time.Time { return e.now }
	store := db.NewStore(e.pool)
	keys, err := auth.ParseKeys(auth.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	hasher := auth.NewHasher(cheap, 64)
	signIn := auth.New(auth.Config{DB: store, Keys: keys, Now: clock, Issuer: "https://sello.test", Hasher: hasher})
	t.Cleanup(signIn.Wait)
	books := ledger.New(store, clock)
	people := customer.New(store, books, clock)
	if people.Jobs, err = river.NewClient(riverpgxv5.New(e.pool), &river.Config{}); err != nil {
		t.Fatal(err)
	}
	products, gifts := catalog.New(store, books, clock), reward.New(store, books, clock)
	people.Coupons, people.Codes, people.Claims = coupon.New(store, clock), products, gifts
	e.resolver = &graph.Resolver{
		Auth: signIn, Companies: &company.Service{DB: store, Now: clock, Hash: hasher.Hash}, Customers: people, Ledger: books,
		Catalog: products, Rewards: gifts, Contacts: contact.New(people, books, products, gifts, clock), Feed: db.NewFeed(store, db.FeedConfig{}),
	}
	e.server = httptest.NewServer(antcrm.New(e.config()))
	t.Cleanup(e.server.Close)
	return e
}

func (e *env) config() antcrm.Config {
	return antcrm.Config{
		Graph: e.resolver,
		Authenticate: func(ctx context.Context, key string) (auth.Principal, error) {
			return e.resolver.Auth.KeyAuthenticate(ctx, key, auth.KeyAntCRM)
		},
		Log: slog.New(slog.DiscardHandler),
	}
}

// account is a company with a key to its points.
type account struct {
	*env
	id     uuid.UUID
	system auth.Principal
	apikey string
}

// open sets up a company that keeps points, whose CRM has the key given.
func (e *env) open(t *testing.T, id uuid.UUID, code, apikey string) *account {
	t.Helper()
	e.exec(t, `INSERT INTO company (id, code, name, time_zone, language, currency, phone_prefix, created_at, updated_at)
		VALUES ($1, $2, $2, 'Asia/Ho_Chi_Minh', 'vi', 'VND', '+84', $3, $3)`, id, code, e.now)
	a := &account{env: e, id: id, system: auth.System(id), apikey: apikey}
	if _, err := e.resolver.Auth.KeyImport(t.Context(), a.system, apikey, auth.KeyInput{Kind: auth.KeyAntCRM, Name: "crm"}); err != nil {
		t.Fatalf("import a key: %v", err)
	}
	if _, err := e.resolver.Ledger.CardTypeCreate(t.Context(), a.system, ledger.NewCardType{Code: programme, Name: "Points", Unit: ledger.Points, Rechargeable: true}); err != nil {
		t.Fatalf("set up a card type: %v", err)
	}
	if _, err := e.resolver.Companies.Update(t.Context(), a.system, company.Change{PointsCardTypeCode: new(programme)}); err != nil {
		t.Fatalf("name the programme: %v", err)
	}
	return a
}

func (e *env) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := e.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// scan reads one value.
func scan[T any](t *testing.T, e *env, sql string, args ...any) T {
	t.Helper()
	var value T
	if err := e.pool.QueryRow(t.Context(), sql, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

// rows reads the rows of a query by position.
func rows[T any](t *testing.T, e *env, sql string, args ...any) []T {
	t.Helper()
	found, err := e.pool.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	list, err := pgx.CollectRows(found, pgx.RowToStructByPos[T])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return list
}

// reply is an answer over HTTP.
type reply struct {
	status int
	header http.Header
	body   string
}

// call sends a request with the account's key; headers are given as "Name: value".
func (a *account) call(t *testing.T, method, target, body string, headers ...string) reply {
	t.Helper()
	r, err := a.try(t.Context(), method, target, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (a *account) try(ctx context.Context, method, target, body string, headers ...string) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, method, a.server.URL+target, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("apikey", a.apikey)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	return do(a.server.Client(), r)
}

func do(client *http.Client, r *http.Request) (reply, error) {
	response, err := client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return reply{}, err
	}
	if r.Method != http.MethodHead && !json.Valid(body) {
		return reply{}, errors.New("not JSON: " + string(body))
	}
	return reply{status: response.StatusCode, header: response.Header, body: string(body)}, nil
}
