package graph

import (
	"context"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
)

// changed runs an operation on a card, unless what it was asked with is refused.
func (r *Resolver) changed(ctx context.Context, asked error, fn func() (ledger.Changed, error)) (ledger.Changed, []*model.UserError, error) {
	var out ledger.Changed
	err := asked
	if err == nil {
		if out, err = fn(); err == nil {
			r.Feed.Nudge()
		}
	}
	refused, err := userErrors(ctx, err)
	return out, refused, err
}

func (r *Resolver) changeCard(ctx context.Context, asked error, fn func() (ledger.Changed, error)) (*model.CardPayload, error) {
	out, refused, err := r.changed(ctx, asked, fn)
	if err != nil {
		return nil, err
	}
	return &model.CardPayload{Card: out.Card, Cvv: orNull(out.CVV), Replayed: out.Replayed, UserErrors: refused}, nil
}

func cardChange(who auth.Principal, code string, reason *string) ledger.CardChange {
	return ledger.CardChange{Code: code, Reason: or(reason, ""), Source: source(who)}
}

// cardKey is the key of an operation on a card; nil where it moves no value and came
// without one.
func cardKey(ctx context.Context, who auth.Principal, operation string, key *string, moves bool, input any) (*ledger.Key, error) {
	if or(key, "") == "" && !moves {
		return nil, nil
	}
	return postingKey(ctx, who, operation, key, nil, input)
}

