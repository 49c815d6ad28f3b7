package pretii_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"strings"
	"testing"

	"github.com/google/uuid"

	"sello/loyalty/auth"
	"sello/server/compat/pretii"
)

const (
	host   = "bluepoints.api.example.com"
	upload = "/api/v1/importaciones/puntos"
	file   = "nombres,email,puntos\nAna,ana.quispe@example.com,10\n"
)

// codeOf is the codigo of an error's answer.
func codeOf(body string) string {
	_, rest, _ := strings.Cut(body, `{"error":{"codigo":"`)
	code, _, _ := strings.Cut(rest, `"`)
	return code
}

// TestAccess holds the order host, token, path and verb, size, type of
// spec/pretii.md 2.1, and who gets in.
func TestAccess(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	other := e.other(t)
	e.importKey(t, other, "elOtroToken")
	e.importKey(t, e.company, "eyJ0b2tlbg.con.puntos")
	_, err := e.auth.OperatorCreate(t.Context(), auth.System(e.company), auth.OperatorInput{
		Email: "boss@example.com", Name: "Boss", Password: "correct horse", Scopes: auth.CompanyScopes(),
	})
	if err != nil {
		t.Fatal(err)
	}
	session, err := e.auth.SignIn(t.Context(), auth.Credentials{Company: "bluepoints", Email: "boss@example.com", Password: "correct horse"})
	if err != nil {
		t.Fatal(err)
	}
	_, reader, err := e.auth.KeyCreate(t.Context(), auth.System(e.company), auth.KeyInput{
		Kind: auth.KeyServer, Name: "reader", Scopes: []auth.Scope{auth.ImportsRead},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, wallet, err := e.auth.KeyCreate(t.Context(), auth.System(e.company), auth.KeyInput{Kind: auth.KeyWallet, Name: "till"})
	if err != nil {
		t.Fatal(err)
	}

	const unknown = "/api/v1/importaciones/imp_404"
	for _, tt := range []struct {
		name, method, path, host, authorization, apiToken string
		status                                            int
		code                                              string
	}{
		{"the token", "GET", unknown, host, "Bearer " + token, "", 404, "importacion_no_encontrada"},
		{"the alias", "GET", unknown, host, "", token, 404, "importacion_no_encontrada"},
		{"a token that looks like a JWT", "GET", unknown, host, "Bearer eyJ0b2tlbg.con.puntos", "", 404, "importacion_no_encontrada"},
		{"an operator", "GET", unknown, host, "Bearer " + session.AccessToken, "", 404, "importacion_no_encontrada"},
		{"a server key", "GET", unknown, host, "Bearer " + reader, "", 404, "importacion_no_encontrada"},
		{"a server key that may only read", "POST", upload, host, "Bearer " + reader, "", 401, "token_invalido"},
		{"a key of another dialect", "GET", unknown, host, "Bearer " + wallet, "", 401, "token_invalido"},
		{"no token", "GET", unknown, host, "", "", 401, "token_invalido"},
		{"another scheme", "GET", unknown, host, "Basic " + token, token, 401, "token_invalido"},
		{"wrong token", "GET", unknown, host, "Bearer x", "", 401, "token_invalido"},
		{"another company's token", "GET", unknown, host, "Bearer elOtroToken", "", 401, "token_invalido"},
		{"its own host", "GET", unknown, "GREENPOINTS.api.example.com:8080", "Bearer elOtroToken", "", 404, "importacion_no_encontrada"},
		{"a host without a company", "GET", unknown, "redpoints.api.example.com", "Bearer " + token, "", 404, "no_encontrado"},
		{"such a host comes before the token", "GET", unknown, "redpoints.api.example.com", "", "", 404, "no_encontrado"},
		{"a host of another domain", "GET", unknown, "127.0.0.1", "Bearer elOtroToken", "", 404, "importacion_no_encontrada"},
		{"the token comes before the path", "GET", "/api/v1/nada", host, "", "", 401, "token_invalido"},
		{"unknown path", "GET", "/api/v1/nada", host, "Bearer " + token, "", 404, "no_encontrado"},
		{"the API itself", "GET", "/api/v1", host, "Bearer " + token, "", 404, "no_encontrado"},
		{"wrong verb", "GET", upload, host, "Bearer " + token, "", 405, "metodo_no_permitido"},
		{"wrong verb on an import", "DELETE", unknown, host, "Bearer " + token, "", 405, "metodo_no_permitido"},
		{"error file of an unknown import", "GET", "/api/v1/importaciones/" + "imp_" + strings.Repeat("0", 32) + "/errores.csv", host, "Bearer " + token, "", 404, "importacion_no_encontrada"},
		{"an id of another form", "GET", "/api/v1/importaciones/" + uuid.NewString(), host, "Bearer " + token, "", 404, "importacion_no_encontrada"},
	} {
		got := e.send(t, tt.method, tt.path, strings.NewReader(file), "Host", tt.host, "Authorization", tt.authorization,
			"X-Api-Token", tt.apiToken, "Content-Type", "text/csv")
		if code := codeOf(got.body); got.StatusCode != tt.status || code != tt.code {
			t.Errorf("%s: got %d %s, want %d %s", tt.name, got.StatusCode, got.body, tt.status, tt.code)
		}
		if asks := got.Header.Get("WWW-Authenticate"); (asks == "Bearer") != (tt.status == 401) {
			t.Errorf("%s: WWW-Authenticate is %q", tt.name, asks)
		}
		if allow := got.Header.Get("Allow"); (allow != "") != (tt.status == 405) {
			t.Errorf("%s: Allow is %q", tt.name, allow)
		}
	}
	e.same(t, 0, `SELECT count(*) FROM import`)
}

// TestIsolation: another company's import is not there, by any route, and the
// same bytes of two companies are two imports.
func TestIsolation(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	other := e.other(t)
	e.importKey(t, other, "elOtroToken")
	ours := e.send(t, "POST", upload, strings.NewReader(file), "Content-Type", "text/csv")
	if ours.StatusCode != 202 {
		t.Fatalf("got %d %s", ours.StatusCode, ours.body)
	}
	e.settle(t)
	location := ours.Header.Get("Location")
	if got := e.send(t, "GET", location, nil); got.StatusCode != 200 || !strings.Contains(got.body, `"estado":"terminada"`) {
		t.Errorf("our own: got %d %s", got.StatusCode, got.body)
	}
	for _, p := range []string{location, location + "/errores.csv"} {
		if got := e.send(t, "GET", p, nil, "Authorization", "Bearer elOtroToken"); got.StatusCode != 404 || codeOf(got.body) != "importacion_no_encontrada" {
			t.Errorf("another company reads %s: got %d %s", p, got.StatusCode, got.body)
		}
	}
	theirs := e.send(t, "POST", upload, strings.NewReader(file), "Content-Type", "text/csv", "Authorization", "Bearer elOtroToken")
	if theirs.StatusCode != 202 || path.Base(theirs.Header.Get("Location")) == path.Base(location) {
		t.Errorf("another company's same bytes: got %d %s", theirs.StatusCode, theirs.body)
	}
	e.settle(t)
	e.same(t, 1, `SELECT count(*) FROM customer WHERE company_id = $1`, other)
	e.same(t, 3, `SELECT count(*) FROM customer WHERE company_id = $1`, e.company)
}

// form is a multipart body of parts "name|file name|content".
func form(parts ...string) (body, contentType string) {
	var b strings.Builder
	for _, p := range parts {
		f := strings.SplitN(p, "|", 3)
		named := ""
		if f[1] != "" {
			named = fmt.Sprintf("; filename=%q", f[1])
		}
		fmt.Fprintf(&b, "--cut\r\nContent-Disposition: form-data; name=%q%s\r\n\r\n%s\r\n", f[0], named, f[2])
	}
	return b.String() + "--cut--\r\n", "multipart/form-data; boundary=cut"
}

func TestUploadForms(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(c *pretii.Config) { c.MaxBytes = 3 << 20 })
	rows := func(bytes int) string {
		return "nombres,email\n" + strings.Repeat("Ana,ana.quispe@example.com\n", bytes/27)
	}
	for _, tt := range []struct {
		name   string
		parts  []string
		status int
		want   string
	}{
		{"fields behind the file", []string{"archivo|a.csv|" + file, "email||x@example.com", "forzar||1"}, 202, `"archivo":"a.csv"`},
		{"the same again, forced", []string{"archivo|b.csv|" + file, "forzar||true"}, 202, `"archivo":"b.csv"`},
		{"larger than memory", []string{"archivo|c.csv|" + rows(2<<20), "forzar||1", "email||y@example.com"}, 202, `"archivo":"c.csv"`},
		{"a path as the name", []string{`archivo|C:\\tmp\\d.csv|` + file + "\n", "email||z@example.com"}, 202, `"archivo":"d.csv"`},
		{"larger than allowed", []string{"archivo|e.csv|" + rows(4<<20)}, 413, "archivo_muy_grande"},
		{"a little larger than allowed", []string{"archivo|e.csv|" + strings.Repeat("x", 3<<20+1)}, 413, "archivo_muy_grande"},
		{"no file", []string{"email||x@example.com"}, 422, `"campos":{"archivo":`},
		{"bad recipient", []string{"archivo|f.csv|" + file + "\n\n", "email||x@"}, 422, `"campos":{"email":"El email no es válido."}`},
		{"too many fields", append(slicesRepeat("email||x@example.com", 30), "archivo|g.csv|"+file), 422, `"archivo"`},
	} {
		body, media := form(tt.parts...)
		got := e.send(t, "POST", upload, strings.NewReader(body), "Content-Type", media)
		if got.StatusCode != tt.status || !strings.Contains(got.body, tt.want) {
			t.Errorf("%s: got %d %.300s, want %d with %s", tt.name, got.StatusCode, got.body, tt.status, tt.want)
		}
	}
	for recipient, n := range map[string]int{"x@example.com": 1, "y@example.com": 1, "z@example.com": 1} {
		e.same(t, n, `SELECT count(*) FROM import WHERE recipient = $1`, recipient)
	}
	e.same(t, 3, `SELECT count(*) FROM import WHERE forced`)
	body, media := form("archivo|x.csv|" + file + "\n\n\n")
	if got := e.send(t, "POST", upload, strings.NewReader(body[:len(body)/2]), "Content-Type", media); got.StatusCode != 422 {
		t.Errorf("a form that is cut off: got %d %s, want 422", got.StatusCode, got.body)
	}
	if got := e.send(t, "POST", upload, strings.NewReader(body), "Content-Type", "multipart/form-data"); got.StatusCode != 415 {
		t.Errorf("a form without a boundary: got %d %s, want 415", got.StatusCode, got.body)
	}
	e.settle(t)
}

func slicesRepeat(s string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}

func TestUploadSizes(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(c *pretii.Config) { c.MaxBytes = 1 << 20 })
	tooLarge := bytes.Repeat([]byte("x"), 1<<20+1)
	for name, body := range map[string]io.Reader{
		"announced":     bytes.NewReader(tooLarge),
		"not announced": io.MultiReader(bytes.NewReader(tooLarge)),
	} {
		got := e.send(t, "POST", upload, body, "Content-Type", "text/csv")
		if got.StatusCode != 413 || codeOf(got.body) != "archivo_muy_grande" {
			t.Errorf("%s: got %d %s, want 413", name, got.StatusCode, got.body)
		}
	}
	exact := append([]byte(file), bytes.Repeat([]byte("\n"), 1<<20-len(file))...)
	if got := e.send(t, "POST", upload+"?archivo=n%F3mina.csv", bytes.NewReader(exact), "Content-Type", "text/csv; charset=x"); got.StatusCode != 202 || !strings.Contains(got.body, `"archivo":"nómina.csv"`) {
		t.Errorf("exactly the limit, Windows-1252 in the query: got %d %s", got.StatusCode, got.body)
	}
	e.settle(t)
	e.same(t, 1, `SELECT count(*) FROM import`)
}

