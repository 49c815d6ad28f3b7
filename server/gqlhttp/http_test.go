package gqlhttp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"sello/server/gqlhttp"
	"sello/server/gqlhttp/internal/testschema"
)

func newHandler(cfg gqlhttp.Config) *gqlhttp.Handler {
	return gqlhttp.New(testschema.Schema(&testschema.Resolver{}), cfg)
}

func TestPostAnswers(t *testing.T) {
	t.Parallel()

	const json, gql = "application/json", "application/graphql-response+json"
	for _, tt := range []struct {
		name, accept, body string
		status             int
		media, code        string
		data               bool
	}{
		{"a query", gql, `{"query":"{viewer}"}`, 200, gql, "", true},
		{"a query, the older type", json, `{"query":"{viewer}"}`, 200, json, "", true},
		{"no Accept", "", `{"query":"{viewer}"}`, 200, json, "", true},
		{"any type", "*/*", `{"query":"{viewer}"}`, 200, json, "", true},
		{"by weight", json + ";q=0.5, " + gql, `{"query":"{viewer}"}`, 200, gql, "", true},
		{"nothing that fits", "text/html", `{"query":"{viewer}"}`, 406, json, gqlhttp.CodeNotAcceptable, false},
		{"another charset", json + ";charset=latin1", `{"query":"{viewer}"}`, 406, json, gqlhttp.CodeNotAcceptable, false},
		{"variables, operation, extensions", gql, `{"query":"query A($t:String){echo(text:$t)} query B{viewer}","operationName":"A","variables":{"t":"x"},"extensions":{"any":1}}`, 200, gql, "", true},
		{"nulls", gql, `{"query":"{viewer}","operationName":null,"variables":null,"extensions":null}`, 200, gql, "", true},
		{"a member nobody knows", gql, `{"query":"{viewer}","more":[1,{"a":2}]}`, 200, gql, "", true},
		{"a failing field", gql, `{"query":"{viewer fault}"}`, 200, gql, gqlhttp.CodeInternal, true},
		{"a panicking field", gql, `{"query":"{viewer panics}"}`, 200, gql, gqlhttp.CodeInternal, true},
		{"a syntax error", gql, `{"query":"{"}`, 400, gql, "GRAPHQL_PARSE_FAILED", false},
		{"a syntax error, the older type", json, `{"query":"{"}`, 200, json, "GRAPHQL_PARSE_FAILED", false},
		{"an unknown field", gql, `{"query":"{viewed}"}`, 400, gql, "GRAPHQL_VALIDATION_FAILED", false},
		{"an unknown field, the older type", json, `{"query":"{viewed}"}`, 200, json, "GRAPHQL_VALIDATION_FAILED", false},
		{"a missing variable", gql, `{"query":"query($c:String!){card(code:$c){id}}"}`, 400, gql, "GRAPHQL_VALIDATION_FAILED", false},
		{"an unknown operation", gql, `{"query":"query A{viewer}","operationName":"B"}`, 400, gql, "GRAPHQL_VALIDATION_FAILED", false},
		{"a subscription", gql, `{"query":"subscription{quiet{seq}}"}`, 400, gql, gqlhttp.CodeSubscriptionTransport, false},
		{"introspection", gql, `{"query":"{__schema{types{name}}}"}`, 400, gql, gqlhttp.CodeIntrospectionDisabled, false},
		{"introspection through a fragment", gql, `{"query":"{...F} fragment F on Query{__type(name:\"Card\"){name}}"}`, 400, gql, gqlhttp.CodeIntrospectionDisabled, false},
		{"no query", gql, `{}`, 400, gql, gqlhttp.CodeBadRequest, false},
		{"no query, the older type", json, `{}`, 400, json, gqlhttp.CodeBadRequest, false},
		{"a query of the wrong type", gql, `{"query":1}`, 400, gql, gqlhttp.CodeBadRequest, false},
		{"variables of the wrong type", gql, `{"query":"{viewer}","variables":"{}"}`, 400, gql, gqlhttp.CodeBadRequest, false},
		{"variables that are a list", gql, `{"query":"{viewer}","variables":[]}`, 400, gql, gqlhttp.CodeBadRequest, false},
		{"extensions of the wrong type", gql, `{"query":"{viewer}","extensions":0}`, 400, gql, gqlhttp.CodeBadRequest, false},
		{"a batch", gql, ` [{"query":"{viewer}"}]`, 400, gql, gqlhttp.CodeBatchingUnsupported, false},
		{"an empty body", gql, ``, 400, gql, gqlhttp.CodeBadRequest, false},
		{"no object", gql, `"{viewer}"`, 400, gql, gqlhttp.CodeBadRequest, false},
		{"broken JSON", gql, `{"query":"{marker}"`, 400, gql, gqlhttp.CodeBadRequest, false},
		{"a trailing comma", gql, `{"query":"{marker}",}`, 400, gql, gqlhttp.CodeBadRequest, false},
		{"something after it", gql, `{"query":"{marker}"} {}`, 400, gql, gqlhttp.CodeBadRequest, false},
		{"a key twice", gql, `{"query":"{marker}","query":"{viewer}"}`, 400, gql, gqlhttp.CodeBadRequest, false},
		{"a variable twice", gql, `{"query":"{marker}","variables":{"a":{"b":1,"b":2}}}`, 400, gql, gqlhttp.CodeBadRequest, false},
		{"invalid UTF-8", gql, "{\"query\":\"{marker \xff}\"}", 400, gql, gqlhttp.CodeBadRequest, false},
		{"NUL in a variable", gql, `{"query":"{marker}","variables":{"a":"\u0000"}}`, 400, gql, gqlhttp.CodeBadRequest, false},
		{"nested too deep", gql, `{"query":"{marker}","variables":{"a":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}}`, 400, gql, gqlhttp.CodeBadRequest, false},
		{"too long", gql, `{"query":"{marker}","variables":{"a":"` + strings.Repeat("x", 64<<10) + `"}}`, 413, gql, gqlhttp.CodeBodyTooLarge, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newPost(tt.body)
			r.Header.Del("Accept")
			if tt.accept != "" {
				r.Header.Set("Accept", tt.accept)
			}

			w := serve(newHandler(gqlhttp.Config{}), r)

			if w.Code != tt.status {
				t.Errorf("status: got %d, want %d; %s", w.Code, tt.status, w.Body)
			}
			if got, want := w.Header().Get("Content-Type"), tt.media+"; charset=utf-8"; got != want {
				t.Errorf("Content-Type: got %q, want %q", got, want)
			}
			if got := w.Header().Get("X-Content-Type-Options") + " " + w.Header().Get("Cache-Control"); got != "nosniff no-store" {
				t.Errorf("security headers: got %q", got)
			}
			for _, leak := range []string{"marker", testschema.SecretText, "Did you mean", "invalid character"} {
				if strings.Contains(w.Body.String(), leak) {
					t.Errorf("the answer holds %q: %s", leak, w.Body)
				}
			}
			a := decode(t, strings.NewReader(w.Body.String()))
			code := ""
			if len(a.Errors) > 0 {
				code, _ = a.Errors[0].Extensions["code"].(string)
			}
			if code != tt.code {
				t.Errorf("code: got %q, want %q", code, tt.code)
			}
			if got := strings.Contains(w.Body.String(), `"data":`); got != tt.data {
				t.Errorf("data present: got %t, want %t: %s", got, tt.data, w.Body)
			}
		})
	}
}

