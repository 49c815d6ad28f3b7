package report

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/govalues/decimal"
)

// places are the decimals of every amount in the books.
const places = 4

// Sum is an exact sum of amounts. It may have more digits than one amount, so it
// is no [decimal.Decimal], which would round the last of them. The zero value is 0.
type Sum struct{ units *big.Int } // ten-thousandths; nil is none

// ParseSum reads what PostgreSQL says of a sum: digits with up to 4 decimals.
func ParseSum(text string) (Sum, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > places {
		return Sum{}, fmt.Errorf("a sum has more than %d decimals: %q", places, text)
	}
	units, ok := new(big.Int).SetString(whole+fraction+strings.Repeat("0", places-len(fraction)), 10)
	if !ok || whole == "" || whole == "-" {
		return Sum{}, fmt.Errorf("a sum is no number: %q", text)
	}
	return Sum{units}, nil
}

func (s Sum) int() *big.Int {
	if s.units == nil {
		return new(big.Int)
	}
	return s.units
}

// Add is the sum of both.
func (s Sum) Add(other Sum) Sum { return Sum{new(big.Int).Add(s.int(), other.int())} }

// Sub is the sum less the other.
func (s Sum) Sub(other Sum) Sum { return Sum{new(big.Int).Sub(s.int(), other.int())} }

// Sign is -1, 0 or 1.
func (s Sum) Sign() int { return s.int().Sign() }

// Over is the sum's ratio to another one, with 4 decimals, rounded half to even;
// nil where the other is zero.
func (s Sum) Over(other Sum) *Sum {
	if other.Sign() == 0 {
		return nil
	}
	n := new(big.Int).Mul(new(big.Int).Abs(s.int()), big.NewInt(10_000))
	d := new(big.Int).Abs(other.int())
	quotient, rest := new(big.Int).QuoRem(n, d, new(big.Int))
	switch half := new(big.Int).Lsh(rest, 1).Cmp(d); {
	case half > 0, half == 0 && quotient.Bit(0) == 1:
		quotient.Add(quotient, big.NewInt(1))
	}
	if s.Sign()*other.Sign() < 0 {
		quotient.Neg(quotient)
	}
	return &Sum{quotient}
}

// String is the sum without trailing zeros.
func (s Sum) String() string {
	digits := fmt.Sprintf("%0*d", places+1, new(big.Int).Abs(s.int()))
	cut := len(digits) - places
	text := strings.TrimRight(strings.TrimRight(digits[:cut]+"."+digits[cut:], "0"), ".")
	if s.Sign() < 0 {
		text = "-" + text
	}
	return text
}

// Decimal is the sum as one amount; an error where it has more digits than one.
func (s Sum) Decimal() (*decimal.Decimal, error) {
	d, err := decimal.ParseExact(s.String(), places)
	if err != nil {
		return nil, fmt.Errorf("a sum as one amount: %w", err)
	}
	return &d, nil
}

// sums reads several at once.
func sums(texts map[*Sum]string) error {
	for into, text := range texts {
		sum, err := ParseSum(text)
		if err != nil {
			return err
		}
		*into = sum
	}
	return nil
}
