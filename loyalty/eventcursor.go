package loyalty

import (
	"encoding/base64"
	"strconv"
)

// EventCursor is the place of an event as callers keep it: what a subscription
// gives with each event, and takes as `after`.
func EventCursor(id int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte("1events\n" + strconv.FormatInt(id, 10)))
}
