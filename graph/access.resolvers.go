package graph

import (
	"context"

	"sello/graph/generated"
	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Scopes is the resolver for the scopes field.
func (r *apiKeyResolver) Scopes(ctx context.Context, obj *auth.Key) ([]string, error) {
	return scopeNames(obj.Scopes), nil
}

// SessionCreate is the resolver for the sessionCreate field.
func (r *mutationResolver) SessionCreate(ctx context.Context, input model.SessionCreateInput) (*model.SessionPayload, error) {
	address, _ := ctx.Value(addressKey).(string)
	session, err := r.Auth.SignIn(ctx, auth.Credentials{
		Company: input.Company, Email: input.Email, Password: input.Password, Address: address,
	})
	return sessionPayload(ctx, session, err)
}

// SessionRefresh is the resolver for the sessionRefresh field.
func (r *mutationResolver) SessionRefresh(ctx context.Context, input model.SessionRefreshInput) (*model.SessionPayload, error) {
	session, err := r.Auth.Refresh(ctx, input.RefreshToken)
	return sessionPayload(ctx, session, err)
}

// SessionEnd is the resolver for the sessionEnd field.
func (r *mutationResolver) SessionEnd(ctx context.Context) (*model.SessionEndPayload, error) {
	who, ok := auth.From(ctx)
	if !ok {
		return nil, auth.ErrUnauthenticated
	}
	refused, err := userErrors(ctx, r.Auth.End(ctx, who))
	if err != nil {
		return nil, err
	}
	return &model.SessionEndPayload{Ended: len(refused) == 0 && who.Kind == auth.KindOperator, UserErrors: refused}, nil
}

// APIKeyCreate is the resolver for the apiKeyCreate field.
func (r *mutationResolver) APIKeyCreate(ctx context.Context, input model.APIKeyCreateInput) (*model.APIKeyCreatePayload, error) {
	who, err := auth.Require(ctx, auth.KeysManage)
	if err != nil {
		return nil, err
	}
	in := auth.KeyInput{
		Kind: input.Kind, Name: input.Name, Scopes: scopesOf(input.Scopes), ExpiresAt: input.ExpiresAt,
		ContactEmail: or(input.ContactEmail, who.Email),
	}
	key, secret, err := r.Auth.KeyCreate(ctx, who, in)
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	payload := &model.APIKeyCreatePayload{APIKey: key, UserErrors: refused}
	if key != nil {
		payload.Secret = &secret
	}
	return payload, nil
}

// APIKeyRevoke is the resolver for the apiKeyRevoke field.
func (r *mutationResolver) APIKeyRevoke(ctx context.Context, input model.APIKeyRevokeInput) (*model.APIKeyRevokePayload, error) {
	who, err := auth.Require(ctx, auth.KeysManage)
	if err != nil {
		return nil, err
	}
	var key *auth.Key
	id, ok := loyalty.ParseUUID("ApiKey", input.ID)
	if ok {
		key, err = r.Auth.KeyRevoke(ctx, who, id)
	} else {
		err = loyalty.Refuse(loyalty.CodeNotFound, "id")
	}
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.APIKeyRevokePayload{APIKey: key, UserErrors: refused}, nil
}

// OperatorCreate is the resolver for the operatorCreate field.
func (r *mutationResolver) OperatorCreate(ctx context.Context, input model.OperatorCreateInput) (*model.OperatorCreatePayload, error) {
	who, err := auth.Require(ctx, auth.KeysManage)
	if err != nil {
		return nil, err
	}
	operator, err := r.Auth.OperatorCreate(ctx, who, auth.OperatorInput{
		Email: input.Email, Name: input.Name, Password: input.Password, Scopes: scopesOf(input.Scopes),
	})
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	payload := &model.OperatorCreatePayload{UserErrors: refused}
	if operator != nil {
		payload.Email = &operator.Email
	}
	return payload, nil
}

// Viewer is the resolver for the viewer field.
func (r *queryResolver) Viewer(ctx context.Context) (*model.Viewer, error) {
	who, ok := auth.From(ctx)
	if !ok {
		return nil, nil
	}
	viewer := &model.Viewer{Kind: string(who.Kind), Scopes: scopeNames(who.Scopes)}
	if who, err := auth.Require(ctx, auth.CompanyRead); err == nil {
		if viewer.Company, err = r.Resolver.Company.ByID(ctx, who.CompanyID); err != nil {
			return nil, err
		}
	}
	return viewer, nil
}

// APIKeys is the resolver for the apiKeys field.
func (r *queryResolver) APIKeys(ctx context.Context, first *int, after *string) (*model.APIKeyConnection, error) {
	who, err := auth.Require(ctx, auth.KeysManage)
	if err != nil {
		return nil, err
	}
	from, err := afterID("apiKeys", after)
	if err != nil {
		return nil, err
	}
	n, err := pageSize(first, maxPage)
	if err != nil {
		return nil, err
	}
	keys, err := r.Auth.KeyList(ctx, who.CompanyID, from, int32(n)+1)
	if err != nil {
		return nil, err
	}
	conn := &model.APIKeyConnection{Edges: []*model.APIKeyEdge{}}
	last, more := "", len(keys) > n
	for i := range keys[:min(n, len(keys))] {
		last = cursor("apiKeys", keys[i].ID.String())
		conn.Edges = append(conn.Edges, &model.APIKeyEdge{Cursor: last, Node: &keys[i]})
	}
	conn.PageInfo = pageInfo(more, last)
	return conn, nil
}

// ApiKey returns generated.ApiKeyResolver implementation.
func (r *Resolver) ApiKey() generated.ApiKeyResolver { return &apiKeyResolver{r} }

type apiKeyResolver struct{ *Resolver }
