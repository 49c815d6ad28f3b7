// Package report tells what the books come to: figures per day, what the company
// owes its members, balances of a past instant, and checks of the books that
// operators ask for (design.md, "The ledger": the programme's own accounts are sums
// over movements, never hot rows).
//
// The figures per day are kept in daily_stat by a job that follows the events of
// postings, one company at a time. It counts each movement once: a range of events
// is counted, and the place moved behind it, in one transaction, and a range ends
// where events are settled ([db.Store.EventsSettled]). What events do not tell any
// more, a rebuild counts from the movements themselves.
package report

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"sello/db"
	"sello/loyalty/ledger"
)

// Enqueuer inserts jobs in the transaction that causes them: River's client.
type Enqueuer interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error)
	InsertManyTx(ctx context.Context, tx pgx.Tx, params []river.InsertManyParams) ([]*rivertype.JobInsertResult, error)
}

// Service counts and tells. All fields but those said to have defaults are
// required; it is safe for concurrent use.
type Service struct {
	DB *db.Store
	// Read answers what may be a little late and says how late: a replica's
	// statements (DATABASE_READ_URL). DB if nil, or if it cannot be reached.
	Read   *db.Store
	Ledger *ledger.Service
	Jobs   Enqueuer
	Now    func() time.Time

	// EventsBatch and CardsBatch are how many events, or cards of a rebuild, are
	// counted in one transaction.
	EventsBatch, CardsBatch int
	// SettleWait is how long a run waits for events to settle before it leaves them
	// to the next.
	SettleWait time.Duration
}

// Defaults of Service.
const (
	DefaultEventsBatch = 10_000
	DefaultCardsBatch  = 5_000
	DefaultSettleWait  = 10 * time.Second
)

// read answers a report from the replica, or from the books themselves where there
// is none to be reached.
func read[T any](s *Service, ask func(*db.Store) (T, error)) (T, error) {
	if s.Read != nil {
		answer, err := ask(s.Read)
		if !db.Unreachable(err) {
			return answer, err
		}
	}
	return ask(s.DB)
}

func or[T int | time.Duration](value, fallback T) T {
	if value > 0 {
		return value
	}
	return fallback
}
