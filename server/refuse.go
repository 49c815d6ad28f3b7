package server

import (
	"encoding/json"
	"net/http"
	"strings"

	"sello/graph"
)

// Codes that the server itself answers in GraphQL's extensions.code, besides
// those of graph and gqlhttp.
const (
	codeUnauthenticated = "UNAUTHENTICATED"
	codeForbidden       = "FORBIDDEN"
	codeThrottled       = "THROTTLED"
	codeInternal        = "INTERNAL_SERVER_ERROR"
)

// errorWriter answers in the words of a route's protocol.
type errorWriter interface {
	write(w http.ResponseWriter, r *http.Request, status int, code, message string)
}

// graphQLErrors answers as GraphQL over HTTP does when a request did not get as
// far as to run: errors without data.
type graphQLErrors struct{}

func (graphQLErrors) write(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	media := "application/json; charset=utf-8"
	if strings.Contains(r.Header.Get("Accept"), "application/graphql-response+json") {
		media = "application/graphql-response+json; charset=utf-8"
	}
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]any{
		"message":    message,
		"extensions": map[string]any{"code": code, "requestId": graph.RequestID(r.Context())},
	}}})
}

// textErrors answers people and probes.
type textErrors struct{}

func (textErrors) write(w http.ResponseWriter, _ *http.Request, status int, _, message string) {
	http.Error(w, message, status)
}
