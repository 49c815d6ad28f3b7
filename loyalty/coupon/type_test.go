package coupon_test

import (
	"strings"
	"testing"

	"sello/loyalty"
	"sello/loyalty/coupon"
)

func TestTypeRules(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for _, tt := range []struct {
		name   string
		change func(*coupon.Rules)
		code   loyalty.Code
		field  string
	}{
		{"no name", func(r *coupon.Rules) { r.Name = " " }, loyalty.CodeRequired, "name"},
		{"a long name", func(r *coupon.Rules) { r.Name = strings.Repeat("ñ", 101) }, loyalty.CodeTooLong, "name"},
		{"a range without days", func(r *coupon.Rules) { r.Validity = coupon.Range }, loyalty.CodeRequired, "validFrom"},
		{"days for always", func(r *coupon.Rules) { r.ValidFrom = day("2026-01-01") }, loyalty.CodeInvalid, "validFrom"},
		{"an end before the beginning", func(r *coupon.Rules) {
			r.Validity, r.ValidFrom, r.ValidUntil = coupon.Range, day("2026-01-02"), day("2026-01-01")
		}, loyalty.CodeInvalid, "validUntil"},
		{"no number of days", func(r *coupon.Rules) { r.Validity = coupon.Days }, loyalty.CodeRequired, "validDays"},
		{"days below zero", func(r *coupon.Rules) { r.Validity, r.ValidDays = coupon.Days, new(-1) }, loyalty.CodeInvalid, "validDays"},
		{"no uses", func(r *coupon.Rules) { r.MaxUses = 0 }, loyalty.CodeInvalid, "maxUses"},
		{"an amount below zero", func(r *coupon.Rules) { r.Amount = new(dec("-1")) }, loyalty.CodeInvalid, "amount"},
		{"five decimals", func(r *coupon.Rules) { r.Amount = new(dec("1.00001")) }, loyalty.CodeAmountTooPrecise, "amount"},
		{"sixteen digits", func(r *coupon.Rules) { r.Amount = new(dec("1000000000000000")) }, loyalty.CodeAmountTooLarge, "amount"},
		{"an amount for a percentage", func(r *coupon.Rules) { r.Benefit = coupon.Percentage }, loyalty.CodeInvalid, "amount"},
		{"no percentage", func(r *coupon.Rules) { r.Benefit, r.Amount = coupon.Percentage, nil }, loyalty.CodeRequired, "percentage"},
		{"a percentage above all", func(r *coupon.Rules) {
			r.Benefit, r.Amount, r.Percentage = coupon.Percentage, nil, new(dec("100.0001"))
		}, loyalty.CodeInvalid, "percentage"},
		{"a percentage for an amount", func(r *coupon.Rules) { r.Percentage = new(dec("1")) }, loyalty.CodeInvalid, "percentage"},
		{"a text without one", func(r *coupon.Rules) { r.Benefit, r.Amount = coupon.Text, nil }, loyalty.CodeRequired, "description"},
		{"a prefix like a formula", func(r *coupon.Rules) { r.Codes.Prefix = "=A" }, loyalty.CodeInvalid, "codePrefix"},
		{"an alphabet with a repeat", func(r *coupon.Rules) { r.Codes.Alphabet = "ABA" }, loyalty.CodeInvalid, "codeAlphabet"},
		{"codes that can be guessed", func(r *coupon.Rules) { r.Codes = coupon.Codes{Length: 12, Alphabet: "0123456789"} }, loyalty.CodeInvalid, "codeLength"},
	} {
		_, err := e.coupons.TypeCreate(t.Context(), e.who, "x", rules(tt.change))
		refused(t, tt.name, err, tt.code, tt.field)
	}
	if _, err := e.coupons.TypeCreate(t.Context(), e.who, "just", rules(func(r *coupon.Rules) { // 10^13 > 2^40
		r.Codes = coupon.Codes{Prefix: "P-", Length: 13, Alphabet: "0123456789"}
	})); err != nil {
		t.Errorf("a code space of 10^13: %v", err)
	}
	_, err := e.coupons.TypeCreate(t.Context(), e.who, "no blanks", rules())
	refused(t, "a code with a blank", err, loyalty.CodeInvalid, "code")
	_, err = e.coupons.TypeCreate(t.Context(), e.who, "just", rules())
	refused(t, "a code twice", err, loyalty.CodeTaken, "code")
	if _, err := e.other(t).coupons.TypeCreate(t.Context(), e.other(t).who, "just", rules()); err != nil {
		t.Errorf("another company's code: %v", err)
	}
}

func TestTypeUpdate(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.typ(t, "CAFE")
	e.issue(t, "CAFE", "OLD-1")
	changed, err := e.coupons.TypeUpdate(t.Context(), e.who, "CAFE", func(r *coupon.Rules) { r.MaxUses, r.Amount = 3, new(dec("9.5")) }, new(true))
	if err != nil || changed.MaxUses != 3 || changed.ArchivedAt == nil || changed.Name != "Café" {
		t.Fatalf("TypeUpdate: got %+v, error %v", changed, err)
	}
	e.shows(t, "OLD-1", "active 0/1: issue")
	_, err = e.coupons.Issue(t.Context(), e.who, coupon.NewCoupon{TypeCode: "CAFE"})
	refused(t, "issue of an archived type", err, loyalty.CodeCouponTypeArchived, "typeCode")
	if _, err := e.coupons.TypeUpdate(t.Context(), e.who, "CAFE", func(*coupon.Rules) {}, new(false)); err != nil {
		t.Fatal(err)
	}
	if c := e.issue(t, "CAFE", "NEW-1"); c.MaxUses != 3 || c.Value.String() != "9.5000" {
		t.Errorf("issued after the change: got %d uses, value %v", c.MaxUses, c.Value)
	}
	_, err = e.coupons.TypeUpdate(t.Context(), e.who, "CAFE", func(r *coupon.Rules) { r.MaxUses = 0 }, nil)
	refused(t, "no uses", err, loyalty.CodeInvalid, "maxUses")
	_, err = e.other(t).coupons.TypeUpdate(t.Context(), e.other(t).who, "CAFE", func(*coupon.Rules) {}, new(true))
	refused(t, "another company's type", err, loyalty.CodeCouponTypeNotFound, "code")
}
