package graph

import (
	"context"
	"strconv"

	"sello/graph/generated"
	"sello/graph/model"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/ledger"
)

// CompanyUpdate is the resolver for the companyUpdate field.
func (r *mutationResolver) CompanyUpdate(ctx context.Context, input model.CompanyUpdateInput) (*model.CompanyUpdatePayload, error) {
	who, err := auth.Require(ctx, auth.CompanyWrite)
	if err != nil {
		return nil, err
	}
	c, err := r.Resolver.Company.Update(ctx, who, company.Change{Name: input.Name, TimeZone: input.TimeZone, Language: input.Language})
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.CompanyUpdatePayload{Company: c, UserErrors: refused}, nil
}

// StoreCreate is the resolver for the storeCreate field.
func (r *mutationResolver) StoreCreate(ctx context.Context, input model.StoreCreateInput) (*model.StorePayload, error) {
	who, err := auth.Require(ctx, auth.CompanyWrite)
	if err != nil {
		return nil, err
	}
	s, err := r.Company.StoreCreate(ctx, who, input.Code, input.Name)
	return storePayload(ctx, s, err)
}

// StoreUpdate is the resolver for the storeUpdate field.
func (r *mutationResolver) StoreUpdate(ctx context.Context, input model.StoreUpdateInput) (*model.StorePayload, error) {
	who, err := auth.Require(ctx, auth.CompanyWrite)
	if err != nil {
		return nil, err
	}
	s, err := r.Company.StoreUpdate(ctx, who, input.Code, input.Name, input.Archived)
	return storePayload(ctx, s, err)
}

// StaffCreate is the resolver for the staffCreate field.
func (r *mutationResolver) StaffCreate(ctx context.Context, input model.StaffCreateInput) (*model.StaffPayload, error) {
	who, err := auth.Require(ctx, auth.StaffWrite)
	if err != nil {
		return nil, err
	}
	m, err := r.Company.StaffCreate(ctx, who, company.NewStaff{
		Name: input.Name, Phone: input.Phone, Role: input.Role, StoreCode: or(input.StoreCode, ""),
		StoreName: or(input.StoreName, ""), Password: input.Password,
	})
	return staffPayload(ctx, m, err)
}

// StaffArchive is the resolver for the staffArchive field.
func (r *mutationResolver) StaffArchive(ctx context.Context, input model.StaffArchiveInput) (*model.StaffPayload, error) {
	who, err := auth.Require(ctx, auth.StaffWrite)
	if err != nil {
		return nil, err
	}
	if (input.Number == nil) == (input.Phone == nil) {
		return nil, badInput("give either number or phone")
	}
	var number *int64
	if input.Number != nil {
		number = new(int64(*input.Number))
	}
	m, err := r.Company.StaffArchive(ctx, who, number, or(input.Phone, ""))
	return staffPayload(ctx, m, err)
}

// StaffRightSet is the resolver for the staffRightSet field.
func (r *mutationResolver) StaffRightSet(ctx context.Context, input model.StaffRightSetInput) (*model.StaffPayload, error) {
	who, err := auth.Require(ctx, auth.StaffWrite)
	if err != nil {
		return nil, err
	}
	m, err := r.Company.StaffRightSet(ctx, who, int64(input.StaffNumber), input.CardTypeCode, company.Rights{
		Accrue: input.Accrue, Redeem: input.Redeem, Adjust: input.Adjust, Removed: or(input.Removed, false),
	})
	return staffPayload(ctx, m, err)
}

// Company is the resolver for the company field.
func (r *queryResolver) Company(ctx context.Context) (*company.Company, error) {
	who, err := auth.Require(ctx, auth.CompanyRead)
	if err != nil {
		return nil, err
	}
	return r.Resolver.Company.ByID(ctx, who.CompanyID)
}

