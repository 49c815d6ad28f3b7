package graphiql_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sello/server/graphiql"
)

// get asks a fresh handler; headers are name, value pairs.
func get(t *testing.T, method, target string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	graphiql.Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) []byte {
	t.Helper()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("read the body: %v", err)
	}
	return content
}

// assets returns the names below dist/assets as the build wrote them.
func assets(t *testing.T) []string {
	t.Helper()
	names, err := fs.Glob(os.DirFS("dist"), "assets/*")
	if err != nil || len(names) == 0 {
		t.Fatalf("list dist/assets: got %d names, error %v", len(names), err)
	}
	return names
}

func TestPage(t *testing.T) {
	t.Parallel()

	res := get(t, http.MethodGet, "/graphiql/")
	page := string(body(t, res))

	if res.StatusCode != http.StatusOK {
		t.Fatalf("GET /graphiql/: got %d, want 200", res.StatusCode)
	}
	for name, want := range map[string]string{
		"Content-Type":           "text/html; charset=utf-8",
		"Cache-Control":          "no-cache",
		"X-Content-Type-Options": "nosniff",
		"Content-Length":         strconv.Itoa(len(page)),
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if strings.Contains(page, "://") {
		t.Errorf("the page names another host:\n%s", page)
	}

	// Every file the page names is served, so that a half-committed build fails here.
	links := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(links) < 3 {
		t.Fatalf("the page links %d files, want at least script, style and icon:\n%s", len(links), page)
	}
	for _, link := range links {
		if res := get(t, http.MethodGet, path.Join("/graphiql", link[1])); res.StatusCode != http.StatusOK {
			t.Errorf("GET %s, named by the page: got %d, want 200", link[1], res.StatusCode)
		}
	}
}

func TestPageRevalidates(t *testing.T) {
	t.Parallel()

	etag := get(t, http.MethodGet, "/graphiql/").Header.Get("ETag")
	for _, tt := range []struct {
		name, header string
		want         int
	}{
		{"same", etag, http.StatusNotModified},
		{"weak, in a list", `"other", W/` + etag, http.StatusNotModified},
		{"another", `"other"`, http.StatusOK},
	} {
		res := get(t, http.MethodGet, "/graphiql/", "If-None-Match", tt.header)
		if res.StatusCode != tt.want {
			t.Errorf("%s (%s): got %d, want %d", tt.name, tt.header, res.StatusCode, tt.want)
		}
		if n := len(body(t, res)); tt.want == http.StatusNotModified && n != 0 {
			t.Errorf("%s: got a body of %d bytes with 304, want none", tt.name, n)
		}
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()

	want := []string{
		"default-src 'self'",
		"worker-src 'self' blob:",
		"style-src 'self' 'unsafe-inline'",
		"connect-src 'self' ws: wss:",
		"img-src 'self' data:",
		"font-src 'self' data:",
		"object-src 'none'",
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
	}
	// A worker obeys the policy of its own answer, so files carry it too.
	for _, target := range []string{"/graphiql/", "/graphiql", "/graphiql/nothing", "/graphiql/" + assets(t)[0]} {
		got := strings.Split(get(t, http.MethodGet, target).Header.Get("Content-Security-Policy"), "; ")
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("policy of %s: got %q, want %q", target, got, want)
		}
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()

	types := map[string]string{
		".js":  "text/javascript; charset=utf-8",
		".css": "text/css; charset=utf-8",
		".svg": "image/svg+xml",
		".ttf": "font/ttf",
	}
	seen := make(map[string]bool)
	for _, name := range assets(t) {
		stored, err := os.ReadFile("dist/" + name)
		if err != nil {
			t.Fatal(err)
		}
		address, packed := strings.CutSuffix(name, ".gz")
		plain := stored
		if packed {
			plain = unpack(t, stored)
		}
		seen[path.Ext(address)] = true

		for _, tt := range []struct {
			accept, encoding string
			content          []byte
		}{
			{accept: "gzip, deflate, br", encoding: map[bool]string{true: "gzip"}[packed], content: stored},
			{accept: "identity", content: plain},
		} {
			res := get(t, http.MethodGet, "/graphiql/"+address, "Accept-Encoding", tt.accept)
			if res.StatusCode != http.StatusOK {
				t.Fatalf("GET %s (%s): got %d, want 200", address, tt.accept, res.StatusCode)
			}
			for header, want := range map[string]string{
				"Content-Type":     types[path.Ext(address)],
				"Content-Encoding": tt.encoding,
				"Content-Length":   strconv.Itoa(len(tt.content)),
				"Cache-Control":    "public, max-age=31536000, immutable",
				"Vary":             map[bool]string{true: "Accept-Encoding"}[packed],
			} {
				if got := res.Header.Get(header); got != want {
					t.Errorf("%s (%s): %s: got %q, want %q", address, tt.accept, header, got, want)
				}
			}
			if got := body(t, res); !bytes.Equal(got, tt.content) {
				t.Errorf("%s (%s): got %d bytes that differ from the %d wanted", address, tt.accept, len(got), len(tt.content))
			}
		}
	}
	for ext := range types {
		if !seen[ext] {
			t.Errorf("the build has no %s file", ext)
		}
	}
}

func unpack(t *testing.T, packed []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatalf("read gzip: %v", err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("unpack: %v", err)
	}
	return plain
}

func TestEncodingChoice(t *testing.T) {
	t.Parallel()

	target := "/graphiql/licenses.md"
	etags := make(map[string]string)
	for _, tt := range []struct {
		name    string
		headers []string
		want    string
	}{
		{name: "no header", want: ""},
		{name: "gzip", headers: []string{"gzip"}, want: "gzip"},
		{name: "gzip with quality", headers: []string{"br;q=1, GZIP;q=0.5"}, want: "gzip"},
		{name: "gzip refused", headers: []string{"gzip;q=0"}, want: ""},
		{name: "gzip refused with decimals", headers: []string{"*, gzip; q=0.000"}, want: ""},
		{name: "star", headers: []string{"*"}, want: "gzip"},
		{name: "star refused", headers: []string{"identity, *;q=0"}, want: ""},
		{name: "second header line", headers: []string{"br", "gzip"}, want: "gzip"},
		{name: "another coding", headers: []string{"br, zstd"}, want: ""},
	} {
		var headers []string
		for _, value := range tt.headers {
			headers = append(headers, "Accept-Encoding", value)
		}
		res := get(t, http.MethodGet, target, headers...)
		if got := res.Header.Get("Content-Encoding"); got != tt.want {
			t.Errorf("%s: Content-Encoding: got %q, want %q", tt.name, got, tt.want)
		}
		etags[tt.want] = res.Header.Get("ETag")
	}
	if etags[""] == etags["gzip"] {
		t.Errorf("both encodings have the ETag %s, want two", etags[""])
	}
}

func TestHead(t *testing.T) {
	t.Parallel()

	res := get(t, http.MethodHead, "/graphiql/licenses.md", "Accept-Encoding", "identity")
	whole := len(body(t, get(t, http.MethodGet, "/graphiql/licenses.md")))
	if got := res.Header.Get("Content-Length"); got != strconv.Itoa(whole) {
		t.Errorf("Content-Length: got %s, want %d", got, whole)
	}
	if n := len(body(t, res)); n != 0 {
		t.Errorf("HEAD: got a body of %d bytes, want none", n)
	}
}

func TestRedirect(t *testing.T) {
	t.Parallel()

	server := httptest.NewServer(graphiql.Handler())
	t.Cleanup(server.Close)
	res, err := server.Client().Get(server.URL + "/graphiql?query=%7Ba%7D")
	if err != nil {
		t.Fatalf("GET /graphiql: %v", err)
	}
	defer res.Body.Close()

	if got, want := res.Request.URL.RequestURI(), "/graphiql/?query=%7Ba%7D"; got != want {
		t.Errorf("GET /graphiql ends at %s, want %s", got, want)
	}
	if res.StatusCode != http.StatusOK {
		t.Errorf("GET /graphiql: got %d after the redirect, want 200", res.StatusCode)
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()

	packed := ""
	for _, name := range assets(t) {
		if strings.HasSuffix(name, ".gz") {
			packed = name
		}
	}
	for _, tt := range []struct {
		name, method, target string
		want                 int
	}{
		{"unknown file", http.MethodGet, "/graphiql/assets/none.js", http.StatusNotFound},
		{"unknown page", http.MethodGet, "/graphiql/schema", http.StatusNotFound},
		{"a folder", http.MethodGet, "/graphiql/assets/", http.StatusNotFound},
		{"the stored name of a packed file", http.MethodGet, "/graphiql/" + packed, http.StatusNotFound},
		{"a path that climbs", http.MethodGet, "/graphiql/../graphiql.go", http.StatusNotFound},
		{"another place", http.MethodGet, "/", http.StatusNotFound},
		{"a write", http.MethodPost, "/graphiql/", http.StatusMethodNotAllowed},
	} {
		res := get(t, tt.method, tt.target)
		if res.StatusCode != tt.want {
			t.Errorf("%s (%s %s): got %d, want %d", tt.name, tt.method, tt.target, res.StatusCode, tt.want)
		}
		if got := res.Header.Get("Cache-Control"); strings.Contains(got, "immutable") {
			t.Errorf("%s: a refusal may be cached for ever: %q", tt.name, got)
		}
	}
}

// TestSize holds the promise that the explorer stays small in the repository.
func TestSize(t *testing.T) {
	t.Parallel()

	total := int64(0)
	err := fs.WalkDir(os.DirFS("dist"), ".", func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		total += info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if limit := int64(3_000_000); total > limit {
		t.Errorf("dist holds %d bytes, want at most %d", total, limit)
	}
}
