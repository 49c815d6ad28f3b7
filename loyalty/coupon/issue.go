package coupon

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
	"sello/loyalty/once"
)

// NewCoupon says what coupon to issue.
type NewCoupon struct {
	TypeCode string
	// Code is exactly this one; "" makes one by the type's rule.
	Code       string
	CustomerID *uuid.UUID
	// Value is that of the coupon instead of the type's.
	Value *decimal.Decimal
	// Reference is the ticket or another reference, Description a text for people.
	Reference, Description string
	// Source is the door it came in by: graphql, promo.
	Source string
	// Key makes the issue repeatable; nil issues whenever it is called.
	Key *ledger.Key
}

// Changed is what came of an operation on a coupon.
type Changed struct {
	Coupon   *Coupon
	Movement *Movement
	// Replayed: the operation was done before, and this is the first answer. The
	// coupon is shown as it is now.
	Replayed bool
}

// draws is how often a code is drawn that somebody has.
const draws = 10

// errDrawnTaken tells that a drawn code is somebody's.
var errDrawnTaken = errors.New("the drawn code is taken")

// Issue issues a coupon. It refuses, in this order, with the rules of the fields,
// COUPON_TYPE_NOT_FOUND, COUPON_TYPE_ARCHIVED, COUPON_CUSTOMER_REQUIRED, INVALID (a
// value for a type without), CUSTOMER_NOT_FOUND and TAKEN (code); with a key, before
// all but the first, with IDEMPOTENCY_MISMATCH.
func (s *Service) Issue(ctx context.Context, who auth.Principal, in NewCoupon) (Changed, error) {
	if in.Code != "" && !couponPattern.MatchString(in.Code) {
		return Changed{}, loyalty.Refuse(loyalty.CodeInvalid, "code")
	}
	if in.Value != nil {
		if err := loyalty.Amount(*in.Value, "value"); err != nil {
			return Changed{}, err
		}
	}
	said, err := remarks(in.Reference, in.Description)
	if err != nil {
		return Changed{}, err
	}
	if !loyalty.Storable(in.TypeCode) {
		return Changed{}, loyalty.Refuse(loyalty.CodeCouponTypeNotFound, "typeCode")
	}
	result, replayed, err := once.Do(ctx, s.DB.Queries, who.CompanyID, in.Key, s.Now(), func() (once.Result, error) {
		return s.issueFree(ctx, who, in, said)
	})
	if err != nil {
		return Changed{}, refusedOr(err, "issue a coupon")
	}
	return s.changed(ctx, who.CompanyID, result, replayed)
}

// issueFree issues a coupon; a code of its own making that is taken it makes anew.
func (s *Service) issueFree(ctx context.Context, who auth.Principal, in NewCoupon, said remark) (r once.Result, err error) {
	for range draws {
		err = s.DB.InTx(ctx, func(tx db.Tx) error {
			r, err = s.issue(ctx, tx, who, in, said)
			return err
		})
		if !errors.Is(err, errDrawnTaken) {
			return r, err
		}
	}
	return r, err
}

