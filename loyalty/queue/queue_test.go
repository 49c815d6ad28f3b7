package queue_test

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"sello/db"
	"sello/db/dbtest"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/queue"
)

// work is a job of a company.
type work struct {
	CompanyID uuid.UUID `json:"company_id"`
	Phone     string    `json:"phone"`
}

func (work) Kind() string { return "work" }

type env struct {
	pool     *pgxpool.Pool
	river    *river.Client[pgx.Tx]
	service  *queue.Service
	one, two auth.Principal
	platform auth.Principal
}

// newEnv is a queue with two companies' jobs in it, which nobody works.
func newEnv(t *testing.T) *env {
	t.Helper()
	e := &env{pool: dbtest.New(t)}
	var err error
	e.river, err = river.NewClient(riverpgxv5.New(e.pool), &river.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	e.service = &queue.Service{DB: db.NewStore(e.pool), River: e.river, Now: time.Now}
	e.one, e.two = e.operator(t, "one"), e.operator(t, "two")
	e.platform = e.one
	e.platform.Scopes = auth.Scopes()
	// A queue is known once a worker has served it.
	if _, err := e.pool.Exec(t.Context(), "INSERT INTO river_queue (name, updated_at) VALUES ('default', now()), ('imports', now())"); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *env) operator(t *testing.T, code string) auth.Principal {
	t.Helper()
	c, err := e.service.DB.CompanyCreate(t.Context(), db.CompanyCreateParams{
		CompanyID: uuid.New(), Code: code, Name: code, TimeZone: "UTC", Language: "en", Currency: "USD", PhonePrefix: "+1", Now: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return auth.Principal{CompanyID: c.ID, Subject: uuid.New(), Kind: auth.KindOperator, Scopes: auth.CompanyScopes()}
}

func (e *env) insert(t *testing.T, who auth.Principal) int64 {
	t.Helper()
	made, err := e.river.Insert(t.Context(), work{CompanyID: who.CompanyID, Phone: "5512345678"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return made.Job.ID
}

func ids(jobs []*queue.Job) []int64 {
	all := make([]int64, len(jobs))
	for i, j := range jobs {
		all[i] = j.ID
	}
	return all
}

func TestJobsOfOtherCompaniesAreNotSeen(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	first, theirs, second := env.insert(t, env.one), env.insert(t, env.two), env.insert(t, env.one)

	for _, tt := range []struct {
		name string
		who  auth.Principal
		want []int64
	}{
		{"an operator", env.one, []int64{second, first}},
		{"another company's", env.two, []int64{theirs}},
		{"the platform's", env.platform, []int64{second, theirs, first}},
	} {
		page, more, err := env.service.Jobs(t.Context(), tt.who, queue.Filter{}, 10)
		if err != nil || more || !slices.Equal(ids(page), tt.want) {
			t.Errorf("Jobs for %s: got %v, more %t, error %v, want %v", tt.name, ids(page), more, err, tt.want)
		}
	}
	if j, err := env.service.Job(t.Context(), env.one, theirs); j != nil || err != nil {
		t.Errorf("Job of another company: got %v, error %v", j, err)
	}
	for name, steer := range map[string]func() (*queue.Job, error){
		"Retry":  func() (*queue.Job, error) { return env.service.Retry(t.Context(), env.one, theirs) },
		"Cancel": func() (*queue.Job, error) { return env.service.Cancel(t.Context(), env.one, theirs) },
	} {
		if j, err := steer(); loyalty.CodeOf(err) != loyalty.CodeJobNotFound {
			t.Errorf("%s of another company's job: got %v, error %v, want JOB_NOT_FOUND", name, j, err)
		}
	}
	if j, err := env.service.Job(t.Context(), env.platform, theirs); err != nil || j == nil || j.Standing() != queue.Available {
		t.Errorf("Job for the platform: got %v, error %v", j, err)
	}
}

func TestJobsPageAndFilter(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	var made []int64
	for range 5 {
		made = append(made, env.insert(t, env.one))
	}
	slices.Reverse(made)
	if _, err := env.service.Cancel(t.Context(), env.one, made[1]); err != nil {
		t.Fatal(err)
	}
	var got []int64
	f := queue.Filter{}
	for {
		page, more, err := env.service.Jobs(t.Context(), env.one, f, 2)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, ids(page)...)
		if !more {
			break
		}
		f.Before = &page[len(page)-1].ID
	}
	if !slices.Equal(got, made) {
		t.Errorf("jobs over all pages: got %v, want %v", got, made)
	}
	page, _, err := env.service.Jobs(t.Context(), env.one, queue.Filter{State: new(queue.Cancelled), Kind: new("work")}, 10)
	if err != nil || !slices.Equal(ids(page), made[1:2]) {
		t.Errorf("cancelled jobs: got %v, error %v, want %v", ids(page), err, made[1:2])
	}
	page, _, err = env.service.Jobs(t.Context(), env.one, queue.Filter{Kind: new("other")}, 10)
	if err != nil || len(page) != 0 {
		t.Errorf("jobs of another kind: got %v, error %v", ids(page), err)
	}
}

func TestCancelAndRetry(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	id := env.insert(t, env.one)
	cancelled, err := env.service.Cancel(t.Context(), env.one, id)
	if err != nil || cancelled.Standing() != queue.Cancelled {
		t.Fatalf("Cancel: got %v, error %v", cancelled, err)
	}
	again, err := env.service.Retry(t.Context(), env.one, id)
	if err != nil || again.Standing() != queue.Available {
		t.Errorf("Retry: got %v, error %v", again, err)
	}
	var actions []string
	rows, err := env.pool.Query(t.Context(), "SELECT action FROM audit_entry WHERE company_id = $1 ORDER BY id", env.one.CompanyID)
	if err != nil {
		t.Fatal(err)
	}
	if actions, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil || !slices.Equal(actions, []string{"job_cancel", "job_retry"}) {
		t.Errorf("audit: got %v, error %v", actions, err)
	}
}

func TestQueuesCountTheCompanysJobs(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.insert(t, env.one)
	env.insert(t, env.one)
	env.insert(t, env.two)
	for _, tt := range []struct {
		name string
		who  auth.Principal
		want int64
	}{{"one", env.one, 2}, {"two", env.two, 1}, {"platform", env.platform, 3}} {
		queues, err := env.service.Queues(t.Context(), tt.who)
		if err != nil || len(queues) != 2 || queues[0].Name != "default" {
			t.Fatalf("Queues: got %v, error %v, want default and imports", queues, err)
		}
		if queues[0].Available != tt.want {
			t.Errorf("available jobs for %s: got %d, want %d", tt.name, queues[0].Available, tt.want)
		}
		if age := queues[0].OldestAgeSeconds(); age == nil || *age < 0 {
			t.Errorf("age of the oldest job for %s: got %v", tt.name, age)
		}
		if age := queues[1].OldestAgeSeconds(); age != nil {
			t.Errorf("age of the oldest job of an empty queue: got %d", *age)
		}
	}
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	paused, err := env.service.Pause(t.Context(), env.platform, "imports")
	if err != nil || paused.PausedAt == nil {
		t.Errorf("Pause: got %+v, error %v", paused, err)
	}
	resumed, err := env.service.Resume(t.Context(), env.platform, "imports")
	if err != nil || resumed.PausedAt != nil {
		t.Errorf("Resume: got %+v, error %v", resumed, err)
	}
	for _, name := range []string{"none", "*", ""} {
		if _, err := env.service.Pause(t.Context(), env.platform, name); loyalty.CodeOf(err) != loyalty.CodeQueueNotFound {
			t.Errorf("Pause(%q): got error %v, want QUEUE_NOT_FOUND", name, err)
		}
	}
}
