package report_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"sello/loyalty"
	"sello/loyalty/ledger"
	"sello/loyalty/report"
)

// damage changes rows behind the back of every trigger.
func (e *env) damage(t *testing.T, sql string, args ...any) {
	t.Helper()
	conn, err := e.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for _, step := range []struct {
		sql  string
		args []any
	}{{"SET session_replication_role = replica", nil}, {sql, args}, {"RESET session_replication_role", nil}} {
		if _, err := conn.Exec(t.Context(), step.sql, step.args...); err != nil {
			t.Fatalf("%s: %v", step.sql, err)
		}
	}
}

func (s *shop) started(t *testing.T, note string) *report.LedgerCheck {
	t.Helper()
	c, err := s.CheckStart(t.Context(), s.who, note)
	if err != nil {
		t.Fatalf("CheckStart: %v", err)
	}
	return c
}

// ended runs a check and answers what became of it.
func (s *shop) ended(t *testing.T, c *report.LedgerCheck) *report.LedgerCheck {
	t.Helper()
	if err := s.CheckRun(t.Context(), s.id, c.ID); err != nil {
		t.Fatalf("CheckRun: %v", err)
	}
	return s.reread(t, c)
}

func (s *shop) reread(t *testing.T, c *report.LedgerCheck) *report.LedgerCheck {
	t.Helper()
	now, err := s.Check(t.Context(), s.id, c.ID)
	if err != nil || now == nil {
		t.Fatalf("Check: got %v, error %v", now, err)
	}
	return now
}

func TestCheckOfRightBooks(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s, other := e.shop(t, "UTC", 2), e.shop(t, "UTC", 2)
	for range 5 {
		s.post(t.Context(), t, s.cards[0], ledger.Accrue, "1")
	}
	other.post(t.Context(), t, other.cards[0], ledger.Accrue, "1")
	e.damage(t, `UPDATE movement SET amount = 7 WHERE company_id = $1`, other.id) // not ours

	c := s.started(t, "  the yearly audit ")
	if c.State() != report.CheckQueued || c.Clean() != nil || c.Note == nil || *c.Note != "the yearly audit" {
		t.Errorf("a check that waits: got %+v", c)
	}
	if n := e.count(t, `SELECT count(*) FROM river_job WHERE kind = 'ledger_check' AND args ->> 'check_id' = $1`, c.ID.String()); n != 1 {
		t.Errorf("it has %d jobs", n)
	}
	c = s.ended(t, c)
	if c.State() != report.CheckFinished || c.Clean() == nil || !*c.Clean() || c.StepsDone != c.StepsTotal || c.StepsTotal != int32(ledger.VerifySteps) {
		t.Errorf("right books: got %+v", c.LedgerCheck)
	}
	if c.RowsRead != 5+2 {
		t.Errorf("rows read: got %d, want 5 movements and 2 cards", c.RowsRead)
	}
	for what, sql := range map[string]string{
		"event":       `SELECT count(*) FROM event WHERE company_id = $1 AND kind = 'ledger_check_ended'`,
		"audit entry": `SELECT count(*) FROM audit_entry WHERE company_id = $1 AND action = 'ledger_check_start'`,
	} {
		if n := e.count(t, sql, s.id); n != 1 {
			t.Errorf("%d of one %s", n, what)
		}
	}
	if theirs, err := e.Check(t.Context(), other.id, c.ID); theirs != nil || err != nil {
		t.Errorf("another company's check: got %v, error %v", theirs, err)
	}
	// A job that River runs twice.
	again := s.ended(t, c)
	if again.FinishedAt == nil || !again.FinishedAt.Equal(*c.FinishedAt) {
		t.Errorf("run again: got %+v", again.LedgerCheck)
	}
}

// A row altered by direct SQL is found, named, and kept; a finding leads to its card.
func TestCheckNamesTheRow(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.shop(t, "UTC", 3)
	for _, c := range s.cards {
		for range 3 {
			s.post(t.Context(), t, c, ledger.Accrue, "10")
		}
	}
	e.damage(t, `UPDATE movement SET amount = amount + 1 WHERE card_id = $1 AND seq = 2`, s.cards[1].ID)
	e.damage(t, `UPDATE card SET balance = balance - 0.0001 WHERE id = $1`, s.cards[2].ID)

	c := s.ended(t, s.started(t, ""))
	if c.FindingsCount() != 2 || *c.Clean() {
		t.Errorf("findings: got %d", c.FindingsCount())
	}
	checks, more, err := e.Checks(t.Context(), s.id, nil, 5)
	if err != nil || more || len(checks) != 1 {
		t.Fatalf("Checks: got %d, more %t, error %v", len(checks), more, err)
	}
	var named []string
	var after int32
	for {
		page, err := e.FindingsOf(t.Context(), s.id, checks[0], after, 1)
		if err != nil || len(page.Findings) != 1 {
			t.Fatalf("FindingsOf behind %d: got %+v, error %v", after, page, err)
		}
		f := page.Findings[0]
		card, err := e.CardOf(t.Context(), s.id, f)
		if err != nil || card == nil {
			t.Fatalf("CardOf: got %v, error %v", card, err)
		}
		seq := int64(0)
		if f.Seq != nil {
			seq = *f.Seq
		}
		named = append(named, strings.Join([]string{f.Rule, card.Code, string(rune('0' + seq)), f.Detail}, " "))
		if after = f.Number; !page.More {
			break
		}
	}
	want := []string{
		"balance_after " + s.cards[1].Code + " 2 balance 20 after 11 is not what the movements so far come to",
		"card_balance " + s.cards[2].Code + " 0 says 29.9999, its movements come to 30.0000",
	}
	if strings.Join(named, "\n") != strings.Join(want, "\n") {
		t.Errorf("findings: got\n%s\nwant\n%s", strings.Join(named, "\n"), strings.Join(want, "\n"))
	}
	if page, err := e.FindingsOf(t.Context(), e.shop(t, "UTC", 0).id, checks[0], 0, 5); err != nil || len(page.Findings) != 0 {
		t.Errorf("another company's findings: got %+v, error %v", page, err)
	}
}

