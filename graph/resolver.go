// Package graph answers GraphQL: it checks who asks, converts, calls one domain
// operation and converts back. The legacy shims call the same resolver methods.
package graph

import (
	"sello/db"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/customer"
	"sello/loyalty/imports"
	"sello/loyalty/ledger"
	"sello/loyalty/notify"
	"sello/loyalty/queue"
)

// Resolver holds the domain that the resolvers call; main.go fills it once.
type Resolver struct {
	Auth      *auth.Service
	Companies *company.Service
	Customers *customer.Service
	Ledger    *ledger.Service
	Imports   *imports.Service
	Notify    *notify.Service
	Queue     *queue.Service
	Feed      *db.Feed
}
