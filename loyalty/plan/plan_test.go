package plan_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
	"sello/db/dbtest"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/ledger"
	"sello/loyalty/plan"
)

// env is plans on a database of the test's own.
type env struct {
	pool  *pgxpool.Pool
	plans *plan.Service
	now   time.Time
}

func newEnv(t *testing.T, now time.Time) *env {
	t.Helper()
	e := &env{pool: dbtest.New(t), now: now}
	e.plans = &plan.Service{DB: db.NewStore(e.pool), Now: func() time.Time { return e.now }}
	return e
}

// company sets a company up in a time zone.
func (e *env) company(t *testing.T, code, zone string) auth.Principal {
	t.Helper()
	companies := &company.Service{DB: e.plans.DB, Now: e.plans.Now}
	c, err := companies.Create(t.Context(), company.NewCompany{
		Code: code, Name: code, TimeZone: zone, Language: "es", Currency: "MXN", PhonePrefix: "+52",
	})
	if err != nil {
		t.Fatal(err)
	}
	return auth.System(c.ID)
}

func (e *env) set(t *testing.T, who auth.Principal, change plan.Change) *plan.Plan {
	t.Helper()
	p, err := e.plans.Set(t.Context(), who, change)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// redeem takes one redemption, as a posting does.
func (e *env) redeem(t *testing.T, who auth.Principal) error {
	t.Helper()
	return e.plans.DB.InTx(t.Context(), func(tx db.Tx) error {
		a, err := e.plans.Open(t.Context(), tx, who.CompanyID)
		if err != nil {
			return err
		}
		if err := a.MayRedeem(); err != nil {
			return err
		}
		a.Redeem()
		return a.Write(t.Context())
	})
}

// charge pays for one message.
func (e *env) charge(t *testing.T, who auth.Principal, message uuid.UUID) error {
	t.Helper()
	return e.plans.DB.InTx(t.Context(), func(tx db.Tx) error {
		a, err := e.plans.Open(t.Context(), tx, who.CompanyID)
		if err != nil {
			return err
		}
		if _, err := a.Charge(message); err != nil {
			return err
		}
		return a.Write(t.Context())
	})
}

func (e *env) get(t *testing.T, who auth.Principal) *plan.Plan {
	t.Helper()
	p, err := e.plans.Get(t.Context(), who.CompanyID)
	if err != nil || p == nil {
		t.Fatalf("plan: %v, %v", p, err)
	}
	return p
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func day(t *testing.T, text string) *time.Time {
	t.Helper()
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return &d
}

// TestPeriods: which period a moment is in, by the company's calendar, across short
// months, leap years and changes of the clocks.
func TestPeriods(t *testing.T) {
	t.Parallel()
	e := newEnv(t, time.Time{})
	for i, tt := range []struct {
		name, zone   string
		unit         plan.Unit
		anchor, now  string
		starts, ends string
	}{
		{"a day", "America/Mexico_City", plan.Day, "2020-01-01", "2026-03-02T05:59:59Z", "2026-03-01", "2026-03-02"},
		{"the next day", "America/Mexico_City", plan.Day, "2020-01-01", "2026-03-02T06:00:00Z", "2026-03-02", "2026-03-03"},
		{"a week", "UTC", plan.Week, "2026-01-05", "2026-01-11T23:59:59Z", "2026-01-05", "2026-01-12"},
		{"a week before the anchor", "UTC", plan.Week, "2026-01-05", "2026-01-04T00:00:00Z", "2025-12-29", "2026-01-05"},
		{"a month", "UTC", plan.Month, "2024-05-10", "2026-02-09T12:00:00Z", "2026-01-10", "2026-02-10"},
		{"the month's first day", "UTC", plan.Month, "2024-05-10", "2026-02-10T00:00:00Z", "2026-02-10", "2026-03-10"},
		{"the 31st, in February", "UTC", plan.Month, "2026-01-31", "2026-02-28T00:00:00Z", "2026-02-28", "2026-03-31"},
		{"the 31st, before it in March", "UTC", plan.Month, "2026-01-31", "2026-03-30T00:00:00Z", "2026-02-28", "2026-03-31"},
		{"the 31st again", "UTC", plan.Month, "2026-01-31", "2026-03-31T00:00:00Z", "2026-03-31", "2026-04-30"},
		{"the 31st, in a leap year", "UTC", plan.Month, "2026-01-31", "2028-02-28T00:00:00Z", "2028-01-31", "2028-02-29"},
		{"a month before the anchor", "UTC", plan.Month, "2026-06-15", "2026-05-14T00:00:00Z", "2026-04-15", "2026-05-15"},
		{"a quarter", "UTC", plan.Quarter, "2025-11-30", "2026-02-27T00:00:00Z", "2025-11-30", "2026-02-28"},
		{"the next quarter", "UTC", plan.Quarter, "2025-11-30", "2026-02-28T00:00:00Z", "2026-02-28", "2026-05-30"},
		{"a year", "UTC", plan.Year, "2024-02-29", "2026-02-27T00:00:00Z", "2025-02-28", "2026-02-28"},
		{"a year from the 29th of February", "UTC", plan.Year, "2024-02-29", "2028-02-29T00:00:00Z", "2028-02-29", "2029-02-28"},
		// Santiago has no 00:00 on 6 September 2026: the clocks go from 23:59:59 to 01:00.
		{"before a midnight that is not", "America/Santiago", plan.Day, "2020-01-01", "2026-09-06T03:59:59Z", "2026-09-05", "2026-09-06"},
		{"a midnight that is not", "America/Santiago", plan.Day, "2020-01-01", "2026-09-06T04:00:00Z", "2026-09-06", "2026-09-07"},
		// It has 23:00 twice on 4 April 2026.
		{"the first 23:30", "America/Santiago", plan.Day, "2020-01-01", "2026-04-05T02:30:00Z", "2026-04-04", "2026-04-05"},
		{"the second 23:30", "America/Santiago", plan.Day, "2020-01-01", "2026-04-05T03:30:00Z", "2026-04-04", "2026-04-05"},
		{"the day after", "America/Santiago", plan.Day, "2020-01-01", "2026-04-05T04:00:00Z", "2026-04-05", "2026-04-06"},
		{"a day of 23 hours", "Europe/Madrid", plan.Day, "2020-01-01", "2026-03-29T21:59:59Z", "2026-03-29", "2026-03-30"},
		{"a day of 25 hours", "Europe/Madrid", plan.Day, "2020-01-01", "2026-10-25T22:59:59Z", "2026-10-25", "2026-10-26"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e.now = instant(t, tt.now)
			who := e.company(t, fmt.Sprint("company-", i), tt.zone)

			p := e.set(t, who, plan.Change{PeriodUnit: &tt.unit, PeriodAnchor: day(t, tt.anchor)})

			if got := p.PeriodStartsOn.Format(time.DateOnly) + " " + p.PeriodEndsOn.Format(time.DateOnly); got != tt.starts+" "+tt.ends {
				t.Errorf("period: got %s, want %s %s", got, tt.starts, tt.ends)
			}
		})
	}
}

// TestTurn: the job begins each company's period by its own calendar, once however
// often it runs, and however late.
func TestTurn(t *testing.T) {
	t.Parallel()
	e := newEnv(t, instant(t, "2026-03-29T20:00:00Z"))
	madrid, mexico := e.company(t, "madrid", "Europe/Madrid"), e.company(t, "mexico", "America/Mexico_City")
	for _, who := range []auth.Principal{madrid, mexico} {
		e.set(t, who, plan.Change{RedemptionsLimit: ledger.Given(2), PeriodUnit: new(plan.Day)})
		for _, want := range []loyalty.Code{"", "", loyalty.CodeRedemptionQuotaReached} {
			if err := e.redeem(t, who); loyalty.CodeOf(err) != want || want == "" && err != nil {
				t.Fatalf("redeem: got %v, want %q", err, want)
			}
		}
	}
	turn := func(want int) {
		t.Helper()
		n, err := e.plans.Turn(t.Context())
		if err != nil || n != want {
			t.Errorf("turn at %s: got %d, %v, want %d", e.now, n, err, want)
		}
	}
	turn(0)
	e.now = instant(t, "2026-03-29T22:00:00Z") // midnight in Madrid, in summer time since the night before
	turn(1)
	turn(0)
	if got := e.get(t, madrid); got.RedemptionsUsed != 0 || *got.Left() != 2 {
		t.Errorf("Madrid: got %d used, want 0", got.RedemptionsUsed)
	}
	if got := e.get(t, mexico); got.Used() != 2 {
		t.Errorf("Mexico: got %d used, want 2", got.Used())
	}
	if err := e.redeem(t, madrid); err != nil {
		t.Errorf("redeem in the new period: %v", err)
	}

	// Nobody was there for a week: one period has what was used, and the present one begins.
	e.now = instant(t, "2026-04-05T12:00:00Z")
	if got := e.get(t, mexico); got.Used() != 0 {
		t.Errorf("Mexico, before the job: got %d used, want 0", got.Used())
	}
	if err := e.redeem(t, mexico); err != nil {
		t.Errorf("redeem before the job has run: %v", err)
	}
	turn(1) // Madrid; Mexico's was begun by the redemption
	if got := e.get(t, mexico); got.RedemptionsUsed != 1 || got.PeriodStartsOn.Format(time.DateOnly) != "2026-04-05" {
		t.Errorf("Mexico: got %d used since %s, want 1 since 2026-04-05", got.RedemptionsUsed, got.PeriodStartsOn)
	}
	ended, _, err := e.plans.Periods(t.Context(), madrid.CompanyID, nil, 10)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, p := range ended {
		list = append(list, fmt.Sprintf("%s-%s: %d", p.StartsOn.Format("0102"), p.EndsOn.Format("0102"), p.RedemptionsUsed))
	}
	if got := strings.Join(list, ", "); got != "0330-0331: 1, 0329-0330: 2" {
		t.Errorf("ended periods: got %s", got)
	}
}

// TestTurnAtOnce: jobs that run at the same time, and redemptions with them, count
// nothing twice and lose nothing.
func TestTurnAtOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t, instant(t, "2026-03-02T12:00:00Z"))
	who := e.company(t, "acme", "UTC")
	e.set(t, who, plan.Change{RedemptionsLimit: ledger.Given(100), PeriodUnit: new(plan.Day)})
	for range 3 {
		if err := e.redeem(t, who); err != nil {
			t.Fatal(err)
		}
	}
	e.now = e.now.AddDate(0, 0, 1)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if i%2 == 0 {
				if err := e.redeem(t, who); err != nil {
					t.Errorf("redeem: %v", err)
				}
			} else if _, err := e.plans.Turn(t.Context()); err != nil {
				t.Errorf("turn: %v", err)
			}
		})
	}
	wg.Wait()
	ended, _, err := e.plans.Periods(t.Context(), who.CompanyID, nil, 10)
	if err != nil || len(ended) != 1 || ended[0].RedemptionsUsed != 3 {
		t.Errorf("ended periods: got %v, %v, want one with 3", ended, err)
	}
	if got := e.get(t, who).RedemptionsUsed; got != 8 {
		t.Errorf("used: got %d, want 8", got)
	}
}

