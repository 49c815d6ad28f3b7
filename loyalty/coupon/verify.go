package coupon

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"sello/db"
)

// Check is one rule that Verify proves.
type Check string

// The rules of coupons, serial codes and rewards (design.md, "The ledger").
const (
	// CheckChain: a coupon's movements are numbered from 1 without a gap, and the
	// first one of a coupon that is in no batch is its issue.
	CheckChain Check = "coupon_chain"
	// CheckUsed: a coupon's uses are those of its movements.
	CheckUsed Check = "coupon_used"
	// CheckStatus: a coupon's status is what its last movement left.
	CheckStatus Check = "coupon_status"
	// CheckType: the type of a coupon is there.
	CheckType Check = "coupon_type"
	// CheckMovement: a movement belongs to a coupon, and takes back a redemption.
	CheckMovement Check = "coupon_movement"
	// CheckBatch: a batch has as many coupons as it says, a finished one all.
	CheckBatch Check = "coupon_batch"
	// CheckProductCode: a used serial code has the movement that it became.
	CheckProductCode Check = "product_code"
	// CheckStock: a reward's stock agrees with the claims on it.
	CheckStock Check = "reward_stock"
	// CheckClaim: a claim has its movement, a cancelled one what gave it back.
	CheckClaim Check = "reward_claim"
)

// Finding names one row that is wrong, and how.
type Finding struct {
	Check     Check
	CompanyID uuid.UUID
	// ID is that of the coupon, batch, serial code, reward or claim.
	ID uuid.UUID
	// Seq is the movement's number; 0 where the object itself is wrong.
	Seq int64
	// Detail is what the row says and what it should, for operators.
	Detail string
}

// String is the finding on one line.
func (f Finding) String() string {
	movement := ""
	if f.Seq != 0 {
		movement = fmt.Sprintf(" movement %d", f.Seq)
	}
	return fmt.Sprintf("%s: company %s %s%s: %s", f.Check, f.CompanyID, f.ID, movement, f.Detail)
}

// verifyLimit is how many rows of one kind a run names.
const verifyLimit = 1000

// Verify proves coupons, serial codes and rewards of a company, or of all (nil),
// from the rows alone, on one snapshot. Nothing wrong is an empty list. It names up
// to 1,000 rows of each kind.
func (s *Service) Verify(ctx context.Context, company *uuid.UUID) ([]Finding, error) {
	var findings []Finding
	err := s.DB.InSnapshot(ctx, func(q *db.Queries) error {
		for _, look := range []func(context.Context, *db.Queries, *uuid.UUID) ([]Finding, error){
			verifyCoupons, verifyMovements, verifyBatches, verifyProductCodes, verifyStock, verifyClaims,
		} {
			found, err := look(ctx, q, company)
			if err != nil {
				return err
			}
			findings = append(findings, found...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("verify coupons and rewards: %w", err)
	}
	return findings, nil
}

func verifyCoupons(ctx context.Context, q *db.Queries, company *uuid.UUID) (findings []Finding, err error) {
	rows, err := q.VerifyCoupons(ctx, company, verifyLimit)
	for _, row := range rows {
		f := Finding{CompanyID: row.CompanyID, ID: row.ID}
		if row.TypeMissing {
			findings = append(findings, f.of(CheckType, "its type is not there"))
		}
		if row.ChainWrong {
			findings = append(findings, f.of(CheckChain, "says %d movements, there are %d", row.Seq, row.Movements))
		}
		if row.UsedWrong {
			findings = append(findings, f.of(CheckUsed, "says %d uses, its movements come to %d", row.Used, row.Uses))
		}
		if row.StatusWrong {
			findings = append(findings, f.of(CheckStatus, "is %s with %d uses, its last movement left it %s", row.Status, row.Used, row.LastStatus))
		}
	}
	return findings, err
}

func verifyMovements(ctx context.Context, q *db.Queries, company *uuid.UUID) (findings []Finding, err error) {
	rows, err := q.VerifyCouponMovements(ctx, company, verifyLimit)
	for _, row := range rows {
		f := Finding{CompanyID: row.CompanyID, ID: row.CouponID, Seq: row.Seq}
		detail := "takes back what is no redemption"
		if row.CouponMissing {
			detail = "the coupon of this movement is not there"
		}
		findings = append(findings, f.of(CheckMovement, "%s", detail))
	}
	return findings, err
}

func verifyBatches(ctx context.Context, q *db.Queries, company *uuid.UUID) (findings []Finding, err error) {
	rows, err := q.VerifyCouponBatches(ctx, company, verifyLimit)
	for _, row := range rows {
		f := Finding{CompanyID: row.CompanyID, ID: row.ID}
		findings = append(findings, f.of(CheckBatch, "is %s and says %d of %d codes; there are %d in its range or beyond",
			row.Status, row.CodesIssued, row.CodesTotal, row.Coupons))
	}
	return findings, err
}

func verifyProductCodes(ctx context.Context, q *db.Queries, company *uuid.UUID) (findings []Finding, err error) {
	rows, err := q.VerifyProductCodes(ctx, company, verifyLimit)
	for _, row := range rows {
		f := Finding{CompanyID: row.CompanyID, ID: row.ID, Seq: row.Seq}
		findings = append(findings, f.of(CheckProductCode, "is used, and card %s has no such accrual", row.CardID))
	}
	return findings, err
}

func verifyStock(ctx context.Context, q *db.Queries, company *uuid.UUID) (findings []Finding, err error) {
	rows, err := q.VerifyRewardStock(ctx, company, verifyLimit)
	for _, row := range rows {
		f, where := Finding{CompanyID: row.CompanyID, ID: row.RewardID}, "the reward"
		if row.StoreID != nil {
			where = "store " + row.StoreID.String()
		}
		findings = append(findings, f.of(CheckStock, "%d of %s's stock are taken, %d claims stand", row.Taken, where, row.Claims))
	}
	return findings, err
}

func verifyClaims(ctx context.Context, q *db.Queries, company *uuid.UUID) (findings []Finding, err error) {
	rows, err := q.VerifyRewardClaims(ctx, company, verifyLimit)
	for _, row := range rows {
		f := Finding{CompanyID: row.CompanyID, ID: row.ID, Seq: row.Seq}
		detail := "is cancelled, and its points were not given back"
		if row.TakenMissing {
			detail = "card " + row.CardID.String() + " has no redemption of its price"
		}
		findings = append(findings, f.of(CheckClaim, "%s", detail))
	}
	return findings, err
}

func (f Finding) of(check Check, detail string, args ...any) Finding {
	f.Check, f.Detail = check, fmt.Sprintf(detail, args...)
	return f
}
