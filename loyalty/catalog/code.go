package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// CodeStatus is the state of a serial code.
type CodeStatus string

// The states of a serial code. CodeExpired is what readers see of an unused one
// past its last day.
const (
	CodeUnused  CodeStatus = "unused"
	CodeUsed    CodeStatus = "used"
	CodeBlocked CodeStatus = "blocked"
	CodeExpired CodeStatus = "expired"
)

// Code is a serial code: it can be used once.
type Code struct {
	db.ProductCode
	pastDay bool
	batch   *loyalty.Batch[Code]
}

// GlobalID is the code's opaque id.
func (c *Code) GlobalID() string { return loyalty.GlobalID("ProductCode", c.ID.String()) }

// State is the code's status on the day on which it was read.
func (c *Code) State() CodeStatus {
	if CodeStatus(c.Status) == CodeUnused && c.pastDay {
		return CodeExpired
	}
	return CodeStatus(c.Status)
}

// LotGlobalID names the codes that were made together with it.
func (c *Code) LotGlobalID() string { return LotGlobalID(c.LotID) }

// LotGlobalID is the opaque id of codes that were made together.
func LotGlobalID(lot uuid.UUID) string { return loyalty.GlobalID("ProductCodeLot", lot.String()) }

// Batch is the list the code was read with, nil for one read alone.
func (c *Code) Batch() *loyalty.Batch[Code] { return c.batch }

func codes[R any](rows []R, part func(R) (db.ProductCode, bool)) []*Code {
	all := make([]*Code, len(rows))
	for i, row := range rows {
		c, past := part(row)
		all[i] = &Code{ProductCode: c, pastDay: past}
	}
	batch := loyalty.NewBatch(all)
	for _, c := range all {
		c.batch = batch
	}
	return all
}

// CodeByText reads a serial code by its text, in any case; nil if the company has
// no such code.
func (s *Service) CodeByText(ctx context.Context, company uuid.UUID, text string) (*Code, error) {
	row, err := s.DB.ProductCodeByKey(ctx, db.ProductCodeByKeyParams{CompanyID: company, CodeKey: Key(text), Now: s.Now()})
	return codeOf(row.ProductCode, row.PastDay, err)
}

// CodeByID reads a serial code; nil if the company has none of that id.
func (s *Service) CodeByID(ctx context.Context, company, id uuid.UUID) (*Code, error) {
	row, err := s.DB.ProductCodeByID(ctx, db.ProductCodeByIDParams{CompanyID: company, ID: id, Now: s.Now()})
	return codeOf(row.ProductCode, row.PastDay, err)
}

func codeOf(row db.ProductCode, pastDay bool, err error) (*Code, error) {
	if db.Absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a serial code: %w", err)
	}
	return &Code{ProductCode: row, pastDay: pastDay}, nil
}

// CodesByIDs reads serial codes by id, for the objects of a page that name them.
func (s *Service) CodesByIDs(ctx context.Context, company uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]*Code, error) {
	rows, err := s.DB.ProductCodesByIDs(ctx, db.ProductCodesByIDsParams{CompanyID: company, Ids: ids, Now: s.Now()})
	if err != nil {
		return nil, fmt.Errorf("read serial codes: %w", err)
	}
	found := make(map[uuid.UUID]*Code, len(rows))
	for _, c := range codes(rows, func(r db.ProductCodesByIDsRow) (db.ProductCode, bool) { return r.ProductCode, r.PastDay }) {
		found[c.ID] = c
	}
	return found, nil
}

// CodeFilter picks serial codes: nil picks all.
type CodeFilter struct {
	Status      *CodeStatus
	ProductCode *string
	CustomerID  *uuid.UUID
	LotID       *uuid.UUID
}

