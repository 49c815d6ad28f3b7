package reward

import (
	"context"
	"errors"
	"fmt"

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
	m, err := account.Post(e)
	if refused, ok := errors.AsType[*loyalty.Error](err); ok {
		return nil, &loyalty.Error{Code: refused.Code, Field: "card", Params: refused.Params}
	}
	return m, err
}

// giveBack returns the price of a claim to where it was taken from.
func giveBack(_ context.Context, account *ledger.Account, claim db.RewardClaim) (*ledger.Movement, error) {
	m, err := account.Post(ledger.Entry{
		Action: ledger.Reverse, Amount: claim.Price, Source: claim.Source, Related: &ledger.MovementKey{CardID: claim.CardID, Seq: claim.Seq},
		Description: "claim " + string(Cancelled),
	})
	if err != nil {
		return nil, fmt.Errorf("give the points of a claim back: %w", err)
	}
	return m, nil
}
