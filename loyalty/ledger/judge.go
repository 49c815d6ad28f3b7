package ledger

import (
	"fmt"
	"math/big"

	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
)

// judge is the first rule that a posting breaks, nil if none. The order is the one
// in which the tills' own documents check (spec/wallet.md 3.7 and 3.8). What only
// the amount can break is left to reckon.
func (s *Service) judge(p *ask, found db.PostingsReadRow, a *Account) error {
	params := p.params
	switch {
	case found.WalletID == nil && params.WalletKey != nil:
		return loyalty.Refuse(loyalty.CodeCardTypeNotFound, "card")
	case found.WalletArchivedAt != nil, a != nil && a.Type.ArchivedAt != nil:
		return loyalty.Refuse(loyalty.CodeCardTypeArchived, "card")
	case params.IsSale && params.Reference == nil && (a != nil && a.Type.TicketRequired || valueOr(found.WalletTicketRequired)):
		return loyalty.Refuse(loyalty.CodeTicketRequired, "reference")
	case a == nil:
		return loyalty.Refuse(loyalty.CodeCardNotFound, "card")
	}
	if err := a.mayPost("card"); err != nil {
		return err
	}
	if err := staffRefusal(params, found); err != nil {
		return err
	}
	switch {
	case params.StoreCode != nil && found.StoreID == nil:
		return loyalty.Refuse(loyalty.CodeStoreNotFound, "storeCode")
	case p.posting.Action == Recharge && !a.Type.Rechargeable:
		return loyalty.Refuse(loyalty.CodeCardNotRechargeable, "card")
	case p.posting.Action == Redeem:
		return s.checkCVV(p.ctx, a, p.posting.CVV)
	}
	return nil
}

// mayPost refuses what is posted on a card that is not enabled or not valid today.
func (a *Account) mayPost(field string) error {
	if Status(a.Card.Status) != Enabled {
		return loyalty.Refuse(loyalty.CodeCardNotEnabled, field)
	}
	today := a.Today()
	if a.Card.ValidFrom != nil && today.Before(*a.Card.ValidFrom) || a.Card.ValidTo != nil && today.After(*a.Card.ValidTo) {
		return loyalty.Refuse(loyalty.CodeCardNotValid, field)
	}
	return nil
}

func staffRefusal(params db.CardPostParams, found db.PostingsReadRow) error {
	if params.StaffNumber == nil {
		return nil
	}
	switch {
	case found.StaffID == nil:
		return loyalty.Refuse(loyalty.CodeStaffNotFound, "staffNumber")
	case found.StaffArchivedAt != nil:
		return loyalty.Refuse(loyalty.CodeStaffArchived, "staffNumber")
	case found.Accrue == nil:
		return loyalty.Refuse(loyalty.CodeStaffNoPermission, "staffNumber")
	}
	has := *found.Adjust
	switch Action(params.Action) {
	case Accrue:
		has = *found.Accrue
	case Redeem:
		has = *found.Redeem
	}
	if !has {
		return loyalty.Refuse(loyalty.CodeStaffRightMissing, "staffNumber")
	}
	return nil
}

// reckon is the posting's amount, given or from what was spent, and the rate it was
// reckoned with.
func reckon(p Posting, t db.CardType) (amount decimal.Decimal, rate *decimal.Decimal, err error) {
	if p.Spent != nil && tooLarge(*p.Spent) {
		return amount, nil, loyalty.Refuse(loyalty.CodeAmountTooLarge, "spent")
	}
	if p.Amount != nil {
		amount = *p.Amount
		if amount.MinScale() > int(t.Scale) {
			return amount, nil, loyalty.Refuse(loyalty.CodeAmountTooPrecise, amountField(p)).With("decimals", fmt.Sprint(t.Scale))
		}
	} else {
		if amount, rate, err = accrual(*p.Spent, t); err != nil {
			return amount, nil, err
		}
	}
	return amount, rate, withinLimit(p.Action, amount, t, amountField(p))
}

// withinLimit holds an amount against the card type's limits.
func withinLimit(action Action, amount decimal.Decimal, t db.CardType, field string) error {
	limit := t.TransactionLimit
	switch action {
	case Recharge:
		limit = t.LoadLimit
	case Accrue, Redeem, TransferOut:
	default:
		return nil
	}
	if limit != nil && amount.CmpAbs(*limit) > 0 {
		return loyalty.Refuse(loyalty.CodeAmountOverLimit, field).With("limit", limit.Trim(0).String())
	}
	return nil
}

// accrual reckons points from what was spent by the card type's rule: a percentage
// is rounded half up, points for an amount are rounded down. The products have more
// digits than a decimal holds, so they are reckoned in integers.
func accrual(spent decimal.Decimal, t db.CardType) (points decimal.Decimal, rate *decimal.Decimal, err error) {
	var num, den *big.Int
	halfUp := false
	switch {
	case t.AccrualPercentage != nil:
		num, den = fraction(spent, *t.AccrualPercentage, decimal.Hundred)
		rate, halfUp = t.AccrualPercentage, true
	case t.RatioPoints != nil:
		num, den = fraction(spent, *t.RatioPoints, *t.RatioAmount)
		ratioNum, ratioDen := fraction(*t.RatioPoints, decimal.One, *t.RatioAmount)
		if r, ok := quotient(ratioNum, ratioDen, 8, true); ok {
			rate = &r
		}
	default:
		return decimal.Zero, nil, loyalty.Refuse(loyalty.CodeAccrualRuleMissing, "spent")
	}
	points, ok := quotient(num, den, int(t.Scale), halfUp)
	if !ok || tooLarge(points) {
		return decimal.Zero, nil, loyalty.Refuse(loyalty.CodeAmountTooLarge, "spent")
	}
	return points, rate, nil
}

// fraction is a × b ÷ c in whole numbers.
func fraction(a, b, c decimal.Decimal) (num, den *big.Int) {
	num = new(big.Int).Mul(whole(a), whole(b))
	num.Mul(num, power(c.Scale()))
	den = new(big.Int).Mul(whole(c), power(a.Scale()+b.Scale()))
	return num, den
}

func whole(d decimal.Decimal) *big.Int {
	n := new(big.Int).SetUint64(d.Coef())
	if d.IsNeg() {
		n.Neg(n)
	}
	return n
}

func power(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// quotient is num ÷ den, none negative, with so many decimals; ok is false where it
// has more digits than a decimal holds.
func quotient(num, den *big.Int, scale int, halfUp bool) (q decimal.Decimal, ok bool) {
	n := new(big.Int).Mul(num, power(scale))
	if halfUp {
		n.Add(n.Mul(n, big.NewInt(2)), den)
		den = new(big.Int).Mul(den, big.NewInt(2))
	}
	n.Quo(n, den)
	if !n.IsInt64() {
		return decimal.Decimal{}, false
	}
	q, err := decimal.New(n.Int64(), scale)
	return q, err == nil
}
