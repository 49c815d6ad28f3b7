package db_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
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

// TestFeed runs on a server of its own: a transaction of any other test's
// database would hold back the events of these.
func TestFeed(t *testing.T) {
	t.Parallel()
	config, err := pgxpool.ParseConfig(dbtest.NewServer(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 20
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	for name, test := range map[string]func(*testing.T, *pgxpool.Pool){
		"skips and repeats nothing":  feedSkipsAndRepeatsNothing,
		"resumes at any place":       feedResumesAtAnyPlace,
		"replays and goes on live":   feedReplaysMoreThanABatchAndGoesOnLive,
		"reads on after a burst":     feedReadsOnAfterABurst,
		"gives the kinds asked":      feedGivesTheKindsAsked,
		"keeps companies apart":      feedKeepsCompaniesApart,
		"drops the slow only":        feedDropsTheSlowOnly,
		"tells that a place is gone": feedTellsThatAPlaceIsGone,
		"is nudged":                  feedIsNudged,
		"begins in front":            feedBeginsInFrontOfWhatIsWritten,
		"looks again":                feedLooksAgainForWhatIsHeldBack,
		"ends its subscriptions":     feedEndsItsSubscriptions,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, pool)
		})
	}
}

// feedEnv is a store with two companies' events and a feed that runs on it.
type feedEnv struct {
	store    *db.Store
	feed     *db.Feed
	one, two uuid.UUID
	seq      atomic.Int64
}

func newFeedEnv(t *testing.T, pool *pgxpool.Pool, config db.FeedConfig) *feedEnv {
	t.Helper()
	if config.Poll == 0 {
		config.Poll = 10 * time.Millisecond
	}
	env := &feedEnv{store: db.NewStore(pool), one: uuid.New(), two: uuid.New()}
	env.feed = db.NewFeed(env.store, config)
	env.run(t)
	return env
}

// run keeps the feed going until the test, or the function returned, ends it.
func (e *feedEnv) run(t *testing.T) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- e.feed.Run(ctx) }()
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(end)
	return end
}

// tell writes events, each with a number of its own.
func (e *feedEnv) tell(ctx context.Context, q *db.Queries, company uuid.UUID, kind string) error {
	return q.EventCreate(ctx, db.EventCreateParams{
		CompanyID: company, Kind: kind, SubjectID: company, Seq: e.seq.Add(1), Now: time.Now(),
	})
}

func (e *feedEnv) mustTell(t *testing.T, company uuid.UUID, kinds ...string) {
	t.Helper()
	for _, kind := range kinds {
		if err := e.tell(t.Context(), e.store.Queries, company, kind); err != nil {
			t.Fatalf("write an event: %v", err)
		}
	}
}

// written are the numbers of a company's events in the order of places.
func (e *feedEnv) written(t *testing.T, company uuid.UUID, kinds ...string) []int64 {
	t.Helper()
	rows, err := e.store.Pool.Query(t.Context(),
		"SELECT seq FROM event WHERE company_id = $1 AND ($2::text[] IS NULL OR kind = ANY ($2)) ORDER BY id", company, kinds)
	if err != nil {
		t.Fatal(err)
	}
	seqs, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		t.Fatal(err)
	}
	return seqs
}

func (e *feedEnv) subscribe(t *testing.T, ctx context.Context, company uuid.UUID, after *db.Place, kinds ...string) *db.Subscription {
	t.Helper()
	s, err := e.feed.Subscribe(ctx, company, after, kinds...)
	if err != nil {
		t.Fatalf("Subscribe: %v", err)
	}
	return s
}

// next takes n events, or fails the test in the end.
func next(t *testing.T, s *db.Subscription, n int) []db.Event {
	t.Helper()
	limit := time.After(30 * time.Second)
	var got []db.Event
	for len(got) < n {
		select {
		case e, open := <-s.Events:
			if !open {
				t.Fatalf("subscription ended after %d of %d events: %v", len(got), n, s.Err())
			}
			got = append(got, e)
		case <-limit:
			t.Fatalf("got %d events, want %d", len(got), n)
		}
	}
	return got
}

