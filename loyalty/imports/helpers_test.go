package imports_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"sello/db"
	"sello/db/dbtest"
	"sello/jobs"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/imports"
	"sello/loyalty/notify"
)

const (
	qrAna    = "PRT-9f2c61d07b3e48aa"
	qrJose   = "PRT-0b7d52e1c94f4c31"
	qrAnabel = "PRT-77aa10c3de5b4f02"
)

// now is the clock of the fixtures.
var now = time.Date(2024, time.March, 15, 18, 0, 0, 0, time.UTC)

// env is a company with the customers of fixtures/pretii/baseline.json and a
// points programme, on a database of the test's own.
type env struct {
	pool     *pgxpool.Pool
	store    *db.Store
	river    *river.Client[pgx.Tx]
	imports  *imports.Service
	notify   *notify.Service
	actor    auth.Principal
	company  uuid.UUID
	cardType uuid.UUID
}

func newEnv(t *testing.T) *env {
	t.Helper()
	e := &env{pool: dbtest.New(t), company: newID(t), cardType: newID(t)}
	e.store = db.NewStore(e.pool)
	e.actor = auth.Principal{
		CompanyID: e.company, Subject: newID(t), Kind: auth.KindAPIKey, Email: "admin@bluepoints.example.com",
	}
	clock := func() time.Time { return now }
	e.notify = &notify.Service{DB: e.store, Mailer: notify.Keeper{}, Now: clock}
	e.imports = &imports.Service{DB: e.store, Now: clock, SpoolDir: t.TempDir()}
	e.notify.Sources = map[string]notify.Source{imports.ResultMail: e.imports.WriteErrorFile}
	workers := river.NewWorkers()
	// A slice of no length: the job sleeps after each step.
	river.AddWorker(workers, &jobs.ImportApply{Imports: e.imports, Slice: time.Nanosecond})
	river.AddWorker(workers, &jobs.NotifyEmail{Notify: e.notify})
	var err error
	e.river, err = river.NewClient(riverpgxv5.New(e.pool), &river.Config{
		Workers:           workers,
		Queues:            map[string]river.QueueConfig{imports.Queue: {MaxWorkers: 2}, notify.JobQueue: {MaxWorkers: 2}},
		FetchCooldown:     10 * time.Millisecond,
		FetchPollInterval: 50 * time.Millisecond,
		Logger:            slog.New(slog.DiscardHandler),
		TestOnly:          true,
	})
	if err != nil {
		t.Fatalf("river: %v", err)
	}
	e.imports.Jobs, e.notify.Jobs = e.river, e.river

	e.exec(t, `INSERT INTO company (id, code, name, time_zone, language, currency, phone_prefix, created_at, updated_at)
		VALUES ($1, 'bluepoints', 'Blue Points', 'America/Lima', 'es', 'PEN', '+51', $2, $2)`, e.company, now)
	e.exec(t, `INSERT INTO card_type (company_id, id, code, name, unit, scale, created_at, updated_at)
		VALUES ($1, $2, 'puntos', 'Puntos', 'points', 0, $3, $3)`, e.company, e.cardType, now)
	e.exec(t, `INSERT INTO company_setting (company_id, name, value, updated_at) VALUES ($1, 'points_card_type', '"puntos"', $2)`, e.company, now)
	e.customer(t, "Ana María", "Quispe Flores", "ana.quispe@example.com", "45678912", qrAna, 120)
	e.customer(t, "José", "Muñoz Pérez", "jose.munoz@example.com", "", qrJose, 20)
	e.customer(t, "Anabel", "", "anabel@example.com", "CE-00123", qrAnabel, 0)
	return e
}

