package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// minSecret is the least that requests are signed with, in bytes.
const minSecret = 16

// HTTPConfig names the provider that takes messages to phones.
type HTTPConfig struct {
	// URL takes one message a POST: https, or http on this very machine.
	URL string
	// Secret signs requests, as webhooks are signed (docs/webhooks.md).
	Secret string
	// Timeout bounds one request; 15 s if zero.
	Timeout time.Duration
	// Now is the clock of the signatures.
	Now func() time.Time
}

// HTTPTexter is the Texter that hands messages to a provider over HTTP.
type HTTPTexter struct {
	url    string
	secret []byte
	now    func() time.Time
	client *http.Client
}

// NewHTTPTexter checks the configuration; it does not connect.
func NewHTTPTexter(c HTTPConfig) (*HTTPTexter, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, errors.New("message provider: the address is not an http address without credentials")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, errors.New("message provider: phones and texts go over https only")
	}
	if len(c.Secret) < minSecret {
		return nil, fmt.Errorf("message provider: a secret of at least %d characters is required", minSecret)
	}
	timeout := c.Timeout
	if timeout == 0 {
		timeout = 15 * time.Second
	}
	return &HTTPTexter{
		url: c.URL, secret: []byte(c.Secret), now: c.Now,
		client: &http.Client{
			Timeout: timeout,
			// A redirect would take a person's phone to somebody else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Outcome says that messages are sent.
func (*HTTPTexter) Outcome() Status { return Sent }

// text is the body of a request.
type text struct {
	ID      string  `json:"id"`
	Channel Channel `json:"channel"`
	To      string  `json:"to"`
	Text    string  `json:"text"`
}

// SendText hands a message to the provider: any 2xx is its word for it. An answer that
// another attempt cannot mend is 400, 413 or 422; everything else may be.
func (t *HTTPTexter) SendText(ctx context.Context, m Outgoing) error {
	id := m.ID.String()
	body, err := json.Marshal(text{ID: id, Channel: m.Channel, To: m.To, Text: m.Body})
	if err != nil {
		return fmt.Errorf("encode a message: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make a request of a message: %w", err)
	}
	at := strconv.FormatInt(t.now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Sello-Messages/1")
	req.Header.Set("Idempotency-Key", id)
	req.Header.Set("Webhook-Id", id)
	req.Header.Set("Webhook-Timestamp", at)
	req.Header.Set("Webhook-Signature", t.sign(id, at, body))
	res, err := t.client.Do(req)
	if err != nil {
		return &SendError{Reason: "the message provider could not be reached", err: err}
	}
	defer func() { _ = res.Body.Close() }()
	// What it says may name the person; read, so that the connection is used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	switch code := res.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusBadRequest, code == http.StatusRequestEntityTooLarge, code == http.StatusUnprocessableEntity:
		return &PermanentError{Reason: fmt.Sprintf("the message provider refuses the message (%d)", code)}
	default:
		return &SendError{Reason: fmt.Sprintf("the message provider did not take the message (%d)", code)}
	}
}

func (t *HTTPTexter) sign(id, at string, body []byte) string {
	mac := hmac.New(sha256.New, t.secret)
	mac.Write([]byte(id + "." + at + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
