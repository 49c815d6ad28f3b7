package webhook

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sello/loyalty"
)

// TestPublic holds addresses against what is on the public internet.
func TestPublic(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"93.184.216.34": true, "8.8.8.8": true, "100.63.255.255": true, "100.128.0.0": true, "172.15.255.255": true, "172.32.0.0": true,
		"192.167.255.255": true, "192.169.0.0": true, "198.17.255.255": true, "198.20.0.0": true, "223.255.255.255": true, "1.0.0.0": true,
		"2606:2800:220:1:248:1893:25c8:1946": true, "2a00:1450:4001:80b::200e": true, "::ffff:8.8.8.8": true,

		"0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "10.255.255.255": false, "100.64.0.1": false, "100.127.255.255": false,
		"127.0.0.1": false, "127.255.255.254": false, "169.254.169.254": false, "172.16.0.1": false, "172.31.255.255": false,
		"192.0.0.1": false, "192.0.0.170": false, "192.0.2.1": false, "192.88.99.1": false, "192.168.0.1": false, "198.18.0.1": false,
		"198.19.255.255": false, "198.51.100.7": false, "203.0.113.7": false, "224.0.0.1": false, "239.255.255.255": false,
		"240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:169.254.169.254": false,
		"::127.0.0.1": false, "::ffff:0:127.0.0.1": false, "64:ff9b::127.0.0.1": false, "64:ff9b::8.8.8.8": false, "64:ff9b:1::1": false,
		"100::1": false, "2001::1": false, "2001:0:4136:e378:8000:63bf:3fff:fdd2": false, "2001:10::1": false, "2001:db8::1": false,
		"2002:7f00:1::1": false, "2002:a00:1::": false, "3fff::1": false, "5f00::1": false, "fc00::1": false, "fd12:3456:789a::1": false,
		"fe80::1": false, "fe80::1%eth0": false, "fec0::1": false, "ff02::1": false, "ff0e::1": false, "2606:4700::1%eth0": false,
	} {
		addr := netip.MustParseAddr(text)
		if got := public(addr); got != want {
			t.Errorf("public(%s): got %t, want %t", text, got, want)
		}
		err := refusePrivate("tcp", net.JoinHostPort(text, "443"), nil)
		if errors.Is(err, ErrAddressRefused) == want {
			t.Errorf("dialling %s: got %v", text, err)
		}
	}
	for _, text := range []string{"", "nonsense", "example.com:443", "127.0.0.1"} {
		if err := refusePrivate("tcp", text, nil); !errors.Is(err, ErrAddressRefused) {
			t.Errorf("dialling %q: got %v", text, err)
		}
	}
}

