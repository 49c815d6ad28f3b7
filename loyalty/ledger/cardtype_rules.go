package ledger

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
)

// Bounds of card types' figures.
const (
	maxNumberLength    = 32
	maxValidDays       = 36_600
	maxReturnedLotDays = 3660
)

// small takes a whole number up to a bound; zero and less is for the rules to judge.
func small[N int16 | int32](n *int, most int, field string) (*N, error) {
	if n == nil {
		return nil, nil
	}
	if *n < 0 || *n > most {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, field)
	}
	return new(N(*n)), nil
}

// checkCardType holds a card type against the rules of its fields, and trims its
// name.
func checkCardType(t *db.CardType, ranges []NumberRange) (err error) {
	if t.Name, err = nameOf(t.Name, "name"); err != nil {
		return err
	}
	if err := checkRule(t); err != nil {
		return err
	}
	if err := checkURL(t.CustomerUrl, "customerUrl"); err != nil {
		return err
	}
	if err := checkURL(t.RedeemUrl, "redeemUrl"); err != nil {
		return err
	}
	scale := int(t.Scale)
	switch {
	case t.Floor.IsPos() || t.Floor.MinScale() > scale || !fits(t.Floor):
		return loyalty.Refuse(loyalty.CodeInvalid, "overdraft")
	case t.StartingBalance.IsNeg() || t.StartingBalance.MinScale() > scale || !fits(t.StartingBalance):
		return loyalty.Refuse(loyalty.CodeInvalid, "startingBalance")
	case t.LoadLimit != nil && (!t.LoadLimit.IsPos() || t.LoadLimit.MinScale() > scale || !fits(*t.LoadLimit)):
		return loyalty.Refuse(loyalty.CodeInvalid, "loadLimit")
	case t.TransactionLimit != nil && (!t.TransactionLimit.IsPos() || t.TransactionLimit.MinScale() > scale || !fits(*t.TransactionLimit)):
		return loyalty.Refuse(loyalty.CodeInvalid, "transactionLimit")
	case t.ValidDays != nil && (*t.ValidDays == 0 || t.ValidFrom != nil || t.ValidTo != nil):
		return loyalty.Refuse(loyalty.CodeInvalid, "validDays")
	case t.ValidFrom != nil && t.ValidTo != nil && t.ValidTo.Before(*t.ValidFrom):
		return loyalty.Refuse(loyalty.CodeInvalid, "validTo")
	}
	return checkNumbering(t, ranges)
}

func checkRule(t *db.CardType) error {
	if p := t.AccrualPercentage; p != nil {
		// The column holds three digits before the point and four behind it.
		if p.IsNeg() || p.Cmp(decimal.Thousand) >= 0 || p.MinScale() > 4 {
			return loyalty.Refuse(loyalty.CodeInvalid, "accrualPercentage")
		}
	}
	if t.RatioPoints == nil {
		return nil
	}
	if !t.RatioPoints.IsPos() || !t.RatioAmount.IsPos() {
		return loyalty.Refuse(loyalty.CodeAmountNotPositive, "accrualRatio")
	}
	if !fits(*t.RatioPoints) || !fits(*t.RatioAmount) {
		return loyalty.Refuse(loyalty.CodeInvalid, "accrualRatio")
	}
	return nil
}

// fits reports whether the ledger holds the amount as it is: four decimals, which
// PostgreSQL would round silently, and fifteen digits before them.
func fits(d decimal.Decimal) bool { return d.MinScale() <= 4 && d.Prec()-d.Scale() <= 15 }

// checkURL takes http and https addresses up to 500 characters, and "".
func checkURL(address, field string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || len(address) > 500 {
		return loyalty.Refuse(loyalty.CodeInvalid, field)
	}
	return nil
}

// nameOf trims a name of 1 to 100 characters.
func nameOf(name, field string) (string, error) {
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		return "", loyalty.Refuse(loyalty.CodeRequired, field)
	case utf8.RuneCountInString(name) > 100:
		return "", loyalty.Refuse(loyalty.CodeTooLong, field)
	case strings.ContainsRune(name, 0) || !utf8.ValidString(name):
		return "", loyalty.Refuse(loyalty.CodeInvalid, field)
	}
	return name, nil
}
