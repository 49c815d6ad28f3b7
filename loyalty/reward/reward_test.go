package reward_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/coupon"
	"sello/loyalty/ledger"
	"sello/loyalty/reward"
)

func at(store string) func(*reward.Exchange) {
	return func(in *reward.Exchange) { in.StoreCode = store }
}

func TestRewardRules(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for _, tt := range []struct {
		name   string
		change func(*reward.NewReward)
		code   loyalty.Code
		field  string
	}{
		{"a code with a blank", func(in *reward.NewReward) { in.Code = "A B" }, loyalty.CodeInvalid, "code"},
		{"no name", func(in *reward.NewReward) { in.Name = "" }, loyalty.CodeRequired, "name"},
		{"no such card type", func(in *reward.NewReward) { in.CardTypeCode = "none" }, loyalty.CodeCardTypeNotFound, "cardTypeCode"},
		{"no price", func(in *reward.NewReward) { in.Price = dec("0") }, loyalty.CodeAmountNotPositive, "price"},
		{"half a point", func(in *reward.NewReward) { in.Price = dec("0.5") }, loyalty.CodeAmountTooPrecise, "price"},
		{"days in disorder", func(in *reward.NewReward) { in.ValidFrom, in.ValidUntil = day("2026-02-02"), day("2026-02-01") }, loyalty.CodeInvalid, "validUntil"},
		{"stock below zero", func(in *reward.NewReward) { in.Stock = new(-1) }, loyalty.CodeInvalid, "stock"},
	} {
		in := reward.NewReward{Code: "DAUMAY01", Name: "Đầu máy", CardTypeCode: "points", Price: dec("100")}
		tt.change(&in)
		_, err := e.rewards.Create(t.Context(), e.who, in)
		refused(t, tt.name, err, tt.code, tt.field)
	}
	e.reward(t, "DAUMAY01", "100", nil)
	_, err := e.rewards.Create(t.Context(), e.who, reward.NewReward{Code: "daumay01", Name: "x", CardTypeCode: "points", Price: dec("1")})
	refused(t, "a code twice in another case", err, loyalty.CodeTaken, "code")
	changed, err := e.rewards.Update(t.Context(), e.who, " DauMay01", reward.Change{Price: new(dec("120")), ValidUntil: day("2026-12-31"), SetUntil: true})
	if err != nil || changed.Price.String() != "120.0000" || changed.ValidUntil == nil || changed.Name != "DAUMAY01" {
		t.Errorf("Update: got %+v, error %v", changed, err)
	}
	_, err = e.rewards.Update(t.Context(), e.who, "none", reward.Change{})
	refused(t, "no such reward", err, loyalty.CodeRewardNotFound, "code")
	other := e.other(t)
	_, err = other.rewards.StockSet(t.Context(), other.who, "DAUMAY01", "", new(5))
	refused(t, "another company's reward", err, loyalty.CodeRewardNotFound, "code")
	_, err = e.rewards.StockSet(t.Context(), e.who, "DAUMAY01", "nowhere", new(5))
	refused(t, "no such store", err, loyalty.CodeStoreNotFound, "storeCode")
	_, err = e.rewards.StockSet(t.Context(), e.who, "DAUMAY01", "centro", nil)
	refused(t, "no end at a store", err, loyalty.CodeRequired, "stock")
}

