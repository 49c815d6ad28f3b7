package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Enqueuer inserts a job in the transaction that causes it: River's client.
type Enqueuer interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error)
}

// ExpiryQueue is where points and cards end.
const ExpiryQueue = "expiry"

// expiryAttempts keeps a failing job within its day: it comes again the next one.
const expiryAttempts = 8

// ExpiryScope says which points a change of policy is for.
type ExpiryScope string

// The scopes of a change of policy.
const (
	// NewPoints: what was earned before keeps the ends it has.
	NewPoints ExpiryScope = "new_points"
	// AllPoints: what is left of all earnings gets new ends, none before the day of
	// the change is over.
	AllPoints ExpiryScope = "all_points"
)

// ExpiryChange is a card type's new expiry policy.
type ExpiryChange struct {
	CardTypeCode string
	Expiry
	ApplyTo ExpiryScope
	// PendingDays is for how long accruals wait; nil: usable at once.
	PendingDays *int
	// NoticeDays are the distances at which customers are told.
	NoticeDays []int
}

// Bounds of a policy.
const (
	maxExpiryCount = 3660
	maxNotices     = 10
)

// check holds a policy against what card_type_expiry_check knows, and clears what
// the policy does not use. It refuses with REQUIRED and INVALID.
func (c *ExpiryChange) check() error {
	e := &c.Expiry
	units := []ExpiryUnit{Days, Months}
	least := 1
	switch e.Policy {
	case NeverExpires:
		*e = Expiry{Policy: NeverExpires, Unit: Days}
	case ExpiresOnDate:
		if e.Date == nil {
			return loyalty.Refuse(loyalty.CodeRequired, "date")
		}
		*e = Expiry{Policy: ExpiresOnDate, Date: e.Date, Unit: Days}
	case ExpiresAtPeriodEnd:
		units, least = []ExpiryUnit{Months, Quarters, Years, Anniversaries}, 0
		fallthrough
	case ExpiresAfter, ExpiresWithInactivity:
		e.Date = nil
		switch {
		case e.Unit == "":
			return loyalty.Refuse(loyalty.CodeRequired, "unit")
		case !slices.Contains(units, e.Unit):
			return loyalty.Refuse(loyalty.CodeInvalid, "unit")
		case e.Count < least || e.Count > maxExpiryCount:
			return loyalty.Refuse(loyalty.CodeInvalid, "count")
		}
	default:
		return loyalty.Refuse(loyalty.CodeInvalid, "policy")
	}
	if c.ApplyTo != NewPoints && c.ApplyTo != AllPoints {
		return loyalty.Refuse(loyalty.CodeInvalid, "applyTo")
	}
	if c.PendingDays != nil && (*c.PendingDays < 1 || *c.PendingDays > maxExpiryCount) {
		return loyalty.Refuse(loyalty.CodeInvalid, "pendingDays")
	}
	if len(c.NoticeDays) > maxNotices || slices.ContainsFunc(c.NoticeDays, func(n int) bool { return n < 1 || n > maxExpiryCount }) {
		return loyalty.Refuse(loyalty.CodeInvalid, "noticeDays")
	}
	return nil
}

// notices are the distances, the farthest first, each once.
func (c *ExpiryChange) notices() []int16 {
	days := make([]int16, len(c.NoticeDays))
	for i, n := range c.NoticeDays {
		days[i] = int16(n)
	}
	slices.Sort(days)
	days = slices.Compact(days)
	slices.Reverse(days)
	return days
}

