package customer

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"sello/db"
)

const (
	// traceBatch is how many staged rows one step looks through.
	traceBatch = 20_000
	// tellingDocument is how long a document is that means nobody else where it
	// stands among other cells.
	tellingDocument = 6
)

// TraceErase is the job that takes an erased person out of the files that were
// imported: there is no index on what people are called there, so that it looks
// through all of them.
type TraceErase struct {
	CompanyID uuid.UUID `json:"company_id" river:"unique"`
	ErasureID uuid.UUID `json:"erasure_id" river:"unique"`
}

// Kind is the job's name in River.
func (TraceErase) Kind() string { return "customer_trace_erase" }

// InsertOpts makes the job unique per erasure.
func (TraceErase) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: Queue, MaxAttempts: attempts, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

// queueTraces notes what an erased person is known by in imported files, for the
// job that looks for it.
func (s *Service) queueTraces(ctx context.Context, tx db.Tx, company uuid.UUID, people []db.Customer, ids []uuid.UUID) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make an id: %w", err)
	}
	erasure := db.CustomerErasureCreateParams{CompanyID: company, ID: id, CustomerIds: ids, Emails: []string{}, DocumentKeys: []string{}, Now: s.Now()}
	for _, c := range people {
		if c.Email != nil {
			erasure.Emails = append(erasure.Emails, *c.Email)
		}
		if c.DocumentKey != nil {
			erasure.DocumentKeys = append(erasure.DocumentKeys, *c.DocumentKey)
		}
	}
	if err := tx.CustomerErasureCreate(ctx, erasure); err != nil {
		return fmt.Errorf("note an erasure: %w", err)
	}
	if _, err := s.Jobs.InsertTx(ctx, tx.Conn, TraceErase{CompanyID: company, ErasureID: id}, nil); err != nil {
		return fmt.Errorf("enqueue an erasure: %w", err)
	}
	return nil
}

// TraceEraseStep takes an erasure one step further and tells whether it was the
// last: first the rows that posted on the person's cards, then, through all staged
// rows of the company, those that name the person. Each step is one transaction
// which also notes how far it came; with the last one what was searched for is
// forgotten. Dropping rows changes no books: what a row posted is in its movement,
// and a row that has gone posts nothing.
func (s *Service) TraceEraseStep(ctx context.Context, company, id uuid.UUID) (done bool, err error) {
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		done = true
		row, err := tx.CustomerErasureLock(ctx, company, id)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && row.FinishedAt != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("lock an erasure: %w", err)
		}
		advance := db.CustomerErasureAdvanceParams{CompanyID: company, ID: id, CursorImportID: row.CursorImportID, CursorLine: row.CursorLine}
		if row.CursorImportID == nil {
			advance.RowsDeleted, err = tx.CustomerErasureLinked(ctx, db.CustomerErasureLinkedParams{
				CompanyID: company, CustomerIds: row.CustomerIds, BatchSize: traceBatch,
			})
			if err == nil && advance.RowsDeleted < traceBatch {
				advance.CursorImportID = new(uuid.UUID{})
			}
			done = false
		} else {
			done, err = s.searchTraces(ctx, tx.Queries, row, &advance)
		}
		if err != nil {
			return fmt.Errorf("drop an erased person's rows: %w", err)
		}
		if done {
			advance.FinishedAt = new(s.Now())
		}
		if err := tx.CustomerErasureAdvance(ctx, advance); err != nil {
			return fmt.Errorf("note how far an erasure is: %w", err)
		}
		return nil
	})
	return done, err
}

func (s *Service) searchTraces(ctx context.Context, q *db.Queries, row db.CustomerErasure, advance *db.CustomerErasureAdvanceParams) (last bool, err error) {
	step, err := q.CustomerErasureStep(ctx, db.CustomerErasureStepParams{
		CompanyID: row.CompanyID, CustomerIds: row.CustomerIds, Emails: row.Emails, DocumentKeys: row.DocumentKeys,
		Pattern: cellsPattern(row.Emails, row.DocumentKeys), AfterImportID: *row.CursorImportID, AfterLine: row.CursorLine, BatchSize: traceBatch,
	})
	if err != nil {
		return false, err
	}
	advance.CursorImportID, advance.CursorLine, advance.RowsDeleted = &step.LastImportID, step.LastLine, step.RowsDeleted
	return step.RowsRead < traceBatch, nil
}

// cellsPattern finds, among the cells of a row as they were sent, an e-mail or a
// document that is not part of a longer one; nil for nothing to look for. A row that
// was rejected may have them in the wrong column.
func cellsPattern(emails, documents []string) *string {
	var names []string
	for _, text := range emails {
		names = append(names, regexp.QuoteMeta(text))
	}
	for _, text := range documents {
		if utf8.RuneCountInString(text) >= tellingDocument {
			names = append(names, regexp.QuoteMeta(text))
		}
	}
	if len(names) == 0 {
		return nil
	}
	return new(`(^|[^[:alnum:].@_+-])(` + strings.Join(names, "|") + `)($|[^[:alnum:].@_+-])`)
}
