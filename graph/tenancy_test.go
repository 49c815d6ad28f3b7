package graph_test

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sello/graph"
	"sello/graph/graphtest"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// foreignNames are names that no company has.
var foreignNames = names{
	Card: "zzzz-card-0", Store: "zzzz-centro", CardType: "zzzz-wallet", WalletKey: "mk_zzzz_0001", Phone: "5529999999",
	Email: "maria0@zzzz.example", Document: "zzzz-0000", QR: "PRT-00000000000000000000", Operator: "boss@zzzz.example", Staff: 8999,
	Customer: randomID("Customer"), Key: randomID("ApiKey"), Import: randomID("Import"), Job: randomID("Job"),
	Webhook: randomID("Webhook"), Delivery: randomID("WebhookDelivery"),
	CustomerCode: "zzzz-customer-0", Segment: "zzzz-segment", Attribute: "zzzz-size",
	CouponType: "zzzz-coupon", Coupon: "ZZZZ-COUPON", CouponBatch: randomID("CouponBatch"), Product: "zzzz-product", ProductCode: "ZZZZserial",
	Reward: "zzzz-reward", Claim: randomID("RewardClaim"), Lot: randomID("ProductCodeLot"),
	Hold: randomID("Hold"), Movement: randomID("Movement"), Notification: randomID("Notification"), Token: "none",
}

// namesOf are those of a filled company.
func namesOf(c *graphtest.Company, ids map[string]string) names {
	return names{
		Card: c.Names.Cards[0].Code, Store: c.Names.Store, CardType: c.Names.Wallet, WalletKey: c.Names.WalletKey, Phone: c.Names.Phones[0],
		Email: *c.Names.Customers[0].Email, Document: *c.Names.Customers[0].Document, QR: c.Names.Customers[0].QrCode, Operator: c.Email,
		Staff: c.Names.Staff[1], Customer: ids["Customer"], Key: ids["ApiKey"], Import: ids["Import"], Job: ids["Job"],
		Webhook: ids["Webhook"], Delivery: ids["WebhookDelivery"],
		CustomerCode: *c.Names.Customers[0].Code, Segment: c.Code + "-segment", Attribute: c.Code + "-size",
		CouponType: c.Code + "-coupon", Coupon: strings.ToUpper(c.Code) + "-COUPON", CouponBatch: ids["CouponBatch"], Product: c.Code + "-product",
		ProductCode: strings.ToUpper(c.Code) + "serial", Reward: c.Code + "-reward", Claim: ids["RewardClaim"], Lot: c.Names.Lot,
		Hold: ids["Hold"], Movement: ids["Movement"], Notification: ids["Notification"],
		Token: c.Resolver.Wallets.Token(c.ID, c.Names.Contacts[0].ID),
	}
}

// twoCompanies are alpha, of which nobody else may see anything, and beta, who
// tries. Their numbers and phones differ, so that what is alpha's is not also
// beta's own.
func twoCompanies(t *testing.T) (alpha, beta *graphtest.Company) {
	t.Helper()
	env := graphtest.New(t)
	alpha, beta = env.Company(t, "alpha"), env.Company(t, "beta")
	env.Exec(t, `INSERT INTO company_counter (company_id, name, value) VALUES ($1, 'staff', 8500)`, alpha.ID)
	alpha.Fill(t, 2)
	beta.Fill(t, 2)
	env.Exec(t, `UPDATE card SET holder_phone = '553' || substr(holder_phone, 4) WHERE company_id = $1`, alpha.ID)
	env.Exec(t, `UPDATE customer SET phone = '+52553' || substr(phone, 7) WHERE company_id = $1`, alpha.ID)
	env.Exec(t, `UPDATE staff SET phone = '553' || substr(phone, 4) WHERE company_id = $1`, alpha.ID)
	for i, phone := range alpha.Names.Phones {
		alpha.Names.Phones[i] = "553" + phone[3:]
	}
	return alpha, beta
}

var requestIDMember = regexp.MustCompile(`"requestId":"[^"]*"`)

// ask runs a document of any kind as somebody and answers its (first) answer.
func ask(t *testing.T, env *graphtest.Env, credential, document string) graphtest.Answer {
	t.Helper()
	q := graphtest.Request{Credential: credential, Document: document}
	if !strings.HasPrefix(document, "subscription") {
		return env.Do(t, q)
	}
	stream := env.Subscribe(t, q)
	defer stream.Close()
	a, ok := stream.Next()
	if !ok {
		t.Fatalf("%s: the stream ended without a word", document)
	}
	return a
}

// comparable is a body without what differs between two equal answers.
func comparable(body []byte) string {
	return requestIDMember.ReplaceAllString(string(body), `"requestId":""`)
}

