package ledger_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"sello/db/dbtest"
	"sello/loyalty/ledger"
)

func day(text string) time.Time {
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return d
}

func TestExpiryEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name               string
		expiry             ledger.Expiry
		earned, registered string
		want               string
	}{
		{"on a date ahead", ledger.Expiry{Policy: ledger.ExpiresOnDate, Date: new(day("2026-12-31"))}, "2026-03-02", "2020-01-01", "2026-12-31"},
		{"on that very day", ledger.Expiry{Policy: ledger.ExpiresOnDate, Date: new(day("2026-12-31"))}, "2026-12-31", "2020-01-01", "2026-12-31"},
		{"on that day of a later year", ledger.Expiry{Policy: ledger.ExpiresOnDate, Date: new(day("2024-02-29"))}, "2026-03-01", "2020-01-01", "2027-02-28"},
		{"after days", ledger.Expiry{Policy: ledger.ExpiresAfter, Count: 30, Unit: ledger.Days}, "2026-01-31", "2020-01-01", "2026-03-02"},
		{"after a month that is shorter", ledger.Expiry{Policy: ledger.ExpiresAfter, Count: 1, Unit: ledger.Months}, "2026-01-31", "2020-01-01", "2026-02-28"},
		{"at the end of the month", ledger.Expiry{Policy: ledger.ExpiresAtPeriodEnd, Unit: ledger.Months}, "2024-02-01", "2020-01-01", "2024-02-29"},
		{"at the end of the next quarter", ledger.Expiry{Policy: ledger.ExpiresAtPeriodEnd, Count: 1, Unit: ledger.Quarters}, "2026-11-28", "2020-01-01", "2027-03-31"},
		{"at the end of the year", ledger.Expiry{Policy: ledger.ExpiresAtPeriodEnd, Unit: ledger.Years}, "2026-12-31", "2020-01-01", "2026-12-31"},
		{"at the end of the card's year", ledger.Expiry{Policy: ledger.ExpiresAtPeriodEnd, Unit: ledger.Anniversaries}, "2026-06-14", "2024-06-15", "2026-06-14"},
		{"on the card's anniversary", ledger.Expiry{Policy: ledger.ExpiresAtPeriodEnd, Unit: ledger.Anniversaries}, "2026-06-15", "2024-06-15", "2027-06-14"},
		{"never", ledger.Expiry{Policy: ledger.NeverExpires}, "2026-06-15", "2024-06-15", ""},
	} {
		got := ""
		if end := tt.expiry.End(day(tt.earned), day(tt.registered)); end != nil {
			got = end.Format(time.DateOnly)
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// The rule is written twice, for postings in Go and for sets in SQL.
func TestExpiryEndIsTheSameInSQL(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	draw := rand.New(rand.NewPCG(11, 3))
	from := day("2019-12-25")
	var policies, units []string
	var fixed, earned, registered []time.Time
	var counts []int32
	var want []*time.Time
	for range 5000 {
		e := ledger.Expiry{
			Policy: []ledger.ExpiryPolicy{ledger.NeverExpires, ledger.ExpiresOnDate, ledger.ExpiresAfter, ledger.ExpiresAtPeriodEnd, ledger.ExpiresWithInactivity}[draw.IntN(5)],
			Date:   new(from.AddDate(0, 0, draw.IntN(4000))), Count: draw.IntN(40),
			Unit: []ledger.ExpiryUnit{ledger.Days, ledger.Months, ledger.Quarters, ledger.Years, ledger.Anniversaries}[draw.IntN(5)],
		}
		at := from.AddDate(0, 0, draw.IntN(4000))
		since := at.AddDate(0, 0, -draw.IntN(3000))
		switch {
		case e.Policy == ledger.ExpiresAtPeriodEnd && e.Unit == ledger.Days, (e.Policy == ledger.ExpiresAfter || e.Policy == ledger.ExpiresWithInactivity) && e.Unit != ledger.Days:
			e.Unit = ledger.Months
		}
		policies, units, counts = append(policies, string(e.Policy)), append(units, string(e.Unit)), append(counts, int32(e.Count))
		fixed, earned, registered = append(fixed, *e.Date), append(earned, at), append(registered, since)
		want = append(want, e.End(at, since))
	}
	rows, err := pool.Query(t.Context(), `SELECT expiry_end(p, f, c, u, e, r) FROM unnest($1::text[], $2::date[], $3::int[], $4::text[], $5::date[], $6::date[])
		WITH ORDINALITY AS x (p, f, c, u, e, r, n) ORDER BY n`, policies, fixed, counts, units, earned, registered)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var got *time.Time
		if err := rows.Scan(&got); err != nil {
			t.Fatal(err)
		}
		if (got == nil) != (want[n] == nil) || got != nil && !got.Equal(*want[n]) {
			t.Fatalf("%s of %s %s %d %s, earned %s, card of %s: Go %v, SQL %v", policies[n], fixed[n].Format(time.DateOnly), "count", counts[n], units[n],
				earned[n].Format(time.DateOnly), registered[n].Format(time.DateOnly), want[n], got)
		}
	}
	if rows.Err() != nil || n != len(want) {
		t.Fatalf("read %d of %d ends, error %v", n, len(want), rows.Err())
	}
}
