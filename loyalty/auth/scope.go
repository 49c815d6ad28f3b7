package auth

import (
	"slices"

	"sello/loyalty"
)

// Scope is one thing a principal may do.
type Scope string

// The closed set of scopes.
const (
	CardsRead         Scope = "cards:read"
	CardsWrite        Scope = "cards:write"
	CustomersRead     Scope = "customers:read"
	CustomersWrite    Scope = "customers:write"
	StaffRead         Scope = "staff:read"
	StaffWrite        Scope = "staff:write"
	KeysManage        Scope = "keys:manage"
	ImportsRead       Scope = "imports:read"
	ImportsWrite      Scope = "imports:write"
	JobsRead          Scope = "jobs:read"
	JobsWrite         Scope = "jobs:write"
	CompanyRead       Scope = "company:read"
	CompanyWrite      Scope = "company:write"
	NotificationsRead Scope = "notifications:read"
	// ReportsRead sees figures and checks of the books, ReportsWrite starts checks
	// and rebuilds.
	ReportsRead   Scope = "reports:read"
	ReportsWrite  Scope = "reports:write"
	WebhooksRead  Scope = "webhooks:read"
	WebhooksWrite Scope = "webhooks:write"
	CouponsRead   Scope = "coupons:read"
	CouponsWrite  Scope = "coupons:write"
	RewardsRead   Scope = "rewards:read"
	RewardsWrite  Scope = "rewards:write"
	ProductsRead  Scope = "products:read"
	ProductsWrite Scope = "products:write"
	// Platform is for the people who run the installation: queues and metrics of
	// all companies. Only who has it gives it.
	Platform Scope = "platform"
)

// Scopes lists every scope.
func Scopes() []Scope {
	return append(CompanyScopes(), Platform)
}

// CompanyScopes lists every scope that stays within one company: what its first
// operator gets.
func CompanyScopes() []Scope {
	return []Scope{
		CardsRead, CardsWrite, CustomersRead, CustomersWrite, StaffRead, StaffWrite, KeysManage,
		ImportsRead, ImportsWrite, JobsRead, JobsWrite, CompanyRead, CompanyWrite, NotificationsRead,
		ReportsRead, ReportsWrite,
		WebhooksRead, WebhooksWrite,
		CouponsRead, CouponsWrite, RewardsRead, RewardsWrite, ProductsRead, ProductsWrite,
	}
}

// Valid reports whether the scope is one of the closed set.
func (s Scope) Valid() bool { return slices.Contains(Scopes(), s) }

// KeyKind is the dialect an API key is for.
type KeyKind string

// The closed set of key kinds (api_key_kind_check).
const (
	// KeyServer is a system of the company that speaks GraphQL.
	KeyServer KeyKind = "server"
	// KeyWallet is the wallet API's apikey.
	KeyWallet KeyKind = "wallet"
	// KeyPretii is the token of Pretii's panel.
	KeyPretii KeyKind = "pretii"
	// KeyAntCRM is AntCRM's key.
	KeyAntCRM KeyKind = "antcrm"
)

// KeyKinds lists every kind.
func KeyKinds() []KeyKind { return []KeyKind{KeyServer, KeyWallet, KeyPretii, KeyAntCRM} }

// Valid reports whether the kind is one of the closed set.
func (k KeyKind) Valid() bool { return slices.Contains(KeyKinds(), k) }

// DefaultScopes are what a key of the kind can do: exactly what its dialect
// needs. A server key has none of its own; they are chosen when it is made.
func (k KeyKind) DefaultScopes() []Scope {
	switch k {
	case KeyWallet:
		return []Scope{CardsRead, CardsWrite, CustomersRead, CustomersWrite, StaffRead, StaffWrite}
	case KeyPretii:
		return []Scope{CardsRead, CardsWrite, CustomersRead, CustomersWrite, ImportsRead, ImportsWrite}
	case KeyAntCRM:
		return []Scope{
			CardsRead, CardsWrite, CustomersRead, CustomersWrite, ProductsRead, ProductsWrite, RewardsRead, RewardsWrite,
		}
	default:
		return nil
	}
}

// grant is what who may hand out of the scopes asked for: all of them or a
// refusal. It refuses with REQUIRED, INVALID and SCOPE_EXCEEDED.
func grant(who Principal, scopes []Scope) ([]string, error) {
	if len(scopes) == 0 {
		return nil, loyalty.Refuse(loyalty.CodeRequired, "scopes")
	}
	given := make([]string, 0, len(scopes))
	for _, s := range scopes {
		if !s.Valid() {
			return nil, loyalty.Refuse(loyalty.CodeInvalid, "scopes")
		}
		if !who.Has(s) {
			return nil, loyalty.Refuse(loyalty.CodeScopeExceeded, "scopes").With("scope", string(s))
		}
		given = append(given, string(s))
	}
	slices.Sort(given)
	return slices.Compact(given), nil
}

// outranks reports the first scope of another that who lacks: acting on somebody
// who may do more than oneself is a way to become them.
func outranks(other []string, who Principal) (Scope, bool) {
	for _, s := range other {
		if !who.Has(Scope(s)) {
			return Scope(s), true
		}
	}
	return "", false
}

func scopesOf(names []string) []Scope {
	scopes := make([]Scope, len(names))
	for i, n := range names {
		scopes[i] = Scope(n)
	}
	return scopes
}
