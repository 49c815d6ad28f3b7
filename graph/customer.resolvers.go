package graph

import (
	"context"

	"sello/graph/generated"
	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
)

// Cards is the resolver for the cards field.
func (r *customerResolver) Cards(ctx context.Context, obj *customer.Customer, first *int, after *string) (*model.CardConnection, error) {
	who, err := auth.Require(ctx, auth.CardsRead)
	if err != nil {
		return nil, err
	}
	n, err := pageSize(first, maxPage)
	if err != nil {
		return nil, err
	}
	from, err := afterID("customerCards", after)
	if err != nil {
		return nil, err
	}
	page, err := r.cardsOf(ctx, who.CompanyID, obj, from, n)
	if err != nil {
		return nil, err
	}
	return cardConnection(page.Cards, page.More, func(c *ledger.Card) string { return cursor("customerCards", c.ID.String()) }), nil
}

// CustomerCreate is the resolver for the customerCreate field.
func (r *mutationResolver) CustomerCreate(ctx context.Context, input model.CustomerCreateInput) (*model.CustomerPayload, error) {
	who, err := auth.Require(ctx, auth.CustomersWrite)
	if err != nil {
		return nil, err
	}
	c, err := r.Customers.Create(ctx, who, customer.Fields{
		FirstName: input.FirstName, LastName: or(input.LastName, ""), Email: or(input.Email, ""), Phone: or(input.Phone, ""),
		Document: or(input.Document, ""), Birthdate: input.Birthdate, Attributes: input.Attributes,
	})
	return customerPayload(ctx, c, err)
}

// CustomerUpdate is the resolver for the customerUpdate field.
func (r *mutationResolver) CustomerUpdate(ctx context.Context, input model.CustomerUpdateInput) (*model.CustomerPayload, error) {
	who, err := auth.Require(ctx, auth.CustomersWrite)
	if err != nil {
		return nil, err
	}
	id, ok := loyalty.ParseUUID("Customer", input.ID)
	if !ok {
		return customerPayload(ctx, nil, loyalty.Refuse(loyalty.CodeCustomerNotFound, "id"))
	}
	c, err := r.Customers.Update(ctx, who, id, customerChange(input))
	return customerPayload(ctx, c, err)
}

// ContactRegister is the resolver for the contactRegister field.
func (r *mutationResolver) ContactRegister(ctx context.Context, input model.ContactRegisterInput) (*model.ContactRegisterPayload, error) {
	who, err := auth.Require(ctx, auth.CustomersWrite)
	if err != nil {
		return nil, err
	}
	in := customer.Contact{WalletKey: input.WalletKey, Phone: input.Phone, Name: input.Name, Birthdate: input.Birthdate}
	if input.StaffNumber != nil {
		in.StaffNumber = new(int64(*input.StaffNumber))
	}
	card, reopened, err := r.Customers.Register(ctx, who, in)
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.ContactRegisterPayload{Card: card, Reopened: reopened, UserErrors: refused}, nil
}

// Customers is the resolver for the customers field.
func (r *queryResolver) Customers(ctx context.Context, search *string, first *int, after *string) (*model.CustomerConnection, error) {
	who, err := auth.Require(ctx, auth.CustomersRead)
	if err != nil {
		return nil, err
	}
	n, err := pageSize(first, maxPage)
	if err != nil {
		return nil, err
	}
	if search != nil {
		return r.searchCustomers(ctx, who.CompanyID, *search, n, after)
	}
	return r.listCustomers(ctx, who.CompanyID, n, after)
}

// Customer is the resolver for the customer field.
func (r *queryResolver) Customer(ctx context.Context, email *string, document *string, qrCode *string, phone *string) (*customer.Customer, error) {
	who, err := auth.Require(ctx, auth.CustomersRead)
	if err != nil {
		return nil, err
	}
	given := 0
	for _, key := range []*string{email, document, qrCode, phone} {
		if key != nil {
			given++
		}
	}
	if given != 1 {
		return nil, badInput("give exactly one of email, document, qrCode and phone")
	}
	switch {
	case email != nil:
		return r.Resolver.Customers.ByEmail(ctx, who.CompanyID, *email)
	case document != nil:
		return r.Resolver.Customers.ByDocument(ctx, who.CompanyID, *document)
	case qrCode != nil:
		return r.Resolver.Customers.ByQRCode(ctx, who.CompanyID, *qrCode)
	default:
		return r.Resolver.Customers.ByPhone(ctx, who.CompanyID, *phone)
	}
}

// Customer returns generated.CustomerResolver implementation.
func (r *Resolver) Customer() generated.CustomerResolver { return &customerResolver{r} }

type customerResolver struct{ *Resolver }
