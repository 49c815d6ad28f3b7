package auth

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/google/uuid"
)

// Kind says what stands behind a principal.
type Kind string

// The closed set of kinds; audit entries hold them as actor_kind.
const (
	KindOperator Kind = "operator"
	KindAPIKey   Kind = "api_key"
	// KindSystem is the program itself: jobs, the command line, first set-up.
	KindSystem Kind = "system"
)

// Principal is who asks. Its slices are shared between requests: read only.
type Principal struct {
	CompanyID uuid.UUID
	// Subject is the operator's or the key's id; zero for the system.
	Subject uuid.UUID
	Kind    Kind
	// KeyKind tells the dialect a key is for; "" unless Kind is KindAPIKey.
	KeyKind KeyKind
	Scopes  []Scope
	// SessionID is the operator's session; zero otherwise.
	SessionID uuid.UUID
	// Email is the operator's address, or the one where a key's results go
	// (spec/pretii.md 4.1); "" if none. Never logged.
	Email string
}

// System is the program acting for a company, with every scope.
func System(company uuid.UUID) Principal {
	return Principal{CompanyID: company, Kind: KindSystem, Scopes: Scopes()}
}

// Has reports whether the principal has a scope. No scope implies another one.
func (p Principal) Has(scope Scope) bool { return slices.Contains(p.Scopes, scope) }

// LogValue keeps the address out of logs, whoever logs the principal.
func (p Principal) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("company_id", p.CompanyID.String()),
		slog.String("kind", string(p.Kind)),
		slog.String("subject", p.Subject.String()),
	)
}

// ErrUnauthenticated: there is no valid credential. Which part of it was wrong is
// told to the counter of Config.Failed and to nobody else.
var ErrUnauthenticated = errors.New("not authenticated")

// ErrForbidden is what every *ForbiddenError is (errors.Is).
var ErrForbidden = errors.New("forbidden")

// ForbiddenError: the caller is known and lacks a scope.
type ForbiddenError struct{ Scope Scope }

// Error names the scope, which is no secret: the caller can ask for it.
func (e *ForbiddenError) Error() string { return "forbidden: scope " + string(e.Scope) + " is missing" }

// Is makes errors.Is(err, ErrForbidden) true.
func (e *ForbiddenError) Is(target error) bool { return target == ErrForbidden }

type principalKey struct{}

// WithPrincipal hands who asks to everything below; the server does it once a
// request, after Authenticate or KeyAuthenticate.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From is the principal without a check, for the server's logs, metrics and rate
// limits. Resolvers use Require: a company id that came without a check of the
// scope is a hole (design.md 7), and TestResolversAskRequire looks for it.
func From(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(Principal)
	return p, ok
}

// Require is the first line of every resolver: the principal if it has the
// scope, else ErrUnauthenticated or a *ForbiddenError and no company to work with.
func Require(ctx context.Context, scope Scope) (Principal, error) {
	p, ok := From(ctx)
	if !ok {
		return Principal{}, ErrUnauthenticated
	}
	if !p.Has(scope) {
		return Principal{}, &ForbiddenError{Scope: scope}
	}
	return p, nil
}
