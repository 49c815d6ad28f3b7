package report_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sello/loyalty/ledger"
	"sello/loyalty/report"
)

// TestBalanceAsOfIsRecomputation: random histories whose two times go back and
// forth, asked at random instants and at those of the movements themselves.
func TestBalanceAsOfIsRecomputation(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	r := random(t)
	s := e.shop(t, "Europe/Madrid", 10)
	s.card(t, "points") // stays without a movement
	type line struct {
		recorded, posted time.Time
		amount           report.Sum
	}
	books := map[string][]line{}
	var instants []time.Time
	for range 400 {
		card := s.cards[r.IntN(10)]
		// The clocks of servers differ: now and then one records before the one before.
		e.pass(time.Duration(r.IntN(7_200)-600) * time.Second)
		action, amount := ledger.Accrue, fmt.Sprintf("%d.%04d", r.IntN(1000), r.IntN(9999)+1)
		if r.IntN(3) == 0 {
			action, amount = ledger.Redeem, "-"+amount
		}
		m := s.post(t.Context(), t, card, action, amount, func(p *ledger.Posting) {
			p.At = e.Now().Add(-time.Duration(r.Int64N(int64(30 * 24 * time.Hour)))).Truncate(time.Microsecond)
		})
		books[card.Code] = append(books[card.Code], line{m.RecordedAt, m.PostedAt, sum(t, amount)})
		instants = append(instants, m.RecordedAt, m.PostedAt)
	}
	for range 60 {
		at := instants[r.IntN(len(instants))].Add(time.Duration(r.IntN(3)-1) * time.Microsecond)
		for _, by := range []report.By{report.Recorded, report.Posted} {
			page, _, err := e.ledger.Cards(t.Context(), s.id, ledger.CardFilter{}, nil, 50)
			if err != nil || len(page) != 11 {
				t.Fatalf("Cards: got %d, error %v", len(page), err)
			}
			for _, c := range page {
				var want report.Sum
				for _, l := range books[c.Code] {
					when := l.recorded
					if by == report.Posted {
						when = l.posted
					}
					if !when.After(at) {
						want = want.Add(l.amount)
					}
				}
				got, err := e.BalanceAsOf(t.Context(), s.id, c, at, by)
				if err != nil || got.String() != want.String() {
					t.Errorf("balance of %s as %s of %v: got %s, error %v, want %s", c.Code, by, at, got, err, want)
				}
			}
		}
	}
	// At the end of time it is the balance, either way.
	for _, c := range s.cards {
		now, err := e.ledger.CardByID(t.Context(), s.id, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, by := range []report.By{report.Recorded, report.Posted} {
			got, err := e.BalanceAsOf(t.Context(), s.id, c, e.Now().Add(24*time.Hour), by)
			if err != nil || got.String() != now.Balance.Trim(0).String() {
				t.Errorf("balance of %s as %s of the future: got %s, error %v, want %s", c.Code, by, got, err, now.Balance)
			}
		}
	}
}

// Nobody reads another company's balance by the card's id.
func TestBalanceAsOfOfAnotherCompany(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s, other := e.shop(t, "UTC", 1), e.shop(t, "UTC", 0)
	s.post(t.Context(), t, s.cards[0], ledger.Accrue, "5")
	got, err := e.BalanceAsOf(t.Context(), other.id, s.cards[0], e.Now(), report.Recorded)
	if err != nil || got.Sign() != 0 {
		t.Errorf("another company's card: got %s, error %v, want 0", got, err)
	}
}

// The statement goes by the primary key of movement, card after card.
func TestBalanceAsOfPlan(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.shop(t, "UTC", 30)
	e.exec(t, `INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source)
		SELECT $1, card.id, n, 'adjust', 1, n, $2, $2, 'graphql' FROM card, generate_series(1, 1000) AS n WHERE card.company_id = $1`, s.id, start)
	e.exec(t, `ANALYZE movement`)
	plan := s.plan(t, `SELECT wanted.id, posted.balance FROM unnest(ARRAY[$2, $3]::uuid[]) AS wanted (id) CROSS JOIN LATERAL (
			SELECT sum(movement.amount) AS balance FROM movement
			WHERE movement.company_id = $1 AND movement.card_id = wanted.id
			  AND CASE WHEN false THEN movement.posted_at ELSE movement.recorded_at END <= $4::timestamptz) AS posted ORDER BY wanted.id`,
		s.id, s.cards[0].ID, s.cards[1].ID, start)
	if !strings.Contains(plan, "movement_pkey") || strings.Contains(plan, "Seq Scan on movement") {
		t.Errorf("plan:\n%s", plan)
	}
	t.Log(plan)
}

func (s *shop) plan(t *testing.T, sql string, args ...any) string {
	t.Helper()
	rows, err := s.pool.Query(t.Context(), "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) "+sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