// TestRedeemRefusals meets each refusal in its order, and what is noted of it.
func TestRedeemRefusals(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.card(t, "points", "RICH", "1000")
	e.card(t, "points", "POOR", "5")
	e.card(t, "other", "ELSE", "1000")
	e.card(t, "points", "SHUT", "1000")
	if _, err := e.ledger.CardStatusSet(t.Context(), e.who, "SHUT", ledger.Disabled); err != nil {
		t.Fatal(err)
	}
	e.reward(t, "GONE", "10", new(0))
	e.reward(t, "OFF", "10", new(0))
	if _, err := e.rewards.Update(t.Context(), e.who, "OFF", reward.Change{Status: new(reward.Inactive)}); err != nil {
		t.Fatal(err)
	}
	// It is 01:00 of the 3rd in Vietnam.
	e.reward(t, "PAST", "10", nil)
	if _, err := e.rewards.Update(t.Context(), e.who, "PAST", reward.Change{ValidUntil: day("2026-03-02"), SetUntil: true}); err != nil {
		t.Fatal(err)
	}
	e.reward(t, "FINE", "10", new(1))
	for _, tt := range []struct {
		reward, card, store string
		code                loyalty.Code
		field               string
	}{
		{"NONE", "NOBODY", "", loyalty.CodeRewardNotFound, "code"},
		{"OFF", "NOBODY", "nowhere", loyalty.CodeCardNotFound, "card"},
		{"OFF", "SHUT", "nowhere", loyalty.CodeStoreNotFound, "storeCode"},
		{"OFF", "SHUT", "", loyalty.CodeCardNotEnabled, "card"},
		{"OFF", "ELSE", "", loyalty.CodeRewardCardTypeMismatch, "card"},
		{"OFF", "POOR", "", loyalty.CodeRewardInactive, "code"},
		{"PAST", "POOR", "", loyalty.CodeRewardInactive, "code"},
		{"GONE", "POOR", "", loyalty.CodeRewardOutOfStock, "code"},
		{"FINE", "POOR", "", loyalty.CodeInsufficientBalance, "card"},
	} {
		_, err := e.redeem(tt.reward, tt.card, at(tt.store))
		refused(t, tt.reward+" from "+tt.card, err, tt.code, tt.field)
	}
	other := e.other(t)
	other.card(t, "points", "THEIRS", "100")
	_, err := other.redeem("FINE", "THEIRS")
	refused(t, "another company's reward", err, loyalty.CodeRewardNotFound, "code")
	_, err = e.redeem("FINE", "THEIRS")
	refused(t, "another company's card", err, loyalty.CodeCardNotFound, "card")
	// What was refused took nothing: the one that is there can still be had.
	done, err := e.redeem(" fine ", "RICH", func(in *reward.Exchange) { in.Reference = "T-1" })
	if err != nil || done.Claim.State() != reward.Issued || *done.Claim.Reference != "T-1" || done.Movement.Amount.String() != "-10.0000" {
		t.Errorf("Redeem: got %+v, error %v", done.Claim, err)
	}
	want := []string{"10 done", "10 INSUFFICIENT_BALANCE", "10 REWARD_OUT_OF_STOCK", "10 REWARD_INACTIVE", "10 REWARD_INACTIVE"}
	if diff := cmp.Diff(want, e.attempts(t, reward.Claimed)); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
	if n := e.count(t, `SELECT count(*) FROM event WHERE kind = 'reward_claimed' AND subject_id = $1`, done.Claim.ID); n != 1 {
		t.Errorf("Redeem told %d events", n)
	}
	e.verified(t)
}

// TestRedeemAtOnce: thirty at once for seven of a stock from cards that can pay two
// each, and thirty for a reward without end.
func TestRedeemAtOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for i := range 6 {
		e.card(t, "points", fmt.Sprintf("CARD-%d", i), "250")
	}
	for _, tt := range []struct {
		code  string
		stock *int
		want  int
	}{{"FEW", new(7), 7}, {"MANY", nil, 12 - 7}} {
		e.reward(t, tt.code, "100", tt.stock)
		var clients sync.WaitGroup
		errs := make([]error, 30)
		for i := range errs {
			clients.Go(func() { _, errs[i] = e.redeem(tt.code, fmt.Sprintf("CARD-%d", i%6)) })
		}
		clients.Wait()
		done := 0
		for _, err := range errs {
			switch code := loyalty.CodeOf(err); {
			case err == nil:
				done++
			case code != loyalty.CodeRewardOutOfStock && code != loyalty.CodeInsufficientBalance:
				t.Errorf("%s: %v", tt.code, err)
			}
		}
		if done != tt.want || e.count(t, `SELECT count(*) FROM reward_claim c JOIN reward r ON r.id = c.reward_id WHERE r.code = $1`, tt.code) != tt.want {
			t.Errorf("%s: %d were told they had one, want %d", tt.code, done, tt.want)
		}
	}
	for i := range 6 {
		if got := e.balance(t, fmt.Sprintf("CARD-%d", i)); got != "50" {
			t.Errorf("card %d has %s left, want 50", i, got)
		}
	}
	if n := e.count(t, `SELECT count(*) FROM reward_attempt WHERE error IS NOT NULL`); n != 48 {
		t.Errorf("%d failed attempts are noted, want 48", n)
	}
	e.verified(t)
}

