package graph

import (
	"context"

	"github.com/google/uuid"

	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/company"
	"sello/loyalty/ledger"
)

func storePayload(ctx context.Context, s *company.Store, err error) (*model.StorePayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.StorePayload{Store: s, UserErrors: refused}, nil
}

func staffResult(ctx context.Context, done company.StaffResult, err error) (*model.StaffPayload, error) {
	p, err := staffPayload(ctx, done.Staff, err)
	if p != nil {
		p.Replayed = done.Replayed
	}
	return p, err
}

func staffPayload(ctx context.Context, m *company.Staff, err error) (*model.StaffPayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.StaffPayload{StaffMember: m, UserErrors: refused}, nil
}

// rightType reads the card type of a right, and with it those of its batch.
func (r *Resolver) rightType(ctx context.Context, owner uuid.UUID, right *company.Right) (*ledger.CardType, error) {
	return loyalty.Together(right.Batch(), right, "type", func(all []*company.Right) (map[*company.Right]*ledger.CardType, error) {
		return loyalty.Lookup(all, func(r *company.Right) (uuid.UUID, bool) { return r.CardTypeID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]*ledger.CardType, error) {
				return r.Ledger.CardTypesByIDs(ctx, owner, ids)
			})
	})
}
