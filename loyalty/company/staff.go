package company

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
	"sello/loyalty/once"
)

// Role is what a staff member is.
type Role string

// The roles of staff.
const (
	Cashier Role = "cashier"
	Manager Role = "manager"
)

// firstStaffNumber is the number of a company's first staff member.
const firstStaffNumber = 8101

// Staff is somebody who works at a till (a wallet's usertool).
type Staff struct {
	db.Staff
	batch *loyalty.Batch[Staff]
}

// GlobalID is the staff member's opaque id.
func (m *Staff) GlobalID() string { return loyalty.GlobalID("Staff", m.ID.String()) }

// Duty is what the staff member is.
func (m *Staff) Duty() Role { return Role(m.Role) }

// Batch is the list the staff member was read with, nil for one read alone.
func (m *Staff) Batch() *loyalty.Batch[Staff] { return m.batch }

// Right is what a staff member may do on one card type.
type Right struct {
	db.StaffRight
	batch *loyalty.Batch[Right]
}

// Batch is the list the right was read with.
func (r *Right) Batch() *loyalty.Batch[Right] { return r.batch }

func staffMembers(rows []db.Staff) []*Staff {
	all := make([]*Staff, len(rows))
	for i, row := range rows {
		all[i] = &Staff{Staff: row}
	}
	batch := loyalty.NewBatch(all)
	for _, m := range all {
		m.batch = batch
	}
	return all
}

// NewStaff says who is taken on.
type NewStaff struct {
	Name, Phone string
	Role        Role
	// StoreCode names the store; or StoreName does, and one is opened if there is
	// none of that name (spec/wallet.md 3.9).
	StoreCode, StoreName string
	Password             string
	// Key makes it repeatable.
	Key *ledger.Key
}

// StaffResult is what came of a change of staff.
type StaffResult struct {
	Staff *Staff
	// Replayed: the key was used before, and this is the first answer.
	Replayed bool
}

// PasswordMark stands for a password where equal ones have to be known as such, and
// nobody may try passwords against it.
func (s *Service) PasswordMark(company uuid.UUID, password string) string {
	return hex.EncodeToString(s.fingerprint(company, password))
}

// StaffCreateOnce is StaffCreate for a caller who may repeat it: with the same key it
// tells what came of it the first time, or refuses with IDEMPOTENCY_MISMATCH.
func (s *Service) StaffCreateOnce(ctx context.Context, who auth.Principal, in NewStaff) (StaffResult, error) {
	return s.staffOnce(ctx, who, in.Key, func() (*Staff, error) { return s.StaffCreate(ctx, who, in) })
}

// StaffArchiveOnce is StaffArchive for a caller who may repeat it.
func (s *Service) StaffArchiveOnce(ctx context.Context, who auth.Principal, number *int64, phone string, key *ledger.Key) (StaffResult, error) {
	return s.staffOnce(ctx, who, key, func() (*Staff, error) { return s.staffArchive(ctx, who, number, phone, key) })
}

func (s *Service) staffOnce(ctx context.Context, who auth.Principal, key *ledger.Key, do func() (*Staff, error)) (done StaffResult, err error) {
	result, replayed, err := once.Do(ctx, s.DB.Queries, who.CompanyID, key, s.Now(), func() (r once.Result, err error) {
		if done.Staff, err = do(); err == nil {
			r.ID = done.Staff.ID
		}
		return r, err
	})
	if err != nil {
		return StaffResult{}, err
	}
	if replayed {
		done = StaffResult{Replayed: true}
		done.Staff, err = s.StaffByID(ctx, who.CompanyID, result.ID)
	}
	return done, err
}

// StaffCreate takes on a staff member with every right on every active wallet
// (spec/wallet.md 3.9). It refuses with the rules of the fields, STORE_NOT_FOUND,
// TAKEN (name, phone) and PASSWORD_TAKEN.
func (s *Service) StaffCreate(ctx context.Context, who auth.Principal, in NewStaff) (*Staff, error) {
	name, err := text(in.Name, "name", 100)
	if err != nil {
		return nil, err
	}
	if !tenDigits(in.Phone) {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "phone")
	}
	if in.Role != Cashier && in.Role != Manager {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "role")
	}
	if n := len(in.Password); n < 4 || n > 72 {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "password")
	}
	if in.StoreName != "" {
		if in.StoreName, err = text(in.StoreName, "storeName", 100); err != nil {
			return nil, err
		}
	}
	hash, err := s.Hash(ctx, in.Password)
	if err != nil {
		return nil, fmt.Errorf("hash a password: %w", err)
	}
	var row db.Staff
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		store, err := s.storeFor(ctx, tx.Queries, who, in)
		if err != nil {
			return err
		}
		number, err := tx.CounterNext(ctx, db.CounterNextParams{CompanyID: who.CompanyID, Name: "staff", First: firstStaffNumber})
		if err != nil {
			return err
		}
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		row, err = tx.StaffCreate(ctx, db.StaffCreateParams{
			CompanyID: who.CompanyID, ID: id, Number: number, Name: name, NameKey: nameKey(name),
			Phone: in.Phone, Role: string(in.Role), StoreID: store, PasswordHash: &hash,
			PasswordFingerprint: s.fingerprint(who.CompanyID, in.Password), Now: s.Now(),
		})
		if err != nil {
			return err
		}
		if err := tx.StaffRightsGrantAll(ctx, id, who.CompanyID); err != nil {
			return err
		}
		if err := once.Note(ctx, tx.Queries, who.CompanyID, in.Key, once.Result{ID: id}, s.Now()); err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "staff_create", "staff", id, nil)
	})
	switch {
	case err == nil:
		return &Staff{Staff: row}, nil
	case db.Violates(err, "staff_active_name_key"):
		return nil, loyalty.Refuse(loyalty.CodeTaken, "name")
	case db.Violates(err, "staff_active_password_key"):
		return nil, loyalty.Refuse(loyalty.CodePasswordTaken, "password")
	case db.Violates(err, "staff_active_phone_key"):
		return nil, loyalty.Refuse(loyalty.CodeTaken, "phone")
	case loyalty.CodeOf(err) != "":
		return nil, err
	default:
		return nil, fmt.Errorf("create a staff member: %w", err)
	}
}

