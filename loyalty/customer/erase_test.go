package customer_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sello/loyalty"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
)

// person is somebody whose data is everywhere, under texts that nobody else has.
type person struct {
	*customer.Customer
	traces []string
}

// everywhere makes a person with cards, a wallet, segments, attributes, messages, rows
// of imported files, and somebody who was merged into them.
func everywhere(t *testing.T, env *env, rng *rand.Rand) person {
	t.Helper()
	word := func(prefix string) string { return fmt.Sprintf("%s%08x", prefix, rng.Uint32()) }
	phone := fmt.Sprintf("55%08d", rng.Uint32N(100_000_000))
	oldPhone := fmt.Sprintf("56%08d", rng.Uint32N(100_000_000))
	first, last, mail, document, code, note, holder := word("Ana"), word("Quispe"), word("ana")+"@example.com", word("DNI-"), word("C-"), word("likes "), word("Anita")
	oldMail, oldName := word("old")+"@example.com", word("Old")
	// A day that nobody else has.
	born := day("1987-01-01").AddDate(0, 0, env.count(t, `SELECT count(*) FROM customer`))
	p := person{traces: []string{phone, oldPhone, first, last, mail, document, code, note, holder, oldMail, oldName, born.Format(time.DateOnly)}}

	old := env.create(t, customer.Fields{FirstName: oldName, Email: oldMail, Phone: oldPhone})
	p.Customer = env.create(t, customer.Fields{
		Code: code, FirstName: first, LastName: last, Email: mail, Phone: phone, Document: document, Birthdate: &born,
		Attributes: json.RawMessage(`{"note":"` + note + `"}`),
	})
	env.card(t, "wallet", code, old)
	env.post(t, code, "12")
	env.merge(t, old, p.Customer)
	contact, _, err := env.customers.Register(t.Context(), env.who, customer.Contact{WalletKey: "wallet-key-1", Phone: phone, Name: holder, Birthdate: &born})
	if err != nil {
		t.Fatal(err)
	}
	p.traces = append(p.traces, contact.Code, p.QrCode)
	env.post(t, contact.Code, "40")
	env.post(t, contact.Code, "-7")
	_, err = env.customers.MembersChange(t.Context(), env.who, customer.MembersChange{SegmentCode: "vip", Create: true, Rows: rows(code)})
	if err != nil {
		t.Fatal(err)
	}
	for i, to := range []string{mail, p.phone(), "boss@shop.example"} {
		status := []string{"queued", "sent", "failed"}[i]
		env.exec(t, `INSERT INTO notification (company_id, id, channel, kind, subject_id, attempt, recipient, subject, body, status, error, created_at)
			VALUES ($1, gen_random_uuid(), 'email', $2, $3, 1, $4, 'For ' || $5, 'Dear ' || $5, $6, CASE $6 WHEN 'failed' THEN 'no ' || $4 END, now())`,
			env.company, "kind"+status, contact.ID, to, first, status)
	}
	ticket, wish := word("T-"), word("for ")
	p.traces = append(p.traces, ticket, wish)
	env.exec(t, `INSERT INTO reward (company_id, id, code, code_key, name, card_type_id, price, status, created_at, updated_at)
		VALUES ($1, $1, 'CUP', 'cup', 'A cup', $2, 1, 'active', now(), now()) ON CONFLICT DO NOTHING`, env.company, env.wallet.ID)
	env.exec(t, `INSERT INTO reward_claim (company_id, id, reward_id, card_id, seq, customer_id, stock, price, status, reference, description, source, actor_kind, claimed_at, updated_at)
		VALUES ($1, gen_random_uuid(), $1, $2, 2, $3, 'unlimited', 1, 'issued', $4, $5, 'graphql', 'system', now(), now())`, env.company, contact.ID, p.ID, ticket, wish)
	imp := uuid.New()
	env.exec(t, `INSERT INTO import (company_id, id, kind, status, file_name, sha256, bytes, forced, card_type_id, delimiter, encoding, header, rows_total, actor_kind, created_at, updated_at)
		VALUES ($1, $2, 'points', 'finished', 'a.csv', uuid_send($2), 1, false, $3, ',', 'utf-8', 'x', 6, 'system', now(), now())`, env.company, imp, env.wallet.ID)
	row := func(line int, id uuid.UUID, mail, document, raw, fault string) {
		env.exec(t, `INSERT INTO import_row (company_id, import_id, line, row_id, first_name, email, document, points, first_key, last_key, raw, error_code)
			VALUES ($1, $2, $3, $4, $5, nullif($6, ''), nullif($7, ''), 0, $5, '', $8, nullif($9, ''))`, env.company, imp, line, id, first, mail, document, raw, fault)
	}
	row(1, p.ID, "", "", first+",,,,0", "")
	row(2, uuid.New(), mail, "", first+",,"+mail+",,0", "")
	row(3, uuid.New(), "", strings.ToUpper(document), first+",,,"+document+",0", "")
	row(4, uuid.New(), "", "", first+`,,"<`+strings.ToUpper(mail)+`>",,0`, "email_invalido")
	row(5, uuid.New(), oldMail, "", oldName+",,"+oldMail+",,0", "")
	env.exec(t, `INSERT INTO notification (company_id, id, channel, kind, subject_id, attempt, recipient, subject, body, status, created_at)
		VALUES ($1, gen_random_uuid(), 'email', 'import_result', $2, 1, 'admin@shop.example', 'Your import', $3, 'sent', now())`,
		env.company, imp, "Row 4: "+mail+" is no address")
	return p
}

