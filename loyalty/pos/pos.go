// Package pos puts together what a till does at once: points on cards, coupons
// (design.md 1). The parts know nothing of each other.
package pos

import (
	"context"
	"errors"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/coupon"
	"sello/loyalty/ledger"
)

// Service runs the operations of a sale that more than one part has a share in.
type Service struct {
	Ledger  *ledger.Service
	Coupons *coupon.Service
}

// maxCoupons bounds the coupons of one return.
const maxCoupons = 20

// Return is a return with the coupons of the sale.
type Return struct {
	ledger.Return
	// CouponCodes are coupons that were used with the sale: under the reference of the
	// movement that is taken back.
	CouponCodes []string
}

// Return takes a movement back and with it the uses of coupons: all of it or nothing,
// under one key. Uses that were taken back before stay so. It refuses as Reverse does,
// and of couponCodes, naming the code, with TOO_LONG (too many), COUPON_NOT_FOUND and
// COUPON_NOT_REDEEMED.
func (s *Service) Return(ctx context.Context, who auth.Principal, in Return) (ledger.Returned, error) {
	switch n := len(in.CouponCodes); {
	case n == 0:
		return s.Ledger.Reverse(ctx, who, in.Return)
	case n > maxCoupons:
		return ledger.Returned{}, loyalty.Refuse(loyalty.CodeTooLong, "couponCodes")
	}
	return s.Ledger.ReverseWith(ctx, who, in.Return, func(tx db.Tx, sale *ledger.Movement) error {
		given := coupon.Return{Description: in.Description, Source: in.Source}
		if sale.Reference != nil {
			given.Reference = *sale.Reference
		}
		err := s.Coupons.GiveBackAll(ctx, tx, who, in.CouponCodes, given)
		if e, ok := errors.AsType[*loyalty.Error](err); ok {
			return &loyalty.Error{Code: e.Code, Field: "couponCodes", Params: e.Params}
		}
		return err
	})
}
