// Package customer keeps the people who collect points: their data, with the
// attributes that a company defines and the segments it puts them in; registers
// them as contacts of wallets; merges two rows of one person; and gives them what
// is held about them, or erases it.
package customer

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"sello/db"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
)

// Enqueuer inserts a job in the transaction that causes it: River's client.
type Enqueuer interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error)
}

// Coupons is what erasing and merging ask of the coupons; aggregates do not know
// each other.
type Coupons interface {
	// VoidOfCustomer voids and hides all coupons of a customer.
	VoidOfCustomer(ctx context.Context, tx db.Tx, who auth.Principal, customer uuid.UUID) error
	// MoveToCustomer gives all coupons of one customer to another.
	MoveToCustomer(ctx context.Context, tx db.Tx, who auth.Principal, from, into uuid.UUID) error
}

// Service runs the customers' operations. DB, Ledger and Now are required, Jobs by
// Erase and by AttributeCreate.
type Service struct {
	DB *db.Store
	// Now is the clock.
	Now  func() time.Time
	Jobs Enqueuer
	// Ledger keeps the cards: it opens those of contacts, ends those of erased people,
	// and gives those of merged ones to who they are now.
	Ledger *ledger.Service
	// Coupons are the company's coupons; nil where there are none.
	Coupons Coupons
}

// New makes the service on a store and the ledger.
func New(store *db.Store, books *ledger.Service, now func() time.Time) *Service {
	return &Service{DB: store, Ledger: books, Now: now}
}
