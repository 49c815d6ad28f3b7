package gqlhttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"sello/server/gqlhttp"
	"sello/server/gqlhttp/internal/testschema"
)

// client is one websocket as a browser's library drives it.
type client struct {
	t    *testing.T
	conn *websocket.Conn
}

func dial(t *testing.T, srv *httptest.Server, protocols ...string) *client {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), srv.URL, &websocket.DialOptions{Subprotocols: protocols})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(1 << 20)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &client{t, conn}
}

// open dials and is acknowledged.
func open(t *testing.T, srv *httptest.Server) *client {
	t.Helper()
	c := dial(t, srv, "graphql-transport-ws")
	c.send(`{"type":"connection_init"}`)
	if got := c.next(); got.Type != "connection_ack" {
		t.Fatalf("after connection_init: got %+v", got)
	}
	return c
}

func (c *client) send(message string) {
	c.t.Helper()
	if err := c.conn.Write(c.t.Context(), websocket.MessageText, []byte(message)); err != nil {
		c.t.Fatalf("send %.60s: %v", message, err)
	}
}

func (c *client) subscribe(id, query string) {
	c.t.Helper()
	c.send(`{"id":"` + id + `","type":"subscribe","payload":{"query":` + quote(query) + `}}`)
}

type message struct {
	ID, Type string
	Payload  json.RawMessage
}

func (c *client) next() message {
	c.t.Helper()
	_, data, err := c.conn.Read(c.t.Context())
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	var m message
	if err := json.Unmarshal(data, &m); err != nil {
		c.t.Fatal(err)
	}
	return m
}

