package graph

import (
	"strconv"
	"time"

	"sello/graph/model"
	"sello/loyalty/plan"
)

func planChange(in model.PlanSetInput) plan.Change {
	return plan.Change{
		ContactsLimit: optional(in.ContactsLimit), RedemptionsLimit: optional(in.RedemptionsLimit), MessagePrice: optional(in.MessagePrice),
		PeriodUnit: in.PeriodUnit, PeriodAnchor: in.PeriodAnchor,
	}
}

func messageMovementConnection(list []*plan.Movement, more bool) *model.MessageMovementConnection {
	conn := &model.MessageMovementConnection{Edges: make([]*model.MessageMovementEdge, len(list))}
	last := ""
	for i, m := range list {
		last = cursor("messageMovements", strconv.FormatInt(m.Seq, 10))
		conn.Edges[i] = &model.MessageMovementEdge{Cursor: last, Node: m}
	}
	conn.PageInfo = pageInfo(more, last)
	return conn
}

func planPeriodConnection(list []*plan.Ended, more bool) *model.PlanPeriodConnection {
	conn := &model.PlanPeriodConnection{Edges: make([]*model.PlanPeriodEdge, len(list))}
	last := ""
	for i, p := range list {
		last = cursor("planPeriods", p.StartsOn.Format(time.DateOnly))
		conn.Edges[i] = &model.PlanPeriodEdge{Cursor: last, Node: p}
	}
	conn.PageInfo = pageInfo(more, last)
	return conn
}

// afterDay reads a cursor whose key is a day.
func afterDay(list string, after *string) (*time.Time, error) {
	key, err := parseCursor(list, after, 1)
	if err != nil || key == nil {
		return nil, err
	}
	day, err := time.Parse(time.DateOnly, key[0])
	if err != nil {
		return nil, badInput("after is not a cursor of this list")
	}
	return &day, nil
}
