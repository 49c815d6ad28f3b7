package points

import (
	"crypto/sha256"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/loyalty/ledger"
)

// forEver is how long a reference stands for its change: names of other systems are
// never given twice.
const forEver = 200 * 365 * 24 * time.Hour

// referenceKey is the key of a reference: of the company and the kind of change,
// whoever brings it (spec/pretii.md 3.6), with what has to be the same the next time.
// Who the person is has no part in it: they may be merged with another meanwhile, and
// what tells is whose the account is then.
func referenceKey(action ledger.Action, reference string, in Change) *ledger.Key {
	return &ledger.Key{
		ID:          digest("points reference", string(action), reference),
		Fingerprint: digest("points change", plain(in.Points), plain(in.Spent)),
		Lifetime:    forEver,
	}
}

// digest is the first 16 bytes of SHA-256 over texts without NUL.
func digest(parts ...string) uuid.UUID {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return uuid.UUID(h.Sum(nil)[:16])
}

// plain is an amount as one text, "" for none.
func plain(d *decimal.Decimal) string {
	if d == nil {
		return ""
	}
	return d.Trim(0).String()
}
