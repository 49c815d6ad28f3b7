package graph_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/graph/graphtest"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
	"sello/server/gqlhttp"
)

// transports are both ways to follow a subscription.
var transports = map[string]func(*graphtest.Env, testing.TB, graphtest.Request) graphtest.Stream{
	"server-sent events":   (*graphtest.Env).Subscribe,
	"graphql-transport-ws": (*graphtest.Env).SubscribeSocket,
}

const followMovements = `subscription Movements($card: String, $after: String) {
	movementPosted(cardCode: $card, after: $after) { cursor movement { seq amount card { code } } }
}`

// posted is one event of followMovements: "card 3".
func posted(a graphtest.Answer) (what, cursor string) {
	return fmt.Sprintf("%s %v", a.Text("movementPosted", "movement", "card", "code"), a.At("movementPosted", "movement", "seq")),
		a.Text("movementPosted", "cursor")
}

// next fails where a stream ends or answers an error.
func next(t *testing.T, s graphtest.Stream) graphtest.Answer {
	t.Helper()
	a, ok := s.Next()
	if !ok || len(a.Errors) > 0 {
		t.Fatalf("the stream ended: %s", a.Body)
	}
	return a
}

func TestMovementPosted(t *testing.T) {
	t.Parallel()
	env := graphtest.New(t)
	alpha, beta := env.Company(t, "alpha"), env.Company(t, "beta")
	alpha.Fill(t, 2)
	beta.Fill(t, 1)
	var all, first []string
	for i, c := range alpha.Names.Cards {
		for seq := range 4 {
			for _, code := range []string{c.Code, alpha.Names.Contacts[i].Code} {
				all = append(all, fmt.Sprintf("%s %d", code, seq+1))
			}
		}
	}
	for seq := range 4 {
		first = append(first, fmt.Sprintf("%s %d", alpha.Names.Cards[0].Code, seq+1))
	}
	for name, subscribe := range transports {
		for _, tt := range []struct {
			name string
			card any
			want []string
		}{{"of a company", nil, all}, {"of a card", alpha.Names.Cards[0].Code, first}} {
			t.Run(name+" "+tt.name, func(t *testing.T) {
				stream := subscribe(env, t, graphtest.Request{
					Credential: alpha.Key, Document: followMovements, Variables: map[string]any{"card": tt.card, "after": beginning},
				})
				defer stream.Close()
				var got []string
				for range tt.want {
					what, _ := posted(next(t, stream))
					got = append(got, what)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Fatalf("what was before (-want +got):\n%s", diff)
				}
				// Live, and of nobody else: beta's come first and are not seen.
				beta.Post(t, beta.Names.Cards[0].Code, 1)
				alpha.Post(t, alpha.Names.Cards[1].Code, 5)
				m := alpha.Post(t, alpha.Names.Cards[0].Code, 5)
				want := fmt.Sprintf("%s %d", alpha.Names.Cards[0].Code, m.Seq)
				for {
					what, _ := posted(next(t, stream))
					if strings.HasPrefix(what, "beta") {
						t.Fatalf("another company's movement: %s", what)
					}
					if tt.card != nil && !strings.HasPrefix(what, alpha.Names.Cards[0].Code+" ") {
						t.Fatalf("another card's movement: %s", what)
					}
					if what == want {
						break
					}
				}
			})
			// What the subtests post is before the next one's beginning, too.
			all, first = append(all, livePosted(alpha)...), append(first, liveOfCard(alpha)...)
		}
	}
}

// livePosted and liveOfCard are what one run of TestMovementPosted posts.
func livePosted(c *graphtest.Company) []string {
	return []string{lastOf(c, 1), lastOf(c, 0)}
}

func liveOfCard(c *graphtest.Company) []string { return []string{lastOf(c, 0)} }

func lastOf(c *graphtest.Company, i int) string {
	card, err := c.Resolver.Ledger.CardByCode(context.Background(), c.ID, c.Names.Cards[i].Code)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("%s %d", card.Code, card.Seq)
}

// TestMovementPostedFromNow: without a cursor a subscription begins when it is
// made (or a little earlier: what was not final then). When that is the client
// cannot know, so it posts until it hears of it.
func TestMovementPostedFromNow(t *testing.T) {
	t.Parallel()
	c := graphtest.New(t).Company(t, "shop")
	c.Fill(t, 1)
	last := c.Post(t, "shop-card-0", 1).Seq
	for name, subscribe := range transports {
		stream := subscribe(c.Env, t, graphtest.Request{
			Credential: c.Key, Document: followMovements, Variables: map[string]any{"card": "shop-card-0"},
		})
		heard, before := make(chan float64), float64(last)
		go func() {
			defer close(heard)
			for {
				a, ok := stream.Next()
				seq, _ := a.At("movementPosted", "movement", "seq").(float64)
				if !ok || seq > before {
					heard <- seq
					return
				}
			}
		}()
		for waiting := true; waiting; {
			select {
			case seq := <-heard:
				if waiting = false; seq <= before || seq > float64(last) {
					t.Errorf("%s: got movement %v, want one from %v to %d", name, seq, before+1, last)
				}
			default:
				if last = c.Post(t, "shop-card-0", 1).Seq; last > 20_000 {
					t.Fatalf("%s: nothing was heard of %d movements", name, last)
				}
			}
		}
		stream.Close()
	}
}

