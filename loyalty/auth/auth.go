// Package auth tells who asks and what they may do: operators sign in with a
// password and carry access tokens, systems carry API keys, and both become a
// Principal, the only source of a company id (design.md 7; hardening.md 3.5).
//
//	svc := auth.New(auth.Config{DB: store, Keys: keys, Now: time.Now, Issuer: baseURL})
//	who, err := svc.Authenticate(ctx, bearer)    // server: once a request
//	ctx = auth.WithPrincipal(ctx, who)
//	who, err := auth.Require(ctx, auth.CardsRead) // resolver: first line
//
// Nothing here logs or keeps a password, a key or a token in clear.
package auth

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"sello/db"
)

const (
	// accessLifetime is short, since a token is believed for as long as its
	// session lives plus what the cache below adds.
	accessLifetime = 15 * time.Minute
	// sessionLifetime counts from the last use of the refresh token.
	sessionLifetime = 30 * 24 * time.Hour
	// knownFor is how long a key or a session is believed without a look into
	// the database. With the time of one statement it stays below the 5 s within
	// which a revocation works everywhere (hardening.md, A-AUTH).
	knownFor = 3 * time.Second
	// unknownFor keeps a till with a wrong key from asking the database at each
	// request; short, so that a key works at once after it was imported.
	unknownFor = time.Second
	// loadTimeout bounds a look-up that several requests wait for together.
	loadTimeout = 5 * time.Second
	// touchEvery is how often the use of a key is noted.
	touchEvery = time.Minute
	// touches at one moment; a key whose turn is lost is noted at its next look-up.
	maxTouches = 4
)

// Config is what New needs. DB, Keys, Now and Issuer are required.
type Config struct {
	DB   *db.Store
	Keys *KeySet
	// Now is the clock, of tokens and rows alike.
	Now func() time.Time
	// Issuer is the address of this installation; tokens of another one are refused.
	Issuer string
	// Audience is who access tokens are for, "sello" if empty.
	Audience string
	// Hasher hashes passwords; with OWASP's parameters if nil.
	Hasher *Hasher
	// Limits throttle failed sign-ins; zero values have defaults.
	Limits Limits
	// Failed is told of each refused credential and why (one of the Reason
	// constants), for a counter. It may be nil.
	Failed func(reason string)
}

// Why a credential was refused: labels of a counter, never shown to the caller,
// to whom all failures of one kind look the same.
const (
	ReasonUnknownOperator = "unknown_operator"
	ReasonWrongPassword   = "wrong_password"
	ReasonDisabled        = "operator_disabled"
	ReasonThrottled       = "throttled"
	ReasonBusy            = "busy"
	ReasonRefreshUnknown  = "refresh_unknown"
	ReasonRefreshReused   = "refresh_reused"
	ReasonTokenInvalid    = "token_invalid"
	ReasonSessionEnded    = "session_ended"
	ReasonKeyMalformed    = "key_malformed"
	ReasonKeyUnknown      = "key_unknown"
	ReasonKeyRevoked      = "key_revoked"
	ReasonKeyExpired      = "key_expired"
	ReasonKeyKind         = "key_kind"
)

// Service signs people and systems in. It is safe for concurrent use.
type Service struct {
	db       *db.Store
	clock    func() time.Time
	tokens   *Tokens
	hasher   *Hasher
	throttle *throttle
	onFailed func(string)

	sessions *cache[sessionID, sessionState]
	keys     *cache[keyHash, keyState]
	noKeys   *cache[keyHash, struct{}]
	// A key's next look-up, when its time in the cache is over, is one statement
	// however many requests wait for it.
	flight singleflight.Group

	touching *semaphore.Weighted
	touched  sync.WaitGroup
}

// New builds the service. It panics when a required part is missing: that is a
// mistake of the program, not of its configuration.
func New(c Config) *Service {
	if c.DB == nil || c.Keys == nil || c.Now == nil || c.Issuer == "" {
		panic("auth.New: DB, Keys, Now and Issuer are required")
	}
	if c.Audience == "" {
		c.Audience = "sello"
	}
	if c.Hasher == nil {
		c.Hasher = NewHasher(DefaultParams, 2*runtime.NumCPU())
	}
	if c.Failed == nil {
		c.Failed = func(string) {}
	}
	return &Service{
		db: c.DB, clock: c.Now, hasher: c.Hasher, onFailed: c.Failed,
		tokens:   NewTokens(c.Keys, c.Issuer, c.Audience, c.Now),
		throttle: newThrottle(c.Limits),
		sessions: newCache[sessionID, sessionState](20_000, knownFor),
		keys:     newCache[keyHash, keyState](20_000, knownFor),
		noKeys:   newCache[keyHash, struct{}](5_000, unknownFor),
		touching: semaphore.NewWeighted(maxTouches),
	}
}

// JWKS is the document of /.well-known/jwks.json.
func (s *Service) JWKS() []byte { return s.tokens.keys.JWKS() }

// Wait returns when the last uses of keys that are being noted have been
// written: call it at shutdown, after the listeners and before the pool closes.
func (s *Service) Wait() { s.touched.Wait() }

// now is the clock in PostgreSQL's precision, so that what was written compares
// equal to what is read.
func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// refused counts a refusal and answers what every caller without a valid
// credential gets.
func (s *Service) refused(reason string) error {
	s.onFailed(reason)
	return ErrUnauthenticated
}

// shared runs load once for all who ask for key at the same moment. It outlives
// the request that came first, since others wait for it too.
func (s *Service) shared(ctx context.Context, key string, load func(context.Context) (any, error)) (any, error) {
	answer := s.flight.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		return load(ctx)
	})
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a credential: %w", ctx.Err())
	case a := <-answer:
		return a.Val, a.Err
	}
}

// newID makes an id in the order of time; it fails only where the machine has no
// randomness, and then nothing here may go on.
func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }
