// Package phone keeps what a company says of phones: those that it blocks, the area
// codes that it takes, and which numbers are landlines (spec/wallet.md 4.2). Phones
// are national numbers of ten digits.
package phone

import (
	"context"
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
)

// Service runs the operations of phones.
type Service struct {
	DB  *db.Store
	Now func() time.Time
}

// maxPhones bounds how many phones, prefixes or ranges one call names.
const maxPhones = 5000

// Blocked is a phone on the blacklist.
type Blocked struct{ db.BlockedPhone }

// Block puts phones on the company's blacklist, and answers how many were not on it.
// It refuses with REQUIRED and TOO_LONG (how many), INVALID (one that is no number),
// and the rules of the reason.
func (s *Service) Block(ctx context.Context, who auth.Principal, phones []string, reason string) (int, error) {
	if err := checkPhones(phones); err != nil {
		return 0, err
	}
	in := db.PhonesBlockParams{CompanyID: who.CompanyID, Phones: phones, Now: s.Now()}
	switch reason = strings.TrimSpace(reason); {
	case utf8.RuneCountInString(reason) > 200:
		return 0, loyalty.Refuse(loyalty.CodeTooLong, "reason")
	case strings.ContainsRune(reason, 0) || !utf8.ValidString(reason):
		return 0, loyalty.Refuse(loyalty.CodeInvalid, "reason")
	case reason != "":
		in.Reason = &reason
	}
	return s.change(ctx, who, "phones_block", func(q *db.Queries) (int64, error) { return q.PhonesBlock(ctx, in) })
}

// Unblock takes phones off the blacklist, and answers how many were on it. It refuses
// as Block does.
func (s *Service) Unblock(ctx context.Context, who auth.Principal, phones []string) (int, error) {
	if err := checkPhones(phones); err != nil {
		return 0, err
	}
	return s.change(ctx, who, "phones_unblock", func(q *db.Queries) (int64, error) {
		return q.PhonesUnblock(ctx, who.CompanyID, phones)
	})
}

// change runs a change and notes it, without the phones.
func (s *Service) change(ctx context.Context, who auth.Principal, action string, do func(*db.Queries) (int64, error)) (int, error) {
	var n int64
	err := s.DB.InTx(ctx, func(tx db.Tx) (err error) {
		if n, err = do(tx.Queries); err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), action, "company", who.CompanyID, map[string]any{"count": n})
	})
	if err != nil {
		return 0, fmt.Errorf("change what a company says of phones: %w", err)
	}
	return int(n), nil
}

func checkPhones(phones []string) error {
	if err := checkCount(len(phones), "phones"); err != nil {
		return err
	}
	for _, p := range phones {
		if !digits(p, 10) {
			return loyalty.Refuse(loyalty.CodeInvalid, "phones")
		}
	}
	return nil
}

func checkCount(n int, field string) error {
	switch {
	case n == 0:
		return loyalty.Refuse(loyalty.CodeRequired, field)
	case n > maxPhones:
		return loyalty.Refuse(loyalty.CodeTooLong, field)
	}
	return nil
}

func digits(s string, n int) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) == n
}

// List lists the blacklist by number, from behind the phone given.
func (s *Service) List(ctx context.Context, company uuid.UUID, after string, first int) (list []*Blocked, more bool, err error) {
	rows, err := s.DB.BlockedPhonesPage(ctx, db.BlockedPhonesPageParams{CompanyID: company, After: after, BatchSize: int32(first) + 1})
	if err != nil {
		return nil, false, fmt.Errorf("list blocked phones: %w", err)
	}
	more = len(rows) > first
	for _, row := range rows[:min(len(rows), first)] {
		list = append(list, &Blocked{row})
	}
	return list, more, nil
}

// BlockedAmong tells which of some phones are blocked, in the caller's transaction.
func (s *Service) BlockedAmong(ctx context.Context, q *db.Queries, company uuid.UUID, phones []string) (map[string]bool, error) {
	found, err := q.PhonesBlocked(ctx, company, phones)
	if err != nil {
		return nil, fmt.Errorf("look for blocked phones: %w", err)
	}
	blocked := make(map[string]bool, len(found))
	for _, p := range found {
		blocked[p] = true
	}
	return blocked, nil
}

// Check holds a phone that is to be registered against area codes and number ranges,
// in the caller's transaction. It refuses with AREA_CODE_UNSUPPORTED and
// PHONE_LANDLINE.
func (s *Service) Check(ctx context.Context, q *db.Queries, company db.Company, phone string) error {
	if !digits(phone, 10) {
		return loyalty.Refuse(loyalty.CodeInvalid, "phone")
	}
	supported, err := q.AreaPrefixSupported(ctx, company.ID, phone[:prefixDigits])
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		supported = InCountry(company.PhonePrefix, phone[:prefixDigits])
	case err != nil:
		return fmt.Errorf("look up an area code: %w", err)
	}
	if !supported {
		return loyalty.Refuse(loyalty.CodeAreaCodeUnsupported, "phone").With("areaCode", AreaCode(company.PhonePrefix, phone))
	}
	line, err := q.NumberLine(ctx, number(phone), company.ID)
	switch {
	case errors.Is(err, pgx.ErrNoRows): // in no range: a mobile
		return nil
	case err != nil:
		return fmt.Errorf("look for a number's range: %w", err)
	case Line(line) == Landline:
		return loyalty.Refuse(loyalty.CodePhoneLandline, "phone")
	}
	return nil
}

// number is a phone of digits as one.
func number(phone string) int64 {
	n := int64(0)
	for i := range len(phone) {
		n = 10*n + int64(phone[i]-'0')
	}
	return n
}