// TestBalance: what is paid in and taken, once for each key, and never below zero.
func TestBalance(t *testing.T) {
	t.Parallel()
	e := newEnv(t, instant(t, "2026-03-02T12:00:00Z"))
	who := e.company(t, "acme", "UTC")
	key := &ledger.Key{ID: uuid.New(), Fingerprint: uuid.New()}
	other := &ledger.Key{ID: key.ID, Fingerprint: uuid.New()}

	for _, tt := range []struct {
		name     string
		in       plan.Money
		want     loyalty.Code
		replayed bool
		balance  string
	}{
		{name: "nothing", in: plan.Money{}, want: loyalty.CodeAmountNotPositive},
		{name: "less than nothing", in: money("-1"), want: loyalty.CodeAmountNotPositive},
		{name: "five decimals", in: money("1.00001"), want: loyalty.CodeAmountTooPrecise},
		{name: "sixteen digits", in: money("1000000000000000"), want: loyalty.CodeAmountTooLarge},
		{name: "a long reference", in: plan.Money{Amount: decimal.One, Reference: strings.Repeat("é", 101)}, want: loyalty.CodeTooLong},
		{name: "a reference that is no text", in: plan.Money{Amount: decimal.One, Reference: "a\x00"}, want: loyalty.CodeInvalid},
		{name: "a payment", in: plan.Money{Amount: decimal.MustParse("10.25"), Key: key}, balance: "10.25"},
		{name: "again", in: plan.Money{Amount: decimal.MustParse("10.25"), Key: key}, replayed: true, balance: "10.25"},
		{name: "another under its key", in: plan.Money{Amount: decimal.Two, Key: other}, want: loyalty.CodeIdempotencyMismatch},
		{name: "a correction", in: plan.Money{Amount: decimal.MustParse("-0.25"), Correction: true}, balance: "10"},
		{name: "a correction that takes too much", in: plan.Money{Amount: decimal.MustParse("-10.0001"), Correction: true}, want: loyalty.CodeMessageBalanceLow},
		{name: "all of it", in: plan.Money{Amount: decimal.MustParse("-10"), Correction: true}, balance: "0"},
	} {
		m, replayed, err := e.plans.TopUp(t.Context(), who, tt.in)
		if loyalty.CodeOf(err) != tt.want || tt.want == "" && err != nil {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
			continue
		}
		if tt.want == "" && (m.BalanceAfter.Trim(0).String() != tt.balance || replayed != tt.replayed) {
			t.Errorf("%s: got balance %s, replayed %v, want %s, %v", tt.name, m.BalanceAfter, replayed, tt.balance, tt.replayed)
		}
	}
	if findings, err := e.plans.Verify(t.Context(), nil); err != nil || len(findings) > 0 {
		t.Errorf("verify: %v, %v", findings, err)
	}
}

