package antcrm_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/httprate"

	"sello/loyalty/auth"
	"sello/server/compat/antcrm"
)

// newShop is the baseline of the fixtures.
func newShop(t *testing.T) *account {
	t.Helper()
	return load(t, (&fixture{}).before(t))
}

const success = `{"success":1}`

// refusal is the body of a failure without its message.
func refusal(name string) string { return `{"success":0,"error":"` + name + `",` }

func accumulation(code, phone string) string {
	return fmt.Sprintf(`{"code":%q,"data":{"phones":[{"type":"Work","value":%q}],"name":"Mai"}}`, code, phone)
}

// points is the sum of what a customer has.
func (a *account) points(t *testing.T, number int) string {
	t.Helper()
	return scan[string](t, a.env, `SELECT trim_scale(sum(card.balance))::text FROM card JOIN customer ON customer.company_id = card.company_id AND customer.id = card.customer_id
		WHERE customer.company_id = $1 AND customer.number = $2`, a.id, number)
}

// TestOneCodeAtOnce: of twenty at the same time one has the points, whoever they are,
// and one person comes of it.
func TestOneCodeAtOnce(t *testing.T) {
	t.Parallel()
	a := newShop(t)
	for _, tt := range []struct {
		name, code, phone, points string
		number                    int
	}{
		{"somebody new", "TIVIab3de5fgh7k", "0911222333", "100", 478},
		{"somebody known", "TIVIzz9yx8wv7ut", "0867123456", "340", 475},
	} {
		var clients sync.WaitGroup
		got := make([]string, 20)
		for i := range got {
			clients.Go(func() {
				r, err := a.try(t.Context(), http.MethodPost, antcrm.AccumulatePath, accumulation(tt.code, tt.phone))
				if got[i] = r.body; err != nil {
					got[i] = err.Error()
				}
			})
		}
		clients.Wait()
		succeeded := 0
		for _, body := range got {
			switch {
			case body == success:
				succeeded++
			case !strings.HasPrefix(body, refusal("code_used")):
				t.Errorf("%s: got %s", tt.name, body)
			}
		}
		if n := a.points(t, tt.number); succeeded != 1 || n != tt.points {
			t.Errorf("%s: %d succeeded and there are %s points, want 1 and %s", tt.name, succeeded, n, tt.points)
		}
		if n := scan[int](t, a.env, `SELECT count(*) FROM reward_attempt WHERE company_id = $1 AND error IS NULL AND product_code_id =
			(SELECT id FROM product_code WHERE company_id = $1 AND code = $2)`, a.id, tt.code); n != 1 {
			t.Errorf("%s: %d entries with status 1", tt.name, n)
		}
	}
	if n := scan[int](t, a.env, `SELECT count(*) FROM customer WHERE company_id = $1`, a.id); n != 4 {
		t.Errorf("there are %d customers, want 4", n)
	}
}

// TestOnePersonAtOnce: many first codes of one person at the same time make one
// customer with one account.
func TestOnePersonAtOnce(t *testing.T) {
	t.Parallel()
	a := newShop(t)
	const codes = 8
	for i := range codes {
		a.exec(t, `INSERT INTO product_code (company_id, id, product_id, lot_id, code, code_key, serial, status, created_at, updated_at)
			SELECT $1, gen_random_uuid(), id, id, $2, $2, $2, 'unused', $3, $3 FROM product WHERE company_id = $1 AND code = 'TIVI01'`, a.id, fmt.Sprintf("many%d", i), a.now)
	}
	var clients sync.WaitGroup
	got := make([]string, codes)
	for i := range got {
		clients.Go(func() {
			body := fmt.Sprintf(`{"code":"many%d","data":{"phones":[{"value":"0%09d"},{"value":"0933444555"}],"email":"mai@example.com"}}`, i, i)
			r, err := a.try(t.Context(), http.MethodPost, antcrm.AccumulatePath, body)
			if got[i] = r.body; err != nil {
				got[i] = err.Error()
			}
		})
	}
	clients.Wait()
	for i, body := range got {
		if body != success {
			t.Errorf("code %d: got %s", i, body)
		}
	}
	n := scan[int](t, a.env, `SELECT count(*) FROM card JOIN customer ON customer.company_id = card.company_id AND customer.id = card.customer_id
		WHERE customer.company_id = $1 AND customer.number > 477`, a.id)
	if points := a.points(t, 478); n != 1 || points != "800" {
		t.Errorf("there are %d new accounts, and %s points on the first, want 1 and 800", n, points)
	}
}

