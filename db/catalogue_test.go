package db_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db/dbtest"
)

// withoutCompany are the tables that belong to no company, and why.
var withoutCompany = map[string]string{
	"company":            "the list of companies itself; small, a reference table in a distributed schema",
	"goose_db_version":   "goose's list of migrations",
	"river_client":       "River's own",
	"river_client_queue": "River's own",
	"river_job":          "River's own: a job names its company in its arguments",
	"river_leader":       "River's own",
	"river_migration":    "River's own",
	"river_queue":        "River's own",
	"river_notification": "River's own",
}

// rule is a key of a table: its columns in order, of the other table too for a
// foreign key.
type rule struct {
	Table, Name, Kind string
	Columns           []string
	// Foreign are the columns of ForeignTable.
	Foreign      []string
	ForeignTable string
}

// Every table of a company can be distributed by company: company_id is first in
// its primary key, in each unique rule and in each foreign key (design.md 3).
func TestKeysBeginWithTheCompany(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	rows, err := pool.Query(t.Context(), `
		SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY relname`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	rows, err = pool.Query(t.Context(), `
		SELECT attrelid::regclass::text FROM pg_attribute
		WHERE attname = 'company_id' AND attnotnull AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p'))`)
	if err != nil {
		t.Fatal(err)
	}
	owned, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		reason, excepted := withoutCompany[table]
		switch has := slices.Contains(owned, table); {
		case has && excepted:
			t.Errorf("table %s has company_id and is on the list of those without (%s)", table, reason)
		case !has && !excepted:
			t.Errorf("table %s has no company_id NOT NULL and no reason on the list", table)
		}
	}
	for table := range withoutCompany {
		// River's tables come and go with its versions.
		if !slices.Contains(tables, table) && !strings.HasPrefix(table, "river_") {
			t.Errorf("table %s is on the list and not in the database", table)
		}
	}
	if len(owned) < 15 {
		t.Fatalf("tables of a company: got %v", owned)
	}

	primary := map[string]bool{}
	for _, r := range rules(t, pool) {
		if !slices.Contains(owned, r.Table) {
			if r.Kind == "foreign" && slices.Contains(owned, r.ForeignTable) {
				t.Errorf("%s of %s: a table without a company refers to one of a company", r.Name, r.Table)
			}
			continue
		}
		primary[r.Table] = primary[r.Table] || r.Kind == "primary"
		if len(r.Columns) == 0 || r.Columns[0] != "company_id" {
			t.Errorf("%s key %s of %s: columns %v do not begin with company_id", r.Kind, r.Name, r.Table, r.Columns)
		}
		if r.Kind != "foreign" {
			continue
		}
		switch {
		case r.ForeignTable == "company":
			if diff := cmp.Diff([]string{"id"}, r.Foreign); diff != "" {
				t.Errorf("foreign key %s of %s to company (-want +got):\n%s", r.Name, r.Table, diff)
			}
		case len(r.Foreign) == 0 || r.Foreign[0] != "company_id":
			t.Errorf("foreign key %s of %s to %s: columns %v do not begin with company_id", r.Name, r.Table, r.ForeignTable, r.Foreign)
		}
	}
	for _, table := range owned {
		if !primary[table] {
			t.Errorf("table %s has no primary key", table)
		}
	}
}

func rules(t *testing.T, pool *pgxpool.Pool) []rule {
	t.Helper()
	rows, err := pool.Query(t.Context(), `
		SELECT i.indrelid::regclass::text, c.relname, CASE WHEN i.indisprimary THEN 'primary' ELSE 'unique' END,
		       ARRAY(SELECT coalesce(a.attname, '(expression)') FROM unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k (n, place)
		             LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n AND k.n > 0 ORDER BY k.place)::text[],
		       NULL::text[], ''
		FROM pg_index i
		JOIN pg_class c ON c.oid = i.indexrelid
		JOIN pg_class r ON r.oid = i.indrelid AND r.relnamespace = 'public'::regnamespace
		WHERE i.indisunique
		UNION ALL
		SELECT k.conrelid::regclass::text, k.conname, 'foreign',
		       ARRAY(SELECT a.attname FROM unnest(k.conkey) WITH ORDINALITY AS o (n, place)
		             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = o.n ORDER BY o.place)::text[],
		       ARRAY(SELECT a.attname FROM unnest(k.confkey) WITH ORDINALITY AS o (n, place)
		             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = o.n ORDER BY o.place)::text[],
		       k.confrelid::regclass::text
		FROM pg_constraint k
		JOIN pg_class r ON r.oid = k.conrelid AND r.relnamespace = 'public'::regnamespace
		WHERE k.contype = 'f'
		ORDER BY 1, 2`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[rule])
	if err != nil {
		t.Fatal(err)
	}
	return all
}
