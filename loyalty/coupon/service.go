// Package coupon keeps coupons: their types, one by one and in batches of millions,
// their uses, and the history of each (design.md 3; spec/promo-6 section 5).
//
// A coupon is active, then consumed (all uses used up), voided (taken back by the
// company) or expired (past its last business day). A use that is taken back makes
// a consumed coupon active again. Whoever reads a coupon past its last day sees it
// expired, whether the nightly job has come by or not.
package coupon

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Status is the state of a coupon.
type Status string

// The states of a coupon.
const (
	Active   Status = "active"
	Consumed Status = "consumed"
	Voided   Status = "voided"
	Expired  Status = "expired"
)

// Enqueuer inserts a job in the transaction that causes it: River's client.
type Enqueuer interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error)
}

// Service runs the coupons' operations. DB and Now are required, Jobs by those that
// make or resume batches.
type Service struct {
	DB   *db.Store
	Jobs Enqueuer
	Now  func() time.Time
	// ChunkCodes is DefaultChunkCodes if zero.
	ChunkCodes int
}

// New makes the service on a store.
func New(store *db.Store, now func() time.Time) *Service { return &Service{DB: store, Now: now} }

// today is the company's business day.
func (s *Service) today(ctx context.Context, q *db.Queries, company uuid.UUID) (time.Time, error) {
	row, err := q.CompanyByID(ctx, company)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the company: %w", err)
	}
	zone, err := loyalty.Zone(row.TimeZone)
	if err != nil {
		return time.Time{}, fmt.Errorf("load a company's time zone: %w", err)
	}
	year, month, day := s.Now().In(zone).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC), nil
}

// tell writes an event of a coupon or a batch.
func (s *Service) tell(ctx context.Context, q *db.Queries, company uuid.UUID, kind string, subject uuid.UUID, seq int64) error {
	err := q.EventCreate(ctx, db.EventCreateParams{CompanyID: company, Kind: kind, SubjectID: subject, Seq: seq, Now: s.Now()})
	if err != nil {
		return fmt.Errorf("tell of a coupon: %w", err)
	}
	return nil
}

// subject is who stands behind a change; nil for the program itself.
func subject(who auth.Principal) *uuid.UUID {
	if who.Subject == uuid.Nil {
		return nil
	}
	return &who.Subject
}