func (p person) phone() string { return *p.Customer.Phone }

// traces are the places where one of the texts stands: table and text.
func (e *env) traces(t *testing.T, texts []string) []string {
	t.Helper()
	var found []string
	for _, table := range e.texts(t, `SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname`) {
		for _, text := range texts {
			if n := e.count(t, `SELECT count(*) FROM `+table+` t WHERE position(lower($1) in lower(to_jsonb(t)::text)) > 0`, text); n > 0 {
				found = append(found, table+": "+text)
			}
		}
	}
	return found
}

func (e *env) erase(t *testing.T, id uuid.UUID, mode customer.EraseMode) *customer.Customer {
	t.Helper()
	left, err := e.customers.Erase(t.Context(), e.who, id, mode)
	if err != nil {
		t.Fatalf("Erase(%s): %v", mode, err)
	}
	var erasure uuid.UUID
	if err := e.pool.QueryRow(t.Context(), `SELECT id FROM customer_erasure WHERE finished_at IS NULL`).Scan(&erasure); err != nil {
		t.Fatal(err)
	}
	for done := false; !done; {
		if done, err = e.customers.TraceEraseStep(t.Context(), e.company, erasure); err != nil {
			t.Fatalf("TraceEraseStep: %v", err)
		}
	}
	return left
}

