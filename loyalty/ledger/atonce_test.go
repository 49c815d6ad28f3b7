package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db/dbtest"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
)

// pooled is a company on a pool of so many connections.
func pooled(t *testing.T, connections int32) *env {
	t.Helper()
	config, err := pgxpool.ParseConfig(dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = connections
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return newEnvOn(t, pool)
}

func TestTransfersInBothDirectionsAtOnce(t *testing.T) {
	t.Parallel()
	e := pooled(t, 12)
	e.endsAfter(t, "points", 30, "after")
	e.setRules(t, "points", "transfer_policy = 'partial'")
	e.card(t, "7001", "1000")
	e.card(t, "7002", "1000")
	var all sync.WaitGroup
	for i := range 200 {
		from, to, amount := "7001", "7002", "3"
		if i%2 == 1 {
			from, to, amount = "7002", "7001", "2"
		}
		all.Go(func() {
			_, err := e.ledger.Transfer(t.Context(), e.who, ledger.Transfer{From: ref(from), To: ref(to), Amount: new(dec(amount)), Source: "graphql", Key: key(fmt.Sprint(i), "r")})
			if err != nil {
				t.Errorf("Transfer: %v", err)
			}
		})
	}
	all.Wait()
	if a, b := e.balance(t, "7001"), e.balance(t, "7002"); a != "900" || b != "1100" {
		t.Errorf("balances after 100 transfers either way: got %s and %s, want 900 and 1100", a, b)
	}
	e.verified(t)
}

// Holds that are captured, released and timed out at the same moment end once.
func TestHoldsEndOnce(t *testing.T) {
	t.Parallel()
	e := pooled(t, 12)
	e.endsAfter(t, "points", 30, "after")
	const holds, cards = 200, 10
	for i := range cards {
		e.card(t, fmt.Sprintf("card-%d", i), "100")
	}
	ids := make([]uuid.UUID, holds)
	for i := range ids {
		made, err := e.ledger.HoldCreate(t.Context(), e.who, ledger.NewHold{Card: ref(fmt.Sprintf("card-%d", i%cards)), Amount: dec("5"), Time: time.Minute, Source: "graphql"})
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = made.Hold.ID
	}
	var all sync.WaitGroup
	var captured, released atomic.Int64
	for i, id := range ids {
		for _, attack := range []struct {
			end  func(context.Context, auth.Principal, ledger.HoldEnd) (ledger.HoldResult, error)
			done *atomic.Int64
		}{{e.ledger.HoldCapture, &captured}, {e.ledger.HoldRelease, &released}} {
			for range 2 {
				all.Go(func() {
					_, err := attack.end(t.Context(), e.who, ledger.HoldEnd{ID: id, Source: "graphql"})
					if err == nil {
						attack.done.Add(1)
					} else if loyalty.CodeOf(err) != loyalty.CodeHoldEnded {
						t.Errorf("end a hold: %v", err)
					}
				})
			}
		}
		if i == holds/2 {
			all.Go(func() { e.pass(time.Minute) })
		}
	}
	all.Wait()
	for i := range cards { // what timed out is let go
		e.post(t, ledger.Posting{Card: ref(fmt.Sprintf("card-%d", i)), Action: ledger.Accrue, Amount: new(dec("1"))})
	}
	counts := map[string]int{}
	for _, status := range []string{"open", "captured", "released", "expired"} {
		counts[status] = e.count(t, "SELECT count(*) FROM hold WHERE status = $1", status)
	}
	expired := holds - int(captured.Load()) - int(released.Load())
	if want := map[string]int{"open": 0, "captured": int(captured.Load()), "released": int(released.Load()), "expired": expired}; cmp.Diff(want, counts) != "" {
		t.Errorf("holds: got %v, want %v", counts, want)
	}
	if n := e.count(t, "SELECT count(*) FROM movement WHERE related_seq IS NOT NULL"); n != holds {
		t.Errorf("movements that ended holds: got %d, want %d", n, holds)
	}
	if total := e.count(t, "SELECT sum(balance)::bigint FROM card"); total != cards*101-5*int(captured.Load()) {
		t.Errorf("balances: got %d after %d captures of 5", total, captured.Load())
	}
	e.verified(t)
}

// Sixty-four clients do everything to four cards, each request sent twice at once:
// both get one answer, and the books are right.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	e := pooled(t, 16)
	e.endsAfter(t, "points", 2, "after")
	e.setRules(t, "points", "transfer_policy = 'partial', return_shortfall = 'overdraw'")
	ids := make([]uuid.UUID, 4)
	for i := range ids {
		ids[i] = e.card(t, fmt.Sprintf("card-%d", i), "500").ID
	}
	var made sync.Map // holds
	var all sync.WaitGroup
	for client := range 64 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(client), 11))
			for n := range 4 {
				i := random.IntN(len(ids))
				card, k := ref(fmt.Sprintf("card-%d", i)), key(fmt.Sprintf("%d/%d", client, n), "r")
				amount := decimal.MustNew(1+random.Int64N(4000), 2)
				what, seq := random.IntN(8), int64(1+random.IntN(30))
				request := func() (string, error) {
					switch what {
					case 0, 1:
						posted, err := e.ledger.Post(t.Context(), e.who, ledger.Posting{Card: card, Action: ledger.Accrue, Amount: &amount, Source: "graphql", Key: k})
						return moved(posted.Movement), err
					case 2:
						posted, err := e.ledger.Post(t.Context(), e.who, ledger.Posting{Card: card, Action: ledger.Redeem, Amount: new(amount.Neg()), Source: "graphql", Key: k})
						return moved(posted.Movement), err
					case 3:
						held, err := e.ledger.HoldCreate(t.Context(), e.who, ledger.NewHold{Card: card, Amount: amount, Time: time.Hour, Source: "graphql", Key: k})
						if err == nil {
							made.Store(held.Hold.ID, true)
						}
						return moved(held.Movement), err
					case 4:
						end := ledger.HoldEnd{Source: "graphql", Key: k}
						made.Range(func(id, _ any) bool { end.ID = id.(uuid.UUID); return false })
						ended, err := e.ledger.HoldCapture(t.Context(), e.who, end)
						return moved(ended.Movement), err
					case 5:
						done, err := e.ledger.Transfer(t.Context(), e.who, ledger.Transfer{From: card, To: ref(fmt.Sprintf("card-%d", (i+1)%4)), Amount: &amount, Source: "graphql", Key: k})
						return moved(done.Out) + moved(done.In), err
					case 6:
						done, err := e.ledger.Reverse(t.Context(), e.who, ledger.Return{Movement: ledger.MovementKey{CardID: ids[i], Seq: seq}, Amount: new(dec("0.5")), Source: "graphql", Key: k})
						return moved(done.Movement), err
					default:
						e.pass(time.Hour)
						return "", nil
					}
				}
				var answers [2]string
				var both sync.WaitGroup
				for j := range answers {
					both.Go(func() {
						answer, err := request()
						if err != nil && loyalty.CodeOf(err) == "" {
							t.Errorf("operation %d: %v", what, err)
						}
						answers[j] = answer
					})
				}
				both.Wait()
				if answers[0] != answers[1] && answers[0] != "" && answers[1] != "" {
					t.Errorf("operation %d sent twice: got %s and %s", what, answers[0], answers[1])
				}
			}
		})
	}
	all.Wait()
	e.verified(t)
}

