package gqlhttp

import (
	"context"
	"errors"

	"github.com/99designs/gqlgen/complexity"
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// costLimit holds operations to Limits.Complexity, by the schema's complexity
// functions. It must come after the guard: gqlgen's walk expands every fragment
// again at each use, so 28 fragments of 1 KiB keep a core busy for minutes.
type costLimit struct {
	schema  graphql.ExecutableSchema
	limit   int
	refused func(ctx context.Context, reason string)
}

// cost is extensions.cost of an answer.
type cost struct {
	// Requested is the complexity of the operation.
	Requested int `json:"requested"`
	// Limit is the complexity an operation may have.
	Limit int `json:"limit"`
}

// costStats is where the cost rides in the operation's statistics.
const costStats = "GraphQLCost"

// ExtensionName implements graphql.HandlerExtension.
func (*costLimit) ExtensionName() string { return "CostLimit" }

// Validate implements graphql.HandlerExtension.
func (c *costLimit) Validate(schema graphql.ExecutableSchema) error {
	if c.limit <= 0 {
		return errors.New("the complexity limit must be positive")
	}
	c.schema = schema
	return nil
}

// MutateOperationContext refuses an operation that costs too much.
func (c *costLimit) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	requested := complexity.Calculate(ctx, c.schema, op.Operation, op.Variables)
	op.Stats.SetExtension(costStats, &cost{Requested: requested, Limit: c.limit})
	if requested <= c.limit {
		return nil
	}
	c.refused(ctx, ReasonComplexity)
	return refuse(CodeCostLimitExceeded,
		"The operation costs %d, more than the limit of %d.", requested, c.limit)
}

// costOf returns what an operation costs, or nil when it was refused before
// that was known.
func costOf(op *graphql.OperationContext) *cost {
	if op == nil {
		return nil
	}
	known, _ := op.Stats.GetExtension(costStats).(*cost)
	return known
}
