package graph

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/google/uuid"

	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/coupon"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
)

// told parts refusals from faults as userErrors does, and wakes the event feed for
// what was done.
func (r *Resolver) told(ctx context.Context, err error) ([]*model.UserError, error) {
	if err == nil {
		r.Feed.Nudge()
	}
	return userErrors(ctx, err)
}

// naturalKey is the key of an operation that is repeatable by what it names: nil
// where none was given.
func naturalKey(ctx context.Context, who auth.Principal, operation string, key *string, hours *int, input any) (*ledger.Key, error) {
	made, err := postingKey(ctx, who, operation, key, hours, input)
	if loyalty.CodeOf(err) == loyalty.CodeIdempotencyKeyRequired {
		return nil, nil
	}
	return made, err
}

// customerID reads the customer that an input names. It refuses with
// CUSTOMER_NOT_FOUND what is no such id.
func customerID(id *string) (*uuid.UUID, error) {
	if id == nil {
		return nil, nil
	}
	key, ok := loyalty.ParseUUID("Customer", *id)
	if !ok {
		return nil, loyalty.Refuse(loyalty.CodeCustomerNotFound, "customerId")
	}
	return &key, nil
}

func couponRules(in model.CouponTypeCreateInput) coupon.Rules {
	return coupon.Rules{
		Name: in.Name, Format: in.Format, Validity: or(in.Validity, coupon.Always), ValidFrom: in.ValidFrom, ValidUntil: in.ValidUntil,
		ValidDays: in.ValidDays, MaxUses: or(in.MaxUses, 1), Nominated: or(in.Nominated, false), Benefit: in.Benefit, Amount: in.Amount,
		Percentage: in.Percentage, Description: or(in.Description, ""),
		Codes: coupon.Codes{
			Prefix: or(in.CodePrefix, ""), Length: or(in.CodeLength, coupon.DefaultLength), Alphabet: or(in.CodeAlphabet, coupon.DefaultAlphabet),
		},
	}
}

// couponChange changes what was given: a kind of validity with its days, a kind of
// benefit with its figures.
func couponChange(in model.CouponTypeUpdateInput) func(*coupon.Rules) {
	return func(r *coupon.Rules) {
		r.Name, r.Format = or(in.Name, r.Name), or(in.Format, r.Format)
		if in.Validity != nil || in.ValidFrom != nil || in.ValidUntil != nil || in.ValidDays != nil {
			r.Validity, r.ValidFrom, r.ValidUntil, r.ValidDays = or(in.Validity, r.Validity), in.ValidFrom, in.ValidUntil, in.ValidDays
		}
		r.MaxUses, r.Nominated = or(in.MaxUses, r.MaxUses), or(in.Nominated, r.Nominated)
		if in.Benefit != nil || in.Amount != nil || in.Percentage != nil {
			r.Benefit, r.Amount, r.Percentage = or(in.Benefit, r.Benefit), in.Amount, in.Percentage
		}
		r.Description = or(in.Description, r.Description)
		r.Codes = coupon.Codes{
			Prefix: or(in.CodePrefix, r.Codes.Prefix), Length: or(in.CodeLength, r.Codes.Length), Alphabet: or(in.CodeAlphabet, r.Codes.Alphabet),
		}
	}
}

func couponTypePayload(ctx context.Context, t *coupon.Type, err error) (*model.CouponTypePayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.CouponTypePayload{CouponType: t, UserErrors: refused}, nil
}

