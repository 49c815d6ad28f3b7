package graphtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/govalues/decimal"

	"sello/loyalty/catalog"
	"sello/loyalty/coupon"
	"sello/loyalty/ledger"
	"sello/loyalty/reward"
)

// FillRewards makes one of each of what coupons, products and rewards are made of,
// named by the filled company: a coupon that its first customer has used under T-1, a
// batch that waits, a serial code that is used and one that is not, a reward with a
// stock at the store, and a claim on it. It answers their opaque ids by type.
func (c *Company) FillRewards(tb testing.TB) map[string]string {
	tb.Helper()
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatalf("graphtest: fill a company's rewards: %v", err)
		}
	}
	ctx, r, text := tb.Context(), c.Resolver, strings.ToUpper(c.Code)
	owner := &c.Names.Customers[0].ID
	t, err := r.Coupons.TypeCreate(ctx, c.System, c.Code+"-coupon", coupon.Rules{
		Name: "Coupon of " + c.Code, Format: coupon.Printed, Validity: coupon.Always, MaxUses: 2, Benefit: coupon.Amount,
		Codes: coupon.Codes{Length: coupon.DefaultLength, Alphabet: coupon.DefaultAlphabet},
	})
	must(err)
	issued, err := r.Coupons.Issue(ctx, c.System, coupon.NewCoupon{TypeCode: t.Code, Code: text + "-COUPON", CustomerID: owner, Source: "graphql"})
	must(err)
	_, err = r.Coupons.Redeem(ctx, c.System, coupon.Redemption{Code: issued.Coupon.Code, Reference: "T-1", StoreCode: c.Names.Store, Source: "graphql"})
	must(err)
	batch, _, err := r.Coupons.BatchCreate(ctx, c.System, coupon.NewBatch{TypeCode: t.Code, Codes: 100, Name: "Batch of " + c.Code})
	must(err)

	product, err := r.Catalog.ProductCreate(ctx, c.System, catalog.NewProduct{
		Code: c.Code + "-product", Name: "Product of " + c.Code, SerialPrefix: text, Score: decimal.Ten,
	})
	must(err)
	made, err := r.Catalog.Add(ctx, c.System, "code,product_code,expires_on,score\nserial,"+product.Code+",,\nused,"+product.Code+",,\n", nil)
	must(err)
	c.Names.Lot = made.LotGlobalID()
	card := ledger.CardRef{Code: c.Names.Cards[0].Code}
	_, err = r.Catalog.Consume(ctx, c.System, catalog.Use{Code: text + "used", Card: card, Source: "graphql"})
	must(err)
	code, err := r.Catalog.CodeByText(ctx, c.ID, text+"serial")
	must(err)

	gift, err := r.Rewards.Create(ctx, c.System, reward.NewReward{
		Code: c.Code + "-reward", Name: "Reward of " + c.Code, CardTypeCode: c.Names.Programme, Price: decimal.Two,
	})
	must(err)
	_, err = r.Rewards.StockSet(ctx, c.System, gift.Code, c.Names.Store, new(9))
	must(err)
	claimed, err := r.Rewards.Redeem(ctx, c.System, reward.Exchange{Code: gift.Code, Card: card, StoreCode: c.Names.Store, Source: "graphql"})
	must(err)
	return map[string]string{
		"CouponType": t.GlobalID(), "Coupon": issued.Coupon.GlobalID(), "CouponBatch": batch.GlobalID(), "Product": product.GlobalID(),
		"ProductCode": code.GlobalID(), "Reward": gift.GlobalID(), "RewardClaim": claimed.Claim.GlobalID(),
	}
}

// FillMany makes many of what FillRewards makes one of, after the company is filled:
// n coupons of customers, all used once at the store, a batch of n, n serial codes
// used, and n claims at the store.
func (c *Company) FillMany(tb testing.TB, n int) {
	tb.Helper()
	c.FillRewards(tb)
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatalf("graphtest: fill a company with many: %v", err)
		}
	}
	ctx, r := tb.Context(), c.Resolver
	rules := coupon.Rules{
		Name: "Many", Format: coupon.Printed, Validity: coupon.Always, MaxUses: 2, Benefit: coupon.Amount,
		Codes: coupon.Codes{Length: coupon.DefaultLength, Alphabet: coupon.DefaultAlphabet},
	}
	for _, code := range []string{c.Code + "-own", c.Code + "-many"} {
		_, err := r.Coupons.TypeCreate(ctx, c.System, code, rules)
		must(err)
	}
	batch, _, err := r.Coupons.BatchCreate(ctx, c.System, coupon.NewBatch{TypeCode: c.Code + "-many", Codes: n})
	must(err)
	_, err = r.Coupons.MakeStep(ctx, c.ID, batch.ID)
	must(err)
	lines := "code,product_code,expires_on,score\n"
	for i := range n {
		lines += fmt.Sprintf("many%d,%s-product,,\n", i, c.Code)
	}
	_, err = r.Catalog.Add(ctx, c.System, lines, nil)
	must(err)
	_, err = r.Rewards.StockSet(ctx, c.System, c.Code+"-reward", c.Names.Store, new(n))
	must(err)
	for i := range n {
		who := i % len(c.Names.Customers)
		code, card := fmt.Sprintf("MANY-%d", i), ledger.CardRef{Code: c.Names.Cards[who].Code}
		_, err = r.Coupons.Issue(ctx, c.System, coupon.NewCoupon{TypeCode: c.Code + "-own", Code: code, CustomerID: &c.Names.Customers[who].ID, Source: "graphql"})
		must(err)
		_, err = r.Coupons.Redeem(ctx, c.System, coupon.Redemption{Code: code, StoreCode: c.Names.Store, Source: "graphql"})
		must(err)
		_, err = r.Catalog.Consume(ctx, c.System, catalog.Use{Code: fmt.Sprintf("%smany%d", strings.ToUpper(c.Code), i), Card: card, Source: "graphql"})
		must(err)
		_, err = r.Rewards.Redeem(ctx, c.System, reward.Exchange{Code: c.Code + "-reward", Card: card, StoreCode: c.Names.Store, Source: "graphql"})
		must(err)
	}
}
