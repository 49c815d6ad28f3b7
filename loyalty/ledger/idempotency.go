package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
)

// replay is the first answer to a key that was used before, nil to one that is new.
// A key whose time has passed is freed. It refuses with IDEMPOTENCY_MISMATCH.
func (s *Service) replay(ctx context.Context, q *db.Queries, company uuid.UUID, key *Key, fingerprint, card *uuid.UUID, seq *int64, expiresAt *time.Time) (*Movement, error) {
	switch {
	case fingerprint == nil:
		return nil, nil
	case !expiresAt.After(s.Now()):
		_, err := q.IdempotencyKeyDeleteExpired(ctx, db.IdempotencyKeyDeleteExpiredParams{CompanyID: company, ID: key.ID, Now: s.Now()})
		if err != nil {
			return nil, fmt.Errorf("free an expired idempotency key: %w", err)
		}
		return nil, nil
	case *fingerprint != key.Fingerprint:
		return nil, loyalty.Refuse(loyalty.CodeIdempotencyMismatch, "idempotencyKey")
	}
	first, err := q.MovementBySeq(ctx, db.MovementBySeqParams{CompanyID: company, CardID: *card, Seq: *seq})
	if db.Absent(err) {
		return nil, errors.New("replay a posting: its movement is gone")
	}
	if err != nil {
		return nil, fmt.Errorf("replay a posting: %w", err)
	}
	return &Movement{Movement: first}, nil
}

// used is the first answer to a key, for operations that lock their cards by
// themselves; nil if the key is new.
func (s *Service) used(ctx context.Context, q *db.Queries, company uuid.UUID, key *Key) (*Movement, error) {
	if key == nil {
		return nil, nil
	}
	row, err := q.IdempotencyKeyRead(ctx, company, key.ID)
	if db.Absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read an idempotency key: %w", err)
	}
	return s.replay(ctx, q, company, key, &row.Fingerprint, &row.CardID, &row.Seq, &row.ExpiresAt)
}

// late is the first answer to a key whose first request came to its end while this
// one waited for a card, and was refused because of it; nil if there is none.
func (s *Service) late(ctx context.Context, q *db.Queries, company uuid.UUID, key *Key, refusal error) (*Movement, error) {
	if key == nil || loyalty.CodeOf(refusal) == "" || loyalty.CodeOf(refusal) == loyalty.CodeIdempotencyMismatch {
		return nil, nil
	}
	return s.used(ctx, q, company, key)
}
