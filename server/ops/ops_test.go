package ops_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
	"sello/db/dbtest"
	"sello/server/ops"
)

func figures(t *testing.T, m *ops.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	ops.Handler(ops.NewHealth(), m).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	return w.Body.String()
}

func TestQueueFigures(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.November, 21, 12, 0, 0, 0, time.UTC)
	var failure error
	m := ops.NewMetrics()
	m.WatchQueues(func() time.Time { return now }, func(context.Context) ([]ops.QueueFigures, error) {
		return []ops.QueueFigures{
			{Name: "imports", Available: 3, Running: 2, Retryable: 1, Discarded: 4, CompletedLastMinute: 9, OldestAt: new(now.Add(-90 * time.Second))},
			{Name: "notify", PausedAt: &now},
		}, failure
	})
	got := figures(t, m)
	for _, want := range []string{
		`sello_jobs{queue="imports",state="available"} 3`, `sello_jobs{queue="imports",state="running"} 2`,
		`sello_jobs{queue="imports",state="discarded"} 4`, `sello_jobs{queue="imports",state="completed"} 9`,
		`sello_job_oldest_age_seconds{queue="imports"} 90`, `sello_job_oldest_age_seconds{queue="notify"} 0`,
		`sello_queue_paused{queue="imports"} 0`, `sello_queue_paused{queue="notify"} 1`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	failure = errors.New("the database is away")
	if got := figures(t, m); strings.Contains(got, "sello_jobs{") || !strings.Contains(got, "sello_http_requests_in_flight 0") {
		t.Errorf("without a database the other figures are not shown:\n%s", got)
	}
}

// TestQueueFiguresOfTheDatabase holds the conversion that WatchQueues' reader does.
func TestQueueFiguresOfTheDatabase(t *testing.T) {
	t.Parallel()
	f := ops.QueueFigures(db.QueueFigures{Name: "imports", Available: 1, CompletedLastMinute: 2})
	if f.Name != "imports" || f.Available != 1 || f.CompletedLastMinute != 2 {
		t.Errorf("got %+v", f)
	}
}

func TestStatements(t *testing.T) {
	t.Parallel()
	m := ops.NewMetrics()
	config, err := pgxpool.ParseConfig(dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	config.ConnConfig.Tracer = m.Tracer()
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	m.WatchPool(pool)
	store := db.NewStore(pool)
	if _, err := store.CompanyByCode(t.Context(), "nobody"); !errors.Is(err, pgx.ErrNoRows) {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), `SELECT 1 / 0 -- name: a secret`); err == nil {
		t.Fatal("one by zero is something")
	}
	got := figures(t, m)
	for _, want := range []string{
		`sello_db_statement_duration_seconds_count{outcome="ok",statement="CompanyByCode"} 1`,
		`sello_db_statement_duration_seconds_count{outcome="error",statement="other"} 1`,
		`sello_db_connections{state="idle"} 1`, `sello_db_connections{state="used"} 0`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(got, "secret") {
		t.Error("a statement's text became a label")
	}
}
