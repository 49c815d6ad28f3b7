package wallet

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty/ledger"
)

// tokenParam is the parameter that a link carries the personal token in.
const tokenParam = "token"

// macSize is how much of the digest a token carries.
const macSize = 16

// Link is the page where a contact sees their wallet, theirs by a token that nobody
// can guess (spec/wallet.md 6); "" where the wallet has none.
func (s *Service) Link(wallet db.CardType, card uuid.UUID) string {
	if wallet.CustomerUrl == "" {
		return ""
	}
	u, err := url.Parse(wallet.CustomerUrl)
	if err != nil { // what is no address leads nowhere, with a token or without
		return wallet.CustomerUrl
	}
	q := u.Query()
	q.Set(tokenParam, s.Token(wallet.CompanyID, card))
	u.RawQuery = q.Encode()
	return u.String()
}

// Token names a contact's card to the page behind a link.
func (s *Service) Token(company, card uuid.UUID) string {
	return base64.RawURLEncoding.EncodeToString(append(card[:], s.mac(company, card)...))
}

func (s *Service) mac(company, card uuid.UUID) []byte {
	mac := hmac.New(sha256.New, s.Secret)
	mac.Write([]byte("wallet link"))
	mac.Write(company[:])
	mac.Write(card[:])
	return mac.Sum(nil)[:macSize]
}

// CardIDOf is the card that a token of the company names; false if it is none.
func (s *Service) CardIDOf(company uuid.UUID, token string) (uuid.UUID, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != len(uuid.UUID{})+macSize {
		return uuid.UUID{}, false
	}
	card := uuid.UUID(raw[:len(uuid.UUID{})])
	return card, hmac.Equal(raw[len(card):], s.mac(company, card))
}

// Contact reads the card that a token names, for the page behind a link; nil where
// the token names none, or one that is not a contact's any more.
func (s *Service) Contact(ctx context.Context, books *ledger.Service, company uuid.UUID, token string) (*ledger.Card, error) {
	id, ok := s.CardIDOf(company, token)
	if !ok {
		return nil, nil
	}
	card, err := books.CardByID(ctx, company, id)
	if err != nil || card == nil || card.State() != ledger.Enabled || card.HolderPhone == nil {
		return nil, err
	}
	return card, nil
}

// figure is an amount as people read it.
func figure(d decimal.Decimal) string {
	if d.IsZero() {
		return "0" // never "-0"
	}
	return d.Trim(0).String()
}
