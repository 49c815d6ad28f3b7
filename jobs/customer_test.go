package jobs_test

import (
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db/dbtest"
	"sello/loyalty/auth"
	"sello/loyalty/customer"
)

func exec(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func count(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) (n int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// TestCustomerJobs: what an attribute's definition and an erasure leave to do is
// done by the workers, who may find a part of it done by one that was killed.
func TestCustomerJobs(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	company := uuid.New()
	exec(t, pool, `INSERT INTO company (id, code, name, time_zone, language, currency, phone_prefix, created_at, updated_at)
		VALUES ($1, 'acme', 'Acme', 'America/Mexico_City', 'es', 'MXN', '+52', now(), now())`, company)
	exec(t, pool, `INSERT INTO card_type (company_id, id, code, name, unit, scale, created_at, updated_at) VALUES ($1, $1, 'puntos', 'Puntos', 'points', 0, now(), now())`, company)
	exec(t, pool, `INSERT INTO customer (company_id, id, first_name, qr_code, name_key, attributes, created_at, updated_at)
		SELECT $1, gen_random_uuid(), 'N', 'PRT-' || n, 'n', '{"tier": "gold"}', now(), now() FROM generate_series(1, 7000) n`, company)
	exec(t, pool, `INSERT INTO import (company_id, id, kind, status, file_name, sha256, bytes, forced, card_type_id, delimiter, encoding, header, rows_total, actor_kind, created_at, updated_at)
		VALUES ($1, $1, 'points', 'finished', 'a.csv', '', 1, false, $1, ',', 'utf-8', 'x', 50000, 'system', now(), now())`, company)
	exec(t, pool, `INSERT INTO import_row (company_id, import_id, line, row_id, first_name, email, points, first_key, last_key, raw)
		SELECT $1, $1, n, gen_random_uuid(), 'X', CASE WHEN n % 10000 = 0 THEN 'ana@example.com' ELSE 'eva@example.com' END, 0, 'x', '', '' FROM generate_series(1, 50000) n`, company)
	log := &buffer{}
	c := config(t, pool, log)
	client := newClient(t, c)
	who := auth.System(company)
	ana, err := c.Customers.Create(t.Context(), who, customer.Fields{FirstName: "Ana", Email: "ana@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	attribute, err := c.Customers.AttributeCreate(t.Context(), who, customer.NewAttribute{Code: "tier", Name: "Tier", Type: customer.AttributeText})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Customers.Erase(t.Context(), who, ana.ID, customer.EraseTotal); err != nil {
		t.Fatal(err)
	}
	// Workers that got as far as this and no further.
	var erasure uuid.UUID
	if err := pool.QueryRow(t.Context(), `SELECT (args ->> 'erasure_id')::uuid FROM river_job WHERE kind = 'customer_trace_erase'`).Scan(&erasure); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if done, err := c.Customers.TraceEraseStep(t.Context(), company, erasure); done || err != nil {
			t.Fatalf("TraceEraseStep: got %v, error %v", done, err)
		}
	}
	if done, err := c.Customers.AttributeIndexStep(t.Context(), company, attribute.ID); done || err != nil {
		t.Fatalf("AttributeIndexStep: got %v, error %v", done, err)
	}

	work(t, client, map[string]int{"customer_attribute_index": 1, "customer_trace_erase": 1})

	check := func() {
		t.Helper()
		if n := count(t, pool, `SELECT count(*) FROM import_row WHERE email = 'ana@example.com'`); n != 0 {
			t.Errorf("rows of the erased person: %d", n)
		}
		if n := count(t, pool, `SELECT rows_deleted FROM customer_erasure WHERE finished_at IS NOT NULL AND emails = '{}'`); n != 5 {
			t.Errorf("rows that went: got %d, want 5", n)
		}
		if n := count(t, pool, `SELECT count(*) FROM customer_attribute_value JOIN customer_attribute a ON a.id = attribute_id WHERE a.indexed_at IS NOT NULL`); n != 7000 {
			t.Errorf("values in the index: got %d, want 7000", n)
		}
	}
	check()

	// Once more: nothing is left to do.
	for _, args := range []any{
		customer.TraceErase{CompanyID: company, ErasureID: erasure}, customer.AttributeIndex{CompanyID: company, AttributeID: attribute.ID},
	} {
		encoded, err := json.Marshal(args)
		if err != nil {
			t.Fatal(err)
		}
		exec(t, pool, `UPDATE river_job SET state = 'available', finalized_at = NULL, unique_key = NULL WHERE args @> $1`, encoded)
	}
	work(t, newClient(t, config(t, pool, log)), map[string]int{"customer_attribute_index": 1, "customer_trace_erase": 1})
	check()
	if log.String() != "" {
		t.Errorf("logged:\n%s", log)
	}
}
