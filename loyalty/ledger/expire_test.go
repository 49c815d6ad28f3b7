package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"sello/db"
	"sello/db/dbtest"
	"sello/loyalty"
	"sello/loyalty/ledger"
)

// withJobs gives the ledger a queue that nobody works.
func (e *env) withJobs(t testing.TB) *env {
	t.Helper()
	client, err := river.NewClient(riverpgxv5.New(e.pool), &river.Config{})
	if err != nil {
		t.Fatal(err)
	}
	e.ledger.Jobs = client
	return e
}

// setExpiry changes the base type's policy and leaves its job to the test.
func (e *env) setExpiry(t testing.TB, in ledger.ExpiryChange) *ledger.CardType {
	t.Helper()
	in.CardTypeCode = e.base.Code
	set, err := e.ledger.CardTypeExpirySet(t.Context(), e.who, in)
	if err != nil {
		t.Fatalf("CardTypeExpirySet(%+v): %v", in, err)
	}
	return set
}

func (e *env) apply(t testing.TB, set *ledger.CardType) int {
	t.Helper()
	cards, done, err := e.ledger.PolicyApply(t.Context(), applyJob(set), nil)
	if err != nil || !done {
		t.Fatalf("PolicyApply: got done %v, error %v", done, err)
	}
	return cards
}

func applyJob(set *ledger.CardType) ledger.ExpiryPolicyApply {
	return ledger.ExpiryPolicyApply{CompanyID: set.CompanyID, CardTypeID: set.ID, Version: set.ExpiryVersion}
}

// tells reads a statement's only column of text.
func (e *env) tells(t testing.TB, sql string, args ...any) []string {
	t.Helper()
	rows, err := e.pool.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return all
}

// booksOf are a company's books without what two companies differ in.
func (e *env) booksOf(t testing.TB) []string {
	t.Helper()
	return slices.Concat(
		e.tells(t, `SELECT concat_ws(' ', code, status, balance, held, seq, debt, status_reason) FROM card WHERE company_id = $1 ORDER BY code`, e.company),
		e.tells(t, `SELECT concat_ws(' ', c.code, m.seq, m.action, m.amount, m.balance_after, m.posted_at, m.held, m.source, m.related_seq)
			FROM movement m JOIN card c ON c.company_id = m.company_id AND c.id = m.card_id WHERE m.company_id = $1 ORDER BY c.code, m.seq`, e.company),
		e.tells(t, `SELECT concat_ws(' ', c.code, l.seq, l.part, l.state, l.amount, l.remaining, l.earned_on, coalesce(l.expires_on::text, '-'), l.vests_on)
			FROM lot l JOIN card c ON c.company_id = l.company_id AND c.id = l.card_id WHERE l.company_id = $1 ORDER BY c.code, l.seq, l.part`, e.company),
		e.tells(t, `SELECT concat_ws(' ', c.code, l.seq, l.lot_seq, l.lot_part, l.amount)
			FROM lot_entry l JOIN card c ON c.company_id = l.company_id AND c.id = l.card_id WHERE l.company_id = $1 ORDER BY c.code, l.seq, l.lot_seq, l.lot_part`, e.company),
		e.tells(t, `SELECT concat_ws(' ', c.code, h.seq, h.status, h.ended_seq) FROM hold h JOIN card c ON c.company_id = h.company_id AND c.id = h.card_id
			WHERE h.company_id = $1 ORDER BY c.code, h.seq`, e.company),
		e.tells(t, `SELECT concat_ws(' ', c.code, v.seq) FROM event v JOIN card c ON c.company_id = v.company_id AND c.id = v.subject_id
			WHERE v.company_id = $1 AND v.kind = 'movement_posted' ORDER BY c.code, v.id`, e.company))
}

