package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sello/server"
)

// TestHeaders holds the headers of each kind of answer (hardening.md 3.6, API8).
func TestHeaders(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(c *server.Config) { c.BaseURL = "https://sello.test" })

	const answers = "default-src 'none'; frame-ancestors 'none'"
	common := map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control": "no-store", "Strict-Transport-Security": "max-age=31536000",
		"Content-Security-Policy": answers, "Access-Control-Allow-Origin": "", "Server": "",
	}
	for _, tt := range []struct {
		path   string
		status int
		other  map[string]string
	}{
		{"/livez", 200, nil},
		{"/nothing-here", 404, nil},
		{"/graphql", 400, nil},
		{"/metrics", 401, nil},
		{"/jobs/", 303, nil},
		{"/.well-known/jwks.json", 200, map[string]string{"Cache-Control": "public, max-age=300"}},
		{"/sign-in", 200, map[string]string{"Content-Security-Policy": "default-src 'none'; style-src 'sha256-*'; img-src data:; " +
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"}},
	} {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			got := send(t, plain, http.MethodGet, e.URL+tt.path, "", "Origin", "https://evil.test")
			if got.StatusCode != tt.status {
				t.Errorf("status: got %d, want %d (%s)", got.StatusCode, tt.status, got.body)
			}
			want, have := map[string]string{}, map[string]string{}
			for name, value := range common {
				if other, ok := tt.other[name]; ok {
					value = other
				}
				want[name], have[name] = value, maskHash(got.Header.Get(name))
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
}

// maskHash hides the fingerprint of the style sheet.
func maskHash(policy string) string {
	before, rest, ok := strings.Cut(policy, "'sha256-")
	if !ok {
		return policy
	}
	_, after, _ := strings.Cut(rest, "'")
	return before + "'sha256-*'" + after
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for _, tt := range []struct {
		name, given string
		kept        bool
	}{
		{"decent", "till-7.2026_11-21", true},
		{"none", "", false},
		{"short", "abc", false},
		{"long", strings.Repeat("a", 65), false},
		{"a line break encoded", "abcdefgh%0a", false},
		{"a space", "abcd efgh", false},
	} {
		got := send(t, plain, http.MethodGet, e.URL+"/livez", "", "X-Request-ID", tt.given).Header.Get("X-Request-Id")
		if kept := got == tt.given; kept != tt.kept || len(got) < 8 {
			t.Errorf("%s: got %q for %q, want it kept: %v", tt.name, got, tt.given, tt.kept)
		}
	}
}

// TestAccessLog: one line a request, and nothing in it that a caller could want
// to keep to themselves.
func TestAccessLog(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(c *server.Config) {
		c.Mounts = []server.Mount{{Path: "/boom", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			panic("secret-in-panic")
		})}}
	})
	token := e.token(t, "boss@acme.test")
	before := len(e.log.requests(t))
	send(t, plain, http.MethodPost, e.URL+"/graphql?apikey=secret-in-query", `{"query":"{secret_in_body}"}`,
		"Authorization", "Bearer "+token, "Content-Type", "application/json", "X-Request-Id", "request-1")
	send(t, plain, http.MethodGet, e.URL+"/nothing/secret-in-path", "", "X-Request-Id", "request-2")
	if got := send(t, plain, http.MethodGet, e.URL+"/boom/secret-in-path", "", "X-Request-Id", "request-3"); got.StatusCode != 500 {
		t.Errorf("a panic: got %d, want 500", got.StatusCode)
	}
	waitFor(t, "three lines", func() bool { return len(e.log.requests(t)) == before+3 })

	var got []map[string]any
	for _, line := range e.log.requests(t)[before:] {
		for _, volatile := range []string{"time", "ms", "bytes"} {
			if _, ok := line[volatile]; !ok {
				t.Errorf("no %s in %v", volatile, line)
			}
			delete(line, volatile)
		}
		got = append(got, line)
	}
	want := []map[string]any{
		{"level": "INFO", "msg": "request", "method": "POST", "route": "/graphql", "status": 200.0, "request_id": "request-1", "company_id": e.company.String()},
		{"level": "INFO", "msg": "request", "method": "GET", "route": "none", "status": 404.0, "request_id": "request-2"},
		{"level": "INFO", "msg": "request", "method": "GET", "route": "/boom/*", "status": 500.0, "request_id": "request-3"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	for _, secret := range []string{"secret", token, "boss@", "127.0.0.1"} {
		if strings.Contains(e.log.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, e.log)
		}
	}
}
