package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
)

// Session is what an operator's client holds.
type Session struct {
	// AccessToken goes with each request until ExpiresAt.
	AccessToken string
	ExpiresAt   time.Time
	// RefreshToken is good for one Refresh until RefreshExpiresAt.
	RefreshToken     string
	RefreshExpiresAt time.Time
	Operator         Operator
}

// Credentials are what somebody signs in with.
type Credentials struct {
	// Company is the company's code.
	Company  string
	Email    string
	Password string
	// Address is the caller's IP address, "" if unknown: failed sign-ins are
	// counted for it.
	Address string
}

var companyCode = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,39}$`)

// errSignIn is one and the same for an unknown company, an unknown address, a
// wrong password and a disabled operator, and takes the same time to come.
var errSignIn = loyalty.Refuse(loyalty.CodeSignInFailed, "")

// errSession: see CodeSessionEnded.
var errSession = loyalty.Refuse(loyalty.CodeSessionEnded, "")

// SignIn starts a session. It refuses with SIGN_IN_FAILED, and fails with a
// *ThrottledError after too many failures and with ErrBusy.
func (s *Service) SignIn(ctx context.Context, in Credentials) (*Session, error) {
	company := strings.ToLower(strings.TrimSpace(in.Company))
	email, _ := normalEmail(in.Email)
	now := s.now()
	try, err := s.throttle.begin(company, email, in.Address, now)
	if err != nil {
		s.onFailed(ReasonThrottled)
		return nil, err
	}
	session, err := s.signIn(ctx, company, email, in.Password, now)
	switch {
	case err == nil:
		s.throttle.succeeded(try)
	case !errors.Is(err, errSignIn):
		s.throttle.undo(try) // it says nothing about the password
		if errors.Is(err, ErrBusy) {
			s.onFailed(ReasonBusy)
		}
	}
	return session, err
}

func (s *Service) signIn(ctx context.Context, company, email, password string, now time.Time) (*Session, error) {
	row, err := s.operatorForSignIn(ctx, company, email)
	if err != nil {
		return nil, err
	}
	if row == nil {
		if err := s.hasher.VerifyNobody(ctx, password); err != nil {
			return nil, err
		}
		s.onFailed(ReasonUnknownOperator)
		return nil, errSignIn
	}
	ok, stale, err := s.hasher.Verify(ctx, row.PasswordHash, password)
	if err != nil {
		return nil, fmt.Errorf("check a password: %w", err)
	}
	if !ok {
		s.onFailed(ReasonWrongPassword)
		return nil, errSignIn
	}
	if row.DisabledAt != nil {
		s.onFailed(ReasonDisabled)
		return nil, errSignIn
	}
	newHash := ""
	if stale {
		// Made anew while the password is at hand; when the machine is busy the
		// next sign-in does it.
		if newHash, err = s.hasher.Hash(ctx, password); err != nil && !errors.Is(err, ErrBusy) {
			return nil, fmt.Errorf("hash a password anew: %w", err)
		}
	}
	return s.startSession(ctx, *row, newHash, now)
}

// operatorForSignIn is nil where company and address do not go together.
func (s *Service) operatorForSignIn(ctx context.Context, company, email string) (*db.Operator, error) {
	if !companyCode.MatchString(company) {
		company = "" // no company has it; the statement runs all the same
	}
	row, err := s.db.OperatorForSignIn(ctx, email, company)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find an operator: %w", err)
	}
	return &row, nil
}

// startSession writes the session of a password that was verified against row,
// and newHash in its place unless empty.
func (s *Service) startSession(ctx context.Context, row db.Operator, newHash string, now time.Time) (*Session, error) {
	token := newRefreshToken(row.CompanyID, newID())
	expires := now.Add(sessionLifetime)
	who := Principal{CompanyID: row.CompanyID, Subject: row.ID, Kind: KindOperator}
	err := s.db.InTx(ctx, func(tx db.Tx) error {
		hash := row.PasswordHash
		if newHash != "" {
			if _, err := tx.OperatorPasswordRehash(ctx, db.OperatorPasswordRehashParams{
				CompanyID: row.CompanyID, ID: row.ID, PasswordHash: newHash, OldHash: hash,
			}); err != nil {
				return fmt.Errorf("store a password hashed anew: %w", err)
			}
			hash = newHash
		}
		started, err := tx.OperatorSessionCreate(ctx, db.OperatorSessionCreateParams{
			CompanyID: row.CompanyID, ID: token.session, OperatorID: row.ID, PasswordHash: hash,
			SecretHash: token.hash(), Now: now, ExpiresAt: expires,
		})
		if err != nil {
			return fmt.Errorf("start a session: %w", err)
		}
		if started == 0 { // the password changed, or the operator was disabled, meanwhile
			return errSignIn
		}
		return Audit(ctx, tx.Queries, who, now, "session_start", targetSession, token.session, nil)
	})
	if errors.Is(err, errSignIn) {
		s.onFailed(ReasonWrongPassword)
	}
	if err != nil {
		return nil, err
	}
	return s.issue(row, token, expires)
}

// Refresh trades a refresh token for a new pair; each works once. One that was used
// before is in two hands: its session ends, for the thief and for the owner, who
// signs in again. Clients therefore let one refresh at a time run. It refuses
// with SESSION_ENDED.
func (s *Service) Refresh(ctx context.Context, refreshToken string) (*Session, error) {
	old, ok := parseRefreshToken(refreshToken)
	if !ok {
		s.onFailed(ReasonRefreshUnknown)
		return nil, errSession
	}
	now := s.now()
	token := newRefreshToken(old.company, old.session)
	expires := now.Add(sessionLifetime)
	row, err := s.db.OperatorSessionRotate(ctx, db.OperatorSessionRotateParams{
		CompanyID: old.company, ID: old.session, SecretHash: old.hash(), NewHash: token.hash(),
		Now: now, ExpiresAt: expires,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, s.refuseRefresh(ctx, old, now)
	}
	if err != nil {
		return nil, fmt.Errorf("rotate a refresh token: %w", err)
	}
	return s.issue(row, token, expires)
}

// refuseRefresh ends the session that the token names, if it lives. Only who held
// one of its tokens knows a session's id, so that a secret which is not the
// current one was it once, however many rotations ago.
func (s *Service) refuseRefresh(ctx context.Context, old refreshToken, now time.Time) error {
	reason := ReasonRefreshUnknown
	err := s.db.InTx(ctx, func(tx db.Tx) error {
		reason = ReasonRefreshUnknown
		operator, err := tx.OperatorSessionEnd(ctx, db.OperatorSessionEndParams{
			CompanyID: old.company, ID: old.session, Now: now,
		})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("end a session whose token was used twice: %w", err)
		}
		reason = ReasonRefreshReused
		who := Principal{CompanyID: old.company, Kind: KindSystem}
		return Audit(ctx, tx.Queries, who, now, "session_reuse", targetSession, old.session,
			map[string]any{"operator_id": operator})
	})
	if err != nil {
		return err
	}
	s.sessions.drop(sessionID{old.company, old.session})
	s.onFailed(reason)
	return errSession
}

// End signs an operator out: the session's tokens stop to work, on other servers
// within seconds. A session that has ended stays so. Who has none, a key, is
// refused with STATE_CONFLICT.
func (s *Service) End(ctx context.Context, who Principal) error {
	if who.SessionID == uuid.Nil {
		return loyalty.Refuse(loyalty.CodeStateConflict, "")
	}
	now := s.now()
	err := s.db.InTx(ctx, func(tx db.Tx) error {
		_, err := tx.OperatorSessionEnd(ctx, db.OperatorSessionEndParams{
			CompanyID: who.CompanyID, ID: who.SessionID, Now: now,
		})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("end a session: %w", err)
		}
		return Audit(ctx, tx.Queries, who, now, "session_end", targetSession, who.SessionID, nil)
	})
	s.sessions.drop(sessionID{who.CompanyID, who.SessionID})
	return err
}

// SessionsPrune drops a batch of a company's sessions that were over before a
// moment and tells how many: a job repeats it until it answers less than batch.
func (s *Service) SessionsPrune(ctx context.Context, company uuid.UUID, before time.Time, batch int32) (int64, error) {
	n, err := s.db.OperatorSessionsPrune(ctx, db.OperatorSessionsPruneParams{
		CompanyID: company, Before: before, BatchSize: batch,
	})
	if err != nil {
		return 0, fmt.Errorf("prune sessions: %w", err)
	}
	return n, nil
}

func (s *Service) issue(row db.Operator, token refreshToken, expires time.Time) (*Session, error) {
	access, accessExpires, err := s.tokens.Issue(Access{
		CompanyID: row.CompanyID, OperatorID: row.ID, SessionID: token.session,
	})
	if err != nil {
		return nil, err
	}
	return &Session{
		AccessToken: access, ExpiresAt: accessExpires,
		RefreshToken: token.String(), RefreshExpiresAt: expires,
		Operator: operatorOf(row),
	}, nil
}

// refreshToken is the company, the session and 32 random bytes, of which only
// the SHA-256 is stored: the database finds it by id and compares hashes.
type refreshToken struct {
	company, session uuid.UUID
	secret           [32]byte
}

func newRefreshToken(company, session uuid.UUID) refreshToken {
	return refreshToken{company: company, session: session, secret: [32]byte(random(32))}
}

// String is the form in which the client keeps it: 86 characters of base64url.
func (t refreshToken) String() string {
	b := make([]byte, 0, 64)
	b = append(b, t.company[:]...)
	b = append(b, t.session[:]...)
	b = append(b, t.secret[:]...)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (t refreshToken) hash() []byte {
	sum := sha256.Sum256(t.secret[:])
	return sum[:]
}

func parseRefreshToken(s string) (refreshToken, bool) {
	if len(s) != 86 {
		return refreshToken{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != 64 {
		return refreshToken{}, false
	}
	return refreshToken{uuid.UUID(b[:16]), uuid.UUID(b[16:32]), [32]byte(b[32:])}, true
}
