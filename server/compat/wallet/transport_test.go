package wallet_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/httprate"

	"sello/loyalty/auth"
	"sello/server/compat/wallet"
)

var methods = []string{
	"/toolusers/get", "/wallet/get", "/wallet/contact/add", "/wallet/contact/get", "/wallet/sale", "/wallet/balance/update",
	"/employee/add", "/employee/disable",
}

// failing is the shim where nobody can be signed in, for what is answered before.
func failing(t *testing.T, err error, log *slog.Logger) http.Handler {
	t.Helper()
	e := newEnv(t, noon)
	config := e.config()
	config.Authenticate = func(context.Context, string) (auth.Principal, error) { return auth.Principal{}, err }
	config.Log = log
	return wallet.New(config)
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestRoutes: what is not one of the eight methods has this dialect's answer, also
// behind a router that hands over whole paths.
func TestRoutes(t *testing.T) {
	t.Parallel()
	shim := failing(t, auth.ErrUnauthenticated, nil)
	front := chi.NewRouter()
	for _, path := range []string{"/wallet/*", "/toolusers/*", "/employee/*"} {
		front.Handle(path, shim)
	}
	const (
		notFound   = `{"success":false,"message":"Recurso no encontrado","status":404,"code":"not_found"}`
		notAllowed = `{"success":false,"message":"Método no permitido","status":405,"code":"method_not_allowed"}`
		signIn     = `{"success":false,"message":"Usuario no autorizado","status":401,"code":"auth_01"}`
	)
	if w := serve(shim, httptest.NewRequest("PURGE", "/wallet/get", nil)); w.Code != 405 || w.Header().Get("Allow") != "POST" {
		t.Errorf("PURGE: got %d %s, Allow %q, want 405 and POST", w.Code, w.Body, w.Header().Get("Allow"))
	}
	for _, h := range []http.Handler{shim, front} {
		for _, path := range methods {
			if w := serve(h, httptest.NewRequest(http.MethodPost, path, nil)); w.Code != 200 || w.Body.String() != signIn {
				t.Errorf("POST %s: got %d %s, want 200 %s", path, w.Code, w.Body, signIn)
			}
			for _, verb := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions} {
				w := serve(h, httptest.NewRequest(verb, path, nil))
				if w.Code != 405 || w.Body.String() != notAllowed || w.Header().Get("Allow") != "POST" {
					t.Errorf("%s %s: got %d %s, Allow %q, want 405 and POST", verb, path, w.Code, w.Body, w.Header().Get("Allow"))
				}
			}
		}
		for _, path := range []string{"/wallet/", "/wallet/sale/", "/wallet/none", "/toolusers/x/y", "/employee/get", "/wallet/%2fsale"} {
			w := serve(h, httptest.NewRequest(http.MethodPost, path, nil))
			if w.Code != 404 || w.Body.String() != notFound || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
				t.Errorf("POST %s: got %d %s, want 404 %s", path, w.Code, w.Body, notFound)
			}
		}
	}
}

func TestRateLimited(t *testing.T) {
	t.Parallel()
	config := newEnv(t, noon).config()
	config.Authenticate = func(context.Context, string) (auth.Principal, error) { return auth.Principal{}, nil }
	config.Requests = httprate.NewRateLimiter(1, time.Minute)
	h := wallet.New(config)
	call := func() *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/wallet/get", nil)
		r.Header.Set("Apikey", "any")
		return serve(h, r)
	}
	if w := call(); w.Code == 429 {
		t.Fatalf("first request: got %d %s", w.Code, w.Body)
	}
	const want = `{"success":false,"message":"Demasiadas solicitudes","status":429,"code":"rate_limit"}`
	if w := call(); w.Code != 429 || w.Body.String() != want || w.Header().Get("Retry-After") == "" {
		t.Errorf("second request: got %d %s, Retry-After %q, want 429 %s", w.Code, w.Body, w.Header().Get("Retry-After"), want)
	}
}

// TestBodies: the ways in which clients send parameters come to the same.
func TestBodies(t *testing.T) {
	t.Parallel()
	a := newTill(t, "250")
	const want = `{"success":true,"result":{"contact_name":"María","contact_phone":"4771234567","contact_birthdate":null,"contact_balance":250},"status":200,"code":"balance_get_01"}`
	var parts bytes.Buffer
	w := multipart.NewWriter(&parts)
	for name, value := range map[string]string{"wallet_key": anyKey, "phone": anyPhone} {
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"wallet_key": {anyKey}, "phone": {anyPhone}}.Encode()
	for _, tt := range []struct{ name, contentType, body, want string }{
		{"a form", "application/x-www-form-urlencoded", form, want},
		{"no content type", "", form, want},
		{"parts", w.FormDataContentType(), parts.String(), want},
		{"an object", "application/json", `{"wallet_key":"` + anyKey + `","phone":4771234567}`, want},
		{"text", "text/plain", form, `{"success":false,"message":"Llave de monedero indefinido.","status":400,"code":"balance_get_02"}`},
		{"too much", "", form + strings.Repeat("&", 64<<10), `{"success":false,"message":"La petición es demasiado grande","status":413,"code":"request_too_large"}`},
	} {
		got, err := a.try(t.Context(), "/wallet/contact/get?wallet_key=ignored", tt.contentType, tt.body)
		if err != nil {
			t.Fatal(err)
		}
		if string(got.body) != tt.want {
			t.Errorf("%s: got  %s\nwant %s", tt.name, got.body, tt.want)
		}
		if tooMuch := tt.name == "too much"; tooMuch != (got.status == http.StatusRequestEntityTooLarge) {
			t.Errorf("%s: got HTTP %d", tt.name, got.status)
		}
	}
}

