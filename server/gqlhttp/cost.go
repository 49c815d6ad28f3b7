package gqlhttp

import (
	"context"
	"errors"

	"github.com/99designs/gqlgen/complexity"
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
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
	requested := c.price(ctx, op)
	op.Stats.SetExtension(costStats, &cost{Requested: requested, Limit: c.limit})
	if requested <= c.limit {
		return nil
	}
	c.refused(ctx, ReasonComplexity)
	return refuse(CodeCostLimitExceeded,
		"The operation costs %d, more than the limit of %d.", requested, c.limit)
}

// price is what an operation costs. Where no variable has a say in it, it is
// reckoned once for a document in the cache; the guard, which comes before, has
// looked that up.
func (c *costLimit) price(ctx context.Context, op *graphql.OperationContext) int {
	own := operationOf(ctx)
	if own != nil && own.verdict.priced {
		return own.verdict.cost
	}
	cost := complexity.Calculate(ctx, c.schema, op.Operation, op.Variables)
	if own != nil {
		own.verdict.cost = cost
		own.verdict.priced = c.fixed(op.Operation.SelectionSet, map[*ast.FragmentDefinition]bool{})
	}
	return cost
}

// ArgumentPricer is a schema that knows which fields' costs depend on arguments.
type ArgumentPricer interface {
	// PricedByArguments says whether the arguments of a field can change what it
	// costs. In doubt they can.
	PricedByArguments(object, field string) bool
}

// fixed says that a selection costs the same whatever the variables are: none of
// them is in the arguments of a field that these can make dearer.
func (c *costLimit) fixed(set ast.SelectionSet, met map[*ast.FragmentDefinition]bool) bool {
	pricer, knows := c.schema.(ArgumentPricer)
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			if holdsVariable(s.Arguments) && (!knows || s.ObjectDefinition.Kind != ast.Object || pricer.PricedByArguments(s.ObjectDefinition.Name, s.Name)) {
				return false
			}
			if !c.fixed(s.SelectionSet, met) {
				return false
			}
		case *ast.InlineFragment:
			if !c.fixed(s.SelectionSet, met) {
				return false
			}
		case *ast.FragmentSpread:
			if s.Definition == nil || met[s.Definition] {
				continue
			}
			met[s.Definition] = true
			if !c.fixed(s.Definition.SelectionSet, met) {
				return false
			}
		}
	}
	return true
}

func holdsVariable(arguments ast.ArgumentList) bool {
	for _, a := range arguments {
		if valueHoldsVariable(a.Value) {
			return true
		}
	}
	return false
}

func valueHoldsVariable(v *ast.Value) bool {
	if v.Kind == ast.Variable {
		return true
	}
	for _, child := range v.Children {
		if valueHoldsVariable(child.Value) {
			return true
		}
	}
	return false
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