// closed reads to the end and returns the close code.
func (c *client) closed() websocket.StatusCode {
	c.t.Helper()
	for {
		if _, _, err := c.conn.Read(c.t.Context()); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

func TestSocketCloseCodes(t *testing.T) {
	t.Parallel()

	const initMessage = `{"type":"connection_init"}`
	quiet := func(id string) string {
		return `{"id":"` + id + `","type":"subscribe","payload":{"query":"subscription{quiet{seq}}"}}`
	}
	refuse := func(context.Context, map[string]any) (context.Context, error) { return nil, errors.New("secret") }
	for _, tt := range []struct {
		name     string
		cfg      gqlhttp.Config
		messages []string
		want     websocket.StatusCode
	}{
		{name: "no JSON", messages: []string{`{`}, want: 4400},
		{name: "no object", messages: []string{`[]`}, want: 4400},
		{name: "no type", messages: []string{`{}`}, want: 4400},
		{name: "an unknown type", messages: []string{`{"type":"start"}`}, want: 4400},
		{name: "a server's type", messages: []string{initMessage, `{"id":"1","type":"next"}`}, want: 4400},
		{name: "a key twice", messages: []string{`{"type":"connection_init","type":"ping"}`}, want: 4400},
		{name: "an init payload of the wrong type", messages: []string{`{"type":"connection_init","payload":"x"}`}, want: 4400},
		{name: "no id", messages: []string{initMessage, `{"type":"subscribe","payload":{"query":"{viewer}"}}`}, want: 4400},
		{name: "an id of the wrong type", messages: []string{initMessage, `{"id":1,"type":"subscribe","payload":{"query":"{viewer}"}}`}, want: 4400},
		{name: "a long id", messages: []string{initMessage, quiet(strings.Repeat("x", 65))}, want: 4400},
		{name: "no payload", messages: []string{initMessage, `{"id":"1","type":"subscribe"}`}, want: 4400},
		{name: "subscribe before init", messages: []string{quiet("1")}, want: 4401},
		{name: "a refused sign-in", cfg: gqlhttp.Config{InitFunc: refuse}, messages: []string{initMessage}, want: 4403},
		{name: "no init", cfg: gqlhttp.Config{Limits: gqlhttp.Limits{InitTime: time.Millisecond}}, want: 4408},
		{name: "pings do not count as init", cfg: gqlhttp.Config{Limits: gqlhttp.Limits{InitTime: 50 * time.Millisecond}}, messages: []string{`{"type":"ping"}`}, want: 4408},
		{name: "an id twice", messages: []string{initMessage, quiet("1"), quiet("1")}, want: 4409},
		{name: "init twice", messages: []string{initMessage, initMessage}, want: 4429},
		{name: "a long message", messages: []string{initMessage, `{"type":"ping","payload":{"x":"` + strings.Repeat("x", 70<<10) + `"}}`}, want: websocket.StatusMessageTooBig},
		{name: "a credential that stops to hold", cfg: gqlhttp.Config{
			Recheck: func(context.Context) error { return errors.New("revoked") },
			Limits:  gqlhttp.Limits{RecheckEvery: time.Millisecond},
		}, messages: []string{initMessage}, want: 4403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv, _ := newServer(t, tt.cfg)
			c := dial(t, srv, "graphql-transport-ws")
			for _, m := range tt.messages {
				c.send(m)
			}
			if got := c.closed(); got != tt.want {
				t.Errorf("got close code %d, want %d", got, tt.want)
			}
		})
	}

	t.Run("a binary message", func(t *testing.T) {
		t.Parallel()
		srv, _ := newServer(t, gqlhttp.Config{})
		c := dial(t, srv, "graphql-transport-ws")
		if err := c.conn.Write(t.Context(), websocket.MessageBinary, []byte(initMessage)); err != nil {
			t.Fatal(err)
		}
		if got := c.closed(); got != 4400 {
			t.Errorf("got close code %d, want 4400", got)
		}
	})
	for _, protocols := range [][]string{nil, {"graphql-ws"}, {"graphql-ws", "x"}} {
		t.Run(fmt.Sprintf("protocols %v", protocols), func(t *testing.T) {
			t.Parallel()
			srv, _ := newServer(t, gqlhttp.Config{})
			if got := dial(t, srv, protocols...).closed(); got != 4406 {
				t.Errorf("got close code %d, want 4406", got)
			}
		})
	}
}

func TestSocketOperations(t *testing.T) {
	t.Parallel()
	srv, resolver := newServer(t, gqlhttp.Config{})
	c := dial(t, srv, "graphql-ws", "graphql-transport-ws")
	c.send(`{"type":"ping"}`)
	if got := c.next(); got.Type != "pong" {
		t.Fatalf("an early ping: got %+v", got)
	}
	c.send(`{"type":"connection_init","payload":{}}`)
	if got := c.next(); got.Type != "connection_ack" {
		t.Fatalf("got %+v", got)
	}

	expect := func(id string, types ...string) (last message) {
		t.Helper()
		for _, want := range types {
			last = c.next()
			if last.ID != id || last.Type != want {
				t.Fatalf("got %s %s %s, want %s %s", last.ID, last.Type, last.Payload, id, want)
			}
		}
		return last
	}
	c.subscribe("q", "{viewer}")
	expect("q", "next", "complete")
	c.subscribe("m", `mutation{cardActivate(code:"1"){id}}`)
	expect("m", "next", "complete")
	if n := resolver.Activated.Load(); n != 1 {
		t.Errorf("%d mutations ran, want 1", n)
	}
	c.subscribe("s", "subscription{movements(limit:3){seq}}")
	expect("s", "next", "next", "next", "complete")
	c.subscribe("s", "subscription{movements(limit:1){seq}}") // the id is free again
	expect("s", "next", "complete")
	for _, refused := range []string{
		"{", "{nothing}", "subscription{refused{seq}}", "{" + strings.Repeat("viewer ", 6) + "}", doubling(28),
	} {
		c.subscribe("e", refused)
		if got := expect("e", "error"); strings.Contains(string(got.Payload), testschema.SecretText) || got.Payload[0] != '[' {
			t.Errorf("%.30s: got %s", refused, got.Payload)
		}
	}
	c.subscribe("end", "subscription{quiet{seq}}")
	c.send(`{"id":"end","type":"complete"}`)
	c.send(`{"id":"never","type":"complete"}`)
	c.subscribe("end", "{viewer}") // what follows is the new operation's
	expect("end", "next", "complete")
}

func TestSocketLimits(t *testing.T) {
	t.Parallel()
	srv, resolver := newServer(t, gqlhttp.Config{
		Limits:        gqlhttp.Limits{Subscriptions: 2, ConnectionsPerKey: 2},
		ConnectionKey: func(context.Context) string { return "one" },
	})
	c := open(t, srv)
	for i := range 3 {
		c.subscribe(fmt.Sprint(i), "subscription{quiet{seq}}")
	}
	if got := c.next(); got.ID != "2" || got.Type != "error" || !strings.Contains(string(got.Payload), gqlhttp.CodeTooManySubscriptions) {
		t.Errorf("the third subscription: got %+v %s", got, got.Payload)
	}
	second := open(t, srv)
	third := dial(t, srv, "graphql-transport-ws")
	third.send(`{"type":"connection_init"}`)
	if got := third.closed(); got != 4429 {
		t.Errorf("the third connection: got close code %d, want 4429", got)
	}
	if err := second.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a place to be free again", func() bool {
		c := dial(t, srv, "graphql-transport-ws")
		c.send(`{"type":"connection_init"}`)
		_, _, err := c.conn.Read(t.Context())
		return err == nil
	})
	_ = c.conn.CloseNow()
	waitFor(t, "the sources to end", func() bool { return resolver.Streams.Load() == 0 })
}

// waitFor asks until it is so; the test's own time-out is the limit.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatalf("waiting for %s: %v", what, t.Context().Err())
		}
	}
}

