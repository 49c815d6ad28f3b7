package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
)

// CheckStatus is where a check of the books stands.
type CheckStatus string

// The states of a check.
const (
	CheckQueued    CheckStatus = "queued"
	CheckRunning   CheckStatus = "running"
	CheckFinished  CheckStatus = "finished"
	CheckFailed    CheckStatus = "failed"
	CheckCancelled CheckStatus = "cancelled"
)

// CheckEndedEvent is the event of a check of the books that has ended.
const CheckEndedEvent = "ledger_check_ended"

// checkSilence is how long nothing is heard of a check before its job is taken for
// lost: longer than all attempts together.
const checkSilence = 4 * CheckTimeout

// LedgerCheck is one proof of a company's books, asked for by an operator.
type LedgerCheck struct {
	db.LedgerCheck
	batch *loyalty.Batch[LedgerCheck]
}

// GlobalID is the check's opaque id.
func (c *LedgerCheck) GlobalID() string { return loyalty.GlobalID("LedgerCheck", c.ID.String()) }

// State is where the check stands.
func (c *LedgerCheck) State() CheckStatus { return CheckStatus(c.Status) }

// Clean tells that the check has ended and nothing is wrong; nil before its end.
func (c *LedgerCheck) Clean() *bool {
	if c.State() != CheckFinished {
		return nil
	}
	return new(c.LedgerCheck.Findings == 0)
}

// FindingsCount is how many rows are wrong.
func (c *LedgerCheck) FindingsCount() int { return int(c.LedgerCheck.Findings) }

// RequestedByKind is who asked: operator, api_key, system.
func (c *LedgerCheck) RequestedByKind() string { return c.ActorKind }

// RequestedByID is the opaque id of the operator or key behind it; nil for the system.
func (c *LedgerCheck) RequestedByID() *string {
	kind := "Operator"
	if auth.Kind(c.ActorKind) == auth.KindAPIKey {
		kind = "ApiKey"
	}
	return opaque(kind, c.ActorID)
}

// DurationMilliseconds is how long it took, or takes so far; nil while it waits.
func (c *LedgerCheck) DurationMilliseconds() *int {
	if c.StartedAt == nil {
		return nil
	}
	end := c.UpdatedAt
	if c.FinishedAt != nil {
		end = *c.FinishedAt
	}
	return new(int(end.Sub(*c.StartedAt) / time.Millisecond))
}

// Finding is one row of the books that is wrong.
type Finding struct {
	db.LedgerCheckFinding
	batch *loyalty.Batch[Finding]
}

// CheckStart asks for a proof of the company's books. It refuses with
// LEDGER_CHECK_RUNNING while one runs, TOO_LONG and INVALID.
func (s *Service) CheckStart(ctx context.Context, who auth.Principal, note string) (*LedgerCheck, error) {
	in := db.LedgerCheckCreateParams{CompanyID: who.CompanyID, ActorKind: string(who.Kind), Now: s.Now()}
	switch note = strings.TrimSpace(note); {
	case utf8.RuneCountInString(note) > 255:
		return nil, loyalty.Refuse(loyalty.CodeTooLong, "note")
	case !utf8.ValidString(note) || strings.ContainsRune(note, 0):
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "note")
	case note != "":
		in.Note = &note
	}
	if who.Subject != uuid.Nil {
		in.ActorID = &who.Subject
	}
	var err error
	if in.ID, err = uuid.NewV7(); err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	var row db.LedgerCheck
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		var err error
		if row, err = tx.LedgerCheckCreate(ctx, in); err != nil {
			return err
		}
		if _, err := s.Jobs.InsertTx(ctx, tx.Conn, Check{CompanyID: in.CompanyID, CheckID: in.ID}, nil); err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, in.Now, "ledger_check_start", "ledger_check", in.ID, nil)
	})
	switch {
	case db.Violates(err, "ledger_check_running_key"):
		return nil, loyalty.Refuse(loyalty.CodeLedgerCheckRunning, "")
	case err != nil:
		return nil, fmt.Errorf("start a check of the books: %w", err)
	}
	return &LedgerCheck{LedgerCheck: row}, nil
}

