package graph_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"sello/graph"
	"sello/graph/graphtest"
	"sello/loyalty/auth"
)

// inside is what no answer may hold: words of PostgreSQL, pgx, Go and our own code.
var inside = regexp.MustCompile(`(?i)sqlstate|syntax error at|pgx|pgconn|violates|relation "|column "|invalid byte|out of range for type|goroutine|\.go:\d|sello/|strconv|json: |cannot unmarshal`)

// hostile are values for each scalar that somebody may send by mistake or on
// purpose (hardening.md 2.3, B3 and B6). JSON texts.
var hostile = map[string][]string{
	"String": {
		`""`, `" "`, `null`, `"\u0000"`, `"a\u0000b"`, `"'"`, `"\\"`, `"%_"`, `"<script>"`, `"😀"`, `"\u202eabc"`, `"\ud800"`, `"\r\n\t"`, `"\u0007"`,
		`"' OR 1=1 --"`, `1`, `1.5`, `true`, `[]`, `["a","b"]`, `{}`, `"` + strings.Repeat("x", 10_000) + `"`, `"` + strings.Repeat("ñ", 260) + `"`,
		`"` + strings.Repeat("9", 40) + `"`,
	},
	"ID": {
		`""`, `null`, `"x"`, `"\u0000"`, `"Q2FyZDo"`, `"Og"`, `"Q2FyZDrDvw"`, `"Q2FyZDr_"`, `"Sm9iOjk5OTk5OTk5OTk5OTk5OTk5OTk5"`, `"Sm9iOi0x"`,
		`"TW92ZW1lbnQ6MDE4MTIzNDUtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDAxLzk5OTk5OTk5OTk5OTk5OTk5OTk"`, `1`, `-1`, `1.5`, `true`, `[]`, `{}`,
		`"` + strings.Repeat("A", 10_000) + `"`,
	},
	"Int": {
		`null`, `0`, `-1`, `2147483647`, `2147483648`, `-2147483649`, `99999999999`, `9223372036854775807`, `9223372036854775808`,
		`99999999999999999999999`, `1.5`, `1e3`, `"1"`, `"x"`, `true`, `[]`, `{}`,
	},
	"Decimal": {
		`null`, `"0"`, `"-0"`, `"-1"`, `"0.00001"`, `"999999999999999.9999"`, `"12345678901234567890"`, `"1e3"`, `"1e400"`, `"１"`, `"1,5"`, `" 1"`,
		`"NaN"`, `"Infinity"`, `"+1"`, `""`, `1`, `1.5`, `0.1`, `1e3`, `1e400`, `12345678901234567890`, `true`, `[]`, `{}`,
	},
	"DateTime": {
		`null`, `""`, `"now"`, `"2026-02-30T00:00:00Z"`, `"0001-01-01T00:00:00Z"`, `"9999-12-31T23:59:59Z"`, `"1900-01-01T00:00:00Z"`,
		`"99999-01-01T00:00:00Z"`, `"-4713-01-01T00:00:00Z"`, `1732212000`, `true`, `[]`, `{}`,
	},
	"Date":    {`null`, `""`, `"2026-02-30"`, `"0001-01-01"`, `"0000-01-01"`, `"9999-12-31"`, `"99999-01-01"`, `20260101`, `true`, `[]`, `{}`},
	"Boolean": {`null`, `"true"`, `1`, `0`, `[]`, `{}`},
	"JSON": {
		`null`, `{}`, `[]`, `"x"`, `1`, `{"a":"\u0000"}`, `{"\u0000":1}`, `{"a":1e400}`, `{"a":"\ud800"}`, `{"":{}}`,
		`{"a":` + strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40) + `}`, `{"a":"` + strings.Repeat("x", 9000) + `"}`,
	},
}

// plainValue is a value of a type that a request may well have.
func plainValue(schema *ast.Schema, typ *ast.Type) any {
	if typ.Elem != nil {
		return []any{plainValue(schema, typ.Elem)}
	}
	switch name := typ.NamedType; name {
	case "String":
		return "abcd1234"
	case "ID":
		return randomID("Card")
	case "Int":
		return 1
	case "Decimal":
		return "1"
	case "DateTime":
		return "2027-01-01T00:00:00Z"
	case "Date":
		return "2000-01-01"
	case "Boolean":
		return true
	case "JSON":
		return map[string]any{"a": 1}
	default:
		definition := schema.Types[name]
		if definition.Kind == ast.Enum {
			return definition.EnumValues[0].Name
		}
		members := map[string]any{}
		for _, m := range definition.Fields {
			if m.Type.NonNull {
				members[m.Name] = plainValue(schema, m.Type)
			}
		}
		return members
	}
}

