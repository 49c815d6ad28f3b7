package reward

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
)

// Status says whether a reward can be claimed at all.
type Status string

// The states of a reward.
const (
	Active   Status = "active"
	Inactive Status = "inactive"
)

// Reward is something that points can be exchanged for.
type Reward struct {
	db.Reward
	batch *loyalty.Batch[Reward]
}

// GlobalID is the reward's opaque id.
func (r *Reward) GlobalID() string { return loyalty.GlobalID("Reward", r.ID.String()) }

// State says whether it can be claimed at all; its days are another matter.
func (r *Reward) State() Status { return Status(r.Status) }

// Stock is how many are left; nil means that there is no end of them. Stores may
// have a stock of their own.
func (r *Reward) Stock() *int {
	if r.Supplied == nil {
		return nil
	}
	return new(int(*r.Supplied - r.Taken))
}

// Batch is the list the reward was read with, nil for one read alone.
func (r *Reward) Batch() *loyalty.Batch[Reward] { return r.batch }

func rewards(rows []db.Reward) []*Reward {
	all := make([]*Reward, len(rows))
	for i, row := range rows {
		all[i] = &Reward{Reward: row}
	}
	batch := loyalty.NewBatch(all)
	for _, r := range all {
		r.batch = batch
	}
	return all
}

// NewReward says what a new reward is like.
type NewReward struct {
	Code, Name, Description string
	// CardTypeCode names the cards it is paid from, Price how much, in their unit.
	CardTypeCode string
	Price        decimal.Decimal
	// ValidFrom and ValidUntil are its first and last business day; nil is open.
	ValidFrom, ValidUntil *time.Time
	// Stock is how many there are; nil means no end of them.
	Stock *int
}

// Create sets up a reward. It refuses with the rules of the fields,
// CARD_TYPE_NOT_FOUND, CARD_TYPE_ARCHIVED, AMOUNT_TOO_PRECISE and TAKEN (the code, in
// any case).
func (s *Service) Create(ctx context.Context, who auth.Principal, in NewReward) (*Reward, error) {
	if err := loyalty.ObjectCode(in.Code, "code"); err != nil {
		return nil, err
	}
	t, err := s.Ledger.CardTypeByCode(ctx, who.CompanyID, in.CardTypeCode)
	switch {
	case err != nil:
		return nil, err
	case t == nil:
		return nil, loyalty.Refuse(loyalty.CodeCardTypeNotFound, "cardTypeCode")
	case t.ArchivedAt != nil:
		return nil, loyalty.Refuse(loyalty.CodeCardTypeArchived, "cardTypeCode")
	}
	row := db.Reward{CompanyID: who.CompanyID, Price: in.Price, ValidFrom: in.ValidFrom, ValidUntil: in.ValidUntil}
	if err := check(&row, in.Name, in.Description, t); err != nil {
		return nil, err
	}
	if row.Supplied, err = supplied(in.Stock, 0); err != nil {
		return nil, err
	}
	if row.ID, err = uuid.NewV7(); err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		made, err := tx.RewardCreate(ctx, db.RewardCreateParams{
			CompanyID: who.CompanyID, ID: row.ID, Code: in.Code, CodeKey: key(in.Code), Name: row.Name, Description: row.Description,
			CardTypeID: t.ID, Price: row.Price, ValidFrom: row.ValidFrom, ValidUntil: row.ValidUntil, Supplied: row.Supplied, Now: s.Now(),
		})
		if err != nil {
			return err
		}
		row = made
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "reward_create", "reward", row.ID, nil)
	})
	switch {
	case err == nil:
		return &Reward{Reward: row}, nil
	case db.Violates(err, "reward_code_key"):
		return nil, loyalty.Refuse(loyalty.CodeTaken, "code")
	default:
		return nil, fmt.Errorf("create a reward: %w", err)
	}
}

// check holds the rules of a reward's fields and cleans its texts.
func check(row *db.Reward, name, description string, t *ledger.CardType) (err error) {
	if row.Name, err = loyalty.Text(name, "name", 100); err != nil {
		return err
	}
	if row.Description, err = loyalty.OptionalText(description, "description", 500); err != nil {
		return err
	}
	switch {
	case !row.Price.IsPos():
		return loyalty.Refuse(loyalty.CodeAmountNotPositive, "price")
	case row.Price.MinScale() > int(t.Scale):
		return loyalty.Refuse(loyalty.CodeAmountTooPrecise, "price").With("decimals", fmt.Sprint(t.Scale))
	case row.ValidFrom != nil && row.ValidUntil != nil && row.ValidUntil.Before(*row.ValidFrom):
		return loyalty.Refuse(loyalty.CodeInvalid, "validUntil")
	}
	return loyalty.Amount(row.Price, "price")
}

