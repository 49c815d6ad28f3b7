package server

import (
	"context"
	"net/http"

	"sello/graph"
	"sello/loyalty/auth"
	"sello/server/gqlhttp"
	"sello/server/request"
)

// newGraphQL puts the GraphQL edge into its surroundings: sign-in, languages,
// error words and figures.
func (s *Server) newGraphQL() *gqlhttp.Handler {
	return gqlhttp.New(s.cfg.Schema, gqlhttp.Config{
		Limits:             s.cfg.GraphQL,
		PersistedDocuments: s.cfg.PersistedDocuments,
		Origins:            s.cfg.Origins,
		Introspection: func(ctx context.Context) bool {
			_, signedIn := auth.From(ctx)
			return signedIn && !s.cfg.HideSchema
		},
		PresentError: graph.Present,
		RequestID:    graph.RequestID,
		// Any other cookie of the site signs nobody in.
		UsesCookie: func(r *http.Request) bool {
			return r.Header.Get("Authorization") == "" && s.pages.HasCookie(r)
		},
		InitFunc: s.signInSocket,
		Recheck:  s.recheck,
		ConnectionKey: func(ctx context.Context) string {
			if who, ok := auth.From(ctx); ok {
				return who.Subject.String()
			}
			return "address " + request.From(ctx).Address
		},
		Hooks: s.cfg.Metrics.GraphQL(),
	})
}

// graphqlEndpoint is /graphql. The header Idempotency-Key is for one request,
// so that a websocket's handshake has none.
func (s *Server) graphqlEndpoint() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if key := r.Header.Get("Idempotency-Key"); key != "" && r.Header.Get("Upgrade") == "" {
			r = r.WithContext(graph.WithIdempotencyKey(r.Context(), key))
		}
		s.graphql.ServeHTTP(w, r)
	})
}

// signInSocket signs a websocket in by connection_init's {"authorization":
// "Bearer …"}, or keeps who its handshake was: browsers cannot set a header on
// it, but send the cookie, whose origin the edge has checked.
func (s *Server) signInSocket(ctx context.Context, payload map[string]any) (context.Context, error) {
	header, given := payload["authorization"].(string)
	if !given {
		header, given = payload["Authorization"].(string)
	}
	if !given {
		if _, signedIn := auth.From(ctx); signedIn {
			return ctx, nil
		}
		return nil, auth.ErrUnauthenticated
	}
	credential, err := bearer(header)
	if err != nil {
		return nil, err
	}
	who, err := s.cfg.Auth.Authenticate(ctx, credential)
	if err != nil {
		return nil, err
	}
	return context.WithValue(request.SignedIn(ctx, who), credentialKey{}, credential), nil
}
