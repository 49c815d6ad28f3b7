package gqlhttp

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
)

// Handler serves one schema over HTTP, websockets and server-sent events.
type Handler struct {
	cfg       Config
	limits    Limits
	exec      *executor.Executor
	persisted persisted
	cross     *http.CrossOriginProtection
	origins   map[string]struct{}
	conns     *connections
}

// New builds the handler. It panics when one of cfg.Origins is not an origin,
// which the configuration should have said before.
func New(schema graphql.ExecutableSchema, cfg Config) *Handler {
	h := &Handler{
		cfg:       cfg,
		limits:    cfg.Limits.withDefaults(),
		exec:      executor.New(schema),
		persisted: newPersisted(cfg.PersistedDocuments),
		cross:     http.NewCrossOriginProtection(),
		origins:   map[string]struct{}{},
	}
	h.conns = newConnections(h.limits, cfg.Hooks.Connections)
	if h.cfg.PresentError == nil {
		h.cfg.PresentError = presentDefault
	}
	if h.cfg.UsesCookie == nil {
		h.cfg.UsesCookie = hasCookieOnly
	}
	for _, origin := range cfg.Origins {
		if err := h.cross.AddTrustedOrigin(origin); err != nil {
			panic(fmt.Errorf("gqlhttp: origin %q: %w", origin, err))
		}
		h.origins[strings.ToLower(origin)] = struct{}{}
	}

	h.exec.SetErrorPresenter(h.present)
	h.exec.SetRecoverFunc(recoverQuietly)
	if cfg.Recover != nil {
		h.exec.SetRecoverFunc(cfg.Recover)
	}
	h.exec.SetParserTokenLimit(h.limits.Tokens)
	h.exec.SetDisableSuggestion(true)
	h.exec.SetDefaultRulesFn(validationRules)

	// The order is the protection: see the package comment.
	cache := newDocumentCache(h.limits.CacheEntries, h.limits.CacheDocumentBytes)
	h.exec.SetQueryCache(cache)
	h.exec.Use(&guard{limits: h.limits, introspection: cfg.Introspection, refused: h.countRefused, cache: cache})
	h.exec.Use(&costLimit{limit: h.limits.Complexity, refused: h.countRefused})
	h.exec.Use(cache)
	for _, extension := range cfg.Extensions {
		h.exec.Use(extension)
	}
	return h
}

// Shutdown ends all websockets (1001) and event streams and waits for them, at
// most as long as ctx. Call it before or beside http.Server.Shutdown, which
// does not know websockets and would wait for event streams. New ones are
// refused from then on; plain requests are still served.
func (h *Handler) Shutdown(ctx context.Context) error {
	h.conns.stop()
	select {
	case <-h.conns.empty:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("end the open subscriptions: %w", ctx.Err())
	}
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler { //nolint:errorlint // it is thrown as it is
				panic(v)
			}
			err := recoverQuietly(r.Context(), v)
			h.reject(w, r, mediaJSON, "", h.present(r.Context(), err))
		}
	}()
	if wantsWebsocket(r) {
		h.serveSocket(w, r)
		return
	}
	h.serveHTTP(w, r)
}

// recoverQuietly logs where a panic came from, and not its value, which may
// hold anything.
func recoverQuietly(ctx context.Context, v any) error {
	slog.ErrorContext(ctx, "panic in a graphql operation",
		"type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
	return errPanic
}

// hasCookieOnly is the default of Config.UsesCookie.
func hasCookieOnly(r *http.Request) bool {
	return r.Header.Get("Cookie") != "" && r.Header.Get("Authorization") == ""
}

// crossSite says that a request signed in by a cookie was, or may have been,
// sent by somebody else's page. Such a request must be a POST (links carry
// SameSite=Lax cookies) with Sec-Fetch-Site or Origin: no proof is no.
func (h *Handler) crossSite(r *http.Request) bool {
	switch {
	case !h.cfg.UsesCookie(r):
		return false
	case r.Method != http.MethodPost:
		return true
	case r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "":
		return true
	}
	return h.cross.Check(r) != nil
}

// socketOriginAllowed checks a handshake's Origin against the server's own and
// Config.Origins. Without one it is no browser, and a cookie is refused.
func (h *Handler) socketOriginAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return !h.cfg.UsesCookie(r)
	}
	if _, listed := h.origins[strings.ToLower(origin)]; listed {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}
