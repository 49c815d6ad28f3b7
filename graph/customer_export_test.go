package graph_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sello/graph/graphtest"
	"sello/loyalty/auth"
)

// download asks for a customer's export.
func download(t *testing.T, c *graphtest.Company, credential, id string) (status int, header http.Header, body string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.Server.URL+"/api/v1/customers/"+id+"/export.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	if credential != "" {
		q.Header.Set("Authorization", "Bearer "+credential)
	}
	answer, err := c.Server.Client().Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(text)
}

func TestCustomerExport(t *testing.T) {
	t.Parallel()
	env := graphtest.New(t)
	alpha, beta := env.Company(t, "alpha"), env.Company(t, "beta")
	alpha.Fill(t, 2)
	id := alpha.Names.Customers[0].GlobalID()

	status, header, body := download(t, alpha, alpha.SignIn(t), id)
	var person struct {
		Customer struct{ Email string }
		Cards    []struct{ Movements []any }
	}
	if err := json.Unmarshal([]byte(body), &person); err != nil {
		t.Fatalf("the export is no JSON: %v", err)
	}
	if status != http.StatusOK || !strings.Contains(header.Get("Content-Disposition"), "attachment") || header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %d, %v", status, header)
	}
	if person.Customer.Email != "maria0@alpha.example" || len(person.Cards) != 2 || len(person.Cards[0].Movements) != 4 || strings.Contains(body, "maria1@") {
		t.Errorf("got %s", body)
	}
	if n := alpha.Count(t, `SELECT count(*) FROM audit_entry WHERE action = 'customer_export' AND target_id = $1`, alpha.Names.Customers[0].ID); n != 1 {
		t.Errorf("audit entries: got %d, want 1", n)
	}

	_, _, none := download(t, beta, beta.Key, randomID("Customer"))
	for name, tt := range map[string]struct {
		credential, id, code string
		status               int
	}{
		"nobody":                     {"", id, "UNAUTHENTICATED", http.StatusUnauthorized},
		"a wrong credential":         {"x", id, "UNAUTHENTICATED", http.StatusUnauthorized},
		"another company":            {beta.Key, id, "CUSTOMER_NOT_FOUND", http.StatusNotFound},
		"nobody's":                   {alpha.Key, randomID("Customer"), "CUSTOMER_NOT_FOUND", http.StatusNotFound},
		"an id of something else":    {alpha.Key, alpha.Names.Cards[0].GlobalID(), "CUSTOMER_NOT_FOUND", http.StatusNotFound},
		"without customers:read":     {alpha.KeyWith(t, without(auth.CustomersRead)...), id, "FORBIDDEN", http.StatusForbidden},
		"without cards:read":         {alpha.KeyWith(t, without(auth.CardsRead)...), id, "FORBIDDEN", http.StatusForbidden},
		"without notifications:read": {alpha.KeyWith(t, without(auth.NotificationsRead)...), id, "FORBIDDEN", http.StatusForbidden},
	} {
		status, _, body := download(t, alpha, tt.credential, tt.id)
		if status != tt.status || !strings.Contains(body, tt.code) {
			t.Errorf("%s: got %d %s, want %d %s", name, status, body, tt.status, tt.code)
		}
		if name == "another company" && comparable([]byte(body)) != comparable([]byte(none)) {
			t.Errorf("another company's and nobody's: got %s and %s", body, none)
		}
	}
	if _, _, err := alpha.Resolver.Customers.Merge(t.Context(), alpha.System, alpha.Names.Customers[0].ID, alpha.Names.Customers[1].ID); err != nil {
		t.Fatal(err)
	}
	if status, _, body := download(t, alpha, alpha.Key, id); status != http.StatusGone || !strings.Contains(body, alpha.Names.Customers[1].GlobalID()) {
		t.Errorf("of a merged customer: got %d %s", status, body)
	}
}

func without(scope auth.Scope) []auth.Scope {
	return slices.DeleteFunc(auth.CompanyScopes(), func(s auth.Scope) bool { return s == scope })
}
