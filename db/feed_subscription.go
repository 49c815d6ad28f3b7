package db

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

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
	// mark is the last event of the company that was seen, zero if none was: as long
	// as it is not pruned nothing behind it is.
	mark Place

	fresh chan struct{} // pending has something, or lag was closed

	mu sync.Mutex
	// pending grows only as far as the subscriber is behind: most wait for
	// something to happen, and then hold no buffer.
	pending []Event
	// behind counts what was offered and not yet taken.
	behind int
	// lag is closed while the subscription is not live: what comes after pending has
	// to be read from the table.
	lag chan struct{}
	err error
}

// Err is why the subscription ended, once Events is closed: the context's error,
// ErrSlow, ErrPlaceGone or ErrFeedEnded; nil before.
func (s *Subscription) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// offer hands a live event over without ever waiting; false means that the
// subscription has fallen behind and is not live any more.
func (s *Subscription) offer(e Event) bool {
	if len(s.kinds) > 0 && !slices.Contains(s.kinds, e.Kind) {
		return true
	}
	s.mu.Lock()
	full := s.behind >= s.feed.config.Buffer
	if !full {
		s.behind++
		s.pending = append(s.pending, e)
	}
	s.mu.Unlock()
	if full {
		s.fallBehind()
	}
	select {
	case s.fresh <- struct{}{}:
	default:
	}
	return !full
}

func (s *Subscription) fallBehind() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.lag)
}

func (s *Subscription) catchUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lag = make(chan struct{})
}

// lags is closed while the subscription is not live.
func (s *Subscription) lags() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lag
}

// pump runs until the subscription ends.
func (s *Subscription) pump(ctx context.Context) {
	err := s.run(ctx)
	s.feed.leave(s)
	if errors.Is(err, ErrSlow) {
		s.feed.config.Dropped()
	}
	s.mu.Lock()
	s.err, s.pending = err, nil
	s.mu.Unlock()
	close(s.out)
}

func (s *Subscription) run(ctx context.Context) error {
	for {
		if err := s.sendPending(ctx); err != nil {
			return err
		}
		select {
		case <-s.lags(): // and all that came before is sent
			if err := s.replay(ctx); err != nil {
				return err
			}
			continue
		default:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.feed.done:
			return ErrFeedEnded
		case <-s.fresh:
		}
	}
}

func (s *Subscription) sendPending(ctx context.Context) error {
	for {
		s.mu.Lock()
		taken := s.pending
		s.pending = nil
		s.mu.Unlock()
		if len(taken) == 0 {
			return nil
		}
		for _, e := range taken {
			if err := s.send(ctx, e); err != nil {
				return err
			}
			s.mu.Lock()
			s.behind--
			s.mu.Unlock()
		}
	}
}

// send waits until the subscriber takes the event, or the subscription ends.
func (s *Subscription) send(ctx context.Context, e Event) error {
	s.mark = e.Place()
	if s.mark.Compare(s.after) <= 0 {
		return nil
	}
	select {
	case s.out <- e:
		s.after = s.mark
		return nil
	default:
	}
	var stalled <-chan time.Time
	for lags := s.lags(); ; {
		select {
		case s.out <- e:
			s.after = s.mark
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-s.feed.done:
			return ErrFeedEnded
		case <-lags:
			lags, stalled = nil, time.After(s.feed.config.Stall)
		case <-stalled:
			return ErrSlow
		}
	}
}

// replay gives what is in the table behind the subscriber's place and makes it
// live again. While much is left it is not live yet: a long replay would only
// fill the buffer.
func (s *Subscription) replay(ctx context.Context) error {
	from := s.after
	for near := false; ; {
		live := near
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
			n += len(events)
			from = upto
			if len(events) == feedBatch {
				from = s.mark
			}
		}
		if live {
			return nil
		}
		near = n < feedBatch
	}
}

// readSince reads a batch, again and again while the database is away.
func (s *Subscription) readSince(ctx context.Context, from, upto Place) ([]Event, error) {
	for backoff := feedBackoffMin; ; backoff = min(2*backoff, feedBackoffMax) {
		events, err := s.tryReadSince(ctx, from, upto)
		if err == nil || errors.Is(err, ErrPlaceGone) {
			return events, err
		}
		wait := time.NewTimer(backoff/2 + rand.N(backoff/2))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return nil, ctx.Err()
		case <-s.feed.done:
			wait.Stop()
			return nil, ErrFeedEnded
		}
	}
}

// tryReadSince reads a batch once. Pruning may go on behind our back: only what a
// look after the read still finds complete is complete.
func (s *Subscription) tryReadSince(ctx context.Context, from, upto Place) ([]Event, error) {
	ctx, cancel := context.WithTimeout(ctx, feedTimeout)
	defer cancel()
	events, err := s.feed.store.EventsSince(ctx, EventsSinceParams{
		CompanyID: s.company, AfterID: from.ID, UptoID: upto.ID,
		Kinds: s.kinds, BatchSize: feedBatch,
	})
	if err != nil {
		return nil, fmt.Errorf("read events again: %w", err)
	}
	_, err = s.feed.reaches(ctx, s.company, s.mark)
	return events, err
}
