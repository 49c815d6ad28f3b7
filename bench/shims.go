package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ShimsOptions shape `sello bench shims`. Binary is required.
type ShimsOptions struct {
	Binary, PostgresBin string
	Clients             []int
	Rounds              int
	Each                time.Duration
	// People have a card in the wallet and an account of points each; Codes are the
	// serial codes that are there to be used.
	People, Codes int
	Say           func(format string, args ...any)
}

func (o ShimsOptions) say(format string, args ...any) {
	if o.Say != nil {
		o.Say(format, args...)
	}
}

// shimPairs are what is compared: a shim's path, and the mutation that it calls with
// the same things said.
var shimPairs = [][2]string{{waySale, wayMovementAccrue}, {wayAccumulate, wayContactAccrue}}

// shimPlan is the cases of one round: the two of a pair next to each other, so that
// they are measured within seconds. Every other round goes backwards.
func shimPlan(clients []int, round int) []LedgerCase {
	var cases []LedgerCase
	for _, n := range clients {
		for _, pair := range shimPairs {
			for _, way := range pair {
				cases = append(cases, LedgerCase{way, n, Uniform})
			}
		}
	}
	if round%2 == 1 {
		slices.Reverse(cases)
	}
	return cases
}

// MeasureShims posts through the shims and through the mutations that they call, in
// turns, and proves that what was answered is in the books. An error tells what was
// wrong; then there are no figures.
func MeasureShims(ctx context.Context, o ShimsOptions) (r ShimsReport, err error) {
	d, err := StartDatabase(ctx, o.PostgresBin)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, d.Stop()) }()
	r = ShimsReport{
		Settings: d.Settings, Cores: runtime.NumCPU(), Seconds: o.Each.Seconds(), Rounds: o.Rounds,
		People: o.People, Clients: o.Clients,
	}
	i, err := Install(ctx, InstallOptions{Binary: o.Binary, DatabaseURL: d.URL, DatabasePID: d.PID, Unread: true})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	o.say("laying in %d people and %d codes", o.People, o.Codes)
	town, err := newShimTown(ctx, i, o.People, o.Codes)
	if err != nil {
		return r, err
	}
	for round := range o.Rounds {
		o.say("round %d of %d", round+1, o.Rounds)
		for _, c := range shimPlan(o.Clients, round) {
			run, err := town.run(ctx, c, o)
			if err != nil {
				return r, fmt.Errorf("%s, %d clients: %w", c.Way, c.Clients, err)
			}
			o.say("  %-22s %2d clients %6.0f/s, p50 %.2f ms, p99 %.2f ms, others %.0f %%", c.Way, c.Clients,
				run.PerSecond(), run.P50.Seconds()*1000, run.P99.Seconds()*1000, run.Window.Foreign*100)
			run.Round = round
			r.Runs = append(r.Runs, run)
			r.Done += run.Posted
		}
	}
	o.say("proving the books")
	return r, errors.Join(town.check(ctx), i.Verify(ctx))
}

// run loads one case for a time: all clients post without a pause, each over a
// connection of its own.
func (t *shimTown) run(ctx context.Context, c LedgerCase, o ShimsOptions) (LedgerRun, error) {
	r := LedgerRun{LedgerCase: c}
	callers := make([]*shimCaller, c.Clients)
	defer func() {
		for _, open := range callers {
			if open != nil {
				_ = open.close() // all that it was for has been answered
			}
		}
	}()
	for i := range callers {
		var err error
		if callers[i], err = t.open(ctx, c.Way); err != nil {
			return r, err
		}
	}
	wal, err := t.wal(ctx)
	if err != nil {
		return r, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type answer struct{ end, took time.Duration }
	lists, begun := make([][]answer, len(callers)), time.Now()
	var stop atomic.Bool
	var g sync.WaitGroup
	for i, with := range callers {
		g.Go(func() {
			for !stop.Load() && ctx.Err() == nil {
				at := time.Since(begun)
				if err := with.post(); err != nil {
					cancel(err)
					return
				}
				end := time.Since(begun)
				lists[i] = append(lists[i], answer{end, end - at})
			}
		})
	}
	wait := func(d time.Duration) {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
	wait(ledgerWarmUp)
	from, open := time.Since(begun), openWindow(t.options.DatabasePID, t.server)
	wait(o.Each)
	r.Window = open.close()
	stop.Store(true)
	g.Wait()
	if err := context.Cause(ctx); err != nil {
		return r, err
	}
	var times []time.Duration
	for _, list := range lists {
		r.Posted += len(list)
		for _, a := range list {
			if a.end > from && a.end <= from+r.Window.Took {
				times = append(times, a.took)
			}
		}
	}
	if r.Operations = len(times); r.Operations == 0 {
		return r, fmt.Errorf("no answer in %s", r.Window.Took)
	}
	r.P50, r.P99 = percentiles(times)
	after, err := t.wal(ctx)
	r.WAL = after - wal
	t.done[c.Way] += int64(r.Posted)
	return r, err
}
