package coupon

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sello/db"
)

// expireBatch is the number of coupons of one statement: short locks, and a killed
// job loses little.
const expireBatch = 5_000

// ExpireStep ends a batch of a company's coupons whose last day is before a
// business day, and tells whether none is left. Each batch stands for itself: cut
// off it is undone, run again it finds the rest, and then nothing.
func (s *Service) ExpireStep(ctx context.Context, company uuid.UUID, day time.Time) (expired int64, done bool, err error) {
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		var err error
		expired, err = tx.CouponsExpire(ctx, db.CouponsExpireParams{CompanyID: company, Day: day, BatchSize: expireBatch, Now: s.Now()})
		return err
	})
	if err != nil {
		return 0, false, fmt.Errorf("expire coupons: %w", err)
	}
	return expired, expired == 0, nil
}
