package antcrm

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/graph/model"
	"sello/loyalty/customer"
	"sello/loyalty/reward"
)

// entry is one line of a history (spec/antcrm.md 3.1 and 3.2).
type entry struct {
	Type         int         `json:"type"`
	Score        json.Number `json:"score"`
	Status       int         `json:"status"`
	Product      *product    `json:"product,omitempty"`
	Gift         *gift       `json:"gift,omitempty"`
	Contact      contact     `json:"contact"`
	Org          string      `json:"org"`
	Code         string      `json:"code,omitempty"`
	SerialNumber *string     `json:"serialNumber,omitempty"`
	CreatedAt    int64       `json:"createdAt"`
	ID           string      `json:"id"`
	// Error is a failed entry's only.
	Error string `json:"error,omitempty"`
}

type product struct {
	Code string `json:"code"`
	Name string `json:"name"`
	ID   string `json:"id"`
}

type gift struct {
	Code  string      `json:"code"`
	Name  string      `json:"name"`
	Score json.Number `json:"score"`
	ID    string      `json:"id"`
}

// contact is spec/antcrm.md 3.3: with lastname among accumulations, without among
// redemptions.
type contact struct {
	Phones     []reachable `json:"phones"`
	Name       string      `json:"name"`
	Emails     []reachable `json:"emails"`
	Lastname   *string     `json:"lastname,omitempty"`
	CustomerID int64       `json:"customerId"`
	ID         string      `json:"id"`
}

type reachable struct {
	Type  string `json:"type"`
	ID    string `json:"_id"`
	Value string `json:"value"`
}

// The numbers of an entry's type.
const (
	accumulation = 1
	redemption   = 2
)

// history answers GET /history-point (spec/antcrm.md 3).
func (h *handler) history(w http.ResponseWriter, c call) error {
	ask, err := readFilter(c.URL.Query())
	if err != nil {
		return err
	}
	ctx := c.Context()
	history, err := h.Graph.Query().RewardHistory(ctx, ask.kind, ask.phone, ask.email, ask.since, ask.until, &ask.page)
	if err != nil {
		return err
	}
	entries := make([]entry, 0, len(history.Attempts))
	for _, a := range history.Attempts {
		e, err := h.entry(ctx, a, c.who.CompanyID)
		if err != nil {
			return err
		}
		entries = append(entries, e)
	}
	send(w, http.StatusOK, entries)
	return nil
}

type filter struct {
	kind         reward.AttemptKind
	phone, email *string
	since, until *time.Time
	page         int
}

// latest is the last moment, in milliseconds, that a time can be asked for: what is
// later is as good as this.
const latest = 9_000_000_000_000_000 // the year 287,000

// readFilter reads the query's parameters in the order of their table; empty ones are
// absent.
func readFilter(q url.Values) (filter, error) {
	f := filter{kind: reward.Claimed, page: 1}
	get := func(name string) string { return strings.TrimSpace(q.Get(name)) }
	switch get("type") {
	case "":
	case "point":
		f.kind = reward.Consumed
	default:
		return f, invalidParameter("type")
	}
	for _, bound := range []struct {
		name  string
		into  **time.Time
		extra int64 // the core's end is the first moment that is too late
	}{{"createdAtRangeFrom", &f.since, 0}, {"createdAtRangeTo", &f.until, 1}} {
		text := get(bound.name)
		if text == "" {
			continue
		}
		ms, ok := whole(text, latest)
		if !ok {
			return f, invalidParameter(bound.name)
		}
		*bound.into = new(time.UnixMilli(ms + bound.extra).UTC())
	}
	if text := get("phone"); text != "" {
		f.phone = &text
	}
	if text := get("email"); text != "" {
		f.email = &text
	}
	if text := get("page"); text != "" {
		const most = 1 << 30
		page, ok := whole(text, most)
		if !ok || page < 1 {
			return f, invalidParameter("page")
		}
		f.page = int(page)
	}
	return f, nil
}

