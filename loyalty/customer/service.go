// Package customer keeps the people who collect points: their data, with the
// attributes that a company defines and the segments it puts them in; registers
// them as contacts of wallets; merges two rows of one person; and gives them what
// is held about them, or erases it.
package customer

import (
	"context"
	"errors"
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

// Belongings are what another aggregate keeps of customers: merging asks it of each;
// aggregates do not know each other.
type Belongings interface {
	// MoveToCustomer gives all that one customer has to another.
	MoveToCustomer(ctx context.Context, tx db.Tx, who auth.Principal, from, into uuid.UUID) error
}

// Coupons is what erasing and merging ask of the coupons.
type Coupons interface {
	Belongings
	// VoidOfCustomer voids and hides all coupons of a customer.
	VoidOfCustomer(ctx context.Context, tx db.Tx, who auth.Principal, customer uuid.UUID) error
}

// Service runs the customers' operations. DB, Ledger and Now are required, Jobs by
// Erase and by AttributeCreate, and what others keep of customers by Erase and by
// Merge.
type Service struct {
	DB *db.Store
	// Now is the clock.
	Now  func() time.Time
	Jobs Enqueuer
	// Ledger keeps the cards: it opens those of contacts, ends those of erased people,
	// and gives those of merged ones to who they are now.
	Ledger *ledger.Service
	// Terms are what companies' contracts say of new contacts; nil: nothing.
	Terms Terms
	// Coupons, Codes and Claims are what customers have besides: coupons, serial codes
	// that they used, and rewards that they claimed.
	Coupons       Coupons
	Codes, Claims Belongings
}

// complete tells of a service that knows only a part of what customers have: it would
// leave the rest with somebody who is gone.
func (s *Service) complete() error {
	if s.Coupons == nil || s.Codes == nil || s.Claims == nil {
		return errors.New("the customers' service does not know all that customers have: coupons, serial codes and claims")
	}
	return nil
}

// New makes the service on a store and the ledger.
func New(store *db.Store, books *ledger.Service, now func() time.Time) *Service {
	return &Service{DB: store, Ledger: books, Now: now}
}