// TestLastGiftAtOnce: neither stock nor points go below zero.
func TestLastGiftAtOnce(t *testing.T) {
	t.Parallel()
	a := newShop(t)
	var clients sync.WaitGroup
	got := make([]string, 10)
	for i := range got {
		clients.Go(func() {
			r, err := a.try(t.Context(), http.MethodPost, antcrm.RedeemPath, `{"code":"AMTRA01","data":{"phone":"0867123456"}}`)
			if got[i] = r.body; err != nil {
				got[i] = err.Error()
			}
		})
	}
	clients.Wait()
	succeeded := 0
	for _, body := range got {
		if body == success {
			succeeded++
		} else if !strings.HasPrefix(body, refusal("gift_out_of_stock")) {
			t.Errorf("got %s", body)
		}
	}
	if points := a.points(t, 475); succeeded != 1 || points != "75" {
		t.Errorf("%d succeeded and %s points are left, want 1 and 75", succeeded, points)
	}
}

// TestAnotherCompany: its key reaches nothing of the first one's, whatever it names.
func TestAnotherCompany(t *testing.T) {
	t.Parallel()
	a := newShop(t)
	before := fmt.Sprint(a.state(t))
	other := &account{env: a.env, apikey: "another-org-s-own-key"}
	for _, tt := range []struct{ method, target, body, want string }{
		{"GET", "/history-point?type=point", "", "[]"},
		{"GET", "/history-point", "", "[]"},
		{"GET", "/history-point?type=point&phone=0867123456", "", "[]"},
		{"GET", "/history-point?email=garnacho@gmail.com", "", "[]"},
		{"POST", "/accumulate", accumulation("TIVIab3de5fgh7k", "0867123456"), refusal("code_not_found")},
		{"POST", "/accumulate?org=62c10674cbe832bc9245a5b8", accumulation("TIVInpmx8b98pfg", "0867123456"), refusal("code_not_found")},
		{"POST", "/redeem", `{"code":"DAUMAY01","org":"62c10674cbe832bc9245a5b8","data":{"phone":"0867123456"}}`, refusal("gift_not_found")},
	} {
		if got := other.call(t, tt.method, tt.target, tt.body); got.status != 200 || !strings.HasPrefix(got.body, tt.want) {
			t.Errorf("%s %s: got %d %s, want %s", tt.method, tt.target, got.status, got.body, tt.want)
		}
	}
	// The same codes and people of its own are its own.
	second := a.open(t, coreID(t, "62c10674cbe832bc9245a5b9"), "second", "second-key")
	a.exec(t, `INSERT INTO product (company_id, id, code, code_key, name, serial_prefix, score, status, created_at, updated_at)
		SELECT $1, id, code, code_key, name, serial_prefix, 7, status, created_at, updated_at FROM product WHERE company_id = $2 AND code = 'TIVI01'`, second.id, a.id)
	a.exec(t, `INSERT INTO product_code (company_id, id, product_id, lot_id, code, code_key, serial, status, created_at, updated_at)
		SELECT $1, id, product_id, lot_id, code, code_key, serial, 'unused', created_at, updated_at FROM product_code WHERE company_id = $2 AND code = 'TIVIab3de5fgh7k'`, second.id, a.id)
	if got := second.call(t, "POST", "/accumulate", accumulation("TIVIab3de5fgh7k", "0867123456")); got.body != success {
		t.Errorf("its own code: got %s", got.body)
	}
	if points := second.points(t, 1); points != "7" {
		t.Errorf("its own customer has %s points, want 7", points)
	}
	if after := fmt.Sprint(a.state(t)); after != before {
		t.Errorf("the first company's data: got %s\nbefore %s", after, before)
	}
}

