package gqlhttp

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// The media types that are spoken.
const (
	mediaJSON    = "application/json"
	mediaGraphQL = "application/graphql-response+json"
	mediaEvents  = "text/event-stream"
)

// contentTypes are the answers' headers.
var contentTypes = map[string][]string{
	mediaJSON:    {mediaJSON + "; charset=utf-8"},
	mediaGraphQL: {mediaGraphQL + "; charset=utf-8"},
}

// negotiate picks the answer's media type from Accept: the type with the
// greatest weight, application/json where the client leaves it open (clients
// from before the specification expect it). Events are offered to POST only.
// It returns "" when nothing fits.
func negotiate(r *http.Request) string {
	accept := r.Header.Values("Accept")
	if len(accept) == 0 || len(accept) == 1 && strings.TrimSpace(accept[0]) == "" {
		return mediaJSON
	}
	best, weight := "", 0.0
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		media, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		switch media {
		case mediaJSON, mediaGraphQL:
		case mediaEvents:
			if r.Method != http.MethodPost {
				continue
			}
		case "*/*", "application/*":
			media = mediaJSON
		default:
			continue
		}
		if charset, named := params["charset"]; named && !strings.EqualFold(charset, "utf-8") {
			continue
		}
		q := 1.0
		if text, weighted := params["q"]; weighted {
			if q, err = strconv.ParseFloat(text, 64); err != nil || q > 1 {
				continue
			}
		}
		if q > weight {
			best, weight = media, q
		}
	}
	return best
}

// takesJSON says whether the body is declared as JSON in UTF-8, uncompressed.
func takesJSON(r *http.Request) bool {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != mediaJSON || len(r.Header.Values("Content-Type")) != 1 {
		return false
	}
	if charset, named := params["charset"]; named && !strings.EqualFold(charset, "utf-8") {
		return false
	}
	encoding := r.Header.Get("Content-Encoding")
	return encoding == "" || strings.EqualFold(encoding, "identity")
}
