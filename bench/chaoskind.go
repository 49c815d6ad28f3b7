package bench

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// chaosKind is a kind of operation of a chaos run.
type chaosKind struct {
	name string
	// mutation, its input's type, and what is asked of its payload.
	mutation, input, answer string
	// actions are those of all the lines that it leaves, in order of their names.
	actions []string
	// keyed: it takes an idempotency key.
	keyed bool
	// weight is its share of a workload; sure is that in one whose operations nothing
	// refuses.
	weight, sure int
}

const chaosLine = `{ id seq action amount balanceAfter held reference description postedAt recordedAt }`

// The names of the kinds, where code asks for them.
const (
	kindAccrue       = "accrue"
	kindSpend        = "spend"
	kindLines        = "lines"
	kindPend         = "pend"
	kindVest         = "vest"
	kindRedeem       = "redeem"
	kindAdjust       = "adjust"
	kindRecharge     = "recharge"
	kindHold         = "hold"
	kindCapture      = "capture"
	kindRelease      = "release"
	kindTransfer     = "transfer"
	kindReverse      = "reverse"
	kindExtend       = "extend"
	kindReward       = "reward"
	kindCouponIssue  = "coupon_issue"
	kindCouponRedeem = "coupon_redeem"
	kindDisable      = "disable"
	kindEnable       = "enable"
)

// chaosKinds are all kinds.
var chaosKinds = []*chaosKind{
	{kindAccrue, "movementAccrue", "MovementAccrueInput!", "movement " + chaosLine, []string{"accrue"}, true, 17, 20},
	{kindSpend, "movementAccrue", "MovementAccrueInput!", "movement " + chaosLine, []string{"accrue"}, true, 6, 6},
	{kindLines, "movementAccrue", "MovementAccrueInput!", "movement " + chaosLine, []string{"accrue"}, true, 6, 6},
	{kindPend, "movementAccrue", "MovementAccrueInput!", "movement " + chaosLine, []string{"pend"}, true, 3, 3},
	{kindVest, "movementVest", "MovementVestInput!", "movement " + chaosLine, []string{"accrue"}, true, 3, 2},
	{kindRedeem, "movementRedeem", "MovementRedeemInput!", "movement " + chaosLine, []string{"redeem"}, true, 18, 20},
	{kindAdjust, "movementAdjust", "MovementAdjustInput!", "movement " + chaosLine, []string{"adjust"}, true, 4, 4},
	{kindRecharge, "movementRecharge", "MovementRechargeInput!", "movement " + chaosLine, []string{"recharge"}, true, 4, 4},
	{kindHold, "holdCreate", "HoldCreateInput!", "hold { id status amount captured expiresAt } movement " + chaosLine, []string{"hold"}, true, 8, 8},
	{kindCapture, "holdCapture", "HoldCaptureInput!", "hold { id status amount captured endedAt } movement " + chaosLine, []string{"redeem"}, true, 5, 4},
	{kindRelease, "holdRelease", "HoldReleaseInput!", "hold { id status amount captured endedAt } movement " + chaosLine, []string{"release"}, true, 3, 2},
	{kindTransfer, "transferCreate", "TransferCreateInput!", "transferOut " + chaosLine + " transferIn " + chaosLine, []string{"transfer_in", "transfer_out"}, true, 8, 8},
	{kindReverse, "movementReverse", "MovementReverseInput!", "movement " + chaosLine, []string{"reverse"}, true, 8, 6},
	{kindExtend, "lotsExtend", "LotsExtendInput!", "movement " + chaosLine, []string{"extend"}, true, 1, 1},
	{kindReward, "rewardRedeem", "RewardRedeemInput!", "claim { id price claimedAt } movement " + chaosLine, []string{"redeem"}, true, 2, 2},
	{kindCouponIssue, "couponIssue", "CouponIssueInput!", "coupon { id code } line: movement { seq action uses usedAfter statusAfter reference recordedAt }", []string{"coupon_issue"}, true, 2, 2},
	{kindCouponRedeem, "couponRedeem", "CouponRedeemInput!", "coupon { id code } line: movement { seq action uses usedAfter statusAfter reference recordedAt }", []string{"coupon_redeem"}, true, 2, 2},
	{kindDisable, "cardDisable", "CardDisableInput!", "card { id status }", []string{"disable"}, false, 1, 0},
	{kindEnable, "cardEnable", "CardEnableInput!", "card { id status }", []string{"enable"}, false, 1, 0},
}

// begin is a request's body up to the input.
func (k *chaosKind) begin() []byte {
	document := fmt.Sprintf(`mutation($i: %s) { op: %s(input: $i) { %s replayed userErrors { code } } }`, k.input, k.mutation, k.answer)
	return fmt.Appendf(nil, `{"query":%q,"variables":{"i":`, document)
}

