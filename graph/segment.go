package graph

import (
	"context"

	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/customer"
)

func segmentPayload(ctx context.Context, s *customer.Segment, err error) (*model.SegmentPayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.SegmentPayload{Segment: s, UserErrors: refused}, nil
}

func segmentMembersPayload(ctx context.Context, changed customer.MembersChanged, err error) (*model.SegmentMembersPayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	payload := &model.SegmentMembersPayload{
		Segment: changed.Segment, Results: make([]*customer.MemberResult, len(changed.Results)), UserErrors: refused,
	}
	for i := range changed.Results {
		payload.Results[i] = &changed.Results[i]
	}
	return payload, nil
}

// memberRows reads the customers of an input; a foreign or broken id names nobody.
func memberRows(refs []*model.CustomerRefInput, step customer.Step) ([]customer.MemberRow, error) {
	rows := make([]customer.MemberRow, len(refs))
	for i, ref := range refs {
		if (ref.ID == nil) == (ref.Code == nil) {
			return nil, loyalty.Refuse(loyalty.CodeInvalid, "customers")
		}
		rows[i] = customer.MemberRow{Ref: customer.Ref{Code: or(ref.Code, "")}, Step: step}
		if ref.ID != nil {
			id, _ := loyalty.ParseUUID("Customer", *ref.ID)
			rows[i].Ref.ID = &id
		}
	}
	return rows, nil
}

func segmentConnection(list []*customer.Segment, more bool) *model.SegmentConnection {
	conn := &model.SegmentConnection{Edges: make([]*model.SegmentEdge, len(list))}
	last := ""
	for i, s := range list {
		last = cursor("segments", s.ID.String())
		conn.Edges[i] = &model.SegmentEdge{Cursor: last, Node: s}
	}
	conn.PageInfo = pageInfo(more, last)
	return conn
}

func segmentMemberConnection(page customer.Memberships) *model.SegmentMemberConnection {
	conn := &model.SegmentMemberConnection{Edges: make([]*model.SegmentMemberEdge, len(page.All))}
	last := ""
	for i, m := range page.All {
		last = cursor("segmentMembers", m.Customer.ID.String())
		conn.Edges[i] = &model.SegmentMemberEdge{Cursor: last, AddedAt: m.AddedAt, UpdatedAt: m.UpdatedAt, Node: m.Customer}
	}
	conn.PageInfo = pageInfo(page.More, last)
	return conn
}

func customerSegmentConnection(page customer.Memberships) *model.CustomerSegmentConnection {
	conn := &model.CustomerSegmentConnection{Edges: make([]*model.CustomerSegmentEdge, len(page.All))}
	last := ""
	for i, m := range page.All {
		last = cursor("customerSegments", m.Segment.ID.String())
		conn.Edges[i] = &model.CustomerSegmentEdge{Cursor: last, AddedAt: m.AddedAt, UpdatedAt: m.UpdatedAt, Node: m.Segment}
	}
	conn.PageInfo = pageInfo(page.More, last)
	return conn
}
