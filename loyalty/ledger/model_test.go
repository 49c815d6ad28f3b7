package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"pgregory.net/rapid"

	"sello/loyalty"
	"sello/loyalty/ledger"
)

// model is the ledger in a few lines: what any history of postings has to answer.
type model struct {
	cards map[string]*modelCard
	keys  map[uuid.UUID]modelKey
}

type modelCard struct {
	balance, floor decimal.Decimal
	percentage     *decimal.Decimal
	scale          int
	rechargeable   bool
	enabled        bool
	seq            int64
}

type modelKey struct {
	request uuid.UUID
	seq     int64
	expires time.Time
}

// post answers what the ledger should: the movement's number and balance, or the
// refusal.
func (m *model) post(p ledger.Posting, now time.Time) (seq int64, balance decimal.Decimal, replayed bool, refusal loyalty.Code) {
	if p.Key != nil {
		if k, used := m.keys[p.Key.ID]; used && k.expires.After(now) {
			if k.request != p.Key.Fingerprint {
				return 0, balance, false, loyalty.CodeIdempotencyMismatch
			}
			return k.seq, balance, true, ""
		}
	}
	c := m.cards[p.Card.Code]
	if c == nil {
		return 0, balance, false, loyalty.CodeCardNotFound
	}
	if !c.enabled {
		return 0, balance, false, loyalty.CodeCardNotEnabled
	}
	if p.Action == ledger.Recharge && !c.rechargeable {
		return 0, balance, false, loyalty.CodeCardNotRechargeable
	}
	var amount decimal.Decimal
	if p.Amount != nil {
		amount = *p.Amount
		if amount.MinScale() > c.scale {
			return 0, balance, false, loyalty.CodeAmountTooPrecise
		}
	} else {
		if c.percentage == nil {
			return 0, balance, false, loyalty.CodeAccrualRuleMissing
		}
		product, _ := p.Spent.Mul(*c.percentage)
		amount, _ = product.Quo(decimal.Hundred)
		amount = halfUp(amount, c.scale)
	}
	after, _ := c.balance.Add(amount)
	if after.Cmp(c.floor) < 0 {
		return 0, balance, false, loyalty.CodeInsufficientBalance
	}
	c.balance, c.seq = after, c.seq+1
	if p.Key != nil {
		m.keys[p.Key.ID] = modelKey{p.Key.Fingerprint, c.seq, now.Add(90 * 24 * time.Hour)}
	}
	return c.seq, after, false, ""
}

// halfUp rounds a positive amount.
func halfUp(d decimal.Decimal, scale int) decimal.Decimal {
	half, _ := decimal.New(5, scale+1)
	sum, _ := d.Add(half)
	return sum.Trunc(scale)
}

func TestAnyHistoryAgreesWithTheModel(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.cardType(t, ledger.NewCardType{Code: "percent", Scale: 2, Percentage: new(dec("7.25"))})
	env.cardType(t, ledger.NewCardType{Code: "stickers", Scale: 0, Unit: ledger.Stickers, Rechargeable: true})
	env.cardType(t, ledger.NewCardType{Code: "credit", Scale: 4, Overdraft: new(dec("25"))})
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := model{cards: map[string]*modelCard{}, keys: map[uuid.UUID]modelKey{}}
		for cardType, c := range map[string]modelCard{
			"percent": {scale: 2, percentage: new(dec("7.25")), enabled: true}, "stickers": {rechargeable: true, enabled: true},
			"credit": {scale: 4, floor: dec("-25"), enabled: true},
		} {
			code := fmt.Sprintf("%s-%d", cardType, run)
			env.cardOf(t, cardType, code, "0")
			m.cards[code] = &c
		}
		codes := []string{fmt.Sprintf("none-%d", run), fmt.Sprintf("percent-%d", run), fmt.Sprintf("stickers-%d", run), fmt.Sprintf("credit-%d", run)}
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			code := rapid.SampledFrom(codes).Draw(rt, "card")
			switch rapid.SampledFrom([]string{"post", "post", "post", "post", "post", "switch", "pass"}).Draw(rt, "step") {
			case "switch":
				if c := m.cards[code]; c != nil {
					c.enabled, c.seq = !c.enabled, c.seq+1 // a line of zero
					status := map[bool]ledger.Status{true: ledger.Enabled, false: ledger.Disabled}[c.enabled]
					if _, err := env.ledger.CardStatusSet(t.Context(), env.who, code, status); err != nil {
						rt.Fatalf("CardStatusSet: %v", err)
					}
				}
				continue
			case "pass":
				env.pass(40 * 24 * time.Hour)
				continue
			}
			p := drawPosting(rt, run, code)
			seq, balance, replayed, refusal := m.post(p, *env.clock.Load())

			posted, err := env.ledger.Post(t.Context(), env.who, p)

			if got := loyalty.CodeOf(err); got != refusal || (err != nil && refusal == "") {
				rt.Fatalf("Post(%s of %v on %s): got refusal %q (error %v), want %q", p.Action, p.Amount, code, got, err, refusal)
			}
			if refusal != "" {
				continue
			}
			if posted.Replayed != replayed || posted.Movement.Seq != seq {
				rt.Fatalf("Post: got movement %d (replayed %t), want %d (%t)", posted.Movement.Seq, posted.Replayed, seq, replayed)
			}
			if !replayed && posted.Movement.BalanceAfter.Cmp(balance) != 0 {
				rt.Fatalf("Post: got balance %s, want %s", posted.Movement.BalanceAfter, balance)
			}
		}
		for code, c := range m.cards {
			if got := env.balance(t, code); dec(got).Cmp(c.balance) != 0 {
				rt.Fatalf("balance of %s: got %s, want %s", code, got, c.balance)
			}
		}
		findings, err := env.ledger.Verify(t.Context(), &env.company)
		if err != nil || len(findings) > 0 {
			rt.Fatalf("Verify: got %v, error %v", findings, err)
		}
	})
}

func drawPosting(t *rapid.T, run int, code string) ledger.Posting {
	p := ledger.Posting{Card: ref(code), Source: "graphql"}
	p.Action = rapid.SampledFrom([]ledger.Action{ledger.Accrue, ledger.Redeem, ledger.Adjust, ledger.Recharge}).Draw(t, "action")
	amount := decimal.MustNew(rapid.Int64Range(1, 500_000).Draw(t, "amount"), rapid.IntRange(0, 4).Draw(t, "scale"))
	if p.Action == ledger.Redeem || p.Action == ledger.Adjust && rapid.Bool().Draw(t, "debit") {
		amount = amount.Neg()
	}
	p.Amount = &amount
	if p.Action == ledger.Accrue && rapid.Bool().Draw(t, "from spent") {
		p.Amount, p.Spent = nil, &amount
	}
	if n := rapid.IntRange(0, 6).Draw(t, "key"); n > 0 {
		// One key means one request mostly; sometimes somebody uses it for another.
		request := fmt.Sprintf("%d %s", n, rapid.SampledFrom([]string{"a", "a", "a", "b"}).Draw(t, "request"))
		p.Key = key(fmt.Sprintf("%d/%d", run, n), request)
	}
	return p
}