// leaf is one scalar of an operation's arguments, and how a hostile value gets
// there.
type leaf struct {
	path []string
	kind string
}

func leaves(schema *ast.Schema, name string, typ *ast.Type) []leaf {
	definition := schema.Types[typ.Name()]
	switch {
	case typ.Elem != nil:
		return []leaf{{[]string{name}, "String"}}
	case definition.Kind == ast.InputObject:
		var all []leaf
		for _, m := range definition.Fields {
			for _, l := range leaves(schema, m.Name, m.Type) {
				all = append(all, leaf{append([]string{name}, l.path...), l.kind})
			}
		}
		return all
	case definition.Kind == ast.Enum:
		return []leaf{{[]string{name}, "String"}}
	}
	return []leaf{{[]string{name}, typ.Name()}}
}

// TestHostileValues sends every hostile value to every argument of every query
// and mutation. Each is taken or refused as the caller's; none is a fault of ours,
// and none brings our inside out.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	c := graphtest.New(t).Company(t, "shop")
	c.Fill(t, 1)
	key := c.KeyWith(t, auth.Scopes()...)
	schema := graph.NewSchema(&graph.Resolver{}).Schema()
	tried := 0
	for name, field := range rootFields() {
		root, _, _ := strings.Cut(name, ".")
		if root == "Subscription" {
			continue
		}
		var declared, passed []string
		variables := map[string]any{}
		for _, a := range field.Arguments {
			declared = append(declared, fmt.Sprintf("$%s: %s", a.Name, a.Type))
			passed = append(passed, fmt.Sprintf("%s: $%s", a.Name, a.Name))
			if a.Type.NonNull {
				variables[a.Name] = plainValue(schema, a.Type)
			}
		}
		if len(declared) == 0 {
			continue
		}
		document := fmt.Sprintf("%s(%s) { %s(%s) { __typename } }", strings.ToLower(root), strings.Join(declared, ", "), field.Name, strings.Join(passed, ", "))
		for _, a := range field.Arguments {
			for _, l := range leaves(schema, a.Name, a.Type) {
				for _, value := range hostile[l.kind] {
					tried++
					body := hostileBody(t, document, variables, l.path, value)
					got := c.Send(t, key, body, nil)
					switch code := got.Code(); {
					case got.Status >= 500 || strings.HasPrefix(code, "INTERNAL"):
						t.Errorf("%s %s = %.60s: got %d %s", name, strings.Join(l.path, "."), value, got.Status, got.Body)
					case len(got.Errors) > 0 && code == "":
						t.Errorf("%s %s = %.60s: an error without a code: %s", name, strings.Join(l.path, "."), value, got.Body)
					case inside.MatchString(comparable(got.Body)):
						t.Errorf("%s %s = %.60s: our inside: %s", name, strings.Join(l.path, "."), value, got.Body)
					case len(got.Body) > 16<<10:
						t.Errorf("%s %s = %.60s: an answer of %d bytes", name, strings.Join(l.path, "."), value, len(got.Body))
					}
				}
			}
		}
	}
	if tried < 2000 {
		t.Errorf("only %d values were tried", tried)
	}
}

// hostileBody puts a JSON text into the variables at a path, as it is: not all of
// them survive an encoder.
func hostileBody(t *testing.T, document string, variables map[string]any, path []string, value string) []byte {
	t.Helper()
	const mark = "\u2603 here"
	var put func(at map[string]any, path []string) map[string]any
	put = func(at map[string]any, path []string) map[string]any {
		copied := map[string]any{}
		for k, v := range at {
			copied[k] = v
		}
		if len(path) == 1 {
			copied[path[0]] = mark
			return copied
		}
		below, _ := copied[path[0]].(map[string]any)
		copied[path[0]] = put(below, path[1:])
		return copied
	}
	body, err := json.Marshal(map[string]any{"query": document, "variables": put(variables, path)})
	if err != nil {
		t.Fatal(err)
	}
	quoted, _ := json.Marshal(mark)
	return []byte(strings.Replace(string(body), string(quoted), value, 1))
}

