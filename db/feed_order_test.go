package db_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
	"sello/db/dbtest"
)

// newCards opens a company with cards of customers that imports find by e-mail.
func newCards(t *testing.T, pool *pgxpool.Pool, company uuid.UUID, n int) (cardType uuid.UUID) {
	t.Helper()
	cardType = uuid.New()
	for _, s := range []struct {
		sql  string
		args []any
	}{
		{`INSERT INTO company (id, code, name, time_zone, language, currency, phone_prefix, created_at, updated_at)
			VALUES ($1, 'shop', 'Shop', 'America/Bogota', 'es', 'COP', '+57', now(), now())`, []any{company}},
		{`INSERT INTO card_type (company_id, id, code, name, unit, scale, created_at, updated_at)
			VALUES ($1, $2, 'points', 'Points', 'points', 0, now(), now())`, []any{company, cardType}},
		{`INSERT INTO customer (company_id, id, first_name, email, qr_code, name_key, created_at, updated_at)
			SELECT $1, gen_random_uuid(), 'Ana', 'ana' || n || '@example.com', 'card-' || n, 'ana', now(), now()
			FROM generate_series(1, $2::integer) n`, []any{company, n}},
		{`INSERT INTO card (company_id, id, card_type_id, customer_id, code, status, registered_at, created_at, updated_at)
			SELECT $1, gen_random_uuid(), $2, id, qr_code, 'enabled', now(), now(), now() FROM customer WHERE company_id = $1`,
			[]any{company, cardType}},
	} {
		if _, err := pool.Exec(t.Context(), s.sql, s.args...); err != nil {
			t.Fatal(err)
		}
	}
	return cardType
}

// newImport stages an import with a row for each card.
func newImport(t *testing.T, pool *pgxpool.Pool, company, cardType uuid.UUID, cards int) (id uuid.UUID) {
	t.Helper()
	id = uuid.New()
	if _, err := pool.Exec(t.Context(), `INSERT INTO import (company_id, id, kind, status, file_name, sha256, bytes, forced, card_type_id,
			delimiter, encoding, header, rows_total, actor_kind, created_at, updated_at)
		VALUES ($1, $2, 'points', 'running', 'a.csv', uuid_send($2), 1, true, $3, ',', 'UTF-8', 'x', $4, 'system', now(), now())`,
		company, id, cardType, cards); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), `INSERT INTO import_row (company_id, import_id, line, row_id, first_name, email, points, first_key, last_key, raw)
		SELECT $1, $2, n, gen_random_uuid(), 'Ana', 'ana' || n || '@example.com', 1, 'ana', '', 'x' FROM generate_series(1, $3::integer) n`,
		company, id, cards); err != nil {
		t.Fatal(err)
	}
	return id
}

// dawdle keeps a transaction open while others come and go.
func dawdle(ctx context.Context, tx db.Tx, most int) error {
	for range rand.N(most) {
		if _, err := tx.Conn.Exec(ctx, "SELECT 1"); err != nil {
			return err
		}
	}
	return nil
}

// begin gives a transaction its id long before it waits for a card.
func begin(ctx context.Context, tx db.Tx) error {
	_, err := tx.Conn.Exec(ctx, "SELECT pg_current_xact_id()")
	return errors.Join(err, dawdle(ctx, tx, 20))
}

var errSorry = errors.New("changed my mind")

// cardOrder checks that each card's movements come as 1, 2, 3 …
type cardOrder struct {
	name string
	last map[uuid.UUID]int64
	n    int
}

// take fails on an event that is out of order; ended tells that it is the last.
func (o *cardOrder) take(e db.Event) (ended bool, err error) {
	if e.Kind == "end" {
		return true, nil
	}
	if want := o.last[e.SubjectID] + 1; e.Seq != want {
		return false, fmt.Errorf("%s: event %d of %d: movement %d of a card, want %d", o.name, e.ID, o.n, e.Seq, want)
	}
	o.last[e.SubjectID]++
	o.n++
	return false, nil
}

// follow takes a subscription's events up to the last, or up to so many.
func (o *cardOrder) follow(ctx context.Context, s *db.Subscription, most int) (last db.Place, ended bool, err error) {
	for range most {
		select {
		case e, open := <-s.Events:
			if !open {
				return last, false, fmt.Errorf("%s: ended after %d events: %w", o.name, o.n, s.Err())
			}
			last = e.Place()
			if ended, err := o.take(e); ended || err != nil {
				return last, ended, err
			}
		case <-ctx.Done():
			return last, false, fmt.Errorf("%s: after %d events: %w", o.name, o.n, ctx.Err())
		}
	}
	return last, false, nil
}

