package antcrm_test

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/loyalty"
	"sello/loyalty/catalog"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
	"sello/loyalty/reward"
)

// baseline is the state that a fixture begins with (fixtures' README).
type baseline struct {
	Now            int64
	Org            struct{ ID, APIKey string }
	NextCustomerID int64 `json:"next_customer_id"`
	Products       map[string]struct {
		Code, Name, Prefix, ID string
		Score                  json.Number
		Active                 bool
	}
	Codes map[string]baselineCode
	Gifts map[string]struct {
		Code, Name, ID string
		Score          json.Number
		Stock          *int
		Active         bool
	}
	Contacts map[string]struct {
		ID             string
		CustomerID     int64
		Name, Lastname string
		Blocked        bool
		Points         json.Number
		Phones, Emails []struct {
			Type  string
			ID    string `json:"_id"`
			Value string
		}
	}
	Entries []baselineEntry
}

type baselineCode struct {
	Code, Product, Serial, State string
	Expires                      *int64
	Score                        *json.Number
}

type baselineEntry struct {
	Type, Status       int
	Score              json.Number
	Product, Gift      string
	Contact            string
	Code, SerialNumber string
	CreatedAt          int64
	ID, Error          string
}

// coreID is an id of the core that the dialect shows as the one given.
func coreID(t *testing.T, shown string) uuid.UUID {
	t.Helper()
	b, err := hex.DecodeString(shown)
	if err != nil || len(b) != 12 {
		t.Fatalf("id %q: %v", shown, err)
	}
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(binary.BigEndian.Uint32(b[:4]))*1000<<16|0x7000)
	copy(id[8:], b[4:])
	return id
}

// sorted visits a map in the order of its keys.
func sorted[V any](m map[string]V, visit func(V)) {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		visit(m[key])
	}
}