func TestMethodsAndMediaTypes(t *testing.T) {
	t.Parallel()

	get := func(query string) string { return "/graphql?query=" + url.QueryEscape(query) }
	body := `{"query":"{viewer}"}`
	for _, tt := range []struct {
		name, method, target, contentType, body string
		status                                  int
		allow                                   string
	}{
		{"GET", "GET", get("{viewer}"), "", "", 200, ""},
		{"GET with variables", "GET", get("query($t:String){echo(text:$t)}") + "&variables=" + url.QueryEscape(`{"t":"x"}`), "", "", 200, ""},
		{"GET of a mutation", "GET", get(`mutation{cardActivate(code:"1"){id}}`), "", "", 405, "POST"},
		{"GET of a subscription", "GET", get(`subscription{quiet{seq}}`), "", "", 405, "POST"},
		{"GET without a query", "GET", "/graphql", "", "", 400, ""},
		{"GET with two queries", "GET", get("{viewer}") + "&query=x", "", "", 400, ""},
		{"GET with variables that are a list", "GET", get("{viewer}") + "&variables=[]", "", "", 400, ""},
		{"GET with variables twice inside", "GET", get("{viewer}") + "&variables=" + url.QueryEscape(`{"a":1,"a":2}`), "", "", 400, ""},
		{"GET with invalid UTF-8", "GET", "/graphql?query=%7Bviewer%7D%ff", "", "", 400, ""},
		{"GET with a broken escape", "GET", "/graphql?query=%7Bviewer%7D%2", "", "", 400, ""},
		{"PUT", "PUT", "/graphql", "application/json", body, 405, "GET, POST, OPTIONS"},
		{"DELETE", "DELETE", "/graphql", "", "", 405, "GET, POST, OPTIONS"},
		{"HEAD", "HEAD", get("{viewer}"), "", "", 405, "GET, POST, OPTIONS"},
		{"PATCH", "PATCH", "/graphql", "application/json", body, 405, "GET, POST, OPTIONS"},
		{"OPTIONS", "OPTIONS", "/graphql", "", "", 204, "GET, POST, OPTIONS"},
		{"JSON in UTF-8", "POST", "/graphql", "application/json; charset=UTF-8", body, 200, ""},
		{"JSON in another charset", "POST", "/graphql", "application/json; charset=latin1", body, 415, ""},
		{"no type", "POST", "/graphql", "", body, 415, ""},
		{"text", "POST", "/graphql", "text/plain", body, 415, ""},
		{"a form", "POST", "/graphql", "application/x-www-form-urlencoded", "query=%7Bviewer%7D", 415, ""},
		{"an upload", "POST", "/graphql", "multipart/form-data; boundary=x", "--x--", 415, ""},
		{"a bare document", "POST", "/graphql", "application/graphql", "{viewer}", 415, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			resolver := &testschema.Resolver{}
			r := httptest.NewRequest(tt.method, tt.target, strings.NewReader(tt.body))
			if tt.contentType != "" {
				r.Header.Set("Content-Type", tt.contentType)
			}

			w := serve(gqlhttp.New(testschema.Schema(resolver), gqlhttp.Config{}), r)

			if w.Code != tt.status || w.Header().Get("Allow") != tt.allow {
				t.Errorf("got %d, Allow %q; want %d, %q; %s", w.Code, w.Header().Get("Allow"), tt.status, tt.allow, w.Body)
			}
			if n := resolver.Activated.Load(); n != 0 {
				t.Errorf("%d mutations ran", n)
			}
			for header := range w.Header() {
				if strings.HasPrefix(header, "Access-Control-") {
					t.Errorf("a CORS header: %s", header)
				}
			}
		})
	}

	t.Run("a compressed body", func(t *testing.T) {
		t.Parallel()
		r := newPost(body)
		r.Header.Set("Content-Encoding", "gzip")
		if w := serve(newHandler(gqlhttp.Config{}), r); w.Code != 415 {
			t.Errorf("got %d, want 415", w.Code)
		}
	})
	t.Run("a long body without a length", func(t *testing.T) {
		t.Parallel()
		r := newPost(`{"query":"` + strings.Repeat(" ", 70<<10) + `{viewer}"}`)
		r.ContentLength = -1
		if w := serve(newHandler(gqlhttp.Config{}), r); w.Code != 413 {
			t.Errorf("got %d, want 413", w.Code)
		}
	})
}

