package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Feed hands out what is written to table event, to any number of subscribers,
// with one reader per process (design.md 6). It reads by polling and there is no
// NOTIFY anywhere: NOTIFY inside the writing transactions takes one lock for the
// whole database from before commit to after it and cut 9,376 commits a second to
// 411, while a poll by one reader costs one index probe, and nothing at all
// while nobody subscribes. The price is up to one poll of delay; Nudge takes it
// away where the writer is in the same process.
//
// Nothing is skipped, and the events of one card come in order of seq: the reader
// goes by number and stops where numbers are not settled (settler). So a
// transaction that stays open after it has written holds back the events that
// follow it, of all companies. And writers commit with synchronous_commit on:
// after a crash that loses commits their numbers come again, below places that
// were given away.
type Feed struct {
	store  *Store
	config FeedConfig
	wake   chan struct{} // something may be there to read
	// placing is held by the one subscriber that finds a place for the feed.
	placing chan struct{}
	// settler is Run's.
	settler *settler

	mu sync.Mutex
	// interest counts the subscribers, and those that still read what was before;
	// while it is zero the feed rests and has no place.
	interest int
	placed   bool
	// place is how far live events have been handed out: always an event that was
	// read, so that no crash makes its number come again.
	place Place
	live  map[uuid.UUID]map[*Subscription]struct{}
	ended bool
	done  chan struct{} // closed when ended
}

// FeedConfig sets a feed up; zero values are the defaults.
type FeedConfig struct {
	// Poll is the time between two reads while somebody subscribes; 75 ms.
	Poll time.Duration
	// Buffer is how many live events wait in memory for a subscriber; 256. One that
	// falls behind further, as an import's batch may make any, reads on from the
	// table at its own pace until it has caught up.
	Buffer int
	// Stall is how long a subscriber that has fallen behind may take for one event
	// before it is dropped; 30 s.
	Stall time.Duration
	// Dropped counts a subscriber that was dropped for being slow.
	Dropped func()
}

const (
	feedPoll   = 75 * time.Millisecond
	feedBuffer = 256
	feedStall  = 30 * time.Second
	// feedReady is how many events a subscriber finds ready to be taken together.
	feedReady = 32
	// feedBatch is how many events one statement reads.
	feedBatch = 500
	// A nudge is followed at once, but a flood of them reads no oftener than this.
	// What is not settled yet is looked at again after it, and then ever more seldom.
	feedGap     = 5 * time.Millisecond
	feedLookMin = time.Millisecond
	feedLookMax = 50 * time.Millisecond
	feedTimeout = 5 * time.Second
	// After an error the reader waits, twice as long each time.
	feedBackoffMin = 50 * time.Millisecond
	feedBackoffMax = 3 * time.Second
)

// Why a subscription ended, or could not begin.
var (
	// ErrPlaceGone: events behind the place may have been pruned (or the place is
	// of another database): the subscriber cannot go on without a gap and has to
	// read the state anew.
	ErrPlaceGone = errors.New("events behind the place are no longer kept")
	// ErrSlow: the subscriber was far behind and did not take one event for as long
	// as FeedConfig.Stall. It may subscribe again from the last place it received.
	ErrSlow = errors.New("subscriber was too slow")
	// ErrFeedEnded: Run has ended, the process is shutting down.
	ErrFeedEnded = errors.New("event feed has ended")
)

// NewFeed makes a feed on a store; Run makes it go.
func NewFeed(store *Store, config FeedConfig) *Feed {
	if config.Poll <= 0 {
		config.Poll = feedPoll
	}
	if config.Buffer <= 0 {
		config.Buffer = feedBuffer
	}
	if config.Stall <= 0 {
		config.Stall = feedStall
	}
	if config.Dropped == nil {
		config.Dropped = func() {}
	}
	return &Feed{
		store: store, config: config,
		wake: make(chan struct{}, 1), placing: make(chan struct{}, 1), done: make(chan struct{}),
		settler: newSettler(),
		live:    map[uuid.UUID]map[*Subscription]struct{}{},
	}
}

// Nudge makes the feed read at once, where there is a subscriber: to be called
// after a commit that wrote events. It never blocks.
func (f *Feed) Nudge() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Subscribers is how many subscriptions there are now, for a gauge.
func (f *Feed) Subscribers() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.interest
}

// Run reads and hands out events until ctx ends, and then ends every
// subscription with ErrFeedEnded and returns nil. While the database is away it
// tries again, at growing intervals: subscribers notice a delay and no gap. It is
// called once.
func (f *Feed) Run(ctx context.Context) error {
	defer f.end()
	var backoff, look time.Duration
	fresh, polled := true, time.Time{}
	for {
		if !f.rest(ctx) {
			return nil
		}
		if fresh {
			polled = time.Now()
		}
		more, err := f.read(ctx, fresh)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			fresh = true
			if backoff == 0 {
				slog.WarnContext(ctx, "event feed cannot read, will try again", "error", err)
			}
			backoff = min(max(2*backoff, feedBackoffMin), feedBackoffMax)
			if !pause(ctx, backoff/2+rand.N(backoff/2)) {
				return nil
			}
			continue
		case backoff > 0:
			slog.InfoContext(ctx, "event feed reads again")
			backoff = 0
		}
		if more {
			fresh = true
			continue
		}
		if !pause(ctx, feedGap) {
			return nil
		}
		wait := time.Until(polled.Add(f.config.Poll))
		if len(f.settler.pending) > 0 {
			wait = min(wait, look)
			look = 2*look + feedGap
		} else {
			look = 0
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
			fresh, look = true, 0
		case <-time.After(wait):
			fresh = time.Since(polled) >= f.config.Poll
		}
	}
}

