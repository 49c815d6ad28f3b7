package db_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
	"sello/db/dbtest"
)

// TestInPlannedTx: what runs in it is planned once a connection, by keys although the
// tables are empty, and nothing of this stays with the connection.
func TestInPlannedTx(t *testing.T) {
	t.Parallel()
	config, err := pgxpool.ParseConfig(dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	store, company := db.NewStore(pool), uuid.New()
	lock := func(tx db.Tx) error {
		_, err := tx.CardsLock(t.Context(), company, []uuid.UUID{uuid.New()})
		return err
	}
	for range 3 {
		if err := store.InPlannedTx(t.Context(), lock); err != nil {
			t.Fatal(err)
		}
	}
	var generic, custom int
	plans := `SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE '-- name: CardsLock :many%'`
	if err := pool.QueryRow(t.Context(), plans).Scan(&generic, &custom); err != nil {
		t.Fatal(err)
	}
	if generic != 3 || custom != 0 {
		t.Errorf("got %d plans that are kept and %d for one call, want 3 and 0", generic, custom)
	}
	for name, want := range map[string]string{"plan_cache_mode": "auto", "enable_seqscan": "on", "enable_hashjoin": "on", "enable_mergejoin": "on", "enable_material": "on"} {
		var got string
		if err := pool.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&got); err != nil || got != want {
			t.Errorf("%s after it: got %q, error %v, want %q", name, got, err, want)
		}
	}
	for _, c := range []struct{ sql, never, follows string }{
		{"SELECT * FROM lot_entry WHERE company_id = $1 AND card_id = ($2::uuid[])[1]", "Seq Scan", "(card_id ="},
		{"SELECT key.seq FROM (SELECT generate_series(1, cardinality($2::uuid[])), unnest($2::uuid[]) AS id) AS asked LEFT JOIN idempotency_key AS key ON key.company_id = $1 AND key.id = asked.id",
			"Materialize", "AND (id ="},
	} {
		var plan []string
		err := store.InPlannedTx(t.Context(), func(tx db.Tx) error {
			if _, err := tx.Conn.Exec(t.Context(), "PREPARE asked (uuid, uuid[]) AS "+c.sql); err != nil {
				return err
			}
			rows, err := tx.Conn.Query(t.Context(), "EXPLAIN EXECUTE asked (NULL, NULL)")
			if err != nil {
				return err
			}
			if plan, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
				return err
			}
			_, err = tx.Conn.Exec(t.Context(), "DEALLOCATE asked")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(plan, "\n"); strings.Contains(text, c.never) || !strings.Contains(text, c.follows) {
			t.Errorf("%s\non empty tables runs by this plan, which shall have %q and never %q:\n%s", c.sql, c.follows, c.never, text)
		}
	}
}
