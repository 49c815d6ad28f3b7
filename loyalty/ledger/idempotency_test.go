package ledger_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"sello/loyalty"
	"sello/loyalty/ledger"
)

func TestPostReplaysAKey(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.card(t, "7001", "100")
	p := ledger.Posting{Card: ref("7001"), Action: ledger.Redeem, Amount: new(dec("-60")), Source: "graphql", Key: key("k1", "redeem 60")}

	first := env.post(t, p)
	env.pass(24 * time.Hour)
	// There is no more for a second one: a replay asks no rule.
	second := env.post(t, p)

	if first.Replayed || !second.Replayed {
		t.Errorf("replayed: got %t and %t, want false and true", first.Replayed, second.Replayed)
	}
	if first.Movement.Seq != second.Movement.Seq || second.Movement.BalanceAfter.Trim(0).String() != "40" {
		t.Errorf("replay: got movement %d with balance %s, want %d with 40", second.Movement.Seq, second.Movement.BalanceAfter, first.Movement.Seq)
	}
	if got := env.balance(t, "7001"); got != "40" {
		t.Errorf("balance: got %s, want 40", got)
	}
	env.verified(t)
}

func TestPostRefusesAKeyOfAnotherRequest(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.card(t, "7001", "100")
	p := ledger.Posting{Card: ref("7001"), Action: ledger.Redeem, Amount: new(dec("-60")), Source: "graphql", Key: key("k1", "redeem 60")}
	env.post(t, p)

	p.Key = key("k1", "redeem 6")
	_, err := env.ledger.Post(t.Context(), env.who, p)

	wantRefusal(t, err, loyalty.CodeIdempotencyMismatch, "idempotencyKey")
}

// A refused request did nothing, so that its key stays free: the person who
// mends the request keeps the key.
func TestPostKeepsNoKeyOfARefusal(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.card(t, "7001", "1")
	p := ledger.Posting{Card: ref("7001"), Action: ledger.Redeem, Amount: new(dec("-2")), Source: "graphql", Key: key("k1", "redeem 2")}
	_, err := env.ledger.Post(t.Context(), env.who, p)
	wantRefusal(t, err, loyalty.CodeInsufficientBalance, "points")

	p.Amount, p.Key = new(dec("-1")), key("k1", "redeem 1")
	if env.post(t, p).Replayed {
		t.Error("Post after a refusal: replayed")
	}
}

func TestPostUsesAnExpiredKeyAnew(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.card(t, "7001", "0")
	p := ledger.Posting{Card: ref("7001"), Action: ledger.Accrue, Amount: new(dec("5")), Source: "wallet", Key: key("k1", "r")}
	p.Key.Lifetime = time.Hour
	env.post(t, p)

	env.pass(time.Hour - time.Second)
	if !env.post(t, p).Replayed {
		t.Error("Post a second before the key expires: not replayed")
	}
	env.pass(time.Second)
	p.Key.Fingerprint = uuid.New() // whatever it asks for now
	if env.post(t, p).Replayed {
		t.Error("Post when the key has expired: replayed")
	}

	if got := env.balance(t, "7001"); got != "10" {
		t.Errorf("balance: got %s, want 10", got)
	}
	env.verified(t)
}

// The id of a key is a digest over the principal too (ledger.Key), and is one
// company's: what two of them call the same never meets.
func TestPostKeysOfOthersDoNotMeet(t *testing.T) {
	t.Parallel()
	one := newEnv(t)
	two := one.other(t)
	one.card(t, "7001", "0")
	two.card(t, "7001", "0")
	p := ledger.Posting{Card: ref("7001"), Action: ledger.Accrue, Amount: new(dec("5")), Source: "graphql", Key: key("k1 of Ana", "r")}
	one.post(t, p)

	if two.post(t, p).Replayed {
		t.Error("Post with a key of another company: replayed")
	}
	p.Key = key("k1 of Bea", "r")
	if one.post(t, p).Replayed {
		t.Error("Post with a key of another principal: replayed")
	}
	one.verified(t)
}

func TestPostOnceForOneKeyAtOnce(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.card(t, "7001", "10")
	p := ledger.Posting{Card: ref("7001"), Action: ledger.Redeem, Amount: new(dec("-10")), Source: "graphql", Key: key("k1", "r")}
	posted, errs := make([]ledger.Posted, 16), make([]error, 16)
	var wg sync.WaitGroup
	for i := range posted {
		wg.Go(func() { posted[i], errs[i] = env.ledger.Post(t.Context(), env.who, p) })
	}
	wg.Wait()

	first := 0
	for i := range posted {
		if errs[i] != nil {
			t.Fatalf("Post %d of 16 with one key: %v", i, errs[i])
		}
		if !posted[i].Replayed {
			first++
		}
		if posted[i].Movement.Seq != 2 || posted[i].Movement.BalanceAfter.Sign() != 0 {
			t.Errorf("Post %d of 16: got movement %d with balance %s, want 2 with 0", i, posted[i].Movement.Seq, posted[i].Movement.BalanceAfter)
		}
	}
	if first != 1 {
		t.Errorf("16 requests with one key: %d posted, want 1", first)
	}
	env.verified(t)
}

// Two requests that only share a key are told apart even while both run.
func TestPostTellsRequestsWithOneKeyApartAtOnce(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.card(t, "7001", "0")
	env.card(t, "7002", "0")
	errs := make([]error, 16)
	var wg sync.WaitGroup
	for i := range errs {
		card := []string{"7001", "7002"}[i%2]
		wg.Go(func() {
			_, errs[i] = env.ledger.Post(t.Context(), env.who, ledger.Posting{
				Card: ref(card), Action: ledger.Accrue, Amount: new(dec("1")), Source: "graphql", Key: key("k1", card),
			})
		})
	}
	wg.Wait()

	refused := 0
	for i, err := range errs {
		switch loyalty.CodeOf(err) {
		case loyalty.CodeIdempotencyMismatch:
			refused++
		case "":
			if err != nil {
				t.Errorf("Post %d: %v", i, err)
			}
		default:
			t.Errorf("Post %d: %v", i, err)
		}
	}
	if n := env.count(t, "SELECT count(*) FROM movement"); refused != 8 || n != 1 {
		t.Errorf("16 requests, half of them with another's key: %d refused and %d movements, want 8 and 1", refused, n)
	}
	env.verified(t)
}
