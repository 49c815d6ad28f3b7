package report_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
	"sello/db/dbtest"
	"sello/loyalty/imports"
	"sello/loyalty/ledger"
	"sello/loyalty/report"
)

// zones change their clocks within the days of the tests, or never; one does so by
// half an hour, and days begin at any hour of UTC.
var zones = []string{
	"America/Mexico_City", "America/New_York", "Europe/Madrid", "Asia/Ho_Chi_Minh", "Australia/Lord_Howe", "Pacific/Auckland", "America/Sao_Paulo",
}

// TestFiguresAreTheSumsOfMovements: thousands of movements of several companies,
// dated back over a change of the clocks, counted in small ranges between them.
func TestFiguresAreTheSumsOfMovements(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.EventsBatch, e.CardsBatch = 37, 3
	r := random(t)
	for _, zone := range zones {
		s := e.shop(t, zone, 7)
		for range 5 {
			for range 100 {
				s.random(t.Context(), t, r, 45*24*time.Hour)
			}
			s.bring(t)
			s.exact(t)
			e.pass(3 * time.Hour)
		}
	}
	// Somebody else's postings changed nothing.
	if n := e.count(t, `SELECT count(*) FROM report_state WHERE generation = 1`); n != len(zones) {
		t.Errorf("%d companies are in their first generation, want %d", n, len(zones))
	}
}

// The last moment of a day and the first of the next are two days, on the day of
// the change, too: one of 25 hours, one of 23.
func TestMidnightsOfAClockChange(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for zone, instants := range map[string]map[string]string{
		"Europe/Madrid": { // back at 03:00 of 25 October 2026
			"2026-10-24T21:59:59.999999Z": "2026-10-24", "2026-10-24T22:00:00Z": "2026-10-25",
			"2026-10-25T22:59:59Z": "2026-10-25", "2026-10-25T23:00:00Z": "2026-10-26",
		},
		"Pacific/Auckland": { // forth at 02:00 of 27 September 2026
			"2026-09-26T11:59:59Z": "2026-09-26", "2026-09-26T12:00:00Z": "2026-09-27",
			"2026-09-27T10:59:59Z": "2026-09-27", "2026-09-27T11:00:00Z": "2026-09-28",
		},
	} {
		s := e.shop(t, zone, 1)
		want := map[string]int64{}
		for text, day := range instants {
			at, err := time.Parse(time.RFC3339Nano, text)
			if err != nil {
				t.Fatal(err)
			}
			s.post(t.Context(), t, s.cards[0], ledger.Accrue, "1", func(p *ledger.Posting) { p.At = at })
			want[day]++
		}
		s.bring(t)
		d, err := e.Daily(t.Context(), s.id, report.Range{From: day("2026-09-01"), To: day("2026-10-31")})
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range d.Days {
			if text := got.Day.Format(time.DateOnly); got.Figures.Movements != want[text] {
				t.Errorf("%s on %s: got %d movements, want %d", zone, text, got.Figures.Movements, want[text])
			}
		}
		s.exact(t)
	}
}

// What an import posts is counted as what a till posts is.
func TestImportsAreCounted(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.shop(t, "America/Mexico_City", 1)
	e.exec(t, `INSERT INTO company_setting (company_id, name, value, updated_at) VALUES ($1, $2, '"points"', $3)`, s.id, imports.PointsCardTypeSetting, start)
	s.bring(t)
	imp, _, err := e.imports.Upload(t.Context(), s.who, imports.Upload{FileName: "a.csv", Body: strings.NewReader(
		"nombres,apellidos,email,documento_de_identidad,puntos\nAna,,ana@example.com,,5\nEva,,eva@example.com,,70\nAna,,no-address,,900\n")})
	if err != nil {
		t.Fatal(err)
	}
	for done := false; !done; {
		if done, err = e.imports.ApplyStep(t.Context(), s.id, imp.ID); err != nil {
			t.Fatal(err)
		}
	}
	s.bring(t)
	s.exact(t)
	d, err := e.Daily(t.Context(), s.id, report.Range{From: day("2026-10-04"), To: day("2026-10-04")})
	if err != nil || d.Total.Issued.String() != "75" || d.Total.Movements != 2 {
		t.Errorf("Daily after the import: got %+v, error %v, want 75 issued by 2", d.Total, err)
	}
}

