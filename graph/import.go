package graph

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
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
	keepBatch(ctx, list[:min(n, len(list))])
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
	page, err := r.errorsOf(ctx, company, i, int32(from), n)
	if err != nil {
		return nil, err
	}
	conn := &model.ImportErrorConnection{Edges: make([]*model.ImportErrorEdge, len(page.Errors))}
	last := ""
	for k := range page.Errors {
		last = cursor("importErrors", strconv.Itoa(int(page.Errors[k].Line)))
		conn.Edges[k] = &model.ImportErrorEdge{Cursor: last, Node: &page.Errors[k]}
	}
	conn.PageInfo = pageInfo(page.More, last)
	return conn, nil
}

// errorsOf reads a page of an import's failed rows, and with it those of the
// list that the import stands in.
func (r *Resolver) errorsOf(ctx context.Context, company uuid.UUID, i *imports.Import, from int32, first int) (imports.ErrorsPage, error) {
	key := fmt.Sprintf("errors %d %d", from, first)
	return loyalty.Together(batchOf(ctx), i, key, func(all []*imports.Import) (map[*imports.Import]imports.ErrorsPage, error) {
		return loyalty.Lookup(all, func(i *imports.Import) (uuid.UUID, bool) { return i.ID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]imports.ErrorsPage, error) {
				return r.Imports.ErrorsByImports(ctx, company, ids, from, first)
			})
	})
}

// batchArg names the batch of a list of imports among the arguments of its field:
// no name in GraphQL begins with a blank.
const batchArg = " batch"

// keepBatch keeps the imports of a list for the fields below them. Imports do not
// know which list they were read with, as cards and customers do, so the list's
// own field remembers it, before anything below it runs. Shims have no fields.
func keepBatch(ctx context.Context, list []*imports.Import) {
	if fc := graphql.GetFieldContext(ctx); fc != nil && fc.Args != nil {
		fc.Args[batchArg] = loyalty.NewBatch(list)
	}
}

// batchOf is the list above the field that is being answered; nil where the
// import was read alone.
func batchOf(ctx context.Context) *loyalty.Batch[imports.Import] {
	for fc := graphql.GetFieldContext(ctx); fc != nil; fc = fc.Parent {
		if batch, ok := fc.Args[batchArg].(*loyalty.Batch[imports.Import]); ok {
			return batch
		}
	}
	return nil
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
