package server

import (
	"maps"
	"net/http"
	"time"
)

// answersOnly is the policy of answers that are no pages; pages set their own.
const answersOnly = "default-src 'none'; frame-ancestors 'none'"

// guards are the headers by which browsers guard an answer. Their values are shared
// by all answers: a header that is set anew gets a value of its own.
var guards = http.Header{
	"Content-Security-Policy":      {answersOnly},
	"X-Content-Type-Options":       {"nosniff"},
	"X-Frame-Options":              {"DENY"},
	"Referrer-Policy":              {"no-referrer"},
	"Cross-Origin-Opener-Policy":   {"same-origin"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Cache-Control":                {"no-store"},
}

// secure sets the guards. Handlers replace what a page of theirs needs otherwise.
func (s *Server) secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		maps.Copy(h, guards)
		if s.https {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// answerTime bounds an answer of a route that says nothing else; streams and
// long files set deadlines of their own, piece by piece.
const answerTime = 30 * time.Second

// deadlines gives each request a write deadline of its own: one for the whole
// listener would cut off event streams and long files.
func deadlines(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// An answer that cannot be timed (a recorder's in a test) is written anyway.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime))
		next.ServeHTTP(w, r)
	})
}
