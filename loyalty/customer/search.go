package customer

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
)

// Match is a customer found, and where it stands in the order of the search.
type Match struct {
	Customer *Customer
	Place    Place
}

// Place is a customer's place in a search: rank of the rule, first and last names, id.
// The zero value stands before all.
type Place struct {
	Rank    int32
	SortKey string
	ID      uuid.UUID
}

// Search finds customers by a text of 2 to 100 characters, best first, as
// spec/pretii.md 3.3 says: (1) QR text, e-mail or document; (2) the end of the
// phone; (3) the beginning of e-mail or document; (4) words of the name without
// case and accents. It refuses with REQUIRED and TOO_LONG.
func (s *Service) Search(ctx context.Context, company uuid.UUID, text string, after Place, first int) (page []Match, more bool, err error) {
	text, err = searched(text)
	if err != nil {
		return nil, false, err
	}
	key, prefix := searchKeys(text)
	rows, err := s.DB.CustomersSearch(ctx, db.CustomersSearchParams{
		CompanyID: company, TextKey: &key, Exact: &text, Prefix: &prefix,
		PhoneSuffix: phoneSuffix(text), Words: nameWords(company, text),
		AfterRank: after.Rank, AfterSortKey: after.SortKey, After: after.ID, BatchSize: int32(first) + 1,
	})
	if err != nil {
		return nil, false, fmt.Errorf("search customers: %w", err)
	}
	if more = len(rows) > first; more {
		rows = rows[:first]
	}
	plain := make([]db.Customer, len(rows))
	for i, row := range rows {
		plain[i] = row.Customer
	}
	for i, c := range customers(plain) {
		page = append(page, Match{Customer: c, Place: Place{Rank: rows[i].Rank, SortKey: rows[i].SortKey, ID: c.ID}})
	}
	return page, more, nil
}

// Bounds of a search by pages (spec/pretii.md 3.3).
const (
	MaxPageSize     = 100
	DefaultPageSize = 20
	// lastPage is behind the last page of any search: all behind it are as empty.
	lastPage = 1 << 30
)

// SearchPage finds customers as Search does, a numbered page of them, and tells how
// many there are in all. It refuses with all that is wrong: REQUIRED, TOO_LONG and
// INVALID (search), INVALID (page, from 1, and pageSize, 1 to MaxPageSize).
func (s *Service) SearchPage(ctx context.Context, company uuid.UUID, text string, page, size int) (found []*Customer, total int, err error) {
	var wrong loyalty.Refusals
	text, err = searched(text)
	_ = wrong.AddError(err) // a refusal always
	if page < 1 {
		wrong.Add(loyalty.CodeInvalid, "page")
	}
	if size < 1 || size > MaxPageSize {
		wrong.Add(loyalty.CodeInvalid, "pageSize")
	}
	if err := wrong.Err(); err != nil {
		return nil, 0, err
	}
	key, prefix := searchKeys(text)
	suffix, words := phoneSuffix(text), nameWords(company, text)
	rows, err := s.DB.CustomersSearchPage(ctx, db.CustomersSearchPageParams{
		CompanyID: company, TextKey: &key, Exact: &text, Prefix: &prefix, PhoneSuffix: suffix, Words: words,
		BatchSize: int32(size), Skip: int64(min(page, lastPage)-1) * int64(size),
	})
	if err != nil {
		return nil, 0, fmt.Errorf("search customers: %w", err)
	}
	plain := make([]db.Customer, len(rows))
	for i, row := range rows {
		plain[i], total = row.Customer, int(row.Total)
	}
	if len(rows) > 0 || page == 1 {
		return customers(plain), total, nil
	}
	n, err := s.DB.CustomersSearchCount(ctx, db.CustomersSearchCountParams{
		CompanyID: company, TextKey: &key, Exact: &text, Prefix: &prefix, PhoneSuffix: suffix, Words: words,
	})
	if err != nil {
		return nil, 0, fmt.Errorf("count the customers of a search: %w", err)
	}
	return nil, int(n), nil
}

// searched trims a text to search for. It refuses with REQUIRED, TOO_LONG and INVALID.
func searched(text string) (string, error) {
	text = strings.TrimSpace(text)
	switch n := utf8.RuneCountInString(text); {
	case n < 2:
		return "", loyalty.Refuse(loyalty.CodeRequired, "search")
	case n > 100:
		return "", loyalty.Refuse(loyalty.CodeTooLong, "search")
	case !loyalty.Storable(text):
		return "", loyalty.Refuse(loyalty.CodeInvalid, "search")
	}
	return text, nil
}

// searchKeys are what e-mails and documents are compared with, and what they begin with.
func searchKeys(text string) (key, prefix string) {
	key = strings.ToLower(text)
	return key, likeEscaper.Replace(key) + "%"
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// phoneSuffix is the pattern of rule 2: the digits turned round, as the index
// holds phones. nil where the text has under 6 digits or anything but a phone's
// characters.
func phoneSuffix(text string) *string {
	var digits []byte
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9':
			digits = append(digits, byte(r))
		case !strings.ContainsRune(" +-.()", r):
			return nil
		}
	}
	if len(digits) < 6 {
		return nil
	}
	pattern := make([]byte, 0, len(digits)+1)
	for i := len(digits) - 1; i >= 0; i-- {
		pattern = append(pattern, digits[i])
	}
	pattern = append(pattern, '%')
	return new(string(pattern))
}

// nameWords is the tsquery of rule 4: every word begins some word of the name.
// The words are letters and digits only, so that quoting them needs nothing more.
func nameWords(company uuid.UUID, text string) *string {
	tag := nameTag(company)
	var parts []string
	for word := range strings.FieldsSeq(loyalty.SearchKey(text)) {
		parts = append(parts, "'"+tag+word+"':*")
	}
	if len(parts) == 0 {
		return nil
	}
	return new(strings.Join(parts, " & "))
}