// TestBodies: what clients send beside the documented, and where it breaks.
func TestBodies(t *testing.T) {
	t.Parallel()
	a := newShop(t)
	const invalid = `{"success":0,"error":"invalid_parameter","message":"Tham số không hợp lệ: `
	for _, tt := range []struct{ name, path, body, want string }{
		{"an array", "/accumulate", `[]`, refusal("invalid_json")},
		{"null", "/redeem", `null`, refusal("invalid_json")},
		{"nothing", "/redeem", ``, refusal("invalid_json")},
		{"more than one", "/redeem", `{}{}`, refusal("invalid_json")},
		{"a code that is a number", "/redeem", `{"code":5,"data":{}}`, refusal("code_required")},
		{"names in another case", "/redeem", `{"Code":"DAUMAY01","data":{}}`, refusal("code_required")},
		{"code before data", "/accumulate", `{"data":3}`, refusal("code_required")},
		{"data that is a list", "/accumulate", `{"code":"x","data":[]}`, refusal("data_required")},
		{"data that is null", "/accumulate", `{"code":"x","data":null}`, refusal("data_required")},
		{"blanks only", "/accumulate", `{"code":"x","data":{"phones":[{"value":" "},null],"emails":[{}],"phone":null}}`, refusal("contact_required")},
		{"phones before e-mails", "/accumulate", `{"code":"x","data":{"emails":[{"value":"x"}],"phones":[{"value":"12"}]}}`, invalid + `data.phones."}`},
		{"a phone of 16 digits", "/accumulate", `{"code":"x","data":{"phones":[{"value":"1234567890123456"}]}}`, invalid + `data.phones."}`},
		{"phones that are no list", "/accumulate", `{"code":"x","data":{"phones":{"value":"0867123456"}}}`, invalid + `data.phones."}`},
		{"a second phone", "/accumulate", `{"code":"x","data":{"phones":[{"value":"0867123456"},{"value":true}]}}`, invalid + `data.phones."}`},
		{"a single phone", "/accumulate", `{"code":"x","data":{"phone":"x"}}`, invalid + `data.phone."}`},
		{"two at signs", "/redeem", `{"code":"x","data":{"email":"a@b@c.vn"}}`, invalid + `data.email."}`},
		{"no dot in the domain", "/redeem", `{"code":"x","data":{"emails":[{"value":"a.b@c"}]}}`, invalid + `data.email."}`},
		{"too long an e-mail", "/redeem", `{"code":"x","data":{"email":"` + strings.Repeat("a", 250) + `@c.vn"}}`, invalid + `data.email."}`},
		{"a code that no column holds", "/accumulate", `{"code":"a\u0000b","data":{"phone":"0867123456"}}`, refusal("code_not_found")},
		{"a gift that no column holds", "/redeem", `{"code":"a\u0000b","data":{"phone":"0867123456"}}`, refusal("gift_not_found")},
		{"too much", "/redeem", `{"code":"` + strings.Repeat("x", 64<<10) + `"}`, refusal("request_too_large")},
		{"a blank phone beside the list", "/redeem", `{"code":"DAUMAY01","data":{"phone":" ","phones":[{"value":"84867123456"},{"value":"?"}]}}`, success},
		{"a byte order mark and no type", "/accumulate", "\uFEFF" + `{"code":"TIVIab3de5fgh7k","more":1,"data":{"phone":"+84 (867) 123-456","email":"GARNACHO@gmail.com"}}`, success},
	} {
		if got := a.call(t, "POST", tt.path, tt.body, "Content-Type: text/plain"); !strings.HasPrefix(got.body, tt.want) {
			t.Errorf("%s: got %d %s, want %s", tt.name, got.status, got.body, tt.want)
		}
	}
	if points := a.points(t, 475); points != "180" {
		t.Errorf("there are %s points, want 180", points)
	}
}

