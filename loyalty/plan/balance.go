package plan

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
	"sello/loyalty/once"
)

// Action is what a line of the messages' books is.
type Action string

// The actions.
const (
	// ToppedUp: the company paid in.
	ToppedUp Action = "top_up"
	// Corrected: somebody put a mistake right, either way.
	Corrected Action = "correct"
	// Charged: a message was paid for.
	Charged Action = "charge"
	// Refunded: a message was not delivered in the end.
	Refunded Action = "refund"
)

// moneyScale is how many decimals an amount has at most.
const moneyScale = 4

// maxBalance bounds a balance: fifteen digits before the point.
var maxBalance = decimal.MustNew(1_000_000_000_000_000, 0)

// Movement is a line of a company's prepaid messages.
type Movement struct {
	db.MessageMovement
	batch *loyalty.Batch[Movement]
}

// Batch is the list the line was read with, nil for one read alone.
func (m *Movement) Batch() *loyalty.Batch[Movement] { return m.batch }

// Kind is what it is.
func (m *Movement) Kind() Action { return Action(m.Action) }

// Money says what comes in.
type Money struct {
	// Amount is above zero for a payment, and not zero for a correction.
	Amount decimal.Decimal
	// Correction puts a mistake right instead.
	Correction bool
	// Reference is a receipt or another text, 100 characters at most.
	Reference string
	// Key makes it repeatable.
	Key *ledger.Key
}

// TopUp pays into a company's prepaid messages, or corrects them. It refuses with
// AMOUNT_NOT_POSITIVE, AMOUNT_TOO_PRECISE, AMOUNT_TOO_LARGE, TOO_LONG and INVALID
// (reference), IDEMPOTENCY_MISMATCH, and MESSAGE_BALANCE_LOW where a correction takes
// more than there is.
func (s *Service) TopUp(ctx context.Context, who auth.Principal, in Money) (m *Movement, replayed bool, err error) {
	in.Reference = strings.TrimSpace(in.Reference)
	switch {
	case in.Amount.IsZero(), in.Amount.IsNeg() && !in.Correction:
		return nil, false, loyalty.Refuse(loyalty.CodeAmountNotPositive, "amount")
	case in.Amount.MinScale() > moneyScale: // PostgreSQL would round it silently
		return nil, false, tooPrecise("amount")
	case in.Amount.CmpAbs(maxBalance) >= 0:
		return nil, false, loyalty.Refuse(loyalty.CodeAmountTooLarge, "amount")
	case utf8.RuneCountInString(in.Reference) > 100:
		return nil, false, loyalty.Refuse(loyalty.CodeTooLong, "reference")
	case strings.ContainsRune(in.Reference, 0) || !utf8.ValidString(in.Reference):
		return nil, false, loyalty.Refuse(loyalty.CodeInvalid, "reference")
	}
	result, replayed, err := once.Do(ctx, s.DB.Queries, who.CompanyID, in.Key, s.Now(), func() (r once.Result, err error) {
		err = s.DB.InTx(ctx, func(tx db.Tx) error {
			r, err = s.topUp(ctx, tx, who, in)
			return err
		})
		return r, err
	})
	if err != nil {
		if loyalty.CodeOf(err) == "" {
			err = fmt.Errorf("top up messages: %w", err)
		}
		return nil, false, err
	}
	m, err = s.Movement(ctx, who.CompanyID, result.Seq)
	return m, replayed, err
}

func (s *Service) topUp(ctx context.Context, tx db.Tx, who auth.Principal, in Money) (once.Result, error) {
	a, err := s.open(ctx, tx, who.CompanyID, true)
	if err != nil {
		return once.Result{}, err
	}
	line := db.MessageMovement{Action: string(ToppedUp), Amount: in.Amount, ActorID: actor(who)}
	if in.Correction {
		line.Action = string(Corrected)
	}
	if in.Reference != "" {
		line.Reference = &in.Reference
	}
	if err := a.line(line); err != nil {
		return once.Result{}, err
	}
	r := once.Result{ID: who.CompanyID, Seq: a.plan.MessageSeq}
	if err := a.Write(ctx); err != nil {
		return r, err
	}
	if err := once.Note(ctx, tx.Queries, who.CompanyID, in.Key, r, s.Now()); err != nil {
		return r, err
	}
	return r, auth.Audit(ctx, tx.Queries, who, s.Now(), "message_"+line.Action, "company", who.CompanyID, map[string]any{"seq": r.Seq})
}

func tooPrecise(field string) error {
	return loyalty.Refuse(loyalty.CodeAmountTooPrecise, field).With("decimals", strconv.Itoa(moneyScale))
}

// Refund gives a message's price back, in the caller's transaction.
func (s *Service) Refund(ctx context.Context, tx db.Tx, company, message uuid.UUID, price decimal.Decimal) error {
	a, err := s.open(ctx, tx, company, true)
	if err != nil {
		return err
	}
	if err := a.line(db.MessageMovement{Action: string(Refunded), Amount: price, NotificationID: &message}); err != nil {
		return err
	}
	return a.Write(ctx)
}

// Recharge charges for a message that is tried again after its price was given back,
// in the caller's transaction. It refuses with MESSAGE_BALANCE_LOW.
func (s *Service) Recharge(ctx context.Context, tx db.Tx, company, message uuid.UUID) (decimal.Decimal, error) {
	a, err := s.Open(ctx, tx, company)
	if err != nil || a == nil {
		return decimal.Zero, err
	}
	price, err := a.Charge(message)
	if err != nil {
		return price, err
	}
	return price, a.Write(ctx)
}

// Movement reads a line of the messages' books; nil if there is none.
func (s *Service) Movement(ctx context.Context, company uuid.UUID, seq int64) (*Movement, error) {
	row, err := s.DB.MessageMovementBySeq(ctx, company, seq)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a line of prepaid messages: %w", err)
	}
	return &Movement{MessageMovement: row}, nil
}

// Movements lists the lines of the messages' books, newest first, from below the
// number given.
func (s *Service) Movements(ctx context.Context, company uuid.UUID, before *int64, first int) (list []*Movement, more bool, err error) {
	rows, err := s.DB.MessageMovementsPage(ctx, db.MessageMovementsPageParams{CompanyID: company, Before: before, BatchSize: int32(first) + 1})
	if err != nil {
		return nil, false, fmt.Errorf("list lines of prepaid messages: %w", err)
	}
	more = len(rows) > first
	for _, row := range rows[:min(len(rows), first)] {
		list = append(list, &Movement{MessageMovement: row})
	}
	batch := loyalty.NewBatch(list)
	for _, m := range list {
		m.batch = batch
	}
	return list, more, nil
}
