package graph

import (
	"context"

	"github.com/google/uuid"

	"sello/loyalty"
	"sello/loyalty/company"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
)

// linked reads what an object names by id, and with it what the others of its list
// do: one read for all.
func linked[T, R any](list *loyalty.Batch[T], one *T, name string, id func(*T) *uuid.UUID, read func([]uuid.UUID) (map[uuid.UUID]*R, error)) (*R, error) {
	return loyalty.Together(list, one, name, func(all []*T) (map[*T]*R, error) {
		return loyalty.Lookup(all, func(t *T) (uuid.UUID, bool) { return or(id(t), uuid.UUID{}), id(t) != nil }, read)
	})
}

// linkedMovement reads the movement that an object names, and with it those of its
// list.
func linkedMovement[T any](ctx context.Context, books *ledger.Service, owner uuid.UUID, list *loyalty.Batch[T], one *T, key func(*T) (ledger.MovementKey, bool)) (*ledger.Movement, error) {
	return loyalty.Together(list, one, "movement", func(all []*T) (map[*T]*ledger.Movement, error) {
		return loyalty.Lookup(all, key, func(keys []ledger.MovementKey) (map[ledger.MovementKey]*ledger.Movement, error) {
			return books.MovementsByKeys(ctx, owner, keys)
		})
	})
}

func (r *Resolver) customersOf(ctx context.Context, owner uuid.UUID) func([]uuid.UUID) (map[uuid.UUID]*customer.Customer, error) {
	return func(ids []uuid.UUID) (map[uuid.UUID]*customer.Customer, error) {
		return r.Customers.ByIDs(ctx, owner, ids)
	}
}

func (r *Resolver) storesOf(ctx context.Context, owner uuid.UUID) func([]uuid.UUID) (map[uuid.UUID]*company.Store, error) {
	return func(ids []uuid.UUID) (map[uuid.UUID]*company.Store, error) {
		return r.Companies.StoresByIDs(ctx, owner, ids)
	}
}

func (r *Resolver) cardsByIDs(ctx context.Context, owner uuid.UUID) func([]uuid.UUID) (map[uuid.UUID]*ledger.Card, error) {
	return func(ids []uuid.UUID) (map[uuid.UUID]*ledger.Card, error) { return r.Ledger.CardsByIDs(ctx, owner, ids) }
}

// edges gives the objects of a page their cursors, and answers the last one.
func edges[N, E any](page []N, place func(N) string, edge func(at string, node N) E) (list []E, last string) {
	list = make([]E, len(page))
	for i, node := range page {
		last = place(node)
		list[i] = edge(last, node)
	}
	return list, last
}

// filterID reads the opaque id that a list is filtered by; nil where none was given.
func filterID(kind string, id *string) (*uuid.UUID, error) {
	if id == nil {
		return nil, nil
	}
	key, ok := loyalty.ParseUUID(kind, *id)
	if !ok {
		return nil, badInput("there is no " + kind + " with the id given")
	}
	return &key, nil
}
