package report

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
)

// Liability is what a card type's members are owed. Outstanding is the sum of
// their balances, and the sum of Months, Never and Held less Overdrawn.
type Liability struct {
	// KnownTo: every posting that was answered before is in it.
	KnownTo time.Time
	Cards   int64
	// Outstanding is the sum of the balances, to the last decimal.
	Outstanding Sum
	// Held is what open holds reserve, Overdrawn what cards owe.
	Held, Overdrawn Sum
	// Never is available and does not end, Months is what ends, by month. A month
	// that is over holds what has ended and is not posted yet; cards that a new expiry
	// policy has not reached have no lots yet, and so no ends.
	Never  Sum
	Months []*Month
	// Pending is earned and cannot be used yet: no part of the balances.
	Pending Sum
}

// Month is what ends in a month of the company's calendar.
type Month struct {
	// Month is its first day.
	Month  time.Time
	Amount Sum
}

// Liability answers what is owed to the members of a card type, now. It refuses
// with CARD_TYPE_NOT_FOUND.
func (s *Service) Liability(ctx context.Context, company uuid.UUID, cardTypeCode string) (*Liability, error) {
	row, err := read(s, func(store *db.Store) (db.LiabilityRow, error) {
		return store.Liability(ctx, db.LiabilityParams{CompanyID: company, CardTypeCode: cardTypeCode, Now: s.Now()})
	})
	if db.Absent(err) || err == nil && row.CardTypeID == nil {
		return nil, loyalty.Refuse(loyalty.CodeCardTypeNotFound, "cardTypeCode")
	}
	if err != nil {
		return nil, fmt.Errorf("read what members are owed: %w", err)
	}
	l := &Liability{KnownTo: row.KnownTo, Cards: row.Cards, Months: make([]*Month, len(row.Months))}
	texts := map[*Sum]string{&l.Outstanding: row.Balance, &l.Held: row.Held, &l.Overdrawn: row.Overdrawn, &l.Pending: row.Pending}
	for i, month := range row.Months {
		l.Months[i] = &Month{Month: month}
		texts[&l.Months[i].Amount] = row.Amounts[i]
	}
	if err := sums(texts); err != nil {
		return nil, err
	}
	l.Never = l.Outstanding.Sub(l.Held).Add(l.Overdrawn)
	for _, m := range l.Months {
		l.Never = l.Never.Sub(m.Amount)
	}
	return l, nil
}