// chaosOutcome is what a client learnt of one send.
type chaosOutcome string

// The outcomes. Unknown is everything that is no answer: the connection broke, or the
// program could not do it now; the operation may or may not have been done.
const (
	chaosDone     chaosOutcome = "done"
	chaosReplayed chaosOutcome = "replayed"
	chaosRefused  chaosOutcome = "refused"
	chaosUnknown  chaosOutcome = "unknown"
)

// chaosTold is the answer to one send.
type chaosTold struct {
	outcome chaosOutcome
	// code is the refusal, or what stood in the way of an answer.
	code string
	// fault: the program answered that it could not.
	fault bool
	line  chaosMovement
	other chaosMovement // of a transfer
	// object is the hold, claim, coupon or card.
	object, name string
	// digest is over all that was answered but whether it was replayed.
	digest uuid.UUID
}

// chaosMovement is a line of a ledger as it was answered.
type chaosMovement struct {
	id     string
	owner  uuid.UUID // card or coupon
	seq    int64
	action string
	// amount and balance are uses, and uses after, of a coupon.
	amount, balance string
}

type chaosLineAnswer struct {
	ID           string
	Seq          int64
	Action       string
	Amount       string
	BalanceAfter string
}

type chaosObject struct{ ID, Code string }

// readChaos takes an answer apart.
func readChaos(a wireAnswer) chaosTold {
	var got struct {
		Data *struct {
			Op *struct {
				Movement, TransferOut, TransferIn *chaosLineAnswer
				Line                              *struct {
					Seq             int64
					Action          string
					Uses, UsedAfter int
				}
				Hold, Claim, Coupon, Card *chaosObject
				Replayed                  bool
				UserErrors                []UserError
			}
		}
		Errors []struct {
			Message    string
			Extensions map[string]any
		}
	}
	fault := func(format string, args ...any) chaosTold {
		return chaosTold{outcome: chaosUnknown, fault: true, code: fmt.Sprintf(format, args...)}
	}
	if err := json.Unmarshal(a.body, &got); err != nil {
		return fault("status %d: %.200s", a.status, a.body)
	}
	if len(got.Errors) > 0 {
		told := fault("%v: %s", got.Errors[0].Extensions["code"], got.Errors[0].Message)
		// Too slow, or too many at once: a word for "try again", which a loaded machine may
		// say at any time. Anything else is a fault.
		told.fault = got.Errors[0].Extensions["code"] != "UNAVAILABLE"
		return told
	}
	if a.status != http.StatusOK || got.Data == nil || got.Data.Op == nil {
		return fault("status %d: %.200s", a.status, a.body)
	}
	op := got.Data.Op
	if len(op.UserErrors) > 0 {
		code := op.UserErrors[0].Code
		if code == "IDEMPOTENCY_IN_PROGRESS" { // says nothing of what becomes of the first
			return chaosTold{outcome: chaosUnknown, code: code}
		}
		return chaosTold{outcome: chaosRefused, code: code}
	}
	t := chaosTold{outcome: chaosDone}
	if op.Replayed {
		t.outcome = chaosReplayed
	}
	for _, o := range []*chaosObject{op.Hold, op.Claim, op.Coupon, op.Card} {
		if o != nil {
			t.object, t.name = o.ID, o.Code
		}
	}
	for _, part := range []struct {
		from *chaosLineAnswer
		into *chaosMovement
	}{{op.Movement, &t.line}, {op.TransferOut, &t.line}, {op.TransferIn, &t.other}} {
		if m := part.from; m != nil {
			card, ok := movementCard(m.ID)
			if !ok {
				return fault("%q is no movement's id", m.ID)
			}
			*part.into = chaosMovement{m.ID, card, m.Seq, strings.ToLower(m.Action), m.Amount, m.BalanceAfter}
		}
	}
	if l := op.Line; l != nil && op.Coupon != nil {
		coupon, ok := objectID(op.Coupon.ID)
		if !ok {
			return fault("%q is no coupon's id", op.Coupon.ID)
		}
		t.line = chaosMovement{"", coupon, l.Seq, "coupon_" + strings.ToLower(l.Action), strconv.Itoa(l.Uses), strconv.Itoa(l.UsedAfter)}
	}
	sum := sha256.Sum256(bytes.Replace(a.body, []byte(`"replayed":true`), []byte(`"replayed":false`), 1))
	t.digest = uuid.UUID(sum[:16])
	return t
}

// objectID reads the key of an opaque id that is a UUID.
func objectID(id string) (uuid.UUID, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		return uuid.UUID{}, false
	}
	_, key, _ := strings.Cut(string(raw), ":")
	key, _, _ = strings.Cut(key, "/")
	u, err := uuid.Parse(key)
	return u, err == nil
}

// movementCard reads the card of a movement's opaque id.
func movementCard(id string) (uuid.UUID, bool) { return objectID(id) }