// load makes the baseline: rows whose ids the fixtures show are written as they are,
// and what happened to them is done by operations of the core.
func load(t *testing.T, b baseline) *account {
	t.Helper()
	e := newEnv(t, time.UnixMilli(b.Now).UTC())
	e.open(t, uuid.Must(uuid.NewV7()), "another", "another-org-s-own-key")
	a := e.open(t, coreID(t, b.Org.ID), "org", b.Org.APIKey)
	for _, p := range b.Products {
		a.exec(t, `INSERT INTO product (company_id, id, code, code_key, name, serial_prefix, score, status, created_at, updated_at)
			VALUES ($1, $2, $3, lower($3), $4, $5, $6, 'active', $7, $7)`, a.id, coreID(t, p.ID), p.Code, p.Name, p.Prefix, p.Score.String(), a.now)
	}
	programmeID := scan[uuid.UUID](t, e, `SELECT id FROM card_type WHERE company_id = $1 AND code = $2`, a.id, programme)
	for _, g := range b.Gifts {
		a.exec(t, `INSERT INTO reward (company_id, id, code, code_key, name, card_type_id, price, status, supplied, created_at, updated_at)
			VALUES ($1, $2, $3, lower($3), $4, $5, $6, 'active', $7, $8, $8)`, a.id, coreID(t, g.ID), g.Code, g.Name, programmeID, g.Score.String(), g.Stock, a.now)
	}
	cards := map[string]ledger.CardRef{}
	for number, c := range b.Contacts {
		id := coreID(t, c.ID)
		a.exec(t, `INSERT INTO customer (company_id, id, first_name, last_name, qr_code, name_key, number, created_at, updated_at)
			VALUES ($1, $2::uuid, $3, nullif($4, ''), 'PRT-' || $2, lower($3), $5, $6, $6)`, a.id, id, c.Name, c.Lastname, c.CustomerID, a.now)
		for kind, list := range map[string]any{"phone": c.Phones, "email": c.Emails} {
			for _, p := range list.([]struct {
				Type  string
				ID    string `json:"_id"`
				Value string
			}) {
				key, ok := customer.PhoneKey(p.Value)
				if kind == "email" {
					key, ok = customer.EmailKey(p.Value)
				}
				if !ok {
					t.Fatalf("contact %s has %s", number, p.Value)
				}
				a.exec(t, `INSERT INTO customer_contact (company_id, id, customer_id, kind, label, value, value_key, created_at)
					VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, a.id, coreID(t, p.ID), id, kind, p.Type, p.Value, key, a.now)
			}
		}
		card, err := a.resolver.Ledger.CardCreate(t.Context(), a.system, ledger.NewCard{CardTypeCode: programme, CustomerID: &id, Code: "CARD-" + number})
		if err != nil {
			t.Fatal(err)
		}
		cards[number] = ledger.CardRef{Code: card.Code}
	}
	a.exec(t, `INSERT INTO company_counter (company_id, name, value) VALUES ($1, 'customer', $2)`, a.id, b.NextCustomerID-1)
	a.loadCodes(t, b)
	a.loadEntries(t, b, cards)
	for number, c := range b.Contacts {
		a.balance(t, cards[number], c.Points)
		a.exec(t, `UPDATE customer SET active = $3 WHERE company_id = $1 AND number = $2`, a.id, c.CustomerID, !c.Blocked)
	}
	for _, p := range b.Products {
		if !p.Active {
			a.exec(t, `UPDATE product SET status = 'inactive' WHERE company_id = $1 AND code = $2`, a.id, p.Code)
		}
	}
	for _, g := range b.Gifts {
		if !g.Active {
			a.exec(t, `UPDATE reward SET status = 'inactive' WHERE company_id = $1 AND code = $2`, a.id, g.Code)
		}
	}
	return a
}

// loadCodes makes the codes, those of entries too that are not listed.
func (a *account) loadCodes(t *testing.T, b baseline) {
	t.Helper()
	all := maps.Clone(b.Codes)
	for _, e := range b.Entries {
		if _, listed := all[e.Code]; !listed && e.Type == 1 {
			all[e.Code] = baselineCode{Code: e.Code, Product: e.Product, Serial: e.SerialNumber, State: "unused"}
		}
	}
	sorted(all, func(c baselineCode) {
		var expires any
		if c.Expires != nil {
			expires = time.UnixMilli(*c.Expires).UTC()
		}
		a.exec(t, `INSERT INTO product_code (company_id, id, product_id, lot_id, code, code_key, serial, status, score, expires_on, created_at, updated_at)
			SELECT $1, gen_random_uuid(), product.id, product.id, $3, lower($3), $4, 'unused', $5::text::numeric, ($6::timestamptz AT TIME ZONE 'Asia/Ho_Chi_Minh')::date, $7, $7
			FROM product WHERE company_id = $1 AND code = $2`, a.id, c.Product, c.Code, c.Serial, c.Score, expires, a.now)
	})
}

// loadEntries lets the history happen at its time, and what its codes need to be used.
func (a *account) loadEntries(t *testing.T, b baseline, cards map[string]ledger.CardRef) {
	t.Helper()
	now := a.now
	done := map[string]bool{}
	for _, e := range b.Entries {
		a.now = time.UnixMilli(e.CreatedAt).UTC()
		card, before := cards[e.Contact], a.attempts(t)
		var err error
		if e.Type == 1 {
			done[e.Code] = true
			_, err = a.resolver.Catalog.Consume(t.Context(), a.system, catalog.Use{Code: e.Code, Card: card, Source: "test"})
		} else {
			_, err = a.resolver.Rewards.Redeem(t.Context(), a.system, reward.Exchange{Code: e.Gift, Card: card, Source: "test"})
		}
		if (err == nil) != (e.Status == 1) || err != nil && loyalty.CodeOf(err) == "" {
			t.Fatalf("entry %s: %v", e.ID, err)
		}
		for _, id := range a.attempts(t) {
			if !slices.Contains(before, id) {
				a.exec(t, `UPDATE reward_attempt SET id = $3 WHERE company_id = $1 AND id = $2`, a.id, id, coreID(t, e.ID))
			}
		}
	}
	a.now = now
	for _, c := range b.Codes {
		switch {
		case c.State == "blocked":
			if _, err := a.resolver.Catalog.Block(t.Context(), a.system, c.Code, true); err != nil {
				t.Fatal(err)
			}
		case c.State == "used" && !done[c.Code]: // by somebody, and the history does not say when
			a.exec(t, `UPDATE product_code SET status = 'used', used_at = $3, used_card_id = gen_random_uuid(), used_seq = 2 WHERE company_id = $1 AND code = $2`, a.id, c.Code, a.now)
		}
	}
}

func (a *account) attempts(t *testing.T) []uuid.UUID {
	t.Helper()
	return scan[[]uuid.UUID](t, a.env, `SELECT coalesce(array_agg(id), '{}') FROM reward_attempt WHERE company_id = $1`, a.id)
}

// balance makes up for what the history does not tell.
func (a *account) balance(t *testing.T, ref ledger.CardRef, want json.Number) {
	t.Helper()
	has := scan[decimal.Decimal](t, a.env, `SELECT balance FROM card WHERE company_id = $1 AND code = $2`, a.id, ref.Code)
	missing, err := decimal.MustParse(want.String()).Sub(has)
	if err != nil {
		t.Fatal(err)
	}
	if missing.IsZero() {
		return
	}
	_, err = a.resolver.Ledger.Post(t.Context(), a.system, ledger.Posting{Card: ref, Action: ledger.Adjust, Amount: &missing, Source: "test"})
	if err != nil {
		t.Fatalf("give a balance: %v", err)
	}
}

// shownErrors are the names of refusals in the history.
var shownErrors = map[loyalty.Code]string{
	loyalty.CodeProductCodeUsed: "code_used", loyalty.CodeProductCodeInactive: "code_inactive", loyalty.CodeRewardInactive: "gift_inactive",
	loyalty.CodeRewardOutOfStock: "gift_out_of_stock", loyalty.CodeInsufficientBalance: "not_enough_points",
}

// state is the database as the fixtures describe it.
func (a *account) state(t *testing.T) map[string]any {
	t.Helper()
	codes, gifts, contacts, entries := map[string]any{}, map[string]any{}, map[string]any{}, []any{}
	for _, c := range rows[struct{ Code, Status string }](t, a.env, `SELECT code, status FROM product_code WHERE company_id = $1`, a.id) {
		codes[c.Code] = map[string]any{"code": c.Code, "state": c.Status}
	}
	for _, g := range rows[struct {
		Code string
		Left *int
	}](t, a.env, `SELECT code, supplied - taken FROM reward WHERE company_id = $1`, a.id) {
		gifts[g.Code] = map[string]any{"code": g.Code, "stock": nil}
		if g.Left != nil {
			gifts[g.Code].(map[string]any)["stock"] = json.Number(strconv.Itoa(*g.Left))
		}
	}
	for _, c := range rows[struct {
		ID             uuid.UUID
		Number         int64
		Name, LastName string
		Active         bool
		Points         decimal.Decimal
	}](t, a.env, `SELECT id, number, first_name, coalesce(last_name, ''), active,
			coalesce((SELECT sum(balance) FROM card WHERE card.company_id = customer.company_id AND card.customer_id = customer.id), 0)
		FROM customer WHERE company_id = $1`, a.id) {
		row := map[string]any{
			"id": shown(c.ID), "customerId": json.Number(strconv.FormatInt(c.Number, 10)), "name": c.Name, "lastname": c.LastName,
			"blocked": !c.Active, "points": json.Number(c.Points.Trim(0).String()), "phones": []any{}, "emails": []any{},
		}
		for _, p := range rows[struct {
			ID                 uuid.UUID
			Kind, Label, Value string
		}](t, a.env, `SELECT id, kind, label, value FROM customer_contact WHERE company_id = $1 AND customer_id = $2 ORDER BY id`, a.id, c.ID) {
			row[p.Kind+"s"] = append(row[p.Kind+"s"].([]any), map[string]any{"type": p.Label, "_id": shown(p.ID), "value": p.Value})
		}
		contacts[strconv.FormatInt(c.Number, 10)] = row
	}
	for _, e := range rows[struct {
		ID                          uuid.UUID
		Kind                        string
		Error                       *string
		Score                       decimal.Decimal
		Contact                     int64
		Product, Code, Serial, Gift *string
		At                          time.Time
	}](t, a.env, `SELECT attempt.id, attempt.kind, attempt.error, attempt.score, customer.number, product.code, code.code, code.serial, reward.code, attempt.attempted_at
		FROM reward_attempt AS attempt
		JOIN customer ON customer.company_id = attempt.company_id AND customer.id = attempt.customer_id
		LEFT JOIN product ON product.company_id = attempt.company_id AND product.id = attempt.product_id
		LEFT JOIN product_code AS code ON code.company_id = attempt.company_id AND code.id = attempt.product_code_id
		LEFT JOIN reward ON reward.company_id = attempt.company_id AND reward.id = attempt.reward_id
		WHERE attempt.company_id = $1 ORDER BY attempt.attempted_at, attempt.id`, a.id) {
		row := map[string]any{
			"id": shown(e.ID), "score": json.Number(e.Score.Trim(0).String()), "status": json.Number("1"), "contact": fmt.Sprint(e.Contact),
			"createdAt": json.Number(strconv.FormatInt(e.At.UnixMilli(), 10)), "type": json.Number("1"),
		}
		if e.Error != nil {
			row["status"], row["error"] = json.Number("0"), cmp.Or(shownErrors[loyalty.Code(*e.Error)], *e.Error)
		}
		if e.Kind == "claim" {
			row["type"], row["gift"] = json.Number("2"), *e.Gift
		} else {
			row["product"], row["code"], row["serialNumber"] = *e.Product, *e.Code, *e.Serial
		}
		entries = append(entries, row)
	}
	next := scan[int64](t, a.env, `SELECT value + 1 FROM company_counter WHERE company_id = $1 AND name = 'customer'`, a.id)
	return map[string]any{
		"codes": codes, "gifts": gifts, "contacts": contacts, "entries": entries, "next_customer_id": json.Number(strconv.FormatInt(next, 10)),
	}
}

// shown is an id as the dialect shows it, reckoned another way than there.
func shown(id uuid.UUID) string {
	digits := strings.ReplaceAll(id.String(), "-", "")
	ms, err := strconv.ParseInt(digits[:12], 16, 64)
	if err != nil {
		panic(err) // an id's digits always read
	}
	return fmt.Sprintf("%08x", ms/1000) + digits[16:]
}