// Tills and an import post on the same few cards, in transactions that begin long
// before they get a card, stay open after, or are rolled back: whoever follows, is
// told the movements of each card in their order, none twice and none left out.
func TestFeedKeepsTheOrderOfACard(t *testing.T) {
	t.Parallel()
	const cards, tills, each, chunks = 4, 16, 40, 25
	config, err := pgxpool.ParseConfig(dbtest.NewServer(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 30
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	env := newFeedEnv(t, pool, db.FeedConfig{Buffer: 64})
	cardType := newCards(t, pool, env.one, cards)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()

	var following, posting sync.WaitGroup
	orders := map[string]*cardOrder{}
	for name, after := range map[string]*db.Place{"from now": nil, "from the start": {}} {
		o := &cardOrder{name: name, last: map[uuid.UUID]int64{}}
		orders[name] = o
		s := env.subscribe(t, ctx, env.one, after)
		following.Go(func() {
			if _, ended, err := o.follow(ctx, s, 1<<30); !ended {
				t.Error(err)
			}
		})
	}
	dropping := &cardOrder{name: "dropping", last: map[uuid.UUID]int64{}}
	orders["dropping"] = dropping
	drops := 0
	following.Go(func() {
		// A process of its own, which rests whenever its subscriber is away.
		other := &feedEnv{store: env.store, feed: db.NewFeed(env.store, db.FeedConfig{Buffer: 8, Poll: 10 * time.Millisecond})}
		other.run(t)
		for place, ended := (db.Place{}), false; !ended; drops++ {
			connected, drop := context.WithCancel(ctx)
			s, err := other.feed.Subscribe(connected, env.one, &place)
			if err == nil {
				place, ended, err = dropping.follow(ctx, s, 1+rand.N(40))
			}
			drop()
			if err != nil {
				t.Errorf("dropping: %v", err)
				return
			}
		}
	})

	post := func(card int) error {
		return env.store.InTx(ctx, func(tx db.Tx) error {
			if rand.N(2) == 0 {
				if err := begin(ctx, tx); err != nil {
					return err
				}
			}
			if _, err := tx.CardPost(ctx, db.CardPostParams{
				CompanyID: env.one, Action: "adjust", CardCode: new(fmt.Sprintf("card-%d", card)), Amount: new(decimal.One),
				Source: "graphql", PostedAt: time.Now(), Now: time.Now(), KeyExpiresAt: time.Now(),
			}); err != nil {
				return err
			}
			if rand.N(3) == 0 {
				if err := dawdle(ctx, tx, 20); err != nil {
					return err
				}
			}
			if rand.N(6) == 0 {
				return errSorry
			}
			return nil
		})
	}
	for range tills {
		posting.Go(func() {
			for range each {
				if err := post(1 + rand.N(cards)); err != nil && !errors.Is(err, errSorry) {
					t.Errorf("post: %v", err)
					return
				}
				env.feed.Nudge()
			}
		})
	}
	posting.Go(func() {
		for range chunks {
			id := newImport(t, pool, env.one, cardType, cards)
			err := env.store.InTx(ctx, func(tx db.Tx) error {
				if _, err := tx.ImportLock(ctx, env.one, id); err != nil {
					return err
				}
				if err := begin(ctx, tx); err != nil {
					return err
				}
				done, err := tx.ImportChunkApply(ctx, db.ImportChunkApplyParams{
					CompanyID: env.one, ImportID: id, Pass: 1, BatchSize: cards, CardTypeID: cardType, Now: time.Now(),
				})
				if err == nil && done.Moved != cards {
					err = fmt.Errorf("the chunk moved %d cards, want %d", done.Moved, cards)
				}
				return errors.Join(err, dawdle(ctx, tx, 50))
			})
			if err != nil {
				t.Errorf("import: %v", err)
				return
			}
		}
	})
	posting.Wait()
	env.mustTell(t, env.one, "end")
	following.Wait()

	var movements int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM movement WHERE company_id = $1", env.one).Scan(&movements); err != nil {
		t.Fatal(err)
	}
	if movements < chunks*cards+tills*each/2 {
		t.Errorf("only %d movements were posted", movements)
	}
	for name, o := range orders {
		if o.n != movements {
			t.Errorf("%s: was told %d movements of %d", name, o.n, movements)
		}
	}
	if drops < 10 {
		t.Errorf("%d subscriptions were dropped: too few to prove anything", drops)
	}
	t.Logf("%d movements, %d subscriptions dropped", movements, drops)
}
