package webhook

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// SecretPrefix begins a signing secret as receivers keep it (Standard Webhooks).
const SecretPrefix = "whsec_"

// secretBytes is within the 24 to 64 that Standard Webhooks asks for.
const secretBytes = 32

// newSecret makes a signing secret.
func newSecret() []byte {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	return secret
}

// showSecret is a secret as its receiver keeps it.
func showSecret(secret []byte) string {
	return SecretPrefix + base64.StdEncoding.EncodeToString(secret)
}

// vault encrypts signing secrets under a key of the server: they have to be there
// to sign with, so a hash will not do.
type vault struct{ aead cipher.AEAD }

// newVault derives the key from the server's secret, for this use alone.
func newVault(serverSecret []byte) (*vault, error) {
	key, err := hkdf.Key(sha256.New, serverSecret, nil, "sello webhook signing secrets 1", 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key of signing secrets: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make the cipher of signing secrets: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("make the cipher of signing secrets: %w", err)
	}
	return &vault{aead}, nil
}

// seal encrypts a secret for one webhook: in another one's row it opens nothing.
func (v *vault) seal(company, webhook uuid.UUID, secret []byte) []byte {
	nonce := make([]byte, v.aead.NonceSize(), v.aead.NonceSize()+len(secret)+v.aead.Overhead())
	_, _ = rand.Read(nonce) // never fails (crypto/rand)
	return v.aead.Seal(nonce, nonce, secret, owner(company, webhook))
}

// open decrypts what seal made. It fails where the server's secret is another one
// than then; a new signing secret is what mends it.
func (v *vault) open(company, webhook uuid.UUID, sealed []byte) ([]byte, error) {
	n := v.aead.NonceSize()
	if len(sealed) < n {
		return nil, errors.New("open a signing secret: too short")
	}
	secret, err := v.aead.Open(nil, sealed[:n], sealed[n:], owner(company, webhook))
	if err != nil {
		return nil, fmt.Errorf("open a signing secret (has SECRET changed?): %w", err)
	}
	return secret, nil
}

func owner(company, webhook uuid.UUID) []byte { return append(company[:], webhook[:]...) }

// sign is the value of the header webhook-signature: one signature for each
// secret that is valid (Standard Webhooks, symmetric).
func sign(secrets [][]byte, id string, at time.Time, body []byte) string {
	signatures := make([]string, len(secrets))
	for i, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(signatures, " ")
}
