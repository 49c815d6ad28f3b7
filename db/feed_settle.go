package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// settler finds out up to which number events are settled: written for good or
// never to come.
//
// Numbers are in the order that matters, as one is taken while the row it tells of
// is locked; but they are taken before the commit, so the transaction with a lower
// one may still run. Design.md 6 would order by the writer's transaction id
// instead, below which all is final once the oldest that runs has passed it. That
// order is wrong for one card: a posting has its transaction id before it waits
// for the card's lock, so whoever waited shorter comes with the higher id and the
// lower seq.
//
// So transaction ids only tell when, in epochs. First the last number given out is
// read, and in a later statement the next transaction id. Whoever has a number up
// to the first has a transaction id below the second, as a writer gets the id
// before the number (table event). Once no transaction below the second runs, the
// epoch is settled; if none runs at all, that is in the same look.
type settler struct {
	// settled is the last number of the newest settled epoch, below zero if there is
	// none yet.
	settled int64
	pending []epoch // the oldest first
	// seen is when the last look began.
	seen time.Time
}

// epoch are the events up to a number, which are settled once no transaction below
// nextTx runs.
type epoch struct{ last, nextTx int64 }

const (
	// epochsPending is how many epochs wait at most: a transaction that stays open
	// would add one with each poll. The newest then takes the place of the one before.
	epochsPending = 32
	// feedKnown is where a connection carries when a feed first had it.
	feedKnown = "sello event feed: first had at"
)

func newSettler() *settler { return &settler{settled: -1} }

// look sees whether pending epochs are settled, and with fresh it begins one.
func (s *settler) look(ctx context.Context, conn *pgx.Conn, fresh bool) (advanced bool, err error) {
	known, ok := conn.PgConn().CustomData()[feedKnown].(time.Time)
	if !ok {
		known = time.Now()
		conn.PgConn().CustomData()[feedKnown] = known
	}
	// A server that crashes may give numbers and transaction ids again which nothing
	// of what it kept had used, so that epochs of before mean nothing. A crash ends
	// all connections: one that was there at the last look proves that there was none.
	if known.After(s.seen) {
		*s, fresh = settler{settled: -1}, true
	}
	begun := time.Now()
	advanced, err = s.ask(ctx, New(conn), fresh)
	if err != nil {
		*s = settler{settled: -1}
		return false, err
	}
	s.seen = begun
	return advanced, nil
}

func (s *settler) ask(ctx context.Context, q *Queries, fresh bool) (advanced bool, err error) {
	var last int64
	if fresh {
		// By itself and first: what is read with it, in one statement, may be older.
		if last, err = q.EventsLast(ctx); err != nil {
			return false, fmt.Errorf("read the last event's number: %w", err)
		}
		fresh = last > s.newest()
	}
	if !fresh && len(s.pending) == 0 {
		return false, nil
	}
	now, err := q.EventsSettling(ctx)
	if err != nil {
		return false, fmt.Errorf("read which transactions run: %w", err)
	}
	if fresh {
		if len(s.pending) == epochsPending {
			s.pending = s.pending[:epochsPending-1]
		}
		s.pending = append(s.pending, epoch{last: last, nextTx: now.NextTx})
	}
	for len(s.pending) > 0 && s.pending[0].nextTx <= now.OldestTx {
		s.settled, advanced = s.pending[0].last, true
		s.pending = s.pending[1:]
	}
	return advanced, nil
}

// newest is the number up to which there are epochs.
func (s *settler) newest() int64 {
	if len(s.pending) > 0 {
		return s.pending[len(s.pending)-1].last
	}
	return s.settled
}

// EventsSettled waits until every event that had its number when it was called is
// written for good or never to come, and answers the last such number: a reader
// of the table that goes up to it misses nothing, nor what is committed before it
// asked. The number itself may be nobody's and come again after a crash: keep the
// place of an event that was read, and ask anew for the next round. It waits as
// long as a transaction stays open that has written.
func (s *Store) EventsSettled(ctx context.Context) (int64, error) {
	conn, err := s.Pool.Acquire(ctx)
	if err != nil {
		return 0, fmt.Errorf("take a connection: %w", err)
	}
	defer conn.Release()
	settler := newSettler()
	for wait := feedLookMin; ; wait = min(2*wait, feedLookMax) {
		if _, err := settler.look(ctx, conn.Conn(), len(settler.pending) == 0); err != nil {
			return 0, err
		}
		if settler.settled >= 0 {
			return settler.settled, nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return 0, fmt.Errorf("wait for events to settle: %w", ctx.Err())
		}
	}
}

// begin waits until the feed has a place. The first subscriber finds one: it waits
// until all numbers given out when it came are settled. Earlier there is no place
// to begin at: in front of what is being written there is no telling how far back
// it reaches, and behind it a subscriber that then reads the state misses it.
func (f *Feed) begin(ctx context.Context) error {
	select {
	case f.placing <- struct{}{}:
		defer func() { <-f.placing }()
	case <-ctx.Done():
		return ctx.Err()
	case <-f.done:
		return ErrFeedEnded
	}
	settler := newSettler()
	for wait := feedLookMin; ; wait = min(2*wait, feedLookMax) {
		f.mu.Lock()
		placed := f.placed
		f.mu.Unlock()
		if placed {
			return nil
		}
		head, found, err := f.head(ctx, settler)
		if err != nil {
			return fmt.Errorf("find where the events end: %w", err)
		}
		if found {
			f.mu.Lock()
			f.place, f.placed = head, true
			f.mu.Unlock()
			f.Nudge()
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-f.done:
			timer.Stop()
			return ErrFeedEnded
		}
	}
}

// head is the place of the last event, once all that began before the settler's
// first look is settled.
func (f *Feed) head(ctx context.Context, s *settler) (_ Place, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, feedTimeout)
	defer cancel()
	conn, err := f.store.Pool.Acquire(ctx)
	if err != nil {
		return Place{}, false, err
	}
	defer conn.Release()
	if _, err := s.look(ctx, conn.Conn(), len(s.pending) == 0); err != nil || s.settled < 0 {
		return Place{}, false, err
	}
	id, err := New(conn).EventsHead(ctx, s.settled)
	return Place{ID: id}, err == nil, err
}
