package server

import (
	"net/http"
	"time"

	"github.com/go-chi/httprate"

	"sello/loyalty/auth"
	"sello/server/request"
)

// limits count requests in this process, in sliding windows of a minute.
type limits struct {
	principal, address, failures *httprate.RateLimiter
}

func newLimits(rates Rates) limits {
	return limits{NewLimiter(rates.Principal), NewLimiter(rates.Address), NewLimiter(rates.Failures)}
}

// NewLimiter counts requests a minute by key: its OnLimit sets Retry-After and
// answers true for one too many. It is nil, for no limit, where perMinute is not
// positive. Shims hold their callers by it.
func NewLimiter(perMinute int) *httprate.RateLimiter {
	if perMinute <= 0 {
		return nil
	}
	return httprate.NewRateLimiter(perMinute, time.Minute)
}

func (limits) exceeded(limiter *httprate.RateLimiter, w http.ResponseWriter, r *http.Request, key string) bool {
	return limiter != nil && limiter.OnLimit(w, r, key)
}

// addressKey is the caller's address, an IPv6 one by its network, of which a
// caller usually has all.
func addressKey(r *http.Request) string {
	return httprate.CanonicalizeIP(request.From(r.Context()).Address)
}

// limitRate holds each principal, and each address of callers who are nobody, to
// its rate.
func (s *Server) limitRate(refuse errorWriter) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			limiter, name, key := s.limits.address, "address", addressKey(r)
			if who, ok := auth.From(r.Context()); ok {
				limiter, name, key = s.limits.principal, "principal", who.Subject.String()
			}
			if s.limits.exceeded(limiter, w, r, key) {
				s.cfg.Metrics.RateLimited(name)
				refuse.write(w, r, http.StatusTooManyRequests, codeThrottled, "too many requests, try again later")
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
