package server_test

import (
	"net/http"
	"strings"
	"testing"

	"sello/server"
)

func TestProbes(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	get := func(path string) answer { return send(t, plain, http.MethodGet, e.URL+path, "") }

	if got := get("/readyz?verbose"); got.StatusCode != 200 || got.body != "database: ok\nmigrations: ok\nok\n" {
		t.Errorf("ready: got %d %q", got.StatusCode, got.body)
	}
	if got := get("/readyz"); got.body != "ok\n" {
		t.Errorf("ready: got %q", got.body)
	}
	if _, err := e.pool.Exec(t.Context(), `DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version)`); err != nil {
		t.Fatal(err)
	}
	if got := get("/readyz?verbose"); got.StatusCode != 503 || got.body != "database: ok\nmigrations: failed\nnot ready\n" {
		t.Errorf("an old schema: got %d %q", got.StatusCode, got.body)
	}
	e.pool.Close()
	if got := get("/readyz?verbose"); got.StatusCode != 503 || got.body != "database: failed\nmigrations: failed\nnot ready\n" {
		t.Errorf("no database: got %d %q", got.StatusCode, got.body)
	}
	if got := get("/livez"); got.StatusCode != 200 {
		t.Errorf("live without a database: got %d, want 200", got.StatusCode)
	}
	e.health.Drain()
	if got := get("/readyz"); got.StatusCode != 503 {
		t.Errorf("draining: got %d, want 503", got.StatusCode)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.metrics.WatchPool(e.pool)
	for _, tt := range []struct {
		name, authorization string
		status              int
	}{
		{"nobody", "", 401},
		{"a company's operator", "Bearer " + e.token(t, "boss@acme.test"), 403},
		{"a wrong token", "Bearer x", 401},
		{"platform", "Bearer " + e.token(t, "root@acme.test"), 200},
	} {
		got := send(t, plain, http.MethodGet, e.URL+"/metrics", "", "Authorization", tt.authorization)
		if got.StatusCode != tt.status || strings.Contains(got.body, "sello_") != (tt.status == 200) {
			t.Errorf("%s: got %d, want %d: %.200s", tt.name, got.StatusCode, tt.status, got.body)
		}
	}
	e.metrics.Posted("accrue")
	e.metrics.Refused("CARD_NOT_FOUND")
	e.graphql(t, plain, `{"query":"{__typename}"}`)
	e.graphql(t, plain, `{"query":"`+strings.Repeat("{a", 20)+strings.Repeat("}", 20)+`"}`)
	send(t, plain, "BREW", e.URL+"/some/secret", "")
	got := send(t, plain, http.MethodGet, e.URL+"/metrics", "", "Authorization", "Bearer "+e.token(t, "root@acme.test"))
	for _, want := range []string{
		`sello_http_requests_total{method="GET",route="/metrics",status="401"} 2`,
		`sello_http_requests_total{method="other",route="none",status="405"} 1`,
		`sello_http_request_duration_seconds_count{route="/graphql"} 2`,
		`sello_http_requests_in_flight 1`,
		`sello_graphql_operations_total{kind="query",outcome="ok",transport="http"} 1`,
		`sello_graphql_guard_refusals_total{reason="depth"} 1`,
		`sello_graphql_subscriptions 0`,
		`sello_postings_total{action="accrue"} 1`,
		`sello_refusals_total{code="CARD_NOT_FOUND"} 1`,
		`sello_credential_failures_total{reason=`,
		`sello_db_connections_max 10`,
	} {
		if !strings.Contains(got.body, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(got.body, "secret") {
		t.Error("a path of a caller's own became a label")
	}

	elsewhere := newEnv(t, func(c *server.Config) { c.OpsElsewhere = true })
	if got := send(t, plain, http.MethodGet, elsewhere.URL+"/metrics", "", "Authorization", "Bearer "+elsewhere.token(t, "root@acme.test")); got.StatusCode != 404 {
		t.Errorf("with a listener of their own: got %d, want 404", got.StatusCode)
	}
}

func TestJobConsoleAccess(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	boss, root := e.browser(t), e.browser(t)
	e.signIn(t, boss, "boss%40acme.test")
	e.signIn(t, root, "root%40acme.test")
	const page = "navigate"
	for _, tt := range []struct {
		name         string
		client       *http.Client
		method, path string
		site, mode   string
		status       int
		location     string
	}{
		{"nobody opens it", plain, "GET", "/jobs/", "none", page, 303, "/sign-in?next=%2Fjobs%2F"},
		{"nobody's script", plain, "GET", "/jobs/api/queues", "same-origin", "cors", 401, ""},
		{"a company's operator", boss, "GET", "/jobs/", "none", page, 403, ""},
		{"a company's operator's script", boss, "GET", "/jobs/api/queues", "same-origin", "cors", 403, ""},
		{"a company's operator pauses", boss, "PUT", "/jobs/api/queues/imports/pause", "same-origin", "cors", 403, ""},
		{"without the slash", root, "GET", "/jobs", "none", page, 301, "/jobs/"},
		{"platform", root, "GET", "/jobs/", "none", page, 200, ""},
		{"platform's script", root, "GET", "/jobs/api/queues", "same-origin", "cors", 200, ""},
		{"another site's page changes something", root, "PUT", "/jobs/api/queues/imports/pause", "cross-site", "cors", 403, ""},
		{"a queue that is not there", root, "PUT", "/jobs/api/queues/nope/pause", "same-origin", "cors", 404, ""},
	} {
		got := send(t, tt.client, tt.method, e.URL+tt.path, "", "Sec-Fetch-Site", tt.site, "Sec-Fetch-Mode", tt.mode)
		if got.StatusCode != tt.status || got.Header.Get("Location") != tt.location {
			t.Errorf("%s: got %d to %q, want %d to %q: %.200s", tt.name, got.StatusCode, got.Header.Get("Location"), tt.status, tt.location, got.body)
		}
	}
}
