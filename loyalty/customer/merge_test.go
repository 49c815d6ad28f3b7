package customer_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/customer"
	"sello/loyalty/ledger"
)

// coupons records what is asked of the coupons, and fails if it is to.
type coupons struct {
	mu   sync.Mutex
	done []string
	fail error
}

func (c *coupons) VoidOfCustomer(_ context.Context, _ db.Tx, _ auth.Principal, id uuid.UUID) error {
	return c.note("void " + id.String())
}

func (c *coupons) MoveToCustomer(_ context.Context, _ db.Tx, _ auth.Principal, from, into uuid.UUID) error {
	return c.note("move " + from.String() + " " + into.String())
}

func (c *coupons) note(what string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = append(c.done, what)
	return c.fail
}

func (e *env) merge(t *testing.T, from, into *customer.Customer) *customer.Customer {
	t.Helper()
	got, replayed, err := e.customers.Merge(t.Context(), e.who, from.ID, into.ID)
	if err != nil || replayed {
		t.Fatalf("Merge: replayed %v, error %v", replayed, err)
	}
	return got
}

func TestMerge(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	asked := &coupons{}
	env.customers.Coupons = asked
	env.define(t, customer.NewAttribute{Code: "size", Type: customer.AttributeText})
	env.define(t, customer.NewAttribute{Code: "city", Type: customer.AttributeText})
	from := env.create(t, customer.Fields{
		Code: "C-1", FirstName: "Ana", LastName: "Quispe", Email: "ana@old.example", Phone: "5511111111", Document: "DNI-1", Birthdate: day("1990-05-01"),
		Attributes: json.RawMessage(`{"size":"M","city":"Lima"}`),
	})
	into := env.create(t, customer.Fields{FirstName: "Anita", Email: "ana@new.example", Attributes: json.RawMessage(`{"size":"L"}`)})
	env.card(t, "wallet", "CARD-1", from)
	env.card(t, "wallet", "CARD-2", into)
	env.post(t, "CARD-1", "7")
	for code, of := range map[string][]customer.MemberRow{"both": {{Ref: customer.Ref{ID: &from.ID}}, {Ref: customer.Ref{ID: &into.ID}}}, "theirs": {{Ref: customer.Ref{ID: &from.ID}}}} {
		if _, err := env.customers.MembersChange(t.Context(), env.who, customer.MembersChange{SegmentCode: code, Create: true, Rows: of}); err != nil {
			t.Fatal(err)
		}
	}
	movements := env.texts(t, `SELECT to_jsonb(m)::text FROM movement m WHERE action <> 'assign' ORDER BY card_id, seq`)

	got := env.merge(t, from, into)

	text := strings.Join([]string{*got.Code, got.FirstName, *got.LastName, *got.Email, *got.Phone, *got.Document, got.Birthdate.Format("2006-01-02"),
		string(got.AttributesJSON()), got.NameKey}, "|")
	if want := `C-1|Anita|Quispe|ana@new.example|+525511111111|DNI-1|1990-05-01|{"city": "Lima", "size": "L"}|anita quispe`; text != want {
		t.Errorf("merged: got %s, want %s", text, want)
	}
	cards, err := env.ledger.CardsByCustomers(t.Context(), env.company, []uuid.UUID{from.ID, into.ID}, nil, 10)
	if err != nil || len(cards[into.ID].Cards) != 2 || len(cards[from.ID].Cards) != 0 {
		t.Errorf("cards: got %v, error %v", cards, err)
	}
	page, err := env.customers.SegmentsOf(t.Context(), env.company, got, nil, 10)
	if err != nil || len(page.All) != 2 {
		t.Errorf("segments: got %v, error %v", page.All, err)
	}
	if diff := cmp.Diff(movements, env.texts(t, `SELECT to_jsonb(m)::text FROM movement m WHERE action <> 'assign' ORDER BY card_id, seq`)); diff != "" {
		t.Errorf("movements changed (-before +after):\n%s", diff)
	}
	moved := env.texts(t, `SELECT card.code || ' ' || m.description FROM movement m JOIN card ON card.company_id = m.company_id AND card.id = m.card_id WHERE m.action = 'assign'`)
	if diff := cmp.Diff([]string{"CARD-1 MERGE"}, moved); diff != "" {
		t.Errorf("lines of cards that changed hands (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Anita"}, env.with(t, "city", "Lima")); diff != "" {
		t.Errorf("by an attribute (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"move " + from.ID.String() + " " + into.ID.String()}, asked.done); diff != "" {
		t.Errorf("coupons (-want +got):\n%s", diff)
	}
	// No list and no search has the one who went; look-ups say who they are.
	if names := env.found(t, "quispe"); len(names) != 1 || names[0] != "Anita" {
		t.Errorf("search: got %v", names)
	}
	if n, err := env.customers.Count(t.Context(), env.company); n != 1 || err != nil {
		t.Errorf("Count: got %d, error %v", n, err)
	}
	for name, read := range map[string]func() (*customer.Customer, error){
		"ByID": func() (*customer.Customer, error) { return env.customers.ByID(t.Context(), env.company, from.ID) },
		"ByEmail": func() (*customer.Customer, error) {
			return env.customers.ByEmail(t.Context(), env.company, "ana@old.example")
		},
		"ByQRCode": func() (*customer.Customer, error) {
			return env.customers.ByQRCode(t.Context(), env.company, from.QrCode)
		},
	} {
		old, err := read()
		if err != nil || old == nil || old.Active {
			t.Errorf("%s: got %v, error %v", name, old, err)
			continue
		}
		if now, err := env.customers.MergedInto(t.Context(), env.company, old); err != nil || now == nil || now.ID != into.ID {
			t.Errorf("%s: merged into %v, error %v", name, now, err)
		}
	}
	// What went over leads to the one who stays.
	if c, err := env.customers.ByCode(t.Context(), env.company, "C-1"); err != nil || c.ID != into.ID {
		t.Errorf("ByCode: got %v, error %v", c, err)
	}
	if diff := cmp.Diff([]string{"customer_created", "customer_merged"}, env.told(t, from.ID)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"customer_create", "customer_merge"}, env.audited(t, into.ID)); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
	env.books(t)

	again, replayed, err := env.customers.Merge(t.Context(), env.who, from.ID, into.ID)
	if err != nil || !replayed || again.ID != into.ID {
		t.Errorf("once more: got %v, replayed %v, error %v", again, replayed, err)
	}
}