// TestMovementPostedResumes: while several tills post at once, a client that
// loses its connection again and again, and goes on behind the last cursor it
// has, gets every movement, each once, and those of a card in order of seq.
func TestMovementPostedResumes(t *testing.T) {
	t.Parallel()
	const tills, each = 6, 60
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	// A small buffer, so that falling behind and reading on from the table are part of it.
	c := graphtest.New(t, graphtest.Options{
		Feed: db.FeedConfig{Buffer: 8}, Limits: gqlhttp.Limits{ConnectionsPerKey: 100},
	}).Company(t, "shop")
	c.Fill(t, 4)
	before := 4 * 2 * 4 // activated, and three points postings
	var posting sync.WaitGroup
	for till := range tills {
		posting.Go(func() {
			for i := range each {
				card := c.Names.Cards[(till+i)%4].Code
				if _, err := c.Resolver.Ledger.Post(t.Context(), c.System, ledger.Posting{
					Card: ledger.CardRef{Code: card}, Action: ledger.Adjust, Amount: new(decimal.One), Source: "graphql",
				}); err != nil {
					t.Errorf("post: %v", err)
				}
			}
		})
	}
	defer posting.Wait()
	seen, last := map[string]bool{}, map[string]int{}
	cursor := beginning
	names := []string{"server-sent events", "graphql-transport-ws"}
	for len(seen) < before+tills*each {
		stream := transports[names[rng.IntN(2)]](c.Env, t, graphtest.Request{
			Credential: c.Key, Document: followMovements, Variables: map[string]any{"after": cursor},
		})
		for range 1 + rng.IntN(40) {
			if len(seen) == before+tills*each {
				break
			}
			var what string
			what, cursor = posted(next(t, stream))
			if seen[what] {
				t.Fatalf("%s came twice", what)
			}
			seen[what] = true
			code, number, _ := strings.Cut(what, " ")
			if last[code]++; number != fmt.Sprint(last[code]) {
				t.Fatalf("movement %s of card %s came, want %d", number, code, last[code])
			}
		}
		stream.Close()
	}
	posting.Wait()
	for i := range c.Names.Cards {
		last := lastOf(c, i)
		if !seen[last] {
			t.Errorf("the last movement, %s, was not seen", last)
		}
	}
}

// TestMovementPostedBurst: an import posts thousands of movements in one
// transaction, many times what waits in memory for a subscriber; all of them
// arrive, however slowly they are taken.
func TestMovementPostedBurst(t *testing.T) {
	t.Parallel()
	const n = 3000
	c := graphtest.New(t).Company(t, "shop")
	c.Fill(t, 0)
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf("Ana,,ana%d@example.com,,%d", i, i+1)
	}
	streams := map[string]graphtest.Stream{}
	for name, subscribe := range transports {
		streams[name] = subscribe(c.Env, t, graphtest.Request{
			Credential: c.Key, Document: `subscription { movementPosted(after: "` + beginning + `") { movement { amount } } }`,
		})
	}
	imp := c.Import(t, "burst.csv", rows...)
	c.Apply(t, imp.ID)
	var reading sync.WaitGroup
	for name, stream := range streams {
		reading.Go(func() {
			amounts := map[string]bool{}
			for range n {
				a, ok := stream.Next()
				if !ok || len(a.Errors) > 0 {
					t.Errorf("%s: the stream ended after %d movements: %s", name, len(amounts), a.Body)
					return
				}
				amounts[a.Text("movementPosted", "movement", "amount")] = true
			}
			if len(amounts) != n {
				t.Errorf("%s: got %d different movements, want %d", name, len(amounts), n)
			}
		})
	}
	reading.Wait()
}

// TestMovementPostedTooLate: a place whose events are gone is refused, so that the
// client knows that it missed some.
func TestMovementPostedTooLate(t *testing.T) {
	t.Parallel()
	c := graphtest.New(t).Company(t, "shop")
	c.Fill(t, 1)
	stream := c.Subscribe(t, graphtest.Request{
		Credential: c.Key, Document: followMovements, Variables: map[string]any{"after": beginning},
	})
	_, cursor := posted(next(t, stream))
	stream.Close()
	if _, err := c.Store.EventsPrune(t.Context(), db.EventsPruneParams{
		CompanyID: c.ID, OlderThan: c.Clock.Now().Add(time.Hour), BatchSize: 100,
	}); err != nil {
		t.Fatal(err)
	}
	for name, subscribe := range transports {
		stream := subscribe(c.Env, t, graphtest.Request{Credential: c.Key, Document: followMovements, Variables: map[string]any{"after": cursor}})
		if a, ok := stream.Next(); !ok || a.Code() != "BAD_USER_INPUT" {
			t.Errorf("%s: got %s, want BAD_USER_INPUT", name, a.Body)
		}
		stream.Close()
	}
}

