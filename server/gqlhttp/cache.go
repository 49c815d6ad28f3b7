package gqlhttp

import (
	"container/list"
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// documentCache keeps the parsed documents used last. The executor offers every
// document that validates, whatever its size and before the guard's second half
// has seen it, and 200 documents of 1 MiB pin 213 MB; so Add does nothing here,
// and a document is kept only when it is small and its operation was let through.
type documentCache struct {
	entries, maxBytes int

	mu    sync.Mutex
	byKey map[string]*list.Element
	used  list.List // of *cached, the last used in front
}

type cached struct {
	text string
	doc  *ast.QueryDocument
}

func newDocumentCache(entries, maxBytes int) *documentCache {
	return &documentCache{entries: entries, maxBytes: maxBytes, byKey: map[string]*list.Element{}}
}

// Get implements graphql.Cache.
func (c *documentCache) Get(_ context.Context, text string) (*ast.QueryDocument, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, found := c.byKey[text]
	if !found {
		return nil, false
	}
	c.used.MoveToFront(at)
	return at.Value.(*cached).doc, true
}

// Add implements graphql.Cache.
func (*documentCache) Add(context.Context, string, *ast.QueryDocument) {}

// ExtensionName implements graphql.HandlerExtension.
func (*documentCache) ExtensionName() string { return "DocumentCache" }

// Validate implements graphql.HandlerExtension.
func (*documentCache) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext keeps the document of an operation that all limits,
// which are registered before it, let through.
func (c *documentCache) MutateOperationContext(_ context.Context, op *graphql.OperationContext) *gqlerror.Error {
	if len(op.RawQuery) > c.maxBytes {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, found := c.byKey[op.RawQuery]; found {
		return nil
	}
	c.byKey[op.RawQuery] = c.used.PushFront(&cached{op.RawQuery, op.Doc})
	if c.used.Len() > c.entries {
		oldest := c.used.Remove(c.used.Back()).(*cached)
		delete(c.byKey, oldest.text)
	}
	return nil
}
