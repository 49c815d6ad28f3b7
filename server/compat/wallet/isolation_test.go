package wallet_test

import (
	"net/url"
	"strings"
	"testing"

	"sello/loyalty/company"
)

// TestOtherAccount: with another company's key nothing of this one exists, on any
// of the eight methods, and nothing of it changes.
func TestOtherAccount(t *testing.T) {
	t.Parallel()
	a := load(t, readBaseline(t))
	other := *a
	other.apikey = "another-account-s-own-key"
	before := a.state(t)
	const key, phone = "mk_esquina_7f3b2a9d", "4771234567"

	for _, tt := range []struct {
		name, path, form, want string
	}{
		{"a contact for the wallet", "/wallet/contact/add", "wallet_key=" + key + "&phone=4772223333&customer_name=Juan&usertool_id=9001", "contact_add_07"},
		{"a contact by the collaborator", "/wallet/contact/add", "wallet_key=mk_otra_cuenta_aa01&phone=4772223333&customer_name=Juan&usertool_id=8101", "wallet_manager_06"},
		{"the wallet's contacts", "/wallet/contact/get", "wallet_key=" + key, "wallet_balance_get_02"},
		{"a contact of the wallet", "/wallet/contact/get", "wallet_key=" + key + "&phone=" + phone, "wallet_balance_get_02"},
		{"the same phone in an own wallet", "/wallet/contact/get", "wallet_key=mk_otra_cuenta_aa01&phone=" + phone, "balance_get_04"},
		{"a sale in the wallet", "/wallet/sale", "wallet_key=" + key + "&phone=" + phone + "&transaction_type=0&transaction_amount=10&usertool_id=9001", "new_sale_10"},
		{"a use in the wallet", "/wallet/sale", "wallet_key=" + key + "&phone=" + phone + "&transaction_type=1&points_used=10&usertool_id=8101", "new_sale_10"},
		{"a sale to the contact", "/wallet/sale", "wallet_key=mk_otra_cuenta_aa01&phone=" + phone + "&transaction_type=0&transaction_amount=10&usertool_id=9001", "new_sale_12"},
		{"an update in the wallet", "/wallet/balance/update", "wallet_key=" + key + "&phone=" + phone + "&transaction_type=0&transaction_amount=10&usertool_id=9001", "balance_update_09"},
		{"archiving by the collaborator's number", "/employee/disable", "number=4771110001", "err_toolusers_04"},
	} {
		got, err := other.try(t.Context(), tt.path, "application/x-www-form-urlencoded", tt.form)
		if err != nil {
			t.Fatal(err)
		}
		if got.code != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got.body, tt.want)
		}
	}

	// A name, number and password in use elsewhere are free here.
	added := other.post(t, "/employee/add", url.Values{
		"type": {"cajero"}, "employee_name": {"Ana Torres"}, "business_name": {"Sucursal Centro"}, "number": {"4771110001"}, "password": {"ana-4821"},
	})
	if added.code != "toolusers_01" {
		t.Errorf("employee/add of another company's name: got %s", added.body)
	}
	registered := other.post(t, "/wallet/contact/add", url.Values{
		"wallet_key": {"mk_otra_cuenta_aa01"}, "phone": {phone}, "customer_name": {"Otra María"}, "usertool_id": {"9001"},
	})
	if registered.code != "contact_add_01" {
		t.Errorf("contact/add of another company's phone: got %s", registered.body)
	}
	sold := other.post(t, "/wallet/sale", url.Values{
		"wallet_key": {"mk_otra_cuenta_aa01"}, "phone": {phone}, "transaction_type": {"0"}, "transaction_amount": {"10"}, "usertool_id": {"8101"},
	})
	if sold.code != "new_sale_13" {
		t.Errorf("sale by another company's collaborator: got %s", sold.body)
	}

	for path, foreign := range map[string]string{"/toolusers/get": `"usertool_id":8101`, "/wallet/get": key} {
		list := other.post(t, path, nil)
		if !strings.Contains(string(list.body), `"success":true`) || strings.Contains(string(list.body), foreign) {
			t.Errorf("%s: got %s, want own objects only", path, list.body)
		}
	}
	if diff := diffState(before, a.state(t)); diff != "" {
		t.Errorf("the account has changed (-before +after):\n%s", diff)
	}
}

// TestKeyOfAnotherKind: a key that is not for this dialect is none.
func TestKeyOfAnotherKind(t *testing.T) {
	t.Parallel()
	e := newEnv(t, readBaseline(t).Now)
	a := e.open(t, "acme", "Acme", "America/Mexico_City", "the-key-of-acme's-tills")
	a.staff(t, company.NewStaff{Name: "Ana", Phone: "4771110001", Role: company.Cashier, StoreName: "Uno", Password: "ana-1"})
	for _, key := range []string{"", "  ", "unknown", "the-key-of-acme's-till", "sello_wallet_x", strings.Repeat("k", 5000)} {
		a.apikey = key
		got := a.post(t, "/toolusers/get", nil)
		if got.status != 200 || string(got.body) != `{"success":false,"message":"Usuario no autorizado","status":401,"code":"auth_01"}` {
			t.Errorf("key %.20q: got %d %s, want auth_01", key, got.status, got.body)
		}
	}
	a.apikey = "  the-key-of-acme's-tills\t"
	if got := a.post(t, "/toolusers/get", nil); got.code != "tool_users_01" {
		t.Errorf("a key between spaces: got %s, want it trimmed", got.body)
	}
}
