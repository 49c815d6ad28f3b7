package auth_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"sello/loyalty/auth"
)

const (
	issuer   = "https://sello.test"
	audience = "sello"
)

// noon is the moment at which tests begin.
var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func seed(b byte) []byte { return []byte(strings.Repeat(string(rune('A'+b)), ed25519.SeedSize)) }

func entry(kid string, b byte) string {
	return kid + ":" + base64.RawURLEncoding.EncodeToString(seed(b))
}

func keySet(tb testing.TB, config string) *auth.KeySet {
	tb.Helper()
	set, err := auth.ParseKeys(config)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

func at(when time.Time) func() time.Time { return func() time.Time { return when } }

// forged is a token of the first key, with one thing changed. It is the same in
// every process, as fuzzing needs it.
func forged(tb testing.TB, method jwt.SigningMethod, key any, change func(header, claims map[string]any)) string {
	tb.Helper()
	token := jwt.NewWithClaims(method, jwt.MapClaims{
		"iss": issuer, "aud": audience, "sub": "0195949b-0000-7000-8000-000000000001",
		"company": "0195949b-0000-7000-8000-000000000002", "sid": "0195949b-0000-7000-8000-000000000003",
		"iat": noon.Unix(), "exp": noon.Add(15 * time.Minute).Unix(),
	})
	token.Header["typ"], token.Header["kid"] = "at+jwt", "k1"
	if change != nil {
		change(token.Header, token.Claims.(jwt.MapClaims))
	}
	signed, err := token.SignedString(key)
	if err != nil {
		tb.Fatal(err)
	}
	return signed
}

// TestVerifyRefusesForgedTokens is the token table of hardening.md 2.3, B7.
func TestVerifyRefusesForgedTokens(t *testing.T) {
	t.Parallel()

	private := ed25519.NewKeyFromSeed(seed(0))
	public := private.Public().(ed25519.PublicKey)
	other := ed25519.NewKeyFromSeed(seed(1))
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	eddsa := jwt.SigningMethodEdDSA
	good := forged(t, eddsa, private, nil)
	parts := strings.Split(good, ".")
	set := func(field string, value any) func(_, c map[string]any) {
		return func(_, c map[string]any) { c[field] = value }
	}
	header := func(field string, value any) func(h, _ map[string]any) {
		return func(h, _ map[string]any) { h[field] = value }
	}

	tokens := auth.NewTokens(keySet(t, entry("k1", 0)), issuer, audience, at(noon))
	for _, tt := range []struct {
		name, token string
		accepted    bool
	}{
		{name: "good", token: good, accepted: true},
		{name: "expired within the leeway", token: forged(t, eddsa, private, set("exp", noon.Add(-29*time.Second).Unix())), accepted: true},
		{name: "empty", token: ""},
		{name: "alg none", token: forged(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil)},
		{name: "alg none, header by hand", token: b64(`{"alg":"None","typ":"at+jwt","kid":"k1"}`) + "." + parts[1] + "."},
		{name: "signature cut off", token: parts[0] + "." + parts[1] + "."},
		{name: "HS256 with the public key", token: forged(t, jwt.SigningMethodHS256, []byte(public), nil)},
		{name: "HS256 signature under an EdDSA header", token: parts[0] + "." + parts[1] + "." + mac(public, parts[0]+"."+parts[1])},
		{name: "RS256", token: forged(t, jwt.SigningMethodRS256, rsaKey, nil)},
		{name: "unknown kid", token: forged(t, eddsa, private, header("kid", "k9"))},
		{name: "no kid", token: forged(t, eddsa, private, func(h, _ map[string]any) { delete(h, "kid") })},
		{name: "kid is a number", token: forged(t, eddsa, private, header("kid", 1))},
		{name: "path in kid", token: forged(t, eddsa, private, header("kid", "../../../../dev/null"))},
		{name: "address in kid", token: forged(t, eddsa, private, header("kid", "https://evil.test/jwks.json"))},
		{name: "key brought along", token: forged(t, eddsa, other, header("jwk", map[string]any{
			"kty": "OKP", "crv": "Ed25519", "x": base64.RawURLEncoding.EncodeToString(other.Public().(ed25519.PublicKey))}))},
		{name: "other key", token: forged(t, eddsa, other, nil)},
		{name: "critical header", token: forged(t, eddsa, private, header("crit", []string{"b64"}))},
		{name: "other type", token: forged(t, eddsa, private, header("typ", "JWT"))},
		{name: "no exp", token: forged(t, eddsa, private, func(_, c map[string]any) { delete(c, "exp") })},
		{name: "exp is null", token: forged(t, eddsa, private, set("exp", nil))},
		{name: "exp is text", token: forged(t, eddsa, private, set("exp", "never"))},
		{name: "expired", token: forged(t, eddsa, private, set("exp", noon.Add(-31*time.Second).Unix()))},
		{name: "not yet valid", token: forged(t, eddsa, private, set("nbf", noon.Add(31*time.Second).Unix()))},
		{name: "issued in the future", token: forged(t, eddsa, private, set("iat", noon.Add(31*time.Second).Unix()))},
		{name: "other audience", token: forged(t, eddsa, private, set("aud", "elsewhere"))},
		{name: "no audience", token: forged(t, eddsa, private, func(_, c map[string]any) { delete(c, "aud") })},
		{name: "other issuer", token: forged(t, eddsa, private, set("iss", "https://evil.test"))},
		{name: "no issuer", token: forged(t, eddsa, private, func(_, c map[string]any) { delete(c, "iss") })},
		{name: "subject is no id", token: forged(t, eddsa, private, set("sub", "admin"))},
		{name: "no company", token: forged(t, eddsa, private, func(_, c map[string]any) { delete(c, "company") })},
		{name: "no session", token: forged(t, eddsa, private, func(_, c map[string]any) { delete(c, "sid") })},
		{name: "claims of another token", token: parts[0] + "." + b64(`{"sub":"admin"}`) + "." + parts[2]},
		{name: "1 MB", token: forged(t, eddsa, private, set("pad", strings.Repeat("x", 1<<20)))},
		{name: "100,000 dots", token: strings.Repeat(".", 100_000)},
		{name: "8,000 dots", token: strings.Repeat(".", 8_000)},
		{name: "deep claims", token: parts[0] + "." + b64(strings.Repeat("[", 5_000)) + "." + parts[2]},
		{name: "blank after", token: good + " "},
		{name: "padded", token: good + "=="},
		{name: "not canonical", token: good[:len(good)-1] + string(bumped(good[len(good)-1]))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			access, err := tokens.Verify(tt.token)
			if accepted := err == nil; accepted != tt.accepted {
				t.Fatalf("Verify: got %+v, error %v; accepted %v, want %v", access, err, accepted, tt.accepted)
			}
			if err != nil && err.Error() != "access token is not valid" {
				t.Errorf("Verify: the error tells more than it should: %v", err)
			}
		})
	}
}