// TestFilters: what is asked of the history.
func TestFilters(t *testing.T) {
	t.Parallel()
	a := newShop(t)
	for query, want := range map[string]string{
		"type=&page=&phone=&createdAtRangeTo=": `[{`,
		"page=1.5":                             `page`,
		"page=-1":                              `page`,
		"page=99999999999999999999":            `[]`,
		"createdAtRangeFrom=-1":                `createdAtRangeFrom`,
		"createdAtRangeTo=1e3":                 `createdAtRangeTo`,
		"createdAtRangeTo=x&createdAtRangeFrom=x&type=x":                  `type`,
		"page=0&createdAtRangeTo=x":                                       `createdAtRangeTo`,
		"createdAtRangeFrom=1692085265818&createdAtRangeTo=1692085265818": `[{`,
		"createdAtRangeTo=1692085265817":                                  `[]`,
		"createdAtRangeFrom=2&createdAtRangeTo=1":                         `[]`,
		"createdAtRangeTo=99999999999999999999999":                        `[{`,
		"phone=x": `[]`,
		"phone=84867123456&email=garnacho@gmail.com": `[{`,
		"email=nobody@example.com":                   `[]`,
		"email=a%00b@c.vn":                           `[]`,
		"type=point%00":                              `type`,
	} {
		got := a.call(t, "GET", "/history-point?"+query, "")
		if !strings.HasPrefix(want, "[") {
			want = `{"success":0,"error":"invalid_parameter","message":"Tham số không hợp lệ: ` + want + `."}`
		}
		if !strings.HasPrefix(got.body, want) {
			t.Errorf("%s: got %d %s, want %s", query, got.status, got.body, want)
		}
	}
}

// TestOneLedger: a customer whom another door registered is met by their own phone,
// has a number from the first look on, and keeps what is theirs.
func TestOneLedger(t *testing.T) {
	t.Parallel()
	a := newShop(t)
	a.exec(t, `INSERT INTO customer (company_id, id, first_name, email, phone, qr_code, name_key, created_at, updated_at)
		VALUES ($1, $2, 'Hoa', 'hoa@example.com', '+84977888999', 'PRT-hoa', 'hoa', $3, $3)`, a.id, coreID(t, "64db290a0000000000000001"), a.now)
	if got := a.call(t, "POST", "/redeem", `{"code":"CU01","data":{"phone":"0977888999"}}`); !strings.HasPrefix(got.body, refusal("gift_inactive")) {
		t.Fatalf("redeem: got %s", got.body)
	}
	want := `"contact":{"phones":[{"type":"Work","_id":"64db290a0000000000000001","value":"+84977888999"}],"name":"Hoa","emails":[{"type":"Work","_id":"64db290a0000000000000001","value":"hoa@example.com"}],"customerId":478,"id":"64db290a0000000000000001"}`
	for range 2 {
		if got := a.call(t, "GET", "/history-point?email=HOA@example.com", ""); !strings.Contains(got.body, want) || !strings.Contains(got.body, `"error":"gift_inactive"`) {
			t.Errorf("history: got %s, want %s", got.body, want)
		}
	}
	if got := a.call(t, "POST", "/accumulate", `{"code":"TIVIab3de5fgh7k","data":{"phone":"0977 888 999","name":"Other","email":"new@example.com"}}`); got.body != success {
		t.Fatalf("accumulate: got %s", got.body)
	}
	got := a.call(t, "GET", "/history-point?type=point&email=new@example.com", "")
	if !strings.Contains(got.body, `"name":"Hoa"`) || !strings.Contains(got.body, `"lastname":"","customerId":478`) {
		t.Errorf("history: got %s", got.body)
	}
}

// TestIdempotencyKeys: a key is one request's of one path, for a day.
func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	a := newShop(t)
	const gift = `{"code":"DAUMAY01","data":{"phone":"0867123456"}}`
	for i, tt := range []struct {
		path, body, want string
		replayed         bool
	}{
		{"/accumulate", accumulation("TIVIab3de5fgh7k", "0867123456"), success, false},
		{"/accumulate", accumulation("TIVIab3de5fgh7k", "0867123456"), success, true},
		{"/accumulate", accumulation("TIVIzz9yx8wv7ut", "0867123456"), `{"success":0,"error":"idempotency_conflict","message":"Khóa idempotency đã được dùng với dữ liệu khác."}`, false},
		{"/redeem", gift, success, false},
		{"/redeem", gift, success, true},
		{"/redeem", `{"code":"AMTRA01","data":{"phone":"0867123456"}}`, refusal("idempotency_conflict"), false},
	} {
		got := a.call(t, "POST", tt.path, tt.body, "Idempotency-Key: one ✓")
		if !strings.HasPrefix(got.body, tt.want) || (got.header.Get("Idempotency-Replayed") != "") != tt.replayed ||
			(got.status == http.StatusConflict) != strings.Contains(tt.want, "conflict") {
			t.Errorf("%d %s: got %d %s, want %s", i, tt.path, got.status, got.body, tt.want)
		}
	}
	// What failed is tried again; the first answer stands even where the customer is blocked.
	if got := a.call(t, "POST", "/redeem", `{"code":"HETHANG01","data":{"phone":"0867123456"}}`, "Idempotency-Key: two"); !strings.HasPrefix(got.body, refusal("gift_out_of_stock")) {
		t.Errorf("out of stock: got %s", got.body)
	}
	a.exec(t, `UPDATE reward SET supplied = 1 WHERE company_id = $1 AND code = 'HETHANG01'`, a.id)
	a.exec(t, `UPDATE customer SET active = false WHERE company_id = $1 AND number = 475`, a.id)
	if got := a.call(t, "POST", "/redeem", gift, "Idempotency-Key: one ✓"); got.body != success {
		t.Errorf("the first answer again: got %s", got.body)
	}
	a.exec(t, `UPDATE customer SET active = true WHERE company_id = $1 AND number = 475`, a.id)
	if got := a.call(t, "POST", "/redeem", `{"code":"HETHANG01","data":{"phone":"0867123456"}}`, "Idempotency-Key: two"); got.body != success {
		t.Errorf("in stock again: got %s", got.body)
	}
	a.now = a.now.Add(25 * time.Hour)
	if got := a.call(t, "POST", "/redeem", gift, "Idempotency-Key: one ✓"); got.body != success || got.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("the day after: got %s", got.body)
	}
	if points := a.points(t, 475); points != "165" {
		t.Errorf("there are %s points, want 165", points)
	}
}