// live makes the same random history of a few months on some cards.
func (e *env) live(t testing.TB, cards int, seed uint64) {
	t.Helper()
	draw := rand.New(rand.NewPCG(seed, 7))
	for i := range cards {
		e.card(t, fmt.Sprintf("card-%03d", i), "0")
	}
	for range 6 * cards {
		e.pass(time.Duration(draw.IntN(36)) * time.Hour / time.Duration(cards) * 8)
		card, amount := ref(fmt.Sprintf("card-%03d", draw.IntN(cards))), decimal.MustNew(1+draw.Int64N(500_000), 4)
		p := ledger.Posting{Card: card, Action: ledger.Accrue, Amount: &amount}
		switch draw.IntN(8) {
		case 0, 1:
			p.Action, amount = ledger.Redeem, amount.Neg()
		case 2:
			if _, err := e.ledger.HoldCreate(t.Context(), e.who, ledger.NewHold{Card: card, Amount: amount, Time: time.Duration(1+draw.IntN(200)) * time.Hour}); err != nil && loyalty.CodeOf(err) == "" {
				t.Fatal(err)
			}
			continue
		case 3:
			p.Lot.VestsOn = new(day("2026-03-02").AddDate(0, 0, draw.IntN(60)))
			if !e.keepsLots(t) {
				p.Lot = ledger.LotTerms{}
			}
		}
		if _, err := e.ledger.Post(t.Context(), e.who, p); err != nil && loyalty.CodeOf(err) == "" {
			t.Fatal(err)
		}
	}
}

func (e *env) keepsLots(t testing.TB) bool {
	t.Helper()
	return e.count(t, `SELECT count(*) FROM card_type WHERE company_id = $1 AND id = $2 AND tracks_lots`, e.company, e.base.ID) == 1
}

