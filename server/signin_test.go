package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sello/loyalty/auth"
	"sello/server"
)

const typename = `{"query":"{__typename}"}`

func (e *env) graphql(t *testing.T, c *http.Client, body string, headers ...string) answer {
	t.Helper()
	return send(t, c, http.MethodPost, e.URL+"/graphql", body, append(headers, "Content-Type", "application/json")...)
}

// TestGraphQLSignIn: who is nobody may ask, who claims to be somebody must be.
func TestGraphQLSignIn(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	token := e.token(t, "boss@acme.test")
	who, err := e.auth.Authenticate(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := e.auth.KeyCreate(t.Context(), who, auth.KeyInput{Kind: auth.KeyServer, Name: "k", Scopes: []auth.Scope{auth.CardsRead}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, authorization string
		status              int
	}{
		{"nobody", "", 200},
		{"operator", "Bearer " + token, 200},
		{"scheme in lower case", "bearer " + token, 200},
		{"key", "Bearer " + key, 200},
		{"wrong token", "Bearer " + token + "x", 401},
		{"wrong key", "Bearer " + key[:len(key)-1], 401},
		{"empty", "Bearer ", 401},
		{"other scheme", "Basic Ym9zczpib3Nz", 401},
	} {
		got := e.graphql(t, plain, typename, "Authorization", tt.authorization)
		if got.StatusCode != tt.status {
			t.Errorf("%s: got %d, want %d: %s", tt.name, got.StatusCode, tt.status, got.body)
		}
		if tt.status != 401 {
			continue
		}
		var body struct {
			Errors []struct {
				Extensions map[string]string `json:"extensions"`
			} `json:"errors"`
		}
		if err := json.Unmarshal([]byte(got.body), &body); err != nil || len(body.Errors) != 1 || strings.Contains(got.body, `"data"`) {
			t.Fatalf("%s: got %s", tt.name, got.body)
		}
		want := map[string]string{"code": "UNAUTHENTICATED", "requestId": got.Header.Get("X-Request-Id")}
		if diff := cmp.Diff(want, body.Errors[0].Extensions); diff != "" || got.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %s (-want +got):\n%s", tt.name, got.Header.Get("WWW-Authenticate"), diff)
		}
	}
	if got := e.graphql(t, plain, `{"query":"{__schema{queryType{name}}}"}`); !strings.Contains(got.body, "INTROSPECTION_DISABLED") {
		t.Errorf("introspection for nobody: got %s", got.body)
	}
	if got := e.graphql(t, plain, `{"query":"{__schema{queryType{name}}}"}`, "Authorization", "Bearer "+key); !strings.Contains(got.body, `"Query"`) {
		t.Errorf("introspection for a key: got %s", got.body)
	}
}

func TestSignInPage(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	const right = "company=acme&email=boss%40acme.test&password=correct+horse"
	for _, tt := range []struct {
		name, body, site, language string
		status                     int
		location, shows            string
	}{
		{"right", right, "same-origin", "", 303, "/graphiql/", ""},
		{"right, with a way on", right + "&next=%2Fjobs%2F%3Fstate%3Drunning", "same-origin", "", 303, "/jobs/?state=running", ""},
		{"a way to another site", right + "&next=https%3A%2F%2Fevil.test%2F", "same-origin", "", 303, "/graphiql/", ""},
		{"another site without a scheme", right + "&next=%2F%2Fevil.test%2F", "same-origin", "", 303, "/graphiql/", ""},
		{"another site by backslash", right + "&next=%2F%5Cevil.test%2F", "same-origin", "", 303, "/graphiql/", ""},
		{"a script", right + "&next=javascript%3Aalert%281%29", "same-origin", "", 303, "/graphiql/", ""},
		{"wrong password", "company=acme&email=boss%40acme.test&password=x", "same-origin", "", 401, "", "do not go together"},
		{"wrong password in Spanish", "company=acme&email=a%40b.c&password=x", "same-origin", "es-MX,en;q=0.5", 401, "", "no corresponden"},
		{"wrong password in Vietnamese", "company=acme&email=a%40b.c&password=x", "same-origin", "vi", 401, "", "không khớp"},
		{"nothing", "", "same-origin", "pt-BR", 401, "", "não correspondem"},
		{"markup in the form", "company=%22%3E%3Cscript%3E&email=a%40b.c", "same-origin", "", 401, "", "&lt;script&gt;"},
		{"from another site", right, "cross-site", "", 403, "", ""},
		{"from another name of the site", right, "same-site", "", 403, "", ""},
		{"too large", right + "&x=" + strings.Repeat("x", 9<<10), "same-origin", "", 413, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := send(t, plain, http.MethodPost, e.URL+"/sign-in", tt.body,
				"Content-Type", form, "Sec-Fetch-Site", tt.site, "Accept-Language", tt.language)
			if got.StatusCode != tt.status || got.Header.Get("Location") != tt.location {
				t.Errorf("got %d to %q, want %d to %q", got.StatusCode, got.Header.Get("Location"), tt.status, tt.location)
			}
			if !strings.Contains(got.body, tt.shows) || strings.Contains(got.body, "<script") || strings.Contains(got.body, "horse") {
				t.Errorf("want %q in\n%s", tt.shows, got.body)
			}
			if cookies := len(got.Cookies()); (cookies == 1) != (tt.status == 303) {
				t.Errorf("got %d cookies", cookies)
			}
		})
	}
}

