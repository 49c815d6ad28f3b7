package ledger

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// CheckDigit is how the last digit of a card's number is reckoned.
type CheckDigit string

// The check digits.
const (
	NoCheckDigit CheckDigit = "none"
	// Luhn is ISO/IEC 7812's: it finds one wrong digit and most swaps.
	Luhn CheckDigit = "luhn"
)

// NumberRange is where numbers of cards come from: they begin with one of the
// prefixes from Start to End, which are digits, the same number of them.
type NumberRange struct {
	Start, End string
	// Suggested: numbers are taken from here first.
	Suggested bool
}

// maxRanges bounds the ranges of a card type.
const maxRanges = 50

// firstCardNumber is the code of the first card of a type without ranges that gets
// a number by itself.
const firstCardNumber = 7000000000000001

// checkNumbering holds a card type's numbers against their rules: ranges and length
// go together, a number has room for its prefix, one digit more and the check digit,
// one range at most is suggested, and no number is in two of them.
func checkNumbering(t *db.CardType, ranges []NumberRange) error {
	check := CheckDigit(t.CheckDigit)
	switch {
	case check != NoCheckDigit && check != Luhn:
		return loyalty.Refuse(loyalty.CodeInvalid, "checkDigit")
	case len(ranges) == 0 && (t.NumberLength != nil || check != NoCheckDigit):
		return loyalty.Refuse(loyalty.CodeRequired, "numberRanges")
	case len(ranges) == 0:
		return nil
	case len(ranges) > maxRanges:
		return loyalty.Refuse(loyalty.CodeInvalid, "numberRanges")
	case t.NumberLength == nil:
		return loyalty.Refuse(loyalty.CodeRequired, "numberLength")
	case *t.NumberLength < 4 || *t.NumberLength > maxNumberLength:
		return loyalty.Refuse(loyalty.CodeInvalid, "numberLength")
	}
	suggested := 0
	for i, r := range ranges {
		if !digits(r.Start) || !digits(r.End) || len(r.Start) != len(r.End) || len(r.Start) > 18 || r.Start > r.End ||
			sequenceDigits(*t, r) < 1 || slices.ContainsFunc(ranges[:i], r.overlaps) {
			return loyalty.Refuse(loyalty.CodeInvalid, "numberRanges")
		}
		if r.Suggested {
			suggested++
		}
	}
	if suggested > 1 {
		return loyalty.Refuse(loyalty.CodeInvalid, "numberRanges")
	}
	return nil
}

func digits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// overlaps reports whether a number can begin as both ranges say.
func (r NumberRange) overlaps(other NumberRange) bool {
	n := min(len(r.Start), len(other.Start))
	return r.Start[:n] <= other.End[:n] && other.Start[:n] <= r.End[:n]
}

// sequenceDigits is how many digits of a number count up.
func sequenceDigits(t db.CardType, r NumberRange) int {
	n := int(*t.NumberLength) - len(r.Start)
	if CheckDigit(t.CheckDigit) == Luhn {
		n--
	}
	return n
}

// fitsType refuses a code that somebody chose where the card type's ranges say
// otherwise: another length, a prefix of none of them, a wrong check digit.
func fitsType(t db.CardType, ranges []NumberRange, code, field string) error {
	if len(ranges) == 0 {
		if !cardCodePattern.MatchString(code) {
			return loyalty.Refuse(loyalty.CodeInvalid, field)
		}
		return nil
	}
	fits := digits(code) && len(code) == int(*t.NumberLength) &&
		slices.ContainsFunc(ranges, func(r NumberRange) bool {
			prefix := code[:len(r.Start)]
			return r.Start <= prefix && prefix <= r.End
		})
	if !fits || CheckDigit(t.CheckDigit) == Luhn && luhn(code[:len(code)-1]) != code[len(code)-1] {
		return loyalty.Refuse(loyalty.CodeInvalid, field)
	}
	return nil
}

