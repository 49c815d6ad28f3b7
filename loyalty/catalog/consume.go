package catalog

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
	"sello/loyalty/once"
)

// attemptKind is what uses of serial codes are called among the attempts.
const attemptKind = "consume"

// Use says which code to turn into points, and on which card.
type Use struct {
	Code string
	Card ledger.CardRef
	// Description is a text for people.
	Description string
	// Source is the door it came in by: graphql, antcrm.
	Source string
	// Key makes it repeatable; a code is used once without.
	Key *ledger.Key
}

// Used is what came of a use.
type Used struct {
	Code     *Code
	Movement *ledger.Movement
	Replayed bool
}

// Consume turns a serial code into points on a card, once: of any number at the
// same time one succeeds. Code, movement and the note of it are one transaction,
// the card locked first and the code behind it. It refuses, in this order, with
// IDEMPOTENCY_MISMATCH, PRODUCT_CODE_NOT_FOUND, CARD_NOT_FOUND, CARD_NOT_ENABLED and
// what else keeps the card from being posted on, PRODUCT_CODE_USED and
// PRODUCT_CODE_INACTIVE (spec/antcrm.md 4), and where the card cannot take the
// points, with AMOUNT_TOO_PRECISE and AMOUNT_TOO_LARGE. What was refused by the
// code's own state is noted among the attempts, whatever becomes of the rest.
func (s *Service) Consume(ctx context.Context, who auth.Principal, in Use) (Used, error) {
	description, err := loyalty.OptionalText(in.Description, "description", 255)
	if err != nil {
		return Used{}, err
	}
	result, replayed, err := once.Do(ctx, s.DB.Queries, who.CompanyID, in.Key, s.Now(), func() (once.Result, error) {
		return s.consume(ctx, who, in, description)
	})
	switch {
	case loyalty.CodeOf(err) != "":
		return Used{}, err
	case err != nil:
		return Used{}, fmt.Errorf("use a serial code: %w", err)
	}
	return s.UsedOf(ctx, who.CompanyID, result, replayed)
}

// UsedOf reads what came of a use.
func (s *Service) UsedOf(ctx context.Context, company uuid.UUID, r once.Result, replayed bool) (Used, error) {
	c, err := s.CodeByID(ctx, company, r.ID)
	if err != nil {
		return Used{}, err
	}
	m, err := s.Ledger.Movement(ctx, company, *c.UsedCardID, *c.UsedSeq)
	return Used{Code: c, Movement: m, Replayed: replayed}, err
}

func (s *Service) consume(ctx context.Context, who auth.Principal, in Use, description *string) (r once.Result, err error) {
	known, err := s.CodeByText(ctx, who.CompanyID, in.Code)
	if err != nil {
		return r, err
	}
	if known == nil {
		return r, loyalty.Refuse(loyalty.CodeProductCodeNotFound, "code")
	}
	card, err := s.Ledger.Find(ctx, who.CompanyID, in.Card)
	if err != nil {
		return r, err
	}
	var tried Try
	err = s.Ledger.InBook(ctx, who, []uuid.UUID{card.ID}, func(tx db.Tx, b *ledger.Book) error {
		r, tried, err = s.ConsumeIn(ctx, tx, b, who, card.ID, in, description)
		return err
	})
	return r, s.Failed(ctx, tried, err)
}

// Try is a use of a code by somebody known: what Failed notes.
type Try struct{ attempt db.RewardAttemptCreateParams }

// On is the try as one on another card of the same customer.
func (t Try) On(card uuid.UUID) Try {
	t.attempt.CardID = card
	return t
}

