package graph

import (
	"context"

	"sello/graph/model"
	"sello/loyalty/company"
)

func hostPayload(ctx context.Context, h *company.Host, err error) (*model.HostPayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.HostPayload{Host: h, UserErrors: refused}, nil
}
