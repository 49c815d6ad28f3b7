package db_test

import (
	"database/sql"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"sello/db"
	"sello/db/migrations"
)

// TestMigrateReportScopes goes over 0009 with operators of before: who could
// change the company sees and starts reports, nobody else does.
func TestMigrateReportScopes(t *testing.T) {
	t.Parallel()
	url := emptyDatabase(t)
	old, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, old, migrations.FS, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), 8); err != nil {
		t.Fatal(err)
	}
	_, err = old.ExecContext(t.Context(), `
		WITH made AS (
			INSERT INTO company (id, code, name, time_zone, language, currency, phone_prefix, created_at, updated_at)
			VALUES (gen_random_uuid(), 'acme', 'Acme', 'UTC', 'es', 'MXN', '+52', '2026-01-01', '2026-01-01') RETURNING id)
		INSERT INTO operator (company_id, id, email, name, password_hash, scopes, created_at, updated_at)
		SELECT made.id, gen_random_uuid(), who.email, '', '', who.scopes, '2026-01-01', '2026-01-01'
		FROM made, (VALUES ('boss', '{company:write,cards:read}'::text[]), ('clerk', '{cards:read,cards:write}'),
			('again', '{company:write,reports:read}')) AS who (email, scopes)`)
	if err != nil {
		t.Fatal(err)
	}

	if err := db.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}

	pool := open(t, url)
	for email, want := range map[string]string{
		"boss": "{cards:read,company:write,reports:read,reports:write}", "clerk": "{cards:read,cards:write}",
		"again": "{company:write,reports:read,reports:write}",
	} {
		var got string
		if err := pool.QueryRow(t.Context(), `SELECT scopes::text FROM operator WHERE email = $1`, email).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("scopes of %s: got %s, want %s", email, got, want)
		}
	}
}
