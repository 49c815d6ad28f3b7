package customer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"sello/db"
)

// Queue is where the customers' jobs run.
const Queue = "default"

// attempts spread over hours by River's back-off.
const attempts = 12

// indexBatch is how many customers one step looks at.
const indexBatch = 5_000

// AttributeIndex is the job that puts what customers had under an attribute's name
// before it was defined into the index.
type AttributeIndex struct {
	CompanyID   uuid.UUID `json:"company_id" river:"unique"`
	AttributeID uuid.UUID `json:"attribute_id" river:"unique"`
}

// Kind is the job's name in River.
func (AttributeIndex) Kind() string { return "customer_attribute_index" }

// InsertOpts makes the job unique per attribute.
func (AttributeIndex) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: Queue, MaxAttempts: attempts, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

// AttributeIndexStep indexes the values of the next customers and tells whether
// that were the last. Each step is one transaction, which also notes how far it
// came: cut off anywhere, the next one goes on where the last one ended.
func (s *Service) AttributeIndexStep(ctx context.Context, company, id uuid.UUID) (done bool, err error) {
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		done = true
		a, err := tx.CustomerAttributeLock(ctx, company, id)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && a.IndexedAt != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("lock an attribute: %w", err)
		}
		after := uuid.UUID{}
		if a.IndexedTo != nil {
			after = *a.IndexedTo
		}
		upto, err := tx.CustomerAttributeIndexBatch(ctx, db.CustomerAttributeIndexBatchParams{CompanyID: company, After: after, BatchSize: indexBatch})
		advance := db.CustomerAttributeIndexAdvanceParams{CompanyID: company, ID: id}
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			advance.IndexedAt = new(s.Now())
		case err != nil:
			return fmt.Errorf("find the next customers: %w", err)
		default:
			done, advance.IndexedTo = false, &upto
			if err := indexValues(ctx, tx.Queries, a, after, upto); err != nil {
				return err
			}
		}
		if err := tx.CustomerAttributeIndexAdvance(ctx, advance); err != nil {
			return fmt.Errorf("note how far an attribute is indexed: %w", err)
		}
		return nil
	})
	return done, err
}

func indexValues(ctx context.Context, q *db.Queries, a db.CustomerAttribute, after, upto uuid.UUID) error {
	rows, err := q.CustomerAttributeIndexValues(ctx, db.CustomerAttributeIndexValuesParams{CompanyID: a.CompanyID, Code: a.Code, After: after, Upto: upto})
	if err != nil {
		return fmt.Errorf("read the values of an attribute: %w", err)
	}
	in := db.CustomerAttributeIndexAddParams{CompanyID: a.CompanyID, AttributeID: a.ID}
	for _, row := range rows {
		if _, key, ok := canonical(a, json.RawMessage(row.Value)); ok {
			in.Values, in.CustomerIds = append(in.Values, key), append(in.CustomerIds, row.ID)
		}
	}
	if len(in.Values) == 0 {
		return nil
	}
	if err := q.CustomerAttributeIndexAdd(ctx, in); err != nil {
		return fmt.Errorf("index the values of an attribute: %w", err)
	}
	return nil
}