// TestHostileDocuments: what is wrong with a document is said with a code, and
// changes nothing.
func TestHostileDocuments(t *testing.T) {
	t.Parallel()
	c := graphtest.New(t).Company(t, "shop")
	c.Fill(t, 1)
	c.Query(t, `{ company { id } }`, nil)
	before := rowsOf(t, c)
	post := func(points string) string {
		return `mutation { movementAccrue(input: { card: { walletKey: "mk_shop_0001", phone: "5520000000" }, points: ` + points +
			`, idempotencyKey: "k" }) { movement { id } userErrors { code } } }`
	}
	variable := func(points string) string {
		return `{"query":"mutation($p: Decimal) { movementAccrue(input: { card: { code: \"shop-card-0\" }, points: $p, idempotencyKey: \"k\" }) { movement { id } userErrors { code } } }","variables":{"p":` + points + `}}`
	}
	document := func(text string) string {
		body, err := json.Marshal(map[string]string{"query": text})
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	aliases := func(n int, field string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "a%d: %s ", i, field)
		}
		return b.String()
	}
	ofCard := func(cursor string) string {
		return document(fmt.Sprintf(`{ card(code: "shop-card-0") { movements(after: %q) { edges { cursor } } } }`, cursor))
	}
	foreign := c.Query(t, `{ cards { pageInfo { endCursor } } }`, nil).Text("cards", "pageInfo", "endCursor")
	for _, tt := range []struct{ name, body, code string }{
		{"a negative amount", document(post(`"-5"`)), "AMOUNT_NOT_POSITIVE"},
		{"nothing", document(post(`"0"`)), "AMOUNT_NOT_POSITIVE"},
		{"minus nothing", document(post(`"-0.00"`)), "AMOUNT_NOT_POSITIVE"},
		{"finer than the wallet", document(post(`"0.001"`)), "AMOUNT_TOO_PRECISE"},
		{"finer than any ledger", document(post(`"0.00001"`)), "BAD_USER_INPUT"},
		{"twenty digits", document(post(`"12345678901234567890"`)), "BAD_USER_INPUT"},
		{"more than a balance holds", document(post(`"999999999999999"`)), "AMOUNT_TOO_LARGE"},
		{"an exponent", document(post(`"1e3"`)), "BAD_USER_INPUT"},
		{"full-width digits", document(post(`"１２"`)), "BAD_USER_INPUT"},
		{"a comma", document(post(`"1,5"`)), "BAD_USER_INPUT"},
		{"no number", document(post(`"NaN"`)), "BAD_USER_INPUT"},
		{"blanks", document(post(`" "`)), "BAD_USER_INPUT"},
		{"a float in the document", document(post(`1.5`)), "BAD_USER_INPUT"},
		{"an exponent in the document", document(post(`1e3`)), "BAD_USER_INPUT"},
		{"an exponent in the variables", variable(`1e3`), "BAD_USER_INPUT"},
		{"a float beyond all numbers", variable(`1e400`), "BAD_USER_INPUT"},
		{"a float with more digits than it holds", variable(`0.10000000000000000555`), "BAD_USER_INPUT"},
		{"an object for an amount", variable(`{"value":1}`), "BAD_USER_INPUT"},

		{"an unknown field", document(`{ company { id balance } }`), "GRAPHQL_VALIDATION_FAILED"},
		{"an unknown argument", document(`{ company(id: 1) { id } }`), "GRAPHQL_VALIDATION_FAILED"},
		{"an unknown member of an input", document(`mutation { storeCreate(input: { code: "x", name: "y", companyId: 1 }) { store { id } } }`), "GRAPHQL_VALIDATION_FAILED"},
		{"no document", `{"query":""}`, "BAD_REQUEST"},
		{"half a document", document(`{ company { id `), "GRAPHQL_PARSE_FAILED"},
		{"an unknown card", document(`mutation { movementAccrue(input: { card: { code: "none" }, points: "1", idempotencyKey: "k" }) { movement { id } userErrors { code } } }`), "CARD_NOT_FOUND"},
		{"more than there is", document(`mutation { movementRedeem(input: { card: { code: "shop-card-0" }, points: "7", idempotencyKey: "k" }) { movement { id } userErrors { code } } }`), "INSUFFICIENT_BALANCE"},
		{"a blank key", document(`mutation { movementRedeem(input: { card: { code: "shop-card-0" }, points: "1", idempotencyKey: "" }) { movement { id } userErrors { code } } }`), "IDEMPOTENCY_KEY_REQUIRED"},
		{"a key of 401 bytes", document(`mutation { movementRedeem(input: { card: { code: "shop-card-0" }, points: "1", idempotencyKey: "` + strings.Repeat("k", 401) + `" }) { movement { id } userErrors { code } } }`), "TOO_LONG"},

		{"NUL in the variables", `{"query":"query($c: String) { card(code: $c) { id } }","variables":{"c":"a\u0000"}}`, "BAD_REQUEST"},
		{"NUL in the document", `{"query":"{ card(code: \"a\\u0000\") { id } }"}`, "BAD_REQUEST"},
		{"bytes that are no text", "{\"query\":\"{ card(code: \\\"\xff\\\") { id } }\"}", "BAD_REQUEST"},
		{"a text too long", document(`mutation { storeCreate(input: { code: "x", name: "` + strings.Repeat("ñ", 101) + `" }) { store { id } userErrors { code } } }`), "TOO_LONG"},
		{"a reference too long", document(`mutation { movementAdjust(input: { card: { code: "shop-card-0" }, points: "1", idempotencyKey: "k", reference: "` + strings.Repeat("x", 101) + `" }) { movement { id } userErrors { code } } }`), "TOO_LONG"},
		{"a description too long", document(`mutation { movementAdjust(input: { card: { code: "shop-card-0" }, points: "1", idempotencyKey: "k", description: "` + strings.Repeat("x", 256) + `" }) { movement { id } userErrors { code } } }`), "TOO_LONG"},
		{"a search too long", document(`{ customers(search: "` + strings.Repeat("x", 101) + `") { edges { cursor } } }`), "BAD_USER_INPUT"},

		{"first: 0", document(`{ cards(first: 0) { edges { cursor } } }`), "BAD_USER_INPUT"},
		{"first: -1", document(`{ cards(first: -1) { edges { cursor } } }`), "BAD_USER_INPUT"},
		{"first: 101", document(`{ cards(first: 101) { edges { cursor } } }`), "BAD_USER_INPUT"},
		{"first: 251", document(`{ card(code: "shop-card-0") { movements(first: 251) { edges { cursor } } } }`), "BAD_USER_INPUT"},
		{"first: 99999999999", document(`{ stores(first: 99999999999) { edges { cursor } } }`), "BAD_USER_INPUT"},
		{"first of twenty digits", document(`{ stores(first: 99999999999999999999) { edges { cursor } } }`), "GRAPHQL_VALIDATION_FAILED"},
		{"a cursor of another list", ofCard(foreign), "BAD_USER_INPUT"},
		{"a cursor of nothing", ofCard("nonsense"), "BAD_USER_INPUT"},
		{"a cursor of beyond time", document(`{ cardType(code: "shop-points") { cards(after: "` + forge("registered", "9223372036854775807", foreignUUID) + `") { edges { cursor } } } }`), "BAD_USER_INPUT"},
		{"a cursor of bytes", document(`{ customers(search: "maria", after: "` + forge("customerSearch", "1", "\xff\xfe", foreignUUID) + `") { edges { cursor } } }`), "BAD_USER_INPUT"},
		{"a cursor of a line that no file has", document(`{ imports(first: 1) { edges { node { errors(after: "` + forge("importErrors", "99999999999") + `") { edges { cursor } } } } } }`), ""},

		{"a document too deep", document(`{ cards { edges { node { customer { cards { edges { node { customer { cards { edges { node { customer { cards { pageInfo { endCursor } } } } } } } } } } } } } } }`), "DOCUMENT_TOO_COMPLEX"},
		{"a document too costly", document(`{ customers(first: 100) { edges { node { cards(first: 100) { edges { node { code } } } } } } }`), "COST_LIMIT_EXCEEDED"},
		{"cost by variables", `{"query":"query($n: Int) { customers(first: $n) { edges { node { cards(first: $n) { edges { node { code } } } } } } }","variables":{"n":100}}`, "COST_LIMIT_EXCEEDED"},
		{"a thousand aliases", document(`{ ` + aliases(1000, "company { id }") + `}`), "DOCUMENT_TOO_COMPLEX"},
		{"eleven mutations", document(`mutation { ` + aliases(11, `storeCreate(input: { code: "x", name: "y" }) { userErrors { code } }`) + `}`), "DOCUMENT_TOO_COMPLEX"},
		{"the same field ten thousand times", document(`{ ` + strings.Repeat("__typename ", 5000) + `}`), "DOCUMENT_TOO_COMPLEX"},
		{"a body above 64 KiB", document(`{ company { id } } #` + strings.Repeat("x", 64<<10)), "BODY_TOO_LARGE"},
		{"a list of requests", `[{"query":"{ company { id } }"}]`, "BATCHING_UNSUPPORTED"},
		{"no JSON", `{"query":`, "BAD_REQUEST"},
	} {
		got := c.Send(t, c.Key, []byte(tt.body), nil)
		code := got.Code()
		for _, payload := range got.Data {
			if refusal, _ := graphtest.At(payload, "userErrors", 0, "code").(string); refusal != "" {
				code = refusal
			}
		}
		if code != tt.code || got.Status >= 500 {
			t.Errorf("%s: got %d %.300s, want %s", tt.name, got.Status, got.Body, tt.code)
		}
		if inside.MatchString(comparable(got.Body)) {
			t.Errorf("%s: our inside: %s", tt.name, got.Body)
		}
		if len(got.Body) > 16<<10 {
			t.Errorf("%s: an answer of %d bytes", tt.name, len(got.Body))
		}
	}
	for table, digest := range rowsOf(t, c) {
		if before[table] != digest {
			t.Errorf("rows of %s changed", table)
		}
	}
}

