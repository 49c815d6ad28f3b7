package wallet

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// maxBody bounds a request body, in bytes (spec/wallet.md 1).
const maxBody = 64 << 10

// form is a call's parameters by name: valid UTF-8, not trimmed, the last of
// repeated ones, none of zero length (that is absent).
type form struct {
	values map[string]string
	// unreadable: the body was there and could not be taken apart; the parameters
	// are empty then.
	unreadable bool
}

// raw is a parameter as it came, "" if absent.
func (f form) raw(name string) string { return f.values[name] }

// get is a parameter trimmed, with what is wrong with it so far: absent, blank,
// or 0.
func (f form) get(name string) (string, problem) {
	raw, ok := f.values[name]
	if !ok {
		return "", absent
	}
	value := strings.TrimSpace(raw)
	if value == "" {
		return "", blank
	}
	return value, 0
}

func (f form) set(name, value string) {
	if value == "" {
		delete(f.values, name) // the last one wins, and it is absent
		return
	}
	f.values[name] = value
}

// readForm reads the body by its content type (spec/wallet.md 1). It fails with
// requestTooLarge only: whatever else is wrong makes the form unreadable.
func readForm(w http.ResponseWriter, r *http.Request) (form, error) {
	if r.ContentLength > maxBody { // before a client that waits for 100 Continue sends it
		return form{}, requestTooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return form{}, requestTooLarge
	}
	if err != nil {
		return form{unreadable: true}, nil //nolint:nilerr // told as an unreadable form (spec/wallet.md 1)
	}
	f := form{values: map[string]string{}}
	ok := false
	switch kind, params := contentType(r.Header.Get("Content-Type")); kind {
	case "", "application/x-www-form-urlencoded":
		f.readURLEncoded(string(body))
		ok = true
	case "application/json":
		ok = f.readJSON(body)
	case "multipart/form-data":
		ok = f.readMultipart(body, params["boundary"])
	}
	if !ok {
		return form{unreadable: true}, nil
	}
	return f, nil
}

// contentType takes the header apart; broken parameters leave the type readable.
func contentType(header string) (kind string, params map[string]string) {
	kind, params, err := mime.ParseMediaType(header)
	if err != nil {
		kind, _, _ = strings.Cut(header, ";")
		kind = strings.ToLower(strings.TrimSpace(kind))
	}
	return kind, params
}

// readURLEncoded splits on & only, since the samples' clients send ; raw spaces
// and raw bytes as data.
func (f form) readURLEncoded(body string) {
	for pair := range strings.SplitSeq(body, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name != "" {
			f.set(unescape(name), unescape(value))
		}
	}
}

// unescape reads + as a space and %XX as a byte, and keeps what is no escape.
func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return toUTF8(s)
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			b = append(b, ' ')
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b = append(b, hexValue(s[i+1])<<4|hexValue(s[i+2]))
			i += 2
		default:
			b = append(b, c)
		}
	}
	return toUTF8(string(b))
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func hexValue(c byte) byte {
	switch {
	case c >= 'a':
		return c - 'a' + 10
	case c >= 'A':
		return c - 'A' + 10
	default:
		return c - '0'
	}
}

// toUTF8 reads what is not UTF-8 as Windows-1252, which has a character for
// nearly every byte and stands in for ISO 8859-1 too.
func toUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	decoded, err := charmap.Windows1252.NewDecoder().String(s)
	if err != nil {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return decoded
}

// readJSON takes one flat object: texts, and numbers and booleans by their
// literal text; null is absent, and so is what is not flat.
func (f form) readJSON(body []byte) bool {
	body = bytes.TrimPrefix([]byte(toUTF8(string(body))), []byte("\uFEFF"))
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil || members == nil {
		return false
	}
	for name, raw := range members {
		switch raw[0] {
		case '"':
			var text string
			if json.Unmarshal(raw, &text) != nil {
				return false
			}
			f.set(name, text)
		case '{', '[', 'n':
		default:
			f.set(name, string(raw))
		}
	}
	return true
}

func (f form) readMultipart(body []byte, boundary string) bool {
	if boundary == "" {
		return false
	}
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			return false
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return false
		}
		if name := part.FormName(); name != "" && part.FileName() == "" {
			f.set(toUTF8(name), toUTF8(string(value)))
		}
	}
}
