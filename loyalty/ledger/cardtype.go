package ledger

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
)

// Unit is what the amounts on a card are.
type Unit string

// The units of a card type.
const (
	Points   Unit = "points"
	Money    Unit = "money"
	Stickers Unit = "stickers"
	Miles    Unit = "miles"
)

// CardType is a kind of card. A wallet (monedero) is one with a public key.
type CardType struct {
	db.CardType
	batch *loyalty.Batch[CardType]
}

// GlobalID is the card type's opaque id.
func (t *CardType) GlobalID() string { return loyalty.GlobalID("CardType", t.ID.String()) }

// AmountUnit is the unit of its amounts.
func (t *CardType) AmountUnit() Unit { return Unit(t.Unit) }

// AccrualRatio is its points for an amount spent; nil without such a rule.
func (t *CardType) AccrualRatio() *Ratio {
	if t.RatioPoints == nil || t.RatioAmount == nil {
		return nil
	}
	return &Ratio{Points: *t.RatioPoints, Amount: *t.RatioAmount}
}

// Ratio gives Points for each Amount of currency spent.
type Ratio struct {
	Points decimal.Decimal
	Amount decimal.Decimal
}

// NewCardType says what a new card type is like.
type NewCardType struct {
	Code, Name string
	Unit       Unit
	Scale      int
	WalletKey  *string
	// At most one of the two rules.
	Percentage *decimal.Decimal
	Ratio      *Ratio
	// Overdraft is how far below zero its cards may go, 0 or more.
	Overdraft                                       *decimal.Decimal
	Rechargeable, TicketRequired, BirthdateRequired bool
	NotifyWelcome, NotifySale, NotifyAdjustment     bool
	CustomerURL, RedeemURL                          string
}

var (
	codePattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$`)
	walletPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{8,64}$`)
)

// CardTypeCreate sets up a card type. It refuses with INVALID, REQUIRED, TOO_LONG
// and TAKEN.
func (s *Service) CardTypeCreate(ctx context.Context, who auth.Principal, in NewCardType) (*CardType, error) {
	name, err := nameOf(in.Name, "name")
	if err != nil {
		return nil, err
	}
	if !codePattern.MatchString(in.Code) {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "code")
	}
	if in.WalletKey != nil && !walletPattern.MatchString(*in.WalletKey) {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "walletKey")
	}
	if in.Scale < 0 || in.Scale > 4 {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "scale")
	}
	if err := checkRule(in.Percentage, in.Ratio); err != nil {
		return nil, err
	}
	floor := decimal.Zero
	if in.Overdraft != nil {
		if in.Overdraft.IsNeg() || in.Overdraft.MinScale() > in.Scale || !fits(*in.Overdraft) {
			return nil, loyalty.Refuse(loyalty.CodeInvalid, "overdraft")
		}
		floor = in.Overdraft.Neg()
	}
	if err := checkURLs(&in.CustomerURL, &in.RedeemURL); err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	params := db.CardTypeCreateParams{
		CompanyID: who.CompanyID, ID: id, Code: in.Code, Name: name, Unit: string(in.Unit), Scale: int16(in.Scale),
		WalletKey: in.WalletKey, AccrualPercentage: in.Percentage, Floor: floor,
		Rechargeable: in.Rechargeable, TicketRequired: in.TicketRequired, BirthdateRequired: in.BirthdateRequired,
		NotifyWelcome: in.NotifyWelcome, NotifySale: in.NotifySale, NotifyAdjustment: in.NotifyAdjustment,
		CustomerUrl: in.CustomerURL, RedeemUrl: in.RedeemURL, Now: s.Now(),
	}
	if in.Ratio != nil {
		params.RatioPoints, params.RatioAmount = &in.Ratio.Points, &in.Ratio.Amount
	}
	var row db.CardType
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		var err error
		if row, err = tx.CardTypeCreate(ctx, params); err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "card_type_create", "card_type", id, nil)
	})
	switch {
	case err == nil:
		return &CardType{CardType: row}, nil
	case db.Violates(err, "card_type_code_key"):
		return nil, loyalty.Refuse(loyalty.CodeTaken, "code")
	case db.Violates(err, "card_type_wallet_key_key"):
		return nil, loyalty.Refuse(loyalty.CodeTaken, "walletKey")
	default:
		return nil, fmt.Errorf("create a card type: %w", err)
	}
}

// CardTypeChange says what to change; nil stays.
type CardTypeChange struct {
	Name *string
	// A rule takes the other one's place.
	Percentage                                      *decimal.Decimal
	Ratio                                           *Ratio
	Rechargeable, TicketRequired, BirthdateRequired *bool
	NotifyWelcome, NotifySale, NotifyAdjustment     *bool
	CustomerURL, RedeemURL                          *string
	Archived                                        *bool
}

