package ledger

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
)

// Check is one rule of the books.
type Check string

// The rules that Verify proves (design.md, "The ledger").
const (
	// CheckChain: the movements of a card are numbered from 1 without a gap.
	CheckChain Check = "chain"
	// CheckBalanceAfter: balance_after is the sum of the card's amounts so far.
	CheckBalanceAfter Check = "balance_after"
	// CheckSign: the amount's sign is the one of its action.
	CheckSign Check = "sign"
	// CheckCardMissing: movements belong to a card.
	CheckCardMissing Check = "card_missing"
	// CheckCardSeq: the card's seq is the number of its last movement.
	CheckCardSeq Check = "card_seq"
	// CheckCardBalance: the card's balance is the last balance and the sum.
	CheckCardBalance Check = "card_balance"
	// CheckFloor: what is available is not below the card's floor.
	CheckFloor Check = "floor"
	// CheckKeyMovement: the movement of an idempotency key is there.
	CheckKeyMovement Check = "key_movement"
	// CheckKeyUnique: a movement has one idempotency key at most.
	CheckKeyUnique Check = "key_unique"
	// CheckImportMissing: the import that a movement names is there.
	CheckImportMissing Check = "import_missing"
	// CheckImportRow: a movement's import row did not fail, and has its points.
	CheckImportRow Check = "import_row"
	// CheckImportTotals: a finished import's figures are those of its movements.
	CheckImportTotals Check = "import_totals"
	// CheckLot: a lot has left what it was and what movements took and gave.
	CheckLot Check = "lot"
	// CheckLotSum: a card's open lots come to what is available.
	CheckLotSum Check = "lot_sum"
	// CheckHeld: a card holds what its open holds, and its movements, come to.
	CheckHeld Check = "held"
	// CheckPair: the halves of a transfer are both there and equal; what a return
	// returns is there.
	CheckPair Check = "pair"
	// CheckReturned: no more is taken back of a movement than it came to.
	CheckReturned Check = "returned"
)

// Finding names one row that is wrong, and how. Zero fields do not apply.
type Finding struct {
	Check     Check
	CompanyID uuid.UUID
	CardID    uuid.UUID
	// Seq is the movement's number on the card; 0 where the card itself is wrong.
	Seq        int64
	KeyID      uuid.UUID
	ImportID   uuid.UUID
	ImportLine int32
	// Detail is what the row says and what it should, for operators.
	Detail string
}

// String is the finding on one line.
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: company %s", f.Check, f.CompanyID)
	for _, part := range []struct {
		name string
		id   uuid.UUID
	}{{"card", f.CardID}, {"key", f.KeyID}, {"import", f.ImportID}} {
		if part.id != uuid.Nil {
			fmt.Fprintf(&b, " %s %s", part.name, part.id)
		}
	}
	if f.Seq != 0 {
		fmt.Fprintf(&b, " movement %d", f.Seq)
	}
	if f.ImportLine != 0 {
		fmt.Fprintf(&b, " line %d", f.ImportLine)
	}
	return b.String() + ": " + f.Detail
}

// verifyLimit is how many rows of one kind a run names: books that are broken in
// more places than that are not mended row by row.
const verifyLimit = 1000

// looks are the parts of a proof, each over its own tables.
var looks = []func(context.Context, *db.Queries, *uuid.UUID) ([]Finding, error){
	verifyMovements, verifyCards, verifyKeys, verifyImportRows, verifyImports, verifyLots, verifyHolds, verifyPairs,
}

// VerifySteps is how many parts a proof has.
var VerifySteps = len(looks)

// Verify proves the books of a company, or of all (nil), from the rows alone, on
// one snapshot: a running system gives no false alarm. Nothing wrong is an empty
// list. It names up to 1,000 rows of each kind.
func (s *Service) Verify(ctx context.Context, company *uuid.UUID) ([]Finding, error) {
	var findings []Finding
	err := s.VerifyEach(ctx, company, func(_ int, found []Finding) error {
		findings = append(findings, found...)
		return nil
	})
	return findings, err
}

