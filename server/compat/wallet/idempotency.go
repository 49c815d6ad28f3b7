package wallet

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
)

// A call is repeatable for a day (spec/wallet.md 7). A key of one call's own is
// never met again, so that it need not be kept for long.
const (
	repeatableHours = 24
	ownHours        = 1
)

// idempotency names a posting.
type idempotency struct {
	key   string
	hours int
	// natural: the key was made of the sale itself, by its ticket.
	natural bool
}

// postingKey is the header Idempotency-Key, else the natural key of a sale with a
// ticket ("" if the call has none), else a key of the call's own: repeating it
// repeats its effect, as the documented API does. Keys are digests, so that any
// bytes of a header will do; one beyond the 255 characters has no documented
// refusal and protects like any other.
func postingKey(r *http.Request, natural string) idempotency {
	if key, hours := headerKey(r); key != nil {
		return idempotency{key: *key, hours: *hours}
	}
	if natural != "" {
		return idempotency{key: "ticket:" + natural, hours: repeatableHours, natural: true}
	}
	return idempotency{key: "call:" + rand.Text(), hours: ownHours}
}

// headerKey is the key of the header Idempotency-Key; nil without one.
func headerKey(r *http.Request) (key *string, hours *int) {
	header := strings.TrimSpace(r.Header.Get("Idempotency-Key"))
	if header == "" {
		return nil, nil
	}
	return new("header:" + digest(header)), new(repeatableHours)
}

// digest is SHA-256 over the parts with their lengths.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// replayed marks an answer that repeats the first one to its key.
func replayed(w http.ResponseWriter, yes bool) {
	if yes {
		w.Header().Set("Idempotency-Replayed", "true")
	}
}
