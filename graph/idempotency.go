package graph

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"

	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
)

const maxKeyHours = 2160

// postingKey makes the ledger's key of a request's: scoped by principal and
// operation, so that nobody meets another one's keys, and with a digest of the
// whole input, so that a key stands for one request (hardening.md 3.1). The
// header serves documents whose inputs carry no key; each of their mutations
// gets a key of its own by its place in the answer. It refuses with
// IDEMPOTENCY_KEY_REQUIRED, TOO_LONG and INVALID.
func postingKey(ctx context.Context, who auth.Principal, operation string, key *string, hours *int, input any) (*ledger.Key, error) {
	name := or(key, "")
	if name == "" {
		header, _ := ctx.Value(idempotencyKey).(string)
		if header == "" {
			return nil, loyalty.Refuse(loyalty.CodeIdempotencyKeyRequired, "idempotencyKey")
		}
		name = header
		if graphql.GetFieldContext(ctx) != nil {
			name += "\x00" + graphql.GetPath(ctx).String()
		}
	}
	if len(name) > 400 {
		return nil, loyalty.Refuse(loyalty.CodeTooLong, "idempotencyKey")
	}
	lifetime := or(hours, maxKeyHours)
	if lifetime < 1 || lifetime > maxKeyHours {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "idempotencyHours")
	}
	request, err := json.Marshal(input)
	if err != nil {
		return nil, fmt.Errorf("encode a request for its fingerprint: %w", err)
	}
	// As an object with the input's type for its name: what a key stands for lasts
	// longer than a release.
	request = slices.Concat([]byte(`{"`), []byte(reflect.TypeOf(input).String()), []byte(`":`), request, []byte(`}`))
	return &ledger.Key{
		ID:          digest([]byte(operation), who.Subject[:], []byte(name)),
		Fingerprint: digest([]byte(operation), request),
		Lifetime:    time.Duration(lifetime) * time.Hour,
	}, nil
}

// digest is the first 16 bytes of SHA-256 over the parts with their lengths.
func digest(parts ...[]byte) uuid.UUID {
	h := sha256.New()
	var length [20]byte
	for _, p := range parts {
		h.Write(append(strconv.AppendInt(length[:0], int64(len(p)), 10), ':'))
		h.Write(p)
	}
	return uuid.UUID(h.Sum(nil)[:16])
}
