// Package imports takes in files of a company, row by row: today the bulk
// points assignment by CSV (spec/pretii.md 4). An upload is spooled, checked
// and staged ([Service.Upload]); a job applies it in chunks, each one
// transaction that also moves the import's cursor, so that a killed worker
// goes on where it stopped and no row is applied twice ([Service.ApplyStep]).
// What files look like is the matter of package pointsfile.
//
// An import is uploading (nobody sees it) → queued → running → finished,
// refused (the file as a whole), failed (given up after the job's retries) or
// cancelled. A failed or cancelled one can be queued again and goes on; the
// failed rows of a finished one can be tried again ([Service.Reprocess]).
package imports

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"sello/db"
	"sello/loyalty/auth"
	"sello/loyalty/imports/pointsfile"
)

// Status is the state of an import.
type Status string

// The states that anybody sees.
const (
	Queued    Status = "queued"
	Running   Status = "running"
	Finished  Status = "finished"
	Refused   Status = "refused"
	Failed    Status = "failed"
	Cancelled Status = "cancelled"
)

// Final tells that nothing happens any more unless somebody asks for it.
func (s Status) Final() bool { return s != Queued && s != Running }

// ProgressEvent is the kind of the events of an import; their seq is its
// progress_seq, their subject its id.
const ProgressEvent = "import_progressed"

// Defaults of a Service.
const (
	// DefaultChunkRows is the number of rows of one transaction. It keeps the
	// locks on cards below a second; larger chunks cost a little less a row.
	DefaultChunkRows = 5_000
	// stageRows is the number of rows that one COPY stages: a transaction open
	// for a whole file would hold back the readers of events.
	stageRows = 20_000
)

// Enqueuer inserts a job in the transaction that causes it: River's client.
type Enqueuer interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error)
}

// Service runs imports. DB, Jobs and Now are required; it is safe for
// concurrent use.
type Service struct {
	DB   *db.Store
	Jobs Enqueuer
	Now  func() time.Time

	// ChunkRows is the most rows of a chunk; DefaultChunkRows if zero.
	ChunkRows int
	// MaxBytes is the most bytes of an upload; pointsfile.MaxFileSize if zero.
	MaxBytes int64
	// MaxRows is the most data rows of a file; pointsfile.MaxRows if zero.
	MaxRows int
	// SpoolDir holds uploads while they are read; the system's if empty.
	SpoolDir string
	// Beat is how often an import tells that it goes on; a second if zero.
	Beat time.Duration

	// nextRows is how many rows the next chunk takes, 0 before the first.
	nextRows atomic.Int64
}

// Import is one file and how far it got.
type Import struct{ db.Import }

// State is the import's status.
func (i *Import) State() Status { return Status(i.Status) }

// RowsRead is the number of rows dealt with so far, applied and rejected: all
// of the file's once the import is finished (spec/pretii.md 4.6, filas).
func (i *Import) RowsRead() int32 { return i.RowsApplied + i.RowsFailed }

// Points is the sum of the points assigned: a whole number.
func (i *Import) Points() int64 {
	whole, _, _ := i.PointsAssigned.Int64(0)
	return whole
}

// Totals are the import's figures as the result mail tells them.
func (i *Import) Totals() pointsfile.Totals {
	return pointsfile.Totals{
		Rows: int64(i.RowsRead()), Applied: int64(i.RowsApplied), Rejected: int64(i.RowsFailed),
		CustomersCreated: int64(i.CustomersCreated), CustomersUpdated: int64(i.CustomersUpdated),
		PointsAssigned: i.Points(),
	}
}

// pacedRows is how many rows the next chunk takes: as many as ChunkRows, and fewer where
// the last ones took longer than a beat, so that progress is told in time on a machine
// that is slow or busy.
func (s *Service) pacedRows() int {
	most := DefaultChunkRows
	if s.ChunkRows > 0 {
		most = s.ChunkRows
	}
	if paced := int(s.nextRows.Load()); paced > 0 {
		return min(paced, most)
	}
	return most
}

// pace tells how long a chunk takes: the domain reads no clock.
type pace struct{ quick, slow *time.Timer }

func (s *Service) startPace() pace {
	return pace{quick: time.NewTimer(s.beatEvery() / 4), slow: time.NewTimer(s.beatEvery())}
}

// keepPace takes from how long a chunk took how many rows the next one has.
func (s *Service) keepPace(rows int, took pace) {
	select {
	case <-took.slow.C:
		rows = max(1, rows/2)
	default:
		select {
		case <-took.quick.C:
		default:
			rows *= 2
		}
	}
	s.nextRows.Store(int64(min(rows, 1_000_000)))
}

func (s *Service) beatEvery() time.Duration {
	if s.Beat > 0 {
		return s.Beat
	}
	return time.Second
}

// tell writes the event of one step of an import.
func (s *Service) tell(ctx context.Context, q *db.Queries, row db.Import) error {
	err := q.EventCreate(ctx, db.EventCreateParams{
		CompanyID: row.CompanyID, Kind: ProgressEvent, SubjectID: row.ID, Seq: row.ProgressSeq, Now: row.UpdatedAt,
	})
	if err != nil {
		return fmt.Errorf("tell an import's progress: %w", err)
	}
	return nil
}

// enqueue queues the job that applies an import, in the transaction that made
// it queued.
func (s *Service) enqueue(ctx context.Context, tx db.Tx, row db.Import) error {
	args := Apply{CompanyID: row.CompanyID, ImportID: row.ID, Pass: row.Pass, Step: row.ProgressSeq}
	if _, err := s.Jobs.InsertTx(ctx, tx.Conn, args, nil); err != nil {
		return fmt.Errorf("enqueue an import: %w", err)
	}
	return nil
}

// audit notes who did what to an import, without personal data.
func (s *Service) audit(ctx context.Context, q *db.Queries, actor auth.Principal, action string, row db.Import, detail map[string]any) error {
	text, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("encode an audit entry: %w", err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make an id: %w", err)
	}
	err = q.AuditEntryCreate(ctx, db.AuditEntryCreateParams{
		CompanyID: row.CompanyID, ID: id, ActorKind: string(actor.Kind), ActorID: subjectOf(actor), Action: action,
		TargetType: "import", TargetID: &row.ID, Detail: text, At: s.Now(),
	})
	if err != nil {
		return fmt.Errorf("note an import in the audit: %w", err)
	}
	return nil
}

func subjectOf(actor auth.Principal) *uuid.UUID {
	if actor.Subject == uuid.Nil {
		return nil
	}
	return &actor.Subject
}
