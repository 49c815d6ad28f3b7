package db

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/google/uuid"
)

// Subscription is one subscriber's events.
type Subscription struct {
	// Events gives the events; it is closed when the subscription has ended, and
	// then Err tells why.
	Events <-chan Event

	feed    *Feed
	out     chan<- Event
	company uuid.UUID
	kinds   []string
	// after is how far the subscriber has come: nothing up to there is given again,
	// even if this process reads later than the one that gave the place.
	after Place

	mu sync.Mutex
	// pending grows only as far as the subscriber is behind: most wait for
	// something to happen, and then hold no buffer.
	pending []Event
	// behind counts what was offered and not yet taken.
	behind int
	slow   bool
	err    error

	fresh   chan struct{} // pending has something
	dropped chan struct{} // closed when slow
}

// Err is why the subscription ended, once Events is closed: the context's error,
// ErrSlow, ErrPlaceGone or ErrFeedEnded; nil before.
func (s *Subscription) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *Subscription) wants(kind string) bool {
	return len(s.kinds) == 0 || slices.Contains(s.kinds, kind)
}

// offer hands a live event over without ever waiting; false means that the
// subscriber is too slow and is dropped.
func (s *Subscription) offer(e Event) bool {
	if !s.wants(e.Kind) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.behind >= s.feed.config.Buffer {
		s.slow, s.pending = true, nil
		close(s.dropped)
		return false
	}
	s.behind++
	s.pending = append(s.pending, e)
	select {
	case s.fresh <- struct{}{}:
	default:
	}
	return true
}

func (s *Subscription) take() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.pending
	s.pending = nil
	return taken
}

// pump runs until the subscription ends: what was before, then what comes.
func (s *Subscription) pump(ctx context.Context, replay bool) {
	var err error
	if replay {
		err = s.replay(ctx)
	}
	for err == nil {
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-s.dropped:
			err = ErrSlow
		case <-s.feed.done:
			err = ErrFeedEnded
		case <-s.fresh:
			for _, e := range s.take() {
				if err = s.send(ctx, e); err != nil {
					break
				}
				s.mu.Lock()
				s.behind--
				s.mu.Unlock()
			}
		}
	}
	s.feed.leave(s)
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
	close(s.out)
}

// send waits until the subscriber takes the event, or the subscription ends.
func (s *Subscription) send(ctx context.Context, e Event) error {
	if e.Place().Compare(s.after) <= 0 {
		return nil
	}
	select {
	case s.out <- e:
		s.after = e.Place()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.dropped:
		return ErrSlow
	case <-s.feed.done:
		return ErrFeedEnded
	}
}

// replay gives what is in the table behind the subscriber's place and makes it
// live. While much is left the subscriber is not live yet: a long replay must not
// fill the buffer of a subscriber that takes its events as fast as it can.
func (s *Subscription) replay(ctx context.Context) error {
	from := s.after
	for live, near := false, false; ; {
		live = near
		upto := s.feed.handOver(s, live)
		n := 0
		for from.Compare(upto) < 0 {
			events, err := s.readSince(ctx, from, upto)
			if err != nil {
				return err
			}
			for _, e := range events {
				if err := s.send(ctx, e); err != nil {
					return err
				}
			}
			if n += len(events); len(events) == feedBatch {
				from = events[feedBatch-1].Place()
			} else {
				from = upto
			}
		}
		if live {
			return nil
		}
		near = n < feedBatch
	}
}

// readSince reads a batch, again and again while the database is away. Pruning
// may go on behind our back: only what a look after the read still finds
// complete is complete.
func (s *Subscription) readSince(ctx context.Context, from, upto Place) ([]Event, error) {
	for backoff := feedBackoffMin; ; backoff = min(2*backoff, feedBackoffMax) {
		events, err := s.tryReadSince(ctx, from, upto)
		if err == nil || err == ErrPlaceGone {
			return events, err
		}
		select {
		case <-s.dropped:
			return nil, ErrSlow
		case <-s.feed.done:
			return nil, ErrFeedEnded
		default:
		}
		if !pause(ctx, backoff/2+rand.N(backoff/2)) {
			return nil, ctx.Err()
		}
	}
}

func (s *Subscription) tryReadSince(ctx context.Context, from, upto Place) ([]Event, error) {
	ctx, cancel := context.WithTimeout(ctx, feedTimeout)
	defer cancel()
	events, err := s.feed.store.EventsSince(ctx, EventsSinceParams{
		CompanyID: s.company, AfterTx: from.Tx, AfterID: from.ID, UptoTx: upto.Tx, UptoID: upto.ID,
		Kinds: s.kinds, BatchSize: feedBatch,
	})
	if err != nil {
		return nil, fmt.Errorf("read events again: %w", err)
	}
	return events, s.feed.reaches(ctx, s.company, from)
}