// TestHosts are the spellings by which people get at what is not public; those
// that pass here meet the dialler.
func TestHosts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]loyalty.Code{
		"https://example.com/hooks?x=1": "", "https://example.com:8443/": "", "https://EXAMPLE.com": "", "https://a.b-c.example.com.": "",
		"https://8.8.8.8/": "", "https://[2606:2800:220:1:248:1893:25c8:1946]/": "", "https://xn--ls8h.example/": "",

		"http://example.com/":                              loyalty.CodeWebhookURLRefused,
		"ftp://example.com/":                               loyalty.CodeWebhookURLRefused,
		"gopher://example.com:70/_":                        loyalty.CodeWebhookURLRefused,
		"file:///etc/passwd":                               loyalty.CodeInvalid,
		"https:///etc":                                     loyalty.CodeInvalid,
		"https:example.com":                                loyalty.CodeInvalid,
		"//example.com/":                                   loyalty.CodeWebhookURLRefused,
		"https://user:pass@example.com/":                   loyalty.CodeInvalid,
		"https://example.com@127.0.0.1/":                   loyalty.CodeInvalid,
		"https://example.com/#x":                           loyalty.CodeInvalid,
		"https://example.com\\@127.0.0.1/":                 loyalty.CodeInvalid,
		"https://example.com/\r\nHost: x":                  loyalty.CodeInvalid,
		"https://example.com:0/":                           loyalty.CodeInvalid,
		"https://example.com:65536/":                       loyalty.CodeInvalid,
		"https://localhost/":                               loyalty.CodeWebhookURLRefused,
		"https://LOCALHOST./":                              loyalty.CodeWebhookURLRefused,
		"https://app.localhost/":                           loyalty.CodeWebhookURLRefused,
		"https://intranet/":                                loyalty.CodeWebhookURLRefused,
		"https://127.0.0.1/":                               loyalty.CodeWebhookURLRefused,
		"https://127.1/":                                   loyalty.CodeWebhookURLRefused,
		"https://127.0.1/":                                 loyalty.CodeWebhookURLRefused,
		"https://2130706433/":                              loyalty.CodeWebhookURLRefused,
		"https://0x7f000001/":                              loyalty.CodeWebhookURLRefused,
		"https://0x7f.0.0.1/":                              loyalty.CodeWebhookURLRefused,
		"https://0X7F.1/":                                  loyalty.CodeWebhookURLRefused,
		"https://017700000001/":                            loyalty.CodeWebhookURLRefused,
		"https://0177.0.0.1/":                              loyalty.CodeWebhookURLRefused,
		"https://0177.0.0.01./":                            loyalty.CodeWebhookURLRefused,
		"https://127.0.0.1.:443/":                          loyalty.CodeWebhookURLRefused,
		"https://0/":                                       loyalty.CodeWebhookURLRefused,
		"https://0.0.0.0/":                                 loyalty.CodeWebhookURLRefused,
		"https://10.1.2.3/":                                loyalty.CodeWebhookURLRefused,
		"https://169.254.169.254/latest/":                  loyalty.CodeWebhookURLRefused,
		"https://2852039166/":                              loyalty.CodeWebhookURLRefused,
		"https://192.168.1.1/":                             loyalty.CodeWebhookURLRefused,
		"https://[::1]/":                                   loyalty.CodeWebhookURLRefused,
		"https://[::]/":                                    loyalty.CodeWebhookURLRefused,
		"https://[::ffff:127.0.0.1]/":                      loyalty.CodeWebhookURLRefused,
		"https://[::ffff:7f00:1]/":                         loyalty.CodeWebhookURLRefused,
		"https://[0:0:0:0:0:ffff:a00:1]/":                  loyalty.CodeWebhookURLRefused,
		"https://[64:ff9b::7f00:1]/":                       loyalty.CodeWebhookURLRefused,
		"https://[fe80::1%25eth0]/":                        loyalty.CodeWebhookURLRefused,
		"https://[fd00::1]/":                               loyalty.CodeWebhookURLRefused,
		"https://[2002:7f00:1::]/":                         loyalty.CodeWebhookURLRefused,
		"https://①②⑦.⓪.⓪.①/":                               loyalty.CodeWebhookURLRefused,
		"https://example。com/":                             loyalty.CodeWebhookURLRefused,
		"https://[::1":                                     loyalty.CodeInvalid,
		"https://" + strings.Repeat("a", 64) + ".example/": loyalty.CodeWebhookURLRefused,
	} {
		_, err := checkURL(text, false)
		if got := loyalty.CodeOf(err); got != want {
			t.Errorf("checkURL(%q): got %q, want %q", text, got, want)
		}
	}
	if _, err := checkURL("http://127.0.0.1:8080/x", true); err != nil {
		t.Errorf("where private addresses are allowed: %v", err)
	}
}

// TestDiallerHasTheLastWord: a name may lead anywhere by the time it is dialled
// (DNS rebinding), so the real client refuses the address itself.
func TestDiallerHasTheLastWord(t *testing.T) {
	t.Parallel()
	reached := false
	private := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer private.Close()
	_, port, err := net.SplitHostPort(private.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client := newClient(5*time.Second, 1, false)
	for _, host := range []string{"localhost", "127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "[::1]", "[::]"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+host+":"+port+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err == nil {
			_ = res.Body.Close()
		}
		if !errors.Is(err, ErrAddressRefused) {
			t.Errorf("%s: got %v, want it refused", host, err)
			continue
		}
		if told := reason(err); told != "the address is not a public one" {
			t.Errorf("%s: the log tells %q", host, told)
		}
	}
	if reached {
		t.Error("a private server was reached")
	}
}
