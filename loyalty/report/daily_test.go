package report_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/ledger"
	"sello/loyalty/report"
)

// TestDailyAnswers: every way of narrowing the figures down answers the sums over
// the movements it leaves.
func TestDailyAnswers(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.shop(t, "America/Mexico_City", 2)
	points, wallet := s.cards[0], s.cards[1]
	at := func(text, store string) func(*ledger.Posting) {
		return func(p *ledger.Posting) {
			var err error
			if p.At, err = time.Parse(time.RFC3339, text); err != nil {
				t.Fatal(err)
			}
			p.StoreCode = store
		}
	}
	ctx := t.Context()
	s.post(ctx, t, points, ledger.Accrue, "3", at("2026-10-02T05:59:59Z", "centro")) // still the 1st in Mexico
	s.post(ctx, t, points, ledger.Accrue, "10.5", at("2026-10-02T06:00:00Z", "norte"), func(p *ledger.Posting) { p.Spent = new(dec("105")) })
	s.post(ctx, t, points, ledger.Redeem, "-4.5", at("2026-10-03T12:00:00Z", "centro"))
	s.post(ctx, t, points, ledger.Adjust, "-1", at("2026-10-03T12:00:00Z", ""))
	s.post(ctx, t, points, ledger.Adjust, "0.0001", at("2026-10-03T12:00:00Z", ""))
	s.post(ctx, t, wallet, ledger.Recharge, "100", at("2026-10-03T12:00:00Z", "centro"))
	before, err := e.Daily(ctx, s.id, report.Range{From: day("2026-10-01"), To: day("2026-10-04")})
	if err != nil || before.CompleteTo != nil || before.TimeZone != "America/Mexico_City" || before.Total.Movements != 0 {
		t.Errorf("before the first count: got %+v, error %v", before, err)
	}
	s.bring(t)
	for _, tt := range []struct {
		name string
		r    report.Range
		want string
	}{
		{"all", report.Range{From: day("2026-10-01"), To: day("2026-10-04")},
			"movements 6 issued 13.5 recharged 100 redeemed 4.5 corrected 0.0001/1 credits 113.5001 debits 5.5 net 108.0001 spent 105 redemption 0.3333 breakage 0"},
		{"one day", report.Range{From: day("2026-10-02"), To: day("2026-10-02")},
			"movements 1 issued 10.5 recharged 0 redeemed 0 corrected 0/0 credits 10.5 debits 0 net 10.5 spent 105 redemption 0 breakage 0"},
		{"a card type", report.Range{From: day("2026-10-01"), To: day("2026-10-04"), CardTypeCode: new("wallet")},
			"movements 1 issued 0 recharged 100 redeemed 0 corrected 0/0 credits 100 debits 0 net 100 spent 0 redemption - breakage -"},
		{"a store", report.Range{From: day("2026-10-01"), To: day("2026-10-04"), StoreCode: new("centro"), CardTypeCode: new("points")},
			"movements 2 issued 3 recharged 0 redeemed 4.5 corrected 0/0 credits 3 debits 4.5 net -1.5 spent 0 redemption 1.5 breakage 0"},
		{"an action", report.Range{From: day("2026-10-01"), To: day("2026-10-04"), Action: new(ledger.Adjust)},
			"movements 2 issued 0 recharged 0 redeemed 0 corrected 0.0001/1 credits 0.0001 debits 1 net -0.9999 spent 0 redemption - breakage -"},
		{"days without any", report.Range{From: day("2025-01-01"), To: day("2025-01-03")},
			"movements 0 issued 0 recharged 0 redeemed 0 corrected 0/0 credits 0 debits 0 net 0 spent 0 redemption - breakage -"},
	} {
		d, err := e.Daily(ctx, s.id, tt.r)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, words(&d.Total)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		var days report.Figures
		for i, one := range d.Days {
			if want := tt.r.From.AddDate(0, 0, i); !one.Day.Equal(want) {
				t.Errorf("%s: day %d is %v, want %v", tt.name, i, one.Day, want)
			}
			days.Movements += one.Figures.Movements
			days.Credits, days.Debits = days.Credits.Add(one.Figures.Credits), days.Debits.Add(one.Figures.Debits)
		}
		if days.Movements != d.Total.Movements || days.Net().String() != d.Total.Net().String() {
			t.Errorf("%s: the days come to %s, the total says %s", tt.name, days.Net(), d.Total.Net())
		}
	}
	other, err := e.Daily(ctx, e.shop(t, "UTC", 0).id, report.Range{From: day("2026-10-01"), To: day("2026-10-04")})
	if err != nil || other.Total.Movements != 0 {
		t.Errorf("another company: got %+v, error %v, want nothing", other, err)
	}
}

