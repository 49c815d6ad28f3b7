package graph

import (
	"context"

	"sello/graph/generated"
	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/imports"
)

// Errors is the resolver for the errors field.
func (r *importResolver) Errors(ctx context.Context, obj *imports.Import, first *int, after *string) (*model.ImportErrorConnection, error) {
	who, err := auth.Require(ctx, auth.ImportsRead)
	if err != nil {
		return nil, err
	}
	return r.importErrors(ctx, who.CompanyID, obj, first, after)
}

// Code is the resolver for the code field.
func (r *importErrorResolver) Code(ctx context.Context, obj *imports.RowError) (string, error) {
	return string(obj.Code), nil
}

// ImportReprocess is the resolver for the importReprocess field.
func (r *mutationResolver) ImportReprocess(ctx context.Context, input model.ImportReprocessInput) (*model.ImportPayload, error) {
	who, err := auth.Require(ctx, auth.ImportsWrite)
	if err != nil {
		return nil, err
	}
	return r.changeImport(ctx, who, input.ID, r.Resolver.Imports.Reprocess)
}

// ImportCancel is the resolver for the importCancel field.
func (r *mutationResolver) ImportCancel(ctx context.Context, input model.ImportCancelInput) (*model.ImportPayload, error) {
	who, err := auth.Require(ctx, auth.ImportsWrite)
	if err != nil {
		return nil, err
	}
	return r.changeImport(ctx, who, input.ID, r.Resolver.Imports.Cancel)
}

// Imports is the resolver for the imports field.
func (r *queryResolver) Imports(ctx context.Context, first *int, after *string) (*model.ImportConnection, error) {
	who, err := auth.Require(ctx, auth.ImportsRead)
	if err != nil {
		return nil, err
	}
	return r.listImports(ctx, who.CompanyID, first, after)
}

// Notifications is the resolver for the notifications field.
func (r *queryResolver) Notifications(ctx context.Context, first *int, after *string) (*model.NotificationConnection, error) {
	who, err := auth.Require(ctx, auth.NotificationsRead)
	if err != nil {
		return nil, err
	}
	return r.listNotifications(ctx, who.CompanyID, first, after)
}

// ImportProgressed is the resolver for the importProgressed field.
func (r *subscriptionResolver) ImportProgressed(ctx context.Context, id string) (<-chan *imports.Import, error) {
	who, err := auth.Require(ctx, auth.ImportsRead)
	if err != nil {
		return nil, err
	}
	key, ok := loyalty.ParseUUID("Import", id)
	if !ok {
		return nil, badInput("there is no import with this id")
	}
	return r.followImport(ctx, who.CompanyID, key)
}

// Import returns generated.ImportResolver implementation.
func (r *Resolver) Import() generated.ImportResolver { return &importResolver{r} }

// ImportError returns generated.ImportErrorResolver implementation.
func (r *Resolver) ImportError() generated.ImportErrorResolver { return &importErrorResolver{r} }

type importResolver struct{ *Resolver }
type importErrorResolver struct{ *Resolver }
