package wallet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sello/loyalty/auth"
)

// newMethod serves one method's body behind the shim's sign-in.
func newMethod(t *testing.T, log io.Writer, serve serve) *httptest.Server {
	t.Helper()
	h := &handler{
		authenticate: func(context.Context, string) (auth.Principal, error) { return auth.Principal{}, nil },
		log:          slog.New(slog.NewJSONHandler(log, nil)),
	}
	server := httptest.NewServer(h.method(internalError, contactAddFault, serve))
	t.Cleanup(server.Close)
	return server
}

func call(t *testing.T, server *httptest.Server) (*http.Response, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("apikey", "k")
	response, err := server.Client().Do(r)
	if err != nil {
		return nil, "", err // cut before anything of it was sent
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, string(body), err
}

func TestStream(t *testing.T) {
	t.Parallel()

	more := "more"
	broken := errors.New("broken")
	for _, tt := range []struct {
		name    string
		pages   []page
		failsAt int // the page that cannot be read, counted from 1
		want    string
		cut     bool
	}{
		{name: "nothing", pages: []page{{}}, want: `{"success":true,"result":[],"code":"x"}`},
		{name: "one page", pages: []page{{rows: []any{1, "a<b>&"}}}, want: `{"success":true,"result":[1,"a<b>&"],"code":"x"}`},
		{name: "two pages", pages: []page{{rows: []any{1, 2}, next: &more}, {rows: []any{3}}}, want: `{"success":true,"result":[1,2,3],"code":"x"}`},
		{name: "an empty page between", pages: []page{{rows: []any{1}, next: &more}, {next: &more}, {rows: []any{3}}}, want: `{"success":true,"result":[1,3],"code":"x"}`},
		{name: "an empty first page", pages: []page{{next: &more}, {rows: []any{3}}}, want: `{"success":true,"result":[3],"code":"x"}`},
		{name: "a fault before it begins", pages: []page{{}}, failsAt: 1,
			want: `{"success":false,"message":"Error generar el contacto nuevo","status":500,"code":"wallet_manager_10"}`},
		{name: "a fault behind much", pages: []page{{rows: []any{strings.Repeat("x", 1<<20)}, next: &more}, {}}, failsAt: 2, cut: true},
		{name: "a fault in the middle", pages: []page{{rows: []any{1}, next: &more}, {}}, failsAt: 2, cut: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			server := newMethod(t, &log, func(w http.ResponseWriter, _ *http.Request, _ form) error {
				n := 0
				return stream(w, `"code":"x"`, func(after *string) (page, error) {
					n++
					if (after == nil) != (n == 1) {
						t.Errorf("page %d is read after %v", n, after)
					}
					if n == tt.failsAt {
						return page{}, broken
					}
					return tt.pages[n-1], nil
				})
			})

			response, body, err := call(t, server)

			if tt.cut != (err != nil) {
				t.Fatalf("reading the answer: got %q, %v, want it cut: %v", body, err, tt.cut)
			}
			if !tt.cut && (body != tt.want || response.Header.Get("Content-Type") != "application/json; charset=utf-8") {
				t.Errorf("got %s of %s, want %s", body, response.Header.Get("Content-Type"), tt.want)
			}
			server.Close() // the log is complete
			if logged := strings.Count(log.String(), "\n"); logged != min(tt.failsAt, 1) {
				t.Errorf("got %d lines in the log, want %d: %s", logged, min(tt.failsAt, 1), log.String())
			}
		})
	}
}

// TestPanic: a panic has the method's answer to a fault, and its value, which may
// be anything, is not logged.
func TestPanic(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	server := newMethod(t, &log, func(http.ResponseWriter, *http.Request, form) error { panic("phone 4771234567") })

	_, body, err := call(t, server)

	const want = `{"success":false,"message":"Error generar el contacto nuevo","status":500,"code":"wallet_manager_10"}`
	if err != nil || body != want {
		t.Errorf("got %s, %v, want %s", body, err, want)
	}
	server.Close()
	if text := log.String(); !strings.Contains(text, "wallet_internal_test.go") || strings.Contains(text, "4771234567") {
		t.Errorf("logged %q, want the stack and not the value", text)
	}
}