// Codes reads a page of serial codes, oldest first, from behind an id. A product
// that is not there has none.
func (s *Service) Codes(ctx context.Context, company uuid.UUID, f CodeFilter, after *uuid.UUID, first int) (page []*Code, more bool, err error) {
	p := db.ProductCodesPageParams{
		CompanyID: company, After: after, Status: (*string)(f.Status), CustomerID: f.CustomerID, LotID: f.LotID, Now: s.Now(), BatchSize: int32(first) + 1,
	}
	if f.ProductCode != nil {
		product, err := s.ProductByCode(ctx, company, *f.ProductCode)
		if err != nil || product == nil {
			return nil, false, err
		}
		p.ProductID = &product.ID
	}
	rows, err := s.DB.ProductCodesPage(ctx, p)
	if err != nil {
		return nil, false, fmt.Errorf("list serial codes: %w", err)
	}
	page = codes(rows[:min(first, len(rows))], func(r db.ProductCodesPageRow) (db.ProductCode, bool) { return r.ProductCode, r.PastDay })
	return page, len(rows) > first, nil
}

// ProductOf reads the product of a serial code, and with it those of its batch.
func (s *Service) ProductOf(ctx context.Context, company uuid.UUID, c *Code) (*Product, error) {
	return loyalty.Together(c.batch, c, "product", func(all []*Code) (map[*Code]*Product, error) {
		return loyalty.Lookup(all, func(c *Code) (uuid.UUID, bool) { return c.ProductID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]*Product, error) { return s.ProductsByIDs(ctx, company, ids) })
	})
}

// Block keeps a code from being used, or lets it be used again. It refuses with
// PRODUCT_CODE_NOT_FOUND and PRODUCT_CODE_USED.
func (s *Service) Block(ctx context.Context, who auth.Principal, text string, blocked bool) (*Code, error) {
	status := CodeUnused
	if blocked {
		status = CodeBlocked
	}
	return s.change(ctx, who, text, func(tx db.Tx, c *Code) error {
		if CodeStatus(c.Status) == CodeUsed {
			return loyalty.Refuse(loyalty.CodeProductCodeUsed, "code")
		}
		err := tx.ProductCodeStatusSet(ctx, db.ProductCodeStatusSetParams{CompanyID: who.CompanyID, ID: c.ID, Status: string(status), Now: s.Now()})
		if err != nil {
			return fmt.Errorf("block a serial code: %w", err)
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "product_code_status_set", "product_code", c.ID, map[string]any{"status": string(status)})
	})
}

// Expire sets the last business day on which a code can be used; nil is for ever.
// It refuses with PRODUCT_CODE_NOT_FOUND and PRODUCT_CODE_USED.
func (s *Service) Expire(ctx context.Context, who auth.Principal, text string, on *time.Time) (*Code, error) {
	return s.change(ctx, who, text, func(tx db.Tx, c *Code) error {
		if CodeStatus(c.Status) == CodeUsed {
			return loyalty.Refuse(loyalty.CodeProductCodeUsed, "code")
		}
		err := tx.ProductCodeExpirySet(ctx, db.ProductCodeExpirySetParams{CompanyID: who.CompanyID, ID: c.ID, ExpiresOn: on, Now: s.Now()})
		if err != nil {
			return fmt.Errorf("set the last day of a serial code: %w", err)
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "product_code_expire", "product_code", c.ID, nil)
	})
}

// change runs fn on a locked code and answers what became of it.
func (s *Service) change(ctx context.Context, who auth.Principal, text string, fn func(db.Tx, *Code) error) (*Code, error) {
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		row, err := s.lock(ctx, tx, who.CompanyID, text)
		if err != nil {
			return err
		}
		return fn(tx, &Code{ProductCode: row.ProductCode, pastDay: row.PastDay})
	})
	if err != nil {
		return nil, err
	}
	return s.CodeByText(ctx, who.CompanyID, text)
}

// lock takes a code for the transaction. It refuses with PRODUCT_CODE_NOT_FOUND.
func (s *Service) lock(ctx context.Context, tx db.Tx, company uuid.UUID, text string) (db.ProductCodeLockRow, error) {
	row, err := tx.ProductCodeLock(ctx, db.ProductCodeLockParams{CompanyID: company, CodeKey: Key(text), Now: s.Now()})
	switch {
	case db.Absent(err):
		return row, loyalty.Refuse(loyalty.CodeProductCodeNotFound, "code")
	case err != nil:
		return row, fmt.Errorf("lock a serial code: %w", err)
	}
	return row, nil
}
