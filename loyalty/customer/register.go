package customer

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
	"sello/loyalty/ledger"
)

// Contact says who is registered in a wallet.
type Contact struct {
	WalletKey string
	// Phone is the national number of ten digits.
	Phone     string
	Name      string
	Birthdate *time.Time
	// StaffNumber is the staff member who registers; nil where none is named.
	StaffNumber *int64
}

// Register makes a person a contact of a wallet: the customer is found by phone
// or created, and the card opened, or an archived one reopened with its balance
// (spec/wallet.md 3.5). It refuses, in this order, with INVALID, REQUIRED or
// TOO_LONG (phone, name), CARD_TYPE_NOT_FOUND, CARD_TYPE_ARCHIVED,
// STAFF_NOT_FOUND, STAFF_ARCHIVED, STAFF_NO_PERMISSION, CONTACT_EXISTS,
// BIRTHDATE_REQUIRED, INVALID (birthdate) and CONTACT_RACE.
func (s *Service) Register(ctx context.Context, who auth.Principal, in Contact) (card *ledger.Card, reopened bool, err error) {
	in.Name = strings.TrimSpace(in.Name)
	switch {
	case !nationalPhone(in.Phone):
		return nil, false, loyalty.Refuse(loyalty.CodeInvalid, "phone")
	case in.Name == "":
		return nil, false, loyalty.Refuse(loyalty.CodeRequired, "name")
	case utf8.RuneCountInString(in.Name) > maxName:
		return nil, false, loyalty.Refuse(loyalty.CodeTooLong, "name")
	case strings.ContainsRune(in.Name, 0) || !utf8.ValidString(in.Name):
		return nil, false, loyalty.Refuse(loyalty.CodeInvalid, "name")
	}
	company, err := s.DB.CompanyByID(ctx, who.CompanyID)
	if err != nil {
		return nil, false, fmt.Errorf("read the company: %w", err)
	}
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		card, reopened, err = s.register(ctx, tx.Queries, who, company, in)
		return err
	})
	switch {
	case err == nil:
		return card, reopened, nil
	case db.Violates(err, "card_holder_phone_key"), db.Violates(err, "card_code_key"):
		return nil, false, loyalty.Refuse(loyalty.CodeContactRace, "phone")
	case loyalty.CodeOf(err) != "":
		return nil, false, err
	default:
		return nil, false, fmt.Errorf("register a contact: %w", err)
	}
}

func (s *Service) register(ctx context.Context, q *db.Queries, who auth.Principal, company db.Company, in Contact) (*ledger.Card, bool, error) {
	wallet, err := q.CardTypeByWalletKey(ctx, who.CompanyID, &in.WalletKey)
	switch {
	case db.Absent(err):
		return nil, false, loyalty.Refuse(loyalty.CodeCardTypeNotFound, "walletKey")
	case err != nil:
		return nil, false, err
	case wallet.ArchivedAt != nil:
		return nil, false, loyalty.Refuse(loyalty.CodeCardTypeArchived, "walletKey")
	}
	if err := mayRegister(ctx, q, who.CompanyID, wallet.ID, in.StaffNumber); err != nil {
		return nil, false, err
	}
	// Registrations of one phone follow each other: a person is created once, and
	// the second of two at once finds the first one's contact.
	if err := q.CustomerPhoneLock(ctx, who.CompanyID, in.Phone); err != nil {
		return nil, false, err
	}
	old, err := q.CardByHolderPhone(ctx, db.CardByHolderPhoneParams{CompanyID: who.CompanyID, CardTypeID: wallet.ID, HolderPhone: &in.Phone})
	known := err == nil
	switch {
	case known && ledger.Status(old.Status) == ledger.Enabled:
		return nil, false, loyalty.Refuse(loyalty.CodeContactExists, "phone")
	case err != nil && !errors.Is(err, pgx.ErrNoRows):
		return nil, false, err
	case in.Birthdate == nil && wallet.BirthdateRequired:
		return nil, false, loyalty.Refuse(loyalty.CodeBirthdateRequired, "birthdate")
	case in.Birthdate != nil && !Birthdate(*in.Birthdate, s.Now(), company.TimeZone):
		return nil, false, loyalty.Refuse(loyalty.CodeInvalid, "birthdate")
	}
	var row db.Card
	if known {
		row, err = q.CardReactivate(ctx, db.CardReactivateParams{
			CompanyID: who.CompanyID, ID: old.ID, HolderName: &in.Name, HolderBirthdate: in.Birthdate, Now: s.Now(),
		})
	} else {
		row, err = s.open(ctx, q, company, wallet, in)
	}
	if err != nil {
		return nil, false, err
	}
	err = auth.Audit(ctx, q, who, s.Now(), "contact_register", "card", row.ID, map[string]any{"reopened": known})
	return &ledger.Card{Card: row}, known, err
}

// open finds or creates the person and opens the contact's card.
func (s *Service) open(ctx context.Context, q *db.Queries, company db.Company, wallet db.CardType, in Contact) (db.Card, error) {
	phone := company.PhonePrefix + in.Phone
	person, err := q.CustomerByPhone(ctx, company.ID, &phone)
	if errors.Is(err, pgx.ErrNoRows) {
		person, err = create(ctx, q, company.ID, Fields{
			FirstName: in.Name, Phone: phone, Birthdate: in.Birthdate, Attributes: []byte("{}"),
		}, s.Now())
	}
	if err != nil {
		return db.Card{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return db.Card{}, fmt.Errorf("make an id: %w", err)
	}
	return q.CardCreate(ctx, db.CardCreateParams{
		CompanyID: company.ID, ID: id, CardTypeID: wallet.ID, CustomerID: &person.ID,
		Code: wallet.Code + "-" + in.Phone, Status: string(ledger.Enabled), Floor: wallet.Floor,
		HolderName: &in.Name, HolderPhone: &in.Phone, HolderBirthdate: in.Birthdate, Now: s.Now(),
	})
}

// mayRegister holds the staff member against spec/wallet.md 3.5 step 7: active,
// with a permission on the wallet, whatever its rights.
func mayRegister(ctx context.Context, q *db.Queries, company, wallet uuid.UUID, number *int64) error {
	if number == nil {
		return nil
	}
	staff, err := q.StaffByNumber(ctx, company, *number)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return loyalty.Refuse(loyalty.CodeStaffNotFound, "staffNumber")
	case err != nil:
		return err
	case staff.ArchivedAt != nil:
		return loyalty.Refuse(loyalty.CodeStaffArchived, "staffNumber")
	}
	rights, err := q.StaffRightsByStaff(ctx, company, []uuid.UUID{staff.ID})
	if err != nil {
		return err
	}
	for _, r := range rights {
		if r.CardTypeID == wallet {
			return nil
		}
	}
	return loyalty.Refuse(loyalty.CodeStaffNoPermission, "staffNumber")
}

func nationalPhone(phone string) bool {
	if len(phone) != 10 {
		return false
	}
	for _, r := range phone {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}
