package gqlhttp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// The values of Operation.Transport.
const (
	transportHTTP      = "http"
	transportEvents    = "sse"
	transportWebsocket = "websocket"
)

// operation is one operation from its arrival to its outcome, whatever carries it.
type operation struct {
	h         *Handler
	transport string
	start     time.Time
	name      string
	persisted bool
	context   *graphql.OperationContext
	errors    atomic.Int32 // presented for the current response
	// known is the document where it is in the cache, verdict what the limits found
	// of this operation.
	known   *cached
	verdict verdict
}

type operationKey struct{}

// operationOf returns the operation that a context belongs to, or nil.
func operationOf(ctx context.Context) *operation {
	op, _ := ctx.Value(operationKey{}).(*operation)
	return op
}

// prepare reads the parameters of a request and has gqlgen parse, validate and
// measure the document. The errors, if any, are presented and trimmed; the
// returned context is the operation's either way.
func (h *Handler) prepare(
	ctx context.Context, transport string, object map[string]any, headers http.Header,
) (context.Context, *operation, gqlerror.List) {
	op := &operation{h: h, transport: transport, start: graphql.Now()}
	ctx = graphql.StartOperationTrace(context.WithValue(ctx, operationKey{}, op))

	params, err := h.params(ctx, op, object)
	if err != nil {
		return ctx, op, op.refuse(ctx, gqlerror.List{err})
	}
	params.Headers = headers
	params.ReadTime = graphql.TraceTiming{Start: op.start, End: graphql.Now()}
	opCtx, errs := h.exec.CreateOperationContext(ctx, params)
	op.context = opCtx
	ctx = graphql.WithOperationContext(ctx, opCtx)
	if len(errs) > 0 {
		return ctx, op, op.refuse(ctx, errs)
	}
	return ctx, op, nil
}

// refuse presents the errors of an operation that will not run.
func (op *operation) refuse(ctx context.Context, errs gqlerror.List) gqlerror.List {
	shown := make(gqlerror.List, 0, min(len(errs), op.h.limits.Errors))
	for _, err := range errs[:min(len(errs), op.h.limits.Errors)] {
		shown = append(shown, op.h.present(ctx, err))
	}
	op.finish(ctx, OutcomeRefused)
	return op.h.trim(shown)
}

// params takes the parameters out of a request object and puts a known
// document in the place of its id. Unknown members are left alone, as the
// specification asks.
func (h *Handler) params(ctx context.Context, op *operation, object map[string]any) (*graphql.RawParams, *gqlerror.Error) {
	params := &graphql.RawParams{}
	var id string
	var err error
	params.Query, err = member[string](object, "query", err)
	params.OperationName, err = member[string](object, "operationName", err)
	params.Variables, err = member[map[string]any](object, "variables", err)
	params.Extensions, err = member[map[string]any](object, "extensions", err)
	id, err = member[string](object, "documentId", err)
	if err != nil {
		h.countRefused(ctx, ReasonRequest)
		return nil, refuse(CodeBadRequest, "%s", err.Error())
	}
	op.name = params.OperationName

	if id != "" && params.Query != "" {
		h.countRefused(ctx, ReasonRequest)
		return nil, refuse(CodeBadRequest, "Send either a query or a documentId.")
	}
	if apq, isObject := params.Extensions["persistedQuery"].(map[string]any); isObject && id == "" {
		id, _ = apq["sha256Hash"].(string)
		if params.Query != "" {
			sum := sha256.Sum256([]byte(params.Query))
			if id != hex.EncodeToString(sum[:]) {
				h.countRefused(ctx, ReasonRequest)
				return nil, refuse(CodeBadRequest, "The hash is not the query's.")
			}
			id = ""
		}
	}
	if id != "" {
		text, known := h.persisted.byID[trimHash(id)]
		if !known {
			h.countRefused(ctx, ReasonDocument)
			return nil, refuse(CodeDocumentNotFound, "PersistedQueryNotFound")
		}
		params.Query = text
	}
	if params.Query == "" {
		h.countRefused(ctx, ReasonRequest)
		return nil, refuse(CodeBadRequest, "There is no query.")
	}
	op.persisted = h.persisted.known(params.Query)
	if !op.persisted && h.cfg.OnlyPersisted != nil && h.cfg.OnlyPersisted(ctx) {
		h.countRefused(ctx, ReasonDocument)
		return nil, refuse(CodeDocumentNotAllowed, "Only known documents may be run here.")
	}
	return params, nil
}

// member takes one member of a request object; absent and null are its zero
// value. An earlier error goes through.
func member[T any](object map[string]any, name string, earlier error) (T, error) {
	var zero T
	value, present := object[name]
	if earlier != nil || !present || value == nil {
		return zero, earlier
	}
	typed, fits := value.(T)
	if !fits {
		return zero, errors.New("The parameter " + name + " has the wrong type.")
	}
	return typed, nil
}

// timed puts the operation's deadline on a context; subscriptions have none.
func (op *operation) timed(ctx context.Context) (context.Context, context.CancelFunc) {
	if op.context.Operation.Operation == ast.Subscription {
		return context.WithCancel(ctx)
	}
	limit := op.h.limits.OperationTime
	if op.h.cfg.OperationTime != nil {
		if own := op.h.cfg.OperationTime(ctx, op.context); own > 0 {
			limit = own
		}
	}
	return context.WithTimeoutCause(ctx, limit, ErrOperationTime)
}

// responses runs the operation and calls yield for each answer until it
// returns false. A subscription whose source did not start, and an operation
// whose time was over before it gave an answer, yield nothing: their errors are
// returned.
func (op *operation) responses(ctx context.Context, yield func(*graphql.Response) bool) gqlerror.List {
	ctx, cancel := op.timed(ctx)
	defer cancel()
	outcome := OutcomeOK
	defer func() { op.finish(ctx, outcome) }()

	subscribes := op.context.Operation.Operation == ast.Subscription
	if hook := op.h.cfg.Hooks.Subscriptions; hook != nil && subscribes {
		hook(1)
		defer hook(-1)
	}
	next, ctx := op.h.exec.DispatchOperation(ctx, op.context)
	for first := true; ; first = false {
		op.errors.Store(0)
		response := next(ctx)
		timeout := errors.Is(context.Cause(ctx), ErrOperationTime)
		switch {
		case timeout:
			outcome = OutcomeTimeout
		case response != nil && len(response.Errors) > 0:
			outcome = OutcomeErrors
		}
		if response == nil {
			if first && timeout {
				return gqlerror.List{op.h.present(ctx, refuse(CodeTimeout, "The operation took too long."))}
			}
			return nil
		}
		response.Errors = op.h.trim(response.Errors)
		if first && subscribes && response.Data == nil && len(response.Errors) > 0 {
			outcome = OutcomeRefused
			return response.Errors
		}
		if c := costOf(op.context); c != nil {
			if response.Extensions == nil {
				response.Extensions = map[string]any{}
			}
			response.Extensions["cost"] = c
		}
		if !yield(response) {
			return nil
		}
	}
}

// finish reports the operation.
func (op *operation) finish(ctx context.Context, outcome string) {
	if op.h.cfg.Hooks.Operation == nil {
		return
	}
	done := Operation{
		Name:      op.name,
		Persisted: op.persisted,
		Transport: op.transport,
		Outcome:   outcome,
		Duration:  graphql.Now().Sub(op.start),
	}
	if op.context != nil && op.context.Operation != nil {
		done.Kind = string(op.context.Operation.Operation)
	}
	if c := costOf(op.context); c != nil {
		done.Cost = c.Requested
	}
	op.h.cfg.Hooks.Operation(ctx, done)
}
