package imports

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/imports/pointsfile"
)

// RowError is a rejected row as people are shown it (spec/pretii.md 4.6).
type RowError struct {
	// Line is the physical line of the file on which the row starts.
	Line int32
	Code pointsfile.Code
	// Reason is the motivo, in Spanish.
	Reason string
	// Value is the offending cell, at most 100 characters; blank for errors of
	// the whole row.
	Value string
}

// ErrorsShown is how many rejected rows the object of an import carries
// (spec/pretii.md 4.6).
const ErrorsShown = 100

// Get reads an import. It refuses with IMPORT_NOT_FOUND.
func (s *Service) Get(ctx context.Context, company, id uuid.UUID) (*Import, error) {
	row, err := s.DB.ImportByID(ctx, company, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, loyalty.Refuse(loyalty.CodeImportNotFound, "id")
	}
	if err != nil {
		return nil, fmt.Errorf("read an import: %w", err)
	}
	return &Import{row}, nil
}

// ByIDs reads the imports of a page of ids at once, in the order of their ids;
// ids that are not there are left out.
func (s *Service) ByIDs(ctx context.Context, company uuid.UUID, ids []uuid.UUID) ([]*Import, error) {
	rows, err := s.DB.ImportsByIDs(ctx, company, ids)
	if err != nil {
		return nil, fmt.Errorf("read imports: %w", err)
	}
	return asImports(rows), nil
}

// List reads imports newest first, from below the id given (nil: from the
// newest), of one status or of all.
func (s *Service) List(ctx context.Context, company uuid.UUID, before *uuid.UUID, status *Status, limit int) ([]*Import, error) {
	rows, err := s.DB.ImportsPage(ctx, db.ImportsPageParams{
		CompanyID: company, Before: before, Status: (*string)(status), BatchSize: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list imports: %w", err)
	}
	return asImports(rows), nil
}

// Count is the number of a company's imports.
func (s *Service) Count(ctx context.Context, company uuid.UUID) (int64, error) {
	n, err := s.DB.ImportsCount(ctx, company)
	if err != nil {
		return 0, fmt.Errorf("count imports: %w", err)
	}
	return n, nil
}

func asImports(rows []db.Import) []*Import {
	list := make([]*Import, len(rows))
	for i, row := range rows {
		list[i] = &Import{row}
	}
	return list
}

// Errors lists rejected rows in file order, from behind a line. While the first
// pass runs, only those it has come past.
func (s *Service) Errors(ctx context.Context, company, id uuid.UUID, afterLine int32, limit int) ([]RowError, error) {
	page, err := errorsPage(ctx, s.DB.Queries, company, id, afterLine, limit)
	if err != nil {
		return nil, err
	}
	list := make([]RowError, len(page))
	for i, e := range page {
		list[i] = e.RowError
	}
	return list, nil
}

// rejected is a rejected row with its cells.
type rejected struct {
	RowError
	raw string
}

func errorsPage(ctx context.Context, q *db.Queries, company, id uuid.UUID, afterLine int32, limit int) ([]rejected, error) {
	rows, err := q.ImportErrorsPage(ctx, db.ImportErrorsPageParams{
		CompanyID: company, ImportID: id, AfterLine: afterLine, BatchSize: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("list rejected rows: %w", err)
	}
	page := make([]rejected, len(rows))
	for i, row := range rows {
		e := RowError{Line: row.Line, Code: pointsfile.Code(*row.ErrorCode)}
		var firstLine int64
		if row.ErrorLine != nil {
			firstLine = int64(*row.ErrorLine)
		}
		e.Reason = Reason(e.Code, firstLine)
		if row.ErrorValue != nil {
			e.Value = *row.ErrorValue
		}
		page[i] = rejected{e, row.Raw}
	}
	return page, nil
}

// Reason is the motivo of any rejected row, in Spanish; firstLine is that of an
// e-mail given twice.
func Reason(code pointsfile.Code, firstLine int64) string {
	if words, own := ownReasons[code]; own {
		return words
	}
	return pointsfile.Reason(code, firstLine)
}

// errorFilePage is the number of rejected rows held at a time.
const errorFilePage = 1000

// WriteErrorFile writes the file of an import's rejected rows (spec/pretii.md
// 4.6), a page at a time whatever its size. It refuses with IMPORT_NOT_FOUND
// before the first byte.
func (s *Service) WriteErrorFile(ctx context.Context, company, id uuid.UUID, w io.Writer) error {
	imp, err := s.Get(ctx, company, id)
	if err != nil {
		return err
	}
	return writeErrorFile(ctx, s.DB.Queries, imp.Import, w)
}

func writeErrorFile(ctx context.Context, q *db.Queries, row db.Import, w io.Writer) error {
	file, err := pointsfile.NewErrorFile(w, pointsfile.SplitCells(row.Header), row.Delimiter[0])
	if err != nil {
		return fmt.Errorf("write rejected rows: %w", err)
	}
	for after := int32(0); ; {
		page, err := errorsPage(ctx, q, row.CompanyID, row.ID, after, errorFilePage)
		if err != nil {
			return err
		}
		for _, e := range page {
			if err := file.Write(e.raw, int64(e.Line), e.Reason); err != nil {
				return fmt.Errorf("write rejected rows: %w", err)
			}
			after = e.Line
		}
		if len(page) < errorFilePage {
			break
		}
	}
	if err := file.Flush(); err != nil {
		return fmt.Errorf("write rejected rows: %w", err)
	}
	return nil
}
