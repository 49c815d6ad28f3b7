package demo

import (
	"context"

	"github.com/govalues/decimal"

	"sello/loyalty/auth"
	"sello/loyalty/ledger"
	"sello/loyalty/phone"
	"sello/loyalty/plan"
)

// What the main company has with the platform: enough for whoever tries it out with
// thousands of calls, and little enough to see the figures move.
const (
	demoContacts    = 100_000
	demoRedemptions = 100_000
)

var (
	demoPrice   = decimal.MustParse("0.5")
	demoBalance = decimal.MustParse("50000")
)

// Phones that show what the wallet refuses: one on the blacklist, and a range of
// landlines.
const (
	blockedPhone  = "4775550000"
	firstLandline = "4777100000"
	lastLandline  = "4777199999"
)

// walletPlan gives the company its plan, prepaid messages and rules for phones where
// it has none yet. What the demo itself has posted by then cost nothing.
func (s Services) walletPlan(ctx context.Context, who auth.Principal) error {
	has, err := s.Plans.Get(ctx, who.CompanyID)
	if err != nil || has != nil {
		return err
	}
	if _, err := s.Phones.RangesLoad(ctx, who, []phone.Range{{First: firstLandline, Last: lastLandline, Line: phone.Landline}}, false); err != nil {
		return err
	}
	if _, err := s.Phones.Block(ctx, who, []string{blockedPhone}, "Pidió no recibir mensajes"); err != nil {
		return err
	}
	if _, err := s.Plans.Set(ctx, who, plan.Change{
		ContactsLimit: ledger.Given(demoContacts), RedemptionsLimit: ledger.Given(demoRedemptions), MessagePrice: ledger.Given(demoPrice),
	}); err != nil {
		return err
	}
	_, _, err = s.Plans.TopUp(ctx, who, plan.Money{Amount: demoBalance, Reference: "Recarga inicial"})
	return err
}
