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
// nesting beyond depth are refused. Numbers stay as written (json.Number).
func decodeObject(data []byte, depth int) (map[string]any, error) {
	if !utf8.Valid(data) {
		return nil, errJSON
	}
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '[' {
		return nil, errBatch
	}
	if !json.Valid(data) { // covers what follows the value, too
		return nil, errJSON
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	value, err := decodeValue(dec, depth)
	if err != nil {
		return nil, errJSON
	}
	object, isObject := value.(map[string]any)
	if !isObject {
		return nil, errJSON
	}
	return object, nil
}

func decodeValue(dec *json.Decoder, depth int) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if depth == 0 {
			return nil, errJSON
		}
		if t == '{' {
			return decodeMembers(dec, depth-1)
		}
		return decodeElements(dec, depth-1)
	case string:
		if strings.IndexByte(t, 0) >= 0 {
			return nil, errJSON
		}
	}
	return token, nil
}

func decodeMembers(dec *json.Decoder, depth int) (map[string]any, error) {
	object := map[string]any{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		key, isString := token.(string)
		if _, twice := object[key]; !isString || twice || strings.IndexByte(key, 0) >= 0 {
			return nil, errJSON
		}
		if object[key], err = decodeValue(dec, depth); err != nil {
			return nil, err
		}
	}
	_, err := dec.Token()
	return object, err
}

func decodeElements(dec *json.Decoder, depth int) ([]any, error) {
	list := []any{}
	for dec.More() {
		value, err := decodeValue(dec, depth)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	_, err := dec.Token()
	return list, err
}

// plainText says that a string is UTF-8 and holds no NUL.
func plainText(text string) bool {
	return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0
}
