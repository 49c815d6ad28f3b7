package gqlhttp

import (
	"context"
	"math"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// MutateOperationContext refuses an operation by its size with all fragments
// expanded. Each fragment is measured once, so that fragments which double each
// other cost no more than they are long; gqlgen's own complexity walk, which
// comes next, has no such memory. It also applies the caller's right to
// introspect.
func (g *guard) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	total := g.measure(ctx, op)
	var over *excess
	switch l := g.limits; {
	case total.fields > l.Fields:
		over = &excess{ReasonFields, "fields when its fragments are expanded", l.Fields}
	case total.depth > l.Depth:
		over = &excess{ReasonDepth, "nested levels", l.Depth}
	case total.aliases > l.Aliases:
		over = &excess{ReasonAliases, "aliases when its fragments are expanded", l.Aliases}
	case op.Operation.Operation == ast.Mutation && total.roots > l.MutationFields:
		over = &excess{ReasonMutationFields, "fields at the root of a mutation", l.MutationFields}
	}
	if over != nil {
		g.refused(ctx, over.reason)
		return over.refusal()
	}

	op.DisableIntrospection = g.introspection == nil || !g.introspection(ctx)
	if op.DisableIntrospection && total.introspects {
		g.refused(ctx, ReasonIntrospection)
		return refuse(CodeIntrospectionDisabled, "The schema cannot be read here.")
	}
	return nil
}

// measure sizes an operation, once for a document in the cache.
func (g *guard) measure(ctx context.Context, op *graphql.OperationContext) size {
	own := operationOf(ctx)
	if own != nil {
		var known bool
		if own.verdict, known = own.known.verdict(op.OperationName); known {
			return own.verdict.size
		}
	}
	m := measurer{fragments: map[*ast.FragmentDefinition]*size{}}
	total := m.selections(op.Operation.SelectionSet)
	if own != nil {
		own.verdict = verdict{size: total}
	}
	return total
}

// size is what a selection set comes to with its fragments expanded.
type size struct {
	fields  int // all fields; saturates instead of overflowing
	aliases int
	roots   int // fields of the set itself
	depth   int // nested sets, this one included
	// introspects says that __schema or __type is below, whose depth the
	// validator holds by a rule of its own (the standard introspection query is
	// deeper than Limits.Depth).
	introspects bool
}

func (s *size) add(o size) {
	s.fields = saturate(s.fields, o.fields)
	s.aliases = saturate(s.aliases, o.aliases)
	s.roots = saturate(s.roots, o.roots)
	s.depth = max(s.depth, o.depth)
	s.introspects = s.introspects || o.introspects
}

func saturate(a, b int) int {
	if a > math.MaxInt32-b {
		return math.MaxInt32
	}
	return a + b
}

type measurer struct {
	// fragments has an empty size for the one that is being measured: validation
	// refuses cycles, and this would not follow one either.
	fragments map[*ast.FragmentDefinition]*size
}

func (m measurer) selections(set ast.SelectionSet) size {
	total := size{depth: min(1, len(set))}
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			total.add(m.field(s))
		case *ast.InlineFragment:
			total.add(m.selections(s.SelectionSet))
		case *ast.FragmentSpread:
			total.add(m.fragment(s.Definition))
		}
	}
	return total
}

func (m measurer) field(f *ast.Field) size {
	below := m.selections(f.SelectionSet)
	own := size{
		fields:      saturate(1, below.fields),
		aliases:     below.aliases,
		roots:       1,
		depth:       below.depth + 1,
		introspects: below.introspects,
	}
	if f.Alias != f.Name {
		own.aliases = saturate(own.aliases, 1)
	}
	if f.Name == "__schema" || f.Name == "__type" {
		own.introspects, own.depth = true, 1
	}
	return own
}

func (m measurer) fragment(def *ast.FragmentDefinition) size {
	if def == nil {
		return size{}
	}
	known, measured := m.fragments[def]
	if !measured {
		known = &size{}
		m.fragments[def] = known
		*known = m.selections(def.SelectionSet)
	}
	return *known
}
