package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/riverqueue/river"

	"sello/db"
	"sello/loyalty/auth"
)

// PointsExpire is the job that ends a company's points whose last day is over.
type PointsExpire struct {
	CompanyID uuid.UUID `json:"company_id" river:"unique"`
	// Day is the company's business day on which it runs (2026-11-21); "" is today.
	Day string `json:"day,omitempty" river:"unique"`
	// Asked names a run that somebody asked for, beside the day's own.
	Asked string `json:"asked,omitempty" river:"unique"`
}

// Kind is the job's name in River.
func (PointsExpire) Kind() string { return "points_expire" }

// InsertOpts makes the job unique per company and day.
func (PointsExpire) InsertOpts() river.InsertOpts { return expiryOpts() }

func expiryOpts() river.InsertOpts {
	return river.InsertOpts{Queue: ExpiryQueue, MaxAttempts: expiryAttempts, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

// CardExpire is the job that disables a company's cards whose last day is over.
type CardExpire struct {
	CompanyID uuid.UUID `json:"company_id" river:"unique"`
	// Day is the company's business day on which it runs; "" is today.
	Day string `json:"day,omitempty" river:"unique"`
	// Asked names a run that somebody asked for, beside the day's own.
	Asked string `json:"asked,omitempty" river:"unique"`
}

// Kind is the job's name in River.
func (CardExpire) Kind() string { return "card_expire" }

// InsertOpts makes the job unique per company and day.
func (CardExpire) InsertOpts() river.InsertOpts { return expiryOpts() }

// statusExpired is why a card was disabled whose validity is over.
const statusExpired = "EXPIRED"

// Begun reports whether a company's business day has begun: a process whose clock is
// behind that of the one which planned a day's job waits for it.
func (s *Service) Begun(ctx context.Context, company uuid.UUID, day time.Time) (bool, error) {
	zone, err := zoneOf(ctx, s.DB.Queries, company)
	if err != nil {
		return false, err
	}
	return !day.After(dayOf(s.moment(), zone)), nil
}

// Expired counts what a run of a job ended.
type Expired struct {
	Cards     int `json:"cards"`
	Lots      int `json:"lots"`
	Movements int `json:"movements"`
	// Done is false where the run gave way and something is left.
	Done bool `json:"done"`
}

// PointsExpire posts what has ended of all cards of a company: for each card and
// day one movement, dated at that day's end, as the card's next posting would. First
// points that wait vest whose day has come. A killed run has done whole batches; run
// again, it does what is left.
func (s *Service) PointsExpire(ctx context.Context, company uuid.UUID, pace Pace) (Expired, error) {
	out := Expired{}
	r := &expiryRun{Service: s, company: company, pace: pace, out: &out}
	zone, err := zoneOf(ctx, s.DB.Queries, company)
	if err != nil {
		return out, err
	}
	r.zone = zone
	// Cards that were locked, and those of which more is due, are left to books.
	for _, step := range []func(context.Context) (bool, error){r.vest, r.expireSets, r.expireBooks} {
		if done, err := step(ctx); err != nil || !done {
			return out, err
		}
	}
	out.Done = true
	return out, nil
}

// place is where a walk over an index of days and cards is.
type dayPlace struct {
	on   time.Time
	card uuid.UUID
}

// dueCard is a card that a walk came upon.
type dueCard = dayPlace

// expiryRun is one run over a company's cards.
type expiryRun struct {
	*Service
	company uuid.UUID
	zone    *time.Location
	pace    Pace
	out     *Expired
}

func (r *expiryRun) today() time.Time { return dayOf(r.moment(), r.zone) }

// walk goes over an index in batches: next reads from behind a place, do gets the
// cards of each batch once.
func (r *expiryRun) walk(ctx context.Context, size int, next func(after dayPlace, size int32) ([]dueCard, error), do func([]uuid.UUID) error) (done bool, err error) {
	var after dayPlace
	for {
		if r.pace != nil && !r.pace() {
			return false, nil
		}
		due, err := next(after, int32(size))
		if err != nil {
			return false, err
		}
		if len(due) == 0 {
			return true, nil
		}
		after = due[len(due)-1]
		seen := make(map[uuid.UUID]bool, len(due))
		var ids []uuid.UUID
		for _, d := range due {
			if !seen[d.card] {
				seen[d.card] = true
				ids = append(ids, d.card)
			}
		}
		if err := do(ids); err != nil {
			return false, err
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
	}
}

func (r *expiryRun) lotsDue(ctx context.Context) func(dayPlace, int32) ([]dueCard, error) {
	return func(after dayPlace, size int32) ([]dueCard, error) {
		rows, err := r.DB.LotsDue(ctx, db.LotsDueParams{
			CompanyID: r.company, Today: r.today(), AfterOn: after.on, AfterCard: after.card, BatchSize: size,
		})
		if err != nil {
			return nil, fmt.Errorf("look for points that have ended: %w", err)
		}
		due := make([]dueCard, len(rows))
		for i, row := range rows {
			due[i] = dueCard{row.ExpiresOn, row.CardID}
		}
		return due, nil
	}
}

// vest settles cards with pending points whose day has come.
func (r *expiryRun) vest(ctx context.Context) (bool, error) {
	next := func(after dayPlace, size int32) ([]dueCard, error) {
		rows, err := r.DB.LotsVesting(ctx, db.LotsVestingParams{
			CompanyID: r.company, Today: r.today(), AfterOn: after.on, AfterCard: after.card, BatchSize: size,
		})
		if err != nil {
			return nil, fmt.Errorf("look for points that vest: %w", err)
		}
		due := make([]dueCard, len(rows))
		for i, row := range rows {
			due[i] = dueCard{row.VestsOn, row.CardID}
		}
		return due, nil
	}
	return r.walk(ctx, smallBatch, next, func(ids []uuid.UUID) error { return r.settle(ctx, ids) })
}

// expireBooks settles what is left, waiting for cards.
func (r *expiryRun) expireBooks(ctx context.Context) (bool, error) {
	return r.walk(ctx, smallBatch, r.lotsDue(ctx), func(ids []uuid.UUID) error { return r.settle(ctx, ids) })
}

// settle opens cards in a book, which posts all that is due on them.
func (r *expiryRun) settle(ctx context.Context, ids []uuid.UUID) error {
	var cards, lots, movements int
	err := r.InBook(ctx, auth.System(r.company), ids, func(_ db.Tx, b *Book) error {
		cards, lots, movements = b.settled()
		return nil
	})
	if err != nil {
		return fmt.Errorf("settle cards: %w", err)
	}
	r.out.Cards, r.out.Lots, r.out.Movements = r.out.Cards+cards, r.out.Lots+lots, r.out.Movements+movements
	return nil
}

// settled counts what was due on the book's cards.
func (b *Book) settled() (cards, lots, movements int) {
	for _, a := range b.accounts {
		if a.changed {
			cards++
		}
		for _, l := range a.lots {
			if l.changed {
				lots++
			}
		}
	}
	return cards, lots, len(b.entries)
}

// expireSets posts on all cards of which no more is due than lots that have ended.
func (r *expiryRun) expireSets(ctx context.Context) (bool, error) {
	return r.walk(ctx, largeBatch, r.lotsDue(ctx), func(ids []uuid.UUID) error {
		var row db.LotsExpireRow
		err := r.DB.InTx(ctx, func(tx db.Tx) error {
			row = db.LotsExpireRow{}
			free, err := lockSome(ctx, tx.Queries, r.company, ids, false)
			if err != nil || len(free) == 0 {
				return err
			}
			if err := tx.BatchPlanner(ctx); err != nil {
				return fmt.Errorf("set up a batch: %w", err)
			}
			row, err = tx.LotsExpire(ctx, db.LotsExpireParams{
				CompanyID: r.company, CardIds: free, Today: r.today(), Now: r.moment(), TimeZone: r.zone.String(),
			})
			return err
		})
		if err != nil {
			return fmt.Errorf("end points: %w", err)
		}
		r.out.Cards, r.out.Lots, r.out.Movements = r.out.Cards+int(row.Cards), r.out.Lots+int(row.Lots), r.out.Movements+int(row.Movements)
		return nil
	})
}

// CardExpire disables a company's enabled cards whose last day is over, each with a
// movement of nothing (spec/promo-7 8.3). Where the card type forfeits what is left,
// open holds are released first, and the movement takes the whole balance, pending
// points go with it; a debt stays. Killed and run again as PointsExpire.
func (s *Service) CardExpire(ctx context.Context, company uuid.UUID, pace Pace) (Expired, error) {
	out := Expired{}
	zone, err := zoneOf(ctx, s.DB.Queries, company)
	if err != nil {
		return out, err
	}
	r := &expiryRun{Service: s, company: company, zone: zone, pace: pace, out: &out}
	for _, size := range []int{largeBatch, smallBatch} {
		forfeits := map[uuid.UUID]bool{}
		next := func(after dayPlace, size int32) ([]dueCard, error) {
			rows, err := r.DB.CardsPastValidity(ctx, db.CardsPastValidityParams{
				CompanyID: company, Today: r.today(), AfterOn: after.on, AfterCard: after.card, BatchSize: size,
			})
			if err != nil {
				return nil, fmt.Errorf("look for cards whose validity is over: %w", err)
			}
			due := make([]dueCard, len(rows))
			for i, row := range rows {
				due[i] = dueCard{row.ValidTo, row.ID}
				forfeits[row.ID] = row.ForfeitOnExpiry
			}
			return due, nil
		}
		done, err := r.walk(ctx, size, next, func(ids []uuid.UUID) error {
			var keep []uuid.UUID
			for _, id := range ids {
				if !forfeits[id] {
					keep = append(keep, id)
				}
			}
			err := r.disable(ctx, keep, size == smallBatch)
			if err == nil && size == smallBatch && len(keep) < len(ids) {
				err = r.forfeit(ctx, ids)
			}
			clear(forfeits)
			return err
		})
		if err != nil || !done {
			return out, err
		}
	}
	out.Done = true
	return out, nil
}

// disable is the end of cards that keep what they have.
func (r *expiryRun) disable(ctx context.Context, ids []uuid.UUID, wait bool) error {
	if len(ids) == 0 {
		return nil
	}
	var n int64
	err := r.DB.InTx(ctx, func(tx db.Tx) error {
		n = 0
		taken, err := lockSome(ctx, tx.Queries, r.company, ids, wait)
		if err != nil || len(taken) == 0 {
			return err
		}
		n, err = tx.CardsExpire(ctx, db.CardsExpireParams{
			CompanyID: r.company, Ids: taken, Today: r.today(), Now: r.moment(), Reason: statusExpired, TimeZone: r.zone.String(),
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("end cards: %w", err)
	}
	r.out.Cards, r.out.Movements = r.out.Cards+int(n), r.out.Movements+int(n)
	return nil
}

// forfeit is the end of those of the cards whose type takes what they have.
func (r *expiryRun) forfeit(ctx context.Context, ids []uuid.UUID) error {
	var cards, lots, movements int
	err := r.InBook(ctx, auth.System(r.company), ids, func(tx db.Tx, b *Book) error {
		var ended []uuid.UUID
		for _, id := range ids {
			if a := b.Account(id); a != nil && a.Type.ForfeitOnExpiry && Status(a.Card.Status) == Enabled && a.Card.ValidTo != nil && a.Card.ValidTo.Before(a.Today()) {
				ended = append(ended, id)
			}
		}
		if len(ended) == 0 {
			return nil
		}
		holds, err := tx.HoldsOpen(ctx, r.company, ended)
		if err != nil {
			return fmt.Errorf("read open holds: %w", err)
		}
		for _, h := range holds {
			a := b.Account(h.CardID)
			if _, err := a.endHold(ctx, h, decimal.Zero, HoldReleased, Entry{Action: Release, At: endOf(*a.Card.ValidTo, a.zone)}); err != nil {
				return err
			}
		}
		for _, id := range ended {
			b.Account(id).forfeit()
		}
		cards, lots, movements = b.settled()
		return tx.CardsDisable(ctx, db.CardsDisableParams{CompanyID: r.company, Ids: ended, Reason: statusExpired, Now: b.now})
	})
	if err != nil {
		return fmt.Errorf("end cards and what they hold: %w", err)
	}
	r.out.Cards, r.out.Lots, r.out.Movements = r.out.Cards+cards, r.out.Lots+lots, r.out.Movements+movements
	return nil
}

// forfeit takes what is left of a card whose validity is over. Its holds are released.
func (a *Account) forfeit() {
	m := a.append(Entry{Action: Expire, Amount: usable(a.Card.Balance).Neg(), At: endOf(*a.Card.ValidTo, a.zone)})
	for _, l := range a.lots {
		if l.Remaining.IsPos() {
			a.record(m, piece{l, l.Remaining.Neg()})
		}
	}
}
