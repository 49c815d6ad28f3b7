package dbtest

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
)

// poolSize is enough for a test that races a handful of workers, and lets some
// 30 tests run side by side within the server's 300 connections.
const poolSize = 10

// New returns a pool on a migrated, empty database of the test's own. Pool and
// database go when the test ends; a connection that is still checked out then
// fails the test.
func New(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	return open(tb, URL(tb))
}

func open(tb testing.TB, address string) *pgxpool.Pool {
	tb.Helper()
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		tb.Fatalf("dbtest: %v", err)
	}
	config.MaxConns = poolSize
	config.AfterConnect = db.RegisterTypes
	pool, err := pgxpool.NewWithConfig(tb.Context(), config)
	if err != nil {
		tb.Fatalf("dbtest: %v", err)
	}
	tb.Cleanup(func() { // before the drop: last in, first out
		closed := make(chan struct{})
		go func() {
			pool.Close()
			close(closed)
		}()
		select {
		case <-closed:
		case <-time.After(10 * time.Second):
			tb.Errorf("dbtest: %d connections of the pool were never released", pool.Stat().AcquiredConns())
		}
	})
	return pool
}

// URL returns the address of a migrated, empty database of the test's own, which
// is dropped when the test ends, whoever is still connected.
func URL(tb testing.TB) string {
	tb.Helper()
	s := shared(tb)
	return s.copyOf(tb, s.template)
}

// copyOf copies a database that nobody is connected to.
func (s *server) copyOf(tb testing.TB, template string) string {
	tb.Helper()
	name, err := s.clone(tb.Context(), template)
	if err != nil {
		tb.Fatalf("dbtest: create the test's database: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.drop(context.WithoutCancel(tb.Context()), name); err != nil {
			tb.Errorf("dbtest: drop the test's database: %v", err)
		}
	})
	return s.url(name)
}

// Filled fills one database and returns what makes copies of it, each a test's own as
// New's: tests that begin from the same state make it once.
func Filled(tb testing.TB, fill func(pool *pgxpool.Pool)) func(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	s := shared(tb)
	name, err := s.clone(tb.Context(), s.template)
	if err != nil {
		tb.Fatalf("dbtest: create a database to copy: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.drop(context.WithoutCancel(tb.Context()), name); err != nil {
			tb.Errorf("dbtest: drop a database to copy: %v", err)
		}
	})
	pool := open(tb, s.url(name))
	fill(pool)
	pool.Close()
	return func(tb testing.TB) *pgxpool.Pool {
		tb.Helper()
		return open(tb, s.copyOf(tb, name))
	}
}
