package upkeep_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db"
	"sello/db/dbtest"
	"sello/jobs"
	"sello/loyalty/auth"
	"sello/loyalty/coupon"
	"sello/loyalty/customer"
	"sello/loyalty/imports"
	"sello/loyalty/ledger"
	"sello/loyalty/notify"
	"sello/loyalty/report"
	"sello/loyalty/upkeep"
	"sello/loyalty/webhook"
)

// start is the clock at the beginning: late in the evening in Mexico, already the
// next day in Vietnam.
var start = time.Date(2026, time.November, 21, 23, 30, 0, 0, time.UTC)

// env has two companies, acme in Mexico and saigon in Vietnam.
type env struct {
	*upkeep.Service
	pool         *pgxpool.Pool
	now          time.Time
	acme, saigon uuid.UUID
}

func newEnv(t *testing.T) *env {
	t.Helper()
	e := &env{pool: dbtest.New(t), now: start, acme: uuid.New(), saigon: uuid.New()}
	store, clock := db.NewStore(e.pool), func() time.Time { return e.now }
	keys, err := auth.ParseKeys(auth.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	in := &imports.Service{DB: store, Now: clock, SpoolDir: t.TempDir()}
	hooks, err := webhook.New(webhook.Config{DB: store, Now: clock, Secret: []byte("a secret of this test only"), AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	e.Service = &upkeep.Service{
		Webhooks: hooks, Coupons: coupon.New(store, clock),
		DB: store, Auth: auth.New(auth.Config{DB: store, Keys: keys, Now: clock, Issuer: "http://sello.test"}), Imports: in, Now: clock,
	}
	books := ledger.New(store, clock)
	_, err = jobs.New(jobs.Config{
		Pool: e.pool, Imports: in, Coupons: e.Coupons, Ledger: books, Upkeep: e.Service,
		Reports: &report.Service{DB: store, Now: clock}, Webhooks: hooks,
		Customers: customer.New(store, books, clock), Notify: &notify.Service{DB: store, Mailer: notify.Keeper{}, Now: clock},
	})
	if err != nil {
		t.Fatal(err)
	}
	e.addCompany(t, e.acme, "acme", "America/Mexico_City")
	e.addCompany(t, e.saigon, "saigon", "Asia/Ho_Chi_Minh")
	return e
}

func (e *env) addCompany(t *testing.T, id uuid.UUID, code, zone string) {
	t.Helper()
	e.exec(t, `INSERT INTO company (id, code, name, time_zone, language, currency, phone_prefix, created_at, updated_at)
		VALUES ($1, $2, $2, $3, 'es', 'MXN', '+52', $4, $4)`, id, code, zone, start)
	e.exec(t, `INSERT INTO card_type (company_id, id, code, name, unit, scale, created_at, updated_at)
		VALUES ($1, $1, 'puntos', 'Puntos', 'points', 0, $2, $2)`, id, start)
	e.exec(t, `INSERT INTO operator (company_id, id, email, name, password_hash, scopes, created_at, updated_at)
		VALUES ($1, $1, 'a@b.test', 'A', '', '{}', $2, $2)`, id, start)
	e.exec(t, `INSERT INTO webhook (company_id, id, url, description, kinds, status, secret, cursor_id, events_since, actor_kind, created_at, updated_at)
		VALUES ($1, $1, 'https://example.com', '', '{}', 'enabled', '', 0, $2, 'system', $2, $2)`, id, start)
}

func (e *env) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := e.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func (e *env) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	if err := e.pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// litter leaves n things of each kind whose time has passed, and n whose time has
// not, by a minute, in a company.
func (e *env) litter(t *testing.T, company uuid.UUID, n int) {
	t.Helper()
	for i, side := range []time.Duration{-time.Minute, time.Minute} {
		e.exec(t, `INSERT INTO webhook_delivery (company_id, webhook_id, seq, event_id, kind, subject_id, subject_seq, occurred_at, replay, status, created_at)
			SELECT $1, $1, $4 * $3 + n, n, 'movement_posted', $1, 1, $2, false, 'delivered', $2 FROM generate_series(1, $3::bigint) AS n`,
			company, e.now.Add(side-upkeep.DefaultDeliveries), n, i)
		e.exec(t, `INSERT INTO idempotency_key (company_id, id, fingerprint, card_id, seq, expires_at)
			SELECT $1, gen_random_uuid(), $1, $1, 1, $2 FROM generate_series(1, $3)`, company, e.now.Add(side), n)
		e.exec(t, `INSERT INTO operation_key (company_id, id, fingerprint, result_id, result_seq, expires_at)
			SELECT $1, gen_random_uuid(), $1, $1, 1, $2 FROM generate_series(1, $3)`, company, e.now.Add(side), n)
		e.exec(t, `INSERT INTO event (company_id, kind, subject_id, recorded_at)
			SELECT $1, 'movement_posted', $1, $2 FROM generate_series(1, $3)`, company, e.now.Add(side-upkeep.DefaultEvents), n)
		e.exec(t, `INSERT INTO operator_session (company_id, id, operator_id, secret_hash, rotated_at, expires_at, created_at)
			SELECT $1, gen_random_uuid(), $1, '', $2, $2, $2 FROM generate_series(1, $3)`, company, e.now.Add(side-upkeep.DefaultSessions), n)
		for range n {
			e.addImport(t, company, "finished", e.now.Add(side-upkeep.DefaultImportRows))
		}
	}
}

// addImport adds an import with two rows that came to a state at a time.
func (e *env) addImport(t *testing.T, company uuid.UUID, status string, at time.Time) uuid.UUID {
	t.Helper()
	id := uuid.New()
	e.exec(t, `INSERT INTO import (company_id, id, kind, status, file_name, sha256, bytes, forced, card_type_id, delimiter, encoding, header,
			rows_total, actor_kind, created_at, finished_at, updated_at)
		VALUES ($1, $2, 'points', $3, 'a.csv', uuid_send($2), 1, false, $1, ',', 'utf-8', 'nombres,email', 2, 'system', $4, $4, $4)`,
		company, id, status, at)
	e.exec(t, `INSERT INTO import_row (company_id, import_id, line, row_id, first_name, points, first_key, last_key, raw)
		SELECT $1, $2, line, gen_random_uuid(), 'A', 0, '', '', '' FROM generate_series(2, 3) AS line`, company, id)
	return id
}

// addBatch adds a running batch of coupons that last said something at a time.
func (e *env) addBatch(t *testing.T, company uuid.UUID, at time.Time) uuid.UUID {
	t.Helper()
	id := uuid.New()
	e.exec(t, `INSERT INTO coupon_type (company_id, id, code, name, format, validity, max_uses, nominated, benefit, code_prefix, code_length,
			code_alphabet, created_at, updated_at)
		VALUES ($1, $2, 'T', 'T', 'printed', 'none', 1, false, 'amount', '', 40, 'AB', $3, $3)`, company, id, at)
	e.exec(t, `INSERT INTO coupon_batch (company_id, id, coupon_type_id, status, codes_total, max_uses, actor_kind, created_at, updated_at)
		VALUES ($1, $2, $2, 'running', 5, 1, 'system', $3, $3)`, company, id, at)
	return id
}

// left counts what a company has of everything.
func (e *env) left(t *testing.T, company uuid.UUID) map[string]int {
	t.Helper()
	all := map[string]int{}
	for _, table := range []string{"idempotency_key", "operation_key", "event", "operator_session", "import", "import_row", "webhook_delivery"} {
		all[table] = e.count(t, fmt.Sprintf(`SELECT count(*) FROM %s WHERE company_id = $1`, table), company)
	}
	return all
}

func TestPrune(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.litter(t, e.acme, 3)
	e.litter(t, e.saigon, 3)
	before := e.left(t, e.saigon)

	got, err := e.Prune(t.Context(), e.acme)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(upkeep.Pruned{Keys: 6, Events: 2, Sessions: 3, Imports: 3, Deliveries: 3}, got); diff != "" {
		t.Errorf("Prune (-want +got):\n%s", diff)
	}
	// The newest of the old events stays: subscribers see by it that nothing between
	// it and the next is missing.
	kept := map[string]int{"idempotency_key": 3, "operation_key": 3, "event": 4, "operator_session": 3, "import": 6, "import_row": 6, "webhook_delivery": 3}
	if diff := cmp.Diff(kept, e.left(t, e.acme)); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, e.left(t, e.saigon)); diff != "" {
		t.Errorf("the other company (-want +got):\n%s", diff)
	}
	if again, err := e.Prune(t.Context(), e.acme); err != nil || again != (upkeep.Pruned{}) {
		t.Errorf("a second run: got %+v, error %v, want nothing to do", again, err)
	}
}

// TestPruneTwiceAtOnce: more than a batch, and a job that River starts twice.
func TestPruneTwiceAtOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.exec(t, `INSERT INTO event (company_id, kind, subject_id, recorded_at)
		SELECT $1, 'movement_posted', $1, $2 FROM generate_series(1, 12001)`, e.acme, e.now.Add(-8*24*time.Hour))
	var runs sync.WaitGroup
	dropped, failed := make([]int64, 2), make([]error, 2)
	for i := range dropped {
		runs.Go(func() {
			p, err := e.Prune(t.Context(), e.acme)
			dropped[i], failed[i] = p.Events, err
		})
	}
	runs.Wait()
	if err := errors.Join(failed...); err != nil || dropped[0]+dropped[1] != 12000 {
		t.Errorf("Prune twice: got %v events, error %v; want 12000 between them", dropped, err)
	}
	if n := e.left(t, e.acme)["event"]; n != 1 {
		t.Errorf("%d events are left, want the newest", n)
	}
}

// TestPruneKilled: what a killed run left is taken up by the next.
func TestPruneKilled(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.litter(t, e.acme, 2)
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Prune(dead, e.acme); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that is cut off: got %v", err)
	}
	if got, err := e.Prune(t.Context(), e.acme); err != nil || got.Keys != 4 || got.Imports != 2 {
		t.Errorf("the next run: got %+v, error %v", got, err)
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for _, step := range []struct {
		at      time.Time
		planned int
	}{
		{start, 10},                 // five jobs each: 17:30 in Mexico, 06:30 of the 22nd in Vietnam
		{start.Add(time.Minute), 0}, // both days have their jobs
		{start.Add(6*time.Hour + 29*time.Minute), 0}, // 23:59 in Mexico
		{start.Add(6*time.Hour + 31*time.Minute), 5}, // past midnight in Mexico
		{start.Add(18 * time.Hour), 5},               // past midnight in Vietnam
		{start.Add(18 * time.Hour), 0},
	} {
		e.now = step.at
		if planned, err := e.Plan(t.Context()); err != nil || planned != step.planned {
			t.Errorf("Plan at %v: got %d, error %v, want %d", step.at, planned, err, step.planned)
		}
	}
	for company, days := range map[uuid.UUID]string{e.acme: "{2026-11-21,2026-11-22}", e.saigon: "{2026-11-22,2026-11-23}"} {
		for _, kind := range []string{"prune", "coupon_expire"} {
			if n := e.count(t, `SELECT count(*) FROM (SELECT array_agg(args ->> 'day' ORDER BY id) AS days FROM river_job
				WHERE kind = $3 AND args ->> 'company_id' = $1) AS jobs WHERE days = $2::text[]`, company.String(), days, kind); n != 1 {
				t.Errorf("the %s jobs of a company are not of the days %s", kind, days)
			}
		}
	}
	// A company that cannot be planned does not keep the others from it.
	e.exec(t, `UPDATE company SET time_zone = 'Mars/Olympus' WHERE id = $1`, e.acme)
	e.now = start.Add(48 * time.Hour)
	if planned, err := e.Plan(t.Context()); err == nil || planned != 5 {
		t.Errorf("an unknown zone: got %d planned, error %v, want five and an error", planned, err)
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	dead := e.addImport(t, e.acme, "uploading", e.now.Add(-61*time.Minute))
	alive := e.addImport(t, e.acme, "uploading", e.now.Add(-59*time.Minute))
	lost := e.addImport(t, e.saigon, "running", e.now.Add(-361*time.Minute))
	slow := e.addImport(t, e.saigon, "running", e.now.Add(-359*time.Minute))
	lostBatch := e.addBatch(t, e.acme, e.now.Add(-361*time.Minute))
	slowBatch := e.addBatch(t, e.saigon, e.now.Add(-359*time.Minute))
	got, err := e.Sweep(t.Context())
	if err != nil || got != (upkeep.Swept{Uploads: 1, Imports: 1, Batches: 1}) {
		t.Errorf("Sweep: got %+v, error %v", got, err)
	}
	for id, want := range map[uuid.UUID]string{alive: "uploading", lost: "failed", slow: "running"} {
		if n := e.count(t, `SELECT count(*) FROM import WHERE id = $1 AND status = $2`, id, want); n != 1 {
			t.Errorf("an import is not %s", want)
		}
	}
	for id, want := range map[uuid.UUID]string{lostBatch: "failed", slowBatch: "running"} {
		if n := e.count(t, `SELECT count(*) FROM coupon_batch WHERE id = $1 AND status = $2`, id, want); n != 1 {
			t.Errorf("a batch of coupons is not %s", want)
		}
	}
	if n := e.count(t, `SELECT count(*) FROM import_row WHERE import_id = $1`, dead); n != 0 {
		t.Errorf("%d rows of a dead upload are left", n)
	}
	if again, err := e.Sweep(t.Context()); err != nil || again != (upkeep.Swept{}) {
		t.Errorf("a second run: got %+v, error %v", again, err)
	}
}
