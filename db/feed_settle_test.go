package db_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
	"sello/db/dbtest"
)

// mustBegin opens a transaction that is rolled back in the end.
func mustBegin(t *testing.T, pool *pgxpool.Pool) pgx.Tx {
	t.Helper()
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(t.Context()) })
	return tx
}

func scan[T any](t *testing.T, q interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, sql string, args ...any) (v T) {
	t.Helper()
	if err := q.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// A writer has its transaction id before its event's number, whoever it is: this
// one writes nothing else.
func TestEventNumbersFollowTransactionIDs(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	env := &feedEnv{store: db.NewStore(pool), one: uuid.New()}
	if n := scan[int64](t, pool, "SELECT seqcache FROM pg_sequence WHERE seqrelid = 'event_id_seq'::regclass"); n != 1 {
		t.Errorf("event_id_seq: a session takes %d numbers at a time, want 1", n)
	}
	barrier := mustBegin(t, pool)
	if _, err := barrier.Exec(t.Context(), "ALTER SEQUENCE event_id_seq CACHE 1"); err != nil {
		t.Fatal(err)
	}
	writer := mustBegin(t, pool)
	pid := scan[int32](t, writer, "SELECT pg_backend_pid()")
	written := make(chan error, 1)
	go func() { written <- env.tell(t.Context(), db.New(writer), env.one, "x") }()
	for limit := time.Now().Add(30 * time.Second); !scan[bool](t, pool,
		"SELECT EXISTS (SELECT 1 FROM pg_locks WHERE pid = $1 AND relation = 'event_id_seq'::regclass AND NOT granted)", pid); {
		if time.Now().After(limit) {
			t.Fatal("the writer does not ask for a number")
		}
	}

	if !scan[bool](t, pool, "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE pid = $1 AND locktype = 'transactionid' AND granted)", pid) {
		t.Error("the writer asks for a number and has no transaction id")
	}
	if err := barrier.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Errorf("write an event: %v", err)
	}
}

// The newest transactions count as writing too, though none has ended behind them:
// a snapshot's xmax stops in front of these.
func TestEventsSettling(t *testing.T) {
	t.Parallel()
	config, err := pgxpool.ParseConfig(dbtest.NewServer(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	store := db.NewStore(pool)
	settling := func() db.EventsSettlingRow {
		t.Helper()
		row, err := store.EventsSettling(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return row
	}
	for limit := time.Now().Add(30 * time.Second); ; { // the server's own work may just be under way
		if row := settling(); row.OldestTx == row.NextTx {
			break
		} else if time.Now().After(limit) {
			t.Fatalf("nobody writes: got %+v, want both the same", row)
		}
	}
	one, two := mustBegin(t, pool), mustBegin(t, pool)
	older := scan[int64](t, one, "SELECT pg_current_xact_id()::text::bigint")
	newer := scan[int64](t, two, "SELECT pg_current_xact_id()::text::bigint")
	if row := settling(); row.OldestTx > older || row.NextTx <= newer {
		t.Errorf("while %d and %d write: got %+v", older, newer, row)
	}
	if err := two.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if row := settling(); row.OldestTx > older || row.NextTx <= newer {
		t.Errorf("while %d writes: got %+v", older, row)
	}
	if err := one.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if row := settling(); row.OldestTx <= newer {
		t.Errorf("after both: got %+v, want %d passed", row, newer)
	}
}

// Who subscribes and then reads the state misses nothing: what is not in the state
// yet is told, though it was being written before.
func feedBeginsInFrontOfWhatIsWritten(t *testing.T, pool *pgxpool.Pool) {
	env := newFeedEnv(t, pool, db.FeedConfig{})
	first := mustBegin(t, pool)
	if err := env.tell(t.Context(), db.New(first), env.one, "first"); err != nil {
		t.Fatal(err)
	}
	env.mustTell(t, env.two, "behind it")
	type begun struct {
		s     *db.Subscription
		state int
		err   error
	}
	subscribed := make(chan begun, 1)
	go func() {
		var b begun
		if b.s, b.err = env.feed.Subscribe(t.Context(), env.one, nil); b.err == nil {
			b.err = pool.QueryRow(t.Context(), "SELECT count(*) FROM event WHERE company_id = $1", env.one).Scan(&b.state)
		}
		subscribed <- b
	}()
	for env.feed.Subscribers() == 0 {
		scan[int](t, pool, "SELECT 1")
	}
	for range 20 { // some looks
		scan[int](t, pool, "SELECT 1")
	}
	if err := first.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := <-subscribed
	if b.err != nil {
		t.Fatal(b.err)
	}
	env.mustTell(t, env.one, "second")

	got := next(t, b.s, 1)[0].Kind
	if want := []string{"first", "second"}[b.state]; got != want && got != "first" {
		t.Errorf("first told after a state with %d events: got %q, want %q", b.state, got, want)
	}
}

// One nudge is enough, even if something that is still being written is in front.
func feedLooksAgainForWhatIsHeldBack(t *testing.T, pool *pgxpool.Pool) {
	env := newFeedEnv(t, pool, db.FeedConfig{Poll: time.Hour})
	s := env.subscribe(t, t.Context(), env.one, nil)
	first := mustBegin(t, pool)
	if err := env.tell(t.Context(), db.New(first), env.one, "first"); err != nil {
		t.Fatal(err)
	}
	env.mustTell(t, env.one, "second")
	env.feed.Nudge()
	for range 50 { // while it looks
		scan[int](t, pool, "SELECT 1")
	}
	if err := first.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}

	for i, e := range next(t, s, 2) {
		if want := []string{"first", "second"}[i]; e.Kind != want {
			t.Errorf("event %d: got %q, want %q", i+1, e.Kind, want)
		}
	}
}
