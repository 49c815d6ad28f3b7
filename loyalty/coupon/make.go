package coupon

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
)

// DefaultChunkCodes is the number of codes of one transaction: some hundred
// milliseconds, a few megabytes.
const DefaultChunkCodes = 10_000

// made is what a chunk came to.
type made struct {
	issued, collisions int32
	first, last        *uuid.UUID
}

// MakeStep takes a batch one chunk further and tells whether it is in a final
// state. The chunk's coupons and the batch's figures are one transaction: cut off
// anywhere, it is undone, and the next call makes up for it with other codes. Calls
// at the same time follow each other. Of a batch that is not there it says done:
// nothing is left to do.
func (s *Service) MakeStep(ctx context.Context, company, id uuid.UUID) (done bool, err error) {
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		row, err := tx.CouponBatchLock(ctx, company, id)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			done = true
			return nil
		case err != nil:
			return fmt.Errorf("lock a batch of coupons: %w", err)
		}
		if done = BatchStatus(row.Status).Final(); done {
			return nil
		}
		t, err := tx.CouponTypeByID(ctx, company, row.CouponTypeID)
		if err != nil {
			return fmt.Errorf("read a coupon type: %w", err)
		}
		chunk, err := s.makeChunk(ctx, tx, row, &Type{t})
		if err != nil {
			return err
		}
		status := BatchRunning
		if done = row.CodesIssued+chunk.issued == row.CodesTotal; done {
			status = BatchFinished
		}
		_, err = s.step(ctx, tx, row, status, chunk)
		return err
	})
	return done, err
}

// step moves a locked batch to a state and over a chunk, and tells of it.
func (s *Service) step(ctx context.Context, tx db.Tx, row db.CouponBatch, status BatchStatus, chunk made) (db.CouponBatch, error) {
	p := db.CouponBatchStepParams{
		CompanyID: row.CompanyID, ID: row.ID, Status: string(status), Issued: chunk.issued, Collisions: chunk.collisions,
		FirstCouponID: chunk.first, LastCouponID: chunk.last, Now: s.Now(),
	}
	if status == BatchRunning || status == BatchFinished {
		p.StartedAt = new(s.Now())
	}
	if status.Final() {
		p.FinishedAt = new(s.Now())
	}
	row, err := tx.CouponBatchStep(ctx, p)
	if err != nil {
		return row, fmt.Errorf("move a batch of coupons on: %w", err)
	}
	return row, s.tell(ctx, tx.Queries, row.CompanyID, ProgressEvent, row.ID, row.ProgressSeq)
}

// makeChunk makes the next coupons of a batch by COPY, and where a code is
// somebody's, those whose codes are free.
func (s *Service) makeChunk(ctx context.Context, tx db.Tx, row db.CouponBatch, t *Type) (made, error) {
	size := s.ChunkCodes
	if size == 0 {
		size = DefaultChunkCodes
	}
	ids, codes, err := draw(t, min(size, int(row.CodesTotal-row.CodesIssued)))
	if err != nil {
		return made{}, err
	}
	chunk := made{issued: int32(len(ids)), first: &ids[0], last: &ids[len(ids)-1]}
	// Nominated coupons are not made in batches, so none of these is.
	copied := make([]db.CouponsCopyParams, len(ids))
	now := s.Now()
	for i := range ids {
		copied[i] = db.CouponsCopyParams{
			CompanyID: row.CompanyID, ID: ids[i], CouponTypeID: row.CouponTypeID, BatchID: &row.ID, Code: codes[i], Status: string(Active),
			Value: row.Value, MaxUses: row.MaxUses, ValidFrom: row.ValidFrom, ExpiresOn: row.ExpiresOn,
			IssuedAt: now, UpdatedAt: now,
		}
	}
	err = pgx.BeginFunc(ctx, tx.Conn, func(savepoint pgx.Tx) error {
		_, err := db.New(savepoint).CouponsCopy(ctx, copied)
		return err
	})
	if db.Violates(err, "coupon_code_key") {
		free, err := tx.CouponsInsertFree(ctx, db.CouponsInsertFreeParams{
			CompanyID: row.CompanyID, CouponTypeID: row.CouponTypeID, BatchID: &row.ID, Value: row.Value,
			MaxUses: row.MaxUses, ValidFrom: row.ValidFrom, ExpiresOn: row.ExpiresOn, Ids: ids, Codes: codes, Now: now,
		})
		if err != nil {
			return made{}, fmt.Errorf("make coupons whose codes are free: %w", err)
		}
		chunk.issued, chunk.collisions = int32(free), chunk.issued-int32(free)
		return chunk, nil
	}
	if err != nil {
		return made{}, fmt.Errorf("make coupons: %w", err)
	}
	return chunk, nil
}

// draw makes ids in their order, and codes without repeats.
func draw(t *Type, n int) (ids []uuid.UUID, codes []string, err error) {
	ids, codes = make([]uuid.UUID, n), make([]string, 0, n)
	seen := make(map[string]struct{}, n)
	for d := t.codes().drawer(); len(codes) < n; {
		code := d.draw()
		if _, again := seen[code]; again {
			continue
		}
		seen[code] = struct{}{}
		codes = append(codes, code)
	}
	for i := range ids {
		if ids[i], err = uuid.NewV7(); err != nil {
			return nil, nil, fmt.Errorf("make an id: %w", err)
		}
	}
	return ids, codes, nil
}
