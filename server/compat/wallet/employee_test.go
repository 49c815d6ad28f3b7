package wallet_test

import (
	"net/url"
	"strings"
	"testing"
)

func newEmployee(more ...string) url.Values {
	return with(url.Values{
		"type": {"cajero"}, "employee_name": {"Fernanda"}, "business_name": {"Dos"}, "number": {"4771110006"}, "password": {"fer-9012"},
	}, more...)
}

// TestEmployeeAdd are causes, and their order, that the fixtures have no case of.
func TestEmployeeAdd(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name   string
		params url.Values
		want   string
	}{
		{"a number with a prefix", newEmployee("number=+52 1 477 111 0006"), "toolusers_01"},
		{"a password of 4 bytes", newEmployee("password=1234"), "toolusers_01"},
		{"a password of 3", newEmployee("password=123"), "err_toolusers_02"},
		{"a password of 72 bytes", newEmployee("password=" + strings.Repeat("é", 36)), "toolusers_01"},
		{"a password of 73", newEmployee("password=" + strings.Repeat("é", 36) + "x"), "err_toolusers_02"},
		{"a blank password", newEmployee("password=     "), "err_toolusers_02"},
		{"another's password between spaces", newEmployee("password= ana-1 "), "toolusers_01"},
		{"a name of 100 characters", newEmployee("employee_name=" + strings.Repeat("é", 100)), "toolusers_01"},
		{"a name of 101", newEmployee("employee_name=" + strings.Repeat("é", 101)), "err_toolusers_02"},
		{"a name with NUL", newEmployee("employee_name=a\x00b"), "err_toolusers_02"},
		{"no business", newEmployee("business_name="), "err_toolusers_02"},
		{"a business of 101 characters", newEmployee("business_name=" + strings.Repeat("é", 101)), "err_toolusers_02"},
		{"a business with NUL", newEmployee("business_name=a\x00b"), "err_toolusers_02"},
		{"another's number", newEmployee("number=4771110001"), "err_toolusers_04"},
		{"another's number and name", newEmployee("number=4771110001", "employee_name=ANA"), "err_toolusers_03"},
		{"another's number and password", newEmployee("number=4771110001", "password=ana-1"), "err_toolusers_03"},
		{"another's name but for an accent", newEmployee("employee_name=Aná"), "toolusers_01"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newTill(t, "0")
			got := a.post(t, "/employee/add", tt.params)
			if got.code != tt.want {
				t.Errorf("got %s, want %s", got.body, tt.want)
			}
			want := 2
			if tt.want == "toolusers_01" {
				want = 3
			}
			if n := scan[int](t, a.env, `SELECT count(*) FROM staff WHERE company_id = $1`, a.id); n != want {
				t.Errorf("staff: got %d, want %d", n, want)
			}
		})
	}
}

// TestEmployeeLife: a new collaborator sells at once in the store of the name
// given, and once archived no more.
func TestEmployeeLife(t *testing.T) {
	t.Parallel()
	a := newTill(t, "0")

	if got := a.post(t, "/employee/add", newEmployee("business_name= uno ")); string(got.body) !=
		`{"success":true,"message":"Usuario creado con éxito.","collaboratorId":8103,"status":200,"code":"toolusers_01"}` {
		t.Fatalf("employee/add: got %s", got.body)
	}
	if n := scan[int](t, a.env, `SELECT count(*) FROM store WHERE company_id = $1`, a.id); n != 1 {
		t.Errorf("stores: got %d, want the one there was", n)
	}
	if got := a.post(t, "/wallet/sale", accrual("10", "usertool_id=8103")); got.code != "new_sale_01" {
		t.Errorf("a sale: got %s", got.body)
	}
	if got := a.post(t, "/employee/disable", url.Values{"number": {"477 111 0006"}}); string(got.body) !=
		`{"success":true,"message":"Se archivó correctamente el usuario.","status":200,"code":"toolusers_01"}` {
		t.Errorf("employee/disable: got %s", got.body)
	}
	if got := a.post(t, "/wallet/sale", accrual("10", "usertool_id=8103")); got.code != "wallet_redeem_15" {
		t.Errorf("a sale of somebody archived: got %s", got.body)
	}
	if got := a.post(t, "/employee/disable", url.Values{"number": {"4771110006"}}); got.code != "err_toolusers_04" {
		t.Errorf("employee/disable again: got %s", got.body)
	}
}