func (s *Service) issue(ctx context.Context, tx db.Tx, who auth.Principal, in NewCoupon, said remark) (once.Result, error) {
	t, err := usable(ctx, tx.Queries, who.CompanyID, in.TypeCode)
	if err != nil {
		return once.Result{}, err
	}
	value, err := t.valueOf(in.Value)
	switch {
	case t.Nominated && in.CustomerID == nil:
		return once.Result{}, loyalty.Refuse(loyalty.CodeCouponCustomerRequired, "customerId")
	case err != nil:
		return once.Result{}, err
	}
	if in.CustomerID != nil {
		if err := ledger.LockRecipient(ctx, tx, who.CompanyID, *in.CustomerID); err != nil {
			return once.Result{}, err
		}
	}
	today, err := s.today(ctx, tx.Queries, who.CompanyID)
	if err != nil {
		return once.Result{}, err
	}
	code := in.Code
	if code == "" {
		code = t.codes().drawer().draw()
	}
	id, err := uuid.NewV7()
	if err != nil {
		return once.Result{}, fmt.Errorf("make an id: %w", err)
	}
	p := db.CouponCreateParams{
		CompanyID: who.CompanyID, ID: id, CouponTypeID: t.ID, Code: code, CustomerID: in.CustomerID, Nominated: t.Nominated,
		Value: value, MaxUses: t.MaxUses, Now: s.Now(),
	}
	p.ValidFrom, p.ExpiresOn = t.days(today)
	row, err := tx.CouponCreate(ctx, p)
	switch {
	case db.Violates(err, "coupon_code_key") && in.Code == "":
		return once.Result{}, errDrawnTaken
	case db.Violates(err, "coupon_code_key"):
		return once.Result{}, loyalty.Refuse(loyalty.CodeTaken, "code")
	case err != nil:
		return once.Result{}, err
	}
	if err := s.note(ctx, tx.Queries, who, row, Issue, said, in.Source, nil); err != nil {
		return once.Result{}, err
	}
	result := once.Result{ID: id, Seq: row.Seq}
	return result, once.Note(ctx, tx.Queries, who.CompanyID, in.Key, result, s.Now())
}

// valueOf is the value of one coupon: its own or the type's. It refuses with
// INVALID where the type's coupons have none.
func (t *Type) valueOf(own *decimal.Decimal) (*decimal.Decimal, error) {
	switch {
	case own == nil:
		return t.Amount, nil
	case t.Worth() != Amount:
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "value")
	}
	return own, nil
}

// remark is what somebody says about a change.
type remark struct{ reference, description *string }

// remarks cleans what somebody says. It refuses with TOO_LONG and INVALID.
func remarks(reference, description string) (r remark, err error) {
	if r.reference, err = loyalty.OptionalText(reference, "reference", 100); err != nil {
		return r, err
	}
	r.description, err = loyalty.OptionalText(description, "description", 255)
	return r, err
}

// events are what changes of a coupon tell, by what was done.
var events = map[Action]string{
	Issue: "coupon_issued", GiveBack: "coupon_given_back", Void: "coupon_voided", Expire: "coupon_expired",
}

// note appends the movement that brought a locked coupon to what it is now, and
// tells of it.
func (s *Service) note(ctx context.Context, q *db.Queries, who auth.Principal, now db.Coupon, action Action, said remark, source string, related *int64) error {
	at := s.Now()
	p := db.CouponMovementCreateParams{
		CompanyID: who.CompanyID, CouponID: now.ID, Seq: now.Seq, Action: string(action), UsedAfter: now.Used, StatusAfter: now.Status,
		RelatedSeq: related, Reference: said.reference, Description: said.description, Source: source, CustomerID: now.CustomerID,
		ActorKind: string(who.Kind), ActorID: subject(who), PostedAt: at, Now: at,
	}
	if action == GiveBack {
		p.Uses = -1
	}
	if _, err := q.CouponMovementCreate(ctx, p); err != nil {
		return fmt.Errorf("note a coupon's movement: %w", err)
	}
	return s.tell(ctx, q, who.CompanyID, events[action], now.ID, now.Seq)
}

// changed reads what came of an operation.
func (s *Service) changed(ctx context.Context, company uuid.UUID, r once.Result, replayed bool) (Changed, error) {
	c, err := s.ByID(ctx, company, r.ID)
	if err != nil {
		return Changed{}, err
	}
	row, err := s.DB.CouponMovementBySeq(ctx, db.CouponMovementBySeqParams{CompanyID: company, CouponID: r.ID, Seq: r.Seq})
	if err != nil {
		return Changed{}, fmt.Errorf("read a coupon's movement: %w", err)
	}
	return Changed{Coupon: c, Movement: &Movement{CouponMovement: row}, Replayed: replayed}, nil
}
