package jobs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"sello/db"
	"sello/db/dbtest"
	"sello/jobs"
	"sello/loyalty/auth"
	"sello/loyalty/catalog"
	"sello/loyalty/coupon"
	"sello/loyalty/customer"
	"sello/loyalty/imports"
	"sello/loyalty/ledger"
	"sello/loyalty/notify"
	"sello/loyalty/report"
	"sello/loyalty/reward"
	"sello/loyalty/upkeep"
	"sello/loyalty/webhook"
)

// buffer is a log that several goroutines write.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *buffer) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }

func (l *buffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// config is that of one process on a database.
func config(t *testing.T, pool *pgxpool.Pool, log *buffer) jobs.Config {
	t.Helper()
	store := db.NewStore(pool)
	keys, err := auth.ParseKeys(auth.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	in := &imports.Service{DB: store, Now: time.Now, SpoolDir: t.TempDir()}
	hooks, err := webhook.New(webhook.Config{DB: store, Now: time.Now, Secret: []byte("a secret of this test only"), AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	coupons := coupon.New(store, time.Now)
	books := ledger.New(store, time.Now)
	people := customer.New(store, books, time.Now)
	people.Coupons, people.Codes, people.Claims = coupons, catalog.New(store, books, time.Now), reward.New(store, books, time.Now)
	return jobs.Config{
		Webhooks: hooks, Customers: people, Ledger: books,
		Pool: pool, Imports: in, Coupons: coupons, Notify: &notify.Service{DB: store, Mailer: notify.Keeper{}, Now: time.Now},
		Upkeep: &upkeep.Service{
			DB: store, Auth: auth.New(auth.Config{DB: store, Keys: keys, Now: time.Now, Issuer: "http://sello.test"}), Imports: in, Coupons: coupons,
			Now: time.Now, Webhooks: hooks,
		},
		Reports: &report.Service{DB: store, Ledger: books, Now: time.Now},
		Work:    true, Fast: true, Log: slog.New(slog.NewJSONHandler(log, nil)),
	}
}

func newClient(t *testing.T, c jobs.Config) *river.Client[pgx.Tx] {
	t.Helper()
	client, err := jobs.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// work starts a client, waits until as many jobs of each kind have ended, and
// stops it.
func work(t *testing.T, client *river.Client[pgx.Tx], want map[string]int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	ended, unsubscribe := client.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed, river.EventKindJobCancelled)
	defer unsubscribe()
	if err := client.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := client.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	}()
	for missing := true; missing; {
		select {
		case e := <-ended:
			want[e.Job.Kind]--
		case <-ctx.Done():
			t.Fatalf("jobs that did not end: %v", want)
		}
		missing = false
		for _, n := range want {
			missing = missing || n > 0
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	for name, change := range map[string]func(*jobs.Config){
		"no pool":                           func(c *jobs.Config) { c.Pool = nil },
		"no service":                        func(c *jobs.Config) { c.Upkeep = nil },
		"no reports":                        func(c *jobs.Config) { c.Reports = nil },
		"rescue while a job may still run":  func(c *jobs.Config) { c.RescueAfter = 40 * time.Second },
		"a time-out longer than the rescue": func(c *jobs.Config) { c.JobTimeout = 2 * time.Minute },
	} {
		c := config(t, pool, &buffer{})
		change(&c)
		if _, err := jobs.New(c); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	c := config(t, pool, &buffer{})
	c.Work = false
	client := newClient(t, c)
	if err := client.Start(t.Context()); err == nil {
		t.Error("a client that only inserts could be started")
	}
	if c.Imports.Jobs != client || c.Ledger.Jobs != client || c.Notify.Jobs != client || c.Upkeep.Jobs != client || c.Reports.Jobs != client {
		t.Error("the services did not get the client")
	}
}

// TestSchedule: a worker that starts plans the day of each company, counts its
// figures and sweeps,
// with nobody asking.
func TestSchedule(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	for _, code := range []string{"acme", "saigon"} {
		if _, err := pool.Exec(t.Context(), `INSERT INTO company (id, code, name, time_zone, language, currency, phone_prefix, created_at, updated_at)
			VALUES (gen_random_uuid(), $1, $1, 'America/Mexico_City', 'es', 'MXN', '+52', now(), now())`, code); err != nil {
			t.Fatal(err)
		}
	}
	log := &buffer{}
	work(t, newClient(t, config(t, pool, log)), map[string]int{
		"upkeep": 1, "upkeep_plan": 1, "prune": 2, "report_plan": 1, "report_count": 2, "points_expire": 2, "card_expire": 2,
		"expiry_notice": 2, "hold_expire": 1, "coupon_expire": 2,
	})
	var outputs int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM river_job WHERE state = 'completed' AND metadata ? 'output'`).Scan(&outputs); err != nil {
		t.Fatal(err)
	}
	if outputs < 14 {
		t.Errorf("%d jobs say what they did, want 14", outputs)
	}
	if log.String() != "" {
		t.Errorf("a quiet day is logged:\n%s", log)
	}
}

// TestOncePerPeriod: however many processes ask, whoever led before.
func TestOncePerPeriod(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	one, other := newClient(t, config(t, pool, &buffer{})), newClient(t, config(t, pool, &buffer{}))
	noon := time.Date(2026, time.November, 21, 12, 0, 0, 0, time.UTC)
	company := uuid.New()
	for _, tt := range []struct {
		name string
		args river.JobArgs
		at   time.Time
		new  bool
	}{
		{"a minute's sweep", upkeep.Sweep{}, noon, true},
		{"later in the minute", upkeep.Sweep{}, noon.Add(59 * time.Second), false},
		{"the next minute", upkeep.Sweep{}, noon.Add(time.Minute), true},
		{"an hour's plan", upkeep.Plan{}, noon, true},
		{"later in the hour", upkeep.Plan{}, noon.Add(59 * time.Minute), false},
		{"the next hour", upkeep.Plan{}, noon.Add(time.Hour), true},
		{"a company's day", upkeep.Prune{CompanyID: company, Day: "2026-11-21"}, noon, true},
		{"the same day", upkeep.Prune{CompanyID: company, Day: "2026-11-21"}, noon.Add(time.Hour), false},
		{"the next day", upkeep.Prune{CompanyID: company, Day: "2026-11-22"}, noon, true},
		{"another company's day", upkeep.Prune{CompanyID: uuid.New(), Day: "2026-11-21"}, noon, true},
	} {
		want := tt.new
		for _, client := range []*river.Client[pgx.Tx]{one, other} {
			got, err := client.Insert(t.Context(), tt.args, &river.InsertOpts{ScheduledAt: tt.at})
			if err != nil {
				t.Fatal(err)
			}
			if inserted := !got.UniqueSkippedAsDuplicate; inserted != want {
				t.Errorf("%s: inserted %v, want %v", tt.name, inserted, want)
			}
			want = false
		}
	}
}

// TestFailureIsLogged: once, with what an operator needs to find the job, and
// without its arguments.
func TestFailureIsLogged(t *testing.T) {
	t.Parallel()
	log := &buffer{}
	client := newClient(t, config(t, dbtest.New(t), log))
	args := imports.Apply{CompanyID: uuid.New(), ImportID: uuid.New()}
	inserted, err := client.Insert(t.Context(), args, nil)
	if err != nil {
		t.Fatal(err)
	}
	work(t, client, map[string]int{"import_apply": 1})
	var lines []map[string]any
	for line := range strings.Lines(log.String()) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		if v["msg"] == "job failed" { // River has words of its own when it is stopped amid its work
			lines = append(lines, v)
		}
	}
	if len(lines) != 1 || lines[0]["kind"] != "import_apply" ||
		lines[0]["job_id"] != float64(inserted.Job.ID) || lines[0]["attempt"] != 1.0 || lines[0]["level"] != "WARN" {
		t.Errorf("log: got %s", log)
	}
	for _, id := range []uuid.UUID{args.CompanyID, args.ImportID} {
		if strings.Contains(log.String(), id.String()) {
			t.Errorf("the log holds an argument:\n%s", log)
		}
	}
}
