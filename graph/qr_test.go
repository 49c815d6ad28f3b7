package graph_test

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"

	"sello/graph/graphtest"
	"sello/loyalty/auth"
	"sello/loyalty/qr"
)

// TestQRImages: the picture of a customer's QR code over HTTP and in GraphQL is that of
// the text, for who may read customers and nobody else.
func TestQRImages(t *testing.T) {
	t.Parallel()
	env := graphtest.New(t)
	c, other := env.Company(t, "shop"), env.Company(t, "other")
	c.Fill(t, 1)
	who := c.Names.Customers[0]
	path := "/api/v1/customers/" + who.GlobalID() + "/qr"
	get := func(credential, path string) (*http.Response, []byte) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, env.Server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if credential != "" {
			r.Header.Set("Authorization", "Bearer "+credential)
		}
		response, err := env.Server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response, body
	}
	for _, tt := range []struct {
		name, credential, path string
		status                 int
		media                  string
	}{
		{"PNG", c.Key, path + ".png", 200, "image/png"},
		{"SVG of a size", c.Key, path + ".svg?size=300", 200, "image/svg+xml"},
		{"another format", c.Key, path + ".gif", 404, ""},
		{"too large", c.Key, path + ".png?size=5000", 400, ""},
		{"no size", c.Key, path + ".png?size=x", 400, ""},
		{"nobody", "", path + ".png", 401, ""},
		{"without the scope", c.KeyWith(t, auth.CardsRead), path + ".png", 403, ""},
		{"with it alone", c.KeyWith(t, auth.CustomersRead), path + ".png", 200, "image/png"},
		{"another company", other.Key, path + ".png", 404, ""},
		{"no such customer", c.Key, "/api/v1/customers/" + nobody + "/qr.png", 404, ""},
		{"no id", c.Key, "/api/v1/customers/x/qr.svg", 404, ""},
	} {
		got, body := get(tt.credential, tt.path)
		if got.StatusCode != tt.status || tt.media != "" && got.Header.Get("Content-Type") != tt.media {
			t.Errorf("%s: got %d %s %.200s, want %d %s", tt.name, got.StatusCode, got.Header.Get("Content-Type"), body, tt.status, tt.media)
		}
		if tt.status != 200 {
			continue
		}
		format, size := qr.PNG, qr.DefaultSize
		if tt.media != "image/png" {
			format, size = qr.SVG, 300
		}
		want, err := qr.Draw(who.QrCode, format, size)
		if err != nil || !bytes.Equal(body, want) {
			t.Errorf("%s: got another picture (%v)", tt.name, err)
		}
		if cache := got.Header.Get("Cache-Control"); !strings.Contains(cache, "no-store") {
			t.Errorf("%s: Cache-Control is %q", tt.name, cache)
		}
	}
	a := c.Query(t, `query { customer(email: "maria0@shop.example") { png: qrImage(format: PNG, size: 128) svg: qrImage } }`, nil)
	content, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(a.Text("customer", "png"), "data:image/png;base64,"))
	if err != nil {
		t.Fatal(err)
	}
	if picture, err := png.Decode(bytes.NewReader(content)); err != nil || picture.Bounds().Dx() > 128 {
		t.Errorf("qrImage: got %v, error %v", picture, err)
	}
	if svg := a.Text("customer", "svg"); !strings.HasPrefix(svg, "data:image/svg+xml;base64,") {
		t.Errorf("qrImage: got %.60s", svg)
	}
}