func words(f *report.Figures) string {
	rate := func(s *report.Sum) string {
		if s == nil {
			return "-"
		}
		return s.String()
	}
	return fmt.Sprintf("movements %d issued %s recharged %s redeemed %s corrected %s/%s credits %s debits %s net %s spent %s redemption %s breakage %s",
		f.Movements, f.Issued, f.Recharged, f.Redeemed, f.CorrectedUp, f.CorrectedDown, f.Credits, f.Debits, f.Net(), f.Spent,
		rate(f.RedemptionRate()), rate(f.BreakageRate()))
}

func TestDailyRefuses(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.shop(t, "UTC", 0)
	first := day("2026-01-01")
	for name, tt := range map[string]struct {
		r    report.Range
		want loyalty.Code
	}{
		"400 days":         {report.Range{From: first, To: first.AddDate(0, 0, 399)}, ""},
		"401 days":         {report.Range{From: first, To: first.AddDate(0, 0, 400)}, loyalty.CodeRangeTooLong},
		"backwards":        {report.Range{From: first, To: first.AddDate(0, 0, -1)}, loyalty.CodeInvalid},
		"unknown type":     {report.Range{From: first, To: first, CardTypeCode: new("none")}, loyalty.CodeCardTypeNotFound},
		"a type no text":   {report.Range{From: first, To: first, CardTypeCode: new("\x00")}, loyalty.CodeCardTypeNotFound},
		"unknown store":    {report.Range{From: first, To: first, StoreCode: new("none")}, loyalty.CodeStoreNotFound},
		"a store no text":  {report.Range{From: first, To: first, StoreCode: new("\xff")}, loyalty.CodeStoreNotFound},
		"the first of all": {report.Range{From: day("0001-01-01"), To: day("9999-12-31")}, loyalty.CodeRangeTooLong},
	} {
		if _, err := e.Daily(t.Context(), s.id, tt.r); loyalty.CodeOf(err) != tt.want || tt.want == "" && err != nil {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

// Reports come from the replica, and from the books where it cannot be reached.
// The replica of this test is a database that has fallen behind for good.
func TestReportsComeFromTheReplica(t *testing.T) {
	t.Parallel()
	e, behind := newEnv(t), newEnv(t)
	s := e.shop(t, "UTC", 1)
	s.post(t.Context(), t, s.cards[0], ledger.Accrue, "5")
	s.bring(t)
	behind.exec(t, `INSERT INTO company (id, code, name, time_zone, language, currency, phone_prefix, created_at, updated_at)
		VALUES ($1, 'late', 'Late', 'UTC', 'es', 'MXN', '+52', $2, $2)`, s.id, start)
	today := report.Range{From: day("2026-10-04"), To: day("2026-10-04")}
	issued := func(what, want string) {
		t.Helper()
		d, err := e.Daily(t.Context(), s.id, today)
		if err != nil || d.Total.Issued.String() != want {
			t.Errorf("%s: got %+v, error %v, want %s issued", what, d, err, want)
		}
	}
	issued("without a replica", "5")
	e.Read = behind.DB
	issued("from a replica that knows nothing yet", "0")
	// Counting goes on where the books are.
	s.post(t.Context(), t, s.cards[0], ledger.Accrue, "1")
	s.bring(t)
	s.exact(t)
	if got, err := e.BalanceAsOf(t.Context(), s.id, s.cards[0], e.Now(), report.Recorded); err != nil || got.String() != "6" {
		t.Errorf("a balance: got %s, error %v, want that of the books", got, err)
	}
	// A port that nobody listens on any more.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	away, err := pgxpool.New(t.Context(), "postgres://nobody@"+l.Addr().String()+"/none")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(away.Close)
	e.Read = db.NewStore(away)
	issued("from a replica that is away", "6")
}
