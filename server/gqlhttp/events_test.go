package gqlhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sello/server/gqlhttp"
	"sello/server/gqlhttp/internal/testschema"
)

// subscribeEvents posts an operation that is answered with events.
func subscribeEvents(t *testing.T, srv *httptest.Server, query string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader(`{"query":`+quote(query)+`}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream")
	response, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func readAll(t *testing.T, response *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEvents(t *testing.T) {
	t.Parallel()
	srv, _ := newServer(t, gqlhttp.Config{})
	const cost = `"extensions":{"cost":{"requested":2,"limit":2000}}`
	for _, tt := range []struct{ name, query, want string }{
		{
			"a subscription", "subscription{movements(limit:2){seq}}",
			":\n\n" + `event: next` + "\n" + `data: {"data":{"movements":{"seq":1}},` + cost + "}\n\n" +
				`event: next` + "\n" + `data: {"data":{"movements":{"seq":2}},` + cost + "}\n\n" +
				"event: complete\ndata: \n\n",
		},
		{
			"a query", "{viewer}",
			":\n\n" + `event: next` + "\n" + `data: {"data":{"viewer":null},"extensions":{"cost":{"requested":1,"limit":2000}}}` + "\n\n" +
				"event: complete\ndata: \n\n",
		},
		{
			"a source that does not start", "subscription{refused{seq}}",
			":\n\n" + `event: next` + "\n" + `data: {"errors":[{"message":"Something went wrong on our side.","path":["refused"],"locations":[{"line":1,"column":14}],"extensions":{"code":"INTERNAL"}}],` + cost + "}\n\n" +
				"event: complete\ndata: \n\n",
		},
		{
			"a refused document", "{" + strings.Repeat("viewer ", 6) + "}",
			":\n\n" + `event: next` + "\n" + `data: {"errors":[{"message":"The document has too many equal response keys in one set (at most 5).","extensions":{"code":"DOCUMENT_TOO_COMPLEX","limit":5,"reason":"same_key"}}]}` + "\n\n" +
				"event: complete\ndata: \n\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			response := subscribeEvents(t, srv, tt.query)
			if got := response.Header.Get("Content-Type"); response.StatusCode != 200 || got != "text/event-stream" {
				t.Errorf("got %d %q", response.StatusCode, got)
			}
			if got := readAll(t, response); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestEventsRefusedBeforeTheStream(t *testing.T) {
	t.Parallel()
	h := newHandler(gqlhttp.Config{})
	r := newPost(`{"query":1}`)
	r.Header.Set("Accept", "text/event-stream")
	w := serve(h, r)
	if got := w.Header().Get("Content-Type"); w.Code != 400 || got != "application/graphql-response+json; charset=utf-8" {
		t.Errorf("got %d %q", w.Code, got)
	}
}

// TestEventsEnd has the three ways in which a stream that sends nothing ends.
func TestEventsEnd(t *testing.T) {
	t.Parallel()

	t.Run("the client goes", func(t *testing.T) {
		t.Parallel()
		srv, resolver := newServer(t, gqlhttp.Config{})
		response := subscribeEvents(t, srv, "subscription{quiet{seq}}")
		waitFor(t, "the source", func() bool { return resolver.Streams.Load() == 1 })
		_ = response.Body.Close()
		waitFor(t, "the source to end", func() bool { return resolver.Streams.Load() == 0 })
	})
	t.Run("the credential stops to hold", func(t *testing.T) {
		t.Parallel()
		srv, _ := newServer(t, gqlhttp.Config{
			Recheck: func(context.Context) error { return errors.New("revoked") },
			Limits:  gqlhttp.Limits{RecheckEvery: time.Millisecond},
		})
		got := readAll(t, subscribeEvents(t, srv, "subscription{quiet{seq}}"))
		if !strings.Contains(got, gqlhttp.CodeUnauthenticated) || !strings.HasSuffix(got, "event: complete\ndata: \n\n") {
			t.Errorf("got %q", got)
		}
	})
	t.Run("the client does not read", func(t *testing.T) {
		t.Parallel()
		resolver := &testschema.Resolver{}
		srv := httptest.NewServer(gqlhttp.New(testschema.Schema(resolver), gqlhttp.Config{
			Limits: gqlhttp.Limits{WriteTime: 50 * time.Millisecond},
		}))
		t.Cleanup(srv.Close)
		subscribeEvents(t, srv, "subscription{flood}")
		waitFor(t, "the source", func() bool { return resolver.Streams.Load() == 1 })
		waitFor(t, "the source to end", func() bool { return resolver.Streams.Load() == 0 })
	})
}

func TestEventsPing(t *testing.T) {
	t.Parallel()
	srv, _ := newServer(t, gqlhttp.Config{Limits: gqlhttp.Limits{PingEvery: time.Millisecond}})
	response := subscribeEvents(t, srv, "subscription{quiet{seq}}")
	want := ":\n\n: ping\n\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(response.Body, got); err != nil || string(got) != want {
		t.Errorf("got %q, error %v; want %q", got, err, want)
	}
}

func TestEventsPerPrincipal(t *testing.T) {
	t.Parallel()
	srv, resolver := newServer(t, gqlhttp.Config{
		Limits:        gqlhttp.Limits{ConnectionsPerKey: 1},
		ConnectionKey: func(context.Context) string { return "one" },
	})
	subscribeEvents(t, srv, "subscription{quiet{seq}}")
	waitFor(t, "the source", func() bool { return resolver.Streams.Load() == 1 })
	if second := subscribeEvents(t, srv, "subscription{quiet{seq}}"); second.StatusCode != http.StatusTooManyRequests {
		t.Errorf("got %d, want 429", second.StatusCode)
	}
}
