package pretii

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
)

// customerBody is the object of spec/pretii.md 3.1.
type customerBody struct {
	ID        string      `json:"id"`
	FirstName string      `json:"nombres"`
	LastName  *string     `json:"apellidos"`
	Email     string      `json:"email"`
	Phone     *string     `json:"telefono"`
	Document  *string     `json:"documento_de_identidad"`
	Points    json.Number `json:"puntos"`
	QR        string      `json:"qr"`
	CreatedAt string      `json:"creado_en"`
	UpdatedAt string      `json:"actualizado_en"`
}

// customerID is a customer's id in this dialect: cli_ and 32 hexadecimal digits.
func customerID(id uuid.UUID) string { return "cli_" + hex.EncodeToString(id[:]) }

func parseCustomerID(text string) (uuid.UUID, bool) { return parseID(text, "cli_") }

// customerOf shows a customer and, with the others of the same list, the points of their
// account: what can be spent now, and nothing where there is no account yet.
func (h *Handler) customerOf(ctx context.Context, c *customer.Customer) (customerBody, error) {
	account, err := h.cfg.Graph.Customer().PointsAccount(ctx, c)
	if err != nil {
		return customerBody{}, err
	}
	return h.customerWith(ctx, c, account)
}

// customerWith shows a customer with an account. A change of the points is one of the
// customer here.
func (h *Handler) customerWith(ctx context.Context, c *customer.Customer, account *ledger.Card) (customerBody, error) {
	updated, points := c.UpdatedAt, decimal.Zero
	if account != nil {
		available, err := h.cfg.Graph.Card().Available(ctx, account)
		if err != nil {
			return customerBody{}, err
		}
		points = *available
		if account.UpdatedAt.After(updated) {
			updated = account.UpdatedAt
		}
	}
	b := customerBody{
		ID: customerID(c.ID), FirstName: c.FirstName, LastName: c.LastName, Phone: c.Phone, Document: c.Document, Points: whole(points),
		QR: c.QrCode, CreatedAt: moment(c.CreatedAt), UpdatedAt: moment(updated),
	}
	if c.Email != nil {
		b.Email = *c.Email
	}
	return b, nil
}

// whole writes points as a JSON integer: a fraction cannot be spent here.
func whole(points decimal.Decimal) json.Number {
	if points = points.Floor(0).Trim(0); points.IsZero() {
		return "0" // never "-0"
	}
	return json.Number(points.String())
}

// moment is a time as this dialect writes it (spec/pretii.md 2, Times).
func moment(at time.Time) string { return at.UTC().Truncate(time.Second).Format(time.RFC3339) }

// customerCreate answers POST /clientes (spec/pretii.md 3.2).
func (h *Handler) customerCreate(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	payload, err := h.cfg.Graph.Mutation().CustomerEnrol(r.Context(), model.CustomerEnrolInput{
		FirstName: body.text("nombres"), LastName: body.optional("apellidos"), Email: body.text("email"),
		Phone: body.optional("telefono"), Document: body.optional("documento_de_identidad"),
	})
	if err != nil {
		return err
	}
	if all := refusals(payload.UserErrors); len(all) > 0 {
		return notCreated(all)
	}
	shown, err := h.customerWith(r.Context(), payload.Customer, payload.Account)
	if err != nil {
		return err
	}
	w.Header().Set("Location", Path+"/clientes/"+shown.ID)
	answer(w, http.StatusCreated, map[string]customerBody{"cliente": shown})
	return nil
}

// notCreated tells why nobody was created: somebody has the e-mail or the document, or
// fields are wrong.
func notCreated(all []*loyalty.Error) error {
	if first := all[0]; first.Code == loyalty.CodeTaken {
		f := failure{problem: emailTaken}
		if first.Field == "document" {
			f.problem = documentTaken
		}
		if id, ok := loyalty.ParseUUID("Customer", first.Params["customerId"]); ok {
			f.customerID = customerID(id)
		}
		return f
	}
	return told(customerFields, all)
}

// customersBody is a page of spec/pretii.md 3.3.
type customersBody struct {
	Customers []customerBody `json:"clientes"`
	Page      int            `json:"pagina"`
	PageSize  int            `json:"por_pagina"`
	Total     int            `json:"total"`
}

// customerSearch answers GET /clientes (spec/pretii.md 3.3).
func (h *Handler) customerSearch(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	page, size := count(query.Get("pagina"), 1), count(query.Get("por_pagina"), customer.DefaultPageSize)
	found, err := h.cfg.Graph.CustomersFound(r.Context(), text(query.Get("buscar")), page, size)
	if all := loyalty.All(err); len(all) > 0 {
		return told(searchFields, all)
	}
	if err != nil {
		return err
	}
	body := customersBody{Customers: make([]customerBody, len(found.Customers)), Page: page, PageSize: size, Total: found.Total}
	for i, c := range found.Customers {
		if body.Customers[i], err = h.customerOf(r.Context(), c); err != nil {
			return err
		}
	}
	answer(w, http.StatusOK, body)
	return nil
}

// count reads a number of pages or of what is on one: the usual where there is none, and
// 0, which nothing takes, for what is no number. A page beyond the most is as empty as it.
func count(text string, usual int) int {
	if text = strings.TrimSpace(text); text == "" {
		return usual
	}
	const most = 1_000_000_000
	if strings.Trim(text, "0123456789") != "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n > most { // digits only: too many of them
		return most
	}
	return n
}

// customerGet answers GET /clientes/{cliente}.
func (h *Handler) customerGet(w http.ResponseWriter, r *http.Request) error {
	c, err := h.named(r)
	if err != nil {
		return err
	}
	shown, err := h.customerOf(r.Context(), c)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, map[string]customerBody{"cliente": shown})
	return nil
}

// named finds the customer of the path: by id, by the content of the QR code or by
// e-mail, in this order (spec/pretii.md 3.3). One who was merged is who they are now.
func (h *Handler) named(r *http.Request) (c *customer.Customer, err error) {
	name := chi.URLParam(r, "cliente")
	if r.URL.RawPath != "" { // the router went by it
		if name, err = url.PathUnescape(name); err != nil {
			return nil, refused(customerNotFound)
		}
	}
	name, ctx, graph := text(name), r.Context(), h.cfg.Graph
	if id, ok := parseCustomerID(name); ok {
		node, err := graph.Query().Node(ctx, loyalty.GlobalID("Customer", id.String()))
		if err != nil {
			return nil, err
		}
		c, _ = node.(*customer.Customer)
	}
	if c == nil {
		if c, err = graph.Query().Customer(ctx, nil, nil, nil, &name, nil); err != nil {
			return nil, err
		}
	}
	if c == nil && strings.Contains(name, "@") {
		if c, err = graph.Query().Customer(ctx, nil, &name, nil, nil, nil); err != nil {
			return nil, err
		}
	}
	if c != nil && c.MergedIntoID != nil {
		if c, err = graph.Customer().MergedInto(ctx, c); err != nil {
			return nil, err
		}
	}
	if c == nil {
		return nil, refused(customerNotFound)
	}
	return c, nil
}
