package wallet

import (
	"context"
	"errors"
	"net/http"
	"unicode/utf8"

	"github.com/govalues/decimal"

	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/ledger"
)

const maxTicket = 100

// saleAnswers is spec/wallet.md 3.7, word for word.
var saleAnswers = answers{
	parameters: map[parameter]answer{
		{"wallet_key", absent}:            {code: "new_sale_02", message: "Llave de monedero indefinido."},
		{"wallet_key", blank}:             {code: "wallet_redeem_02", message: "Llave de monedero indefinido."},
		{"phone", absent}:                 {code: "new_sale_03", message: "Teléfono indefinido."},
		{"phone", malformed}:              {code: "new_sale_04", message: "Teléfono con formato incorrecto."},
		{"transaction_type", absent}:      {code: "new_sale_05", message: "Tipo de transacción indefinido."},
		{"transaction_type", unusable}:    {code: "wallet_redeem_06", message: "Tipo de transacción indefinido."},
		{"transaction_amount", absent}:    {code: "new_sale_06", message: "Monto de transacción indefinido."},
		{"transaction_amount", malformed}: {code: "new_sale_07", message: "Monto de transacción con formato incorrecto."},
		{"transaction_amount", unusable}:  {code: "wallet_redeem_03", message: "Monto de transacción con formato incorrecto."},
		{"points_used", absent}:           {code: "new_sale_08", message: "Puntos a utilizar con formato incorrecto."},
		{"points_used", malformed}:        {code: "new_sale_08", message: "Puntos a utilizar con formato incorrecto."},
		{"points_used", unusable}:         {code: "wallet_redeem_07", message: "Puntos a utilizar con formato incorrecto."},
		{"usertool_id", absent}:           {code: "new_sale_09", message: "Id del usuario indefinido."},
		// A wallet that requires the ticket asks for these two.
		{"ticket", absent}:   {code: "new_sale_11", message: "Ticket indefinido."},
		{"ticket", blank}:    {code: "wallet_redeem_12", message: "Ticket indefinido."},
		{"ticket", unusable}: {code: "wallet_redeem_12", message: "Ticket indefinido."},
	},
	refusals: map[cause]answer{
		{code: loyalty.CodeCardTypeNotFound}:    {code: "new_sale_10", message: "Monedero no existe."},
		{code: loyalty.CodeCardTypeArchived}:    {code: "new_sale_10", message: "Monedero no existe."},
		{code: loyalty.CodeCardNotFound}:        {code: "new_sale_12", message: "El contacto no se encuentra registrado en el monedero."},
		{code: loyalty.CodeCardNotEnabled}:      {code: "new_sale_12", message: "El contacto no se encuentra registrado en el monedero."},
		{code: loyalty.CodeCardNotValid}:        {code: "new_sale_12", message: "El contacto no se encuentra registrado en el monedero."},
		{code: loyalty.CodeStaffNotFound}:       {code: "new_sale_13", message: "El usuario de la herramienta no pertenece al usuario de la apikey."},
		{code: loyalty.CodeStaffArchived}:       {code: "wallet_redeem_15", message: "El usuario de la herramienta no pertenece al usuario de la apikey."},
		{code: loyalty.CodeStaffNoPermission}:   {code: "new_sale_14", message: "El usuario de la herramienta no tiene permisos sobre el monedero."},
		{code: loyalty.CodeStaffRightMissing}:   {code: "wallet_redeem_16", message: "El usuario de la herramienta no tiene permisos sobre el monedero."},
		{code: loyalty.CodeInsufficientBalance}: {code: "wallet_redeem_10", message: "Los puntos a utilizar son mayores a los disponibles."},

		{code: loyalty.CodeMessageBalanceLow}:      {code: "wallet_redeem_13", message: "Saldo insuficiente"},
		{code: loyalty.CodePhoneBlocked}:           {code: "wallet_redeem_14", message: "Número de teléfono se encuentra en tu blacklist."},
		{code: loyalty.CodeRedemptionQuotaReached}: {code: "wallet_redeem_18", message: "No cuentas con canjes disponibles."},
		// A wallet of whole points, and a balance at the end of what the ledger holds:
		// numbers out of range, for this wallet.
		{code: loyalty.CodeAmountTooPrecise}:    {code: "wallet_redeem_07", message: "Puntos a utilizar con formato incorrecto."},
		{code: loyalty.CodeAmountTooLarge}:      {code: "wallet_redeem_03", message: "Monto de transacción con formato incorrecto."},
		{code: loyalty.CodeAmountOverLimit}:     {code: "wallet_redeem_03", message: "Monto de transacción con formato incorrecto."},
		{code: loyalty.CodeIdempotencyMismatch}: idempotencyConflict,
	},
}

// sale is what POST /wallet/sale asks for.
type sale struct {
	walletKey, phone string
	// amount is what the customer spent, points what is taken; the one that a type
	// has no use for is nil.
	amount, points *decimal.Decimal
	staff          *int
	// ticket is "" where none is given, and then missing says in which way.
	ticket  string
	missing problem
}