func money(amount string) plan.Money { return plan.Money{Amount: decimal.MustParse(amount)} }

// TestChargesAtOnce: messages at once are paid as far as the balance goes.
func TestChargesAtOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t, instant(t, "2026-03-02T12:00:00Z"))
	who := e.company(t, "acme", "UTC")
	e.set(t, who, plan.Change{MessagePrice: ledger.Given(decimal.MustParse("0.3"))})
	if _, _, err := e.plans.TopUp(t.Context(), who, money("3.1")); err != nil {
		t.Fatal(err)
	}
	errs := make([]error, 30)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = e.charge(t, who, uuid.New()) })
	}
	wg.Wait()
	paid := 0
	for _, err := range errs {
		switch {
		case err == nil:
			paid++
		case loyalty.CodeOf(err) != loyalty.CodeMessageBalanceLow:
			t.Errorf("charge: %v", err)
		}
	}
	if got := e.get(t, who).MessageBalance.Trim(0).String(); paid != 10 || got != "0.1" {
		t.Errorf("got %d paid and %s left, want 10 and 0.1", paid, got)
	}
	lines, more, err := e.plans.Movements(t.Context(), who.CompanyID, nil, 4)
	if err != nil || !more || len(lines) != 4 || lines[0].Seq != 11 || lines[0].Kind() != plan.Charged {
		t.Errorf("lines: got %v, %v, %v", lines, more, err)
	}
}