func TestSessionCookie(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ base, name, attributes string }{
		{"http://localhost:8080", "sello", "; Path=/; Max-Age=*; HttpOnly; SameSite=Lax"},
		{"https://sello.test", "__Host-sello", "; Path=/; Max-Age=*; HttpOnly; Secure; SameSite=Lax"},
	} {
		e := newEnv(t, func(c *server.Config) { c.BaseURL = tt.base })
		got := send(t, plain, http.MethodPost, e.URL+"/sign-in",
			"company=acme&email=boss%40acme.test&password=correct+horse", "Content-Type", form, "Origin", e.URL)
		c := got.Cookies()[0]
		if days := c.MaxAge / 86_400; c.Name != tt.name || days < 29 || days > 30 {
			t.Errorf("%s: got %q for %d days", tt.base, c.Name, days)
		}
		raw := got.Header.Get("Set-Cookie")
		_, attributes, _ := strings.Cut(raw, ";")
		before, rest, _ := strings.Cut(";"+attributes, "Max-Age=")
		_, after, _ := strings.Cut(rest, ";")
		if masked := before + "Max-Age=*;" + after; masked != tt.attributes {
			t.Errorf("%s: got %q, want %q", tt.base, masked, tt.attributes)
		}

		// The cookie speaks GraphQL too, from the site's own pages only.
		cookie := c.Name + "=" + c.Value
		for _, tt := range []struct {
			name, site string
			status     int
		}{{"own page", "same-origin", 200}, {"another site's page", "cross-site", 403}, {"no proof", "", 403}} {
			headers := []string{"Cookie", cookie}
			if tt.site != "" {
				headers = append(headers, "Sec-Fetch-Site", tt.site)
			}
			if got := e.graphql(t, plain, typename, headers...); got.StatusCode != tt.status {
				t.Errorf("%s: got %d, want %d: %s", tt.name, got.StatusCode, tt.status, got.body)
			}
		}

		// Signed out, it is worth nothing, and other sites cannot sign anybody out.
		if got := send(t, plain, http.MethodPost, e.URL+"/sign-out", "", "Cookie", cookie, "Sec-Fetch-Site", "cross-site"); got.StatusCode != 403 {
			t.Errorf("sign-out from another site: got %d, want 403", got.StatusCode)
		}
		if got := send(t, plain, http.MethodGet, e.URL+"/sign-in", "", "Cookie", cookie); !strings.Contains(got.body, "boss@acme.test") {
			t.Errorf("the page does not say who is signed in:\n%s", got.body)
		}
		got = send(t, plain, http.MethodPost, e.URL+"/sign-out", "", "Cookie", cookie, "Sec-Fetch-Site", "same-origin")
		if got.StatusCode != 303 || len(got.Cookies()) != 1 || got.Cookies()[0].MaxAge >= 0 {
			t.Errorf("sign-out: got %d, cookies %v", got.StatusCode, got.Cookies())
		}
		if got := send(t, plain, http.MethodGet, e.URL+"/sign-in", "", "Cookie", cookie); strings.Contains(got.body, "boss@acme.test") {
			t.Error("the old cookie still signs in")
		}
	}
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(c *server.Config) { c.Rates = server.Rates{Principal: 3, Address: 2, Failures: 2} })
	boss, root := "Bearer "+e.token(t, "boss@acme.test"), "Bearer "+e.token(t, "root@acme.test")
	for _, tt := range []struct {
		name, authorization string
		want                []int
	}{
		{"an address", "", []int{200, 200, 429}},
		{"a principal", boss, []int{200, 200, 200, 429}},
		{"wrong credentials", "Bearer x", []int{401, 401, 429}},
		{"another principal of the same address", root, []int{200}},
	} {
		for i, want := range tt.want {
			got := e.graphql(t, plain, typename, "Authorization", tt.authorization)
			if got.StatusCode != want {
				t.Errorf("%s, request %d: got %d, want %d", tt.name, i+1, got.StatusCode, want)
			}
			if wait := got.Header.Get("Retry-After"); (wait != "") != (want == 429) {
				t.Errorf("%s, request %d: Retry-After is %q", tt.name, i+1, wait)
			}
		}
	}
}
