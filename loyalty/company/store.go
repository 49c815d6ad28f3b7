package company

import (
	"context"
	"fmt"
	"regexp"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Store is a place of sale.
type Store struct{ db.StoreRow }

// GlobalID is the store's opaque id.
func (s *Store) GlobalID() string { return loyalty.GlobalID("Store", s.ID.String()) }

var codePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$`)

// StoreCreate opens a store. It refuses with INVALID, REQUIRED, TOO_LONG, TAKEN.
func (s *Service) StoreCreate(ctx context.Context, who auth.Principal, code, name string) (*Store, error) {
	if !codePattern.MatchString(code) {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "code")
	}
	name, err := text(name, "name", 100)
	if err != nil {
		return nil, err
	}
	var row db.StoreRow
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		var err error
		row, err = s.storeCreate(ctx, tx.Queries, who, code, name)
		return err
	})
	switch {
	case err == nil:
		return &Store{row}, nil
	case db.Violates(err, "store_code_key"):
		return nil, loyalty.Refuse(loyalty.CodeTaken, "code")
	default:
		return nil, fmt.Errorf("create a store: %w", err)
	}
}

func (s *Service) storeCreate(ctx context.Context, q *db.Queries, who auth.Principal, code, name string) (db.StoreRow, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return db.StoreRow{}, fmt.Errorf("make an id: %w", err)
	}
	row, err := q.StoreCreate(ctx, db.StoreCreateParams{
		CompanyID: who.CompanyID, ID: id, Code: code, Name: name, NameKey: nameKey(name), Now: s.Now(),
	})
	if err != nil {
		return db.StoreRow{}, err
	}
	return row, auth.Audit(ctx, q, who, s.Now(), "store_create", "store", id, nil)
}

// StoreUpdate renames, archives or reopens a store; nil stays. It refuses with
// STORE_NOT_FOUND and the rules of the name.
func (s *Service) StoreUpdate(ctx context.Context, who auth.Principal, code string, name *string, archived *bool) (*Store, error) {
	params := db.StoreUpdateParams{CompanyID: who.CompanyID, Archived: archived, Now: s.Now()}
	if name != nil {
		clean, err := text(*name, "name", 100)
		if err != nil {
			return nil, err
		}
		params.Name, params.NameKey = &clean, new(nameKey(clean))
	}
	current, err := s.StoreByCode(ctx, who.CompanyID, code)
	if err != nil {
		return nil, err
	}
	if current == nil {
		return nil, loyalty.Refuse(loyalty.CodeStoreNotFound, "code")
	}
	params.ID = current.ID
	var row db.StoreRow
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		var err error
		if row, err = tx.StoreUpdate(ctx, params); err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "store_update", "store", row.ID, nil)
	})
	if err != nil {
		return nil, fmt.Errorf("update a store: %w", err)
	}
	return &Store{row}, nil
}

// StoreByCode reads a store; nil if the company has none of that code.
func (s *Service) StoreByCode(ctx context.Context, company uuid.UUID, code string) (*Store, error) {
	return store(s.DB.StoreByCode(ctx, company, code))
}

// StoreByID reads a store; nil if the company has none of that id.
func (s *Service) StoreByID(ctx context.Context, company, id uuid.UUID) (*Store, error) {
	return store(s.DB.StoreByID(ctx, company, id))
}

func store(row db.StoreRow, err error) (*Store, error) {
	if db.Absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a store: %w", err)
	}
	return &Store{row}, nil
}

// Stores reads a page of stores, oldest first, from behind an id.
func (s *Service) Stores(ctx context.Context, company uuid.UUID, after *uuid.UUID, first int) (page []*Store, more bool, err error) {
	rows, err := s.DB.StoresPage(ctx, db.StoresPageParams{CompanyID: company, After: after, BatchSize: int32(first) + 1})
	if err != nil {
		return nil, false, fmt.Errorf("list stores: %w", err)
	}
	if more = len(rows) > first; more {
		rows = rows[:first]
	}
	for _, row := range rows {
		page = append(page, &Store{row})
	}
	return page, more, nil
}

// StoresByIDs reads stores by id, for the objects of a page that name them.
func (s *Service) StoresByIDs(ctx context.Context, company uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]*Store, error) {
	rows, err := s.DB.StoresByIDs(ctx, company, ids)
	if err != nil {
		return nil, fmt.Errorf("read stores: %w", err)
	}
	found := make(map[uuid.UUID]*Store, len(rows))
	for _, row := range rows {
		found[row.ID] = &Store{row}
	}
	return found, nil
}
