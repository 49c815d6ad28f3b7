package gqlhttp

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// decodeByTokens is what decodeObject has to be equal to, by the library's tokens.
func decodeByTokens(data []byte, depth int) (map[string]any, error) {
	if !utf8.Valid(data) {
		return nil, errJSON
	}
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '[' {
		return nil, errBatch
	}
	if !json.Valid(data) {
		return nil, errJSON
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	value, err := valueByTokens(dec, depth)
	if object, isObject := value.(map[string]any); err == nil && isObject {
		return object, nil
	}
	return nil, errJSON
}

func valueByTokens(dec *json.Decoder, depth int) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	text, isText := token.(string)
	if isText && strings.IndexByte(text, 0) >= 0 {
		return nil, errJSON
	}
	open, isDelim := token.(json.Delim)
	if !isDelim {
		return token, nil
	}
	if depth == 0 {
		return nil, errJSON
	}
	object, list := map[string]any{}, []any{}
	for dec.More() {
		if open == '[' {
			value, err := valueByTokens(dec, depth-1)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
			continue
		}
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		key := token.(string)
		if _, twice := object[key]; twice || strings.IndexByte(key, 0) >= 0 {
			return nil, errJSON
		}
		if object[key], err = valueByTokens(dec, depth-1); err != nil {
			return nil, err
		}
	}
	_, err = dec.Token()
	if open == '[' {
		return list, err
	}
	return object, err
}

var jsonSeeds = []string{
	`{}`, ` { "a" : [ 1 , -0 , 2.5e-3 , true , false , null , "x" ] } `, `{"a":{"b":{"c":[]}}}`, `{"a":1,"a":2}`, `{"a":1}{}`, `{"a":1} x`, `[]`, ` [1]`, `null`, `1`, ``,
	`{"a":"\u0000"}`, `{"\u0000":1}`, `{"a":"\ud83d\ude00 \n \" \\ \/"}`, `{"a":"\ud83d"}`, `{"a":"\x"}`, `{"a":"\u12"}`, "{\"a\":\"\x01\"}", "{\"a\":\"\xff\"}", `{"a":"é"}`,
	`{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":+1}`, `{"a":-}`, `{"a":0x1}`, `{"a":1e+5}`, `{"a":tru}`, `{"a":truee}`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":[1,]}`,
	`{"a":[[[[]]]]}`, `{"a":[[[[[]]]]]}`, `{"a":{"b":{"c":{"d":{"e":1}}}}}`, `{"a":"`, `{"a":"\`, `{"\"":1}`, "{\"a\":1}\x00", `{"query":"{viewer{id}}","variables":{"n":12345678901234567890}}`,
}

func FuzzDecodeObject(f *testing.F) {
	for _, seed := range jsonSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decodeObject(data, 5)
		want, wanted := decodeByTokens(data, 5)
		if err != wanted || !reflect.DeepEqual(got, want) { //nolint:errorlint // they are the same values
			t.Errorf("%q: got %v (%v), by tokens %v (%v)", data, got, err, want, wanted)
		}
	})
}

func BenchmarkDecodeObject(b *testing.B) {
	data := []byte(`{"query":"mutation($code: String!, $points: Decimal!, $key: String!) {\n  post: movementAccrue(input: {card: {code: $code}, points: $points, idempotencyKey: $key}) {\n    movement { id seq balanceAfter } replayed userErrors { code }\n  }\n}","variables":{"code":"7000000000012345","points":"12","key":"r0c1-3-42"}}`)
	for name, decode := range map[string]func([]byte, int) (map[string]any, error){"once": decodeObject, "by tokens": decodeByTokens} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode(data, 64); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
