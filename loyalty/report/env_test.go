package report_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
	"sello/db/dbtest"
	"sello/jobs"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/coupon"
	"sello/loyalty/customer"
	"sello/loyalty/imports"
	"sello/loyalty/ledger"
	"sello/loyalty/notify"
	"sello/loyalty/report"
	"sello/loyalty/upkeep"
	"sello/loyalty/webhook"
)

// start is where the clock begins: three weeks before Europe's clocks go back.
var start = time.Date(2026, time.October, 4, 12, 0, 0, 0, time.UTC)

// env is an installation with a clock, on a database of the test's own.
type env struct {
	*report.Service
	pool    *pgxpool.Pool
	ledger  *ledger.Service
	imports *imports.Service
	clock   atomic.Pointer[time.Time]
}

func newEnv(t *testing.T) *env {
	t.Helper()
	e := &env{pool: dbtest.New(t)}
	e.clock.Store(&start)
	store, now := db.NewStore(e.pool), func() time.Time { return *e.clock.Load() }
	e.ledger = ledger.New(store, now)
	e.imports = &imports.Service{DB: store, Now: now, SpoolDir: t.TempDir()}
	// Transactions of other tests on the same server may stay open for a while.
	e.Service = &report.Service{DB: store, Ledger: e.ledger, Now: now, SettleWait: time.Minute}
	keys, err := auth.ParseKeys(auth.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	hooks, err := webhook.New(webhook.Config{DB: store, Now: now, Secret: []byte("a secret of this test only"), AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	coupons := coupon.New(store, now)
	_, err = jobs.New(jobs.Config{
		Pool: e.pool, Imports: e.imports, Ledger: e.ledger, Coupons: coupons, Customers: customer.New(store, e.ledger, now), Reports: e.Service, Webhooks: hooks,
		Notify: &notify.Service{DB: store, Mailer: notify.Keeper{}, Now: now},
		Upkeep: &upkeep.Service{
			DB: store, Auth: auth.New(auth.Config{DB: store, Keys: keys, Now: now, Issuer: "http://sello.test"}),
			Imports: e.imports, Coupons: coupons, Webhooks: hooks, Now: now,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// pass moves the clock on.
func (e *env) pass(d time.Duration) { e.clock.Store(new(e.clock.Load().Add(d))) }

func (e *env) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := e.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func (e *env) count(t testing.TB, sql string, args ...any) (n int) {
	t.Helper()
	if err := e.pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// shop is one company: two card types, two stores and some cards.
type shop struct {
	*env
	id    uuid.UUID
	who   auth.Principal
	zone  string
	types []string
	cards []*ledger.Card
}

func (e *env) shop(t testing.TB, zone string, cards int) *shop {
	t.Helper()
	companies := &company.Service{DB: e.DB, Now: e.Now, FingerprintKey: []byte("key")}
	made, err := companies.Create(t.Context(), company.NewCompany{
		Code: "c" + uuid.NewString()[:8], Name: "Acme", TimeZone: zone, Language: "es", Currency: "MXN", PhonePrefix: "+52",
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{env: e, id: made.ID, who: auth.System(made.ID), zone: zone, types: []string{"points", "wallet"}}
	for _, code := range []string{"centro", "norte"} {
		if _, err := companies.StoreCreate(t.Context(), s.who, code, code); err != nil {
			t.Fatal(err)
		}
	}
	for _, code := range s.types {
		_, err := e.ledger.CardTypeCreate(t.Context(), s.who, ledger.NewCardType{
			Code: code, Name: code, Unit: ledger.Points, Scale: 4, Rechargeable: true, Overdraft: new(dec("100000000")),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range cards {
		s.card(t, s.types[i%2])
	}
	return s
}

func (s *shop) card(t testing.TB, cardType string) *ledger.Card {
	t.Helper()
	// As imports open one: without a line in the books before the first posting.
	id := uuid.Must(uuid.NewV7())
	s.exec(t, `INSERT INTO card (company_id, id, card_type_id, code, status, floor, registered_at, created_at, updated_at)
		SELECT company_id, $2, id, $3, 'enabled', floor, $4, $4, $4 FROM card_type WHERE company_id = $1 AND code = $5`,
		s.id, id, id.String(), s.Now(), cardType)
	c, err := s.ledger.CardByCode(t.Context(), s.id, id.String())
	if err != nil || c == nil {
		t.Fatalf("open a card: got %v, error %v", c, err)
	}
	s.cards = append(s.cards, c)
	return c
}

// post posts on a card; amounts have the sign of their action.
func (s *shop) post(ctx context.Context, t testing.TB, card *ledger.Card, action ledger.Action, amount string, change ...func(*ledger.Posting)) *ledger.Movement {
	t.Helper()
	p := ledger.Posting{Card: ledger.CardRef{Code: card.Code}, Action: action, Amount: new(dec(amount)), Source: "graphql"}
	for _, c := range change {
		c(&p)
	}
	posted, err := s.ledger.Post(ctx, s.who, p)
	if err != nil {
		t.Fatalf("post %s %s: %v", action, amount, err)
	}
	return posted.Movement
}

// random posts something on some card, with a business time somewhere in the days
// before.
func (s *shop) random(ctx context.Context, t testing.TB, r *rand.Rand, back time.Duration) {
	t.Helper()
	amount := decimal.MustNew(r.Int64N(10_000_000)+1, 4)
	action := []ledger.Action{ledger.Accrue, ledger.Redeem, ledger.Adjust, ledger.Recharge}[r.IntN(4)]
	if action == ledger.Redeem || action == ledger.Adjust && r.IntN(2) == 0 {
		amount = amount.Neg()
	}
	s.post(ctx, t, s.cards[r.IntN(len(s.cards))], action, amount.String(), func(p *ledger.Posting) {
		p.At = s.Now().Add(-time.Duration(r.Int64N(int64(back))))
		p.StoreCode = []string{"", "centro", "norte"}[r.IntN(3)]
		if (action == ledger.Accrue || action == ledger.Redeem) && r.IntN(2) == 0 {
			p.Spent = new(decimal.MustNew(r.Int64N(1_000_000), 2))
		}
	})
}

// bring takes a company's figures as far as they go.
func (s *shop) bring(t testing.TB) {
	t.Helper()
	for {
		done, err := s.Step(t.Context(), s.id)
		if err != nil {
			t.Fatalf("Step: %v", err)
		}
		if done {
			return
		}
	}
}

// stat is a row of figures, in words.
type stat struct{ Movements, Credits, Debits, Spent string }

type accumulated struct {
	movements              int
	credits, debits, spent report.Sum
}

// recomputed sums the company's movements up in Go, day by day in Go's own time
// zones, without a look at what the database's statements do.
func (s *shop) recomputed(t testing.TB, zone string) map[string]stat {
	t.Helper()
	where, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := s.pool.Query(t.Context(), `SELECT m.posted_at, c.card_type_id, coalesce(m.store_id::text, ''), m.action, m.amount::text, coalesce(m.spent, 0)::text
		FROM movement m JOIN card c ON c.company_id = m.company_id AND c.id = m.card_id WHERE m.company_id = $1`, s.id)
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]*accumulated{}
	var at time.Time
	var cardType uuid.UUID
	var store, action, amount, spent string
	_, err = pgx.ForEachRow(rows, []any{&at, &cardType, &store, &action, &amount, &spent}, func() error {
		key := fmt.Sprintf("%s %s %s %s", at.In(where).Format(time.DateOnly), cardType, store, action)
		a := sums[key]
		if a == nil {
			a = &accumulated{}
			sums[key] = a
		}
		a.movements++
		if v := sum(t, amount); v.Sign() > 0 {
			a.credits = a.credits.Add(v)
		} else {
			a.debits = a.debits.Sub(v)
		}
		a.spent = a.spent.Add(sum(t, spent))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]stat{}
	for key, a := range sums {
		all[key] = stat{fmt.Sprint(a.movements), a.credits.String(), a.debits.String(), a.spent.String()}
	}
	return all
}

// kept are the figures that the company's answers come from.
func (s *shop) kept(t testing.TB) map[string]stat {
	t.Helper()
	rows, err := s.pool.Query(t.Context(), `SELECT d.day, d.card_type_id,
			CASE WHEN d.store_id = '00000000-0000-0000-0000-000000000000' THEN '' ELSE d.store_id::text END,
			d.action, d.movements::text, d.credits::text, d.debits::text, d.spent::text
		FROM daily_stat d JOIN report_state r ON r.company_id = d.company_id AND r.generation = d.generation WHERE d.company_id = $1`, s.id)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]stat{}
	var day time.Time
	var cardType uuid.UUID
	var store, action, movements, credits, debits, spent string
	_, err = pgx.ForEachRow(rows, []any{&day, &cardType, &store, &action, &movements, &credits, &debits, &spent}, func() error {
		all[fmt.Sprintf("%s %s %s %s", day.Format(time.DateOnly), cardType, store, action)] =
			stat{movements, sum(t, credits).String(), sum(t, debits).String(), sum(t, spent).String()}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// exact fails where figures and movements differ.
func (s *shop) exact(t testing.TB) {
	t.Helper()
	want := s.recomputed(t, cmp.Or(s.zone, "UTC"))
	if len(want) == 0 {
		t.Error("there is no movement: nothing was compared")
	}
	if diff := gocmp.Diff(want, s.kept(t)); diff != "" {
		t.Errorf("figures of %s (-movements +figures):\n%s", s.zone, diff)
	}
}

func dec(text string) decimal.Decimal { return decimal.MustParse(text) }

func random(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}
