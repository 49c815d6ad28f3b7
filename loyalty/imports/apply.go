package imports

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/imports/pointsfile"
	"sello/loyalty/ledger"
)

// Codes of rows that only the database can reject, beside those of
// spec/pretii.md 4.3. Their rows are tried again by Reprocess.
const (
	// CardNotEnabled: every card of the customer in the programme is blocked.
	CardNotEnabled pointsfile.Code = "tarjeta_no_habilitada"
	// BalanceTooLarge: the card's balance would not fit the ledger.
	BalanceTooLarge pointsfile.Code = "saldo_demasiado_grande"
	// ProgrammeArchived refuses a file whose points programme was archived
	// before it could be applied.
	ProgrammeArchived pointsfile.Code = "programa_archivado"
)

// ownReasons are the words of our own row errors.
var ownReasons = map[pointsfile.Code]string{
	CardNotEnabled:  "La tarjeta del cliente no está habilitada.",
	BalanceTooLarge: "El saldo de la tarjeta sería demasiado grande.",
}

const programmeArchivedMessage = "El programa de puntos está archivado."

// mendable are the errors that depend on customers and cards, not on the file.
var mendable = []string{string(pointsfile.DocumentOfAnother), string(CardNotEnabled), string(BalanceTooLarge)}

// errMovedAway tells that a card or a customer changed its state under the
// chunk's statement; it is undone and runs again.
var errMovedAway = errors.New("a card or customer changed during the chunk")

// A chunk that meets concurrent writers of the same customers runs this often.
const chunkAttempts = 5

// ApplyStep takes an import one step further and tells whether it is in a final
// state: the start, the search for e-mails given twice, one chunk of rows, the
// end. Each is short and may be cut off anywhere; what it began is undone or is
// found done by the next call. Calls at the same time follow each other. Of an
// import that is not there it says done: nothing is left to do.
func (s *Service) ApplyStep(ctx context.Context, company, id uuid.UUID) (done bool, err error) {
	row, err := s.DB.ImportByID(ctx, company, id)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("read an import: %w", err)
	case Status(row.Status).Final():
		return true, nil
	case Status(row.Status) == Queued:
		return s.start(ctx, company, id)
	case !row.Checked:
		return false, s.beating(ctx, company, id, func(ctx context.Context) error { return s.check(ctx, company, id) })
	}
	for attempt := 1; ; attempt++ {
		done, err = s.applyChunk(ctx, company, id)
		if err == nil || attempt == chunkAttempts || !overtaken(err) {
			return done, err
		}
	}
}

// overtaken tells that somebody else created or changed one of the chunk's
// customers or cards meanwhile; the next attempt sees what they did.
func overtaken(err error) bool {
	return errors.Is(err, errMovedAway) ||
		db.Violates(err, "customer_email_key") || db.Violates(err, "customer_document_key") ||
		db.Violates(err, "customer_qr_code_key") || db.Violates(err, "card_code_key") || db.OutOfRange(err)
}

// start makes a queued import run, or refuses it as a whole.
func (s *Service) start(ctx context.Context, company, id uuid.UUID) (done bool, err error) {
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		done = false
		row, err := tx.ImportLock(ctx, company, id)
		if err != nil {
			return fmt.Errorf("lock an import: %w", err)
		}
		if Status(row.Status) != Queued {
			return nil // the next step sees what it is
		}
		cardType, err := tx.CardTypeByID(ctx, company, row.CardTypeID)
		if err != nil {
			return fmt.Errorf("read a card type: %w", err)
		}
		if row.RefusalCode == nil && cardType.ArchivedAt != nil && row.CursorLine == 0 && row.Pass == 1 {
			row.RefusalCode, row.RefusalMessage = new(string(ProgrammeArchived)), new(programmeArchivedMessage)
		}
		if row.RefusalCode != nil {
			done = true
			return s.end(ctx, tx, row, Refused)
		}
		row, err = tx.ImportStart(ctx, db.ImportStartParams{Now: s.Now(), CompanyID: company, ID: id})
		if err != nil {
			return fmt.Errorf("start an import: %w", err)
		}
		return s.tell(ctx, tx.Queries, row)
	})
	return done, err
}

