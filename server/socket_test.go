package server_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"sello/server"
	"sello/server/gqlhttp"
)

// dial opens a websocket and sends connection_init. It answers the type of the
// first message, or the code by which the server closed.
func dial(t *testing.T, base string, header http.Header, payload map[string]any) (*websocket.Conn, string, websocket.StatusCode) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, response, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(base, "http")+"/graphql", &websocket.DialOptions{
		Subprotocols: []string{"graphql-transport-ws"}, HTTPHeader: header,
	})
	if err != nil {
		if response == nil {
			t.Fatal(err)
		}
		return nil, response.Status, 0
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	message := map[string]any{"type": "connection_init"}
	if payload != nil {
		message["payload"] = payload
	}
	if err := wsjson.Write(ctx, conn, message); err != nil {
		t.Fatal(err)
	}
	var got struct{ Type string }
	err = wsjson.Read(ctx, conn, &got)
	return conn, got.Type, websocket.CloseStatus(err)
}

// TestSocketSignIn: a websocket says who it is in its first message or by the
// cookie of a page of ours, and nobody gets no websocket.
func TestSocketSignIn(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	token := e.token(t, "boss@acme.test")
	page := send(t, plain, http.MethodPost, e.URL+"/sign-in",
		"company=acme&email=boss%40acme.test&password=correct+horse", "Content-Type", form)
	cookie := page.Cookies()[0].Name + "=" + page.Cookies()[0].Value
	for _, tt := range []struct {
		name    string
		header  http.Header
		payload map[string]any
		want    string
		closed  websocket.StatusCode
	}{
		{"a token", nil, map[string]any{"authorization": "Bearer " + token}, "connection_ack", -1},
		{"a token, with a capital", nil, map[string]any{"Authorization": "Bearer " + token}, "connection_ack", -1},
		{"the handshake's header", http.Header{"Authorization": {"Bearer " + token}}, nil, "connection_ack", -1},
		{"the cookie", http.Header{"Cookie": {cookie}, "Origin": {e.URL}}, nil, "connection_ack", -1},
		{"the cookie on another site's page", http.Header{"Cookie": {cookie}, "Origin": {"https://evil.test"}}, nil, "403 Forbidden", 0},
		{"the cookie without a page", http.Header{"Cookie": {cookie}}, nil, "403 Forbidden", 0},
		{"nobody", nil, nil, "", 4403},
		{"a wrong token", nil, map[string]any{"authorization": "Bearer x"}, "", 4403},
		{"a wrong token beside the cookie", http.Header{"Cookie": {cookie}, "Origin": {e.URL}}, map[string]any{"authorization": "Bearer x"}, "", 4403},
		{"no scheme", nil, map[string]any{"authorization": token}, "", 4403},
		{"not a text", nil, map[string]any{"authorization": 7}, "", 4403},
		{"a wrong header", http.Header{"Authorization": {"Bearer x"}}, nil, "401 Unauthorized", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, got, closed := dial(t, e.URL, tt.header, tt.payload); got != tt.want || closed != tt.closed {
				t.Errorf("got %q, closed by %d; want %q, %d", got, closed, tt.want, tt.closed)
			}
		})
	}
}

// TestSocketSignOut: a websocket does not outlive its session for long.
func TestSocketSignOut(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(c *server.Config) { c.GraphQL = gqlhttp.Limits{RecheckEvery: 10 * time.Millisecond} })
	token := e.token(t, "boss@acme.test")
	conn, got, _ := dial(t, e.URL, nil, map[string]any{"authorization": "Bearer " + token})
	if got != "connection_ack" {
		t.Fatalf("got %q", got)
	}
	who, err := e.auth.Authenticate(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.auth.End(t.Context(), who); err != nil {
		t.Fatal(err)
	}
	if code := closedBy(t, conn); code != 4403 {
		t.Errorf("closed by %d, want 4403", code)
	}
}

// closedBy reads until the server closes.
func closedBy(t *testing.T, conn *websocket.Conn) websocket.StatusCode {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		if _, _, err := conn.Read(ctx); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				t.Fatal("the server does not close")
			}
			return websocket.CloseStatus(err)
		}
	}
}

// TestSocketDrain: a process that stops tells its websockets to go elsewhere.
func TestSocketDrain(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- e.srv.Run(ctx, listener) }()
	conn, got, _ := dial(t, "http://"+listener.Addr().String(), nil, map[string]any{"authorization": "Bearer " + e.token(t, "boss@acme.test")})
	if got != "connection_ack" {
		t.Fatalf("got %q", got)
	}
	stop()
	if code := closedBy(t, conn); code != websocket.StatusGoingAway {
		t.Errorf("closed by %d, want 1001", code)
	}
	if err := <-ran; err != nil {
		t.Errorf("Run: %v", err)
	}
}
