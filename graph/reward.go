package graph

import (
	"context"

	"github.com/google/uuid"

	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/catalog"
	"sello/loyalty/reward"
)

func productPayload(ctx context.Context, p *catalog.Product, err error) (*model.ProductPayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.ProductPayload{Product: p, UserErrors: refused}, nil
}

func productCodePayload(ctx context.Context, c *catalog.Code, err error) (*model.ProductCodePayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.ProductCodePayload{ProductCode: c, UserErrors: refused}, nil
}

func productCodesPayload(ctx context.Context, made *catalog.Made, err error) (*model.ProductCodesPayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	payload := &model.ProductCodesPayload{Rejected: []*catalog.Rejected{}, UserErrors: refused}
	if made != nil {
		payload.LotID, payload.Created, payload.Replayed = new(made.LotGlobalID()), made.Created, made.Replayed
		for i := range made.Rejected {
			payload.Rejected = append(payload.Rejected, &made.Rejected[i])
		}
	}
	return payload, nil
}

func rewardPayload(ctx context.Context, w *reward.Reward, err error) (*model.RewardPayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.RewardPayload{Reward: w, UserErrors: refused}, nil
}

// rewardChange tells days that were left out from those that were given as null.
func rewardChange(in model.RewardUpdateInput) reward.Change {
	change := reward.Change{Name: in.Name, Description: in.Description, Price: in.Price, Status: in.Status}
	change.ValidFrom, change.SetFrom = in.ValidFrom.ValueOK()
	change.ValidUntil, change.SetUntil = in.ValidUntil.ValueOK()
	return change
}

func (r *Resolver) changeClaim(ctx context.Context, who auth.Principal, id string, change func(context.Context, auth.Principal, uuid.UUID) (*reward.Claim, error)) (*model.RewardClaimPayload, error) {
	var c *reward.Claim
	key, ok := loyalty.ParseUUID("RewardClaim", id)
	var err error = loyalty.Refuse(loyalty.CodeRewardClaimNotFound, "id")
	if ok {
		c, err = change(ctx, who, key)
	}
	refused, err := r.told(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.RewardClaimPayload{Claim: c, UserErrors: refused}, nil
}