// duplicatesBatch is how many repeated e-mails are held and marked at a time.
const duplicatesBatch = 20_000

// check rejects the rows with an e-mail of an earlier row (spec/pretii.md 4.3).
// Cut off in the middle it begins again: what is marked stays marked, and the
// first rows, by which the others are known, never are.
func (s *Service) check(ctx context.Context, company, id uuid.UUID) error {
	for {
		repeated, err := s.DB.ImportDuplicates(ctx, db.ImportDuplicatesParams{CompanyID: company, ImportID: id, BatchSize: duplicatesBatch})
		if err != nil {
			return fmt.Errorf("look for repeated e-mails: %w", err)
		}
		if len(repeated) > 0 {
			in := db.ImportDuplicatesMarkParams{CompanyID: company, ImportID: id, ErrorCode: string(pointsfile.EmailRepeated)}
			for _, r := range repeated {
				in.Lines, in.FirstLines = append(in.Lines, r.Line), append(in.FirstLines, r.FirstLine)
			}
			if err := s.DB.ImportDuplicatesMark(ctx, in); err != nil {
				return fmt.Errorf("mark repeated e-mails: %w", err)
			}
		}
		if len(repeated) < duplicatesBatch {
			break
		}
	}
	if err := s.DB.ImportChecked(ctx, db.ImportCheckedParams{CompanyID: company, ID: id, Now: s.Now()}); err != nil {
		return fmt.Errorf("note an import as checked: %w", err)
	}
	return nil
}

// beating runs a part of an import that tells nothing by itself, and tells each beat
// that the import goes on.
func (s *Service) beating(ctx context.Context, company, id uuid.UUID, part func(ctx context.Context) error) error {
	g, ctx := errgroup.WithContext(ctx)
	over := make(chan struct{})
	g.Go(func() error {
		defer close(over)
		return part(ctx)
	})
	g.Go(func() error {
		tick := time.NewTicker(s.beatEvery())
		defer tick.Stop()
		for {
			select {
			case <-over:
				return nil
			case <-tick.C:
			}
			err := s.DB.InTx(ctx, func(tx db.Tx) error {
				row, err := tx.ImportBeat(ctx, db.ImportBeatParams{Now: s.Now(), CompanyID: company, ID: id})
				if errors.Is(err, pgx.ErrNoRows) {
					return nil // it has just ended
				}
				if err != nil {
					return err
				}
				return s.tell(ctx, tx.Queries, row)
			})
			if err != nil {
				return fmt.Errorf("tell that an import goes on: %w", err)
			}
		}
	})
	return g.Wait()
}