// storeFor finds the store by code, or by name, opening one of that name.
func (s *Service) storeFor(ctx context.Context, q *db.Queries, who auth.Principal, in NewStaff) (uuid.UUID, error) {
	switch {
	case in.StoreCode != "":
		row, err := q.StoreByCode(ctx, who.CompanyID, in.StoreCode)
		if db.Absent(err) {
			return uuid.UUID{}, loyalty.Refuse(loyalty.CodeStoreNotFound, "storeCode")
		}
		return row.ID, err
	case in.StoreName == "":
		return uuid.UUID{}, loyalty.Refuse(loyalty.CodeRequired, "storeCode")
	}
	row, err := q.StoreByNameKey(ctx, who.CompanyID, nameKey(in.StoreName))
	if !errors.Is(err, pgx.ErrNoRows) {
		return row.ID, err
	}
	n, err := q.CounterNext(ctx, db.CounterNextParams{CompanyID: who.CompanyID, Name: "store", First: 1})
	if err != nil {
		return uuid.UUID{}, err
	}
	row, err = s.storeCreate(ctx, q, who, "S-"+strconv.FormatInt(n, 10), in.StoreName)
	return row.ID, err
}

// fingerprint finds equal passwords of one company without keeping any.
func (s *Service) fingerprint(company uuid.UUID, password string) []byte {
	mac := hmac.New(sha256.New, s.FingerprintKey)
	mac.Write(company[:])
	mac.Write([]byte(password))
	return mac.Sum(nil)
}

// StaffArchive ends a staff member's work, found by number or phone. It refuses
// with STAFF_NOT_FOUND and STAFF_ARCHIVED.
func (s *Service) StaffArchive(ctx context.Context, who auth.Principal, number *int64, phone string) (*Staff, error) {
	return s.staffArchive(ctx, who, number, phone, nil)
}

func (s *Service) staffArchive(ctx context.Context, who auth.Principal, number *int64, phone string, key *ledger.Key) (*Staff, error) {
	var row db.Staff
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		found, field, err := staffBy(ctx, tx.Queries, who.CompanyID, number, phone)
		if db.Absent(err) {
			return loyalty.Refuse(loyalty.CodeStaffNotFound, field)
		}
		if err != nil {
			return err
		}
		row, err = tx.StaffArchive(ctx, db.StaffArchiveParams{CompanyID: who.CompanyID, ID: found.ID, Now: new(s.Now())})
		if errors.Is(err, pgx.ErrNoRows) {
			return loyalty.Refuse(loyalty.CodeStaffArchived, field)
		}
		if err != nil {
			return err
		}
		if err := once.Note(ctx, tx.Queries, who.CompanyID, key, once.Result{ID: row.ID}, s.Now()); err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "staff_archive", "staff", row.ID, nil)
	})
	switch {
	case err == nil:
		return &Staff{Staff: row}, nil
	case loyalty.CodeOf(err) != "":
		return nil, err
	default:
		return nil, fmt.Errorf("archive a staff member: %w", err)
	}
}

func staffBy(ctx context.Context, q *db.Queries, company uuid.UUID, number *int64, phone string) (db.Staff, string, error) {
	if number != nil {
		row, err := q.StaffByNumber(ctx, company, *number)
		return row, "number", err
	}
	row, err := q.StaffActiveByPhone(ctx, company, phone)
	return row, "phone", err
}

// Rights says what a staff member may do on a card type.
type Rights struct {
	Accrue, Redeem, Adjust bool
	// Removed takes the whole permission away.
	Removed bool
}

