package report

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Events of a company's figures.
const (
	// RebuildStartedEvent: the figures are counted anew from the movements.
	RebuildStartedEvent = "report_rebuild_started"
	// RebuiltEvent: the figures that are answered were counted anew.
	RebuiltEvent = "report_rebuilt"
)

// Rebuild counts a company's figures anew from its movements, beside those that
// are answered meanwhile, and puts them in their place once they are complete:
// a repair, for an operator, who confirms it. Postings go on. It refuses with
// REQUIRED and, while a rebuild runs, REPORT_REBUILDING.
func (s *Service) Rebuild(ctx context.Context, who auth.Principal, confirmed bool) (*State, error) {
	if !confirmed {
		return nil, loyalty.Refuse(loyalty.CodeRequired, "confirm")
	}
	if err := s.DB.ReportStateEnsure(ctx, who.CompanyID, s.Now()); err != nil {
		return nil, fmt.Errorf("begin a company's figures: %w", err)
	}
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		began, err := s.beginBuildIn(ctx, tx, who.CompanyID)
		if err != nil {
			return err
		}
		if !began {
			return loyalty.Refuse(loyalty.CodeReportRebuilding, "")
		}
		if _, err := s.Jobs.InsertTx(ctx, tx.Conn, Count{CompanyID: who.CompanyID}, nil); err != nil {
			return fmt.Errorf("enqueue a rebuild: %w", err)
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "report_rebuild", "report", who.CompanyID, nil)
	})
	if err != nil {
		return nil, err
	}
	return s.State(ctx, who.CompanyID)
}

// beginBuild begins a rebuild that nobody asked for: there is nothing to go on from.
func (s *Service) beginBuild(ctx context.Context, company uuid.UUID) error {
	return s.DB.InTx(ctx, func(tx db.Tx) error {
		_, err := s.beginBuildIn(ctx, tx, company)
		return err
	})
}

// beginBuildIn begins the next generation and writes an event, so that the place
// from which it is followed later is an event that there is.
func (s *Service) beginBuildIn(ctx context.Context, tx db.Tx, company uuid.UUID) (began bool, err error) {
	rows, err := tx.ReportBuildBegin(ctx, s.Now(), company)
	if err != nil {
		return false, fmt.Errorf("begin a rebuild: %w", err)
	}
	if rows == 0 {
		return false, nil
	}
	return true, s.tell(ctx, tx, company, RebuildStartedEvent)
}

func (s *Service) tell(ctx context.Context, tx db.Tx, company uuid.UUID, kind string) error {
	err := tx.EventCreate(ctx, db.EventCreateParams{CompanyID: company, Kind: kind, SubjectID: company, Now: s.Now()})
	if err != nil {
		return fmt.Errorf("tell of a rebuild: %w", err)
	}
	return nil
}

// build takes a rebuild one step further: it finds its place, or counts the next
// cards, the last of which end it.
func (s *Service) build(ctx context.Context, state db.ReportStateReadRow) error {
	if state.BuildEventID == nil {
		asked := s.Now()
		settled, err := s.settled(ctx)
		if err != nil {
			return err
		}
		return one(s.DB.ReportBuildPlace(ctx, db.ReportBuildPlaceParams{
			CompanyID: state.CompanyID, SettledID: settled, CompleteTo: &asked, Now: s.Now(), BuildGeneration: state.BuildGeneration,
		}))
	}
	batch := or(s.CardsBatch, DefaultCardsBatch)
	return s.DB.InTx(ctx, func(tx db.Tx) error {
		if err := tx.ReportPlanner(ctx); err != nil {
			return fmt.Errorf("set up the counting of movements: %w", err)
		}
		chunk, err := tx.ReportBuildChunk(ctx, db.ReportBuildChunkParams{
			CompanyID: state.CompanyID, After: state.BuildCardID, BatchSize: int32(batch), TimeZone: *state.BuildTimeZone,
			PlaceID: *state.BuildEventID, Generation: *state.BuildGeneration,
		})
		if err != nil {
			return fmt.Errorf("count the movements of cards: %w", err)
		}
		if int(chunk.Cards) == batch {
			return one(tx.ReportBuildMove(ctx, db.ReportBuildMoveParams{
				CompanyID: state.CompanyID, BuildGeneration: state.BuildGeneration, FromCardID: state.BuildCardID,
				ToCardID: &chunk.LastID, Cards: int64(chunk.Cards), Now: s.Now(),
			}))
		}
		err = one(tx.ReportBuildEnd(ctx, db.ReportBuildEndParams{
			CompanyID: state.CompanyID, BuildGeneration: state.BuildGeneration, FromCardID: state.BuildCardID,
			Cards: int64(chunk.Cards), Now: s.Now(),
		}))
		if err != nil {
			return err
		}
		return s.tell(ctx, tx, state.CompanyID, RebuiltEvent)
	})
}

// State is how far a company's figures are.
type State struct {
	// CompleteTo: what was committed before is counted; nil before the first count.
	CompleteTo *time.Time
	// TimeZone is the one of the figures' days, "" before the first count.
	TimeZone  string
	RebuiltAt *time.Time
	// Rebuilding tells that a rebuild runs, RebuildCards how many cards it, or the
	// one before, has counted.
	Rebuilding   bool
	RebuildCards int64
}

// State reads how far a company's figures are.
func (s *Service) State(ctx context.Context, company uuid.UUID) (*State, error) {
	row, err := s.DB.ReportStateRead(ctx, company)
	if db.Absent(err) {
		return &State{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read where a company's figures stand: %w", err)
	}
	return &State{
		CompleteTo: row.CompleteTo, TimeZone: row.TimeZone, RebuiltAt: row.RebuiltAt,
		Rebuilding: row.BuildGeneration != nil, RebuildCards: row.BuildCards,
	}, nil
}
