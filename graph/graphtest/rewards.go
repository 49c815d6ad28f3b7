package graphtest

import (
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
