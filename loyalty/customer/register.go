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
	"sello/loyalty/once"
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
	// Key makes it repeatable.
	Key *ledger.Key
}

// Terms are what a company's contract and its rules for phones say of who becomes a
// contact, beside the customers' own rules; whoever knows them implements it.
type Terms interface {
	// CheckPhone refuses a phone that no contact may have, with AREA_CODE_UNSUPPORTED
	// and PHONE_LANDLINE.
	CheckPhone(ctx context.Context, tx db.Tx, company db.Company, phone string) error
	// CheckRoom refuses, before anything is written, what Registered would, with
	// CONTACT_QUOTA_REACHED and MESSAGE_BALANCE_LOW.
	CheckRoom(ctx context.Context, tx db.Tx, company db.Company, wallet db.CardType, phone string) error
	// Registered takes what the new contact costs, and tells them.
	Registered(ctx context.Context, tx db.Tx, company db.Company, wallet db.CardType, card *ledger.Card) error
}

// Register makes a person a contact of a wallet: the customer is found by phone
// or created, and the card opened, or an archived one reopened with its balance
// (spec/wallet.md 3.5). It refuses, in this order, with INVALID, REQUIRED or
// TOO_LONG (phone, name), CARD_TYPE_NOT_FOUND, CARD_TYPE_ARCHIVED,
// STAFF_NOT_FOUND, STAFF_ARCHIVED, STAFF_NO_PERMISSION, CONTACT_EXISTS,
// AREA_CODE_UNSUPPORTED, PHONE_LANDLINE, BIRTHDATE_REQUIRED, INVALID (birthdate),
// CONTACT_QUOTA_REACHED, MESSAGE_BALANCE_LOW and CONTACT_RACE.
func (s *Service) Register(ctx context.Context, who auth.Principal, in Contact) (card *ledger.Card, reopened bool, err error) {
	r, err := s.RegisterOnce(ctx, who, in)
	return r.Card, r.Reopened, err
}

// Registered is what came of a registration.
type Registered struct {
	Card *ledger.Card
	// Reopened: the contact was archived before.
	Reopened bool
	// Replayed: the key was used before, and this is the first answer.
	Replayed bool
}

// What a registration's key remembers beside its card.
const (
	newContact int64 = iota
	reopenedContact
)

// RegisterOnce is Register for a caller who may repeat it: with the same key it tells
// what came of it the first time, or refuses with IDEMPOTENCY_MISMATCH.
func (s *Service) RegisterOnce(ctx context.Context, who auth.Principal, in Contact) (Registered, error) {
	in.Name = strings.TrimSpace(in.Name)
	switch {
	case !nationalPhone(in.Phone):
		return Registered{}, loyalty.Refuse(loyalty.CodeInvalid, "phone")
	case in.Name == "":
		return Registered{}, loyalty.Refuse(loyalty.CodeRequired, "name")
	case utf8.RuneCountInString(in.Name) > maxName:
		return Registered{}, loyalty.Refuse(loyalty.CodeTooLong, "name")
	case strings.ContainsRune(in.Name, 0) || !utf8.ValidString(in.Name):
		return Registered{}, loyalty.Refuse(loyalty.CodeInvalid, "name")
	}
	company, err := s.DB.CompanyByID(ctx, who.CompanyID)
	if err != nil {
		return Registered{}, fmt.Errorf("read the company: %w", err)
	}
	var made Registered
	result, replayed, err := once.Do(ctx, s.DB.Queries, who.CompanyID, in.Key, s.Now(), func() (r once.Result, err error) {
		err = s.DB.InPlannedTx(ctx, func(tx db.Tx) error {
			if made.Card, made.Reopened, err = s.register(ctx, tx, who, company, in); err != nil {
				return err
			}
			r = once.Result{ID: made.Card.ID, Seq: newContact}
			if made.Reopened {
				r.Seq = reopenedContact
			}
			return once.Note(ctx, tx.Queries, who.CompanyID, in.Key, r, s.Now())
		})
		return r, registrationRefused(err)
	})
	if err != nil {
		return Registered{}, err
	}
	if replayed {
		made = Registered{Reopened: result.Seq == reopenedContact, Replayed: true}
		made.Card, err = s.Ledger.CardByID(ctx, who.CompanyID, result.ID)
	}
	return made, err
}