func TestImportProgressed(t *testing.T) {
	t.Parallel()
	env := graphtest.New(t)
	alpha, beta := env.Company(t, "alpha"), env.Company(t, "beta")
	alpha.Fill(t, 0)
	beta.Fill(t, 0)
	env.Resolver.Imports.ChunkRows = 10
	rows := make([]string, 95)
	for i := range rows {
		rows[i] = fmt.Sprintf("Ana,,ana%d@example.com,,1", i)
	}
	imp := alpha.Import(t, "steps.csv", rows...)
	document := fmt.Sprintf(`subscription { importProgressed(id: %q) { status rowsTotal rowsApplied } }`, imp.GlobalID())

	for name, subscribe := range transports {
		stream := subscribe(env, t, graphtest.Request{Credential: beta.Key, Document: document})
		if a, ok := stream.Next(); !ok || a.Code() != "BAD_USER_INPUT" {
			t.Errorf("%s: another company's import: got %s, want BAD_USER_INPUT", name, a.Body)
		}
		stream.Close()
	}
	streams := map[string]graphtest.Stream{}
	for name, subscribe := range transports {
		streams[name] = subscribe(env, t, graphtest.Request{Credential: alpha.Key, Document: document})
		if got := next(t, streams[name]).Text("importProgressed", "status"); got != "QUEUED" {
			t.Fatalf("%s: first got %s, want QUEUED", name, got)
		}
	}
	env.Work(t)
	for name, stream := range streams {
		var last string
		applied := -1.0
		steps := 0
		for {
			a, more := stream.Next()
			if !more {
				break
			}
			n, _ := a.At("importProgressed", "rowsApplied").(float64)
			if n < applied {
				t.Errorf("%s: went back from %v rows to %v", name, applied, n)
			}
			applied, last, steps = n, a.Text("importProgressed", "status"), steps+1
		}
		if last != "FINISHED" || applied != 95 || steps < 1 {
			t.Errorf("%s: ended with %s and %v rows after %d steps, want FINISHED and 95", name, last, applied, steps)
		}
	}
}

func TestQueuesChanged(t *testing.T) {
	t.Parallel()
	env := graphtest.New(t)
	alpha, beta := env.Company(t, "alpha"), env.Company(t, "beta")
	env.Exec(t, `INSERT INTO river_queue (name, created_at, updated_at) VALUES ('imports', now(), now())`)
	document := `subscription { queuesChanged { name available } }`
	waiting := func(a graphtest.Answer) any { return a.At("queuesChanged", 0, "available") }
	streams := map[string]graphtest.Stream{}
	for name, subscribe := range transports {
		streams[name] = subscribe(env, t, graphtest.Request{Credential: alpha.Key, Document: document})
		if got := waiting(next(t, streams[name])); got != 0.0 {
			t.Fatalf("%s: at first got %v, want 0", name, got)
		}
	}
	// Not alpha's: a change that it does not see.
	insert := `INSERT INTO river_job (args, kind, queue, max_attempts, state) VALUES (jsonb_build_object('company_id', $1::uuid), 'import_apply', 'imports', 3, 'available')`
	env.Exec(t, insert, beta.ID)
	env.Exec(t, insert, alpha.ID)
	for name, stream := range streams {
		if got := waiting(next(t, stream)); got != 1.0 {
			t.Errorf("%s: then got %v, want 1", name, got)
		}
		stream.Close()
	}
}

// TestSocketSignIn: a websocket without a credential, or with a wrong one, gets
// no further than that.
func TestSocketSignIn(t *testing.T) {
	t.Parallel()
	c := graphtest.New(t).Company(t, "shop")
	c.Fill(t, 1)
	// An access token is as good as a key.
	stream := c.SubscribeSocket(t, graphtest.Request{
		Credential: c.SignIn(t), Document: followMovements, Variables: map[string]any{"after": beginning},
	})
	if what, _ := posted(next(t, stream)); what != "shop-card-0 1" {
		t.Errorf("with an access token: got %q", what)
	}
	stream.Close()
	for name, subscribe := range transports {
		stream := subscribe(c.Env, t, graphtest.Request{Credential: c.KeyWith(t, auth.CompanyRead), Document: followMovements})
		if a, ok := stream.Next(); !ok || a.Code() != "FORBIDDEN" {
			t.Errorf("%s without cards:read: got %s, want FORBIDDEN", name, a.Body)
		}
		stream.Close()
	}
}
