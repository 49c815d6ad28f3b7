package ledger_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db/dbtest"
	"sello/loyalty"
	"sello/loyalty/ledger"
)

// recorder keeps the statements that a pool sends, with their arguments.
type recorder struct {
	mu   sync.Mutex
	sent []pgx.TraceQueryStartData
}

func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, data)
	return ctx
}

func (r *recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// plan explains the last statement of a name with the arguments it had.
func (r *recorder) plan(t *testing.T, pool *pgxpool.Pool, name string) string {
	t.Helper()
	r.mu.Lock()
	var last *pgx.TraceQueryStartData
	for i := range r.sent {
		if strings.HasPrefix(r.sent[i].SQL, "-- name: "+name+" ") {
			last = &r.sent[i]
		}
	}
	r.mu.Unlock()
	if last == nil {
		t.Fatalf("statement %s was not sent", name)
	}
	rows, err := pool.Query(t.Context(), "EXPLAIN "+last.SQL, last.Args...)
	if err != nil {
		t.Fatalf("explain %s: %v", name, err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("explain %s: %v", name, err)
	}
	return strings.Join(lines, "\n")
}

// Hot statements go by their indexes, whatever the tables' size.
func TestHotStatementsUseIndexes(t *testing.T) {
	t.Parallel()
	pool, sent := recorded(t)
	env := newEnvOn(t, pool)
	env.exec(t, `INSERT INTO card (company_id, id, card_type_id, code, status, balance, seq, registered_at, created_at, updated_at)
		SELECT $1, gen_random_uuid(), $2, 'card-' || n, 'enabled', 3, 3, now(), now(), now() FROM generate_series(1, 20000) n`,
		env.company, env.base.ID)
	env.exec(t, `INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source)
		SELECT company_id, id, n, 'accrue', 1, n, now(), now(), 'graphql' FROM card, generate_series(1, 3) n`)
	env.exec(t, `INSERT INTO idempotency_key (company_id, id, fingerprint, card_id, seq, expires_at)
		SELECT company_id, gen_random_uuid(), gen_random_uuid(), card_id, seq, now() FROM movement LIMIT 20000`)
	env.exec(t, "ANALYZE")

	env.post(t, ledger.Posting{Card: ref("card-77"), Action: ledger.Redeem, Amount: new(dec("-1")), Key: key("k", "r")})
	_, err := env.ledger.Post(t.Context(), env.who, ledger.Posting{
		Card: ref("card-77"), Action: ledger.Redeem, Amount: new(dec("-5")), Source: "graphql", Key: key("k2", "r"),
	})
	wantRefusal(t, err, loyalty.CodeInsufficientBalance, "points")
	page, _, err := env.ledger.Cards(t.Context(), env.company, ledger.CardFilter{}, nil, 50)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := env.ledger.MovementsOf(t.Context(), env.company, page[0], nil, 25); err != nil {
		t.Fatal(err)
	}

	for _, name := range []string{"CardPost", "PostingsRead", "CardsLock", "CardsPage", "MovementsByCards"} {
		plan := sent.plan(t, pool, name)
		for _, table := range []string{"card", "movement", "idempotency_key"} {
			for _, walk := range []string{"Seq Scan on " + table + " ", "Seq Scan on " + table + "\n"} {
				if strings.Contains(plan+"\n", walk) {
					t.Errorf("%s walks table %s:\n%s", name, table, plan)
				}
			}
		}
		if !strings.Contains(plan, "Index") {
			t.Errorf("%s uses no index:\n%s", name, plan)
		}
	}
}

// A card with years behind it is not read through what is closed: what is left of its
// lots, and its open holds, have indexes of their own.
func TestWhatIsLeftIsFoundAlone(t *testing.T) {
	t.Parallel()
	pool, sent := recorded(t)
	env := newEnvOn(t, pool)
	env.endsAfter(t, "points", 30, "after")
	card := env.card(t, "7001", "10")
	env.exec(t, `INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, held, posted_at, recorded_at, source)
		SELECT $1, $2, n, 'hold', 0, 10, 1, now(), now(), 'graphql' FROM generate_series(1001, 6000) n`, env.company, card.ID)
	env.exec(t, `INSERT INTO lot (company_id, card_id, seq, part, state, amount, remaining, earned_on, priority)
		SELECT $1, $2, n, 0, 'closed', 1, 0, current_date, 100 FROM generate_series(1001, 6000) n`, env.company, card.ID)
	env.exec(t, `INSERT INTO hold (company_id, id, card_id, seq, status, amount, expires_at, ended_seq, created_at)
		SELECT $1, gen_random_uuid(), $2, n, 'released', 1, now(), n, now() FROM generate_series(1001, 6000) n`, env.company, card.ID)
	env.exec(t, "ANALYZE")
	if _, err := env.ledger.HoldCreate(t.Context(), env.who, ledger.NewHold{Card: ref("7001"), Amount: dec("3"), Time: time.Hour, Source: "graphql"}); err != nil {
		t.Fatal(err)
	}
	env.post(t, ledger.Posting{Card: ref("7001"), Action: ledger.Redeem, Amount: new(dec("-1"))})
	for statement, indexes := range map[string][]string{"LotsOfCards": {"lot_left_idx"}, "HoldsDue": {"hold_open_idx", "hold_due_idx"}} {
		plan := sent.plan(t, pool, statement)
		if !slices.ContainsFunc(indexes, func(index string) bool { return strings.Contains(plan, index) }) {
			t.Errorf("%s uses none of %v:\n%s", statement, indexes, plan)
		}
	}
}

// On the day on which points end the planner has no figures of it yet, and takes what
// is due for one lot: the job goes from cards to their lots all the same.
func TestPointsExpireGoesFromCards(t *testing.T) {
	t.Parallel()
	pool, sent := recorded(t)
	env := newEnvOn(t, pool)
	env.endsAfter(t, "points", 30, "after")
	env.exec(t, `INSERT INTO card (company_id, id, card_type_id, code, status, balance, seq, expiry_version, registered_at, created_at, updated_at)
		SELECT $1, gen_random_uuid(), id, 'card-' || n, 'enabled', 1, 1, expiry_version, now(), now(), now() FROM card_type, generate_series(1, 3000) n
		WHERE id = $2`, env.company, env.base.ID)
	env.exec(t, `INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source)
		SELECT company_id, id, 1, 'accrue', 1, 1, now(), now(), 'graphql' FROM card`)
	env.exec(t, "ANALYZE")
	env.exec(t, `INSERT INTO lot (company_id, card_id, seq, part, state, amount, remaining, earned_on, expires_on, priority)
		SELECT company_id, id, 1, 0, 'open', 1, 1, '2026-02-01', '2026-03-01', 100 FROM card`)
	did, err := env.ledger.PointsExpire(t.Context(), env.company, nil)
	if err != nil || did.Lots != 3000 {
		t.Fatalf("PointsExpire: got %+v, error %v", did, err)
	}
	if plan := sent.plan(t, pool, "LotsExpire"); strings.Contains(plan, "lot_due_idx") {
		t.Errorf("LotsExpire looks for its cards in all that is due:\n%s", plan)
	}
}

// recorded is a pool whose statements are kept.
func recorded(t *testing.T) (*pgxpool.Pool, *recorder) {
	t.Helper()
	config, err := pgxpool.ParseConfig(dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	sent := &recorder{}
	config.ConnConfig.Tracer = sent
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool, sent
}
