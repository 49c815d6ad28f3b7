package wallet_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"sello/db"
	"sello/db/dbtest"
	"sello/graph"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
	"sello/loyalty/notify"
	"sello/loyalty/phone"
	"sello/loyalty/plan"
	terms "sello/loyalty/wallet"
	"sello/loyalty/wording"
	"sello/server/compat/wallet"
)

// cheap keeps tests fast; nothing here depends on what a hash costs.
var cheap = auth.Params{Memory: 64, Time: 1, Threads: 1}

const fingerprintKey = "the secret under which equal passwords are found"

// env is the shim over HTTP on real resolvers and a database of its own.
type env struct {
	pool     *pgxpool.Pool
	resolver *graph.Resolver
	server   *httptest.Server
	now      time.Time
}

func newEnv(t *testing.T, now time.Time) *env {
	t.Helper()
	return newEnvOn(t, dbtest.New(t), now)
}

func newEnvOn(t *testing.T, pool *pgxpool.Pool, now time.Time) *env {
	t.Helper()
	e := &env{pool: pool, now: now}
	clock := func() time.Time { return e.now }
	store := db.NewStore(e.pool)
	keys, err := auth.ParseKeys(auth.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	hasher := auth.NewHasher(cheap, 64)
	signIn := auth.New(auth.Config{DB: store, Keys: keys, Now: clock, Issuer: "https://sello.test", Hasher: hasher})
	t.Cleanup(signIn.Wait)
	jobs, err := river.NewClient(riverpgxv5.New(e.pool), &river.Config{})
	if err != nil {
		t.Fatal(err)
	}
	books := ledger.New(store, clock)
	people := customer.New(store, books, clock)
	plans := &plan.Service{DB: store, Now: clock}
	contract := &terms.Service{
		Plans: plans, Phones: &phone.Service{DB: store, Now: clock}, Messages: &wording.Service{DB: store, Now: clock},
		Notify: &notify.Service{DB: store, Now: clock, Jobs: jobs, Mailer: notify.Keeper{}, Accounts: plans}, Secret: []byte(fingerprintKey),
	}
	books.Terms, people.Terms = contract, contract
	e.resolver = &graph.Resolver{
		Auth:      signIn,
		Companies: &company.Service{DB: store, Now: clock, Hash: hasher.Hash, FingerprintKey: []byte(fingerprintKey)},
		Customers: people,
		Ledger:    books,
		Feed:      db.NewFeed(store, db.FeedConfig{}),
		Notify:    contract.Notify,
		Plans:     plans, Phones: contract.Phones, Messages: contract.Messages, Wallets: contract,
	}
	e.server = httptest.NewServer(wallet.New(e.config()))
	t.Cleanup(e.server.Close)
	return e
}

func (e *env) config() wallet.Config {
	return wallet.Config{
		Graph: e.resolver,
		Authenticate: func(ctx context.Context, key string) (auth.Principal, error) {
			return e.resolver.Auth.KeyAuthenticate(ctx, key, auth.KeyWallet)
		},
		Log: slog.New(slog.DiscardHandler),
	}
}

// account is a company with a key to its wallets.
type account struct {
	*env
	id     uuid.UUID
	system auth.Principal
	apikey string
}

// open sets up a company whose till has the key given.
func (e *env) open(t *testing.T, code, name, zone, apikey string) *account {
	t.Helper()
	c, err := e.resolver.Companies.Create(t.Context(), company.NewCompany{
		Code: code, Name: name, TimeZone: zone, Language: "es", Currency: "MXN", PhonePrefix: "+52",
	})
	if err != nil {
		t.Fatalf("open a company: %v", err)
	}
	a := &account{env: e, id: c.ID, system: auth.System(c.ID), apikey: apikey}
	_, err = e.resolver.Auth.KeyImport(t.Context(), a.system, apikey, auth.KeyInput{Kind: auth.KeyWallet, Name: "till"})
	if err != nil {
		t.Fatalf("import a key: %v", err)
	}
	return a
}

// wallet sets up a wallet of 10 %.
func (a *account) wallet(t *testing.T, key string, change ...func(*ledger.NewCardType)) *ledger.CardType {
	t.Helper()
	in := ledger.NewCardType{
		Code: key, Name: "Monedero " + key, Unit: ledger.Points, Scale: 2, WalletKey: &key, Percentage: new(decimal.Ten),
	}
	for _, c := range change {
		c(&in)
	}
	wallet, err := a.resolver.Ledger.CardTypeCreate(t.Context(), a.system, in)
	if err != nil {
		t.Fatalf("set up a wallet: %v", err)
	}
	return wallet
}

// staffNumber makes the next collaborator of the account get a number.
func (a *account) staffNumber(t *testing.T, next int64) {
	t.Helper()
	a.exec(t, `INSERT INTO company_counter (company_id, name, value) VALUES ($1, 'staff', $2)
		ON CONFLICT (company_id, name) DO UPDATE SET value = excluded.value`, a.id, next-1)
}

// staff takes on a collaborator, with every right on the wallets there are.
func (a *account) staff(t *testing.T, in company.NewStaff) *company.Staff {
	t.Helper()
	m, err := a.resolver.Companies.StaffCreate(t.Context(), a.system, in)
	if err != nil {
		t.Fatalf("take on staff: %v", err)
	}
	return m
}

// contact registers a customer in a wallet and gives it a balance.
func (a *account) contact(t *testing.T, key, phone, name string, birthdate *time.Time, balance string) *ledger.Card {
	t.Helper()
	card, _, err := a.resolver.Customers.Register(t.Context(), a.system, customer.Contact{
		WalletKey: key, Phone: phone, Name: name, Birthdate: birthdate,
	})
	if err != nil {
		t.Fatalf("register a contact: %v", err)
	}
	if amount := decimal.MustParse(balance); !amount.IsZero() {
		_, err := a.resolver.Ledger.Post(t.Context(), a.system, ledger.Posting{
			Card: ledger.CardRef{Code: card.Code}, Action: ledger.Adjust, Amount: &amount, Source: setUp,
		})
		if err != nil {
			t.Fatalf("give a balance: %v", err)
		}
	}
	return card
}

// setUp is the source of movements that tests begin with.
const setUp = "test"

// fingerprint is what the core keeps of a password.
func (a *account) fingerprint(password string) []byte {
	mac := hmac.New(sha256.New, []byte(fingerprintKey))
	mac.Write(a.id[:])
	mac.Write([]byte(password))
	return mac.Sum(nil)
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

// reply is an answer over HTTP.
type reply struct {
	status int
	header http.Header
	body   []byte
	// code and message are the body's.
	code, message string
}

// post calls a method with parameters as a form.
func (a *account) post(t *testing.T, path string, params url.Values) reply {
	t.Helper()
	r, err := a.try(t.Context(), path, "application/x-www-form-urlencoded", params.Encode())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// try calls a method with a body; headers are given as "Name: value".
func (a *account) try(ctx context.Context, path, contentType, body string, headers ...string) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.server.URL+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("apikey", a.apikey)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
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
	var shown struct{ Code, Message string }
	if err := json.Unmarshal(body, &shown); err != nil {
		return reply{}, errors.Join(err, errors.New("body: "+string(body)))
	}
	return reply{status: response.StatusCode, header: response.Header, body: body, code: shown.Code, message: shown.Message}, nil
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
