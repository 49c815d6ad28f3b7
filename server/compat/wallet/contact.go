package wallet

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/ledger"
)

const maxContactName = 200

// contactAddAnswers is spec/wallet.md 3.5, word for word.
var contactAddAnswers = answers{
	parameters: map[parameter]answer{
		{"wallet_key", absent}:      {code: "contact_add_02", message: "Llave de monedero indefinido."},
		{"wallet_key", blank}:       {code: "wallet_manager_03", message: "Llave de monedero indefinido."},
		{"phone", absent}:           {code: "contact_add_03", message: "Teléfono indefinido."},
		{"phone", blank}:            {code: "wallet_manager_04", message: "Teléfono indefinido."},
		{"phone", malformed}:        {code: "contact_add_04", message: "Teléfono con formato incorrecto."},
		{"customer_name", absent}:   {code: "contact_add_05", message: "Nombre indefinido."},
		{"customer_name", blank}:    {code: "wallet_manager_05", message: "Nombre indefinido."},
		{"customer_name", unusable}: {code: "wallet_manager_05", message: "Nombre indefinido."},
		{"usertool_id", absent}:     {code: "contact_add_06", message: "Usuario indefinido."},
	},
	refusals: map[cause]answer{
		{code: loyalty.CodeCardTypeNotFound}:  {code: "contact_add_07", message: "Monedero no existe"},
		{code: loyalty.CodeCardTypeArchived}:  {code: "wallet_manager_07", message: "Monedero no existe"},
		{code: loyalty.CodeStaffNotFound}:     {code: "wallet_manager_06", message: "Usuario indefinido."},
		{code: loyalty.CodeStaffArchived}:     {code: "wallet_manager_06", message: "Usuario indefinido."},
		{code: loyalty.CodeStaffNoPermission}: {code: "wallet_manager_06", message: "Usuario indefinido."},
		{code: loyalty.CodeContactExists}:     {code: "wallet_manager_08", message: "El usuario ya se encuentra registrado"},
		{code: loyalty.CodeBirthdateRequired}: {code: "wallet_manager_09", message: "Error en formato de fecha de cumpleaños"},
		{loyalty.CodeInvalid, "birthdate"}:    {code: "wallet_manager_09", message: "Error en formato de fecha de cumpleaños"},
		{code: loyalty.CodeContactRace}:       {code: "wallet_manager_13", message: "El usuario ya se encuentra registrado"},
		// What a name may hold is the core's to say: it is readable and unusable.
		{loyalty.CodeInvalid, "name"}: {code: "wallet_manager_05", message: "Nombre indefinido."},

		{code: loyalty.CodeAreaCodeUnsupported}: {code: "wallet_manager_15", message: "Lada no soportada"},
		{code: loyalty.CodePhoneLandline}:       {code: "wallet_manager_14", message: "Teléfono es de casa o fijo"},
		{code: loyalty.CodeContactQuotaReached}: {code: "wallet_manager_18", message: "No cuentas con clientes disponibles."},
		{code: loyalty.CodeMessageBalanceLow}:   {code: "wallet_manager_11", message: "Saldo insuficiente"},
		{code: loyalty.CodeIdempotencyMismatch}: idempotencyConflict,
	},
}

// Answers where registering failed and all was rolled back: of a new contact, and
// of one that was archived.
var (
	contactAddFault    = answer{code: "wallet_manager_10", message: "Error generar el contacto nuevo", status: http.StatusInternalServerError}
	contactReopenFault = answer{code: "wallet_manager_12", message: "Error al actualizar el estatus del contacto", status: http.StatusInternalServerError}
)

// contactAdd answers POST /wallet/contact/add (spec/wallet.md 3.5).
func (h *handler) contactAdd(w http.ResponseWriter, r *http.Request, in form) error {
	p := parameters{in: in, table: contactAddAnswers}
	input := model.ContactRegisterInput{
		WalletKey:   p.walletKey(),
		Phone:       p.phone(),
		Name:        p.limited("customer_name", maxContactName),
		StaffNumber: p.staff(),
	}
	if p.err != nil {
		return p.err
	}
	if text, what := in.get("customer_birthdate"); what == 0 {
		input.Birthdate = new(birthdate(text))
	}
	input.IdempotencyKey, input.IdempotencyHours = headerKey(r)
	payload, err := h.graph.Mutation().ContactRegister(r.Context(), input)
	if err != nil {
		return &fault{h.contactFault(r.Context(), input.WalletKey, input.Phone), err}
	}
	if err := contactAddAnswers.of(payload.UserErrors); err != nil {
		return err
	}
	replayed(w, payload.Replayed)
	done(w, "contact_add_01", "Contacto creado correctamente.")
	return nil
}

