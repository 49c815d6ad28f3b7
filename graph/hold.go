package graph

import (
	"context"
	"time"

	"sello/graph/model"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
)

// Scopes of idempotency keys, beside those of postings (operation). A hold ends
// once, whichever way.
const (
	opHold     = "hold"
	opHoldEnd  = "hold_end"
	opTransfer = "transfer"
	opReverse  = "reverse"
	opVest     = "vest"
	opExtend   = "extend"
)

// held runs an operation on a hold under its key and makes the payload.
func (r *Resolver) held(ctx context.Context, who auth.Principal, operation string, key *string, hours *int, input any, run func(*ledger.Key) (ledger.HoldResult, error)) (*model.HoldPayload, error) {
	done, refused, err := keyed(ctx, r, who, operation, key, hours, input, run)
	if err != nil {
		return nil, err
	}
	p := &model.HoldPayload{Replayed: done.Replayed, UserErrors: refused}
	if len(refused) == 0 {
		p.Hold, p.Movement = done.Hold, done.Movement
	}
	return p, nil
}

// moved runs an operation that adds one movement under its key and makes the payload.
func (r *Resolver) moved(ctx context.Context, who auth.Principal, operation string, key *string, hours *int, input any, run func(*ledger.Key) (ledger.Posted, error)) (*model.MovementPayload, error) {
	done, refused, err := keyed(ctx, r, who, operation, key, hours, input, run)
	if err != nil {
		return nil, err
	}
	p := &model.MovementPayload{Replayed: done.Replayed, UserErrors: refused}
	if len(refused) == 0 {
		p.Movement = done.Movement
	}
	return p, nil
}

// transfer runs a transfer under its key and makes the payload.
func (r *Resolver) transfer(ctx context.Context, who auth.Principal, key *string, hours *int, input any, in ledger.Transfer) (*model.TransferPayload, error) {
	done, refused, err := keyed(ctx, r, who, opTransfer, key, hours, input, func(key *ledger.Key) (ledger.Transferred, error) {
		in.Key = key
		return r.Ledger.Transfer(ctx, who, in)
	})
	if err != nil {
		return nil, err
	}
	p := &model.TransferPayload{Replayed: done.Replayed, UserErrors: refused}
	if len(refused) == 0 {
		p.TransferOut, p.TransferIn = done.Out, done.In
	}
	return p, nil
}

// keyed runs an operation that moves value under the key of its request, and parts
// what it refuses from faults.
func keyed[T any](ctx context.Context, r *Resolver, who auth.Principal, operation string, key *string, hours *int, input any, run func(*ledger.Key) (T, error)) (done T, refused []*model.UserError, err error) {
	named, err := postingKey(ctx, who, operation, key, hours, input)
	if err == nil {
		done, err = run(named)
	}
	if err == nil {
		r.Feed.Nudge()
	}
	refused, err = userErrors(ctx, err)
	return done, refused, err
}

// seconds is a time; none where it is left out. What is out of bounds stays so, and
// the ledger says it.
func seconds(n *int) time.Duration {
	switch {
	case n == nil:
		return 0
	case *n < 1, *n > int(ledger.MaxHoldTime/time.Second):
		return -1
	}
	return time.Duration(*n) * time.Second
}