// TestExactNumbers: a number that JSON brings as it is keeps its digits.
func TestExactNumbers(t *testing.T) {
	t.Parallel()
	c := graphtest.New(t).Company(t, "shop")
	c.Fill(t, 1)
	got := c.Send(t, c.Key, []byte(`{"query":"mutation($p: Decimal) { movementAccrue(input: { card: { walletKey: \"mk_shop_0001\", phone: \"5520000000\" }, points: $p, idempotencyKey: \"k\" }) { movement { amount } userErrors { code } } }",`+
		`"variables":{"p":123456789012.07}}`), nil)
	if amount := got.Text("movementAccrue", "movement", "amount"); amount != "123456789012.07" {
		t.Errorf("points as a JSON number: got %s", got.Body)
	}
}

// TestFaults: when the database is gone every operation says no more than that it
// is our fault, and by which name to ask about it.
func TestFaults(t *testing.T) {
	t.Parallel()
	env := graphtest.New(t)
	c := env.Company(t, "shop")
	c.Fill(t, 1)
	key := c.KeyWith(t, auth.Scopes()...)
	ids := nodeIDs(t, c)
	c.Do(t, graphtest.Request{Credential: key, Document: `{ viewer { kind } }`}) // the key is known from here on
	documents := map[string]string{}
	for name, op := range operations {
		if all := op.documents(namesOf(c, ids)); len(all) > 0 {
			documents[name] = all[0]
		}
	}
	for kind, id := range ids {
		documents["node of a "+kind] = fmt.Sprintf(`query { node(id: %q) { id } }`, id)
	}
	// These need no database to refuse what they are given here.
	for _, name := range []string{"Mutation.sessionRefresh", "Mutation.sessionEnd"} {
		delete(documents, name)
	}
	env.Pool.Close()
	for name, document := range documents {
		got := ask(t, env, key, strings.ReplaceAll(document, `after: ""`, `after: null`))
		id, _ := graphtest.At(map[string]any{"e": extensionsOf(got)}, "e", "requestId").(string)
		if got.Code() != "INTERNAL_SERVER_ERROR" || id == "" || inside.MatchString(comparable(got.Body)) || strings.Contains(string(got.Body), "closed") {
			t.Errorf("%s without a database: got %s", name, got.Body)
		}
	}
}

func extensionsOf(a graphtest.Answer) map[string]any {
	if len(a.Errors) == 0 {
		return nil
	}
	return a.Errors[0].Extensions
}

const foreignUUID = "0198a1b2-0000-7000-8000-000000000001"

// forge makes a cursor as only the server should.
func forge(list string, key ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte("1" + list + "\n" + strings.Join(key, "\n")))
}
