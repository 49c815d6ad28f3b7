// Package pretii speaks Pretii's REST API word for word (spec/pretii.md): for now
// the bulk assignment of points by CSV, sections 4.1 to 4.6.
package pretii

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
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

// Imports is what the shim calls of graph.Resolver.
type Imports interface {
	ImportUpload(ctx context.Context, file graph.ImportFile) (imp *graph.Import, repeated bool, err error)
	ImportWithErrors(ctx context.Context, id uuid.UUID) (*graph.Import, []graph.ImportRowError, error)
	ImportErrorFile(ctx context.Context, id uuid.UUID, w io.Writer) error
}

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

// Config is what New needs. Imports and Auth are required.
type Config struct {
	Imports Imports
	Auth    Credentials
	// APIDomain makes the first label of a host below it name the company
	// (spec/pretii.md 2, Tenant): with api.example.com, the host
	// bluepoints.api.example.com is the company bluepoints'. Empty: the token alone
	// decides.
	APIDomain string
	// Company is the id of the company with a code, false if there is none. It is
	// required with APIDomain.
	Company func(ctx context.Context, code string) (uuid.UUID, bool, error)
	// Requests holds each token to a rate, Failures each address's wrong tokens;
	// nil for no limit.
	Requests, Failures Limiter
	// MaxBytes is the most bytes of a file; 256 MiB if zero (spec/pretii.md 4.2).
	MaxBytes int64
	// SpoolDir holds the files of forms while they are read; the system's if empty.
	SpoolDir string
}

// Handler answers Pretii's clients.
type Handler struct {
	cfg    Config
	router chi.Router
}

// New builds the handler.
func New(cfg Config) *Handler {
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 256 << 20
	}
	h := &Handler{cfg: cfg, router: chi.NewRouter()}
	h.router.Use(h.signIn)
	h.router.NotFound(func(w http.ResponseWriter, _ *http.Request) { fail(w, notFound) })
	h.router.HandleFunc(Path+"/importaciones/puntos", only(http.MethodPost, h.importUpload))
	h.router.HandleFunc(Path+"/importaciones/{id}", only(http.MethodGet, h.importGet))
	h.router.HandleFunc(Path+"/importaciones/{id}/errores.csv", only(http.MethodGet, h.importErrorFile))
	return h
}

// ServeHTTP implements http.Handler. It expects the request's whole path.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.router.ServeHTTP(w, r) }

// signIn checks host and token, in this order and before the path (spec/pretii.md
// 2 and 2.1). Operators and servers of the company may use the API too.
func (h *Handler) signIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		company, known, err := h.companyOfHost(r)
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

// companyOfHost is the company that the host names, the zero id where it names
// none; known is false where it names one that is not there.
func (h *Handler) companyOfHost(r *http.Request) (company uuid.UUID, known bool, err error) {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	label, below := strings.CutSuffix(strings.ToLower(host), "."+strings.ToLower(h.cfg.APIDomain))
	if h.cfg.APIDomain == "" || !below {
		return uuid.Nil, true, nil
	}
	return h.cfg.Company(r.Context(), label)
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

// only lets one method through, and HEAD with GET.
func only(method string, handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method && (method != http.MethodGet || r.Method != http.MethodHead) {
			w.Header().Set("Allow", method)
			fail(w, methodNotAllowed)
			return
		}
		handle(w, r)
	}
}

// fault answers what is not the caller's mistake. Somebody who lacks a scope has,
// in this dialect, not the right token.
func (h *Handler) fault(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, auth.ErrForbidden) || errors.Is(err, auth.ErrUnauthenticated) {
		failToken(w)
		return
	}
	slog.ErrorContext(r.Context(), "pretii request failed", "error", err)
	fail(w, internal)
}

// answerTime bounds the writing of one piece of an answer.
const answerTime = 30 * time.Second

// moreTime gives what follows its own write deadline: reading the request may
// have taken longer than the server's.
func moreTime(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime))
}
