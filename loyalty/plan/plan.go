// Package plan keeps what a company has with the platform: how many contacts and
// redemptions its plan has, in which billing periods, and the prepaid balance that
// pays for messages to phones, with its books (spec/wallet.md 5). A company without
// a plan is not limited, and sends no messages to phones.
package plan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
)

// Service runs the operations of plans.
type Service struct {
	DB  *db.Store
	Now func() time.Time
}

// Unit is how long a billing period is.
type Unit string

// The units of periods.
const (
	Day     Unit = "day"
	Week    Unit = "week"
	Month   Unit = "month"
	Quarter Unit = "quarter"
	Year    Unit = "year"
)

func (u Unit) valid() bool {
	switch u {
	case Day, Week, Month, Quarter, Year:
		return true
	}
	return false
}

// Plan is what a company has.
type Plan struct {
	db.Plan
	today time.Time
}

// Unit is how long its periods are.
func (p *Plan) Unit() Unit { return Unit(p.PeriodUnit) }

// over reports a period that has ended though nobody has begun the next one yet:
// reading does not depend on the job's being on time.
func (p *Plan) over() bool { return !p.today.Before(p.PeriodEndsOn) }

// Used is how many redemptions of the present period are used.
func (p *Plan) Used() int {
	if p.over() {
		return 0
	}
	return int(p.RedemptionsUsed)
}

// Left is how many redemptions of the present period are left; nil without a limit.
func (p *Plan) Left() *int {
	if p.RedemptionsLimit == nil {
		return nil
	}
	return new(max(0, int(*p.RedemptionsLimit)-p.Used()))
}

// Get reads a company's plan; nil if it has none.
func (s *Service) Get(ctx context.Context, company uuid.UUID) (*Plan, error) {
	row, err := s.DB.PlanByCompany(ctx, s.Now(), company)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a plan: %w", err)
	}
	return &Plan{Plan: row.Plan, today: row.Today}, nil
}

// allContacts is more than any company has.
const allContacts = 1 << 30

// Contacts counts a company's active contacts over all its wallets.
func (s *Service) Contacts(ctx context.Context, company uuid.UUID) (int, error) {
	n, err := s.DB.ContactsCount(ctx, company, allContacts)
	if err != nil {
		return 0, fmt.Errorf("count contacts: %w", err)
	}
	return int(n), nil
}

// Change says what to change of a plan; what is not Set stays, and no value takes a
// limit away, or the price and with it messages to phones.
type Change struct {
	ContactsLimit, RedemptionsLimit ledger.Optional[int]
	MessagePrice                    ledger.Optional[decimal.Decimal]
	PeriodUnit                      *Unit
	// PeriodAnchor is a day on which a period began, or will.
	PeriodAnchor *time.Time
}

// maxLimit and maxPrice bound what a plan can say.
const maxLimit = 1_000_000_000

var maxPrice = decimal.MustNew(1_000_000, 0)

func (c Change) check() error {
	for field, limit := range map[string]*int{"contactsLimit": c.ContactsLimit.Value, "redemptionsLimit": c.RedemptionsLimit.Value} {
		if limit != nil && (*limit < 0 || *limit > maxLimit) {
			return loyalty.Refuse(loyalty.CodeInvalid, field)
		}
	}
	if p := c.MessagePrice.Value; p != nil {
		switch {
		case p.IsNeg():
			return loyalty.Refuse(loyalty.CodeAmountNotPositive, "messagePrice")
		case p.MinScale() > moneyScale:
			return tooPrecise("messagePrice")
		case p.Cmp(maxPrice) > 0:
			return loyalty.Refuse(loyalty.CodeAmountTooLarge, "messagePrice")
		}
	}
	if c.PeriodUnit != nil && !c.PeriodUnit.valid() {
		return loyalty.Refuse(loyalty.CodeInvalid, "periodUnit")
	}
	if c.PeriodAnchor != nil && (c.PeriodAnchor.Year() < 1900 || c.PeriodAnchor.Year() > 9000) {
		return loyalty.Refuse(loyalty.CodeInvalid, "periodAnchor")
	}
	return nil
}

// Set gives a company a plan, or changes the one it has. Other periods begin to count
// with the day: what is used stays used. It refuses with the rules of the fields.
func (s *Service) Set(ctx context.Context, who auth.Principal, c Change) (*Plan, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	var set *Plan
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		a, err := s.open(ctx, tx, who.CompanyID, true)
		if err != nil {
			return err
		}
		p := a.plan.Plan
		if c.ContactsLimit.Set {
			p.ContactsLimit = small(c.ContactsLimit.Value)
		}
		if c.RedemptionsLimit.Set {
			p.RedemptionsLimit = small(c.RedemptionsLimit.Value)
		}
		if c.MessagePrice.Set {
			p.MessagePrice = c.MessagePrice.Value
		}
		if c.PeriodUnit != nil {
			p.PeriodUnit = string(*c.PeriodUnit)
		}
		if c.PeriodAnchor != nil {
			p.PeriodAnchor = *c.PeriodAnchor
		}
		row, err := tx.PlanUpdate(ctx, db.PlanUpdateParams{
			CompanyID: who.CompanyID, ContactsLimit: p.ContactsLimit, RedemptionsLimit: p.RedemptionsLimit, MessagePrice: p.MessagePrice,
			PeriodUnit: p.PeriodUnit, PeriodAnchor: p.PeriodAnchor, Today: a.plan.today, Now: s.Now(),
		})
		if err != nil {
			return fmt.Errorf("write a plan: %w", err)
		}
		set = &Plan{Plan: row, today: a.plan.today}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "plan_set", "company", who.CompanyID, nil)
	})
	if err != nil && loyalty.CodeOf(err) == "" {
		return nil, fmt.Errorf("set a plan: %w", err)
	}
	return set, err
}

func small(n *int) *int32 {
	if n == nil {
		return nil
	}
	return new(int32(*n))
}

// Ended is a period that is over.
type Ended struct{ db.PlanPeriod }

// Periods lists the periods that have ended, the latest first, from before the day
// given.
func (s *Service) Periods(ctx context.Context, company uuid.UUID, before *time.Time, first int) (list []*Ended, more bool, err error) {
	rows, err := s.DB.PlanPeriodsPage(ctx, db.PlanPeriodsPageParams{CompanyID: company, Before: before, BatchSize: int32(first) + 1})
	if err != nil {
		return nil, false, fmt.Errorf("list a plan's periods: %w", err)
	}
	more = len(rows) > first
	for _, row := range rows[:min(len(rows), first)] {
		list = append(list, &Ended{row})
	}
	return list, more, nil
}

// turnBatch bounds what one statement turns.
const turnBatch = 1000

// Turn begins the new period of every plan whose period has ended by its company's
// own calendar. It may run twice, and be killed between two batches.
func (s *Service) Turn(ctx context.Context) (turned int, err error) {
	for {
		done, err := s.DB.PlansTurn(ctx, db.PlansTurnParams{Now: s.Now(), BatchSize: turnBatch})
		turned += len(done)
		if err != nil {
			return turned, fmt.Errorf("begin plans' new periods: %w", err)
		}
		if len(done) < turnBatch {
			return turned, nil
		}
		if err := ctx.Err(); err != nil {
			return turned, err
		}
	}
}
