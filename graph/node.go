package graph

import (
	"context"

	"github.com/google/uuid"

	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/customer"
	"sello/loyalty/imports"
	"sello/loyalty/ledger"
	"sello/loyalty/notify"
	"sello/loyalty/queue"
)

// node reads any object by its opaque id. Each type asks for the scope that its
// own look-up asks for; null covers "no such object", "not yours" and "not an id".
func (r *Resolver) node(ctx context.Context, id string) (model.Node, error) {
	kind, key, ok := loyalty.ParseGlobalID(id)
	if !ok {
		return nil, nil
	}
	switch kind {
	case "Movement":
		return r.movementNode(ctx, key)
	case "Job":
		return r.jobNode(ctx, id)
	}
	n, err := uuid.Parse(key)
	if err != nil {
		return nil, nil //nolint:nilerr // what is no id names nothing
	}
	switch kind {
	case "Company":
		return found(ctx, auth.CompanyRead, func(who auth.Principal) (*company.Company, error) {
			if n != who.CompanyID {
				return nil, nil
			}
			return r.Companies.ByID(ctx, who.CompanyID)
		})
	case "Store":
		return found(ctx, auth.StaffRead, func(who auth.Principal) (*company.Store, error) { return r.Companies.StoreByID(ctx, who.CompanyID, n) })
	case "Staff":
		return found(ctx, auth.StaffRead, func(who auth.Principal) (*company.Staff, error) { return r.Companies.StaffByID(ctx, who.CompanyID, n) })
	case "Customer":
		return found(ctx, auth.CustomersRead, func(who auth.Principal) (*customer.Customer, error) { return r.Customers.ByID(ctx, who.CompanyID, n) })
	case "CardType":
		return found(ctx, auth.CardsRead, func(who auth.Principal) (*ledger.CardType, error) {
			return r.Ledger.CardTypeByID(ctx, who.CompanyID, n)
		})
	case "Card":
		return found(ctx, auth.CardsRead, func(who auth.Principal) (*ledger.Card, error) { return r.Ledger.CardByID(ctx, who.CompanyID, n) })
	case "ApiKey":
		return found(ctx, auth.KeysManage, func(who auth.Principal) (*auth.Key, error) { return known(r.Auth.KeyByID(ctx, who.CompanyID, n)) })
	case "Import":
		return found(ctx, auth.ImportsRead, func(who auth.Principal) (*imports.Import, error) { return known(r.Imports.Get(ctx, who.CompanyID, n)) })
	case "Notification":
		return found(ctx, auth.NotificationsRead, func(who auth.Principal) (*notify.Notification, error) {
			return known(r.Notify.Get(ctx, who.CompanyID, n))
		})
	}
	return nil, nil
}

// found checks the scope, then reads; a nil object is a nil Node, not a Node that
// holds nil.
func found[T any, N interface {
	*T
	model.Node
}](ctx context.Context, scope auth.Scope, read func(auth.Principal) (N, error)) (model.Node, error) {
	who, err := auth.Require(ctx, scope)
	if err != nil {
		return nil, err
	}
	object, err := read(who)
	if err != nil || object == nil {
		return nil, err
	}
	return object, nil
}

// known turns the refusal of a look-up that answers one into nil.
func known[T any](object *T, err error) (*T, error) {
	if loyalty.CodeOf(err) != "" {
		return nil, nil
	}
	return object, err
}

func (r *Resolver) movementNode(ctx context.Context, key string) (model.Node, error) {
	card, seq, ok := ledger.ParseMovementKey(key)
	if !ok {
		return nil, nil
	}
	return found(ctx, auth.CardsRead, func(who auth.Principal) (*ledger.Movement, error) {
		return r.Ledger.Movement(ctx, who.CompanyID, card, seq)
	})
}

func (r *Resolver) jobNode(ctx context.Context, id string) (model.Node, error) {
	n, ok := jobNumber(id)
	if !ok {
		return nil, nil
	}
	return found(ctx, auth.JobsRead, func(who auth.Principal) (*queue.Job, error) { return r.Queue.Job(ctx, who, n) })
}
