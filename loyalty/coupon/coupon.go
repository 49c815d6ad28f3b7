package coupon

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
)

// Coupon is one coupon. ValidFrom and ExpiresOn are business days of the company,
// the last one still valid.
type Coupon struct {
	db.Coupon
	// pastDay: its last day had passed when it was read.
	pastDay bool
	batch   *loyalty.Batch[Coupon]
}

// GlobalID is the coupon's opaque id.
func (c *Coupon) GlobalID() string { return loyalty.GlobalID("Coupon", c.ID.String()) }

// State is the coupon's status on the day on which it was read.
func (c *Coupon) State() Status {
	if Status(c.Status) == Active && c.pastDay {
		return Expired
	}
	return Status(c.Status)
}

// UsesLeft is how often it can still be used.
func (c *Coupon) UsesLeft() int {
	if c.State() != Active {
		return 0
	}
	return int(c.MaxUses - c.Used)
}

// Batch is the list the coupon was read with, nil for one read alone.
func (c *Coupon) Batch() *loyalty.Batch[Coupon] { return c.batch }

func coupons[R any](rows []R, part func(R) (db.Coupon, bool)) []*Coupon {
	all := make([]*Coupon, len(rows))
	for i, row := range rows {
		c, past := part(row)
		all[i] = &Coupon{Coupon: c, pastDay: past}
	}
	batch := loyalty.NewBatch(all)
	for _, c := range all {
		c.batch = batch
	}
	return all
}

// ByCode reads a coupon; nil if the company has none of that code.
func (s *Service) ByCode(ctx context.Context, company uuid.UUID, code string) (*Coupon, error) {
	row, err := s.DB.CouponByCode(ctx, db.CouponByCodeParams{CompanyID: company, Code: code, Now: s.Now()})
	if db.Absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a coupon: %w", err)
	}
	return &Coupon{Coupon: row.Coupon, pastDay: row.PastDay}, nil
}

// ByID reads a coupon; nil if the company has none of that id.
func (s *Service) ByID(ctx context.Context, company, id uuid.UUID) (*Coupon, error) {
	found, err := s.byIDs(ctx, company, []uuid.UUID{id})
	return found[id], err
}

func (s *Service) byIDs(ctx context.Context, company uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]*Coupon, error) {
	rows, err := s.DB.CouponsByIDs(ctx, db.CouponsByIDsParams{CompanyID: company, Ids: ids, Now: s.Now()})
	if err != nil {
		return nil, fmt.Errorf("read coupons: %w", err)
	}
	found := make(map[uuid.UUID]*Coupon, len(rows))
	for _, c := range coupons(rows, func(r db.CouponsByIDsRow) (db.Coupon, bool) { return r.Coupon, r.PastDay }) {
		found[c.ID] = c
	}
	return found, nil
}

// Filter picks coupons: nil picks all.
type Filter struct {
	Status     *Status
	TypeCode   *string
	CustomerID *uuid.UUID
	BatchID    *uuid.UUID
}

// List reads a page of the company's coupons, oldest first, from behind an id. A
// type or batch that is not there has none.
func (s *Service) List(ctx context.Context, company uuid.UUID, f Filter, after *uuid.UUID, first int) (page []*Coupon, more bool, err error) {
	p := db.CouponsPageParams{
		CompanyID: company, After: after, Status: (*string)(f.Status), CustomerID: f.CustomerID, BatchID: f.BatchID,
		Now: s.Now(), BatchSize: int32(first) + 1,
	}
	if f.TypeCode != nil {
		t, err := s.TypeByCode(ctx, company, *f.TypeCode)
		if err != nil || t == nil {
			return nil, false, err
		}
		p.TypeID = &t.ID
	}
	if f.BatchID != nil {
		b, err := s.DB.CouponBatchByID(ctx, company, *f.BatchID)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && b.FirstCouponID == nil {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, fmt.Errorf("read a batch of coupons: %w", err)
		}
		p.FirstID, p.LastID = b.FirstCouponID, b.LastCouponID
	}
	rows, err := s.DB.CouponsPage(ctx, p)
	if err != nil {
		return nil, false, fmt.Errorf("list coupons: %w", err)
	}
	page = coupons(rows[:min(first, len(rows))], func(r db.CouponsPageRow) (db.Coupon, bool) { return r.Coupon, r.PastDay })
	return page, len(rows) > first, nil
}

// Page is a page of coupons and whether more follow.
type Page struct {
	Coupons []*Coupon
	More    bool
}