// luhn is the check digit of a number without it.
func luhn(number string) byte {
	sum := 0
	for i := range len(number) {
		d := int(number[len(number)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return byte('0' + (10-sum%10)%10)
}

// sequence is a row of numbers, counted by a row of company_counter.
type sequence struct {
	// name is the counter's. It holds what the numbers are made of: other ranges, or
	// another length, count anew, and what they had counts on when it comes back.
	name string
	// first and last bound the counter.
	first, last int64
	// code makes the card's code of the counter.
	code func(n int64) string
}

// sequences are where a type's numbers come from, in the order in which they are
// used up: its ranges, the suggested one first; without ranges the company's.
func sequences(t db.CardType, ranges []NumberRange) []sequence {
	if len(ranges) == 0 {
		return []sequence{{
			name: "card", first: firstCardNumber, last: math.MaxInt64,
			code: func(n int64) string { return strconv.FormatInt(n, 10) },
		}}
	}
	ordered := slices.Clone(ranges)
	slices.SortStableFunc(ordered, func(a, b NumberRange) int {
		switch {
		case a.Suggested == b.Suggested:
			return 0
		case a.Suggested:
			return -1
		default:
			return 1
		}
	})
	all := make([]sequence, len(ordered))
	for i, r := range ordered {
		all[i] = rangeSequence(t, r)
	}
	return all
}

// rangeSequence counts from 1: prefix by prefix, each from zeros to nines.
func rangeSequence(t db.CardType, r NumberRange) sequence {
	width := sequenceDigits(t, r)
	// The digits of a prefix are 18 at most, and so is what counts: more cards than
	// that nobody opens.
	each := int64(math.Pow10(min(width, 18)))
	start, _ := strconv.ParseInt(r.Start, 10, 64)
	end, _ := strconv.ParseInt(r.End, 10, 64)
	prefixes := end - start + 1
	last := int64(math.MaxInt64)
	if prefixes <= math.MaxInt64/each {
		last = prefixes * each
	}
	check := CheckDigit(t.CheckDigit)
	return sequence{
		name:  fmt.Sprintf("card/%s/%d/%s/%s-%s", t.ID, *t.NumberLength, check, r.Start, r.End),
		first: 1, last: last,
		code: func(n int64) string {
			n--
			code := fmt.Sprintf("%0*d%0*d", len(r.Start), start+n/each, width, n%each)
			if check == Luhn {
				code += string(luhn(code))
			}
			return code
		},
	}
}

// numberBatch is how many numbers are looked at together, at least.
const numberBatch = 16

// takeNumbers takes the next free numbers of a card type: the counter stays locked
// until the transaction ends, so nobody gets the same one, and what is rolled back
// is free again. Numbers that cards have already, opened by hand, are left out. It
// refuses with NUMBERS_USED_UP.
func takeNumbers(ctx context.Context, q *db.Queries, t db.CardType, ranges []NumberRange, count int) ([]string, error) {
	taken := make([]string, 0, count)
	for _, seq := range sequences(t, ranges) {
		before := seq.first - 1
		if len(taken) == count {
			break
		}
		at, err := q.CardNumberLock(ctx, db.CardNumberLockParams{CompanyID: t.CompanyID, Name: seq.name, BeforeFirst: before})
		if err != nil {
			return nil, fmt.Errorf("lock a counter of numbers: %w", err)
		}
		from := at
		for len(taken) < count && at < seq.last {
			size := min(int64(max(count-len(taken), numberBatch)), seq.last-at)
			codes := make([]string, size)
			for i := range codes {
				codes[i] = seq.code(at + 1 + int64(i))
			}
			used, err := q.CardCodesTaken(ctx, t.CompanyID, codes)
			if err != nil {
				return nil, fmt.Errorf("look for numbers that are taken: %w", err)
			}
			for _, code := range codes {
				if len(taken) == count {
					break
				}
				at++
				if _, found := slices.BinarySearch(used, code); !found {
					taken = append(taken, code)
				}
			}
		}
		if at != from {
			if err := q.CardNumberSet(ctx, db.CardNumberSetParams{CompanyID: t.CompanyID, Name: seq.name, Value: at}); err != nil {
				return nil, fmt.Errorf("move a counter of numbers on: %w", err)
			}
		}
	}
	if len(taken) < count {
		return nil, loyalty.Refuse(loyalty.CodeNumbersUsedUp, "cardTypeCode")
	}
	return taken, nil
}

// CardNumberNext takes the next free number of a card type and opens no card: for
// cards that are printed before they are known here. It is given to nobody else;
// CardCreate takes it as a code. It refuses with CARD_TYPE_NOT_FOUND,
// CARD_TYPE_ARCHIVED and NUMBERS_USED_UP.
func (s *Service) CardNumberNext(ctx context.Context, who auth.Principal, cardTypeCode string) (string, error) {
	t, err := s.openType(ctx, who.CompanyID, cardTypeCode)
	if err != nil {
		return "", err
	}
	var number string
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		ranges, err := rangesOf(ctx, tx.Queries, t)
		if err != nil {
			return err
		}
		numbers, err := takeNumbers(ctx, tx.Queries, t, ranges, 1)
		if err != nil {
			return err
		}
		number = numbers[0]
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "card_number_next", "card_type", t.ID, map[string]any{"number": number})
	})
	return number, err
}

