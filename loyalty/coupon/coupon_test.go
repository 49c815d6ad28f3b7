package coupon_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"sello/loyalty"
	"sello/loyalty/coupon"
)

func nominated(r *coupon.Rules) { r.Nominated = true }

func uses(n int) func(*coupon.Rules) { return func(r *coupon.Rules) { r.MaxUses = n } }

func TestIssue(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.typ(t, "CAFE")
	e.typ(t, "VIP", nominated)
	e.typ(t, "PCT", func(r *coupon.Rules) { r.Benefit, r.Amount, r.Percentage = coupon.Percentage, nil, new(dec("12.5")) })
	ana := e.person(t, "Ana")
	e.issue(t, "CAFE", "TAKEN")
	merged, erased := e.person(t, "Berta"), e.person(t, "Carla")
	e.exec(t, `UPDATE customer SET merged_into_id = $2, hidden_at = now() WHERE id = $1`, merged, ana)
	e.exec(t, `UPDATE customer SET erased_at = now(), active = false WHERE id = $1`, erased)
	for _, tt := range []struct {
		name  string
		in    coupon.NewCoupon
		code  loyalty.Code
		field string
	}{
		{"no such type", coupon.NewCoupon{TypeCode: "NONE"}, loyalty.CodeCouponTypeNotFound, "typeCode"},
		{"a type that no column holds", coupon.NewCoupon{TypeCode: "a\x00"}, loyalty.CodeCouponTypeNotFound, "typeCode"},
		{"nobody for a nominated type", coupon.NewCoupon{TypeCode: "VIP"}, loyalty.CodeCouponCustomerRequired, "customerId"},
		{"somebody unknown", coupon.NewCoupon{TypeCode: "CAFE", CustomerID: new(uuid.New())}, loyalty.CodeCustomerNotFound, "customerId"},
		{"somebody who is somebody else now", coupon.NewCoupon{TypeCode: "CAFE", CustomerID: &merged}, loyalty.CodeCustomerMerged, "customerId"},
		{"nobody any more", coupon.NewCoupon{TypeCode: "CAFE", CustomerID: &erased}, loyalty.CodeCustomerErased, "customerId"},
		{"a code twice", coupon.NewCoupon{TypeCode: "CAFE", Code: "TAKEN"}, loyalty.CodeTaken, "code"},
		{"a code with a blank", coupon.NewCoupon{TypeCode: "CAFE", Code: "A B"}, loyalty.CodeInvalid, "code"},
		{"a value for a percentage", coupon.NewCoupon{TypeCode: "PCT", Value: new(dec("1"))}, loyalty.CodeInvalid, "value"},
		{"a value of five decimals", coupon.NewCoupon{TypeCode: "CAFE", Value: new(dec("0.00001"))}, loyalty.CodeAmountTooPrecise, "value"},
		{"a long reference", coupon.NewCoupon{TypeCode: "CAFE", Reference: strings.Repeat("x", 101)}, loyalty.CodeTooLong, "reference"},
	} {
		_, err := e.coupons.Issue(t.Context(), e.who, tt.in)
		refused(t, tt.name, err, tt.code, tt.field)
	}
	made, err := e.coupons.Issue(t.Context(), e.who, coupon.NewCoupon{
		TypeCode: "VIP", CustomerID: &ana, Value: new(dec("7.25")), Reference: "T-1", Description: "sorry", Source: "graphql",
	})
	if err != nil {
		t.Fatal(err)
	}
	c, m := made.Coupon, made.Movement
	if len(c.Code) != coupon.DefaultLength || c.Value.String() != "7.2500" || *c.CustomerID != ana || c.State() != coupon.Active || c.UsesLeft() != 1 {
		t.Errorf("Issue: got %+v", c.Coupon)
	}
	if m.Kind() != coupon.Issue || m.Seq != 1 || *m.Reference != "T-1" || *m.Description != "sorry" || m.ActorKind != "system" {
		t.Errorf("Issue: got movement %+v", m.CouponMovement)
	}
	if n := e.count(t, `SELECT count(*) FROM event WHERE kind = 'coupon_issued' AND subject_id = $1 AND seq = 1`, c.ID); n != 1 {
		t.Errorf("Issue told %d events", n)
	}
	// The other company has a code of the same text.
	other := e.other(t)
	other.typ(t, "CAFE")
	other.issue(t, "CAFE", "TAKEN")
	e.verified(t)
}

