package pretii_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/govalues/decimal"

	"sello/loyalty/auth"
	"sello/loyalty/ledger"
)

func changes(t *testing.T, fixture, what string) string {
	return customers + "/" + shownID(coreID(t, fixture)) + "/puntos/" + what
}

func TestPointFields(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	const points, amount = "Los puntos deben ser un número entero mayor que 0.", "El monto debe ser un número mayor que 0."
	for _, tt := range []struct {
		what, body, field, want string
	}{
		{"asignar", `{"puntos":0}`, "puntos", points},
		{"asignar", `{"puntos":-1}`, "puntos", points},
		{"asignar", `{"puntos":1000001}`, "puntos", points},
		{"asignar", `{"puntos":"5"}`, "puntos", points},
		{"asignar", `{"puntos":true}`, "puntos", points},
		{"asignar", `{"puntos":1.00000000000000000000001}`, "puntos", points},
		{"asignar", `{"puntos":1e400}`, "puntos", points},
		{"asignar", `{"puntos":null,"monto":""}`, "puntos", "Indique puntos o monto, pero no ambos."},
		{"asignar", `{"puntos":"5","monto":1}`, "puntos", "Indique puntos o monto, pero no ambos."},
		{"asignar", `{"monto":0}`, "monto", amount},
		{"asignar", `{"monto":-0.01}`, "monto", amount},
		{"asignar", `{"monto":"1,50"}`, "monto", amount},
		{"asignar", `{"monto":"1e2"}`, "monto", amount},
		{"asignar", `{"monto":"10.000"}`, "monto", amount},
		{"asignar", `{"monto":100000000}`, "monto", amount},
		{"asignar", `{"monto":[]}`, "monto", amount},
		{"asignar", `{"puntos":1,"referencia":"` + strings.Repeat("x", 101) + `"}`, "referencia", "La referencia no es válida."},
		{"asignar", `{"puntos":1,"referencia":7}`, "referencia", "La referencia no es válida."},
		{"asignar", `{"puntos":1,"descripcion":"` + strings.Repeat("ñ", 256) + `"}`, "descripcion", "La descripción es demasiado larga."},
		{"asignar", `{"puntos":1,"local":"l-01"}`, "local", "El local no existe."},
		{"descontar", `{}`, "puntos", points},
		{"descontar", `{"monto":5}`, "puntos", points},
		{"descontar", `{"puntos":2.5}`, "puntos", points},
	} {
		got := e.json(t, changes(t, "cli_101", tt.what), tt.body)
		if s := got.shown(t); got.StatusCode != 422 || s.Error.Codigo != "datos_invalidos" || s.Error.Campos[tt.field] != tt.want || len(s.Error.Campos) != 1 {
			t.Errorf("%s %.60s: got %d %s, want %s: %s", tt.what, tt.body, got.StatusCode, got.body, tt.field, tt.want)
		}
	}
	e.same(t, 0, `SELECT count(*) FROM movement WHERE company_id = $1 AND action <> 'adjust' AND action <> 'activate'`, e.company)
	for body, want := range map[string]string{
		`{"puntos":1000000}`:             "1000000",
		`{"puntos":50.0}`:                "50", // a number without a fraction
		`{"puntos":5e1}`:                 "50",
		`{"monto":99999999.99}`:          "9999999",
		`{"monto":"0.01"}`:               "0",
		`{"monto":19.990,"puntos":null}`: "1",
	} {
		if got := e.json(t, changes(t, "cli_103", "asignar"), body); got.StatusCode != 201 || got.shown(t).Movement.Puntos.String() != want {
			t.Errorf("%s: got %d %s, want %s points", body, got.StatusCode, got.body, want)
		}
	}
}

