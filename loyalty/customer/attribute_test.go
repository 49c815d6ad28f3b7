package customer_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sello/loyalty"
	"sello/loyalty/customer"
)

// defined is a company with an attribute of each type; size is required.
func defined(t *testing.T) *env {
	t.Helper()
	env := newEnv(t)
	for _, a := range []customer.NewAttribute{
		{Code: "note", Type: customer.AttributeText},
		{Code: "visits", Type: customer.AttributeInteger},
		{Code: "spend", Type: customer.AttributeDecimal},
		{Code: "vip", Type: customer.AttributeBoolean},
		{Code: "since", Type: customer.AttributeDate},
		{Code: "size", Type: customer.AttributeChoice, Options: []string{"S", "M", "L"}, Required: true},
	} {
		env.define(t, a)
	}
	return env
}

func (e *env) define(t *testing.T, a customer.NewAttribute) *customer.Attribute {
	t.Helper()
	if a.Name == "" {
		a.Name = strings.ToUpper(a.Code)
	}
	made, err := e.customers.AttributeCreate(t.Context(), e.who, a)
	if err != nil {
		t.Fatalf("AttributeCreate(%s): %v", a.Code, err)
	}
	return made
}

// with are the first names of those who have a value.
func (e *env) with(t *testing.T, code, value string) []string {
	t.Helper()
	page, _, err := e.customers.ByAttribute(t.Context(), e.company, code, value, uuid.UUID{}, 100)
	if err != nil {
		t.Fatalf("ByAttribute(%s, %s): %v", code, value, err)
	}
	var names []string
	for _, c := range page {
		names = append(names, c.FirstName)
	}
	return names
}

func TestAttributesAreHeldToTheirDefinitions(t *testing.T) {
	t.Parallel()
	env := defined(t)
	for _, tt := range []struct {
		given, want     string
		code            loyalty.Code
		attribute, kind string
	}{
		{given: `{"size":"M"}`, want: `{"size": "M"}`},
		{given: `{"size":"M","note":"ñ <b>","visits":12,"spend":"010.5000","vip":true,"since":"2024-02-29"}`,
			want: `{"vip": true, "note": "ñ <b>", "size": "M", "since": "2024-02-29", "spend": "10.5", "visits": 12}`},
		{given: `{"size":"M","visits":-999999999999999999,"spend":"-0.0001"}`, want: `{"size": "M", "spend": "-0.0001", "visits": -999999999999999999}`},
		{given: `{"size":"M","visits":-0,"spend":"-0"}`, want: `{"size": "M", "spend": "0", "visits": 0}`},
		{given: `{"size":"M","note":null}`, want: `{"size": "M"}`},
		{given: `{"size":"M","shoe":42}`, code: loyalty.CodeAttributeUnknown, attribute: "shoe"},
		{given: `{"size":"M","Note":"x"}`, code: loyalty.CodeAttributeUnknown, attribute: "Note"},
		{given: `{"size":"M","shoe":null}`, code: loyalty.CodeAttributeUnknown, attribute: "shoe"},
		{given: `{}`, code: loyalty.CodeAttributeRequired, attribute: "size"},
		{given: ``, code: loyalty.CodeAttributeRequired, attribute: "size"},
		{given: `{"size":null}`, code: loyalty.CodeAttributeRequired, attribute: "size"},
		{given: `{"size":"XL"}`, code: loyalty.CodeAttributeInvalid, attribute: "size", kind: "choice"},
		{given: `{"size":"M","note":5}`, code: loyalty.CodeAttributeInvalid, attribute: "note", kind: "text"},
		{given: `{"size":"M","note":"` + strings.Repeat("ñ", 501) + `"}`, code: loyalty.CodeAttributeInvalid, attribute: "note", kind: "text"},
		{given: `{"size":"M","visits":1.0}`, code: loyalty.CodeAttributeInvalid, attribute: "visits", kind: "integer"},
		{given: `{"size":"M","visits":"1"}`, code: loyalty.CodeAttributeInvalid, attribute: "visits", kind: "integer"},
		{given: `{"size":"M","visits":1000000000000000000}`, code: loyalty.CodeAttributeInvalid, attribute: "visits", kind: "integer"},
		{given: `{"size":"M","spend":10.5}`, code: loyalty.CodeAttributeInvalid, attribute: "spend", kind: "decimal"},
		{given: `{"size":"M","spend":"1e3"}`, code: loyalty.CodeAttributeInvalid, attribute: "spend", kind: "decimal"},
		{given: `{"size":"M","spend":"1.00001"}`, code: loyalty.CodeAttributeInvalid, attribute: "spend", kind: "decimal"},
		{given: `{"size":"M","spend":"+1"}`, code: loyalty.CodeAttributeInvalid, attribute: "spend", kind: "decimal"},
		{given: `{"size":"M","vip":"true"}`, code: loyalty.CodeAttributeInvalid, attribute: "vip", kind: "boolean"},
		{given: `{"size":"M","vip":1}`, code: loyalty.CodeAttributeInvalid, attribute: "vip", kind: "boolean"},
		{given: `{"size":"M","since":"2023-02-29"}`, code: loyalty.CodeAttributeInvalid, attribute: "since", kind: "date"},
		{given: `{"size":"M","since":"29/02/2024"}`, code: loyalty.CodeAttributeInvalid, attribute: "since", kind: "date"},
		{given: `{"size":"M","since":["2024-02-29"]}`, code: loyalty.CodeAttributeInvalid, attribute: "since", kind: "date"},
	} {
		c, err := env.customers.Create(t.Context(), env.who, customer.Fields{FirstName: "A", Attributes: json.RawMessage(tt.given)})
		if got := loyalty.CodeOf(err); got != tt.code {
			t.Errorf("Create with %.60s: got refusal %q (error %v), want %q", tt.given, got, err, tt.code)
			continue
		}
		if tt.code != "" {
			refused := err.(*loyalty.Error)
			if refused.Field != "attributes" || refused.Params["attribute"] != tt.attribute || refused.Params["type"] != tt.kind {
				t.Errorf("Create with %.60s: got field %q and params %v, want attribute %s and type %q", tt.given, refused.Field, refused.Params, tt.attribute, tt.kind)
			}
			continue
		}
		if got := string(c.AttributesJSON()); got != tt.want {
			t.Errorf("Create with %.60s: got %s, want %s", tt.given, got, tt.want)
		}
	}
}

