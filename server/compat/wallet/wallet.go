// Package wallet answers the wallet ("monedero") POS API in its own words
// (spec/wallet.md): eight POST methods that decode a form, call the resolvers
// that GraphQL calls, and encode the documented body. What a till may do is
// decided there; here are only the dialect's parameter checks, codes and texts.
package wallet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/go-chi/chi/v5"

	"sello/graph"
	"sello/loyalty/auth"
	"sello/server/request"
)

// Config is what the shim needs of its surroundings.
type Config struct {
	// Graph's resolvers do the work.
	Graph *graph.Resolver
	// Authenticate is who an apikey stands for. It fails with
	// auth.ErrUnauthenticated where nobody; anything else is a fault.
	Authenticate func(ctx context.Context, key string) (auth.Principal, error)
	// Requests holds each key to a rate; nil for no limit.
	Requests Limiter
	// Log takes the faults; slog.Default() if nil.
	Log *slog.Logger
}

// Limiter holds callers to a rate: server.NewLimiter. OnLimit sets Retry-After
// and answers true for one request too many.
type Limiter interface {
	OnLimit(w http.ResponseWriter, r *http.Request, key string) bool
}

// handler serves the methods; each file beside holds one family of them.
type handler struct {
	graph        *graph.Resolver
	authenticate func(ctx context.Context, key string) (auth.Principal, error)
	requests     Limiter
	log          *slog.Logger
}

// serve is one method behind sign-in and decoding. Its error is the answer of a
// refusal, a sign-in error of the resolvers, or a fault.
type serve func(w http.ResponseWriter, r *http.Request, in form) error

// New serves the paths of spec/wallet.md 3 at the root of the host. A router in
// front hands it /wallet/*, /toolusers/* and /employee/* with their whole path
// (chi: Handle, not Mount); the rest below them is answered here as well.
func New(c Config) http.Handler {
	if c.Graph == nil || c.Authenticate == nil {
		panic("wallet.New: Graph and Authenticate are required")
	}
	h := &handler{graph: c.Graph, authenticate: c.Authenticate, requests: c.Requests, log: c.Log}
	if h.log == nil {
		h.log = slog.Default()
	}
	r := chi.NewRouter()
	r.NotFound(func(w http.ResponseWriter, _ *http.Request) { fail(w, notFound) })
	r.MethodNotAllowed(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", http.MethodPost)
		fail(w, methodNotAllowed)
	})
	r.Post("/toolusers/get", h.method(internalError, internalError, h.toolusersGet))
	r.Post("/wallet/get", h.method(internalError, internalError, h.walletGet))
	r.Post("/wallet/contact/add", h.method(internalError, contactAddFault, h.contactAdd))
	r.Post("/wallet/contact/get", h.method(internalError, internalError, h.contactGet))
	r.Post("/wallet/sale", h.method(internalError, internalError, h.sale))
	r.Post("/wallet/balance/update", h.method(internalError, internalError, h.balanceUpdate))
	r.Post("/employee/add", h.method(employeeFault, employeeAddFault, h.employeeAdd))
	r.Post("/employee/disable", h.method(employeeFault, employeeDisableFault, h.employeeDisable))
	return r
}

// method signs the caller in, before anything else is read, and decodes the
// parameters. early is the answer to a fault before the method began, late to
// one in it (spec/wallet.md 2.3 and 2.4).
func (h *handler) method(early, late answer, serve serve) http.HandlerFunc {
	return func(plain http.ResponseWriter, r *http.Request) {
		w := &writer{ResponseWriter: plain}
		defer func() {
			if v := recover(); v != nil {
				if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(http.ErrAbortHandler) // the server's own way to cut a connection
				}
				h.fault(w, r, late, &panicked{value: v, stack: debug.Stack()})
			}
		}()
		who, err := h.principal(r)
		if err != nil {
			h.refuse(w, r, early, err)
			return
		}
		if h.requests != nil && h.requests.OnLimit(w, r, who.Subject.String()) {
			fail(w, tooManyRequests)
			return
		}
		in, err := readForm(w, r)
		if err != nil {
			h.refuse(w, r, early, err)
			return
		}
		r = r.WithContext(request.SignedIn(r.Context(), who))
		if err := serve(w, r, in); err != nil {
			h.refuse(w, r, late, err)
		}
	}
}

func (h *handler) principal(r *http.Request) (auth.Principal, error) {
	key := strings.TrimSpace(r.Header.Get("apikey"))
	if key == "" {
		return auth.Principal{}, auth.ErrUnauthenticated
	}
	return h.authenticate(r.Context(), key)
}

// refuse answers what kept a method from its success.
func (h *handler) refuse(w *writer, r *http.Request, ifFault answer, err error) {
	if a, ok := errors.AsType[answer](err); ok {
		fail(w, a)
		return
	}
	if errors.Is(err, auth.ErrUnauthenticated) || errors.Is(err, auth.ErrForbidden) {
		fail(w, unauthorized)
		return
	}
	if f, ok := errors.AsType[*fault](err); ok {
		ifFault = f.answer
	}
	h.fault(w, r, ifFault, err)
}

// fault is a failure of ours with an answer of its own.
type fault struct {
	answer answer
	err    error
}

func (f *fault) Error() string { return f.err.Error() }

// Unwrap is what failed.
func (f *fault) Unwrap() error { return f.err }

// fault logs what is ours, once and without the caller's data, and answers. A
// list that has begun cannot become an answer any more: it is cut, so that no
// client takes its part for the whole.
func (h *handler) fault(w *writer, r *http.Request, a answer, err error) {
	ctx := r.Context()
	if p, ok := errors.AsType[*panicked](err); ok {
		h.log.ErrorContext(ctx, "wallet call panicked", "path", r.URL.Path, "error", err, "stack", string(p.stack))
	} else if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		h.log.DebugContext(ctx, "wallet caller went away", "path", r.URL.Path)
	} else {
		h.log.ErrorContext(ctx, "wallet call failed", "path", r.URL.Path, "error", err)
	}
	if w.begun {
		panic(http.ErrAbortHandler)
	}
	fail(w, a)
}

// writer knows whether an answer has begun.
type writer struct {
	http.ResponseWriter
	begun bool
}

// WriteHeader begins the answer.
func (w *writer) WriteHeader(status int) {
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

// Write begins the answer, or goes on with it.
func (w *writer) Write(b []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(b)
}

// Unwrap leaves the connection's own abilities within reach.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// panicked is a panic below a method. Its text names the value's type only: the
// value may hold anything.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %T", p.value) }