// TestReferences is spec/pretii.md 3.6.
func TestReferences(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	give, take := changes(t, "cli_101", "asignar"), changes(t, "cli_101", "descontar")
	first := e.json(t, give, `{"puntos":50,"referencia":" R-1 ","descripcion":"Uno","local":"L-01"}`)
	if got := first.shown(t); first.StatusCode != 201 || got.Repeated || got.Movement.Saldo != "170" || *got.Movement.Referencia != "R-1" {
		t.Fatalf("the first: got %d %s", first.StatusCode, first.body)
	}
	if got := e.json(t, take, `{"puntos":100}`); got.StatusCode != 201 || got.shown(t).Customer.Puntos != "70" {
		t.Fatalf("in between: got %d %s", got.StatusCode, got.body)
	}
	// The original movement with its own balance, the customer as now.
	again := e.json(t, give, `{"puntos":50.0,"descripcion":"Dos"}`, "Idempotency-Key", "R-1")
	got := again.shown(t)
	if again.StatusCode != 200 || !got.Repeated || got.Movement.ID != first.shown(t).Movement.ID || got.Movement.Saldo != "170" ||
		*got.Movement.Descripcion != "Uno" || *got.Movement.Local != "L-01" || got.Customer.Puntos != "70" {
		t.Errorf("again by the header: got %d %s", again.StatusCode, again.body)
	}
	for name, a := range map[string]answer{
		"other points":               e.json(t, give, `{"puntos":51,"referencia":"R-1"}`),
		"an amount of as many":       e.json(t, give, `{"monto":500,"referencia":"R-1"}`),
		"another customer":           e.json(t, changes(t, "cli_102", "asignar"), `{"puntos":50,"referencia":"R-1"}`),
		"before what the state says": e.json(t, give, `{"monto":1,"referencia":"R-1"}`),
	} {
		if a.StatusCode != 409 || codeOf(a.body) != "referencia_duplicada" {
			t.Errorf("%s: got %d %s, want 409", name, a.StatusCode, a.body)
		}
	}
	if got := e.json(t, take, `{"puntos":50,"referencia":"R-1"}`); got.StatusCode != 201 {
		t.Errorf("the reference of the other kind: got %d %s", got.StatusCode, got.body)
	}
	if got := e.json(t, give, `{"puntos":50,"referencia":"r-1"}`); got.StatusCode != 201 {
		t.Errorf("a reference in another case: got %d %s", got.StatusCode, got.body)
	}
	// A key of today is the reference of for ever, whoever brings it.
	e.clock.set(now.AddDate(30, 0, 0))
	e.importKey(t, e.company, "unTokenNuevo")
	if got := e.json(t, give, `{"puntos":50,"referencia":"R-1"}`, "Authorization", "Bearer unTokenNuevo"); got.StatusCode != 200 {
		t.Errorf("thirty years later by another token: got %d %s", got.StatusCode, got.body)
	}
	// A refused one has not used its reference.
	if got := e.json(t, take, `{"puntos":1000,"referencia":"R-2"}`); got.StatusCode != 409 || got.shown(t).Error.Saldo.String() != "70" {
		t.Errorf("more than there is: got %d %s", got.StatusCode, got.body)
	}
	if got := e.json(t, take, `{"puntos":1,"referencia":"R-2"}`); got.StatusCode != 201 {
		t.Errorf("the reference of a refusal: got %d %s", got.StatusCode, got.body)
	}
}

// TestAtOnce: simultaneous deductions never take more than there is, and one reference
// is one movement.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	const n = 20
	both := func(path, body string) map[string]int {
		var mu sync.Mutex
		var wg sync.WaitGroup
		seen := map[string]int{}
		for range n {
			wg.Go(func() {
				got := e.json(t, path, body)
				mu.Lock()
				defer mu.Unlock()
				seen[fmt.Sprint(got.StatusCode, " ", codeOf(got.body))]++
			})
		}
		wg.Wait()
		return seen
	}
	if seen := both(changes(t, "cli_101", "descontar"), `{"puntos":50}`); seen["201 "] != 2 || seen["409 saldo_insuficiente"] != n-2 {
		t.Errorf("deductions of 50 from 120: got %v", seen)
	}
	// All that is left, by one reference: whoever comes too late gets the first answer.
	if seen := both(changes(t, "cli_101", "descontar"), `{"puntos":20,"referencia":"C-1"}`); seen["201 "] != 1 || seen["200 "] != n-1 {
		t.Errorf("one reference: got %v", seen)
	}
	// Whose account was cancelled gets another one on first use, which is one.
	made := e.json(t, customers, `{"nombres":"Eva","email":"eva@example.com"}`).shown(t).Customer
	e.exec(t, `UPDATE card SET status = 'cancelled' WHERE company_id = $1 AND code = $2`, e.company, made.QR)
	if seen := both(customers+"/eva@example.com/puntos/asignar", `{"puntos":1}`); seen["201 "] != n {
		t.Errorf("first use: got %v", seen)
	}
	e.same(t, n, `SELECT trim_scale(balance) FROM card JOIN customer ON customer.company_id = card.company_id AND customer.id = card.customer_id
		WHERE customer.company_id = $1 AND customer.email = 'eva@example.com' AND card.status = 'enabled'`, e.company)
	if seen := both(customers, `{"nombres":"Luz","email":"luz@example.com"}`); seen["201 "] != 1 || seen["409 cliente_duplicado"] != n-1 {
		t.Errorf("one person: got %v", seen)
	}
}

// TestStates: what keeps points from moving that the document does not know.
func TestStates(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	give := changes(t, "cli_101", "asignar")
	expect := func(name string, a answer, status int, code string) {
		t.Helper()
		if a.StatusCode != status || codeOf(a.body) != code {
			t.Errorf("%s: got %d %s, want %d %s", name, a.StatusCode, a.body, status, code)
		}
	}
	e.exec(t, `UPDATE store SET archived_at = $2 WHERE company_id = $1`, e.company, now)
	expect("a store that is closed", e.json(t, give, `{"puntos":1,"local":"L-01"}`), 422, "datos_invalidos")
	e.exec(t, `UPDATE card_type SET ticket_required = true WHERE company_id = $1`, e.company)
	expect("no ticket", e.json(t, give, `{"puntos":1}`), 422, "datos_invalidos")
	expect("a ticket", e.json(t, give, `{"puntos":1,"referencia":"T-1"}`), 201, "")
	e.exec(t, `UPDATE card_type SET ticket_required = false, transaction_limit = 100 WHERE company_id = $1`, e.company)
	expect("over the programme's limit", e.json(t, give, `{"puntos":101}`), 422, "datos_invalidos")
	expect("an amount over it", e.json(t, give, `{"monto":2000}`), 422, "datos_invalidos")
	e.exec(t, `UPDATE customer SET active = false WHERE company_id = $1 AND id = $2`, e.company, coreID(t, "cli_102"))
	expect("a blocked customer", e.json(t, changes(t, "cli_102", "descontar"), `{"puntos":1}`), 409, "cliente_bloqueado")
	card := ledger.CardChange{Code: "PRT-9f2c61d07b3e48aa"}
	if _, err := e.resolver.Ledger.CardDisable(t.Context(), auth.System(e.company), card); err != nil {
		t.Fatal(err)
	}
	expect("a blocked card", e.json(t, give, `{"puntos":1}`), 409, "tarjeta_no_habilitada")
	if _, err := e.resolver.Ledger.CardTypeUpdate(t.Context(), auth.System(e.company), "puntos", ledger.CardTypeChange{Archived: new(true)}); err != nil {
		t.Fatal(err)
	}
	expect("an archived programme", e.json(t, changes(t, "cli_103", "asignar"), `{"puntos":1}`), 500, "error_interno")
	expect("nobody signs up for it", e.json(t, customers, `{"nombres":"Eva","email":"eva@example.com"}`), 500, "error_interno")
	e.same(t, 3, `SELECT count(*) FROM customer WHERE company_id = $1`, e.company)
}

// TestFractions: a programme that keeps decimals is whole in this dialect.
func TestFractions(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.exec(t, `UPDATE card_type SET scale = 2 WHERE company_id = $1`, e.company)
	_, err := e.resolver.Ledger.Post(t.Context(), auth.System(e.company), ledger.Posting{
		Card: ledger.CardRef{Code: "PRT-9f2c61d07b3e48aa"}, Action: ledger.Adjust, Amount: new(decimal.MustParse("0.75")), Source: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := e.json(t, changes(t, "cli_101", "asignar"), `{"monto":"125.55"}`)
	if s := got.shown(t); got.StatusCode != 201 || s.Movement.Puntos != "12" || s.Movement.Monto.String() != "125.55" || s.Movement.Saldo != "132" || s.Customer.Puntos != "132" {
		t.Errorf("12.555 points: got %d %s", got.StatusCode, got.body)
	}
	if got := e.json(t, changes(t, "cli_101", "descontar"), `{"puntos":133}`); got.StatusCode != 409 || got.shown(t).Error.Saldo.String() != "132" {
		t.Errorf("more than the whole: got %d %s", got.StatusCode, got.body)
	}
}
