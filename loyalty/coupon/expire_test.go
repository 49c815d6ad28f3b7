package coupon_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty/coupon"
)

// TestExpire ends what is due by the company's day in jobs that may run twice and
// be cut off.
func TestExpire(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	ana := e.person(t, "Ana")
	e.typ(t, "TODAY", uses(2), func(r *coupon.Rules) { r.Validity, r.ValidUntil = coupon.Range, day("2026-03-02") })
	e.typ(t, "ALWAYS")
	e.issue(t, "TODAY", "HERS", ana)
	e.issue(t, "TODAY", "USED")
	e.redeem(t, "USED", "")
	e.redeem(t, "USED", "")
	e.issue(t, "ALWAYS", "KEPT")
	e.issue(t, "TODAY", "VOID")
	if _, err := e.coupons.Void(t.Context(), e.who, coupon.Cancellation{Code: "VOID"}); err != nil {
		t.Fatal(err)
	}
	b := e.batch(t, "TODAY", 12_000)
	e.work(t)
	other := e.other(t)
	other.typ(t, "TODAY", func(r *coupon.Rules) { r.Validity, r.ValidUntil = coupon.Range, day("2026-03-02") })
	other.issue(t, "TODAY", "THEIRS")

	run := func(day string) {
		t.Helper()
		if _, err := e.river.Insert(t.Context(), coupon.ExpireDay{CompanyID: e.company, Day: day}, nil); err != nil {
			t.Fatal(err)
		}
		e.work(t)
	}
	run("2026-03-02") // their last day
	if n := e.count(t, `SELECT count(*) FROM coupon WHERE status = 'expired'`); n != 0 {
		t.Errorf("%d coupons expired on their last day", n)
	}
	e.pass(24 * time.Hour)
	if n, done, err := e.coupons.ExpireStep(t.Context(), e.company, *day("2026-03-03")); n != 5_000 || done || err != nil {
		t.Errorf("the first batch: got %d, done %v, error %v", n, done, err)
	}
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := e.coupons.ExpireStep(dead, e.company, *day("2026-03-03")); err == nil {
		t.Error("a batch that is cut off says nothing")
	}
	e.redeemed(t, "HERS")
	run("2026-03-03")
	for status, want := range map[string]int{"expired": 12_001, "consumed": 1, "voided": 1, "active": 2} {
		if n := e.count(t, `SELECT count(*) FROM coupon WHERE status = $1`, status); n != want {
			t.Errorf("%d coupons are %s, want %d", n, status, want)
		}
	}
	e.shows(t, "HERS", "expired 0/2: issue expire")
	other.shows(t, "THEIRS", "expired 0/1: issue")
	if n := e.count(t, `SELECT count(*) FROM event WHERE kind = 'coupon_expired'`); n != 1 {
		t.Errorf("%d events, want one: of the coupon that somebody has", n)
	}
	before := e.count(t, `SELECT count(*) FROM coupon_movement`)
	run("2026-03-04")
	if n := e.count(t, `SELECT count(*) FROM coupon_movement`); n != before {
		t.Errorf("the next day wrote %d movements", n-before)
	}
	rows := e.codes(t, b.ID)
	if len(rows) != 12_000 || rows[0][1] != "expired" {
		t.Errorf("the batch's file: %d rows, the first is %v", len(rows), rows[0])
	}
	e.verified(t)
}

// redeemed fails where a coupon past its day can still be used.
func (e *env) redeemed(t testing.TB, code string) {
	t.Helper()
	if _, err := e.coupons.Redeem(t.Context(), e.who, coupon.Redemption{Code: code, Source: "graphql"}); err == nil {
		t.Errorf("%s was used after its last day", code)
	}
}