// The job posts in sets what a card's next posting would post: the books of two
// companies with one history come out the same.
func TestPointsExpireDoesWhatABookDoes(t *testing.T) {
	t.Parallel()
	one := newEnv(t).withJobs(t)
	other := one.other(t).withJobs(t)
	for seed := range uint64(3) {
		for _, e := range []*env{one, other} {
			e.base = e.cardType(t, ledger.NewCardType{Code: fmt.Sprintf("lots-%d", seed), Scale: 4})
			e.clock.Store(&noon)
			e.apply(t, e.setExpiry(t, ledger.ExpiryChange{Expiry: ledger.Expiry{Policy: ledger.ExpiresAfter, Count: 20, Unit: ledger.Days}, ApplyTo: ledger.AllPoints}))
			e.exec(t, `UPDATE card SET code = 'old-' || $2::text || code WHERE company_id = $1`, e.company, fmt.Sprint(seed))
			e.live(t, 25, seed)
			e.pass(30 * 24 * time.Hour)
		}

		did, err := one.ledger.PointsExpire(t.Context(), one.company, nil)
		if err != nil || !did.Done || did.Movements == 0 {
			t.Fatalf("PointsExpire: got %+v, error %v, want movements", did, err)
		}
		for i := range 25 {
			c, err := other.ledger.CardByCode(t.Context(), other.company, fmt.Sprintf("card-%03d", i))
			if err != nil {
				t.Fatal(err)
			}
			err = other.ledger.InBook(t.Context(), other.who, []uuid.UUID{c.ID}, func(db.Tx, *ledger.Book) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		// The job looks at nothing but what waits and ends: what else is due is the minute's.
		if _, err := one.ledger.HoldExpire(t.Context(), uuid.Nil, nil); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(other.booksOf(t), one.booksOf(t)); diff != "" {
			t.Fatalf("seed %d: books after the job and after books (-book +job):\n%s", seed, diff)
		}
		if again, err := one.ledger.PointsExpire(t.Context(), one.company, nil); err != nil || again != (ledger.Expired{Done: true}) {
			t.Errorf("a second run: got %+v, error %v, want nothing to do", again, err)
		}
	}
	one.verified(t)
}

// lostByDay is what has ended so far, by the last day on which it could be spent.
func (e *env) lostByDay(t testing.TB) map[string]string {
	t.Helper()
	lost := map[string]string{}
	for _, text := range e.tells(t, `SELECT (m.posted_at AT TIME ZONE c.time_zone - interval '1 microsecond')::date || ' ' || trim_scale(-sum(m.amount))
		FROM movement m JOIN company c ON c.id = m.company_id
		WHERE m.company_id = $1 AND m.action = 'expire' AND m.amount < 0 GROUP BY (m.posted_at AT TIME ZONE c.time_zone - interval '1 microsecond')::date
		ORDER BY 1`, e.company) {
		lost[text[:10]] = text[11:]
	}
	return lost
}

func foreseen(p *ledger.ExpiryPreview) map[string]string {
	days := map[string]string{}
	for _, d := range p.Days {
		days[d.On.Format(time.DateOnly)] = d.Amount.Trim(0).String()
	}
	return days
}

// What the preview says is what comes, to the last decimal, whatever the policy, with
// jobs that are cut off between two batches.
func TestExpiryPreviewIsWhatExpires(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		first        *ledger.ExpiryChange
		then         ledger.ExpiryChange
		losesNothing bool
	}{
		{name: "from no lots, after days", then: ledger.ExpiryChange{Expiry: ledger.Expiry{Policy: ledger.ExpiresAfter, Count: 25, Unit: ledger.Days}, ApplyTo: ledger.AllPoints}},
		{name: "from no lots, inactivity", then: ledger.ExpiryChange{Expiry: ledger.Expiry{Policy: ledger.ExpiresWithInactivity, Count: 1, Unit: ledger.Months}, ApplyTo: ledger.AllPoints}},
		{name: "from no lots, new points only", then: ledger.ExpiryChange{Expiry: ledger.Expiry{Policy: ledger.ExpiresAfter, Count: 25, Unit: ledger.Days}, ApplyTo: ledger.NewPoints}, losesNothing: true},
		{
			name:  "from days to the month's end",
			first: &ledger.ExpiryChange{Expiry: ledger.Expiry{Policy: ledger.ExpiresAfter, Count: 40, Unit: ledger.Days}, ApplyTo: ledger.AllPoints},
			then:  ledger.ExpiryChange{Expiry: ledger.Expiry{Policy: ledger.ExpiresAtPeriodEnd, Unit: ledger.Months}, ApplyTo: ledger.AllPoints},
		},
		{
			name:  "from days to inactivity",
			first: &ledger.ExpiryChange{Expiry: ledger.Expiry{Policy: ledger.ExpiresAfter, Count: 60, Unit: ledger.Days}, ApplyTo: ledger.AllPoints},
			then:  ledger.ExpiryChange{Expiry: ledger.Expiry{Policy: ledger.ExpiresWithInactivity, Count: 10, Unit: ledger.Days}, ApplyTo: ledger.AllPoints},
		},
		{
			name:  "from days to a date, new points only",
			first: &ledger.ExpiryChange{Expiry: ledger.Expiry{Policy: ledger.ExpiresAfter, Count: 60, Unit: ledger.Days}, ApplyTo: ledger.AllPoints},
			then:  ledger.ExpiryChange{Expiry: ledger.Expiry{Policy: ledger.ExpiresOnDate, Date: new(day("2026-12-31"))}, ApplyTo: ledger.NewPoints},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t).withJobs(t)
			if tt.first != nil {
				env.apply(t, env.setExpiry(t, *tt.first))
			}
			env.live(t, 20, 5)
			// Holds that are open would come back later: they are no part of what stands.
			env.pass(200 * time.Hour)
			if _, err := env.ledger.HoldExpire(t.Context(), env.company, nil); err != nil {
				t.Fatal(err)
			}
			tt.then.CardTypeCode = env.base.Code
			before := env.booksOf(t)
			preview, err := env.ledger.ExpiryPolicyPreview(t.Context(), env.company, tt.then)
			if err != nil {
				t.Fatalf("ExpiryPolicyPreview: %v", err)
			}
			if diff := cmp.Diff(before, env.booksOf(t)); diff != "" {
				t.Fatalf("a preview changes the books (-before +after):\n%s", diff)
			}
			gone := env.lostByDay(t)

			set := env.setExpiry(t, tt.then)
			// Runs are cut off after one batch or two, and so on until one comes through.
			stops, most := 0, 1
			stop := func() bool {
				if stops++; stops > most {
					stops, most = 0, most+1
					return false
				}
				return true
			}
			for done := !set.ExpiryApplying; !done; {
				if _, done, err = env.ledger.PolicyApply(t.Context(), applyJob(set), stop); err != nil {
					t.Fatalf("PolicyApply: %v", err)
				}
			}
			if n := env.apply(t, set); n != 0 {
				t.Errorf("PolicyApply again: changed %d cards, want none", n)
			}
			env.verified(t)
			for range 75 {
				env.pass(24 * time.Hour)
				for done := false; !done; {
					did, err := env.ledger.PointsExpire(t.Context(), env.company, stop)
					if err != nil {
						t.Fatalf("PointsExpire: %v", err)
					}
					done = did.Done
				}
			}

			want := foreseen(preview)
			for on, amount := range gone {
				want[on] = dec(amount).String()
				if more, both := foreseen(preview)[on]; both {
					sum, err := dec(amount).Add(dec(more))
					if err != nil {
						t.Fatal(err)
					}
					want[on] = sum.Trim(0).String()
				}
			}
			if diff := cmp.Diff(want, env.lostByDay(t)); diff != "" {
				t.Errorf("foreseen and lost by day (-foreseen +lost):\n%s", diff)
			}
			total := decimal.Zero
			for _, m := range preview.Months {
				if total, err = total.Add(m.Amount); err != nil {
					t.Fatal(err)
				}
			}
			if total.Cmp(preview.Total.Amount) != 0 || (preview.Total.Cards == 0) != tt.losesNothing || preview.Total.Members != preview.Total.Cards {
				t.Errorf("preview: got %+v in all, months come to %s", preview.Total, total)
			}
			env.verified(t)
		})
	}
}

