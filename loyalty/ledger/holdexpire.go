package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"sello/db"
)

// HoldExpire is the job that releases holds whose time is up, once a minute.
type HoldExpire struct {
	// CompanyID is the company whose holds are looked at; zero is all of them.
	CompanyID uuid.UUID `json:"company_id,omitzero" river:"unique"`
	// Asked names a run that somebody asked for.
	Asked string `json:"asked,omitempty" river:"unique"`
}

// Kind is the job's name in River.
func (HoldExpire) Kind() string { return "hold_expire" }

// InsertOpts makes the job unique per minute. It is not tried again: the next minute
// has a job of its own.
func (HoldExpire) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: ExpiryQueue, MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByArgs: true, ByPeriod: time.Minute}}
}

// HoldExpire releases the holds whose time is up, of a company or (zero) of all, as
// the next posting on their cards would. A company that fails does not keep the
// others waiting.
func (s *Service) HoldExpire(ctx context.Context, company uuid.UUID, pace Pace) (Expired, error) {
	companies := []uuid.UUID{company}
	if company == uuid.Nil {
		var err error
		if companies, err = s.DB.HoldsOverdueCompanies(ctx, s.moment()); err != nil {
			return Expired{}, fmt.Errorf("look for holds whose time is up: %w", err)
		}
	}
	out := Expired{Done: true}
	var failed []error
	for _, id := range companies {
		r := &expiryRun{Service: s, company: id, pace: pace, out: &out}
		if err := r.releaseOverdue(ctx); err != nil {
			failed = append(failed, err)
		}
	}
	return out, errors.Join(failed...)
}

func (r *expiryRun) releaseOverdue(ctx context.Context) error {
	var before []uuid.UUID
	for {
		if r.pace != nil && !r.pace() {
			r.out.Done = false
			return nil
		}
		ids, err := r.DB.HoldsOverdue(ctx, db.HoldsOverdueParams{CompanyID: r.company, Now: r.moment(), BatchSize: smallBatch})
		if err != nil {
			return fmt.Errorf("look for holds whose time is up: %w", err)
		}
		if len(ids) == 0 {
			return nil
		}
		if slices.Equal(ids, before) {
			return errors.New("release holds: their cards keep them")
		}
		before = ids
		if err := r.settle(ctx, ids); err != nil {
			return err
		}
	}
}
