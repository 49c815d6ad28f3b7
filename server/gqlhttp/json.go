package gqlhttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// errJSON is the only thing said about a body that cannot be read: neither the
// decoder's text nor the body itself goes back to the client.
var errJSON = errors.New("not one JSON object in UTF-8 without duplicate keys")

// errBatch is a body that is a list.
var errBatch = errors.New("a list of requests")

// decodeObject reads exactly one JSON object. It is stricter than
// encoding/json, whose last-wins duplicates, ignored trailing data and replaced
// bytes let two readers of one body disagree: duplicate keys, anything after
// the object, invalid UTF-8, NUL in a string (PostgreSQL has no such text) and
// nesting beyond depth are refused. Numbers stay as written (json.Number). It goes
// over the body once, at a sixth of what the library's tokens cost.
func decodeObject(data []byte, depth int) (map[string]any, error) {
	if !utf8.Valid(data) {
		return nil, errJSON
	}
	r := jsonReader{data: data}
	switch r.peek() {
	case '[':
		return nil, errBatch
	case '{':
	default:
		return nil, errJSON
	}
	value, ok := r.value(depth)
	if !ok || r.peek() != 0 || r.at < len(data) {
		return nil, errJSON
	}
	return value.(map[string]any), nil
}

// jsonReader reads RFC 8259, and nothing more, out of valid UTF-8.
type jsonReader struct {
	data []byte
	at   int
}

// peek goes over white space and looks at what follows; 0 at the end.
func (r *jsonReader) peek() byte {
	for ; r.at < len(r.data); r.at++ {
		switch c := r.data[r.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

func (r *jsonReader) value(depth int) (any, bool) {
	switch c := r.peek(); {
	case c == '{' && depth > 0:
		r.at++
		return r.members(depth - 1)
	case c == '[' && depth > 0:
		r.at++
		return r.elements(depth - 1)
	case c == '"':
		return r.text()
	case c == '-' || c >= '0' && c <= '9':
		return r.number()
	case c == 't':
		return true, r.word("true")
	case c == 'f':
		return false, r.word("false")
	case c == 'n':
		return nil, r.word("null")
	}
	return nil, false
}

func (r *jsonReader) members(depth int) (map[string]any, bool) {
	object := map[string]any{}
	if r.peek() == '}' {
		r.at++
		return object, true
	}
	for {
		if r.peek() != '"' {
			return nil, false
		}
		key, ok := r.text()
		if _, twice := object[key]; !ok || twice || r.peek() != ':' {
			return nil, false
		}
		r.at++
		value, ok := r.value(depth)
		if !ok {
			return nil, false
		}
		object[key] = value
		switch r.peek() {
		case ',':
			r.at++
		case '}':
			r.at++
			return object, true
		default:
			return nil, false
		}
	}
}

func (r *jsonReader) elements(depth int) ([]any, bool) {
	list := []any{}
	if r.peek() == ']' {
		r.at++
		return list, true
	}
	for {
		value, ok := r.value(depth)
		if !ok {
			return nil, false
		}
		list = append(list, value)
		switch r.peek() {
		case ',':
			r.at++
		case ']':
			r.at++
			return list, true
		default:
			return nil, false
		}
	}
}

// text reads a string. One with escapes, which is rare, is left to the library.
func (r *jsonReader) text() (string, bool) {
	start, escaped := r.at, false
	for r.at++; r.at < len(r.data); r.at++ {
		switch c := r.data[r.at]; {
		case c == '"':
			r.at++
			quoted := r.data[start:r.at]
			if !escaped {
				return string(quoted[1 : len(quoted)-1]), true
			}
			var text string
			err := json.Unmarshal(quoted, &text)
			return text, err == nil && strings.IndexByte(text, 0) < 0
		case c == '\\':
			escaped = true
			r.at++ // whatever it is, it does not end the string
		case c < ' ':
			return "", false
		}
	}
	return "", false
}

func (r *jsonReader) number() (json.Number, bool) {
	start := r.at
	r.skip('-')
	if !r.skip('0') && !r.digits() {
		return "", false
	}
	if r.skip('.') && !r.digits() {
		return "", false
	}
	if r.skip('e') || r.skip('E') {
		if !r.skip('+') {
			r.skip('-')
		}
		if !r.digits() {
			return "", false
		}
	}
	return json.Number(r.data[start:r.at]), true
}

// skip goes over one character if it is there.
func (r *jsonReader) skip(c byte) bool {
	if r.at < len(r.data) && r.data[r.at] == c {
		r.at++
		return true
	}
	return false
}

// digits goes over one digit or more.
func (r *jsonReader) digits() bool {
	start := r.at
	for r.at < len(r.data) && r.data[r.at] >= '0' && r.data[r.at] <= '9' {
		r.at++
	}
	return r.at > start
}

func (r *jsonReader) word(word string) bool {
	if !bytes.HasPrefix(r.data[r.at:], []byte(word)) {
		return false
	}
	r.at += len(word)
	return true
}

// plainText says that a string is UTF-8 and holds no NUL.
func plainText(text string) bool {
	return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0
}
