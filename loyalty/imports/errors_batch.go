package imports

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty/imports/pointsfile"
)

// ErrorsPage is a page of an import's rejected rows and whether more follow.
type ErrorsPage struct {
	Errors []RowError
	More   bool
}

// ErrorsByImports lists the first rejected rows of each import, from behind a
// line, in one statement for all: what [Service.Errors] answers for one.
func (s *Service) ErrorsByImports(ctx context.Context, company uuid.UUID, ids []uuid.UUID, afterLine int32, first int) (map[uuid.UUID]ErrorsPage, error) {
	rows, err := s.DB.ImportErrorsByImports(ctx, db.ImportErrorsByImportsParams{
		CompanyID: company, ImportIds: ids, AfterLine: afterLine, BatchSize: int32(first) + 1,
	})
	if err != nil {
		return nil, fmt.Errorf("list imports' rejected rows: %w", err)
	}
	pages := make(map[uuid.UUID]ErrorsPage, len(ids))
	for _, row := range rows {
		page := pages[row.ImportID]
		if len(page.Errors) == first {
			page.More = true
		} else {
			page.Errors = append(page.Errors, rowErrorOf(row))
		}
		pages[row.ImportID] = page
	}
	return pages, nil
}

func rowErrorOf(row db.ImportErrorsByImportsRow) RowError {
	e := RowError{Line: row.Line, Code: pointsfile.Code(*row.ErrorCode)}
	var firstLine int64
	if row.ErrorLine != nil {
		firstLine = int64(*row.ErrorLine)
	}
	e.Reason = Reason(e.Code, firstLine)
	if row.ErrorValue != nil {
		e.Value = *row.ErrorValue
	}
	return e
}
