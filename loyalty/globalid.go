package loyalty

import (
	"encoding/base64"
	"strings"

	"github.com/google/uuid"
)

// GlobalID is the opaque id of an object over all types (Relay's Node): the type
// is inside, so that an id of another type is never taken for one's own.
func GlobalID(kind, key string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(kind + ":" + key))
}

// ParseGlobalID takes an opaque id apart; ok is false for anything that
// GlobalID did not make.
func ParseGlobalID(id string) (kind, key string, ok bool) {
	if len(id) > 200 {
		return "", "", false
	}
	raw, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		return "", "", false
	}
	kind, key, ok = strings.Cut(string(raw), ":")
	return kind, key, ok && kind != "" && key != ""
}

// ParseUUID reads the opaque id of an object of the kind whose key is a UUID.
func ParseUUID(kind, id string) (uuid.UUID, bool) {
	k, key, ok := ParseGlobalID(id)
	if !ok || k != kind {
		return uuid.UUID{}, false
	}
	u, err := uuid.Parse(key)
	return u, err == nil
}
