package webhook

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sello/db"
)

// retryAfterMost is the longest pause that a receiver can ask for.
const retryAfterMost = time.Hour

// newClient makes the client that all webhooks share: no proxy, no redirects, no
// cookies, a limit on every step, and an address that is looked at when it is
// dialled.
func newClient(timeout time.Duration, parallel int, allowPrivate bool) *http.Client {
	dialer := &net.Dialer{Timeout: timeout / 2}
	if !allowPrivate {
		dialer.Control = refusePrivate
	}
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			TLSHandshakeTimeout:    timeout / 2,
			ResponseHeaderTimeout:  timeout,
			MaxResponseHeaderBytes: 16 << 10,
			MaxIdleConns:           100,
			MaxIdleConnsPerHost:    parallel,
			IdleConnTimeout:        30 * time.Second,
			// What is kept of an answer is its own bytes, and no bomb.
			DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// outcome is what came of one request.
type outcome struct {
	// status is zero where there was no answer.
	status int
	// problem is blank if the receiver has it.
	problem    string
	response   *string
	retryAfter time.Duration
}

func (o outcome) delivered() bool { return o.problem == "" }

// request sends one delivery and reads what was answered. All that can happen is
// an outcome; nothing of it is logged.
func (s *Service) request(ctx context.Context, w db.Webhook, d db.WebhookDelivery, secrets [][]byte, body []byte, at time.Time) outcome {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.Url, bytes.NewReader(body))
	if err != nil {
		return outcome{problem: reason(err)}
	}
	id := (&Delivery{WebhookDelivery: d}).MessageID()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Sello-Webhooks/1")
	req.Header.Set("Webhook-Id", id)
	req.Header.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	req.Header.Set("Webhook-Signature", sign(secrets, id, at, body))
	res, err := s.client.Do(req)
	if err != nil {
		return outcome{problem: reason(err)}
	}
	defer func() { _ = res.Body.Close() }()
	out := outcome{status: res.StatusCode, retryAfter: retryAfter(res.Header, at)}
	// An answer that stops in the middle is one all the same: the status counts.
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxResponse))
	if len(text) > 0 {
		out.response = new(strings.ReplaceAll(strings.ToValidUTF8(string(text), "\uFFFD"), "\x00", "\uFFFD"))
	}
	switch {
	case res.StatusCode >= 300 && res.StatusCode < 400:
		out.problem = "redirects are not followed"
	case res.StatusCode < 200 || res.StatusCode >= 300:
		out.problem = "the receiver answered " + strconv.Itoa(res.StatusCode)
	}
	return out
}

// retryAfter is the pause that an answer asks for, in seconds or as a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if n, err := strconv.Atoi(text); err == nil {
		return min(max(0, time.Duration(n)*time.Second), retryAfterMost)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(0, at.Sub(now)), retryAfterMost)
	}
	return 0
}
