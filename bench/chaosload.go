package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Waits of a client: for a server that is away, and after an answer that it cannot.
const (
	chaosDialEvery = 15 * time.Millisecond
	chaosBackOff   = 250 * time.Millisecond
	chaosPatience  = 60 * time.Second
)

// chaosLoad is the workload: what is still to be sent, and what came of it.
type chaosLoad struct {
	addr, key string
	copies    int
	total     int64
	window    int // sends that wait to be drawn from

	mu     sync.Mutex
	drawer *chaosDrawer
	bag    []*chaosOp
	record *chaosRecord
	counts map[string]map[chaosOutcome]int
	codes  map[string]int // of refusals
	// unknown are the sends that were not acknowledged, by what stood in the way.
	unknown map[string]int
	faults  []chaosFault
	err     error
	// slow is when the server last answered that it could not in time.
	slow time.Time
	say  func(format string, args ...any)

	answered atomic.Int64 // sends
	ended    atomic.Bool
}

// chaosFault is an answer that the program could not, which it may give only while
// the database is away.
type chaosFault struct {
	begun, ended time.Time
	what         string
}

func newChaosLoad(i *Installation, d *chaosDrawer, r *chaosRecord, o ChaosOptions) *chaosLoad {
	l := &chaosLoad{
		addr: i.addr, key: i.ServerKey, copies: o.Copies, total: int64(o.Operations), window: o.Clients, drawer: d, record: r,
		say: o.Say, counts: map[string]map[chaosOutcome]int{}, codes: map[string]int{}, unknown: map[string]int{},
	}
	if o.Copies > 1 {
		l.window = max(o.Clients, min(o.Operations, 2000)) * o.Copies
	}
	return l
}

// take draws the next send out of those that wait; nil when there is no more.
func (l *chaosLoad) take() *chaosOp {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.bag) < l.window && l.drawer.n < l.total {
		o := l.drawer.draw()
		copies := l.copies
		if !o.kind.keyed {
			copies = 1
		}
		for range copies {
			l.bag = append(l.bag, o)
		}
	}
	if len(l.bag) == 0 || l.err != nil {
		return nil
	}
	i, last := l.drawer.rng.IntN(len(l.bag)), len(l.bag)-1
	o := l.bag[i]
	l.bag[i], l.bag[last] = l.bag[last], nil
	l.bag = l.bag[:last]
	return o
}

// tell notes what came of a send. What was not acknowledged is sent again, or never,
// as the operation says; one without a key cannot be.
func (l *chaosLoad) tell(o *chaosOp, t chaosTold, begun time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.record.add(o, t); err != nil {
		l.err = errors.Join(l.err, err)
	}
	if l.counts[o.kind.name] == nil {
		l.counts[o.kind.name] = map[chaosOutcome]int{}
	}
	l.counts[o.kind.name][t.outcome]++
	switch t.outcome {
	case chaosDone:
		l.drawer.learn(o, t)
	case chaosRefused:
		l.codes[t.code]++
	case chaosUnknown:
		what := t.code
		if now := time.Now(); strings.HasPrefix(what, "UNAVAILABLE") {
			if now.Sub(l.slow) > 10*time.Second {
				l.say("at %d sends the server begins to answer %s", l.answered.Load(), what)
			}
			l.slow = now
		}
		if t.fault {
			what = "the program answered that it could not"
			l.faults = append(l.faults, chaosFault{begun, time.Now(), fmt.Sprintf("%s (%s): %s", o.tag(), o.kind.name, t.code)})
		}
		l.unknown[what]++
		if o.again && o.kind.keyed {
			l.bag = append(l.bag, o)
		}
	}
	l.answered.Add(1)
}

// run sends from so many clients until nothing is left.
func (l *chaosLoad) run(ctx context.Context, clients int) error {
	var g sync.WaitGroup
	errs := make([]error, clients)
	for i := range clients {
		g.Go(func() {
			c := &chaosClient{load: l, begins: map[*chaosKind][]byte{}, request: newWireRequest(l.addr, "/graphql", http.Header{
				"Authorization": {"Bearer " + l.key}, "Content-Type": {"application/json"}, "Accept": {"application/json"},
			})}
			for _, k := range chaosKinds {
				c.begins[k] = k.begin()
			}
			errs[i] = c.run(ctx)
		})
	}
	g.Wait()
	return errors.Join(append(errs, l.err)...)
}

// chaosClient is one connection, opened anew whenever it breaks.
type chaosClient struct {
	load    *chaosLoad
	wire    *wire
	request *wireRequest
	begins  map[*chaosKind][]byte
	body    []byte
}

func (c *chaosClient) run(ctx context.Context) error {
	defer c.hangUp()
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		o := c.load.take()
		if o == nil {
			return nil
		}
		if err := c.dial(ctx); err != nil {
			return err
		}
		begun := time.Now()
		t := c.send(o)
		c.load.tell(o, t, begun)
		if t.outcome == chaosUnknown && c.wire != nil { // somebody is there, who cannot now
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(chaosBackOff):
			}
		}
	}
}

// dial waits until there is a server to talk to. Nothing has been sent before.
func (c *chaosClient) dial(ctx context.Context) error {
	for c.wire == nil {
		w, err := dialWire(ctx, c.load.addr)
		if err == nil {
			c.wire = w
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(chaosDialEvery):
		}
	}
	return nil
}

func (c *chaosClient) hangUp() {
	if c.wire != nil {
		_ = c.wire.close() // all that it was for is over
		c.wire = nil
	}
}

func (c *chaosClient) send(o *chaosOp) chaosTold {
	c.body = append(append(append(c.body[:0], c.begins[o.kind]...), o.input...), `}}`...)
	err := c.wire.conn.SetDeadline(time.Now().Add(chaosPatience))
	var a wireAnswer
	if err == nil {
		a, err = c.wire.exchange(c.request.bytes(c.body))
	}
	if err != nil {
		c.hangUp()
		return chaosTold{outcome: chaosUnknown, code: "the connection broke"}
	}
	return readChaos(a)
}

// sums are the outcomes over all kinds.
func (l *chaosLoad) sums() map[chaosOutcome]int {
	all := map[chaosOutcome]int{}
	for _, by := range l.counts {
		for outcome, n := range by {
			all[outcome] += n
		}
	}
	return all
}