func TestAnotherCompanySeesNothing(t *testing.T) {
	t.Parallel()
	alpha, beta := twoCompanies(t)
	ids := nodeIDs(t, alpha)
	nodeIDs(t, beta) // so that it has one of each, too
	theirs, nobodys := namesOf(alpha, ids), foreignNames
	before := rowsOf(t, alpha)

	// What creates comes last: it gives beta the same names.
	order := slices.SortedFunc(maps.Keys(operations), func(a, b string) int {
		if operations[a].creates != operations[b].creates {
			if operations[a].creates {
				return 1
			}
			return -1
		}
		return strings.Compare(a, b)
	})
	for _, name := range order {
		op := operations[name]
		if op.global {
			continue
		}
		// A cursor of alpha's list, and one of beta's own: an id behind neither
		// shows what is alpha's.
		theirs.After, nobodys.After = cursors(t, alpha, name), cursors(t, beta, name)
		foreign, random := op.documents(theirs), op.documents(nobodys)
		for i := range foreign {
			got := ask(t, beta.Env, beta.Key, foreign[i])
			leaksNothing(t, foreign[i], got.Body, op, alpha, ids)
			switch {
			case op.creates:
				if len(got.Errors) > 0 || bytes.Contains(got.Body, []byte(`"userErrors":[{`)) {
					t.Errorf("%s\nof another company: got %s", foreign[i], got.Body)
				}
			case strings.Contains(foreign[i], "edges"): // a list is beta's own, whatever the cursor
				if len(got.Errors) > 0 {
					t.Errorf("%s\ngot %s", foreign[i], got.Body)
				}
			default:
				want := ask(t, beta.Env, beta.Key, random[i])
				if diff := cmp.Diff(comparable(want.Body), comparable(got.Body)); diff != "" {
					t.Errorf("%s\nanother company's object and none differ (-none +another's):\n%s", foreign[i], diff)
				}
			}
		}
	}
	if diff := cmp.Diff(before, rowsOf(t, alpha)); diff != "" {
		t.Errorf("another company changed rows (-before +after):\n%s", diff)
	}
}

// leaksNothing looks for what only alpha has: its code is in all its texts.
func leaksNothing(t *testing.T, document string, body []byte, op operation, alpha *graphtest.Company, ids map[string]string) {
	t.Helper()
	text := strings.ToLower(string(body))
	if !op.creates && strings.Contains(text, "alpha") {
		t.Errorf("%s\nshows another company's text: %s", document, body)
	}
	for kind, id := range ids {
		if bytes.Contains(body, []byte(id)) {
			t.Errorf("%s\nshows another company's %s: %s", document, kind, body)
		}
	}
	for _, c := range alpha.Names.Cards {
		if bytes.Contains(body, []byte(c.GlobalID())) {
			t.Errorf("%s\nshows another company's card: %s", document, body)
		}
	}
}

// cursors is the first cursor of a company's own list, "" for fields without one.
func cursors(t *testing.T, c *graphtest.Company, name string) string {
	t.Helper()
	field := rootFields()[name]
	if field.Arguments.ForName("first") == nil {
		return ""
	}
	a := c.Query(t, fmt.Sprintf(`query { %s(first: 1) { edges { cursor } } }`, field.Name), nil)
	return a.Text(field.Name, "edges", 0, "cursor")
}

// rowsOf is a digest of each table's rows of a company.
func rowsOf(t *testing.T, c *graphtest.Company) map[string]string {
	t.Helper()
	rows, err := c.Pool.Query(t.Context(), `SELECT table_name FROM information_schema.columns
		WHERE table_schema = 'public' AND column_name = 'company_id' ORDER BY table_name`)
	if err != nil {
		t.Fatal(err)
	}
	var tables []string
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if len(tables) < 15 {
		t.Fatalf("only %d tables of a company were found", len(tables))
	}
	digests := map[string]string{}
	digest := func(name, from string, company any) {
		// When a key was last used is noted behind the requests' backs.
		sql := `SELECT count(*) || ' ' || coalesce(md5(string_agg(row, '' ORDER BY row)), '')
			FROM (SELECT (to_jsonb(t) - 'last_used_at')::text AS row FROM ` + from + `) AS rows`
		var text string
		if err := c.Pool.QueryRow(t.Context(), sql, company).Scan(&text); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		digests[name] = text
	}
	for _, table := range tables {
		digest(table, table+` t WHERE t.company_id = $1`, c.ID)
	}
	digest("company", `company t WHERE t.id = $1`, c.ID)
	digest("river_job", `river_job t WHERE t.args ->> 'company_id' = $1::text`, c.ID.String())
	return digests
}