func TestMergeRefuses(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	one := env.walletOf(t, ledger.NewCardType{Code: "one"})
	env.exec(t, `UPDATE card_type SET one_active_card = true WHERE id = $1`, one.ID)
	a, b := env.create(t, customer.Fields{FirstName: "A"}), env.create(t, customer.Fields{FirstName: "B"})
	gone, whole := env.create(t, customer.Fields{FirstName: "C"}), env.create(t, customer.Fields{FirstName: "D"})
	merged := env.create(t, customer.Fields{FirstName: "E"})
	env.merge(t, merged, whole)
	if _, err := env.customers.Erase(t.Context(), env.who, gone.ID, customer.ErasePartial); err != nil {
		t.Fatal(err)
	}
	total := env.create(t, customer.Fields{FirstName: "F"})
	if _, err := env.customers.Erase(t.Context(), env.who, total.ID, customer.EraseTotal); err != nil {
		t.Fatal(err)
	}
	env.card(t, "one", "ONE-A", a)
	env.card(t, "one", "ONE-B", b)
	other := env.other(t)
	theirs := other.create(t, customer.Fields{FirstName: "G"})
	for name, tt := range map[string]struct {
		from, into uuid.UUID
		code       loyalty.Code
		field      string
	}{
		"the same":                          {a.ID, a.ID, loyalty.CodeInvalid, "intoId"},
		"nobody":                            {uuid.New(), b.ID, loyalty.CodeCustomerNotFound, "fromId"},
		"into nobody":                       {a.ID, uuid.New(), loyalty.CodeCustomerNotFound, "intoId"},
		"another company's":                 {theirs.ID, b.ID, loyalty.CodeCustomerNotFound, "fromId"},
		"into another company's":            {a.ID, theirs.ID, loyalty.CodeCustomerNotFound, "intoId"},
		"a merged one":                      {merged.ID, b.ID, loyalty.CodeCustomerMerged, "fromId"},
		"into a merged one":                 {b.ID, merged.ID, loyalty.CodeCustomerMerged, "intoId"},
		"into an erased one":                {a.ID, gone.ID, loyalty.CodeCustomerErased, "intoId"},
		"into one who is gone":              {a.ID, total.ID, loyalty.CodeCustomerNotFound, "intoId"},
		"one who is gone":                   {total.ID, a.ID, loyalty.CodeCustomerNotFound, "fromId"},
		"two active cards where one may be": {a.ID, b.ID, loyalty.CodeActiveCardExists, "fromId"},
	} {
		_, _, err := env.customers.Merge(t.Context(), env.who, tt.from, tt.into)
		if loyalty.CodeOf(err) != tt.code || err.(*loyalty.Error).Field != tt.field {
			t.Errorf("%s: got %v, want %s of %s", name, err, tt.code, tt.field)
		}
	}
	_, err := env.customers.Update(t.Context(), env.who, merged.ID, customer.Change{FirstName: new("x")})
	wantRefusal(t, err, loyalty.CodeCustomerMerged, "id")
	if into := err.(*loyalty.Error).Params["intoId"]; into != whole.GlobalID() {
		t.Errorf("intoId: got %s, want %s", into, whole.GlobalID())
	}
	if _, err := env.ledger.CardStatusSet(t.Context(), env.who, "ONE-A", ledger.Disabled); err != nil {
		t.Fatal(err)
	}
	env.merge(t, a, b)

	// Nothing is left of a merge that fails at its end.
	c, d := env.create(t, customer.Fields{FirstName: "C", Email: "c@example.com"}), env.create(t, customer.Fields{FirstName: "D"})
	env.customers.Coupons = &coupons{fail: errors.New("no")}
	if _, _, err := env.customers.Merge(t.Context(), env.who, c.ID, d.ID); err == nil {
		t.Error("a merge whose coupons fail: no error")
	}
	if got, err := env.customers.ByEmail(t.Context(), env.company, "c@example.com"); err != nil || got.ID != c.ID || got.MergedIntoID != nil {
		t.Errorf("after a failed merge: got %v, error %v", got, err)
	}
}