// TestRedeemRefusals meets each refusal, and each in front of those behind it.
func TestRedeemRefusals(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	ana, eva := e.person(t, "Ana"), e.person(t, "Eva")
	e.typ(t, "CAFE")
	e.typ(t, "VIP", nominated)
	e.typ(t, "SOON", nominated, func(r *coupon.Rules) { r.Validity, r.ValidFrom = coupon.Range, day("2026-03-03") })
	e.typ(t, "LATE", nominated, func(r *coupon.Rules) { r.Validity, r.ValidUntil = coupon.Range, day("2026-03-01") })
	e.issue(t, "CAFE", "USED")
	e.redeem(t, "USED", "T-1")
	e.issue(t, "LATE", "VOID", ana)
	if _, err := e.coupons.Void(t.Context(), e.who, coupon.Cancellation{Code: "VOID"}); err != nil {
		t.Fatal(err)
	}
	e.issue(t, "SOON", "EARLY", ana)
	e.issue(t, "LATE", "OVER", ana)
	e.issue(t, "VIP", "HERS", ana)
	e.issue(t, "CAFE", "FREE")
	for _, tt := range []struct {
		code     string
		customer *uuid.UUID
		store    string
		want     loyalty.Code
		field    string
	}{
		{"NONE", nil, "nowhere", loyalty.CodeCouponNotFound, "code"},
		{"a\x00", nil, "", loyalty.CodeCouponNotFound, "code"},
		{"USED", nil, "nowhere", loyalty.CodeCouponConsumed, "code"},
		{"VOID", nil, "nowhere", loyalty.CodeCouponVoided, "code"},
		{"EARLY", nil, "nowhere", loyalty.CodeCouponNotYetValid, "code"},
		{"OVER", nil, "nowhere", loyalty.CodeCouponExpired, "code"},
		{"HERS", nil, "nowhere", loyalty.CodeCouponCustomerRequired, "customerId"},
		{"HERS", &eva, "nowhere", loyalty.CodeCouponOfAnother, "customerId"},
		{"HERS", &ana, "nowhere", loyalty.CodeStoreNotFound, "storeCode"},
		{"FREE", nil, "nowhere", loyalty.CodeStoreNotFound, "storeCode"},
	} {
		_, err := e.coupons.Redeem(t.Context(), e.who, coupon.Redemption{Code: tt.code, CustomerID: tt.customer, StoreCode: tt.store, Source: "graphql"})
		refused(t, "redeem "+tt.code, err, tt.want, tt.field)
	}
	other := e.other(t)
	_, err := other.coupons.Redeem(t.Context(), other.who, coupon.Redemption{Code: "FREE", Source: "graphql"})
	refused(t, "another company's coupon", err, loyalty.CodeCouponNotFound, "code")
	done, err := e.coupons.Redeem(t.Context(), e.who, coupon.Redemption{Code: "HERS", CustomerID: &ana, StoreCode: "centro", Reference: "T-2", Source: "graphql"})
	if err != nil {
		t.Fatal(err)
	}
	if m := done.Movement; m.StoreID == nil || *m.CustomerID != ana || m.Left() != coupon.Consumed || m.Uses != 1 || m.UsedAfter != 1 {
		t.Errorf("Redeem: got movement %+v", m.CouponMovement)
	}
	if n := e.count(t, `SELECT count(*) FROM event WHERE kind = 'coupon_redeemed' AND subject_id = $1 AND seq = 2`, done.Coupon.ID); n != 1 {
		t.Errorf("Redeem told %d events", n)
	}
	e.verified(t)
}