// moved is a movement as an answer tells it.
func moved(m *ledger.Movement) string {
	if m == nil {
		return ""
	}
	return fmt.Sprintf("[%s/%d %s %s %s %s]", m.CardID, m.Seq, m.Action, m.Amount.Trim(0), m.BalanceAfter.Trim(0), m.PostedAt.UTC())
}

// The writer: postings of many companies at once, some on cards that somebody else
// keeps locked, some of callers who have gone, some that are refused, some twice.
func TestPostingsWrittenTogether(t *testing.T) {
	t.Parallel()
	e := pooled(t, 16)
	companies := []*env{e, e.other(t), e.other(t)}
	for _, c := range companies {
		c.ledger = e.ledger // one writer for all
		c.clock.Store(e.clock.Load())
		for i := range 6 {
			c.card(t, fmt.Sprintf("card-%d", i), "0")
		}
	}
	holder, err := e.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(t.Context(), "SELECT FROM card WHERE code = 'card-5' FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	var free, stuck sync.WaitGroup
	var actors sync.Map
	for n := range 600 {
		c := companies[n%3]
		i := n / 3 % 6
		who := c.who
		who.Subject = uuid.NewSHA1(uuid.Nil, []byte(fmt.Sprint(n/2)))
		p := ledger.Posting{Card: ref(fmt.Sprintf("card-%d", i)), Action: ledger.Accrue, Amount: new(dec("1")), Source: "graphql", Key: key(fmt.Sprintf("%s/%d", c.company, n/18), "r")}
		ctx, refusal := t.Context(), loyalty.Code("")
		if p.Key = key(fmt.Sprintf("%d", n), "r"); n%7 == 0 { // sent twice
			p.Key = key(fmt.Sprintf("twice %d", n), "r")
		}
		switch n % 10 {
		case 3:
			p.Action, p.Amount, refusal = ledger.Redeem, new(dec("-100000")), loyalty.CodeInsufficientBalance
		case 5:
			ctx = gone
		}
		group := &free
		if i == 5 {
			group = &stuck
		}
		times := 1
		if n%7 == 0 {
			times = 2
		}
		for range times {
			group.Go(func() {
				posted, err := e.ledger.Post(ctx, who, p)
				switch {
				case ctx == gone:
					if !errors.Is(err, context.Canceled) {
						t.Errorf("Post of somebody who has gone: got %+v, error %v", posted, err)
					}
				case loyalty.CodeOf(err) != refusal || err != nil && refusal == "":
					t.Errorf("Post: got error %v, want refusal %q", err, refusal)
				case err == nil:
					if posted.Movement.ActorID == nil || *posted.Movement.ActorID != who.Subject {
						t.Errorf("Post of %s is said to be of %v", who.Subject, posted.Movement.ActorID)
					}
					actors.Store(moved(posted.Movement), who.Subject)
				}
			})
		}
	}
	free.Wait() // while the sixth card of each company is locked
	if err := holder.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	stuck.Wait()
	told := 0
	actors.Range(func(_, _ any) bool { told++; return true })
	// Callers who have gone may have been posted for all that.
	if n := e.count(t, "SELECT count(*) FROM movement WHERE action = 'accrue'"); n < told || n > told+60 {
		t.Errorf("%d movements, %d were told", n, told)
	}
	for _, c := range companies { // no card is left busy, and no slot is lost
		for i := range 6 {
			c.post(t, ledger.Posting{Card: ref(fmt.Sprintf("card-%d", i)), Action: ledger.Accrue, Amount: new(dec("1"))})
		}
	}
	e.verified(t)
}

// One posting that a constraint refuses spoils none of those written with it.
func TestOneBadPostingSpoilsNoOther(t *testing.T) {
	t.Parallel()
	e := pooled(t, 8)
	e.exec(t, `ALTER TABLE movement ADD CONSTRAINT poison CHECK (reference IS DISTINCT FROM 'poison')`)
	for i := range 40 {
		e.card(t, fmt.Sprintf("card-%d", i), "0")
	}
	var all sync.WaitGroup
	for n := range 400 {
		p := ledger.Posting{Card: ref(fmt.Sprintf("card-%d", n%40)), Action: ledger.Accrue, Amount: new(dec("1")), Source: "graphql"}
		if n%25 == 0 {
			p.Reference = "poison"
		}
		all.Go(func() {
			_, err := e.ledger.Post(t.Context(), e.who, p)
			if bad := err != nil && strings.Contains(err.Error(), "poison"); bad != (p.Reference == "poison") || err != nil && !bad {
				t.Errorf("Post of %q: got error %v", p.Reference, err)
			}
		})
	}
	all.Wait()
	if n := e.count(t, "SELECT count(*) FROM movement WHERE action = 'accrue'"); n != 400-16 {
		t.Errorf("movements: got %d, want 384", n)
	}
	e.verified(t)
}

// Postings refused because the first of their key came just before repeat its answer.
func TestSameRequestAtOnceOnLastPoints(t *testing.T) {
	t.Parallel()
	a := pooled(t, 12)
	a.endsAfter(t, "points", 30, "after")
	// Two processes: each with a writer of its own.
	second := ledger.New(a.ledger.DB, a.ledger.Now)
	for round := range 15 {
		code := fmt.Sprintf("card-%d", round)
		a.card(t, code, "10")
		p := ledger.Posting{Card: ref(code), Action: ledger.Redeem, Amount: new(dec("-10")), Source: "graphql", Key: key(code, "r")}
		var all sync.WaitGroup
		var first, again atomic.Int64
		for n := range 8 {
			s := []*ledger.Service{a.ledger, second}[n%2]
			all.Go(func() {
				posted, err := s.Post(t.Context(), a.who, p)
				switch {
				case err != nil:
					t.Errorf("Post: %v", err)
				case posted.Replayed:
					again.Add(1)
				default:
					first.Add(1)
				}
			})
		}
		all.Wait()
		if first.Load() != 1 || again.Load() != 7 {
			t.Errorf("%d first answers and %d repeats, want 1 and 7", first.Load(), again.Load())
		}
	}
	a.verified(t)
}