// VerifyEach is Verify that tells what it found after each of its VerifySteps
// parts, counted from 1; an error of looked ends it.
func (s *Service) VerifyEach(ctx context.Context, company *uuid.UUID, looked func(step int, found []Finding) error) error {
	err := s.DB.InSnapshot(ctx, func(q *db.Queries) error {
		for i, look := range looks {
			found, err := look(ctx, q, company)
			if err != nil {
				return err
			}
			if err := looked(i+1, found); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("verify the books: %w", err)
	}
	return nil
}

func verifyMovements(ctx context.Context, q *db.Queries, company *uuid.UUID) (findings []Finding, err error) {
	rows, err := q.VerifyMovements(ctx, company, verifyLimit)
	for _, row := range rows {
		f := Finding{CompanyID: row.CompanyID, CardID: row.CardID, Seq: row.Seq}
		if row.Gap {
			findings = append(findings, f.of(CheckChain, "follows movement %d", row.PreviousSeq))
		}
		if row.BalanceWrong {
			findings = append(findings, f.of(CheckBalanceAfter, "balance %s after %s is not what the movements so far come to",
				plain(row.BalanceAfter), plain(row.Amount)))
		}
		if row.SignWrong {
			findings = append(findings, f.of(CheckSign, "%s of %s", row.Action, plain(row.Amount)))
		}
	}
	return findings, err
}

func verifyCards(ctx context.Context, q *db.Queries, company *uuid.UUID) (findings []Finding, err error) {
	rows, err := q.VerifyCards(ctx, company, verifyLimit)
	for _, row := range rows {
		f := Finding{CompanyID: row.CompanyID, CardID: row.CardID}
		if row.CardMissing {
			f.Seq = row.LastSeq
			findings = append(findings, f.of(CheckCardMissing, "the movements of this card have none"))
			continue
		}
		if row.SeqWrong {
			findings = append(findings, f.of(CheckCardSeq, "says %d, its last movement is %d", row.Seq, row.LastSeq))
		}
		if row.BalanceWrong {
			findings = append(findings, f.of(CheckCardBalance, "says %s, its movements come to %s", plain(row.Balance), row.Total))
		}
		if row.BelowFloor {
			findings = append(findings, f.of(CheckFloor, "balance %s less holds %s is below the floor %s",
				plain(row.Balance), plain(row.Held), plain(row.Floor)))
		}
	}
	return findings, err
}

func verifyKeys(ctx context.Context, q *db.Queries, company *uuid.UUID) (findings []Finding, err error) {
	rows, err := q.VerifyKeys(ctx, company, verifyLimit)
	for _, row := range rows {
		f := Finding{CompanyID: row.CompanyID, CardID: row.CardID, Seq: row.Seq, KeyID: row.ID}
		if row.MovementMissing {
			findings = append(findings, f.of(CheckKeyMovement, "the movement of this key is not there"))
		}
		if row.Same > 1 {
			findings = append(findings, f.of(CheckKeyUnique, "%d keys name this movement", row.Same))
		}
	}
	return findings, err
}

func verifyImportRows(ctx context.Context, q *db.Queries, company *uuid.UUID) (findings []Finding, err error) {
	rows, err := q.VerifyImportRows(ctx, company, verifyLimit)
	for _, row := range rows {
		f := Finding{CompanyID: row.CompanyID, CardID: row.CardID, Seq: row.Seq, ImportID: row.ImportID, ImportLine: row.ImportLine}
		switch {
		case row.ImportMissing:
			findings = append(findings, f.of(CheckImportMissing, "the import of this movement is not there"))
		case row.ErrorCode != nil:
			findings = append(findings, f.of(CheckImportRow, "posted, and the row is marked failed with %s", *row.ErrorCode))
		case row.Points != nil:
			findings = append(findings, f.of(CheckImportRow, "posted %s, and the row has %d", plain(row.Amount), *row.Points))
		}
	}
	return findings, err
}

func verifyImports(ctx context.Context, q *db.Queries, company *uuid.UUID) (findings []Finding, err error) {
	rows, err := q.VerifyImports(ctx, company, verifyLimit)
	for _, row := range rows {
		f := Finding{CompanyID: row.CompanyID, ImportID: row.ID}
		findings = append(findings, f.of(CheckImportTotals,
			"says %d rows and %s points; there are %d movements with %s points, and %d rows without any",
			row.RowsApplied, plain(row.PointsAssigned), row.Movements, row.Points, row.WithoutPoints))
	}
	return findings, err
}

func verifyLots(ctx context.Context, q *db.Queries, company *uuid.UUID) (findings []Finding, err error) {
	rows, err := q.VerifyLots(ctx, company, verifyLimit)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		f := Finding{CompanyID: row.CompanyID, CardID: row.CardID, Seq: row.Seq}
		if row.MovementMissing {
			findings = append(findings, f.of(CheckLot, "the movement of lot %d is not there", row.Part))
			continue
		}
		findings = append(findings, f.of(CheckLot, "lot %d of %s has %s left, and movements come to %s",
			row.Part, plain(row.Amount), plain(row.Remaining), row.Entries))
	}
	sums, err := q.VerifyLotSums(ctx, company, verifyLimit)
	for _, row := range sums {
		f := Finding{CompanyID: row.CompanyID, CardID: row.ID}
		findings = append(findings, f.of(CheckLotSum, "balance %s less holds %s, and its lots come to %s", plain(row.Balance), plain(row.Held), row.Lots))
	}
	return findings, err
}

func verifyHolds(ctx context.Context, q *db.Queries, company *uuid.UUID) (findings []Finding, err error) {
	rows, err := q.VerifyHolds(ctx, company, verifyLimit)
	for _, row := range rows {
		f := Finding{CompanyID: row.CompanyID, CardID: row.ID}
		findings = append(findings, f.of(CheckHeld, "says %s, its open holds come to %s and its movements to %s", plain(row.Held), row.Holds, row.Movements))
	}
	return findings, err
}

func verifyPairs(ctx context.Context, q *db.Queries, company *uuid.UUID) (findings []Finding, err error) {
	rows, err := q.VerifyPairs(ctx, company, verifyLimit)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		f := Finding{CompanyID: row.CompanyID, CardID: row.CardID, Seq: row.Seq}
		if row.OtherMissing {
			findings = append(findings, f.of(CheckPair, "the movement that this %s answers is not there", row.Action))
			continue
		}
		findings = append(findings, f.of(CheckPair, "%s of %s, and the other half is %s", row.Action, plain(row.Amount), plain(row.OtherAmount)))
	}
	returns, err := q.VerifyReturns(ctx, company, verifyLimit)
	for _, row := range returns {
		f := Finding{CompanyID: row.CompanyID, CardID: row.CardID, Seq: row.Seq}
		findings = append(findings, f.of(CheckReturned, "%s, and %s was taken back of it", plain(row.Amount), row.Returned))
	}
	return findings, err
}

func (f Finding) of(check Check, detail string, args ...any) Finding {
	f.Check, f.Detail = check, fmt.Sprintf(detail, args...)
	return f
}

func plain(d decimal.Decimal) string { return d.Trim(0).String() }
