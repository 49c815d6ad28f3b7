package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// GraphQL posts by the mutations that a server's key may call.
func (b *Bank) GraphQL() Poster { return graphqlPoster{b} }

// Wallet posts as a till does, by POST /wallet/sale with a ticket
// (spec/wallet.md 3.7).
func (b *Bank) Wallet() Poster { return walletPoster{b} }

type graphqlPoster struct{ *Bank }

const (
	accrueDocument = `mutation($code: String!, $points: Decimal!, $key: String!) {
  post: movementAccrue(input: {card: {code: $code}, points: $points, idempotencyKey: $key}) {
    movement { id seq balanceAfter } replayed userErrors { code }
  }
}`
	redeemDocument = `mutation($code: String!, $points: Decimal!, $key: String!) {
  post: movementRedeem(input: {card: {code: $code}, points: $points, idempotencyKey: $key}) {
    movement { id seq balanceAfter } replayed userErrors { code }
  }
}`
)

func (p graphqlPoster) post(ctx context.Context, op operation) (Posted, error) {
	document := accrueDocument
	if op.redeem {
		document = redeemDocument
	}
	a, err := p.Client.GraphQL(ctx, p.ServerKey, document, map[string]any{
		"code": p.cards[op.card].code, "points": strconv.FormatInt(op.points, 10), "key": op.key,
	})
	if err != nil {
		return Posted{}, err
	}
	got := Posted{Status: a.Status}
	if len(a.Errors) > 0 {
		got.Code = fmt.Sprintf("%v: %s", a.Errors[0].Extensions["code"], a.Errors[0].Message)
		return got, nil
	}
	var data struct {
		Post struct {
			Movement *struct {
				ID           string
				Seq          int
				BalanceAfter string
			}
			Replayed   bool
			UserErrors []UserError
		}
	}
	if err := json.Unmarshal(a.Data, &data); err != nil {
		return got, err
	}
	got.Replayed = data.Post.Replayed
	switch m := data.Post.Movement; {
	case len(data.Post.UserErrors) > 0:
		got.Code = data.Post.UserErrors[0].Code
	case m == nil:
		got.Code = "no movement"
	default:
		got.Movement, got.Seq, got.Balance = m.ID, m.Seq, m.BalanceAfter
	}
	return got, nil
}

type walletPoster struct{ *Bank }

func (p walletPoster) post(ctx context.Context, op operation) (Posted, error) {
	points := strconv.FormatInt(op.points, 10)
	fields := url.Values{
		"wallet_key": {bankWallet}, "phone": {p.cards[op.card].phone}, "transaction_type": {"0"}, "transaction_amount": {points},
		"usertool_id": {strconv.FormatInt(p.staff, 10)}, "ticket": {op.key},
	}
	if op.redeem {
		fields.Set("transaction_type", "1")
		fields.Set("points_used", points)
	}
	status, header, body, err := p.Client.form(ctx, p.WalletKey, "/wallet/sale", fields)
	if err != nil {
		return Posted{}, err
	}
	got := Posted{Status: status, Replayed: header.Get("Idempotency-Replayed") != ""}
	var answer struct {
		Success    bool
		Code       string
		NewBalance json.Number `json:"newBalance"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return got, fmt.Errorf("wallet: status %d: %w: %.200s", status, err, body)
	}
	if status != http.StatusOK || !answer.Success {
		got.Code = answer.Code
	}
	got.Balance = answer.NewBalance.String()
	return got, nil
}