// readSale reads the parameters, steps 1 to 8 of the table.
func readSale(in form) (sale, error) {
	p := parameters{in: in, table: saleAnswers}
	s := sale{walletKey: p.walletKey(), phone: p.phone()}
	if p.option("transaction_type", "0", "1") == "0" {
		s.amount = new(p.amount("transaction_amount", false))
	} else {
		s.amount = p.optionalAmount("transaction_amount", true)
		s.points = new(p.amount("points_used", false))
	}
	s.staff = p.staff()
	s.ticket, s.missing = in.get("ticket")
	s.ticket = storable(s.ticket)
	return s, p.err
}

// sale answers POST /wallet/sale (spec/wallet.md 3.7): type 0 gives points by the
// wallet's percentage, type 1 takes points.
func (h *handler) sale(w http.ResponseWriter, r *http.Request, in form) error {
	s, err := readSale(in)
	if err != nil {
		return err
	}
	if utf8.RuneCountInString(s.ticket) > maxTicket {
		if s.ticket, err = h.longTicket(r.Context(), s); err != nil {
			return err
		}
	}
	key := postingKey(r, s.naturalKey())
	payload, err := h.post(r.Context(), s, key)
	if err != nil {
		return err
	}
	movement := payload.Movement
	err = saleAnswers.of(payload.UserErrors)
	switch {
	case err == nil:
	case len(payload.UserErrors) > 0 && payload.UserErrors[0].Code == loyalty.CodeTicketRequired:
		return saleAnswers.problem("ticket", s.missing)
	case errors.Is(err, idempotencyConflict) && key.natural:
		if movement, err = h.firstSale(r.Context(), s); err != nil {
			return err
		}
		payload.Replayed = true
	default:
		return err
	}
	replayed(w, payload.Replayed)
	send(w, http.StatusOK, newBalance{
		Success: true, Message: "Venta creada correctamente.", NewBalance: number(movement.BalanceAfter),
		Code: "new_sale_01", Status: http.StatusOK,
	})
	return nil
}

func (h *handler) post(ctx context.Context, s sale, key idempotency) (*model.MovementPayload, error) {
	card := &ledger.CardRef{WalletKey: s.walletKey, Phone: s.phone}
	if s.points == nil {
		return h.graph.Mutation().MovementAccrue(ctx, model.MovementAccrueInput{
			Card: card, Spent: s.amount, Reference: &s.ticket, StaffNumber: s.staff,
			IdempotencyKey: &key.key, IdempotencyHours: &key.hours,
		})
	}
	return h.graph.Mutation().MovementRedeem(ctx, model.MovementRedeemInput{
		Card: card, Points: *s.points, Spent: s.amount, Reference: &s.ticket, StaffNumber: s.staff,
		IdempotencyKey: &key.key, IdempotencyHours: &key.hours,
	})
}

// longTicket is the ticket of a sale whose ticket is too long to be kept: only a
// wallet that requires tickets refuses it (step 10), for others it is stored as
// far as it goes.
func (h *handler) longTicket(ctx context.Context, s sale) (string, error) {
	t, err := h.graph.Query().CardType(ctx, nil, &s.walletKey)
	switch {
	case err != nil:
		return "", err
	case t == nil || t.ArchivedAt != nil:
		return "", saleAnswers.refusals[cause{code: loyalty.CodeCardTypeNotFound}]
	case t.TicketRequired:
		return "", saleAnswers.problem("ticket", unusable)
	}
	return string([]rune(s.ticket)[:maxTicket]), nil
}

// naturalKey is the same for sales that are one sale repeated (spec/wallet.md 7),
// "" without a ticket. Who works the till is not part of it.
func (s sale) naturalKey() string {
	if s.ticket == "" {
		return ""
	}
	return digest(s.walletKey, s.phone, figure(s.points), figure(s.amount), s.ticket)
}

func figure(d *decimal.Decimal) string {
	if d == nil {
		return ""
	}
	return d.String()
}

// firstSale finds the movement of a sale that comes again from another
// collaborator: to the ledger another request, to the document a retry. It is
// among the card's newest, as a ticket's key stands for a day: no contact has more
// movements in one than are looked through here.
func (h *handler) firstSale(ctx context.Context, s sale) (*ledger.Movement, error) {
	card, err := h.graph.Query().Card(ctx, nil, &s.walletKey, &s.phone)
	if err != nil {
		return nil, err
	}
	var after *string
	for range 10 {
		if card == nil {
			break
		}
		list, err := h.graph.Card().Movements(ctx, card, new(pageSize), after)
		if err != nil {
			return nil, err
		}
		for _, edge := range list.Edges {
			if s.is(edge.Node) {
				return edge.Node, nil
			}
		}
		if !list.PageInfo.HasNextPage {
			break
		}
		after = list.PageInfo.EndCursor
	}
	return nil, errors.New("the first of a repeated sale is not on its card")
}

// is reports whether the movement is this sale's.
func (s sale) is(m *ledger.Movement) bool {
	if text(m.Reference) != s.ticket || !sameAmount(m.Spent, s.amount) {
		return false
	}
	if s.points == nil {
		return m.Kind() == ledger.Accrue
	}
	return m.Kind() == ledger.Redeem && m.Amount.Cmp(s.points.Neg()) == 0
}

func sameAmount(a, b *decimal.Decimal) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Cmp(*b) == 0
}
