package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"sello/db"
)

// keyHash is the SHA-256 of a key: it is random, so that a slow hash would protect
// nothing, and it is found by its hash, so that no comparison tells it in parts.
type keyHash [sha256.Size]byte

// KeyAuthenticate is who a key stands for, if it is of one of the kinds, or of any
// if none are given. A key that was seen a moment ago costs no round trip, and its
// use is noted behind the request's back. It fails with ErrUnauthenticated;
// anything else is a fault.
func (s *Service) KeyAuthenticate(ctx context.Context, key string, kinds ...KeyKind) (Principal, error) {
	if len(key) > maxBearer {
		return Principal{}, s.refused(ReasonKeyMalformed)
	}
	kind, ours := ParseKey(key)
	if !ours && !importable(key) {
		return Principal{}, s.refused(ReasonKeyMalformed)
	}
	if ours && !among(kind, kinds) {
		return Principal{}, s.refused(ReasonKeyKind)
	}
	hash := keyHash(sha256.Sum256([]byte(key)))
	state, found, err := s.key(ctx, hash)
	if err != nil {
		return Principal{}, err
	}
	switch {
	case !found:
		return Principal{}, s.refused(ReasonKeyUnknown)
	case state.revoked:
		return Principal{}, s.refused(ReasonKeyRevoked)
	case state.expires != nil && !state.expires.After(s.now()):
		return Principal{}, s.refused(ReasonKeyExpired)
	case !among(state.who.KeyKind, kinds):
		return Principal{}, s.refused(ReasonKeyKind)
	}
	return state.who, nil
}

func among(kind KeyKind, kinds []KeyKind) bool {
	return len(kinds) == 0 || slices.Contains(kinds, kind)
}

// keyState is what the database says of a key.
type keyState struct {
	who     Principal
	expires *time.Time
	revoked bool
}

// key is the state of a key, false if there is no such key.
func (s *Service) key(ctx context.Context, hash keyHash) (keyState, bool, error) {
	now := s.now()
	if state, ok := s.keys.get(hash, now); ok {
		return state, true, nil
	}
	if _, ok := s.noKeys.get(hash, now); ok {
		return keyState{}, false, nil
	}
	answer, err := s.shared(ctx, "key "+string(hash[:]), func(ctx context.Context) (any, error) {
		return s.loadKey(ctx, hash)
	})
	if err != nil {
		return keyState{}, false, err
	}
	state := answer.(*keyState)
	if state == nil {
		return keyState{}, false, nil
	}
	return *state, true, nil
}

func (s *Service) loadKey(ctx context.Context, hash keyHash) (*keyState, error) {
	asked := s.now()
	row, err := s.db.APIKeyByHash(ctx, hash[:])
	if errors.Is(err, pgx.ErrNoRows) {
		s.noKeys.put(hash, struct{}{}, asked)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find a key: %w", err)
	}
	state := keyState{
		who: Principal{
			CompanyID: row.CompanyID, Subject: row.ID, Kind: KindAPIKey,
			KeyKind: KeyKind(row.Kind), Scopes: scopesOf(row.Scopes),
		},
		expires: row.ExpiresAt,
		revoked: row.RevokedAt != nil,
	}
	if row.ContactEmail != nil {
		state.who.Email = *row.ContactEmail
	}
	s.keys.put(hash, state, asked)
	if !state.revoked && (row.ExpiresAt == nil || row.ExpiresAt.After(asked)) {
		s.touch(ctx, row, asked)
	}
	return &state, nil
}

// touch notes that a key is used, once a minute and while nobody waits for it. It
// is no more than a hint to people, so that it gives way when there is a lot to do.
func (s *Service) touch(ctx context.Context, row db.ApiKey, now time.Time) {
	before := now.Add(-touchEvery)
	if row.LastUsedAt != nil && row.LastUsedAt.After(before) {
		return
	}
	if !s.touching.TryAcquire(1) {
		return
	}
	s.touched.Go(func() {
		defer s.touching.Release(1)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		_, err := s.db.APIKeyTouch(ctx, db.APIKeyTouchParams{CompanyID: row.CompanyID, ID: row.ID, Now: now, Before: before})
		if err != nil {
			slog.WarnContext(ctx, "last use of a key not noted", "error", err)
		}
	})
}
