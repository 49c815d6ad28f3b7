package ledger

import (
	"maps"
	"slices"
	"time"

	"github.com/govalues/decimal"

	"sello/db"
)

// ExpiryPolicy is a rule by which points end.
type ExpiryPolicy string

// The expiry policies of a card type.
const (
	// NeverExpires: what is earned stays.
	NeverExpires ExpiryPolicy = "never"
	// ExpiresOnDate: on Date, and what is earned later on that day of its own year.
	ExpiresOnDate ExpiryPolicy = "fixed_date"
	// ExpiresAfter: Count days or months after it was earned.
	ExpiresAfter ExpiryPolicy = "after"
	// ExpiresAtPeriodEnd: at the end of the month, quarter, year or card's own year
	// in which it was earned, or Count of them later.
	ExpiresAtPeriodEnd ExpiryPolicy = "period_end"
	// ExpiresWithInactivity: Count days or months after the card was last used, all
	// at once.
	ExpiresWithInactivity ExpiryPolicy = "inactivity"
)

// ExpiryUnit is what an expiry policy counts.
type ExpiryUnit string

// The units of an expiry policy.
const (
	Days     ExpiryUnit = "day"
	Months   ExpiryUnit = "month"
	Quarters ExpiryUnit = "quarter"
	Years    ExpiryUnit = "year"
	// Anniversaries are the years of a card, which begin with its registration.
	Anniversaries ExpiryUnit = "anniversary"
)

// Expiry says when points end. Days are the company's business days, as UTC
// midnights, so that no clock change moves them.
type Expiry struct {
	Policy ExpiryPolicy
	Date   *time.Time
	Count  int
	Unit   ExpiryUnit
}

func expiryOf(t db.CardType) Expiry {
	return Expiry{
		Policy: ExpiryPolicy(t.ExpiryPolicy), Date: t.ExpiryDate, Count: int(t.ExpiryCount), Unit: ExpiryUnit(t.ExpiryUnit),
	}
}

// End is the last day on which what was earned on a day can be spent; nil is
// never. For ExpiresWithInactivity the day is that of the card's last use. The
// function expiry_end says the same in SQL.
func (e Expiry) End(earned, registered time.Time) *time.Time {
	var end time.Time
	switch e.Policy {
	case ExpiresOnDate:
		end = *e.Date
		if end.Before(earned) {
			end = addMonths(*e.Date, 12*(earned.Year()-e.Date.Year()))
		}
		if end.Before(earned) {
			end = addMonths(*e.Date, 12*(earned.Year()-e.Date.Year()+1))
		}
	case ExpiresAfter, ExpiresWithInactivity:
		if e.Unit == Days {
			end = earned.AddDate(0, 0, e.Count)
		} else {
			end = addMonths(earned, e.Count)
		}
	case ExpiresAtPeriodEnd:
		end = e.periodEnd(earned, registered)
	default:
		return nil
	}
	return &end
}

func (e Expiry) periodEnd(earned, registered time.Time) time.Time {
	year, month := earned.Year(), earned.Month()
	switch e.Unit {
	case Months:
		return time.Date(year, month+time.Month(e.Count+1), 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -1)
	case Quarters:
		first := (month-1)/3*3 + 1
		return time.Date(year, first+time.Month(3*(e.Count+1)), 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -1)
	case Years:
		return time.Date(year+e.Count+1, time.January, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -1)
	default:
		years := year - registered.Year()
		if !addMonths(registered, 12*years).After(earned) {
			years++
		}
		return addMonths(registered, 12*(years+e.Count)).AddDate(0, 0, -1)
	}
}

// addMonths keeps the day of the month, or takes the month's last: 31 January and
// a month is 28 February.
func addMonths(day time.Time, months int) time.Time {
	first := time.Date(day.Year(), day.Month()+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(day.Day(), last)-1)
}

// dayOf is the business day of an instant in a zone, as its UTC midnight.
func dayOf(at time.Time, zone *time.Location) time.Time {
	year, month, day := at.In(zone).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// endOf is the instant at which a business day has ended in a zone: midnight, the
// later one where clocks show it twice, and the change itself where they skip it (or
// the whole next day). PostgreSQL's AT TIME ZONE says the same.
func endOf(day time.Time, zone *time.Location) time.Time {
	midnight := day.AddDate(0, 0, 1)
	const around = 26 * time.Hour // more than any change and any offset
	shown := func(t time.Time) time.Duration {
		_, offset := t.In(zone).Zone()
		return time.Duration(offset) * time.Second
	}
	before, after := midnight.Add(-shown(midnight.Add(-around))), midnight.Add(-shown(midnight.Add(around)))
	if after.Add(shown(after)).Equal(midnight) {
		return after
	}
	return before
}

// startOf is the instant at which a business day begins in a zone.
func startOf(day time.Time, zone *time.Location) time.Time { return endOf(day.AddDate(0, 0, -1), zone) }

// expiryPlan sums lots by the day on which they end.
func expiryPlan(all []*Lot) []Expiring {
	sums := map[time.Time]decimal.Decimal{}
	for _, l := range all {
		if l.ExpiresOn != nil {
			sums[*l.ExpiresOn] = plus(sums[*l.ExpiresOn], l.Remaining)
		}
	}
	plan := make([]Expiring, 0, len(sums))
	for _, day := range slices.SortedFunc(maps.Keys(sums), time.Time.Compare) {
		plan = append(plan, Expiring{On: day, Amount: sums[day]})
	}
	return plan
}

// TypeExpiry is when a card type's points end, as callers see it.
type TypeExpiry struct {
	Expiry
	PendingDays *int
	NoticeDays  []int
	TracksLots  bool
	// Applying: the job of the last change still runs.
	Applying bool
}

// Expiry is when the card type's points end.
func (t *CardType) Expiry() *TypeExpiry {
	out := &TypeExpiry{Expiry: expiryOf(t.CardType), TracksLots: t.TracksLots, Applying: t.ExpiryApplying, NoticeDays: make([]int, len(t.NoticeDays))}
	if t.PendingDays != nil {
		out.PendingDays = new(int(*t.PendingDays))
	}
	for i, n := range t.NoticeDays {
		out.NoticeDays[i] = int(n)
	}
	return out
}

// UsedUntil is the last day of what is on a card of the type that is used on a day;
// nil where points do not end with inactivity.
func UsedUntil(t db.CardType, day time.Time) *time.Time {
	e := expiryOf(t)
	if e.Policy != ExpiresWithInactivity {
		return nil
	}
	return e.End(day, day)
}
