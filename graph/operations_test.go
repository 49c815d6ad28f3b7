package graph_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"sello/graph"
	"sello/graph/graphtest"
	"sello/loyalty/auth"
)

// names are what one company's objects are found by.
type names struct {
	Card, Store, CardType, WalletKey, Phone, Email, Document, QR, Operator string
	Staff                                                                  int64
	Customer, Key, Import, Job, Hold, Movement, After                      string
	Webhook, Delivery                                                      string
	CustomerCode, Segment, Attribute                                       string
	// Of coupons, products and rewards.
	CouponType, Coupon, CouponBatch, Product, ProductCode, Reward, Claim, Lot string
	// Of messages.
	Notification, Token string
}

// operation is how one root field is asked in the tenancy tests.
type operation struct {
	// scope is what the field takes; "" for those that nobody needs one for.
	scope auth.Scope
	// open fields answer nobody, too.
	open bool
	// documents ask with a company's names, every way of naming an object once.
	documents func(n names) []string
	// creates: a name that another company has is as good as any.
	creates bool
	// global: what is named is not a company's.
	global bool
}

func one(format string, args func(names) []any) func(names) []string {
	return func(n names) []string { return []string{fmt.Sprintf(format, args(n)...)} }
}

func fixed(documents ...string) func(names) []string {
	return func(names) []string { return documents }
}

// list asks for all and for what is behind a cursor.
func list(field, args, node string) func(names) []string {
	return func(n names) []string {
		return []string{
			fmt.Sprintf(`query { %s(first: 10%s) { edges { cursor node { %s } } pageInfo { endCursor } } }`, field, args, node),
			fmt.Sprintf(`query { %s(first: 10%s, after: %q) { edges { node { %s } } } }`, field, args, n.After, node),
		}
	}
}

// nobody is a customer whom no company has.
var nobody = randomID("Customer")

