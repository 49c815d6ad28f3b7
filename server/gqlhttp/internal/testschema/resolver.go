// Package testschema is a small executable schema for the tests of
// server/gqlhttp: a list with a cost, a mutation, subscriptions that end, wait
// or flood, and resolvers that fail in the ways a client must not see.
package testschema

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
)

// SecretText is part of the fault's text; no answer may contain it.
const SecretText = "SQLSTATE 22021"

// Resolver resolves the whole schema from constants. The counters tell a test
// what ran.
type Resolver struct {
	// Activated counts executed mutations.
	Activated atomic.Int64
	// Streams counts subscriptions whose source is running.
	Streams atomic.Int64
	// Viewer names the caller of a context.
	Viewer func(ctx context.Context) string
}

// Schema builds the executable schema; cards cost what they hold times how
// many are asked for.
func Schema(r *Resolver) graphql.ExecutableSchema {
	cfg := Config{Resolvers: r}
	cfg.Complexity.Query.Cards = func(child int, first *int) int {
		return 1 + child*valueOr(first, 25)
	}
	cfg.Complexity.Card.Movements = func(child int, first *int) int {
		return 1 + child*valueOr(first, 10)
	}
	return NewExecutableSchema(cfg)
}

func valueOr(v *int, fallback int) int {
	if v == nil {
		return fallback
	}
	return *v
}

// Query implements ResolverRoot.
func (r *Resolver) Query() QueryResolver { return query{r} }

// Mutation implements ResolverRoot.
func (r *Resolver) Mutation() MutationResolver { return mutation{r} }

// Subscription implements ResolverRoot.
func (r *Resolver) Subscription() SubscriptionResolver { return subscription{r} }

// Fragile implements ResolverRoot.
func (r *Resolver) Fragile() FragileResolver { return fragile{} }

type (
	query        struct{ r *Resolver }
	mutation     struct{ r *Resolver }
	subscription struct{ r *Resolver }
	fragile      struct{}
)

func card(code string) *Card {
	return &Card{ID: "card:" + code, Code: code, Balance: 10}
}

func (query) Card(_ context.Context, code string) (*Card, error) {
	if code == "none" {
		return nil, nil
	}
	return card(code), nil
}

func (query) Cards(_ context.Context, first *int) (*CardConnection, error) {
	page := &CardConnection{}
	for range min(valueOr(first, 25), 100) {
		page.Nodes = append(page.Nodes, card("7001"))
	}
	return page, nil
}

func (query) Echo(_ context.Context, text *string) (*string, error) { return text, nil }

func (query) Search(_ context.Context, filter CardFilter) ([]*Card, error) {
	if filter.Code == nil {
		return nil, nil
	}
	return []*Card{card(*filter.Code)}, nil
}

func (query) Fault(context.Context) (*string, error) {
	return nil, errors.New(`invalid byte sequence for encoding "UTF8": 0x00 (` + SecretText + `)`)
}

func (query) Panics(context.Context) (*string, error) { panic(SecretText) }

func (query) Slow(ctx context.Context) (*string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (query) Faults(_ context.Context, count int) ([]*Fragile, error) {
	list := make([]*Fragile, count)
	for i := range list {
		list[i] = &Fragile{}
	}
	return list, nil
}

func (q query) Viewer(ctx context.Context) (*string, error) {
	if q.r.Viewer == nil {
		return nil, nil
	}
	return new(q.r.Viewer(ctx)), nil
}

func (fragile) Value(context.Context, *Fragile) (*string, error) {
	return nil, errors.New(SecretText)
}

func (m mutation) CardActivate(_ context.Context, code string) (*Card, error) {
	m.r.Activated.Add(1)
	return card(code), nil
}

// stream runs produce until it returns or the subscription is cancelled.
func stream[T any](ctx context.Context, r *Resolver, produce func(send func(T) bool)) <-chan T {
	out := make(chan T)
	r.Streams.Add(1)
	go func() {
		defer r.Streams.Add(-1)
		defer close(out)
		produce(func(v T) bool {
			select {
			case out <- v:
				return true
			case <-ctx.Done():
				return false
			}
		})
	}()
	return out
}

func (s subscription) Movements(ctx context.Context, limit *int) (<-chan *Movement, error) {
	return stream(ctx, s.r, func(send func(*Movement) bool) {
		for seq := 1; limit == nil || seq <= *limit; seq++ {
			if !send(&Movement{Seq: seq, Amount: 5}) {
				return
			}
		}
	}), nil
}

func (subscription) Refused(context.Context) (<-chan *Movement, error) {
	return nil, errors.New(SecretText)
}

func (s subscription) Quiet(ctx context.Context) (<-chan *Movement, error) {
	return stream(ctx, s.r, func(func(*Movement) bool) { <-ctx.Done() }), nil
}

func (s subscription) Flood(ctx context.Context) (<-chan string, error) {
	text := strings.Repeat("x", 1<<16)
	return stream(ctx, s.r, func(send func(string) bool) {
		for send(text) {
		}
	}), nil
}
