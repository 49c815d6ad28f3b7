package graph

import (
	"context"
	"math"
	"strconv"

	"github.com/google/uuid"

	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/imports"
)

func (r *Resolver) changeImport(ctx context.Context, who auth.Principal, id string, change func(context.Context, auth.Principal, uuid.UUID) (*imports.Import, error)) (*model.ImportPayload, error) {
	var changed *imports.Import
	key, ok := loyalty.ParseUUID("Import", id)
	var err error = loyalty.Refuse(loyalty.CodeImportNotFound, "id")
	if ok {
		changed, err = change(ctx, who, key)
	}
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.ImportPayload{Import: changed, UserErrors: refused}, nil
}

func (r *Resolver) listImports(ctx context.Context, company uuid.UUID, first *int, after *string) (*model.ImportConnection, error) {
	n, err := pageSize(first, maxPage)
	if err != nil {
		return nil, err
	}
	before, err := afterID("imports", after)
	if err != nil {
		return nil, err
	}
	list, err := r.Imports.List(ctx, company, before, nil, n+1)
	if err != nil {
		return nil, err
	}
	conn := &model.ImportConnection{Edges: []*model.ImportEdge{}}
	last := ""
	for _, i := range list[:min(n, len(list))] {
		last = cursor("imports", i.ID.String())
		conn.Edges = append(conn.Edges, &model.ImportEdge{Cursor: last, Node: i})
	}
	conn.PageInfo = pageInfo(len(list) > n, last)
	return conn, nil
}

func (r *Resolver) importErrors(ctx context.Context, company uuid.UUID, i *imports.Import, first *int, after *string) (*model.ImportErrorConnection, error) {
	n, err := pageSize(first, maxPage)
	if err != nil {
		return nil, err
	}
	line, err := afterNumber("importErrors", after)
	if err != nil {
		return nil, err
	}
	from := or(line, 0)
	if from < 0 || from > math.MaxInt32 {
		return nil, badInput("after is not a cursor of this list")
	}
	rows, err := r.Imports.Errors(ctx, company, i.ID, int32(from), n+1)
	if err != nil {
		return nil, err
	}
	conn := &model.ImportErrorConnection{Edges: []*model.ImportErrorEdge{}}
	last := ""
	for k := range rows[:min(n, len(rows))] {
		last = cursor("importErrors", strconv.Itoa(int(rows[k].Line)))
		conn.Edges = append(conn.Edges, &model.ImportErrorEdge{Cursor: last, Node: &rows[k]})
	}
	conn.PageInfo = pageInfo(len(rows) > n, last)
	return conn, nil
}

func (r *Resolver) listNotifications(ctx context.Context, company uuid.UUID, first *int, after *string) (*model.NotificationConnection, error) {
	n, err := pageSize(first, maxPage)
	if err != nil {
		return nil, err
	}
	before, err := afterID("notifications", after)
	if err != nil {
		return nil, err
	}
	list, err := r.Notify.List(ctx, company, before, nil, n+1)
	if err != nil {
		return nil, err
	}
	conn := &model.NotificationConnection{Edges: []*model.NotificationEdge{}}
	last := ""
	for _, m := range list[:min(n, len(list))] {
		last = cursor("notifications", m.ID.String())
		conn.Edges = append(conn.Edges, &model.NotificationEdge{Cursor: last, Node: m})
	}
	conn.PageInfo = pageInfo(len(list) > n, last)
	return conn, nil
}
