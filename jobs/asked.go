package jobs

import (
	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"sello/loyalty/ledger"
	"sello/loyalty/queue"
)

// Asked are the kinds that an operator can run for a company beside their schedule
// (spec/promo-7 section 8), each under a name of its own.
func Asked() map[string]queue.Maker {
	return map[string]queue.Maker{
		ledger.PointsExpire{}.Kind(): func(company uuid.UUID, asked string) river.JobArgs {
			return ledger.PointsExpire{CompanyID: company, Asked: asked}
		},
		ledger.CardExpire{}.Kind(): func(company uuid.UUID, asked string) river.JobArgs {
			return ledger.CardExpire{CompanyID: company, Asked: asked}
		},
		ledger.HoldExpire{}.Kind(): func(company uuid.UUID, asked string) river.JobArgs {
			return ledger.HoldExpire{CompanyID: company, Asked: asked}
		},
		ledger.ExpiryNotice{}.Kind(): func(company uuid.UUID, asked string) river.JobArgs {
			return ledger.ExpiryNotice{CompanyID: company, Asked: asked}
		},
	}
}
