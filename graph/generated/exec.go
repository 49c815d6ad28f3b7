// Package generated is what gqlgen makes of the schema, and in this file, which it
// leaves alone, how a request runs on it.
package generated

import (
	"bytes"
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// Lean answers a schema of this package that runs queries and mutations without
// what its generated Exec prepares for each of them and we do not use: a map of
// all input types, for directives that read inputs out of the context (an eighth
// of all memory that a posting took, and more with every type), and a channel for
// @defer, which the guard refuses. Subscriptions go the generated way.
func Lean(schema graphql.ExecutableSchema) graphql.ExecutableSchema {
	return lean{schema.(*executableSchema)}
}

type lean struct{ *executableSchema }

// Exec implements graphql.ExecutableSchema.
func (l lean) Exec(ctx context.Context) graphql.ResponseHandler {
	op := graphql.GetOperationContext(ctx)
	if op.Operation.Operation == ast.Subscription {
		return l.executableSchema.Exec(ctx)
	}
	ec := newExecutionContext(op, l.executableSchema, nil)
	root := ec._Query
	if op.Operation.Operation == ast.Mutation {
		root = ec._Mutation
	}
	done := false
	return func(ctx context.Context) *graphql.Response {
		if done {
			return nil
		}
		done = true
		var data bytes.Buffer
		root(ctx, op.Operation.SelectionSet).MarshalGQL(&data)
		return &graphql.Response{Data: data.Bytes()}
	}
}
