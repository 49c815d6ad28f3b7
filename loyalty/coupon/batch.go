package coupon

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
	"sello/loyalty/once"
)

// BatchStatus is the state of a batch.
type BatchStatus string

// The states of a batch.
const (
	BatchQueued    BatchStatus = "queued"
	BatchRunning   BatchStatus = "running"
	BatchFinished  BatchStatus = "finished"
	BatchCancelled BatchStatus = "cancelled"
	BatchFailed    BatchStatus = "failed"
)

// Final tells that nothing happens any more unless somebody asks for it.
func (s BatchStatus) Final() bool { return s != BatchQueued && s != BatchRunning }

// ProgressEvent is the kind of the events of a batch; their seq is its
// progress_seq, their subject its id.
const ProgressEvent = "coupon_batch_progressed"

// MaxBatchCodes is the most codes of one batch.
const MaxBatchCodes = 10_000_000

// Batch is many coupons made by one job, and how far it got.
type Batch struct {
	db.CouponBatch
	list *loyalty.Batch[Batch]
}

// GlobalID is the batch's opaque id.
func (b *Batch) GlobalID() string { return loyalty.GlobalID("CouponBatch", b.ID.String()) }

// State is the batch's status.
func (b *Batch) State() BatchStatus { return BatchStatus(b.Status) }

// NewBatch says what to make.
type NewBatch struct {
	TypeCode string
	Codes    int
	// Name is a text for people, such as the campaign.
	Name string
	// Value is that of its coupons instead of the type's.
	Value *decimal.Decimal
	// Key makes it repeatable; nil makes a batch whenever it is called.
	Key *ledger.Key
}

// BatchCreate queues a batch of coupons of a type. Their days are decided now, by
// the company's day. It refuses with the rules of the fields,
// COUPON_TYPE_NOT_FOUND, COUPON_TYPE_ARCHIVED and COUPON_CUSTOMER_REQUIRED (a
// nominated coupon is issued to somebody, one by one).
func (s *Service) BatchCreate(ctx context.Context, who auth.Principal, in NewBatch) (b *Batch, replayed bool, err error) {
	if in.Codes < 1 || in.Codes > MaxBatchCodes {
		return nil, false, loyalty.Refuse(loyalty.CodeInvalid, "codes").With("atMost", fmt.Sprint(MaxBatchCodes))
	}
	if in.Value != nil {
		if err := loyalty.Amount(*in.Value, "value"); err != nil {
			return nil, false, err
		}
	}
	name, err := loyalty.OptionalText(in.Name, "name", 100)
	if err != nil {
		return nil, false, err
	}
	if !loyalty.Storable(in.TypeCode) {
		return nil, false, loyalty.Refuse(loyalty.CodeCouponTypeNotFound, "typeCode")
	}
	result, replayed, err := once.Do(ctx, s.DB.Queries, who.CompanyID, in.Key, s.Now(), func() (r once.Result, err error) {
		err = s.DB.InTx(ctx, func(tx db.Tx) error {
			row, err := s.batchCreate(ctx, tx, who, in, name)
			if err != nil {
				return err
			}
			r = once.Result{ID: row.ID}
			return once.Note(ctx, tx.Queries, who.CompanyID, in.Key, r, s.Now())
		})
		return r, err
	})
	if err != nil {
		return nil, false, refusedOr(err, "queue a batch of coupons")
	}
	b, err = s.BatchByID(ctx, who.CompanyID, result.ID)
	return b, replayed, err
}