// maxStock keeps sums of stock and claims within an integer.
const maxStock = 1_000_000_000

// supplied is how many there were in all when so many are left and taken.
func supplied(left *int, taken int32) (*int32, error) {
	switch {
	case left == nil:
		return nil, nil
	case *left < 0 || *left > maxStock || int64(*left)+int64(taken) > math.MaxInt32:
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "stock")
	}
	return new(int32(*left) + taken), nil
}

// Change says what to change of a reward; nil stays.
type Change struct {
	Name, Description *string
	Price             *decimal.Decimal
	Status            *Status
	// ValidFrom is used if SetFrom, ValidUntil if SetUntil; nil opens that end.
	ValidFrom, ValidUntil *time.Time
	SetFrom, SetUntil     bool
}

// Update changes a reward. Claims that exist keep their price. It refuses with
// REWARD_NOT_FOUND and the rules of the fields.
func (s *Service) Update(ctx context.Context, who auth.Principal, code string, in Change) (*Reward, error) {
	return s.change(ctx, who, code, "reward_update", func(_ db.Tx, row *db.Reward) error {
		t, err := s.Ledger.CardTypeByID(ctx, who.CompanyID, row.CardTypeID)
		if err != nil {
			return err
		}
		name, description := row.Name, ""
		if row.Description != nil {
			description = *row.Description
		}
		if in.Name != nil {
			name = *in.Name
		}
		if in.Description != nil {
			description = *in.Description
		}
		if in.Price != nil {
			row.Price = *in.Price
		}
		if in.Status != nil {
			row.Status = string(*in.Status)
		}
		if in.SetFrom {
			row.ValidFrom = in.ValidFrom
		}
		if in.SetUntil {
			row.ValidUntil = in.ValidUntil
		}
		return check(row, name, description, t)
	})
}

// StockSet says how many of a reward are left, at a store if one is named; nil at
// the reward itself means that there is no end of them. Claims that stand are not
// counted among them. It refuses with REWARD_NOT_FOUND, STORE_NOT_FOUND, REQUIRED
// (a store's stock) and INVALID.
func (s *Service) StockSet(ctx context.Context, who auth.Principal, code, storeCode string, left *int) (*Reward, error) {
	return s.change(ctx, who, code, "reward_stock_set", func(tx db.Tx, row *db.Reward) (err error) {
		if storeCode == "" {
			row.Supplied, err = supplied(left, row.Taken)
			return err
		}
		store, err := tx.StoreByCode(ctx, who.CompanyID, storeCode)
		switch {
		case db.Absent(err):
			return loyalty.Refuse(loyalty.CodeStoreNotFound, "storeCode")
		case err != nil:
			return fmt.Errorf("read a store: %w", err)
		case left == nil:
			return loyalty.Refuse(loyalty.CodeRequired, "stock")
		case *left < 0 || *left > maxStock:
			return loyalty.Refuse(loyalty.CodeInvalid, "stock")
		}
		err = tx.RewardStockPut(ctx, db.RewardStockPutParams{
			CompanyID: who.CompanyID, RewardID: row.ID, StoreID: store.ID, LeftOver: int32(*left), Now: s.Now(),
		})
		if err != nil {
			return fmt.Errorf("set a store's stock: %w", err)
		}
		return nil
	})
}

// change runs fn on a locked reward and writes it.
func (s *Service) change(ctx context.Context, who auth.Principal, code, action string, fn func(db.Tx, *db.Reward) error) (*Reward, error) {
	var row db.Reward
	err := s.DB.InTx(ctx, func(tx db.Tx) (err error) {
		row, err = tx.RewardLock(ctx, who.CompanyID, key(code))
		switch {
		case db.Absent(err):
			return loyalty.Refuse(loyalty.CodeRewardNotFound, "code")
		case err != nil:
			return err
		}
		if err := fn(tx, &row); err != nil {
			return err
		}
		row, err = tx.RewardUpdate(ctx, db.RewardUpdateParams{
			CompanyID: who.CompanyID, ID: row.ID, Name: row.Name, Description: row.Description, Price: row.Price, Status: row.Status,
			ValidFrom: row.ValidFrom, ValidUntil: row.ValidUntil, Supplied: row.Supplied, Now: s.Now(),
		})
		if err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), action, "reward", row.ID, map[string]any{"status": row.Status})
	})
	if err != nil {
		return nil, refusedOr(err, "change a reward")
	}
	return &Reward{Reward: row}, nil
}

