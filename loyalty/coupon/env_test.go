package coupon_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
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
	"sello/jobs"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/coupon"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
)

// noon is where the tests' clock begins, in a company where it is the morning of
// the same day.
var noon = time.Date(2026, time.March, 2, 18, 0, 0, 0, time.UTC)

// env is a company with coupons, on a database of the test's own.
type env struct {
	pool    *pgxpool.Pool
	store   *db.Store
	coupons *coupon.Service
	river   *river.Client[pgx.Tx]
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
	e.coupons = coupon.New(e.store, now)
	workers := river.NewWorkers()
	// A slice of no length: the job sleeps after each step.
	river.AddWorker(workers, &jobs.CouponBatchMake{Coupons: e.coupons, Slice: time.Nanosecond})
	river.AddWorker(workers, &jobs.CouponExpire{Coupons: e.coupons, Slice: time.Nanosecond})
	var err error
	e.river, err = river.NewClient(riverpgxv5.New(pool), &river.Config{
		Workers: workers, Queues: map[string]river.QueueConfig{coupon.Queue: {MaxWorkers: 1}, coupon.ExpiryQueue: {MaxWorkers: 2}},
		FetchCooldown: 10 * time.Millisecond, FetchPollInterval: 50 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler), TestOnly: true,
	})
	if err != nil {
		t.Fatalf("river: %v", err)
	}
	e.coupons.Jobs = e.river
	companies := &company.Service{DB: e.store, Now: now}
	c, err := companies.Create(t.Context(), company.NewCompany{
		Code: "c" + uuid.NewString()[:8], Name: "Acme", TimeZone: "America/Mexico_City", Language: "es", Currency: "MXN", PhonePrefix: "+52",
	})
	if err != nil {
		t.Fatalf("create a company: %v", err)
	}
	e.company, e.who = c.ID, auth.System(c.ID)
	if _, err := companies.StoreCreate(t.Context(), e.who, "centro", "Centro"); err != nil {
		t.Fatalf("create a store: %v", err)
	}
	return e
}

// other is a second company on the same database and clock.
func (e *env) other(t testing.TB) *env {
	t.Helper()
	return newEnvOn(t, e.pool, e.clock)
}

// pass moves the clock on.
func (e *env) pass(d time.Duration) { e.clock.Store(new(e.clock.Load().Add(d))) }

// rules are those of a type of which a test says nothing else.
func rules(change ...func(*coupon.Rules)) coupon.Rules {
	r := coupon.Rules{
		Name: "Café", Format: coupon.Printed, Validity: coupon.Always, MaxUses: 1, Benefit: coupon.Amount, Amount: new(dec("50")),
		Codes: coupon.Codes{Length: coupon.DefaultLength, Alphabet: coupon.DefaultAlphabet},
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

func (e *env) typ(t testing.TB, code string, change ...func(*coupon.Rules)) *coupon.Type {
	t.Helper()
	made, err := e.coupons.TypeCreate(t.Context(), e.who, code, rules(change...))
	if err != nil {
		t.Fatalf("TypeCreate(%q): %v", code, err)
	}
	return made
}

// issue issues a coupon with a code of the test's own.
func (e *env) issue(t testing.TB, typeCode, code string, customer ...uuid.UUID) *coupon.Coupon {
	t.Helper()
	in := coupon.NewCoupon{TypeCode: typeCode, Code: code, Source: "graphql"}
	if len(customer) > 0 {
		in.CustomerID = &customer[0]
	}
	made, err := e.coupons.Issue(t.Context(), e.who, in)
	if err != nil {
		t.Fatalf("Issue(%q): %v", code, err)
	}
	return made.Coupon
}

func (e *env) redeem(t testing.TB, code, reference string) coupon.Changed {
	t.Helper()
	done, err := e.coupons.Redeem(t.Context(), e.who, coupon.Redemption{Code: code, Reference: reference, Source: "graphql"})
	if err != nil {
		t.Fatalf("Redeem(%q): %v", code, err)
	}
	return done
}

func (e *env) person(t testing.TB, name string) uuid.UUID {
	t.Helper()
	now := func() time.Time { return noon }
	made, err := customer.New(e.store, ledger.New(e.store, now), now).Create(t.Context(), e.who, customer.Fields{FirstName: name})
	if err != nil {
		t.Fatalf("create a customer: %v", err)
	}
	return made.ID
}

// show is a coupon as readers see it: status, uses, history.
func (e *env) show(t testing.TB, code string) string {
	t.Helper()
	c, err := e.coupons.ByCode(t.Context(), e.company, code)
	if err != nil {
		t.Fatalf("ByCode(%q): %v", code, err)
	}
	if c == nil {
		return "none"
	}
	history, err := e.coupons.HistoryOf(t.Context(), e.company, c, nil, 50)
	if err != nil {
		t.Fatalf("HistoryOf(%q): %v", code, err)
	}
	text := fmt.Sprintf("%s %d/%d:", c.State(), c.Used, c.MaxUses)
	for _, m := range slices.Backward(history.Movements) {
		text += " " + string(m.Kind())
	}
	return text
}

func (e *env) shows(t testing.TB, code, want string) {
	t.Helper()
	if got := e.show(t, code); got != want {
		t.Errorf("coupon %s: got %q, want %q", code, got, want)
	}
}

func refused(t testing.TB, doing string, err error, code loyalty.Code, field string) {
	t.Helper()
	got, _ := err.(*loyalty.Error)
	if got == nil || got.Code != code || got.Field != field {
		t.Errorf("%s: got %v, want %s of %q", doing, err, code, field)
	}
}

func (e *env) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := e.pool.Exec(context.WithoutCancel(t.Context()), sql, args...); err != nil {
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

// verified fails where any company's coupons do not add up.
func (e *env) verified(t testing.TB) {
	t.Helper()
	findings, err := e.coupons.Verify(t.Context(), nil)
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	for _, f := range findings {
		t.Errorf("Verify: %v", f)
	}
}

// work runs River until no job is left to run.
func (e *env) work(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended, unsubscribe := e.river.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed, river.EventKindJobCancelled, river.EventKindJobSnoozed)
	defer unsubscribe()
	if err := e.river.Start(ctx); err != nil {
		t.Fatalf("start River: %v", err)
	}
	for e.count(t, `SELECT count(*) FROM river_job WHERE finalized_at IS NULL`) > 0 {
		select {
		case <-ended:
		case <-ctx.Done():
			t.Fatal("jobs still run after a minute")
		}
	}
	if err := e.river.Stop(ctx); err != nil {
		t.Fatalf("stop River: %v", err)
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
