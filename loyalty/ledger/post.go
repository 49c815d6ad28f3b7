package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// keyLifetime is how long an idempotency key is kept; business ids in movements
// are kept for ever (design.md, "The ledger").
const keyLifetime = 90 * 24 * time.Hour

// CardRef names a card: by its code, or as the contact with a phone in a wallet.
type CardRef struct {
	Code             string
	WalletKey, Phone string
}

func (r CardRef) args() (code, walletKey, phone *string, err error) {
	switch {
	case r.Code != "" && r.WalletKey == "" && r.Phone == "":
		if !storable(r.Code) {
			return nil, nil, nil, loyalty.Refuse(loyalty.CodeCardNotFound, "card")
		}
		return &r.Code, nil, nil, nil
	case r.Code == "" && r.WalletKey != "" && r.Phone != "":
		if !storable(r.WalletKey) {
			return nil, nil, nil, loyalty.Refuse(loyalty.CodeCardTypeNotFound, "card")
		}
		if !storable(r.Phone) {
			return nil, nil, nil, loyalty.Refuse(loyalty.CodeCardNotFound, "card")
		}
		return nil, &r.WalletKey, &r.Phone, nil
	default:
		return nil, nil, nil, loyalty.Refuse(loyalty.CodeRequired, "card")
	}
}

// Key is an idempotency key: what names a request, and what the request was.
type Key struct {
	// ID is a digest over operation, principal and the caller's key.
	ID uuid.UUID
	// Fingerprint is a digest over the request.
	Fingerprint uuid.UUID
	// Lifetime is how long the key stands for its first request; 0 means 90 days.
	Lifetime time.Duration
}

// Posting says what to post.
type Posting struct {
	Card   CardRef
	Action Action
	// Amount is signed, in the card type's unit; nil computes it from Spent by the
	// card type's rule.
	Amount *decimal.Decimal
	// Spent is what the customer spent, in currency.
	Spent *decimal.Decimal
	// Reference is the till's ticket, Description a text for people.
	Reference, Description string
	StaffNumber            *int64
	StoreCode              string
	// Source is the door the posting came in by: graphql, wallet, pretii, antcrm.
	Source string
	// At is the business time; zero means now.
	At time.Time
	// Key makes the posting repeatable; nil posts whenever it is called.
	Key *Key
}

// Posted is a posting's result.
type Posted struct {
	Movement *Movement
	// Replayed: the key was used before, and this is the first answer.
	Replayed bool
}

// Post posts one movement in one statement and one round trip (design.md, "The
// ledger"). It refuses with IDEMPOTENCY_IN_PROGRESS where the card stays locked for
// longer than a request waits, else, in this order, with IDEMPOTENCY_MISMATCH, the
// rules of the fields, CARD_TYPE_NOT_FOUND, CARD_TYPE_ARCHIVED, TICKET_REQUIRED,
// CARD_NOT_FOUND, CARD_NOT_ENABLED, STAFF_NOT_FOUND, STAFF_ARCHIVED,
// STAFF_NO_PERMISSION, STAFF_RIGHT_MISSING, STORE_NOT_FOUND,
// CARD_NOT_RECHARGEABLE, ACCRUAL_RULE_MISSING, AMOUNT_TOO_PRECISE,
// AMOUNT_TOO_LARGE and INSUFFICIENT_BALANCE.
func (s *Service) Post(ctx context.Context, who auth.Principal, p Posting) (Posted, error) {
	posted, err := s.post(ctx, who, p)
	if err != nil {
		if code := loyalty.CodeOf(err); code != "" {
			s.Refused(string(code))
		}
		return Posted{}, err
	}
	if !posted.Replayed {
		s.Posted(p.Action)
	}
	return posted, nil
}

func (s *Service) post(ctx context.Context, who auth.Principal, p Posting) (Posted, error) {
	params, err := s.params(who, p)
	if err != nil {
		return Posted{}, err
	}
	// Between a statement that did nothing and the question why, the world may
	// have moved on so that nothing stands in the way any more: try again.
	for range 5 {
		row, err := s.DB.CardPost(ctx, params)
		switch {
		case err == nil:
			return Posted{Movement: &Movement{Movement: row}}, nil
		case db.OutOfRange(err):
			return Posted{}, loyalty.Refuse(loyalty.CodeAmountTooLarge, sizeField(p))
		case db.Violates(err, "card_available_check"):
			return Posted{}, loyalty.Refuse(loyalty.CodeInsufficientBalance, amountField(p))
		case db.LockTimedOut(err) && p.Key != nil:
			// Whoever holds the card may be the first request with the key: only the
			// same key again tells, and is safe either way.
			return Posted{}, loyalty.Refuse(loyalty.CodeIdempotencyInProgress, "idempotencyKey")
		case errors.Is(err, pgx.ErrNoRows), db.Violates(err, "idempotency_key_pkey"):
			posted, err := s.why(ctx, params, p)
			if err != nil || posted.Movement != nil {
				return posted, err
			}
		default:
			return Posted{}, fmt.Errorf("post on a card: %w", err)
		}
	}
	return Posted{}, errors.New("post on a card: nothing stands in its way and still it does not happen")
}

