package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client speaks HTTP to a server under test, with many connections kept open.
type Client struct {
	base string
	http *http.Client
}

func newClient(base string, connections int) *Client {
	return &Client{base: base, http: &http.Client{
		Timeout: 60 * time.Second,
		Transport: &http.Transport{
			MaxIdleConns: connections, MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, DisableCompression: true,
		},
	}}
}

func (c *Client) do(ctx context.Context, method, path string, header http.Header, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	r.Header = header
	return c.http.Do(r)
}

// Answer is a GraphQL response.
type Answer struct {
	Status int             `json:"-"`
	Data   json.RawMessage `json:"data"`
	Errors []struct {
		Message    string         `json:"message"`
		Extensions map[string]any `json:"extensions"`
	} `json:"errors"`
}

// GraphQL posts one document as the holder of a key.
func (c *Client) GraphQL(ctx context.Context, key, document string, variables any) (Answer, error) {
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		return Answer{}, err
	}
	resp, err := c.do(ctx, http.MethodPost, "/graphql", http.Header{
		"Authorization": {"Bearer " + key}, "Content-Type": {"application/json"}, "Accept": {"application/json"},
	}, bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	a := Answer{Status: resp.StatusCode}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(text, &a); err != nil {
		return a, fmt.Errorf("status %d, not JSON: %.200s", resp.StatusCode, text)
	}
	return a, nil
}

// Ask posts a document and decodes its data, failing on any error.
func (c *Client) Ask(ctx context.Context, key, document string, variables, data any) error {
	a, err := c.GraphQL(ctx, key, document, variables)
	if err != nil {
		return err
	}
	if a.Status != http.StatusOK || len(a.Errors) > 0 {
		return fmt.Errorf("graphql: status %d, errors %+v", a.Status, a.Errors)
	}
	return json.Unmarshal(a.Data, data)
}

// form posts form fields in the tills' way.
func (c *Client) form(ctx context.Context, apikey, path string, fields url.Values) (status int, header http.Header, body []byte, err error) {
	resp, err := c.do(ctx, http.MethodPost, path, http.Header{
		"Apikey": {apikey}, "Content-Type": {"application/x-www-form-urlencoded"},
	}, strings.NewReader(fields.Encode()))
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, body, err
}

// UserError is a refusal in a GraphQL payload.
type UserError struct {
	Code    string
	Message string
}

func refusal(errors []UserError) error {
	if len(errors) == 0 {
		return nil
	}
	return fmt.Errorf("refused: %s (%s)", errors[0].Code, errors[0].Message)
}
