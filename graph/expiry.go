package graph

import (
	"sello/graph/model"
	"sello/loyalty/ledger"
)

func expiryChange(in model.CardTypeExpirySetInput) ledger.ExpiryChange {
	return ledger.ExpiryChange{
		CardTypeCode: in.CardTypeCode, ApplyTo: in.ApplyTo, PendingDays: in.PendingDays, NoticeDays: in.NoticeDays,
		Expiry: ledger.Expiry{Policy: in.Policy, Date: in.Date, Count: in.Count, Unit: or(in.Unit, "")},
	}
}