// rest takes what is left of a subscription that is ending.
func rest(t *testing.T, s *db.Subscription) []db.Event {
	t.Helper()
	limit := time.After(30 * time.Second)
	var got []db.Event
	for {
		select {
		case e, open := <-s.Events:
			if !open {
				return got
			}
			got = append(got, e)
		case <-limit:
			t.Fatal("the subscription does not end")
		}
	}
}

func seqs(events []db.Event) []int64 {
	all := make([]int64, len(events))
	for i, e := range events {
		all[i] = e.Seq
	}
	return all
}

// load runs 16 writers with transactions of random length for both companies,
// a fifth of which are rolled back, and returns when all are done.
func (e *feedEnv) load(t *testing.T, transactions int) {
	t.Helper()
	sorry := errors.New("changed my mind")
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range transactions {
				err := e.store.InTx(t.Context(), func(tx db.Tx) error {
					for range 1 + rand.N(5) {
						company := e.one
						if rand.N(3) == 0 {
							company = e.two
						}
						if err := e.tell(t.Context(), tx.Queries, company, "movement_posted"); err != nil {
							return err
						}
						for range rand.N(20) { // stay open while others come and go
							if _, err := tx.Conn.Exec(t.Context(), "SELECT 1"); err != nil {
								return err
							}
						}
					}
					if rand.N(5) == 0 {
						return sorry
					}
					return nil
				})
				if err != nil && !errors.Is(err, sorry) {
					t.Errorf("write events: %v", err)
					return
				}
				e.feed.Nudge()
			}
		})
	}
	wg.Wait()
}

func feedSkipsAndRepeatsNothing(t *testing.T, pool *pgxpool.Pool) {
	env := newFeedEnv(t, pool, db.FeedConfig{})
	env.mustTell(t, env.one, "before")
	type subscriber struct {
		name    string
		company uuid.UUID
		s       *db.Subscription
		skip    int
	}
	subscribers := []subscriber{
		{"from now", env.one, env.subscribe(t, t.Context(), env.one, nil, "movement_posted"), 1},
		{"from the start", env.one, env.subscribe(t, t.Context(), env.one, &db.Place{}), 0},
		{"other company", env.two, env.subscribe(t, t.Context(), env.two, nil), 0},
	}

	env.load(t, 30)

	for _, sub := range subscribers {
		want := env.written(t, sub.company)[sub.skip:]
		if diff := cmp.Diff(want, seqs(next(t, sub.s, len(want)))); diff != "" {
			t.Errorf("%s: numbers of the events (-written +received):\n%s", sub.name, diff)
		}
	}
}

func feedResumesAtAnyPlace(t *testing.T, pool *pgxpool.Pool) {
	env := newFeedEnv(t, pool, db.FeedConfig{})
	var last db.Place
	var got []int64
	follow := func(n int) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		// As clients do: by the text, in a process that may know less than the one before.
		place, err := db.ParsePlace(last.String())
		if err != nil {
			t.Fatalf("ParsePlace: %v", err)
		}
		s := env.subscribe(t, ctx, env.one, &place)
		events := next(t, s, n)
		cancel()
		rest(t, s) // what was ready for who did not stay
		got, last = append(got, seqs(events)...), events[len(events)-1].Place()
	}
	var wg sync.WaitGroup
	wg.Go(func() { env.load(t, 30) })
	for range 20 { // while it is written; the 480 transactions make more than that
		follow(1 + rand.N(20))
	}
	wg.Wait()
	want := env.written(t, env.one)
	for len(got) < len(want) {
		follow(min(len(want)-len(got), 1+rand.N(100)))
	}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("numbers of the events (-written +received):\n%s", diff)
	}
	if n := env.feed.Subscribers(); n != 0 {
		t.Errorf("Subscribers after the last has left: got %d, want 0", n)
	}
}

func feedReplaysMoreThanABatchAndGoesOnLive(t *testing.T, pool *pgxpool.Pool) {
	env := newFeedEnv(t, pool, db.FeedConfig{Buffer: 8})
	_, err := env.store.Pool.Exec(t.Context(), `INSERT INTO event (company_id, kind, subject_id, seq, recorded_at)
		SELECT $1, 'old', $1, n, now() FROM generate_series(1, 1700) n`, env.one)
	if err != nil {
		t.Fatal(err)
	}
	s := env.subscribe(t, t.Context(), env.one, &db.Place{})

	next(t, s, 1700)
	env.mustTell(t, env.one, "new")

	if got := next(t, s, 1)[0].Kind; got != "new" {
		t.Errorf("event behind the replay: got %q, want %q", got, "new")
	}
}

