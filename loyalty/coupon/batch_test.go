package coupon_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"sello/jobs"
	"sello/loyalty"
	"sello/loyalty/coupon"
)

func (e *env) batch(t testing.TB, typeCode string, codes int) *coupon.Batch {
	t.Helper()
	b, _, err := e.coupons.BatchCreate(t.Context(), e.who, coupon.NewBatch{TypeCode: typeCode, Codes: codes, Name: "Spring"})
	if err != nil {
		t.Fatalf("BatchCreate: %v", err)
	}
	return b
}

func (e *env) get(t testing.TB, id uuid.UUID) *coupon.Batch {
	t.Helper()
	b, err := e.coupons.BatchByID(t.Context(), e.company, id)
	if err != nil {
		t.Fatalf("BatchByID: %v", err)
	}
	return b
}

func (e *env) codes(t testing.TB, id uuid.UUID) [][]string {
	t.Helper()
	var b strings.Builder
	if err := e.coupons.WriteCodes(t.Context(), e.company, id, &b); err != nil {
		t.Fatalf("WriteCodes: %v", err)
	}
	rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	if err != nil {
		t.Fatalf("WriteCodes: %v", err)
	}
	return rows[1:]
}

// unique fails where a batch has not exactly n coupons, of n codes.
func (e *env) unique(t testing.TB, id uuid.UUID, n int) {
	t.Helper()
	if got := e.count(t, `SELECT count(DISTINCT code) FROM coupon WHERE batch_id = $1`, id); got != n {
		t.Errorf("the batch has %d codes, want %d", got, n)
	}
	if got := e.count(t, `SELECT count(*) FROM coupon WHERE batch_id = $1`, id); got != n {
		t.Errorf("the batch has %d coupons, want %d", got, n)
	}
}

func TestBatchRefusals(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.typ(t, "CAFE")
	e.typ(t, "VIP", nominated)
	e.typ(t, "OLD")
	if _, err := e.coupons.TypeUpdate(t.Context(), e.who, "OLD", func(*coupon.Rules) {}, new(true)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		in    coupon.NewBatch
		code  loyalty.Code
		field string
	}{
		{"none", coupon.NewBatch{TypeCode: "CAFE"}, loyalty.CodeInvalid, "codes"},
		{"too many", coupon.NewBatch{TypeCode: "CAFE", Codes: coupon.MaxBatchCodes + 1}, loyalty.CodeInvalid, "codes"},
		{"no type", coupon.NewBatch{TypeCode: "NONE", Codes: 1}, loyalty.CodeCouponTypeNotFound, "typeCode"},
		{"an archived type", coupon.NewBatch{TypeCode: "OLD", Codes: 1}, loyalty.CodeCouponTypeArchived, "typeCode"},
		{"a nominated type", coupon.NewBatch{TypeCode: "VIP", Codes: 1}, loyalty.CodeCouponCustomerRequired, "typeCode"},
		{"a value below zero", coupon.NewBatch{TypeCode: "CAFE", Codes: 1, Value: new(dec("-1"))}, loyalty.CodeInvalid, "value"},
		{"a long name", coupon.NewBatch{TypeCode: "CAFE", Codes: 1, Name: strings.Repeat("x", 101)}, loyalty.CodeTooLong, "name"},
	} {
		_, _, err := e.coupons.BatchCreate(t.Context(), e.who, tt.in)
		refused(t, tt.name, err, tt.code, tt.field)
	}
	b := e.batch(t, "CAFE", 10)
	other := e.other(t)
	_, err := other.coupons.BatchCancel(t.Context(), other.who, b.ID)
	refused(t, "another company's batch", err, loyalty.CodeCouponBatchNotFound, "id")
	_, err = other.coupons.BatchByID(t.Context(), other.company, b.ID)
	refused(t, "another company's batch", err, loyalty.CodeCouponBatchNotFound, "id")
	refused(t, "another company's codes", other.coupons.WriteCodes(t.Context(), other.company, b.ID, &strings.Builder{}), loyalty.CodeCouponBatchNotFound, "id")
	if done, err := other.coupons.MakeStep(t.Context(), other.company, b.ID); err != nil || !done {
		t.Errorf("another company's job: got done %v, error %v", done, err)
	}
	_, err = e.coupons.BatchResume(t.Context(), e.who, b.ID)
	refused(t, "resume of one that runs", err, loyalty.CodeStateConflict, "id")
	if n := e.count(t, `SELECT count(*) FROM coupon`); n != 0 {
		t.Errorf("%d coupons were made", n)
	}
}

