package graph

import (
	"context"
	"strconv"

	"sello/graph/generated"
	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
)

// CardType is the resolver for the cardType field.
func (r *cardResolver) CardType(ctx context.Context, obj *ledger.Card) (*ledger.CardType, error) {
	who, err := auth.Require(ctx, auth.CardsRead)
	if err != nil {
		return nil, err
	}
	return r.Ledger.TypeOf(ctx, who.CompanyID, obj)
}

// Customer is the resolver for the customer field.
func (r *cardResolver) Customer(ctx context.Context, obj *ledger.Card) (*customer.Customer, error) {
	who, err := auth.Require(ctx, auth.CustomersRead)
	if err != nil {
		return nil, err
	}
	return r.Customers.OwnerOf(ctx, who.CompanyID, obj)
}

// Movements is the resolver for the movements field.
func (r *cardResolver) Movements(ctx context.Context, obj *ledger.Card, first *int, after *string) (*model.MovementConnection, error) {
	who, err := auth.Require(ctx, auth.CardsRead)
	if err != nil {
		return nil, err
	}
	n, err := pageSize(first, maxMovements)
	if err != nil {
		return nil, err
	}
	before, err := afterNumber("movements", after)
	if err != nil {
		return nil, err
	}
	page, err := r.Ledger.MovementsOf(ctx, who.CompanyID, obj, before, n)
	if err != nil {
		return nil, err
	}
	conn := &model.MovementConnection{Edges: make([]*model.MovementEdge, len(page.Movements))}
	last := ""
	for i, m := range page.Movements {
		last = cursor("movements", strconv.FormatInt(m.Seq, 10))
		conn.Edges[i] = &model.MovementEdge{Cursor: last, Node: m}
	}
	conn.PageInfo = pageInfo(page.More, last)
	return conn, nil
}

// Cards is the resolver for the cards field.
func (r *cardTypeResolver) Cards(ctx context.Context, obj *ledger.CardType, first *int, after *string, enabledOnly *bool) (*model.CardConnection, error) {
	who, err := auth.Require(ctx, auth.CardsRead)
	if err != nil {
		return nil, err
	}
	n, err := pageSize(first, maxPage)
	if err != nil {
		return nil, err
	}
	from, err := afterRegistered(after)
	if err != nil {
		return nil, err
	}
	cards, more, err := r.Ledger.CardsOfType(ctx, who.CompanyID, obj.ID, from, n, or(enabledOnly, false))
	if err != nil {
		return nil, err
	}
	return cardConnection(cards, more, func(c *ledger.Card) string {
		return cursor("registered", instant(c.RegisteredAt), c.ID.String())
	}), nil
}

// CardTypeCreate is the resolver for the cardTypeCreate field.
func (r *mutationResolver) CardTypeCreate(ctx context.Context, input model.CardTypeCreateInput) (*model.CardTypePayload, error) {
	who, err := auth.Require(ctx, auth.CompanyWrite)
	if err != nil {
		return nil, err
	}
	t, err := r.Ledger.CardTypeCreate(ctx, who, ledger.NewCardType{
		Code: input.Code, Name: input.Name, Unit: input.Unit, Scale: input.Scale, WalletKey: input.WalletKey,
		Percentage: input.AccrualPercentage, Ratio: ratio(input.AccrualRatio), Overdraft: input.Overdraft,
		Rechargeable: or(input.Rechargeable, true), TicketRequired: or(input.TicketRequired, false),
		BirthdateRequired: or(input.BirthdateRequired, false), NotifyWelcome: or(input.NotifyWelcome, true),
		NotifySale: or(input.NotifySale, true), NotifyAdjustment: or(input.NotifyAdjustment, true),
		CustomerURL: or(input.CustomerURL, ""), RedeemURL: or(input.RedeemURL, ""),
	})
	return cardTypePayload(ctx, t, err)
}

// CardTypeUpdate is the resolver for the cardTypeUpdate field.
func (r *mutationResolver) CardTypeUpdate(ctx context.Context, input model.CardTypeUpdateInput) (*model.CardTypePayload, error) {
	who, err := auth.Require(ctx, auth.CompanyWrite)
	if err != nil {
		return nil, err
	}
	t, err := r.Ledger.CardTypeUpdate(ctx, who, input.Code, ledger.CardTypeChange{
		Name: input.Name, Percentage: input.AccrualPercentage, Ratio: ratio(input.AccrualRatio),
		Rechargeable: input.Rechargeable, TicketRequired: input.TicketRequired, BirthdateRequired: input.BirthdateRequired,
		NotifyWelcome: input.NotifyWelcome, NotifySale: input.NotifySale, NotifyAdjustment: input.NotifyAdjustment,
		CustomerURL: input.CustomerURL, RedeemURL: input.RedeemURL, Archived: input.Archived,
	})
	return cardTypePayload(ctx, t, err)
}

