package wallet

import (
	"net/http"

	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/ledger"
)

// balanceUpdateAnswers is spec/wallet.md 3.8, word for word.
var balanceUpdateAnswers = answers{
	parameters: map[parameter]answer{
		{"wallet_key", absent}:            {code: "balance_update_02", message: "Llave de monedero indefinido."},
		{"wallet_key", blank}:             {code: "wallet_balance_update_02", message: "Llave de monedero indefinido."},
		{"phone", absent}:                 {code: "balance_update_03", message: "Teléfono indefinido."},
		{"phone", malformed}:              {code: "balance_update_04", message: "Teléfono con formato incorrecto."},
		{"transaction_type", absent}:      {code: "balance_update_05", message: "Tipo de transacción indefinido."},
		{"transaction_type", unusable}:    {code: "wallet_balance_update_04", message: "Tipo de transacción indefinido."},
		{"transaction_amount", absent}:    {code: "balance_update_06", message: "Monto de transacción indefinido."},
		{"transaction_amount", malformed}: {code: "balance_update_07", message: "Monto de transacción con formato incorrecto."},
		{"transaction_amount", unusable}:  {code: "wallet_balance_update_05", message: "Monto de transacción con formato incorrecto."},
		{"usertool_id", absent}:           {code: "balance_update_08", message: "Id del usuario indefinido."},
	},
	refusals: map[cause]answer{
		{code: loyalty.CodeCardTypeNotFound}:    {code: "balance_update_09", message: "Monedero no existe."},
		{code: loyalty.CodeCardTypeArchived}:    {code: "balance_update_09", message: "Monedero no existe."},
		{code: loyalty.CodeCardNotFound}:        {code: "balance_update_10", message: "El contacto no se encuentra registrado en el monedero."},
		{code: loyalty.CodeCardNotEnabled}:      {code: "balance_update_10", message: "El contacto no se encuentra registrado en el monedero."},
		{code: loyalty.CodeCardNotValid}:        {code: "balance_update_10", message: "El contacto no se encuentra registrado en el monedero."},
		{code: loyalty.CodeStaffNotFound}:       {code: "balance_update_11", message: "El usuario de la herramienta no pertenece al usuario de la apikey."},
		{code: loyalty.CodeStaffArchived}:       {code: "wallet_balance_update_11", message: "El usuario de la herramienta no pertenece al usuario de la apikey."},
		{code: loyalty.CodeStaffNoPermission}:   {code: "balance_update_12", message: "El usuario de la herramienta no tiene permisos sobre el monedero."},
		{code: loyalty.CodeStaffRightMissing}:   {code: "wallet_balance_update_12", message: "El usuario de la herramienta no tiene permisos sobre el monedero."},
		{code: loyalty.CodeInsufficientBalance}: {code: "wallet_balance_update_07", message: "Los puntos a remover son mayores a los disponibles."},
		{code: loyalty.CodeMessageBalanceLow}:   {code: "wallet_balance_update_09", message: "Saldo insuficiente"},
		{code: loyalty.CodePhoneBlocked}:        {code: "wallet_balance_update_10", message: "Número de teléfono se encuentra en tu blacklist."},
		// A wallet of whole points, and a balance at the end of what the ledger holds:
		// numbers out of range, for this wallet.
		{code: loyalty.CodeAmountTooPrecise}:    {code: "wallet_balance_update_05", message: "Monto de transacción con formato incorrecto."},
		{code: loyalty.CodeAmountTooLarge}:      {code: "wallet_balance_update_05", message: "Monto de transacción con formato incorrecto."},
		{code: loyalty.CodeAmountOverLimit}:     {code: "wallet_balance_update_05", message: "Monto de transacción con formato incorrecto."},
		{code: loyalty.CodeIdempotencyMismatch}: idempotencyConflict,
	},
}

// balanceUpdate answers POST /wallet/balance/update (spec/wallet.md 3.8): type 0
// adds points, type 1 removes them, without a percentage.
func (h *handler) balanceUpdate(w http.ResponseWriter, r *http.Request, in form) error {
	p := parameters{in: in, table: balanceUpdateAnswers}
	input := model.MovementAdjustInput{Card: &ledger.CardRef{WalletKey: p.walletKey(), Phone: p.phone()}}
	removes := p.option("transaction_type", "0", "1") == "1"
	input.Points = p.amount("transaction_amount", false)
	input.StaffNumber = p.staff()
	if p.err != nil {
		return p.err
	}
	if removes {
		input.Points = input.Points.Neg()
	}
	key := postingKey(r, "")
	input.IdempotencyKey, input.IdempotencyHours = &key.key, &key.hours
	payload, err := h.graph.Mutation().MovementAdjust(r.Context(), input)
	if err != nil {
		return err
	}
	if err := balanceUpdateAnswers.of(payload.UserErrors); err != nil {
		return err
	}
	replayed(w, payload.Replayed)
	send(w, http.StatusOK, newBalance{
		Success: true, Message: "Saldo actualizado correctamente", NewBalance: number(payload.Movement.BalanceAfter),
		Code: "balance_update_01", Status: http.StatusOK,
	})
	return nil
}
