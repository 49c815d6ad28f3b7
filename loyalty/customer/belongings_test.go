package customer_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/catalog"
	"sello/loyalty/coupon"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
	"sello/loyalty/reward"
)

// stocked puts a coupon type, a reward and a product with serial codes in the shop.
func (e *env) stocked(t *testing.T) {
	t.Helper()
	_, err := e.coupons.TypeCreate(t.Context(), e.who, "CAFE", coupon.Rules{
		Name: "Café", Format: coupon.Printed, Validity: coupon.Always, MaxUses: 1, Benefit: coupon.Text, Description: "Un café",
		Codes: coupon.Codes{Length: 10, Alphabet: "ABCDEFGHJKMNPQRSTUVWXYZ23456789"},
	})
	if err != nil {
		t.Fatalf("TypeCreate: %v", err)
	}
	if _, err := e.rewards.Create(t.Context(), e.who, reward.NewReward{Code: "MUG", Name: "Mug", CardTypeCode: "wallet", Price: decimal.MustParse("1")}); err != nil {
		t.Fatalf("create a reward: %v", err)
	}
	if _, err := e.catalog.ProductCreate(t.Context(), e.who, catalog.NewProduct{Code: "TIVI01", Name: "Tivi", SerialPrefix: "TIVI", Score: decimal.MustParse("5")}); err != nil {
		t.Fatalf("create a product: %v", err)
	}
	var lines strings.Builder
	lines.WriteString("code,product_code,expires_on,score\n")
	for i := range 20 {
		fmt.Fprintf(&lines, "abc%03d,TIVI01,,\n", i)
	}
	if _, err := e.catalog.Add(t.Context(), e.who, lines.String(), nil); err != nil {
		t.Fatalf("add serial codes: %v", err)
	}
}

// use turns a serial code into points on a card.
func (e *env) use(t *testing.T, code, card string) error {
	t.Helper()
	_, err := e.catalog.Consume(t.Context(), e.who, catalog.Use{Code: code, Card: ledger.CardRef{Code: card}, Source: "test"})
	return err
}

// claim exchanges a point of a card for a reward.
func (e *env) claim(t *testing.T, card string) error {
	t.Helper()
	_, err := e.rewards.Redeem(t.Context(), e.who, reward.Exchange{Code: "MUG", Card: ledger.CardRef{Code: card}, Source: "test"})
	return err
}

// strays counts what belongs to somebody who was merged away.
func (e *env) strays(t *testing.T) (strays []string) {
	t.Helper()
	for table, column := range map[string]string{
		"card": "customer_id", "coupon": "customer_id", "product_code": "used_customer_id", "reward_claim": "customer_id",
		"reward_attempt": "customer_id", "customer_segment": "customer_id",
	} {
		n := e.count(t, fmt.Sprintf(`SELECT count(*) FROM %s AS x JOIN customer AS c ON c.company_id = x.company_id AND c.id = x.%s
			WHERE c.merged_into_id IS NOT NULL`, table, column))
		if n > 0 {
			strays = append(strays, fmt.Sprintf("%s: %d", table, n))
		}
	}
	return strays
}

// A merge takes everything along, each change with its line or its note, or nothing.
func TestMergeTakesEverythingAlong(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.stocked(t)
	from, into := env.create(t, customer.Fields{FirstName: "Ana"}), env.create(t, customer.Fields{FirstName: "Anita"})
	env.card(t, "wallet", "CARD-1", from)
	env.card(t, "wallet", "CARD-2", into)
	if _, err := env.coupons.Issue(t.Context(), env.who, coupon.NewCoupon{TypeCode: "CAFE", Code: "C1", CustomerID: &from.ID, Source: "test"}); err != nil {
		t.Fatal(err)
	}
	if err := env.use(t, "TIVIabc000", "CARD-1"); err != nil {
		t.Fatal(err)
	}
	if err := env.claim(t, "CARD-1"); err != nil {
		t.Fatal(err)
	}
	whole := env.customers.Claims
	env.customers.Claims = &coupons{fail: fmt.Errorf("no")}
	if _, _, err := env.customers.Merge(t.Context(), env.who, from.ID, into.ID); err == nil {
		t.Error("a merge whose claims fail: no error")
	}
	if n := env.count(t, `SELECT count(*) FROM coupon WHERE customer_id = $1`, from.ID); n != 1 {
		t.Errorf("coupons after a failed merge: got %d, want 1", n)
	}
	env.customers.Claims = nil
	if _, _, err := env.customers.Merge(t.Context(), env.who, from.ID, into.ID); err == nil || loyalty.CodeOf(err) != "" {
		t.Errorf("a merge that does not know of claims: got %v, want a fault", err)
	}
	if _, err := env.customers.Erase(t.Context(), env.who, from.ID, customer.EraseTotal); err == nil || loyalty.CodeOf(err) != "" {
		t.Errorf("an erasure that does not know of claims: got %v, want a fault", err)
	}
	env.customers.Claims = whole

	env.merge(t, from, into)

	if strays := env.strays(t); len(strays) > 0 {
		t.Errorf("left with who went: %v", strays)
	}
	want := []string{
		"customer_create", "coupon_move_to_customer", "product_code_move_to_customer", "reward_claim_move_to_customer", "customer_merge",
	}
	if diff := cmp.Diff(want, env.audited(t, into.ID)); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
	if n := env.count(t, `SELECT count(*) FROM coupon_movement WHERE action = 'move' AND customer_id = $1`, into.ID); n != 1 {
		t.Errorf("lines of coupons that changed hands: got %d, want 1", n)
	}
	env.books(t)
	if findings, err := coupon.New(db.NewStore(env.pool), env.coupons.Now).Verify(t.Context(), nil); err != nil || len(findings) > 0 {
		t.Errorf("coupons, codes and claims: got %v, error %v", findings, err)
	}
}

// Whoever uses cards while their owner is merged leaves nothing with who went.
func TestMergeWhileCardsAreUsed(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.stocked(t)
	for i := range 10 {
		a, b := env.create(t, customer.Fields{FirstName: "A"}), env.create(t, customer.Fields{FirstName: "B"})
		card := env.card(t, "wallet", fmt.Sprintf("CARD-%d", i), a).Code
		env.post(t, card, "10")
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, _, err := env.customers.Merge(t.Context(), env.who, a.ID, b.ID); err != nil {
				t.Errorf("Merge: %v", err)
			}
		})
		wg.Go(func() {
			if err := env.use(t, fmt.Sprintf("TIVIabc%03d", i), card); err != nil {
				t.Errorf("Consume: %v", err)
			}
		})
		wg.Go(func() {
			if err := env.claim(t, card); err != nil {
				t.Errorf("Redeem: %v", err)
			}
		})
		wg.Wait()
	}
	if strays := env.strays(t); len(strays) > 0 {
		t.Errorf("left with who went: %v", strays)
	}
	env.books(t)
}
