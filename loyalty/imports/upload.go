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

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/imports/pointsfile"
)

// Upload is a file that somebody sends to assign points (spec/pretii.md 4.1).
type Upload struct {
	// FileName is what people know the file by; DefaultFileName if blank.
	FileName string
	// Body is read once, to its end.
	Body io.Reader
	// Recipient gets the result by mail; the actor's own address if blank. With
	// neither, nobody is written to.
	Recipient string
	// Forced applies the same bytes anew (spec/pretii.md 4.5).
	Forced bool
	// CardTypeCode is the points programme; the company's setting
	// points_card_type if blank.
	CardTypeCode string
}

const (
	// DefaultFileName is that of an upload without one (spec/pretii.md 4.1).
	DefaultFileName = "puntos.csv"
	// maxFileName is in characters.
	maxFileName = 200
	// PointsCardTypeSetting names the company setting with the code of the card
	// type that uploads without one assign points on.
	PointsCardTypeSetting = "points_card_type"
)

// Upload takes a file in and queues it. repeated tells that the same bytes were
// taken in before and nothing is done again: the answer is the earlier import
// (spec/pretii.md 4.5), queued again and going on where it stopped if it had
// failed or was cancelled. It refuses with INVALID (recipient),
// CARD_TYPE_NOT_FOUND and CARD_TYPE_ARCHIVED; a *TooLargeError tells that the
// file passes the limit. A file that is refused as a whole is an import too,
// which its job refuses.
func (s *Service) Upload(ctx context.Context, actor auth.Principal, u Upload) (imp *Import, repeated bool, err error) {
	file, err := s.spool(ctx, u.Body)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = file.Close() }() // it was only read
	row, err := s.newImport(ctx, actor, u, file.facts)
	if err != nil {
		return nil, false, err
	}
	if !u.Forced {
		earlier, err := s.earlier(ctx, actor, row.Sha256)
		if err != nil || earlier != nil {
			return earlier, earlier != nil, err
		}
	}
	refusal, err := s.stage(ctx, &row, file)
	if err == nil {
		imp, err = s.queue(ctx, actor, row, refusal)
	}
	if err == nil {
		return imp, false, nil
	}
	// Rows without an import are of no use; what cannot be dropped now is
	// dropped by PruneUploads.
	dropErr := s.dropUpload(context.WithoutCancel(ctx), row.CompanyID, row.ID)
	if !u.Forced && db.Violates(err, "import_sha256_key") {
		earlier, err := s.earlier(ctx, actor, row.Sha256)
		if err == nil && earlier == nil {
			err = errors.New("an import of the same bytes came and went")
		}
		return earlier, true, errors.Join(err, dropErr)
	}
	return nil, false, errors.Join(err, dropErr)
}

// newImport is the import's row as far as it is known before the rows are read.
func (s *Service) newImport(ctx context.Context, actor auth.Principal, u Upload, facts pointsfile.Facts) (db.Import, error) {
	recipient, err := recipientOf(actor, u)
	if err != nil {
		return db.Import{}, err
	}
	cardType, err := s.cardType(ctx, actor.CompanyID, u.CardTypeCode)
	if err != nil {
		return db.Import{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return db.Import{}, fmt.Errorf("make an id: %w", err)
	}
	return db.Import{
		CompanyID: actor.CompanyID, ID: id, FileName: cleanFileName(u.FileName), Sha256: facts.SHA256[:], Bytes: facts.Size,
		Forced: u.Forced, CardTypeID: cardType.ID, Recipient: recipient, Encoding: string(facts.Encoding),
		ActorKind: string(actor.Kind), ActorID: subjectOf(actor),
	}, nil
}

func recipientOf(actor auth.Principal, u Upload) (*string, error) {
	to := strings.TrimSpace(u.Recipient)
	if to == "" {
		to = actor.Email
	} else if !pointsfile.ValidEmail(to) {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "recipient")
	}
	if to == "" {
		return nil, nil
	}
	return &to, nil
}

// cleanFileName keeps the last part of a path, on one line.
func cleanFileName(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	name = strings.TrimSpace(name[strings.LastIndexAny(name, `/\`)+1:])
	if name == "" {
		return DefaultFileName
	}
	if runes := []rune(name); len(runes) > maxFileName {
		return string(runes[:maxFileName])
	}
	return name
}

// cardType is the programme that the points go to.
func (s *Service) cardType(ctx context.Context, company uuid.UUID, code string) (db.CardType, error) {
	if code == "" {
		value, err := s.DB.SettingByName(ctx, company, PointsCardTypeSetting)
		if errors.Is(err, pgx.ErrNoRows) {
			return db.CardType{}, loyalty.Refuse(loyalty.CodeCardTypeNotFound, "cardTypeCode")
		}
		if err != nil {
			return db.CardType{}, fmt.Errorf("read the points programme: %w", err)
		}
		if code, err = settingText(value); err != nil {
			return db.CardType{}, err
		}
	}
	cardType, err := s.DB.CardTypeByCode(ctx, company, code)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return db.CardType{}, loyalty.Refuse(loyalty.CodeCardTypeNotFound, "cardTypeCode")
	case err != nil:
		return db.CardType{}, fmt.Errorf("read a card type: %w", err)
	case cardType.ArchivedAt != nil:
		return db.CardType{}, loyalty.Refuse(loyalty.CodeCardTypeArchived, "cardTypeCode")
	}
	return cardType, nil
}

// earlier answers the import of the same bytes, nil if there is none. One that
// did not get to its end is queued again, once however many ask at a time.
func (s *Service) earlier(ctx context.Context, actor auth.Principal, sha256 []byte) (*Import, error) {
	row, err := s.DB.ImportBySHA256(ctx, actor.CompanyID, sha256)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for an earlier import: %w", err)
	}
	if stopped(row) {
		return s.goOn(ctx, actor, row.ID)
	}
	return &Import{row}, nil
}

// stopped tells that rows may be left which no job will take up.
func stopped(row db.Import) bool {
	return Status(row.Status) == Failed || Status(row.Status) == Cancelled
}

// queue makes a staged import visible and queues its job.
func (s *Service) queue(ctx context.Context, actor auth.Principal, row db.Import, refusal *pointsfile.Refusal) (*Import, error) {
	var queued db.Import
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		in := db.ImportQueueParams{RowsTotal: row.RowsTotal, Now: s.Now(), CompanyID: row.CompanyID, ID: row.ID}
		if refusal != nil {
			in.RefusalCode, in.RefusalMessage = new(string(refusal.Code)), &refusal.Message
		}
		var err error
		if queued, err = tx.ImportQueue(ctx, in); err != nil {
			return fmt.Errorf("queue an import: %w", err)
		}
		if err := s.enqueue(ctx, tx, queued); err != nil {
			return err
		}
		if err := s.tell(ctx, tx.Queries, queued); err != nil {
			return err
		}
		return s.audit(ctx, tx.Queries, actor, "import.create", queued,
			map[string]any{"rows": queued.RowsTotal, "bytes": queued.Bytes, "forced": queued.Forced})
	})
	if err != nil {
		return nil, err
	}
	return &Import{queued}, nil
}
