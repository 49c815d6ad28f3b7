package server

import (
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestClientAddress(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, tt := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"direct", "192.0.2.7:1234", nil, "192.0.2.7"},
		{"direct, with a claim", "192.0.2.7:1234", []string{"198.51.100.1"}, "192.0.2.7"},
		{"one proxy", "10.1.1.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "10.1.1.1:1", []string{"198.51.100.1, 10.2.2.2"}, "198.51.100.1"},
		{"two headers", "10.1.1.1:1", []string{"198.51.100.1", "10.2.2.2"}, "198.51.100.1"},
		{"a claim before the proxy's word", "10.1.1.1:1", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1"},
		{"nonsense before the proxy's word", "10.1.1.1:1", []string{"<script>, 198.51.100.1"}, "198.51.100.1"},
		{"nonsense", "10.1.1.1:1", []string{"unknown"}, "10.1.1.1"},
		{"a proxy that says nothing", "10.1.1.1:1", nil, "10.1.1.1"},
		{"mapped", "[::ffff:192.0.2.7]:1", nil, "192.0.2.7"},
		{"v6 behind a proxy", "[fd00::1]:1", []string{"2001:db8::5"}, "2001:db8::5"},
		{"no network", "@", []string{"198.51.100.1"}, ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tt.peer
		r.Header["X-Forwarded-For"] = tt.forwarded
		if got := clientAddress(r, proxies); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}