// TestWholePoints: of a balance with decimals only the integer part can be spent.
func TestWholePoints(t *testing.T) {
	t.Parallel()
	a := newShop(t)
	a.exec(t, `UPDATE card SET balance = 9.75 WHERE company_id = $1 AND code = 'CARD-475'`, a.id)
	a.exec(t, `UPDATE reward SET price = 9.5 WHERE company_id = $1 AND code = 'DAUMAY01'`, a.id)
	if got := a.call(t, "POST", "/redeem", `{"code":"DAUMAY01","data":{"phone":"0867123456"}}`); !strings.HasPrefix(got.body, refusal("not_enough_points")) {
		t.Errorf("got %s", got.body)
	}
	if got := a.call(t, "GET", "/history-point", ""); !strings.HasPrefix(got.body, `[{"type":2,"score":10,"status":0,`) {
		t.Errorf("got %s", got.body)
	}
}

// TestErased: of a person who was erased nothing is shown, and their phone is free.
func TestErased(t *testing.T) {
	t.Parallel()
	a := newShop(t)
	id := coreID(t, "64db290a7796fe24bfe876a7")
	a.exec(t, `UPDATE customer SET hidden_at = $3 WHERE company_id = $1 AND id = $2`, a.id, id, a.now)
	for _, target := range []string{"/history-point", "/history-point?type=point", "/history-point?phone=0867123456"} {
		if got := a.call(t, "GET", target, ""); got.body != "[]" {
			t.Errorf("%s: got %s", target, got.body)
		}
	}
}

// TestTransport: sign-in before all else, then the rate, the path, the method.
func TestTransport(t *testing.T) {
	t.Parallel()
	a := newShop(t)
	for _, tt := range []struct {
		method, target, key string
		status              int
		name, allow         string
	}{
		{"GET", "/none", "wrong", 401, "unauthorized", ""},
		{"PUT", "/accumulate", "", 401, "unauthorized", ""},
		{"GET", "/history-point/more", a.apikey, 404, "not_found", ""},
		{"POST", "/redeem/", a.apikey, 404, "not_found", ""},
		{"POST", "/history-point", a.apikey, 405, "method_not_allowed", "GET"},
		{"DELETE", "/redeem", a.apikey, 405, "method_not_allowed", "POST"},
	} {
		got := a.call(t, tt.method, tt.target, "", "apikey: "+tt.key)
		if got.status != tt.status || !strings.HasPrefix(got.body, refusal(tt.name)) || got.header.Get("Allow") != tt.allow ||
			got.header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s %s: got %d %s, Allow %q", tt.method, tt.target, got.status, got.body, got.header.Get("Allow"))
		}
	}
	if got := a.call(t, "GET", "/history-point", "", "apikey: ", "Authorization: bearer "+a.apikey); got.status != 200 {
		t.Errorf("a bearer in lower case: got %d %s", got.status, got.body)
	}
	// A key of another dialect is none of this one.
	_, wallet, err := a.resolver.Auth.KeyCreate(t.Context(), a.system, auth.KeyInput{Kind: auth.KeyWallet, Name: "till"})
	if err != nil {
		t.Fatal(err)
	}
	if got := a.call(t, "GET", "/history-point", "", "apikey: "+wallet); got.status != 401 {
		t.Errorf("a till's key: got %d %s", got.status, got.body)
	}
	limited := a.config()
	limited.Requests, limited.Failures = httprate.NewRateLimiter(1, time.Minute), httprate.NewRateLimiter(1, time.Minute)
	h := antcrm.New(limited)
	for _, key := range []string{a.apikey, "wrong"} {
		for i, status := range []int{0, 429} {
			r := httptest.NewRequest("GET", "/history-point", nil)
			r.Header.Set("apikey", key)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if (w.Code == 429) != (status == 429) || status == 429 && (w.Header().Get("Retry-After") == "" || !strings.HasPrefix(w.Body.String(), refusal("rate_limit"))) {
				t.Errorf("request %d with %s: got %d %s", i, key, w.Code, w.Body)
			}
		}
	}
}

