package gqlhttp

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// events is one server-sent event stream: the "distinct connections" mode of
// GraphQL over SSE, one operation for each request.
type events struct {
	h       *Handler
	control *http.ResponseController
	cancel  context.CancelCauseFunc

	mu sync.Mutex // the operation and the pings write
	w  http.ResponseWriter
}

// serveEvents runs an operation of any kind as a stream of "next" events and a
// final "complete". refused are the errors of a document that did not run; they
// travel as an event, too, because stream clients do not read other answers.
func (h *Handler) serveEvents(ctx context.Context, w http.ResponseWriter, op *operation, refused gqlerror.List) {
	if code := h.conns.enter(); code != "" {
		h.countRefused(ctx, ReasonConnections)
		h.writeRefusal(w, mediaGraphQL, op.refuse(ctx, gqlerror.List{refuse(code, "No more streams can be opened.")}), nil)
		return
	}
	defer h.conns.leave()
	key := h.connectionKey(ctx)
	if !h.conns.claim(key) {
		h.countRefused(ctx, ReasonConnections)
		h.writeRefusal(w, mediaGraphQL, op.refuse(ctx, gqlerror.List{refuse(CodeTooManyConnections,
			"At most %d streams may be open.", h.limits.ConnectionsPerKey)}), nil)
		return
	}
	defer h.conns.release(key)

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &events{h: h, w: w, control: http.NewResponseController(w), cancel: cancel}
	w.Header().Set("Content-Type", mediaEvents)
	w.Header().Set("X-Accel-Buffering", "no") // proxies must pass events on at once
	w.WriteHeader(http.StatusOK)
	s.write([]byte(":\n\n"))

	var watch sync.WaitGroup
	watch.Go(func() { s.watch(ctx) })

	errs := refused
	if errs == nil {
		errs = op.responses(ctx, func(response *graphql.Response) bool {
			body, err := encodeResponse(response)
			return err == nil && s.event("next", body) && ctx.Err() == nil
		})
	}
	if context.Cause(ctx) == errStreamForbidden { //nolint:errorlint // it is given as it is
		errs = gqlerror.List{h.present(ctx, refuse(CodeUnauthenticated, "The sign-in does not hold any more."))}
	}
	if errs != nil {
		if body, err := encodeRefusal(errs, op); err == nil {
			s.event("next", body)
		}
	}
	s.event("complete", nil)
	cancel(nil)
	watch.Wait() // nothing may write after the handler
}

// watch pings, looks at the credential again, and ends the stream when the
// server stops.
func (s *events) watch(ctx context.Context) {
	ping := time.NewTicker(s.h.limits.PingEvery)
	defer ping.Stop()
	recheck := time.NewTicker(s.h.limits.RecheckEvery)
	defer recheck.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.h.conns.stopping:
			s.cancel(errStreamStopping)
			return
		case <-ping.C:
			s.write([]byte(": ping\n\n"))
		case <-recheck.C:
			if s.h.cfg.Recheck != nil && s.h.cfg.Recheck(ctx) != nil {
				s.cancel(errStreamForbidden)
				return
			}
		}
	}
}

// event writes one event; "complete" has an empty data line, without which
// browsers do not report it.
func (s *events) event(name string, data []byte) bool {
	var b bytes.Buffer
	b.Grow(len(data) + 32)
	b.WriteString("event: " + name + "\ndata: ")
	b.Write(data)
	b.WriteString("\n\n")
	return s.write(b.Bytes())
}

// write sends bytes within Limits.WriteTime or ends the stream.
func (s *events) write(data []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.control.SetWriteDeadline(time.Now().Add(s.h.limits.WriteTime))
	_, err := s.w.Write(data)
	if err == nil {
		err = s.control.Flush()
	}
	if err != nil {
		s.cancel(err)
		return false
	}
	return true
}

func (h *Handler) connectionKey(ctx context.Context) string {
	if h.cfg.ConnectionKey == nil {
		return ""
	}
	return h.cfg.ConnectionKey(ctx)
}
