package graph

import (
	"context"
	"time"

	"github.com/google/uuid"

	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/ledger"
)

// noTime stands for "now" in a posting.
var noTime time.Time

// post posts for a principal and makes the payload.
func (r *Resolver) post(ctx context.Context, who auth.Principal, key *string, hours *int, input any, p ledger.Posting) (*model.MovementPayload, error) {
	var posted ledger.Posted
	var err error
	p.Source = source(who)
	if p.Key, err = postingKey(ctx, who, operation(p.Action), key, hours, input); err == nil {
		posted, err = r.Ledger.Post(ctx, who, p)
	}
	if err == nil {
		r.Feed.Nudge()
	}
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.MovementPayload{Movement: posted.Movement, Replayed: posted.Replayed, UserErrors: refused}, nil
}

// operation is the scope of an idempotency key. Giving and taking points are both
// a sale: one key for the two is a mistake, not two postings (spec/wallet.md 7).
func operation(action ledger.Action) string {
	if action == ledger.Accrue || action == ledger.Redeem {
		return "sale"
	}
	return string(action)
}

// source is the door that a principal comes in by.
func source(who auth.Principal) string {
	switch who.KeyKind {
	case auth.KeyWallet, auth.KeyPretii, auth.KeyAntCRM:
		return string(who.KeyKind)
	default:
		return "graphql"
	}
}

func number(n *int) *int64 {
	if n == nil {
		return nil
	}
	return new(int64(*n))
}

// movementStore reads where a movement happened, and with it those of its batch.
func (r *Resolver) movementStore(ctx context.Context, owner uuid.UUID, m *ledger.Movement) (*company.Store, error) {
	return loyalty.Together(m.Batch(), m, "store", func(all []*ledger.Movement) (map[*ledger.Movement]*company.Store, error) {
		return loyalty.Lookup(all, func(m *ledger.Movement) (uuid.UUID, bool) { return or(m.StoreID, uuid.UUID{}), m.StoreID != nil },
			func(ids []uuid.UUID) (map[uuid.UUID]*company.Store, error) {
				return r.Companies.StoresByIDs(ctx, owner, ids)
			})
	})
}

// movementStaff reads who posted a movement, and with it those of its batch.
func (r *Resolver) movementStaff(ctx context.Context, owner uuid.UUID, m *ledger.Movement) (*company.Staff, error) {
	return loyalty.Together(m.Batch(), m, "staff", func(all []*ledger.Movement) (map[*ledger.Movement]*company.Staff, error) {
		return loyalty.Lookup(all, func(m *ledger.Movement) (uuid.UUID, bool) { return or(m.StaffID, uuid.UUID{}), m.StaffID != nil },
			func(ids []uuid.UUID) (map[uuid.UUID]*company.Staff, error) {
				return r.Companies.StaffByIDs(ctx, owner, ids)
			})
	})
}