// applyChunk applies the next rows and moves the cursor over them, in one
// transaction; with the last ones it ends the import.
func (s *Service) applyChunk(ctx context.Context, company, id uuid.UUID) (done bool, err error) {
	rows, pace := s.pacedRows(), s.startPace()
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		done = false
		row, err := tx.ImportLock(ctx, company, id)
		if err != nil {
			return fmt.Errorf("lock an import: %w", err)
		}
		if Status(row.Status) != Running || !row.Checked {
			done = Status(row.Status).Final()
			return nil
		}
		if err := tx.ImportCompanyLock(ctx, company); err != nil {
			return fmt.Errorf("wait for the company's other imports: %w", err)
		}
		if err := tx.BatchPlanner(ctx); err != nil {
			return fmt.Errorf("set up a chunk: %w", err)
		}
		now := s.Now()
		terms, err := s.conform(ctx, tx, row, rows, now)
		if err != nil {
			return err
		}
		cardType := terms.CardType
		validFrom, validTo := ledger.Validity(cardType, terms.today)
		opens := validTo == nil || !validTo.Before(terms.today)
		chunk, err := tx.ImportChunkApply(ctx, db.ImportChunkApplyParams{
			CompanyID: company, ImportID: id, AfterLine: row.CursorLine, Pass: row.Pass, Mendable: mendable,
			BatchSize: int32(rows), CardTypeID: row.CardTypeID, Now: now,
			DocumentTaken: string(pointsfile.DocumentOfAnother), EmailRepeated: string(pointsfile.EmailRepeated), CardNotEnabled: string(CardNotEnabled),
			BalanceTooLarge: string(BalanceTooLarge), Floor: cardType.Floor,
			Description: "Asignación masiva: " + row.FileName, ActorID: row.ActorID,
			Today: terms.today, TimeZone: terms.timeZone, TracksLots: cardType.TracksLots, ExpiryVersion: cardType.ExpiryVersion,
			ExpiryPolicy: cardType.ExpiryPolicy, ExpiryDate: cardType.ExpiryDate, ExpiryCount: int32(cardType.ExpiryCount),
			ExpiryUnit: cardType.ExpiryUnit, UsedUntil: terms.usedUntil,
			ValidFrom: validFrom, ValidTo: validTo, Opens: opens, OpensUsable: opens && (validFrom == nil || !validFrom.After(terms.today)),
		})
		if err != nil {
			return fmt.Errorf("apply a chunk of an import: %w", err)
		}
		if chunk.Moved != chunk.Expected || chunk.CustomersUpdated != chunk.ToUpdate {
			return errMovedAway
		}
		failed := chunk.RowsRead - chunk.RowsApplied
		if row.Pass > 1 {
			failed = -chunk.RowsApplied // they were counted by the first pass
		}
		row, err = tx.ImportAdvance(ctx, db.ImportAdvanceParams{
			CompanyID: company, ID: id, CursorLine: max(row.CursorLine, chunk.LastLine), Applied: chunk.RowsApplied, Failed: failed,
			Created: chunk.CustomersCreated, Updated: chunk.CustomersUpdated, Points: chunk.PointsAssigned, Now: now,
		})
		if err != nil {
			return fmt.Errorf("move an import's cursor: %w", err)
		}
		if int(chunk.RowsRead) == rows {
			return s.tell(ctx, tx.Queries, row)
		}
		done = true
		return s.end(ctx, tx, row, Finished)
	})
	if err == nil {
		s.keepPace(rows, pace)
	}
	return done, err
}

// terms are what a chunk posts by.
type terms struct {
	db.CardType
	timeZone string
	// today is the company's business day; usedUntil is when the points of a card end
	// that is used today, nil where that ends nothing.
	today     time.Time
	usedUntil *time.Time
}

// conform reads the terms of a chunk, which stay what they are until it ends, and
// brings the cards of a type that keeps lots up to its expiry policy. A card that
// appears between the two is seen by the chunk as one that moved.
func (s *Service) conform(ctx context.Context, tx db.Tx, row db.Import, rows int, now time.Time) (terms, error) {
	shared, err := tx.CardTypeShare(ctx, row.CompanyID, row.CardTypeID)
	if err != nil {
		return terms{}, fmt.Errorf("read a card type: %w", err)
	}
	zone, err := loyalty.Zone(shared.TimeZone)
	if err != nil {
		return terms{}, fmt.Errorf("load a company's time zone: %w", err)
	}
	year, month, day := now.In(zone).Date()
	t := terms{CardType: shared.CardType, timeZone: shared.TimeZone, today: time.Date(year, month, day, 0, 0, 0, 0, time.UTC)}
	if !t.TracksLots {
		return t, nil
	}
	t.usedUntil = ledger.UsedUntil(t.CardType, t.today)
	cards, err := tx.ImportChunkCards(ctx, db.ImportChunkCardsParams{
		CompanyID: row.CompanyID, ImportID: row.ID, AfterLine: row.CursorLine, Pass: row.Pass, Mendable: mendable,
		BatchSize: int32(rows), CardTypeID: row.CardTypeID,
	})
	if err != nil {
		return terms{}, fmt.Errorf("lock a chunk's cards: %w", err)
	}
	if _, err := tx.LotsConform(ctx, row.CompanyID, cards); err != nil {
		return terms{}, fmt.Errorf("bring a chunk's cards up to their expiry policy: %w", err)
	}
	return t, nil
}