// TestCrossSite is the whole matrix: a cookie is good for JSON posts of the
// site's own pages, other credentials for everything that is spoken.
// Websockets have theirs in TestSocketOrigins.
func TestCrossSite(t *testing.T) {
	t.Parallel()

	credentials := map[string]func(*http.Request){
		"cookie": func(r *http.Request) { r.Header.Set("Cookie", "session=1") },
		"bearer": func(r *http.Request) { r.Header.Set("Authorization", "Bearer 1") },
	}
	origins := map[string]func(*http.Request){
		"same origin":            func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") },
		"same origin, old":       func(r *http.Request) { r.Header.Set("Origin", "http://example.com") },
		"listed origin":          func(r *http.Request) { r.Header.Set("Origin", "https://console.example.org") },
		"same site":              func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"cross-site":             func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"cross-site, old":        func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"null origin":            func(r *http.Request) { r.Header.Set("Origin", "null") },
		"no origin":              func(*http.Request) {},
		"origin of another port": func(r *http.Request) { r.Header.Set("Origin", "http://example.com:81") },
	}
	forms := map[string]func() *http.Request{
		"get":       func() *http.Request { return httptest.NewRequest("GET", "/graphql?query=%7Bviewer%7D", nil) },
		"json":      func() *http.Request { return newPost(`{"query":"{viewer}"}`) },
		"text":      func() *http.Request { return retyped("text/plain") },
		"form":      func() *http.Request { return retyped("application/x-www-form-urlencoded") },
		"multipart": func() *http.Request { return retyped("multipart/form-data; boundary=x") },
	}
	trusted := map[string]bool{"same origin": true, "same origin, old": true, "listed origin": true}
	h := newHandler(gqlhttp.Config{Origins: []string{"https://console.example.org"}})
	for credential, sign := range credentials {
		for origin, mark := range origins {
			for form, build := range forms {
				t.Run(fmt.Sprintf("%s/%s/%s", credential, origin, form), func(t *testing.T) {
					t.Parallel()
					r := build()
					sign(r)
					mark(r)

					w := serve(h, r)

					want := form == "json" && (credential == "bearer" || trusted[origin]) ||
						form == "get" && credential == "bearer"
					if got := w.Code == http.StatusOK; got != want {
						t.Errorf("allowed: got %t (%d), want %t", got, w.Code, want)
					}
				})
			}
		}
	}
}