func (s *Service) batchCreate(ctx context.Context, tx db.Tx, who auth.Principal, in NewBatch, name *string) (db.CouponBatch, error) {
	t, err := usable(ctx, tx.Queries, who.CompanyID, in.TypeCode)
	if err != nil {
		return db.CouponBatch{}, err
	}
	value, err := t.valueOf(in.Value)
	switch {
	case t.Nominated:
		return db.CouponBatch{}, loyalty.Refuse(loyalty.CodeCouponCustomerRequired, "typeCode")
	case err != nil:
		return db.CouponBatch{}, err
	}
	today, err := s.today(ctx, tx.Queries, who.CompanyID)
	if err != nil {
		return db.CouponBatch{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return db.CouponBatch{}, fmt.Errorf("make an id: %w", err)
	}
	p := db.CouponBatchCreateParams{
		CompanyID: who.CompanyID, ID: id, CouponTypeID: t.ID, Name: name, CodesTotal: int32(in.Codes), Value: value, MaxUses: t.MaxUses,
		ActorKind: string(who.Kind), ActorID: subject(who), Now: s.Now(),
	}
	p.ValidFrom, p.ExpiresOn = t.days(today)
	row, err := tx.CouponBatchCreate(ctx, p)
	if err != nil {
		return row, err
	}
	if err := s.enqueue(ctx, tx, row); err != nil {
		return row, err
	}
	return row, auth.Audit(ctx, tx.Queries, who, s.Now(), "coupon_batch_create", "coupon_batch", id, map[string]any{"codes": in.Codes})
}

// enqueue queues the job that makes a batch, in the transaction that made it
// queued.
func (s *Service) enqueue(ctx context.Context, tx db.Tx, row db.CouponBatch) error {
	args := MakeBatch{CompanyID: row.CompanyID, BatchID: row.ID, Step: row.ProgressSeq}
	if _, err := s.Jobs.InsertTx(ctx, tx.Conn, args, nil); err != nil {
		return fmt.Errorf("enqueue a batch of coupons: %w", err)
	}
	return nil
}

// BatchCancel ends a batch between two chunks: the coupons that are made stay. It
// refuses with COUPON_BATCH_NOT_FOUND and, of a batch that has ended,
// STATE_CONFLICT.
func (s *Service) BatchCancel(ctx context.Context, who auth.Principal, id uuid.UUID) (*Batch, error) {
	return s.changeBatch(ctx, who.CompanyID, id, func(tx db.Tx, row db.CouponBatch) error {
		if BatchStatus(row.Status).Final() {
			return loyalty.Refuse(loyalty.CodeStateConflict, "id")
		}
		if _, err := s.step(ctx, tx, row, BatchCancelled, made{}); err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "coupon_batch_cancel", "coupon_batch", id, map[string]any{"codes_issued": row.CodesIssued})
	})
}

// BatchResume lets a cancelled or a failed batch go on where it stopped. It refuses
// with COUPON_BATCH_NOT_FOUND and STATE_CONFLICT.
func (s *Service) BatchResume(ctx context.Context, who auth.Principal, id uuid.UUID) (*Batch, error) {
	return s.changeBatch(ctx, who.CompanyID, id, func(tx db.Tx, row db.CouponBatch) error {
		if now := BatchStatus(row.Status); now != BatchCancelled && now != BatchFailed {
			return loyalty.Refuse(loyalty.CodeStateConflict, "id")
		}
		row, err := s.step(ctx, tx, row, BatchQueued, made{})
		if err != nil {
			return err
		}
		if err := s.enqueue(ctx, tx, row); err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "coupon_batch_resume", "coupon_batch", id, nil)
	})
}

// BatchAbandon gives a batch up after its last attempt, or when its job is lost. It
// does nothing to one that has ended.
func (s *Service) BatchAbandon(ctx context.Context, company, id uuid.UUID) error {
	_, err := s.changeBatch(ctx, company, id, func(tx db.Tx, row db.CouponBatch) error {
		if BatchStatus(row.Status).Final() {
			return nil
		}
		_, err := s.step(ctx, tx, row, BatchFailed, made{})
		return err
	})
	return err
}

// lostJob is a silence longer than any queue or back-off.
const lostJob = 6 * time.Hour

// AbandonSilent gives up batches of all companies whose job is lost.
func (s *Service) AbandonSilent(ctx context.Context) (abandoned int, err error) {
	silent, err := s.DB.CouponBatchesSilent(ctx, s.Now().Add(-lostJob))
	if err != nil {
		return 0, fmt.Errorf("look for silent batches of coupons: %w", err)
	}
	var errs []error
	for _, b := range silent {
		if err := s.BatchAbandon(ctx, b.CompanyID, b.ID); err != nil {
			errs = append(errs, err)
			continue
		}
		abandoned++
	}
	return abandoned, errors.Join(errs...)
}

// JobCancelled cancels the batch of a job that was cancelled before it ran.
func (s *Service) JobCancelled(ctx context.Context, args []byte) error {
	var job MakeBatch
	if err := json.Unmarshal(args, &job); err != nil {
		return fmt.Errorf("read the arguments of a cancelled job: %w", err)
	}
	return s.CancelByJob(ctx, job.CompanyID, job.BatchID)
}

// CancelByJob is what becomes of a batch whose job an operator cancels in the job
// console. It does nothing to one that has ended.
func (s *Service) CancelByJob(ctx context.Context, company, id uuid.UUID) error {
	_, err := s.BatchCancel(ctx, auth.System(company), id)
	if loyalty.CodeOf(err) == loyalty.CodeStateConflict {
		return nil
	}
	return err
}

// changeBatch runs fn on a locked batch and answers what became of it.
func (s *Service) changeBatch(ctx context.Context, company, id uuid.UUID, fn func(db.Tx, db.CouponBatch) error) (*Batch, error) {
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		row, err := tx.CouponBatchLock(ctx, company, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return loyalty.Refuse(loyalty.CodeCouponBatchNotFound, "id")
		}
		if err != nil {
			return fmt.Errorf("lock a batch of coupons: %w", err)
		}
		return fn(tx, row)
	})
	if err != nil {
		return nil, err
	}
	return s.BatchByID(ctx, company, id)
}