// CheckRun proves the books for a check and keeps what it finds. A run that is cut
// off leaves nothing but its progress, and the next begins again; of a check that
// has ended it does nothing.
func (s *Service) CheckRun(ctx context.Context, company, id uuid.UUID) error {
	_, err := s.DB.LedgerCheckStart(ctx, db.LedgerCheckStartParams{
		CompanyID: company, ID: id, StepsTotal: int32(ledger.VerifySteps), Now: s.Now(),
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("take up a check of the books: %w", err)
	}
	rows, err := s.DB.LedgerCheckRows(ctx, company)
	if err != nil {
		return fmt.Errorf("count the rows of the books: %w", err)
	}
	var findings []ledger.Finding
	err = s.Ledger.VerifyEach(ctx, &company, func(step int, found []ledger.Finding) error {
		findings = append(findings, found...)
		n, err := s.DB.LedgerCheckStep(ctx, db.LedgerCheckStepParams{
			CompanyID: company, ID: id, StepsDone: int32(step), RowsRead: rows * int64(step) / int64(ledger.VerifySteps),
			Findings: int32(len(findings)), Now: s.Now(),
		})
		switch {
		case err != nil:
			return fmt.Errorf("note the progress of a check: %w", err)
		case n == 0:
			return errEnded
		}
		return nil
	})
	if errors.Is(err, errEnded) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.endCheck(ctx, company, id, CheckFinished, findings)
}

// errEnded tells that a check was cancelled under the run.
var errEnded = errors.New("the check has ended")

// CheckAbandon ends a check that cannot go on: its job was cancelled, failed for
// the last time, or is lost. It does nothing to one that has ended.
func (s *Service) CheckAbandon(ctx context.Context, company, id uuid.UUID, status CheckStatus) error {
	return s.endCheck(ctx, company, id, status, nil)
}

// CheckJobCancelled ends the check of a job that was cancelled before it ran.
func (s *Service) CheckJobCancelled(ctx context.Context, args []byte) error {
	var job Check
	if err := json.Unmarshal(args, &job); err != nil {
		return fmt.Errorf("read the arguments of a cancelled job: %w", err)
	}
	return s.CheckAbandon(ctx, job.CompanyID, job.CheckID, CheckCancelled)
}

func (s *Service) endCheck(ctx context.Context, company, id uuid.UUID, status CheckStatus, findings []ledger.Finding) error {
	end := db.LedgerCheckEndParams{CompanyID: company, ID: id, Status: string(status), Now: s.Now()}
	if status == CheckFinished {
		end.Findings, end.StepsDone = new(int32(len(findings))), new(int32(ledger.VerifySteps))
	}
	kept := db.LedgerFindingsCreateParams{CompanyID: company, CheckID: id}
	for i, f := range findings {
		kept.Numbers = append(kept.Numbers, int32(i+1))
		kept.Rules = append(kept.Rules, string(f.Check))
		kept.CardIds = append(kept.CardIds, f.CardID)
		kept.Seqs = append(kept.Seqs, f.Seq)
		kept.KeyIds = append(kept.KeyIds, f.KeyID)
		kept.ImportIds = append(kept.ImportIds, f.ImportID)
		kept.ImportLines = append(kept.ImportLines, f.ImportLine)
		kept.Details = append(kept.Details, f.Detail)
	}
	return s.DB.InTx(ctx, func(tx db.Tx) error {
		_, err := tx.LedgerCheckEnd(ctx, end)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // somebody else was faster
		}
		if err != nil {
			return fmt.Errorf("end a check of the books: %w", err)
		}
		if len(findings) > 0 {
			if err := tx.LedgerFindingsCreate(ctx, kept); err != nil {
				return fmt.Errorf("keep what a check found: %w", err)
			}
		}
		err = tx.EventCreate(ctx, db.EventCreateParams{CompanyID: company, Kind: CheckEndedEvent, SubjectID: id, Now: s.Now()})
		if err != nil {
			return fmt.Errorf("tell of a check of the books: %w", err)
		}
		return nil
	})
}

// abandonSilent gives up the checks of which nothing was heard for long.
func (s *Service) abandonSilent(ctx context.Context) (given int, err error) {
	silent, err := s.DB.LedgerChecksSilent(ctx, s.Now().Add(-checkSilence))
	if err != nil {
		return 0, fmt.Errorf("list lost checks of the books: %w", err)
	}
	for _, c := range silent {
		if err := s.CheckAbandon(ctx, c.CompanyID, c.ID, CheckFailed); err != nil {
			return given, err
		}
		given++
	}
	return given, nil
}

