// Package company keeps what a company is made of: its own record, its stores,
// and the staff at its tills with their rights on card types.
package company

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Service runs the company's operations.
type Service struct {
	DB *db.Store
	// Now is the clock.
	Now func() time.Time
	// Hash hashes a staff member's password (auth.Hasher).
	Hash func(ctx context.Context, password string) (string, error)
	// FingerprintKey is the server's secret under which equal passwords of one
	// company are found (spec/wallet.md 3.9).
	FingerprintKey []byte
	// APIDomain is the domain below which the first label of a host is a company's code
	// (spec/pretii.md 2); "" for none.
	APIDomain string
}

// Company is a business whose customers collect points.
type Company struct{ db.Company }

// GlobalID is the company's opaque id.
func (c *Company) GlobalID() string { return loyalty.GlobalID("Company", c.ID.String()) }

// ByID reads a company; nil if there is none.
func (s *Service) ByID(ctx context.Context, id uuid.UUID) (*Company, error) {
	row, err := s.DB.CompanyByID(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a company: %w", err)
	}
	return &Company{Company: row}, nil
}

// NewCompany says what a new company is like.
type NewCompany struct {
	Code, Name, TimeZone, Language, Currency, PhonePrefix string
}

// Create sets up a company. It refuses with TAKEN (code) and INVALID.
func (s *Service) Create(ctx context.Context, in NewCompany) (*Company, error) {
	if err := check(&in.TimeZone, &in.Language); err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	row, err := s.DB.CompanyCreate(ctx, db.CompanyCreateParams{
		CompanyID: id, Code: in.Code, Name: in.Name, TimeZone: in.TimeZone, Language: in.Language,
		Currency: in.Currency, PhonePrefix: in.PhonePrefix, Now: s.Now(),
	})
	switch {
	case err == nil:
		return &Company{Company: row}, nil
	case db.Violates(err, "company_code_key"):
		return nil, loyalty.Refuse(loyalty.CodeTaken, "code")
	case db.Violates(err, "company_code_check"):
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "code")
	default:
		return nil, fmt.Errorf("create a company: %w", err)
	}
}

// Change says what to change of a company; nil stays.
type Change struct {
	Name, TimeZone, Language *string
	// PointsCardTypeCode names the card type that imports of points post on.
	PointsCardTypeCode *string
}

// pointsCardType is the setting that imports of points read.
const pointsCardType = "points_card_type"

// Update changes the caller's company. It refuses with the rules of the fields.
func (s *Service) Update(ctx context.Context, who auth.Principal, in Change) (*Company, error) {
	if in.Name != nil {
		name, err := text(*in.Name, "name", 100)
		if err != nil {
			return nil, err
		}
		in.Name = &name
	}
	if err := check(in.TimeZone, in.Language); err != nil {
		return nil, err
	}
	var row db.Company
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		var err error
		row, err = tx.CompanyUpdate(ctx, db.CompanyUpdateParams{
			CompanyID: who.CompanyID, Name: in.Name, TimeZone: in.TimeZone, Language: in.Language, Now: s.Now(),
		})
		if err != nil {
			return err
		}
		if in.PointsCardTypeCode != nil {
			if err := s.setPointsCardType(ctx, tx.Queries, who.CompanyID, *in.PointsCardTypeCode); err != nil {
				return err
			}
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "company_update", "company", row.ID, nil)
	})
	switch {
	case err == nil:
		return &Company{Company: row}, nil
	case loyalty.CodeOf(err) != "":
		return nil, err
	default:
		return nil, fmt.Errorf("update a company: %w", err)
	}
}

func (s *Service) setPointsCardType(ctx context.Context, q *db.Queries, company uuid.UUID, code string) error {
	if strings.ContainsRune(code, 0) || !utf8.ValidString(code) {
		return loyalty.Refuse(loyalty.CodeCardTypeNotFound, "pointsCardTypeCode")
	}
	t, err := q.CardTypeByCode(ctx, company, code)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return loyalty.Refuse(loyalty.CodeCardTypeNotFound, "pointsCardTypeCode")
	case err != nil:
		return err
	case t.ArchivedAt != nil:
		return loyalty.Refuse(loyalty.CodeCardTypeArchived, "pointsCardTypeCode")
	}
	value, err := json.Marshal(code)
	if err != nil {
		return err
	}
	return q.SettingPut(ctx, db.SettingPutParams{CompanyID: company, Name: pointsCardType, Value: value, Now: s.Now()})
}

// PointsCardTypeCode is the code of the card type that imports of points post on;
// "" where none is set.
func (s *Service) PointsCardTypeCode(ctx context.Context, company uuid.UUID) (string, error) {
	value, err := s.DB.SettingByName(ctx, company, pointsCardType)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the setting of points: %w", err)
	}
	var code string
	if err := json.Unmarshal(value, &code); err != nil {
		return "", fmt.Errorf("read the setting of points: %w", err)
	}
	return code, nil
}

func check(zone, language *string) error {
	if zone != nil {
		if _, err := time.LoadLocation(*zone); err != nil || *zone == "" || *zone == "Local" {
			return loyalty.Refuse(loyalty.CodeInvalid, "timeZone")
		}
	}
	if language != nil && !slices.Contains([]string{"en", "es", "pt", "vi"}, *language) {
		return loyalty.Refuse(loyalty.CodeInvalid, "language")
	}
	return nil
}

// nameKey is the form in which names of staff and stores are compared: any case,
// inner spaces collapsed (spec/wallet.md 3.9).
func nameKey(name string) string { return strings.ToLower(strings.Join(strings.Fields(name), " ")) }

// text trims a text of 1 to limit characters.
func text(value, field string, limit int) (string, error) {
	value = strings.TrimSpace(value)
	switch {
	case value == "":
		return "", loyalty.Refuse(loyalty.CodeRequired, field)
	case utf8.RuneCountInString(value) > limit:
		return "", loyalty.Refuse(loyalty.CodeTooLong, field)
	case strings.ContainsRune(value, 0) || !utf8.ValidString(value):
		return "", loyalty.Refuse(loyalty.CodeInvalid, field)
	}
	return value, nil
}
