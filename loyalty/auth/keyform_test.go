package auth_test

import (
	"strings"
	"testing"

	"sello/loyalty/auth"
)

// goodKey was made by hand: 30 zeroes and the CRC-32 of what stands before it.
const goodKey = "sello_wallet_000000000000000000000000000000"

func TestParseKeyFindsTypos(t *testing.T) {
	t.Parallel()

	env := newEnv(t)
	for _, kind := range auth.KeyKinds() {
		key := env.key(t, kind)
		if got, ok := auth.ParseKey(key); !ok || got != kind {
			t.Fatalf("ParseKey of a %s key: got %q, %v", kind, got, ok)
		}
		if len(key) != len("sello__")+len(kind)+36 {
			t.Errorf("a %s key has %d characters", kind, len(key))
		}
		for i := range key {
			for _, c := range []byte("0aZ_ \x00") {
				typo := key[:i] + string(c) + key[i+1:]
				if typo == key {
					continue
				}
				if _, ok := auth.ParseKey(typo); ok {
					t.Errorf("ParseKey accepts a typo at character %d", i)
				}
			}
			swapped := []byte(key)
			if j := i + 1; j < len(key) && key[i] != key[j] {
				swapped[i], swapped[j] = swapped[j], swapped[i]
				if _, ok := auth.ParseKey(string(swapped)); ok {
					t.Errorf("ParseKey accepts characters %d and %d swapped", i, j)
				}
			}
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	t.Parallel()

	for _, key := range []string{
		"", "sello_", "sello__", "sello_wallet", "sello_wallet_", goodKey, "sello_root_" + strings.Repeat("0", 36),
		"SELLO_wallet_" + strings.Repeat("0", 36), "sello_wallet_" + strings.Repeat("0", 1<<20), "legacy-key-0001",
	} {
		if kind, ok := auth.ParseKey(key); ok {
			t.Errorf("ParseKey(%.40q): got %q, want a refusal", key, kind)
		}
	}
}

// FuzzAPIKeyParse: what is accepted has our form to the letter.
func FuzzAPIKeyParse(f *testing.F) {
	for _, s := range []string{
		"", "sello_", "sello_wallet_", goodKey, "sello_server_" + strings.Repeat("z", 36),
		"sello_wallet_" + strings.Repeat("é", 18), "sello_wallet_wallet_" + strings.Repeat("0", 36), "eyJ.a.b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		kind, ok := auth.ParseKey(key)
		if !ok {
			if kind != "" {
				t.Errorf("ParseKey(%q): refused, and yet of kind %q", key, kind)
			}
			return
		}
		if !kind.Valid() || !strings.HasPrefix(key, "sello_"+string(kind)+"_") || len(key) != len("sello__")+len(kind)+36 {
			t.Errorf("ParseKey(%q): accepted as %q", key, kind)
		}
		if _, ok := auth.ParseKey(strings.ToUpper(key)); ok {
			t.Errorf("ParseKey(%q): accepted in capitals too", key)
		}
	})
}
