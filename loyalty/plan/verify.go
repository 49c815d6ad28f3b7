package plan

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"sello/db"
)

// Finding names a plan, or a line of its messages' books, that is wrong.
type Finding struct {
	CompanyID uuid.UUID
	// Seq is the line's number; 0 where the whole is wrong.
	Seq int64
	// Detail is what is there and what should be, for operators.
	Detail string
}

// String is the finding on one line.
func (f Finding) String() string {
	return fmt.Sprintf("message_balance: company %s line %d: %s", f.CompanyID, f.Seq, f.Detail)
}

// verifyLimit is how many places a run names.
const verifyLimit = 1000

// Verify proves the books of prepaid messages of a company, or of all (nil), from the
// rows alone, on one snapshot. Nothing wrong is an empty list.
func (s *Service) Verify(ctx context.Context, company *uuid.UUID) ([]Finding, error) {
	var findings []Finding
	err := s.DB.InSnapshot(ctx, func(q *db.Queries) error {
		rows, err := q.VerifyPlans(ctx, company, verifyLimit)
		for _, row := range rows {
			findings = append(findings, Finding{CompanyID: row.CompanyID, Seq: row.Seq, Detail: row.Detail})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("verify prepaid messages: %w", err)
	}
	return findings, nil
}