// ByCode reads a reward; nil if the company has none of that code.
func (s *Service) ByCode(ctx context.Context, company uuid.UUID, code string) (*Reward, error) {
	row, err := s.DB.RewardByKey(ctx, company, key(code))
	if db.Absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a reward: %w", err)
	}
	return &Reward{Reward: row}, nil
}

// ByID reads a reward; nil if the company has none of that id.
func (s *Service) ByID(ctx context.Context, company, id uuid.UUID) (*Reward, error) {
	found, err := s.ByIDs(ctx, company, []uuid.UUID{id})
	return found[id], err
}

// ByIDs reads rewards by id, for the objects of a page that name them.
func (s *Service) ByIDs(ctx context.Context, company uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]*Reward, error) {
	rows, err := s.DB.RewardsByIDs(ctx, company, ids)
	if err != nil {
		return nil, fmt.Errorf("read rewards: %w", err)
	}
	found := make(map[uuid.UUID]*Reward, len(rows))
	for _, r := range rewards(rows) {
		found[r.ID] = r
	}
	return found, nil
}

// List reads a page of the company's rewards, oldest first, from behind an id.
func (s *Service) List(ctx context.Context, company uuid.UUID, status *Status, after *uuid.UUID, first int) (page []*Reward, more bool, err error) {
	rows, err := s.DB.RewardsPage(ctx, db.RewardsPageParams{CompanyID: company, After: after, Status: (*string)(status), BatchSize: int32(first) + 1})
	if err != nil {
		return nil, false, fmt.Errorf("list rewards: %w", err)
	}
	return rewards(rows[:min(first, len(rows))]), len(rows) > first, nil
}

// StoreStock is the stock that a store has of its own.
type StoreStock struct {
	db.RewardStock
	batch *loyalty.Batch[StoreStock]
}

// Left is how many the store has left.
func (s *StoreStock) Left() int { return int(s.Supplied - s.Taken) }

// Batch is the list the stock was read with.
func (s *StoreStock) Batch() *loyalty.Batch[StoreStock] { return s.batch }

// StocksPage is a page of stores' stocks and whether more follow.
type StocksPage struct {
	Stocks []*StoreStock
	More   bool
}

// StocksOf reads the stocks that stores have of a reward, and with it those of its
// batch.
func (s *Service) StocksOf(ctx context.Context, company uuid.UUID, r *Reward, after *uuid.UUID, first int) (StocksPage, error) {
	place := ""
	if after != nil {
		place = after.String()
	}
	return loyalty.Together(r.batch, r, fmt.Sprintf("stocks %s %d", place, first), func(all []*Reward) (map[*Reward]StocksPage, error) {
		return loyalty.Lookup(all, func(r *Reward) (uuid.UUID, bool) { return r.ID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]StocksPage, error) {
				rows, err := s.DB.RewardStocksByRewards(ctx, db.RewardStocksByRewardsParams{
					CompanyID: company, RewardIds: ids, After: after, BatchSize: int32(first) + 1,
				})
				if err != nil {
					return nil, fmt.Errorf("list stores' stocks: %w", err)
				}
				stocks := make([]*StoreStock, len(rows))
				for i, row := range rows {
					stocks[i] = &StoreStock{RewardStock: row}
				}
				batch, pages := loyalty.NewBatch(stocks), map[uuid.UUID]StocksPage{}
				for _, stock := range stocks {
					stock.batch = batch
					page := pages[stock.RewardID]
					if len(page.Stocks) == first {
						page.More = true
					} else {
						page.Stocks = append(page.Stocks, stock)
					}
					pages[stock.RewardID] = page
				}
				return pages, nil
			})
	})
}

func isRefusal(err error) bool { return loyalty.CodeOf(err) != "" }

func missing(err error) bool { return errors.Is(err, pgx.ErrNoRows) }