// CardCreate is the resolver for the cardCreate field.
func (r *mutationResolver) CardCreate(ctx context.Context, input model.CardCreateInput) (*model.CardPayload, error) {
	who, err := auth.Require(ctx, auth.CardsWrite)
	if err != nil {
		return nil, err
	}
	in := ledger.NewCard{CardTypeCode: input.CardTypeCode, Code: or(input.Code, "")}
	if input.CustomerID != nil {
		id, ok := loyalty.ParseUUID("Customer", *input.CustomerID)
		if !ok {
			return cardPayload(ctx, nil, loyalty.Refuse(loyalty.CodeCustomerNotFound, "customerId"))
		}
		in.CustomerID = &id
	}
	c, err := r.Ledger.CardCreate(ctx, who, in)
	return cardPayload(ctx, c, err)
}

// CardStatusSet is the resolver for the cardStatusSet field.
func (r *mutationResolver) CardStatusSet(ctx context.Context, input model.CardStatusSetInput) (*model.CardPayload, error) {
	who, err := auth.Require(ctx, auth.CardsWrite)
	if err != nil {
		return nil, err
	}
	c, err := r.Ledger.CardStatusSet(ctx, who, input.Code, input.Status)
	return cardPayload(ctx, c, err)
}

// CardTypes is the resolver for the cardTypes field.
func (r *queryResolver) CardTypes(ctx context.Context, first *int, after *string, walletsOnly *bool, withArchived *bool) (*model.CardTypeConnection, error) {
	who, err := auth.Require(ctx, auth.CardsRead)
	if err != nil {
		return nil, err
	}
	n, err := pageSize(first, maxPage)
	if err != nil {
		return nil, err
	}
	from, err := afterID("cardTypes", after)
	if err != nil {
		return nil, err
	}
	types, more, err := r.Ledger.CardTypes(ctx, who.CompanyID, from, n, or(walletsOnly, false), or(withArchived, false))
	if err != nil {
		return nil, err
	}
	conn := &model.CardTypeConnection{Edges: make([]*model.CardTypeEdge, len(types))}
	last := ""
	for i, t := range types {
		last = cursor("cardTypes", t.ID.String())
		conn.Edges[i] = &model.CardTypeEdge{Cursor: last, Node: t}
	}
	conn.PageInfo = pageInfo(more, last)
	return conn, nil
}

// CardType is the resolver for the cardType field.
func (r *queryResolver) CardType(ctx context.Context, code *string, walletKey *string) (*ledger.CardType, error) {
	who, err := auth.Require(ctx, auth.CardsRead)
	if err != nil {
		return nil, err
	}
	switch {
	case code != nil && walletKey == nil:
		return r.Ledger.CardTypeByCode(ctx, who.CompanyID, *code)
	case walletKey != nil && code == nil:
		return r.Ledger.CardTypeByWalletKey(ctx, who.CompanyID, *walletKey)
	}
	return nil, badInput("give either code or walletKey")
}

// Cards is the resolver for the cards field.
func (r *queryResolver) Cards(ctx context.Context, first *int, after *string) (*model.CardConnection, error) {
	who, err := auth.Require(ctx, auth.CardsRead)
	if err != nil {
		return nil, err
	}
	n, err := pageSize(first, maxPage)
	if err != nil {
		return nil, err
	}
	from, err := afterID("cards", after)
	if err != nil {
		return nil, err
	}
	cards, more, err := r.Ledger.Cards(ctx, who.CompanyID, from, n)
	if err != nil {
		return nil, err
	}
	conn := cardConnection(cards, more, func(c *ledger.Card) string { return cursor("cards", c.ID.String()) })
	if selected(ctx, "totalCount") {
		total, err := r.Ledger.CardsCount(ctx, who.CompanyID)
		if err != nil {
			return nil, err
		}
		conn.TotalCount = &total
	}
	return conn, nil
}

// Card is the resolver for the card field.
func (r *queryResolver) Card(ctx context.Context, code *string, walletKey *string, phone *string) (*ledger.Card, error) {
	who, err := auth.Require(ctx, auth.CardsRead)
	if err != nil {
		return nil, err
	}
	switch {
	case code != nil && walletKey == nil && phone == nil:
		return r.Ledger.CardByCode(ctx, who.CompanyID, *code)
	case code == nil && walletKey != nil && phone != nil:
		wallet, err := r.Ledger.CardTypeByWalletKey(ctx, who.CompanyID, *walletKey)
		if err != nil || wallet == nil {
			return nil, err
		}
		return r.Ledger.CardByContact(ctx, who.CompanyID, wallet.ID, *phone)
	}
	return nil, badInput("give either code, or walletKey and phone")
}

// Card returns generated.CardResolver implementation.
func (r *Resolver) Card() generated.CardResolver { return &cardResolver{r} }

// CardType returns generated.CardTypeResolver implementation.
func (r *Resolver) CardType() generated.CardTypeResolver { return &cardTypeResolver{r} }

type cardResolver struct{ *Resolver }
type cardTypeResolver struct{ *Resolver }