// StaffRightSet sets what a staff member may do on a card type. It refuses with
// STAFF_NOT_FOUND, STAFF_ARCHIVED and CARD_TYPE_NOT_FOUND.
func (s *Service) StaffRightSet(ctx context.Context, who auth.Principal, number int64, cardTypeCode string, in Rights) (*Staff, error) {
	var row db.Staff
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		var err error
		row, err = tx.StaffByNumber(ctx, who.CompanyID, number)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return loyalty.Refuse(loyalty.CodeStaffNotFound, "staffNumber")
		case err != nil:
			return err
		case row.ArchivedAt != nil:
			return loyalty.Refuse(loyalty.CodeStaffArchived, "staffNumber")
		}
		t, err := tx.CardTypeByCode(ctx, who.CompanyID, cardTypeCode)
		if db.Absent(err) {
			return loyalty.Refuse(loyalty.CodeCardTypeNotFound, "cardTypeCode")
		}
		if err != nil {
			return err
		}
		if in.Removed {
			_, err = tx.StaffRightDelete(ctx, db.StaffRightDeleteParams{CompanyID: who.CompanyID, StaffID: row.ID, CardTypeID: t.ID})
		} else {
			_, err = tx.StaffRightPut(ctx, db.StaffRightPutParams{
				CompanyID: who.CompanyID, StaffID: row.ID, CardTypeID: t.ID, Accrue: in.Accrue, Redeem: in.Redeem, Adjust: in.Adjust,
			})
		}
		if err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "staff_right_set", "staff", row.ID, map[string]any{
			"card_type": cardTypeCode, "accrue": in.Accrue, "redeem": in.Redeem, "adjust": in.Adjust, "removed": in.Removed,
		})
	})
	switch {
	case err == nil:
		return &Staff{Staff: row}, nil
	case loyalty.CodeOf(err) != "":
		return nil, err
	default:
		return nil, fmt.Errorf("set a staff member's rights: %w", err)
	}
}

// StaffByNumber reads a staff member; nil if the company has none of that number.
func (s *Service) StaffByNumber(ctx context.Context, company uuid.UUID, number int64) (*Staff, error) {
	return staffMember(s.DB.StaffByNumber(ctx, company, number))
}

// StaffByID reads a staff member; nil if the company has none of that id.
func (s *Service) StaffByID(ctx context.Context, company, id uuid.UUID) (*Staff, error) {
	return staffMember(s.DB.StaffByID(ctx, company, id))
}

func staffMember(row db.Staff, err error) (*Staff, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a staff member: %w", err)
	}
	return &Staff{Staff: row}, nil
}

// StaffMembers reads a page of staff by number, from behind one.
func (s *Service) StaffMembers(ctx context.Context, company uuid.UUID, after int64, first int) (page []*Staff, more bool, err error) {
	rows, err := s.DB.StaffPage(ctx, db.StaffPageParams{CompanyID: company, After: after, BatchSize: int32(first) + 1})
	if err != nil {
		return nil, false, fmt.Errorf("list staff: %w", err)
	}
	if more = len(rows) > first; more {
		rows = rows[:first]
	}
	return staffMembers(rows), more, nil
}

// StaffByIDs reads staff members by id, for the objects of a page that name them.
func (s *Service) StaffByIDs(ctx context.Context, company uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]*Staff, error) {
	rows, err := s.DB.StaffByIDs(ctx, company, ids)
	if err != nil {
		return nil, fmt.Errorf("read staff: %w", err)
	}
	found := make(map[uuid.UUID]*Staff, len(rows))
	for _, m := range staffMembers(rows) {
		found[m.ID] = m
	}
	return found, nil
}

// RightsOf reads what a staff member may do, and with it that of the batch.
func (s *Service) RightsOf(ctx context.Context, company uuid.UUID, m *Staff) ([]*Right, error) {
	return loyalty.Together(m.batch, m, "rights", func(all []*Staff) (map[*Staff][]*Right, error) {
		return loyalty.Lookup(all, func(m *Staff) (uuid.UUID, bool) { return m.ID, true },
			func(ids []uuid.UUID) (map[uuid.UUID][]*Right, error) {
				rows, err := s.DB.StaffRightsByStaff(ctx, company, ids)
				if err != nil {
					return nil, fmt.Errorf("read staff rights: %w", err)
				}
				rights := make([]*Right, len(rows))
				for i, row := range rows {
					rights[i] = &Right{StaffRight: row}
				}
				batch := loyalty.NewBatch(rights)
				found := map[uuid.UUID][]*Right{}
				for _, r := range rights {
					r.batch = batch
					found[r.StaffID] = append(found[r.StaffID], r)
				}
				return found, nil
			})
	})
}

// StoreOf reads the store of a staff member, and with it those of the batch.
func (s *Service) StoreOf(ctx context.Context, company uuid.UUID, m *Staff) (*Store, error) {
	return loyalty.Together(m.batch, m, "store", func(all []*Staff) (map[*Staff]*Store, error) {
		return loyalty.Lookup(all, func(m *Staff) (uuid.UUID, bool) { return m.StoreID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]*Store, error) { return s.StoresByIDs(ctx, company, ids) })
	})
}

func tenDigits(phone string) bool {
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
