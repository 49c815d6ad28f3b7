package reward

import (
	"context"
	"errors"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/ledger"
)

// debit takes the price of a reward. It refuses with INSUFFICIENT_BALANCE.
func debit(account *ledger.Account, reward db.Reward, in Exchange, reference, description *string) (*ledger.Movement, error) {
	e := ledger.Entry{Action: ledger.Redeem, Amount: reward.Price.Neg(), Source: in.Source, Reference: reward.Code, Description: reward.Name}
	if reference != nil {
		e.Reference = *reference
	}
	if description != nil {
		e.Description = *description
	}
	if whole := account.Available().Floor(0); in.WholePoints && whole.Cmp(reward.Price) < 0 {
		return nil, loyalty.Refuse(loyalty.CodeInsufficientBalance, "card").With("available", whole.String())
	}
	m, err := account.Post(e)
	if refused, ok := errors.AsType[*loyalty.Error](err); ok {
		return nil, &loyalty.Error{Code: refused.Code, Field: "card", Params: refused.Params}
	}
	return m, err
}

// giveBack returns the price of a claim to the lots it was taken from.
func (s *Service) giveBack(ctx context.Context, tx db.Tx, b *ledger.Book, claim db.RewardClaim) (*ledger.Movement, error) {
	m, err := s.Ledger.ReverseIn(ctx, tx, b, ledger.Return{
		Movement: ledger.MovementKey{CardID: claim.CardID, Seq: claim.Seq}, Source: claim.Source, Reference: reference(claim),
		Description: "claim cancelled",
	})
	if refused, ok := errors.AsType[*loyalty.Error](err); ok {
		return nil, &loyalty.Error{Code: refused.Code, Field: "id", Params: refused.Params}
	}
	return m, err
}

func reference(claim db.RewardClaim) string {
	if claim.Reference == nil {
		return ""
	}
	return *claim.Reference
}