func TestCardTypeExpirySetRefuses(t *testing.T) {
	t.Parallel()
	env := newEnv(t).withJobs(t)
	good := ledger.ExpiryChange{CardTypeCode: env.base.Code, Expiry: ledger.Expiry{Policy: ledger.ExpiresAfter, Count: 1, Unit: ledger.Months}, ApplyTo: ledger.AllPoints}
	for name, tt := range map[string]struct {
		change  func(*ledger.ExpiryChange)
		refusal loyalty.Code
		field   string
	}{
		"no such type":           {func(in *ledger.ExpiryChange) { in.CardTypeCode = "none" }, loyalty.CodeCardTypeNotFound, "cardTypeCode"},
		"no date":                {func(in *ledger.ExpiryChange) { in.Policy = ledger.ExpiresOnDate }, loyalty.CodeRequired, "date"},
		"no unit":                {func(in *ledger.ExpiryChange) { in.Unit = "" }, loyalty.CodeRequired, "unit"},
		"a unit of periods":      {func(in *ledger.ExpiryChange) { in.Unit = ledger.Quarters }, loyalty.CodeInvalid, "unit"},
		"a period of a day":      {func(in *ledger.ExpiryChange) { in.Policy, in.Unit = ledger.ExpiresAtPeriodEnd, ledger.Days }, loyalty.CodeInvalid, "unit"},
		"no count":               {func(in *ledger.ExpiryChange) { in.Count = 0 }, loyalty.CodeInvalid, "count"},
		"ten years and a day":    {func(in *ledger.ExpiryChange) { in.Count = 3661 }, loyalty.CodeInvalid, "count"},
		"no scope":               {func(in *ledger.ExpiryChange) { in.ApplyTo = "" }, loyalty.CodeInvalid, "applyTo"},
		"pending for no day":     {func(in *ledger.ExpiryChange) { in.PendingDays = new(0) }, loyalty.CodeInvalid, "pendingDays"},
		"told on the day itself": {func(in *ledger.ExpiryChange) { in.NoticeDays = []int{7, 0} }, loyalty.CodeInvalid, "noticeDays"},
	} {
		in := good
		tt.change(&in)
		_, err := env.ledger.CardTypeExpirySet(t.Context(), env.who, in)
		wantRefusal(t, err, tt.refusal, tt.field)
		if _, err := env.ledger.ExpiryPolicyPreview(t.Context(), env.company, in); loyalty.CodeOf(err) != tt.refusal {
			t.Errorf("%s: preview: got error %v, want %s", name, err, tt.refusal)
		}
	}
	set := env.setExpiry(t, good)
	_, err := env.ledger.CardTypeExpirySet(t.Context(), env.who, good)
	wantRefusal(t, err, loyalty.CodePolicyApplying, "cardTypeCode")
	env.apply(t, set)
	env.setExpiry(t, good)
}