func (s *Service) params(who auth.Principal, p Posting) (db.CardPostParams, error) {
	code, walletKey, phone, err := p.Card.args()
	if err != nil {
		return db.CardPostParams{}, err
	}
	if err := checkAmounts(p); err != nil {
		return db.CardPostParams{}, err
	}
	reference, err := text(p.Reference, "reference", 100)
	if err != nil {
		return db.CardPostParams{}, err
	}
	description, err := text(p.Description, "description", 255)
	if err != nil {
		return db.CardPostParams{}, err
	}
	now := s.Now()
	at := p.At
	if at.IsZero() {
		at = now
	}
	params := db.CardPostParams{
		CompanyID: who.CompanyID, CardCode: code, WalletKey: walletKey, Phone: phone, Action: string(p.Action),
		Amount: p.Amount, Spent: p.Spent, Reference: reference, Description: description, StaffNumber: p.StaffNumber,
		IsSale: p.Action == Accrue || p.Action == Redeem, Source: p.Source, PostedAt: at, Now: now, KeyExpiresAt: now,
	}
	if p.StoreCode != "" {
		if !storable(p.StoreCode) {
			return db.CardPostParams{}, loyalty.Refuse(loyalty.CodeStoreNotFound, "storeCode")
		}
		params.StoreCode = &p.StoreCode
	}
	if who.Subject != uuid.Nil {
		params.ActorID = &who.Subject
	}
	if p.Key != nil {
		lifetime := p.Key.Lifetime
		if lifetime == 0 {
			lifetime = keyLifetime
		}
		params.KeyID, params.Fingerprint, params.KeyExpiresAt = &p.Key.ID, &p.Key.Fingerprint, now.Add(lifetime)
	}
	return params, nil
}

// checkAmounts holds the signs against the action.
func checkAmounts(p Posting) error {
	if p.Spent != nil && p.Spent.IsNeg() {
		return loyalty.Refuse(loyalty.CodeAmountNotPositive, "spent")
	}
	if p.Spent != nil && p.Spent.MinScale() > 4 { // PostgreSQL would round it silently
		return loyalty.Refuse(loyalty.CodeAmountTooPrecise, "spent").With("decimals", "4")
	}
	if p.Amount == nil {
		if p.Action != Accrue || p.Spent == nil {
			return loyalty.Refuse(loyalty.CodeRequired, amountField(p))
		}
		if p.Spent.IsZero() {
			return loyalty.Refuse(loyalty.CodeAmountNotPositive, "spent")
		}
		return nil
	}
	right := p.Amount.IsPos()
	switch p.Action {
	case Redeem:
		right = p.Amount.IsNeg()
	case Adjust:
		right = !p.Amount.IsZero()
	}
	if !right {
		return loyalty.Refuse(loyalty.CodeAmountNotPositive, amountField(p))
	}
	return nil
}

// amountField is how the caller calls the amount.
func amountField(p Posting) string {
	if p.Action == Recharge {
		return "amount"
	}
	return "points"
}

// sizeField is what made an amount too large.
func sizeField(p Posting) string {
	if p.Amount == nil {
		return "spent"
	}
	return amountField(p)
}

// text trims an optional text of up to limit characters; "" is none.
func text(value, field string, limit int) (*string, error) {
	value = strings.TrimSpace(value)
	switch {
	case value == "":
		return nil, nil
	case utf8.RuneCountInString(value) > limit:
		return nil, loyalty.Refuse(loyalty.CodeTooLong, field)
	case !storable(value):
		return nil, loyalty.Refuse(loyalty.CodeInvalid, field)
	}
	return &value, nil
}

// storable reports whether a column can hold the text: what it cannot hold names
// nothing.
func storable(value string) bool { return utf8.ValidString(value) && !strings.ContainsRune(value, 0) }

