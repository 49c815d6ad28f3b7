package db_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"sello/db/dbtest"
)

// statement is one query of queries/*.sql.
type statement struct {
	file, name, kind string
	// comment is what stands between the name and the SQL, a line each.
	comment []string
	sql     string
}

var (
	nameLine = regexp.MustCompile(`^-- name: (\w+) :(\w+)$`)
	// reference finds the tables that a statement reads or writes, with the names it
	// calls them by.
	reference = regexp.MustCompile(`(?i)\b(FROM|JOIN|UPDATE|INSERT INTO|DELETE FROM)\s+(?:ONLY\s+)?([a-z_]+)(?:\s+AS)?(?:\s+([a-z_][a-z_0-9]*))?`)
	bound     = regexp.MustCompile(`(?i)\bcompany_id\s*=\s*@company_id\b`)
)

// notAliases are the words that may follow a table's name.
var notAliases = []string{
	"on", "where", "set", "values", "left", "right", "full", "inner", "cross", "join", "order", "group", "limit", "union",
	"using", "for", "returning", "select", "window", "having", "lateral", "as", "from",
}

// notTables are words that FROM also stands before.
var notTables = []string{"distinct", "for", "lateral", "unnest", "generate_series", "select", "of"}

func statements(t *testing.T) []statement {
	t.Helper()
	files, err := filepath.Glob("../queries/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("queries: got %v, error %v", files, err)
	}
	var all []statement
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		begun := false
		for line := range strings.Lines(string(text)) {
			line = strings.TrimRight(line, "\n")
			if m := nameLine.FindStringSubmatch(line); m != nil {
				all, begun = append(all, statement{file: filepath.Base(file), name: m[1], kind: m[2]}), true
				continue
			}
			if !begun {
				continue
			}
			s := &all[len(all)-1]
			if comment, ok := strings.CutPrefix(strings.TrimSpace(line), "--"); ok {
				if s.sql == "" {
					s.comment = append(s.comment, strings.TrimSpace(comment))
				}
				continue
			}
			s.sql += line + "\n"
		}
	}
	return all
}

const disabled = "@sqlc-vet-disable company-first"

// exception is the reason why a statement need not name a company; found is
// whether it is one.
func (s statement) exception() (reason string, found bool) {
	i := slices.Index(s.comment, disabled)
	if i < 0 {
		return "", false
	}
	return strings.Join(s.comment[i+1:], " "), true
}

// A statement sees the rows of the company it is given, and no other's.
func TestStatementsNameTheCompany(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	rows, err := pool.Query(t.Context(), `SELECT attrelid::regclass::text FROM pg_attribute
		WHERE attname = 'company_id' AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p'))`)
	if err != nil {
		t.Fatal(err)
	}
	owned, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	all := statements(t)
	if len(all) < 50 {
		t.Fatalf("statements: found %d", len(all))
	}
	for _, s := range all {
		reason, excepted := s.exception()
		if excepted {
			if len(reason) < 20 {
				t.Errorf("%s %s: %q without the reason on the next line", s.file, s.name, disabled)
			}
			continue
		}
		for _, problem := range withoutTheCompany(s.sql, owned) {
			t.Errorf("%s %s: %s", s.file, s.name, problem)
		}
	}
}