// Check reads a check; nil if the company has none of that id.
func (s *Service) Check(ctx context.Context, company, id uuid.UUID) (*LedgerCheck, error) {
	row, err := s.DB.LedgerCheckByID(ctx, company, id)
	if db.Absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a check of the books: %w", err)
	}
	return &LedgerCheck{LedgerCheck: row}, nil
}

// Checks reads a page of a company's checks, newest first, from behind an id.
func (s *Service) Checks(ctx context.Context, company uuid.UUID, before *uuid.UUID, first int) (page []*LedgerCheck, more bool, err error) {
	rows, err := s.DB.LedgerChecksPage(ctx, db.LedgerChecksPageParams{CompanyID: company, Before: before, BatchSize: int32(first) + 1})
	if err != nil {
		return nil, false, fmt.Errorf("list checks of the books: %w", err)
	}
	more = len(rows) > first
	for _, row := range rows[:min(first, len(rows))] {
		page = append(page, &LedgerCheck{LedgerCheck: row})
	}
	batch := loyalty.NewBatch(page)
	for _, c := range page {
		c.batch = batch
	}
	return page, more, nil
}

// FindingsPage is a page of a check's findings and whether more follow.
type FindingsPage struct {
	Findings []*Finding
	More     bool
}

// FindingsOf reads a page of a check's findings from behind a number, and with it
// those of its batch.
func (s *Service) FindingsOf(ctx context.Context, company uuid.UUID, c *LedgerCheck, after int32, first int) (FindingsPage, error) {
	key := fmt.Sprintf("findings %d %d", after, first)
	return loyalty.Together(c.batch, c, key, func(all []*LedgerCheck) (map[*LedgerCheck]FindingsPage, error) {
		return loyalty.Lookup(all, func(c *LedgerCheck) (uuid.UUID, bool) { return c.ID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]FindingsPage, error) {
				return s.findings(ctx, company, ids, after, first)
			})
	})
}

func (s *Service) findings(ctx context.Context, company uuid.UUID, checks []uuid.UUID, after int32, first int) (map[uuid.UUID]FindingsPage, error) {
	rows, err := s.DB.LedgerFindingsByChecks(ctx, db.LedgerFindingsByChecksParams{
		CompanyID: company, CheckIds: checks, AfterNumber: after, BatchSize: int32(first) + 1,
	})
	if err != nil {
		return nil, fmt.Errorf("list what checks found: %w", err)
	}
	pages := make(map[uuid.UUID]FindingsPage, len(checks))
	all := make([]*Finding, 0, len(rows))
	for _, row := range rows {
		page := pages[row.CheckID]
		if len(page.Findings) == first {
			page.More = true
		} else {
			page.Findings = append(page.Findings, &Finding{LedgerCheckFinding: row})
			all = append(all, page.Findings[len(page.Findings)-1])
		}
		pages[row.CheckID] = page
	}
	batch := loyalty.NewBatch(all)
	for _, f := range all {
		f.batch = batch
	}
	return pages, nil
}

// CardOf reads the card of a finding, and with it those of its batch; nil where
// the finding is of none, or the card is what is missing.
func (s *Service) CardOf(ctx context.Context, company uuid.UUID, f *Finding) (*ledger.Card, error) {
	return loyalty.Together(f.batch, f, "card", func(all []*Finding) (map[*Finding]*ledger.Card, error) {
		return loyalty.Lookup(all, func(f *Finding) (uuid.UUID, bool) {
			if f.CardID == nil {
				return uuid.UUID{}, false
			}
			return *f.CardID, true
		}, func(ids []uuid.UUID) (map[uuid.UUID]*ledger.Card, error) {
			return s.Ledger.CardsByIDs(ctx, company, ids)
		})
	})
}

// CardGlobalID is the card's opaque id, also of one that there is not; nil where
// none is named.
func (f *Finding) CardGlobalID() *string { return opaque("Card", f.CardID) }

// KeyGlobalID is the idempotency key's id in the books; nil where none is named.
func (f *Finding) KeyGlobalID() *string { return opaque("IdempotencyKey", f.KeyID) }

// ImportGlobalID is the import's opaque id; nil where none is named.
func (f *Finding) ImportGlobalID() *string { return opaque("Import", f.ImportID) }

func opaque(kind string, id *uuid.UUID) *string {
	if id == nil {
		return nil
	}
	return new(loyalty.GlobalID(kind, id.String()))
}