// TestVerify finds what does not follow, each kind of damage.
func TestVerify(t *testing.T) {
	t.Parallel()

	for name, damage := range map[string]string{
		"another balance":   `UPDATE plan SET message_balance = message_balance + 1`,
		"a line is gone":    `ALTER TABLE message_movement DISABLE TRIGGER ALL; DELETE FROM message_movement WHERE seq = 1`,
		"another line":      `ALTER TABLE message_movement DISABLE TRIGGER ALL; UPDATE message_movement SET balance_after = 1 WHERE seq = 1`,
		"a charge too many": `UPDATE notification SET price = NULL`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, instant(t, "2026-03-02T12:00:00Z"))
			who := e.company(t, "acme", "UTC")
			e.set(t, who, plan.Change{MessagePrice: ledger.Given(decimal.One)})
			if _, _, err := e.plans.TopUp(t.Context(), who, money("5")); err != nil {
				t.Fatal(err)
			}
			id := uuid.New()
			_, err := e.pool.Exec(t.Context(), `INSERT INTO notification (company_id, id, channel, kind, subject_id, attempt, recipient, subject, body, status, created_at, card_id, seq, price)
				VALUES ($1, $2, 'sms', 'wallet_sale', $2, 1, '+52', '', 'x', 'queued', $3, $2, 1, 1)`, who.CompanyID, id, e.now)
			if err = errors.Join(err, e.charge(t, who, id)); err != nil {
				t.Fatal(err)
			}
			if findings, err := e.plans.Verify(t.Context(), &who.CompanyID); err != nil || len(findings) > 0 {
				t.Fatalf("verify before: %v, %v", findings, err)
			}
			if _, err := e.pool.Exec(t.Context(), damage); err != nil {
				t.Fatal(err)
			}
			findings, err := e.plans.Verify(t.Context(), &who.CompanyID)
			if err != nil || len(findings) == 0 {
				t.Errorf("verify: got %v, %v, want a finding", findings, err)
			}
			for _, f := range findings {
				if f.CompanyID != who.CompanyID || f.String() == "" {
					t.Errorf("finding: got %v", f)
				}
			}
		})
	}
}

