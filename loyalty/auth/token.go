package auth

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

const (
	// maxBearer is the greatest length of a credential that is looked at, in bytes.
	maxBearer = 8 << 10
	// tokenType tells access tokens from any other JWT of the same issuer (RFC 9068).
	tokenType = "at+jwt"
	// leeway is how far the clocks of two servers may be apart.
	leeway = 30 * time.Second
)

// errToken is all that a caller of Verify learns: what was wrong helps nobody
// but who made the token up.
var errToken = errors.New("access token is not valid")

// Access is what an access token says. What its operator may do is not in it: that
// is read with the state of the session, so that it can be taken away.
type Access struct {
	CompanyID  uuid.UUID
	OperatorID uuid.UUID
	SessionID  uuid.UUID
}

// Tokens issues and verifies access tokens: JWTs under EdDSA and nothing else
// (RFC 8725; hardening.md 3.5).
type Tokens struct {
	keys             *KeySet
	issuer, audience string
	now              func() time.Time
	parser           *jwt.Parser
}

type claims struct {
	jwt.RegisteredClaims
	Company uuid.UUID `json:"company"`
	Session uuid.UUID `json:"sid"`
}

// NewTokens binds a set of keys to an issuer, an audience and a clock.
func NewTokens(keys *KeySet, issuer, audience string, now func() time.Time) *Tokens {
	return &Tokens{
		keys: keys, issuer: issuer, audience: audience, now: now,
		// The library accepts a token without exp, and asks for its key before
		// it looks at the algorithm, unless told otherwise.
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
			jwt.WithIssuer(issuer), jwt.WithAudience(audience),
			jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway),
			jwt.WithStrictDecoding(), jwt.WithTimeFunc(now),
		),
	}
}

// Issue makes a token of fifteen minutes and tells when it expires.
func (t *Tokens) Issue(a Access) (string, time.Time, error) {
	now := t.now().UTC().Truncate(time.Second) // NumericDate has whole seconds
	expires := now.Add(accessLifetime)
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: t.issuer, Audience: jwt.ClaimStrings{t.audience}, Subject: a.OperatorID.String(),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires), ID: newID().String(),
		},
		Company: a.CompanyID, Session: a.SessionID,
	})
	token.Header["typ"] = tokenType
	token.Header["kid"] = t.keys.kid
	signed, err := token.SignedString(t.keys.private)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign an access token: %w", err)
	}
	return signed, expires, nil
}

// Verify reads a token that one of the keys signed for this issuer and audience
// and whose time it is. It says nothing of the session: see VerifyAccess.
func (t *Tokens) Verify(token string) (Access, error) {
	if len(token) > maxBearer {
		return Access{}, errToken
	}
	var c claims
	if _, err := t.parser.ParseWithClaims(token, &c, t.key); err != nil {
		return Access{}, errToken
	}
	operator, err := uuid.Parse(c.Subject)
	if err != nil || c.Company == uuid.Nil || c.Session == uuid.Nil {
		return Access{}, errToken
	}
	return Access{CompanyID: c.Company, OperatorID: operator, SessionID: c.Session}, nil
}

// key finds the key in a fixed map: a kid is a name, never a path or an address,
// and keys that a header brings along are not looked at.
func (t *Tokens) key(token *jwt.Token) (any, error) {
	if token.Header["typ"] != tokenType {
		return nil, errToken
	}
	if _, critical := token.Header["crit"]; critical { // RFC 7515 4.1.11: we know none
		return nil, errToken
	}
	kid, _ := token.Header["kid"].(string)
	public, ok := t.keys.public[kid]
	if !ok {
		return nil, errToken
	}
	return public, nil
}
