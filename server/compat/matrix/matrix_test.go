package matrix_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// someone is a person by whatever the dialects know them by.
type someone struct {
	n                  int
	name, phone, email string
}

// next is somebody whom nobody knows.
func (h *house) next() someone {
	h.people++
	return someone{n: h.people, name: fmt.Sprintf("Persona %d", h.people), phone: fmt.Sprintf("55%08d", h.people), email: fmt.Sprintf("p%d@casa.example", h.people)}
}

// want fails where an answer has another status, or lacks a text.
func want(t *testing.T, a reply, status int, text string) {
	t.Helper()
	if a.status != status || !strings.Contains(a.body, text) {
		t.Fatalf("got %d %s, want %d with %s", a.status, a.body, status, text)
	}
}

// written is a change of somebody's points in one dialect.
type written struct {
	name  string
	by    int // what it changes
	write func(t *testing.T, h *house, p someone)
}

var writes = []written{
	{"till: a sale", 25, func(t *testing.T, h *house, p someone) {
		want(t, h.till(t, "/wallet/sale", "phone", p.phone, "transaction_type", "0", "transaction_amount", "250", "ticket", p.email), 200, `"code"`)
	}},
	{"till: a redemption", -30, func(t *testing.T, h *house, p someone) {
		want(t, h.till(t, "/wallet/sale", "phone", p.phone, "transaction_type", "1", "transaction_amount", "90", "points_used", "30", "ticket", p.email), 200, `"code"`)
	}},
	{"till: points added", 15, func(t *testing.T, h *house, p someone) {
		want(t, h.till(t, "/wallet/balance/update", "phone", p.phone, "transaction_type", "0", "transaction_amount", "15"), 200, `balance_update_01`)
	}},
	{"till: points removed", -20, func(t *testing.T, h *house, p someone) {
		want(t, h.till(t, "/wallet/balance/update", "phone", p.phone, "transaction_type", "1", "transaction_amount", "20"), 200, `balance_update_01`)
	}},
	{"AntCRM: a code", 7, func(t *testing.T, h *house, p someone) {
		want(t, h.crm(t, "/accumulate", fmt.Sprintf(`{"code":%q,"data":{"phones":[{"value":%q}]}}`, h.code(t), p.phone)), 200, `{"success":1}`)
	}},
	{"AntCRM: a gift", -40, func(t *testing.T, h *house, p someone) {
		want(t, h.crm(t, "/redeem", fmt.Sprintf(`{"code":"TAZA","data":{"email":%q}}`, p.email)), 200, `{"success":1}`)
	}},
	{"Pretii: points", 50, func(t *testing.T, h *house, p someone) {
		want(t, h.pos(t, http.MethodPost, "/clientes/"+p.email+"/puntos/asignar", `{"puntos":50,"local":"L-01"}`), 201, `"saldo":150`)
	}},
	{"Pretii: an amount", 13, func(t *testing.T, h *house, p someone) {
		want(t, h.pos(t, http.MethodPost, "/clientes/"+p.email+"/puntos/asignar", `{"monto":"129.90"}`), 201, `"monto":129.9`)
	}},
	{"Pretii: a deduction", -60, func(t *testing.T, h *house, p someone) {
		want(t, h.pos(t, http.MethodPost, "/clientes/"+p.email+"/puntos/descontar", `{"puntos":60,"referencia":"C-`+p.phone+`"}`), 201, `"descuento"`)
	}},
	{"Pretii: a file", 33, func(t *testing.T, h *house, p someone) {
		h.file(t, "nombres,email,puntos\nOtro,"+strings.ToUpper(p.email)+",33\n")
	}},
	{"GraphQL: points of a person", 9, func(t *testing.T, h *house, p someone) {
		h.Query(t, fmt.Sprintf(`mutation { pointsAssign(input: { customerId: %q, points: "9", reference: %q }) { movement { id } userErrors { code } } }`, h.id(t, p), p.phone))
	}},
	{"GraphQL: a sale on the contact's card", 12, func(t *testing.T, h *house, p someone) {
		h.Query(t, fmt.Sprintf(`mutation { movementAccrue(input: { card: { walletKey: %q, phone: %q }, spent: "120", idempotencyKey: %q }) { movement { id } userErrors { code } } }`, walletKey, p.phone, p.email))
	}},
	{"GraphQL: a correction", -11, func(t *testing.T, h *house, p someone) {
		h.Query(t, fmt.Sprintf(`mutation { movementAdjust(input: { card: { walletKey: %q, phone: %q }, points: "-11", idempotencyKey: %q }) { movement { id } userErrors { code } } }`, walletKey, p.phone, p.email))
	}},
}

