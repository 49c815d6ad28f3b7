package graph_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"sello/graph/graphtest"
	"sello/server/gqlhttp"
)

// statements notes the names of the statements that are sent.
type statements struct {
	mu    sync.Mutex
	names []string
}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.Join(strings.Fields(data.SQL), " ")
	if rest, named := strings.CutPrefix(name, "-- name: "); named {
		name, _, _ = strings.Cut(rest, " ")
	}
	if name != "APIKeyTouch" { // written behind the requests' backs, once a minute
		s.names = append(s.names, name)
	}
	return ctx
}

func (s *statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// take answers what was sent since it was last called.
func (s *statements) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.names
	s.names = nil
	return taken
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
		"imports and their failed rows",
		`{ imports(first: %[1]d) { edges { node { fileName errors(first: %[1]d) { edges { node { line reason } } } more: errors(first: 1) { pageInfo { hasNextPage } } } } } }`,
		[]string{"ImportsPage", "ImportErrorsByImports", "ImportErrorsByImports"},
	},
	{
		"lists of one level",
		`{ stores(first: %[1]d) { edges { node { code } } } apiKeys(first: %[1]d) { edges { node { name } } } notifications(first: %[1]d) { edges { node { kind } } } }`,
		[]string{"StoresPage", "APIKeysPage", "NotificationsPage"},
	},
}

func TestStatements(t *testing.T) {
	t.Parallel()
	var sent statements
	c := graphtest.New(t, graphtest.Options{Tracer: &sent, Limits: gqlhttp.Limits{Complexity: 1_000_000}}).Company(t, "shop")
	c.Fill(t, 24)
	for i := range 24 {
		imp := c.Import(t, fmt.Sprintf("%d.csv", i), fmt.Sprintf("Ana,,no-address-%d,,1", i), "Eva,,,,1")
		c.Apply(t, imp.ID)
	}
	for i, tt := range nested {
		t.Run(tt.name, func(t *testing.T) {
			var answers [2]graphtest.Answer
			for k, first := range []int{2, 20} {
				document := fmt.Sprintf(tt.document, first)
				c.Query(t, document, nil) // credentials and plans are known from here on
				sent.take()
				answers[k] = c.Query(t, document, nil)
				// Fields side by side run in any order.
				if diff := cmp.Diff(sorted(tt.want), sorted(sent.take())); diff != "" {
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
	var sent statements
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
		{"refused", post("1000", "k2"), []string{"CardPost", "CardPostRefusal"}},
		{"replayed", post("1", "k"), []string{"CardPost", "CardPostRefusal", "MovementBySeq"}},
	} {
		sent.take()
		c.Query(t, tt.document, nil)
		if diff := cmp.Diff(tt.want, sent.take()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