func (e *env) inTx(t testing.TB, fn func(db.Tx) error) {
	t.Helper()
	if err := e.store.InTx(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func TestVoidOfCustomer(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	ana, eva := e.person(t, "Ana"), e.person(t, "Eva")
	e.typ(t, "CAFE")
	for i := range 3 {
		e.issue(t, "CAFE", fmt.Sprintf("A%d", i), ana)
	}
	e.redeem(t, "A1", "")
	e.issue(t, "CAFE", "E0", eva)
	for range 2 {
		e.inTx(t, func(tx db.Tx) error { return e.coupons.VoidOfCustomer(t.Context(), tx, e.who, ana) })
	}
	for _, code := range []string{"A0", "A1", "A2"} {
		e.shows(t, code, "none")
	}
	e.shows(t, "E0", "active 0/1: issue")
	if pages, err := e.coupons.ByCustomers(t.Context(), e.company, []uuid.UUID{ana, eva}, nil, 10); err != nil || len(pages[ana].Coupons) != 0 || len(pages[eva].Coupons) != 1 {
		t.Errorf("ByCustomers: got %v, error %v", pages, err)
	}
	for status, want := range map[string]int{"voided": 2, "consumed": 1, "active": 1} {
		if n := e.count(t, `SELECT count(*) FROM coupon WHERE status = $1`, status); n != want {
			t.Errorf("%d coupons are %s, want %d", n, status, want)
		}
	}
	if n := e.count(t, `SELECT count(*) FROM audit_entry WHERE action = 'coupon_void_of_customer'`); n != 1 {
		t.Errorf("%d audit entries, want one", n)
	}
	e.verified(t)
}

func TestMoveToCustomer(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	ana, eva := e.person(t, "Ana"), e.person(t, "Eva")
	e.typ(t, "VIP", nominated)
	e.issue(t, "VIP", "A0", ana)
	for range 2 {
		e.inTx(t, func(tx db.Tx) error { return e.coupons.MoveToCustomer(t.Context(), tx, e.who, ana, eva) })
	}
	e.shows(t, "A0", "active 0/1: issue move")
	if _, err := e.coupons.Redeem(t.Context(), e.who, coupon.Redemption{Code: "A0", CustomerID: &eva, Source: "graphql"}); err != nil {
		t.Errorf("used by its new owner: %v", err)
	}
	e.verified(t)
}

// TestVerify alters rows by SQL, one kind at a time, and has each named.
func TestVerify(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.typ(t, "CAFE", uses(3))
	for _, code := range []string{"A", "B", "C", "D", "E"} {
		e.issue(t, "CAFE", code)
		e.redeem(t, code, "T")
	}
	b := e.batch(t, "CAFE", 10)
	e.work(t)
	e.verified(t)
	id := func(code string) (id uuid.UUID) {
		t.Helper()
		if err := e.pool.QueryRow(t.Context(), `SELECT id FROM coupon WHERE code = $1`, code).Scan(&id); err != nil {
			t.Fatal(err)
		}
		return id
	}
	e.exec(t, `UPDATE coupon SET used = 2 WHERE code = 'A'`)
	e.exec(t, `UPDATE coupon SET status = 'voided' WHERE code = 'B'`)
	e.exec(t, `UPDATE coupon SET seq = 9 WHERE code = 'C'`)
	e.exec(t, `UPDATE coupon SET coupon_type_id = gen_random_uuid() WHERE code = 'D'`)
	e.exec(t, `UPDATE coupon_batch SET codes_issued = 9 WHERE id = $1`, b.ID)
	stray := uuid.New()
	e.exec(t, `INSERT INTO coupon_movement (company_id, coupon_id, seq, action, uses, used_after, status_after, source, actor_kind, posted_at, recorded_at)
		VALUES ($1, $2, 1, 'issue', 0, 0, 'active', 'x', 'system', now(), now())`, e.company, stray)
	want := map[string]bool{}
	for check, object := range map[coupon.Check]uuid.UUID{
		coupon.CheckUsed: id("A"), coupon.CheckStatus: id("B"), coupon.CheckChain: id("C"), coupon.CheckType: id("D"),
		coupon.CheckBatch: b.ID, coupon.CheckMovement: stray,
	} {
		want[string(check)+" "+object.String()] = true
	}
	for _, company := range []*uuid.UUID{nil, &e.company} {
		findings, err := e.coupons.Verify(t.Context(), company)
		if err != nil || len(findings) != len(want) {
			t.Errorf("Verify: got %v, error %v", findings, err)
		}
		for _, f := range findings {
			if !want[string(f.Check)+" "+f.ID.String()] || f.CompanyID != e.company {
				t.Errorf("Verify found %v", f)
			}
		}
	}
	if findings, err := e.coupons.Verify(t.Context(), &e.other(t).company); err != nil || len(findings) != 0 {
		t.Errorf("Verify of the other company: got %v, error %v", findings, err)
	}
}
