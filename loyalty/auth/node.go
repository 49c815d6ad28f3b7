package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/loyalty"
)

// GlobalID is the key's opaque id.
func (k *Key) GlobalID() string { return loyalty.GlobalID("ApiKey", k.ID.String()) }

// KeyByID reads a key's record. It refuses with NOT_FOUND.
func (s *Service) KeyByID(ctx context.Context, company, id uuid.UUID) (*Key, error) {
	row, err := s.db.APIKeyByID(ctx, company, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, loyalty.Refuse(loyalty.CodeNotFound, "id")
	}
	if err != nil {
		return nil, fmt.Errorf("read a key: %w", err)
	}
	return new(keyOf(row)), nil
}
