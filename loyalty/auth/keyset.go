package auth

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// KeySet holds the Ed25519 keys of access tokens: the first signs, all verify.
// To rotate, put a new key in front, and take the old one away once its last
// token has expired, fifteen minutes later.
type KeySet struct {
	kid     string
	private ed25519.PrivateKey
	public  map[string]ed25519.PublicKey
	jwks    []byte
}

var kidPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// jwk is one public key as RFC 8037 writes it.
type jwk struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	ID        string `json:"kid"`
	X         string `json:"x"`
}

// ParseKeys reads "kid:seed,kid2:seed2", each seed 32 bytes in base64 of either
// alphabet. Its errors tell which entry is wrong and never what it holds.
func ParseKeys(config string) (*KeySet, error) {
	set := &KeySet{public: map[string]ed25519.PublicKey{}}
	var (
		published []jwk
		errs      []error
	)
	for i, entry := range strings.Split(config, ",") {
		kid, encoded, ok := strings.Cut(strings.TrimSpace(entry), ":")
		if !ok || !kidPattern.MatchString(kid) {
			errs = append(errs, fmt.Errorf("signing key %d: want kid:seed with a kid of letters, digits, dot, dash and underscore", i+1))
			continue
		}
		seed, err := decodeSeed(encoded)
		if err != nil {
			errs = append(errs, fmt.Errorf("signing key %d: %w", i+1, err))
			continue
		}
		if _, twice := set.public[kid]; twice {
			errs = append(errs, fmt.Errorf("signing key %d: its kid is used twice", i+1))
			continue
		}
		private := ed25519.NewKeyFromSeed(seed)
		public := private.Public().(ed25519.PublicKey)
		if i == 0 {
			set.kid, set.private = kid, private
		}
		set.public[kid] = public
		published = append(published, jwk{
			KeyType: "OKP", Curve: "Ed25519", Use: "sig", Algorithm: "EdDSA", ID: kid,
			X: base64.RawURLEncoding.EncodeToString(public),
		})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	document, err := json.Marshal(map[string][]jwk{"keys": published})
	if err != nil {
		return nil, fmt.Errorf("encode the public keys: %w", err)
	}
	set.jwks = document
	return set, nil
}

// NewKey makes one entry for ParseKeys; its kid is the public key's fingerprint.
func NewKey() string {
	seed := random(ed25519.SeedSize)
	fingerprint := sha256.Sum256(ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))
	return hex.EncodeToString(fingerprint[:6]) + ":" + base64.RawURLEncoding.EncodeToString(seed)
}

// JWKS is the public halves as a JSON Web Key Set (RFC 7517).
func (k *KeySet) JWKS() []byte { return k.jwks }

func decodeSeed(encoded string) ([]byte, error) {
	encoded = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(encoded, "="))
	seed, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, errors.New("want a seed of 32 bytes in base64")
	}
	return seed, nil
}
