package graph

import (
	"github.com/99designs/gqlgen/graphql"

	"sello/graph/generated"
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
	c.Query.Cards = paged
	c.Query.Imports = paged
	c.Query.Notifications = paged
	c.Query.StaffMembers = paged
	c.Query.Stores = paged
	c.Query.CardTypes = func(child int, first *int, _ *string, _, _ *bool) int { return list(child, first) }
	c.Query.Customers = func(child int, _ *string, first *int, _ *string) int { return list(child, first) }
	c.Query.Jobs = func(child int, _ *queue.State, _ *string, first *int, _ *string) int { return list(child, first) }
	c.Customer.Cards = paged
	c.Card.Movements = paged
	c.CardType.Cards = func(child int, first *int, _ *string, _ *bool) int { return list(child, first) }
	c.Import.Errors = paged
	// Rights are as many as there are card types: a handful.
	c.Staff.Rights = func(child int) int { return list(child, new(5)) }
	return generated.NewExecutableSchema(config)
}
