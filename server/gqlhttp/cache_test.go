package gqlhttp_test

import (
	"context"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"sello/server/gqlhttp"
)

// spy is an extension that sees which parsed document an operation runs on.
type spy struct{ seen []*ast.QueryDocument }

func (*spy) ExtensionName() string                   { return "Spy" }
func (*spy) Validate(graphql.ExecutableSchema) error { return nil }
func (s *spy) MutateOperationContext(_ context.Context, op *graphql.OperationContext) *gqlerror.Error {
	s.seen = append(s.seen, op.Doc)
	return nil
}

func TestDocumentsAreKeptWhenSmall(t *testing.T) {
	t.Parallel()
	long := "{viewer}#" + strings.Repeat("x", 9<<10)
	for _, tt := range []struct {
		name      string
		documents []string
		parsed    int // different parses seen
	}{
		{"a small one", []string{"{viewer}", "{viewer}", "{viewer}"}, 1},
		{"a long one", []string{long, long}, 2},
		{"more than there is room for", []string{"{viewer}", "{a:viewer}", "{b:viewer}", "{viewer}"}, 4},
		{"the last used stays", []string{"{viewer}", "{a:viewer}", "{viewer}", "{b:viewer}", "{viewer}"}, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &spy{}
			h := newHandler(gqlhttp.Config{Limits: gqlhttp.Limits{CacheEntries: 2}, Extensions: []graphql.HandlerExtension{s}})
			for _, document := range tt.documents {
				serve(h, newPost(`{"query":`+quote(document)+`}`))
			}
			different := map[*ast.QueryDocument]bool{}
			for _, doc := range s.seen {
				different[doc] = true
			}
			if len(s.seen) != len(tt.documents) || len(different) != tt.parsed {
				t.Errorf("%d operations ran on %d parses, want %d on %d", len(s.seen), len(different), len(tt.documents), tt.parsed)
			}
		})
	}
}
