package pretii

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzBody: whatever a client sends is an object or no JSON; a text of it is trimmed and
// valid, a number is the very one that was sent, and an amount has two decimals at most.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"v":"x"}`, `{"v":1.5e2}`, `{"v":"10.50"}`, `{"v":null}`, `{"v":"\u0000"}`, `[]`, `{"v":1`, "\uFEFF{}", `{"v":-0}`,
		`{"v":0.0000000000000000001}`, `{"v":99999999999999999999}`, `{"v":{"v":[1]}}`, `{"v":"\ud800"}`, `{"v":" 1 "}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := decodeObject(body)
		if err != nil {
			if o != nil {
				t.Fatalf("%q: an object beside an error", body)
			}
			return
		}
		if !json.Valid(bytes.TrimPrefix(body, []byte("\uFEFF"))) {
			t.Fatalf("%q was read and is no JSON", body)
		}
		for name := range o {
			if text := o.text(name); text != strings.TrimSpace(text) && text != unreadable || !utf8.ValidString(text) {
				t.Fatalf("%q: text %q", body, text)
			}
			raw := string(o[name])
			if n := o.number(name); n != nil && n.Cmp(wrongNumber) != 0 {
				given, ok := new(big.Rat).SetString(raw)
				read, _ := new(big.Rat).SetString(n.String())
				if !ok || given.Cmp(read) != 0 {
					t.Fatalf("%q: read %s", body, n)
				}
			}
			if m := o.money(name); m != nil && raw[0] == '"' && m.IsPos() && m.Scale() > 2 {
				t.Fatalf("%q: an amount of %d decimals", body, m.Scale())
			}
		}
	})
}
