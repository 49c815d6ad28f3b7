package graph

import (
	"context"

	"github.com/google/uuid"

	"sello/loyalty"
	"sello/loyalty/ledger"
	"sello/loyalty/notify"
	"sello/loyalty/plan"
)

// messageOf reads the message that a line of prepaid messages is for, and with it
// those of its batch.
func (r *Resolver) messageOf(ctx context.Context, owner uuid.UUID, m *plan.Movement) (*notify.Notification, error) {
	return loyalty.Together(m.Batch(), m, "notification", func(all []*plan.Movement) (map[*plan.Movement]*notify.Notification, error) {
		return loyalty.Lookup(all, func(m *plan.Movement) (uuid.UUID, bool) {
			return or(m.NotificationID, uuid.UUID{}), m.NotificationID != nil
		},
			func(ids []uuid.UUID) (map[uuid.UUID]*notify.Notification, error) {
				return r.Notify.ByIDs(ctx, owner, ids)
			})
	})
}

// messageCard reads the card that a message is about, and with it those of its batch.
func (r *Resolver) messageCard(ctx context.Context, owner uuid.UUID, n *notify.Notification) (*ledger.Card, error) {
	return loyalty.Together(n.Batch(), n, "card", func(all []*notify.Notification) (map[*notify.Notification]*ledger.Card, error) {
		return loyalty.Lookup(all, func(n *notify.Notification) (uuid.UUID, bool) { return or(n.CardID, uuid.UUID{}), n.CardID != nil },
			func(ids []uuid.UUID) (map[uuid.UUID]*ledger.Card, error) { return r.Ledger.CardsByIDs(ctx, owner, ids) })
	})
}