// TestLastDay uses a coupon up to the last minute of its last day where the company
// is, over the night in which the clocks there change (São Paulo never, Santiago on
// 2026-04-05 at midnight, when the day has 25 hours).
func TestLastDay(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.exec(t, `UPDATE company SET time_zone = 'America/Santiago' WHERE id = $1`, e.company)
	zone, err := time.LoadLocation("America/Santiago")
	if err != nil {
		t.Fatal(err)
	}
	e.clock.Store(new(time.Date(2026, time.April, 1, 23, 30, 0, 0, zone)))
	e.typ(t, "CAFE", uses(5), func(r *coupon.Rules) { r.Validity, r.ValidDays = coupon.Days, new(3) })
	c := e.issue(t, "CAFE", "A")
	if c.ValidFrom.Format(time.DateOnly) != "2026-04-01" || c.ExpiresOn.Format(time.DateOnly) != "2026-04-04" {
		t.Errorf("days: got %v to %v", c.ValidFrom, c.ExpiresOn)
	}
	last := time.Date(2026, time.April, 4, 23, 59, 0, 0, zone) // the second 23:59 of that day is an hour on
	for _, at := range []time.Time{last, last.Add(time.Hour - time.Minute)} {
		e.clock.Store(&at)
		e.redeem(t, "A", "")
	}
	e.clock.Store(new(time.Date(2026, time.April, 5, 0, 0, 0, 0, zone)))
	_, err = e.coupons.Redeem(t.Context(), e.who, coupon.Redemption{Code: "A", Source: "graphql"})
	refused(t, "on the day after", err, loyalty.CodeCouponExpired, "code")
	e.shows(t, "A", "expired 2/5: issue redeem redeem")
	if e.count(t, `SELECT count(*) FROM coupon WHERE status = 'active'`) != 1 {
		t.Error("the status was written by a reader")
	}
	// A till that was offline tells later of what it did in time.
	if _, err := e.coupons.Redeem(t.Context(), e.who, coupon.Redemption{Code: "A", Source: "graphql", At: last}); err != nil {
		t.Errorf("redeemed in time and told late: %v", err)
	}
}

// TestRedeemAtOnce: eight redemptions of a coupon with one use, and of one with
// three, by eight at the same time.
func TestRedeemAtOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for _, max := range []int{1, 3} {
		code := fmt.Sprintf("C%d", max)
		e.typ(t, code, uses(max))
		e.issue(t, code, code)
		var clients sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			clients.Go(func() {
				_, errs[i] = e.coupons.Redeem(t.Context(), e.who, coupon.Redemption{Code: code, Reference: fmt.Sprint(i), Source: "graphql"})
			})
		}
		clients.Wait()
		done := 0
		for _, err := range errs {
			if err == nil {
				done++
			} else if loyalty.CodeOf(err) != loyalty.CodeCouponConsumed {
				t.Errorf("Redeem: %v", err)
			}
		}
		if n := e.count(t, `SELECT count(*) FROM coupon_movement m JOIN coupon c ON c.id = m.coupon_id WHERE c.code = $1 AND m.action = 'redeem'`, code); done != max || n != max {
			t.Errorf("%d uses: %d of 8 were told they had one, %d are recorded", max, done, n)
		}
	}
	e.verified(t)
}

// TestKeys: the same key and request get the first answer, at the same time too;
// another request is refused.
func TestKeys(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.typ(t, "CAFE", uses(5))
	var clients sync.WaitGroup
	issued, errs := make([]coupon.Changed, 6), make([]error, 6)
	for i := range issued {
		clients.Go(func() {
			issued[i], errs[i] = e.coupons.Issue(t.Context(), e.who, coupon.NewCoupon{TypeCode: "CAFE", Source: "graphql", Key: key("issue", "a")})
		})
	}
	clients.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	replays := 0
	for _, got := range issued {
		if got.Coupon.ID != issued[0].Coupon.ID || got.Movement.Seq != 1 {
			t.Errorf("the same key issued %s and %s", got.Coupon.Code, issued[0].Coupon.Code)
		}
		if got.Replayed {
			replays++
		}
	}
	if n := e.count(t, `SELECT count(*) FROM coupon`); n != 1 || replays != 5 {
		t.Errorf("six requests with one key: %d coupons, %d replays", n, replays)
	}
	code := issued[0].Coupon.Code
	redeem := func(request string) (coupon.Changed, error) {
		return e.coupons.Redeem(t.Context(), e.who, coupon.Redemption{Code: code, Source: "graphql", Key: key("redeem", request)})
	}
	for i := range errs {
		clients.Go(func() { issued[i], errs[i] = redeem("a") })
	}
	clients.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, got := range issued {
		if got.Movement.Seq != 2 || got.Movement.UsedAfter != 1 {
			t.Errorf("the same key redeemed as %+v", got.Movement.CouponMovement)
		}
	}
	e.shows(t, code, "active 1/5: issue redeem")
	_, err := redeem("b")
	refused(t, "the key for another request", err, loyalty.CodeIdempotencyMismatch, "idempotencyKey")
	_, err = e.coupons.Issue(t.Context(), e.who, coupon.NewCoupon{TypeCode: "NONE", Key: key("issue", "b")})
	refused(t, "the key for another issue", err, loyalty.CodeIdempotencyMismatch, "idempotencyKey")
	e.pass(90*24*time.Hour + time.Second)
	if got, err := redeem("b"); err != nil || got.Replayed {
		t.Errorf("the key after 90 days: got %+v, error %v", got, err)
	}
	// A refused request keeps no key: mended, it is done.
	_, err = e.coupons.Redeem(t.Context(), e.who, coupon.Redemption{Code: "LATER", Source: "graphql", Key: key("later", "a")})
	refused(t, "no coupon yet", err, loyalty.CodeCouponNotFound, "code")
	e.issue(t, "CAFE", "LATER")
	if got, err := e.coupons.Redeem(t.Context(), e.who, coupon.Redemption{Code: "LATER", Source: "graphql", Key: key("later", "a")}); err != nil || got.Replayed {
		t.Errorf("once it is there: got %+v, error %v", got, err)
	}
	e.verified(t)
}