// A card that is posted on does not wait for the policy's job.
func TestPolicyReachesAPostedCardAtOnce(t *testing.T) {
	t.Parallel()
	env := newEnv(t).withJobs(t)
	env.card(t, "7001", "10")
	env.card(t, "7002", "20")
	env.pass(48 * time.Hour)
	set := env.setExpiry(t, ledger.ExpiryChange{Expiry: ledger.Expiry{Policy: ledger.ExpiresAfter, Count: 1, Unit: ledger.Days}, ApplyTo: ledger.AllPoints})
	env.post(t, ledger.Posting{Card: ref("7001"), Action: ledger.Accrue, Amount: new(dec("5"))})

	// Points of before end when the day of the change is over, not in the past.
	want := []string{"10.0000 2026-03-04", "5.0000 2026-03-05"}
	if diff := cmp.Diff(want, env.tells(t, `SELECT remaining || ' ' || expires_on FROM lot ORDER BY card_id, seq`)); diff != "" {
		t.Errorf("lots of the card that was posted on (-want +got):\n%s", diff)
	}
	if n := env.apply(t, set); n != 1 {
		t.Errorf("PolicyApply: reached %d cards, want the other one", n)
	}
	env.verified(t)
}

// The end of a day in Go is PostgreSQL's, in every kind of zone.
func TestEndOfDayIsTheSameInSQL(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	zones := []string{"America/Santiago", "Asia/Beirut", "Africa/Cairo", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Pacific/Apia", "America/Mexico_City", "Australia/Lord_Howe", "America/Sao_Paulo"}
	for _, name := range zones {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := pool.Query(t.Context(), `SELECT d::date, (d::date + 1)::timestamp AT TIME ZONE $1 FROM generate_series('2009-01-01'::date, '2022-12-31'::date, '1 day') AS d ORDER BY 1`, name)
		if err != nil {
			t.Fatal(err)
		}
		skipped := 0
		for rows.Next() {
			var on, want time.Time
			if err := rows.Scan(&on, &want); err != nil {
				t.Fatal(err)
			}
			got := ledger.EndOf(on, zone)
			if !got.Equal(want) {
				t.Errorf("the end of %s in %s: got %s, PostgreSQL says %s", on.Format(time.DateOnly), name, got, want.UTC())
			}
			if got.In(zone).Hour() != 0 {
				skipped++
			}
		}
		if rows.Err() != nil {
			t.Fatal(rows.Err())
		}
		if slices.Contains(zones[:2], name) && skipped == 0 {
			t.Errorf("%s: no midnight is skipped: the test proves nothing", name)
		}
	}
}

// Points can be spent until the company's own midnight, and end then, where clocks
// skip it, repeat it, or are as far from UTC as can be.
func TestPointsEndAtTheCompanysMidnight(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ zone, day string }{
		{"America/Santiago", "2022-09-10"},    // the 11th begins at 01:00
		{"Asia/Beirut", "2022-03-26"},         // the 27th begins at 01:00
		{"Africa/Cairo", "2014-05-15"},        // the 16th begins at 01:00
		{"Asia/Beirut", "2022-10-29"},         // 23:00 to midnight comes twice
		{"America/Mexico_City", "2022-10-29"}, // an hour comes twice on the 30th
		{"Pacific/Kiritimati", "2022-03-01"},  // +14
		{"Pacific/Pago_Pago", "2022-03-01"},   // -11
	} {
		t.Run(tt.zone+" "+tt.day, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t).withJobs(t)
			env.exec(t, `UPDATE company SET time_zone = $2 WHERE id = $1`, env.company, tt.zone)
			zone, err := time.LoadLocation(tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			end := ledger.EndOf(day(tt.day), zone)
			env.clock.Store(new(end.Add(-30 * time.Hour)))
			env.apply(t, env.setExpiry(t, ledger.ExpiryChange{Expiry: ledger.Expiry{Policy: ledger.ExpiresOnDate, Date: new(day(tt.day))}, ApplyTo: ledger.AllPoints}))
			env.card(t, "7001", "10")
			env.clock.Store(new(end.Add(-time.Second)))
			if did, err := env.ledger.PointsExpire(t.Context(), env.company, nil); err != nil || did.Lots != 0 {
				t.Errorf("a second before midnight: got %+v, error %v, want nothing", did, err)
			}
			env.post(t, ledger.Posting{Card: ref("7001"), Action: ledger.Redeem, Amount: new(dec("-4"))})
			env.clock.Store(&end)
			if did, err := env.ledger.PointsExpire(t.Context(), env.company, nil); err != nil || did.Lots != 1 {
				t.Errorf("at midnight: got %+v, error %v, want the lot", did, err)
			}
			if at := env.tells(t, `SELECT to_char(posted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM movement WHERE action = 'expire' AND amount = -6`); len(at) != 1 || at[0] != end.UTC().Format(time.DateTime) {
				t.Errorf("expiry is dated %v, want %s", at, end.UTC().Format(time.DateTime))
			}
			env.verified(t)
		})
	}
}