func newID(t *testing.T) uuid.UUID {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// customer adds a customer with a card of the programme and, for a balance, the
// movement that explains it.
func (e *env) customer(t *testing.T, first, last, email, document, qr string, points int64) uuid.UUID {
	t.Helper()
	id := newID(t)
	key := strings.TrimSpace(loyalty.SearchKey(first) + " " + loyalty.SearchKey(last))
	e.exec(t, `INSERT INTO customer (company_id, id, first_name, last_name, email, document, document_key, qr_code, name_key, created_at, updated_at)
		VALUES ($1, $2, $3, nullif($4, ''), $5, nullif($6, ''), lower(nullif($6, '')), $7, $8, $9, $9)`,
		e.company, id, first, last, email, document, qr, key, now)
	e.exec(t, `INSERT INTO card (company_id, id, card_type_id, customer_id, code, status, balance, seq, registered_at, created_at, updated_at)
		VALUES ($1, $2, $3, $2, $4, 'enabled', $5, $6, $7, $7, $7)`, e.company, id, e.cardType, qr, points, min(points, 1), now)
	if points > 0 {
		e.exec(t, `INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source)
			VALUES ($1, $2, 1, 'accrue', $3, $3, $4, $4, 'pretii')`, e.company, id, points, now)
	}
	return id
}

func (e *env) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := e.pool.Exec(context.WithoutCancel(t.Context()), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// text reads one value as text.
func (e *env) text(t *testing.T, sql string, args ...any) string {
	t.Helper()
	var v *string
	if err := e.pool.QueryRow(t.Context(), "SELECT ("+sql+")::text", args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if v == nil {
		return "NULL"
	}
	return *v
}

// same fails where a value in the database is not the one wanted.
func (e *env) same(t *testing.T, want any, sql string, args ...any) {
	t.Helper()
	if got := e.text(t, sql, args...); got != fmt.Sprint(want) {
		t.Errorf("%s: got %s, want %v", sql, got, want)
	}
}

func (e *env) upload(t *testing.T, u imports.Upload, body string) (*imports.Import, bool) {
	t.Helper()
	u.Body = strings.NewReader(body)
	imp, repeated, err := e.imports.Upload(t.Context(), e.actor, u)
	if err != nil {
		t.Fatalf("Upload: %v", err)
	}
	return imp, repeated
}

// apply takes an import to its end without the job.
func (e *env) apply(t *testing.T, id uuid.UUID) *imports.Import {
	t.Helper()
	for range 10_000 {
		done, err := e.imports.ApplyStep(t.Context(), e.company, id)
		if err != nil {
			t.Fatalf("ApplyStep: %v", err)
		}
		if done {
			return e.get(t, id)
		}
	}
	t.Fatal("ApplyStep never ends")
	return nil
}

func (e *env) get(t *testing.T, id uuid.UUID) *imports.Import {
	t.Helper()
	imp, err := e.imports.Get(t.Context(), e.company, id)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return imp
}

// work runs River until no job is left to run.
func (e *env) work(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended, unsubscribe := e.river.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed,
		river.EventKindJobCancelled, river.EventKindJobSnoozed)
	defer unsubscribe()
	if err := e.river.Start(ctx); err != nil {
		t.Fatalf("start River: %v", err)
	}
	for e.text(t, `SELECT count(*) FROM river_job WHERE finalized_at IS NULL`) != "0" {
		select {
		case <-ended:
		case <-ctx.Done():
			t.Fatalf("jobs still run: %s", e.text(t, `SELECT jsonb_agg(to_jsonb(j)) FROM river_job j WHERE finalized_at IS NULL`))
		}
	}
	if err := e.river.Stop(ctx); err != nil {
		t.Fatalf("stop River: %v", err)
	}
}

// books fails where the ledger does not add up: chains gapless, balances the
// sum and the last word of their movements, one movement an import row.
func (e *env) books(t *testing.T) {
	t.Helper()
	e.same(t, 0, `SELECT count(*) FROM (
		SELECT card.id FROM card LEFT JOIN movement m ON m.company_id = card.company_id AND m.card_id = card.id
		GROUP BY card.company_id, card.id
		HAVING card.balance <> coalesce(sum(m.amount), 0) OR card.seq <> count(m.seq) OR coalesce(max(m.seq), 0) <> card.seq
		    OR card.balance <> coalesce((array_agg(m.balance_after ORDER BY m.seq DESC))[1], 0)) AS wrong`)
	e.same(t, 0, `SELECT count(*) FROM import i WHERE status <> 'uploading' AND points_assigned <>
		(SELECT coalesce(sum(amount), 0) FROM movement m WHERE m.import_id = i.id)`)
	e.same(t, 0, `SELECT count(*) FROM import i WHERE status = 'finished' AND (rows_total <> rows_applied + rows_failed OR rows_failed <>
		(SELECT count(*) FROM import_row r WHERE r.import_id = i.id AND error_code IS NOT NULL))`)
	e.same(t, 0, `SELECT count(*) FROM movement m WHERE import_id IS NOT NULL AND NOT EXISTS
		(SELECT 1 FROM event WHERE kind = 'movement_posted' AND subject_id = m.card_id AND event.seq = m.seq)`)
}

func (e *env) errorFile(t *testing.T, id uuid.UUID) string {
	t.Helper()
	var b strings.Builder
	if err := e.imports.WriteErrorFile(t.Context(), e.company, id, &b); err != nil {
		t.Fatalf("WriteErrorFile: %v", err)
	}
	return b.String()
}

func (e *env) errors(t *testing.T, id uuid.UUID) []imports.RowError {
	t.Helper()
	list, err := e.imports.Errors(t.Context(), e.company, id, 0, imports.ErrorsShown)
	if err != nil {
		t.Fatalf("Errors: %v", err)
	}
	return list
}

// ids of imports.
func ids(list ...*imports.Import) []uuid.UUID {
	var all []uuid.UUID
	for _, i := range list {
		all = append(all, i.ID)
	}
	return all
}

func decode(t *testing.T, r io.Reader, into any) {
	t.Helper()
	if err := json.NewDecoder(r).Decode(into); err != nil {
		t.Fatal(err)
	}
}
