package reward

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
	"sello/loyalty/once"
)

// ClaimStatus is where a claim is in its life.
type ClaimStatus string

// The states of a claim: its points are taken; the customer has it; it was taken
// back, with its points.
const (
	Issued     ClaimStatus = "issued"
	HandedOver ClaimStatus = "handed_over"
	Cancelled  ClaimStatus = "cancelled"
)

// Where a claim was taken from.
const (
	fromNowhere = "unlimited"
	fromReward  = "reward"
	fromStore   = "store"
)

// Claim is one reward that somebody exchanged points for.
type Claim struct {
	db.RewardClaim
	batch *loyalty.Batch[Claim]
}

// GlobalID is the claim's opaque id.
func (c *Claim) GlobalID() string { return loyalty.GlobalID("RewardClaim", c.ID.String()) }

// State is where the claim is in its life.
func (c *Claim) State() ClaimStatus { return ClaimStatus(c.Status) }

// Batch is the list the claim was read with, nil for one read alone.
func (c *Claim) Batch() *loyalty.Batch[Claim] { return c.batch }

func claims(rows []db.RewardClaim) []*Claim {
	all := make([]*Claim, len(rows))
	for i, row := range rows {
		all[i] = &Claim{RewardClaim: row}
	}
	batch := loyalty.NewBatch(all)
	for _, c := range all {
		c.batch = batch
	}
	return all
}

// Exchange says which reward to claim, and from which card.
type Exchange struct {
	Code string
	Card ledger.CardRef
	// StoreCode is where: its own stock is taken from, if it has one.
	StoreCode              string
	Reference, Description string
	// WholePoints: only the whole part of what the card has can be spent
	// (spec/antcrm.md 6).
	WholePoints bool
	// Source is the door it came in by: graphql, antcrm.
	Source string
	// Key makes it repeatable; nil claims another one whenever it is called.
	Key *ledger.Key
}

// Exchanged is what came of an exchange.
type Exchanged struct {
	Claim    *Claim
	Movement *ledger.Movement
	// Replayed: it was done before, and this is the first answer. The claim is shown
	// as it is now.
	Replayed bool
}

// Redeem exchanges points of a card for one reward: points, stock and claim in one
// transaction, the card locked first and the stock behind it, so that neither goes
// below zero whoever else comes at the same time. It refuses, in this order, with
// IDEMPOTENCY_MISMATCH, the rules of the fields, REWARD_NOT_FOUND, CARD_NOT_FOUND,
// STORE_NOT_FOUND, CARD_NOT_ENABLED and what else keeps the card from being posted
// on, REWARD_CARD_TYPE_MISMATCH, REWARD_INACTIVE, REWARD_OUT_OF_STOCK and
// INSUFFICIENT_BALANCE (spec/antcrm.md 5). What the last three refused is noted among
// the attempts, whatever becomes of the rest.
func (s *Service) Redeem(ctx context.Context, who auth.Principal, in Exchange) (Exchanged, error) {
	reference, err := loyalty.OptionalText(in.Reference, "reference", 100)
	if err != nil {
		return Exchanged{}, err
	}
	description, err := loyalty.OptionalText(in.Description, "description", 255)
	if err != nil {
		return Exchanged{}, err
	}
	result, replayed, err := once.Do(ctx, s.DB.Queries, who.CompanyID, in.Key, s.Now(), func() (once.Result, error) {
		return s.redeem(ctx, who, in, reference, description)
	})
	if err != nil {
		return Exchanged{}, refusedOr(err, "exchange points for a reward")
	}
	c, err := s.ClaimByID(ctx, who.CompanyID, result.ID)
	if err != nil {
		return Exchanged{}, err
	}
	m, err := s.Ledger.Movement(ctx, who.CompanyID, c.CardID, c.Seq)
	return Exchanged{Claim: c, Movement: m, Replayed: replayed}, err
}