// bumped is another base64url character that decodes to the same bytes where
// decoding is lax: the last one of a signature has bits to spare.
func bumped(c byte) byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return alphabet[strings.IndexByte(alphabet, c)^1]
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func mac(key []byte, text string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func TestTokenLifetime(t *testing.T) {
	t.Parallel()

	now := noon
	tokens := auth.NewTokens(keySet(t, auth.NewKey()), issuer, audience, func() time.Time { return now })
	want := auth.Access{CompanyID: uuid.New(), OperatorID: uuid.New(), SessionID: uuid.New()}
	token, expires, err := tokens.Issue(want)
	if err != nil {
		t.Fatal(err)
	}
	if expires != noon.Add(15*time.Minute) {
		t.Errorf("Issue: expires at %v, want fifteen minutes after %v", expires, noon)
	}
	for _, tt := range []struct {
		after time.Duration
		valid bool
	}{{0, true}, {15*time.Minute + 29*time.Second, true}, {15*time.Minute + 31*time.Second, false}} {
		now = noon.Add(tt.after)
		got, err := tokens.Verify(token)
		if valid := err == nil; valid != tt.valid || (valid && got != want) {
			t.Errorf("Verify %v later: got %+v, error %v; want valid %v", tt.after, got, err, tt.valid)
		}
	}
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()

	issue := func(config string) string {
		token, _, err := auth.NewTokens(keySet(t, config), issuer, audience, at(noon)).Issue(
			auth.Access{CompanyID: uuid.New(), OperatorID: uuid.New(), SessionID: uuid.New()})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	before, during, after := entry("old", 0), entry("new", 1)+", "+entry("old", 0), entry("new", 1)
	for _, tt := range []struct {
		name, signed, verified string
		want                   bool
	}{
		{"old key before", before, before, true},
		{"old token while both live", before, during, true},
		{"new token while both live", during, during, true},
		{"the first signs", during, after, true},
		{"old token once its key is gone", before, after, false},
		{"same kid, other seed", entry("old", 2), before, false},
	} {
		tokens := auth.NewTokens(keySet(t, tt.verified), issuer, audience, at(noon))
		if _, err := tokens.Verify(issue(tt.signed)); (err == nil) != tt.want {
			t.Errorf("%s: got error %v, want accepted %v", tt.name, err, tt.want)
		}
	}
}

func TestParseKeys(t *testing.T) {
	t.Parallel()

	padded := "k:" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\xff\xfe", 16)))
	for _, good := range []string{auth.NewKey(), padded, auth.NewKey() + "," + auth.NewKey()} {
		if _, err := auth.ParseKeys(good); err != nil {
			t.Errorf("ParseKeys: got %v for a good set", err)
		}
	}
	const secret = "c2VjcmV0LXRoYXQtbXVzdC1ub3Qtc2hvdw"
	for _, bad := range []string{
		"", ",", "k1", "k1:", ":" + secret, "k1:" + secret, "k/1:" + secret, "k1:!" + secret,
		entry("k1", 0) + "," + entry("k1", 1), entry("k1", 0) + ",",
	} {
		_, err := auth.ParseKeys(bad)
		if err == nil {
			t.Errorf("ParseKeys(%q): want an error", bad)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("ParseKeys(%q): the error shows the seed: %v", bad, err)
		}
	}
}

func TestJWKS(t *testing.T) {
	t.Parallel()

	var got struct{ Keys []map[string]string }
	document := keySet(t, entry("new", 1)+","+entry("old", 0)).JWKS()
	if err := json.Unmarshal(document, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Keys) != 2 || got.Keys[0]["kid"] != "new" || got.Keys[1]["kid"] != "old" {
		t.Fatalf("JWKS: got %s, want the keys new and old", document)
	}
	for i, s := range [][]byte{seed(1), seed(0)} {
		k := got.Keys[i]
		public := ed25519.NewKeyFromSeed(s).Public().(ed25519.PublicKey)
		if k["x"] != base64.RawURLEncoding.EncodeToString(public) || k["kty"] != "OKP" || k["crv"] != "Ed25519" {
			t.Errorf("JWKS: key %d is %v", i, k)
		}
		if _, private := k["d"]; private {
			t.Error("JWKS: shows a private key")
		}
	}
}

// FuzzVerifyAccess looks for a token that is accepted although nobody issued it.
func FuzzVerifyAccess(f *testing.F) {
	private := ed25519.NewKeyFromSeed(seed(0))
	good := forged(f, jwt.SigningMethodEdDSA, private, nil)
	parts := strings.Split(good, ".")
	for _, s := range []string{
		good, "", ".", "..", "...", "eyJ..", parts[0] + "." + parts[1] + ".", parts[0] + ".." + parts[2],
		forged(f, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		forged(f, jwt.SigningMethodHS256, []byte("k"), nil),
		forged(f, jwt.SigningMethodEdDSA, private, func(h, _ map[string]any) { h["kid"] = "../k1" }),
		strings.Repeat(".", 10_000), b64(`{"alg":"EdDSA","typ":"at+jwt","kid":["k1"]}`) + "." + parts[1] + "." + parts[2],
	} {
		f.Add(s)
	}
	tokens := auth.NewTokens(keySet(f, entry("k1", 0)), issuer, audience, at(noon))
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := tokens.Verify(token); err == nil && token != good {
			t.Errorf("Verify accepts a token that nobody issued: %q", token)
		}
	})
}
