package auth

import (
	"crypto/rand"
	"hash/crc32"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	base62       = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	keyPrefix    = "sello_"
	secretLength = 30 // 178 bits
	checkLength  = 6  // 62^6 > 2^32

	// An imported key has 8 to 200 characters.
	minImported = 8
	maxImported = 200
)

// newKey makes a key: sello_<kind>_<30 random base62><6 base62 of CRC-32>. Its
// prefix lets scanners find it where it leaked, its checksum tells a typo without
// a look into the database.
func newKey(kind KeyKind) string {
	body := keyPrefix + string(kind) + "_" + randomBase62(secretLength)
	return body + checksum(body)
}

// ParseKey reports the kind of a key of our own form, false for anything else.
// Whether such a key exists only the database knows.
func ParseKey(key string) (KeyKind, bool) {
	rest, ours := strings.CutPrefix(key, keyPrefix)
	kind, secret, ok := strings.Cut(rest, "_")
	if !ours || !ok || !KeyKind(kind).Valid() || len(secret) != secretLength+checkLength {
		return "", false
	}
	for _, c := range []byte(secret) {
		if strings.IndexByte(base62, c) < 0 {
			return "", false
		}
	}
	body := key[:len(key)-checkLength]
	if checksum(body) != key[len(body):] {
		return "", false
	}
	return KeyKind(kind), true
}

// importable reports whether a text can be the key of a client that has it from
// another system. What begins like ours is not: it would have to be ours.
func importable(key string) bool {
	n := utf8.RuneCountInString(key)
	return utf8.ValidString(key) && n >= minImported && n <= maxImported && !strings.HasPrefix(key, keyPrefix) &&
		!strings.ContainsFunc(key, func(r rune) bool { return !unicode.IsPrint(r) })
}

// keyHint is the last four characters, and never more than a quarter of the key.
func keyHint(key string) string {
	runes := []rune(key)
	return string(runes[len(runes)-min(4, len(runes)/4):])
}

func checksum(body string) string {
	sum := crc32.ChecksumIEEE([]byte(body))
	var out [checkLength]byte
	for i := checkLength - 1; i >= 0; i-- {
		out[i] = base62[sum%62]
		sum /= 62
	}
	return string(out[:])
}

// randomBase62 draws n characters, each as likely as any other.
func randomBase62(n int) string {
	out := make([]byte, 0, n)
	var pool [64]byte
	for len(out) < n {
		_, _ = rand.Read(pool[:])
		for _, b := range pool {
			if b < 248 && len(out) < n { // 248 = 4 · 62
				out = append(out, base62[b%62])
			}
		}
	}
	return string(out)
}