// CardTypeUpdate changes the card type with the code. It refuses with
// CARD_TYPE_NOT_FOUND and the rules of the fields.
func (s *Service) CardTypeUpdate(ctx context.Context, who auth.Principal, code string, in CardTypeChange) (*CardType, error) {
	if in.Name != nil {
		name, err := nameOf(*in.Name, "name")
		if err != nil {
			return nil, err
		}
		in.Name = &name
	}
	if err := checkRule(in.Percentage, in.Ratio); err != nil {
		return nil, err
	}
	if err := checkURLs(in.CustomerURL, in.RedeemURL); err != nil {
		return nil, err
	}
	current, err := s.CardTypeByCode(ctx, who.CompanyID, code)
	if err != nil {
		return nil, err
	}
	if current == nil {
		return nil, loyalty.Refuse(loyalty.CodeCardTypeNotFound, "code")
	}
	params := db.CardTypeUpdateParams{
		CompanyID: who.CompanyID, ID: current.ID, Now: s.Now(), Name: in.Name,
		SetRule: in.Percentage != nil || in.Ratio != nil, AccrualPercentage: in.Percentage,
		Rechargeable: in.Rechargeable, TicketRequired: in.TicketRequired, BirthdateRequired: in.BirthdateRequired,
		NotifyWelcome: in.NotifyWelcome, NotifySale: in.NotifySale, NotifyAdjustment: in.NotifyAdjustment,
		CustomerUrl: in.CustomerURL, RedeemUrl: in.RedeemURL, Archived: in.Archived,
	}
	if in.Ratio != nil {
		params.RatioPoints, params.RatioAmount = &in.Ratio.Points, &in.Ratio.Amount
	}
	var row db.CardType
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		var err error
		if row, err = tx.CardTypeUpdate(ctx, params); err != nil {
			return err
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "card_type_update", "card_type", row.ID, nil)
	})
	if err != nil {
		return nil, fmt.Errorf("update a card type: %w", err)
	}
	return &CardType{CardType: row}, nil
}

// CardTypeByID reads a card type; nil if the company has none of that id.
func (s *Service) CardTypeByID(ctx context.Context, company, id uuid.UUID) (*CardType, error) {
	return cardType(s.DB.CardTypeByID(ctx, company, id))
}

// CardTypeByCode reads a card type; nil if the company has none of that code.
func (s *Service) CardTypeByCode(ctx context.Context, company uuid.UUID, code string) (*CardType, error) {
	return cardType(s.DB.CardTypeByCode(ctx, company, code))
}

// CardTypeByWalletKey reads a wallet; nil if the company has none of that key.
func (s *Service) CardTypeByWalletKey(ctx context.Context, company uuid.UUID, key string) (*CardType, error) {
	return cardType(s.DB.CardTypeByWalletKey(ctx, company, &key))
}

func cardType(row db.CardType, err error) (*CardType, error) {
	if db.Absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a card type: %w", err)
	}
	return &CardType{CardType: row}, nil
}

// CardTypes reads a page of card types, oldest first, from behind an id.
func (s *Service) CardTypes(ctx context.Context, company uuid.UUID, after *uuid.UUID, first int, walletsOnly, withArchived bool) (page []*CardType, more bool, err error) {
	rows, err := s.DB.CardTypesPage(ctx, db.CardTypesPageParams{
		CompanyID: company, After: after, WalletsOnly: walletsOnly, WithArchived: withArchived, BatchSize: int32(first) + 1,
	})
	if err != nil {
		return nil, false, fmt.Errorf("list card types: %w", err)
	}
	rows, more = last(rows, first)
	return cardTypes(rows), more, nil
}

func cardTypes(rows []db.CardType) []*CardType {
	all := make([]*CardType, len(rows))
	for i, row := range rows {
		all[i] = &CardType{CardType: row}
	}
	batch := loyalty.NewBatch(all)
	for _, t := range all {
		t.batch = batch
	}
	return all
}

// CardTypesByIDs reads card types by id, for the objects of a page that name them.
func (s *Service) CardTypesByIDs(ctx context.Context, company uuid.UUID, ids []uuid.UUID) (map[uuid.UUID]*CardType, error) {
	rows, err := s.DB.CardTypesByIDs(ctx, company, ids)
	if err != nil {
		return nil, fmt.Errorf("read card types: %w", err)
	}
	found := make(map[uuid.UUID]*CardType, len(rows))
	for _, t := range cardTypes(rows) {
		found[t.ID] = t
	}
	return found, nil
}

func checkRule(percentage *decimal.Decimal, ratio *Ratio) error {
	if percentage != nil {
		if ratio != nil {
			return loyalty.Refuse(loyalty.CodeInvalid, "accrualRatio")
		}
		// The column holds three digits before the point and four behind it.
		if percentage.IsNeg() || percentage.Cmp(decimal.Thousand) >= 0 || percentage.MinScale() > 4 {
			return loyalty.Refuse(loyalty.CodeInvalid, "accrualPercentage")
		}
	}
	if ratio != nil && (!ratio.Points.IsPos() || !ratio.Amount.IsPos()) {
		return loyalty.Refuse(loyalty.CodeAmountNotPositive, "accrualRatio")
	}
	if ratio != nil && !(fits(ratio.Points) && fits(ratio.Amount)) {
		return loyalty.Refuse(loyalty.CodeInvalid, "accrualRatio")
	}
	return nil
}

// fits reports whether the ledger holds the amount as it is: four decimals, which
// PostgreSQL would round silently, and fifteen digits before them.
func fits(d decimal.Decimal) bool { return d.MinScale() <= 4 && d.Prec()-d.Scale() <= 15 }

// checkURLs holds a card type's two addresses against checkURL; nil is not given.
func checkURLs(customer, redeem *string) error {
	if customer != nil {
		if err := checkURL(*customer, "customerUrl"); err != nil {
			return err
		}
	}
	if redeem != nil {
		return checkURL(*redeem, "redeemUrl")
	}
	return nil
}

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
