package ledger

import (
	"context"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/loyalty"
)

// Find reads the card that a reference names. It refuses with CARD_NOT_FOUND,
// CARD_TYPE_NOT_FOUND (no wallet of the key) and REQUIRED.
func (s *Service) Find(ctx context.Context, company uuid.UUID, ref CardRef) (*Card, error) {
	code, walletKey, phone, err := ref.args()
	if err != nil {
		return nil, err
	}
	var c *Card
	if code != nil {
		c, err = s.CardByCode(ctx, company, *code)
	} else {
		var wallet *CardType
		wallet, err = s.CardTypeByWalletKey(ctx, company, *walletKey)
		if err == nil && wallet == nil {
			return nil, loyalty.Refuse(loyalty.CodeCardTypeNotFound, "card")
		}
		if err == nil {
			c, err = s.CardByContact(ctx, company, wallet.ID, *phone)
		}
	}
	if err == nil && c == nil {
		return nil, loyalty.Refuse(loyalty.CodeCardNotFound, "card")
	}
	return c, err
}

// MayPost refuses what is posted on a card that is not enabled, not valid today, or
// of an archived type: CARD_NOT_ENABLED, CARD_NOT_VALID, CARD_TYPE_ARCHIVED.
func (a *Account) MayPost(field string) error {
	if a.Type.ArchivedAt != nil {
		return loyalty.Refuse(loyalty.CodeCardTypeArchived, field)
	}
	return a.mayPost(field)
}

// Reckon is what a posting comes to by the card type's rules: its amount, and the rate
// where that is reckoned from what was spent. It refuses with ACCRUAL_RULE_MISSING,
// AMOUNT_TOO_PRECISE, AMOUNT_TOO_LARGE and AMOUNT_OVER_LIMIT.
func (a *Account) Reckon(p Posting) (amount decimal.Decimal, rate *decimal.Decimal, err error) {
	return reckon(p, a.Type)
}