// A run that is cut off has done whole batches; the next does the rest.
func TestPointsExpireKilled(t *testing.T) {
	t.Parallel()
	env := newEnv(t).withJobs(t)
	env.apply(t, env.setExpiry(t, ledger.ExpiryChange{Expiry: ledger.Expiry{Policy: ledger.ExpiresAfter, Count: 1, Unit: ledger.Days}, ApplyTo: ledger.AllPoints}))
	for i := range 12 {
		env.card(t, fmt.Sprintf("card-%d", i), "3.5")
	}
	env.pass(96 * time.Hour)
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := env.ledger.PointsExpire(dead, env.company, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that is cut off: got %v", err)
	}
	// One card is somebody else's for a while: the others do not wait for it.
	holder, err := env.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(t.Context(), `SELECT FROM card WHERE company_id = $1 AND code = 'card-7' FOR UPDATE`, env.company); err != nil {
		t.Fatal(err)
	}
	batches := 0
	did, err := env.ledger.PointsExpire(t.Context(), env.company, func() bool { batches++; return batches < 4 })
	if err != nil || did.Done || did.Cards != 11 {
		t.Errorf("a run beside a locked card: got %+v, error %v, want 11 cards and more to do", did, err)
	}
	if err := holder.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if did, err = env.ledger.PointsExpire(t.Context(), env.company, nil); err != nil || !did.Done || did.Cards != 1 {
		t.Errorf("the next run: got %+v, error %v, want the last card", did, err)
	}
	if n := env.count(t, `SELECT count(*) FROM movement WHERE action = 'expire' AND amount = -3.5`); n != 12 {
		t.Errorf("got %d expiries, want 12", n)
	}
	env.verified(t)
}

