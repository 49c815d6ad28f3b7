package graph

import (
	"context"
	"strconv"

	"github.com/google/uuid"

	"sello/graph/model"
	"sello/loyalty/phone"
)

func phonesPayload(ctx context.Context, n int, err error) (*model.PhonesPayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	p := &model.PhonesPayload{UserErrors: refused}
	if len(refused) == 0 {
		p.Count = &n
	}
	return p, nil
}

func phoneRanges(given []*model.PhoneRangeInput) []phone.Range {
	all := make([]phone.Range, len(given))
	for i, r := range given {
		all[i] = phone.Range{First: r.First, Last: r.Last, Line: r.Line}
	}
	return all
}

// afterText reads a cursor whose key is a text; "" is the beginning.
func afterText(list string, after *string) (string, error) {
	key, err := parseCursor(list, after, 1)
	if err != nil || key == nil {
		return "", err
	}
	return key[0], nil
}

func (r *Resolver) listBlockedPhones(ctx context.Context, company uuid.UUID, first *int, after *string) (*model.BlockedPhoneConnection, error) {
	n, err := pageSize(first, maxPage)
	if err != nil {
		return nil, err
	}
	from, err := afterText("blockedPhones", after)
	if err != nil {
		return nil, err
	}
	list, more, err := r.Phones.List(ctx, company, from, n)
	if err != nil {
		return nil, err
	}
	conn := &model.BlockedPhoneConnection{Edges: make([]*model.BlockedPhoneEdge, len(list))}
	last := ""
	for i, p := range list {
		last = cursor("blockedPhones", p.Phone)
		conn.Edges[i] = &model.BlockedPhoneEdge{Cursor: last, Node: p}
	}
	conn.PageInfo = pageInfo(more, last)
	return conn, nil
}

func (r *Resolver) listAreaCodes(ctx context.Context, company uuid.UUID, first *int, after *string) (*model.AreaCodeConnection, error) {
	n, err := pageSize(first, maxPage)
	if err != nil {
		return nil, err
	}
	from, err := afterText("areaCodes", after)
	if err != nil {
		return nil, err
	}
	list, more, err := r.Phones.Prefixes(ctx, company, from, n)
	if err != nil {
		return nil, err
	}
	conn := &model.AreaCodeConnection{Edges: make([]*model.AreaCodeEdge, len(list))}
	last := ""
	for i, p := range list {
		last = cursor("areaCodes", p.Prefix)
		conn.Edges[i] = &model.AreaCodeEdge{Cursor: last, Node: p}
	}
	conn.PageInfo = pageInfo(more, last)
	return conn, nil
}

func (r *Resolver) listPhoneRanges(ctx context.Context, company uuid.UUID, first *int, after *string) (*model.PhoneRangeConnection, error) {
	n, err := pageSize(first, maxPage)
	if err != nil {
		return nil, err
	}
	key, err := parseCursor("numberPlan", after, 3)
	if err != nil {
		return nil, err
	}
	var from *phone.Place
	if key != nil {
		var numbers [3]int64
		for i := range numbers {
			if numbers[i], err = strconv.ParseInt(key[i], 10, 64); err != nil || numbers[i] < 0 {
				return nil, badInput("after is not a cursor of this list")
			}
		}
		from = &phone.Place{Width: int16(min(numbers[0], 99)), First: numbers[1], Last: numbers[2]}
	}
	list, more, err := r.Phones.Ranges(ctx, company, from, n)
	if err != nil {
		return nil, err
	}
	conn := &model.PhoneRangeConnection{Edges: make([]*model.PhoneRangeEdge, len(list))}
	last := ""
	for i, p := range list {
		at := p.Place()
		last = cursor("numberPlan", strconv.Itoa(int(at.Width)), strconv.FormatInt(at.First, 10), strconv.FormatInt(at.Last, 10))
		conn.Edges[i] = &model.PhoneRangeEdge{Cursor: last, Node: p}
	}
	conn.PageInfo = pageInfo(more, last)
	return conn, nil
}
