package imports

import (
	"github.com/google/uuid"
	"github.com/riverqueue/river"
)

// Apply is the job that applies an import. It is put to sleep and goes on
// until the import is in a final state.
type Apply struct {
	CompanyID uuid.UUID `json:"company_id" river:"unique"`
	ImportID  uuid.UUID `json:"import_id" river:"unique"`
	Pass      int16     `json:"pass" river:"unique"`
	// Step is the import's progress_seq when it was queued. It tells the job of
	// an import that is queued again from the one before, which River may still
	// count as running when it has just given up.
	Step int64 `json:"step" river:"unique"`
}

// Queue is where imports run.
const Queue = "imports"

// applyAttempts is how often an import is tried before it is given up. A chunk
// that succeeds does not count.
const applyAttempts = 25

// Kind is the job's name in River.
func (Apply) Kind() string { return "import_apply" }

// InsertOpts makes the job unique per import, pass and queueing.
func (Apply) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: Queue, MaxAttempts: applyAttempts, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}
