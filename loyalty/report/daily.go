package report

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/ledger"
)

// MaxDays is the longest range that Daily answers.
const MaxDays = 400

// Range says which figures are asked for: of the days From to To, both included
// and without a time of day, narrowed down by what is not empty.
type Range struct {
	From, To                time.Time
	CardTypeCode, StoreCode *string
	Action                  *ledger.Action
}

// Figures are sums over movements, by what movements do. They are without a sign
// where nothing else is said.
type Figures struct {
	Movements int64
	// Issued was accrued, Recharged bought by customers.
	Issued, Recharged Sum
	// Redeemed was used.
	Redeemed Sum
	// Expired lapsed (breakage), WrittenOff was given up: less what was taken back of
	// either, so below zero where more was.
	Expired, WrittenOff Sum
	// What transfers brought and took.
	TransferredIn, TransferredOut Sum
	// What returns gave back and took back.
	ReturnedUp, ReturnedDown Sum
	// What corrections gave and took.
	CorrectedUp, CorrectedDown Sum
	// Credits and Debits are everything above and below zero.
	Credits, Debits Sum
	// Spent is what customers spent, as movements say, in currency.
	Spent Sum
}

// Net is what the balances changed by.
func (f *Figures) Net() Sum { return f.Credits.Sub(f.Debits) }

// RedemptionRate is what was redeemed over what was issued; nil where nothing was.
func (f *Figures) RedemptionRate() *Sum { return f.Redeemed.Over(f.Issued) }

// BreakageRate is what expired over what was issued; nil where nothing was.
func (f *Figures) BreakageRate() *Sum { return f.Expired.Over(f.Issued) }

// add takes the sums of one action in.
func (f *Figures) add(action ledger.Action, movements int64, credits, debits, spent Sum) {
	f.Movements += movements
	f.Credits, f.Debits, f.Spent = f.Credits.Add(credits), f.Debits.Add(debits), f.Spent.Add(spent)
	switch action {
	case ledger.Accrue:
		f.Issued = f.Issued.Add(credits)
	case ledger.Recharge:
		f.Recharged = f.Recharged.Add(credits)
	case ledger.Redeem:
		f.Redeemed = f.Redeemed.Add(debits)
	case ledger.Expire:
		f.Expired = f.Expired.Add(debits).Sub(credits)
	case ledger.WriteOff:
		f.WrittenOff = f.WrittenOff.Add(debits).Sub(credits)
	case ledger.TransferIn:
		f.TransferredIn = f.TransferredIn.Add(credits)
	case ledger.TransferOut:
		f.TransferredOut = f.TransferredOut.Add(debits)
	case ledger.Reverse:
		f.ReturnedUp, f.ReturnedDown = f.ReturnedUp.Add(credits), f.ReturnedDown.Add(debits)
	case ledger.Adjust:
		f.CorrectedUp, f.CorrectedDown = f.CorrectedUp.Add(credits), f.CorrectedDown.Add(debits)
	}
}

// Day is one business day of the company.
type Day struct {
	Day     time.Time
	Figures Figures
}

// Daily are a company's figures day by day.
type Daily struct {
	// CompleteTo: every movement whose posting was answered before is counted; nil
	// before the first count.
	CompleteTo *time.Time
	// TimeZone is the one of the days.
	TimeZone string
	// Days are all days of the range, also those on which nothing happened.
	Days []*Day
	// Total is the sum over the days.
	Total Figures
}

// Daily answers the figures of up to MaxDays business days. It refuses with
// INVALID (to before from), RANGE_TOO_LONG, CARD_TYPE_NOT_FOUND and STORE_NOT_FOUND.
func (s *Service) Daily(ctx context.Context, company uuid.UUID, r Range) (*Daily, error) {
	days := int(r.To.Sub(r.From)/(24*time.Hour)) + 1
	switch {
	case r.To.Before(r.From):
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "to")
	case days > MaxDays:
		return nil, loyalty.Refuse(loyalty.CodeRangeTooLong, "to").With("days", strconv.Itoa(MaxDays))
	}
	in := db.DailyStatsParams{
		CompanyID: company, FromDay: r.From, ToDay: r.To, CardTypeCode: r.CardTypeCode, StoreCode: r.StoreCode, Now: s.Now(),
	}
	if r.Action != nil {
		in.Action = new(string(*r.Action))
	}
	rows, err := read(s, func(store *db.Store) ([]db.DailyStatsRow, error) { return store.DailyStats(ctx, in) })
	switch {
	case db.Unstorable(err) && r.CardTypeCode != nil:
		return nil, loyalty.Refuse(loyalty.CodeCardTypeNotFound, "cardTypeCode")
	case db.Unstorable(err):
		return nil, loyalty.Refuse(loyalty.CodeStoreNotFound, "storeCode")
	case err != nil:
		return nil, fmt.Errorf("read the figures of days: %w", err)
	case len(rows) == 0:
		return nil, loyalty.Refuse(loyalty.CodeNotFound, "")
	case r.CardTypeCode != nil && rows[0].CardTypeID == nil:
		return nil, loyalty.Refuse(loyalty.CodeCardTypeNotFound, "cardTypeCode")
	case r.StoreCode != nil && rows[0].StoreID == nil:
		return nil, loyalty.Refuse(loyalty.CodeStoreNotFound, "storeCode")
	}
	d := &Daily{TimeZone: rows[0].CompanyTimeZone, Days: make([]*Day, days)}
	if rows[0].Generation > 0 {
		d.CompleteTo, d.TimeZone = &rows[0].CompleteTo, rows[0].TimeZone
	}
	for i := range d.Days {
		d.Days[i] = &Day{Day: r.From.AddDate(0, 0, i)}
	}
	for _, row := range rows {
		if row.Action == "" {
			continue // nothing was found
		}
		var credits, debits, spent Sum
		if err := sums(map[*Sum]string{&credits: row.Credits, &debits: row.Debits, &spent: row.Spent}); err != nil {
			return nil, err
		}
		day := d.Days[int(row.Day.Sub(r.From)/(24*time.Hour))]
		day.Figures.add(ledger.Action(row.Action), row.Movements, credits, debits, spent)
		d.Total.add(ledger.Action(row.Action), row.Movements, credits, debits, spent)
	}
	return d, nil
}
