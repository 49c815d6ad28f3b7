package graph_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/govalues/decimal"

	"sello/db/dbtest"
	"sello/graph/graphtest"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
	"sello/server/gqlhttp"
)

// taken are the statements sent since it was last asked, but for one that is written
// behind the requests' backs, once a minute.
func taken(sent *dbtest.Statements) []string {
	return slices.DeleteFunc(sent.Take(), func(name string) bool { return name == "APIKeyTouch" })
}

// nested are documents of lists below lists, and the statements that each may
// take, whatever `first` is (design.md 8). %[1]d is first, everywhere.
var nested = []struct {
	name, document string
	want           []string
}{
	{
		"customers, cards, movements and what they lead to",
		`{ customers(first: %[1]d) { totalCount edges { node { firstName cards(first: %[1]d) { edges { node {
			code cardType { code } movements(first: %[1]d) { edges { node { seq store { code } staffMember { number store { code } } card { code cardType { code } } } } }
		} } } } } } }`,
		[]string{
			"CustomersPage", "CustomersCount", "CardsByCustomers", "CardTypesByIDs", "MovementsByCards",
			"StoresByIDs", "StaffByIDs", "StoresByIDs", "CardsByIDs", "CardTypesByIDs",
		},
	},
	{
		"a search and its cards",
		`{ customers(search: "maria", first: %[1]d) { edges { node { firstName cards(first: %[1]d) { edges { node { code customer { email } } } } } } } }`,
		[]string{"CustomersSearch", "CardsByCustomers", "CustomersByIDs"},
	},
	{
		"cards, their customers and those's cards",
		`{ cards(first: %[1]d) { totalCount edges { node { code cardType { code } customer { firstName cards(first: 1) { edges { node { code } } } } } } } }`,
		[]string{"CardsPage", "CardsCount", "CardTypesByIDs", "CustomersByIDs", "CardsByCustomers"},
	},
	{
		"cards of a type and state, what is theirs and what took their place",
		`{ cards(first: %[1]d, cardTypeCode: "shop-points", status: ENABLED) { totalCount edges { node { code available pending statusReason validTo replacedBy { code } cardType { code numberRanges { prefixStart } } } } } }`,
		[]string{"CardsByStatusPage", "CardsByStatusCount", "BeginPlanned", "CardsDue", "commit", "CardTypesByIDs"},
	},
	{
		"staff, rights and card types",
		`{ staffMembers(first: %[1]d) { edges { node { number store { code } rights { accrue cardType { code } } } } } }`,
		[]string{"StaffPage", "StoresByIDs", "StaffRightsByStaff", "CardTypesByIDs"},
	},
	{
		"a card type, its cards, their customers and movements",
		`{ cardType(code: "shop-wallet") { cards(first: %[1]d) { edges { node { code customer { firstName } movements(first: %[1]d) { edges { node { seq } } } } } } } }`,
		[]string{"CardTypeByCode", "CardsByTypes", "CustomersByIDs", "MovementsByCards"},
	},
	{
		"card types and their cards",
		`{ cardTypes(first: %[1]d) { edges { node { code cards(first: %[1]d, enabledOnly: true) { edges { node { code cardType { name } } } } } } } }`,
		[]string{"CardTypesPage", "CardsByTypes", "CardTypesByIDs"},
	},
	{
		"cards, what of them ends, and what was told",
		`{ cards(first: %[1]d) { edges { node { code expiryPlan { on amount } notices { expiresOn days } cardType { expiry { policy noticeDays } } } } } }`,
		[]string{"CardsPage", "LotsByCards", "ExpiryNoticesByCards", "CardTypesByIDs"},
	},
	{
		"imports and their failed rows",
		`{ imports(first: %[1]d) { edges { node { fileName errors(first: %[1]d) { edges { node { line reason } } } more: errors(first: 1) { pageInfo { hasNextPage } } } } } }`,
		[]string{"ImportsPage", "ImportErrorsByImports", "ImportErrorsByImports"},
	},
	{
		"cards and their balances of past instants",
		`{ cards(first: %[1]d) { edges { node { code then: balanceAsOf(at: "2026-01-01T00:00:00Z") since: balanceAsOf(at: "2026-03-02T18:00:00Z", by: POSTED) } } } }`,
		[]string{"CardsPage", "CardBalancesAsOf", "CardBalancesAsOf"},
	},
	{
		"checks of the books, what they found and the cards",
		`{ ledgerChecks(first: %[1]d) { edges { node { status findings(first: %[1]d) { edges { node { rule card { code cardType { code } } } } } } } } }`,
		[]string{"LedgerChecksPage", "LedgerFindingsByChecks", "CardsByIDs", "CardTypesByIDs"},
	},
	{
		"figures of days and what is owed",
		`{ insightLiability(cardTypeCode: "shop-points") { outstanding months { month amount } } insightDaily(from: "2026-03-01", to: "2026-03-%02[1]d") { completeTo days { day figures { issued redeemed } } total { movements } } reportState { completeTo } }`,
		[]string{"DailyStats", "Liability", "ReportStateRead"},
	},
	{
		"customers and their coupons, with types, batches and history",
		`{ customers(first: %[1]d) { edges { node { firstName coupons(first: %[1]d) { edges { node { code type { code } batch { name } customer { firstName }
			history(first: %[1]d) { edges { node { seq store { code } } } } } } } } } } }`,
		[]string{"CustomersPage", "CouponsByCustomers", "CouponTypesByIDs", "CustomersByIDs", "CouponMovementsByCoupons", "StoresByIDs"},
	},
	{
		"coupons of a batch",
		`{ coupons(first: %[1]d, typeCode: "shop-many") { edges { node { code type { code } batch { name type { code } } history(first: 1) { edges { node { seq } } } } } } }`,
		[]string{"CouponTypeByCode", "CouponsPage", "CouponTypesByIDs", "CouponBatchesByIDs", "CouponTypesByIDs", "CouponMovementsByCoupons"},
	},
	{
		"serial codes, claims and attempts",
		`{ productCodes(first: %[1]d) { edges { node { code product { code } customer { firstName } movement { seq } } } }
			rewardClaims(first: %[1]d) { edges { node { reward { code cardType { code } storeStocks(first: %[1]d) { edges { node { store { code } } } } } card { code } customer { firstName } movement { seq } store { code } } } } }`,
		[]string{
			"ProductCodesPage", "ProductsByIDs", "CustomersByIDs", "MovementsByKeys", "RewardClaimsPage", "RewardsByIDs", "CardTypesByIDs",
			"RewardStocksByRewards", "StoresByIDs", "CardsByIDs", "CustomersByIDs", "MovementsByKeys", "StoresByIDs",
		},
	},
	{
		"attempts and what they were about",
		`{ rewardAttempts(first: %[1]d) { edges { node { score card { code } customer { firstName } productCode { code } reward { code } claim { status } } } } }`,
		[]string{"RewardAttemptsPage", "CardsByIDs", "CustomersByIDs", "ProductCodesByIDs", "RewardsByIDs", "RewardClaimsByIDs"},
	},
	{
		"cards, what is available, lots, holds and movements' details",
		`{ cards(first: %[1]d) { edges { node { code available
			lots(first: %[1]d) { edges { node { remaining movement { seq } } } }
			holds(first: %[1]d) { edges { node { amount card { code } movement { seq } endMovement { seq } } } }
			movements(first: %[1]d) { edges { node { seq lots { amount lot { remaining } } lines { number } related { seq } reversals { seq } reversedAmount } } }
		} } } }`,
		[]string{
			"CardsPage", "BeginPlanned", "CardsDue", "commit", "LotsByCards", "MovementsByKeys", "HoldsByCards", "CardsByIDs", "MovementsByKeys",
			"MovementsByCards", "LotsByMovements", "LinesByMovements", "MovementsByKeys", "ReversalsByMovements", "ReversedByMovements",
		},
	},
	{
		"lists of one level",
		`{ stores(first: %[1]d) { edges { node { code } } } apiKeys(first: %[1]d) { edges { node { name } } } notifications(first: %[1]d) { edges { node { kind } } } }`,
		[]string{"StoresPage", "APIKeysPage", "NotificationsPage"},
	},
	{
		"webhooks, their log and its attempts",
		`{ webhooks(first: %[1]d) { edges { node { url oldestPendingAt deliveries(first: %[1]d) { edges { node { kind attempts { number } } } } } } } }`,
		[]string{"WebhooksPage", "WebhookOldestPendings", "WebhookDeliveriesByWebhooks", "WebhookAttemptsByDeliveries"},
	},
	{
		"customers and their segments",
		`{ customers(first: %[1]d) { edges { node { code mergedInto { id } segments(first: %[1]d) { edges { addedAt node { code } } } } } } }`,
		[]string{"CustomersPage", "SegmentsByCustomers"},
	},
	{
		"segments, members and their segments",
		`{ segments(first: %[1]d) { totalCount edges { node { code members(first: %[1]d) { totalCount edges { node { firstName segments(first: 1) { edges { node { code } } } } } } } } } }`,
		[]string{"SegmentsPage", "SegmentsCount", "SegmentMembersBySegments", "SegmentMembersCount", "SegmentsByCustomers"},
	},
	{
		"attributes and customers by one",
		`{ customerAttributes(first: %[1]d) { edges { node { code ready } } } customers(attribute: { code: "size", value: "M" }, first: %[1]d) { edges { node { firstName cards(first: %[1]d) { edges { node { code } } } } } } }`,
		[]string{"CustomerAttributesPage", "CustomerAttributeByCode", "CustomersByAttribute", "CardsByCustomers"},
	},
	{
		"merged customers and who they are",
		`{ cards(first: %[1]d) { edges { node { customer { mergedInto { firstName segments(first: 1) { edges { node { code } } } } } } } } }`,
		[]string{"CardsPage", "CustomersByIDs"},
	},
}

