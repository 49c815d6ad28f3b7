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
	Customer, Key, Import, Job, After                                      string
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
	"Query.cards": {scope: auth.CardsRead, documents: list("cards", "", "id code holderName")},
	"Query.card": {scope: auth.CardsRead, documents: func(n names) []string {
		return []string{
			fmt.Sprintf(`query { card(code: %q) { id code balance } }`, n.Card),
			fmt.Sprintf(`query { card(walletKey: %q, phone: %q) { id code balance } }`, n.WalletKey, n.Phone),
		}
	}},
	"Query.customers": {scope: auth.CustomersRead, documents: func(n names) []string {
		all := list("customers", "", "id firstName lastName email phone")(n)
		for _, text := range []string{n.Email, n.Document, n.QR, n.Document[:4]} {
			all = append(all, fmt.Sprintf(`query { customers(search: %q) { edges { node { id email } } } }`, text))
		}
		return all
	}},
	"Query.customer": {scope: auth.CustomersRead, documents: func(n names) []string {
		return []string{
			fmt.Sprintf(`query { customer(email: %q) { id firstName } }`, n.Email),
			fmt.Sprintf(`query { customer(document: %q) { id firstName } }`, n.Document),
			fmt.Sprintf(`query { customer(qrCode: %q) { id firstName } }`, n.QR),
			fmt.Sprintf(`query { customer(phone: %q) { id firstName } }`, n.Phone),
		}
	}},
	"Query.imports":       {scope: auth.ImportsRead, documents: list("imports", "", "id fileName errors { edges { node { value } } }")},
	"Query.notifications": {scope: auth.NotificationsRead, documents: list("notifications", "", "id recipient body")},
	"Query.jobs":          {scope: auth.JobsRead, documents: list("jobs", `, state: AVAILABLE, kind: "import_apply"`, "id kind")},
	"Query.queues":        {scope: auth.JobsRead, documents: fixed(`query { queues { name available } }`)},

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
	"Mutation.cardStatusSet": {scope: auth.CardsWrite, documents: one(
		`mutation { cardStatusSet(input: { code: %q, status: DISABLED }) { card { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Card} })},

	"Mutation.customerCreate": {scope: auth.CustomersWrite, creates: true, documents: one(
		`mutation { customerCreate(input: { firstName: "x", email: %q, document: %q, phone: %q }) { customer { firstName } userErrors { code } } }`,
		func(n names) []any { return []any{n.Email, n.Document, n.Phone} })},
	"Mutation.customerUpdate": {scope: auth.CustomersWrite, documents: one(
		`mutation { customerUpdate(input: { id: %q, firstName: "taken over" }) { customer { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Customer} })},
	"Mutation.contactRegister": {scope: auth.CustomersWrite, documents: func(n names) []string {
		register := `mutation { contactRegister(input: { walletKey: %q, phone: %q, name: "x", staffNumber: %d }) { card { id } reopened userErrors { code field message } } }`
		return []string{fmt.Sprintf(register, n.WalletKey, n.Phone, 8101), fmt.Sprintf(register, "mk_beta_0001", "5544444444", n.Staff)}
	}},

	"Mutation.movementAccrue":   {scope: auth.CardsWrite, documents: postings("movementAccrue", "points")},
	"Mutation.movementRedeem":   {scope: auth.CardsWrite, documents: postings("movementRedeem", "points")},
	"Mutation.movementAdjust":   {scope: auth.CardsWrite, documents: postings("movementAdjust", "points")},
	"Mutation.movementRecharge": {scope: auth.CardsWrite, documents: postings("movementRecharge", "amount")},

	"Mutation.importReprocess": {scope: auth.ImportsWrite, documents: one(
		`mutation { importReprocess(input: { id: %q }) { import { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Import} })},
	"Mutation.importCancel": {scope: auth.ImportsWrite, documents: one(
		`mutation { importCancel(input: { id: %q }) { import { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Import} })},
	"Mutation.jobRetry": {scope: auth.JobsWrite, documents: one(
		`mutation { jobRetry(input: { id: %q }) { job { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Job} })},
	"Mutation.jobCancel": {scope: auth.JobsWrite, documents: one(
		`mutation { jobCancel(input: { id: %q }) { job { id } userErrors { code field message } } }`,
		func(n names) []any { return []any{n.Job} })},
	"Mutation.queuePause": {scope: auth.Platform, global: true, documents: fixed(
		`mutation { queuePause(input: { name: "none" }) { queue { name } userErrors { code } } }`)},
	"Mutation.queueResume": {scope: auth.Platform, global: true, documents: fixed(
		`mutation { queueResume(input: { name: "none" }) { queue { name } userErrors { code } } }`)},

	"Subscription.movementPosted": {scope: auth.CardsRead, documents: one(
		`subscription { movementPosted(cardCode: %q, after: "`+beginning+`") { movement { id } } }`, func(n names) []any { return []any{n.Card} })},
	"Subscription.importProgressed": {scope: auth.ImportsRead, documents: one(
		`subscription { importProgressed(id: %q) { id } }`, func(n names) []any { return []any{n.Import} })},
	"Subscription.queuesChanged": {scope: auth.JobsRead, documents: fixed(`subscription { queuesChanged { name available } }`)},
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
