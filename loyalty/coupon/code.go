package coupon

import (
	"crypto/rand"
	"math/big"
	"regexp"

	"sello/loyalty"
)

// How codes are made where a type does not say: 32 characters that nobody takes for
// one another, ten of them, 2^50 codes.
const (
	DefaultAlphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
	DefaultLength   = 10
	maxLength       = 32
)

// minCodeSpace is how many codes a type has to have at least: whoever guesses meets
// one of five million coupons in 220,000 tries (hardening.md 3.6, API6).
var minCodeSpace = new(big.Int).Lsh(big.NewInt(1), 40)

var (
	prefixPattern   = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9_-]{0,15})?$`)
	alphabetPattern = regexp.MustCompile(`^[A-Za-z0-9]{2,62}$`)
	couponPattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
)

// Codes says how the codes of a type are made.
type Codes struct {
	Prefix   string
	Length   int
	Alphabet string
}

// check holds the rules of codes. It refuses with INVALID.
func (c Codes) check() error {
	switch {
	case !prefixPattern.MatchString(c.Prefix):
		return loyalty.Refuse(loyalty.CodeInvalid, "codePrefix")
	case !alphabetPattern.MatchString(c.Alphabet) || repeats(c.Alphabet):
		return loyalty.Refuse(loyalty.CodeInvalid, "codeAlphabet")
	case c.Length < 1 || c.Length > maxLength:
		return loyalty.Refuse(loyalty.CodeInvalid, "codeLength")
	}
	space := new(big.Int).Exp(big.NewInt(int64(len(c.Alphabet))), big.NewInt(int64(c.Length)), nil)
	if space.Cmp(minCodeSpace) < 0 {
		return loyalty.Refuse(loyalty.CodeInvalid, "codeLength").With("codes", space.String()).With("atLeast", minCodeSpace.String())
	}
	return nil
}

func repeats(alphabet string) bool {
	var seen [128]bool
	for _, c := range []byte(alphabet) {
		if seen[c] {
			return true
		}
		seen[c] = true
	}
	return false
}

// drawer makes codes that nobody can guess, each as likely as any other.
type drawer struct {
	codes Codes
	// limit is the largest multiple of the alphabet's size that a byte holds:
	// bytes from there on would favour its first characters.
	limit  int
	buffer []byte
	pool   [4096]byte
	left   []byte
}

func (c Codes) drawer() *drawer {
	return &drawer{codes: c, limit: 256 - 256%len(c.Alphabet), buffer: append([]byte(c.Prefix), make([]byte, c.Length)...)}
}

// draw makes one code.
func (d *drawer) draw() string {
	for i := len(d.codes.Prefix); i < len(d.buffer); {
		if len(d.left) == 0 {
			_, _ = rand.Read(d.pool[:]) // never fails (crypto/rand)
			d.left = d.pool[:]
		}
		b := int(d.left[0])
		d.left = d.left[1:]
		if b < d.limit {
			d.buffer[i] = d.codes.Alphabet[b%len(d.codes.Alphabet)]
			i++
		}
	}
	return string(d.buffer)
}