// readers are how each dialect tells what somebody has.
var readers = []struct {
	name string
	read func(t *testing.T, h *house, p someone, points int)
}{
	{"till", func(t *testing.T, h *house, p someone, points int) {
		want(t, h.till(t, "/wallet/contact/get", "phone", p.phone), 200, fmt.Sprintf(`"contact_balance":%d}`, points))
	}},
	{"Pretii", func(t *testing.T, h *house, p someone, points int) {
		want(t, h.pos(t, http.MethodGet, "/clientes/"+p.email, ""), 200, fmt.Sprintf(`"puntos":%d,`, points))
	}},
	{"GraphQL", func(t *testing.T, h *house, p someone, points int) {
		a := h.Query(t, fmt.Sprintf(`query { customer(email: %q) { pointsAccount { available } } }`, p.email))
		if got := a.Text("customer", "pointsAccount", "available"); got != fmt.Sprint(points) {
			t.Fatalf("got %s, want %d", got, points)
		}
	}},
	// It has no word for a balance: it is what the dearest gift costs that can be had.
	{"AntCRM", func(t *testing.T, h *house, p someone, points int) {
		gift := func(price int) string {
			code := fmt.Sprintf("G-%d-%d", p.n, price)
			h.Query(t, fmt.Sprintf(`mutation { rewardCreate(input: { code: %q, name: "x", cardTypeCode: "puntos", price: "%d" }) { userErrors { code } } }`, code, price))
			return fmt.Sprintf(`{"code":%q,"data":{"phone":%q}}`, code, p.phone)
		}
		want(t, h.crm(t, "/redeem", gift(points+1)), 200, `not_enough_points`)
		if points > 0 {
			want(t, h.crm(t, "/redeem", gift(points)), 200, `{"success":1}`)
		}
	}},
}

// TestPoints: what one dialect does to somebody's points all the others show at once.
func TestPoints(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	scenarios := 0
	for _, w := range writes {
		for _, r := range readers {
			scenarios++
			t.Run(w.name+"; read by "+r.name, func(t *testing.T) {
				p := h.known(t)
				w.write(t, h, p)
				r.read(t, h, p, 100+w.by)
			})
		}
	}
	if scenarios < 40 {
		t.Errorf("got %d scenarios", scenarios)
	}
}

// TestPeople: whom one dialect registers all the others know.
func TestPeople(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, maker := range []struct {
		name   string
		points int
		make   func(t *testing.T, p someone)
	}{
		{"till", 0, func(t *testing.T, p someone) {
			want(t, h.till(t, "/wallet/contact/add", "phone", p.phone, "customer_name", p.name), 200, `contact_add_01`)
			h.mail(t, p)
		}},
		{"AntCRM", 7, func(t *testing.T, p someone) {
			want(t, h.crm(t, "/accumulate", fmt.Sprintf(`{"code":%q,"data":{"name":%q,"phones":[{"value":%q}],"emails":[{"value":%q}]}}`, h.code(t), p.name, p.phone, p.email)), 200, `{"success":1}`)
		}},
		{"Pretii", 0, func(t *testing.T, p someone) {
			want(t, h.pos(t, http.MethodPost, "/clientes", fmt.Sprintf(`{"nombres":%q,"email":%q,"telefono":%q}`, p.name, p.email, p.phone)), 201, `"puntos":0`)
		}},
		{"Pretii's file", 21, func(t *testing.T, p someone) {
			h.file(t, fmt.Sprintf("nombres;email;puntos\n%s;%s;21\n", p.name, p.email))
			h.Query(t, fmt.Sprintf(`mutation { customerUpdate(input: { id: %q, phone: %q }) { userErrors { code } } }`, h.id(t, p), p.phone))
		}},
		{"GraphQL", 0, func(t *testing.T, p someone) {
			h.Query(t, fmt.Sprintf(`mutation { customerEnrol(input: { firstName: %q, email: %q, phone: %q }) { userErrors { code } } }`, p.name, p.email, p.phone))
		}},
	} {
		for _, r := range readers {
			t.Run(maker.name+"; read by "+r.name, func(t *testing.T) {
				p := h.next()
				maker.make(t, p)
				if r.name == "till" && maker.name != "till" {
					// A till knows who has been registered there: that gives nobody a second account.
					want(t, h.till(t, "/wallet/contact/get", "phone", p.phone), 200, `balance_get_04`)
					want(t, h.till(t, "/wallet/contact/add", "phone", p.phone, "customer_name", p.name), 200, `contact_add_01`)
				}
				r.read(t, h, p, maker.points)
				want(t, h.pos(t, http.MethodGet, "/clientes?buscar="+p.phone, ""), 200, `"total":1}`)
				want(t, h.pos(t, http.MethodGet, "/clientes/"+p.email, ""), 200, p.name)
			})
		}
	}
}