func (s *Service) redeem(ctx context.Context, who auth.Principal, in Exchange, reference, description *string) (r once.Result, err error) {
	p := db.RewardForClaimParams{CompanyID: who.CompanyID, CodeKey: key(in.Code), Now: s.Now()}
	if in.StoreCode != "" {
		p.StoreCode = &in.StoreCode
	}
	if !loyalty.Storable(in.StoreCode) {
		return r, loyalty.Refuse(loyalty.CodeStoreNotFound, "storeCode")
	}
	if _, err := s.forClaim(ctx, s.DB.Queries, p); err != nil {
		return r, err
	}
	card, err := s.Ledger.Find(ctx, who.CompanyID, in.Card)
	if err != nil {
		return r, err
	}
	var tried db.RewardAttemptCreateParams
	err = s.Ledger.InBook(ctx, who, []uuid.UUID{card.ID}, func(tx db.Tx, b *ledger.Book) error {
		tried = db.RewardAttemptCreateParams{}
		found, err := s.forClaim(ctx, tx.Queries, p)
		switch {
		case err != nil:
			return err
		case in.StoreCode != "" && found.StoreID == nil:
			return loyalty.Refuse(loyalty.CodeStoreNotFound, "storeCode")
		}
		account := b.Account(card.ID)
		if err := account.MayPost("card"); err != nil {
			return err
		}
		if account.Card.CardTypeID != found.Reward.CardTypeID {
			return loyalty.Refuse(loyalty.CodeRewardCardTypeMismatch, "card")
		}
		if tried, err = s.attempt(who, account, found, in.Source); err != nil {
			return err
		}
		stock, err := s.take(ctx, tx, found)
		if err != nil {
			return err
		}
		m, err := debit(account, found.Reward, in, reference, description)
		if err != nil {
			return err
		}
		claim, err := s.claim(ctx, tx, who, db.RewardClaimCreateParams{
			RewardID: found.Reward.ID, CardID: card.ID, Seq: m.Seq, CustomerID: account.Card.CustomerID, StoreID: found.StoreID, Stock: stock,
			Price: found.Reward.Price, Reference: reference, Description: description, Source: in.Source,
		})
		if err != nil {
			return err
		}
		tried.Seq, tried.ClaimID = &m.Seq, &claim.ID
		if err := tx.RewardAttemptCreate(ctx, tried); err != nil {
			return fmt.Errorf("note a claim among the attempts: %w", err)
		}
		r = once.Result{ID: claim.ID, Seq: m.Seq}
		return once.Note(ctx, tx.Queries, who.CompanyID, in.Key, r, s.Now())
	})
	return r, s.failed(ctx, tried, err)
}

// forClaim reads what decides about a claim. It refuses with REWARD_NOT_FOUND.
func (s *Service) forClaim(ctx context.Context, q *db.Queries, p db.RewardForClaimParams) (db.RewardForClaimRow, error) {
	found, err := q.RewardForClaim(ctx, p)
	switch {
	case db.Absent(err):
		return found, loyalty.Refuse(loyalty.CodeRewardNotFound, "code")
	case err != nil:
		return found, fmt.Errorf("read a reward: %w", err)
	}
	return found, nil
}

// take takes one of the stock, of the store's own if it has one, and tells which. It
// refuses with REWARD_INACTIVE and REWARD_OUT_OF_STOCK.
func (s *Service) take(ctx context.Context, tx db.Tx, found db.RewardForClaimRow) (stock string, err error) {
	reward := found.Reward
	var taken int64
	switch {
	case Status(reward.Status) != Active || found.Outside:
		return "", loyalty.Refuse(loyalty.CodeRewardInactive, "code")
	case found.StoreStock:
		stock = fromStore
		taken, err = tx.RewardStockTake(ctx, db.RewardStockTakeParams{CompanyID: reward.CompanyID, RewardID: reward.ID, StoreID: *found.StoreID, Now: s.Now()})
	case reward.Supplied != nil:
		stock = fromReward
		taken, err = tx.RewardTake(ctx, db.RewardTakeParams{CompanyID: reward.CompanyID, ID: reward.ID, Now: s.Now()})
	default:
		return fromNowhere, nil
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("take of a reward's stock: %w", err)
	case taken == 0:
		return "", loyalty.Refuse(loyalty.CodeRewardOutOfStock, "code")
	}
	return stock, nil
}

// claim writes the claim and tells of it.
func (s *Service) claim(ctx context.Context, tx db.Tx, who auth.Principal, p db.RewardClaimCreateParams) (db.RewardClaim, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return db.RewardClaim{}, fmt.Errorf("make an id: %w", err)
	}
	p.CompanyID, p.ID, p.ActorKind, p.Now = who.CompanyID, id, string(who.Kind), s.Now()
	if who.Subject != uuid.Nil {
		p.ActorID = &who.Subject
	}
	row, err := tx.RewardClaimCreate(ctx, p)
	if err != nil {
		return row, fmt.Errorf("write a claim: %w", err)
	}
	return row, s.tell(ctx, tx, who.CompanyID, "reward_claimed", row.ID)
}

// HandOver notes that the customer has the reward. It refuses with
// REWARD_CLAIM_NOT_FOUND and, of a claim that is not open, STATE_CONFLICT.
func (s *Service) HandOver(ctx context.Context, who auth.Principal, id uuid.UUID) (*Claim, error) {
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		if _, err := s.open(ctx, tx, who, id); err != nil {
			return err
		}
		return s.end(ctx, tx, who, id, HandedOver, nil)
	})
	if err != nil {
		return nil, refusedOr(err, "hand a reward over")
	}
	return s.ClaimByID(ctx, who.CompanyID, id)
}

