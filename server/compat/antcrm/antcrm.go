// Package antcrm answers the AntCRM points API in its own words (spec/antcrm.md):
// three paths that read JSON, call the resolvers that GraphQL calls, and encode the
// documented body. Who is meant by a phone, and what a code or a gift is good for, is
// decided there; here are only the dialect's shapes, error names and texts.
package antcrm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"sello/graph"
	"sello/loyalty/auth"
	"sello/server/request"
)

// The paths, at the root of the host (spec/antcrm.md 1).
const (
	HistoryPath    = "/history-point"
	AccumulatePath = "/accumulate"
	RedeemPath     = "/redeem"
)

// Config is what the shim needs of its surroundings.
type Config struct {
	// Graph's resolvers do the work.
	Graph *graph.Resolver
	// Authenticate is who an apikey stands for. It fails with
	// auth.ErrUnauthenticated where nobody; anything else is a fault.
	Authenticate func(ctx context.Context, key string) (auth.Principal, error)
	// Requests holds each key to a rate, Failures each address's wrong keys; nil for
	// no limit.
	Requests, Failures Limiter
	// Log takes the faults; slog.Default() if nil.
	Log *slog.Logger
}

// Limiter holds callers to a rate: server.NewLimiter. OnLimit sets Retry-After
// and answers true for one request too many.
type Limiter interface {
	OnLimit(w http.ResponseWriter, r *http.Request, key string) bool
}

type handler struct {
	Config
	log *slog.Logger
}

// call is one request of somebody who is signed in.
type call struct {
	*http.Request
	who auth.Principal
}

// route is what one path answers to its method. Its error is the answer of a refusal,
// a sign-in error of the resolvers, or a fault.
type route struct {
	method string
	serve  func(w http.ResponseWriter, c call) error
}

// New serves the three paths. A router in front hands it each of them, and what is
// below, with its whole path.
func New(c Config) http.Handler {
	if c.Graph == nil || c.Authenticate == nil {
		panic("antcrm.New: Graph and Authenticate are required")
	}
	h := &handler{Config: c, log: c.Log}
	if h.log == nil {
		h.log = slog.Default()
	}
	routes := map[string]route{
		HistoryPath:    {http.MethodGet, h.history},
		AccumulatePath: {http.MethodPost, h.accumulate},
		RedeemPath:     {http.MethodPost, h.redeem},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(http.ErrAbortHandler) // the server's own way to cut a connection
				}
				h.fault(w, r, &panicked{value: v, stack: debug.Stack()})
			}
		}()
		if err := h.serve(w, r, routes); err != nil {
			h.refuse(w, r, err)
		}
	})
}

// serve signs the caller in before anything else is looked at (spec/antcrm.md 2).
func (h *handler) serve(w http.ResponseWriter, r *http.Request, routes map[string]route) error {
	who, err := h.principal(r)
	if errors.Is(err, auth.ErrUnauthenticated) && h.Failures != nil && h.Failures.OnLimit(w, r, request.From(r.Context()).Address) {
		return rateLimit
	}
	if err != nil {
		return err
	}
	if h.Requests != nil && h.Requests.OnLimit(w, r, who.Subject.String()) {
		return rateLimit
	}
	to, known := routes[r.URL.Path]
	switch {
	case !known:
		return notFound
	case r.Method != to.method:
		w.Header().Set("Allow", to.method)
		return methodNotAllowed
	}
	return to.serve(w, call{r.WithContext(request.SignedIn(r.Context(), who)), who})
}

// principal reads the header apikey, or Authorization's Bearer where there is none.
func (h *handler) principal(r *http.Request) (auth.Principal, error) {
	key := strings.TrimSpace(r.Header.Get("apikey"))
	if scheme, rest, ok := strings.Cut(r.Header.Get("Authorization"), " "); key == "" && ok && strings.EqualFold(scheme, "Bearer") {
		key = strings.TrimSpace(rest)
	}
	if key == "" {
		return auth.Principal{}, auth.ErrUnauthenticated
	}
	return h.Authenticate(r.Context(), key)
}

// refuse answers what kept a call from its success. A key that may do less than a
// path needs is no key to it.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if a, ok := errors.AsType[answer](err); ok {
		fail(w, a)
		return
	}
	if errors.Is(err, auth.ErrUnauthenticated) || errors.Is(err, auth.ErrForbidden) {
		fail(w, unauthorized)
		return
	}
	h.fault(w, r, err)
}

// fault logs what is ours, once and without the caller's data, and answers.
func (h *handler) fault(w http.ResponseWriter, r *http.Request, err error) {
	ctx := r.Context()
	if p, ok := errors.AsType[*panicked](err); ok {
		h.log.ErrorContext(ctx, "antcrm call panicked", "path", r.URL.Path, "error", err, "stack", string(p.stack))
	} else if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		h.log.DebugContext(ctx, "antcrm caller went away", "path", r.URL.Path)
	} else {
		h.log.ErrorContext(ctx, "antcrm call failed", "path", r.URL.Path, "error", err)
	}
	fail(w, internalError)
}

// panicked is a panic below a path. Its text names the value's type only: the value
// may hold anything.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %T", p.value) }
