package gqlhttp_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sello/server/gqlhttp"
	"sello/server/gqlhttp/internal/testschema"
)

func allow(context.Context) bool { return true }

// newServer serves the test schema.
func newServer(t *testing.T, cfg gqlhttp.Config) (*httptest.Server, *testschema.Resolver) {
	t.Helper()
	resolver := &testschema.Resolver{}
	srv := httptest.NewServer(gqlhttp.New(testschema.Schema(resolver), cfg))
	t.Cleanup(srv.Close)
	return srv, resolver
}

// newPost is a JSON request that prefers the new media type.
func newPost(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/graphql-response+json")
	return r
}

// serve runs one request through a handler.
func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// answer is a GraphQL answer; Data is nil when it has none.
type answer struct {
	Errors []struct {
		Message    string
		Path       []any
		Extensions map[string]any
	}
	Data       *json.RawMessage
	Extensions map[string]any
}

func decode(t *testing.T, body io.Reader) answer {
	t.Helper()
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatalf("answer %q: %v", text, err)
	}
	return a
}

// firstError returns code and reason of the first error, "" when there is none.
func firstError(t *testing.T, w *httptest.ResponseRecorder) (code, reason string) {
	t.Helper()
	a := decode(t, strings.NewReader(w.Body.String()))
	if len(a.Errors) == 0 {
		return "", ""
	}
	code, _ = a.Errors[0].Extensions["code"].(string)
	reason, _ = a.Errors[0].Extensions["reason"].(string)
	return code, reason
}

func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(quoted)
}
