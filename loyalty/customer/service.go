// Package customer keeps the people who collect points, and registers them as
// contacts of wallets.
package customer

import (
	"time"

	"sello/db"
)

// Service runs the customers' operations.
type Service struct {
	DB *db.Store
	// Now is the clock.
	Now func() time.Time
}

// New makes the service on a store.
func New(store *db.Store, now func() time.Time) *Service { return &Service{DB: store, Now: now} }
