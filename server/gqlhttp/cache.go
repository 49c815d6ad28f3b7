package gqlhttp

import (
	"container/list"
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// documentCache keeps the parsed documents used last, and what the limits found of
// their operations. The executor offers every document that validates, whatever its
// size and before the guard's second half has seen it, and 200 documents of 1 MiB
// pin 213 MB; so Add does nothing here, and a document is kept only when it is
// small and its operation was let through.
type documentCache struct {
	entries, maxBytes int

	mu    sync.Mutex
	byKey map[string]*list.Element
	used  list.List // of *cached, the last used in front
}

// cached is a document that all limits let through for at least one operation.
type cached struct {
	text string
	doc  *ast.QueryDocument

	mu sync.RWMutex
	// verdicts are those of the operations that were let through, by what the
	// request calls them; at most Limits.Operations, and the empty name.
	verdicts map[string]verdict
}

// verdict is what the limits found of an operation, as far as it is the same for
// every request.
type verdict struct {
	size size
	// cost is its complexity, if priced: no variable has a say in it.
	cost   int
	priced bool
}

// verdict is that of an operation that was let through before, if known. It takes
// nil for a document that is not cached.
func (c *cached) verdict(operation string) (verdict, bool) {
	if c == nil {
		return verdict{}, false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	v, known := c.verdicts[operation]
	return v, known
}

func newDocumentCache(entries, maxBytes int) *documentCache {
	return &documentCache{entries: entries, maxBytes: maxBytes, byKey: map[string]*list.Element{}}
}

// find is the document of a text, nil if it is not here.
func (c *documentCache) find(text string) *cached {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, found := c.byKey[text]
	if !found {
		return nil
	}
	c.used.MoveToFront(at)
	return at.Value.(*cached)
}

// Get implements graphql.Cache. The guard has looked the document up already, if
// there is one.
func (c *documentCache) Get(ctx context.Context, text string) (*ast.QueryDocument, bool) {
	var found *cached
	if op := operationOf(ctx); op != nil {
		found = op.known
	} else {
		found = c.find(text)
	}
	if found == nil {
		return nil, false
	}
	return found.doc, true
}

// Add implements graphql.Cache.
func (*documentCache) Add(context.Context, string, *ast.QueryDocument) {}

// ExtensionName implements graphql.HandlerExtension.
func (*documentCache) ExtensionName() string { return "DocumentCache" }

// Validate implements graphql.HandlerExtension.
func (*documentCache) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationContext keeps the document of an operation that all limits,
// which are registered before it, let through.
func (c *documentCache) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	own := operationOf(ctx)
	if own == nil || len(op.RawQuery) > c.maxBytes {
		return nil
	}
	if own.known == nil {
		own.known = c.keep(op.RawQuery, op.Doc)
	}
	if _, known := own.known.verdict(op.OperationName); !known {
		own.known.mu.Lock()
		own.known.verdicts[op.OperationName] = own.verdict
		own.known.mu.Unlock()
	}
	return nil
}

// keep adds a document, or finds the one that was added meanwhile.
func (c *documentCache) keep(text string, doc *ast.QueryDocument) *cached {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, found := c.byKey[text]; found {
		return at.Value.(*cached)
	}
	kept := &cached{text: text, doc: doc, verdicts: map[string]verdict{}}
	c.byKey[text] = c.used.PushFront(kept)
	if c.used.Len() > c.entries {
		oldest := c.used.Remove(c.used.Back()).(*cached)
		delete(c.byKey, oldest.text)
	}
	return kept
}
