package coupon

import (
	"context"
	"fmt"
	"slices"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
	"sello/loyalty/once"
)

// Return says which uses of a coupon to give back: all under a reference.
type Return struct {
	Code, Reference, Description, Source string
	// Key makes it repeatable by key; by the reference it is so without.
	Key *ledger.Key
}

// GiveBack takes back the uses that a coupon has under a reference: the sale was
// returned. Asked again it finds them taken back, and says so (Replayed). A coupon
// that was consumed becomes active again, or expired where its day has passed
// meanwhile; a voided one stays voided. It refuses with the rules of the fields,
// COUPON_NOT_FOUND and COUPON_NOT_REDEEMED.
func (s *Service) GiveBack(ctx context.Context, who auth.Principal, in Return) (Changed, error) {
	said, err := remarks(in.Reference, in.Description)
	switch {
	case err != nil:
		return Changed{}, err
	case said.reference == nil:
		return Changed{}, loyalty.Refuse(loyalty.CodeRequired, "reference")
	}
	again := false
	result, replayed, err := once.Do(ctx, s.DB.Queries, who.CompanyID, in.Key, s.Now(), func() (r once.Result, err error) {
		err = s.locked(ctx, who, in.Code, func(tx db.Tx, c *Coupon) error {
			if r, again, err = s.giveBack(ctx, tx, who, c, said, in.Source); err != nil {
				return err
			}
			return once.Note(ctx, tx.Queries, who.CompanyID, in.Key, r, s.Now())
		})
		return r, err
	})
	if err != nil {
		return Changed{}, refusedOr(err, "give a coupon's use back")
	}
	return s.changed(ctx, who.CompanyID, result, replayed || again)
}

func (s *Service) giveBack(ctx context.Context, tx db.Tx, who auth.Principal, c *Coupon, said remark, source string) (r once.Result, again bool, err error) {
	uses, err := tx.CouponRedemptions(ctx, db.CouponRedemptionsParams{CompanyID: who.CompanyID, CouponID: c.ID, Reference: *said.reference})
	switch {
	case err != nil:
		return r, false, fmt.Errorf("read a coupon's redemptions: %w", err)
	case len(uses) == 0:
		return r, false, loyalty.Refuse(loyalty.CodeCouponNotRedeemed, "reference")
	}
	r, again = once.Result{ID: c.ID}, true
	for _, use := range uses {
		if use.GivenBackSeq != nil {
			r.Seq = max(r.Seq, *use.GivenBackSeq)
			continue
		}
		again = false
		c.Seq++
		c.Used--
		if Status(c.Status) == Consumed {
			c.Status = string(Active)
			if c.pastDay {
				c.Status = string(Expired)
			}
		}
		if err := s.note(ctx, tx.Queries, who, c.Coupon, GiveBack, said, source, &use.Seq); err != nil {
			return r, false, err
		}
		r.Seq = c.Seq
	}
	return r, again, s.write(ctx, tx.Queries, c)
}

// GiveBackAll is GiveBack for coupons of one sale in the caller's transaction: all of
// them or, by its error, none. They are locked in the order of their ids, as whoever
// locks several does. It refuses as GiveBack does, naming the code.
func (s *Service) GiveBackAll(ctx context.Context, tx db.Tx, who auth.Principal, codes []string, in Return) error {
	said, err := remarks(in.Reference, in.Description)
	if err != nil {
		return err
	}
	for _, code := range codes {
		switch {
		case !loyalty.Storable(code):
			return loyalty.Refuse(loyalty.CodeCouponNotFound, "code").With("code", code)
		case said.reference == nil: // a sale without one has no coupons
			return loyalty.Refuse(loyalty.CodeCouponNotRedeemed, "code").With("code", code)
		}
	}
	rows, err := tx.CouponsLock(ctx, db.CouponsLockParams{CompanyID: who.CompanyID, Codes: codes, Now: s.Now()})
	if err != nil {
		return fmt.Errorf("lock coupons: %w", err)
	}
	for _, code := range codes {
		if !slices.ContainsFunc(rows, func(row db.CouponsLockRow) bool { return row.Coupon.Code == code }) {
			return loyalty.Refuse(loyalty.CodeCouponNotFound, "code").With("code", code)
		}
	}
	for _, row := range rows {
		_, _, err := s.giveBack(ctx, tx, who, &Coupon{Coupon: row.Coupon, pastDay: row.PastDay}, said, in.Source)
		if loyalty.CodeOf(err) == loyalty.CodeCouponNotRedeemed {
			return loyalty.Refuse(loyalty.CodeCouponNotRedeemed, "code").With("code", row.Coupon.Code)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Cancellation says which coupon to void, and why.
type Cancellation struct {
	Code, Reference, Description, Source string
}

// Void takes a coupon back for good: an active or an expired one. It refuses with
// the rules of the fields, COUPON_NOT_FOUND, COUPON_CONSUMED and COUPON_VOIDED.
func (s *Service) Void(ctx context.Context, who auth.Principal, in Cancellation) (Changed, error) {
	said, err := remarks(in.Reference, in.Description)
	if err != nil {
		return Changed{}, err
	}
	var result once.Result
	err = s.locked(ctx, who, in.Code, func(tx db.Tx, c *Coupon) error {
		switch Status(c.Status) {
		case Consumed:
			return loyalty.Refuse(loyalty.CodeCouponConsumed, "code")
		case Voided:
			return loyalty.Refuse(loyalty.CodeCouponVoided, "code")
		}
		c.Seq++
		c.Status = string(Voided)
		if err := s.note(ctx, tx.Queries, who, c.Coupon, Void, said, in.Source, nil); err != nil {
			return err
		}
		if err := s.write(ctx, tx.Queries, c); err != nil {
			return err
		}
		result = once.Result{ID: c.ID, Seq: c.Seq}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "coupon_void", "coupon", c.ID, nil)
	})
	if err != nil {
		return Changed{}, refusedOr(err, "void a coupon")
	}
	return s.changed(ctx, who.CompanyID, result, false)
}

// locked runs fn on a coupon that nobody else changes meanwhile. It refuses with
// COUPON_NOT_FOUND.
func (s *Service) locked(ctx context.Context, who auth.Principal, code string, fn func(db.Tx, *Coupon) error) error {
	return s.DB.InTx(ctx, func(tx db.Tx) error {
		row, err := tx.CouponLock(ctx, db.CouponLockParams{CompanyID: who.CompanyID, Code: code, Now: s.Now()})
		switch {
		case db.Absent(err):
			return loyalty.Refuse(loyalty.CodeCouponNotFound, "code")
		case err != nil:
			return fmt.Errorf("lock a coupon: %w", err)
		}
		return fn(tx, &Coupon{Coupon: row.Coupon, pastDay: row.PastDay})
	})
}

// write puts a locked coupon back.
func (s *Service) write(ctx context.Context, q *db.Queries, c *Coupon) error {
	err := q.CouponChange(ctx, db.CouponChangeParams{
		CompanyID: c.CompanyID, ID: c.ID, Status: c.Status, Used: c.Used, Seq: c.Seq, Now: s.Now(),
	})
	if err != nil {
		return fmt.Errorf("write a coupon: %w", err)
	}
	return nil
}
