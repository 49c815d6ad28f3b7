package plan

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Account is a company's plan, locked in a transaction: what is taken from it is
// reckoned here and written at once. Its lock is the last that a transaction takes.
type Account struct {
	s       *Service
	tx      db.Tx
	plan    *Plan
	company db.Company
	lines   []db.MessageMovement
	changed bool
}

// Open locks a company's plan in the caller's transaction; nil if it has none.
func (s *Service) Open(ctx context.Context, tx db.Tx, company uuid.UUID) (*Account, error) {
	return s.open(ctx, tx, company, false)
}

// open locks the plan and begins the period that is due; create makes one where there
// is none.
func (s *Service) open(ctx context.Context, tx db.Tx, company uuid.UUID, create bool) (*Account, error) {
	now := s.Now()
	row, err := tx.PlanLock(ctx, now, company)
	if errors.Is(err, pgx.ErrNoRows) && create {
		if err := tx.PlanCreate(ctx, company, now); err != nil {
			return nil, fmt.Errorf("give a company a plan: %w", err)
		}
		row, err = tx.PlanLock(ctx, now, company)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lock a plan: %w", err)
	}
	a := &Account{s: s, tx: tx, company: row.Company, plan: &Plan{Plan: row.Plan, today: row.Today}}
	if !a.plan.over() {
		return a, nil
	}
	if _, err := tx.PlansTurn(ctx, db.PlansTurnParams{Now: now, Only: &company, BatchSize: 1}); err != nil {
		return nil, fmt.Errorf("begin a plan's new period: %w", err)
	}
	if row, err = tx.PlanLock(ctx, now, company); err != nil {
		return nil, fmt.Errorf("lock a plan: %w", err)
	}
	a.plan = &Plan{Plan: row.Plan, today: row.Today}
	return a, nil
}

// Company is whose plan it is.
func (a *Account) Company() db.Company { return a.company }

// Sends reports whether the company sends messages to phones.
func (a *Account) Sends() bool { return a.plan.MessagePrice != nil }

// MayCharge refuses with MESSAGE_BALANCE_LOW where the balance is below a message's
// price: exactly equal is enough, and what costs nothing is always paid for.
func (a *Account) MayCharge() error {
	price := a.price()
	if price.IsPos() && a.plan.MessageBalance.Cmp(price) < 0 {
		return loyalty.Refuse(loyalty.CodeMessageBalanceLow, "").With("available", a.plan.MessageBalance.Trim(0).String())
	}
	return nil
}

func (a *Account) price() decimal.Decimal {
	if a.plan.MessagePrice == nil {
		return decimal.Zero
	}
	return *a.plan.MessagePrice
}

// Charge takes the price of a message, which is answered, for it. It refuses as
// MayCharge does.
func (a *Account) Charge(message uuid.UUID) (decimal.Decimal, error) {
	if err := a.MayCharge(); err != nil {
		return decimal.Zero, err
	}
	price := a.price()
	if !price.IsPos() {
		return price, nil
	}
	return price, a.line(db.MessageMovement{Action: string(Charged), Amount: price.Neg(), NotificationID: &message})
}

// line adds a line to the messages' books.
func (a *Account) line(m db.MessageMovement) error {
	balance, err := a.plan.MessageBalance.Add(m.Amount)
	if err != nil || balance.CmpAbs(maxBalance) >= 0 {
		return loyalty.Refuse(loyalty.CodeAmountTooLarge, "amount")
	}
	if balance.IsNeg() {
		return loyalty.Refuse(loyalty.CodeMessageBalanceLow, "amount").With("available", a.plan.MessageBalance.Trim(0).String())
	}
	a.plan.MessageBalance = balance
	a.plan.MessageSeq++
	m.CompanyID, m.Seq, m.BalanceAfter = a.company.ID, a.plan.MessageSeq, balance
	a.lines, a.changed = append(a.lines, m), true
	return nil
}

// MayRedeem refuses with REDEMPTION_QUOTA_REACHED where no redemption of the period
// is left.
func (a *Account) MayRedeem() error {
	if left := a.plan.Left(); left != nil && *left == 0 {
		return loyalty.Refuse(loyalty.CodeRedemptionQuotaReached, "").With("limit", strconv.Itoa(int(*a.plan.RedemptionsLimit)))
	}
	return nil
}

// Redeem takes one redemption of the period.
func (a *Account) Redeem() {
	a.plan.RedemptionsUsed++
	a.changed = true
}

// MayRegister refuses with CONTACT_QUOTA_REACHED where the company has as many active
// contacts as its plan has. With the plan locked no other registration counts
// meanwhile; others counts contacts that this one has made already.
func (a *Account) MayRegister(ctx context.Context, others int) error {
	return mayRegister(ctx, a.tx.Queries, a.plan.Plan, others)
}

func mayRegister(ctx context.Context, q *db.Queries, p db.Plan, others int) error {
	if p.ContactsLimit == nil {
		return nil
	}
	limit := *p.ContactsLimit + int32(others)
	n, err := q.ContactsCount(ctx, p.CompanyID, limit+1)
	if err != nil {
		return fmt.Errorf("count contacts: %w", err)
	}
	if n-int64(others) >= int64(*p.ContactsLimit) {
		return loyalty.Refuse(loyalty.CodeContactQuotaReached, "").With("limit", strconv.Itoa(int(*p.ContactsLimit)))
	}
	return nil
}

// Glance is the account as it is without its lock, to refuse early what the lock
// would refuse: nothing can be taken from it. nil without a plan.
func (s *Service) Glance(ctx context.Context, tx db.Tx, company uuid.UUID) (*Account, error) {
	row, err := tx.PlanByCompany(ctx, s.Now(), company)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a plan: %w", err)
	}
	return &Account{s: s, tx: tx, plan: &Plan{Plan: row.Plan, today: row.Today}}, nil
}

// Write writes what was taken; nothing if nothing was.
func (a *Account) Write(ctx context.Context) error {
	if !a.changed {
		return nil
	}
	p := db.PlanWriteParams{
		CompanyID: a.company.ID, RedemptionsUsed: a.plan.RedemptionsUsed, MessageBalance: a.plan.MessageBalance, MessageSeq: a.plan.MessageSeq,
		Now: a.s.Now(), Seqs: []int64{}, Actions: []string{}, Amounts: []decimal.Decimal{}, BalancesAfter: []decimal.Decimal{},
		NotificationIds: []uuid.UUID{}, Refs: []string{}, ActorIds: []uuid.UUID{},
	}
	for _, m := range a.lines {
		p.Seqs, p.Actions = append(p.Seqs, m.Seq), append(p.Actions, m.Action)
		p.Amounts, p.BalancesAfter = append(p.Amounts, m.Amount), append(p.BalancesAfter, m.BalanceAfter)
		p.NotificationIds, p.Refs = append(p.NotificationIds, valueOr(m.NotificationID)), append(p.Refs, valueOr(m.Reference))
		p.ActorIds = append(p.ActorIds, valueOr(m.ActorID))
	}
	if err := a.tx.PlanWrite(ctx, p); err != nil {
		return fmt.Errorf("write a plan's figures: %w", err)
	}
	a.lines, a.changed = nil, false
	return nil
}

// actor is who a line names: nobody for the platform itself.
func actor(who auth.Principal) *uuid.UUID {
	if who.Subject == uuid.Nil {
		return nil
	}
	return &who.Subject
}

func valueOr[T any](p *T) T {
	if p == nil {
		return *new(T)
	}
	return *p
}
