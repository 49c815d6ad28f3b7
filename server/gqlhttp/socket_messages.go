package gqlhttp

import (
	"context"
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// socketOperation is a subscribe that has not ended.
type socketOperation struct {
	id     string
	cancel context.CancelFunc
}

// handle takes one message of the client; false ends the reading.
func (s *socket) handle(data []byte) bool {
	message, err := decodeObject(data, s.h.limits.JSONDepth+1)
	if err != nil {
		return s.bad()
	}
	kind, _ := message["type"].(string)
	switch kind {
	case "connection_init":
		return s.init(message["payload"])
	case "ping":
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.write([]byte(`{"type":"pong"}`))
	case "pong":
		return true
	case "subscribe", "complete":
		id, isString := message["id"].(string)
		if !isString || id == "" || len(id) > maxOperationIDBytes {
			return s.bad()
		}
		if !s.acked {
			s.close(closeUnauthorized, "Unauthorized")
			return false
		}
		if kind == "complete" {
			s.complete(id)
			return true
		}
		request, isObject := message["payload"].(map[string]any)
		if !isObject {
			return s.bad()
		}
		return s.subscribe(id, request)
	}
	return s.bad()
}

func (s *socket) bad() bool {
	s.close(closeBadMessage, "Invalid message received")
	return false
}

// init signs the connection in.
func (s *socket) init(given any) bool {
	if s.acked {
		s.close(closeTooManyInits, "Too many initialisation requests")
		return false
	}
	payload, isObject := given.(map[string]any)
	if !isObject && given != nil {
		return s.bad()
	}
	if !s.timer.Stop() {
		return false // it is being closed with 4408
	}
	if s.h.cfg.InitFunc != nil {
		ctx, err := s.h.cfg.InitFunc(s.ctx, payload)
		if err != nil {
			s.close(closeForbidden, "Forbidden")
			return false
		}
		s.ctx = ctx
	}
	key := s.h.connectionKey(s.ctx)
	if !s.h.conns.claim(key) {
		s.h.countRefused(s.ctx, ReasonConnections)
		s.close(closeTooManyInits, "Too many connections")
		return false
	}
	s.key, s.acked = key, true
	s.work.Go(s.watchCredential)
	s.work.Go(s.ping)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write([]byte(`{"type":"connection_ack"}`))
}

// subscribe starts an operation. Parsing and validation run on the reading
// goroutine: a client cannot have more than one document validated at a time.
func (s *socket) subscribe(id string, request map[string]any) bool {
	ctx, cancel := context.WithCancel(s.ctx)
	op := &socketOperation{id: id, cancel: cancel}

	s.mu.Lock()
	_, running := s.ops[id]
	full := len(s.ops) >= s.h.limits.Subscriptions
	if !running && !full {
		s.ops[id] = op
	}
	s.mu.Unlock()
	switch {
	case running:
		cancel()
		s.close(closeDuplicate, "Subscriber for "+id+" already exists")
		return false
	case full:
		cancel()
		s.h.countRefused(ctx, ReasonSubscriptions)
		return s.sendRefusal(id, gqlerror.List{s.h.present(ctx, refuse(CodeTooManySubscriptions,
			"At most %d operations may run on one connection.", s.h.limits.Subscriptions))})
	}

	ctx, prepared, errs := s.h.prepare(ctx, transportWebsocket, request, s.headers)
	if errs != nil {
		defer cancel()
		return s.end(op, errs)
	}
	s.work.Go(func() {
		defer cancel()
		s.run(ctx, op, prepared)
	})
	return true
}

// run sends the answers of one operation and its end.
func (s *socket) run(ctx context.Context, op *socketOperation, prepared *operation) {
	defer func() {
		if v := recover(); v != nil {
			s.end(op, gqlerror.List{s.h.present(ctx, recoverQuietly(ctx, v))})
		}
	}()
	errs := prepared.responses(ctx, func(response *graphql.Response) bool {
		body, err := encodeResponse(response)
		return err == nil && s.next(op, body)
	})
	s.end(op, errs)
}

// next sends one answer unless the operation has ended.
func (s *socket) next(op *socketOperation, payload []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ops[op.id] == op && s.write(frame(op.id, "next", payload))
}

// end frees the id and sends the last message, "error" or "complete", unless
// the client ended the operation first.
func (s *socket) end(op *socketOperation, errs gqlerror.List) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ops[op.id] != op {
		return true
	}
	delete(s.ops, op.id)
	if errs == nil {
		return s.write(frame(op.id, "complete", nil))
	}
	payload, err := json.Marshal(errs)
	if err != nil {
		payload = []byte(`[{"message":"Something went wrong on our side."}]`)
	}
	return s.write(frame(op.id, "error", payload))
}

// sendRefusal answers a subscribe that never got an operation.
func (s *socket) sendRefusal(id string, errs gqlerror.List) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	payload, err := json.Marshal(errs)
	return err == nil && s.write(frame(id, "error", payload))
}

// complete is the client's: nothing is sent for the operation after it.
func (s *socket) complete(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if op, running := s.ops[id]; running {
		delete(s.ops, id)
		op.cancel()
	}
}

// frame puts a message together; payload is JSON or nil.
func frame(id, kind string, payload []byte) []byte {
	quoted, err := json.Marshal(id)
	if err != nil { // a string always has a JSON form
		panic(err)
	}
	b := make([]byte, 0, len(payload)+len(quoted)+40)
	b = append(b, `{"id":`...)
	b = append(b, quoted...)
	b = append(b, `,"type":"`+kind+`"`...)
	if payload != nil {
		b = append(b, `,"payload":`...)
		b = append(b, payload...)
	}
	return append(b, '}')
}
