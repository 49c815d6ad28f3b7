package db_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
	"sello/db/dbtest"
)

// TestMigrateConcurrently starts eight processes' worth of migrations on an
// empty database; without the common lock most of them fail.
func TestMigrateConcurrently(t *testing.T) {
	t.Parallel()
	for round := range 3 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			url := emptyDatabase(t)
			errs := make([]error, 8)
			var wg sync.WaitGroup
			for i := range errs {
				wg.Go(func() { errs[i] = db.Migrate(t.Context(), url) })
			}
			wg.Wait()

			if err := errors.Join(errs...); err != nil {
				t.Fatalf("Migrate: %v", err)
			}
			pool := open(t, url)
			if err := db.CheckSchema(t.Context(), pool); err != nil {
				t.Errorf("CheckSchema: %v", err)
			}
			if n := count(t, pool, "SELECT count(*) - count(DISTINCT version_id) FROM goose_db_version"); n != 0 {
				t.Errorf("%d migrations were applied twice", n)
			}
			if n := count(t, pool, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'"); n != 0 {
				t.Errorf("Migrate left %d statements running", n)
			}
		})
	}
}

// TestMigrateWhileAnotherHoldsTheLock proves that a starter in the queue holds
// no snapshot, which CREATE INDEX CONCURRENTLY would wait for.
func TestMigrateWhileAnotherHoldsTheLock(t *testing.T) {
	t.Parallel()
	url := emptyDatabase(t)
	pool := open(t, url)
	if _, err := pool.Exec(t.Context(), "CREATE TABLE big (n int)"); err != nil {
		t.Fatal(err)
	}
	holder, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(t.Context(), "SELECT pg_advisory_lock($1)", int64(db.MigrationLock)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- db.Migrate(t.Context(), url) }()
	for count(t, pool, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_try_advisory_lock%' AND pid <> pg_backend_pid() AND datname = current_database()") == 0 {
		if len(done) > 0 {
			t.Fatalf("Migrate did not wait for the lock: %v", <-done)
		}
	}

	if _, err := holder.Exec(t.Context(), "CREATE INDEX CONCURRENTLY big_n ON big (n)"); err != nil {
		t.Errorf("an index built by the lock's owner: %v", err)
	}
	if err := holder.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("Migrate after the lock was free: %v", err)
	}
}

func TestCheckSchema(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, change string
		missing      string // "" says that the schema is fine
	}{
		{name: "up to date", change: "SELECT"},
		{name: "ahead of the binary", change: "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)"},
		{name: "one of ours missing", change: "DELETE FROM goose_db_version WHERE version_id = 2", missing: "[2] of ours"},
		{name: "one of River's missing", change: "DELETE FROM river_migration WHERE version = 6", missing: "[6] of River's"},
		{name: "nothing there", change: "DROP TABLE goose_db_version, river_migration", missing: "[1 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			pool := dbtest.New(t)
			if _, err := pool.Exec(t.Context(), tt.change); err != nil {
				t.Fatal(err)
			}

			err := db.CheckSchema(t.Context(), pool)

			if got, want := errors.Is(err, db.ErrSchemaOutdated), tt.missing != ""; got != want {
				t.Fatalf("CheckSchema: got %v, want outdated %t", err, want)
			}
			if tt.missing != "" && !strings.Contains(err.Error(), tt.missing) {
				t.Errorf("CheckSchema: got %q, want it to say %q", err, tt.missing)
			}
		})
	}
}

func TestCheckSchemaWithoutDatabaseIsNoVerdict(t *testing.T) {
	t.Parallel()
	pool := open(t, "postgres://sello@/sello?host="+t.TempDir())

	if err := db.CheckSchema(t.Context(), pool); err == nil || errors.Is(err, db.ErrSchemaOutdated) {
		t.Errorf("CheckSchema: got %v, want a fault that is not ErrSchemaOutdated", err)
	}
}

func TestSchemaVersion(t *testing.T) {
	t.Parallel()
	empty := open(t, emptyDatabase(t))
	if v, err := db.SchemaVersion(t.Context(), empty); err != nil || v != 0 {
		t.Errorf("SchemaVersion of an empty database: got %d, %v, want 0", v, err)
	}
	migrated := dbtest.New(t)
	if v, err := db.SchemaVersion(t.Context(), migrated); err != nil || v < 1 {
		t.Errorf("SchemaVersion: got %d, %v, want at least 1", v, err)
	}
}

func TestMigrationsHashIsStable(t *testing.T) {
	t.Parallel()
	if a, b := db.MigrationsHash(), db.MigrationsHash(); a != b || len(a) != 16 {
		t.Errorf("MigrationsHash: got %q, then %q, want the same 16 digits", a, b)
	}
}

// emptyDatabase is a test's database with everything removed.
func emptyDatabase(t *testing.T) string {
	t.Helper()
	url := dbtest.URL(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public"); err != nil {
		t.Fatal(err)
	}
	return url
}

func open(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func count(t *testing.T, pool *pgxpool.Pool, sql string) int {
	t.Helper()
	var n int
	if err := pool.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}
