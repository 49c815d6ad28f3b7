// Package graph answers GraphQL: it checks who asks, converts, calls one domain
// operation and converts back. The legacy shims call the same resolver methods.
package graph

import (
	"sello/db"
	"sello/loyalty/auth"
	"sello/loyalty/catalog"
	"sello/loyalty/company"
	"sello/loyalty/contact"
	"sello/loyalty/coupon"
	"sello/loyalty/customer"
	"sello/loyalty/imports"
	"sello/loyalty/ledger"
	"sello/loyalty/notify"
	"sello/loyalty/phone"
	"sello/loyalty/plan"
	"sello/loyalty/points"
	"sello/loyalty/pos"
	"sello/loyalty/queue"
	"sello/loyalty/report"
	"sello/loyalty/reward"
	"sello/loyalty/wallet"
	"sello/loyalty/webhook"
	"sello/loyalty/wording"
)

// Resolver holds the domain that the resolvers call; main.go fills it once.
type Resolver struct {
	Auth      *auth.Service
	Companies *company.Service
	Customers *customer.Service
	Ledger    *ledger.Service
	Imports   *imports.Service
	Coupons   *coupon.Service
	Catalog   *catalog.Service
	POS       *pos.Service
	Rewards   *reward.Service
	Contacts  *contact.Service
	Points    *points.Service
	Notify    *notify.Service
	Queue     *queue.Service
	Reports   *report.Service
	Feed      *db.Feed
	Webhooks  *webhook.Service
	// What wallets take besides.
	Plans    *plan.Service
	Phones   *phone.Service
	Messages *wording.Service
	Wallets  *wallet.Service
}
