package graph_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"sello/graph"
	"sello/graph/graphtest"
	"sello/loyalty/auth"
)

// TestBatchCodes makes a batch by its job while somebody follows it, and downloads
// its codes: its own company's, with the scope, and nobody else.
func TestBatchCodes(t *testing.T) {
	t.Parallel()
	env := graphtest.New(t)
	c, other := env.Company(t, "shop"), env.Company(t, "other")
	env.Resolver.Coupons.ChunkCodes = 1_000
	a := c.Query(t, `mutation {
		couponTypeCreate(input: { code: "CAFE", name: "Café", format: PRINTED, benefit: AMOUNT, codePrefix: "CF-" }) { userErrors { code } }
		couponBatchCreate(input: { typeCode: "CAFE", codes: 12500, idempotencyKey: "b" }) { couponBatch { id codesPath } userErrors { code } }
	}`, nil)
	id, path := a.Text("couponBatchCreate", "couponBatch", "id"), a.Text("couponBatchCreate", "couponBatch", "codesPath")
	stream := c.Subscribe(t, graphtest.Request{
		Credential: c.Key, Document: fmt.Sprintf(`subscription { couponBatchProgressed(id: %q) { status codesIssued } }`, id),
	})
	defer stream.Close()
	if first, ok := stream.Next(); !ok || first.Text("couponBatchProgressed", "status") != "QUEUED" {
		t.Fatalf("the first figures: got %s", first.Body)
	}
	worked := make(chan struct{})
	go func() {
		defer close(worked)
		env.Work(t)
	}()
	last := graphtest.Answer{}
	for {
		next, ok := stream.Next()
		if !ok {
			break
		}
		last = next
	}
	<-worked
	if last.Text("couponBatchProgressed", "status") != "FINISHED" || !strings.Contains(string(last.Body), `"codesIssued":12500`) {
		t.Errorf("the last figures: got %s", last.Body)
	}

	if path != graph.CouponBatchCodesPath(id) {
		t.Errorf("codesPath: got %q", path)
	}
	for _, tt := range []struct {
		name, credential, path string
		status                 int
	}{
		{"its own company", c.Key, path, http.StatusOK},
		{"nobody", "", path, http.StatusUnauthorized},
		{"a wrong credential", "sello_server_wrong", path, http.StatusUnauthorized},
		{"without the scope", c.KeyWith(t, auth.CardsRead), path, http.StatusForbidden},
		{"another company", other.Key, path, http.StatusNotFound},
		{"no such batch", c.Key, graph.CouponBatchCodesPath(randomID("CouponBatch")), http.StatusNotFound},
		{"no id", c.Key, graph.CouponBatchCodesPath("nonsense"), http.StatusNotFound},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, env.Server.URL+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.credential != "" {
			r.Header.Set("Authorization", "Bearer "+tt.credential)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != tt.status {
			t.Errorf("%s: got status %d, error %v, want %d", tt.name, resp.StatusCode, err, tt.status)
		}
		if leaks := strings.Contains(string(body), "CF-"); leaks != (tt.status == http.StatusOK) {
			t.Errorf("%s: codes shown: %v", tt.name, leaks)
		}
		if tt.status != http.StatusOK {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(body)), "\n")
		if len(lines) != 12_501 || lines[0] != "code,status,used,expires_on" || !strings.HasSuffix(lines[12_500], ",active,0,") {
			t.Errorf("the file has %d lines, from %q to %q", len(lines), lines[0], lines[len(lines)-1])
		}
		if got := resp.Header.Get("Content-Type"); got != "text/csv; charset=utf-8" {
			t.Errorf("the file's type: got %q", got)
		}
	}
}
