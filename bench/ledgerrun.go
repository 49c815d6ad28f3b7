package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// LedgerCase is one way at one number of clients on one distribution of cards.
type LedgerCase struct {
	Way          string       `json:"way"`
	Clients      int          `json:"clients"`
	Distribution Distribution `json:"cards"`
}

// LedgerRun is one case once. Figures are of the time in which all clients were
// at work and nothing else; times a posting are CPU time.
type LedgerRun struct {
	LedgerCase
	Round      int           `json:"round"`
	Operations int           `json:"operations"`
	P50        time.Duration `json:"p50_ns"`
	P99        time.Duration `json:"p99_ns"`
	Window     Window        `json:"window"`
	// WAL is what the database wrote ahead, in bytes, all operations of the run
	// counted (Posted).
	WAL      int64 `json:"wal_bytes"`
	Posted   int   `json:"posted"`
	Replayed int   `json:"replayed"`
}

// PerSecond is the rate of postings.
func (r LedgerRun) PerSecond() float64 { return float64(r.Operations) / r.Window.Took.Seconds() }

// WALBytes are those of one posting.
func (r LedgerRun) WALBytes() float64 { return float64(r.WAL) / float64(max(1, r.Posted)) }

// disturbedAbove is the share of the machine that others may take before a run
// says more about them than about us.
const disturbedAbove = 0.15

// Disturbed says that others took too much of the machine meanwhile.
func (r LedgerRun) Disturbed() bool { return r.Window.Foreign > disturbedAbove }

// answered is a posting that was acknowledged.
type answered struct {
	draw
	told
	begun time.Duration // since the run's start
	took  time.Duration
}

const (
	// ledgerWarmUp is how long clients work before the clock runs: connections know
	// their statements, the runtime its heap.
	ledgerWarmUp = 700 * time.Millisecond
	// replayEvery is one in so many keys that is sent again after a run.
	replayEvery = 20
)

// run loads one case for a time, books what was answered, sends a share of the
// keys again and wants the first answers.
func (b *LedgerBank) run(ctx context.Context, w way, c LedgerCase, o LedgerOptions, name string, seed uint64) (LedgerRun, error) {
	r := LedgerRun{LedgerCase: c}
	callers := make([]caller, c.Clients)
	defer func() {
		for _, open := range callers {
			if open != nil {
				_ = open.close() // all that it was for has been answered
			}
		}
	}()
	for i := range callers {
		var err error
		if callers[i], err = w.open(ctx, b); err != nil {
			return r, err
		}
	}
	wal, err := b.wal(ctx)
	if err != nil {
		return r, err
	}
	lists, window, from, err := b.load(ctx, w, callers, c, o, name, seed)
	if err != nil {
		return r, fmt.Errorf("%s, %d clients, %s: %w", c.Way, c.Clients, c.Distribution, err)
	}
	r.Window = window
	after, err := b.wal(ctx)
	if err != nil {
		return r, err
	}
	r.WAL = after - wal
	var times []time.Duration
	for _, list := range lists {
		r.Posted += len(list)
		for _, a := range list {
			if end := a.begun + a.took; end > from && end <= from+window.Took {
				times = append(times, a.took)
			}
		}
	}
	r.Operations = len(times)
	if r.Operations == 0 {
		return r, fmt.Errorf("%s, %d clients: no answer in %s", c.Way, c.Clients, window.Took)
	}
	r.P50, r.P99 = percentiles(times)
	if err := b.book(lists); err != nil {
		return r, fmt.Errorf("%s, %d clients, %s: %w", c.Way, c.Clients, c.Distribution, err)
	}
	if w.repeats {
		if r.Replayed, err = replay(ctx, callers, lists, name); err != nil {
			return r, fmt.Errorf("%s, %d clients, %s: %w", c.Way, c.Clients, c.Distribution, err)
		}
	}
	return r, nil
}

// load lets every caller post without a pause, and watches the processes while all
// of them do. from is where the watched time begins, from the first posting on.
func (b *LedgerBank) load(ctx context.Context, w way, callers []caller, c LedgerCase, o LedgerOptions, name string, seed uint64) (
	lists [][]answered, seen Window, from time.Duration, err error,
) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var stop atomic.Bool
	lists = make([][]answered, len(callers))
	begun := time.Now()
	var g sync.WaitGroup
	for i, with := range callers {
		g.Go(func() {
			drawer := newDrawer(seed, i, len(b.seq), o.RedeemPercent, c.Distribution)
			list := make([]answered, 0, 4096)
			for !stop.Load() && ctx.Err() == nil {
				d := drawer.draw()
				at := time.Since(begun)
				t, err := with.post(ctx, name, d)
				if err != nil {
					cancel(err)
					break
				}
				list = append(list, answered{draw: d, told: t, begun: at, took: time.Since(begun) - at})
			}
			lists[i] = list
		})
	}
	wait := func(d time.Duration) {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
	wait(ledgerWarmUp)
	var processes []*Process
	if w.server != nil {
		processes = append(processes, w.server)
	}
	from = time.Since(begun)
	open := openWindow(b.options.DatabasePID, processes...)
	wait(o.Each)
	seen = open.close()
	stop.Store(true)
	g.Wait()
	return lists, seen, from, context.Cause(ctx)
}

// book adds what was answered to what has to be on the cards.
func (b *LedgerBank) book(lists [][]answered) error {
	var wrong []string
	type line struct {
		card int32
		seq  int64
	}
	met := map[line]bool{}
	for _, list := range lists {
		for _, a := range list {
			l := line{a.card, a.seq}
			switch {
			case a.refused != "":
				wrong = append(wrong, fmt.Sprintf("card %d, %d points: %s", a.card, a.points, a.refused))
				continue
			case a.replayed:
				wrong = append(wrong, fmt.Sprintf("card %d: a new key was answered as a repeat", a.card))
			case a.seq != 0 && met[l]:
				wrong = append(wrong, fmt.Sprintf("card %d: two answers are movement %d", a.card, a.seq))
			}
			met[l] = true
			b.balance[a.card] += int64(a.points)
			b.seq[a.card]++
			b.posted++
		}
	}
	return several("answers", wrong)
}

// replay sends one in replayEvery keys again, which has to change nothing and be
// answered as at first.
func replay(ctx context.Context, callers []caller, lists [][]answered, name string) (int, error) {
	wrong := make([][]string, len(callers))
	errs := make([]error, len(callers))
	counts := make([]int, len(callers))
	var g sync.WaitGroup
	for i, with := range callers {
		g.Go(func() {
			for n := i % replayEvery; n < len(lists[i]) && errs[i] == nil && ctx.Err() == nil; n += replayEvery {
				first := lists[i][n]
				var again told
				if again, errs[i] = with.post(ctx, name, first.draw); errs[i] != nil {
					return
				}
				counts[i]++
				if want := (told{replayed: true, seq: first.seq, balance: first.balance}); again != want {
					wrong[i] = append(wrong[i], fmt.Sprintf("card %d: a repeat got %+v, want %+v", first.card, again, want))
				}
			}
		})
	}
	g.Wait()
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum, errors.Join(errors.Join(errs...), several("repeats", slices.Concat(wrong...)))
}