// withoutTheCompany tells where a statement touches a company's table without
// saying whose rows.
func withoutTheCompany(sql string, owned []string) (problems []string) {
	sql = strings.ReplaceAll(sql, "sqlc.arg('company_id')", "@company_id")
	found := reference.FindAllStringSubmatchIndex(sql, -1)
	touched := false
	for i, m := range found {
		verb, table := strings.ToUpper(sql[m[2]:m[3]]), sql[m[4]:m[5]]
		if slices.Contains(notTables, strings.ToLower(table)) || !slices.Contains(owned, table) {
			continue
		}
		touched = true
		alias := table
		if m[6] >= 0 && !slices.Contains(notAliases, strings.ToLower(sql[m[6]:m[7]])) {
			alias = sql[m[6]:m[7]]
		}
		end := len(sql)
		if i+1 < len(found) {
			end = found[i+1][0]
		}
		rest := sql[m[1]:end]
		if verb == "INSERT INTO" {
			if !regexp.MustCompile(`^\s*\(\s*company_id\b`).MatchString(sql[m[5]:]) {
				problems = append(problems, "INSERT INTO "+table+" does not begin with company_id")
			}
			continue
		}
		// Either by its name, anywhere (a join's condition may stand further down), or
		// without one, before the next table.
		if !regexp.MustCompile(`\b`+regexp.QuoteMeta(alias)+`\.company_id\s*=|=\s*`+regexp.QuoteMeta(alias)+`\.company_id\b`).MatchString(sql) &&
			!regexp.MustCompile(`(?:^|[^.\w])company_id\s*=\s*@company_id\b`).MatchString(rest) {
			problems = append(problems, verb+" "+table+" ("+alias+") is not held to a company")
		}
	}
	if touched && !bound.MatchString(sql) && !regexp.MustCompile(`(?i)VALUES\s*\(\s*@company_id\b|SELECT\s+@company_id\b|\bcompany\.id\s*=\s*@company_id`).MatchString(sql) &&
		!regexp.MustCompile(`@company_id::uuid AS company_id`).MatchString(sql) {
		problems = append(problems, "touches a company's table and takes no @company_id")
	}
	return problems
}

// The rule itself, on statements that break it.
func TestStatementsWithoutTheCompanyAreFound(t *testing.T) {
	t.Parallel()
	owned := []string{"card", "movement", "customer"}
	for sql, problems := range map[string]int{
		"SELECT * FROM card WHERE company_id = @company_id AND id = @id":                                                               0,
		"SELECT * FROM card WHERE id = @id":                                                                                            2,
		"SELECT * FROM card c JOIN movement m ON m.card_id = c.id WHERE c.company_id = @company_id":                                    1,
		"SELECT * FROM card c JOIN movement AS m ON m.company_id = c.company_id AND m.card_id = c.id WHERE c.company_id = @company_id": 0,
		"SELECT id FROM card WHERE company_id = @company_id UNION ALL SELECT id FROM customer WHERE email = @email":                    1,
		"UPDATE card SET status = @status WHERE id = @id":                                                                              2,
		"DELETE FROM card WHERE company_id = @company_id":                                                                              0,
		"INSERT INTO card (id, company_id) VALUES (@id, @company_id)":                                                                  2,
		"INSERT INTO card (company_id, id) VALUES (@company_id, @id)":                                                                  0,
		"SELECT 1 FROM somewhere": 0,
	} {
		if got := withoutTheCompany(sql, owned); len(got) != problems {
			t.Errorf("%s: got problems %q, want %d", sql, got, problems)
		}
	}
}

// What answers rows orders them: a page without an order is no page.
func TestStatementsOrderTheirRows(t *testing.T) {
	t.Parallel()
	for _, s := range statements(t) {
		if s.kind == "many" && !strings.Contains(strings.ToUpper(s.sql), "ORDER BY") {
			t.Errorf("%s %s answers rows without ORDER BY", s.file, s.name)
		}
		if regexp.MustCompile(`(?i)\bOFFSET\b`).MatchString(s.sql) && !strings.Contains(strings.Join(s.comment, " "), "OFFSET") {
			t.Errorf("%s %s pages by OFFSET and does not say why", s.file, s.name)
		}
		if regexp.MustCompile(`(?i)\b(now|clock_timestamp|statement_timestamp)\(\)|\bcurrent_(timestamp|date)\b`).MatchString(s.sql) {
			t.Errorf("%s %s reads the database's clock: time comes in as @now", s.file, s.name)
		}
	}
}

// River's jobs name their company in their arguments; sqlc does not see them.
func TestStatementsOnJobsNameTheCompany(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "river.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	held := regexp.MustCompile(`args ->> 'company_id' = \$\d+::uuid::text`)
	seen := 0
	ast.Inspect(file, func(n ast.Node) bool {
		literal, ok := n.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		sql, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		reads := strings.Count(sql, "FROM river_job")
		seen += reads
		if got := len(held.FindAllString(sql, -1)); got < reads {
			t.Errorf("of %d reads of jobs %d are held to a company: %s", reads, got, sql)
		}
		return true
	})
	if seen == 0 {
		t.Error("river.go: found no statement on jobs")
	}
}