// TestFaults: a fault and a panic have the documented answer, nothing of theirs in it,
// and one line in the log without the caller's data.
func TestFaults(t *testing.T) {
	t.Parallel()
	a := newShop(t)
	var log bytes.Buffer
	config := a.config()
	config.Log = slog.New(slog.NewJSONHandler(&log, nil))
	who, err := config.Authenticate(t.Context(), a.apikey)
	if err != nil {
		t.Fatal(err)
	}
	config.Authenticate = func(context.Context, string) (auth.Principal, error) { return who, nil }
	a.resolver.Auth.Wait()
	a.pool.Close()
	broken := func(c antcrm.Config, method, target, body string) {
		t.Helper()
		log.Reset()
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		r.Header.Set("apikey", a.apikey)
		w := httptest.NewRecorder()
		antcrm.New(c).ServeHTTP(w, r)
		if w.Code != 500 || w.Body.String() != `{"success":0,"error":"internal_error","message":"Lỗi hệ thống."}` {
			t.Errorf("%s %s: got %d %s", method, target, w.Code, w.Body)
		}
		if text := log.String(); strings.Count(text, "\n") != 1 || strings.Contains(text, a.apikey) || strings.Contains(text, "0867123456") || strings.Contains(text, "TIVI") {
			t.Errorf("%s %s: logged %s", method, target, text)
		}
	}
	broken(config, "GET", "/history-point?phone="+url.QueryEscape("0867123456"), "")
	broken(config, "POST", "/accumulate", accumulation("TIVIab3de5fgh7k", "0867123456"))
	broken(config, "POST", "/redeem", `{"code":"TIVI","data":{"phone":"0867123456"}}`)
	config.Authenticate = func(context.Context, string) (auth.Principal, error) { panic("0867123456") }
	broken(config, "GET", "/history-point", "")
}

// TestSetUpMissing: a company that keeps no points is a fault of the set-up, not the
// caller's; one with too small a key is told so.
func TestSetUpMissing(t *testing.T) {
	t.Parallel()
	a := newShop(t)
	a.exec(t, `DELETE FROM company_setting WHERE company_id = $1`, a.id)
	if got := a.call(t, "POST", "/accumulate", accumulation("TIVIab3de5fgh7k", "0867123456")); got.status != 500 {
		t.Errorf("without a programme: got %d %s", got.status, got.body)
	}
	config := a.config()
	config.Authenticate = func(context.Context, string) (auth.Principal, error) {
		return auth.Principal{CompanyID: a.id, Kind: auth.KindAPIKey, KeyKind: auth.KeyAntCRM, Scopes: []auth.Scope{auth.CompanyRead}}, nil
	}
	server := httptest.NewServer(antcrm.New(config))
	t.Cleanup(server.Close)
	a.server = server
	for path, method := range map[string]string{"/history-point": "GET", "/accumulate": "POST", "/redeem": "POST"} {
		if got := a.call(t, method, path, accumulation("DAUMAY01", "0867123456")); got.status != 401 {
			t.Errorf("%s: got %d %s, want 401", path, got.status, got.body)
		}
	}
}
