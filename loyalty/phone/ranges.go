package phone

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Line is what the numbers of a range are.
type Line string

// The kinds of lines.
const (
	Landline Line = "landline"
	Mobile   Line = "mobile"
)

// Range is a range of the public numbering plan, both ends in it. Of several that a
// number is in, the narrowest counts.
type Range struct {
	First, Last string
	Line        Line
}

// Listed is a range as it is kept.
type Listed struct{ db.NumberRange }

// First is the first number of the range.
func (r *Listed) First() string { return fmt.Sprintf("%010d", r.FirstNumber) }

// Last is the last number of the range.
func (r *Listed) Last() string { return fmt.Sprintf("%010d", r.LastNumber) }

// Place is a range's place in the list.
type Place struct {
	Width       int16
	First, Last int64
}

// Place is where the range stands in the list.
func (r *Listed) Place() Place { return Place{r.Width, r.FirstNumber, r.LastNumber} }

// Kind is what its numbers are.
func (r *Listed) Kind() Line { return Line(r.Line) }

// RangesLoad loads ranges, beside those that are there or in their place; one that is
// there already gets the line given. It refuses with REQUIRED (none, unless they
// replace the others), TOO_LONG and INVALID.
func (s *Service) RangesLoad(ctx context.Context, who auth.Principal, ranges []Range, replace bool) (int, error) {
	if len(ranges) > 0 || !replace {
		if err := checkCount(len(ranges), "ranges"); err != nil {
			return 0, err
		}
	}
	in := db.NumberRangesPutParams{CompanyID: who.CompanyID, Now: s.Now(), FirstNumbers: []int64{}, LastNumbers: []int64{}, Lines: []string{}}
	for _, r := range ranges {
		if !digits(r.First, 10) || !digits(r.Last, 10) || r.First > r.Last || r.Line != Landline && r.Line != Mobile {
			return 0, loyalty.Refuse(loyalty.CodeInvalid, "ranges")
		}
		in.FirstNumbers, in.LastNumbers = append(in.FirstNumbers, number(r.First)), append(in.LastNumbers, number(r.Last))
		in.Lines = append(in.Lines, string(r.Line))
	}
	return s.change(ctx, who, "number_ranges_load", func(q *db.Queries) (int64, error) {
		if replace {
			if _, err := q.NumberRangesClear(ctx, who.CompanyID); err != nil {
				return 0, err
			}
		}
		if len(ranges) == 0 {
			return 0, nil
		}
		return int64(len(ranges)), q.NumberRangesPut(ctx, in)
	})
}

// Ranges lists ranges, the narrowest first, from behind the place given.
func (s *Service) Ranges(ctx context.Context, company uuid.UUID, after *Place, first int) (list []*Listed, more bool, err error) {
	in := db.NumberRangesPageParams{CompanyID: company, AfterFirst: -1, BatchSize: int32(first) + 1}
	if after != nil {
		in.AfterWidth, in.AfterFirst, in.AfterLast = after.Width, after.First, after.Last
	}
	rows, err := s.DB.NumberRangesPage(ctx, in)
	if err != nil {
		return nil, false, fmt.Errorf("list number ranges: %w", err)
	}
	more = len(rows) > first
	for _, row := range rows[:min(len(rows), first)] {
		list = append(list, &Listed{row})
	}
	return list, more, nil
}
