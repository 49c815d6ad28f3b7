package ops

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Check is one thing that a process needs to do its work.
type Check struct {
	// Name is shown by /readyz?verbose: database, migrations, jobs.
	Name string
	// Run answers nil where all is well. It gets checkTime and may run at the same
	// time as itself.
	Run func(context.Context) error
}

// checkTime bounds one check: a load balancer asks every few seconds.
const checkTime = 2 * time.Second

// Health answers the probes of a process.
type Health struct {
	checks   []Check
	draining atomic.Bool
}

// NewHealth makes the probes of a process that needs all of the checks.
func NewHealth(checks ...Check) *Health { return &Health{checks: checks} }

// Drain makes the process not ready from now on, so that nothing new is sent to
// it while it ends what it began.
func (h *Health) Drain() { h.draining.Store(true) }

// Live answers 200 as long as the process can answer at all. It looks at nothing
// else: restarting a process does not mend a database.
func (h *Health) Live() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok\n") })
}

// Ready answers 200 when every check passes, else 503. With ?verbose it says which
// check failed; why is logged, since anybody may ask.
func (h *Health) Ready() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		failed := h.run(r.Context())
		status, text := http.StatusOK, "ok\n"
		if h.draining.Load() {
			status, text = http.StatusServiceUnavailable, "draining\n"
		}
		var details strings.Builder
		for i, c := range h.checks {
			state := "ok"
			if failed[i] != nil {
				status, text, state = http.StatusServiceUnavailable, "not ready\n", "failed"
				slog.WarnContext(r.Context(), "readiness check failed", "check", c.Name, "error", failed[i])
			}
			fmt.Fprintf(&details, "%s: %s\n", c.Name, state)
		}
		if _, verbose := r.URL.Query()["verbose"]; verbose {
			text = details.String() + text
		}
		answer(w, status, text)
	})
}

// run runs all checks side by side.
func (h *Health) run(ctx context.Context) []error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	failed := make([]error, len(h.checks))
	var all sync.WaitGroup
	for i, c := range h.checks {
		all.Go(func() { failed[i] = c.Run(ctx) })
	}
	all.Wait()
	return failed
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
