package graphtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// Stream is one subscription, over server-sent events or a websocket.
type Stream interface {
	// Next waits for the next answer; false means that the stream has ended.
	Next() (Answer, bool)
	// Close leaves the stream, without a word.
	Close()
}

// Subscribe follows a subscription over server-sent events. The stream ends with
// the test at the latest.
func (e *Env) Subscribe(tb testing.TB, q Request) Stream {
	tb.Helper()
	body, err := json.Marshal(map[string]any{"query": q.Document, "variables": q.Variables})
	if err != nil {
		tb.Fatalf("graphtest: %v", err)
	}
	ctx, cancel := context.WithCancel(tb.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		tb.Fatalf("graphtest: %v", err)
	}
	prepare(r, q.Credential, "text/event-stream", q.Header)
	response, err := e.Server.Client().Do(r) //nolint:bodyclose // Close does
	if err != nil {
		tb.Fatalf("graphtest: %v", err)
	}
	s := &sse{tb: tb, response: response, cancel: cancel, lines: bufio.NewReader(response.Body)}
	tb.Cleanup(s.Close)
	return s
}

type sse struct {
	tb       testing.TB
	response *http.Response
	cancel   context.CancelFunc
	lines    *bufio.Reader
}

func (s *sse) Next() (Answer, bool) {
	s.tb.Helper()
	event := ""
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return Answer{}, false
		}
		switch line = strings.TrimRight(line, "\n"); {
		case strings.HasPrefix(line, "event: "):
			event = strings.TrimPrefix(line, "event: ")
		case strings.HasPrefix(line, "data: ") && event == "next":
			return parse(s.tb, []byte(strings.TrimPrefix(line, "data: "))), true
		case event == "complete":
			return Answer{}, false
		}
	}
}

func (s *sse) Close() {
	s.cancel()
	_ = s.response.Body.Close()
}

func parse(tb testing.TB, body []byte) Answer {
	tb.Helper()
	a := Answer{Status: http.StatusOK, Body: body}
	if err := json.Unmarshal(body, &a); err != nil {
		tb.Fatalf("graphtest: the event is no JSON: %q: %v", body, err)
	}
	return a
}

// SubscribeSocket follows a subscription over graphql-transport-ws, signed in by
// connection_init.
func (e *Env) SubscribeSocket(tb testing.TB, q Request) Stream {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	conn, _, err := websocket.Dial(ctx, e.URL, &websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}}) //nolint:bodyclose // the library's matter
	if err != nil {
		tb.Fatalf("graphtest: open a websocket: %v", err)
	}
	conn.SetReadLimit(1 << 20)
	s := &socket{tb: tb, ctx: ctx, cancel: cancel, conn: conn}
	tb.Cleanup(s.Close)
	s.send(map[string]any{"type": "connection_init", "payload": map[string]any{"authorization": "Bearer " + q.Credential}})
	if m, ok := s.read(); !ok || m.Type != "connection_ack" {
		tb.Fatalf("graphtest: sign a websocket in: got %+v", m)
	}
	s.send(map[string]any{"id": "1", "type": "subscribe", "payload": map[string]any{"query": q.Document, "variables": q.Variables}})
	return s
}

type socket struct {
	tb     testing.TB
	ctx    context.Context
	cancel context.CancelFunc
	conn   *websocket.Conn
}

type message struct {
	ID, Type string
	Payload  json.RawMessage
}

func (s *socket) send(m any) {
	s.tb.Helper()
	text, err := json.Marshal(m)
	if err == nil {
		err = s.conn.Write(s.ctx, websocket.MessageText, text)
	}
	if err != nil {
		s.tb.Fatalf("graphtest: write to a websocket: %v", err)
	}
}

func (s *socket) read() (message, bool) {
	_, data, err := s.conn.Read(s.ctx)
	if err != nil {
		return message{}, false
	}
	var m message
	if err := json.Unmarshal(data, &m); err != nil {
		return message{}, false
	}
	return m, true
}

func (s *socket) Next() (Answer, bool) {
	s.tb.Helper()
	for {
		m, ok := s.read()
		if !ok {
			return Answer{}, false
		}
		switch m.Type {
		case "next":
			return parse(s.tb, m.Payload), true
		case "error":
			a := Answer{Status: http.StatusOK, Body: m.Payload}
			if err := json.Unmarshal(m.Payload, &a.Errors); err != nil {
				s.tb.Fatalf("graphtest: %v", fmt.Errorf("an error message: %w", err))
			}
			return a, true
		case "complete":
			return Answer{}, false
		}
	}
}

func (s *socket) Close() {
	s.cancel()
	_ = s.conn.CloseNow()
}
