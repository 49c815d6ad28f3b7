package customer

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
)

// FirstKeysFill gives the customers of a company who are from before it their first_key,
// by which they are listed, some at a time; nobody's again. It tells how many it gave.
func (s *Service) FirstKeysFill(ctx context.Context, company uuid.UUID) (filled int64, err error) {
	const batch = 1_000
	for after := (uuid.UUID{}); ; {
		rows, err := s.DB.CustomersFirstKeyMissing(ctx, db.CustomersFirstKeyMissingParams{CompanyID: company, After: after, BatchSize: batch})
		if err != nil {
			return filled, fmt.Errorf("look for customers without a first key: %w", err)
		}
		if len(rows) == 0 {
			return filled, nil
		}
		p := db.CustomersFirstKeySetParams{CompanyID: company}
		for _, row := range rows {
			p.Ids, p.FirstNames = append(p.Ids, row.ID), append(p.FirstNames, row.FirstName)
			p.FirstKeys = append(p.FirstKeys, loyalty.SearchKey(row.FirstName))
		}
		n, err := s.DB.CustomersFirstKeySet(ctx, p)
		if err != nil {
			return filled, fmt.Errorf("give customers a first key: %w", err)
		}
		filled += n
		after = rows[len(rows)-1].ID
	}
}
