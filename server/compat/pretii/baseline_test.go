package pretii_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/ledger"
	"sello/loyalty/points"
)

// baseline is the state that a fixture begins with (fixtures' README).
type baseline struct {
	Now    time.Time
	Tenant struct {
		Slug, Token, Prefijo string
		Others, Locales      []string
		TimeZone             string `json:"time_zone"`
		AdminEmail           string `json:"admin_email"`
		Equivalencia         *struct{ Monto, Puntos json.Number }
	}
	Clientes    map[string]baselineCustomer
	Movimientos []struct {
		Tipo, Cliente           string
		Puntos, Saldo           json.Number
		Monto                   *json.Number
		Referencia, Descripcion *string
		CreadoEn                time.Time `json:"creado_en"`
	}
	Importaciones map[string]struct {
		Archivo string
		Totales struct {
			Puntos json.Number `json:"puntos_asignados"`
		}
	}
}

type baselineCustomer struct {
	ID, Nombres, Email   string
	Apellidos, Telefono  *string
	DocumentoDeIdentidad *string `json:"documento_de_identidad"`
	Puntos               json.Number
	QR                   string
	CreadoEn             time.Time `json:"creado_en"`
}

// coreID is the core's id of a customer whom the fixtures call cli_101.
func coreID(t *testing.T, shown string) uuid.UUID {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimPrefix(shown, "cli_"))
	if err != nil {
		t.Fatalf("id %q: %v", shown, err)
	}
	return uuid.MustParse(fmt.Sprintf("00000000-0000-7000-8000-%012d", n))
}

// shownID is a core's id as the dialect shows it.
func shownID(id uuid.UUID) string { return "cli_" + strings.ReplaceAll(id.String(), "-", "") }

// ids are the fixtures' names of customers and what they are here.
func (b baseline) ids(t *testing.T) *strings.Replacer {
	t.Helper()
	var pairs []string
	for _, c := range b.Clientes {
		pairs = append(pairs, c.ID, shownID(coreID(t, c.ID)))
	}
	return strings.NewReplacer(pairs...)
}

// load makes the company of a baseline. upload sends again what an earlier import was
// made of, nil where there was none.
func (e *env) load(t *testing.T, b baseline, upload func(fileName string)) {
	t.Helper()
	e.company = newID(t)
	e.addCompany(t, e.company, b.Tenant.Slug)
	e.exec(t, `UPDATE company SET time_zone = $2, phone_prefix = $3 WHERE id = $1`, e.company, b.Tenant.TimeZone, b.Tenant.Prefijo)
	for _, other := range b.Tenant.Others {
		e.addCompany(t, newID(t), other)
	}
	if _, err := e.auth.KeyImport(t.Context(), auth.System(e.company), b.Tenant.Token, auth.KeyInput{
		Kind: auth.KeyPretii, Name: "panel", ContactEmail: b.Tenant.AdminEmail,
	}); err != nil {
		t.Fatal(err)
	}
	for _, code := range b.Tenant.Locales {
		if _, err := e.resolver.Companies.StoreCreate(t.Context(), auth.System(e.company), code, "Local "+code); err != nil {
			t.Fatal(err)
		}
	}
	if b.Tenant.Equivalencia == nil {
		e.exec(t, `UPDATE card_type SET ratio_points = NULL, ratio_amount = NULL WHERE company_id = $1`, e.company)
	} else {
		e.exec(t, `UPDATE card_type SET ratio_points = $2::text::numeric, ratio_amount = $3::text::numeric WHERE company_id = $1`,
			e.company, b.Tenant.Equivalencia.Puntos.String(), b.Tenant.Equivalencia.Monto.String())
	}
	for _, email := range slices.Sorted(maps.Keys(b.Clientes)) {
		e.addCustomer(t, b, b.Clientes[email])
	}
	e.clock.set(b.Now)
	for _, m := range b.Movimientos {
		if m.Tipo != "asignacion" || m.Monto != nil {
			t.Fatalf("no fixture had a movement like %+v", m)
		}
		change := points.Change{CustomerID: coreID(t, m.Cliente), Points: new(decimal.MustParse(m.Puntos.String())), Source: "pretii"}
		if m.Referencia != nil {
			change.Reference = *m.Referencia
		}
		done, err := e.resolver.Points.Assign(t.Context(), auth.System(e.company), change)
		if err != nil || done.Movement.BalanceAfter.Cmp(decimal.MustParse(m.Saldo.String())) != 0 {
			t.Fatalf("make a movement of the baseline: got %+v, error %v", done.Movement, err)
		}
	}
	if upload != nil {
		for _, i := range b.Importaciones {
			upload(i.Archivo)
		}
	}
}

// addCustomer adds a customer with the account that they had then, and what they had on
// it before the movements that the baseline tells.
func (e *env) addCustomer(t *testing.T, b baseline, c baselineCustomer) {
	t.Helper()
	e.clock.set(c.CreadoEn)
	id, last, document := coreID(t, c.ID), "", ""
	if c.Apellidos != nil {
		last = *c.Apellidos
	}
	if c.DocumentoDeIdentidad != nil {
		document = *c.DocumentoDeIdentidad
	}
	key := strings.TrimSpace(loyalty.SearchKey(c.Nombres) + " " + loyalty.SearchKey(last))
	e.exec(t, `INSERT INTO customer (company_id, id, first_name, last_name, email, phone, document, document_key, qr_code, name_key, first_key, created_at, updated_at)
		VALUES ($1, $2, $3, nullif($4, ''), $5, $6, nullif($7, ''), lower(nullif($7, '')), $8, $9, $10, $11, $11)`,
		e.company, id, c.Nombres, last, c.Email, c.Telefono, document, c.QR, key, loyalty.SearchKey(c.Nombres), c.CreadoEn)
	who := auth.System(e.company)
	card, err := e.resolver.Ledger.CardCreate(t.Context(), who, ledger.NewCard{CardTypeCode: "puntos", CustomerID: &id, Code: c.QR, Source: "test"})
	if err != nil {
		t.Fatal(err)
	}
	before := decimal.MustParse(c.Puntos.String())
	for _, m := range b.Movimientos {
		if m.Cliente == c.ID {
			if before, err = before.Sub(decimal.MustParse(m.Puntos.String())); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, i := range b.Importaciones {
		if c.ID == "cli_101" { // of whom the file of 52 and 53 tells
			if before, err = before.Sub(decimal.MustParse(i.Totales.Puntos.String())); err != nil {
				t.Fatal(err)
			}
		}
	}
	if before.IsZero() {
		return
	}
	_, err = e.resolver.Ledger.Post(t.Context(), who, ledger.Posting{
		Card: ledger.CardRef{Code: card.Code}, Action: ledger.Adjust, Amount: &before, Source: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
}

// retire makes room for another company of the same name and token.
func (e *env) retire(t *testing.T) {
	t.Helper()
	e.exec(t, `UPDATE company SET code = 'old-' || left(replace(id::text, '-', ''), 32) WHERE code NOT LIKE 'old-%'`)
	e.exec(t, `DELETE FROM api_key`)
	e.signIn(t)
	e.resolver.Auth = e.auth
}

// state is the database as the fixtures describe it: given is what was there before the
// request and is no part of it.
func (e *env) state(t *testing.T, given tally) map[string]any {
	t.Helper()
	customers, imports, mails := map[string]any{}, map[string]any{}, []any{}
	rows, err := e.pool.Query(t.Context(), `SELECT email, first_name, last_name, document,
			(SELECT coalesce(sum(balance), 0)::float8 FROM card WHERE card.company_id = customer.company_id AND card.customer_id = customer.id)
		FROM customer WHERE company_id = $1`, e.company)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var email, first string
		var last, document *string
		var balance float64
		if err := rows.Scan(&email, &first, &last, &document, &balance); err != nil {
			t.Fatal(err)
		}
		customers[email] = map[string]any{
			"email": email, "nombres": first, "apellidos": orNil(last), "documento_de_identidad": orNil(document), "puntos": balance,
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	now := e.tally(t)
	for i := range now.imports {
		imports[strconv.Itoa(i)] = nil
	}
	if sent := now.mails - given.mails; sent > 0 {
		for i := range sent {
			mails = append(mails, map[string]any{"para": e.text(t, `SELECT recipient FROM notification WHERE company_id = $1 ORDER BY id OFFSET $2 LIMIT 1`, e.company, given.mails+i)})
		}
	}
	return map[string]any{"clientes": customers, "importaciones": imports, "emails": mails, "movimientos": make([]any, now.movements-given.movements)}
}

func orNil(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

// tally counts what fixtures count.
type tally struct{ movements, mails, imports int }

func (e *env) tally(t *testing.T) tally {
	t.Helper()
	n := func(sql string) int {
		n, err := strconv.Atoi(e.text(t, sql, e.company))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return tally{
		movements: n(`SELECT count(*) FROM movement WHERE company_id = $1 AND action IN ('accrue', 'redeem')`),
		mails:     n(`SELECT count(*) FROM notification WHERE company_id = $1`),
		imports:   n(`SELECT count(*) FROM import WHERE company_id = $1`),
	}
}

// imported is the id of an import that was answered.
func imported(a answer) string { return path.Base(a.Header.Get("Location")) }
