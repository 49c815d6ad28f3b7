package graph

import (
	"context"

	"sello/graph/model"
	"sello/loyalty/auth"
)

func sessionPayload(ctx context.Context, session *auth.Session, err error) (*model.SessionPayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	payload := &model.SessionPayload{UserErrors: refused}
	if session != nil {
		payload.AccessToken, payload.RefreshToken, payload.ExpiresAt = &session.AccessToken, &session.RefreshToken, &session.ExpiresAt
	}
	return payload, nil
}

func scopeNames(scopes []auth.Scope) []string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return names
}

func scopesOf(names []string) []auth.Scope {
	scopes := make([]auth.Scope, len(names))
	for i, n := range names {
		scopes[i] = auth.Scope(n)
	}
	return scopes
}
