package graph

import (
	"context"

	"github.com/google/uuid"

	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/catalog"
	"sello/loyalty/company"
	"sello/loyalty/coupon"
	"sello/loyalty/customer"
	"sello/loyalty/imports"
	"sello/loyalty/ledger"
	"sello/loyalty/notify"
	"sello/loyalty/queue"
	"sello/loyalty/report"
	"sello/loyalty/reward"
	"sello/loyalty/webhook"
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
	case "WebhookDelivery":
		return r.deliveryNode(ctx, key)
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
	case "CustomerAttribute":
		return found(ctx, auth.CustomersRead, func(who auth.Principal) (*customer.Attribute, error) {
			return r.Customers.AttributeByID(ctx, who.CompanyID, n)
		})
	case "Segment":
		return found(ctx, auth.CustomersRead, func(who auth.Principal) (*customer.Segment, error) {
			return r.Customers.SegmentByID(ctx, who.CompanyID, n)
		})
	case "CardType":
		return found(ctx, auth.CardsRead, func(who auth.Principal) (*ledger.CardType, error) {
			return r.Ledger.CardTypeByID(ctx, who.CompanyID, n)
		})
	case "Card":
		return found(ctx, auth.CardsRead, func(who auth.Principal) (*ledger.Card, error) { return r.Ledger.CardByID(ctx, who.CompanyID, n) })
	case "Hold":
		return found(ctx, auth.CardsRead, func(who auth.Principal) (*ledger.Hold, error) { return r.Ledger.HoldByID(ctx, who.CompanyID, n) })
	case "ApiKey":
		return found(ctx, auth.KeysManage, func(who auth.Principal) (*auth.Key, error) { return known(r.Auth.KeyByID(ctx, who.CompanyID, n)) })
	case "Import":
		return found(ctx, auth.ImportsRead, func(who auth.Principal) (*imports.Import, error) { return known(r.Imports.Get(ctx, who.CompanyID, n)) })
	case "Webhook":
		return found(ctx, auth.WebhooksRead, func(who auth.Principal) (*webhook.Webhook, error) {
			return r.Webhooks.ByID(ctx, who.CompanyID, n)
		})
	case "Notification":
		return found(ctx, auth.NotificationsRead, func(who auth.Principal) (*notify.Notification, error) {
			return known(r.Notify.Get(ctx, who.CompanyID, n))
		})
	case "LedgerCheck":
		return found(ctx, auth.ReportsRead, func(who auth.Principal) (*report.LedgerCheck, error) { return r.Reports.Check(ctx, who.CompanyID, n) })
	}
	return r.rewardNode(ctx, kind, n)
}

// rewardNode reads what belongs to coupons, products and rewards.
func (r *Resolver) rewardNode(ctx context.Context, kind string, n uuid.UUID) (model.Node, error) {
	switch kind {
	case "CouponType":
		return found(ctx, auth.CouponsRead, func(who auth.Principal) (*coupon.Type, error) { return r.Coupons.TypeByID(ctx, who.CompanyID, n) })
	case "Coupon":
		return found(ctx, auth.CouponsRead, func(who auth.Principal) (*coupon.Coupon, error) { return r.Coupons.ByID(ctx, who.CompanyID, n) })
	case "CouponBatch":
		return found(ctx, auth.CouponsRead, func(who auth.Principal) (*coupon.Batch, error) {
			return known(r.Coupons.BatchByID(ctx, who.CompanyID, n))
		})
	case "Product":
		return found(ctx, auth.ProductsRead, func(who auth.Principal) (*catalog.Product, error) {
			return r.Catalog.ProductByID(ctx, who.CompanyID, n)
		})
	case "ProductCode":
		return found(ctx, auth.ProductsRead, func(who auth.Principal) (*catalog.Code, error) { return r.Catalog.CodeByID(ctx, who.CompanyID, n) })
	case "Reward":
		return found(ctx, auth.RewardsRead, func(who auth.Principal) (*reward.Reward, error) { return r.Rewards.ByID(ctx, who.CompanyID, n) })
	case "RewardClaim":
		return found(ctx, auth.RewardsRead, func(who auth.Principal) (*reward.Claim, error) {
			return known(r.Rewards.ClaimByID(ctx, who.CompanyID, n))
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