// customerOf reads a customer's opaque id. It refuses with CUSTOMER_NOT_FOUND.
func customerOf(id *string) (*uuid.UUID, error) {
	if id == nil {
		return nil, nil
	}
	parsed, ok := loyalty.ParseUUID("Customer", *id)
	if !ok {
		return nil, loyalty.Refuse(loyalty.CodeCustomerNotFound, "customerId")
	}
	return &parsed, nil
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// noCards is an empty list.
func noCards(ctx context.Context) *model.CardConnection {
	conn := cardConnection(nil, false, nil)
	if selected(ctx, "totalCount") {
		conn.TotalCount = new(0)
	}
	return conn
}

func newCardType(in model.CardTypeCreateInput) ledger.NewCardType {
	return ledger.NewCardType{
		Code: in.Code, Name: in.Name, Unit: in.Unit, Scale: in.Scale, WalletKey: in.WalletKey,
		Percentage: in.AccrualPercentage, Ratio: ratio(in.AccrualRatio), Overdraft: in.Overdraft,
		Rechargeable: or(in.Rechargeable, true), TicketRequired: or(in.TicketRequired, false),
		BirthdateRequired: or(in.BirthdateRequired, false), NotifyWelcome: or(in.NotifyWelcome, true),
		NotifySale: or(in.NotifySale, true), NotifyAdjustment: or(in.NotifyAdjustment, true),
		CustomerURL: or(in.CustomerURL, ""), RedeemURL: or(in.RedeemURL, ""),
		Ranges: numberRanges(in.NumberRanges), NumberLength: in.NumberLength, CheckDigit: or(in.CheckDigit, ""),
		StartingBalance: or(in.StartingBalance, decimal.Zero), Nominated: or(in.Nominated, false),
		OneActiveCard: or(in.OneActiveCard, false), CVVRequired: or(in.CvvRequired, false),
		LoadLimit: in.LoadLimit, TransactionLimit: in.TransactionLimit, TransferPolicy: or(in.TransferPolicy, ""),
		ValidFrom: in.ValidFrom, ValidTo: in.ValidTo, ValidDays: in.ValidDays, ForfeitOnExpiry: or(in.ForfeitOnExpiry, false),
		ReturnShortfall: or(in.ReturnShortfall, ""), ReturnedLotDays: or(in.ReturnedLotDays, 0),
		Channel: or(in.MessageChannel, ""),
	}
}

func cardTypeChange(in model.CardTypeUpdateInput) ledger.CardTypeChange {
	change := ledger.CardTypeChange{
		Name: in.Name, Percentage: optional(in.AccrualPercentage),
		Rechargeable: in.Rechargeable, TicketRequired: in.TicketRequired, BirthdateRequired: in.BirthdateRequired,
		NotifyWelcome: in.NotifyWelcome, NotifySale: in.NotifySale, NotifyAdjustment: in.NotifyAdjustment,
		CustomerURL: in.CustomerURL, RedeemURL: in.RedeemURL, Archived: in.Archived,
		Overdraft: in.Overdraft, OverdraftOfAll: or(in.OverdraftOfAll, false),
		NumberLength: optional(in.NumberLength), CheckDigit: in.CheckDigit, StartingBalance: in.StartingBalance,
		Nominated: in.Nominated, OneActiveCard: in.OneActiveCard, CVVRequired: in.CvvRequired,
		LoadLimit: optional(in.LoadLimit), TransactionLimit: optional(in.TransactionLimit), TransferPolicy: in.TransferPolicy,
		ValidFrom: optional(in.ValidFrom), ValidTo: optional(in.ValidTo), ValidDays: optional(in.ValidDays),
		ForfeitOnExpiry: in.ForfeitOnExpiry, ReturnShortfall: in.ReturnShortfall, ReturnedLotDays: in.ReturnedLotDays,
		Channel: in.MessageChannel,
	}
	if r, set := in.AccrualRatio.ValueOK(); set {
		change.Ratio = ledger.Optional[ledger.Ratio]{Set: true, Value: ratio(r)}
	}
	if in.NumberRanges != nil {
		change.Ranges = new(numberRanges(in.NumberRanges))
	}
	return change
}

func optional[T any](o graphql.Omittable[*T]) ledger.Optional[T] {
	value, set := o.ValueOK()
	return ledger.Optional[T]{Set: set, Value: value}
}

func numberRanges(in []*model.NumberRangeInput) []ledger.NumberRange {
	ranges := make([]ledger.NumberRange, len(in))
	for i, r := range in {
		ranges[i] = ledger.NumberRange{Start: r.PrefixStart, End: r.PrefixEnd, Suggested: r.Suggested}
	}
	return ranges
}

func pointers[T any](values []T) []*T {
	all := make([]*T, len(values))
	for i := range values {
		all[i] = &values[i]
	}
	return all
}

func cardTypePayload(ctx context.Context, t *ledger.CardType, err error) (*model.CardTypePayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.CardTypePayload{CardType: t, UserErrors: refused}, nil
}

func cardConnection(cards []*ledger.Card, more bool, place func(*ledger.Card) string) *model.CardConnection {
	conn := &model.CardConnection{Edges: make([]*model.CardEdge, len(cards))}
	last := ""
	for i, c := range cards {
		last = place(c)
		conn.Edges[i] = &model.CardEdge{Cursor: last, Node: c}
	}
	conn.PageInfo = pageInfo(more, last)
	return conn
}

// afterRegistered reads a cursor of a card type's cards.
func afterRegistered(after *string) (ledger.Registered, error) {
	key, err := parseCursor("registered", after, 2)
	if err != nil || key == nil {
		return ledger.Registered{}, err
	}
	micros, err := strconv.ParseInt(key[0], 10, 64)
	if err != nil || time.UnixMicro(micros).Year() < 0 || time.UnixMicro(micros).Year() > 9999 {
		return ledger.Registered{}, badInput("after is not a cursor of this list")
	}
	id, err := uuid.Parse(key[1])
	if err != nil {
		return ledger.Registered{}, badInput("after is not a cursor of this list")
	}
	return ledger.Registered{At: time.UnixMicro(micros).UTC(), ID: id}, nil
}

func ratio(in *model.AccrualRatioInput) *ledger.Ratio {
	if in == nil {
		return nil
	}
	return &ledger.Ratio{Points: in.Points, Amount: in.Amount}
}