// A transaction with more events than the buffer holds is no fault of those who
// take them in time.
func feedReadsOnAfterABurst(t *testing.T, pool *pgxpool.Pool) {
	env := newFeedEnv(t, pool, db.FeedConfig{Buffer: 8, Dropped: func() { t.Error("a subscriber was dropped") }})
	s := env.subscribe(t, t.Context(), env.one, nil)
	for range 3 {
		_, err := env.store.Pool.Exec(t.Context(), `INSERT INTO event (company_id, kind, subject_id, seq, recorded_at)
			SELECT $1, 'burst', $1, n, now() FROM generate_series(1, 900) n`, env.one)
		if err != nil {
			t.Fatal(err)
		}
		env.mustTell(t, env.one, "after")
	}
	want := env.written(t, env.one)
	if diff := cmp.Diff(want, seqs(next(t, s, len(want)))); diff != "" {
		t.Errorf("numbers of the events (-written +received):\n%s", diff)
	}
}

func feedGivesTheKindsAsked(t *testing.T, pool *pgxpool.Pool) {
	env := newFeedEnv(t, pool, db.FeedConfig{})
	env.mustTell(t, env.one, "a", "b", "c", "a")
	replayed := env.subscribe(t, t.Context(), env.one, &db.Place{}, "a", "c")
	live := env.subscribe(t, t.Context(), env.one, nil, "c")
	env.mustTell(t, env.one, "b", "c")

	want := env.written(t, env.one, "a", "c")
	if diff := cmp.Diff(want, seqs(next(t, replayed, 4))); diff != "" {
		t.Errorf("kinds a and c from the start (-written +received):\n%s", diff)
	}
	// It may begin a poll before now, so with the first c.
	got := next(t, live, 1)
	if got[0].Seq == want[1] {
		got = next(t, live, 1)
	}
	if got[0].Seq != want[3] {
		t.Errorf("kind c from now: got number %d, want %d", got[0].Seq, want[3])
	}
}

func feedKeepsCompaniesApart(t *testing.T, pool *pgxpool.Pool) {
	env := newFeedEnv(t, pool, db.FeedConfig{})
	one := env.subscribe(t, t.Context(), env.one, &db.Place{})
	two := env.subscribe(t, t.Context(), env.two, nil)
	env.mustTell(t, env.two, "x")
	env.mustTell(t, env.one, "x", "x")
	env.mustTell(t, env.two, "x")

	for _, sub := range []struct {
		s       *db.Subscription
		company uuid.UUID
	}{{one, env.one}, {two, env.two}} {
		for _, e := range next(t, sub.s, 2) {
			if e.CompanyID != sub.company {
				t.Errorf("subscriber of company %v: got an event of company %v", sub.company, e.CompanyID)
			}
		}
	}
}

func feedDropsTheSlowOnly(t *testing.T, pool *pgxpool.Pool) {
	var dropped atomic.Int64
	env := newFeedEnv(t, pool, db.FeedConfig{
		Buffer: 8, Stall: time.Millisecond, Dropped: func() { dropped.Add(1) },
	})
	slow := env.subscribe(t, t.Context(), env.one, nil)
	quick := env.subscribe(t, t.Context(), env.one, nil)

	var received []int64
	for range 100 {
		env.mustTell(t, env.one, "x")
		received = append(received, seqs(next(t, quick, 1))...) // never far behind
	}

	want := env.written(t, env.one)
	if diff := cmp.Diff(want, received); diff != "" {
		t.Errorf("quick subscriber beside a slow one (-written +received):\n%s", diff)
	}
	// Only now the slow one looks: what was ready, and then the end.
	before := rest(t, slow)
	if !errors.Is(slow.Err(), db.ErrSlow) {
		t.Errorf("Err of the slow subscriber: got %v, want ErrSlow", slow.Err())
	}
	if n := dropped.Load(); n != 1 {
		t.Errorf("Dropped: called %d times, want once", n)
	}
	if len(before) == 0 || len(before) == len(want) {
		t.Fatalf("slow subscriber received %d of %d events before it was dropped, want some", len(before), len(want))
	}
	// It goes on at a feed that gives it time: a test that has to wait for a processor
	// is no slow subscriber.
	env.feed = db.NewFeed(env.store, db.FeedConfig{Poll: 10 * time.Millisecond})
	env.run(t)
	again := env.subscribe(t, t.Context(), env.one, new(before[len(before)-1].Place()))
	got := append(seqs(before), seqs(next(t, again, len(want)-len(before)))...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("slow subscriber, resumed (-written +received):\n%s", diff)
	}
}

