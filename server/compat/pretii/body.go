package pretii

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/govalues/decimal"
)

// maxBody bounds a JSON body, in bytes (spec/pretii.md 2).
const maxBody = 1 << 20

// object is a JSON object, its members not yet read: names in their very case, the last
// of repeated ones, unknown ones ignored.
type object map[string]json.RawMessage

// readBody reads a JSON object, in the order of spec/pretii.md 2.1: size, content type,
// JSON.
func readBody(w http.ResponseWriter, r *http.Request) (object, error) {
	if r.ContentLength > maxBody { // before a client that waits for 100 Continue sends it
		return nil, refused(requestTooLarge)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, refused(requestTooLarge)
	}
	media, _, mediaErr := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if mediaErr != nil || media != "application/json" && !strings.HasSuffix(media, "+json") {
		return nil, refused(unsupportedType)
	}
	if err != nil {
		return nil, refused(invalidJSON)
	}
	return decodeObject(body)
}

// decodeObject reads one JSON object and nothing behind it, in UTF-8.
func decodeObject(body []byte) (object, error) {
	body = bytes.TrimPrefix(body, []byte("\uFEFF"))
	var o object
	if !utf8.Valid(body) || json.Unmarshal(body, &o) != nil || o == nil {
		return nil, refused(invalidJSON)
	}
	return o, nil
}

// unreadable stands for a value of another type than the field's: no field takes it.
const unreadable = "\x00"

// text is a member that is a text, trimmed; "" where it is absent, null or blank.
func (o object) text(name string) string {
	raw := o[name]
	if absent(raw) {
		return ""
	}
	var text string
	if raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return unreadable
	}
	return strings.TrimSpace(text)
}

// optional is text as an argument that may be left out.
func (o object) optional(name string) *string {
	if text := o.text(name); text != "" {
		return &text
	}
	return nil
}

func absent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// wrongNumber stands for a number that cannot be read: none of the fields takes it.
var wrongNumber = decimal.NegOne

// number is a member that is a JSON number; nil where it is absent, null or blank.
func (o object) number(name string) *decimal.Decimal {
	raw := o[name]
	switch {
	case absent(raw), raw[0] == '"' && o.text(name) == "":
		return nil
	case raw[0] == '"':
		return &wrongNumber
	}
	return exact(string(raw))
}

var money = regexp.MustCompile(`^[0-9]+(\.[0-9]{1,2})?$`)

// money is a member that is an amount: a JSON number, or a text of one with a point and
// at most two decimals (spec/pretii.md 2).
func (o object) money(name string) *decimal.Decimal {
	raw := o[name]
	if absent(raw) || raw[0] != '"' {
		return o.number(name)
	}
	switch text := o.text(name); {
	case text == "":
		return nil
	case money.MatchString(text):
		return exact(text)
	}
	return &wrongNumber
}

// exact reads a number to its last digit: a decimal would round what has more of them
// than it keeps.
func exact(text string) *decimal.Decimal {
	const most = 30 // powers of ten, far beyond what any field takes
	if _, exponent, ok := strings.Cut(strings.ToLower(text), "e"); ok {
		if n, err := strconv.Atoi(exponent); err != nil || n > most || n < -most {
			return &wrongNumber
		}
	}
	d, err := decimal.Parse(text)
	if err != nil {
		return &wrongNumber
	}
	given, read := new(big.Rat), new(big.Rat)
	if _, ok := given.SetString(text); !ok {
		return &wrongNumber
	}
	if _, ok := read.SetString(d.String()); !ok || given.Cmp(read) != 0 {
		return &wrongNumber
	}
	return &d
}
