package graph

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Codes of top-level errors, in extensions.code: what is not a business refusal.
const (
	codeUnauthenticated = "UNAUTHENTICATED"
	codeForbidden       = "FORBIDDEN"
	codeBadUserInput    = "BAD_USER_INPUT"
	codeThrottled       = "THROTTLED"
	codeUnavailable     = "UNAVAILABLE"
	codeInternal        = "INTERNAL_SERVER_ERROR"
)

type contextKey int

const (
	languageKey contextKey = iota
	requestIDKey
	idempotencyKey
	addressKey
)

// WithLanguage says in which language refusals are told: en, es, pt or vi.
func WithLanguage(ctx context.Context, language string) context.Context {
	return context.WithValue(ctx, languageKey, language)
}

// WithRequestID names the request in errors that the caller may report.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey, id)
}

// RequestID is the request's name, "" outside a request.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey).(string)
	return id
}

// WithIdempotencyKey carries the header Idempotency-Key.
func WithIdempotencyKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, idempotencyKey, key)
}

// WithAddress carries the caller's network address, for throttling sign-ins.
func WithAddress(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, addressKey, address)
}

// userErrors parts refusals, which belong in the payload, from faults. The
// refusal's field is an argument of the operation, which lies below input.
func userErrors(ctx context.Context, err error) ([]*model.UserError, error) {
	if err == nil {
		return []*model.UserError{}, nil
	}
	refusals := loyalty.All(err)
	if len(refusals) == 0 {
		return nil, err
	}
	language, _ := ctx.Value(languageKey).(string)
	all := make([]*model.UserError, len(refusals))
	for i, refused := range refusals {
		e := &model.UserError{
			Code: refused.Code, Message: message(language, refused.Code, refused.Params), Params: []*model.UserErrorParam{},
		}
		if refused.Field != "" {
			e.Field = []string{"input", refused.Field}
		}
		for _, name := range slices.Sorted(maps.Keys(refused.Params)) {
			e.Params = append(e.Params, &model.UserErrorParam{Name: name, Value: refused.Params[name]})
		}
		all[i] = e
	}
	return all, nil
}

// badInput is a mistake in an argument of a query, which has no payload.
func badInput(text string) error { return topLevel(text, codeBadUserInput) }

func topLevel(text, code string) *gqlerror.Error {
	return &gqlerror.Error{Message: text, Extensions: map[string]any{"code": code}}
}

// asked turns a refusal inside a query into a top-level error: its arguments
// were at fault.
func asked(ctx context.Context, err error) error {
	if refused, ok := errors.AsType[*loyalty.Error](err); ok {
		language, _ := ctx.Value(languageKey).(string)
		return topLevel(message(language, refused.Code, refused.Params), codeBadUserInput)
	}
	return err
}

// Present is the one place where errors become words for a GraphQL client:
// sign-in and input errors as they are, faults as a general message with the
// request's id, and logged here once (hardening.md 9).
func Present(ctx context.Context, err error) *gqlerror.Error {
	shown := present(ctx, err)
	if shown.Path == nil {
		if fc := graphql.GetFieldContext(ctx); fc != nil {
			shown.Path = graphql.GetPath(ctx)
		}
	}
	if id := RequestID(ctx); id != "" {
		if shown.Extensions == nil {
			shown.Extensions = map[string]any{}
		}
		shown.Extensions["requestId"] = id
	}
	return shown
}

func present(ctx context.Context, err error) *gqlerror.Error {
	if e, ok := errors.AsType[*auth.ForbiddenError](err); ok {
		return topLevel("the credential lacks the scope "+string(e.Scope), codeForbidden)
	}
	if e, ok := errors.AsType[*auth.ThrottledError](err); ok {
		shown := topLevel("too many attempts, try again later", codeThrottled)
		shown.Extensions["retryAfterSeconds"] = int(e.RetryAfter.Seconds()) + 1
		return shown
	}
	switch {
	case errors.Is(err, auth.ErrUnauthenticated):
		return topLevel("sign in first: send a valid access token or API key", codeUnauthenticated)
	case errors.Is(err, auth.ErrBusy):
		return topLevel("too many sign-ins at once, try again", codeUnavailable)
	}
	if e, ok := errors.AsType[*gqlerror.Error](err); ok && e.Err == nil {
		copied := *e
		copied.Extensions = maps.Clone(e.Extensions)
		return &copied
	}
	if errors.Is(err, context.DeadlineExceeded) {
		slog.WarnContext(ctx, "graphql operation timed out", "error", err)
		return topLevel("the operation took too long", codeUnavailable)
	}
	if errors.Is(err, context.Canceled) {
		return topLevel("the request was cancelled", codeUnavailable)
	}
	slog.ErrorContext(ctx, "graphql field failed", "error", err)
	return topLevel("something went wrong on our side; nothing of this operation's own change was kept", codeInternal)
}
