package db

import (
	"context"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
)

// Settled finds out up to which number events are final, for those who read the
// table by themselves and at their own pace instead of by a Feed: what it answers
// is never taken back, and nothing will ever be written below it. It is safe for
// concurrent use.
type Settled struct {
	store   *Store
	mu      sync.Mutex
	settler *settler
}

// NewSettled makes one on a store.
func NewSettled(store *Store) *Settled { return &Settled{store: store, settler: newSettler()} }

// Look answers the number of the last event that is settled, below zero if that
// cannot be told yet: while a transaction writes that began before the first look.
// Each look begins where the last one was, so whoever asks again gets further.
func (s *Settled) Look(ctx context.Context) (int64, error) {
	var settled int64
	err := s.store.withConn(ctx, func(conn *pgx.Conn) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, err := s.settler.look(ctx, conn, true)
		settled = s.settler.settled
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("look how far the events are settled: %w", err)
	}
	return settled, nil
}

func (s *Store) withConn(ctx context.Context, fn func(*pgx.Conn) error) error {
	conn, err := s.Pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return fn(conn.Conn())
}