func TestCardExpire(t *testing.T) {
	t.Parallel()
	env := newEnv(t).withJobs(t)
	env.card(t, "keeps", "10")
	env.card(t, "valid", "10")
	env.base = env.cardType(t, ledger.NewCardType{Code: "forfeits", Scale: 2})
	env.exec(t, `UPDATE card_type SET forfeit_on_expiry = true WHERE code = 'forfeits'`)
	env.apply(t, env.setExpiry(t, ledger.ExpiryChange{Expiry: ledger.Expiry{Policy: ledger.ExpiresAfter, Count: 12, Unit: ledger.Months}, ApplyTo: ledger.AllPoints}))
	env.card(t, "loses", "10")
	env.card(t, "empty", "0")
	env.post(t, ledger.Posting{Card: ref("loses"), Action: ledger.Accrue, Amount: new(dec("3")), Lot: ledger.LotTerms{Pending: true}})
	if _, err := env.ledger.HoldCreate(t.Context(), env.who, ledger.NewHold{Card: ref("loses"), Amount: dec("4"), Time: 720 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	env.exec(t, `UPDATE card SET valid_to = CASE code WHEN 'valid' THEN '2026-03-03'::date ELSE '2026-03-02'::date END`)
	if did, err := env.ledger.CardExpire(t.Context(), env.company, nil); err != nil || did != (ledger.Expired{Done: true}) {
		t.Errorf("on their last day: got %+v, error %v, want nothing", did, err)
	}
	env.pass(24 * time.Hour)

	did, err := env.ledger.CardExpire(t.Context(), env.company, nil)
	if err != nil || !did.Done || did.Cards != 3 {
		t.Fatalf("CardExpire: got %+v, error %v, want three cards", did, err)
	}
	want := []string{
		"empty disabled EXPIRED 0.0000 0.0000", "keeps disabled EXPIRED 10.0000 0.0000",
		"loses disabled EXPIRED 0.0000 0.0000", "valid enabled - 10.0000 0.0000",
	}
	if diff := cmp.Diff(want, env.tells(t, `SELECT concat_ws(' ', code, status, coalesce(status_reason, '-'), balance, held) FROM card ORDER BY code`)); diff != "" {
		t.Errorf("cards (-want +got):\n%s", diff)
	}
	want = []string{"empty expire 0.0000", "keeps expire 0.0000", "loses release 0.0000", "loses expire -10.0000"}
	if diff := cmp.Diff(want, env.tells(t, `SELECT concat_ws(' ', c.code, m.action, m.amount) FROM movement m JOIN card c ON c.id = m.card_id
		WHERE m.posted_at = '2026-03-03 06:00+00' ORDER BY c.code, m.seq`)); diff != "" {
		t.Errorf("movements at the end of the last day (-want +got):\n%s", diff)
	}
	if n := env.count(t, `SELECT count(*) FROM lot WHERE remaining > 0`); n != 0 {
		t.Errorf("%d lots are left on cards that forfeit", n)
	}
	if again, err := env.ledger.CardExpire(t.Context(), env.company, nil); err != nil || again != (ledger.Expired{Done: true}) {
		t.Errorf("a second run: got %+v, error %v, want nothing", again, err)
	}
	env.verified(t)
}

func TestHoldExpire(t *testing.T) {
	t.Parallel()
	one := newEnv(t)
	other := one.other(t)
	for _, e := range []*env{one, other} {
		e.card(t, "7001", "10")
		if _, err := e.ledger.HoldCreate(t.Context(), e.who, ledger.NewHold{Card: ref("7001"), Amount: dec("4"), Time: time.Minute}); err != nil {
			t.Fatal(err)
		}
		if _, err := e.ledger.HoldCreate(t.Context(), e.who, ledger.NewHold{Card: ref("7001"), Amount: dec("2"), Time: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	one.pass(2 * time.Minute)
	if did, err := one.ledger.HoldExpire(t.Context(), other.company, nil); err != nil || did.Movements != 1 {
		t.Errorf("HoldExpire of one company: got %+v, error %v, want its hold", did, err)
	}
	if did, err := one.ledger.HoldExpire(t.Context(), uuid.Nil, nil); err != nil || did.Movements != 1 || !did.Done {
		t.Errorf("HoldExpire of all: got %+v, error %v, want the other hold", did, err)
	}
	if did, err := one.ledger.HoldExpire(t.Context(), uuid.Nil, nil); err != nil || did.Movements != 0 {
		t.Errorf("a second run: got %+v, error %v, want nothing", did, err)
	}
	if n := one.count(t, `SELECT count(*) FROM card WHERE held = 2`); n != 2 {
		t.Errorf("%d cards hold what is left, want 2", n)
	}
	one.verified(t)
}

// Told once at each distance, however often and late the job runs.
func TestExpiryNotices(t *testing.T) {
	t.Parallel()
	env := newEnv(t).withJobs(t)
	env.apply(t, env.setExpiry(t, ledger.ExpiryChange{
		Expiry: ledger.Expiry{Policy: ledger.ExpiresOnDate, Date: new(day("2026-04-30"))}, ApplyTo: ledger.AllPoints, NoticeDays: []int{7, 30, 1, 7},
	}))
	env.card(t, "7001", "10")
	env.card(t, "none", "0")
	env.exec(t, `INSERT INTO customer (company_id, id, first_name, email, qr_code, name_key, created_at, updated_at)
		VALUES ($1, $1, 'Ana', 'ana@acme.test', 'PRT-1', 'ana', now(), now())`, env.company)
	env.exec(t, `UPDATE card SET customer_id = $1 WHERE code = '7001'`, env.company)
	var mails []ledger.Mail
	env.ledger.Mail = func(_ context.Context, _ db.Tx, _ uuid.UUID, told []ledger.Mail) error {
		mails = append(mails, told...)
		return nil
	}
	for _, step := range []struct {
		on    string
		told  int
		posts string
	}{
		{on: "2026-03-30", told: 0},             // 31 days before
		{on: "2026-03-31", told: 1},             // 30
		{on: "2026-03-31", told: 0, posts: "5"}, // points added meanwhile
		{on: "2026-04-22", told: 0},             // 8
		{on: "2026-04-27", told: 1},             // three days late for 7
		{on: "2026-04-28", told: 0},
		{on: "2026-04-29", told: 1}, // 1
		{on: "2026-04-30", told: 0}, // the last day
		{on: "2026-05-01", told: 0}, // over
	} {
		env.clock.Store(new(day(step.on).Add(12 * time.Hour)))
		if step.posts != "" {
			env.post(t, ledger.Posting{Card: ref("7001"), Action: ledger.Accrue, Amount: new(dec(step.posts))})
		}
		for run, want := range []int{step.told, 0} {
			if did, err := env.ledger.ExpiryNotices(t.Context(), env.company, nil); err != nil || did.Notices != want || did.Mails != want || !did.Done {
				t.Errorf("%s, run %d: got %+v, error %v, want %d", step.on, run+1, did, err, want)
			}
		}
	}
	want := []string{"2026-04-30 30 10.0000", "2026-04-30 7 15.0000", "2026-04-30 1 15.0000"}
	if diff := cmp.Diff(want, env.tells(t, `SELECT concat_ws(' ', expires_on, days, amount) FROM expiry_notice ORDER BY told_at`)); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
	if n := env.count(t, `SELECT count(*) FROM event WHERE kind = 'points_expiring'`); n != 3 {
		t.Errorf("got %d events, want 3", n)
	}
	if len(mails) != 3 || mails[1].Recipient != "ana@acme.test" || mails[1].Subject != "Acme: puntos por vencer" ||
		mails[1].Body != "Hola Ana:\n\n15 de su points (tarjeta 7001) se pueden usar hasta el 30/04/2026.\n\nAcme\n" {
		t.Errorf("mails: got %+v", mails)
	}
}
