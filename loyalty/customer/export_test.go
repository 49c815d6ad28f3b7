package customer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sello/loyalty"
	"sello/loyalty/customer"
)

// exportOf is an export, read again.
type exportOf struct {
	Customer        map[string]any
	MergedCustomers []map[string]any
	Segments        []struct{ Code string }
	Cards           []struct {
		Code, Balance, HolderPhone string
		Movements                  []struct {
			Seq                      int
			Action, Amount, Imported string
		}
	}
	Messages     []struct{ Recipient, Kind, Body string }
	AuditEntries []struct{ Action, Target string }
}

func (e *env) export(t *testing.T, c *customer.Customer) exportOf {
	t.Helper()
	var out bytes.Buffer
	if err := e.customers.Export(t.Context(), e.who, c.ID, &out); err != nil {
		t.Fatalf("Export: %v", err)
	}
	var got exportOf
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("Export is no JSON: %v\n%s", err, out.Bytes())
	}
	return got
}

func TestExportHasEverything(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.define(t, customer.NewAttribute{Code: "note", Type: customer.AttributeText})
	rng := rand.New(rand.NewPCG(4, 4))
	other := everywhere(t, env, rng)
	p := everywhere(t, env, rng)
	env.exec(t, `INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source, import_id, import_line)
		SELECT c.company_id, c.id, c.seq + 1, 'adjust', 1, 13, now(), now(), 'import', r.import_id, r.line
		FROM card c JOIN import_row r ON r.row_id = $2 WHERE c.code = $1`, *p.Code, p.ID)
	env.exec(t, `UPDATE card SET seq = seq + 1, balance = 13 WHERE code = $1`, *p.Code)

	got := env.export(t, p.Customer)

	if got.Customer["email"] != *p.Email || got.Customer["birthdate"] == nil || got.Customer["id"] != p.GlobalID() || got.Customer["attributes"].(map[string]any)["note"] == nil {
		t.Errorf("customer: got %v", got.Customer)
	}
	if len(got.MergedCustomers) != 1 || !strings.HasPrefix(got.MergedCustomers[0]["email"].(string), "old") {
		t.Errorf("merged: got %v", got.MergedCustomers)
	}
	if len(got.Segments) != 1 || got.Segments[0].Code != "vip" {
		t.Errorf("segments: got %v", got.Segments)
	}
	var cards []string
	for _, c := range got.Cards {
		line := c.Balance
		for _, m := range c.Movements {
			line += " " + m.Action + m.Amount
		}
		cards = append(cards, line)
	}
	if diff := cmp.Diff([]string{"13.0000 activate0 adjust12.0000 assign0 adjust1.0000", "33.0000 activate0 adjust40.0000 adjust-7.0000"}, cards); diff != "" {
		t.Errorf("cards and movements (-want +got):\n%s", diff)
	}
	if imported := got.Cards[0].Movements[3].Imported; imported != p.FirstName+",,,,0" {
		t.Errorf("cells of the imported row: got %q", imported)
	}
	if len(got.Messages) != 3 {
		t.Errorf("messages: got %+v", got.Messages)
	}
	var actions []string
	for _, a := range got.AuditEntries {
		actions = append(actions, a.Target+" "+a.Action)
	}
	want := []string{"customer customer_create", "customer customer_create", "card card_create", "customer customer_merge", "card contact_register", "customer customer_export"}
	if diff := cmp.Diff(want, actions); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, trace := range other.traces {
		if bytes.Contains(text, []byte(trace)) {
			t.Errorf("tells of somebody else: %s", trace)
		}
	}
}

// broken is a reader that goes away after some bytes.
type broken struct{ left int }

func (b *broken) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errors.New("gone")
	}
	return len(p), nil
}

func TestExportRefuses(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	c, into := env.create(t, customer.Fields{FirstName: "A"}), env.create(t, customer.Fields{FirstName: "B"})
	other := env.other(t)
	var out bytes.Buffer
	wantRefusal(t, other.customers.Export(t.Context(), other.who, c.ID, &out), loyalty.CodeCustomerNotFound, "id")
	env.merge(t, c, into)
	wantRefusal(t, env.customers.Export(t.Context(), env.who, c.ID, &out), loyalty.CodeCustomerMerged, "id")
	if out.Len() > 0 {
		t.Errorf("written before a refusal: %s", out.Bytes())
	}
	if err := env.customers.Export(t.Context(), env.who, into.ID, &broken{10}); err == nil || loyalty.CodeOf(err) != "" {
		t.Errorf("a reader that goes away: got %v", err)
	}
}

// peak notes how much memory is in use while an export is written.
type peak struct{ bytes, heap uint64 }

func (p *peak) Write(text []byte) (int, error) {
	if p.bytes/(1<<20) != (p.bytes+uint64(len(text)))/(1<<20) {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		p.heap = max(p.heap, m.HeapAlloc)
	}
	p.bytes += uint64(len(text))
	return len(text), nil
}

// What is in memory is a page, whatever there is of movements.
func TestExportOfManyMovements(t *testing.T) { //nolint:paralleltest // it measures the memory of the process
	env := newEnv(t)
	c := env.create(t, customer.Fields{FirstName: "A"})
	card := env.card(t, "wallet", "MANY", c)
	env.exec(t, `INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source, description)
		SELECT $1, $2, n + 1, 'adjust', 1, n, now(), now(), 'test', repeat('x', 200) FROM generate_series(1, 100000) n`, env.company, card.ID)
	env.exec(t, `UPDATE card SET seq = 100001, balance = 100000 WHERE id = $1`, card.ID)
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var out peak
	if err := env.customers.Export(t.Context(), env.who, c.ID, &out); err != nil {
		t.Fatal(err)
	}
	if out.bytes < 30<<20 || out.heap > before.HeapAlloc+10<<20 {
		t.Errorf("%d bytes were written with %d MiB more in use", out.bytes, (out.heap-before.HeapAlloc)>>20)
	}
}
