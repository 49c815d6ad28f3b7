package ledger

import (
	"context"
	"fmt"

	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
)

// Line is one line of a sale and its part in a movement.
type Line struct {
	// Number names the line within the sale, from 1.
	Number int
	// Amount is the line's part of the points; nil parts them by Spent.
	Amount *decimal.Decimal
	// Spent is what the line cost, in currency.
	Spent *decimal.Decimal
	// Code is the product, for people.
	Code string
}

// maxLines bounds the lines of one movement.
const maxLines = 500

// part is a line with its exact part of the movement, without the sign.
type part struct {
	number int
	amount decimal.Decimal
	code   string
}

// partLines parts an amount among lines: as they say, which has to come to the
// whole, or by what each cost. Then the parts come to the whole to the last decimal,
// the remainder with the dearest line.
func partLines(lines []Line, amount decimal.Decimal, t db.CardType) ([]part, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	if len(lines) > maxLines {
		return nil, loyalty.Refuse(loyalty.CodeTooLong, "lines")
	}
	amount = amount.Abs()
	parts := make([]part, len(lines))
	seen := map[int]bool{}
	given, spent, dearest := decimal.Zero, decimal.Zero, 0
	for i, l := range lines {
		if l.Number < 1 || seen[l.Number] || len(l.Code) > 100 || !storable(l.Code) {
			return nil, loyalty.Refuse(loyalty.CodeLinesMismatch, "lines")
		}
		seen[l.Number] = true
		parts[i] = part{number: l.Number, code: l.Code}
		switch {
		case l.Amount != nil && (l.Amount.IsNeg() || tooLarge(*l.Amount) || l.Amount.MinScale() > int(t.Scale)),
			l.Spent != nil && (l.Spent.IsNeg() || tooLarge(*l.Spent) || l.Spent.MinScale() > 4),
			(l.Amount == nil) != (lines[0].Amount == nil), l.Amount == nil && l.Spent == nil:
			return nil, loyalty.Refuse(loyalty.CodeLinesMismatch, "lines")
		case l.Amount != nil:
			parts[i].amount = *l.Amount
			given = plus(given, *l.Amount)
		default:
			spent = plus(spent, *l.Spent)
			if l.Spent.Cmp(*lines[dearest].Spent) > 0 {
				dearest = i
			}
		}
		if tooLarge(given) || tooLarge(spent) {
			return nil, loyalty.Refuse(loyalty.CodeLinesMismatch, "lines")
		}
	}
	if lines[0].Amount != nil {
		if given.Cmp(amount) != 0 {
			return nil, loyalty.Refuse(loyalty.CodeLinesMismatch, "lines")
		}
		return parts, nil
	}
	if spent.IsZero() {
		return nil, loyalty.Refuse(loyalty.CodeLinesMismatch, "lines")
	}
	left := amount
	for i, l := range lines {
		num, den := fraction(amount, *l.Spent, spent)
		share, ok := quotient(num, den, int(t.Scale), false)
		if !ok {
			return nil, loyalty.Refuse(loyalty.CodeAmountTooLarge, "lines")
		}
		parts[i].amount = share
		left = less(left, share)
	}
	parts[dearest].amount = plus(parts[dearest].amount, left)
	return parts, nil
}

// writeLines writes the lines of a movement of an open book.
func writeLines(ctx context.Context, tx db.Tx, m *Movement, lines []part) error {
	if len(lines) == 0 {
		return nil
	}
	p := db.MovementLinesCreateParams{CompanyID: m.CompanyID, CardID: m.CardID, Seq: m.Seq}
	for _, l := range lines {
		p.Lines, p.Amounts, p.Codes = append(p.Lines, int32(l.number)), append(p.Amounts, l.amount), append(p.Codes, l.code)
	}
	if err := tx.MovementLinesCreate(ctx, p); err != nil {
		return fmt.Errorf("write a movement's lines: %w", err)
	}
	return nil
}
