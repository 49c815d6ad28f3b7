package ledger

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

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
	// CVV is asked for where the card type requires it and the posting takes value.
	CVV string
	// Lines part the amount among the lines of the sale, for returns by line.
	Lines []Line
	// Lot says how long an earning lasts, against the card type's own rules.
	Lot LotTerms
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

// Post posts one movement (design.md, "The ledger"): alone on a plain card type in
// one statement and one round trip, together with others that wait, or where there
// is more to it than the card's row, through a book. It refuses with
// IDEMPOTENCY_IN_PROGRESS where the card stays locked for longer than a request
// waits, else, in this order, with IDEMPOTENCY_MISMATCH, the rules of the fields,
// CARD_TYPE_NOT_FOUND, CARD_TYPE_ARCHIVED, TICKET_REQUIRED, CARD_NOT_FOUND,
// CARD_NOT_ENABLED, CARD_NOT_VALID, STAFF_NOT_FOUND, STAFF_ARCHIVED,
// STAFF_NO_PERMISSION, STAFF_RIGHT_MISSING, STORE_NOT_FOUND,
// CARD_NOT_RECHARGEABLE, CVV_WRONG, LOTS_NOT_KEPT, ACCRUAL_RULE_MISSING,
// AMOUNT_TOO_PRECISE, AMOUNT_TOO_LARGE, AMOUNT_OVER_LIMIT, LINES_MISMATCH,
// INSUFFICIENT_BALANCE, and on a wallet's contact as its company's terms do
// (MESSAGE_BALANCE_LOW, PHONE_BLOCKED, REDEMPTION_QUOTA_REACHED).
func (s *Service) Post(ctx context.Context, who auth.Principal, p Posting) (Posted, error) {
	posted, err := s.post(ctx, who, p)
	if err != nil {
		return Posted{}, s.refused(err)
	}
	return posted, s.posted(p.Action, posted.Replayed, nil)
}

func (s *Service) post(ctx context.Context, who auth.Principal, p Posting) (Posted, error) {
	params, err := s.params(who, p)
	if err != nil {
		return Posted{}, err
	}
	return s.writer.submit(ctx, s, &ask{ctx: ctx, who: who, posting: p, params: params, done: make(chan outcome, 1)})
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
	now := s.moment()
	at := p.At.UTC().Truncate(time.Microsecond)
	if p.At.IsZero() {
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
func amountField(p Posting) string { return amountFieldOf(p.Action) }

func amountFieldOf(action Action) string {
	if action == Accrue || action == Redeem || action == Adjust {
		return "points"
	}
	return "amount"
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
