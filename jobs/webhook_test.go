package jobs_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"sello/db/dbtest"
	"sello/jobs"
	"sello/loyalty/auth"
	"sello/loyalty/webhook"
)

// TestWebhooks is the whole way: an event that somebody committed is seen by the
// watcher, its job is enqueued and worked, and the receiver has it, though nobody
// told the queue.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	c := config(t, pool, &buffer{})
	client := newClient(t, c)
	company := uuid.New()
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	exec(`INSERT INTO company (id, code, name, time_zone, language, currency, phone_prefix, created_at, updated_at)
		VALUES ($1, 'acme', 'Acme', 'UTC', 'en', 'EUR', '+34', now(), now())`, company)
	got := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
	}))
	defer receiver.Close()
	if _, _, err := c.Webhooks.Create(t.Context(), auth.System(company), webhook.Input{URL: &receiver.URL, Kinds: &[]string{"import_progressed"}}); err != nil {
		t.Fatal(err)
	}
	if err := client.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	go func() { watched <- c.Webhooks.Watch(ctx) }()
	for range 2 { // the second after the first has arrived
		exec(`INSERT INTO event (company_id, kind, subject_id, seq, recorded_at) VALUES ($1, 'import_progressed', $1, 1, $2)`, company, time.Now())
		if body := <-got; !strings.Contains(body, `"type":"import_progressed"`) || !strings.Contains(body, `"company":"acme"`) {
			t.Errorf("received %s", body)
		}
	}
	stop()
	if err := <-watched; err != nil {
		t.Errorf("Watch: %v", err)
	}
	if err := client.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("stop: %v", err)
	}
	if n := len(got); n != 0 {
		t.Errorf("%d deliveries came twice", n)
	}
}

// TestWebhookGivesWay: a run with more to do than its slice lasts is put to sleep
// and goes on, which counts as no attempt.
func TestWebhookGivesWay(t *testing.T) {
	t.Parallel()
	stopping := make(chan struct{})
	close(stopping)
	c := config(t, dbtest.New(t), &buffer{})
	company := uuid.New()
	if _, err := c.Pool.Exec(t.Context(), `INSERT INTO company (id, code, name, time_zone, language, currency, phone_prefix, created_at, updated_at)
		VALUES ($1, 'acme', 'Acme', 'UTC', 'en', 'EUR', '+34', now(), now())`, company); err != nil {
		t.Fatal(err)
	}
	c.Webhooks.Jobs = newClient(t, c)
	done, err := c.Webhooks.Deliver(t.Context(), company, uuid.New(), webhook.Run{Linger: time.Hour, Stopping: stopping})
	if err != nil || !done.More {
		t.Errorf("Deliver while the process stops: got %+v, error %v", done, err)
	}
	if jobs.DefaultJobTimeout <= 30*time.Second {
		t.Error("a slice and the requests under way no longer fit into a job's time-out")
	}
}
