package reward_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5/pgxpool"

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

var noon = time.Date(2026, time.March, 2, 18, 0, 0, 0, time.UTC)

// env is a company with rewards, serial codes and a ledger, on a database of the
// test's own.
type env struct {
	pool    *pgxpool.Pool
	store   *db.Store
	ledger  *ledger.Service
	rewards *reward.Service
	catalog *catalog.Service
	who     auth.Principal
	company uuid.UUID
	clock   *atomic.Pointer[time.Time]
}

func newEnv(t testing.TB) *env {
	t.Helper()
	clock := &atomic.Pointer[time.Time]{}
	clock.Store(&noon)
	return newEnvOn(t, dbtest.New(t), clock)
}

func newEnvOn(t testing.TB, pool *pgxpool.Pool, clock *atomic.Pointer[time.Time]) *env {
	t.Helper()
	e := &env{pool: pool, store: db.NewStore(pool), clock: clock}
	now := func() time.Time { return *e.clock.Load() }
	e.ledger = ledger.New(e.store, now)
	e.rewards, e.catalog = reward.New(e.store, e.ledger, now), catalog.New(e.store, e.ledger, now)
	companies := &company.Service{DB: e.store, Now: now}
	c, err := companies.Create(t.Context(), company.NewCompany{
		Code: "c" + uuid.NewString()[:8], Name: "Acme", TimeZone: "Asia/Ho_Chi_Minh", Language: "vi", Currency: "VND", PhonePrefix: "+84",
	})
	if err != nil {
		t.Fatalf("create a company: %v", err)
	}
	e.company, e.who = c.ID, auth.System(c.ID)
	for _, code := range []string{"centro", "norte"} {
		if _, err := companies.StoreCreate(t.Context(), e.who, code, code); err != nil {
			t.Fatalf("create a store: %v", err)
		}
	}
	for _, code := range []string{"points", "other"} {
		if _, err := e.ledger.CardTypeCreate(t.Context(), e.who, ledger.NewCardType{Code: code, Name: code, Unit: ledger.Points}); err != nil {
			t.Fatalf("create a card type: %v", err)
		}
	}
	return e
}

// other is a second company on the same database and clock.
func (e *env) other(t testing.TB) *env { return newEnvOn(t, e.pool, e.clock) }

func (e *env) pass(d time.Duration) { e.clock.Store(new(e.clock.Load().Add(d))) }

// card opens somebody's card of a type with points on it.
func (e *env) card(t testing.TB, cardType, code, points string) uuid.UUID {
	t.Helper()
	person, err := customer.New(e.store, e.ledger, func() time.Time { return noon }).Create(t.Context(), e.who, customer.Fields{FirstName: code})
	if err != nil {
		t.Fatalf("create a customer: %v", err)
	}
	if _, err := e.ledger.CardCreate(t.Context(), e.who, ledger.NewCard{CardTypeCode: cardType, Code: code, CustomerID: &person.ID}); err != nil {
		t.Fatalf("create a card: %v", err)
	}
	if points != "0" {
		e.earn(t, code, points)
	}
	return person.ID
}

func (e *env) earn(t testing.TB, code, points string) {
	t.Helper()
	_, err := e.ledger.Post(t.Context(), e.who, ledger.Posting{
		Card: ledger.CardRef{Code: code}, Action: ledger.Accrue, Amount: new(dec(points)), Source: "graphql",
	})
	if err != nil {
		t.Fatalf("post %s on %s: %v", points, code, err)
	}
}

func (e *env) balance(t testing.TB, code string) string {
	t.Helper()
	c, err := e.ledger.CardByCode(t.Context(), e.company, code)
	if err != nil || c == nil {
		t.Fatalf("CardByCode(%q): got %v, error %v", code, c, err)
	}
	return c.Balance.Trim(0).String()
}

func (e *env) reward(t testing.TB, code, price string, stock *int) *reward.Reward {
	t.Helper()
	made, err := e.rewards.Create(t.Context(), e.who, reward.NewReward{Code: code, Name: code, CardTypeCode: "points", Price: dec(price), Stock: stock})
	if err != nil {
		t.Fatalf("create a reward: %v", err)
	}
	return made
}

func (e *env) redeem(code, card string, change ...func(*reward.Exchange)) (reward.Exchanged, error) {
	in := reward.Exchange{Code: code, Card: ledger.CardRef{Code: card}, Source: "graphql"}
	for _, c := range change {
		c(&in)
	}
	return e.rewards.Redeem(context.Background(), e.who, in)
}

func (e *env) product(t testing.TB, code string) {
	t.Helper()
	_, err := e.catalog.ProductCreate(t.Context(), e.who, catalog.NewProduct{Code: code, Name: "Tivi", SerialPrefix: "TIVI", Score: dec("100")})
	if err != nil {
		t.Fatalf("create a product: %v", err)
	}
}

func (e *env) consume(code, card string) (catalog.Used, error) {
	return e.catalog.Consume(context.Background(), e.who, catalog.Use{Code: code, Card: ledger.CardRef{Code: card}, Source: "antcrm"})
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

// attempts is the company's history as the legacy dialect shows it, newest first.
func (e *env) attempts(t testing.TB, kind reward.AttemptKind) (list []string) {
	t.Helper()
	page, _, err := e.rewards.Attempts(t.Context(), e.company, reward.AttemptFilter{Kind: &kind}, nil, 100)
	if err != nil {
		t.Fatalf("Attempts: %v", err)
	}
	for _, a := range page {
		outcome := "done"
		if code := a.Refusal(); code != nil {
			outcome = string(*code)
		}
		list = append(list, a.Score.Trim(0).String()+" "+outcome)
	}
	return list
}

// verified fails where any company's books, codes or claims do not add up.
func (e *env) verified(t testing.TB) {
	t.Helper()
	books, err := e.ledger.Verify(t.Context(), nil)
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	for _, f := range books {
		t.Errorf("Verify: %v", f)
	}
	for _, f := range e.findings(t) {
		t.Errorf("Verify: %v", f)
	}
}

func (e *env) findings(t testing.TB) []coupon.Finding {
	t.Helper()
	findings, err := coupon.New(e.store, time.Now).Verify(t.Context(), nil)
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	return findings
}

func refused(t testing.TB, doing string, err error, code loyalty.Code, field string) {
	t.Helper()
	got, _ := err.(*loyalty.Error)
	if got == nil || got.Code != code || got.Field != field {
		t.Errorf("%s: got %v, want %s of %q", doing, err, code, field)
	}
}

func dec(text string) decimal.Decimal { return decimal.MustParse(text) }

func day(text string) *time.Time {
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return &d
}

func key(id, request string) *ledger.Key {
	return &ledger.Key{ID: uuid.NewSHA1(uuid.Nil, []byte(id)), Fingerprint: uuid.NewSHA1(uuid.Nil, []byte(request))}
}