// TestExpectContinue is what the C# sample's client does, on the wire.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	a := newTill(t, "250")
	body := accrual("10").Encode()
	for _, tt := range []struct {
		name         string
		length       int
		continues    bool
		want, status string
	}{
		{"a sale", len(body), true, "new_sale_01", "200"},
		{"too much", 64<<10 + 1, false, "request_too_large", "413"},
	} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", a.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /wallet/sale HTTP/1.1\r\nHost: x\r\napikey: %s\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", a.apikey, tt.length)
		in := bufio.NewReader(conn)
		if tt.continues {
			if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
				t.Fatalf("%s: got %q, %v, want 100 Continue", tt.name, line, err)
			}
			if _, err := in.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(conn, body)
		}
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if _, err := got.ReadFrom(response.Body); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(got.String(), tt.want) || !strings.HasPrefix(response.Status, tt.status) {
			t.Errorf("%s: got %s %s, want %s %s", tt.name, response.Status, got.String(), tt.status, tt.want)
		}
	}
}

// TestSignInFault: that nobody can be signed in is not the caller's fault.
func TestSignInFault(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	shim := failing(t, errors.New("no connection"), slog.New(slog.NewJSONHandler(&log, nil)))
	for _, path := range methods {
		log.Reset()
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("phone=4771234567"))
		r.Header.Set("apikey", "secret-of-a-till")
		w := serve(shim, r)
		want, status := `{"success":false,"message":"Error al procesar la petición","status":500,"code":"internal_error"}`, 500
		if strings.HasPrefix(path, "/employee/") {
			want, status = `{"success":false,"message":"Error al procesar la petición","status":500,"code":"err_toolusers_01"}`, 200
		}
		if w.Code != status || w.Body.String() != want {
			t.Errorf("%s: got %d %s, want %d %s", path, w.Code, w.Body, status, want)
		}
		if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `"path":"`+path+`"`) ||
			strings.Contains(text, "secret") || strings.Contains(text, "4771234567") {
			t.Errorf("%s: logged %q, want one line without the caller's data", path, text)
		}
	}
}

// TestFaults: without a database each method has its answer and nothing of the
// fault's text in it.
func TestFaults(t *testing.T) {
	t.Parallel()
	a := newTill(t, "250")
	if got := a.post(t, "/wallet/get", nil); got.code != "wallets_get_01" { // the key is known from here on
		t.Fatalf("got %s", got.body)
	}
	a.resolver.Auth.Wait()
	a.pool.Close()

	const internal = `{"success":false,"message":"Error al procesar la petición","status":500,"code":"internal_error"}`
	update := with(accrual("10"), "transaction_type=1")
	for _, tt := range []struct {
		path   string
		params url.Values
		status int
		want   string
	}{
		{"/toolusers/get", nil, 500, internal},
		{"/wallet/get", nil, 500, internal},
		{"/wallet/contact/get", url.Values{"wallet_key": {anyKey}}, 500, internal},
		{"/wallet/sale", accrual("10"), 500, internal},
		{"/wallet/balance/update", update, 500, internal},
		{"/wallet/contact/add", url.Values{"wallet_key": {anyKey}, "phone": {"4772223333"}, "customer_name": {"x"}, "usertool_id": {"8101"}}, 200,
			`{"success":false,"message":"Error generar el contacto nuevo","status":500,"code":"wallet_manager_10"}`},
		{"/employee/add", url.Values{"type": {"cajero"}, "employee_name": {"x"}, "business_name": {"x"}, "number": {"4772223333"}, "password": {"pass"}}, 200,
			`{"success":false,"message":"Error al procesar la petición","status":500,"code":"err_toolusers_01"}`},
		{"/employee/disable", url.Values{"number": {"4772223333"}}, 200,
			`{"success":false,"message":"Error al procesar la petición","status":500,"code":"err_toolusers_01"}`},
	} {
		if got := a.post(t, tt.path, tt.params); got.status != tt.status || string(got.body) != tt.want {
			t.Errorf("%s: got %d %s, want %d %s", tt.path, got.status, got.body, tt.status, tt.want)
		}
	}
}

// TestKeyWithoutScope: a key that may do less than a method needs is no key to it.
func TestKeyWithoutScope(t *testing.T) {
	t.Parallel()
	a := newTill(t, "250")
	config := a.config()
	config.Authenticate = func(context.Context, string) (auth.Principal, error) {
		return auth.Principal{CompanyID: a.id, Kind: auth.KindAPIKey, KeyKind: auth.KeyWallet, Scopes: []auth.Scope{auth.CompanyRead}}, nil
	}
	server := httptest.NewServer(wallet.New(config))
	t.Cleanup(server.Close)
	a.server = server
	for path, params := range map[string]url.Values{
		"/toolusers/get": nil, "/wallet/get": nil, "/wallet/contact/get": {"wallet_key": {anyKey}}, "/wallet/sale": accrual("10"),
		"/wallet/balance/update": accrual("10"), "/employee/disable": {"number": {"4771110001"}},
		"/wallet/contact/add": {"wallet_key": {anyKey}, "phone": {"4772223333"}, "customer_name": {"x"}, "usertool_id": {"8101"}},
		"/employee/add":       {"type": {"cajero"}, "employee_name": {"x"}, "business_name": {"x"}, "number": {"4772223333"}, "password": {"pass"}},
	} {
		if got := a.post(t, path, params); got.code != "auth_01" || got.status != 200 {
			t.Errorf("%s: got %d %s, want auth_01", path, got.status, got.body)
		}
	}
}
