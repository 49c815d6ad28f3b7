package customer_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sello/loyalty"
	"sello/loyalty/customer"
)

// found are the first names of a search's matches, in order.
func (e *env) found(t *testing.T, text string) []string {
	t.Helper()
	page, _, err := e.customers.Search(t.Context(), e.company, text, customer.Place{}, 100)
	if err != nil {
		t.Fatalf("Search(%q): %v", text, err)
	}
	var names []string
	for _, m := range page {
		names = append(names, m.Customer.FirstName)
	}
	return names
}

// spec/pretii.md 3.3.
func TestSearch(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	jose := env.create(t, customer.Fields{FirstName: "José", LastName: "Muñoz Pérez", Email: "jose.munoz@example.com", Phone: "5512345678", Document: "Ab-123"})
	env.create(t, customer.Fields{FirstName: "Ana María", LastName: "Quispe", Email: "ana@example.com", Phone: "+51987654321", Document: "45678912"})
	env.create(t, customer.Fields{FirstName: "Anabel", Email: "anabel@example.com", Phone: "5587654321"})
	env.create(t, customer.Fields{FirstName: "María", LastName: "Anaya", Email: "josefa_x@example.com", Document: "4567891299"})
	env.create(t, customer.Fields{FirstName: "Percent", Email: "josefaxx@example.com", LastName: "100%"})
	env.create(t, customer.Fields{FirstName: "Nguyễn", LastName: "Đức"})
	other := env.other(t)
	other.create(t, customer.Fields{FirstName: "José", LastName: "Muñoz", Email: "jose.munoz@example.com", Phone: "5512345678"})

	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"QR text", jose.QrCode, []string{"José"}},
		{"QR text is exact", strings.ToUpper(jose.QrCode), nil},
		{"e-mail in any case", " JOSE.Munoz@Example.com ", []string{"José"}},
		{"document in any case", "aB-123", []string{"José"}},
		{"end of the phone", "345678", []string{"José"}},
		{"end of the phone as people write it", "(55) 1234-5678", []string{"José"}},
		{"end of two phones, by name", "654321", []string{"Ana María", "Anabel"}},
		{"five digits are no phone", "45678", []string{"Ana María", "María"}},
		{"document before what begins with it", "45678912", []string{"Ana María", "María"}},
		{"beginning of an e-mail", "josef", []string{"María", "Percent"}},
		{"an underscore is itself", "josefa_", []string{"María"}},
		{"a percent sign is itself", "jo%e", nil},
		{"a backslash is itself", `jo\`, []string{"José"}}, // rule 4 sees the word jo
		{"name without accents", "jose munoz", []string{"José"}},
		{"name with accents", "MÚÑOZ", []string{"José"}},
		{"words in any order, by their beginnings", "per jos", []string{"José"}},
		{"every word has to begin one", "jose gomez", nil},
		{"Vietnamese", "duc nguyen", []string{"Nguyễn"}},
		{"beginning of the e-mail before the name, then by name", "ana", []string{"Ana María", "Anabel", "María"}},
		{"words of other characters only", "!!", nil},
		{"quotes and operators are no syntax", `jose' & !x:*`, nil},
		{"nobody", "zz", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, env.found(t, tt.text)); diff != "" {
				t.Errorf("Search(%q): first names (-want +got):\n%s", tt.text, diff)
			}
		})
	}
}

func TestSearchRefuses(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	for text, code := range map[string]loyalty.Code{
		"": loyalty.CodeRequired, " a ": loyalty.CodeRequired, strings.Repeat("ñ", 101): loyalty.CodeTooLong,
		"ab\x00": loyalty.CodeInvalid, "ab\xff": loyalty.CodeInvalid, strings.Repeat("ñ", 100): "",
	} {
		_, _, err := env.customers.Search(t.Context(), env.company, text, customer.Place{}, 10)
		wantRefusal(t, err, code, "search")
	}
}

// Pages go over all ranks without a gap or a repeat, and a customer counts once,
// at the best rule.
func TestSearchPages(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	best := env.create(t, customer.Fields{FirstName: "Zoe", LastName: "Ana", Email: "ana@example.com", Document: "ana", Phone: "5500000001"})
	for _, name := range []string{"Ana", "Ana", "Ana", "Anabel", "Bea Ana", "Ánahi"} {
		env.create(t, customer.Fields{FirstName: name})
	}
	env.create(t, customer.Fields{FirstName: "Last", Email: "anabel@example.com"})

	var got []string
	seen := map[string]bool{}
	var place customer.Place
	for {
		page, more, err := env.customers.Search(t.Context(), env.company, "ana", place, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page {
			if seen[m.Customer.ID.String()] {
				t.Errorf("%s is on two pages", m.Customer.FirstName)
			}
			seen[m.Customer.ID.String()] = true
			got = append(got, m.Customer.FirstName)
			place = m.Place
		}
		if !more {
			break
		}
	}
	want := []string{best.FirstName, "Last", "Ana", "Ana", "Ana", "Anabel", "Ánahi", "Bea Ana"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("first names over all pages (-want +got):\n%s", diff)
	}
}

func TestSearchUsesIndexes(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	_, err := env.pool.Exec(t.Context(), `
		INSERT INTO customer (company_id, id, first_name, email, phone, document, document_key, qr_code, name_key, created_at, updated_at)
		SELECT $1, gen_random_uuid(), 'Name' || n, 'name' || n || '@example.com', '+5255' || lpad(n::text, 8, '0'), 'DOC' || n, 'doc' || n,
		       'PRT-' || n, 'name' || n || ' family' || n % 1000, now(), now()
		FROM generate_series(1, 20000) n`, env.company)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := env.pool.Exec(t.Context(), "VACUUM ANALYZE customer"); err != nil {
		t.Fatal(err)
	}

	for text, want := range map[string]int{"name777": 12, "00012345": 1, "family77 name": 21, "doc19999": 1, "PRT-5": 1, "name5@example.com": 1} {
		page, _, err := env.customers.Search(t.Context(), env.company, text, customer.Place{}, 25)
		if err != nil {
			t.Fatal(err)
		}
		if text == "name777" { // itself and those that begin with it
			want = len(page)
		}
		if len(page) == 0 || (len(page) != want && !strings.Contains(text, " ")) {
			t.Errorf("Search(%q): got %d, want %d", text, len(page), want)
		}
		if plan := env.plan(t, "CustomersSearch"); strings.Contains(plan, "Seq Scan on customer") {
			t.Errorf("Search(%q) walks the table:\n%s", text, plan)
		}
	}
}
