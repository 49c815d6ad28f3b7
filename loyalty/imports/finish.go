package imports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/imports/pointsfile"
	"sello/loyalty/notify"
)

// ResultMail is the kind of the notifications that tell how an import ended.
// Their attachment is written by [Service.WriteErrorFile].
const ResultMail = "import_result"

// end puts a locked import into a final state, tells it, and queues the result
// mail in the same transaction (spec/pretii.md 4.7). A cancelled import is not
// written about: whoever cancelled it knows.
func (s *Service) end(ctx context.Context, tx db.Tx, row db.Import, status Status) error {
	row, err := tx.ImportEnd(ctx, db.ImportEndParams{
		CompanyID: row.CompanyID, ID: row.ID, Status: string(status), Now: s.now(),
		RefusalCode: row.RefusalCode, RefusalMessage: row.RefusalMessage,
	})
	if err != nil {
		return fmt.Errorf("end an import: %w", err)
	}
	if err := s.tell(ctx, tx.Queries, row); err != nil {
		return err
	}
	if status == Cancelled || row.Recipient == nil {
		return nil
	}
	mail, err := s.resultMail(ctx, tx.Queries, row)
	if err != nil {
		return err
	}
	message := notify.Message{Kind: ResultMail, SubjectID: row.ID, Recipient: *row.Recipient, Subject: mail.Subject, Body: mail.Body}
	if mail.Attach {
		message.Attachment = pointsfile.ErrorFileName
	}
	if _, err := notify.Queue(ctx, tx, s.Jobs, row.CompanyID, s.Now(), message); err != nil {
		return err
	}
	return nil
}

// resultMail words the result mail of an import that has just ended.
func (s *Service) resultMail(ctx context.Context, q *db.Queries, row db.Import) (pointsfile.Mail, error) {
	company, err := q.CompanyByID(ctx, row.CompanyID)
	if err != nil {
		return pointsfile.Mail{}, fmt.Errorf("read a company: %w", err)
	}
	zone, err := loyalty.Zone(company.TimeZone)
	if err != nil {
		return pointsfile.Mail{}, fmt.Errorf("load a company's time zone: %w", err)
	}
	imp := Import{row}
	result := pointsfile.Result{
		Outcome: outcomes[imp.State()], FileName: row.FileName, Location: zone, Totals: imp.Totals(),
	}
	if row.StartedAt != nil && row.FinishedAt != nil {
		result.StartedAt, result.FinishedAt = *row.StartedAt, *row.FinishedAt
	}
	if row.RefusalMessage != nil {
		result.Refusal = *row.RefusalMessage
	}
	if imp.State() == Finished && row.RowsFailed > 0 {
		page, err := errorsPage(ctx, q, row.CompanyID, row.ID, 0, pointsfile.MaxListed)
		if err != nil {
			return pointsfile.Mail{}, err
		}
		for _, e := range page {
			result.Errors = append(result.Errors, pointsfile.RowError{Line: int64(e.Line), Reason: e.Reason, Value: e.Value})
		}
		if result.ErrorFileSize, err = errorFileSize(ctx, q, row); err != nil {
			return pointsfile.Mail{}, err
		}
	}
	return pointsfile.RenderMail(result), nil
}

var outcomes = map[Status]pointsfile.Outcome{
	Finished: pointsfile.Finished, Refused: pointsfile.Refused, Failed: pointsfile.Failed,
}

// errLargeEnough ends the measuring of an error file: it is too large to attach.
var errLargeEnough = errors.New("more than an attachment holds")

// measure counts up to the size of an attachment.
type measure struct{ n int64 }

func (m *measure) Write(p []byte) (int, error) {
	m.n += int64(len(p))
	if m.n > pointsfile.MaxAttachment {
		return 0, errLargeEnough
	}
	return len(p), nil
}

// errorFileSize tells the size of an import's error file, or one that is too
// large to attach.
func errorFileSize(ctx context.Context, q *db.Queries, row db.Import) (int64, error) {
	var m measure
	if err := writeErrorFile(ctx, q, row, &m); err != nil && !errors.Is(err, errLargeEnough) {
		return 0, err
	}
	return m.n, nil
}

var _ io.Writer = (*measure)(nil)

// now is the clock for columns that may be null.
func (s *Service) now() *time.Time { return new(s.Now()) }
