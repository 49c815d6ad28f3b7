package antcrm_test

import (
	"bytes"
	"strings"
	"testing"

	"sello/loyalty/customer"
)

// TestMergedAndErased: a history follows who somebody was merged into, whoever's
// phone is asked for; an export tells the phones; an erasure forgets them.
func TestMergedAndErased(t *testing.T) {
	t.Parallel()
	a := newShop(t)
	garnacho, lan := coreID(t, "64db290a7796fe24bfe876a7"), coreID(t, "64dc3f10000000000000a001")
	if _, _, err := a.resolver.Customers.Merge(t.Context(), a.system, garnacho, lan); err != nil {
		t.Fatal(err)
	}
	for _, phone := range []string{"0867123456", "0912345678"} {
		got := a.call(t, "GET", "/history-point?type=point&phone="+phone, "")
		for _, want := range []string{`"name":"Lan"`, `"customerId":476`, `"value":"0867123456"`, `"value":"+84 912 345 678"`, `"code":"TIVInpmx8b98pfg"`} {
			if !strings.Contains(got.body, want) {
				t.Errorf("%s: got %s without %s", phone, got.body, want)
			}
		}
	}
	if got := a.call(t, "POST", "/redeem", `{"code":"AMTRA01","data":{"email":"garnacho@gmail.com"}}`); got.body != success {
		t.Errorf("redeem: got %s", got.body)
	}
	var out bytes.Buffer
	if err := a.resolver.Customers.Export(t.Context(), a.system, lan, &out); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, `"value":"0867123456"`) || !strings.Contains(text, `"label":"Mobile"`) {
		t.Errorf("export: got %s", text)
	}
	if _, err := a.resolver.Customers.Erase(t.Context(), a.system, lan, customer.EraseTotal); err != nil {
		t.Fatal(err)
	}
	if n := scan[int](t, a.env, `SELECT count(*) FROM customer_contact WHERE company_id = $1 AND customer_id IN ($2, $3)`, a.id, lan, garnacho); n != 0 {
		t.Errorf("%d phones and e-mails are left", n)
	}
	if got := a.call(t, "GET", "/history-point?type=point", ""); got.body != "[]" {
		t.Errorf("history: got %s", got.body)
	}
	// Their phone is somebody else's now.
	if got := a.call(t, "POST", "/accumulate", accumulation("TIVIab3de5fgh7k", "0867123456")); got.body != success {
		t.Errorf("accumulate: got %s", got.body)
	}
	if points := a.points(t, 478); points != "100" {
		t.Errorf("there are %s points, want 100", points)
	}
}