// Nothing of a person is left in any table, whatever the table; of somebody with
// nearly the same names nothing is gone.
func TestEraseLeavesNoTrace(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	env.define(t, customer.NewAttribute{Code: "note", Type: customer.AttributeText})
	other := everywhere(t, env, rng)
	for range 3 {
		p := everywhere(t, env, rng)
		if got := env.traces(t, p.traces[:1]); len(got) < 2 {
			t.Fatalf("before: traces of the phone: got %v", got)
		}
		before := env.traces(t, other.traces)

		left := env.erase(t, p.ID, customer.EraseTotal)

		if left != nil {
			t.Errorf("after a total erasure: got %+v", left)
		}
		if got := env.traces(t, p.traces); len(got) > 0 {
			t.Errorf("traces: %v", got)
		}
		if diff := cmp.Diff(before, env.traces(t, other.traces)); diff != "" {
			t.Errorf("traces of somebody else (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"customer_create", "customer_merge", "cards_erase", "customer_erase"}, env.audited(t, p.ID)); diff != "" {
			t.Errorf("audit (-want +got):\n%s", diff)
		}
		env.books(t)
	}
}

func TestErasePartial(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.define(t, customer.NewAttribute{Code: "note", Type: customer.AttributeText})
	p := everywhere(t, env, rand.New(rand.NewPCG(1, 1)))
	asked := &coupons{}
	env.customers.Coupons = asked

	left := env.erase(t, p.ID, customer.ErasePartial)

	if left.FirstName != "-" || *left.LastName != "-" || left.Email != nil || left.Phone != nil || left.Document != nil || left.DocumentKey != nil ||
		left.Birthdate != nil || left.Active || left.ErasedAt == nil || string(left.AttributesJSON()) != "{}" || left.QrCode == p.QrCode {
		t.Errorf("left: got %+v", left.Customer)
	}
	if got := env.traces(t, p.traces); len(got) != 2 { // the code, of the customer and of the card that has it
		t.Errorf("traces: %v", got)
	}
	found, err := env.customers.ByCode(t.Context(), env.company, *p.Code)
	if err != nil || found == nil || found.ID != p.ID {
		t.Errorf("ByCode: got %v, error %v", found, err)
	}
	cards, err := env.ledger.CardsByCustomers(t.Context(), env.company, []uuid.UUID{p.ID}, nil, 10)
	if err != nil || len(cards[p.ID].Cards) != 2 {
		t.Fatalf("cards: got %v, error %v", cards, err)
	}
	sum := env.texts(t, `SELECT trim_scale(sum(balance))::text FROM card WHERE customer_id = $1 AND status = 'enabled'`, p.ID)
	if diff := cmp.Diff([]string{"45"}, sum); diff != "" {
		t.Errorf("balances of enabled cards (-want +got):\n%s", diff)
	}
	if n := env.count(t, `SELECT count(*) FROM customer_segment`) + env.count(t, `SELECT count(*) FROM customer_attribute_value`) + len(asked.done); n != 0 {
		t.Errorf("segments, attributes and coupons touched: got %d", n)
	}
	if diff := cmp.Diff([]string{"failed erased", "failed erased", "sent ", "sent "},
		env.texts(t, `SELECT status || ' ' || coalesce(error, '') FROM notification ORDER BY 1`)); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	env.books(t)

	// Two erased in part do not get into each other's way, and the rest goes later.
	second := everywhere(t, env, rand.New(rand.NewPCG(2, 2)))
	env.erase(t, second.ID, customer.ErasePartial)
	env.erase(t, p.ID, customer.EraseTotal)
	if got := env.traces(t, p.traces); len(got) != 0 {
		t.Errorf("traces after all of it: %v", got)
	}
	env.books(t)
}

// spec/promo-6 section 1, R.
func TestEraseTotal(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.define(t, customer.NewAttribute{Code: "note", Type: customer.AttributeText})
	asked := &coupons{}
	env.customers.Coupons = asked
	p := everywhere(t, env, rand.New(rand.NewPCG(3, 3)))
	asked.done = nil
	cards, err := env.ledger.CardsByCustomers(t.Context(), env.company, []uuid.UUID{p.ID}, nil, 10)
	if err != nil {
		t.Fatal(err)
	}

	env.erase(t, p.ID, customer.EraseTotal)

	for name, read := range map[string]func() (*customer.Customer, error){
		"ByID":    func() (*customer.Customer, error) { return env.customers.ByID(t.Context(), env.company, p.ID) },
		"ByCode":  func() (*customer.Customer, error) { return env.customers.ByCode(t.Context(), env.company, *p.Code) },
		"ByEmail": func() (*customer.Customer, error) { return env.customers.ByEmail(t.Context(), env.company, *p.Email) },
		"ByDocument": func() (*customer.Customer, error) {
			return env.customers.ByDocument(t.Context(), env.company, *p.Document)
		},
		"ByQRCode": func() (*customer.Customer, error) { return env.customers.ByQRCode(t.Context(), env.company, p.QrCode) },
		"the token": func() (*customer.Customer, error) {
			return env.customers.ByQRCode(t.Context(), env.company, "erased-"+p.ID.String())
		},
		"ByPhone": func() (*customer.Customer, error) { return env.customers.ByPhone(t.Context(), env.company, *p.Phone) },
	} {
		if got, err := read(); got != nil || err != nil {
			t.Errorf("%s: got %v, error %v", name, got, err)
		}
	}
	if n, err := env.customers.Count(t.Context(), env.company); n != 0 || err != nil {
		t.Errorf("Count: got %d, error %v", n, err)
	}
	written := env.texts(t, `SELECT trim_scale(amount)::text || ' ' || description FROM movement WHERE action = 'write_off' ORDER BY amount`)
	if diff := cmp.Diff([]string{"-33 ERASURE", "-12 ERASURE"}, written); diff != "" {
		t.Errorf("written off (-want +got):\n%s", diff)
	}
	for _, c := range cards[p.ID].Cards {
		for _, code := range []string{c.Code, "erased-" + c.ID.String()} {
			if got, err := env.ledger.CardByCode(t.Context(), env.company, code); got != nil || err != nil {
				t.Errorf("CardByCode(%s): got %v, error %v", code, got, err)
			}
		}
		if got, err := env.ledger.CardByID(t.Context(), env.company, c.ID); got != nil || err != nil {
			t.Errorf("CardByID: got %v, error %v", got, err)
		}
		if got, err := env.ledger.Movement(t.Context(), env.company, c.ID, 1); got != nil || err != nil {
			t.Errorf("Movement: got %v, error %v", got, err)
		}
	}
	if n := env.count(t, `SELECT count(*) FROM card WHERE status = 'cancelled' AND hidden_at IS NOT NULL AND balance = 0 AND status_reason = 'ERASURE'`); n != 2 {
		t.Errorf("cancelled and hidden cards: got %d, want 2", n)
	}
	if diff := cmp.Diff([]string{"void " + p.ID.String()}, asked.done); diff != "" {
		t.Errorf("coupons (-want +got):\n%s", diff)
	}
	if told := env.told(t, p.ID); told[len(told)-1] != "customer_erased" {
		t.Errorf("events: got %v", told)
	}
	// All names are free again.
	again := env.create(t, customer.Fields{Code: *p.Code, FirstName: "New", Email: *p.Email, Document: *p.Document, Phone: *p.Phone})
	env.card(t, "wallet", *p.Code, again)
	contact, reopened, err := env.customers.Register(t.Context(), env.who, customer.Contact{WalletKey: "wallet-key-1", Phone: (*p.Phone)[3:], Name: "New"})
	if err != nil || reopened || *contact.CustomerID != again.ID {
		t.Errorf("Register: got %v, reopened %v, error %v", contact, reopened, err)
	}
	// It cannot be undone, nor done again.
	_, err = env.customers.Erase(t.Context(), env.who, p.ID, customer.EraseTotal)
	wantRefusal(t, err, loyalty.CodeCustomerNotFound, "id")
	_, err = env.customers.Update(t.Context(), env.who, p.ID, customer.Change{FirstName: new("x")})
	wantRefusal(t, err, loyalty.CodeCustomerNotFound, "id")
	env.books(t)
}

func TestEraseRefuses(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	c, into := env.create(t, customer.Fields{FirstName: "A"}), env.create(t, customer.Fields{FirstName: "B"})
	_, err := env.customers.Erase(t.Context(), env.who, c.ID, "half")
	wantRefusal(t, err, loyalty.CodeInvalid, "mode")
	other := env.other(t)
	_, err = other.customers.Erase(t.Context(), other.who, c.ID, customer.EraseTotal)
	wantRefusal(t, err, loyalty.CodeCustomerNotFound, "id")
	env.merge(t, c, into)
	_, err = env.customers.Erase(t.Context(), env.who, c.ID, customer.EraseTotal)
	wantRefusal(t, err, loyalty.CodeCustomerMerged, "id")
}

// What is held, pending or owed goes as well: nothing comes to life on a card that
// has ended.
func TestEraseWritesOffEverything(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	c := env.create(t, customer.Fields{FirstName: "A"})
	env.exec(t, `UPDATE card_type SET floor = -100 WHERE id = $1`, env.wallet.ID)
	env.card(t, "wallet", "DEBT", c)
	env.post(t, "DEBT", "-30")
	lots := env.walletOf(t, ledger.NewCardType{Code: "lots"})
	env.exec(t, `UPDATE card_type SET tracks_lots = true, expiry_policy = 'after', expiry_count = 12, expiry_unit = 'month' WHERE id = $1`, lots.ID)
	card := env.card(t, "lots", "LOTS", c)
	env.post(t, "LOTS", "50")
	// A hold of 20 and points that vest next year, as the ledger writes them.
	env.exec(t, `INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source, held)
		VALUES ($1, $2, 3, 'hold', 0, 50, $3, $3, 'test', 20), ($1, $2, 4, 'pend', 0, 50, $3, $3, 'test', NULL)`, env.company, card.ID, noon)
	env.exec(t, `INSERT INTO hold (company_id, id, card_id, seq, status, amount, expires_at, created_at)
		VALUES ($1, gen_random_uuid(), $2, 3, 'open', 20, $3::timestamptz + interval '1 day', $3)`, env.company, card.ID, noon)
	env.exec(t, `INSERT INTO lot_entry (company_id, card_id, seq, lot_seq, lot_part, amount) VALUES ($1, $2, 3, 2, 0, -20)`, env.company, card.ID)
	env.exec(t, `UPDATE lot SET remaining = 30 WHERE card_id = $1`, card.ID)
	env.exec(t, `INSERT INTO lot (company_id, card_id, seq, part, state, amount, remaining, earned_on, vests_on, priority)
		VALUES ($1, $2, 4, 0, 'pending', 9, 9, '2026-03-01', '2027-03-01', 100)`, env.company, card.ID)
	env.exec(t, `UPDATE card SET seq = 4, held = 20 WHERE id = $1`, card.ID)

	env.erase(t, c.ID, customer.EraseTotal)

	if n := env.count(t, `SELECT count(*) FROM card WHERE balance <> 0 OR held <> 0`); n != 0 {
		t.Errorf("cards with something on them: %d", n)
	}
	if n := env.count(t, `SELECT count(*) FROM lot WHERE remaining <> 0 OR state <> 'closed'`); n != 0 {
		t.Errorf("lots with something in them: %d", n)
	}
	if n := env.count(t, `SELECT count(*) FROM lot l WHERE l.remaining <> l.amount + (SELECT coalesce(sum(e.amount), 0) FROM lot_entry e
		WHERE e.company_id = l.company_id AND e.card_id = l.card_id AND e.lot_seq = l.seq AND e.lot_part = l.part)`); n != 0 {
		t.Errorf("lots that are not what their entries come to: %d", n)
	}
	if n := env.count(t, `SELECT count(*) FROM hold WHERE status <> 'released'`); n != 0 {
		t.Errorf("holds that are not released: %d", n)
	}
	want := []string{"activate 0", "activate 0", "adjust -30", "adjust 50", "cancel 0", "cancel 0", "hold 0", "pend 0", "release 0", "write_off -50", "write_off 30"}
	if diff := cmp.Diff(want, env.texts(t, `SELECT action || ' ' || trim_scale(amount) FROM movement ORDER BY action, amount`)); diff != "" {
		t.Errorf("movements (-want +got):\n%s", diff)
	}
}

// The search through imported files goes by steps, which may be cut off and taken
// again: each row goes once, and what was looked for is forgotten at the end.
func TestTraceEraseSteps(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	c := env.create(t, customer.Fields{FirstName: "Ana", Email: "ana@example.com", Document: "DNI-123456"})
	imp := uuid.New()
	env.exec(t, `INSERT INTO import (company_id, id, kind, status, file_name, sha256, bytes, forced, card_type_id, delimiter, encoding, header, rows_total, actor_kind, created_at, updated_at)
		VALUES ($1, $2, 'points', 'finished', 'a.csv', uuid_send($2), 1, false, $3, ',', 'utf-8', 'x', 50000, 'system', now(), now())`, env.company, imp, env.wallet.ID)
	env.exec(t, `INSERT INTO import_row (company_id, import_id, line, row_id, first_name, email, points, first_key, last_key, raw)
		SELECT $1, $2, n, gen_random_uuid(), 'X', CASE WHEN n % 10000 = 1 THEN 'ana@example.com' ELSE 'mariana@example.com' END, 0, 'x', '',
		       CASE WHEN n % 10000 = 1 THEN 'Ana,,ana@example.com,,0' WHEN n = 777 THEN 'DNI-123456 7' WHEN n = 778 THEN 'DNI-1234567' ELSE 'X,,mariana@example.com,,0' END
		FROM generate_series(1, 50000) n`, env.company, imp)
	if _, err := env.customers.Erase(t.Context(), env.who, c.ID, customer.EraseTotal); err != nil {
		t.Fatal(err)
	}
	var erasure uuid.UUID
	if err := env.pool.QueryRow(t.Context(), `SELECT id FROM customer_erasure`).Scan(&erasure); err != nil {
		t.Fatal(err)
	}
	env.exec(t, `CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.line = 20001 THEN RAISE EXCEPTION 'killed'; END IF; RETURN OLD; END $$`)
	env.exec(t, `CREATE TRIGGER break BEFORE DELETE ON import_row FOR EACH ROW EXECUTE FUNCTION break()`)
	var err error
	done, steps := false, 0
	for !done && err == nil {
		done, err = env.customers.TraceEraseStep(t.Context(), env.company, erasure)
	}
	if err == nil || env.count(t, `SELECT rows_deleted FROM customer_erasure`) != 3 {
		t.Fatalf("up to the row where it is cut off: error %v, %d rows", err, env.count(t, `SELECT rows_deleted FROM customer_erasure`))
	}
	env.exec(t, `DROP TRIGGER break ON import_row`)
	for done = false; !done; steps++ {
		if done, err = env.customers.TraceEraseStep(t.Context(), env.company, erasure); err != nil {
			t.Fatal(err)
		}
	}
	if done, err = env.customers.TraceEraseStep(t.Context(), env.company, erasure); !done || err != nil {
		t.Errorf("another step: got %v, error %v", done, err)
	}
	if n := env.count(t, `SELECT rows_deleted FROM customer_erasure WHERE finished_at IS NOT NULL AND emails = '{}' AND document_keys = '{}'`); n != 6 || steps != 2 {
		t.Errorf("got %d rows in all, %d steps after the cut, want 6 and 2", n, steps)
	}
	if n := env.count(t, `SELECT count(*) FROM import_row`); n != 49994 {
		t.Errorf("rows left: got %d, want 49994", n)
	}
}