// What is not given stays; null takes away; what is not an attribute (any more) may
// go and not come.
func TestAttributesAreChangedOneByOne(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	c := env.create(t, customer.Fields{FirstName: "Ana", Attributes: json.RawMessage(`{"old":[1],"older":2}`)})
	env.define(t, customer.NewAttribute{Code: "size", Type: customer.AttributeText})
	env.define(t, customer.NewAttribute{Code: "vip", Type: customer.AttributeBoolean})
	update := func(in customer.Change) (string, error) {
		got, err := env.customers.Update(t.Context(), env.who, c.ID, in)
		if err != nil {
			return "", err
		}
		return string(got.AttributesJSON()), nil
	}
	set := func(attributes string) customer.Change {
		return customer.Change{Attributes: json.RawMessage(attributes)}
	}
	for _, tt := range []struct {
		name string
		in   customer.Change
		want string
		code loyalty.Code
	}{
		{"nothing of attributes", customer.Change{LastName: new("B")}, `{"old": [1], "older": 2}`, ""},
		{"one is set", set(`{"size":"M"}`), `{"old": [1], "size": "M", "older": 2}`, ""},
		{"another one", set(`{"vip":true,"old":null}`), `{"vip": true, "size": "M", "older": 2}`, ""},
		{"what is no attribute", set(`{"older":3}`), "", loyalty.CodeAttributeUnknown},
		{"what has gone", set(`{"old":null}`), "", loyalty.CodeAttributeUnknown},
		{"one is taken away", set(`{"vip":null}`), `{"size": "M", "older": 2}`, ""},
		{"all are", customer.Change{ClearAttributes: true}, `{}`, ""},
	} {
		got, err := update(tt.in)
		if loyalty.CodeOf(err) != tt.code || got != tt.want {
			t.Fatalf("%s: got %s, error %v, want %s, %q", tt.name, got, err, tt.want, tt.code)
		}
	}
	// Of an archived one none can be set; without any in use all is free again.
	if _, err := update(set(`{"vip":false}`)); err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"vip", "size"} {
		if _, err := env.customers.AttributeArchive(t.Context(), env.who, code, true); err != nil {
			t.Fatal(err)
		}
		if code == "vip" {
			_, err := update(set(`{"vip":true}`))
			wantRefusal(t, err, loyalty.CodeAttributeUnknown, "attributes")
		}
	}
	if got, err := update(set(`{"anything":1.5}`)); got != `{"anything": 1.5}` || err != nil {
		t.Errorf("without attributes in use: got %s, error %v", got, err)
	}
}

