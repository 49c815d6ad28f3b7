// Package once makes operations repeatable that are more than one posting: a key
// names a request, and what came of it is kept with it, in one transaction
// (design.md, "The ledger"). The same key with the same request gets the first
// answer; with another request it is refused.
package once

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/ledger"
)

// Lifetime is how long a key that does not say so itself is kept.
const Lifetime = 90 * 24 * time.Hour

// Field is the argument that a key comes in.
const Field = "idempotencyKey"

// Result names what came of a request: an object, and the number of the movement
// in its history where that matters.
type Result struct {
	ID  uuid.UUID
	Seq int64
}

// attempts is how often a request looks again when another one with its key came
// and went meanwhile.
const attempts = 5

// Do runs do once for its key: again, it answers what came of it the first time.
// do commits Note's row in its own transaction. Without a key it runs each time.
// It refuses with IDEMPOTENCY_MISMATCH, IDEMPOTENCY_IN_PROGRESS where the first
// request keeps others waiting, and as do does.
func Do(ctx context.Context, q *db.Queries, company uuid.UUID, key *ledger.Key, now time.Time, do func() (Result, error)) (r Result, replayed bool, err error) {
	if key == nil {
		r, err = do()
		return r, false, err
	}
	for range attempts {
		first, err := answer(ctx, q, company, *key, now)
		if err != nil {
			return Result{}, false, err
		}
		if first != nil {
			return *first, true, nil
		}
		r, err = do()
		switch {
		case db.Violates(err, "operation_key_pkey"): // somebody was faster
		case db.LockTimedOut(err):
			return Result{}, false, loyalty.Refuse(loyalty.CodeIdempotencyInProgress, Field)
		case loyalty.CodeOf(err) != "":
			// The first request with the key may have been what this one waited for, and
			// why it is refused now.
			first, again := answer(ctx, q, company, *key, now)
			if first != nil || again != nil {
				return valueOr(first), first != nil, again
			}
			return r, false, err
		default:
			return r, false, err
		}
	}
	return Result{}, false, errors.New("run an operation once: its key comes and goes")
}

// Note keeps what came of a request, in the transaction that does it. Without a key
// it keeps nothing.
func Note(ctx context.Context, q *db.Queries, company uuid.UUID, key *ledger.Key, r Result, now time.Time) error {
	if key == nil {
		return nil
	}
	err := q.OperationKeyCreate(ctx, db.OperationKeyCreateParams{
		CompanyID: company, ID: key.ID, Fingerprint: key.Fingerprint, ResultID: r.ID, ResultSeq: r.Seq, ExpiresAt: Expiry(*key, now),
	})
	if err != nil {
		return fmt.Errorf("note an idempotency key: %w", err)
	}
	return nil
}

// Expiry is when a key that is used now stands for its request no longer.
func Expiry(key ledger.Key, now time.Time) time.Time {
	if key.Lifetime > 0 {
		return now.Add(key.Lifetime)
	}
	return now.Add(Lifetime)
}

// Check tells what a key that was found stands for: its request, or nothing any
// more, and then it is freed. It refuses with IDEMPOTENCY_MISMATCH.
func Check(ctx context.Context, q *db.Queries, company uuid.UUID, key ledger.Key, fingerprint uuid.UUID, expiresAt, now time.Time) (stands bool, err error) {
	if !expiresAt.After(now) {
		_, err := q.OperationKeyDeleteExpired(ctx, db.OperationKeyDeleteExpiredParams{CompanyID: company, ID: key.ID, Now: now})
		if err != nil {
			return false, fmt.Errorf("free an expired idempotency key: %w", err)
		}
		return false, nil
	}
	if fingerprint != key.Fingerprint {
		return false, loyalty.Refuse(loyalty.CodeIdempotencyMismatch, Field)
	}
	return true, nil
}

// answer reads what came of a key's first request; nil if there was none.
func answer(ctx context.Context, q *db.Queries, company uuid.UUID, key ledger.Key, now time.Time) (*Result, error) {
	row, err := q.OperationKeyByID(ctx, company, key.ID)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read an idempotency key: %w", err)
	}
	stands, err := Check(ctx, q, company, key, row.Fingerprint, row.ExpiresAt, now)
	if err != nil || !stands {
		return nil, err
	}
	return &Result{ID: row.ResultID, Seq: row.ResultSeq}, nil
}

func valueOr(r *Result) Result {
	if r == nil {
		return Result{}
	}
	return *r
}