func retyped(contentType string) *http.Request {
	r := newPost(`{"query":"{viewer}"}`)
	r.Header.Set("Content-Type", contentType)
	return r
}

func TestCostIsInEveryAnswer(t *testing.T) {
	t.Parallel()
	h := newHandler(gqlhttp.Config{Limits: gqlhttp.Limits{Complexity: 100}})
	for _, tt := range []struct {
		query     string
		requested float64
		status    int
	}{
		{`{viewer}`, 1, 200},
		{`{cards(first:10){nodes{id}}}`, 21, 200},
		{`{cards(first:60){nodes{id}}}`, 121, 400},
		{`{viewer fault}`, 2, 200},
	} {
		w := serve(h, newPost(`{"query":`+quote(tt.query)+`}`))
		want := map[string]any{"requested": tt.requested, "limit": 100.0}
		got := decode(t, w.Body).Extensions["cost"]
		if diff := cmp.Diff(want, got); diff != "" || w.Code != tt.status {
			t.Errorf("%s: status %d, want %d; cost (-want +got):\n%s", tt.query, w.Code, tt.status, diff)
		}
	}
}

func TestErrorsAreFewAndPresented(t *testing.T) {
	t.Parallel()
	var presented int
	var mu sync.Mutex
	h := newHandler(gqlhttp.Config{
		RequestID: func(context.Context) string { return "req-1" },
		PresentError: func(_ context.Context, err error) *gqlerror.Error {
			mu.Lock()
			defer mu.Unlock()
			presented++
			return &gqlerror.Error{Message: "shown", Extensions: map[string]any{"code": "OURS"}}
		},
	})

	a := decode(t, serve(h, newPost(`{"query":"{faults(count:500){value}}"}`)).Body)

	if len(a.Errors) != 20 || presented != 20 {
		t.Fatalf("got %d errors, %d presented; want 20 of each", len(a.Errors), presented)
	}
	want := map[string]any{"code": "OURS", "requestId": "req-1"}
	if diff := cmp.Diff(want, a.Errors[19].Extensions); diff != "" || a.Errors[19].Message != "shown" {
		t.Errorf("message %q, extensions (-want +got):\n%s", a.Errors[19].Message, diff)
	}
}

func TestOperationTime(t *testing.T) {
	t.Parallel()
	var outcome gqlhttp.Operation
	h := newHandler(gqlhttp.Config{
		OperationTime: func(context.Context, *graphql.OperationContext) time.Duration { return time.Millisecond },
		Hooks:         gqlhttp.Hooks{Operation: func(_ context.Context, op gqlhttp.Operation) { outcome = op }},
	})

	w := serve(h, newPost(`{"query":"query Late{slow}","operationName":"Late"}`))

	if code, _ := firstError(t, w); code != gqlhttp.CodeTimeout {
		t.Errorf("got code %q, want TIMEOUT: %s", code, w.Body)
	}
	if outcome.Outcome != gqlhttp.OutcomeTimeout || outcome.Name != "Late" || outcome.Kind != "query" || outcome.Cost != 1 {
		t.Errorf("hook: got %+v", outcome)
	}
}