func TestGiveBack(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.typ(t, "CAFE", uses(3), func(r *coupon.Rules) { r.Validity, r.ValidUntil = coupon.Range, day("2026-03-02") })
	e.issue(t, "CAFE", "A")
	giveBack := func(code, reference string) (coupon.Changed, error) {
		return e.coupons.GiveBack(t.Context(), e.who, coupon.Return{Code: code, Reference: reference, Source: "graphql"})
	}
	_, err := giveBack("NONE", "T-1")
	refused(t, "no such coupon", err, loyalty.CodeCouponNotFound, "code")
	_, err = giveBack("A", " ")
	refused(t, "no reference", err, loyalty.CodeRequired, "reference")
	_, err = giveBack("A", "T-1")
	refused(t, "never used", err, loyalty.CodeCouponNotRedeemed, "reference")
	e.redeem(t, "A", "T-1")
	e.redeem(t, "A", "T-2")
	e.redeem(t, "A", "T-2")
	e.shows(t, "A", "consumed 3/3: issue redeem redeem redeem")
	var clients sync.WaitGroup
	got, errs := make([]coupon.Changed, 6), make([]error, 6)
	for i := range got {
		clients.Go(func() { got[i], errs[i] = giveBack("A", "T-2") })
	}
	clients.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	first := 0
	for _, g := range got {
		if !g.Replayed {
			first++
		}
		if g.Movement.Kind() != coupon.GiveBack || g.Movement.UsedAfter != 1 {
			t.Errorf("GiveBack: got %+v", g.Movement.CouponMovement)
		}
	}
	if first != 1 {
		t.Errorf("six returns of one sale: %d were the first", first)
	}
	e.shows(t, "A", "active 1/3: issue redeem redeem redeem give_back give_back")
	if n := e.count(t, `SELECT count(*) FROM event WHERE kind = 'coupon_given_back'`); n != 2 {
		t.Errorf("GiveBack told %d events", n)
	}
	// What is returned after the last day comes back expired, what was voided stays so.
	e.redeem(t, "A", "T-3")
	e.redeem(t, "A", "T-4")
	e.pass(24 * time.Hour)
	if _, err := giveBack("A", "T-4"); err != nil {
		t.Fatal(err)
	}
	e.shows(t, "A", "expired 2/3: issue redeem redeem redeem give_back give_back redeem redeem give_back")
	if _, err := e.coupons.Void(t.Context(), e.who, coupon.Cancellation{Code: "A"}); err != nil {
		t.Fatal(err)
	}
	if _, err := giveBack("A", "T-3"); err != nil {
		t.Fatal(err)
	}
	if c, _ := e.coupons.ByCode(t.Context(), e.company, "A"); c.State() != coupon.Voided || c.Used != 1 {
		t.Errorf("given back after it was voided: got %s with %d uses", c.State(), c.Used)
	}
	other := e.other(t)
	_, err = other.coupons.GiveBack(t.Context(), other.who, coupon.Return{Code: "A", Reference: "T-1"})
	refused(t, "another company's coupon", err, loyalty.CodeCouponNotFound, "code")
	e.verified(t)
}

