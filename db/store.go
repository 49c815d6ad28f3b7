// Package db is the one place that knows PostgreSQL: sqlc's statements, the
// migrations and the transaction.
package db

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Store runs statements on the pool and opens transactions.
type Store struct {
	*Queries
	Pool *pgxpool.Pool
}

// NewStore serves the statements from a pool.
func NewStore(pool *pgxpool.Pool) *Store { return &Store{Queries: New(pool), Pool: pool} }

// Tx is one open transaction: its statements, and the connection for River's
// InsertTx and COPY.
type Tx struct {
	*Queries
	Conn pgx.Tx
}

// A transaction that PostgreSQL gave up for the sake of another one is tried
// this many times in all.
const maxAttempts = 4

// InTx runs fn in a transaction and commits if it returns nil. Serialization
// failures and deadlocks run fn again, with jitter, at most three more times: fn
// does nothing outside the database and may run more than once.
func (s *Store) InTx(ctx context.Context, fn func(Tx) error) error {
	return s.retried(ctx, pgx.TxOptions{}, fn)
}

// planned begins a transaction for statements by key. A plan that is kept was made for
// the tables as they were then, often empty, so that it must not read a table whole,
// hash it or keep a company's rows beside: it follows keys, which is right for any
// size.
const planned = `-- name: BeginPlanned :exec
BEGIN; SET LOCAL plan_cache_mode = force_generic_plan;
SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off`

// InPlannedTx is InTx for the few statements that run all day for a handful of rows
// found by key: a connection plans each of them once, instead of anew for the
// arguments of each call, which can cost several times what running it does (eight
// joins: 2 ms of a core to plan, 0.3 ms to run). It is not for statements whose best
// plan depends on their arguments or on how much they read: optional filters, sets.
func (s *Store) InPlannedTx(ctx context.Context, fn func(Tx) error) error {
	return s.retried(ctx, pgx.TxOptions{BeginQuery: planned}, fn)
}

func (s *Store) retried(ctx context.Context, options pgx.TxOptions, fn func(Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := s.inTx(ctx, options, fn)
		if err == nil || attempt == maxAttempts || !gaveWay(err) {
			return err
		}
		wait := time.Duration(attempt)*5*time.Millisecond + rand.N(10*time.Millisecond)
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait to run a transaction again: %w", ctx.Err())
		case <-time.After(wait):
		}
	}
}

// InSnapshot runs fn on one moment of the database: all its statements see the
// same rows, however much is written meanwhile, and write nothing. It is for work
// over whole tables, so that it may take long and sort in memory.
func (s *Store) InSnapshot(ctx context.Context, fn func(*Queries) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, s.Pool, options, func(tx pgx.Tx) error {
		// The pool's time-out is one for requests.
		_, err := tx.Exec(ctx, "SELECT set_config('statement_timeout', '0', true), set_config('work_mem', '64MB', true)")
		if err != nil {
			return fmt.Errorf("begin a snapshot: %w", err)
		}
		return fn(New(tx))
	})
}

// Analyze tells the planner how large the tables have become. It is for those who
// fill empty tables at once: of a table that was never analyzed the planner thinks
// that a company has one row, follows any key that begins with the company, and
// reads all of its rows, once a statement, until autovacuum comes by (a minute).
// Where the user does not own the tables PostgreSQL leaves them out.
func (s *Store) Analyze(ctx context.Context) error {
	if _, err := s.Pool.Exec(ctx, "-- name: Analyze :exec\nANALYZE"); err != nil {
		return fmt.Errorf("analyze the tables: %w", err)
	}
	return nil
}

func (s *Store) inTx(ctx context.Context, options pgx.TxOptions, fn func(Tx) error) error {
	tx, err := s.Pool.BeginTx(ctx, options)
	if err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	// After a commit this does nothing. After a refusal, a fault or a panic a
	// connection that cannot roll back is closed by the pool, which does the same.
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if err := fn(Tx{Queries: New(tx), Conn: tx}); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit a transaction: %w", err)
	}
	return nil
}

func gaveWay(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == "40001" || pg.Code == "40P01")
}

// Violates reports whether err is the breach of the named constraint: the rule
// decides, its name tells which it was.
func Violates(err error, constraint string) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.ConstraintName == constraint
}

// Unreachable reports whether there was no connection to send a statement by.
func Unreachable(err error) bool {
	_, ok := errors.AsType[*pgconn.ConnectError](err)
	return ok
}

// LockTimedOut reports whether a statement waited for a row longer than it may.
func LockTimedOut(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == "55P03"
}

// OutOfRange reports whether a number did not fit its column.
func OutOfRange(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == "22003"
}

// Unstorable reports whether an argument was a text that no column holds: with a
// NUL, not UTF-8, or JSON with half a surrogate pair. Nothing has such a code.
func Unstorable(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == "22021" || pg.Code == "22P05" || pg.Code == "22P02")
}

// Absent reports whether a look-up found no row, or was for a key that no row can
// have.
func Absent(err error) bool { return errors.Is(err, pgx.ErrNoRows) || Unstorable(err) }