// whole reads an integer that is not negative; one beyond the most is the most.
func whole(text string, most int64) (int64, bool) {
	for _, r := range text {
		if r < '0' || r > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n > most { // digits only: too many of them
		return most, text != ""
	}
	return n, true
}

func (h *handler) entry(ctx context.Context, a *reward.Attempt, org uuid.UUID) (entry, error) {
	e := entry{Status: 1, Org: objectID(org), CreatedAt: a.AttemptedAt.UnixMilli(), ID: objectID(a.ID)}
	who, err := h.Graph.RewardAttempt().Customer(ctx, a)
	if err != nil {
		return e, err
	}
	if code := a.Refusal(); code != nil {
		e.Status = 0
		if e.Error = accumulateAnswers[*code].name; a.What() == reward.Claimed {
			e.Error = redeemAnswers[*code].name
		}
	}
	if a.What() == reward.Consumed {
		e.Type, e.Score = accumulation, integer(a.Score.Floor(0))
		code, err := h.Graph.RewardAttempt().ProductCode(ctx, a)
		if err != nil {
			return e, err
		}
		of, err := h.Graph.ProductCode().Product(ctx, code)
		if err != nil {
			return e, err
		}
		e.Product = &product{Code: of.Code, Name: of.Name, ID: objectID(of.ID)}
		e.Code, e.SerialNumber = code.ProductCode.Code, &code.Serial
	} else {
		// A price is what has to be there: the next whole point.
		e.Type, e.Score = redemption, integer(a.Score.Ceil(0))
		of, err := h.Graph.RewardAttempt().Reward(ctx, a)
		if err != nil {
			return e, err
		}
		e.Gift = &gift{Code: of.Code, Name: of.Name, Score: e.Score, ID: objectID(of.ID)}
	}
	e.Contact, err = h.contact(ctx, who, a.What() == reward.Consumed)
	return e, err
}

// contact shows a customer as they are now.
func (h *handler) contact(ctx context.Context, who *customer.Customer, lastname bool) (contact, error) {
	if who.MergedIntoID != nil {
		into, err := h.Graph.Customer().MergedInto(ctx, who)
		if err != nil {
			return contact{}, err
		}
		if into != nil {
			who = into
		}
	}
	c := contact{Phones: []reachable{}, Emails: []reachable{}, Name: who.FirstName, ID: objectID(who.ID)}
	if lastname {
		c.Lastname = new("")
		if who.LastName != nil {
			c.Lastname = who.LastName
		}
	}
	number, err := h.number(ctx, who)
	if err != nil {
		return c, err
	}
	c.CustomerID = number
	points, err := h.Graph.Customer().ContactPoints(ctx, who)
	if err != nil {
		return c, err
	}
	for _, p := range points {
		r := reachable{Type: p.Label, ID: objectID(p.ID), Value: p.Value}
		if p.What() == customer.ContactPhone {
			c.Phones = append(c.Phones, r)
		} else {
			c.Emails = append(c.Emails, r)
		}
	}
	return c, nil
}

// number is the customer's number, which who came by another way does not have yet.
func (h *handler) number(ctx context.Context, who *customer.Customer) (int64, error) {
	if who.Number != nil {
		return *who.Number, nil
	}
	payload, err := h.Graph.Mutation().CustomerNumberGive(ctx, model.CustomerNumberGiveInput{ID: who.GlobalID()})
	switch {
	case err != nil:
		return 0, err
	case len(payload.UserErrors) > 0 || payload.Customer.Number == nil:
		return 0, errors.New("a customer of the history got no number")
	}
	who.Number = payload.Customer.Number
	return *who.Number, nil
}

// integer writes points as a JSON integer.
func integer(d decimal.Decimal) json.Number {
	if d = d.Trim(0); d.IsZero() {
		return "0" // never "-0"
	}
	return json.Number(d.String())
}

// objectID is an id as this dialect shows it: 24 hexadecimal digits, the time it was
// made in seconds and the half of it that is random (spec/antcrm.md 3.5). The core's
// ids begin with that time in milliseconds.
func objectID(id uuid.UUID) string {
	var b [12]byte
	ms := binary.BigEndian.Uint64(id[:8]) >> 16
	binary.BigEndian.PutUint32(b[:4], uint32(ms/1000)) //nolint:gosec // in range until 2106, and a mere id
	copy(b[4:], id[8:])
	return hex.EncodeToString(b[:])
}
