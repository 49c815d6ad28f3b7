package imports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/imports/pointsfile"
)

// stage writes the import, which nobody sees yet, and its rows. A refusal tells
// that the file is turned away as a whole; then there are no rows.
func (s *Service) stage(ctx context.Context, row *db.Import, src *spooled) (*pointsfile.Refusal, error) {
	file, err := pointsfile.Open(src, src.facts)
	refusal, refused := errors.AsType[*pointsfile.Refusal](err)
	if err != nil && !refused {
		return nil, fmt.Errorf("read an upload: %w", err)
	}
	row.Delimiter = ","
	if !refused {
		row.Delimiter, row.Header = string(file.Delimiter()), pointsfile.JoinCells(file.Header())
		if s.MaxRows > 0 {
			file.MaxRows = s.MaxRows
		}
	}
	err = s.DB.ImportStage(ctx, db.ImportStageParams{
		CompanyID: row.CompanyID, ID: row.ID, FileName: row.FileName, Sha256: row.Sha256, Bytes: row.Bytes, Forced: row.Forced,
		CardTypeID: row.CardTypeID, Recipient: row.Recipient, Delimiter: row.Delimiter, Encoding: row.Encoding,
		Header: row.Header, ActorKind: row.ActorKind, ActorID: row.ActorID, Now: s.Now(),
	})
	if err != nil {
		return nil, fmt.Errorf("stage an import: %w", err)
	}
	if refused {
		return refusal, nil
	}
	staged, err := s.stageRows(ctx, *row, file)
	if refusal, refused := errors.AsType[*pointsfile.Refusal](err); refused {
		return refusal, s.dropRows(ctx, row.CompanyID, row.ID)
	}
	row.RowsTotal = staged
	return nil, err
}

// columns of import_row that an upload sets, in the order of rowSource.
var columns = []string{
	"company_id", "import_id", "line", "row_id", "first_name", "last_name", "email", "document", "points",
	"first_key", "last_key", "error_code", "error_value", "raw",
}

// stageRows copies the rows of a file, some thousands a transaction, straight
// from the reader to the connection.
func (s *Service) stageRows(ctx context.Context, row db.Import, file *pointsfile.File) (int32, error) {
	src := &rowSource{file: file, values: make([]any, len(columns))}
	src.values[0] = pgtype.UUID{Bytes: row.CompanyID, Valid: true}
	src.values[1] = pgtype.UUID{Bytes: row.ID, Valid: true}
	var staged int64
	for !src.done {
		src.left = stageRows
		n, err := s.DB.Pool.CopyFrom(ctx, pgx.Identifier{"import_row"}, columns, src)
		if src.err != nil { // err is PostgreSQL's echo of it
			err = src.err
		}
		if err != nil {
			return 0, fmt.Errorf("stage the rows of an import: %w", err)
		}
		staged += n
	}
	return int32(staged), nil // at most pointsfile.MaxRows
}

// rowSource hands the rows of a file to COPY until left is used up.
type rowSource struct {
	file   *pointsfile.File
	left   int
	done   bool
	err    error
	values []any // of the current row; pgx encodes them before it asks again
}

func (r *rowSource) Next() bool {
	if r.left == 0 || r.done || r.err != nil {
		return false
	}
	row, err := r.file.Next()
	if errors.Is(err, io.EOF) {
		r.done = true
		return false
	}
	if err != nil {
		r.err = err
		return false
	}
	id, err := uuid.NewV7()
	if err != nil {
		r.err = fmt.Errorf("make an id: %w", err)
		return false
	}
	r.left--
	v := r.values[2:]
	v[0], v[1] = int32(row.Line), pgtype.UUID{Bytes: id, Valid: true} // a file has fewer lines than bytes
	v[2], v[3], v[4] = row.FirstName, orNull(row.LastName), orNull(row.Email)
	v[5], v[6] = orNull(lowerBeyondASCII(row.Document)), row.Points
	v[7], v[8] = loyalty.SearchKey(row.FirstName), loyalty.SearchKey(row.LastName)
	v[9], v[10], v[11] = orNull(string(row.ErrorCode)), orNull(row.ErrorValue), row.Raw
	if row.ErrorCode == "" && row.EmailRaw != row.Email {
		// For an email_duplicado that is found later (ImportDuplicatesMark).
		v[10] = row.EmailRaw
	}
	return true
}

func (r *rowSource) Values() ([]any, error) { return r.values, nil }

func (r *rowSource) Err() error { return r.err }

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// lowerBeyondASCII lowers the letters that PostgreSQL's "C" collation does not
// know: ImportChunkApply lowers the rest, and both together give the key that
// strings.ToLower gives everywhere else, whatever the database's locale is.
func lowerBeyondASCII(document string) string {
	for i := range len(document) {
		if document[i] > unicode.MaxASCII {
			return strings.Map(func(r rune) rune {
				if r > unicode.MaxASCII {
					return unicode.ToLower(r)
				}
				return r
			}, document)
		}
	}
	return document
}

// dropRows drops the rows of an import, some thousands a transaction.
func (s *Service) dropRows(ctx context.Context, company, id uuid.UUID) error {
	for {
		n, err := s.DB.ImportRowsDelete(ctx, db.ImportRowsDeleteParams{CompanyID: company, ImportID: id, BatchSize: stageRows})
		if err != nil {
			return fmt.Errorf("drop the rows of an import: %w", err)
		}
		if n < stageRows {
			return nil
		}
	}
}

// dropUpload drops an upload that never became an import.
func (s *Service) dropUpload(ctx context.Context, company, id uuid.UUID) error {
	if err := s.dropRows(ctx, company, id); err != nil {
		return err
	}
	if err := s.DB.ImportUploadDelete(ctx, company, id); err != nil {
		return fmt.Errorf("drop an upload: %w", err)
	}
	return nil
}