func TestRedeemKeys(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.card(t, "points", "CARD", "1000")
	e.reward(t, "MUG", "10", new(5))
	keyed := func(request string) func(*reward.Exchange) {
		return func(in *reward.Exchange) { in.Key = key("k", request) }
	}
	var clients sync.WaitGroup
	got, errs := make([]reward.Exchanged, 6), make([]error, 6)
	for i := range got {
		clients.Go(func() { got[i], errs[i] = e.redeem("MUG", "CARD", keyed("a")) })
	}
	clients.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, g := range got {
		if g.Claim.ID != got[0].Claim.ID || g.Movement.Seq != got[0].Movement.Seq {
			t.Errorf("the same key claimed %s and %s", g.Claim.ID, got[0].Claim.ID)
		}
	}
	_, err := e.redeem("MUG", "CARD", keyed("b"))
	refused(t, "the key for another request", err, loyalty.CodeIdempotencyMismatch, "idempotencyKey")
	if got := e.balance(t, "CARD"); got != "990" {
		t.Errorf("six requests with one key left %s", got)
	}
	e.verified(t)
}

// TestStoreStock takes from the store's own stock where it has one, else from the
// reward's, and gives back to where it came from.
func TestStoreStock(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.card(t, "points", "CARD", "1000")
	r := e.reward(t, "MUG", "10", new(1))
	if _, err := e.rewards.StockSet(t.Context(), e.who, "MUG", "centro", new(2)); err != nil {
		t.Fatal(err)
	}
	left := func() string {
		t.Helper()
		r, err := e.rewards.ByID(t.Context(), e.company, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		page, err := e.rewards.StocksOf(t.Context(), e.company, r, nil, 10)
		if err != nil || len(page.Stocks) != 1 {
			t.Fatalf("StocksOf: got %v, error %v", page, err)
		}
		return fmt.Sprintf("%d here, %d there", page.Stocks[0].Left(), *r.Stock())
	}
	var claims []*reward.Claim
	for _, tt := range []struct{ store, left string }{
		{"centro", "1 here, 1 there"}, {"norte", "1 here, 0 there"}, {"centro", "0 here, 0 there"},
	} {
		done, err := e.redeem("MUG", "CARD", at(tt.store))
		if err != nil {
			t.Fatal(err)
		}
		claims = append(claims, done.Claim)
		if got := left(); got != tt.left {
			t.Errorf("after one at %s: %s, want %s", tt.store, got, tt.left)
		}
	}
	for _, store := range []string{"centro", "norte", ""} {
		_, err := e.redeem("MUG", "CARD", at(store))
		refused(t, "at "+store, err, loyalty.CodeRewardOutOfStock, "code")
	}
	for i, want := range []string{"1 here, 0 there", "1 here, 1 there"} {
		if _, err := e.rewards.Cancel(t.Context(), e.who, claims[i].ID); err != nil {
			t.Fatal(err)
		}
		if got := left(); got != want {
			t.Errorf("after the claim was cancelled: %s, want %s", got, want)
		}
	}
	// The stock is set to what is left, whatever stands claimed.
	if _, err := e.rewards.StockSet(t.Context(), e.who, "MUG", "centro", new(10)); err != nil {
		t.Fatal(err)
	}
	if _, err := e.rewards.StockSet(t.Context(), e.who, "MUG", "", new(20)); err != nil {
		t.Fatal(err)
	}
	if got := left(); got != "10 here, 20 there" {
		t.Errorf("after it was set: %s", got)
	}
	e.verified(t)
}

func TestClaimLife(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	ana := e.card(t, "points", "CARD", "100")
	e.reward(t, "MUG", "60", new(1))
	done, err := e.redeem("MUG", "CARD")
	if err != nil {
		t.Fatal(err)
	}
	other := e.other(t)
	_, err = other.rewards.Cancel(t.Context(), other.who, done.Claim.ID)
	refused(t, "another company's claim", err, loyalty.CodeRewardClaimNotFound, "id")
	_, err = other.rewards.HandOver(t.Context(), other.who, done.Claim.ID)
	refused(t, "another company's claim", err, loyalty.CodeRewardClaimNotFound, "id")
	// Cancelled by many at once it comes back once.
	var clients sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		clients.Go(func() { _, errs[i] = e.rewards.Cancel(t.Context(), e.who, done.Claim.ID) })
	}
	clients.Wait()
	cancelled := 0
	for _, err := range errs {
		if err == nil {
			cancelled++
		} else if loyalty.CodeOf(err) != loyalty.CodeStateConflict {
			t.Errorf("Cancel: %v", err)
		}
	}
	if cancelled != 1 || e.balance(t, "CARD") != "100" {
		t.Errorf("cancelled %d times, the card has %s", cancelled, e.balance(t, "CARD"))
	}
	again, err := e.redeem("MUG", "CARD")
	if err != nil {
		t.Fatalf("the stock did not come back: %v", err)
	}
	handed, err := e.rewards.HandOver(t.Context(), e.who, again.Claim.ID)
	if err != nil || handed.State() != reward.HandedOver || handed.EndedAt == nil {
		t.Errorf("HandOver: got %+v, error %v", handed, err)
	}
	_, err = e.rewards.Cancel(t.Context(), e.who, again.Claim.ID)
	refused(t, "cancel of what was handed over", err, loyalty.CodeStateConflict, "id")
	for status, want := range map[reward.ClaimStatus]int{reward.Cancelled: 1, reward.HandedOver: 1, reward.Issued: 0} {
		page, _, err := e.rewards.Claims(t.Context(), e.company, reward.ClaimFilter{Status: &status, RewardCode: new("mug"), CustomerID: &ana}, nil, 10)
		if err != nil || len(page) != want {
			t.Errorf("claims that are %s: got %d, error %v, want %d", status, len(page), err, want)
		}
	}
	for _, kind := range []string{"reward_claim_cancelled", "reward_claim_handed_over"} {
		if e.count(t, `SELECT count(*) FROM event WHERE kind = $1`, kind) != 1 || e.count(t, `SELECT count(*) FROM audit_entry WHERE action = $1`, kind) != 1 {
			t.Errorf("%s: want one event and one audit entry", kind)
		}
	}
	e.verified(t)
}

