package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
)

// Key is an API key as lists show it; the key itself is shown once, when made.
type Key struct {
	CompanyID uuid.UUID
	ID        uuid.UUID
	Kind      KeyKind
	Name      string
	// Hint is its last characters, to tell keys apart.
	Hint   string
	Scopes []Scope
	// ContactEmail is where results of what the key starts are sent, nil if
	// nowhere (spec/pretii.md 4.1).
	ContactEmail *string
	// CreatedBy is the operator or key that made it, nil for the system.
	CreatedBy *uuid.UUID
	ExpiresAt *time.Time
	RevokedAt *time.Time
	// LastUsedAt is exact to about a minute.
	LastUsedAt *time.Time
	CreatedAt  time.Time
}

func keyOf(row db.ApiKey) Key {
	return Key{
		CompanyID: row.CompanyID, ID: row.ID, Kind: KeyKind(row.Kind), Name: row.Name, Hint: row.Hint,
		Scopes: scopesOf(row.Scopes), ContactEmail: row.ContactEmail, CreatedBy: row.CreatedBy,
		ExpiresAt: row.ExpiresAt, RevokedAt: row.RevokedAt, LastUsedAt: row.LastUsedAt, CreatedAt: row.CreatedAt,
	}
}

// KeyInput is a new key.
type KeyInput struct {
	Kind KeyKind
	Name string
	// Scopes are chosen for a server key; of the other kinds each has its own, and
	// they stay empty here.
	Scopes []Scope
	// ContactEmail may be empty.
	ContactEmail string
	// ExpiresAt is in the future, nil for never.
	ExpiresAt *time.Time
}

// KeyCreate makes a key for the company of who, and answers it in clear, which
// nothing does again. It refuses with REQUIRED, INVALID, TOO_LONG and
// SCOPE_EXCEEDED.
func (s *Service) KeyCreate(ctx context.Context, who Principal, in KeyInput) (*Key, string, error) {
	if !in.Kind.Valid() {
		return nil, "", loyalty.Refuse(loyalty.CodeInvalid, "kind")
	}
	secret := newKey(in.Kind)
	key, err := s.storeKey(ctx, who, in, secret, "key_create")
	if err != nil {
		return nil, "", err
	}
	return key, secret, nil
}

// KeyImport takes over a key that a company's clients hold from another system:
// 8 to 200 printable characters. It refuses as KeyCreate does, with INVALID or
// REQUIRED for the key, and with TAKEN where any company has it, since a key is
// what tells the company.
func (s *Service) KeyImport(ctx context.Context, who Principal, secret string, in KeyInput) (*Key, error) {
	switch {
	case secret == "":
		return nil, loyalty.Refuse(loyalty.CodeRequired, "key")
	case !importable(secret):
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "key")
	case !in.Kind.Valid():
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "kind")
	}
	return s.storeKey(ctx, who, in, secret, "key_import")
}

func (s *Service) storeKey(ctx context.Context, who Principal, in KeyInput, secret, action string) (*Key, error) {
	now := s.now()
	row, err := newKeyRow(who, in, now)
	if err != nil {
		return nil, err
	}
	hash := keyHash(sha256.Sum256([]byte(secret)))
	row.Hash, row.Hint = hash[:], keyHint(secret)
	var stored db.ApiKey
	err = s.db.InTx(ctx, func(tx db.Tx) error {
		switch _, err := tx.APIKeyByHash(ctx, row.Hash); {
		case err == nil:
			return loyalty.Refuse(loyalty.CodeTaken, "key")
		case !errors.Is(err, pgx.ErrNoRows):
			return fmt.Errorf("look for a key: %w", err)
		}
		var err error
		stored, err = tx.APIKeyCreate(ctx, row)
		if db.Violates(err, "api_key_hash_key") {
			return loyalty.Refuse(loyalty.CodeTaken, "key")
		}
		if err != nil {
			return fmt.Errorf("store a key: %w", err)
		}
		return Audit(ctx, tx.Queries, who, now, action, targetKey, row.ID,
			map[string]any{"kind": row.Kind, "scopes": row.Scopes})
	})
	if err != nil {
		return nil, err
	}
	s.noKeys.drop(hash)
	key := keyOf(stored)
	return &key, nil
}

// newKeyRow checks what a new key is to be.
func newKeyRow(who Principal, in KeyInput, now time.Time) (row db.APIKeyCreateParams, err error) {
	row = db.APIKeyCreateParams{
		CompanyID: who.CompanyID, ID: newID(), Kind: string(in.Kind), ExpiresAt: in.ExpiresAt, Now: now,
	}
	if row.Name, err = requireName(in.Name); err != nil {
		return row, err
	}
	scopes := in.Scopes
	if in.Kind != KeyServer {
		if len(scopes) > 0 {
			return row, loyalty.Refuse(loyalty.CodeInvalid, "scopes")
		}
		scopes = in.Kind.DefaultScopes()
	}
	if row.Scopes, err = grant(who, scopes); err != nil {
		return row, err
	}
	if in.ContactEmail != "" {
		email, err := requireEmail(in.ContactEmail, "contactEmail")
		if err != nil {
			return row, err
		}
		row.ContactEmail = &email
	}
	if in.ExpiresAt != nil && !in.ExpiresAt.After(now) {
		return row, loyalty.Refuse(loyalty.CodeInvalid, "expiresAt")
	}
	if who.Subject != uuid.Nil {
		row.CreatedBy = &who.Subject
	}
	return row, nil
}

// KeyList pages through a company's keys, oldest first, at most limit of them after
// the id given, or from the start.
func (s *Service) KeyList(ctx context.Context, company uuid.UUID, after *uuid.UUID, limit int32) ([]Key, error) {
	rows, err := s.db.APIKeysPage(ctx, db.APIKeysPageParams{CompanyID: company, After: after, BatchSize: limit})
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	list := make([]Key, len(rows))
	for i, row := range rows {
		list[i] = keyOf(row)
	}
	return list, nil
}

// KeyRevoke ends a key: here at once, on other servers within five seconds. A
// second time changes nothing. It refuses with NOT_FOUND. Unlike with operators,
// a key that may do more than who can be revoked: a leak must be stopped by
// whoever sees it.
func (s *Service) KeyRevoke(ctx context.Context, who Principal, id uuid.UUID) (*Key, error) {
	now := s.now()
	var row db.ApiKey
	err := s.db.InTx(ctx, func(tx db.Tx) error {
		var err error
		row, err = tx.APIKeyRevoke(ctx, db.APIKeyRevokeParams{CompanyID: who.CompanyID, ID: id, Now: now})
		if err == nil {
			return Audit(ctx, tx.Queries, who, now, "key_revoke", targetKey, id, map[string]any{"kind": row.Kind})
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("revoke a key: %w", err)
		}
		row, err = tx.APIKeyByID(ctx, who.CompanyID, id)
		if errors.Is(err, pgx.ErrNoRows) {
			return loyalty.Refuse(loyalty.CodeNotFound, "id")
		}
		if err != nil {
			return fmt.Errorf("read a key: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.keys.drop(keyHash(row.Hash))
	key := keyOf(row)
	return &key, nil
}
