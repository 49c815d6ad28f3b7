package matrix_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"sello/graph/graphtest"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/server/compat/antcrm"
	"sello/server/compat/pretii"
	"sello/server/compat/wallet"
)

// house is a company that all dialects work for, on one server: its programme is a
// wallet of whole points, 10 % of what is spent.
type house struct {
	*graphtest.Company
	dialects               *httptest.Server
	wallet, antcrm, pretii string // their keys
	staff                  string
	people, codes          int
}

const walletKey = "mk_matrix_0001"

func newHouse(t *testing.T) *house {
	t.Helper()
	env := graphtest.New(t)
	h := &house{Company: env.Company(t, "casa")}
	quiet := slog.New(slog.DiscardHandler)
	by := func(kind auth.KeyKind) func(context.Context, string) (auth.Principal, error) {
		return func(ctx context.Context, key string) (auth.Principal, error) {
			return env.Auth.KeyAuthenticate(ctx, key, kind)
		}
	}
	tills := wallet.New(wallet.Config{Graph: env.Resolver, Authenticate: by(auth.KeyWallet), Log: quiet})
	crm := antcrm.New(antcrm.Config{Graph: env.Resolver, Authenticate: by(auth.KeyAntCRM), Log: quiet})
	mux := http.NewServeMux()
	for _, path := range []string{"/wallet/", "/toolusers/", "/employee/"} {
		mux.Handle(path, tills)
	}
	for _, path := range []string{antcrm.HistoryPath, antcrm.AccumulatePath, antcrm.RedeemPath} {
		mux.Handle(path, crm)
	}
	mux.Handle(pretii.Path+"/", pretii.New(pretii.Config{
		Graph: env.Resolver, Auth: env.Auth, Company: env.Resolver.Companies.ByHost, SpoolDir: t.TempDir(), Log: quiet,
	}))
	h.dialects = httptest.NewServer(mux)
	t.Cleanup(h.dialects.Close)
	for kind, into := range map[auth.KeyKind]*string{auth.KeyWallet: &h.wallet, auth.KeyAntCRM: &h.antcrm, auth.KeyPretii: &h.pretii} {
		_, key, err := env.Auth.KeyCreate(t.Context(), h.System, auth.KeyInput{Kind: kind, Name: string(kind)})
		if err != nil {
			t.Fatal(err)
		}
		*into = key
	}
	h.Query(t, `mutation {
		storeCreate(input: { code: "L-01", name: "Centro" }) { userErrors { code } }
		cardTypeCreate(input: { code: "puntos", name: "Puntos", unit: POINTS, walletKey: "mk_matrix_0001", accrualPercentage: "10", rechargeable: true }) { userErrors { code } }
		companyUpdate(input: { pointsCardTypeCode: "puntos" }) { userErrors { code } }
		productCreate(input: { code: "TIVI01", name: "Tivi", serialPrefix: "TIVI", score: "7" }) { userErrors { code } }
		rewardCreate(input: { code: "TAZA", name: "Taza", cardTypeCode: "puntos", price: "40" }) { userErrors { code } }
	}`)
	member, err := env.Resolver.Companies.StaffCreate(t.Context(), h.System, company.NewStaff{
		Name: "Ana", Phone: "5500000000", Role: company.Cashier, StoreCode: "L-01", Password: "secret 1",
	})
	if err != nil {
		t.Fatal(err)
	}
	h.staff = fmt.Sprint(member.Number)
	return h
}

// reply is an answer over HTTP.
type reply struct {
	status int
	body   string
	value  map[string]any
}

func (h *house) send(t *testing.T, method, path, media, body string, headers ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, h.dialects.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := h.dialects.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := reply{status: response.StatusCode, body: string(content)}
	dec := json.NewDecoder(strings.NewReader(a.body))
	dec.UseNumber()
	_ = dec.Decode(&a.value) // a list or a file has none
	return a
}

// till calls a method of the wallet API.
func (h *house) till(t *testing.T, path string, params ...string) reply {
	t.Helper()
	form := url.Values{"wallet_key": {walletKey}, "usertool_id": {h.staff}}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	return h.send(t, http.MethodPost, path, "application/x-www-form-urlencoded", form.Encode(), "apikey", h.wallet)
}

// crm calls a path of AntCRM's.
func (h *house) crm(t *testing.T, path, body string) reply {
	t.Helper()
	return h.send(t, http.MethodPost, path, "application/json", body, "apikey", h.antcrm)
}

// pos calls a path of Pretii's.
func (h *house) pos(t *testing.T, method, path, body string) reply {
	t.Helper()
	media := ""
	if body != "" {
		media = "application/json"
	}
	return h.send(t, method, "/api/v1"+path, media, body, "Authorization", "Bearer "+h.pretii)
}

// known is somebody with 100 points who is a contact of the till and has an e-mail.
func (h *house) known(t *testing.T) someone {
	t.Helper()
	p := h.next()
	want(t, h.till(t, "/wallet/contact/add", "phone", p.phone, "customer_name", p.name), 200, `contact_add_01`)
	h.mail(t, p)
	want(t, h.pos(t, http.MethodPost, "/clientes/"+p.email+"/puntos/asignar", `{"puntos":100}`), 201, `"saldo":100`)
	return p
}

// mail gives a contact of the till an e-mail, which the till does not ask for.
func (h *house) mail(t *testing.T, p someone) {
	t.Helper()
	id := h.Query(t, fmt.Sprintf(`query { customer(phone: %q) { id } }`, p.phone)).Text("customer", "id")
	h.Query(t, fmt.Sprintf(`mutation { customerUpdate(input: { id: %q, email: %q }) { userErrors { code } } }`, id, p.email))
}

// id is somebody's opaque id.
func (h *house) id(t *testing.T, p someone) string {
	t.Helper()
	return h.Query(t, fmt.Sprintf(`query { customer(email: %q) { id } }`, p.email)).Text("customer", "id")
}

// code is a serial code that is unused.
func (h *house) code(t *testing.T) string {
	t.Helper()
	h.codes++
	code := fmt.Sprintf("TIVI%09d", h.codes)
	h.Query(t, fmt.Sprintf(`mutation { productCodesAdd(input: { csv: "code,product_code,expires_on,score\n%s,TIVI01,,\n" }) { created userErrors { code } } }`, code))
	return code
}

// file sends a CSV file and waits until it is applied.
func (h *house) file(t *testing.T, content string) {
	t.Helper()
	sent := h.send(t, http.MethodPost, "/api/v1/importaciones/puntos", "text/csv", content, "Authorization", "Bearer "+h.pretii)
	want(t, sent, 202, `"en_cola"`)
	h.Work(t)
	id := sent.value["importacion"].(map[string]any)["id"].(string)
	want(t, h.pos(t, http.MethodGet, "/importaciones/"+id, ""), 200, `"terminada"`)
}

// Query asks GraphQL; a refusal is a failure, too.
func (h *house) Query(t *testing.T, document string) graphtest.Answer {
	t.Helper()
	a := h.Company.Query(t, document, nil)
	if strings.Contains(string(a.Body), `"userErrors":[{`) {
		t.Fatalf("%s: got %s", document, a.Body)
	}
	return a
}