// TestCancelRestoresLots: points of a claim that is cancelled return to the very
// lots they came from, with the ends they had.
func TestCancelRestoresLots(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.exec(t, `UPDATE card_type SET tracks_lots = true, expiry_policy = 'after', expiry_count = 30, expiry_unit = 'day', expiry_version = 1 WHERE code = 'points'`)
	e.card(t, "points", "CARD", "0")
	e.earn(t, "CARD", "40")
	e.pass(5 * 24 * time.Hour)
	e.earn(t, "CARD", "40")
	lots := func() (list []string) {
		t.Helper()
		rows, err := e.pool.Query(t.Context(), `SELECT expires_on::text || ' ' || trim_scale(remaining) FROM lot WHERE company_id = $1 ORDER BY expires_on`, e.company)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			list = append(list, text)
		}
		return list
	}
	before := lots()
	e.reward(t, "MUG", "50", nil)
	done, err := e.redeem("MUG", "CARD")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, lots()); diff == "" {
		t.Fatal("the claim took from no lot")
	}
	if _, err := e.rewards.Cancel(t.Context(), e.who, done.Claim.ID); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, lots()); diff != "" || len(before) != 2 {
		t.Errorf("lots before and after (-before +after):\n%s", diff)
	}
	e.verified(t)
}

