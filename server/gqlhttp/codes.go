package gqlhttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// The values of extensions.code that the edge itself gives. Documents that do
// not parse or do not fit the schema have gqlgen's GRAPHQL_PARSE_FAILED and
// GRAPHQL_VALIDATION_FAILED.
const (
	// CodeBadRequest: the request is not a GraphQL request (malformed JSON, a
	// parameter of the wrong type, duplicate keys, invalid UTF-8).
	CodeBadRequest = "BAD_REQUEST"
	// CodeBatchingUnsupported: the body is a list of requests.
	CodeBatchingUnsupported = "BATCHING_UNSUPPORTED"
	// CodeBodyTooLarge: more bytes than Limits.BodyBytes.
	CodeBodyTooLarge = "BODY_TOO_LARGE"
	// CodeMethodNotAllowed: the method, or a mutation by GET.
	CodeMethodNotAllowed = "METHOD_NOT_ALLOWED"
	// CodeUnsupportedMediaType: the body is not application/json.
	CodeUnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE"
	// CodeNotAcceptable: none of the media types of Accept is offered.
	CodeNotAcceptable = "NOT_ACCEPTABLE"
	// CodeCrossSite: a request signed in by a cookie that does not come from the
	// server's own pages, or by GET; a websocket from an unknown origin.
	CodeCrossSite = "CROSS_SITE_REQUEST"
	// CodeDocumentTooComplex: the document passes one of the structural limits;
	// extensions.reason says which one.
	CodeDocumentTooComplex = "DOCUMENT_TOO_COMPLEX"
	// CodeCostLimitExceeded: the operation's complexity is over the limit; see
	// extensions.cost of the answer.
	CodeCostLimitExceeded = "COST_LIMIT_EXCEEDED"
	// CodeIntrospectionDisabled: the caller may not read the schema.
	CodeIntrospectionDisabled = "INTROSPECTION_DISABLED"
	// CodeDocumentNotFound: no known document has that id. The name is the one that
	// clients of persisted queries look for.
	CodeDocumentNotFound = "PERSISTED_QUERY_NOT_FOUND"
	// CodeDocumentNotAllowed: the caller may run known documents only.
	CodeDocumentNotAllowed = "DOCUMENT_NOT_ALLOWED"
	// CodeSubscriptionTransport: a subscription over plain HTTP.
	CodeSubscriptionTransport = "SUBSCRIPTION_TRANSPORT"
	// CodeTooManySubscriptions: more than Limits.Subscriptions on one websocket.
	CodeTooManySubscriptions = "TOO_MANY_SUBSCRIPTIONS"
	// CodeTooManyConnections: more than Limits.Connections or ConnectionsPerKey.
	CodeTooManyConnections = "TOO_MANY_CONNECTIONS"
	// CodeUnauthenticated: an open stream's credential does not hold any more.
	CodeUnauthenticated = "UNAUTHENTICATED"
	// CodeTimeout: the operation's time was over.
	CodeTimeout = "TIMEOUT"
	// CodeUnavailable: the server is stopping.
	CodeUnavailable = "UNAVAILABLE"
	// CodeInternal: a fault; its text stays in the log.
	CodeInternal = "INTERNAL"
)

// The reasons given to Hooks.Refused, and for the document's limits in
// extensions.reason.
const (
	ReasonTokens         = "tokens"
	ReasonDepth          = "depth"
	ReasonValueDepth     = "value_depth"
	ReasonSelections     = "selections"
	ReasonSameKey        = "same_key"
	ReasonRepeated       = "repeated_objects"
	ReasonAliases        = "aliases"
	ReasonDirectives     = "directives"
	ReasonFragments      = "fragments"
	ReasonOperations     = "operations"
	ReasonMutationFields = "mutation_fields"
	ReasonFields         = "fields"
	ReasonComplexity     = "complexity"
	ReasonDefer          = "defer"
	ReasonNUL            = "nul"
	ReasonIntrospection  = "introspection"
	ReasonDocument       = "unknown_document"
	ReasonRequest        = "request"
	ReasonBody           = "body"
	ReasonCrossSite      = "cross_site"
	ReasonConnections    = "connections"
	ReasonSubscriptions  = "subscriptions"
)

// ErrOperationTime is the cause of an operation's context when its time is over.
var ErrOperationTime = errors.New("gqlhttp: the operation's time is over")

// The codes of request errors are protocol errors to gqlgen too, for whoever
// asks errcode.GetErrorKind about a list that passed through here.
func init() {
	for _, code := range []string{
		CodeDocumentTooComplex, CodeCostLimitExceeded, CodeIntrospectionDisabled, CodeBadRequest,
		CodeDocumentNotFound, CodeDocumentNotAllowed, CodeSubscriptionTransport,
	} {
		errcode.RegisterErrorType(code, errcode.KindProtocol)
	}
}

// refuse makes the error of a request that is not run.
func refuse(code, format string, args ...any) *gqlerror.Error {
	return &gqlerror.Error{
		Message:    fmt.Sprintf(format, args...),
		Extensions: map[string]any{"code": code},
	}
}

// statusOf is the HTTP status of a request that was refused before it ran.
// Documents that parse or validate badly are 200 for application/json clients,
// which by the GraphQL-over-HTTP specification must not confuse them with an
// answer of something in between.
func statusOf(media, code string) int {
	switch code {
	case errcode.ParseFailed, errcode.ValidationFailed:
		if media == mediaJSON {
			return http.StatusOK
		}
	case CodeBodyTooLarge:
		return http.StatusRequestEntityTooLarge
	case CodeMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case CodeUnsupportedMediaType:
		return http.StatusUnsupportedMediaType
	case CodeNotAcceptable:
		return http.StatusNotAcceptable
	case CodeCrossSite, CodeDocumentNotAllowed:
		return http.StatusForbidden
	case CodeTooManyConnections:
		return http.StatusTooManyRequests
	case CodeUnavailable:
		return http.StatusServiceUnavailable
	case CodeTimeout:
		return http.StatusGatewayTimeout
	case CodeInternal:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// codeOf reads extensions.code; "" when there is none.
func codeOf(err *gqlerror.Error) string {
	code, _ := err.Extensions["code"].(string)
	return code
}

func (h *Handler) countRefused(ctx context.Context, reason string) {
	if h.cfg.Hooks.Refused != nil {
		h.cfg.Hooks.Refused(ctx, reason)
	}
}
