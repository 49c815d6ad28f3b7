package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db/dbtest"
	"sello/loyalty"
	"sello/loyalty/ledger"
)

// Two hundred customers' worth of requests on one card queue up: none overdraws
// it, none gets a conflict (design.md, "The ledger").
func TestRedeemTwoHundredAtOnce(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.card(t, "7001", "1000")
	var posted, refused atomic.Int64
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			_, err := env.ledger.Post(t.Context(), env.who, ledger.Posting{
				Card: ref("7001"), Action: ledger.Redeem, Amount: new(dec("-10")), Source: "graphql",
			})
			switch {
			case err == nil:
				posted.Add(1)
			case loyalty.CodeOf(err) == loyalty.CodeInsufficientBalance:
				refused.Add(1)
			default:
				t.Errorf("Post: %v", err)
			}
		})
	}
	wg.Wait()

	if posted.Load() != 100 || refused.Load() != 100 {
		t.Errorf("200 redemptions of 10 from 1000: %d posted and %d refused, want 100 and 100", posted.Load(), refused.Load())
	}
	if got := env.balance(t, "7001"); got != "0" {
		t.Errorf("balance: got %s, want 0", got)
	}
	env.verified(t)
}

// A mixed load of 64 clients, a fifth of whose requests are sent twice, with
// verify at its side: what the clients were told is what the books say.
func TestMixedLoad(t *testing.T) {
	t.Parallel()
	// On a server of its own: a long transaction of another test would keep dead rows
	// on their pages, and push updates off them.
	config, err := pgxpool.ParseConfig(dbtest.NewServer(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 16
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	env := newEnvOn(t, pool)
	const cards = 50
	var told [cards]struct {
		sync.Mutex
		balance   decimal.Decimal
		movements int64
	}
	for i := range cards {
		env.card(t, fmt.Sprintf("card-%d", i), "20")
		told[i].balance, told[i].movements = dec("20"), 1
	}
	loaded := make(chan struct{})
	var wg sync.WaitGroup
	for client := range 64 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(client), 7))
			for n := range 15 {
				i := random.IntN(cards)
				amount := decimal.MustNew(1+random.Int64N(2000), 2)
				p := ledger.Posting{Card: ref(fmt.Sprintf("card-%d", i)), Action: ledger.Accrue, Amount: &amount, Source: "graphql"}
				if random.IntN(2) == 0 {
					p.Action, p.Amount = ledger.Redeem, new(amount.Neg())
				}
				id := fmt.Sprintf("%d/%d", client, n)
				p.Key = key(id, id)
				posted, err := env.ledger.Post(t.Context(), env.who, p)
				switch {
				case err == nil:
					told[i].Lock()
					told[i].balance, _ = told[i].balance.Add(*p.Amount)
					told[i].movements++
					told[i].Unlock()
				case loyalty.CodeOf(err) != loyalty.CodeInsufficientBalance:
					t.Errorf("Post: %v", err)
					return
				}
				if err != nil || random.IntN(5) > 0 {
					continue
				}
				again, err := env.ledger.Post(t.Context(), env.who, p)
				if err != nil || !again.Replayed || again.Movement.Seq != posted.Movement.Seq {
					t.Errorf("Post again: got %+v, error %v, want movement %d replayed", again, err, posted.Movement.Seq)
				}
			}
		})
	}
	var rounds int
	var verifying sync.WaitGroup
	verifying.Go(func() {
		for {
			findings, err := env.ledger.Verify(t.Context(), &env.company)
			if err != nil || len(findings) > 0 {
				t.Errorf("Verify beside a load: got %v, error %v", findings, err)
				return
			}
			rounds++
			select {
			case <-loaded:
				return
			default:
			}
		}
	})
	wg.Wait()
	close(loaded)
	verifying.Wait()

	for i := range cards {
		c, err := env.ledger.CardByCode(t.Context(), env.company, fmt.Sprintf("card-%d", i))
		if err != nil {
			t.Fatal(err)
		}
		if c.Balance.Cmp(told[i].balance) != 0 || c.Seq != told[i].movements {
			t.Errorf("card %d: balance %s after %d movements, clients were told %s and %d", i, c.Balance, c.Seq, told[i].balance, told[i].movements)
		}
	}
	env.verified(t)
	t.Logf("verified %d times beside the load", rounds)
}

// A posting is a heap-only update of the card: an index on balance, seq or
// updated_at would make each one write all indexes (performance.md P24).
func TestPostUpdatesTheHeapOnly(t *testing.T) {
	t.Parallel()
	// On a server of its own: a long transaction of another test would keep dead rows
	// on their pages, and push updates off them.
	config, err := pgxpool.ParseConfig(dbtest.NewServer(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 1 // whose statistics can be asked for at once
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	env := newEnvOn(t, pool)
	for i := range 200 {
		env.card(t, fmt.Sprintf("card-%d", i), "0")
	}
	for i := range 1000 {
		env.post(t, ledger.Posting{
			Card: ref(fmt.Sprintf("card-%d", (i*7)%200)), Action: ledger.Accrue, Amount: new(dec("1")),
		})
	}

	var hot, updates float64
	env.exec(t, "SELECT pg_stat_force_next_flush()")
	err = pool.QueryRow(t.Context(), "SELECT n_tup_hot_upd, n_tup_upd FROM pg_stat_user_tables WHERE relname = 'card'").Scan(&hot, &updates)
	if err != nil {
		t.Fatal(err)
	}
	if updates < 1000 || hot/updates < 0.9 {
		t.Errorf("heap-only share of %v card updates: got %.2f, want at least 0.9 of 1000", updates, hot/updates)
	}
}