// ConsumeIn is Consume in the caller's transaction, on a card of the caller's book; of
// a refusal it answers what was tried too.
func (s *Service) ConsumeIn(ctx context.Context, tx db.Tx, b *ledger.Book, who auth.Principal, card uuid.UUID, in Use, description *string) (r once.Result, tried Try, err error) {
	account := b.Account(card)
	if err := account.MayPost("card"); err != nil {
		return r, tried, err
	}
	row, err := s.lock(ctx, tx, who.CompanyID, in.Code)
	if err != nil {
		return r, tried, err
	}
	score := row.Product.Score
	if row.ProductCode.Score != nil {
		score = *row.ProductCode.Score
	}
	if tried.attempt, err = s.attempt(who, account, row, score, in.Source); err != nil {
		return r, tried, err
	}
	if err := refusal(row); err != nil {
		return r, tried, err
	}
	m, err := credit(account, score, row, in, description)
	if err != nil {
		return r, tried, err
	}
	err = tx.ProductCodeUse(ctx, db.ProductCodeUseParams{
		CompanyID: who.CompanyID, ID: row.ProductCode.ID, UsedCustomerID: account.Card.CustomerID, UsedCardID: card, UsedSeq: m.Seq, Now: new(s.Now()),
	})
	if err != nil {
		return r, tried, fmt.Errorf("mark a serial code as used: %w", err)
	}
	done := tried.attempt
	done.Seq = &m.Seq
	if err := tx.RewardAttemptCreate(ctx, done); err != nil {
		return r, tried, fmt.Errorf("note the use of a serial code: %w", err)
	}
	r = once.Result{ID: row.ProductCode.ID, Seq: m.Seq}
	return r, tried, once.Note(ctx, tx.Queries, who.CompanyID, in.Key, r, s.Now())
}

// attempt is a try of somebody known with a code that is there.
func (s *Service) attempt(who auth.Principal, account *ledger.Account, row db.ProductCodeLockRow, score decimal.Decimal, source string) (db.RewardAttemptCreateParams, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return db.RewardAttemptCreateParams{}, fmt.Errorf("make an id: %w", err)
	}
	return db.RewardAttemptCreateParams{
		CompanyID: who.CompanyID, ID: id, Kind: attemptKind, Score: score, CardID: account.Card.ID, CustomerID: account.Card.CustomerID,
		ProductID: &row.Product.ID, ProductCodeID: &row.ProductCode.ID, Source: source, Now: s.Now(),
	}, nil
}

// Refused reports a refusal by a code's own state: one that Failed notes.
func Refused(err error) bool {
	code := loyalty.CodeOf(err)
	return code == loyalty.CodeProductCodeUsed || code == loyalty.CodeProductCodeInactive
}

// Failed notes a try that the code's state refused, after everything else of it is
// undone, and answers the refusal.
func (s *Service) Failed(ctx context.Context, tried Try, err error) error {
	if !Refused(err) {
		return err
	}
	tried.attempt.Error = new(string(loyalty.CodeOf(err)))
	if err := s.DB.RewardAttemptCreate(ctx, tried.attempt); err != nil {
		return fmt.Errorf("note a failed use of a serial code: %w", err)
	}
	return err
}

// refusal is what the code's state says against its use.
func refusal(row db.ProductCodeLockRow) error {
	switch {
	case CodeStatus(row.ProductCode.Status) == CodeUsed:
		return loyalty.Refuse(loyalty.CodeProductCodeUsed, "code")
	case CodeStatus(row.ProductCode.Status) == CodeBlocked, row.PastDay, ProductStatus(row.Product.Status) != ProductActive:
		return loyalty.Refuse(loyalty.CodeProductCodeInactive, "code")
	}
	return nil
}

// credit posts the points of a code. It refuses with AMOUNT_TOO_PRECISE and as the
// ledger does.
func credit(account *ledger.Account, score decimal.Decimal, row db.ProductCodeLockRow, in Use, description *string) (*ledger.Movement, error) {
	if score.MinScale() > int(account.Type.Scale) {
		return nil, loyalty.Refuse(loyalty.CodeAmountTooPrecise, "card").With("decimals", fmt.Sprint(account.Type.Scale))
	}
	text := row.Product.Name
	if description != nil {
		text = *description
	}
	return account.Post(ledger.Entry{Action: ledger.Accrue, Amount: score, Source: in.Source, Reference: row.ProductCode.Code, Description: text})
}
