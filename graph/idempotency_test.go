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
	if got := post("2"); got.At("movementAccrue", "replayed") != false || got.At("movementAccrue", "movement", "seq") != 6.0 {
		t.Errorf("another request behind it: got %s", got.Body)
	}
}

// TestReplaysAreTheFirstAnswers: what is sent again is answered again to the byte,
// but that it says so.
func TestReplaysAreTheFirstAnswers(t *testing.T) {
	t.Parallel()
	c := graphtest.New(t).Company(t, "shop")
	c.Fill(t, 2)
	c.Exec(t, `UPDATE card_type SET tracks_lots = true, expiry_policy = 'after', expiry_count = 10, expiry_redates = true, expiry_version = 1, transfer_policy = 'partial', scale = 4
		WHERE company_id = $1 AND code = $2`, c.ID, c.Names.Programme)
	const movement = `id seq action amount balanceAfter spent rate held reference description source postedAt recordedAt store { code }
		lines { number amount code } related { seq amount } lots { amount lot { part amount earnedOn } }`
	const hold = `id status amount captured expiresAt endedAt createdAt movement { seq } endMovement { seq }`
	card := `card: { code: "shop-card-0" }`
	ids := map[string]string{}
	for _, tt := range []struct{ name, mutation, input, answer, save string }{
		{"accrual", "movementAccrue", card + `, points: "10.50", spent: "33.3300", reference: " T ", storeCode: "shop-centro", postedAt: "2026-03-01T00:00:00.123456789Z", lines: [{ number: 1, points: "10.5000", code: "A" }]`, "movement { " + movement + " }", "movement"},
		{"plain accrual", "movementAccrue", `card: { walletKey: "mk_shop_0001", phone: "5520000000" }, spent: "33.3"`, "movement { " + movement + " }", ""},
		{"pending accrual", "movementAccrue", card + `, points: "3", lot: { pending: true }`, "movement { " + movement + " }", "waiting"},
		{"vesting", "movementVest", `movementId: "{waiting}"`, "movement { " + movement + " }", ""},
		{"redemption", "movementRedeem", card + `, points: "1.0"`, "movement { " + movement + " }", ""},
		{"hold", "holdCreate", card + `, amount: "2.10", seconds: 7`, "hold { " + hold + " } movement { " + movement + " }", "hold"},
		{"capture", "holdCapture", `holdId: "{hold}", amount: "1.100"`, "hold { " + hold + " } movement { " + movement + " }", ""},
		{"transfer", "transferCreate", `from: { code: "shop-card-0" }, to: { code: "shop-card-1" }, amount: "0.50"`, "transferOut { " + movement + " } transferIn { " + movement + " }", ""},
		{"return by line", "movementReverse", `movementId: "{movement}", lines: [{ number: 1, amount: "1.50" }]`, "movement { " + movement + " }", ""},
		{"return by spent", "movementReverse", `movementId: "{movement}", spent: "10.10"`, "movement { " + movement + " }", ""},
		{"extension", "lotsExtend", card + `, expiresOn: "2026-06-01", reason: "x"`, "movement { " + movement + " }", ""},
	} {
		input := tt.input
		for name, id := range ids {
			input = strings.ReplaceAll(input, "{"+name+"}", id)
		}
		document := fmt.Sprintf(`mutation { %s(input: { %s, idempotencyKey: %q }) { %s replayed userErrors { code field } } }`, tt.mutation, input, tt.name, tt.answer)
		if strings.HasPrefix(tt.mutation, "hold") && tt.name == "capture" {
			defer func() { // the hold's first answer, after it has ended
				if again := c.Query(t, ids["hold document"], nil); answered(again.Body) != ids["hold answer"] {
					t.Errorf("hold sent again after its end: got %s, want %s", again.Body, ids["hold answer"])
				}
			}()
		}
		first := c.Query(t, document, nil)
		if len(first.Errors) > 0 || first.Refusal(tt.mutation) != "" {
			t.Fatalf("%s: got %s", tt.name, first.Body)
		}
		if tt.save != "" {
			ids[tt.save] = first.Text(tt.mutation, "movement", "id")
			if tt.save == "hold" {
				ids["hold"], ids["hold document"], ids["hold answer"] = first.Text(tt.mutation, "hold", "id"), document, answered(first.Body)
			}
		}
		c.Clock.Pass(time.Second)
		again := c.Query(t, document, nil)
		if answered(again.Body) != answered(first.Body) || again.At(tt.mutation, "replayed") != true {
			t.Errorf("%s sent again:\ngot  %s\nwant %s", tt.name, again.Body, first.Body)
		}
	}
}

// answered is an answer without the mark of a repeat.
func answered(body []byte) string {
	return comparable([]byte(strings.ReplaceAll(string(body), `"replayed":true`, `"replayed":false`)))
}