func TestVoid(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.typ(t, "CAFE", func(r *coupon.Rules) { r.Validity, r.ValidUntil = coupon.Range, day("2026-03-02") })
	void := func(e *env, code string) error {
		_, err := e.coupons.Void(t.Context(), e.who, coupon.Cancellation{Code: code, Description: "misprint", Source: "graphql"})
		return err
	}
	e.issue(t, "CAFE", "A")
	e.issue(t, "CAFE", "B")
	e.issue(t, "CAFE", "C")
	e.redeem(t, "B", "")
	refused(t, "no such coupon", void(e, "NONE"), loyalty.CodeCouponNotFound, "code")
	refused(t, "another company's", void(e.other(t), "A"), loyalty.CodeCouponNotFound, "code")
	refused(t, "a consumed one", void(e, "B"), loyalty.CodeCouponConsumed, "code")
	if err := void(e, "A"); err != nil {
		t.Fatal(err)
	}
	refused(t, "twice", void(e, "A"), loyalty.CodeCouponVoided, "code")
	e.pass(24 * time.Hour)
	if err := void(e, "C"); err != nil {
		t.Errorf("an expired one: %v", err)
	}
	e.shows(t, "A", "voided 0/1: issue void")
	e.shows(t, "C", "voided 0/1: issue void")
	if n := e.count(t, `SELECT count(*) FROM audit_entry WHERE action = 'coupon_void'`); n != 2 {
		t.Errorf("%d audit entries, want 2", n)
	}
	e.verified(t)
}

// TestHistoryStands: nobody changes what has happened, not even by SQL.
func TestHistoryStands(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.typ(t, "CAFE")
	e.issue(t, "CAFE", "A")
	for _, sql := range []string{
		`UPDATE coupon_movement SET used_after = 0`, `DELETE FROM coupon_movement`, `TRUNCATE coupon_movement`, `DELETE FROM coupon`,
	} {
		if _, err := e.pool.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "never changed or deleted") {
			t.Errorf("%s: got %v", sql, err)
		}
	}
	e.shows(t, "A", "active 0/1: issue")
}

func TestLists(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	ana := e.person(t, "Ana")
	e.typ(t, "CAFE")
	e.typ(t, "LATE", func(r *coupon.Rules) { r.Validity, r.ValidUntil = coupon.Range, day("2026-03-01") })
	for i := range 5 {
		e.issue(t, "CAFE", fmt.Sprintf("C%d", i), ana)
	}
	e.issue(t, "LATE", "L0")
	e.redeem(t, "C1", "")
	codes := func(e *env, f coupon.Filter, first int) string {
		t.Helper()
		var all []string
		for after := (*uuid.UUID)(nil); ; {
			page, more, err := e.coupons.List(t.Context(), e.company, f, after, first)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range page {
				all, after = append(all, c.Code), &c.ID
			}
			if !more {
				return strings.Join(all, " ")
			}
		}
	}
	for _, tt := range []struct {
		name, want string
		f          coupon.Filter
	}{
		{"all", "C0 C1 C2 C3 C4 L0", coupon.Filter{}},
		{"active", "C0 C2 C3 C4", coupon.Filter{Status: new(coupon.Active)}},
		{"expired before the job comes by", "L0", coupon.Filter{Status: new(coupon.Expired)}},
		{"consumed", "C1", coupon.Filter{Status: new(coupon.Consumed)}},
		{"of a type", "L0", coupon.Filter{TypeCode: new("LATE")}},
		{"of no type", "", coupon.Filter{TypeCode: new("NONE")}},
		{"of a customer, consumed", "C1", coupon.Filter{CustomerID: &ana, Status: new(coupon.Consumed)}},
		{"of no batch", "", coupon.Filter{BatchID: new(uuid.New())}},
	} {
		for _, first := range []int{1, 2, 100} {
			if got := codes(e, tt.f, first); got != tt.want {
				t.Errorf("%s, %d a page: got %q, want %q", tt.name, first, got, tt.want)
			}
		}
	}
	if got := codes(e.other(t), coupon.Filter{CustomerID: &ana}, 10); got != "" {
		t.Errorf("another company lists %q", got)
	}
}
