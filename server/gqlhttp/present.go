package gqlhttp

import (
	"context"
	"errors"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/vektah/gqlparser/v2/gqlerror"
)

var errPanic = errors.New("gqlhttp: a panic")

// presentDefault shows refusals and hides everything else: gqlgen wraps a
// resolver's plain error into a *gqlerror.Error that carries it as its cause.
func presentDefault(ctx context.Context, err error) *gqlerror.Error {
	shown, isRefusal := errors.AsType[*gqlerror.Error](err)
	if isRefusal && shown.Err == nil {
		return shown
	}
	hidden := refuse(CodeInternal, "Something went wrong on our side.")
	if errors.Is(context.Cause(ctx), ErrOperationTime) {
		hidden = refuse(CodeTimeout, "The operation took too long.")
	}
	if isRefusal {
		hidden.Path, hidden.Locations = shown.Path, shown.Locations
	}
	return hidden
}

// present is the executor's presenter: Config.PresentError, then code and
// request id. What the answer will not hold any more is not presented either,
// so that one document cannot write thousands of log lines.
func (h *Handler) present(ctx context.Context, err error) *gqlerror.Error {
	if op := operationOf(ctx); op != nil && int(op.errors.Add(1)) > h.limits.Errors {
		return &gqlerror.Error{}
	}
	shown := h.cfg.PresentError(ctx, err)
	if shown == nil {
		shown = presentDefault(ctx, errPanic)
	}
	out := *shown
	out.Extensions = maps.Clone(shown.Extensions) // it may be shared
	if out.Extensions == nil {
		out.Extensions = map[string]any{}
	}
	if codeOf(&out) == "" {
		out.Extensions["code"] = CodeInternal
	}
	if h.cfg.RequestID != nil {
		if id := h.cfg.RequestID(ctx); id != "" {
			out.Extensions["requestId"] = id
		}
	}
	return &out
}

// maxLocations bounds the places named in one error.
const maxLocations = 5

// trim cuts a list of errors to what an answer may hold. Messages may quote a
// token of the document, which may be as long as the body.
func (h *Handler) trim(errs gqlerror.List) gqlerror.List {
	errs = errs[:min(len(errs), h.limits.Errors)]
	for i, err := range errs {
		if len(err.Message) <= h.limits.MessageBytes && len(err.Locations) <= maxLocations {
			continue
		}
		cut := *err
		cut.Message = cutText(err.Message, h.limits.MessageBytes)
		cut.Locations = err.Locations[:min(len(err.Locations), maxLocations)]
		errs[i] = &cut
	}
	return errs
}

// cutText shortens text to at most limit bytes and a mark, at a character's edge.
func cutText(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}
