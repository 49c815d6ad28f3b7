package server

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"sello/loyalty/auth"
	"sello/server/request"
)

// credentialKey finds the credential of a request in its context, where open
// streams look at it again.
type credentialKey struct{}

// signIn finds out who asks: by Authorization (an operator's access token or an
// API key) or else by the session cookie. Nobody is fine, the resolvers decide;
// a wrong Authorization is refused, since its sender meant to be somebody. A
// cookie that is over is nobody: browsers send it unasked, also to sign in again.
func (s *Server) signIn(refuse errorWriter) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var who auth.Principal
			var credential string
			var err error
			if header := r.Header.Get("Authorization"); header != "" {
				if credential, err = bearer(header); err == nil {
					who, err = s.cfg.Auth.Authenticate(r.Context(), credential)
				}
			} else {
				who, credential, err = s.pages.Authenticate(w, r)
			}
			switch {
			case errors.Is(err, auth.ErrUnauthenticated):
				s.refuseCredential(w, r, refuse)
				return
			case err != nil:
				s.cfg.Log.ErrorContext(r.Context(), "sign-in failed", "error", err)
				refuse.write(w, r, http.StatusInternalServerError, codeInternal, "something went wrong on our side")
				return
			}
			ctx := r.Context()
			if credential != "" {
				ctx = context.WithValue(request.SignedIn(ctx, who), credentialKey{}, credential)
			}
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

// refuseCredential answers a wrong credential, and after too many of them from
// one address that they are too many. Right ones of that address still pass.
func (s *Server) refuseCredential(w http.ResponseWriter, r *http.Request, refuse errorWriter) {
	if s.limits.exceeded(s.limits.failures, w, r, addressKey(r)) {
		s.cfg.Metrics.RateLimited("failures")
		refuse.write(w, r, http.StatusTooManyRequests, codeThrottled, "too many wrong credentials, try again later")
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	refuse.write(w, r, http.StatusUnauthorized, codeUnauthenticated,
		"the credential is not valid: sign in again, or send another access token or API key")
}

// bearer is the credential of an Authorization header, or ErrUnauthenticated.
func bearer(header string) (string, error) {
	scheme, credential, _ := strings.Cut(header, " ")
	credential = strings.TrimSpace(credential)
	if !strings.EqualFold(scheme, "Bearer") || credential == "" {
		return "", auth.ErrUnauthenticated
	}
	return credential, nil
}

// recheck looks again at the credential of an open stream.
func (s *Server) recheck(ctx context.Context) error {
	credential, _ := ctx.Value(credentialKey{}).(string)
	_, err := s.cfg.Auth.Authenticate(ctx, credential)
	if errors.Is(err, auth.ErrUnauthenticated) {
		return err
	}
	return nil // a fault of ours is no reason to cut everybody off
}

// forPlatform lets only the people through who run the installation.
func (s *Server) forPlatform(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := auth.Require(r.Context(), auth.Platform)
		switch {
		case err == nil:
			next.ServeHTTP(w, r)
		case errors.Is(err, auth.ErrForbidden):
			http.Error(w, "this takes the scope platform", http.StatusForbidden)
		default:
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "sign in first", http.StatusUnauthorized)
		}
	})
}
