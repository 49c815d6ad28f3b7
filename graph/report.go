package graph

import (
	"context"
	"math"
	"strconv"

	"github.com/google/uuid"

	"sello/graph/model"
	"sello/loyalty/report"
)

// checkConnection is a page of checks of the books.
func (r *Resolver) checkConnection(ctx context.Context, company uuid.UUID, first *int, after *string) (*model.LedgerCheckConnection, error) {
	n, err := pageSize(first, maxPage)
	if err != nil {
		return nil, err
	}
	before, err := afterID("ledgerChecks", after)
	if err != nil {
		return nil, err
	}
	checks, more, err := r.Reports.Checks(ctx, company, before, n)
	if err != nil {
		return nil, err
	}
	conn := &model.LedgerCheckConnection{Edges: make([]*model.LedgerCheckEdge, len(checks))}
	last := ""
	for i, c := range checks {
		last = cursor("ledgerChecks", c.ID.String())
		conn.Edges[i] = &model.LedgerCheckEdge{Cursor: last, Node: c}
	}
	conn.PageInfo = pageInfo(more, last)
	return conn, nil
}

// findingConnection is a page of what a check of the books found.
func (r *Resolver) findingConnection(ctx context.Context, company uuid.UUID, c *report.LedgerCheck, first *int, after *string) (*model.LedgerFindingConnection, error) {
	n, err := pageSize(first, maxPage)
	if err != nil {
		return nil, err
	}
	number, err := afterNumber("ledgerFindings", after)
	if err != nil {
		return nil, err
	}
	from := or(number, 0)
	if from < 0 || from > math.MaxInt32 {
		return nil, badInput("after is not a cursor of this list")
	}
	page, err := r.Reports.FindingsOf(ctx, company, c, int32(from), n)
	if err != nil {
		return nil, err
	}
	conn := &model.LedgerFindingConnection{Edges: make([]*model.LedgerFindingEdge, len(page.Findings))}
	last := ""
	for i, f := range page.Findings {
		last = cursor("ledgerFindings", strconv.Itoa(int(f.Number)))
		conn.Edges[i] = &model.LedgerFindingEdge{Cursor: last, Node: f}
	}
	conn.PageInfo = pageInfo(page.More, last)
	return conn, nil
}