// CardTypeExpirySet changes when a card type's points end. Where that changes what
// its cards have, a job brings them up to it (ExpiryPolicyApply), and a posting its
// own card at once. It refuses with CARD_TYPE_NOT_FOUND, REQUIRED, INVALID and
// POLICY_APPLYING (the job of an earlier change still runs).
func (s *Service) CardTypeExpirySet(ctx context.Context, who auth.Principal, in ExpiryChange) (*CardType, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	var row db.CardType
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		now := s.moment()
		t, today, err := lockType(ctx, tx, who.CompanyID, in.CardTypeCode, now)
		if err != nil {
			return err
		}
		tracks := in.Policy != NeverExpires || in.PendingDays != nil
		// Cards without lots get them; those that have some need nothing but new ends.
		apply := tracks && !t.TracksLots || t.TracksLots && in.ApplyTo == AllPoints
		params := db.CardTypeExpirySetParams{
			CompanyID: who.CompanyID, ID: t.ID, ExpiryPolicy: string(in.Policy), ExpiryDate: in.Date, ExpiryCount: int16(in.Count),
			ExpiryUnit: string(in.Unit), NoticeDays: in.notices(), TracksLots: tracks, SetOn: today, Apply: apply, Redates: in.ApplyTo == AllPoints, Now: now,
		}
		if in.PendingDays != nil {
			params.PendingDays = new(int16(*in.PendingDays))
		}
		if row, err = tx.CardTypeExpirySet(ctx, params); err != nil {
			return fmt.Errorf("set a card type's expiry policy: %w", err)
		}
		if apply {
			job := ExpiryPolicyApply{CompanyID: who.CompanyID, CardTypeID: row.ID, Version: row.ExpiryVersion}
			if _, err := s.Jobs.InsertTx(ctx, tx.Conn, job, nil); err != nil {
				return fmt.Errorf("enqueue a policy's job: %w", err)
			}
		}
		err = tx.EventCreate(ctx, db.EventCreateParams{CompanyID: who.CompanyID, Kind: "expiry_policy_changed", SubjectID: row.ID, Seq: int64(row.ExpiryVersion), Now: now})
		if err != nil {
			return fmt.Errorf("tell a policy's change: %w", err)
		}
		return auth.Audit(ctx, tx.Queries, who, now, "card_type_expiry_set", "card_type", row.ID,
			map[string]any{"policy": string(in.Policy), "apply_to": string(in.ApplyTo)})
	})
	if err != nil {
		return nil, err
	}
	return &CardType{CardType: row}, nil
}

// lockType takes a card type whose policy may be changed, and reads the company's
// business day.
func lockType(ctx context.Context, tx db.Tx, company uuid.UUID, code string, now time.Time) (db.CardType, time.Time, error) {
	row, err := tx.CardTypePolicyLock(ctx, company, code)
	if db.Absent(err) {
		return db.CardType{}, time.Time{}, loyalty.Refuse(loyalty.CodeCardTypeNotFound, "cardTypeCode")
	}
	if err != nil {
		return db.CardType{}, time.Time{}, fmt.Errorf("lock a card type: %w", err)
	}
	if row.CardType.ExpiryApplying {
		return db.CardType{}, time.Time{}, loyalty.Refuse(loyalty.CodePolicyApplying, "cardTypeCode")
	}
	zone, err := loyalty.Zone(row.TimeZone)
	if err != nil {
		return db.CardType{}, time.Time{}, fmt.Errorf("the company's time zone: %w", err)
	}
	return row.CardType, dayOf(now, zone), nil
}

// ExpiryLoss is what members lose in a time.
type ExpiryLoss struct {
	// On is the day, or the first of the month; nil for all of time.
	On     *time.Time
	Amount decimal.Decimal
	// Cards lose, of so many Members: customers, and cards that are nobody's.
	Cards, Members int
}

// ExpiryPreview is what a policy would end of what a card type's members have.
type ExpiryPreview struct {
	Total  ExpiryLoss
	Days   []ExpiryLoss
	Months []ExpiryLoss
}

