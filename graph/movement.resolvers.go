package graph

import (
	"context"

	"sello/graph/generated"
	"sello/graph/model"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/ledger"
)

// Card is the resolver for the card field.
func (r *movementResolver) Card(ctx context.Context, obj *ledger.Movement) (*ledger.Card, error) {
	who, err := auth.Require(ctx, auth.CardsRead)
	if err != nil {
		return nil, err
	}
	return r.Ledger.CardOf(ctx, who.CompanyID, obj)
}

// Store is the resolver for the store field.
func (r *movementResolver) Store(ctx context.Context, obj *ledger.Movement) (*company.Store, error) {
	who, err := auth.Require(ctx, auth.StaffRead)
	if err != nil {
		return nil, err
	}
	return r.movementStore(ctx, who.CompanyID, obj)
}

// StaffMember is the resolver for the staffMember field.
func (r *movementResolver) StaffMember(ctx context.Context, obj *ledger.Movement) (*company.Staff, error) {
	who, err := auth.Require(ctx, auth.StaffRead)
	if err != nil {
		return nil, err
	}
	return r.movementStaff(ctx, who.CompanyID, obj)
}

// MovementAccrue is the resolver for the movementAccrue field.
func (r *mutationResolver) MovementAccrue(ctx context.Context, input model.MovementAccrueInput) (*model.MovementPayload, error) {
	who, err := auth.Require(ctx, auth.CardsWrite)
	if err != nil {
		return nil, err
	}
	return r.post(ctx, who, input.IdempotencyKey, input.IdempotencyHours, input, ledger.Posting{
		Card: *input.Card, Action: ledger.Accrue, Amount: input.Points, Spent: input.Spent,
		Reference: or(input.Reference, ""), Description: or(input.Description, ""),
		StaffNumber: number(input.StaffNumber), StoreCode: or(input.StoreCode, ""), At: or(input.PostedAt, noTime),
	})
}

// MovementRedeem is the resolver for the movementRedeem field.
func (r *mutationResolver) MovementRedeem(ctx context.Context, input model.MovementRedeemInput) (*model.MovementPayload, error) {
	who, err := auth.Require(ctx, auth.CardsWrite)
	if err != nil {
		return nil, err
	}
	return r.post(ctx, who, input.IdempotencyKey, input.IdempotencyHours, input, ledger.Posting{
		Card: *input.Card, Action: ledger.Redeem, Amount: new(input.Points.Neg()), Spent: input.Spent,
		Reference: or(input.Reference, ""), Description: or(input.Description, ""),
		StaffNumber: number(input.StaffNumber), StoreCode: or(input.StoreCode, ""), At: or(input.PostedAt, noTime),
	})
}

// MovementAdjust is the resolver for the movementAdjust field.
func (r *mutationResolver) MovementAdjust(ctx context.Context, input model.MovementAdjustInput) (*model.MovementPayload, error) {
	who, err := auth.Require(ctx, auth.CardsWrite)
	if err != nil {
		return nil, err
	}
	return r.post(ctx, who, input.IdempotencyKey, input.IdempotencyHours, input, ledger.Posting{
		Card: *input.Card, Action: ledger.Adjust, Amount: &input.Points,
		Reference: or(input.Reference, ""), Description: or(input.Description, ""),
		StaffNumber: number(input.StaffNumber), StoreCode: or(input.StoreCode, ""), At: or(input.PostedAt, noTime),
	})
}

// MovementRecharge is the resolver for the movementRecharge field.
func (r *mutationResolver) MovementRecharge(ctx context.Context, input model.MovementRechargeInput) (*model.MovementPayload, error) {
	who, err := auth.Require(ctx, auth.CardsWrite)
	if err != nil {
		return nil, err
	}
	return r.post(ctx, who, input.IdempotencyKey, input.IdempotencyHours, input, ledger.Posting{
		Card: *input.Card, Action: ledger.Recharge, Amount: &input.Amount,
		Reference: or(input.Reference, ""), Description: or(input.Description, ""),
		StaffNumber: number(input.StaffNumber), StoreCode: or(input.StoreCode, ""), At: or(input.PostedAt, noTime),
	})
}

// MovementPosted is the resolver for the movementPosted field.
func (r *subscriptionResolver) MovementPosted(ctx context.Context, cardCode *string, after *string) (<-chan *model.MovementEvent, error) {
	who, err := auth.Require(ctx, auth.CardsRead)
	if err != nil {
		return nil, err
	}
	return r.followMovements(ctx, who.CompanyID, cardCode, after)
}

// Movement returns generated.MovementResolver implementation.
func (r *Resolver) Movement() generated.MovementResolver { return &movementResolver{r} }

type movementResolver struct{ *Resolver }