// operations lists every root field: a new one fails TestOperationsListed until
// it is here.
var operations = map[string]operation{
	"Query.node": {documents: fixed()}, // type by type: TestNodeOfAnotherCompany, TestNodeScopes

	"Query.viewer":  {open: true, documents: fixed(`query { viewer { kind company { id code } } }`)},
	"Query.apiKeys": {scope: auth.KeysManage, documents: list("apiKeys", "", "id name hint")},
	"Query.company": {scope: auth.CompanyRead, documents: fixed(`query { company { id code } }`)},
	"Query.stores":  {scope: auth.StaffRead, documents: list("stores", "", "id code name")},
	"Query.store": {scope: auth.StaffRead, documents: one(`query { store(code: %q) { id name } }`,
		func(n names) []any { return []any{n.Store} })},
	"Query.staffMembers": {scope: auth.StaffRead, documents: list("staffMembers", "", "id name store { code }")},
	"Query.staffMember": {scope: auth.StaffRead, documents: one(`query { staffMember(number: %d) { id name } }`,
		func(n names) []any { return []any{n.Staff} })},
	"Query.cardTypes": {scope: auth.CardsRead, documents: list("cardTypes", ", walletsOnly: false, withArchived: true", "id code name walletKey")},
	"Query.cardType": {scope: auth.CardsRead, documents: func(n names) []string {
		return []string{
			fmt.Sprintf(`query { cardType(code: %q) { id name } }`, n.CardType),
			fmt.Sprintf(`query { cardType(walletKey: %q) { id name } }`, n.WalletKey),
		}
	}},
	"Query.cards": {scope: auth.CardsRead, documents: func(n names) []string {
		return append(list("cards", "", "id code holderName")(n),
			fmt.Sprintf(`query { cards(cardTypeCode: %q) { totalCount edges { node { id code } } } }`, n.CardType),
			fmt.Sprintf(`query { cards(customerId: %q, status: ENABLED) { totalCount edges { node { id code } } } }`, n.Customer))
	}},
	"Query.cardNext": {scope: auth.CardsRead, documents: one(`query { cardNext(cardTypeCode: %q) { id code } }`,
		func(n names) []any { return []any{n.CardType} })},
	"Query.card": {scope: auth.CardsRead, documents: func(n names) []string {
		return []string{
			fmt.Sprintf(`query { card(code: %q) { id code balance } }`, n.Card),
			fmt.Sprintf(`query { card(walletKey: %q, phone: %q) { id code balance } }`, n.WalletKey, n.Phone),
		}
	}},
	"Query.customers": {scope: auth.CustomersRead, documents: func(n names) []string {
		all := list("customers", "", "id firstName lastName email phone")(n)
		for _, text := range []string{n.Email, n.Document, n.QR, n.Document[:4], n.CustomerCode} {
			all = append(all, fmt.Sprintf(`query { customers(search: %q) { edges { node { id email } } } }`, text))
		}
		return append(all, fmt.Sprintf(`query { customers(attribute: { code: %q, value: "M" }) { pageInfo { hasNextPage } } }`, n.Attribute))
	}},
	"Query.customer": {scope: auth.CustomersRead, documents: func(n names) []string {
		return []string{
			fmt.Sprintf(`query { customer(code: %q) { id firstName } }`, n.CustomerCode),
			fmt.Sprintf(`query { customer(email: %q) { id firstName } }`, n.Email),
			fmt.Sprintf(`query { customer(document: %q) { id firstName } }`, n.Document),
			fmt.Sprintf(`query { customer(qrCode: %q) { id firstName } }`, n.QR),
			fmt.Sprintf(`query { customer(phone: %q) { id firstName } }`, n.Phone),
		}
	}},
	"Query.customerAttributes": {scope: auth.CustomersRead, documents: list("customerAttributes", ", withArchived: true", "id code name")},
	"Query.plan":               {scope: auth.CompanyRead, documents: fixed(`query { plan { messageBalance contacts } }`)},
	"Query.planPeriods":        {scope: auth.CompanyRead, documents: list("planPeriods", "", "startsOn")},
	"Query.messageMovements":   {scope: auth.CompanyRead, documents: list("messageMovements", "", "seq reference")},
	"Query.messageTemplates":   {scope: auth.CompanyRead, documents: fixed(`query { messageTemplates { body own } }`)},
	"Query.blockedPhones":      {scope: auth.CustomersRead, documents: list("blockedPhones", "", "phone reason")},
	"Query.areaCodes":          {scope: auth.CompanyRead, documents: list("areaCodes", "", "prefix own")},
	"Query.numberPlan":         {scope: auth.CompanyRead, documents: list("numberPlan", "", "first line")},
	"Query.walletContact": {scope: auth.CardsRead, documents: one(`query { walletContact(token: %q) { id code } }`,
		func(n names) []any { return []any{n.Token} })},
	"Query.segments": {scope: auth.CustomersRead, documents: list("segments", ", withArchived: true", "id code name")},
	"Query.segment": {scope: auth.CustomersRead, documents: one(`query { segment(code: %q) { id name members { totalCount } } }`,
		func(n names) []any { return []any{n.Segment} })},
	"Query.couponTypes": {scope: auth.CouponsRead, documents: list("couponTypes", ", withArchived: true", "id code name")},
	"Query.couponType": {scope: auth.CouponsRead, documents: one(`query { couponType(code: %q) { id name } }`,
		func(n names) []any { return []any{n.CouponType} })},
	"Query.coupons": {scope: auth.CouponsRead, documents: func(n names) []string {
		all := list("coupons", "", "id code type { code } history { edges { node { reference } } }")(n)
		return append(all, fmt.Sprintf(`query { coupons(typeCode: %q) { edges { node { id } } } }`, n.CouponType),
			fmt.Sprintf(`query { coupons(customerId: %q) { edges { node { id } } } }`, n.Customer),
			fmt.Sprintf(`query { coupons(status: ACTIVE, batchId: %q) { edges { node { id } } } }`, n.CouponBatch))
	}},
	"Query.coupon": {scope: auth.CouponsRead, documents: one(`query { coupon(code: %q) { id code } }`,
		func(n names) []any { return []any{n.Coupon} })},
	"Query.couponBatches": {scope: auth.CouponsRead, documents: func(n names) []string {
		return append(list("couponBatches", "", "id name type { code }")(n),
			fmt.Sprintf(`query { couponBatches(typeCode: %q, status: QUEUED) { edges { node { id } } } }`, n.CouponType))
	}},
	"Query.products": {scope: auth.ProductsRead, documents: list("products", ", status: ACTIVE", "id code name")},
	"Query.product": {scope: auth.ProductsRead, documents: one(`query { product(code: %q) { id name } }`,
		func(n names) []any { return []any{n.Product} })},
	"Query.productCodes": {scope: auth.ProductsRead, documents: func(n names) []string {
		all := list("productCodes", "", "id code product { code }")(n)
		return append(all, fmt.Sprintf(`query { productCodes(productCode: %q) { edges { node { id } } } }`, n.Product),
			fmt.Sprintf(`query { productCodes(customerId: %q) { edges { node { id } } } }`, n.Customer),
			fmt.Sprintf(`query { productCodes(status: UNUSED, lotId: %q) { edges { node { id } } } }`, n.Lot))
	}},
	"Query.productCode": {scope: auth.ProductsRead, documents: one(`query { productCode(code: %q) { id code } }`,
		func(n names) []any { return []any{n.ProductCode} })},
	"Query.rewards": {scope: auth.RewardsRead, documents: list("rewards", ", status: ACTIVE", "id code name storeStocks { edges { node { left } } }")},
	"Query.reward": {scope: auth.RewardsRead, documents: one(`query { reward(code: %q) { id name } }`,
		func(n names) []any { return []any{n.Reward} })},
	"Query.rewardClaims": {scope: auth.RewardsRead, documents: func(n names) []string {
		return append(list("rewardClaims", "", "id price reward { code }")(n),
			fmt.Sprintf(`query { rewardClaims(status: ISSUED, rewardCode: %q) { edges { node { id } } } }`, n.Reward),
			fmt.Sprintf(`query { rewardClaims(customerId: %q) { edges { node { id } } } }`, n.Customer))
	}},
	"Query.rewardAttempts": {scope: auth.RewardsRead, documents: func(n names) []string {
		return append(list("rewardAttempts", ", kind: CLAIM, failed: false", "score error")(n),
			fmt.Sprintf(`query { rewardAttempts(customerId: %q) { edges { node { score } } } }`, n.Customer))
	}},
	"Query.rewardHistory": {scope: auth.RewardsRead, documents: func(n names) []string {
		return []string{
			`query { rewardHistory(kind: CLAIM, since: "2020-01-01T00:00:00Z", until: "2030-01-01T00:00:00Z", page: 1) { attempts { score } } }`,
			fmt.Sprintf(`query { rewardHistory(kind: CONSUME, phone: %q) { attempts { score } } }`, n.Phone),
			fmt.Sprintf(`query { rewardHistory(kind: CLAIM, email: %q) { attempts { score } } }`, n.Email),
		}
	}},

	"Query.imports":       {scope: auth.ImportsRead, documents: list("imports", "", "id fileName errors { edges { node { value } } }")},
	"Query.notifications": {scope: auth.NotificationsRead, documents: list("notifications", "", "id recipient body")},
	"Query.jobs":          {scope: auth.JobsRead, documents: list("jobs", `, state: AVAILABLE, kind: "import_apply"`, "id kind")},
	"Query.queues":        {scope: auth.JobsRead, documents: fixed(`query { queues { name available } }`)},

	"Query.insightDaily": {scope: auth.ReportsRead, documents: func(n names) []string {
		return []string{
			`query { insightDaily(from: "2026-03-01", to: "2026-03-02", action: ADJUST) { days { day } } }`,
			fmt.Sprintf(`query { insightDaily(from: "2026-03-01", to: "2026-03-02", cardTypeCode: %q) { total { movements credits } } }`, n.CardType),
			fmt.Sprintf(`query { insightDaily(from: "2026-03-01", to: "2026-03-02", storeCode: %q) { total { movements credits } } }`, n.Store),
		}
	}},
	"Query.insightLiability": {scope: auth.ReportsRead, documents: one(
		`query { insightLiability(cardTypeCode: %q) { cards outstanding } }`, func(n names) []any { return []any{n.CardType} })},
	"Query.reportState":  {scope: auth.ReportsRead, documents: fixed(`query { reportState { completeTo } }`)},
	"Query.ledgerChecks": {scope: auth.ReportsRead, documents: list("ledgerChecks", "", "id note findings { edges { node { detail } } }")},
	"Query.webhooks":     {scope: auth.WebhooksRead, documents: list("webhooks", "", "id url description deliveries { edges { node { id } } }")},
	"Query.webhook": {scope: auth.WebhooksRead, documents: one(`query { webhook(id: %q) { id url } }`,
		func(n names) []any { return []any{n.Webhook} })},

	"Mutation.sessionCreate": {open: true, documents: one(
		`mutation { sessionCreate(input: { company: "beta", email: %q, password: "`+graphtest.Password+`" }) { accessToken userErrors { code } } }`,
		func(n names) []any { return []any{n.Operator} })},
	"Mutation.sessionRefresh": {open: true, global: true, documents: fixed( // the token is the credential
		`mutation { sessionRefresh(input: { refreshToken: "x" }) { accessToken userErrors { code } } }`)},
	"Mutation.sessionEnd": {documents: fixed(`mutation { sessionEnd { ended userErrors { code } } }`)},
	"Mutation.apiKeyCreate": {scope: auth.KeysManage, creates: true, documents: fixed(
		`mutation { apiKeyCreate(input: { kind: SERVER, name: "fixture", scopes: ["keys:manage"] }) { apiKey { name } userErrors { code } } }`)},
	"Mutation.apiKeyRevoke": {scope: auth.KeysManage, documents: one(
		`mutation { apiKeyRevoke(input: { id: %q }) { apiKey { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Key} })},
	"Mutation.operatorCreate": {scope: auth.KeysManage, creates: true, documents: one(
		`mutation { operatorCreate(input: { email: %q, name: "x", password: "long enough", scopes: ["keys:manage"] }) { email userErrors { code } } }`,
		func(n names) []any { return []any{n.Operator} })},

	"Mutation.companyUpdate": {scope: auth.CompanyWrite, documents: one(
		`mutation { companyUpdate(input: { name: "Own", timeZone: "America/Lima", language: "es", pointsCardTypeCode: %q }) { company { name } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.CardType} })},
	"Mutation.storeCreate": {scope: auth.CompanyWrite, creates: true, documents: one(
		`mutation { storeCreate(input: { code: %q, name: "x" }) { store { code } userErrors { code } } }`,
		func(n names) []any { return []any{n.Store} })},
	"Mutation.storeUpdate": {scope: auth.CompanyWrite, documents: one(
		`mutation { storeUpdate(input: { code: %q, name: "taken over", archived: true }) { store { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Store} })},
	"Mutation.staffCreate": {scope: auth.StaffWrite, documents: one(
		`mutation { staffCreate(input: { name: "x", phone: "5500000000", role: CASHIER, storeCode: %q, password: "abcd" }) { staffMember { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Store} })},
	"Mutation.staffArchive": {scope: auth.StaffWrite, documents: func(n names) []string {
		return []string{
			fmt.Sprintf(`mutation { staffArchive(input: { number: %d }) { staffMember { id } userErrors { code field message } } }`, n.Staff),
			fmt.Sprintf(`mutation { staffArchive(input: { phone: %q }) { staffMember { id } userErrors { code field message } } }`, n.Phone),
		}
	}},
	"Mutation.staffRightSet": {scope: auth.StaffWrite, documents: func(n names) []string {
		set := `mutation { staffRightSet(input: { staffNumber: %d, cardTypeCode: %q, accrue: true, redeem: true, adjust: true }) { staffMember { id } userErrors { code field message } } }`
		return []string{fmt.Sprintf(set, n.Staff, "beta-wallet"), fmt.Sprintf(set, 8101, n.CardType)}
	}},

	"Mutation.cardTypeCreate": {scope: auth.CompanyWrite, creates: true, documents: one(
		`mutation { cardTypeCreate(input: { code: %q, name: "x", unit: POINTS, walletKey: %q }) { cardType { code } userErrors { code } } }`,
		func(n names) []any { return []any{n.CardType, n.WalletKey} })},
	"Mutation.cardTypeUpdate": {scope: auth.CompanyWrite, documents: one(
		`mutation { cardTypeUpdate(input: { code: %q, name: "taken over", archived: true }) { cardType { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.CardType} })},
	"Mutation.cardCreate": {scope: auth.CardsWrite, documents: func(n names) []string {
		return []string{
			fmt.Sprintf(`mutation { cardCreate(input: { cardTypeCode: %q, code: "TAKE-1" }) { card { id } userErrors { code field message } } }`, n.CardType),
			fmt.Sprintf(`mutation { cardCreate(input: { cardTypeCode: "beta-points", code: "TAKE-2", customerId: %q }) { card { id } userErrors { code field message } } }`, n.Customer),
		}
	}},
	"Mutation.cardsIssue": {scope: auth.CardsWrite, documents: one(
		`mutation { cardsIssue(input: { cardTypeCode: %q, count: 1 }) { firstCode userErrors { code field message } } }`,
		func(n names) []any { return []any{n.CardType} })},
	"Mutation.cardNumberNext": {scope: auth.CardsWrite, documents: one(
		`mutation { cardNumberNext(input: { cardTypeCode: %q }) { number userErrors { code field message } } }`,
		func(n names) []any { return []any{n.CardType} })},
	"Mutation.cardActivate": {scope: auth.CardsWrite, documents: func(n names) []string {
		activate := `mutation { cardActivate(input: { code: %q, customerId: %q }) { card { id } userErrors { code field message } } }`
		return []string{fmt.Sprintf(activate, n.Card, randomID("Customer")), fmt.Sprintf(activate, "beta-card-0", n.Customer)}
	}},
	"Mutation.cardAssign": {scope: auth.CardsWrite, documents: func(n names) []string {
		assign := `mutation { cardAssign(input: { code: %q, customerId: %q }) { card { id } userErrors { code field message } } }`
		return []string{fmt.Sprintf(assign, n.Card, randomID("Customer")), fmt.Sprintf(assign, "beta-card-0", n.Customer)}
	}},
	"Mutation.cardUnassign": {scope: auth.CardsWrite, documents: ofCard("cardUnassign", "")},
	"Mutation.cardEnable":   {scope: auth.CardsWrite, documents: ofCard("cardEnable", "")},
	"Mutation.cardDisable":  {scope: auth.CardsWrite, documents: ofCard("cardDisable", "")},
	"Mutation.cardCancel":   {scope: auth.CardsWrite, documents: ofCard("cardCancel", `, writeOff: true, idempotencyKey: "tenancy"`)},
	"Mutation.cardReplace": {scope: auth.CardsWrite, documents: func(n names) []string {
		replace := `mutation { cardReplace(input: { code: %q, newCode: %q, idempotencyKey: "tenancy" }) { card { id } userErrors { code field message } } }`
		return []string{fmt.Sprintf(replace, n.Card, "beta-card-9")}
	}},
	"Mutation.cardCvvReset": {scope: auth.CardsWrite, documents: ofCard("cardCvvReset", "")},
	"Mutation.cardStatusSet": {scope: auth.CardsWrite, documents: one(
		`mutation { cardStatusSet(input: { code: %q, status: DISABLED }) { card { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Card} })},

	"Mutation.customerCreate": {scope: auth.CustomersWrite, creates: true, documents: one(
		`mutation { customerCreate(input: { code: %q, firstName: "x", email: %q, document: %q, phone: %q }) { customer { firstName } userErrors { code } } }`,
		func(n names) []any { return []any{n.CustomerCode, n.Email, n.Document, n.Phone} })},
	"Mutation.customerUpdate": {scope: auth.CustomersWrite, documents: one(
		`mutation { customerUpdate(input: { id: %q, code: "taken", firstName: "taken over" }) { customer { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Customer} })},
	"Mutation.customerMerge": {scope: auth.CustomersWrite, documents: func(n names) []string {
		merge := `mutation { customerMerge(input: { fromId: %q, intoId: %q }) { customer { id } replayed userErrors { code field message } } }`
		return []string{fmt.Sprintf(merge, n.Customer, nobody), fmt.Sprintf(merge, nobody, n.Customer)}
	}},
	"Mutation.customerErase": {scope: auth.CustomersWrite, documents: one(
		`mutation { customerErase(input: { id: %q, mode: TOTAL }) { customer { id } erased userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Customer} })},
	"Mutation.customerAttributeCreate": {scope: auth.CompanyWrite, creates: true, documents: one(
		`mutation { customerAttributeCreate(input: { code: %q, name: "x", type: TEXT }) { attribute { code } userErrors { code } } }`,
		func(n names) []any { return []any{n.Attribute} })},
	"Mutation.customerAttributeUpdate": {scope: auth.CompanyWrite, documents: one(
		`mutation { customerAttributeUpdate(input: { code: %q, name: "taken over" }) { attribute { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Attribute} })},
	"Mutation.customerAttributeArchive": {scope: auth.CompanyWrite, documents: one(
		`mutation { customerAttributeArchive(input: { code: %q }) { attribute { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Attribute} })},
	"Mutation.segmentCreate": {scope: auth.CustomersWrite, creates: true, documents: one(
		`mutation { segmentCreate(input: { code: %q, name: "x" }) { segment { code } userErrors { code } } }`,
		func(n names) []any { return []any{n.Segment} })},
	"Mutation.segmentUpdate": {scope: auth.CustomersWrite, documents: one(
		`mutation { segmentUpdate(input: { code: %q, name: "taken over" }) { segment { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Segment} })},
	"Mutation.segmentArchive": {scope: auth.CustomersWrite, documents: one(
		`mutation { segmentArchive(input: { code: %q }) { segment { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Segment} })},
	"Mutation.segmentMembersAdd": {scope: auth.CustomersWrite, documents: func(n names) []string {
		add := `mutation { segmentMembersAdd(input: { segmentCode: %q, customers: [{ id: %q }, { code: %q }] }) { segment { id } results { outcome customer { id } } userErrors { code field message } } }`
		return []string{fmt.Sprintf(add, n.Segment, nobody, "none"), fmt.Sprintf(add, "beta-segment", n.Customer, n.CustomerCode)}
	}},
	"Mutation.segmentMembersRemove": {scope: auth.CustomersWrite, documents: func(n names) []string {
		remove := `mutation { segmentMembersRemove(input: { segmentCode: %q, customers: [{ id: %q }] }) { segment { id } results { outcome customer { id } } userErrors { code field message } } }`
		return []string{fmt.Sprintf(remove, n.Segment, nobody), fmt.Sprintf(remove, "beta-segment", n.Customer)}
	}},
	"Mutation.segmentMembersClear": {scope: auth.CustomersWrite, documents: one(
		`mutation { segmentMembersClear(input: { segmentCode: %q }) { segment { id } cleared userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Segment} })},
	"Mutation.contactRegister": {scope: auth.CustomersWrite, documents: func(n names) []string {
		register := `mutation { contactRegister(input: { walletKey: %q, phone: %q, name: "x", staffNumber: %d }) { card { id } reopened userErrors { code field message } } }`
		return []string{fmt.Sprintf(register, n.WalletKey, n.Phone, 8101), fmt.Sprintf(register, "mk_beta_0001", "5544444444", n.Staff)}
	}},

	"Query.expiryPolicyPreview": {scope: auth.CardsRead, documents: one(
		`query { expiryPolicyPreview(input: { cardTypeCode: %q, policy: AFTER, count: 1, unit: MONTH, applyTo: ALL_POINTS }) { preview { total { amount cards members } } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.CardType} })},
	"Mutation.cardTypeExpirySet": {scope: auth.CompanyWrite, documents: one(
		`mutation { cardTypeExpirySet(input: { cardTypeCode: %q, policy: NEVER, applyTo: NEW_POINTS }) { cardType { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.CardType} })},

	"Mutation.movementAccrue":   {scope: auth.CardsWrite, documents: postings("movementAccrue", "points")},
	"Mutation.movementRedeem":   {scope: auth.CardsWrite, documents: postings("movementRedeem", "points")},
	"Mutation.movementAdjust":   {scope: auth.CardsWrite, documents: postings("movementAdjust", "points")},
	"Mutation.movementRecharge": {scope: auth.CardsWrite, documents: postings("movementRecharge", "amount")},
	"Mutation.movementReverse": {scope: auth.CardsWrite, documents: one(
		`mutation { movementReverse(input: { movementId: %q, idempotencyKey: "tenancy" }) { movement { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Movement} })},
	"Mutation.movementVest": {scope: auth.CardsWrite, documents: one(
		`mutation { movementVest(input: { movementId: %q, idempotencyKey: "tenancy" }) { movement { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Movement} })},
	"Mutation.lotsExtend": {scope: auth.CardsWrite, documents: func(n names) []string {
		extend := `mutation { lotsExtend(input: { card: { code: %q }, movementId: %q, expiresOn: "2027-01-01", reason: "x", idempotencyKey: "tenancy" }) { movement { id } userErrors { code field message } } }`
		return []string{fmt.Sprintf(extend, n.Card, n.Movement), fmt.Sprintf(extend, "beta-card-0", n.Movement)}
	}},
	"Query.hold": {scope: auth.CardsRead, documents: one(`query { hold(id: %q) { id amount card { code } } }`,
		func(n names) []any { return []any{n.Hold} })},
	"Mutation.holdCreate": {scope: auth.CardsWrite, documents: postings("holdCreate", "amount")},
	"Mutation.holdCapture": {scope: auth.CardsWrite, documents: one(
		`mutation { holdCapture(input: { holdId: %q, idempotencyKey: "tenancy" }) { hold { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Hold} })},
	"Mutation.holdRelease": {scope: auth.CardsWrite, documents: one(
		`mutation { holdRelease(input: { holdId: %q, idempotencyKey: "tenancy" }) { hold { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Hold} })},
	"Mutation.transferCreate": {scope: auth.CardsWrite, documents: func(n names) []string {
		transfer := `mutation { transferCreate(input: { from: { code: %q }, to: { code: %q }, amount: "1", %s idempotencyKey: "tenancy" }) { transferOut { id } userErrors { code field message } } }`
		return []string{
			fmt.Sprintf(transfer, n.Card, "beta-card-0", ""), fmt.Sprintf(transfer, "beta-card-0", n.Card, ""),
			fmt.Sprintf(transfer, "beta-card-0", "beta-card-1", fmt.Sprintf(`storeCode: %q,`, n.Store)),
			fmt.Sprintf(transfer, "beta-card-0", "beta-card-1", fmt.Sprintf(`staffNumber: %d,`, n.Staff)),
		}
	}},

	"Mutation.couponTypeCreate": {scope: auth.CouponsWrite, creates: true, documents: one(
		`mutation { couponTypeCreate(input: { code: %q, name: "x", format: PRINTED, benefit: AMOUNT }) { couponType { code } userErrors { code } } }`,
		func(n names) []any { return []any{n.CouponType} })},
	"Mutation.couponTypeUpdate": {scope: auth.CouponsWrite, documents: one(
		`mutation { couponTypeUpdate(input: { code: %q, name: "taken over", archived: true }) { couponType { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.CouponType} })},
	"Mutation.couponIssue": {scope: auth.CouponsWrite, documents: func(n names) []string {
		issue := `mutation { couponIssue(input: { typeCode: %q, code: %q, customerId: %q, idempotencyKey: "tenancy%s" }) { coupon { id } movement { seq } userErrors { code field message } } }`
		return []string{fmt.Sprintf(issue, n.CouponType, "TAKE-1", randomID("Customer"), "1"), fmt.Sprintf(issue, "beta-coupon", "TAKE-2", n.Customer, "2")}
	}},
	"Mutation.couponRedeem": {scope: auth.CouponsWrite, documents: func(n names) []string {
		redeem := `mutation { couponRedeem(input: { code: %q, customerId: %q, storeCode: %q, idempotencyKey: "tenancy" }) { coupon { id } movement { seq } userErrors { code field message } } }`
		return []string{fmt.Sprintf(redeem, n.Coupon, randomID("Customer"), "beta-centro"), fmt.Sprintf(redeem, "BETA-COUPON", n.Customer, n.Store)}
	}},
	"Mutation.couponGiveBack": {scope: auth.CouponsWrite, documents: one(
		`mutation { couponGiveBack(input: { code: %q, reference: "T-1" }) { coupon { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Coupon} })},
	"Mutation.couponVoid": {scope: auth.CouponsWrite, documents: one(
		`mutation { couponVoid(input: { code: %q }) { coupon { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Coupon} })},
	"Mutation.couponBatchCreate": {scope: auth.CouponsWrite, documents: one(
		`mutation { couponBatchCreate(input: { typeCode: %q, codes: 5, idempotencyKey: "tenancy" }) { couponBatch { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.CouponType} })},
	"Mutation.couponBatchCancel": {scope: auth.CouponsWrite, documents: one(
		`mutation { couponBatchCancel(input: { id: %q }) { couponBatch { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.CouponBatch} })},
	"Mutation.couponBatchResume": {scope: auth.CouponsWrite, documents: one(
		`mutation { couponBatchResume(input: { id: %q }) { couponBatch { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.CouponBatch} })},
	"Mutation.productCreate": {scope: auth.ProductsWrite, creates: true, documents: one(
		`mutation { productCreate(input: { code: %q, name: "x", serialPrefix: "X", score: "1" }) { product { code } userErrors { code } } }`,
		func(n names) []any { return []any{n.Product} })},
	"Mutation.productUpdate": {scope: auth.ProductsWrite, documents: one(
		`mutation { productUpdate(input: { code: %q, name: "taken over" }) { product { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Product} })},
	"Mutation.productCodesGenerate": {scope: auth.ProductsWrite, documents: one(
		`mutation { productCodesGenerate(input: { productCode: %q, count: 1, idempotencyKey: "tenancy" }) { lotId created userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Product} })},
	"Mutation.productCodesAdd": {scope: auth.ProductsWrite, documents: one(
		`mutation { productCodesAdd(input: { csv: "code,product_code,expires_on,score\nabc,%s,," }) { created rejected { line reason } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Product} })},
	"Mutation.productCodeBlock": {scope: auth.ProductsWrite, documents: one(
		`mutation { productCodeBlock(input: { code: %q }) { productCode { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.ProductCode} })},
	"Mutation.productCodeUnblock": {scope: auth.ProductsWrite, documents: one(
		`mutation { productCodeUnblock(input: { code: %q }) { productCode { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.ProductCode} })},
	"Mutation.productCodeExpire": {scope: auth.ProductsWrite, documents: one(
		`mutation { productCodeExpire(input: { code: %q, expiresOn: "2026-01-01" }) { productCode { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.ProductCode} })},
	"Mutation.productCodeConsume": {scope: auth.ProductsWrite, documents: func(n names) []string {
		consume := `mutation { productCodeConsume(input: { code: %q, card: { code: %q } }) { productCode { id } movement { id } userErrors { code field message } } }`
		return []string{fmt.Sprintf(consume, n.ProductCode, "beta-card-0"), fmt.Sprintf(consume, "BETAserial", n.Card)}
	}},
	"Mutation.contactAccrue": {scope: auth.ProductsWrite, documents: one(
		`mutation { contactAccrue(input: { code: %q, phones: [{ value: "0900000001" }] }) { productCode { id } movement { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.ProductCode} })},
	"Mutation.contactRedeem": {scope: auth.RewardsWrite, documents: func(n names) []string {
		redeem := `mutation { contactRedeem(input: { code: %q, emails: [{ value: %q }], idempotencyKey: "tenancy" }) { claim { id } movement { id } userErrors { code field message } } }`
		return []string{fmt.Sprintf(redeem, n.Reward, "maria0@beta.example"), fmt.Sprintf(redeem, "beta-reward", n.Email)}
	}},
	"Mutation.customerNumberGive": {scope: auth.CustomersWrite, documents: one(
		`mutation { customerNumberGive(input: { id: %q }) { customer { id number } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Customer} })},
	"Mutation.rewardCreate": {scope: auth.RewardsWrite, documents: one(
		`mutation { rewardCreate(input: { code: "TAKE", name: "x", cardTypeCode: %q, price: "1" }) { reward { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.CardType} })},
	"Mutation.rewardUpdate": {scope: auth.RewardsWrite, documents: one(
		`mutation { rewardUpdate(input: { code: %q, name: "taken over" }) { reward { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Reward} })},
	"Mutation.rewardStockSet": {scope: auth.RewardsWrite, documents: func(n names) []string {
		set := `mutation { rewardStockSet(input: { code: %q, storeCode: %q, stock: 1 }) { reward { id } userErrors { code field message } } }`
		return []string{fmt.Sprintf(set, n.Reward, "beta-centro"), fmt.Sprintf(set, "beta-reward", n.Store)}
	}},
	"Mutation.rewardRedeem": {scope: auth.RewardsWrite, documents: func(n names) []string {
		redeem := `mutation { rewardRedeem(input: { code: %q, card: { code: %q }, storeCode: %q, idempotencyKey: "tenancy" }) { claim { id } movement { id } userErrors { code field message } } }`
		return []string{
			fmt.Sprintf(redeem, n.Reward, "beta-card-0", "beta-centro"), fmt.Sprintf(redeem, "beta-reward", n.Card, "beta-centro"),
			fmt.Sprintf(redeem, "beta-reward", "beta-card-0", n.Store),
		}
	}},
	"Mutation.rewardClaimHandOver": {scope: auth.RewardsWrite, documents: one(
		`mutation { rewardClaimHandOver(input: { id: %q }) { claim { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Claim} })},
	"Mutation.rewardClaimCancel": {scope: auth.RewardsWrite, documents: one(
		`mutation { rewardClaimCancel(input: { id: %q }) { claim { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Claim} })},

	"Mutation.importReprocess": {scope: auth.ImportsWrite, documents: one(
		`mutation { importReprocess(input: { id: %q }) { import { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Import} })},
	"Mutation.importCancel": {scope: auth.ImportsWrite, documents: one(
		`mutation { importCancel(input: { id: %q }) { import { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Import} })},
	"Mutation.jobRetry": {scope: auth.JobsWrite, documents: one(
		`mutation { jobRetry(input: { id: %q }) { job { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Job} })},
	"Mutation.jobRun": {scope: auth.JobsWrite, creates: true, documents: fixed(
		`mutation { jobRun(input: { kind: "points_expire" }) { job { kind } userErrors { code } } }`)},
	"Mutation.jobCancel": {scope: auth.JobsWrite, documents: one(
		`mutation { jobCancel(input: { id: %q }) { job { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Job} })},
	"Mutation.queuePause": {scope: auth.Platform, global: true, documents: fixed(
		`mutation { queuePause(input: { name: "none" }) { queue { name } userErrors { code } } }`)},
	"Mutation.queueResume": {scope: auth.Platform, global: true, documents: fixed(
		`mutation { queueResume(input: { name: "none" }) { queue { name } userErrors { code } } }`)},

	"Mutation.planSet": {scope: auth.CompanyWrite, creates: true, documents: fixed(
		`mutation { planSet(input: { contactsLimit: 1000000 }) { plan { contactsLimit } userErrors { code } } }`)},
	"Mutation.messageTopUp": {scope: auth.CompanyWrite, creates: true, documents: fixed(
		`mutation { messageTopUp(input: { amount: "1", idempotencyKey: "tenancy" }) { movement { seq } userErrors { code } } }`)},
	"Mutation.phonesBlock": {scope: auth.CustomersWrite, creates: true, documents: fixed(
		`mutation { phonesBlock(input: { phones: ["5500000009"] }) { count userErrors { code } } }`)},
	"Mutation.phonesUnblock": {scope: auth.CustomersWrite, documents: fixed(
		`mutation { phonesUnblock(input: { phones: ["5500000008"] }) { count userErrors { code } } }`)},
	"Mutation.areaCodesSet": {scope: auth.CompanyWrite, creates: true, documents: fixed(
		`mutation { areaCodesSet(input: { prefixes: ["100"], supported: true }) { count userErrors { code } } }`)},
	"Mutation.numberPlanLoad": {scope: auth.CompanyWrite, creates: true, documents: fixed(
		`mutation { numberPlanLoad(input: { ranges: [{ first: "1000000000", last: "1000000001", line: LANDLINE }] }) { count userErrors { code } } }`)},
	"Mutation.messageTemplateSet": {scope: auth.CompanyWrite, creates: true, documents: fixed(
		`mutation { messageTemplateSet(input: { kind: WALLET_SALE, language: "vi", body: "{sodu}" }) { template { own } userErrors { code } } }`)},
	"Mutation.messageRetry": {scope: auth.CompanyWrite, documents: one(
		`mutation { messageRetry(input: { id: %q }) { notification { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Notification} })},
	"Mutation.reportRebuild": {scope: auth.ReportsWrite, creates: true, documents: fixed(
		`mutation { reportRebuild(input: { confirm: true }) { reportState { rebuilding } userErrors { code } } }`)},
	"Mutation.ledgerCheckStart": {scope: auth.ReportsWrite, global: true, documents: fixed( // one is under way
		`mutation { ledgerCheckStart(input: { note: "tenancy" }) { ledgerCheck { id } userErrors { code } } }`)},
	"Mutation.webhookCreate": {scope: auth.WebhooksWrite, creates: true, documents: fixed(
		`mutation { webhookCreate(input: { url: "http://127.0.0.1:1/x" }) { webhook { url } userErrors { code } } }`)},
	"Mutation.webhookUpdate":       onHook("webhookUpdate", `description: "taken over"`),
	"Mutation.webhookPause":        onHook("webhookPause", ""),
	"Mutation.webhookResume":       onHook("webhookResume", ""),
	"Mutation.webhookDelete":       onHook("webhookDelete", ""),
	"Mutation.webhookSecretRotate": onHook("webhookSecretRotate", ""),
	"Mutation.webhookTest":         onHook("webhookTest", ""),
	"Mutation.webhookReplay": {scope: auth.WebhooksWrite, documents: one(
		`mutation { webhookReplay(input: { webhookId: %q, after: "`+beginning+`" }) { webhook { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Webhook} })},
	"Mutation.webhookDeliveryRetry": {scope: auth.WebhooksWrite, documents: one(
		`mutation { webhookDeliveryRetry(input: { id: %q }) { delivery { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Delivery} })},

	"Subscription.movementPosted": {scope: auth.CardsRead, documents: one(
		`subscription { movementPosted(cardCode: %q, after: "`+beginning+`") { movement { id } } }`, func(n names) []any { return []any{n.Card} })},
	"Subscription.importProgressed": {scope: auth.ImportsRead, documents: one(
		`subscription { importProgressed(id: %q) { id } }`, func(n names) []any { return []any{n.Import} })},
	"Subscription.couponBatchProgressed": {scope: auth.CouponsRead, documents: one(
		`subscription { couponBatchProgressed(id: %q) { id } }`, func(n names) []any { return []any{n.CouponBatch} })},
	"Subscription.queuesChanged": {scope: auth.JobsRead, documents: fixed(`subscription { queuesChanged { name available } }`)},

	// People's points, and hosts.
	"Query.customerSearch": {scope: auth.CustomersRead, documents: func(n names) []string {
		var all []string
		for _, text := range []string{n.Email, n.Document, n.QR, n.CustomerCode} {
			all = append(all, fmt.Sprintf(`query { customerSearch(search: %q, page: 1, pageSize: 10) { total customers { id email } } }`, text))
		}
		return all
	}},
	"Mutation.customerEnrol": {scope: auth.CustomersWrite, creates: true, documents: one(
		`mutation { customerEnrol(input: { firstName: "x", lastName: "y", email: "new.%s", phone: "5512345678", document: "n-%s" }) { customer { id } account { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Email, n.Document} })},
	"Mutation.pointsAssign": {scope: auth.CardsWrite, documents: one(
		`mutation { pointsAssign(input: { customerId: %q, points: "1", storeCode: %q, reference: "tenancy" }) { movement { id } account { id } storeCode replayed userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Customer, n.Store} })},
	"Mutation.pointsDeduct": {scope: auth.CardsWrite, documents: one(
		`mutation { pointsDeduct(input: { customerId: %q, points: "1", storeCode: %q, idempotencyKey: "tenancy" }) { movement { id } account { id } storeCode replayed userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Customer, n.Store} })},
	"Mutation.hostAdd": {scope: auth.CompanyWrite, documents: fixed(
		`mutation { hostAdd(input: { host: "tenancy.api.sello.test" }) { host { name } userErrors { code field message } } }`)},
	"Mutation.hostRemove": {scope: auth.CompanyWrite, documents: fixed(
		`mutation { hostRemove(input: { host: "nobody.api.sello.test" }) { host { name } userErrors { code field message } } }`)},
}

// onHook is a mutation of one webhook.
func onHook(mutation, more string) operation {
	return operation{scope: auth.WebhooksWrite, documents: one(
		`mutation { `+mutation+`(input: { id: %q `+more+` }) { userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Webhook} })}
}

// ofCard is a mutation that names a card.
func ofCard(mutation, more string) func(names) []string {
	return func(n names) []string {
		return []string{fmt.Sprintf(`mutation { %s(input: { code: %q%s }) { card { id } userErrors { code field message } } }`, mutation, n.Card, more)}
	}
}

func postings(mutation, amount string) func(names) []string {
	return func(n names) []string {
		document := func(card, more string) string {
			return fmt.Sprintf(`mutation { %s(input: { card: %s, %s: "1", idempotencyKey: "tenancy", %s }) { movement { id } replayed userErrors { code field message } } }`,
				mutation, card, amount, more)
		}
		own := `{ walletKey: "mk_beta_0001", phone: "5520000001" }`
		return []string{
			document(fmt.Sprintf(`{ code: %q }`, n.Card), ""),
			document(fmt.Sprintf(`{ walletKey: %q, phone: %q }`, n.WalletKey, n.Phone), ""),
			document(own, fmt.Sprintf(`storeCode: %q`, n.Store)),
			document(own, fmt.Sprintf(`staffNumber: %d`, n.Staff)),
		}
	}
}

// rootFields are all fields of the schema's roots, as "Query.card".
func rootFields() map[string]*ast.FieldDefinition {
	schema := graph.NewSchema(&graph.Resolver{}).Schema()
	all := map[string]*ast.FieldDefinition{}
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation, schema.Subscription} {
		for _, f := range root.Fields {
			if !strings.HasPrefix(f.Name, "__") {
				all[root.Name+"."+f.Name] = f
			}
		}
	}
	return all
}

// TestOperationsListed fails for an operation, or an argument that can name an
// object, which the tests below do not try.
func TestOperationsListed(t *testing.T) {
	t.Parallel()
	schema := graph.NewSchema(&graph.Resolver{}).Schema()
	fields := rootFields()
	for name, field := range fields {
		op, listed := operations[name]
		if !listed {
			t.Errorf("%s is not in operations: say which scope it takes and how it names objects", name)
			continue
		}
		if name == "Query.node" {
			continue
		}
		given := map[string]bool{}
		for _, text := range op.documents(foreignNames) {
			document, err := gqlparser.LoadQueryWithRules(schema, text, nil)
			if err != nil {
				t.Fatalf("%s: %s: %v", name, text, err)
			}
			root := document.Operations[0].SelectionSet[0].(*ast.Field)
			if document.Operations[0].Operation != ast.Operation(strings.ToLower(strings.Split(name, ".")[0])) || root.Name != field.Name {
				t.Errorf("%s asks for another field: %s", name, text)
			}
			for _, arg := range root.Arguments {
				given[arg.Name] = true
				for _, member := range arg.Value.Children {
					given[member.Name] = true
				}
			}
		}
		for _, arg := range field.Arguments {
			if !given[arg.Name] {
				t.Errorf("%s: no document gives %s", name, arg.Name)
			}
			if input := schema.Types[arg.Type.Name()]; input.Kind == ast.InputObject {
				for _, member := range input.Fields {
					if (member.Type.Name() == "ID" || strings.HasSuffix(strings.ToLower(member.Name), "code")) && !given[member.Name] {
						t.Errorf("%s: no document gives input.%s", name, member.Name)
					}
				}
			}
		}
	}
	for name := range operations {
		if fields[name] == nil {
			t.Errorf("operations has %s, the schema has not", name)
		}
	}
}
