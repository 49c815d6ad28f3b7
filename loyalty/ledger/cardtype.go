package ledger

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"time"

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

// Channel is how a wallet's messages go.
type Channel string

// The channels.
const (
	SMS      Channel = "sms"
	WhatsApp Channel = "whatsapp"
)

// CardType is a kind of card. A wallet (monedero) is one with a public key.
type CardType struct {
	db.CardType
	batch *loyalty.Batch[CardType]
}

// GlobalID is the card type's opaque id.
func (t *CardType) GlobalID() string { return loyalty.GlobalID("CardType", t.ID.String()) }

// Channel is how its messages go.
func (t *CardType) Channel() Channel { return Channel(t.MessageChannel) }

// AmountUnit is the unit of its amounts.
func (t *CardType) AmountUnit() Unit { return Unit(t.Unit) }

// AccrualRatio is its points for an amount spent; nil without such a rule.
func (t *CardType) AccrualRatio() *Ratio {
	if t.RatioPoints == nil || t.RatioAmount == nil {
		return nil
	}
	return &Ratio{Points: *t.RatioPoints, Amount: *t.RatioAmount}
}

// Overdraft is how far below zero its new cards may go.
func (t *CardType) Overdraft() decimal.Decimal { return t.Floor.Abs() }

// Check is how the last digit of its numbers is reckoned.
func (t *CardType) Check() CheckDigit { return CheckDigit(t.CheckDigit) }

// Transfers is what its cards may pass on.
func (t *CardType) Transfers() TransferPolicy { return TransferPolicy(t.TransferPolicy) }

// Shortfall is what happens to a return that takes back more than there is.
func (t *CardType) Shortfall() Shortfall { return Shortfall(t.ReturnShortfall) }

// Ratio gives Points for each Amount of currency spent.
type Ratio struct {
	Points decimal.Decimal
	Amount decimal.Decimal
}

// NewCardType says what a new card type is like. Zero fields are no rule.
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
	// Ranges are where the numbers of its cards come from; NumberLength is all
	// digits of one, and the two go together.
	Ranges       []NumberRange
	NumberLength *int
	CheckDigit   CheckDigit
	// StartingBalance is what an activated card begins with.
	StartingBalance decimal.Decimal
	// Nominated: an enabled card has a customer. OneActiveCard: a customer has one
	// enabled card at most. CVVRequired: who takes from a card says its CVV.
	Nominated, OneActiveCard, CVVRequired bool
	// LoadLimit bounds one recharge, TransactionLimit one accrual, redemption or
	// transfer.
	LoadLimit, TransactionLimit *decimal.Decimal
	TransferPolicy              TransferPolicy
	// Validity of new cards: a range of days, or so many from the first.
	ValidFrom, ValidTo *time.Time
	ValidDays          *int
	// ForfeitOnExpiry: what is left is written off when the validity ends.
	ForfeitOnExpiry bool
	ReturnShortfall Shortfall
	// ReturnedLotDays is how long points live on that a return gives back after
	// their end.
	ReturnedLotDays int
	// Channel is how its messages go; SMS if blank.
	Channel Channel
}

var (
	codePattern   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$`)
	walletPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{8,64}$`)
)