// TestBatch makes a batch by its job, in many runs, and reads it back.
func TestBatch(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.coupons.ChunkCodes = 1_000
	e.typ(t, "CAFE", func(r *coupon.Rules) { r.Validity, r.ValidDays, r.Codes.Prefix = coupon.Days, new(30), "CF-" })
	key := key("batch", "a")
	in := coupon.NewBatch{TypeCode: "CAFE", Codes: 12_345, Name: "Spring", Value: new(dec("2.5")), Key: key}
	b, replayed, err := e.coupons.BatchCreate(t.Context(), e.who, in)
	if err != nil || replayed || b.State() != coupon.BatchQueued {
		t.Fatalf("BatchCreate: got %+v, replayed %v, error %v", b, replayed, err)
	}
	if again, replayed, err := e.coupons.BatchCreate(t.Context(), e.who, in); err != nil || !replayed || again.ID != b.ID {
		t.Errorf("the same key: got %v, replayed %v, error %v", again, replayed, err)
	}
	e.work(t)
	b = e.get(t, b.ID)
	if b.State() != coupon.BatchFinished || b.CodesIssued != 12_345 || b.StartedAt == nil || b.FinishedAt == nil {
		t.Fatalf("the batch ended as %+v", b.CouponBatch)
	}
	e.unique(t, b.ID, 12_345)
	if n := e.count(t, `SELECT count(*) FROM event WHERE kind = 'coupon_batch_progressed' AND subject_id = $1`, b.ID); n != 13 {
		t.Errorf("%d progress events, want one a chunk", n)
	}
	if n := e.count(t, `SELECT count(*) FROM river_job WHERE state = 'completed' AND (metadata->'output'->>'codes_issued')::int = 12345`); n != 1 {
		t.Errorf("%d jobs told how far they are", n)
	}
	rows := e.codes(t, b.ID)
	if len(rows) != 12_345 || !strings.HasPrefix(rows[0][0], "CF-") || len(rows[0][0]) != 13 || rows[0][1] != "active" || rows[0][3] != "2026-04-01" {
		t.Errorf("the file has %d rows, the first is %v", len(rows), rows[0])
	}
	// Each is a coupon like any other; its issue is the batch's.
	code := rows[5_000][0]
	e.redeem(t, code, "T-1")
	e.shows(t, code, "consumed 1/1: issue redeem")
	c, err := e.coupons.ByCode(t.Context(), e.company, code)
	if err != nil || c.Value.String() != "2.5000" {
		t.Fatalf("ByCode: got %+v, error %v", c, err)
	}
	history, err := e.coupons.HistoryOf(t.Context(), e.company, c, new(int64(1)), 5)
	if err != nil || len(history.Movements) != 1 || history.Movements[0].Seq != 0 || *history.Movements[0].Description != "Spring" {
		t.Errorf("behind its first movement: got %+v, error %v", history, err)
	}
	if of, err := e.coupons.BatchOf(t.Context(), e.company, c); err != nil || of.ID != b.ID {
		t.Errorf("BatchOf: got %v, error %v", of, err)
	}
	page, more, err := e.coupons.List(t.Context(), e.company, coupon.Filter{BatchID: &b.ID, Status: new(coupon.Consumed)}, nil, 10)
	if err != nil || more || len(page) != 1 || page[0].Code != code {
		t.Errorf("the batch's consumed coupons: got %d, error %v", len(page), err)
	}
	e.verified(t)
}

// TestBatchCollisions draws from 32 codes, of which some are somebody's: what is
// taken is drawn anew until the batch is full.
func TestBatchCollisions(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.coupons.ChunkCodes = 10
	e.typ(t, "CAFE")
	e.exec(t, `UPDATE coupon_type SET code_alphabet = 'AB', code_length = 5`)
	e.issue(t, "CAFE", "AAAAA")
	e.issue(t, "CAFE", "BABAB")
	b := e.batch(t, "CAFE", 30)
	for done := false; !done; {
		var err error
		if done, err = e.coupons.MakeStep(t.Context(), e.company, b.ID); err != nil {
			t.Fatal(err)
		}
	}
	b = e.get(t, b.ID)
	e.unique(t, b.ID, 30)
	if b.Collisions == 0 || e.count(t, `SELECT count(*) FROM coupon`) != 32 {
		t.Errorf("the batch ended with %d collisions", b.Collisions)
	}
	e.verified(t)
}

