package graph

import (
	"reflect"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"sello/graph/generated"
	"sello/graph/model"
	"sello/loyalty/ledger"
	"sello/loyalty/queue"
)

// NewSchema makes the executable schema of a resolver, with the cost of its
// lists: so many objects as are asked for, each at the cost of its fields. A list
// without `first` costs a default page.
func NewSchema(r *Resolver) graphql.ExecutableSchema {
	config := generated.Config{Resolvers: r}
	c := &config.Complexity
	list := func(child int, first *int) int { return 1 + max(0, min(or(first, defaultPage), maxMovements))*child }
	paged := func(child int, first *int, _ *string) int { return list(child, first) }

	c.Query.APIKeys = paged
	c.Query.Cards = func(child int, first *int, _ *string, _ *ledger.Status, _, _ *string) int { return list(child, first) }
	c.Query.Imports = paged
	c.Query.Notifications = paged
	c.Query.StaffMembers = paged
	c.Query.Stores = paged
	c.Query.CardTypes = func(child int, first *int, _ *string, _, _ *bool) int { return list(child, first) }
	c.Query.Customers = func(child int, _ *string, _ *model.CustomerAttributeFilter, first *int, _ *string) int {
		return list(child, first)
	}
	c.Query.CustomerAttributes = func(child int, _ *bool, first *int, _ *string) int { return list(child, first) }
	c.Query.Segments = func(child int, _ *bool, first *int, _ *string) int { return list(child, first) }
	c.Query.Jobs = func(child int, _ *queue.State, _ *string, first *int, _ *string) int { return list(child, first) }
	c.Customer.Cards = paged
	c.Customer.Segments = paged
	c.Segment.Members = paged
	c.Card.Movements = paged
	c.CardType.Cards = func(child int, first *int, _ *string, _ *bool) int { return list(child, first) }
	c.Import.Errors = paged
	// Rights are as many as there are card types: a handful.
	c.Staff.Rights = func(child int) int { return list(child, new(5)) }
	return schema{generated.Lean(generated.NewExecutableSchema(config)), priced(config.Complexity)}
}

// schema also knows which fields have a cost function, by their spelling.
type schema struct {
	graphql.ExecutableSchema
	priced map[string]bool
}

// PricedByArguments implements gqlhttp.ArgumentPricer: only a cost function sees
// arguments.
func (s schema) PricedByArguments(object, field string) bool {
	return s.priced[spelling(object, field)]
}

func spelling(object, field string) string {
	return strings.ToLower(strings.ReplaceAll(object+"."+field, "_", ""))
}

// priced lists the fields with a cost function. The generated structs spell names
// in Go's way, which differs from GraphQL's in case and underscores only.
func priced(costs generated.ComplexityRoot) map[string]bool {
	found := map[string]bool{}
	for object, fields := range reflect.ValueOf(costs).Fields() {
		for field, function := range fields.Fields() {
			if !function.IsNil() {
				found[spelling(object.Name, field.Name)] = true
			}
		}
	}
	return found
}
