package gqlhttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// serveHTTP answers GET and POST, the latter with one answer or with events.
func (h *Handler) serveHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	switch r.Method {
	case http.MethodGet, http.MethodPost:
	case http.MethodOptions: // without CORS headers: other origins stay out
		w.Header().Set("Allow", "GET, POST, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		w.Header().Set("Allow", "GET, POST, OPTIONS")
		h.reject(w, r, mediaJSON, ReasonRequest, refuse(CodeMethodNotAllowed, "Use POST, or GET for queries."))
		return
	}
	media := negotiate(r)
	if media == "" {
		h.reject(w, r, mediaJSON, ReasonRequest, refuse(CodeNotAcceptable,
			"Accept %s, %s, or %s with POST.", mediaGraphQL, mediaJSON, mediaEvents))
		return
	}
	if h.crossSite(r) {
		h.reject(w, r, media, ReasonCrossSite, refuse(CodeCrossSite,
			"A request signed in by a cookie must be a POST from this site."))
		return
	}
	object, refused := h.readRequest(w, r)
	if refused != nil {
		h.reject(w, r, media, ReasonBody, refused)
		return
	}

	transport := transportHTTP
	if media == mediaEvents {
		transport = transportEvents
	}
	ctx, op, errs := h.prepare(ctx, transport, object, r.Header)
	switch {
	case media == mediaEvents && (errs == nil || op.context != nil):
		h.serveEvents(ctx, w, op, errs)
		return
	case errs != nil:
	case r.Method == http.MethodGet && op.context.Operation.Operation != ast.Query:
		w.Header().Set("Allow", "POST")
		errs = op.refuse(ctx, gqlerror.List{refuse(CodeMethodNotAllowed, "GET is for queries only.")})
	case op.context.Operation.Operation == ast.Subscription:
		errs = op.refuse(ctx, gqlerror.List{refuse(CodeSubscriptionTransport,
			"Subscribe over the websocket protocol graphql-transport-ws, or accept %s.", mediaEvents)})
	}
	if errs != nil {
		h.writeRefusal(w, media, errs, op)
		return
	}
	h.execute(ctx, w, media, op)
}

// execute runs a query or mutation and writes its one answer.
func (h *Handler) execute(ctx context.Context, w http.ResponseWriter, media string, op *operation) {
	var answer *graphql.Response
	errs := op.responses(ctx, func(response *graphql.Response) bool {
		answer = response
		return false
	})
	switch {
	case errs != nil:
		h.writeRefusal(w, media, errs, op)
	case answer != nil: // nil: the client has gone
		body, err := encodeResponse(answer)
		if err != nil {
			h.writeRefusal(w, media, gqlerror.List{h.present(ctx, err)}, op)
			return
		}
		h.write(w, media, http.StatusOK, body)
	}
}

// readRequest reads the request's parameters, from the query string or the body.
func (h *Handler) readRequest(w http.ResponseWriter, r *http.Request) (map[string]any, *gqlerror.Error) {
	if r.Method == http.MethodGet {
		return h.readQueryString(r)
	}
	if !takesJSON(r) {
		return nil, refuse(CodeUnsupportedMediaType, "Send %s in UTF-8, uncompressed.", mediaJSON)
	}
	if r.ContentLength > h.limits.BodyBytes {
		return nil, h.tooLarge()
	}
	// The deadline is lifted only when the whole body is there (an event stream must
	// not end by it). After an error it stays, or the server, which reads what is
	// left of the body before it closes, would wait for it without end.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(h.limits.BodyTime))
	body, err := readBody(http.MaxBytesReader(w, r.Body, h.limits.BodyBytes), r.ContentLength)
	if err != nil {
		w.Header().Set("Connection", "close")
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return nil, h.tooLarge()
		}
		return nil, refuse(CodeBadRequest, "The body could not be read.")
	}
	_ = control.SetReadDeadline(time.Time{})
	object, err := decodeObject(body, h.limits.JSONDepth)
	return object, refuseJSON("The body", err)
}

// readBody reads all of a body whose length may be known beforehand.
func readBody(body io.Reader, length int64) ([]byte, error) {
	if length <= 0 {
		return io.ReadAll(body)
	}
	whole := make([]byte, length)
	_, err := io.ReadFull(body, whole)
	return whole, err
}

func (h *Handler) tooLarge() *gqlerror.Error {
	return refuse(CodeBodyTooLarge, "A request may have %d bytes at most.", h.limits.BodyBytes)
}

// refuseJSON says that something is not JSON without quoting it.
func refuseJSON(what string, err error) *gqlerror.Error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errBatch):
		return refuse(CodeBatchingUnsupported, "Send one request at a time.")
	}
	return refuse(CodeBadRequest, "%s must be %s.", what, errJSON.Error())
}

// readQueryString makes of a query string what a body would be.
func (h *Handler) readQueryString(r *http.Request) (map[string]any, *gqlerror.Error) {
	if int64(len(r.URL.RawQuery)) > h.limits.BodyBytes {
		return nil, h.tooLarge()
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(CodeBadRequest, "The query string is malformed.")
	}
	object := map[string]any{}
	for _, name := range []string{"query", "operationName", "documentId", "variables", "extensions"} {
		given, present := values[name]
		switch {
		case !present || len(given) == 1 && given[0] == "":
			continue
		case len(given) > 1:
			return nil, refuse(CodeBadRequest, "The parameter %s is given twice.", name)
		}
		if name == "variables" || name == "extensions" {
			decoded, err := decodeObject([]byte(given[0]), h.limits.JSONDepth)
			if err != nil {
				return nil, refuseJSON("The parameter "+name, errJSON)
			}
			object[name] = decoded
			continue
		}
		if !plainText(given[0]) {
			return nil, refuse(CodeBadRequest, "The parameter %s is not text in UTF-8.", name)
		}
		object[name] = given[0]
	}
	return object, nil
}

// reject answers a request that did not get as far as its document.
func (h *Handler) reject(w http.ResponseWriter, r *http.Request, media, reason string, err *gqlerror.Error) {
	if reason != "" {
		h.countRefused(r.Context(), reason)
	}
	h.writeRefusal(w, media, gqlerror.List{h.present(r.Context(), err)}, nil)
}

// writeRefusal writes errors without data.
func (h *Handler) writeRefusal(w http.ResponseWriter, media string, errs gqlerror.List, op *operation) {
	if media == mediaEvents { // refused before the stream began
		media = mediaGraphQL
	}
	status := statusOf(media, codeOf(errs[0]))
	body, err := encodeRefusal(errs, op)
	if err != nil { // a presenter's extension that is no JSON
		body, status = []byte(`{"errors":[{"message":"Something went wrong on our side."}]}`), http.StatusInternalServerError
	}
	h.write(w, media, status, body)
}

func (h *Handler) write(w http.ResponseWriter, media string, status int, body []byte) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(h.limits.ResponseTime))
	if value, known := contentTypes[media]; known {
		w.Header()["Content-Type"] = value
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