// fault cuts a run off: the place is moved behind what was counted, or neither.
func TestAKilledRunCountsNothingTwice(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.EventsBatch, e.CardsBatch = 10, 2
	r := random(t)
	s := e.shop(t, "Europe/Madrid", 5)
	for range 60 {
		s.random(t.Context(), t, r, 24*time.Hour)
	}
	// The step's last statement fails, as if the process had died before it: first
	// during the first build, then while events are counted.
	refuse := func(on bool) {
		t.Helper()
		sql := `DROP TRIGGER killed ON report_state`
		if on {
			sql = `CREATE TRIGGER killed BEFORE UPDATE OF build_cards, event_id ON report_state FOR EACH ROW
				WHEN (old.build_cards <> new.build_cards OR old.event_id <> new.event_id) EXECUTE FUNCTION refuse_change()`
		}
		e.exec(t, sql)
	}
	for range 4 {
		refuse(true)
		failed := false
		for range 5 {
			done, err := e.Step(t.Context(), s.id)
			failed = failed || err != nil
			if done {
				t.Fatal("a step that was cut off says that it is done")
			}
		}
		if !failed {
			t.Fatal("no step was cut off")
		}
		refuse(false)
		if _, err := e.Step(t.Context(), s.id); err != nil {
			t.Fatal(err)
		}
		s.random(t.Context(), t, r, 24*time.Hour)
	}
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Step(dead, s.id); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that is stopped: got %v", err)
	}
	s.bring(t)
	s.exact(t)
	before := s.kept(t)
	s.bring(t) // a job that River starts twice
	if len(before) != len(s.kept(t)) {
		t.Error("a second run changed the figures")
	}
	s.exact(t)
}

// TestCountingWhileOthersPost: postings from several connections, some of which
// commit late, while two runs count at the same time and rebuilds come between.
func TestCountingWhileOthersPost(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.EventsBatch, e.CardsBatch = 7, 2
	s := e.shop(t, "America/New_York", 6)
	posting, counting := sync.WaitGroup{}, sync.WaitGroup{}
	ended := make(chan struct{})
	for range 4 {
		r := random(t)
		posting.Go(func() {
			for range 120 {
				s.random(t.Context(), t, r, 10*24*time.Hour)
			}
		})
	}
	// A movement whose number in the feed is taken long before it is there.
	posting.Go(func() {
		for i := range 15 {
			card := s.cards[0]
			err := pgx.BeginFunc(t.Context(), e.pool, func(tx pgx.Tx) error {
				_, err := tx.Exec(t.Context(), `WITH moved AS (
						UPDATE card SET balance = balance + 1, seq = seq + 1 WHERE company_id = $1 AND id = $2 RETURNING seq, balance),
					told AS (INSERT INTO event (company_id, kind, subject_id, seq, recorded_at) SELECT $1, 'movement_posted', $2, seq, $3 FROM moved)
					INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source)
					SELECT $1, $2, seq, 'adjust', 1, balance, $3, $3, 'graphql' FROM moved`, s.id, card.ID, e.Now())
				if err != nil {
					return err
				}
				// While it is open, others post on their cards and commit.
				s.post(t.Context(), t, s.cards[1+i%5], ledger.Accrue, "0.0001")
				return nil
			})
			if err != nil {
				t.Errorf("a late commit: %v", err)
			}
		}
	})
	for range 2 {
		counting.Go(func() {
			for {
				if _, err := e.Step(t.Context(), s.id); err != nil {
					t.Errorf("Step: %v", err)
					return
				}
				select {
				case <-ended:
					return
				default:
				}
			}
		})
	}
	counting.Go(func() {
		for rebuilds := 0; rebuilds < 3; {
			if _, err := e.Rebuild(t.Context(), s.who, true); err == nil {
				rebuilds++
			}
			select {
			case <-ended:
				return
			default:
			}
		}
	})
	posting.Wait()
	close(ended)
	counting.Wait()
	s.bring(t)
	s.exact(t)
	if n := e.count(t, `SELECT count(DISTINCT generation) FROM daily_stat WHERE company_id = $1`, s.id); n != 1 {
		t.Errorf("figures of %d generations are kept, want one", n)
	}
}

// A transaction that stays open keeps the place in front of it, and the answer
// says how far it is.
func TestCountingWaitsForOpenTransactions(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.shop(t, "UTC", 2)
	s.post(t.Context(), t, s.cards[0], ledger.Accrue, "1")
	s.bring(t)
	tx, err := e.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `INSERT INTO event (company_id, kind, subject_id, recorded_at) VALUES ($1, 'other', $1, $2)`, uuid.New(), e.Now()); err != nil {
		t.Fatal(err)
	}
	counted := e.Now()
	e.pass(time.Hour)
	s.post(t.Context(), t, s.cards[0], ledger.Accrue, "2")
	e.SettleWait = 20 * time.Millisecond
	s.bring(t) // gives up waiting
	e.SettleWait = time.Minute
	today := report.Range{From: day("2026-10-04"), To: day("2026-10-04")}
	d, err := e.Daily(t.Context(), s.id, today)
	if err != nil || d.Total.Issued.String() != "1" || !d.CompleteTo.Equal(counted) {
		t.Errorf("while it is open: got %s issued, complete to %v, error %v, want 1, to %v", d.Total.Issued, d.CompleteTo, err, counted)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.bring(t)
	e.pass(time.Minute)
	d, err = e.Daily(t.Context(), s.id, today)
	if err != nil || d.Total.Issued.String() != "3" || !d.CompleteTo.Equal(e.Now()) {
		t.Errorf("once it is not: got %s issued, complete to %v, error %v, want 3, to now", d.Total.Issued, d.CompleteTo, err)
	}
}