func (r *Resolver) couponPayload(ctx context.Context, done coupon.Changed, err error) (*model.CouponPayload, error) {
	refused, err := r.told(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.CouponPayload{Coupon: done.Coupon, Movement: done.Movement, Replayed: done.Replayed, UserErrors: refused}, nil
}

func (r *Resolver) couponBatchPayload(ctx context.Context, b *coupon.Batch, replayed bool, err error) (*model.CouponBatchPayload, error) {
	refused, err := r.told(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.CouponBatchPayload{CouponBatch: b, Replayed: replayed, UserErrors: refused}, nil
}

func (r *Resolver) changeCouponBatch(ctx context.Context, who auth.Principal, id string, change func(context.Context, auth.Principal, uuid.UUID) (*coupon.Batch, error)) (*model.CouponBatchPayload, error) {
	key, ok := loyalty.ParseUUID("CouponBatch", id)
	if !ok {
		return r.couponBatchPayload(ctx, nil, false, loyalty.Refuse(loyalty.CodeCouponBatchNotFound, "id"))
	}
	b, err := change(ctx, who, key)
	return r.couponBatchPayload(ctx, b, false, err)
}

func couponConnection(list string, page []*coupon.Coupon, more bool) *model.CouponConnection {
	all, last := edges(page, func(c *coupon.Coupon) string { return cursor(list, c.ID.String()) },
		func(at string, c *coupon.Coupon) *model.CouponEdge { return &model.CouponEdge{Cursor: at, Node: c} })
	return &model.CouponConnection{Edges: all, PageInfo: pageInfo(more, last)}
}

// couponsOf reads a page of a customer's coupons, and with it those of the batch.
func (r *Resolver) couponsOf(ctx context.Context, owner uuid.UUID, c *customer.Customer, after *uuid.UUID, first int) (coupon.Page, error) {
	key := fmt.Sprintf("coupons %s %d", or(after, uuid.Nil), first)
	return loyalty.Together(c.Batch(), c, key, func(all []*customer.Customer) (map[*customer.Customer]coupon.Page, error) {
		return loyalty.Lookup(all, func(c *customer.Customer) (uuid.UUID, bool) { return c.ID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]coupon.Page, error) {
				return r.Coupons.ByCustomers(ctx, owner, ids, after, first)
			})
	})
}

// CouponBatchCodesPath is where the file of a batch's codes is, by its opaque id.
func CouponBatchCodesPath(id string) string { return "/coupon-batches/" + id + "/codes.csv" }

// CouponBatchCodes writes the codes of a batch as CSV. GraphQL has no files, so it
// is a plain method for the endpoint that has. It refuses with
// COUPON_BATCH_NOT_FOUND before the first byte.
func (r *Resolver) CouponBatchCodes(ctx context.Context, id string, w io.Writer) error {
	who, err := auth.Require(ctx, auth.CouponsRead)
	if err != nil {
		return err
	}
	key, ok := loyalty.ParseUUID("CouponBatch", id)
	if !ok {
		return loyalty.Refuse(loyalty.CodeCouponBatchNotFound, "id")
	}
	return r.Coupons.WriteCodes(ctx, who.CompanyID, key, w)
}

// followCouponBatch sends a batch's figures now and at each step, until it ends.
func (r *Resolver) followCouponBatch(ctx context.Context, owner, id uuid.UUID) (<-chan *coupon.Batch, error) {
	// Subscribed before the first look, so that no step falls between the two.
	sub, err := r.Feed.Subscribe(ctx, owner, nil, coupon.ProgressEvent)
	if err != nil {
		return nil, err
	}
	current, err := r.Coupons.BatchByID(ctx, owner, id)
	if err != nil {
		return nil, asked(ctx, err)
	}
	out := make(chan *coupon.Batch)
	go func() {
		defer close(out)
		for {
			select {
			case out <- current:
			case <-ctx.Done():
				return
			}
			for seen := current.ProgressSeq; current.ProgressSeq <= seen; {
				if current.State().Final() || !awaitStep(ctx, sub.Events, id) {
					return
				}
				if current, err = r.Coupons.BatchByID(ctx, owner, id); err != nil {
					if ctx.Err() == nil {
						slog.ErrorContext(ctx, "subscription ended: the batch of coupons could not be read", "error", err)
					}
					return
				}
			}
		}
	}()
	return out, nil
}