// openType is a card type of which cards can be opened. It refuses with
// CARD_TYPE_NOT_FOUND and CARD_TYPE_ARCHIVED.
func (s *Service) openType(ctx context.Context, company uuid.UUID, code string) (db.CardType, error) {
	t, err := s.CardTypeByCode(ctx, company, code)
	switch {
	case err != nil:
		return db.CardType{}, err
	case t == nil:
		return db.CardType{}, loyalty.Refuse(loyalty.CodeCardTypeNotFound, "cardTypeCode")
	case t.ArchivedAt != nil:
		return db.CardType{}, loyalty.Refuse(loyalty.CodeCardTypeArchived, "cardTypeCode")
	}
	return t.CardType, nil
}

func rangesOf(ctx context.Context, q *db.Queries, t db.CardType) ([]NumberRange, error) {
	if t.NumberLength == nil {
		return nil, nil
	}
	rows, err := q.CardTypeRanges(ctx, t.CompanyID, []uuid.UUID{t.ID})
	if err != nil {
		return nil, fmt.Errorf("read a card type's number ranges: %w", err)
	}
	return numberRanges(rows)[t.ID], nil
}

func numberRanges(rows []db.CardTypeRange) map[uuid.UUID][]NumberRange {
	all := map[uuid.UUID][]NumberRange{}
	for _, row := range rows {
		all[row.CardTypeID] = append(all[row.CardTypeID], NumberRange{Start: row.PrefixStart, End: row.PrefixEnd, Suggested: row.Suggested})
	}
	return all
}

func rangeParams(t db.CardType, ranges []NumberRange) db.CardTypeRangesReplaceParams {
	p := db.CardTypeRangesReplaceParams{CompanyID: t.CompanyID, CardTypeID: t.ID}
	for _, r := range ranges {
		p.PrefixStarts, p.PrefixEnds = append(p.PrefixStarts, r.Start), append(p.PrefixEnds, r.End)
		p.Suggesteds = append(p.Suggesteds, r.Suggested)
	}
	return p
}

// RangesOf reads the number ranges of a card type, and with it those of its batch.
func (s *Service) RangesOf(ctx context.Context, company uuid.UUID, t *CardType) ([]NumberRange, error) {
	return loyalty.Together(t.batch, t, "ranges", func(all []*CardType) (map[*CardType][]NumberRange, error) {
		return loyalty.Lookup(all, func(t *CardType) (uuid.UUID, bool) { return t.ID, t.NumberLength != nil },
			func(ids []uuid.UUID) (map[uuid.UUID][]NumberRange, error) {
				rows, err := s.DB.CardTypeRanges(ctx, company, ids)
				if err != nil {
					return nil, fmt.Errorf("read card types' number ranges: %w", err)
				}
				return numberRanges(rows), nil
			})
	})
}
