package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"
)

// chaosGrace is how long after the database is back a request may still find a
// connection that has gone with it.
const chaosGrace = 5 * time.Second

// ChaosFault is one fault of a run.
type ChaosFault struct {
	// What is the fault: a kill of the server, or a restart of the database.
	What string `json:"what"`
	// At is how many sends had been answered.
	At int64 `json:"at"`
	// Recovered is how long it took until the server was ready again.
	Recovered time.Duration `json:"recovered_ns"`

	begun, ended time.Time
}

const (
	faultKill      = "SIGKILL of the server"
	faultFast      = "PostgreSQL stopped and started"
	faultImmediate = "PostgreSQL stopped at once (crash recovery) and started"
)

// chaosMonkey makes the faults.
type chaosMonkey struct {
	inst   *Installation
	db     *Database
	server *Process
	say    func(format string, args ...any)
	plan   []ChaosFault
	done   []ChaosFault
}

// planFaults spreads faults over a run of so many sends: each in a stretch of its
// own, kills and restarts mixed.
func planFaults(rng *rand.Rand, sends int64, kills, restarts int) []ChaosFault {
	var plan []ChaosFault
	for range kills {
		plan = append(plan, ChaosFault{What: faultKill})
	}
	for n := range restarts {
		what := faultImmediate
		if n%2 == 1 {
			what = faultFast
		}
		plan = append(plan, ChaosFault{What: what})
	}
	rng.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	stretch := float64(sends) * 0.95 / float64(max(1, len(plan)))
	for i := range plan {
		plan[i].At = int64(stretch * (float64(i) + 0.1 + 0.8*rng.Float64()))
	}
	return plan
}

// run makes the faults, each when so many sends have been answered. It fails where a
// process ended by itself or did not come back.
func (m *chaosMonkey) run(ctx context.Context, load *chaosLoad, rng *rand.Rand) error {
	for i, f := range m.plan {
		err := Await(ctx, func() (bool, error) {
			select {
			case <-m.server.Exited():
				return false, fmt.Errorf("the server ended by itself with code %d\n%s", m.server.ExitCode(), m.server.Log())
			default:
			}
			if load.ended.Load() {
				return false, errors.New("all was sent before the faults were made: it takes more operations")
			}
			return load.answered.Load() >= f.At, nil
		})
		if err != nil {
			return err
		}
		time.Sleep(time.Duration(rng.Int64N(int64(pollEvery)))) // anywhere in a request
		f.At, f.begun = load.answered.Load(), time.Now()
		m.say("%d of %d: %s at %d sends", i+1, len(m.plan), f.What, f.At)
		if f.What == faultKill {
			err = m.kill(ctx)
		} else {
			err = m.restart(ctx, f.What == faultImmediate)
		}
		f.ended = time.Now()
		f.Recovered = f.ended.Sub(f.begun)
		if err != nil {
			return fmt.Errorf("%s: %w", f.What, err)
		}
		m.done = append(m.done, f)
	}
	return nil
}

func (m *chaosMonkey) kill(ctx context.Context) error {
	if err := m.server.Kill(); err != nil {
		return err
	}
	server, err := m.inst.Serve(ctx)
	if err == nil {
		m.server = server
	}
	return err
}

func (m *chaosMonkey) restart(ctx context.Context, immediate bool) error {
	if err := m.db.Restart(ctx, immediate); err != nil {
		return err
	}
	return m.inst.awaitReady(ctx, m.server)
}

// excused says whether a database was away while a request ran.
func (m *chaosMonkey) excused(f chaosFault) bool {
	return slices.ContainsFunc(m.done, func(away ChaosFault) bool {
		return away.What != faultKill && f.begun.Before(away.ended.Add(chaosGrace)) && f.ended.After(away.begun)
	})
}

// unexcused are the answers that the program could not while all was well.
func (m *chaosMonkey) unexcused(faults []chaosFault) error {
	var wrong []string
	for _, f := range faults {
		if !m.excused(f) {
			wrong = append(wrong, f.what)
		}
	}
	return several("answers that the program could not, with its database there", wrong)
}

// check wants all faults made, and the server that runs now to be well.
func (m *chaosMonkey) check(ctx context.Context) error {
	if len(m.done) != len(m.plan) {
		return fmt.Errorf("%d of %d faults were made: it takes more operations", len(m.done), len(m.plan))
	}
	resp, err := m.inst.Client.do(ctx, http.MethodGet, "/readyz", http.Header{}, nil)
	if err != nil {
		return fmt.Errorf("the server at the end: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		err = errors.New("the server is not ready at the end")
	}
	return errors.Join(err, resp.Body.Close())
}
