package wallet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/ledger"
)

const fixtures = "testdata/fixtures"

// baseline is the state every fixture begins with (fixtures' README). Prepaid
// message balance, plan quotas, blacklist and landline ranges have no place in the
// core yet and are not loaded.
type baseline struct {
	Now     time.Time
	Account struct {
		Name     string
		TimeZone string `json:"time_zone"`
		APIKey   string
	}
	NextUsertoolID int64 `json:"next_usertool_id"`
	Staff          members[baselineStaff]
	Wallets        members[baselineWallet]
	Contacts       members[members[baselineContact]]
	OtherAccount   struct {
		Wallets []string
		Staff   []int64
	} `json:"other_account"`
}

type baselineStaff struct {
	Name, Number, Branch, Type string
	Status                     int
	Password                   *string
	Rights                     map[string][]string
}

type baselineWallet struct {
	Name              string
	Status            int
	Percentage        json.Number
	TicketRequired    bool   `json:"ticket_required"`
	BirthdateRequired bool   `json:"birthdate_required"`
	NotifyWelcome     bool   `json:"notify_welcome"`
	NotifySale        bool   `json:"notify_sale"`
	NotifyAdjustment  bool   `json:"notify_adjustment"`
	AppClient         string `json:"app_client"`
	AppRedeem         string `json:"app_redeem"`
}

type baselineContact struct {
	Name      string
	Birthdate *string
	Balance   json.Number
	Status    int
}

// members are an object's members in the order in which they are written, which
// is the order of creation.
type members[T any] []member[T]

type member[T any] struct {
	key   string
	value T
}

func (m *members[T]) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		next := member[T]{key: fmt.Sprint(key)}
		if err := dec.Decode(&next.value); err != nil {
			return err
		}
		*m = append(*m, next)
	}
	return nil
}

