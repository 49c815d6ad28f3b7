package customer_test

import (
	"cmp"
	"context"
	"strings"
	"sync"
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
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/catalog"
	"sello/loyalty/company"
	"sello/loyalty/coupon"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
	"sello/loyalty/reward"
)

// noon is the tests' clock: in Mexico City it is still the day before at 03:00 UTC.
var noon = time.Date(2026, time.March, 2, 3, 0, 0, 0, time.UTC)

// env is a company with customers and a wallet, on a database of the test's own.
type env struct {
	pool      *pgxpool.Pool
	sent      *recorder
	customers *customer.Service
	ledger    *ledger.Service
	coupons   *coupon.Service
	catalog   *catalog.Service
	rewards   *reward.Service
	staff     *company.Service
	who       auth.Principal
	company   uuid.UUID
	wallet    *ledger.CardType
}

func newEnv(t *testing.T) *env {
	t.Helper()
	config, err := pgxpool.ParseConfig(dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	e := &env{sent: &recorder{}}
	config.ConnConfig.Tracer, config.MaxConns = e.sent, 10
	if e.pool, err = pgxpool.NewWithConfig(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.pool.Close)
	e.open(t)
	return e
}

// other is a second company on the same database.
func (e *env) other(t *testing.T) *env {
	t.Helper()
	o := &env{pool: e.pool, sent: e.sent}
	o.open(t)
	return o
}

func (e *env) open(t *testing.T) {
	t.Helper()
	store, now := db.NewStore(e.pool), func() time.Time { return noon }
	e.ledger = ledger.New(store, now)
	e.customers = customer.New(store, e.ledger, now)
	e.coupons, e.catalog, e.rewards = coupon.New(store, now), catalog.New(store, e.ledger, now), reward.New(store, e.ledger, now)
	e.customers.Coupons, e.customers.Codes, e.customers.Claims = e.coupons, e.catalog, e.rewards
	queue, err := river.NewClient(riverpgxv5.New(e.pool), &river.Config{})
	if err != nil {
		t.Fatal(err)
	}
	e.customers.Jobs = queue
	e.staff = &company.Service{
		DB: store, Now: now, FingerprintKey: []byte("key"),
		Hash: func(_ context.Context, password string) (string, error) { return "hash of " + password, nil },
	}
	c, err := e.staff.Create(t.Context(), company.NewCompany{
		Code: "c" + uuid.NewString()[:8], Name: "Acme", TimeZone: "America/Mexico_City", Language: "es", Currency: "MXN", PhonePrefix: "+52",
	})
	if err != nil {
		t.Fatalf("create a company: %v", err)
	}
	e.company, e.who = c.ID, auth.System(c.ID)
	e.wallet = e.walletOf(t, ledger.NewCardType{Code: "wallet", WalletKey: new("wallet-key-1")})
}

func (e *env) walletOf(t *testing.T, in ledger.NewCardType) *ledger.CardType {
	t.Helper()
	in.Name, in.Unit = cmp.Or(in.Name, in.Code), ledger.Points
	made, err := e.ledger.CardTypeCreate(t.Context(), e.who, in)
	if err != nil {
		t.Fatalf("CardTypeCreate: %v", err)
	}
	return made
}

func (e *env) create(t *testing.T, in customer.Fields) *customer.Customer {
	t.Helper()
	c, err := e.customers.Create(t.Context(), e.who, in)
	if err != nil {
		t.Fatalf("Create(%q): %v", in.FirstName, err)
	}
	return c
}

func (e *env) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := e.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func (e *env) card(t *testing.T, cardType, code string, owner *customer.Customer) *ledger.Card {
	t.Helper()
	made, err := e.ledger.CardCreate(t.Context(), e.who, ledger.NewCard{CardTypeCode: cardType, Code: code, CustomerID: &owner.ID})
	if err != nil {
		t.Fatalf("CardCreate(%s): %v", code, err)
	}
	return made
}

func (e *env) post(t *testing.T, card, amount string) {
	t.Helper()
	_, err := e.ledger.Post(t.Context(), e.who, ledger.Posting{
		Card: ledger.CardRef{Code: card}, Action: ledger.Adjust, Amount: new(decimal.MustParse(amount)), Source: "test",
	})
	if err != nil {
		t.Fatalf("Post(%s, %s): %v", card, amount, err)
	}
}

// books proves the books of all companies.
func (e *env) books(t *testing.T) {
	t.Helper()
	findings, err := e.ledger.Verify(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		t.Errorf("books: %s", f)
	}
}

// audited are the actions noted about a customer, in their order.
func (e *env) audited(t *testing.T, id uuid.UUID) []string {
	t.Helper()
	return e.texts(t, `SELECT action FROM audit_entry WHERE company_id = $1 AND target_id = $2 ORDER BY id`, e.company, id)
}

// told are the kinds of the events about a customer or a segment, in their order.
func (e *env) told(t *testing.T, id uuid.UUID) []string {
	t.Helper()
	return e.texts(t, `SELECT kind FROM event WHERE company_id = $1 AND subject_id = $2 ORDER BY id`, e.company, id)
}

func (e *env) texts(t *testing.T, sql string, args ...any) []string {
	t.Helper()
	rows, err := e.pool.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return all
}

func (e *env) count(t *testing.T, sql string, args ...any) int {
	t.Helper()
	var n int
	if err := e.pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func wantRefusal(t *testing.T, err error, code loyalty.Code, field string) {
	t.Helper()
	if got := loyalty.CodeOf(err); got != code || (code == "" && err != nil) {
		t.Fatalf("got refusal %q (error %v), want %q", got, err, code)
	}
	if code != "" && err.(*loyalty.Error).Field != field {
		t.Errorf("field at fault: got %q, want %q", err.(*loyalty.Error).Field, field)
	}
}

// recorder keeps the statements that a pool sends, with their arguments.
type recorder struct {
	mu   sync.Mutex
	sent []pgx.TraceQueryStartData
}

func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, data)
	return ctx
}

func (r *recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// plan explains the last statement of a name with the arguments it had.
func (e *env) plan(t *testing.T, name string) string {
	t.Helper()
	e.sent.mu.Lock()
	var last pgx.TraceQueryStartData
	for _, data := range e.sent.sent {
		if strings.HasPrefix(data.SQL, "-- name: "+name+" ") {
			last = data
		}
	}
	e.sent.mu.Unlock()
	rows, err := e.pool.Query(t.Context(), "EXPLAIN "+last.SQL, last.Args...)
	if err != nil {
		t.Fatalf("explain %s: %v", name, err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("explain %s: %v", name, err)
	}
	return strings.Join(lines, "\n")
}
