package imports

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sello/db"
)

const (
	// deadUpload is the age of an upload that can only have died: a file that
	// is staged takes seconds.
	deadUpload = time.Hour
	// lostJob is a silence longer than any queue or back-off: a running import
	// says something at each chunk, and applyBackoff stays far below.
	lostJob = 6 * time.Hour
)

// PruneUploads drops uploads that died before they became imports, of all
// companies. It may run at the same time as anything else.
func (s *Service) PruneUploads(ctx context.Context) (dropped int, err error) {
	dead, err := s.DB.ImportUploadsDead(ctx, s.Now().Add(-deadUpload))
	if err != nil {
		return 0, fmt.Errorf("look for dead uploads: %w", err)
	}
	for _, u := range dead {
		if err := s.dropUpload(ctx, u.CompanyID, u.ID); err != nil {
			return dropped, err
		}
		dropped++
	}
	return dropped, nil
}

// AbandonSilent gives up imports of all companies whose job is lost: one whose
// process died at each of its attempts never came to say so itself.
func (s *Service) AbandonSilent(ctx context.Context) (abandoned int, err error) {
	silent, err := s.DB.ImportsSilent(ctx, s.Now().Add(-lostJob))
	if err != nil {
		return 0, fmt.Errorf("look for silent imports: %w", err)
	}
	var errs []error
	for _, i := range silent {
		if err := s.Abandon(ctx, i.CompanyID, i.ID); err != nil {
			errs = append(errs, err)
			continue
		}
		abandoned++
	}
	return abandoned, errors.Join(errs...)
}

// PruneRows drops the rows of a company's imports that ended before a time,
// personal data among them; the imports and their totals stay, their error
// files are gone. A failed import keeps its rows: it may go on.
func (s *Service) PruneRows(ctx context.Context, company uuid.UUID, before time.Time) (imports int, err error) {
	for {
		spent, err := s.DB.ImportsSpent(ctx, db.ImportsSpentParams{CompanyID: company, OlderThan: &before, BatchSize: 100})
		if err != nil {
			return imports, fmt.Errorf("look for spent imports: %w", err)
		}
		for _, id := range spent {
			if err := s.dropRows(ctx, company, id); err != nil {
				return imports, err
			}
			imports++
		}
		if len(spent) < 100 {
			return imports, nil
		}
	}
}
