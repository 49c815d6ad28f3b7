// Package request carries what the server knows of one HTTP request: its name,
// where it came from, and what its one line in the access log says. Handlers and
// legacy shims, which the server does not see into, report to it.
package request

import (
	"context"
	"sync"

	"github.com/google/uuid"

	"sello/loyalty/auth"
)

// Info is one request. It is made by the server before anything else runs.
type Info struct {
	// ID names the request in answers and logs.
	ID string
	// Address is the caller's IP address, behind trusted proxies too; "" if
	// unknown. Never logged: it is personal data.
	Address string
	// Language is the one to answer in, of those that we speak: en, es, pt or vi.
	Language string

	mu      sync.Mutex
	company uuid.UUID
	route   string
}

type contextKey struct{}

// With hands the request's Info to everything below.
func With(ctx context.Context, info *Info) context.Context {
	return context.WithValue(ctx, contextKey{}, info)
}

// From is the request's Info; an empty one outside a request, so that it is never
// nil.
func From(ctx context.Context) *Info {
	if info, ok := ctx.Value(contextKey{}).(*Info); ok {
		return info
	}
	return &Info{}
}

// SignedIn hands the principal to everything below (auth.WithPrincipal) and its
// company to the access log.
func SignedIn(ctx context.Context, who auth.Principal) context.Context {
	info := From(ctx)
	info.mu.Lock()
	info.company = who.CompanyID
	info.mu.Unlock()
	return auth.WithPrincipal(ctx, who)
}

// SetRoute names the route that serves the request, for logs and metrics: a
// pattern of a closed set, such as "/wallet/sale", never a path with values in
// it. Only handlers with a router of their own need it.
func SetRoute(ctx context.Context, pattern string) {
	info := From(ctx)
	info.mu.Lock()
	info.route = pattern
	info.mu.Unlock()
}

// Company is the company of the principal, the zero id if nobody is signed in.
func (i *Info) Company() uuid.UUID {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.company
}

// Route is what SetRoute was told, "" if nothing.
func (i *Info) Route() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.route
}
