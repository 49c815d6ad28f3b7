package auth_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
	"sello/db/dbtest"
	"sello/loyalty/auth"
)

const password = "correct horse"

// env is a company with an operator on a database of its own.
type env struct {
	*auth.Service
	pool     *pgxpool.Pool
	clock    *clock
	failures *failures
	company  uuid.UUID
	code     string
	// boss has every scope of a company.
	boss auth.Operator
	who  auth.Principal
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) pass(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

type failures struct {
	mu     sync.Mutex
	counts map[string]int
}

func (f *failures) add(reason string) { f.mu.Lock(); defer f.mu.Unlock(); f.counts[reason]++ }

func (f *failures) of(reason string) int { f.mu.Lock(); defer f.mu.Unlock(); return f.counts[reason] }

func newEnv(t *testing.T, change ...func(*auth.Config)) *env {
	t.Helper()
	e := &env{
		pool: dbtest.New(t), clock: &clock{now: noon}, failures: &failures{counts: map[string]int{}},
		company: uuid.New(), code: "acme",
	}
	e.Service = e.server(t, change...)
	e.addCompany(t, e.company, e.code)
	boss, err := e.OperatorCreate(t.Context(), auth.System(e.company), auth.OperatorInput{
		Email: "Boss@Acme.test", Name: "Boss", Password: password, Scopes: auth.CompanyScopes(),
	})
	if err != nil {
		t.Fatal(err)
	}
	e.boss = *boss
	e.who = auth.Principal{CompanyID: e.company, Subject: boss.ID, Kind: auth.KindOperator, Scopes: auth.CompanyScopes()}
	return e
}

// server is one more process on the same database: same keys, own memory.
func (e *env) server(t *testing.T, change ...func(*auth.Config)) *auth.Service {
	t.Helper()
	config := auth.Config{
		DB: db.NewStore(e.pool), Keys: keySet(t, entry("k1", 0)), Now: e.clock.Now, Issuer: issuer,
		Hasher: auth.NewHasher(cheap, 64), Failed: e.failures.add,
	}
	for _, c := range change {
		c(&config)
	}
	s := auth.New(config)
	t.Cleanup(s.Wait)
	return s
}

func (e *env) addCompany(t *testing.T, id uuid.UUID, code string) {
	t.Helper()
	_, err := e.pool.Exec(t.Context(), `INSERT INTO company
		(id, code, name, time_zone, language, currency, phone_prefix, created_at, updated_at)
		VALUES ($1, $2, $2, 'America/Mexico_City', 'es', 'MXN', '+52', $3, $3)`, id, code, noon)
	if err != nil {
		t.Fatal(err)
	}
}

func (e *env) credentials() auth.Credentials {
	return auth.Credentials{Company: e.code, Email: e.boss.Email, Password: password, Address: "192.0.2.1"}
}

func (e *env) signIn(t *testing.T) *auth.Session {
	t.Helper()
	s, err := e.SignIn(t.Context(), e.credentials())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// key makes a key of a kind and answers it in clear.
func (e *env) key(t *testing.T, kind auth.KeyKind) string {
	t.Helper()
	in := auth.KeyInput{Kind: kind, Name: "till"}
	if kind == auth.KeyServer {
		in.Scopes = []auth.Scope{auth.CardsRead}
	}
	_, secret, err := e.KeyCreate(t.Context(), e.who, in)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// count is the answer of a query that counts.
func (e *env) count(t *testing.T, sql string, args ...any) int {
	t.Helper()
	var n int
	if err := e.pool.QueryRow(context.WithoutCancel(t.Context()), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (e *env) audited(t *testing.T, action string) int {
	t.Helper()
	return e.count(t, `SELECT count(*) FROM audit_entry WHERE company_id = $1 AND action = $2`, e.company, action)
}