func readBaseline(t *testing.T) baseline {
	t.Helper()
	var b baseline
	readJSON(t, filepath.Join(fixtures, "baseline.json"), &b)
	return b
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// load makes the baseline of operations of the core.
func load(t *testing.T, b baseline) *account {
	t.Helper()
	e := newEnv(t, b.Now)
	other := e.open(t, "otra-cuenta", "Otra Cuenta", b.Account.TimeZone, "another-account-s-own-key")
	for _, key := range b.OtherAccount.Wallets {
		other.wallet(t, key)
	}
	for _, number := range b.OtherAccount.Staff {
		other.staffNumber(t, number)
		other.staff(t, company.NewStaff{Name: fmt.Sprint("Otra ", number), Phone: "4770009001", Role: company.Cashier, StoreName: "Otra", Password: "otra-9001"})
	}

	a := e.open(t, "la-esquina", b.Account.Name, b.Account.TimeZone, b.Account.APIKey)
	for _, w := range b.Wallets {
		a.wallet(t, w.key, func(in *ledger.NewCardType) {
			in.Name, in.Percentage = w.value.Name, new(decimal.MustParse(w.value.Percentage.String()))
			in.TicketRequired, in.BirthdateRequired = w.value.TicketRequired, w.value.BirthdateRequired
			in.NotifyWelcome, in.NotifySale, in.NotifyAdjustment = w.value.NotifyWelcome, w.value.NotifySale, w.value.NotifyAdjustment
			in.CustomerURL, in.RedeemURL = w.value.AppClient, w.value.AppRedeem
		})
	}
	for _, s := range b.Staff {
		a.loadStaff(t, b, s.key, s.value)
	}
	a.staffNumber(t, b.NextUsertoolID)
	for _, w := range b.Contacts {
		for _, c := range w.value {
			a.loadContact(t, w.key, c.key, c.value)
		}
	}
	for _, w := range b.Wallets {
		if w.value.Status == 0 {
			if _, err := a.resolver.Ledger.CardTypeUpdate(t.Context(), a.system, w.key, ledger.CardTypeChange{Archived: new(true)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return a
}

func (a *account) loadStaff(t *testing.T, b baseline, key string, s baselineStaff) {
	t.Helper()
	number, err := strconv.ParseInt(key, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	in := company.NewStaff{Name: s.Name, Phone: s.Number, Role: company.Cashier, StoreName: s.Branch, Password: "archived-" + key}
	if s.Type == "gerente" {
		in.Role = company.Manager
	}
	if s.Password != nil {
		in.Password = *s.Password
	}
	a.staffNumber(t, number)
	a.staff(t, in)
	for _, w := range b.Wallets {
		rights, has := s.Rights[w.key]
		_, err := a.resolver.Companies.StaffRightSet(t.Context(), a.system, number, w.key, company.Rights{
			Accrue: slices.Contains(rights, "accrue"), Redeem: slices.Contains(rights, "redeem"),
			Adjust: slices.Contains(rights, "adjust"), Removed: !has,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if s.Status == 0 {
		if _, err := a.resolver.Companies.StaffArchive(t.Context(), a.system, &number, ""); err != nil {
			t.Fatal(err)
		}
	}
}

func (a *account) loadContact(t *testing.T, key, phone string, c baselineContact) {
	t.Helper()
	var birthdate *time.Time
	if c.Birthdate != nil {
		day, err := time.Parse(time.DateOnly, *c.Birthdate)
		if err != nil {
			t.Fatal(err)
		}
		birthdate = &day
	}
	card := a.contact(t, key, phone, c.Name, birthdate, c.Balance.String())
	if c.Status == 0 {
		if _, err := a.resolver.Ledger.CardStatusSet(t.Context(), a.system, card.Code, ledger.Disabled); err != nil {
			t.Fatal(err)
		}
	}
}

// state is the database as the fixtures describe it: staff, contacts, and the
// movements that calls have made.
func (a *account) state(t *testing.T) map[string]any {
	t.Helper()
	ctx := t.Context()
	contacts := map[string]any{}
	movements := []any{}
	for _, w := range rows[struct {
		WalletKey string
		ID        uuid.UUID
	}](t, a.env, `SELECT wallet_key, id FROM card_type WHERE company_id = $1`, a.id) {
		byPhone := map[string]any{}
		for _, c := range rows[struct {
			Name, Phone, Status string
			Birthdate           *time.Time
			Balance             decimal.Decimal
		}](t, a.env, `SELECT holder_name, holder_phone, status, holder_birthdate, balance FROM card
			WHERE company_id = $1 AND card_type_id = $2`, a.id, w.ID) {
			byPhone[c.Phone] = map[string]any{
				"name": c.Name, "birthdate": day(c.Birthdate), "balance": figure(c.Balance), "status": flag(c.Status == string(ledger.Enabled)),
			}
		}
		contacts[w.WalletKey] = byPhone
	}
	for _, m := range rows[struct {
		Action, Wallet, Phone string
		Amount                decimal.Decimal
		Spent                 *decimal.Decimal
		Reference             *string
		Staff                 int64
	}](t, a.env, `SELECT movement.action, card_type.wallet_key, card.holder_phone, movement.amount, movement.spent, movement.reference, staff.number
		FROM movement
		JOIN card ON card.company_id = movement.company_id AND card.id = movement.card_id
		JOIN card_type ON card_type.company_id = card.company_id AND card_type.id = card.card_type_id
		JOIN staff ON staff.company_id = movement.company_id AND staff.id = movement.staff_id
		WHERE movement.company_id = $1 AND movement.source = 'wallet'
		ORDER BY movement.recorded_at, movement.seq`, a.id) {
		row := map[string]any{
			"kind":       map[string]string{"accrue": "accrual", "redeem": "redemption", "adjust": "adjustment"}[m.Action],
			"wallet_key": m.Wallet, "phone": m.Phone, "points": figure(m.Amount), "amount": nil, "ticket": nil,
			"usertool_id": json.Number(strconv.FormatInt(m.Staff, 10)),
		}
		if m.Spent != nil {
			row["amount"] = figure(*m.Spent)
		}
		if m.Reference != nil {
			row["ticket"] = *m.Reference
		}
		movements = append(movements, row)
	}
	return map[string]any{"contacts": contacts, "movements": movements, "staff": a.staffState(ctx, t)}
}

func (a *account) staffState(ctx context.Context, t *testing.T) map[string]any {
	t.Helper()
	ctx = auth.WithPrincipal(ctx, a.system)
	staff := map[string]any{}
	list, err := a.resolver.Query().StaffMembers(ctx, new(100), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, edge := range list.Edges {
		m := edge.Node
		store, err := a.resolver.Staff().Store(ctx, m)
		if err != nil {
			t.Fatal(err)
		}
		granted, err := a.resolver.Staff().Rights(ctx, m)
		if err != nil {
			t.Fatal(err)
		}
		rights := map[string]any{}
		for _, r := range granted {
			wallet, err := a.resolver.StaffRight().CardType(ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			names := []any{}
			for _, n := range []struct {
				name string
				has  bool
			}{{"accrue", r.Accrue}, {"redeem", r.Redeem}, {"adjust", r.Adjust}} {
				if n.has {
					names = append(names, n.name)
				}
			}
			rights[*wallet.WalletKey] = names
		}
		staff[strconv.FormatInt(m.Number, 10)] = map[string]any{
			"name": m.Name, "number": m.Phone, "branch": store.Name, "status": flag(m.ArchivedAt == nil), "rights": rights,
			"type": map[company.Role]string{company.Cashier: "cajero", company.Manager: "gerente"}[m.Duty()],
			// Kept as a fingerprint, to which the test turns the fixture's clear text.
			"password": fmt.Sprintf("%x", m.PasswordFingerprint),
		}
	}
	return staff
}

func figure(d decimal.Decimal) json.Number { return json.Number(d.Trim(0).String()) }

func flag(yes bool) json.Number {
	if yes {
		return "1"
	}
	return "0"
}

func day(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.Format(time.DateOnly)
}

// at is the value a JSON Pointer leads to.
func at(state any, pointer string) (any, error) {
	for name := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		switch v := state.(type) {
		case map[string]any:
			next, ok := v[name]
			if !ok {
				return nil, fmt.Errorf("%s: there is no %q", pointer, name)
			}
			state = next
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(v) {
				return nil, fmt.Errorf("%s: there is no %q among %d", pointer, name, len(v))
			}
			state = v[i]
		default:
			return nil, fmt.Errorf("%s: %q is below a %T", pointer, name, v)
		}
	}
	return state, nil
}

// diffState compares two states.
func diffState(before, after any) string { return cmp.Diff(before, after) }
