package pretii

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/govalues/decimal"

	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
)

// movementBody is the movimiento of spec/pretii.md 3.4.
type movementBody struct {
	ID          string       `json:"id"`
	Kind        string       `json:"tipo"`
	Points      json.Number  `json:"puntos"`
	Amount      *json.Number `json:"monto"`
	Balance     json.Number  `json:"saldo"`
	Reference   *string      `json:"referencia"`
	Description *string      `json:"descripcion"`
	Store       *string      `json:"local"`
	CreatedAt   string       `json:"creado_en"`
}

// changedBody is the answer to a change of points.
type changedBody struct {
	Movement movementBody `json:"movimiento"`
	Repeated bool         `json:"repetido,omitempty"`
	Customer customerBody `json:"cliente"`
}

// kinds are the words for a movement's action.
var kinds = map[ledger.Action]string{ledger.Accrue: "asignacion", ledger.Redeem: "descuento"}

func movementOf(m *ledger.Movement, store *string) movementBody {
	b := movementBody{
		ID: "mov_" + hex.EncodeToString(m.CardID[:]) + "_" + strconv.FormatInt(m.Seq, 10), Kind: kinds[m.Kind()],
		Points: whole(m.Amount.Abs()), Balance: whole(m.BalanceAfter), Reference: m.Reference, Description: m.Description,
		Store: store, CreatedAt: moment(m.PostedAt),
	}
	if m.Spent != nil {
		b.Amount = new(json.Number(m.Spent.Trim(0).String()))
	}
	return b
}

// asked is what a change of points is asked for with, beside how many.
type asked struct {
	person                        *customer.Customer
	body                          object
	reference, description, store *string
	key                           *string
	hours                         *int
}

// A call without a reference is another one each time: its key is never met again, so
// that it need not be kept for long.
const ownHours = 1

// ask reads a change in the order of spec/pretii.md 2.1: JSON, customer, fields. The
// header Idempotency-Key is the reference where the body has none (3.6).
func (h *Handler) ask(w http.ResponseWriter, r *http.Request) (a asked, err error) {
	if a.body, err = readBody(w, r); err != nil {
		return a, err
	}
	if a.person, err = h.named(r); err != nil {
		return a, err
	}
	a.reference, a.description, a.store = a.body.optional("referencia"), a.body.optional("descripcion"), a.body.optional("local")
	if header := strings.TrimSpace(text(r.Header.Get("Idempotency-Key"))); a.reference == nil && header != "" {
		a.reference = &header
	}
	if a.reference == nil {
		a.key, a.hours = new("call:"+rand.Text()), new(ownHours)
	}
	return a, nil
}

// pointsAssign answers POST /clientes/{cliente}/puntos/asignar (spec/pretii.md 3.4).
func (h *Handler) pointsAssign(w http.ResponseWriter, r *http.Request) error {
	a, err := h.ask(w, r)
	if err != nil {
		return err
	}
	payload, err := h.cfg.Graph.Mutation().PointsAssign(r.Context(), model.PointsAssignInput{
		CustomerID: a.person.GlobalID(), Points: a.body.number("puntos"), Amount: a.body.money("monto"),
		Reference: a.reference, Description: a.description, StoreCode: a.store, IdempotencyKey: a.key, IdempotencyHours: a.hours,
	})
	if err != nil {
		return err
	}
	return h.changed(r.Context(), w, a.person, payload, assignFields)
}

// pointsDeduct answers POST /clientes/{cliente}/puntos/descontar (spec/pretii.md 3.5).
func (h *Handler) pointsDeduct(w http.ResponseWriter, r *http.Request) error {
	a, err := h.ask(w, r)
	if err != nil {
		return err
	}
	payload, err := h.cfg.Graph.Mutation().PointsDeduct(r.Context(), model.PointsDeductInput{
		CustomerID: a.person.GlobalID(), Points: a.body.number("puntos"),
		Reference: a.reference, Description: a.description, StoreCode: a.store, IdempotencyKey: a.key, IdempotencyHours: a.hours,
	})
	if err != nil {
		return err
	}
	return h.changed(r.Context(), w, a.person, payload, deductFields)
}

// changed answers what came of a change: 201, and 200 where it had been made before.
func (h *Handler) changed(ctx context.Context, w http.ResponseWriter, c *customer.Customer, payload *model.PointsPayload, fields map[string]field) error {
	if all := refusals(payload.UserErrors); len(all) > 0 {
		return notChanged(fields, all)
	}
	shown, err := h.customerWith(ctx, c, payload.Account)
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if payload.Replayed {
		status = http.StatusOK
	}
	answer(w, status, changedBody{Movement: movementOf(payload.Movement, payload.StoreCode), Repeated: payload.Replayed, Customer: shown})
	return nil
}

// notChanged tells why nothing was changed.
func notChanged(fields map[string]field, all []*loyalty.Error) error {
	first := all[0]
	p, known := pointsProblems[first.Code]
	if !known {
		return told(fields, all)
	}
	f := failure{problem: p}
	if first.Code == loyalty.CodeInsufficientBalance {
		available, err := decimal.Parse(first.Params["available"])
		if err != nil {
			return err
		}
		f.balance = new(whole(available.Max(decimal.Zero)))
	}
	return f
}
