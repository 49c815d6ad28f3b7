package customer

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
)

const (
	maxName       = 200
	maxLastName   = 120
	maxCode       = 100
	maxEmail      = 254
	maxAttributes = 8 << 10
)

var (
	emailPattern    = regexp.MustCompile(`^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\.[^@\s\x00-\x1f]+$`)
	documentPattern = regexp.MustCompile(`^[\p{L}\p{Nd}.-]{3,30}$`)
	phoneDrops      = strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "")
)

// clean trims the fields and holds them against their rules (spec/pretii.md 3.2). It
// tells all that is wrong at once.
func (s *Service) clean(in Fields, company db.Company) (Fields, error) {
	in.FirstName, in.LastName = strings.TrimSpace(in.FirstName), strings.TrimSpace(in.LastName)
	in.Code = strings.TrimSpace(in.Code)
	in.Email, in.Document = strings.ToLower(strings.TrimSpace(in.Email)), strings.TrimSpace(in.Document)
	var wrong loyalty.Refusals
	for _, t := range []struct {
		field, value string
		limit        int
	}{{"firstName", in.FirstName, maxName}, {"lastName", in.LastName, maxLastName}, {"code", in.Code, maxCode}} {
		if strings.ContainsRune(t.value, 0) || !utf8.ValidString(t.value) {
			wrong.Add(loyalty.CodeInvalid, t.field)
		}
		if utf8.RuneCountInString(t.value) > t.limit {
			wrong.Add(loyalty.CodeTooLong, t.field)
		}
	}
	if strings.ContainsFunc(in.Code, unicode.IsControl) {
		wrong.Add(loyalty.CodeInvalid, "code")
	}
	if in.FirstName == "" {
		wrong.Add(loyalty.CodeRequired, "firstName")
	}
	if in.Email != "" && (len(in.Email) > maxEmail || !emailPattern.MatchString(in.Email)) {
		wrong.Add(loyalty.CodeInvalid, "email")
	}
	if in.Phone = strings.TrimSpace(in.Phone); in.Phone != "" {
		phone, ok := Phone(in.Phone, company.PhonePrefix)
		if !ok {
			wrong.Add(loyalty.CodeInvalid, "phone")
		}
		in.Phone = phone
	}
	if in.Document != "" && !documentPattern.MatchString(in.Document) {
		wrong.Add(loyalty.CodeInvalid, "document")
	}
	if in.Birthdate != nil && !Birthdate(*in.Birthdate, s.Now(), company.TimeZone) {
		wrong.Add(loyalty.CodeInvalid, "birthdate")
	}
	attributes, ok := cleanAttributes(in.Attributes)
	if !ok {
		wrong.Add(loyalty.CodeInvalid, "attributes")
	}
	in.Attributes = attributes
	return in, wrong.Err()
}

// cleanAttributes takes a JSON object of at most 50 members and 8 KiB, without
// NUL, which PostgreSQL does not hold.
func cleanAttributes(raw json.RawMessage) (json.RawMessage, bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return json.RawMessage("{}"), true
	}
	if len(raw) > maxAttributes || bytes.Contains(raw, []byte(`\u0000`)) {
		return nil, false
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || len(members) > 50 {
		return nil, false
	}
	return raw, true
}

// Phone reads a phone as E.164: spaces, -, . and parentheses are dropped, then
// it is a + with 8 to 15 digits, or 6 to 14 digits to which the prefix is added
// (spec/pretii.md 3.2).
func Phone(text, prefix string) (string, bool) {
	text = phoneDrops.Replace(text)
	digits, international := strings.CutPrefix(text, "+")
	for _, r := range digits {
		if r < '0' || r > '9' {
			return "", false
		}
	}
	switch {
	case international && len(digits) >= 8 && len(digits) <= 15:
		return text, true
	case !international && len(digits) >= 6 && len(digits) <= 14:
		full := prefix + digits
		return full, len(full) <= 16
	}
	return "", false
}

// Birthdate reports whether a day can be one: not before 1900, not after today
// in the company's zone.
func Birthdate(day, now time.Time, zone string) bool {
	loc, err := loyalty.Zone(zone)
	if err != nil {
		loc = time.UTC
	}
	return day.Year() >= 1900 && day.Format(time.DateOnly) <= now.In(loc).Format(time.DateOnly)
}

// NewQRCode makes the text of a customer's QR code: 80 random bits, so that
// nobody guesses one.
func NewQRCode() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return "PRT-" + hex.EncodeToString(b[:])
}

// nameTag stands before each word of a name in the index that finds them
// (customer_name_words_idx): the end of the company's id, since its beginning is
// the time it was made.
func nameTag(company uuid.UUID) string { return hex.EncodeToString(company[12:]) }

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
