package report

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/ledger"
)

// By says which of a movement's two times counts.
type By string

const (
	// Recorded: what the books said at an instant, whatever was dated back since.
	// What an auditor asks for: the answer never changes afterwards.
	Recorded By = "recorded"
	// Posted: what the balance was at an instant as far as is known today, postings
	// that were dated back included.
	Posted By = "posted"
)

// BalanceAsOf is a card's balance of a past instant, the instant itself included,
// and with it those of its batch: the sum of the movements up to then. It reads
// the books themselves, as its answer has no place to say that it is late.
func (s *Service) BalanceAsOf(ctx context.Context, company uuid.UUID, c *ledger.Card, at time.Time, by By) (Sum, error) {
	key := fmt.Sprintf("balance %d %d %s", at.Unix(), at.Nanosecond(), by)
	return loyalty.Together(c.Batch(), c, key, func(all []*ledger.Card) (map[*ledger.Card]Sum, error) {
		return loyalty.Lookup(all, func(c *ledger.Card) (uuid.UUID, bool) { return c.ID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]Sum, error) {
				rows, err := s.DB.CardBalancesAsOf(ctx, db.CardBalancesAsOfParams{
					CompanyID: company, CardIds: ids, At: at, ByPosted: by == Posted,
				})
				if err != nil {
					return nil, fmt.Errorf("read balances of a past instant: %w", err)
				}
				balances := make(map[uuid.UUID]Sum, len(rows))
				for _, row := range rows {
					if balances[row.CardID], err = ParseSum(row.Balance); err != nil {
						return nil, err
					}
				}
				return balances, nil
			})
	})
}