// Whoever was merged into somebody who is merged leads to the last of them.
func TestMergesInARow(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	var all []*customer.Customer
	for _, name := range []string{"a", "b", "c"} {
		all = append(all, env.create(t, customer.Fields{FirstName: name, Email: name + "@example.com", Phone: "551111111" + map[string]string{"a": "1", "b": "2", "c": "3"}[name]}))
	}
	env.merge(t, all[0], all[1])
	env.merge(t, all[1], all[2])
	for _, mail := range []string{"a@example.com", "b@example.com"} {
		c, err := env.customers.ByEmail(t.Context(), env.company, mail)
		if err != nil || c == nil || *c.MergedIntoID != all[2].ID {
			t.Errorf("%s: got %+v, error %v", mail, c, err)
		}
	}
	// A till that knows the old phone registers who they are now.
	card, _, err := env.customers.Register(t.Context(), env.who, customer.Contact{WalletKey: "wallet-key-1", Phone: "5511111111", Name: "A"})
	if err != nil || *card.CustomerID != all[2].ID {
		t.Errorf("Register: got %v, error %v", card, err)
	}
}

// Merges that cross follow each other: one wins, the others are told.
func TestMergesThatCross(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	for range 15 {
		a, b := env.create(t, customer.Fields{FirstName: "A"}), env.create(t, customer.Fields{FirstName: "B"})
		card := env.card(t, "wallet", "X-"+uuid.NewString(), a)
		var wg sync.WaitGroup
		won := make([]bool, 4)
		for i := range won {
			from, into := a, b
			if i%2 == 1 {
				from, into = b, a
			}
			wg.Go(func() {
				_, replayed, err := env.customers.Merge(t.Context(), env.who, from.ID, into.ID)
				won[i] = err == nil && !replayed
				if err != nil && loyalty.CodeOf(err) != loyalty.CodeCustomerMerged {
					t.Errorf("Merge: %v", err)
				}
			})
		}
		wg.Go(func() { env.post(t, card.Code, "1") })
		wg.Wait()
		winners := 0
		for _, w := range won {
			if w {
				winners++
			}
		}
		if winners != 1 {
			t.Fatalf("%d of four merges won", winners)
		}
	}
	if n := env.count(t, `SELECT count(*) FROM customer WHERE hidden_at IS NULL`); n != 15 {
		t.Errorf("customers left: got %d, want 15", n)
	}
	if n := env.count(t, `SELECT count(*) FROM card JOIN customer c ON c.company_id = card.company_id AND c.id = card.customer_id WHERE c.hidden_at IS NULL`); n != 15 {
		t.Errorf("cards of customers who are left: got %d, want 15", n)
	}
	env.books(t)
}

// TestMergeWaitsForImports: a chunk of an import opens cards for customers whom it
// read without a lock, so that nobody is merged or erased while one is under way.
func TestMergeWaitsForImports(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	from, into := env.create(t, customer.Fields{FirstName: "Ana"}), env.create(t, customer.Fields{FirstName: "Ana"})
	gone := env.create(t, customer.Fields{FirstName: "Eva"})
	var done sync.WaitGroup
	err := env.customers.DB.InTx(t.Context(), func(tx db.Tx) error {
		if err := tx.ImportCompanyLock(t.Context(), env.company); err != nil {
			return err
		}
		for name, change := range map[string]func() error{
			"merge": func() error { _, _, err := env.customers.Merge(t.Context(), env.who, from.ID, into.ID); return err },
			"erase": func() error {
				_, err := env.customers.Erase(t.Context(), env.who, gone.ID, customer.EraseTotal)
				return err
			},
		} {
			done.Go(func() {
				if err := change(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		for waiting := 0; waiting < 2; {
			err := tx.Conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&waiting)
			if err != nil {
				return err
			}
		}
		return nil
	})
	done.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if now, err := env.customers.ByID(t.Context(), env.company, from.ID); err != nil || now.MergedIntoID == nil {
		t.Errorf("after the import: got %+v, error %v, want a merged customer", now, err)
	}
}