func TestOneCheckAtATime(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s, other := e.shop(t, "UTC", 1), e.shop(t, "UTC", 1)
	first := s.started(t, "")
	if _, err := s.CheckStart(t.Context(), s.who, ""); loyalty.CodeOf(err) != loyalty.CodeLedgerCheckRunning {
		t.Errorf("a second at the same time: got %v", err)
	}
	other.started(t, "")
	s.ended(t, first)
	second := s.started(t, "")
	for range 2 { // cancelling twice is cancelling
		if err := e.CheckJobCancelled(t.Context(), []byte(`{"company_id":"`+s.id.String()+`","check_id":"`+second.ID.String()+`"}`)); err != nil {
			t.Fatal(err)
		}
	}
	if c := s.ended(t, second); c.State() != report.CheckCancelled || c.Clean() != nil {
		t.Errorf("a check whose job was cancelled: got %s", c.Status)
	}
	// One of which nothing is heard any more makes room for the next.
	lost := s.started(t, "")
	e.pass(59 * time.Minute)
	if planned, err := e.Plan(t.Context()); err != nil || planned.Checks != 0 {
		t.Errorf("Plan within the hour: got %+v, error %v", planned, err)
	}
	e.pass(2 * time.Minute)
	if planned, err := e.Plan(t.Context()); err != nil || planned.Checks != 2 {
		t.Errorf("Plan after it: got %+v, error %v, want two checks given up", planned, err)
	}
	if c := s.reread(t, lost); c.State() != report.CheckFailed {
		t.Errorf("a lost check: got %s", c.Status)
	}
	for note, want := range map[string]loyalty.Code{
		strings.Repeat("ñ", 256): loyalty.CodeTooLong, "a\x00": loyalty.CodeInvalid, "a\xff": loyalty.CodeInvalid,
	} {
		if _, err := s.CheckStart(t.Context(), s.who, note); loyalty.CodeOf(err) != want {
			t.Errorf("note %.5q: got %v, want %s", note, err, want)
		}
	}
}

// A run that is cut off leaves nothing but its progress; the next begins again.
func TestKilledCheck(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.shop(t, "UTC", 1)
	s.post(t.Context(), t, s.cards[0], ledger.Accrue, "10")
	e.damage(t, `UPDATE movement SET amount = amount + 1 WHERE company_id = $1`, s.id)
	c := s.started(t, "")
	e.exec(t, `CREATE TRIGGER killed BEFORE INSERT ON ledger_check_finding FOR EACH ROW EXECUTE FUNCTION refuse_change()`)
	if err := e.CheckRun(t.Context(), s.id, c.ID); err == nil {
		t.Fatal("the run was not cut off")
	}
	if now := s.reread(t, c); now.State() != report.CheckRunning || now.StepsDone != now.StepsTotal {
		t.Errorf("a run that is cut off at its end: got %+v", now.LedgerCheck)
	}
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.CheckRun(dead, s.id, c.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that is stopped: got %v", err)
	}
	e.exec(t, `DROP TRIGGER killed ON ledger_check_finding`)
	if now := s.ended(t, c); now.State() != report.CheckFinished || now.FindingsCount() != 1 {
		t.Errorf("the next run: got %+v, want it finished with the movement", now.LedgerCheck)
	}
	if n := e.count(t, `SELECT count(*) FROM ledger_check_finding WHERE check_id = $1`, c.ID); n != 1 {
		t.Errorf("%d findings are kept, want one", n)
	}
	if err := e.CheckRun(t.Context(), s.id, uuid.New()); err != nil {
		t.Errorf("a check that there is not: got %v, want nothing to do", err)
	}
}

func TestRebuildRefuses(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.shop(t, "UTC", 1)
	if _, err := e.Rebuild(t.Context(), s.who, false); loyalty.CodeOf(err) != loyalty.CodeRequired {
		t.Errorf("without a confirmation: got %v", err)
	}
	state, err := e.Rebuild(t.Context(), s.who, true)
	if err != nil || !state.Rebuilding || state.CompleteTo != nil {
		t.Errorf("Rebuild: got %+v, error %v", state, err)
	}
	if _, err := e.Rebuild(t.Context(), s.who, true); loyalty.CodeOf(err) != loyalty.CodeReportRebuilding {
		t.Errorf("while it runs: got %v", err)
	}
	if n := e.count(t, `SELECT count(*) FROM river_job WHERE kind = 'report_count'`); n != 1 {
		t.Errorf("it has %d jobs", n)
	}
	s.bring(t)
	state, err = e.State(t.Context(), s.id)
	if err != nil || state.Rebuilding || state.RebuildCards != 1 || state.RebuiltAt == nil || state.TimeZone != "UTC" {
		t.Errorf("after it: got %+v, error %v", state, err)
	}
	if n := e.count(t, `SELECT count(*) FROM audit_entry WHERE company_id = $1 AND action = 'report_rebuild'`, s.id); n != 1 {
		t.Errorf("%d audit entries", n)
	}
}
