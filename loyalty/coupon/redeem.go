package coupon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
	"sello/loyalty/once"
)

// Redemption says which coupon to use, by whom and where.
type Redemption struct {
	Code string
	// CustomerID is who uses it: required for a nominated coupon, and has to be its
	// owner.
	CustomerID *uuid.UUID
	StoreCode  string
	// Reference is the ticket or another reference: what gives the use back is found
	// by it.
	Reference, Description string
	// Source is the door it came in by: graphql, promo.
	Source string
	// At is the business time; zero means now.
	At time.Time
	// Key makes it repeatable; nil uses the coupon whenever it is called.
	Key *ledger.Key
}

// Redeem takes one use of a coupon, in one statement that decides: of any number at
// once as many succeed as there are uses. It refuses with IDEMPOTENCY_IN_PROGRESS
// where the coupon stays locked for longer than a request waits, else, in this
// order, with IDEMPOTENCY_MISMATCH, the rules of the fields, COUPON_NOT_FOUND,
// COUPON_CONSUMED, COUPON_VOIDED, COUPON_NOT_YET_VALID, COUPON_EXPIRED,
// COUPON_CUSTOMER_REQUIRED, COUPON_OF_ANOTHER_CUSTOMER and STORE_NOT_FOUND
// (spec/promo-6 section 5).
func (s *Service) Redeem(ctx context.Context, who auth.Principal, in Redemption) (Changed, error) {
	p, err := s.redeemParams(who, in)
	if err != nil {
		return Changed{}, err
	}
	// Between a statement that did nothing and the question why, the world may have
	// moved on so that nothing stands in the way any more: try again.
	for range 5 {
		row, err := s.DB.CouponRedeem(ctx, p)
		switch {
		case err == nil:
			c, err := s.ByID(ctx, who.CompanyID, row.CouponID)
			return Changed{Coupon: c, Movement: &Movement{CouponMovement: row}}, err
		case db.LockTimedOut(err) && in.Key != nil:
			return Changed{}, loyalty.Refuse(loyalty.CodeIdempotencyInProgress, once.Field)
		case errors.Is(err, pgx.ErrNoRows), db.Violates(err, "operation_key_pkey"):
			done, err := s.whyNot(ctx, p, in)
			if err != nil || done.Movement != nil {
				return done, err
			}
		case db.Violates(err, "coupon_movement_pkey"):
			return Changed{}, fmt.Errorf("redeem a coupon: its history is not its own: %w", err)
		default:
			return Changed{}, fmt.Errorf("redeem a coupon: %w", err)
		}
	}
	return Changed{}, errors.New("redeem a coupon: nothing stands in its way and still it does not happen")
}

func (s *Service) redeemParams(who auth.Principal, in Redemption) (p db.CouponRedeemParams, err error) {
	if !loyalty.Storable(in.Code) {
		return p, loyalty.Refuse(loyalty.CodeCouponNotFound, "code")
	}
	said, err := remarks(in.Reference, in.Description)
	if err != nil {
		return p, err
	}
	now := s.Now()
	p = db.CouponRedeemParams{
		CompanyID: who.CompanyID, Code: in.Code, CustomerID: in.CustomerID, Reference: said.reference, Description: said.description,
		Source: in.Source, ActorKind: string(who.Kind), ActorID: subject(who), PostedAt: in.At, Now: now, KeyExpiresAt: now,
	}
	if p.PostedAt.IsZero() {
		p.PostedAt = now
	}
	if in.StoreCode != "" {
		if !loyalty.Storable(in.StoreCode) {
			return p, loyalty.Refuse(loyalty.CodeStoreNotFound, "storeCode")
		}
		p.StoreCode = &in.StoreCode
	}
	if in.Key != nil {
		p.KeyID, p.Fingerprint, p.KeyExpiresAt = &in.Key.ID, &in.Key.Fingerprint, once.Expiry(*in.Key, now)
	}
	return p, nil
}

// whyNot finds what a redemption met that did nothing: the first answer to its key,
// a refusal, or nothing (any more), and then neither is returned.
func (s *Service) whyNot(ctx context.Context, p db.CouponRedeemParams, in Redemption) (Changed, error) {
	found, err := s.DB.CouponRefusal(ctx, db.CouponRefusalParams{
		CompanyID: p.CompanyID, Code: p.Code, StoreCode: p.StoreCode, KeyID: p.KeyID, PostedAt: p.PostedAt,
	})
	if err != nil {
		return Changed{}, fmt.Errorf("find why a coupon was refused: %w", err)
	}
	if found.Fingerprint != nil {
		stands, err := once.Check(ctx, s.DB.Queries, p.CompanyID, *in.Key, *found.Fingerprint, *found.KeyExpiresAt, p.Now)
		if err != nil || !stands {
			return Changed{}, err
		}
		return s.changed(ctx, p.CompanyID, once.Result{ID: *found.KeyCouponID, Seq: *found.KeySeq}, true)
	}
	return Changed{}, redeemRefusal(found, p)
}

// redeemRefusal is the first condition of CouponRedeem that does not hold; nil if
// all do.
func redeemRefusal(found db.CouponRefusalRow, p db.CouponRedeemParams) error {
	var code loyalty.Code
	field := "code"
	switch {
	case found.CouponID == nil:
		code = loyalty.CodeCouponNotFound
	case Status(*found.Status) == Consumed:
		code = loyalty.CodeCouponConsumed
	case Status(*found.Status) == Voided:
		code = loyalty.CodeCouponVoided
	case found.TooEarly:
		code = loyalty.CodeCouponNotYetValid
	case found.TooLate || Status(*found.Status) == Expired:
		code = loyalty.CodeCouponExpired
	case *found.Nominated && p.CustomerID == nil:
		code, field = loyalty.CodeCouponCustomerRequired, "customerId"
	case *found.Nominated && (found.CustomerID == nil || *found.CustomerID != *p.CustomerID):
		code, field = loyalty.CodeCouponOfAnother, "customerId"
	case p.StoreCode != nil && found.StoreID == nil:
		code, field = loyalty.CodeStoreNotFound, "storeCode"
	default:
		return nil
	}
	return loyalty.Refuse(code, field)
}
