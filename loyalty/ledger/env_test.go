package ledger_test

import (
	"cmp"
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
	"sello/db/dbtest"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/ledger"
)

// noon is where the tests' clock begins.
var noon = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)

// env is a company with a ledger, on a database of the test's own.
type env struct {
	pool    *pgxpool.Pool
	ledger  *ledger.Service
	staff   *company.Service
	who     auth.Principal
	company uuid.UUID
	clock   atomic.Pointer[time.Time]
	// base is the type of cards of which a test says nothing.
	base *ledger.CardType
}

func newEnv(t testing.TB) *env {
	t.Helper()
	return newEnvOn(t, dbtest.New(t))
}

func newEnvOn(t testing.TB, pool *pgxpool.Pool) *env {
	t.Helper()
	e := &env{pool: pool}
	e.clock.Store(&noon)
	now := func() time.Time { return *e.clock.Load() }
	store := db.NewStore(pool)
	e.ledger = ledger.New(store, now)
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
	e.base = e.cardType(t, ledger.NewCardType{Code: "points", Scale: 4})
	return e
}

// pass moves the clock on.
func (e *env) pass(d time.Duration) { e.clock.Store(new(e.clock.Load().Add(d))) }

func (e *env) cardType(t testing.TB, in ledger.NewCardType) *ledger.CardType {
	t.Helper()
	in.Name, in.Unit = cmp.Or(in.Name, in.Code), cmp.Or(in.Unit, ledger.Points)
	made, err := e.ledger.CardTypeCreate(t.Context(), e.who, in)
	if err != nil {
		t.Fatalf("CardTypeCreate(%q): %v", in.Code, err)
	}
	return made
}

// card opens a card of the base type with a balance.
func (e *env) card(t testing.TB, code, balance string) *ledger.Card {
	t.Helper()
	return e.cardOf(t, e.base.Code, code, balance)
}

// cardOf opens a card as imports and earlier releases do: enabled, and without a
// line in the books before the first posting.
func (e *env) cardOf(t testing.TB, cardType, code, balance string) *ledger.Card {
	t.Helper()
	e.exec(t, `INSERT INTO card (company_id, id, card_type_id, code, status, floor, registered_at, created_at, updated_at)
		SELECT company_id, $3, id, $4, 'enabled', floor, $5, $5, $5 FROM card_type WHERE company_id = $1 AND code = $2`,
		e.company, cardType, uuid.Must(uuid.NewV7()), code, *e.clock.Load())
	c, err := e.ledger.CardByCode(t.Context(), e.company, code)
	if err != nil || c == nil {
		t.Fatalf("open card %q: got %v, error %v", code, c, err)
	}
	if amount := dec(balance); !amount.IsZero() {
		e.post(t, ledger.Posting{Card: ledger.CardRef{Code: code}, Action: ledger.Adjust, Amount: &amount})
	}
	return c
}

func (e *env) post(t testing.TB, p ledger.Posting) ledger.Posted {
	t.Helper()
	p.Source = cmp.Or(p.Source, "graphql")
	posted, err := e.ledger.Post(t.Context(), e.who, p)
	if err != nil {
		t.Fatalf("Post %s on %+v: %v", p.Action, p.Card, err)
	}
	return posted
}

// balance is the card's balance in its shortest form.
func (e *env) balance(t testing.TB, code string) string {
	t.Helper()
	c, err := e.ledger.CardByCode(t.Context(), e.company, code)
	if err != nil || c == nil {
		t.Fatalf("CardByCode(%q): got %v, error %v", code, c, err)
	}
	return c.Balance.Trim(0).String()
}

func (e *env) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := e.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func (e *env) count(t testing.TB, sql string, args ...any) int {
	t.Helper()
	var n int
	if err := e.pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// verified fails where the books of any company are wrong.
func (e *env) verified(t testing.TB) {
	t.Helper()
	findings, err := e.ledger.Verify(t.Context(), nil)
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	for _, f := range findings {
		t.Errorf("Verify: %v", f)
	}
}

// other is a second company on the same database.
func (e *env) other(t testing.TB) *env {
	t.Helper()
	return newEnvOn(t, e.pool)
}

func (e *env) member(t testing.TB, name, phone string) *company.Staff {
	t.Helper()
	m, err := e.staff.StaffCreate(t.Context(), e.who, company.NewStaff{
		Name: name, Phone: phone, Role: company.Cashier, StoreName: "Centro", Password: "secret " + name,
	})
	if err != nil {
		t.Fatalf("StaffCreate(%q): %v", name, err)
	}
	return m
}

func dec(text string) decimal.Decimal { return decimal.MustParse(text) }

func ref(code string) ledger.CardRef { return ledger.CardRef{Code: code} }

func key(id, request string) *ledger.Key {
	return &ledger.Key{ID: uuid.NewSHA1(uuid.Nil, []byte(id)), Fingerprint: uuid.NewSHA1(uuid.Nil, []byte(request))}
}