// why finds what a posting met that did nothing: the first answer to its key, a
// refusal, or nothing (any more), and then neither is returned.
func (s *Service) why(ctx context.Context, params db.CardPostParams, p Posting) (Posted, error) {
	found, err := s.DB.CardPostRefusal(ctx, db.CardPostRefusalParams{
		CompanyID: params.CompanyID, CardCode: params.CardCode, WalletKey: params.WalletKey, Phone: params.Phone,
		StaffNumber: params.StaffNumber, StoreCode: params.StoreCode, KeyID: params.KeyID,
	})
	if err != nil {
		return Posted{}, fmt.Errorf("find why a posting was refused: %w", err)
	}
	if found.Fingerprint != nil {
		if found.KeyExpiresAt.After(params.Now) {
			return s.replay(ctx, params, found)
		}
		_, err := s.DB.IdempotencyKeyDeleteExpired(ctx, db.IdempotencyKeyDeleteExpiredParams{
			CompanyID: params.CompanyID, ID: *params.KeyID, Now: params.Now,
		})
		if err != nil {
			return Posted{}, fmt.Errorf("free an expired idempotency key: %w", err)
		}
		return Posted{}, nil
	}
	return Posted{}, refusal(params, p, found)
}

func (s *Service) replay(ctx context.Context, params db.CardPostParams, found db.CardPostRefusalRow) (Posted, error) {
	if *found.Fingerprint != *params.Fingerprint {
		return Posted{}, loyalty.Refuse(loyalty.CodeIdempotencyMismatch, "idempotencyKey")
	}
	first, err := s.Movement(ctx, params.CompanyID, *found.KeyCardID, *found.KeySeq)
	if err != nil {
		return Posted{}, err
	}
	if first == nil {
		return Posted{}, errors.New("replay a posting: its movement is gone")
	}
	return Posted{Movement: first, Replayed: true}, nil
}

// refusal is the first condition of CardPost that does not hold; nil if all do.
// The order is the one in which the tills' own documents check
// (spec/wallet.md 3.7 and 3.8).
func refusal(params db.CardPostParams, p Posting, found db.CardPostRefusalRow) error {
	cardField := "card"
	switch {
	case found.CardTypeID == nil && params.WalletKey != nil:
		return loyalty.Refuse(loyalty.CodeCardTypeNotFound, cardField)
	case found.CardTypeArchivedAt != nil:
		return loyalty.Refuse(loyalty.CodeCardTypeArchived, cardField)
	case found.CardTypeID != nil && *found.TicketRequired && params.IsSale && params.Reference == nil:
		return loyalty.Refuse(loyalty.CodeTicketRequired, "reference")
	case found.CardID == nil:
		return loyalty.Refuse(loyalty.CodeCardNotFound, cardField)
	case Status(*found.CardStatus) != Enabled:
		return loyalty.Refuse(loyalty.CodeCardNotEnabled, cardField)
	}
	if err := staffRefusal(params, found); err != nil {
		return err
	}
	field := amountField(p)
	switch {
	case params.StoreCode != nil && found.StoreID == nil:
		return loyalty.Refuse(loyalty.CodeStoreNotFound, "storeCode")
	case p.Action == Recharge && !*found.Rechargeable:
		return loyalty.Refuse(loyalty.CodeCardNotRechargeable, cardField)
	case params.Amount == nil && found.AccrualPercentage == nil && found.RatioPoints == nil:
		return loyalty.Refuse(loyalty.CodeAccrualRuleMissing, "spent")
	case params.Amount != nil && params.Amount.MinScale() > int(*found.CardTypeScale):
		return loyalty.Refuse(loyalty.CodeAmountTooPrecise, field).With("decimals", fmt.Sprint(*found.CardTypeScale))
	}
	if params.Amount == nil {
		return nil
	}
	spendable, err := available(found)
	if err != nil {
		return err
	}
	if params.Amount.Neg().Cmp(spendable) > 0 {
		return loyalty.Refuse(loyalty.CodeInsufficientBalance, field).With("available", spendable.Trim(0).String())
	}
	return nil
}

// available is what a debit may take: balance less holds, down to the floor.
func available(found db.CardPostRefusalRow) (decimal.Decimal, error) {
	left, err := found.CardBalance.Sub(*found.CardHeld)
	if err != nil {
		return decimal.Decimal{}, fmt.Errorf("reckon what is available: %w", err)
	}
	left, err = left.Sub(*found.CardFloor)
	if err != nil {
		return decimal.Decimal{}, fmt.Errorf("reckon what is available: %w", err)
	}
	return left, nil
}

func staffRefusal(params db.CardPostParams, found db.CardPostRefusalRow) error {
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