// ExpiryPolicyPreview tells what a change of policy would do, were it made now: of
// all that is left today how much ends when. What is earned, spent, held and
// released later is not in it. It reads one moment and changes nothing. It refuses
// as CardTypeExpirySet does.
func (s *Service) ExpiryPolicyPreview(ctx context.Context, company uuid.UUID, in ExpiryChange) (*ExpiryPreview, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	out := &ExpiryPreview{}
	err := s.DB.InSnapshot(ctx, func(q *db.Queries) error {
		t, err := q.CardTypeByCode(ctx, company, in.CardTypeCode)
		if db.Absent(err) {
			return loyalty.Refuse(loyalty.CodeCardTypeNotFound, "cardTypeCode")
		}
		if err != nil {
			return fmt.Errorf("read a card type: %w", err)
		}
		if t.ExpiryApplying {
			return loyalty.Refuse(loyalty.CodePolicyApplying, "cardTypeCode")
		}
		zone, err := zoneOf(ctx, q, company)
		if err != nil {
			return err
		}
		rows, err := q.ExpiryPreview(ctx, db.ExpiryPreviewParams{
			CompanyID: company, CardTypeID: t.ID, TracksLots: t.TracksLots, Redates: in.ApplyTo == AllPoints,
			Policy: string(in.Policy), Date: in.Date, Count: int32(in.Count), Unit: string(in.Unit), Today: dayOf(s.moment(), zone),
		})
		if err != nil {
			return fmt.Errorf("preview an expiry policy: %w", err)
		}
		for _, row := range rows {
			loss := ExpiryLoss{Amount: row.Amount, Cards: int(row.Cards), Members: int(row.Members)}
			switch {
			case !row.ExpiresOn.IsZero():
				loss.On = &row.ExpiresOn
				out.Days = append(out.Days, loss)
			case !row.Month.IsZero():
				loss.On = &row.Month
				out.Months = append(out.Months, loss)
			default:
				out.Total = loss
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func zoneOf(ctx context.Context, q *db.Queries, company uuid.UUID) (*time.Location, error) {
	c, err := q.CompanyByID(ctx, company)
	if err != nil {
		return nil, fmt.Errorf("read a company: %w", err)
	}
	zone, err := loyalty.Zone(c.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("the company's time zone: %w", err)
	}
	return zone, nil
}

// ExpiryPolicyApply is the job that brings a card type's cards up to its policy.
type ExpiryPolicyApply struct {
	CompanyID  uuid.UUID `json:"company_id" river:"unique"`
	CardTypeID uuid.UUID `json:"card_type_id" river:"unique"`
	// Version is the policy's expiry_version.
	Version int32 `json:"version" river:"unique"`
}

// Kind is the job's name in River.
func (ExpiryPolicyApply) Kind() string { return "expiry_policy_apply" }

// InsertOpts makes the job unique per change.
func (ExpiryPolicyApply) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: ExpiryQueue, MaxAttempts: 25, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

// Pace says between two batches whether a job may go on now; nil: it may. What was
// done stays done, and the next run finds the rest.
type Pace func() bool

// Batches. Cards that somebody else has are left out of a large batch and waited
// for in small ones, so that no posting waits for another one's card.
const (
	largeBatch = 5000
	smallBatch = 200
)

// PolicyApply brings the cards of a card type up to the policy with the version, in
// batches, and then notes it done. Again, after a kill or for a policy that has been
// applied, it does what is left.
func (s *Service) PolicyApply(ctx context.Context, job ExpiryPolicyApply, pace Pace) (cards int, done bool, err error) {
	for _, wait := range []bool{false, true} {
		after, size := uuid.Nil, largeBatch
		if wait {
			size = smallBatch
		}
		for {
			if pace != nil && !pace() {
				return cards, false, nil
			}
			n, last, err := s.conform(ctx, job, after, size, wait)
			cards += n
			if err != nil {
				return cards, false, err
			}
			if last == nil {
				break
			}
			after = *last
		}
	}
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		_, err := tx.ExpiryApplied(ctx, db.ExpiryAppliedParams{CompanyID: job.CompanyID, ID: job.CardTypeID, ExpiryVersion: job.Version, Now: s.moment()})
		return err
	})
	if err != nil {
		return cards, false, fmt.Errorf("note a policy as applied: %w", err)
	}
	return cards, true, nil
}

// conform brings up the next cards behind an id. last is the last that it looked at,
// nil when there is none.
func (s *Service) conform(ctx context.Context, job ExpiryPolicyApply, after uuid.UUID, size int, wait bool) (cards int, last *uuid.UUID, err error) {
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		cards, last = 0, nil
		ids, err := tx.CardsBehind(ctx, db.CardsBehindParams{
			CompanyID: job.CompanyID, CardTypeID: job.CardTypeID, ExpiryVersion: job.Version, After: after, BatchSize: int32(size),
		})
		if err != nil {
			return fmt.Errorf("list cards behind their policy: %w", err)
		}
		if len(ids) == 0 {
			return nil
		}
		last = &ids[len(ids)-1]
		if ids, err = lockSome(ctx, tx.Queries, job.CompanyID, ids, wait); err != nil || len(ids) == 0 {
			return err
		}
		if err := tx.BatchPlanner(ctx); err != nil {
			return fmt.Errorf("set up a batch: %w", err)
		}
		n, err := tx.LotsConform(ctx, job.CompanyID, ids)
		if err != nil {
			return fmt.Errorf("bring cards up to their expiry policy: %w", err)
		}
		cards = int(n)
		return nil
	})
	return cards, last, err
}

// lockSome locks cards in the order of their ids, all of them or those that are free.
func lockSome(ctx context.Context, q *db.Queries, company uuid.UUID, ids []uuid.UUID, wait bool) ([]uuid.UUID, error) {
	lock := q.CardsTakeFree
	if wait {
		lock = q.CardsTake
	}
	taken, err := lock(ctx, company, ids)
	if err != nil {
		return nil, fmt.Errorf("lock cards: %w", err)
	}
	return taken, nil
}
