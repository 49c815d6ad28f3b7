package coupon

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty/auth"
)

// ownSource is where changes come from that another operation of ours causes.
const ownSource = "customer"

// VoidOfCustomer takes back all coupons of a person who is to be forgotten, in the
// caller's transaction: what can still be used is voided, and nobody finds any of
// them any more. It may run twice.
func (s *Service) VoidOfCustomer(ctx context.Context, tx db.Tx, who auth.Principal, customer uuid.UUID) error {
	n, err := tx.CouponsVoidOfCustomer(ctx, db.CouponsVoidOfCustomerParams{
		CompanyID: who.CompanyID, CustomerID: customer, Description: "customer erased", Source: ownSource,
		ActorKind: string(who.Kind), ActorID: subject(who), Now: s.Now(),
	})
	if err != nil {
		return fmt.Errorf("void a customer's coupons: %w", err)
	}
	if n == 0 {
		return nil
	}
	return auth.Audit(ctx, tx.Queries, who, s.Now(), "coupon_void_of_customer", "customer", customer, map[string]any{"coupons": n})
}

// MoveToCustomer gives the coupons of one person to another, in the caller's
// transaction: two records turned out to be the same person's. It may run twice.
func (s *Service) MoveToCustomer(ctx context.Context, tx db.Tx, who auth.Principal, from, into uuid.UUID) error {
	n, err := tx.CouponsMoveToCustomer(ctx, db.CouponsMoveToCustomerParams{
		CompanyID: who.CompanyID, FromCustomerID: from, IntoCustomerID: into, Source: ownSource,
		ActorKind: string(who.Kind), ActorID: subject(who), Now: s.Now(),
	})
	if err != nil {
		return fmt.Errorf("move a customer's coupons: %w", err)
	}
	if n == 0 {
		return nil
	}
	return auth.Audit(ctx, tx.Queries, who, s.Now(), "coupon_move_to_customer", "customer", into, map[string]any{"coupons": n})
}
