// Package pretii speaks Pretii's REST API word for word (spec/pretii.md): customers are
// created and found, points given and taken, one by one and by files. It decodes, calls
// the resolvers that GraphQL calls, and encodes; rules and arithmetic are theirs, and
// here are only the dialect's shapes, codes and texts.
package pretii

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"sello/graph"
	"sello/loyalty/auth"
	"sello/server/request"
)

// Path is where the API lives: mount the handler there and below.
const Path = "/api/v1"

// Credentials is what the shim takes of auth.Service.
type Credentials interface {
	Authenticate(ctx context.Context, bearer string) (auth.Principal, error)
	KeyAuthenticate(ctx context.Context, key string, kinds ...auth.KeyKind) (auth.Principal, error)
}

// Limiter holds callers to a rate: server.NewLimiter. OnLimit sets Retry-After
// and answers true for one request too many.
type Limiter interface {
	OnLimit(w http.ResponseWriter, r *http.Request, key string) bool
}

// Config is what New needs. Graph, Auth and Company are required.
type Config struct {
	// Graph's resolvers do the work.
	Graph *graph.Resolver
	Auth  Credentials
	// Company is the one that a host names (company.Service.ByHost): zero and known where
	// it names none and the token alone decides, not known where it names one that is not
	// there (spec/pretii.md 2, Tenant).
	Company func(ctx context.Context, host string) (company uuid.UUID, known bool, err error)
	// Requests holds each token to a rate, Failures each address's wrong tokens;
	// nil for no limit.
	Requests, Failures Limiter
	// MaxBytes is the most bytes of a file; 256 MiB if zero (spec/pretii.md 4.2).
	MaxBytes int64
	// SpoolDir holds the files of forms while they are read; the system's if empty.
	SpoolDir string
	// Log takes the faults; slog.Default() if nil.
	Log *slog.Logger
}

// Handler answers Pretii's clients.
type Handler struct {
	cfg    Config
	router chi.Router
}

// New builds the handler.
func New(cfg Config) *Handler {
	if cfg.Graph == nil || cfg.Auth == nil || cfg.Company == nil {
		panic("pretii.New: Graph, Auth and Company are required")
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 256 << 20
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	h := &Handler{cfg: cfg, router: chi.NewRouter()}
	h.router.Use(h.recover, h.signIn)
	h.router.NotFound(func(w http.ResponseWriter, _ *http.Request) { fail(w, notFound) })
	customers, imports := Path+"/clientes", Path+"/importaciones"
	h.handle(customers, methods{http.MethodGet: h.customerSearch, http.MethodPost: h.customerCreate})
	h.handle(customers+"/{cliente}", methods{http.MethodGet: h.customerGet})
	h.handle(customers+"/{cliente}/puntos/asignar", methods{http.MethodPost: h.pointsAssign})
	h.handle(customers+"/{cliente}/puntos/descontar", methods{http.MethodPost: h.pointsDeduct})
	h.handle(imports+"/puntos", methods{http.MethodPost: h.importUpload})
	h.handle(imports+"/{id}", methods{http.MethodGet: h.importGet})
	h.handle(imports+"/{id}/errores.csv", methods{http.MethodGet: h.importErrorFile})
	return h
}

// methods are what one path answers, by method. An error is the answer of a refusal, a
// sign-in error of the resolvers, or a fault.
type methods map[string]func(w http.ResponseWriter, r *http.Request) error

// handle answers a path's methods, and HEAD as GET.
func (h *Handler) handle(path string, m methods) {
	allowed := strings.Join(slices.Sorted(maps.Keys(m)), ", ")
	h.router.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		serve, known := m[method]
		if !known {
			w.Header().Set("Allow", allowed)
			fail(w, methodNotAllowed)
			return
		}
		if err := serve(w, r); err != nil {
			h.refuse(w, r, err)
		}
	})
}

// ServeHTTP implements http.Handler. It expects the request's whole path.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.router.ServeHTTP(w, r) }

// signIn checks host and token, in this order and before the path (spec/pretii.md
// 2 and 2.1). Operators and servers of the company may use the API too.
func (h *Handler) signIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		company, known, err := h.cfg.Company(r.Context(), r.Host)
		switch {
		case err != nil:
			h.fault(w, r, err)
			return
		case !known:
			fail(w, notFound)
			return
		}
		who, err := h.authenticate(r)
		switch {
		case errors.Is(err, auth.ErrUnauthenticated), err == nil && company != uuid.Nil && who.CompanyID != company:
			if h.cfg.Failures != nil && h.cfg.Failures.OnLimit(w, r, request.From(r.Context()).Address) {
				fail(w, tooManyRequests)
				return
			}
			failToken(w)
			return
		case err != nil:
			h.fault(w, r, err)
			return
		case h.cfg.Requests != nil && h.cfg.Requests.OnLimit(w, r, who.Subject.String()):
			fail(w, tooManyRequests)
			return
		}
		next.ServeHTTP(w, r.WithContext(request.SignedIn(r.Context(), who)))
	})
}

// authenticate reads Authorization's Bearer or X-Api-Token. A token that was
// taken over from another system may look like anything, an access token too.
func (h *Handler) authenticate(r *http.Request) (auth.Principal, error) {
	token := r.Header.Get("X-Api-Token")
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, rest, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return auth.Principal{}, auth.ErrUnauthenticated
		}
		token = rest
	}
	if token = strings.TrimSpace(token); token == "" {
		return auth.Principal{}, auth.ErrUnauthenticated
	}
	who, err := h.cfg.Auth.KeyAuthenticate(r.Context(), token, auth.KeyPretii, auth.KeyServer)
	if errors.Is(err, auth.ErrUnauthenticated) && strings.Count(token, ".") == 2 {
		return h.cfg.Auth.Authenticate(r.Context(), token)
	}
	return who, err
}

// refuse answers what kept a request from its success. Somebody who lacks a scope has,
// in this dialect, not the right token.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	f, refused := errors.AsType[failure](err)
	switch {
	case refused:
		failWith(w, f)
	case errors.Is(err, auth.ErrForbidden), errors.Is(err, auth.ErrUnauthenticated):
		failToken(w)
	default:
		h.fault(w, r, err)
	}
}

// fault logs what is ours, once and without the caller's data, and answers.
func (h *Handler) fault(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		h.cfg.Log.DebugContext(r.Context(), "pretii caller went away")
	} else {
		h.cfg.Log.ErrorContext(r.Context(), "pretii request failed", "error", err)
	}
	fail(w, internal)
}

// recover answers a panic as the fault that it is. What it holds may be anything, so that
// the log gets the type of it and where it came from.
func (h *Handler) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(http.ErrAbortHandler) // the server's own way to cut a connection
			}
			h.cfg.Log.ErrorContext(r.Context(), "pretii request panicked", "error", fmt.Sprintf("panic: %T", v), "stack", string(debug.Stack()))
			fail(w, internal)
		}()
		next.ServeHTTP(w, r)
	})
}

// answerTime bounds the writing of one piece of an answer.
const answerTime = 30 * time.Second

// moreTime gives what follows its own write deadline: reading the request may
// have taken longer than the server's.
func moreTime(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime))
}