// Old books without events, pruned events and another time zone are counted anew.
func TestRebuiltByItself(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.EventsBatch, e.CardsBatch = 5, 2
	r := random(t)
	s := e.shop(t, "Europe/Madrid", 5)
	generation := func(want int) {
		t.Helper()
		s.bring(t)
		s.exact(t)
		if n := e.count(t, `SELECT generation FROM report_state WHERE company_id = $1`, s.id); n != want {
			t.Errorf("generation: got %d, want %d", n, want)
		}
		if n := e.count(t, `SELECT count(*) FROM daily_stat WHERE company_id = $1 AND generation <> $2`, s.id, want); n != 0 {
			t.Errorf("%d rows of other generations are left", n)
		}
	}
	post := func() {
		t.Helper()
		for range 20 {
			s.random(t.Context(), t, r, 24*time.Hour)
		}
	}
	post()
	e.exec(t, `DELETE FROM event WHERE company_id = $1`, s.id) // books from before there were events
	generation(1)
	post()
	generation(1)
	post()
	e.exec(t, `DELETE FROM event WHERE company_id = $1 AND id < (SELECT max(id) FROM event WHERE company_id = $1)`, s.id) // nobody counted for too long
	generation(2)
	s.zone = "Asia/Ho_Chi_Minh"
	e.exec(t, `UPDATE company SET time_zone = $2 WHERE id = $1`, s.id, s.zone)
	generation(3)
	e.exec(t, `UPDATE daily_stat SET credits = credits + 1 WHERE company_id = $1`, s.id) // what only a rebuild mends
	if _, err := e.Rebuild(t.Context(), s.who, true); err != nil {
		t.Fatal(err)
	}
	generation(4)
}

// TestRebuildSetsItsPlanner: no step of a rebuild leaves it to what the planner thinks
// of tables that have just filled up. Without, a step took up to half a minute.
func TestRebuildSetsItsPlanner(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.CardsBatch = 2
	s := e.shop(t, "UTC", 5)
	s.post(t.Context(), t, s.cards[0], ledger.Accrue, "1")
	var sent dbtest.Statements
	config := e.pool.Config()
	config.ConnConfig.Tracer = &sent
	traced, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer traced.Close()
	e.Service.DB = db.NewStore(traced)
	s.bring(t)
	chunks, names := 0, sent.Take()
	for i, name := range names {
		if name != "ReportBuildChunk" {
			continue
		}
		chunks++
		if names[i-1] != "ReportPlanner" {
			t.Errorf("chunk %d is planned as %s has left it", chunks, names[i-1])
		}
	}
	if chunks != 3 {
		t.Errorf("got %d chunks of 2 cards, want 3 for 5 cards, among %v", chunks, names)
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	one, other := e.shop(t, "UTC", 1), e.shop(t, "UTC", 1)
	plan := func(what string, want int) {
		t.Helper()
		if got, err := e.Plan(t.Context()); err != nil || got.Companies != want {
			t.Errorf("%s: got %+v, error %v, want %d companies", what, got, err, want)
		}
	}
	end := func() {
		t.Helper()
		e.exec(t, `UPDATE river_job SET state = 'completed', finalized_at = now() WHERE state = 'available'`)
	}
	plan("two companies that were never counted", 2)
	plan("both have their job", 0)
	end()
	one.bring(t)
	other.bring(t)
	plan("nothing to do", 0)
	one.post(t.Context(), t, one.cards[0], ledger.Accrue, "1")
	plan("a posting", 1)
	if n := e.count(t, `SELECT count(*) FROM river_job WHERE state = 'available' AND args ->> 'company_id' = $1`, one.id.String()); n != 1 {
		t.Errorf("the company with a posting has %d jobs", n)
	}
	end()
	one.bring(t)
	e.exec(t, `UPDATE company SET time_zone = 'Asia/Tokyo' WHERE id = $1`, other.id)
	plan("another zone", 1)
}

func day(text string) time.Time {
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return d
}