func feedTellsThatAPlaceIsGone(t *testing.T, pool *pgxpool.Pool) {
	env := newFeedEnv(t, pool, db.FeedConfig{})
	env.mustTell(t, env.one, "1", "2", "3", "4")
	var places []db.Place
	for _, e := range next(t, env.subscribe(t, t.Context(), env.one, &db.Place{}), 4) {
		places = append(places, e.Place())
	}
	prune := func(want int64) {
		t.Helper()
		n, err := env.store.EventsPrune(t.Context(), db.EventsPruneParams{
			CompanyID: env.one, OlderThan: time.Now().Add(time.Hour), BatchSize: 3,
		})
		if err != nil || n != want {
			t.Fatalf("EventsPrune: got %d rows, error %v, want %d", n, err, want)
		}
	}

	prune(3)
	prune(0) // the newest stays
	for i, place := range places {
		s, err := env.feed.Subscribe(t.Context(), env.one, &place)
		if gone := errors.Is(err, db.ErrPlaceGone); gone != (i < 3) {
			t.Errorf("Subscribe behind event %d of 4, of which the last is kept: got %v, error %v", i+1, s, err)
		}
	}
	if _, err := env.feed.Subscribe(t.Context(), env.one, &db.Place{ID: 1 << 60}); !errors.Is(err, db.ErrPlaceGone) {
		t.Errorf("Subscribe behind a place of another database: got error %v, want ErrPlaceGone", err)
	}
	// A company without events never had any, so that nothing of it is missing.
	s := env.subscribe(t, t.Context(), env.two, &places[0])
	env.mustTell(t, env.two, "first")
	if got := next(t, s, 1)[0].Kind; got != "first" {
		t.Errorf("first event of a company: got %q", got)
	}
}

func feedIsNudged(t *testing.T, pool *pgxpool.Pool) {
	env := newFeedEnv(t, pool, db.FeedConfig{Poll: time.Hour})
	s := env.subscribe(t, t.Context(), env.one, nil)
	env.mustTell(t, env.one, "x")

	limit := time.After(30 * time.Second)
	for {
		// A transaction elsewhere on the server may hold the event back at first.
		env.feed.Nudge()
		select {
		case <-s.Events:
			return
		case <-limit:
			t.Fatal("a nudged feed did not read")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func feedEndsItsSubscriptions(t *testing.T, pool *pgxpool.Pool) {
	env := &feedEnv{store: db.NewStore(pool), one: uuid.New()}
	env.feed = db.NewFeed(env.store, db.FeedConfig{Poll: time.Millisecond})
	end := env.run(t)
	ctx, cancel := context.WithCancel(t.Context())
	left := env.subscribe(t, ctx, env.one, nil)
	kept := env.subscribe(t, t.Context(), env.one, &db.Place{})
	if n := env.feed.Subscribers(); n != 2 {
		t.Errorf("Subscribers: got %d, want 2", n)
	}

	cancel()
	rest(t, left)
	if !errors.Is(left.Err(), context.Canceled) {
		t.Errorf("Err of who left: got %v, want context.Canceled", left.Err())
	}
	if kept.Err() != nil {
		t.Errorf("Err of who stayed: got %v, want nil", kept.Err())
	}
	end()
	rest(t, kept)
	if !errors.Is(kept.Err(), db.ErrFeedEnded) {
		t.Errorf("Err after Run: got %v, want ErrFeedEnded", kept.Err())
	}
	if _, err := env.feed.Subscribe(t.Context(), env.one, nil); !errors.Is(err, db.ErrFeedEnded) {
		t.Errorf("Subscribe after Run: got error %v, want ErrFeedEnded", err)
	}
	if n := env.feed.Subscribers(); n != 0 {
		t.Errorf("Subscribers after the last has left: got %d, want 0", n)
	}
}