// Stores is the resolver for the stores field.
func (r *queryResolver) Stores(ctx context.Context, first *int, after *string) (*model.StoreConnection, error) {
	who, err := auth.Require(ctx, auth.StaffRead)
	if err != nil {
		return nil, err
	}
	n, err := pageSize(first, maxPage)
	if err != nil {
		return nil, err
	}
	from, err := afterID("stores", after)
	if err != nil {
		return nil, err
	}
	stores, more, err := r.Resolver.Company.Stores(ctx, who.CompanyID, from, n)
	if err != nil {
		return nil, err
	}
	conn := &model.StoreConnection{Edges: make([]*model.StoreEdge, len(stores))}
	last := ""
	for i, s := range stores {
		last = cursor("stores", s.ID.String())
		conn.Edges[i] = &model.StoreEdge{Cursor: last, Node: s}
	}
	conn.PageInfo = pageInfo(more, last)
	return conn, nil
}

// Store is the resolver for the store field.
func (r *queryResolver) Store(ctx context.Context, code string) (*company.Store, error) {
	who, err := auth.Require(ctx, auth.StaffRead)
	if err != nil {
		return nil, err
	}
	return r.Resolver.Company.StoreByCode(ctx, who.CompanyID, code)
}

// StaffMembers is the resolver for the staffMembers field.
func (r *queryResolver) StaffMembers(ctx context.Context, first *int, after *string) (*model.StaffConnection, error) {
	who, err := auth.Require(ctx, auth.StaffRead)
	if err != nil {
		return nil, err
	}
	n, err := pageSize(first, maxPage)
	if err != nil {
		return nil, err
	}
	from, err := afterNumber("staff", after)
	if err != nil {
		return nil, err
	}
	members, more, err := r.Resolver.Company.StaffMembers(ctx, who.CompanyID, or(from, -1), n)
	if err != nil {
		return nil, err
	}
	conn := &model.StaffConnection{Edges: make([]*model.StaffEdge, len(members))}
	last := ""
	for i, m := range members {
		last = cursor("staff", strconv.FormatInt(m.Number, 10))
		conn.Edges[i] = &model.StaffEdge{Cursor: last, Node: m}
	}
	conn.PageInfo = pageInfo(more, last)
	return conn, nil
}

// StaffMember is the resolver for the staffMember field.
func (r *queryResolver) StaffMember(ctx context.Context, number int) (*company.Staff, error) {
	who, err := auth.Require(ctx, auth.StaffRead)
	if err != nil {
		return nil, err
	}
	return r.Resolver.Company.StaffByNumber(ctx, who.CompanyID, int64(number))
}

// Store is the resolver for the store field.
func (r *staffResolver) Store(ctx context.Context, obj *company.Staff) (*company.Store, error) {
	who, err := auth.Require(ctx, auth.StaffRead)
	if err != nil {
		return nil, err
	}
	return r.Company.StoreOf(ctx, who.CompanyID, obj)
}

// Rights is the resolver for the rights field.
func (r *staffResolver) Rights(ctx context.Context, obj *company.Staff) ([]*company.Right, error) {
	who, err := auth.Require(ctx, auth.StaffRead)
	if err != nil {
		return nil, err
	}
	return r.Company.RightsOf(ctx, who.CompanyID, obj)
}

// CardType is the resolver for the cardType field.
func (r *staffRightResolver) CardType(ctx context.Context, obj *company.Right) (*ledger.CardType, error) {
	who, err := auth.Require(ctx, auth.CardsRead)
	if err != nil {
		return nil, err
	}
	return r.rightType(ctx, who.CompanyID, obj)
}

// Staff returns generated.StaffResolver implementation.
func (r *Resolver) Staff() generated.StaffResolver { return &staffResolver{r} }

// StaffRight returns generated.StaffRightResolver implementation.
func (r *Resolver) StaffRight() generated.StaffRightResolver { return &staffRightResolver{r} }

type staffResolver struct{ *Resolver }
type staffRightResolver struct{ *Resolver }
