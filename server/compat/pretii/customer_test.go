package pretii_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"sello/loyalty/auth"
	"sello/loyalty/company"
)

const customers = "/api/v1/clientes"

// shown is what the tests look at in an answer.
type shown struct {
	Customer struct {
		ID, Nombres, Email, QR string
		Puntos                 json.Number
		Actualizado            string `json:"actualizado_en"`
	} `json:"cliente"`
	Movement struct {
		ID, Tipo                       string
		Puntos, Saldo                  json.Number
		Monto                          *json.Number
		Referencia, Descripcion, Local *string
	} `json:"movimiento"`
	Repeated bool `json:"repetido"`
	Clientes []struct{ Nombres, Email string }
	Total    int
	Error    struct {
		Codigo, Mensaje string
		Campos          map[string]string
		ClienteID       string `json:"cliente_id"`
		Saldo           *json.Number
	}
}

func (a answer) shown(t *testing.T) (s shown) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &s); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return s
}

// TestBodies holds the order size, content type, JSON, customer, fields of spec/pretii.md
// 2.1, and how bodies are read.
func TestBodies(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	large := `{"nombres":"` + strings.Repeat("x", 1<<20) + `"}`
	unknown := customers + "/cli_999/puntos/asignar"
	for _, tt := range []struct {
		name, path, media string
		body              io.Reader
		status            int
		code              string
	}{
		{"too large, of another type", customers, "text/plain", strings.NewReader(large), 413, "peticion_muy_grande"},
		{"too large, not announced", customers, "text/plain", io.MultiReader(strings.NewReader(large)), 413, "peticion_muy_grande"},
		{"another type, no JSON", customers, "text/plain", strings.NewReader("{"), 415, "tipo_no_soportado"},
		{"no type", customers, "", strings.NewReader("{}"), 415, "tipo_no_soportado"},
		{"a type of JSON", customers, "application/vnd.pos+json; charset=utf-8", strings.NewReader("{}"), 422, "datos_invalidos"},
		{"nothing", customers, "application/json", strings.NewReader(""), 400, "json_invalido"},
		{"no object", customers, "application/json", strings.NewReader("[]"), 400, "json_invalido"},
		{"null", customers, "application/json", strings.NewReader("null"), 400, "json_invalido"},
		{"two objects", customers, "application/json", strings.NewReader("{}{}"), 400, "json_invalido"},
		{"bytes that are no UTF-8", customers, "application/json", strings.NewReader("{\"nombres\":\"Jos\xe9\"}"), 400, "json_invalido"},
		{"JSON comes before the customer", unknown, "application/json", strings.NewReader("{"), 400, "json_invalido"},
		{"the customer comes before the fields", unknown, "application/json", strings.NewReader("{}"), 404, "cliente_no_encontrado"},
		{"a byte order mark", customers, "application/json", strings.NewReader("\uFEFF{}"), 422, "datos_invalidos"},
	} {
		got := e.send(t, "POST", tt.path, tt.body, "Content-Type", tt.media)
		if code := codeOf(got.body); got.StatusCode != tt.status || code != tt.code {
			t.Errorf("%s: got %d %s, want %d %s", tt.name, got.StatusCode, got.body, tt.status, tt.code)
		}
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for _, tt := range []struct {
		name, body string
		status     int
		want       string // of the body
	}{
		{"a name of 120 characters", `{"nombres":"` + strings.Repeat("ñ", 120) + `","email":"a@example.com"}`, 201, `"email":"a@example.com"`},
		{"of 121", `{"nombres":"` + strings.Repeat("ñ", 121) + `","email":"b@example.com"}`, 422, `{"nombres":"El campo nombres es demasiado largo."}`},
		{"null is as good as missing", `{"nombres":"Ana","email":"c@example.com","telefono":null,"apellidos":null,"otro":1}`, 201, `"telefono":null`},
		{"values of other types", `{"nombres":1,"apellidos":[],"email":{},"telefono":987111222,"documento_de_identidad":true}`, 422,
			`{"apellidos":"El campo apellidos es demasiado largo.","documento_de_identidad":"El documento de identidad no es válido.","email":"El email no es válido.","nombres":"El campo nombres es obligatorio.","telefono":"El teléfono no es válido."}`},
		{"NUL in a text", `{"nombres":"A\u0000","email":"d@example.com"}`, 422, `"nombres":"El campo nombres es obligatorio."`},
		{"an international phone", `{"nombres":"Ana","email":"e@example.com","telefono":"+34 (600) 11-22.33"}`, 201, `"telefono":"+34600112233"`},
		{"a phone of 5 digits", `{"nombres":"Ana","email":"f@example.com","telefono":"12345"}`, 422, `{"telefono":"El teléfono no es válido."}`},
		{"names are of one case", `{"Nombres":"Ana","EMAIL":"g@example.com"}`, 422, `"email":"El campo email es obligatorio."`},
		{"the last of two counts", `{"nombres":"Eva","nombres":"Ana","email":"h@example.com"}`, 201, `"nombres":"Ana"`},
		{"the e-mail is told before the document", `{"nombres":"Ana","email":"JOSE.munoz@example.com","documento_de_identidad":"45678912"}`, 409,
			`"mensaje":"Ya existe un cliente con ese email.","cliente_id":"` + shownID(coreID(t, "cli_102")) + `"`},
		{"a document in another case", `{"nombres":"Ana","email":"i@example.com","documento_de_identidad":"ce-00123"}`, 409,
			`"mensaje":"Ya existe un cliente con ese documento de identidad.","cliente_id":"` + shownID(coreID(t, "cli_103")) + `"`},
		{"tags stay as they are", `{"nombres":"<b>","email":"j@example.com"}`, 201, `"nombres":"<b>"`},
	} {
		got := e.json(t, customers, tt.body)
		if got.StatusCode != tt.status || !strings.Contains(got.body, tt.want) {
			t.Errorf("%s: got %d %s, want %d with %s", tt.name, got.StatusCode, got.body, tt.status, tt.want)
		}
		if tt.status == 201 {
			made := got.shown(t).Customer
			if at := got.Header.Get("Location"); at != customers+"/"+made.ID || len(made.ID) > 40 || len(made.QR) > 64 {
				t.Errorf("%s: Location is %q, id %q, qr %q", tt.name, at, made.ID, made.QR)
			}
			if again := e.send(t, "GET", got.Header.Get("Location"), nil); again.body != got.body {
				t.Errorf("%s: got %s, then %s", tt.name, got.body, again.body)
			}
		}
	}
	// The account goes by the text of the QR code (spec/pretii.md 5).
	e.same(t, 5, `SELECT count(*) FROM customer JOIN card ON card.company_id = customer.company_id AND card.customer_id = customer.id AND card.code = customer.qr_code
		WHERE customer.company_id = $1 AND customer.created_at = $2`, e.company, now)
}

// TestNamed finds customers by each of their names, and only by the whole of it.
func TestNamed(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.exec(t, `UPDATE customer SET email = 'a+b/c@example.com' WHERE company_id = $1 AND email = 'anabel@example.com'`, e.company)
	e.exec(t, `INSERT INTO customer (company_id, id, first_name, email, qr_code, name_key, hidden_at, merged_into_id, created_at, updated_at)
		VALUES ($1, gen_random_uuid(), 'Pepe', 'pepe@example.com', 'PRT-old', 'pepe', $2, $3, $2, $2)`, e.company, now, coreID(t, "cli_102"))
	for name, want := range map[string]string{
		shownID(coreID(t, "cli_101")):                             "Ana María",
		strings.TrimPrefix(shownID(coreID(t, "cli_101")), "cli_"): "",
		"PRT-9f2c61d07b3e48aa":                                    "Ana María",
		"PRT-9f2c61d07b3e48a":                                     "",
		"ana.quispe@example.com":                                  "Ana María",
		"ana.quispe":                                              "",
		"a+b%2Fc@example.com":                                     "Anabel",
		"a%2Bb%2fc%40example.com":                                 "Anabel",
		"45678912":                                                "", // a document is no name
		"pepe@example.com":                                        "José",
		"PRT-old":                                                 "José",
		"%00":                                                     "",
		"%ff%fe":                                                  "",
	} {
		got := e.send(t, "GET", customers+"/"+name, nil)
		if want == "" {
			if got.StatusCode != 404 || codeOf(got.body) != "cliente_no_encontrado" {
				t.Errorf("%s: got %d %s, want 404", name, got.StatusCode, got.body)
			}
			continue
		}
		if c := got.shown(t).Customer; got.StatusCode != 200 || c.Nombres != want {
			t.Errorf("%s: got %d %s, want %s", name, got.StatusCode, got.body, want)
		}
	}
	if got := e.send(t, "HEAD", customers+"/PRT-9f2c61d07b3e48aa", nil); got.StatusCode != 200 || got.body != "" {
		t.Errorf("HEAD: got %d %q", got.StatusCode, got.body)
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for i, name := range []string{"Ana|Zeta", "Ana María|Báez", "Ana|Álvarez", "Anä|Alvarez"} {
		first, last, _ := strings.Cut(name, "|")
		if got := e.json(t, customers, fmt.Sprintf(`{"nombres":%q,"apellidos":%q,"email":"x%d@example.com","telefono":"9000%03d"}`, first, last, i, i)); got.StatusCode != 201 {
			t.Fatalf("create %s: got %d %s", name, got.StatusCode, got.body)
		}
	}
	for _, tt := range []struct {
		query string
		total int
		want  string
	}{
		// By rank, then first names, last names and id.
		{"buscar=ana", 6, "ana.quispe anabel x2 x3 x0 x1"},
		{"buscar=ana&por_pagina=2&pagina=2", 6, "x2 x3"},
		{"buscar=ana&por_pagina=4&pagina=2", 6, "x0 x1"},
		{"buscar=ana&pagina=99999999999", 6, ""},
		{"buscar=+ANA++b%E1ez+", 1, "x1"}, // Windows-1252, and + is a space
		{"buscar=x0%40example.com", 1, "x0"},
		{"buscar=000", 0, ""}, // under six digits
		{"buscar=(519)+000-001", 1, "x1"},
		{"buscar=x%25", 0, ""}, // no wildcard
		{"buscar=--", 0, ""},
		{"buscar=ana&pagina=&por_pagina=", 6, "ana.quispe anabel x2 x3 x0 x1"},
	} {
		got := e.send(t, "GET", customers+"?"+tt.query, nil)
		page := got.shown(t)
		var emails []string
		for _, c := range page.Clientes {
			emails = append(emails, strings.TrimSuffix(c.Email, "@example.com"))
		}
		if list := strings.Join(emails, " "); got.StatusCode != 200 || list != tt.want || page.Total != tt.total {
			t.Errorf("%s: got %d %s of %d, want %s of %d", tt.query, got.StatusCode, list, page.Total, tt.want, tt.total)
		}
	}
	for query, want := range map[string]string{
		"":                                   `{"buscar":"El texto de búsqueda debe tener al menos 2 caracteres."}`,
		"buscar=" + strings.Repeat("x", 101): `{"buscar":"El texto de búsqueda es demasiado largo."}`,
		"buscar=ana&pagina=-1":               `{"pagina":"La página no es válida."}`,
		"buscar=ana&pagina=1.0":              `{"pagina":"La página no es válida."}`,
		"buscar=ana&por_pagina=101":          `{"por_pagina":"La cantidad por página no es válida."}`,
		"buscar=ana&por_pagina=x&pagina=" + url.QueryEscape("٣"): `{"pagina":"La página no es válida.","por_pagina":"La cantidad por página no es válida."}`,
	} {
		got := e.send(t, "GET", customers+"?"+query, nil)
		if got.StatusCode != 422 || !strings.Contains(got.body, `"campos":`+want) {
			t.Errorf("%s: got %d %s, want 422 with %s", query, got.StatusCode, got.body, want)
		}
	}
	e.exec(t, `UPDATE customer SET first_key = NULL WHERE company_id = $1`, e.company)
	if n, err := e.resolver.Customers.FirstKeysFill(t.Context(), e.company); err != nil || n != 7 {
		t.Errorf("FirstKeysFill: got %d, error %v, want 7", n, err)
	}
	if got := e.send(t, "GET", customers+"?buscar=ana&por_pagina=3", nil).shown(t); len(got.Clientes) != 3 || got.Clientes[2].Email != "x2@example.com" {
		t.Errorf("order after the keys were filled in: got %+v", got.Clientes)
	}
}

// TestHosts: names that a company has beside its code.
func TestHosts(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	other := e.other(t)
	e.importKey(t, other, "elOtroToken")
	companies := e.resolver.Companies
	ours, theirs := auth.System(e.company), auth.System(other)
	for _, h := range []string{"azul.api.example.com", "Puntos.MiTienda.pe:443"} {
		if _, err := companies.HostAdd(t.Context(), ours, h); err != nil {
			t.Fatal(err)
		}
	}
	get := func(host, token string) answer {
		return e.send(t, "GET", customers+"?buscar=zz", nil, "Host", host, "Authorization", "Bearer "+token)
	}
	for _, tt := range []struct {
		host, token string
		want        int
	}{
		{"azul.api.example.com", token, 200}, {"AZUL.api.example.com.:8080", token, 200}, {"azul.api.example.com", "elOtroToken", 401},
		{"puntos.mitienda.pe", token, 200}, {"puntos.mitienda.pe", "elOtroToken", 401}, {"otra.mitienda.pe", "elOtroToken", 200},
		{"bluepoints.x.api.example.com", token, 200}, {"rojo.api.example.com", token, 404}, {"api.example.com", token, 200}, {"[::1]:80", token, 200},
	} {
		if got := get(tt.host, tt.token); got.StatusCode != tt.want {
			t.Errorf("%s with %s: got %d %s, want %d", tt.host, tt.token, got.StatusCode, got.body, tt.want)
		}
	}
	limited := theirs
	limited.Scopes = auth.CompanyScopes()
	for _, tt := range []struct {
		who        auth.Principal
		host, want string
	}{
		{theirs, "azul.api.example.com", "refused: TAKEN (host)"}, {theirs, "puntos.mitienda.pe", "refused: TAKEN (host)"},
		{theirs, "bluepoints.api.example.com", "refused: TAKEN (host)"}, {limited, "verde.mitienda.pe", "refused: SCOPE_EXCEEDED (host)"},
		{theirs, "10.0.0.1", "refused: INVALID (host)"}, {theirs, "localhost", "refused: INVALID (host)"}, {theirs, "api.example.com", "refused: INVALID (host)"},
		{theirs, "a_b.example.com", "refused: INVALID (host)"}, {theirs, "x\x00.example.com", "refused: INVALID (host)"}, {limited, "verde.api.example.com", ""},
	} {
		_, err := companies.HostAdd(t.Context(), tt.who, tt.host)
		if got := fmt.Sprint(err); got != tt.want && (tt.want != "" || err != nil) {
			t.Errorf("HostAdd %q: got %s, want %s", tt.host, got, tt.want)
		}
	}
	if _, err := companies.HostRemove(t.Context(), theirs, "azul.api.example.com"); fmt.Sprint(err) != "refused: NOT_FOUND (host)" {
		t.Errorf("HostRemove of another company's: got %v", err)
	}
	if _, err := companies.HostRemove(t.Context(), ours, "AZUL.api.example.com"); err != nil {
		t.Error(err)
	}
	if _, err := companies.HostAdd(t.Context(), theirs, "azul.api.example.com"); err != nil {
		t.Errorf("HostAdd of a name that is free again: %v", err)
	}
	for i := range company.MaxHosts - 1 {
		if _, err := companies.HostAdd(t.Context(), ours, fmt.Sprintf("h%d.api.example.com", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := companies.HostAdd(t.Context(), ours, "h99.api.example.com"); fmt.Sprint(err) != "refused: STATE_CONFLICT (host)" {
		t.Errorf("HostAdd of one too many: got %v", err)
	}
	if all, err := companies.Hosts(t.Context(), e.company); err != nil || len(all) != company.MaxHosts || all[0].Name() != "h0.api.example.com" {
		t.Errorf("Hosts: got %d, error %v", len(all), err)
	}
}

// TestAnotherCompany: whoever is named in whatever way, another company's customers are
// not there.
func TestAnotherCompany(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.importKey(t, e.other(t), "elOtroToken")
	_, reader, err := e.auth.KeyCreate(t.Context(), auth.System(e.company), auth.KeyInput{
		Kind: auth.KeyServer, Name: "reader", Scopes: []auth.Scope{auth.CustomersRead},
	})
	if err != nil {
		t.Fatal(err)
	}
	as := []string{"Authorization", "Bearer elOtroToken"}
	for _, name := range []string{shownID(coreID(t, "cli_101")), "PRT-9f2c61d07b3e48aa", "ana.quispe@example.com"} {
		for _, got := range []answer{
			e.send(t, "GET", customers+"/"+name, nil, as...),
			e.json(t, customers+"/"+name+"/puntos/asignar", `{"puntos":1}`, as...),
			e.json(t, customers+"/"+name+"/puntos/descontar", `{"puntos":1}`, as...),
		} {
			if got.StatusCode != 404 || codeOf(got.body) != "cliente_no_encontrado" {
				t.Errorf("%s: got %d %s, want 404", name, got.StatusCode, got.body)
			}
		}
		if got := e.send(t, "GET", customers+"?buscar="+name, nil, as...).shown(t); got.Total != 0 || len(got.Clientes) != 0 {
			t.Errorf("search for %s: got %+v", name, got)
		}
		// A server that may read people sees no points, and moves none.
		for _, got := range []answer{
			e.send(t, "GET", customers+"/"+name, nil, "Authorization", "Bearer "+reader),
			e.json(t, customers+"/"+name+"/puntos/asignar", `{"puntos":1}`, "Authorization", "Bearer "+reader),
		} {
			if got.StatusCode != 401 || codeOf(got.body) != "token_invalido" {
				t.Errorf("%s for a server without the scope: got %d %s, want 401", name, got.StatusCode, got.body)
			}
		}
	}
	if got := e.json(t, customers, `{"nombres":"Ana","email":"ana.quispe@example.com","documento_de_identidad":"45678912"}`, as...); got.StatusCode != 201 {
		t.Errorf("the same person at another company: got %d %s", got.StatusCode, got.body)
	}
	e.same(t, 120, `SELECT trim_scale(sum(balance)) FROM card WHERE company_id = $1 AND customer_id = $2`, e.company, coreID(t, "cli_101"))
	if bytes.Contains([]byte(e.text(t, `SELECT string_agg(detail::text, ' ') FROM audit_entry`)), []byte("@")) {
		t.Error("the audit log holds an e-mail")
	}
}