// Cancel takes an open claim back: its points return to the lots they came from,
// what was claimed to the stock it was taken from. It refuses with
// REWARD_CLAIM_NOT_FOUND and, of a claim that is not open, STATE_CONFLICT.
func (s *Service) Cancel(ctx context.Context, who auth.Principal, id uuid.UUID) (*Claim, error) {
	c, err := s.ClaimByID(ctx, who.CompanyID, id)
	if err != nil {
		return nil, err
	}
	err = s.Ledger.InBook(ctx, who, []uuid.UUID{c.CardID}, func(tx db.Tx, b *ledger.Book) error {
		row, err := s.open(ctx, tx, who, id)
		if err != nil {
			return err
		}
		m, err := s.giveBack(ctx, tx, b, row)
		if err != nil {
			return err
		}
		switch row.Stock {
		case fromReward:
			err = tx.RewardPutBack(ctx, db.RewardPutBackParams{CompanyID: row.CompanyID, ID: row.RewardID, Now: s.Now()})
		case fromStore:
			err = tx.RewardStockPutBack(ctx, db.RewardStockPutBackParams{CompanyID: row.CompanyID, RewardID: row.RewardID, StoreID: *row.StoreID, Now: s.Now()})
		}
		if err != nil {
			return fmt.Errorf("put a reward back: %w", err)
		}
		return s.end(ctx, tx, who, id, Cancelled, &m.Seq)
	})
	if err != nil {
		return nil, refusedOr(err, "cancel a claim")
	}
	return s.ClaimByID(ctx, who.CompanyID, id)
}

// open locks a claim that nothing has become of yet. It refuses with
// REWARD_CLAIM_NOT_FOUND and STATE_CONFLICT.
func (s *Service) open(ctx context.Context, tx db.Tx, who auth.Principal, id uuid.UUID) (db.RewardClaim, error) {
	row, err := tx.RewardClaimLock(ctx, who.CompanyID, id)
	switch {
	case missing(err):
		return row, loyalty.Refuse(loyalty.CodeRewardClaimNotFound, "id")
	case err != nil:
		return row, fmt.Errorf("lock a claim: %w", err)
	case ClaimStatus(row.Status) != Issued:
		return row, loyalty.Refuse(loyalty.CodeStateConflict, "id")
	}
	return row, nil
}

// end writes what became of a claim, and tells of it.
func (s *Service) end(ctx context.Context, tx db.Tx, who auth.Principal, id uuid.UUID, status ClaimStatus, seq *int64) error {
	_, err := tx.RewardClaimEnd(ctx, db.RewardClaimEndParams{CompanyID: who.CompanyID, ID: id, Status: string(status), CancelSeq: seq, Now: new(s.Now())})
	if err != nil {
		return fmt.Errorf("end a claim: %w", err)
	}
	if err := s.tell(ctx, tx, who.CompanyID, "reward_claim_"+string(status), id); err != nil {
		return err
	}
	return auth.Audit(ctx, tx.Queries, who, s.Now(), "reward_claim_"+string(status), "reward_claim", id, nil)
}

// ClaimByID reads a claim. It refuses with REWARD_CLAIM_NOT_FOUND.
func (s *Service) ClaimByID(ctx context.Context, company, id uuid.UUID) (*Claim, error) {
	row, err := s.DB.RewardClaimByID(ctx, company, id)
	if missing(err) {
		return nil, loyalty.Refuse(loyalty.CodeRewardClaimNotFound, "id")
	}
	if err != nil {
		return nil, fmt.Errorf("read a claim: %w", err)
	}
	return &Claim{RewardClaim: row}, nil
}

// ClaimsByIDs reads claims by id, for the objects of a page that name them.
func (s *Service) ClaimsByIDs(ctx context.Context, company uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]*Claim, error) {
	rows, err := s.DB.RewardClaimsByIDs(ctx, company, ids)
	if err != nil {
		return nil, fmt.Errorf("read claims: %w", err)
	}
	found := make(map[uuid.UUID]*Claim, len(rows))
	for _, c := range claims(rows) {
		found[c.ID] = c
	}
	return found, nil
}

// ClaimFilter picks claims: nil picks all.
type ClaimFilter struct {
	Status     *ClaimStatus
	RewardCode *string
	CustomerID *uuid.UUID
}

// Claims reads a page of claims, newest first, from below an id. A reward that is
// not there has none.
func (s *Service) Claims(ctx context.Context, company uuid.UUID, f ClaimFilter, before *uuid.UUID, first int) (page []*Claim, more bool, err error) {
	p := db.RewardClaimsPageParams{
		CompanyID: company, Before: before, Status: (*string)(f.Status), CustomerID: f.CustomerID, BatchSize: int32(first) + 1,
	}
	if f.RewardCode != nil {
		r, err := s.ByCode(ctx, company, *f.RewardCode)
		if err != nil || r == nil {
			return nil, false, err
		}
		p.RewardID = &r.ID
	}
	rows, err := s.DB.RewardClaimsPage(ctx, p)
	if err != nil {
		return nil, false, fmt.Errorf("list claims: %w", err)
	}
	return claims(rows[:min(first, len(rows))]), len(rows) > first, nil
}

// RewardOf reads the reward of a claim, and with it those of its batch.
func (s *Service) RewardOf(ctx context.Context, company uuid.UUID, c *Claim) (*Reward, error) {
	return loyalty.Together(c.batch, c, "reward", func(all []*Claim) (map[*Claim]*Reward, error) {
		return loyalty.Lookup(all, func(c *Claim) (uuid.UUID, bool) { return c.RewardID, true },
			func(ids []uuid.UUID) (map[uuid.UUID]*Reward, error) { return s.ByIDs(ctx, company, ids) })
	})
}
