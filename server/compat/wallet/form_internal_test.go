package wallet

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func read(contentType, body string) (form, error) {
	r := httptest.NewRequest(http.MethodPost, "/wallet/sale?a=query", strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return readForm(httptest.NewRecorder(), r)
}

func multipartBody(t *testing.T, values ...string) (contentType, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(values); i += 2 {
		if err := w.WriteField(values[i], values[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	file, err := w.CreateFormFile("file", "f.txt")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(file, "no parameter"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.String()
}

func TestReadForm(t *testing.T) {
	t.Parallel()

	const form, object = "application/x-www-form-urlencoded", "application/json"
	parts, partsBody := multipartBody(t, "a", "1", "name", "Juan P\xe9rez", "a", "2", "empty", "")
	for _, tt := range []struct {
		name, contentType, body string
		want                    map[string]string
		unreadable              bool
	}{
		{name: "a form", contentType: form, body: "a=1&b=x+y%20z", want: map[string]string{"a": "1", "b": "x y z"}},
		{name: "a form of a named charset", contentType: "Application/X-WWW-Form-Urlencoded; charset=UTF-8", body: "a=1", want: map[string]string{"a": "1"}},
		{name: "a form with broken parameters of its type", contentType: form + "; charset", body: "a=1", want: map[string]string{"a": "1"}},
		{name: "no content type", body: "a=1", want: map[string]string{"a": "1"}},
		{name: "nothing at all", want: map[string]string{}},
		{name: "a semicolon is data", body: "a=1;b=2&c=3;", want: map[string]string{"a": "1;b=2", "c": "3;"}},
		{name: "the first = separates", body: "a==b=c&d", want: map[string]string{"a": "=b=c"}},
		{name: "the last one wins", body: "a=1&a=2&b=1&b=", want: map[string]string{"a": "2"}},
		{name: "escapes that are none", body: "a=100%&b=%zz&c=%4&d=%C3%A9&e%5B%5D=1", want: map[string]string{"a": "100%", "b": "%zz", "c": "%4", "d": "é", "e[]": "1"}},
		{name: "raw bytes", body: "a=Juan Pérez&b=\xe9&c=%E9&d=\xc3\xa9\xe9", want: map[string]string{"a": "Juan Pérez", "b": "é", "c": "é", "d": "Ã©é"}},
		{name: "values keep their space", body: "a=+1+", want: map[string]string{"a": " 1 "}},
		{name: "ampersands", body: "&&a=1&&=x&", want: map[string]string{"a": "1"}},
		{name: "an object", contentType: object + ";charset=utf-8", body: ` {"a":"é\n","b":10.50,"c":1E3,"d":true,"e":null,"f":"","g":[1],"h":{"a":"9"},"a":"2"}`,
			want: map[string]string{"a": "2", "b": "10.50", "c": "1E3", "d": "true"}},
		{name: "an object in Windows-1252", contentType: object, body: "{\"a\":\"\xe9\"}", want: map[string]string{"a": "é"}},
		{name: "an object behind a byte order mark", contentType: object, body: "\uFEFF{\"a\":\"1\"}", want: map[string]string{"a": "1"}},
		{name: "half an object", contentType: object, body: `{"a":`, unreadable: true},
		{name: "more than an object", contentType: object, body: `{"a":"1"} {}`, unreadable: true},
		{name: "a list", contentType: object, body: `[{"a":"1"}]`, unreadable: true},
		{name: "null", contentType: object, body: `null`, unreadable: true},
		{name: "JSON of nothing", contentType: object, unreadable: true},
		{name: "parts", contentType: parts, body: partsBody, want: map[string]string{"a": "2", "name": "Juan Pérez"}},
		{name: "half the parts", contentType: parts, body: partsBody[:len(partsBody)-20], unreadable: true},
		{name: "parts without a boundary", contentType: "multipart/form-data", body: partsBody, unreadable: true},
		{name: "another type", contentType: "text/xml", body: "a=1", unreadable: true},
		{name: "a type that is none", contentType: "/", body: "a=1", unreadable: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := read(tt.contentType, tt.body)
			if err != nil {
				t.Fatalf("readForm: %v", err)
			}
			if got.unreadable != tt.unreadable {
				t.Fatalf("unreadable: got %v, want %v", got.unreadable, tt.unreadable)
			}
			if diff := cmp.Diff(tt.want, got.values); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadFormLimit(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name  string
		bytes int
		want  error
	}{{"64 KiB", maxBody, nil}, {"one byte more", maxBody + 1, requestTooLarge}} {
		for _, told := range []bool{true, false} {
			r := httptest.NewRequest(http.MethodPost, "/wallet/sale", strings.NewReader(strings.Repeat("a", tt.bytes)))
			if !told {
				r.ContentLength = -1
			}
			if _, err := readForm(httptest.NewRecorder(), r); err != tt.want {
				t.Errorf("readForm of %s, length told: %v: got %v, want %v", tt.name, told, err, tt.want)
			}
		}
	}
}

func TestFormGet(t *testing.T) {
	t.Parallel()

	f, err := read("", "present=+x%09&blank=+%09%C2%A0&empty=")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, value string
		what        problem
	}{{"present", "x", 0}, {"blank", "", blank}, {"empty", "", absent}, {"missing", "", absent}} {
		if value, what := f.get(tt.name); value != tt.value || what != tt.what {
			t.Errorf("get(%s): got %q, %d, want %q, %d", tt.name, value, what, tt.value, tt.what)
		}
	}
	if got := f.raw("present"); got != " x\t" {
		t.Errorf("raw: got %q, want it untrimmed", got)
	}
}

// FuzzForm: no body makes the readers fail, values are always storable texts of
// some length, and what the standard library encodes is read back.
func FuzzForm(f *testing.F) {
	types := []string{"", "application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=b", "text/xml"}
	for i, body := range []string{
		"a=1&b=2", "a=%E9;&b=%&=&c", `{"a":1,"b":"x"}`, "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n", "<a/>",
		`{"a":{"b":[]},"c":-1.5e-7,"d":false}`, "a=%C3%A9+%zz", "--b\r\n\r\n--b--", `{"":""}`, "a=\xff\xfe",
	} {
		f.Add(uint8(i), body)
	}
	f.Fuzz(func(t *testing.T, kind uint8, body string) {
		contentType := types[int(kind)%len(types)]
		got, err := read(contentType, body)
		if len(body) > maxBody {
			if err != requestTooLarge {
				t.Fatalf("readForm of %d bytes: got %v, want %v", len(body), err, requestTooLarge)
			}
			return
		}
		if err != nil {
			t.Fatalf("readForm: %v", err)
		}
		if got.unreadable && len(got.values) > 0 {
			t.Errorf("unreadable, and has %d values", len(got.values))
		}
		for name, value := range got.values {
			if value == "" || !utf8.ValidString(value) || !utf8.ValidString(name) {
				t.Errorf("%q=%q: want some valid UTF-8", name, value)
			}
		}
		if body != "" && utf8.ValidString(body) && len(body) < 1000 {
			again, err := read(types[1], url.Values{"v": {body}}.Encode())
			if err != nil || again.raw("v") != body {
				t.Errorf("read back: got %q, %v, want %q", again.raw("v"), err, body)
			}
		}
	})
}
