package graph

import (
	"context"
	"fmt"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"

	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
)

func customerPayload(ctx context.Context, c *customer.Customer, err error) (*model.CustomerPayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.CustomerPayload{Customer: c, UserErrors: refused}, nil
}

func mergePayload(ctx context.Context, c *customer.Customer, replayed bool, err error) (*model.CustomerMergePayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.CustomerMergePayload{Customer: c, Replayed: replayed, UserErrors: refused}, nil
}

func erasePayload(ctx context.Context, c *customer.Customer, err error) (*model.CustomerErasePayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.CustomerErasePayload{Customer: c, Erased: len(refused) == 0, UserErrors: refused}, nil
}

func attributePayload(ctx context.Context, a *customer.Attribute, err error) (*model.CustomerAttributePayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.CustomerAttributePayload{Attribute: a, UserErrors: refused}, nil
}

func attributeConnection(list []*customer.Attribute, more bool) *model.CustomerAttributeConnection {
	conn := &model.CustomerAttributeConnection{Edges: make([]*model.CustomerAttributeEdge, len(list))}
	last := ""
	for i, a := range list {
		last = cursor("customerAttributes", a.ID.String())
		conn.Edges[i] = &model.CustomerAttributeEdge{Cursor: last, Node: a}
	}
	conn.PageInfo = pageInfo(more, last)
	return conn
}

// customerChange tells what was left out from what was given as null.
func customerChange(in model.CustomerUpdateInput) customer.Change {
	text := func(o graphql.Omittable[*string]) *string {
		value, set := o.ValueOK()
		if set && value == nil {
			return new("")
		}
		return value
	}
	change := customer.Change{
		Code: text(in.Code), Active: in.IsActive, FirstName: in.FirstName, LastName: text(in.LastName), Email: text(in.Email), Phone: text(in.Phone), Document: text(in.Document),
	}
	change.Birthdate, change.SetBirthdate = in.Birthdate.ValueOK()
	if attributes, set := in.Attributes.ValueOK(); set {
		change.Attributes, change.ClearAttributes = attributes, attributes == nil
	}
	return change
}

// cardsOf reads a page of a customer's cards, and with it those of the batch.
func (r *Resolver) cardsOf(ctx context.Context, company uuid.UUID, c *customer.Customer, after *uuid.UUID, first int) (ledger.CardsPage, error) {
	key := fmt.Sprintf("cards %v %d", after, first)
	if after != nil {
		key = fmt.Sprintf("cards %s %d", after, first)
	}
	return loyalty.Together(c.Batch(), c, key, func(all []*customer.Customer) (map[*customer.Customer]ledger.CardsPage, error) {
		return loyalty.Lookup(all, func(c *customer.Customer) (uuid.UUID, bool) { return c.ID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]ledger.CardsPage, error) {
				return r.Ledger.CardsByCustomers(ctx, company, ids, after, first)
			})
	})
}

func (r *Resolver) listCustomers(ctx context.Context, company uuid.UUID, first int, after *string) (*model.CustomerConnection, error) {
	from, err := afterID("customers", after)
	if err != nil {
		return nil, err
	}
	list, more, err := r.Customers.List(ctx, company, from, first)
	if err != nil {
		return nil, err
	}
	conn := customerConnection("customers", list, more)
	if selected(ctx, "totalCount") {
		total, err := r.Customers.Count(ctx, company)
		if err != nil {
			return nil, err
		}
		conn.TotalCount = &total
	}
	return conn, nil
}

// customersByAttribute lists those who have a value.
func (r *Resolver) customersByAttribute(ctx context.Context, company uuid.UUID, filter model.CustomerAttributeFilter, first int, after *string) (*model.CustomerConnection, error) {
	from, err := afterID("customersByAttribute", after)
	if err != nil {
		return nil, err
	}
	list, more, err := r.Customers.ByAttribute(ctx, company, filter.Code, filter.Value, or(from, uuid.UUID{}), first)
	if err != nil {
		return nil, asked(ctx, err)
	}
	return customerConnection("customersByAttribute", list, more), nil
}

// customerConnection makes a page of customers in the order of their ids.
func customerConnection(name string, list []*customer.Customer, more bool) *model.CustomerConnection {
	conn := &model.CustomerConnection{Edges: make([]*model.CustomerEdge, len(list))}
	last := ""
	for i, c := range list {
		last = cursor(name, c.ID.String())
		conn.Edges[i] = &model.CustomerEdge{Cursor: last, Node: c}
	}
	conn.PageInfo = pageInfo(more, last)
	return conn
}

func (r *Resolver) searchCustomers(ctx context.Context, company uuid.UUID, text string, first int, after *string) (*model.CustomerConnection, error) {
	from, err := afterPlace(after)
	if err != nil {
		return nil, err
	}
	matches, more, err := r.Customers.Search(ctx, company, text, from, first)
	if err != nil {
		return nil, asked(ctx, err)
	}
	conn := &model.CustomerConnection{Edges: make([]*model.CustomerEdge, len(matches))}
	last := ""
	for i, m := range matches {
		last = cursor("customerSearch", strconv.Itoa(int(m.Place.Rank)), m.Place.SortKey, m.Place.ID.String())
		conn.Edges[i] = &model.CustomerEdge{Cursor: last, Node: m.Customer}
	}
	conn.PageInfo = pageInfo(more, last)
	return conn, nil
}

// afterPlace reads a cursor of a customer search.
func afterPlace(after *string) (customer.Place, error) {
	key, err := parseCursor("customerSearch", after, 3)
	if err != nil || key == nil {
		return customer.Place{}, err
	}
	rank, err := strconv.ParseInt(key[0], 10, 32)
	if err != nil {
		return customer.Place{}, badInput("after is not a cursor of this list")
	}
	id, err := uuid.Parse(key[2])
	if err != nil {
		return customer.Place{}, badInput("after is not a cursor of this list")
	}
	return customer.Place{Rank: int32(rank), SortKey: key[1], ID: id}, nil
}