// registrationRefused tells which rule a registration broke.
func registrationRefused(err error) error {
	switch {
	case err == nil:
		return nil
	case db.Violates(err, "card_holder_phone_key"), db.Violates(err, "card_code_key"), errors.Is(err, pgx.ErrNoRows):
		return loyalty.Refuse(loyalty.CodeContactRace, "phone")
	case loyalty.CodeOf(err) == loyalty.CodeActiveCardExists: // on another phone
		return loyalty.Refuse(loyalty.CodeContactExists, "phone")
	case loyalty.CodeOf(err) != "":
		return err
	default:
		return fmt.Errorf("register a contact: %w", err)
	}
}

func (s *Service) register(ctx context.Context, tx db.Tx, who auth.Principal, company db.Company, in Contact) (*ledger.Card, bool, error) {
	q := tx.Queries
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
	}
	if s.Terms != nil {
		if err := s.Terms.CheckPhone(ctx, tx, company, in.Phone); err != nil {
			return nil, false, err
		}
	}
	switch {
	case in.Birthdate == nil && wallet.BirthdateRequired:
		return nil, false, loyalty.Refuse(loyalty.CodeBirthdateRequired, "birthdate")
	case in.Birthdate != nil && !Birthdate(*in.Birthdate, s.Now(), company.TimeZone):
		return nil, false, loyalty.Refuse(loyalty.CodeInvalid, "birthdate")
	}
	if s.Terms != nil {
		if err := s.Terms.CheckRoom(ctx, tx, company, wallet, in.Phone); err != nil {
			return nil, false, err
		}
	}
	card, err := s.contactCard(ctx, tx, who, company, wallet, old, known, in)
	if err != nil {
		return nil, false, err
	}
	if s.Terms != nil {
		if err := s.Terms.Registered(ctx, tx, company, wallet, card); err != nil {
			return nil, false, err
		}
	}
	reopened := known && card.ID == old.ID
	err = auth.Audit(ctx, q, who, s.Now(), "contact_register", "card", card.ID, map[string]any{"reopened": reopened})
	return card, reopened, err
}

// contactCard gives a contact the old card back, or the account that the person came by
// in another way, or opens one. A cancelled card stays so: the contact's phone goes over
// to another one.
func (s *Service) contactCard(ctx context.Context, tx db.Tx, who auth.Principal, company db.Company, wallet db.CardType, old db.Card, known bool, in Contact) (*ledger.Card, error) {
	contact := ledger.Contact{Name: in.Name, Phone: in.Phone, Birthdate: in.Birthdate}
	if known && ledger.Status(old.Status) != ledger.Cancelled {
		return s.Ledger.ReopenContact(ctx, tx, who, old, contact)
	}
	code := wallet.Code + "-" + in.Phone
	if known {
		if _, err := tx.CardHolderSet(ctx, db.CardHolderSetParams{CompanyID: who.CompanyID, ID: old.ID, Now: s.Now()}); err != nil {
			return nil, err
		}
		code = ""
	}
	person, err := s.person(ctx, tx.Queries, company, in)
	if err != nil {
		return nil, err
	}
	contact.CustomerID = person.ID
	account, err := s.Ledger.AdoptContact(ctx, tx, who, wallet, contact)
	if account != nil || err != nil {
		return account, err
	}
	return s.Ledger.OpenContact(ctx, tx, who, wallet, code, contact)
}

// person finds or creates who is registered.
func (s *Service) person(ctx context.Context, q *db.Queries, company db.Company, in Contact) (db.Customer, error) {
	phone := company.PhonePrefix + in.Phone
	person, err := q.CustomerByPhone(ctx, company.ID, &phone)
	if err == nil {
		person, err = keep(ctx, q, person)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return create(ctx, q, company.ID, Fields{
			FirstName: in.Name, Phone: phone, Birthdate: in.Birthdate, Attributes: []byte("{}"),
		}, s.Now())
	}
	return person, err
}

// keep holds a person, or who they are after a merge, until the transaction ends, so
// that nobody is erased under a card of theirs; pgx.ErrNoRows where they were, in
// part too: what they were known by is gone.
func keep(ctx context.Context, q *db.Queries, person db.Customer) (db.Customer, error) {
	id := person.ID
	if person.MergedIntoID != nil {
		id = *person.MergedIntoID
	}
	rows, err := q.CustomersOfRefs(ctx, db.CustomersOfRefsParams{CompanyID: person.CompanyID, Ids: []uuid.UUID{id}})
	if err != nil {
		return person, fmt.Errorf("hold a customer: %w", err)
	}
	if len(rows) == 0 || erased(rows[0]) {
		return person, pgx.ErrNoRows
	}
	return rows[0], nil
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
