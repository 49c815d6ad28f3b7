package gqlhttp

import (
	"context"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
)

// Config is what the edge needs to know about its surroundings. The zero value
// works: default limits, no introspection, websockets from the same origin only.
type Config struct {
	// Limits replaces single defaults; a zero field keeps its default.
	Limits Limits

	// Introspection says whether the caller may read the schema. Nil: nobody.
	Introspection func(ctx context.Context) bool

	// PresentError turns an error into what the client sees and logs the faults.
	// Nil shows refusals (*gqlerror.Error without a cause) and hides all else
	// behind INTERNAL. When the operation ran out of time,
	// context.Cause(ctx) is [ErrOperationTime]. The edge adds extensions.requestId.
	PresentError graphql.ErrorPresenterFunc

	// Recover turns a resolver's panic into an error for PresentError. Nil logs
	// the stack, never the value.
	Recover graphql.RecoverFunc

	// RequestID names the request in errors. Nil or "" leaves it out.
	RequestID func(ctx context.Context) string

	// Origins are further origins, as scheme://host[:port], that may open
	// websockets and send requests with a cookie; the server's own always may.
	Origins []string

	// UsesCookie says whether a request is signed in by a cookie, which a browser
	// sends without being asked; such requests must prove where they come from.
	// Nil takes every request with a Cookie header and no Authorization header.
	UsesCookie func(r *http.Request) bool

	// InitFunc signs a websocket in from the payload of its connection_init
	// message (nil when it has none). The context is the handshake's; the one
	// returned, which must derive from it, is the connection's. An error closes with 4403; its text stays here.
	InitFunc func(ctx context.Context, payload map[string]any) (context.Context, error)

	// Recheck looks again at the credential of an open websocket or event stream,
	// every Limits.RecheckEvery. An error closes it (websocket: 4403).
	Recheck func(ctx context.Context) error

	// ConnectionKey names the principal whose open websockets and event streams
	// are counted together. Nil or "" counts nothing.
	ConnectionKey func(ctx context.Context) string

	// OperationTime overrides Limits.OperationTime for one operation; reports
	// need longer. Zero or less keeps the default.
	OperationTime func(ctx context.Context, op *graphql.OperationContext) time.Duration

	// PersistedDocuments are the known documents: id → text. Clients name them as
	// documentId ("sha256:" in front is ignored) or as
	// extensions.persistedQuery.sha256Hash. Nothing is ever added at run time.
	PersistedDocuments map[string]string

	// OnlyPersisted says that the caller may run known documents only. Nil: nobody
	// is held to them.
	OnlyPersisted func(ctx context.Context) bool

	// Extensions run inside the limits, in this order: loaders, traces, counters.
	Extensions []graphql.HandlerExtension

	// Hooks feed metrics.
	Hooks Hooks
}

// Hooks are called on the request's goroutine and must not block. Nil fields
// are skipped.
type Hooks struct {
	// Refused counts documents and requests turned away, by a reason from a closed
	// list (the Reason… constants).
	Refused func(ctx context.Context, reason string)
	// Operation reports an operation when it is over.
	Operation func(ctx context.Context, op Operation)
	// Subscriptions follows the number of running subscriptions: +1, -1.
	Subscriptions func(delta int)
	// Connections follows the number of open websockets and event streams: +1, -1.
	Connections func(delta int)
}

// Operation is one finished operation.
type Operation struct {
	// Name is the client's. It is unbounded: use it as a metric's label only when
	// Persisted is true.
	Name string
	// Persisted says that the document is one of Config.PersistedDocuments.
	Persisted bool
	// Kind is query, mutation or subscription; empty when the document was refused.
	Kind string
	// Transport is http, sse or websocket.
	Transport string
	// Outcome is ok, errors (some fields failed), refused (did not run) or timeout.
	Outcome string
	// Cost is what the complexity came to; zero when it was not reached.
	Cost int
	// Duration counts from the arrival of the request.
	Duration time.Duration
}

// The outcomes of an [Operation].
const (
	OutcomeOK      = "ok"
	OutcomeErrors  = "errors"
	OutcomeRefused = "refused"
	OutcomeTimeout = "timeout"
)
