package server

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"sello/server/request"
)

// observe counts each request and logs it in one line: what was asked for as a
// route pattern, never a path, query, header or body, which hold keys and names.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		done := s.cfg.Metrics.RequestStarted()
		recorded := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		defer func() {
			took, route, status := time.Since(start), routeOf(r), recorded.Status()
			done(r.Method, route, status, took)
			level := slog.LevelInfo
			if strings.HasSuffix(route, "z") { // /livez, /readyz: every few seconds
				level = slog.LevelDebug
			}
			s.access(r, level, route, status, recorded.BytesWritten(), took)
		}()
		next.ServeHTTP(recorded, r)
	})
}

// access writes the request's line. It goes to the handler without the logger, which
// would look up who calls it each time.
func (s *Server) access(r *http.Request, level slog.Level, route string, status, bytes int, took time.Duration) {
	handler := s.cfg.Log.Handler()
	if !handler.Enabled(r.Context(), level) {
		return
	}
	line := slog.NewRecord(time.Now(), level, "request", 0)
	line.AddAttrs(
		slog.String("method", method(r)), slog.String("route", route), slog.Int("status", status),
		slog.Int("bytes", bytes), slog.Float64("ms", float64(took.Microseconds())/1000))
	_ = handler.Handle(r.Context(), line) // there is nowhere to tell that it failed
}

// routeOf is the pattern of the route that served the request, "none" if no
// route did.
func routeOf(r *http.Request) string {
	if route := request.From(r.Context()).Route(); route != "" {
		return route
	}
	rctx := chi.RouteContext(r.Context())
	if rctx == nil || len(rctx.RoutePatterns) == 0 {
		return "none"
	}
	first, last := rctx.RoutePatterns[0], rctx.RoutePatterns[len(rctx.RoutePatterns)-1]
	if len(rctx.RoutePatterns) > 1 && strings.HasPrefix(last, strings.TrimSuffix(first, "/*")) {
		return last // a router that was mounted with whole paths
	}
	return rctx.RoutePattern()
}

// method is the request's method as far as it is one.
func method(r *http.Request) string {
	if len(r.Method) > 10 {
		return "other"
	}
	return r.Method
}

// recoverPanics turns a panic into an answer. Its value may hold anything, so
// only its type and where it came from are logged.
func (s *Server) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { //nolint:errorlint // it is thrown as it is
				panic(v)
			}
			s.cfg.Log.ErrorContext(r.Context(), "panic in a request",
				"type", fmt.Sprintf("%T", v), "route", routeOf(r), "stack", string(debug.Stack()))
			if recorded, ok := w.(middleware.WrapResponseWriter); ok && recorded.Status() == 0 && r.Header.Get("Upgrade") == "" {
				http.Error(w, "something went wrong on our side", http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}
