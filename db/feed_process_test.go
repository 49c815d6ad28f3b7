package db_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
	"sello/db/dbtest"
)

func TestFeedSurvivesTheDatabase(t *testing.T) {
	t.Parallel()
	server := dbtest.NewServer(t)
	config, err := pgxpool.ParseConfig(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	// The tests' servers forget in a crash what they have just committed, and give
	// its transaction ids again.
	config.ConnConfig.RuntimeParams["synchronous_commit"] = "on"
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	env := newFeedEnv(t, pool, db.FeedConfig{})
	env.mustTell(t, env.one, "before")
	live := env.subscribe(t, t.Context(), env.one, nil)
	first := env.subscribe(t, t.Context(), env.one, &db.Place{})
	last := next(t, first, 1)[0].Place()
	pid := server.PID()

	for round, fault := range []struct {
		name string
		do   func()
	}{{"kill", server.Kill}, {"stop", server.Stop}} {
		fault.do()
		server.Start()
		if server.PID() == pid {
			t.Fatalf("%s: the server is still the same process", fault.name)
		}
		for env.tell(t.Context(), env.store.Queries, env.one, fault.name) != nil {
		} // connections of the pool find out one by one that they are dead
		for name, s := range map[string]*db.Subscription{"live": live, "resumed": first} {
			for {
				e := next(t, s, 1)[0]
				if e.Kind == fault.name {
					break
				}
				if e.Kind != "before" || name != "live" || round > 0 {
					t.Errorf("%s subscriber after %s: got an event %q again", name, fault.name, e.Kind)
				}
			}
		}
	}
	again := env.subscribe(t, t.Context(), env.one, &last)
	if diff := cmp.Diff(env.written(t, env.one)[1:], seqs(next(t, again, 2))); diff != "" {
		t.Errorf("resumed over two restarts (-written +received):\n%s", diff)
	}
}

func TestFeedRestsWhileNobodySubscribes(t *testing.T) {
	t.Parallel()
	config, err := pgxpool.ParseConfig(dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	var statements counter
	config.ConnConfig.Tracer = &statements
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	env := &feedEnv{store: db.NewStore(pool), one: uuid.New()}
	env.feed = db.NewFeed(env.store, db.FeedConfig{Poll: time.Millisecond})
	end := env.run(t)
	for range 1000 {
		env.feed.Nudge()
	}
	end()

	if n := statements.Load(); n != 0 {
		t.Errorf("statements of a feed without subscribers: got %d, want 0", n)
	}
}

type counter struct{ atomic.Int64 }

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.Add(1)
	return ctx
}

func (c *counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
