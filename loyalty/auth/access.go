package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// sessionID is where a session is found.
type sessionID struct{ company, id uuid.UUID }

// sessionState is what the database says of a session.
type sessionState struct {
	who     Principal
	expires time.Time
	// live: neither was the session ended nor its operator disabled.
	live bool
}

// Authenticate is Authorization's Bearer: an access token or an API key, told
// apart by their form. It fails with ErrUnauthenticated; anything else is a fault.
// A key that was imported and looks like a JWT is only for KeyAuthenticate, which
// a dialect with keys of its own uses.
func (s *Service) Authenticate(ctx context.Context, bearer string) (Principal, error) {
	if len(bearer) <= maxBearer && looksLikeJWT(bearer) {
		return s.VerifyAccess(ctx, bearer)
	}
	return s.KeyAuthenticate(ctx, bearer)
}

// looksLikeJWT: three parts, the first of which begins a JSON object in base64url.
func looksLikeJWT(s string) bool {
	return strings.HasPrefix(s, "eyJ") && strings.Count(s, ".") == 2
}

// VerifyAccess is who an access token stands for, if its session has not ended and
// its operator is not disabled. Both are known to be so at most a few seconds
// ago. It fails with ErrUnauthenticated; anything else is a fault.
func (s *Service) VerifyAccess(ctx context.Context, token string) (Principal, error) {
	access, err := s.tokens.Verify(token)
	if err != nil {
		return Principal{}, s.refused(ReasonTokenInvalid)
	}
	state, err := s.session(ctx, sessionID{access.CompanyID, access.SessionID})
	if err != nil {
		return Principal{}, err
	}
	if !state.live || !state.expires.After(s.now()) || state.who.Subject != access.OperatorID {
		return Principal{}, s.refused(ReasonSessionEnded)
	}
	return state.who, nil
}

func (s *Service) session(ctx context.Context, id sessionID) (sessionState, error) {
	if state, ok := s.sessions.get(id, s.now()); ok {
		return state, nil
	}
	found, err := s.shared(ctx, "session "+id.company.String()+id.id.String(), func(ctx context.Context) (any, error) {
		return s.loadSession(ctx, id)
	})
	if err != nil {
		return sessionState{}, err
	}
	return found.(sessionState), nil
}

func (s *Service) loadSession(ctx context.Context, id sessionID) (sessionState, error) {
	asked := s.now()
	row, err := s.db.OperatorSessionState(ctx, id.company, id.id)
	if errors.Is(err, pgx.ErrNoRows) {
		return sessionState{}, nil
	}
	if err != nil {
		return sessionState{}, fmt.Errorf("read the state of a session: %w", err)
	}
	state := sessionState{
		who: Principal{
			CompanyID: id.company, Subject: row.OperatorID, Kind: KindOperator,
			Scopes: scopesOf(row.Scopes), SessionID: id.id, Email: row.Email,
		},
		expires: row.ExpiresAt,
		live:    row.EndedAt == nil && row.DisabledAt == nil,
	}
	s.sessions.put(id, state, asked)
	return state, nil
}