// ByCustomers reads the first coupons of each customer: one statement for all, and
// one batch, so that what the coupons lead to is read together too.
func (s *Service) ByCustomers(ctx context.Context, company uuid.UUID, customers []uuid.UUID, after *uuid.UUID, first int) (map[uuid.UUID]Page, error) {
	rows, err := s.DB.CouponsByCustomers(ctx, db.CouponsByCustomersParams{
		CompanyID: company, CustomerIds: customers, After: after, Now: s.Now(), BatchSize: int32(first) + 1,
	})
	if err != nil {
		return nil, fmt.Errorf("list customers' coupons: %w", err)
	}
	pages := map[uuid.UUID]Page{}
	for _, c := range coupons(rows, func(r db.CouponsByCustomersRow) (db.Coupon, bool) { return r.Coupon, r.PastDay }) {
		page := pages[*c.CustomerID]
		if len(page.Coupons) == first {
			page.More = true
		} else {
			page.Coupons = append(page.Coupons, c)
		}
		pages[*c.CustomerID] = page
	}
	return pages, nil
}

// TypeOf reads the type of a coupon, and with it those of its batch.
func (s *Service) TypeOf(ctx context.Context, company uuid.UUID, c *Coupon) (*Type, error) {
	return loyalty.Together(c.batch, c, "type", func(all []*Coupon) (map[*Coupon]*Type, error) {
		return loyalty.Lookup(all, func(c *Coupon) (uuid.UUID, bool) { return c.CouponTypeID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]*Type, error) { return s.typesByIDs(ctx, company, ids) })
	})
}

// BatchOf reads the batch that a coupon was made in, and with it those of the other
// coupons of its list; nil for one that was issued by itself.
func (s *Service) BatchOf(ctx context.Context, company uuid.UUID, c *Coupon) (*Batch, error) {
	return loyalty.Together(c.batch, c, "batch", func(all []*Coupon) (map[*Coupon]*Batch, error) {
		return loyalty.Lookup(all, func(c *Coupon) (uuid.UUID, bool) {
			if c.BatchID == nil {
				return uuid.UUID{}, false
			}
			return *c.BatchID, true
		}, func(ids []uuid.UUID) (map[uuid.UUID]*Batch, error) { return s.batchesByIDs(ctx, company, ids) })
	})
}

// Action is what a movement does.
type Action string

// The actions of a coupon's history.
const (
	Issue    Action = "issue"
	Redeem   Action = "redeem"
	GiveBack Action = "give_back"
	Void     Action = "void"
	Expire   Action = "expire"
	// Move gives it to another customer: two records of one person became one.
	Move Action = "move"
)

// Movement is one line of a coupon's history: never changed, never deleted.
type Movement struct {
	db.CouponMovement
	batch *loyalty.Batch[Movement]
}

// Kind is what the movement does.
func (m *Movement) Kind() Action { return Action(m.Action) }

// Left is the coupon's status right after it.
func (m *Movement) Left() Status { return Status(m.StatusAfter) }

// Batch is the list the movement was read with, nil for one read alone.
func (m *Movement) Batch() *loyalty.Batch[Movement] { return m.batch }

// History is a page of a coupon's movements and whether older ones follow.
type History struct {
	Movements []*Movement
	More      bool
}

// HistoryOf reads a page of a coupon's movements, newest first, from below a number
// (nil: from the newest), and with it those of its batch. The issue of a coupon of
// a batch is the batch's, and has number 0.
func (s *Service) HistoryOf(ctx context.Context, company uuid.UUID, c *Coupon, before *int64, first int) (History, error) {
	from := int64(math.MaxInt64)
	if before != nil {
		from = *before
	}
	return loyalty.Together(c.batch, c, fmt.Sprintf("history %d %d", from, first), func(all []*Coupon) (map[*Coupon]History, error) {
		return loyalty.Lookup(all, func(c *Coupon) (uuid.UUID, bool) { return c.ID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]History, error) {
				rows, err := s.DB.CouponMovementsByCoupons(ctx, db.CouponMovementsByCouponsParams{
					CompanyID: company, CouponIds: ids, BeforeSeq: from, BatchSize: int32(first) + 1,
				})
				if err != nil {
					return nil, fmt.Errorf("list coupons' movements: %w", err)
				}
				moved := make([]*Movement, len(rows))
				for i, row := range rows {
					moved[i] = &Movement{CouponMovement: db.CouponMovement{
						CompanyID: company, CouponID: row.CouponID, Seq: row.Seq, Action: row.Action, Uses: row.Uses, UsedAfter: row.UsedAfter,
						StatusAfter: row.StatusAfter, RelatedSeq: row.RelatedSeq, Reference: row.Reference, Description: row.Description,
						Source: row.Source, StoreID: row.StoreID, CustomerID: row.CustomerID, ActorKind: row.ActorKind, ActorID: row.ActorID,
						PostedAt: row.PostedAt, RecordedAt: row.RecordedAt,
					}}
				}
				batch, pages := loyalty.NewBatch(moved), map[uuid.UUID]History{}
				for _, m := range moved {
					m.batch = batch
					page := pages[m.CouponID]
					if len(page.Movements) == first {
						page.More = true
					} else {
						page.Movements = append(page.Movements, m)
					}
					pages[m.CouponID] = page
				}
				return pages, nil
			})
	})
}
