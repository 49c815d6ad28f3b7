package report

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"sello/db"
)

// staleBatch is how many rows of old generations one statement drops.
const staleBatch = 5_000

// errOvertaken tells that another run has counted the same: this one's is undone.
var errOvertaken = errors.New("another run was faster")

// Step takes a company's figures one step further and tells whether nothing is
// left to do for now: one range of events, or of cards of a rebuild, or the rows
// of an old generation. Each is one short transaction and may be cut off anywhere;
// runs at the same time undo each other's steps but never count twice.
func (s *Service) Step(ctx context.Context, company uuid.UUID) (done bool, err error) {
	state, err := s.state(ctx, company)
	if err != nil {
		return false, err
	}
	switch {
	case state.BuildGeneration != nil:
		done, err = false, s.build(ctx, state)
	case state.Generation == 0 || !state.PlaceKept || state.TimeZone != state.CompanyTimeZone:
		done, err = false, s.beginBuild(ctx, company)
	default:
		done, err = s.count(ctx, state)
	}
	switch {
	case errors.Is(err, errOvertaken):
		return false, nil
	case errors.Is(err, errUnsettled):
		return true, nil
	case err != nil || !done || !state.Stale:
		return done, err
	}
	return s.dropStale(ctx, company)
}

// state reads where a company's figures stand, which begin with the first look.
func (s *Service) state(ctx context.Context, company uuid.UUID) (db.ReportStateReadRow, error) {
	state, err := s.DB.ReportStateRead(ctx, company)
	if db.Absent(err) {
		if err := s.DB.ReportStateEnsure(ctx, company, s.Now()); err != nil {
			return state, fmt.Errorf("begin a company's figures: %w", err)
		}
		state, err = s.DB.ReportStateRead(ctx, company)
	}
	if err != nil {
		return state, fmt.Errorf("read where a company's figures stand: %w", err)
	}
	return state, nil
}

// errUnsettled tells that a transaction which has written stays open for long.
var errUnsettled = errors.New("events are not settled")

func (s *Service) settled(ctx context.Context) (int64, error) {
	waiting, cancel := context.WithTimeout(ctx, or(s.SettleWait, DefaultSettleWait))
	defer cancel()
	id, err := s.DB.EventsSettled(waiting)
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		return 0, errUnsettled
	}
	return id, err
}

// count adds the movements of the next range of events.
func (s *Service) count(ctx context.Context, state db.ReportStateReadRow) (done bool, err error) {
	asked := s.Now() // before the look: what was committed by now is counted at its end
	settled, err := s.settled(ctx)
	if err != nil {
		return false, err
	}
	batch := or(s.EventsBatch, DefaultEventsBatch)
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		range_, err := tx.ReportCount(ctx, db.ReportCountParams{
			CompanyID: state.CompanyID, AfterID: state.EventID, SettledID: settled, BatchSize: int32(batch),
			Generation: state.Generation, TimeZone: state.TimeZone,
		})
		if err != nil {
			return fmt.Errorf("count the movements of events: %w", err)
		}
		done = int(range_.Events) < batch
		move := db.ReportPlaceMoveParams{
			CompanyID: state.CompanyID, Generation: state.Generation, FromID: state.EventID,
			ToID: max(state.EventID, range_.LastID), Now: s.Now(),
		}
		if done {
			move.CompleteTo = &asked
		}
		return one(tx.ReportPlaceMove(ctx, move))
	})
	return done && err == nil, err
}

// one holds a change of the state to the row that was read.
func one(rows int64, err error) error {
	if err != nil {
		return fmt.Errorf("move the place of a company's figures: %w", err)
	}
	if rows == 0 {
		return errOvertaken
	}
	return nil
}

func (s *Service) dropStale(ctx context.Context, company uuid.UUID) (done bool, err error) {
	n, err := s.DB.ReportStaleDelete(ctx, company, staleBatch)
	if err != nil {
		return false, fmt.Errorf("drop figures of old generations: %w", err)
	}
	return n < staleBatch, nil
}

// Planned counts what Plan did.
type Planned struct {
	// Companies counts those whose figures have something to do.
	Companies int `json:"companies"`
	// Checks counts checks of the books that were given up.
	Checks int `json:"checks"`
}

// Plan enqueues Count for each company whose figures have something to do and that
// has no such job under way, and gives up checks of the books whose job was lost.
func (s *Service) Plan(ctx context.Context) (Planned, error) {
	var planned Planned
	due, err := s.DB.ReportDue(ctx)
	if err != nil {
		return planned, fmt.Errorf("list the companies whose figures are behind: %w", err)
	}
	jobs := make([]river.InsertManyParams, len(due))
	for i, company := range due {
		jobs[i] = river.InsertManyParams{Args: Count{CompanyID: company}}
	}
	if len(jobs) > 0 {
		err = s.DB.InTx(ctx, func(tx db.Tx) error {
			planned.Companies = 0
			results, err := s.Jobs.InsertManyTx(ctx, tx.Conn, jobs)
			if err != nil {
				return fmt.Errorf("enqueue the counting of figures: %w", err)
			}
			for _, r := range results {
				if !r.UniqueSkippedAsDuplicate {
					planned.Companies++
				}
			}
			return nil
		})
	}
	var lost error
	planned.Checks, lost = s.abandonSilent(ctx)
	return planned, errors.Join(err, lost)
}