// BatchByID reads a batch. It refuses with COUPON_BATCH_NOT_FOUND.
func (s *Service) BatchByID(ctx context.Context, company, id uuid.UUID) (*Batch, error) {
	row, err := s.DB.CouponBatchByID(ctx, company, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, loyalty.Refuse(loyalty.CodeCouponBatchNotFound, "id")
	}
	if err != nil {
		return nil, fmt.Errorf("read a batch of coupons: %w", err)
	}
	return &Batch{CouponBatch: row}, nil
}

func batches(rows []db.CouponBatch) []*Batch {
	all := make([]*Batch, len(rows))
	for i, row := range rows {
		all[i] = &Batch{CouponBatch: row}
	}
	list := loyalty.NewBatch(all)
	for _, b := range all {
		b.list = list
	}
	return all
}

func (s *Service) batchesByIDs(ctx context.Context, company uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]*Batch, error) {
	rows, err := s.DB.CouponBatchesByIDs(ctx, company, ids)
	if err != nil {
		return nil, fmt.Errorf("read batches of coupons: %w", err)
	}
	found := make(map[uuid.UUID]*Batch, len(rows))
	for _, b := range batches(rows) {
		found[b.ID] = b
	}
	return found, nil
}

// Batches reads a page of batches, newest first, from below an id: of a type and in
// a status, or of all. A type that is not there has none.
func (s *Service) Batches(ctx context.Context, company uuid.UUID, typeCode *string, status *BatchStatus, before *uuid.UUID, first int) (page []*Batch, more bool, err error) {
	p := db.CouponBatchesPageParams{CompanyID: company, Before: before, Status: (*string)(status), BatchSize: int32(first) + 1}
	if typeCode != nil {
		t, err := s.TypeByCode(ctx, company, *typeCode)
		if err != nil || t == nil {
			return nil, false, err
		}
		p.TypeID = &t.ID
	}
	rows, err := s.DB.CouponBatchesPage(ctx, p)
	if err != nil {
		return nil, false, fmt.Errorf("list batches of coupons: %w", err)
	}
	return batches(rows[:min(first, len(rows))]), len(rows) > first, nil
}

// TypeOfBatch reads the type of a batch, and with it those of its list.
func (s *Service) TypeOfBatch(ctx context.Context, company uuid.UUID, b *Batch) (*Type, error) {
	return loyalty.Together(b.list, b, "type", func(all []*Batch) (map[*Batch]*Type, error) {
		return loyalty.Lookup(all, func(b *Batch) (uuid.UUID, bool) { return b.CouponTypeID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]*Type, error) { return s.typesByIDs(ctx, company, ids) })
	})
}

// codesPage is the number of codes held at a time.
const codesPage = 10_000

// WriteCodes writes the codes of a batch as CSV with a header, a page at a time
// whatever its size: those that are made when it comes by. It refuses with
// COUPON_BATCH_NOT_FOUND before the first byte. A code begins with a letter or a
// digit, so no spreadsheet takes one for a formula.
func (s *Service) WriteCodes(ctx context.Context, company, id uuid.UUID, w io.Writer) error {
	b, err := s.BatchByID(ctx, company, id)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(w, 64<<10)
	file := csv.NewWriter(buffered)
	if err := file.Write([]string{"code", "status", "used", "expires_on"}); err != nil {
		return fmt.Errorf("write codes: %w", err)
	}
	for after := new(uuid.UUID); b.LastCouponID != nil; {
		rows, err := s.DB.CouponBatchCodes(ctx, db.CouponBatchCodesParams{
			CompanyID: company, BatchID: id, After: *after, LastID: *b.LastCouponID, Now: s.Now(), BatchSize: codesPage,
		})
		if err != nil {
			return fmt.Errorf("read codes: %w", err)
		}
		for _, row := range rows {
			c := Coupon{Coupon: db.Coupon{Status: row.Status}, pastDay: row.PastDay}
			last := ""
			if row.ExpiresOn != nil {
				last = row.ExpiresOn.Format(time.DateOnly)
			}
			if err := file.Write([]string{row.Code, string(c.State()), fmt.Sprint(row.Used), last}); err != nil {
				return fmt.Errorf("write codes: %w", err)
			}
			after = &row.ID
		}
		if len(rows) < codesPage {
			break
		}
	}
	file.Flush()
	if err := errors.Join(file.Error(), buffered.Flush()); err != nil {
		return fmt.Errorf("write codes: %w", err)
	}
	return nil
}