// nodeScopes says what each type takes to be read by its id.
var nodeScopes = map[string]auth.Scope{
	"Company": auth.CompanyRead, "Store": auth.StaffRead, "Staff": auth.StaffRead, "Customer": auth.CustomersRead,
	"CustomerAttribute": auth.CustomersRead, "Segment": auth.CustomersRead,
	"CardType": auth.CardsRead, "Card": auth.CardsRead, "Movement": auth.CardsRead, "Hold": auth.CardsRead, "ApiKey": auth.KeysManage,
	"Import": auth.ImportsRead, "Notification": auth.NotificationsRead, "Job": auth.JobsRead,
	"LedgerCheck": auth.ReportsRead,
	"Webhook":     auth.WebhooksRead, "WebhookDelivery": auth.WebhooksRead,
	"CouponType": auth.CouponsRead, "Coupon": auth.CouponsRead, "CouponBatch": auth.CouponsRead, "Product": auth.ProductsRead,
	"ProductCode": auth.ProductsRead, "Reward": auth.RewardsRead, "RewardClaim": auth.RewardsRead,
}

func TestNodeOfAnotherCompany(t *testing.T) {
	t.Parallel()
	alpha, beta := twoCompanies(t)
	ids := nodeIDs(t, alpha)
	node := func(id string) string { return fmt.Sprintf(`query { node(id: %q) { __typename id } }`, id) }

	var known []string
	for _, typ := range graph.NewSchema(&graph.Resolver{}).Schema().PossibleTypes["Node"] {
		known = append(known, typ.Name)
	}
	slices.Sort(known)
	if diff := cmp.Diff(known, slices.Sorted(maps.Keys(nodeScopes))); diff != "" {
		t.Fatalf("types with an id and nodeScopes (-types +scopes):\n%s", diff)
	}
	for kind, id := range ids {
		if got := alpha.Query(t, node(id), nil).Text("node", "__typename"); got != kind {
			t.Errorf("node of one's own %s: got a %q", kind, got)
		}
		got, none := ask(t, beta.Env, beta.Key, node(id)), ask(t, beta.Env, beta.Key, node(randomID(kind)))
		if string(got.Body) != string(none.Body) || got.At("node") != nil || len(got.Errors) > 0 {
			t.Errorf("node of another company's %s: got %s, of none %s", kind, got.Body, none.Body)
		}
		// An id under another type's name is no way around the type's scope.
		for other := range nodeScopes {
			forged := retype(id, other)
			if got := ask(t, beta.Env, beta.Key, node(forged)); got.At("node") != nil {
				t.Errorf("node of another company's %s as %s: got %s", kind, other, got.Body)
			}
		}
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	env := graphtest.New(t)
	c := env.Company(t, "beta")
	c.Fill(t, 2)
	ids := nodeIDs(t, c)
	type question struct {
		scope    auth.Scope
		document string
	}
	questions := map[string]question{}
	for name, op := range operations {
		if documents := op.documents(foreignNames); len(documents) > 0 {
			questions[name] = question{op.scope, strings.ReplaceAll(documents[0], `after: ""`, `after: null`)}
		}
	}
	for kind, scope := range nodeScopes {
		questions["a "+kind+" by its id"] = question{scope, fmt.Sprintf(`query { node(id: %q) { id } }`, ids[kind])}
		questions["no "+kind+" by its id"] = question{scope, fmt.Sprintf(`query { node(id: %q) { id } }`, randomID(kind))}
	}
	for _, missing := range auth.Scopes() {
		rest := slices.DeleteFunc(auth.Scopes(), func(s auth.Scope) bool { return s == missing })
		key := c.KeyWith(t, rest...)
		for name, q := range questions {
			got := ask(t, env, key, q.document).Code()
			if want := q.scope == missing; (got == "FORBIDDEN") != want {
				t.Errorf("%s without %s: got %q, want FORBIDDEN: %v", name, missing, got, want)
			}
		}
	}
}

// TestScopesBelow holds the fields that lead to another aggregate to that one's
// scope: who may see cards does not see customers.
func TestScopesBelow(t *testing.T) {
	t.Parallel()
	c := graphtest.New(t).Company(t, "beta")
	c.Fill(t, 1)
	all := auth.CompanyScopes()
	for _, tt := range []struct {
		field, document string
		scope           auth.Scope
	}{
		{"Card.customer", `query { card(code: "beta-card-0") { code customer { id } } }`, auth.CustomersRead},
		{"Movement.store", `query { card(code: "beta-card-0") { movements { edges { node { store { id } } } } } }`, auth.StaffRead},
		{"Movement.staffMember", `query { card(code: "beta-card-0") { movements { edges { node { staffMember { id } } } } } }`, auth.StaffRead},
		{"StaffRight.cardType", `query { staffMember(number: 8101) { rights { cardType { id } } } }`, auth.CardsRead},
		{"Customer.cards", `query { customer(email: "maria0@beta.example") { cards { edges { node { id } } } } }`, auth.CardsRead},
		{"Customer.pointsAccount", `query { customer(email: "maria0@beta.example") { pointsAccount { id } } }`, auth.CardsRead},
		{"Company.hosts of a mutation", `mutation { companyUpdate(input: {}) { company { hosts { name } } userErrors { code } } }`, auth.CompanyRead},
		{"Staff.rights of a mutation", `mutation { staffRightSet(input: { staffNumber: 8101, cardTypeCode: "beta-points", accrue: true, redeem: true, adjust: true }) { staffMember { rights { accrue } } userErrors { code } } }`, auth.StaffRead},
		{"Card.movements of a mutation", `mutation { cardStatusSet(input: { code: "beta-card-0", status: ENABLED }) { card { movements { edges { node { seq } } } } userErrors { code } } }`, auth.CardsRead},
		{"Card.balanceAsOf of a mutation", `mutation { cardStatusSet(input: { code: "beta-card-0", status: ENABLED }) { card { balanceAsOf(at: "2026-03-02T18:00:00Z") } userErrors { code } } }`, auth.CardsRead},
		{"LedgerCheck.findings of a mutation", `mutation { ledgerCheckStart(input: {}) { ledgerCheck { findings { edges { node { rule } } } } userErrors { code } } }`, auth.ReportsRead},
		{"Import.errors of a mutation", `mutation { importCancel(input: { id: "{{import}}" }) { import { errors { edges { node { value } } } } userErrors { code } } }`, auth.ImportsRead},
		{"Webhook.deliveries of a mutation", `mutation { webhookPause(input: { id: "{{webhook}}" }) { webhook { deliveries { edges { node { kind } } } } userErrors { code } } }`, auth.WebhooksRead},
		{"WebhookDelivery.attempts of a mutation", `mutation { webhookTest(input: { id: "{{webhook}}" }) { delivery { attempts { number } } userErrors { code } } }`, auth.WebhooksRead},
	} {
		document := tt.document
		if strings.Contains(document, "{{webhook}}") {
			hook, _ := c.Webhook(t)
			document = strings.ReplaceAll(document, "{{webhook}}", hook.GlobalID())
		}
		if strings.Contains(document, "{{import}}") {
			imp := c.Import(t, "scopes.csv", badRow)
			document = strings.ReplaceAll(document, "{{import}}", imp.GlobalID())
		}
		key := c.KeyWith(t, slices.DeleteFunc(slices.Clone(all), func(s auth.Scope) bool { return s == tt.scope })...)
		if got := ask(t, c.Env, key, document).Code(); got != "FORBIDDEN" {
			t.Errorf("%s without %s: got %q, want FORBIDDEN", tt.field, tt.scope, got)
		}
	}
}

func TestNobody(t *testing.T) {
	t.Parallel()
	env := graphtest.New(t)
	env.Company(t, "beta")
	for name, op := range operations {
		documents := op.documents(foreignNames)
		if name == "Query.node" {
			for kind := range nodeScopes {
				documents = append(documents, fmt.Sprintf(`query { node(id: %q) { id } }`, randomID(kind)))
			}
		}
		for _, document := range documents {
			got := ask(t, env, "", document)
			if want := !op.open; (got.Code() == "UNAUTHENTICATED") != want {
				t.Errorf("%s as nobody: got %s, want UNAUTHENTICATED: %v", name, got.Body, want)
			}
		}
	}
}

// retype is the same key under another type's name.
func retype(id, kind string) string {
	_, key, _ := loyalty.ParseGlobalID(id)
	return loyalty.GlobalID(kind, key)
}

// TestKeysOfAnotherPrincipal: an idempotency key is its owner's, even within a
// company: nobody reads another one's posting by guessing a key.
func TestKeysOfAnotherPrincipal(t *testing.T) {
	t.Parallel()
	c := graphtest.New(t).Company(t, "beta")
	c.Fill(t, 1)
	document := `mutation { movementAccrue(input: { card: { code: "beta-card-0" }, points: "1", idempotencyKey: "same" }) { movement { id } replayed userErrors { code } } }`
	first := c.Query(t, document, nil)
	second := ask(t, c.Env, c.KeyWith(t, auth.CardsWrite), document)
	if second.At("movementAccrue", "replayed") != false || second.Text("movementAccrue", "movement", "id") == first.Text("movementAccrue", "movement", "id") {
		t.Errorf("another principal under the same key: got %s after %s", second.Body, first.Body)
	}
}