// contactFault tells by what is left of the contact whether it was to be opened or
// reopened.
func (h *handler) contactFault(ctx context.Context, key, phone string) answer {
	card, err := h.graph.Query().Card(ctx, nil, &key, &phone)
	if err == nil && card != nil && card.State() != ledger.Enabled {
		return contactReopenFault
	}
	return contactAddFault
}

// contactGetAnswers is spec/wallet.md 3.6, word for word. A wallet that does not
// exist has no row of its own there: its key is unusable.
var contactGetAnswers = answers{
	parameters: map[parameter]answer{
		{"wallet_key", absent}:   {code: "balance_get_02", message: "Llave de monedero indefinido."},
		{"wallet_key", blank}:    {code: "wallet_balance_get_02", message: "Llave de monedero indefinido."},
		{"wallet_key", unusable}: {code: "wallet_balance_get_02", message: "Llave de monedero indefinido."},
		{"phone", malformed}:     {code: "balance_get_03", message: "Teléfono con formato incorrecto."},
		{"phone", unusable}:      {code: "balance_get_04", message: "El contacto no se encuentra registrado en el monedero."},
	},
}

// contact is a customer in a wallet.
type contact struct {
	Name      string      `json:"contact_name"`
	Phone     string      `json:"contact_phone"`
	Birthdate *string     `json:"contact_birthdate"`
	Balance   json.Number `json:"contact_balance"`
}

// contactFound is the answer for one contact.
type contactFound struct {
	Success bool    `json:"success"`
	Result  contact `json:"result"`
	Status  int     `json:"status"`
	Code    string  `json:"code"`
}

const contactGetDone = "balance_get_01"

// contactGet answers POST /wallet/contact/get (spec/wallet.md 3.6): one contact,
// or all of the wallet.
func (h *handler) contactGet(w http.ResponseWriter, r *http.Request, in form) error {
	ctx := r.Context()
	p := parameters{in: in, table: contactGetAnswers}
	key := p.walletKey()
	if p.err != nil {
		return p.err
	}
	t, err := h.graph.Query().CardType(ctx, nil, &key)
	if err != nil {
		return err
	}
	if t == nil || t.ArchivedAt != nil {
		return contactGetAnswers.problem("wallet_key", unusable)
	}
	if _, what := in.get("phone"); what != 0 {
		return h.contacts(w, r, t)
	}
	phone := p.phone()
	if p.err != nil {
		return p.err
	}
	card, err := h.graph.Query().Card(ctx, nil, &key, &phone)
	if err != nil {
		return err
	}
	if card == nil || card.State() != ledger.Enabled {
		return contactGetAnswers.problem("phone", unusable)
	}
	found, err := h.contactOf(ctx, card)
	if err != nil {
		return err
	}
	send(w, http.StatusOK, contactFound{Success: true, Result: found, Status: http.StatusOK, Code: contactGetDone})
	return nil
}

// contacts lists the active contacts in registration order. A card that has no
// phone was opened elsewhere and is nobody's contact.
func (h *handler) contacts(w http.ResponseWriter, r *http.Request, t *ledger.CardType) error {
	ctx := r.Context()
	return stream(w, `"status":200,"code":"`+contactGetDone+`"`, func(after *string) (page, error) {
		list, err := h.graph.CardType().Cards(ctx, t, new(pageSize), after, new(true))
		if err != nil {
			return page{}, err
		}
		p := page{rows: make([]any, 0, len(list.Edges))}
		if list.PageInfo.HasNextPage {
			p.next = list.PageInfo.EndCursor
		}
		for _, edge := range list.Edges {
			if edge.Node.HolderPhone == nil {
				continue
			}
			row, err := h.contactOf(ctx, edge.Node)
			if err != nil {
				return page{}, err
			}
			p.rows = append(p.rows, row)
		}
		return p, nil
	})
}

// contactOf shows a contact with what can be spent now: what has ended is not in it
// (spec/wallet.md 3.6).
func (h *handler) contactOf(ctx context.Context, card *ledger.Card) (contact, error) {
	spendable, err := h.graph.Card().Available(ctx, card)
	if err != nil {
		return contact{}, err
	}
	c := contact{Name: text(card.HolderName), Phone: text(card.HolderPhone), Balance: number(*spendable)}
	if card.HolderBirthdate != nil {
		c.Birthdate = new(card.HolderBirthdate.Format(time.DateOnly))
	}
	return c, nil
}
