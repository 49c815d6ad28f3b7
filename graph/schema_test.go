package graph_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2/ast"

	"sello/graph"
	"sello/graph/graphtest"
	"sello/loyalty"
)

// TestSchemaGolden shows every change of the schema as a diff, so that nobody
// breaks a client without seeing it. Fields are added, never renamed or removed
// (style.md 3).
func TestSchemaGolden(t *testing.T) {
	t.Parallel()
	compareText(t, "testdata/schema.golden.graphql", []byte(graph.SDL()))
}

// ours are the types that we defined, by name.
func ours(t *testing.T) []*ast.Definition {
	t.Helper()
	var types []*ast.Definition
	for _, typ := range graph.NewSchema(&graph.Resolver{}).Schema().Types {
		if !typ.BuiltIn && !strings.HasPrefix(typ.Name, "__") {
			types = append(types, typ)
		}
	}
	if len(types) < 80 {
		t.Fatalf("only %d types were found", len(types))
	}
	slices.SortFunc(types, func(a, b *ast.Definition) int { return strings.Compare(a.Name, b.Name) })
	return types
}

func TestSchemaIsDescribed(t *testing.T) {
	t.Parallel()
	describe := func(name, text string) {
		switch {
		case strings.TrimSpace(text) == "":
			t.Errorf("%s has no description", name)
		case !slices.ContainsFunc([]string{".", "…", "`"}, func(end string) bool { return strings.HasSuffix(text, end) }):
			t.Errorf("the description of %s ends in the middle: %q", name, text)
		}
	}
	for _, typ := range ours(t) {
		describe(typ.Name, typ.Description)
		for _, f := range typ.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			describe(typ.Name+"."+f.Name, f.Description)
			for _, a := range f.Arguments {
				describe(typ.Name+"."+f.Name+"("+a.Name+")", a.Description)
			}
			if d := f.Directives.ForName("deprecated"); d != nil && d.Arguments.ForName("reason") == nil {
				t.Errorf("%s.%s is deprecated without a reason", typ.Name, f.Name)
			}
		}
		for _, v := range typ.EnumValues {
			describe(typ.Name+"."+v.Name, v.Description)
		}
	}
	for name, d := range graph.NewSchema(&graph.Resolver{}).Schema().Directives {
		if d.Position != nil && d.Position.Src != nil && d.Position.Src.BuiltIn {
			continue
		}
		describe("@"+name, d.Description)
	}
}

func TestSchemaHasNoFloat(t *testing.T) {
	t.Parallel()
	for _, typ := range ours(t) {
		for _, f := range typ.Fields {
			if f.Type.Name() == "Float" {
				t.Errorf("%s.%s is a Float", typ.Name, f.Name)
			}
			for _, a := range f.Arguments {
				if a.Type.Name() == "Float" {
					t.Errorf("%s.%s(%s) is a Float", typ.Name, f.Name, a.Name)
				}
			}
		}
	}
}

// short are the lists that cannot grow with a company's data, and why.
var short = map[string]string{
	"Viewer.scopes":                 "a closed set",
	"ApiKey.scopes":                 "a closed set",
	"UserError.field":               "a path in the input",
	"UserError.params":              "facts of one refusal",
	"Staff.rights":                  "one for each card type, of which a company has a handful",
	"Job.errors":                    "one for each attempt, of which there are at most maxAttempts",
	"Webhook.kinds":                 "a closed set",
	"WebhookReplay.kinds":           "a closed set",
	"WebhookDelivery.attempts":      "three days of back-off are some thirty",
	"Query.queues":                  "the queues that the program has",
	"Subscription.queuesChanged":    "the queues that the program has",
	"CustomerAttribute.options":     "what a choice is among, 200 at most",
	"SegmentMembersPayload.results": "one for each customer of the input",
	"InsightLiability.months":       "one for each month in which points end, of which there are some years at most",
	"InsightDaily.days":             "one for each day, of which at most 400 are asked for",
	"ProductCodesPayload.rejected":  "lines of one list, of which there are at most 5,000",
	"Card.expiryPlan":               "one for each day on which points end, of at most 1,000 lots",
	"Card.notices":                  "one for each day and distance of what ends",
	"CardTypeExpiry.noticeDays":     "a handful of distances",
	"ExpiryPreview.days":            "one for each day on which points would end, within the policy's years",
	"ExpiryPreview.months":          "one for each month of those days",
	"Movement.lots":                 "lots of one card that one movement touched",
	"Movement.lines":                "lines of one sale, at most 500",
	"Movement.reversals":            "returns of one movement, the first 100",
	"CardType.numberRanges":         "maxRanges at most",
	"Customer.contactPoints":        "50 beside the customer's own",
	"RewardHistory.attempts":        "a page of 20",
	"Query.messageTemplates":        "three kinds in four languages",
	"Company.hosts":                 "MaxHosts at most",
	"CustomerSearchPage.customers":  "a page of 100 at most",
}