// TestSocketSlowReader floods a peer that does not read; it must be cut off,
// and nothing may go on running for it.
func TestSocketSlowReader(t *testing.T) {
	t.Parallel()
	var opened atomic.Int64
	srv, resolver := newServer(t, gqlhttp.Config{
		Limits: gqlhttp.Limits{WriteTime: 50 * time.Millisecond},
		Hooks:  gqlhttp.Hooks{Connections: func(delta int) { opened.Add(int64(delta)) }},
	})
	c := open(t, srv)
	for i := range 5 {
		c.subscribe(fmt.Sprint(i), "subscription{flood}")
	}
	waitFor(t, "the flood to begin", func() bool { return resolver.Streams.Load() > 0 })
	waitFor(t, "the connection to be dropped", func() bool { return opened.Load() == 0 })
	waitFor(t, "the sources to end", func() bool { return resolver.Streams.Load() == 0 })
}

// TestSocketMissedPing has a peer that never reads, so that it answers no ping.
func TestSocketMissedPing(t *testing.T) {
	t.Parallel()
	var opened atomic.Int64
	srv, _ := newServer(t, gqlhttp.Config{
		Limits: gqlhttp.Limits{PingEvery: 20 * time.Millisecond},
		Hooks:  gqlhttp.Hooks{Connections: func(delta int) { opened.Add(int64(delta)) }},
	})
	open(t, srv)
	waitFor(t, "the connection to be dropped", func() bool { return opened.Load() == 0 })
}

func TestSocketOrigins(t *testing.T) {
	t.Parallel()
	srv, _ := newServer(t, gqlhttp.Config{Origins: []string{"https://console.example.org"}})
	for _, tt := range []struct {
		name, origin, cookie string
		allowed              bool
	}{
		{"same origin", srv.URL, "", true},
		{"same origin, cookie", srv.URL, "s=1", true},
		{"listed", "https://console.example.org", "s=1", true},
		{"listed host, other scheme", "http://console.example.org", "", false},
		{"cross-site", "https://evil.example", "", false},
		{"null", "null", "", false},
		{"none", "", "", true},
		{"none, cookie", "", "s=1", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{}
			if tt.origin != "" {
				header.Set("Origin", tt.origin)
			}
			if tt.cookie != "" {
				header.Set("Cookie", tt.cookie)
			}
			conn, response, err := websocket.Dial(t.Context(), srv.URL, &websocket.DialOptions{
				HTTPHeader: header, Subprotocols: []string{"graphql-transport-ws"},
			})
			if err == nil {
				defer conn.CloseNow()
			}
			if (err == nil) != tt.allowed {
				t.Errorf("allowed: got error %v, want %t", err, tt.allowed)
			}
			if !tt.allowed && response.StatusCode != http.StatusForbidden {
				t.Errorf("got status %d, want 403", response.StatusCode)
			}
		})
	}
}

type viewerKey struct{}

func TestSocketSignIn(t *testing.T) {
	t.Parallel()
	resolver := &testschema.Resolver{Viewer: func(ctx context.Context) string {
		name, _ := ctx.Value(viewerKey{}).(string)
		return name
	}}
	srv := httptest.NewServer(gqlhttp.New(testschema.Schema(resolver), gqlhttp.Config{
		InitFunc: func(ctx context.Context, payload map[string]any) (context.Context, error) {
			return context.WithValue(ctx, viewerKey{}, payload["token"]), nil
		},
	}))
	t.Cleanup(srv.Close)
	c := dial(t, srv, "graphql-transport-ws")
	c.send(`{"type":"connection_init","payload":{"token":"ana"}}`)
	c.next()
	c.subscribe("1", "{viewer}")
	if got := string(c.next().Payload); !strings.HasPrefix(got, `{"data":{"viewer":"ana"}`) {
		t.Errorf("got %s", got)
	}
}

func TestShutdownEndsStreams(t *testing.T) {
	t.Parallel()
	resolver := &testschema.Resolver{}
	h := gqlhttp.New(testschema.Schema(resolver), gqlhttp.Config{})
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c := open(t, srv)
	c.subscribe("1", "subscription{quiet{seq}}")
	events := subscribeEvents(t, srv, "subscription{quiet{seq}}")
	waitFor(t, "both sources", func() bool { return resolver.Streams.Load() == 2 })

	done := make(chan error, 1)
	go func() { done <- h.Shutdown(t.Context()) }()
	if got := c.closed(); got != websocket.StatusGoingAway {
		t.Errorf("got close code %d, want 1001", got)
	}
	if got := readAll(t, events); !strings.HasSuffix(got, "event: complete\ndata: \n\n") {
		t.Errorf("the event stream: got %q", got)
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if _, response, err := websocket.Dial(t.Context(), srv.URL, nil); err == nil || response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a connection after it: error %v", err)
	}
	if n := resolver.Streams.Load(); n != 0 {
		t.Errorf("%d sources are left", n)
	}
}