func TestPersistedDocuments(t *testing.T) {
	t.Parallel()
	const known, hash = "{viewer}", "9cc2f6d6b8ef9a3fa6bbd1e5e1d7ae3ab8a5a5b4e7a0c3a6dfe2ad4e4ed0d2d5"
	h := newHandler(gqlhttp.Config{
		PersistedDocuments: map[string]string{hash: known},
		OnlyPersisted:      func(ctx context.Context) bool { return ctx.Value(strictKey{}) != nil },
	})
	for _, tt := range []struct {
		name, body, code string
		strict           bool
	}{
		{name: "by id", body: `{"documentId":"` + hash + `"}`, strict: true},
		{name: "by prefixed id", body: `{"documentId":"sha256:` + hash + `"}`, strict: true},
		{name: "by extension", body: `{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + hash + `"}}}`, strict: true},
		{name: "by text", body: `{"query":"{viewer}"}`, strict: true},
		{name: "another text", body: `{"query":"{ viewer }"}`, strict: true, code: gqlhttp.CodeDocumentNotAllowed},
		{name: "another text, not strict", body: `{"query":"{ viewer }"}`},
		{name: "unknown id", body: `{"documentId":"x"}`, code: gqlhttp.CodeDocumentNotFound},
		{name: "both", body: `{"documentId":"` + hash + `","query":"{viewer}"}`, code: gqlhttp.CodeBadRequest},
		{name: "a false hash", body: `{"query":"{ viewer }","extensions":{"persistedQuery":{"version":1,"sha256Hash":"` + hash + `"}}}`, code: gqlhttp.CodeBadRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newPost(tt.body)
			if tt.strict {
				r = r.WithContext(context.WithValue(r.Context(), strictKey{}, true))
			}
			if code, _ := firstError(t, serve(h, r)); code != tt.code {
				t.Errorf("got code %q, want %q", code, tt.code)
			}
		})
	}
}

type strictKey struct{}

func TestRefusedHook(t *testing.T) {
	t.Parallel()
	var reasons []string
	h := newHandler(gqlhttp.Config{Hooks: gqlhttp.Hooks{
		Refused: func(_ context.Context, reason string) { reasons = append(reasons, reason) },
	}})
	for _, query := range []string{"{" + strings.Repeat("viewer ", 6) + "}", doubling(28), `{cards(first:100){nodes{movements(first:100){seq}}}}`, "{__schema{types{name}}}"} {
		// Twice: a refused document is not kept, and a kept one would still be refused.
		for range 2 {
			serve(h, newPost(`{"query":`+quote(query)+`}`))
		}
	}
	want := []string{
		gqlhttp.ReasonSameKey, gqlhttp.ReasonSameKey, gqlhttp.ReasonFields, gqlhttp.ReasonFields,
		gqlhttp.ReasonComplexity, gqlhttp.ReasonComplexity, gqlhttp.ReasonIntrospection, gqlhttp.ReasonIntrospection,
	}
	if diff := cmp.Diff(want, reasons); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
}

func TestIntrospectionByCaller(t *testing.T) {
	t.Parallel()
	h := newHandler(gqlhttp.Config{Introspection: func(ctx context.Context) bool { return ctx.Value(strictKey{}) != nil }})
	r := newPost(`{"query":` + quote(standardIntrospection) + `}`)
	if w := serve(h, r); w.Code != http.StatusBadRequest {
		t.Errorf("a stranger: got %d", w.Code)
	}
	r = newPost(`{"query":` + quote(standardIntrospection) + `}`)
	w := serve(h, r.WithContext(context.WithValue(r.Context(), strictKey{}, true)))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"CardConnection"`) {
		t.Errorf("a developer: got %d: %.300s", w.Code, w.Body)
	}
}

// standardIntrospection is what tools send (graphql 16's getIntrospectionQuery).
const standardIntrospection = `query IntrospectionQuery { __schema { description queryType { name kind } mutationType { name kind } subscriptionType { name kind } types { ...FullType } directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } } }
fragment FullType on __Type { kind name description specifiedByURL isOneOf fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason } inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef } enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }`

// TestPanicOutsideTheExecutor is a hook that fails: the client sees no more of
// it than of a resolver's.
func TestPanicOutsideTheExecutor(t *testing.T) {
	t.Parallel()
	h := newHandler(gqlhttp.Config{OnlyPersisted: func(context.Context) bool { panic(errors.New(testschema.SecretText)) }})
	w := serve(h, newPost(`{"query":"{viewer}"}`))
	if code, _ := firstError(t, w); w.Code != 500 || code != gqlhttp.CodeInternal || strings.Contains(w.Body.String(), testschema.SecretText) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// TestSlowBody announces a body and never sends it.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	srv, _ := newServer(t, gqlhttp.Config{Limits: gqlhttp.Limits{BodyTime: 20 * time.Millisecond}})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("got %d, want 400", response.StatusCode)
	}
}
