package graph_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sello/graph/graphtest"
)

// TestIdempotencyAtOnce: sixteen times the same request at the same moment is one
// movement, one first answer and fifteen repeats of it (hardening.md 2.3, B9).
func TestIdempotencyAtOnce(t *testing.T) {
	t.Parallel()
	const times = 16
	c := graphtest.New(t).Company(t, "shop")
	c.Fill(t, 1)
	for name, q := range map[string]graphtest.Request{
		"the argument": {Document: `mutation { movementRedeem(input: { card: { code: "shop-card-0" }, points: "1", idempotencyKey: "once" }) { movement { id seq amount balanceAfter } replayed userErrors { code } } }`},
		"the header": {
			Document: `mutation { movementRedeem(input: { card: { code: "shop-card-0" }, points: "1" }) { movement { id seq amount balanceAfter } replayed userErrors { code } } }`,
			Header:   http.Header{"Idempotency-Key": {"once"}},
		},
	} {
		q.Credential = c.Key
		before := lastOf(c, 0)
		answers := make([]graphtest.Answer, times)
		var all sync.WaitGroup
		for i := range times {
			all.Go(func() { answers[i] = c.Do(t, q) })
		}
		all.Wait()
		first, movements := 0, map[string]bool{}
		for _, a := range answers {
			if a.At("movementRedeem", "replayed") == false {
				first++
			}
			movements[fmt.Sprint(a.At("movementRedeem", "movement"))] = true
		}
		if first != 1 || len(movements) != 1 || lastOf(c, 0) == before {
			t.Errorf("%s: %d first answers and the movements %v after %s, want one of each", name, first, movements, before)
		}
	}
	if got := c.Query(t, `{ card(code: "shop-card-0") { seq balance } }`, nil); got.Text("card", "balance") != "4" {
		t.Errorf("the card: got %s, want a balance of 4", got.Body)
	}
}

// TestIdempotencyExpires: a key stands for its first request as long as was asked
// for, and is free behind that.
func TestIdempotencyExpires(t *testing.T) {
	t.Parallel()
	c := graphtest.New(t).Company(t, "shop")
	c.Fill(t, 1)
	post := func(points string) graphtest.Answer {
		return c.Query(t, fmt.Sprintf(`mutation { movementAccrue(input: { card: { code: "shop-card-0" }, points: %q, idempotencyKey: %q, idempotencyHours: 1 }) { movement { seq } replayed userErrors { code } } }`,
			points, strings.Repeat("k", 256)), nil)
	}
	if got := post("1"); got.At("movementAccrue", "replayed") != false {
		t.Fatalf("first: got %s", got.Body)
	}
	c.Clock.Pass(59 * time.Minute)
	if got := post("2").Refusal("movementAccrue"); got != "IDEMPOTENCY_MISMATCH" {
		t.Errorf("another request within the hour: got %q", got)
	}
	c.Clock.Pass(2 * time.Minute)
	if got := post("2"); got.At("movementAccrue", "replayed") != false || got.At("movementAccrue", "movement", "seq") != 5.0 {
		t.Errorf("another request behind it: got %s", got.Body)
	}
}
