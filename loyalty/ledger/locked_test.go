package ledger_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db/dbtest"
	"sello/loyalty"
	"sello/loyalty/ledger"
)

// A card that stays locked is told as such, and the same key again posts once.
func TestPostOnALockedCard(t *testing.T) {
	t.Parallel()
	config, err := pgxpool.ParseConfig(dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	config.ConnConfig.RuntimeParams["lock_timeout"] = "50ms"
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	env := newEnvOn(t, pool)
	env.card(t, "busy", "10")
	p := ledger.Posting{
		Card: ref("busy"), Action: ledger.Redeem, Amount: new(dec("-4")), Key: &ledger.Key{ID: uuid.New(), Fingerprint: uuid.New()},
	}

	holder, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(t.Context(), "SELECT FROM card WHERE company_id = $1 AND code = 'busy' FOR UPDATE", env.company); err != nil {
		t.Fatal(err)
	}
	_, err = env.ledger.Post(t.Context(), env.who, p)
	if got := loyalty.CodeOf(err); got != loyalty.CodeIdempotencyInProgress {
		t.Errorf("Post on a locked card: got refusal %q (error %v), want %q", got, err, loyalty.CodeIdempotencyInProgress)
	}
	if err := holder.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}

	posted, err := env.ledger.Post(t.Context(), env.who, p)
	if err != nil || posted.Replayed || posted.Movement.BalanceAfter.Cmp(dec("6")) != 0 {
		t.Errorf("the same key on the card set free: got %+v, error %v, want a balance of 6", posted, err)
	}
}