// TestListsAreConnections: what can grow is read by pages, whose sizes have a
// default and are checked, and whose cursors are keys.
func TestListsAreConnections(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, typ := range ours(t) {
		if typ.Kind == ast.InputObject {
			continue
		}
		for _, f := range typ.Fields {
			name := typ.Name + "." + f.Name
			if f.Type.Elem != nil && !strings.HasPrefix(f.Name, "__") {
				edges := strings.HasSuffix(typ.Name, "Connection") && f.Name == "edges"
				if !edges && f.Name != "userErrors" && short[name] == "" {
					t.Errorf("%s is a list: make it a connection, or say in short why it cannot grow", name)
				}
				if !f.Type.Elem.NonNull {
					t.Errorf("%s has elements that may be null", name)
				}
				used[name] = true
			}
			if !strings.HasSuffix(f.Type.Name(), "Connection") {
				continue
			}
			first, after := f.Arguments.ForName("first"), f.Arguments.ForName("after")
			if first == nil || after == nil || first.DefaultValue == nil || first.DefaultValue.Raw != "25" {
				t.Errorf("%s: a connection has first (25 by default) and after", name)
			}
			if f.Arguments.ForName("offset") != nil || f.Arguments.ForName("page") != nil {
				t.Errorf("%s counts pages", name)
			}
		}
		if strings.HasSuffix(typ.Name, "Connection") {
			info := typ.Fields.ForName("pageInfo")
			if info == nil || info.Type.String() != "PageInfo!" {
				t.Errorf("%s has no pageInfo: PageInfo!", typ.Name)
			}
			edge := graph.NewSchema(&graph.Resolver{}).Schema().Types[strings.TrimSuffix(typ.Name, "Connection")+"Edge"]
			if edge == nil || edge.Fields.ForName("cursor") == nil || edge.Fields.ForName("node") == nil {
				t.Errorf("%s has no edge of its name with cursor and node", typ.Name)
			}
		}
	}
	for name := range short {
		if !used[name] {
			t.Errorf("short has %s, the schema has not", name)
		}
	}
}

func TestRoots(t *testing.T) {
	t.Parallel()
	schema := graph.NewSchema(&graph.Resolver{}).Schema()
	for _, f := range schema.Query.Fields {
		if f.Type.NonNull && !strings.HasPrefix(f.Name, "__") {
			t.Errorf("Query.%s is not nullable: one that fails takes the whole answer along", f.Name)
		}
	}
	for _, f := range schema.Mutation.Fields {
		if f.Name != "sessionEnd" {
			if len(f.Arguments) != 1 || f.Arguments[0].Name != "input" || !f.Arguments[0].Type.NonNull {
				t.Errorf("Mutation.%s: want one argument, input, not null", f.Name)
			}
		}
		payload := schema.Types[f.Type.Name()]
		errors := payload.Fields.ForName("userErrors")
		if !strings.HasSuffix(payload.Name, "Payload") || !f.Type.NonNull || errors == nil || errors.Type.String() != "[UserError!]!" {
			t.Errorf("Mutation.%s: want a payload, not null, with userErrors: [UserError!]!", f.Name)
		}
		for _, member := range payload.Fields {
			if object := schema.Types[member.Type.Name()]; object.Kind == ast.Object && member.Type.NonNull && member.Type.Elem == nil {
				t.Errorf("%s.%s cannot be null when the mutation is refused", payload.Name, member.Name)
			}
		}
		// What moves value can be repeated.
		if slices.ContainsFunc([]string{"movement", "hold", "transfer", "lots"}, func(what string) bool { return strings.HasPrefix(f.Name, what) }) {
			input := schema.Types[f.Arguments[0].Type.Name()]
			if input.Fields.ForName("idempotencyKey") == nil || payload.Fields.ForName("replayed") == nil {
				t.Errorf("Mutation.%s: want input.idempotencyKey and replayed", f.Name)
			}
		}
	}
	for _, typ := range schema.Types {
		for _, f := range typ.Fields {
			for _, a := range f.Arguments {
				if name := strings.ToLower(a.Name); strings.HasPrefix(name, "company") || strings.HasPrefix(name, "tenant") {
					t.Errorf("%s.%s(%s): the company comes from the credential", typ.Name, f.Name, a.Name)
				}
			}
			if typ.Kind == ast.InputObject && typ.Name != "SessionCreateInput" && strings.HasPrefix(strings.ToLower(f.Name), "company") {
				t.Errorf("%s.%s: the company comes from the credential", typ.Name, f.Name)
			}
		}
	}
}

func TestUserErrorCodes(t *testing.T) {
	t.Parallel()
	var codes, values []string
	for _, c := range loyalty.Codes() {
		codes = append(codes, string(c))
	}
	for _, v := range graph.NewSchema(&graph.Resolver{}).Schema().Types["UserErrorCode"].EnumValues {
		values = append(values, v.Name)
	}
	if diff := cmp.Diff(codes, values); diff != "" {
		t.Errorf("loyalty.Codes and UserErrorCode (-codes +enum):\n%s", diff)
	}
}

// TestLanguages asks for one refusal in each language, and in some that fall
// back.
func TestLanguages(t *testing.T) {
	t.Parallel()
	c := graphtest.New(t).Company(t, "shop")
	for accept, want := range map[string]string{
		"":                       "The store does not exist.",
		"en-GB":                  "The store does not exist.",
		"es-MX,es;q=0.9":         "El local no existe.",
		"pt-BR":                  "A loja não existe.",
		"vi":                     "Cửa hàng không tồn tại.",
		"de, pt;q=0.5":           "A loja não existe.",
		"tlh":                    "The store does not exist.",
		"*":                      "The store does not exist.",
		strings.Repeat("x", 300): "The store does not exist.",
	} {
		a := c.Do(t, graphtest.Request{
			Credential: c.Key, Document: `mutation { storeUpdate(input: { code: "none" }) { userErrors { message } } }`,
			Header: map[string][]string{"Accept-Language": {accept}},
		})
		if got := a.Text("storeUpdate", "userErrors", 0, "message"); got != want {
			t.Errorf("Accept-Language %.30q: got %q, want %q", accept, got, want)
		}
	}
}