// TestBrokenUpload: a client that goes away in the middle leaves nothing behind.
func TestBrokenUpload(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(e.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: text/csv\r\nContent-Length: 1000\r\n\r\n%s", upload, token, file)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if response, err := http.ReadResponse(bufio.NewReader(conn), nil); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		t.Errorf("got %v %v, want the connection to be closed", response, err)
	}
	_ = conn.Close()
	e.same(t, 0, `SELECT count(*) FROM import`)
	e.same(t, 0, `SELECT count(*) FROM import_row`)
}

type oneRequest struct{ n int }

func (l *oneRequest) OnLimit(w http.ResponseWriter, _ *http.Request, _ string) bool {
	l.n++
	w.Header().Set("Retry-After", "60")
	return l.n > 1
}

func TestRates(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(c *pretii.Config) { c.Requests, c.Failures = &oneRequest{}, &oneRequest{} })
	for _, tt := range []struct {
		token string
		want  []int
	}{{token, []int{404, 429}}, {"x", []int{401, 429}}} {
		for _, want := range tt.want {
			got := e.send(t, "GET", "/api/v1/nada", nil, "Authorization", "Bearer "+tt.token)
			if got.StatusCode != want || want == 429 && (codeOf(got.body) != "demasiadas_solicitudes" || got.Header.Get("Retry-After") == "") {
				t.Errorf("token %s: got %d %s, want %d", tt.token, got.StatusCode, got.body, want)
			}
		}
	}
}