func TestAttributeRefusals(t *testing.T) {
	t.Parallel()
	env := defined(t)
	for _, tt := range []struct {
		in    customer.NewAttribute
		code  loyalty.Code
		field string
	}{
		{customer.NewAttribute{Code: "1st", Name: "x", Type: customer.AttributeText}, loyalty.CodeInvalid, "code"},
		{customer.NewAttribute{Code: strings.Repeat("a", 61), Name: "x", Type: customer.AttributeText}, loyalty.CodeInvalid, "code"},
		{customer.NewAttribute{Code: "a", Name: " ", Type: customer.AttributeText}, loyalty.CodeRequired, "name"},
		{customer.NewAttribute{Code: "a", Name: strings.Repeat("x", 101), Type: customer.AttributeText}, loyalty.CodeTooLong, "name"},
		{customer.NewAttribute{Code: "a", Name: "x", Type: "float"}, loyalty.CodeInvalid, "type"},
		{customer.NewAttribute{Code: "a", Name: "x", Type: customer.AttributeText, Options: []string{"S"}}, loyalty.CodeInvalid, "options"},
		{customer.NewAttribute{Code: "a", Name: "x", Type: customer.AttributeChoice}, loyalty.CodeRequired, "options"},
		{customer.NewAttribute{Code: "a", Name: "x", Type: customer.AttributeChoice, Options: []string{"S", " S"}}, loyalty.CodeInvalid, "options"},
		{customer.NewAttribute{Code: "size", Name: "x", Type: customer.AttributeText}, loyalty.CodeTaken, "code"},
	} {
		_, err := env.customers.AttributeCreate(t.Context(), env.who, tt.in)
		wantRefusal(t, err, tt.code, tt.field)
	}
	other := env.other(t)
	_, err := other.customers.AttributeUpdate(t.Context(), other.who, "size", customer.AttributeChange{Name: new("taken over")})
	wantRefusal(t, err, loyalty.CodeAttributeUnknown, "code")
	_, err = other.customers.AttributeArchive(t.Context(), other.who, "size", true)
	wantRefusal(t, err, loyalty.CodeAttributeUnknown, "code")
	_, _, err = other.customers.ByAttribute(t.Context(), other.company, "size", "M", uuid.UUID{}, 10)
	wantRefusal(t, err, loyalty.CodeAttributeUnknown, "code")
	_, _, err = env.customers.ByAttribute(t.Context(), env.company, "vip", "yes", uuid.UUID{}, 10)
	wantRefusal(t, err, loyalty.CodeAttributeInvalid, "attributes")

	for i := range 44 {
		env.define(t, customer.NewAttribute{Code: fmt.Sprintf("more%d", i), Type: customer.AttributeText})
	}
	_, err = env.customers.AttributeCreate(t.Context(), env.who, customer.NewAttribute{Code: "last", Name: "x", Type: customer.AttributeText})
	wantRefusal(t, err, loyalty.CodeAttributeLimit, "code")
	if _, err := env.customers.AttributeArchive(t.Context(), env.who, "more1", true); err != nil {
		t.Fatal(err)
	}
	env.define(t, customer.NewAttribute{Code: "last", Type: customer.AttributeText})
	_, err = env.customers.AttributeArchive(t.Context(), env.who, "more1", false)
	wantRefusal(t, err, loyalty.CodeAttributeLimit, "code")
}

func TestCustomersByAttribute(t *testing.T) {
	t.Parallel()
	env := defined(t)
	a := env.create(t, customer.Fields{FirstName: "A", Attributes: json.RawMessage(`{"size":"M","spend":"10.50","vip":true}`)})
	env.create(t, customer.Fields{FirstName: "B", Attributes: json.RawMessage(`{"size":"M","spend":"10.5"}`)})
	env.create(t, customer.Fields{FirstName: "C", Attributes: json.RawMessage(`{"size":"L","since":"2024-02-29","visits":7}`)})
	for _, tt := range []struct {
		code, value string
		want        []string
	}{
		{"size", "M", []string{"A", "B"}}, {"size", "L", []string{"C"}}, {"size", "S", nil}, {"spend", "10.500", []string{"A", "B"}},
		{"vip", "true", []string{"A"}}, {"vip", "false", nil}, {"since", "2024-02-29", []string{"C"}}, {"visits", "7", []string{"C"}},
	} {
		if diff := cmp.Diff(tt.want, env.with(t, tt.code, tt.value)); diff != "" {
			t.Errorf("ByAttribute(%s, %s) (-want +got):\n%s", tt.code, tt.value, diff)
		}
	}
	if _, err := env.customers.Update(t.Context(), env.who, a.ID, customer.Change{Attributes: json.RawMessage(`{"size":"L","vip":null}`)}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"A", "C"}, env.with(t, "size", "L")); diff != "" {
		t.Errorf("after a change (-want +got):\n%s", diff)
	}
	if got := env.with(t, "vip", "true"); got != nil {
		t.Errorf("after taking it away: got %v", got)
	}
	// A page at a time, by the index.
	env.exec(t, `INSERT INTO customer (company_id, id, first_name, qr_code, name_key, created_at, updated_at)
		SELECT $1, gen_random_uuid(), 'N', 'PRT-' || n, 'n', now(), now() FROM generate_series(1, 20000) n`, env.company)
	env.exec(t, `ANALYZE customer`) // else each value is checked against all customers
	env.exec(t, `INSERT INTO customer_attribute_value (company_id, attribute_id, value, customer_id)
		SELECT c.company_id, a.id, 'true', c.id FROM customer c JOIN customer_attribute a ON a.company_id = c.company_id AND a.code = 'vip'
		WHERE c.first_name = 'N'`)
	env.exec(t, `VACUUM ANALYZE customer, customer_attribute_value`)
	seen, after := map[uuid.UUID]bool{}, uuid.UUID{}
	for more := true; more; {
		page, again, err := env.customers.ByAttribute(t.Context(), env.company, "vip", "true", after, 999)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page {
			seen[c.ID], after = true, c.ID
		}
		more = again
	}
	if len(seen) != 20000 {
		t.Errorf("over all pages: got %d customers, want 20000", len(seen))
	}
	if plan := env.plan(t, "CustomersByAttribute"); strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "Sort") {
		t.Errorf("a page of a value walks or sorts:\n%s", plan)
	}
}

