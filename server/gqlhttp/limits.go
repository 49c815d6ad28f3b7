package gqlhttp

import (
	"cmp"
	"time"
)

// Limits bound what one request, one document and one connection may cost. A
// zero field means its default, so a limit cannot be switched off by omission.
type Limits struct {
	// BodyBytes bounds a request body, a websocket message and a query string. 64 KiB.
	BodyBytes int64
	// JSONDepth bounds the nesting of a body, variables included. 64.
	JSONDepth int

	// Tokens of a document, comments included. 1,500: validation is quadratic in
	// equal fields (10,000 of them take 9 s), and no document of ours needs 700.
	Tokens int
	// Depth of nested selection sets, fragments expanded. 12; what hangs below
	// __schema and __type is held by the validator's own rule.
	Depth int
	// ValueDepth of nested lists and objects in arguments. 32.
	ValueDepth int
	// SelectionsPerSet counts fields and fragments of one set, inline fragments
	// flattened. 200.
	SelectionsPerSet int
	// SameKeyPerSet counts one response key in one set. 5.
	SameKeyPerSet int
	// RepeatedObjects counts, over the whole document, fields with a selection set
	// whose response key was there before in the same set, inline fragments
	// flattened and the tops of all named fragments taken together. 20: equal
	// blocks are what validation is slowest at, and blocks of equal blocks multiply.
	RepeatedObjects int
	// Aliases of a document, and after expansion of an operation. 200.
	Aliases int
	// Directives of a document. 30.
	Directives int
	// Fragments of a document, named and inline together. 50.
	Fragments int
	// Operations of a document. 10.
	Operations int
	// MutationFields counts the root fields of a mutation, fragments expanded. 10.
	MutationFields int
	// Fields counts all fields of an operation, fragments expanded. 3,000.
	Fields int
	// Complexity of an operation, by the schema's complexity functions. 2,000.
	Complexity int

	// Errors in one answer. 20.
	Errors int
	// MessageBytes of one error's message. 400.
	MessageBytes int

	// OperationTime ends queries and mutations; subscriptions are not timed. 5 s.
	OperationTime time.Duration
	// BodyTime bounds the reading of a body. 10 s.
	BodyTime time.Duration
	// ResponseTime bounds the writing of one plain answer. 30 s.
	ResponseTime time.Duration

	// CacheEntries and CacheDocumentBytes bound the cache of parsed documents. 500
	// documents of at most 8 KiB.
	CacheEntries       int
	CacheDocumentBytes int

	// InitTime is how long a websocket may stay without connection_init. 5 s.
	InitTime time.Duration
	// Subscriptions counts the running operations of one websocket. 20.
	Subscriptions int
	// ConnectionsPerKey counts websockets and event streams of one
	// Config.ConnectionKey. 10.
	ConnectionsPerKey int
	// Connections counts all of them in this process. 20,000.
	Connections int
	// WriteTime bounds the writing of one websocket message or event; a peer that
	// does not read is cut off. 5 s.
	WriteTime time.Duration
	// PingEvery is the pause between pings; a peer that does not answer one before
	// the next is cut off. 20 s.
	PingEvery time.Duration
	// RecheckEvery is the pause between two calls of Config.Recheck. 60 s.
	RecheckEvery time.Duration
}

// withDefaults fills the zero fields.
func (l Limits) withDefaults() Limits {
	l.BodyBytes = cmp.Or(l.BodyBytes, 64<<10)
	l.JSONDepth = cmp.Or(l.JSONDepth, 64)
	l.Tokens = cmp.Or(l.Tokens, 1500)
	l.Depth = cmp.Or(l.Depth, 12)
	l.ValueDepth = cmp.Or(l.ValueDepth, 32)
	l.SelectionsPerSet = cmp.Or(l.SelectionsPerSet, 200)
	l.SameKeyPerSet = cmp.Or(l.SameKeyPerSet, 5)
	l.RepeatedObjects = cmp.Or(l.RepeatedObjects, 20)
	l.Aliases = cmp.Or(l.Aliases, 200)
	l.Directives = cmp.Or(l.Directives, 30)
	l.Fragments = cmp.Or(l.Fragments, 50)
	l.Operations = cmp.Or(l.Operations, 10)
	l.MutationFields = cmp.Or(l.MutationFields, 10)
	l.Fields = cmp.Or(l.Fields, 3000)
	l.Complexity = cmp.Or(l.Complexity, 2000)
	l.Errors = cmp.Or(l.Errors, 20)
	l.MessageBytes = cmp.Or(l.MessageBytes, 400)
	l.OperationTime = cmp.Or(l.OperationTime, 5*time.Second)
	l.BodyTime = cmp.Or(l.BodyTime, 10*time.Second)
	l.ResponseTime = cmp.Or(l.ResponseTime, 30*time.Second)
	l.CacheEntries = cmp.Or(l.CacheEntries, 500)
	l.CacheDocumentBytes = cmp.Or(l.CacheDocumentBytes, 8<<10)
	l.InitTime = cmp.Or(l.InitTime, 5*time.Second)
	l.Subscriptions = cmp.Or(l.Subscriptions, 20)
	l.ConnectionsPerKey = cmp.Or(l.ConnectionsPerKey, 10)
	l.Connections = cmp.Or(l.Connections, 20_000)
	l.WriteTime = cmp.Or(l.WriteTime, 5*time.Second)
	l.PingEvery = cmp.Or(l.PingEvery, 20*time.Second)
	l.RecheckEvery = cmp.Or(l.RecheckEvery, time.Minute)
	return l
}
