package bench

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestLedgerPlanTakesTurns(t *testing.T) {
	t.Parallel()
	o := LedgerOptions{Clients: []int{1, 16}, Distributions: []Distribution{Uniform, Zipf}}
	ways := []string{wayGraphQL, wayWallet, wayBare}

	first, second := ledgerPlan(o, ways, 0), ledgerPlan(o, ways, 1)

	if len(first) != 2*2*3+2 || len(second) != len(first) {
		t.Fatalf("cases: got %d and %d, want 14", len(first), len(second))
	}
	met := map[LedgerCase]int{}
	for i := range first {
		met[first[i]]++
		if first[i] != second[len(second)-1-i] {
			t.Errorf("case %d of the second round: got %v, want the first round backwards", i, second[len(second)-1-i])
		}
	}
	for c, n := range met {
		if n != 1 {
			t.Errorf("%v: %d times", c, n)
		}
	}
	for _, c := range []LedgerCase{{wayGraphQL, 16, OneCard}, {wayBare, 16, OneCard}} {
		if met[c] != 1 {
			t.Errorf("%v: not there", c)
		}
	}
}

func TestDrawer(t *testing.T) {
	t.Parallel()
	const cards, draws = 1000, 20_000
	for _, tt := range []struct {
		distribution Distribution
		// share of the card that is drawn most.
		least, most float64
	}{
		{Uniform, 0, 0.01}, {Zipf, 0.05, 0.4}, {OneCard, 1, 1},
	} {
		w, again := newDrawer(7, 3, cards, 30, tt.distribution), newDrawer(7, 3, cards, 30, tt.distribution)
		count, redeemed := map[int32]int{}, 0
		keys := map[string]bool{}
		for range draws {
			d := w.draw()
			if d != again.draw() {
				t.Fatalf("%s: one seed, two draws", tt.distribution)
			}
			if d.card < 0 || d.card >= cards || d.points == 0 || d.points < -20 || d.points > 20 {
				t.Fatalf("%s: drew %+v", tt.distribution, d)
			}
			count[d.card]++
			if d.points < 0 {
				redeemed++
			}
			keys[string(d.key(nil, "r"))] = true
		}
		most := 0
		for _, n := range count {
			most = max(most, n)
		}
		if share := float64(most) / draws; share < tt.least || share > tt.most {
			t.Errorf("%s: the commonest card has %.3f, want %.2f to %.2f", tt.distribution, share, tt.least, tt.most)
		}
		if share := float64(redeemed) / draws; share < 0.28 || share > 0.32 {
			t.Errorf("%s: redemptions are %.3f, want about 0.3", tt.distribution, share)
		}
		if len(keys) != draws {
			t.Errorf("%s: %d keys for %d draws", tt.distribution, len(keys), draws)
		}
	}
}

func TestSpreadIsOneToOne(t *testing.T) {
	t.Parallel()
	met := map[uint64]bool{}
	for rank := range uint64(10_000) {
		met[spread(rank, 10_000)] = true
	}
	if len(met) != 10_000 {
		t.Errorf("10,000 ranks go to %d cards", len(met))
	}
}

func TestCardNames(t *testing.T) {
	t.Parallel()
	if got := cardID(0x01_02_03).String(); got != "01930000-0000-7000-8000-000000010203" {
		t.Errorf("id: got %s", got)
	}
	if got := string(cardCode(nil, 42)); got != "7000000000000042" {
		t.Errorf("code: got %s", got)
	}
	if got := string(cardPhone(nil, 42)); got != "5500000042" {
		t.Errorf("phone: got %s", got)
	}
}

// The cheap client against Go's own server.
func TestWire(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		if body.String() == "replay" {
			w.Header().Set("Idempotency-Replayed", "true")
		}
		answer := r.Header.Get("Apikey") + " " + r.URL.Path + " " + body.String()
		if body.String() == "endless" {
			w.(http.Flusher).Flush() // without a length
		} else {
			w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		}
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte(answer))
	}))
	defer s.Close()
	addr := strings.TrimPrefix(s.URL, "http://")
	w, err := dialWire(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	request := newWireRequest(addr, "/x", http.Header{"Apikey": {"k"}})
	for _, body := range []string{"one", "replay", "", strings.Repeat("long ", 5000)} {
		a, err := w.exchange(request.bytes([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		if a.status != http.StatusTeapot || string(a.body) != "k /x "+body || a.replayed != (body == "replay") {
			t.Errorf("%.10q: got status %d, replayed %t, %.40q", body, a.status, a.replayed, a.body)
		}
	}
	if _, err := w.exchange(request.bytes([]byte("endless"))); err == nil {
		t.Error("an answer without a length: got no error")
	}
}

func TestWireRefusesWhatIsNoHTTP(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"", "nonsense\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"} {
		ours, theirs := net.Pipe()
		go func() {
			_, _ = theirs.Read(make([]byte, 10))
			_, _ = theirs.Write([]byte(answer))
			_ = theirs.Close()
		}()
		w := newWire(ours)
		if a, err := w.exchange([]byte("POST")); err == nil {
			t.Errorf("%q: got %+v, want an error", answer, a)
		}
		_ = w.close()
	}
}

func TestReadAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		got  told
		want told
	}{
		{"graphql", readGraphQL(wireAnswer{status: 200, body: []byte(`{"data":{"post":{"movement":{"id":"x","seq":7,"balanceAfter":"-12"},"replayed":true,"userErrors":[]}}}`)}),
			told{replayed: true, seq: 7, balance: -12}},
		{"a refusal", readGraphQL(wireAnswer{status: 200, body: []byte(`{"data":{"post":{"movement":null}}}`)}),
			told{refused: `status 200: {"data":{"post":{"movement":null}}}`}},
		{"a fault", readGraphQL(wireAnswer{status: 500, body: []byte(`{}`)}), told{refused: `status 500: {}`}},
		{"wallet", readWallet(wireAnswer{status: 200, body: []byte(`{"success":true,"newBalance":30}`)}), told{balance: 30}},
		{"a till's refusal", readWallet(wireAnswer{status: 200, body: []byte(`{"success":false}`)}), told{refused: `status 200: {"success":false}`}},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, tt.got, tt.want)
		}
	}
}

func TestBookFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	right := [][]answered{
		{{draw: draw{card: 0, points: 5}, told: told{seq: 2, balance: 15}}, {draw: draw{card: 1, points: -3}, told: told{seq: 2, balance: 7}}},
		{{draw: draw{card: 0, points: -1}, told: told{balance: 14}}},
	}
	bank := func() *LedgerBank { return &LedgerBank{balance: []int64{10, 10}, seq: []int64{1, 1}} }
	b := bank()
	if err := b.book(right); err != nil || b.balance[0] != 14 || b.balance[1] != 7 || b.seq[0] != 3 || b.seq[1] != 2 || b.posted != 3 {
		t.Errorf("right answers: error %v, balances %v, numbers %v, %d posted", err, b.balance, b.seq, b.posted)
	}
	for name, answer := range map[string]told{
		"a refusal":                        {refused: "no"},
		"a new key that is a repeat":       {replayed: true, seq: 4},
		"a movement that is another one's": {seq: 2},
	} {
		if err := bank().book(append(right, []answered{{draw: draw{card: 1}, told: answer}})); err == nil {
			t.Errorf("%s: found nothing wrong", name)
		}
	}
}

func ledgerRun(way string, round int, perSecond int, foreign float64) LedgerRun {
	return LedgerRun{
		LedgerCase: LedgerCase{way, 16, Uniform}, Round: round, Operations: perSecond, Posted: perSecond, WAL: int64(1000 * perSecond),
		P50: time.Millisecond, P99: 4 * time.Millisecond,
		Window: Window{Took: time.Second, Database: 100 * time.Millisecond, Foreign: foreign},
	}
}

func TestOverRoundsLeavesDisturbedRoundsOut(t *testing.T) {
	t.Parallel()
	graphql, bare := LedgerCase{wayGraphQL, 16, Uniform}, LedgerCase{wayBare, 16, Uniform}
	var runs []LedgerRun
	add := func(round, a, b int, foreign float64) {
		runs = append(runs, ledgerRun(wayGraphQL, round, a, 0.01), ledgerRun(wayBare, round, b, foreign))
	}
	add(0, 100, 1000, 0.5)
	add(1, 60, 100, 0)
	if f := overRounds(runs, rateRatio, graphql, bare); f.value != 0.6 || f.disturbed {
		t.Errorf("one of two rounds disturbed: got %+v", f)
	}
	add(2, 100, 1000, 0.5)
	if f := overRounds(runs, rateRatio, graphql, bare); f.value != 0.1 || !f.disturbed || f.text("%.2f") != "0.10*" {
		t.Errorf("two of three rounds disturbed: got %+v, %s", f, f.text("%.2f"))
	}
	add(3, 70, 100, 0)
	add(4, 80, 100, 0)
	if f := overRounds(runs, rateRatio, graphql, bare); f.value != 0.7 || f.disturbed {
		t.Errorf("three quiet rounds: got %+v", f)
	}
	if f := overRounds(runs, rateRatio, graphql, LedgerCase{wayWallet, 16, Uniform}); f.known || f.text("%.2f") != "-" {
		t.Errorf("a case that was not run: got %+v", f)
	}
}

func TestLedgerReport(t *testing.T) {
	t.Parallel()
	r := LedgerReport{
		Rounds: 3, Clients: []int{16}, Cards: 10, Movements: 10, Grown: 100, BytesFresh: 150, BytesAfter: 160.4, Updates: 1000, HotUpdates: 990, Posted: 7,
	}
	for round := range 3 {
		r.Runs = append(r.Runs, ledgerRun(wayGraphQL, round, 70, 0), ledgerRun(wayBare, round, 100, 0))
		big := ledgerRun(wayGraphQL, round, 100, 0)
		big.Window.Database *= 2
		r.Small, r.Big = append(r.Small, ledgerRun(wayGraphQL, round, 100, 0)), append(r.Big, big)
	}
	var b strings.Builder
	r.Print(&b)
	for _, want := range []string{
		"| P1 | GraphQL to the bare CTE, 16 clients | 0.70 | ≥ 0.60 |", "| P2 | GraphQL to the bare CTE, 64 clients | - | ≥ 1.00 |",
		"| P3 | p99 of the same, 16 clients | 1.00 | ≤ 2 |", "| P21 | bytes a movement with indexes, as laid in | 150 | ≤ 180 |",
		"| P22 | WAL bytes a posting, GraphQL, 16 clients, last round | 1000 | ≤ 1,200 |", "| P24 | heap-only share of the cards' updates | 0.9900 | ≥ 0.98 |",
		"| P23 | database CPU a posting, 100 movements to 10, GraphQL | 2.00 | ≤ 1.2 |", "| 16 | uniform | GraphQL | 70 | 0.70 |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
	if _, err := json.Marshal(r); err != nil {
		t.Errorf("as JSON: %v", err)
	}
}