// rest waits until somebody subscribes; false means that ctx ended.
func (f *Feed) rest(ctx context.Context) bool {
	for {
		f.mu.Lock()
		placed := f.placed
		f.mu.Unlock()
		if placed {
			return ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-f.wake:
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// read reads one batch behind the feed's place and hands it out; more means that
// the next one is waiting already. With fresh it looks for new events, without
// only for those that were not settled before.
func (f *Feed) read(ctx context.Context, fresh bool) (more bool, err error) {
	f.mu.Lock()
	from := f.place
	f.mu.Unlock()

	// A connection that went silent must not hold up everybody for ever.
	ctx, cancel := context.WithTimeout(ctx, feedTimeout)
	defer cancel()
	events, err := f.tail(ctx, from, fresh)
	if err != nil || len(events) == 0 {
		return false, err
	}

	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.placed || f.place != from {
		return true, nil // everybody left meanwhile and somebody else came
	}
	for _, e := range events {
		f.place = e.Place()
		for s := range f.live[e.CompanyID] {
			if !s.offer(e) {
				f.remove(s)
			}
		}
	}
	return len(events) == feedBatch, nil
}

// tail reads on one connection, which cannot outlive the server that told what is
// settled.
func (f *Feed) tail(ctx context.Context, from Place, fresh bool) ([]Event, error) {
	conn, err := f.store.Pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	defer conn.Release()
	advanced, err := f.settler.look(ctx, conn.Conn(), fresh)
	if err != nil {
		return nil, err
	}
	if !fresh && !advanced || f.settler.settled <= from.ID {
		return nil, nil
	}
	events, err := New(conn).EventsTail(ctx, EventsTailParams{
		AfterID: from.ID, SettledID: f.settler.settled, BatchSize: feedBatch,
	})
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return events, nil
}

// join keeps the feed from resting and gives it a place if it has none.
func (f *Feed) join(ctx context.Context) error {
	f.mu.Lock()
	f.interest++
	ended := f.ended
	f.mu.Unlock()
	if ended {
		f.leave(nil)
		return ErrFeedEnded
	}
	if err := f.begin(ctx); err != nil {
		f.leave(nil)
		return err
	}
	return nil
}

// leave undoes join, and takes the subscription from the live ones.
func (f *Feed) leave(s *Subscription) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s != nil {
		f.remove(s)
	}
	f.interest--
	if f.interest == 0 {
		f.placed = false
	}
}

// remove takes a subscription from the live ones; f.mu is held.
func (f *Feed) remove(s *Subscription) {
	delete(f.live[s.company], s)
	if len(f.live[s.company]) == 0 {
		delete(f.live, s.company)
	}
}

// handOver is the place up to which a subscriber has to read by itself. With add
// it gets everything behind that place from now on.
func (f *Feed) handOver(s *Subscription, add bool) Place {
	f.mu.Lock()
	defer f.mu.Unlock()
	if add {
		s.catchUp()
		if f.live[s.company] == nil {
			f.live[s.company] = map[*Subscription]struct{}{}
		}
		f.live[s.company][s] = struct{}{}
	}
	return f.place
}

func (f *Feed) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.ended {
		f.ended = true
		close(f.done)
	}
}

// Subscribe gives a company's events of the kinds named (none: of all kinds), in
// order, each once, until ctx ends.
//
// Without a place it begins about now: what is committed after Subscribe returns is
// given, and it may begin a little earlier. The first subscriber of a process waits
// here for the transactions that are writing when it comes. With a place it first replays what follows
// that place from the table and goes on live without a gap or a repeat. The zero
// Place replays all that is kept. It fails with ErrPlaceGone, ErrFeedEnded, or
// because the database is away.
func (f *Feed) Subscribe(ctx context.Context, company uuid.UUID, after *Place, kinds ...string) (*Subscription, error) {
	var mark Place
	if after != nil {
		any, err := f.reaches(ctx, company, *after)
		if err != nil {
			return nil, err
		}
		if any {
			mark = *after
		}
	}
	if err := f.join(ctx); err != nil {
		return nil, err
	}
	events := make(chan Event, feedReady)
	s := &Subscription{
		Events: events, feed: f, out: events, company: company, kinds: append([]string{}, kinds...),
		fresh: make(chan struct{}, 1), mark: mark, lag: make(chan struct{}),
	}
	if after == nil {
		s.after = f.handOver(s, true)
	} else {
		s.after = *after
		s.fallBehind()
	}
	go s.pump(ctx)
	return s, nil
}

// reaches fails with ErrPlaceGone if events of the company behind the place may
// be gone. Pruning goes from the oldest on and leaves each company its newest
// event that was old enough, so that all behind a place is there for certain if
// the oldest one kept is not behind it. A company without any event never had
// one; any tells whether it has.
func (f *Feed) reaches(ctx context.Context, company uuid.UUID, p Place) (any bool, err error) {
	if p == (Place{}) {
		return false, nil
	}
	kept, err := f.store.EventsKept(ctx, company)
	if err != nil {
		return false, fmt.Errorf("find the oldest event: %w", err)
	}
	if p.ID < kept.OldestID || p.ID > kept.LastID {
		return false, ErrPlaceGone
	}
	return kept.OldestID > 0, nil
}