// TestSetRefuses: the rules of the fields.
func TestSetRefuses(t *testing.T) {
	t.Parallel()
	e := newEnv(t, instant(t, "2026-03-02T12:00:00Z"))
	who := e.company(t, "acme", "UTC")
	fortnight := plan.Unit("fortnight")
	for name, tt := range map[string]struct {
		change plan.Change
		want   loyalty.Code
	}{
		"fewer than none":        {plan.Change{ContactsLimit: ledger.Given(-1)}, loyalty.CodeInvalid},
		"more than there can be": {plan.Change{RedemptionsLimit: ledger.Given(1_000_000_001)}, loyalty.CodeInvalid},
		"a price below nothing":  {plan.Change{MessagePrice: ledger.Given(decimal.NegOne)}, loyalty.CodeAmountNotPositive},
		"a price too fine":       {plan.Change{MessagePrice: ledger.Given(decimal.MustParse("0.00001"))}, loyalty.CodeAmountTooPrecise},
		"a price too large":      {plan.Change{MessagePrice: ledger.Given(decimal.MustParse("1000000.0001"))}, loyalty.CodeAmountTooLarge},
		"another unit":           {plan.Change{PeriodUnit: &fortnight}, loyalty.CodeInvalid},
		"a day of long ago":      {plan.Change{PeriodAnchor: day(t, "1899-12-31")}, loyalty.CodeInvalid},
	} {
		if _, err := e.plans.Set(t.Context(), who, tt.change); loyalty.CodeOf(err) != tt.want {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
	if p, err := e.plans.Get(t.Context(), who.CompanyID); p != nil || err != nil {
		t.Errorf("a refused plan is there: %v, %v", p, err)
	}
	// What is not named stays.
	e.set(t, who, plan.Change{ContactsLimit: ledger.Given(7), MessagePrice: ledger.Given(decimal.One)})
	p := e.set(t, who, plan.Change{MessagePrice: ledger.Optional[decimal.Decimal]{Set: true}})
	if *p.ContactsLimit != 7 || p.MessagePrice != nil {
		t.Errorf("got limit %v, price %v, want 7 and none", p.ContactsLimit, p.MessagePrice)
	}
}
