package wallet_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"sello/loyalty/company"
	"sello/loyalty/ledger"
)

func newContact(more ...string) url.Values {
	return with(url.Values{"wallet_key": {anyKey}, "phone": {"4772223333"}, "customer_name": {"Juan"}, "usertool_id": {"8101"}}, more...)
}

// TestContactAdd are causes, and their order, that the fixtures have no case of.
func TestContactAdd(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name   string
		params url.Values
		want   string
	}{
		{"a name of 200 characters", newContact("customer_name=" + strings.Repeat("é", 200)), "contact_add_01"},
		{"a name of 201", newContact("customer_name=" + strings.Repeat("é", 201)), "wallet_manager_05"},
		{"a name with NUL", newContact("customer_name=a\x00b"), "wallet_manager_05"},
		{"a blank collaborator", newContact("usertool_id= "), "contact_add_06"},
		{"a collaborator who is no integer", newContact("usertool_id=x"), "wallet_manager_06"},
		{"no integer, and no wallet", newContact("usertool_id=x", "wallet_key=mk_none_at_all"), "contact_add_07"},
		{"a blank birthdate", newContact("customer_birthdate= "), "contact_add_01"},
		{"a birthdate before 1900", newContact("customer_birthdate=1899-12-31"), "wallet_manager_09"},
		{"born in 1900", newContact("customer_birthdate=1900-01-01"), "contact_add_01"},
		// 18:00 UTC is the same day in Mexico City.
		{"born today", newContact("customer_birthdate=2024-03-15"), "contact_add_01"},
		{"born tomorrow", newContact("customer_birthdate=2024-03-16"), "wallet_manager_09"},
		{"a bad birthdate of somebody who is registered", newContact("customer_birthdate=x", "phone="+anyPhone), "wallet_manager_08"},
		{"a bad birthdate and no collaborator", newContact("customer_birthdate=x", "usertool_id=1"), "wallet_manager_06"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newTill(t, "0")
			got := a.post(t, "/wallet/contact/add", tt.params)
			if got.code != tt.want {
				t.Errorf("got %s, want %s", got.body, tt.want)
			}
			want := 1
			if tt.want == "contact_add_01" {
				want = 2
			}
			if n := scan[int](t, a.env, `SELECT count(*) FROM card WHERE company_id = $1`, a.id); n != want {
				t.Errorf("contacts: got %d, want %d", n, want)
			}
		})
	}
}

// TestContactGetMany: a wallet of several pages comes whole and in registration
// order, without archived contacts and without cards that are no contact's.
func TestContactGetMany(t *testing.T) {
	t.Parallel()
	a := newTill(t, "1.50")
	if _, err := a.resolver.Ledger.CardCreate(t.Context(), a.system, ledger.NewCard{CardTypeCode: anyKey, Code: "nobody-s"}); err != nil {
		t.Fatal(err)
	}
	want := []string{anyPhone}
	for i := range 210 {
		phone := fmt.Sprintf("55%08d", 999-i)
		card := a.contact(t, anyKey, phone, "Cliente", nil, "0")
		if i == 7 {
			if _, err := a.resolver.Ledger.CardStatusSet(t.Context(), a.system, card.Code, ledger.Disabled); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want = append(want, phone)
	}

	got := a.post(t, "/wallet/contact/get", url.Values{"wallet_key": {anyKey}, "phone": {" "}})

	var list struct {
		Result []struct {
			Phone   string      `json:"contact_phone"`
			Balance json.Number `json:"contact_balance"`
		}
		Status int
	}
	if err := json.Unmarshal(got.body, &list); err != nil {
		t.Fatal(err)
	}
	phones := make([]string, len(list.Result))
	for i, c := range list.Result {
		phones[i] = c.Phone
	}
	if strings.Join(phones, " ") != strings.Join(want, " ") || list.Status != 200 || got.code != "balance_get_01" {
		t.Errorf("got %d contacts %v, want %d", len(phones), phones, len(want))
	}
	if list.Result[0].Balance != "1.5" {
		t.Errorf("balance: got %s, want 1.5", list.Result[0].Balance)
	}
}

// TestContactGetOrder: the wallet is looked at before the phone.
func TestContactGetOrder(t *testing.T) {
	t.Parallel()
	a := newTill(t, "0")
	for _, tt := range []struct {
		key, phone, want string
	}{
		{"mk_none_at_all", "1", "wallet_balance_get_02"},
		{" ", "1", "wallet_balance_get_02"},
		{anyKey, "1", "balance_get_03"},
		{anyKey, "4770000000", "balance_get_04"},
		{anyKey + "\x00", "", "wallet_balance_get_02"},
	} {
		if got := a.post(t, "/wallet/contact/get", url.Values{"wallet_key": {tt.key}, "phone": {tt.phone}}); got.code != tt.want {
			t.Errorf("key %q, phone %q: got %s, want %s", tt.key, tt.phone, got.body, tt.want)
		}
	}
}

// TestToolusersMany: a list of several pages.
func TestToolusersMany(t *testing.T) {
	t.Parallel()
	a := newTill(t, "0")
	for i := range 130 {
		a.staff(t, company.NewStaff{
			Name: fmt.Sprint("Persona ", i), Phone: fmt.Sprintf("55%08d", i), Role: company.Cashier, StoreName: "Uno", Password: fmt.Sprint("clave ", i),
		})
	}
	var list struct {
		Result []struct {
			ID     int    `json:"usertool_id"`
			Branch string `json:"usertool_branch"`
		}
	}
	if err := json.Unmarshal(a.post(t, "/toolusers/get", nil).body, &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Result) != 132 {
		t.Fatalf("got %d collaborators, want 132", len(list.Result))
	}
	for i, u := range list.Result {
		if u.ID != 8101+i || u.Branch != "Uno" {
			t.Errorf("place %d: got %d of %q, want %d of Uno", i, u.ID, u.Branch, 8101+i)
		}
	}
}