func TestMoveToCustomer(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	ana, eva := e.card(t, "points", "C-ANA", "100"), e.card(t, "points", "C-EVA", "0")
	e.reward(t, "MUG", "10", nil)
	e.product(t, "TIVI01")
	if _, err := e.catalog.Add(t.Context(), e.who, "code,product_code,expires_on,score\nabc123,TIVI01,,\n", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := e.redeem("MUG", "C-ANA"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.consume("TIVIabc123", "C-ANA"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := e.store.InTx(t.Context(), func(tx db.Tx) error {
			return errors.Join(e.rewards.MoveToCustomer(t.Context(), tx, e.who, ana, eva), e.catalog.MoveToCustomer(t.Context(), tx, e.who, ana, eva))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for table, column := range map[string]string{"reward_claim": "customer_id", "product_code": "used_customer_id", "reward_attempt": "customer_id"} {
		if n := e.count(t, fmt.Sprintf(`SELECT count(*) FROM %s WHERE %s IS DISTINCT FROM $1`, table, column), eva); n != 0 {
			t.Errorf("%s: %d are not hers", table, n)
		}
	}
}

// TestVerify alters rows by SQL, one kind at a time, and has each named.
func TestVerify(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.card(t, "points", "CARD", "1000")
	r := e.reward(t, "MUG", "10", new(5))
	first, err := e.redeem("MUG", "CARD")
	if err != nil {
		t.Fatal(err)
	}
	second, err := e.redeem("MUG", "CARD")
	if err != nil {
		t.Fatal(err)
	}
	e.product(t, "TIVI01")
	if _, err := e.catalog.Add(t.Context(), e.who, "code,product_code,expires_on,score\nabc123,TIVI01,,\n", nil); err != nil {
		t.Fatal(err)
	}
	used, err := e.consume("TIVIabc123", "CARD")
	if err != nil {
		t.Fatal(err)
	}
	e.verified(t)
	e.exec(t, `UPDATE reward SET taken = 3 WHERE id = $1`, r.ID)
	e.exec(t, `UPDATE reward_claim SET price = 11 WHERE id = $1`, first.Claim.ID)
	e.exec(t, `UPDATE reward_claim SET status = 'cancelled', cancel_seq = 99, ended_at = now() WHERE id = $1`, second.Claim.ID)
	e.exec(t, `UPDATE product_code SET used_seq = 99 WHERE id = $1`, used.Code.ID)
	want := map[string]bool{}
	for object, check := range map[uuid.UUID]coupon.Check{
		r.ID: coupon.CheckStock, first.Claim.ID: coupon.CheckClaim, second.Claim.ID: coupon.CheckClaim, used.Code.ID: coupon.CheckProductCode,
	} {
		want[string(check)+" "+object.String()] = true
	}
	found := e.findings(t)
	for _, f := range found {
		if !want[string(f.Check)+" "+f.ID.String()] || !strings.Contains(f.String(), f.ID.String()) {
			t.Errorf("Verify found %v", f)
		}
	}
	if len(found) != len(want) {
		t.Errorf("Verify: got %v", found)
	}
	for _, sql := range []string{`DELETE FROM reward_claim`, `DELETE FROM product_code`, `DELETE FROM reward_attempt`} {
		if _, err := e.pool.Exec(t.Context(), sql); err == nil {
			t.Errorf("%s: done", sql)
		}
	}
}