// CardTypeCreate sets up a card type. It refuses with INVALID, REQUIRED, TOO_LONG
// and TAKEN.
func (s *Service) CardTypeCreate(ctx context.Context, who auth.Principal, in NewCardType) (*CardType, error) {
	if !codePattern.MatchString(in.Code) {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "code")
	}
	if in.WalletKey != nil && !walletPattern.MatchString(*in.WalletKey) {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "walletKey")
	}
	if in.Scale < 0 || in.Scale > 4 {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "scale")
	}
	if in.Percentage != nil && in.Ratio != nil {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "accrualRatio")
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	t := db.CardType{
		CompanyID: who.CompanyID, ID: id, Code: in.Code, Name: in.Name, Unit: string(in.Unit), Scale: int16(in.Scale), WalletKey: in.WalletKey,
		AccrualPercentage: in.Percentage, Floor: decimal.Zero,
		Rechargeable: in.Rechargeable, TicketRequired: in.TicketRequired, BirthdateRequired: in.BirthdateRequired,
		NotifyWelcome: in.NotifyWelcome, NotifySale: in.NotifySale, NotifyAdjustment: in.NotifyAdjustment,
		CustomerUrl: in.CustomerURL, RedeemUrl: in.RedeemURL,
		CheckDigit: string(cmp.Or(in.CheckDigit, NoCheckDigit)), StartingBalance: in.StartingBalance, Nominated: in.Nominated,
		OneActiveCard: in.OneActiveCard, CvvRequired: in.CVVRequired, LoadLimit: in.LoadLimit, TransactionLimit: in.TransactionLimit,
		TransferPolicy: string(cmp.Or(in.TransferPolicy, TransferNone)), ValidFrom: in.ValidFrom, ValidTo: in.ValidTo,
		ForfeitOnExpiry: in.ForfeitOnExpiry, ReturnShortfall: string(cmp.Or(in.ReturnShortfall, ShortfallRefuse)),
		MessageChannel: string(cmp.Or(in.Channel, SMS)),
	}
	if in.Ratio != nil {
		t.RatioPoints, t.RatioAmount = &in.Ratio.Points, &in.Ratio.Amount
	}
	if in.Overdraft != nil {
		t.Floor = in.Overdraft.Neg()
	}
	if t.NumberLength, err = small[int16](in.NumberLength, maxNumberLength, "numberLength"); err != nil {
		return nil, err
	}
	if t.ValidDays, err = small[int32](in.ValidDays, maxValidDays, "validDays"); err != nil {
		return nil, err
	}
	days, err := small[int16](&in.ReturnedLotDays, maxReturnedLotDays, "returnedLotDays")
	if err != nil {
		return nil, err
	}
	t.ReturnedLotDays = *days
	if err := checkCardType(&t, in.Ranges); err != nil {
		return nil, err
	}
	var row db.CardType
	err = s.DB.InTx(ctx, func(tx db.Tx) error {
		var err error
		row, err = tx.CardTypeCreate(ctx, db.CardTypeCreateParams{
			CompanyID: t.CompanyID, ID: t.ID, Code: t.Code, Name: t.Name, Unit: t.Unit, Scale: t.Scale, WalletKey: t.WalletKey,
			AccrualPercentage: t.AccrualPercentage, RatioPoints: t.RatioPoints, RatioAmount: t.RatioAmount, Floor: t.Floor,
			Rechargeable: t.Rechargeable, TicketRequired: t.TicketRequired, BirthdateRequired: t.BirthdateRequired,
			NotifyWelcome: t.NotifyWelcome, NotifySale: t.NotifySale, NotifyAdjustment: t.NotifyAdjustment,
			CustomerUrl: t.CustomerUrl, RedeemUrl: t.RedeemUrl, NumberLength: t.NumberLength, CheckDigit: t.CheckDigit,
			StartingBalance: t.StartingBalance, Nominated: t.Nominated, OneActiveCard: t.OneActiveCard, CvvRequired: t.CvvRequired,
			LoadLimit: t.LoadLimit, TransactionLimit: t.TransactionLimit, TransferPolicy: t.TransferPolicy,
			ValidFrom: t.ValidFrom, ValidTo: t.ValidTo, ValidDays: t.ValidDays, ForfeitOnExpiry: t.ForfeitOnExpiry,
			ReturnShortfall: t.ReturnShortfall, ReturnedLotDays: t.ReturnedLotDays, MessageChannel: t.MessageChannel, Now: s.Now(),
		})
		if err != nil {
			return err
		}
		if len(in.Ranges) > 0 {
			if err := tx.CardTypeRangesReplace(ctx, rangeParams(t, in.Ranges)); err != nil {
				return err
			}
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

// Optional is a field of a change: it stays as it is unless Set, and nil takes it
// away.
type Optional[T any] struct {
	Set   bool
	Value *T
}

// Given is a change of a field to a value.
func Given[T any](value T) Optional[T] { return Optional[T]{Set: true, Value: &value} }

// to makes the change.
func (o Optional[T]) to(field **T) {
	if o.Set {
		*field = o.Value
	}
}

// CardTypeChange says what to change; nil stays.
type CardTypeChange struct {
	Name *string
	// A rule takes the other one's place.
	Percentage                                      Optional[decimal.Decimal]
	Ratio                                           Optional[Ratio]
	Rechargeable, TicketRequired, BirthdateRequired *bool
	NotifyWelcome, NotifySale, NotifyAdjustment     *bool
	CustomerURL, RedeemURL                          *string
	Archived                                        *bool
	// Overdraft is that of new cards; with OverdraftOfAll of those there are, too.
	Overdraft      *decimal.Decimal
	OverdraftOfAll bool
	// Ranges replace the old ones as a whole; none takes them away.
	Ranges                                *[]NumberRange
	NumberLength                          Optional[int]
	CheckDigit                            *CheckDigit
	StartingBalance                       *decimal.Decimal
	Nominated, OneActiveCard, CVVRequired *bool
	LoadLimit, TransactionLimit           Optional[decimal.Decimal]
	TransferPolicy                        *TransferPolicy
	ValidFrom, ValidTo                    Optional[time.Time]
	ValidDays                             Optional[int]
	ForfeitOnExpiry                       *bool
	ReturnShortfall                       *Shortfall
	ReturnedLotDays                       *int
	Channel                               *Channel
}

// CardTypeUpdate changes the card type with the code. Rules are for what happens
// from now on: cards that are enabled stay so. It refuses with
// CARD_TYPE_NOT_FOUND and the rules of the fields.
func (s *Service) CardTypeUpdate(ctx context.Context, who auth.Principal, code string, in CardTypeChange) (*CardType, error) {
	if in.Percentage.Value != nil && in.Ratio.Value != nil {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "accrualRatio")
	}
	var row db.CardType
	err := s.DB.InTx(ctx, func(tx db.Tx) error {
		t, err := tx.CardTypeLock(ctx, who.CompanyID, code)
		if db.Absent(err) {
			return loyalty.Refuse(loyalty.CodeCardTypeNotFound, "code")
		}
		if err != nil {
			return err
		}
		ranges, err := rangesOf(ctx, tx.Queries, t)
		if err != nil {
			return err
		}
		if in.Ranges != nil {
			ranges = *in.Ranges
		}
		if err := in.merge(&t, s.Now()); err != nil {
			return err
		}
		if err := checkCardType(&t, ranges); err != nil {
			return err
		}
		row, err = tx.CardTypeUpdate(ctx, db.CardTypeUpdateParams{
			CompanyID: t.CompanyID, ID: t.ID, Name: t.Name,
			AccrualPercentage: t.AccrualPercentage, RatioPoints: t.RatioPoints, RatioAmount: t.RatioAmount, Floor: t.Floor,
			Rechargeable: t.Rechargeable, TicketRequired: t.TicketRequired, BirthdateRequired: t.BirthdateRequired,
			NotifyWelcome: t.NotifyWelcome, NotifySale: t.NotifySale, NotifyAdjustment: t.NotifyAdjustment,
			CustomerUrl: t.CustomerUrl, RedeemUrl: t.RedeemUrl, NumberLength: t.NumberLength, CheckDigit: t.CheckDigit,
			StartingBalance: t.StartingBalance, Nominated: t.Nominated, OneActiveCard: t.OneActiveCard, CvvRequired: t.CvvRequired,
			LoadLimit: t.LoadLimit, TransactionLimit: t.TransactionLimit, TransferPolicy: t.TransferPolicy,
			ValidFrom: t.ValidFrom, ValidTo: t.ValidTo, ValidDays: t.ValidDays, ForfeitOnExpiry: t.ForfeitOnExpiry,
			ReturnShortfall: t.ReturnShortfall, ReturnedLotDays: t.ReturnedLotDays, MessageChannel: t.MessageChannel,
			ArchivedAt: t.ArchivedAt, Now: s.Now(),
		})
		if err != nil {
			return err
		}
		if in.Ranges != nil {
			if err := tx.CardTypeRangesReplace(ctx, rangeParams(t, ranges)); err != nil {
				return err
			}
		}
		return auth.Audit(ctx, tx.Queries, who, s.Now(), "card_type_update", "card_type", row.ID, nil)
	})
	if err != nil && loyalty.CodeOf(err) == "" {
		return nil, fmt.Errorf("update a card type: %w", err)
	}
	if err != nil {
		return nil, err
	}
	if in.Overdraft != nil && in.OverdraftOfAll {
		if err := s.setFloors(ctx, row); err != nil {
			return nil, err
		}
	}
	return &CardType{CardType: row}, nil
}

// merge makes the change on a locked row.
func (in CardTypeChange) merge(t *db.CardType, now time.Time) (err error) {
	for field, change := range map[*bool]*bool{
		&t.Rechargeable: in.Rechargeable, &t.TicketRequired: in.TicketRequired, &t.BirthdateRequired: in.BirthdateRequired,
		&t.NotifyWelcome: in.NotifyWelcome, &t.NotifySale: in.NotifySale, &t.NotifyAdjustment: in.NotifyAdjustment,
		&t.Nominated: in.Nominated, &t.OneActiveCard: in.OneActiveCard, &t.CvvRequired: in.CVVRequired, &t.ForfeitOnExpiry: in.ForfeitOnExpiry,
	} {
		take(field, change)
	}
	take(&t.Name, in.Name)
	take(&t.CustomerUrl, in.CustomerURL)
	take(&t.RedeemUrl, in.RedeemURL)
	take(&t.StartingBalance, in.StartingBalance)
	take(&t.CheckDigit, (*string)(in.CheckDigit))
	take(&t.TransferPolicy, (*string)(in.TransferPolicy))
	take(&t.ReturnShortfall, (*string)(in.ReturnShortfall))
	take(&t.MessageChannel, (*string)(in.Channel))
	in.LoadLimit.to(&t.LoadLimit)
	in.TransactionLimit.to(&t.TransactionLimit)
	in.ValidFrom.to(&t.ValidFrom)
	in.ValidTo.to(&t.ValidTo)
	in.Percentage.to(&t.AccrualPercentage)
	if in.Percentage.Value != nil || in.Ratio.Set {
		t.RatioPoints, t.RatioAmount = nil, nil
	}
	if r := in.Ratio.Value; r != nil {
		t.RatioPoints, t.RatioAmount, t.AccrualPercentage = &r.Points, &r.Amount, nil
	}
	if in.Overdraft != nil {
		t.Floor = in.Overdraft.Neg()
	}
	if in.NumberLength.Set {
		if t.NumberLength, err = small[int16](in.NumberLength.Value, maxNumberLength, "numberLength"); err != nil {
			return err
		}
	}
	if in.ValidDays.Set {
		if t.ValidDays, err = small[int32](in.ValidDays.Value, maxValidDays, "validDays"); err != nil {
			return err
		}
	}
	if in.ReturnedLotDays != nil {
		days, err := small[int16](in.ReturnedLotDays, maxReturnedLotDays, "returnedLotDays")
		if err != nil {
			return err
		}
		t.ReturnedLotDays = *days
	}
	if in.Archived != nil && !*in.Archived {
		t.ArchivedAt = nil
	} else if in.Archived != nil && t.ArchivedAt == nil {
		t.ArchivedAt = &now
	}
	return nil
}

func take[T any](field, change *T) {
	if change != nil {
		*field = *change
	}
}

// floorBatch is how many cards get another floor in one transaction.
const floorBatch = 2000

// setFloors gives all cards of a type its floor, in short transactions: cut off, it
// has done some of them, and done again it does the rest. A card below its new floor
// keeps its balance and is paid up by the next credits.
func (s *Service) setFloors(ctx context.Context, t db.CardType) error {
	after := uuid.Nil
	for {
		row, err := s.DB.CardsFloorSet(ctx, db.CardsFloorSetParams{
			CompanyID: t.CompanyID, CardTypeID: t.ID, After: after, BatchSize: floorBatch, Floor: t.Floor, Now: s.Now(),
		})
		if db.Absent(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("set the overdraft of a type's cards: %w", err)
		}
		after = row.LastID
	}
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