// Values of before the definition come into the index by steps, which may be cut
// off, and which a customer who changes meanwhile overtakes.
func TestAttributeIndexSteps(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.exec(t, `INSERT INTO customer (company_id, id, first_name, qr_code, name_key, attributes, created_at, updated_at)
		SELECT $1, ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'N' || n, 'PRT-' || n, 'n',
		       CASE n % 4 WHEN 0 THEN '{"tier": "gold"}' WHEN 1 THEN '{"tier": 5}' WHEN 2 THEN '{}' ELSE '{"tier": "silver"}' END::jsonb, now(), now()
		FROM generate_series(1, 12000) n`, env.company)
	attribute := env.define(t, customer.NewAttribute{Code: "tier", Type: customer.AttributeText})
	if n := env.count(t, `SELECT count(*) FROM river_job WHERE kind = 'customer_attribute_index'`); n != 1 || attribute.Ready() {
		t.Fatalf("after the definition: got %d jobs, ready %v", n, attribute.Ready())
	}
	_, _, err := env.customers.ByAttribute(t.Context(), env.company, "tier", "gold", uuid.UUID{}, 10)
	wantRefusal(t, err, loyalty.CodeAttributeNotReady, "attributes")
	// N8 leaves gold before the job comes, N16 after it was there.
	update := func(name, tier string) {
		t.Helper()
		var id uuid.UUID
		if err := env.pool.QueryRow(t.Context(), `SELECT id FROM customer WHERE first_name = $1`, name).Scan(&id); err != nil {
			t.Fatal(err)
		}
		if _, err := env.customers.Update(t.Context(), env.who, id, customer.Change{Attributes: json.RawMessage(tier)}); err != nil {
			t.Fatal(err)
		}
	}
	update("N8", `{"tier":"silver"}`)

	// A step that breaks keeps nothing.
	env.exec(t, `CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'killed'; END $$`)
	env.exec(t, `CREATE TRIGGER break BEFORE UPDATE ON customer_attribute FOR EACH ROW EXECUTE FUNCTION break()`)
	if _, err := env.customers.AttributeIndexStep(t.Context(), env.company, attribute.ID); err == nil {
		t.Fatal("a step that is cut off: no error")
	}
	if n := env.count(t, `SELECT count(*) FROM customer_attribute_value`); n != 1 {
		t.Errorf("after a step that was cut off: got %d values, want N8's", n)
	}
	env.exec(t, `DROP TRIGGER break ON customer_attribute`)

	steps := 0
	for done := false; !done; steps++ {
		if done, err = env.customers.AttributeIndexStep(t.Context(), env.company, attribute.ID); err != nil {
			t.Fatal(err)
		}
		if steps == 0 {
			update("N16", `{"tier":null}`)
		}
	}
	if steps < 3 {
		t.Errorf("12000 customers took %d steps", steps)
	}
	if done, err := env.customers.AttributeIndexStep(t.Context(), env.company, attribute.ID); !done || err != nil {
		t.Errorf("another step: got %v, error %v", done, err)
	}
	for value, want := range map[string]int{"gold": 2998, "silver": 3001} {
		if got := env.count(t, `SELECT count(*) FROM customer_attribute_value WHERE value = $1`, value); got != want {
			t.Errorf("%s: got %d in the index, want %d", value, got, want)
		}
	}
	if got := env.with(t, "tier", "gold"); len(got) != 100 || got[0] != "N4" || got[1] != "N12" {
		t.Errorf("gold ones: got %d, first %v", len(got), got[:min(2, len(got))])
	}
}