// TestBatchCancel stops a batch between two chunks and lets it go on.
func TestBatchCancel(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.coupons.ChunkCodes = 100
	e.typ(t, "CAFE")
	b := e.batch(t, "CAFE", 1_000)
	for range 3 {
		if done, err := e.coupons.MakeStep(t.Context(), e.company, b.ID); done || err != nil {
			t.Fatalf("MakeStep: done %v, error %v", done, err)
		}
	}
	stopped, err := e.coupons.BatchCancel(t.Context(), e.who, b.ID)
	if err != nil || stopped.State() != coupon.BatchCancelled || stopped.CodesIssued != 300 || stopped.FinishedAt == nil {
		t.Fatalf("BatchCancel: got %+v, error %v", stopped, err)
	}
	_, err = e.coupons.BatchCancel(t.Context(), e.who, b.ID)
	refused(t, "twice", err, loyalty.CodeStateConflict, "id")
	e.work(t) // its job finds nothing to do
	e.unique(t, b.ID, 300)
	e.verified(t)
	if again, err := e.coupons.BatchResume(t.Context(), e.who, b.ID); err != nil || again.State() != coupon.BatchQueued || again.FinishedAt != nil {
		t.Fatalf("BatchResume: got %+v, error %v", again, err)
	}
	e.work(t)
	e.unique(t, b.ID, 1_000)
	if got := e.get(t, b.ID); got.State() != coupon.BatchFinished {
		t.Errorf("resumed it ended %s", got.State())
	}
	// An operator who cancels the job cancels the batch.
	c := e.batch(t, "CAFE", 1_000)
	if err := e.coupons.JobCancelled(t.Context(), fmt.Appendf(nil, `{"company_id": %q, "batch_id": %q, "step": 0}`, e.company, c.ID)); err != nil {
		t.Fatal(err)
	}
	if got := e.get(t, c.ID); got.State() != coupon.BatchCancelled {
		t.Errorf("a batch whose job was cancelled is %s", got.State())
	}
	e.verified(t)
}

// TestBatchKilled cuts a run off in the middle of a chunk's COPY, lets two run at
// once, and ends with exactly the codes asked for.
func TestBatchKilled(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.coupons.ChunkCodes = 500
	e.typ(t, "CAFE")
	b := e.batch(t, "CAFE", 3_000)
	if _, err := e.coupons.MakeStep(t.Context(), e.company, b.ID); err != nil {
		t.Fatal(err)
	}
	blocker, err := e.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blocker.Exec(t.Context(), `LOCK TABLE coupon IN SHARE MODE`); err != nil {
		t.Fatal(err)
	}
	dying, kill := context.WithCancel(t.Context())
	died := make(chan error)
	go func() {
		_, err := e.coupons.MakeStep(dying, e.company, b.ID)
		died <- err
	}()
	for e.count(t, `SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'coupon'::regclass`) == 0 {
		select {
		case err := <-died:
			t.Fatalf("the chunk ended before it was cut off: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	kill()
	if err := <-died; err == nil {
		t.Error("a chunk that was cut off says nothing")
	}
	if err := blocker.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.unique(t, b.ID, 500)
	var runs sync.WaitGroup
	for range 2 { // River may start a job twice
		runs.Go(func() {
			for done := false; !done; {
				var err error
				if done, err = e.coupons.MakeStep(t.Context(), e.company, b.ID); err != nil {
					t.Errorf("MakeStep: %v", err)
					return
				}
			}
		})
	}
	runs.Wait()
	e.unique(t, b.ID, 3_000)
	e.verified(t)
}

// TestBatchGivenUp breaks the table for a while: after its last attempt the batch
// is failed, and goes on when it is resumed.
func TestBatchGivenUp(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.typ(t, "CAFE")
	b := e.batch(t, "CAFE", 100)
	e.exec(t, `ALTER TABLE coupon RENAME TO hidden_away`)
	worker := &jobs.CouponBatchMake{Coupons: e.coupons}
	run := func(attempt int) error {
		return worker.Work(t.Context(), &river.Job[coupon.MakeBatch]{
			JobRow: &rivertype.JobRow{Attempt: attempt, MaxAttempts: 3, Metadata: []byte(`{}`)},
			Args:   coupon.MakeBatch{CompanyID: e.company, BatchID: b.ID},
		})
	}
	if err := run(1); err == nil || e.get(t, b.ID).State() != coupon.BatchQueued {
		t.Errorf("the first attempt: error %v, batch %s", err, e.get(t, b.ID).State())
	}
	if err := run(3); err == nil || e.get(t, b.ID).State() != coupon.BatchFailed {
		t.Errorf("the last attempt: error %v, batch %s", err, e.get(t, b.ID).State())
	}
	e.exec(t, `ALTER TABLE hidden_away RENAME TO coupon`)
	if _, err := e.coupons.BatchResume(t.Context(), e.who, b.ID); err != nil {
		t.Fatal(err)
	}
	e.work(t)
	e.unique(t, b.ID, 100)
	// A batch that is silent for hours has lost its job.
	lost := e.batch(t, "CAFE", 100)
	e.pass(7 * time.Hour)
	if n, err := e.coupons.AbandonSilent(t.Context()); err != nil || n != 1 || e.get(t, lost.ID).State() != coupon.BatchFailed {
		t.Errorf("AbandonSilent: got %d, error %v", n, err)
	}
	if n, err := e.coupons.AbandonSilent(t.Context()); err != nil || n != 0 {
		t.Errorf("AbandonSilent again: got %d, error %v", n, err)
	}
}
