package graphtest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
)

// Request is one GraphQL request.
type Request struct {
	// Credential is an API key or an access token; "" asks as nobody.
	Credential string
	Document   string
	Variables  map[string]any
	Header     http.Header
}

// Answer is one GraphQL answer.
type Answer struct {
	Status int
	Body   []byte
	Errors []Error
	Data   map[string]any
}

// Error is one top-level error.
type Error struct {
	Message    string
	Path       []any
	Extensions map[string]any
}

// Code is extensions.code of the first error, "" if there is none.
func (a Answer) Code() string {
	if len(a.Errors) == 0 {
		return ""
	}
	code, _ := a.Errors[0].Extensions["code"].(string)
	return code
}

// At walks into the data: member names, and ints for elements of lists. nil
// where the way ends.
func (a Answer) At(path ...any) any { return At(a.Data, path...) }

// At walks into decoded JSON.
func At(value any, path ...any) any {
	for _, step := range path {
		switch s := step.(type) {
		case string:
			object, _ := value.(map[string]any)
			value = object[s]
		case int:
			list, _ := value.([]any)
			if s >= len(list) {
				return nil
			}
			value = list[s]
		}
	}
	return value
}

// Text is a string in the data, "" where there is none.
func (a Answer) Text(path ...any) string {
	s, _ := a.At(path...).(string)
	return s
}

// Refusal is the code of the first user error of a mutation, "" if it was done.
func (a Answer) Refusal(mutation string) string { return a.Text(mutation, "userErrors", 0, "code") }

// Do sends a request and reads its answer, whatever it is.
func (e *Env) Do(tb testing.TB, q Request) Answer {
	tb.Helper()
	body, err := json.Marshal(map[string]any{"query": q.Document, "variables": q.Variables})
	if err != nil {
		tb.Fatalf("graphtest: %v", err)
	}
	return e.Send(tb, q.Credential, body, q.Header)
}

// Send sends a body as it is.
func (e *Env) Send(tb testing.TB, credential string, body []byte, header http.Header) Answer {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		tb.Fatalf("graphtest: %v", err)
	}
	prepare(r, credential, "application/graphql-response+json", header)
	response, err := e.Server.Client().Do(r)
	if err != nil {
		tb.Fatalf("graphtest: %v", err)
	}
	defer response.Body.Close()
	a := Answer{Status: response.StatusCode}
	if a.Body, err = io.ReadAll(response.Body); err != nil {
		tb.Fatalf("graphtest: read an answer: %v", err)
	}
	var parsed struct {
		Errors []Error
		Data   map[string]any
	}
	if err := json.Unmarshal(a.Body, &parsed); err != nil {
		tb.Fatalf("graphtest: the answer is no JSON: %q: %v", a.Body, err)
	}
	a.Errors, a.Data = parsed.Errors, parsed.Data
	return a
}

func prepare(r *http.Request, credential, accept string, header http.Header) {
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", accept)
	for name, values := range header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	if credential != "" {
		r.Header.Set("Authorization", "Bearer "+credential)
	}
}

// Ask asks with the company's key.
func (c *Company) Ask(tb testing.TB, document string, variables map[string]any) Answer {
	tb.Helper()
	return c.Do(tb, Request{Credential: c.Key, Document: document, Variables: variables})
}

// Query asks with the company's key and fails where anything went wrong.
func (c *Company) Query(tb testing.TB, document string, variables map[string]any) Answer {
	tb.Helper()
	a := c.Ask(tb, document, variables)
	if a.Status != http.StatusOK || len(a.Errors) > 0 {
		tb.Fatalf("%s: got %d %s", document, a.Status, a.Body)
	}
	return a
}
