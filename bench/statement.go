package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
)

// Statement measures the posting statement alone: the distinct operations of a
// plan on the same cards, by pgx, with so many connections and a caller on each.
// It is what the way through HTTP is compared with in the same round.
func (b *Bank) Statement(ctx context.Context, o PostingOptions, connections int, round string) (PostingRun, error) {
	p := newPlan(o, round)
	config, err := pgxpool.ParseConfig(b.options.DatabaseURL)
	if err != nil {
		return PostingRun{}, fmt.Errorf("read the database's address: %w", err)
	}
	config.MaxConns, config.MinConns = int32(connections), int32(connections)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return PostingRun{}, fmt.Errorf("connect to the database: %w", err)
	}
	defer pool.Close()
	queries := db.New(pool)
	company, err := queries.CompanyByCode(ctx, Company)
	if err != nil {
		return PostingRun{}, fmt.Errorf("read the company: %w", err)
	}
	// Every connection is there, and knows the statement, before the clock runs.
	if err := together(ctx, connections, 20*connections, func(ctx context.Context, n int) error {
		return b.postBare(ctx, queries, company.ID, operation{card: n % len(b.cards), points: 1})
	}); err != nil {
		return PostingRun{}, err
	}
	for n := range 20 * connections {
		b.balance[n%len(b.cards)]++
		b.seq[n%len(b.cards)]++
	}
	distinct := p.distinct()
	r := PostingRun{Operations: len(distinct), Distinct: len(distinct)}
	times := make([]time.Duration, len(distinct))
	w := openWindow(b.options.DatabasePID)
	err = together(ctx, connections, len(distinct), func(ctx context.Context, n int) error {
		begun := time.Now()
		err := b.postBare(ctx, queries, company.ID, distinct[n])
		times[n] = time.Since(begun)
		return err
	})
	r.Window = w.close()
	r.Took = r.Window.Took
	r.P50, r.P99 = percentiles(times)
	for card := range p.net {
		b.balance[card] += p.net[card]
		b.seq[card] += p.count[card]
	}
	if err != nil {
		return r, err
	}
	return r, b.Check(ctx)
}

func (b *Bank) postBare(ctx context.Context, queries *db.Queries, company uuid.UUID, op operation) error {
	amount, err := decimal.New(op.amount(), 0)
	if err != nil {
		return err
	}
	action := "accrue"
	if op.redeem {
		action = "redeem"
	}
	key, err1 := uuid.NewV7()
	fingerprint, err2 := uuid.NewV7()
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	now := time.Now()
	_, err = queries.CardPost(ctx, db.CardPostParams{
		CompanyID: company, Action: action, PostedAt: now, Now: now, Source: "graphql", CardCode: &b.cards[op.card].code, Amount: &amount,
		KeyID: &key, Fingerprint: &fingerprint, KeyExpiresAt: now.Add(time.Hour),
	})
	if err != nil {
		return fmt.Errorf("post by the bare statement: %w", err)
	}
	return nil
}

// distinct are the operations without their repeats.
func (p plan) distinct() []operation {
	met := make(map[string]bool, len(p.operations))
	var list []operation
	for _, op := range p.operations {
		if !met[op.key] {
			met[op.key] = true
			list = append(list, op)
		}
	}
	return list
}
