package antcrm

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"sello/graph/model"
)

// maxBody bounds a request body, in bytes (spec/antcrm.md 2).
const maxBody = 64 << 10

// object is a JSON object, its members not yet read. Names are matched in their case,
// the last of repeated ones counts, and unknown ones are ignored.
type object map[string]json.RawMessage

// readBody reads any JSON object, whatever its content type. It fails with
// requestTooLarge and invalidJSON.
func readBody(w http.ResponseWriter, r *http.Request) (object, error) {
	if r.ContentLength > maxBody { // before a client that waits for 100 Continue sends it
		return nil, requestTooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, requestTooLarge
	}
	if err != nil {
		return nil, invalidJSON
	}
	return readObject(bytes.TrimPrefix(body, []byte("\uFEFF")), invalidJSON)
}

// readObject reads an object, or answers otherwise.
func readObject(raw json.RawMessage, otherwise answer) (object, error) {
	var o object
	if json.Unmarshal(raw, &o) != nil || o == nil {
		return nil, otherwise
	}
	return o, nil
}

// text is a member that is a text, trimmed; "" where it is absent or something else.
func (o object) text(name string) string {
	var text string
	if raw := o[name]; len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return strings.TrimSpace(text)
}

// unreadable stands for a value that is there and is no text: no phone and no e-mail.
const unreadable = "?"

// value reads a phone or an e-mail: a text, or the digits of a number; "" where there
// is none.
func value(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	switch c := raw[0]; {
	case c == '"':
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return unreadable
		}
		return strings.TrimSpace(text)
	case '0' <= c && c <= '9':
		return string(raw)
	case c == 'n':
		return ""
	}
	return unreadable
}

// points reads a list of phones or e-mails: objects with type and value.
func points(raw json.RawMessage) []*model.ContactPointInput {
	if len(raw) == 0 || raw[0] == 'n' {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return []*model.ContactPointInput{{Value: unreadable}}
	}
	all := make([]*model.ContactPointInput, 0, len(list))
	for _, element := range list {
		one, err := readObject(element, invalidJSON)
		switch {
		case err == nil:
			all = append(all, &model.ContactPointInput{Label: new(one.text("type")), Value: value(one["value"])})
		case string(element) == "null":
		case element[0] == '"':
			all = append(all, &model.ContactPointInput{Value: value(element)})
		default:
			all = append(all, &model.ContactPointInput{Value: unreadable})
		}
	}
	return all
}

// given reports whether there is one that is not blank.
func given(lists ...[]*model.ContactPointInput) bool {
	for _, list := range lists {
		for _, p := range list {
			if p.Value != "" {
				return true
			}
		}
	}
	return false
}

// read takes a POST's code and data out of its body, in the order of their checks
// (spec/antcrm.md 4 and 5, steps 1 to 3).
func read(w http.ResponseWriter, r *http.Request, codeRequired answer) (code string, data object, err error) {
	body, err := readBody(w, r)
	if err != nil {
		return "", nil, err
	}
	if code = body.text("code"); code == "" {
		return "", nil, codeRequired
	}
	data, err = readObject(body["data"], dataRequired)
	return code, data, err
}