func TestStatements(t *testing.T) {
	t.Parallel()
	var sent dbtest.Statements
	c := graphtest.New(t, graphtest.Options{Tracer: &sent, Limits: gqlhttp.Limits{Complexity: 1_000_000}}).Company(t, "shop")
	c.Fill(t, 24)
	c.FillMany(t, 24)
	for i := range 24 {
		imp := c.Import(t, fmt.Sprintf("%d.csv", i), fmt.Sprintf("Ana,,no-address-%d,,1", i), "Eva,,,,1")
		c.Apply(t, imp.ID)
	}
	c.Exec(t, `UPDATE card_type SET tracks_lots = true, expiry_version = 1 WHERE company_id = $1 AND code = $2`, c.ID, c.Names.Programme)
	for _, card := range c.Names.Cards {
		returned := c.Post(t, card.Code, 2)
		held, err := c.Resolver.Ledger.HoldCreate(t.Context(), c.System, ledger.NewHold{Card: ledger.CardRef{Code: card.Code}, Amount: decimal.Two, Source: "graphql"})
		if err == nil {
			_, err = c.Resolver.Ledger.HoldRelease(t.Context(), c.System, ledger.HoldEnd{ID: held.Hold.ID, Source: "graphql"})
		}
		if err == nil {
			_, err = c.Resolver.Ledger.Reverse(t.Context(), c.System, ledger.Return{Movement: ledger.MovementKey{CardID: card.ID, Seq: returned.Seq}, Source: "graphql"})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	// Two checks of books in which every card is wrong.
	c.Exec(t, `UPDATE card SET balance = balance + 1 WHERE company_id = $1`, c.ID)
	for range 2 {
		check, err := c.Resolver.Reports.CheckStart(t.Context(), c.System, "")
		if err == nil {
			err = c.Resolver.Reports.CheckRun(t.Context(), c.ID, check.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 24 {
		for _, person := range c.Names.Customers[:i+1] {
			_, err := c.Resolver.Customers.MembersChange(t.Context(), c.System, customer.MembersChange{
				SegmentCode: fmt.Sprintf("segment-%d", i), Create: true, Rows: []customer.MemberRow{{Ref: customer.Ref{ID: &person.ID}}},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	size, err := c.Resolver.Customers.AttributeCreate(t.Context(), c.System, customer.NewAttribute{Code: "size", Name: "Size", Type: customer.AttributeText})
	if err != nil {
		t.Fatal(err)
	}
	for done := false; !done; {
		if done, err = c.Resolver.Customers.AttributeIndexStep(t.Context(), c.ID, size.ID); err != nil {
			t.Fatal(err)
		}
	}
	for _, person := range c.Names.Customers {
		_, err := c.Resolver.Customers.Update(t.Context(), c.System, person.ID, customer.Change{Attributes: json.RawMessage(`{"size":"M"}`)})
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		c.Webhook(t)
	}
	for i, tt := range nested {
		t.Run(tt.name, func(t *testing.T) {
			var answers [2]graphtest.Answer
			for k, first := range []int{2, 20} {
				document := fmt.Sprintf(tt.document, first)
				c.Query(t, document, nil) // credentials and plans are known from here on
				sent.Take()
				answers[k] = c.Query(t, document, nil)
				// Fields side by side run in any order.
				if diff := cmp.Diff(sorted(tt.want), sorted(taken(&sent))); diff != "" {
					t.Errorf("first: %d (-want +got):\n%s", first, diff)
				}
			}
			// Else 20 of them would prove nothing.
			if i < 6 && len(answers[1].Body) < 2*len(answers[0].Body) && !strings.Contains(tt.name, "staff") {
				t.Errorf("the page of 20 is hardly larger than that of 2: %d and %d bytes", len(answers[1].Body), len(answers[0].Body))
			}
		})
	}
}

// TestStatementsOfAPosting: a movement costs one statement and one round trip
// (design.md, "The ledger"), and one more for why it did not happen.
func TestStatementsOfAPosting(t *testing.T) {
	t.Parallel()
	var sent dbtest.Statements
	c := graphtest.New(t, graphtest.Options{Tracer: &sent}).Company(t, "shop")
	c.Fill(t, 1)
	post := func(points, key string) string {
		return fmt.Sprintf(`mutation { movementRedeem(input: { card: { code: "shop-card-0" }, points: %q, idempotencyKey: %q }) { movement { seq amount } replayed userErrors { code } } }`, points, key)
	}
	c.Query(t, post("1", "warm"), nil)
	for _, tt := range []struct {
		name, document string
		want           []string
	}{
		{"posted", post("1", "k"), []string{"CardPost"}},
		{"refused", post("1000", "k2"), []string{"CardPost", "BeginPlanned", "PostingsRead", "CardsLock", "IdempotencyKeyRead", "commit"}},
		{"replayed", post("1", "k"), []string{"CardPost", "BeginPlanned", "PostingsRead", "CardsLock", "MovementBySeq", "commit"}},
	} {
		sent.Take()
		c.Query(t, tt.document, nil)
		if diff := cmp.Diff(tt.want, taken(&sent)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
