package gqlhttp

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// encodeResponse writes the answer of an operation that ran. It is put together
// by hand because json.Marshal would read all of data again.
func encodeResponse(response *graphql.Response) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(len(response.Data) + 256)
	b.WriteByte('{')
	if len(response.Errors) > 0 {
		errs, err := json.Marshal(response.Errors)
		if err != nil {
			return nil, err
		}
		b.WriteString(`"errors":`)
		b.Write(errs)
		b.WriteByte(',')
	}
	b.WriteString(`"data":`)
	if len(response.Data) == 0 {
		b.WriteString("null")
	}
	b.Write(response.Data)
	if c, only := response.Extensions["cost"].(*cost); only && len(response.Extensions) == 1 {
		fmt.Fprintf(&b, `,"extensions":{"cost":{"requested":%d,"limit":%d}}`, c.Requested, c.Limit)
	} else if len(response.Extensions) > 0 {
		extensions, err := json.Marshal(response.Extensions)
		if err != nil {
			return nil, err
		}
		b.WriteString(`,"extensions":`)
		b.Write(extensions)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encodeRefusal writes the answer of a request that did not run: without data,
// by which clients tell the two apart.
func encodeRefusal(errs gqlerror.List, op *operation) ([]byte, error) {
	body := struct {
		Errors     gqlerror.List  `json:"errors"`
		Extensions map[string]any `json:"extensions,omitempty"`
	}{Errors: errs}
	if op != nil {
		if c := costOf(op.context); c != nil {
			body.Extensions = map[string]any{"cost": c}
		}
	}
	return json.Marshal(body)
}
