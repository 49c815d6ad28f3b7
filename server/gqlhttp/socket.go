package gqlhttp

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// subprotocol is the only websocket protocol that is spoken. The one before it
// (graphql-ws of subscriptions-transport-ws) is not offered.
const subprotocol = "graphql-transport-ws"

// The close codes of graphql-transport-ws, and their reasons word for word.
const (
	closeGoingAway      = websocket.StatusGoingAway
	closeBadMessage     = websocket.StatusCode(4400)
	closeUnauthorized   = websocket.StatusCode(4401)
	closeForbidden      = websocket.StatusCode(4403)
	closeSubprotocol    = websocket.StatusCode(4406)
	closeInitTimeout    = websocket.StatusCode(4408)
	closeDuplicate      = websocket.StatusCode(4409)
	closeTooManyInits   = websocket.StatusCode(4429)
	maxOperationIDBytes = 64
)

// Why a stream ended, as the cause of its context.
var (
	errStreamForbidden = errors.New("gqlhttp: the credential does not hold any more")
	errStreamStopping  = errors.New("gqlhttp: the server is stopping")
	errStreamClosed    = errors.New("gqlhttp: the connection was closed")
)

// socket is one graphql-transport-ws connection. One goroutine reads; each
// operation has one that writes; mu keeps their messages in order, so that
// nothing follows a "complete" or "error" of the same operation.
type socket struct {
	h       *Handler
	conn    *websocket.Conn
	headers http.Header
	key     string // of the principal, once it is signed in

	// ctx is the handshake's until the sign-in and then what InitFunc made of it.
	// It is written before the watcher and the operations start.
	ctx     context.Context
	cancel  context.CancelCauseFunc
	timer   *time.Timer // of connection_init
	acked   bool
	closing atomic.Bool
	work    sync.WaitGroup

	mu  sync.Mutex
	ops map[string]*socketOperation
}

// wantsWebsocket says that a request is a websocket handshake; other upgrades
// are ignored.
func wantsWebsocket(r *http.Request) bool {
	for _, value := range r.Header.Values("Upgrade") {
		for token := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(token), "websocket") {
				return true
			}
		}
	}
	return false
}

// serveSocket accepts a handshake and serves the connection to its end.
func (h *Handler) serveSocket(w http.ResponseWriter, r *http.Request) {
	if !h.socketOriginAllowed(r) {
		h.reject(w, r, mediaJSON, ReasonCrossSite, refuse(CodeCrossSite, "Websockets from this origin are not accepted."))
		return
	}
	if code := h.conns.enter(); code != "" {
		h.reject(w, r, mediaJSON, ReasonConnections, refuse(code, "No more connections can be opened."))
		return
	}
	defer h.conns.leave()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:       []string{subprotocol},
		InsecureSkipVerify: true, // the origin was checked above
	})
	if err != nil {
		return // Accept has answered
	}
	if conn.Subprotocol() != subprotocol {
		_ = conn.Close(closeSubprotocol, "Subprotocol not acceptable")
		return
	}
	conn.SetReadLimit(h.limits.BodyBytes + 1<<10) // the message around the request

	// A hijacked request's context ends with the handler or with some middleware's
	// time-out; the connection's ends here.
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(r.Context()))
	s := &socket{h: h, conn: conn, headers: r.Header, ctx: ctx, cancel: cancel, ops: map[string]*socketOperation{}}
	s.serve()
}

// serve reads until the connection ends and leaves nothing running.
func (s *socket) serve() {
	s.timer = time.AfterFunc(s.h.limits.InitTime, func() {
		s.close(closeInitTimeout, "Connection initialisation timeout")
	})
	defer s.timer.Stop()
	handshake := s.ctx
	s.work.Go(func() { s.watchShutdown(handshake) })
	for {
		kind, data, err := s.conn.Read(context.Background())
		if err != nil {
			break
		}
		if kind != websocket.MessageText {
			s.close(closeBadMessage, "Invalid message received")
			break
		}
		if !s.handle(data) {
			break
		}
	}
	s.closing.Store(true)
	s.cancel(errStreamClosed)
	s.work.Wait()
	_ = s.conn.CloseNow()
	s.h.conns.release(s.key)
}

// close ends the connection with a code, once. Messages of running operations
// are dropped from here on.
func (s *socket) close(code websocket.StatusCode, reason string) {
	if s.closing.Swap(true) {
		return
	}
	s.cancel(errStreamClosed)
	_ = s.conn.Close(code, reason)
}

func (s *socket) watchShutdown(ctx context.Context) {
	select {
	case <-s.h.conns.stopping:
		s.close(closeGoingAway, "Going away")
	case <-ctx.Done():
	}
}

// watchCredential looks at the credential of a signed-in connection again.
func (s *socket) watchCredential() {
	if s.h.cfg.Recheck == nil {
		return
	}
	ticker := time.NewTicker(s.h.limits.RecheckEvery)
	defer ticker.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-ticker.C:
			if s.h.cfg.Recheck(s.ctx) != nil {
				s.close(closeForbidden, "Forbidden")
				return
			}
		}
	}
}

// ping sends protocol pings, which every client answers without code of its
// own, and cuts off a peer that misses one.
func (s *socket) ping() {
	ticker := time.NewTicker(s.h.limits.PingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-ticker.C:
			// Not s.ctx: its end would cut the close handshake short.
			ctx, cancel := context.WithTimeout(context.Background(), s.h.limits.PingEvery)
			err := s.conn.Ping(ctx)
			cancel()
			if err != nil {
				s.drop()
				return
			}
		}
	}
}

// drop ends a connection whose peer does not take part any more.
func (s *socket) drop() {
	s.closing.Store(true)
	s.cancel(errStreamClosed)
	go func() { _ = s.conn.CloseNow() }() // it waits for the reader, which may be the caller
}

// write sends one message within Limits.WriteTime; a peer that does not read
// that long is cut off. The caller holds mu.
func (s *socket) write(message []byte) bool {
	if s.closing.Load() {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.h.limits.WriteTime)
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, message); err != nil {
		s.drop()
		return false
	}
	return true
}
