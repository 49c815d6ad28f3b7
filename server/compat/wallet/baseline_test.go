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
	"sello/loyalty/phone"
	"sello/loyalty/plan"
)

const fixtures = "testdata/fixtures"

// baseline is the state every fixture begins with (fixtures' README).
type baseline struct {
	Now     time.Time
	Account struct {
		Name                 string
		TimeZone             string `json:"time_zone"`
		APIKey               string
		MessageBalance       json.Number `json:"message_balance"`
		MessagePrice         json.Number `json:"message_price"`
		CustomersAvailable   json.Number `json:"customers_available"`
		RedemptionsAvailable json.Number `json:"redemptions_available"`
		Blacklist            []string
	}
	LandlineRanges [][2]string `json:"landline_ranges"`
	NextUsertoolID int64       `json:"next_usertool_id"`
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

// mainAccount is the code of the company that the baseline is about.
const mainAccount = "la-esquina"

// load makes the baseline on a database of the test's own.
func load(t *testing.T, b baseline) *account {
	t.Helper()
	return fill(t, newEnv(t, b.Now), b)
}

// fill makes the baseline of operations of the core.
func fill(t *testing.T, e *env, b baseline) *account {
	t.Helper()
	other := e.open(t, "otra-cuenta", "Otra Cuenta", b.Account.TimeZone, "another-account-s-own-key")
	for _, key := range b.OtherAccount.Wallets {
		other.wallet(t, key)
	}
	for _, number := range b.OtherAccount.Staff {
		other.staffNumber(t, number)
		other.staff(t, company.NewStaff{Name: fmt.Sprint("Otra ", number), Phone: "4770009001", Role: company.Cashier, StoreName: "Otra", Password: "otra-9001"})
	}

	a := e.open(t, mainAccount, b.Account.Name, b.Account.TimeZone, b.Account.APIKey)
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
	a.loadPlan(t, b)
	return a
}

// loaded is the baseline's company on a copy of the database that it was made in.
func loaded(t *testing.T, e *env, b baseline) *account {
	t.Helper()
	id := scan[uuid.UUID](t, e, `SELECT id FROM company WHERE code = $1`, mainAccount)
	return &account{env: e, id: id, system: auth.System(id), apikey: b.Account.APIKey}
}

// loadPlan is what the account has with the platform. It comes last: what was made
// before costs nothing.
func (a *account) loadPlan(t *testing.T, b baseline) {
	t.Helper()
	contacts, err := a.resolver.Plans.Contacts(t.Context(), a.id)
	if err != nil {
		t.Fatal(err)
	}
	a.setPlan(t, plan.Change{
		ContactsLimit:    ledger.Given(whole(t, b.Account.CustomersAvailable) + contacts),
		RedemptionsLimit: ledger.Given(whole(t, b.Account.RedemptionsAvailable)),
		MessagePrice:     ledger.Given(decimal.MustParse(b.Account.MessagePrice.String())),
	})
	a.topUp(t, b.Account.MessageBalance.String())
	a.block(t, b.Account.Blacklist...)
	var ranges []phone.Range
	for _, r := range b.LandlineRanges {
		ranges = append(ranges, phone.Range{First: r[0], Last: r[1], Line: phone.Landline})
	}
	if _, err := a.resolver.Phones.RangesLoad(t.Context(), a.system, ranges, true); err != nil {
		t.Fatal(err)
	}
}

func (a *account) setPlan(t *testing.T, change plan.Change) {
	t.Helper()
	if _, err := a.resolver.Plans.Set(t.Context(), a.system, change); err != nil {
		t.Fatalf("set a plan: %v", err)
	}
}

// topUp makes the prepaid balance what is given.
func (a *account) topUp(t *testing.T, balance string) {
	t.Helper()
	now, err := a.resolver.Plans.Get(t.Context(), a.id)
	if err != nil {
		t.Fatal(err)
	}
	change, err := decimal.MustParse(balance).Sub(now.MessageBalance)
	if err != nil || change.IsZero() {
		return
	}
	if _, _, err := a.resolver.Plans.TopUp(t.Context(), a.system, plan.Money{Amount: change, Correction: true}); err != nil {
		t.Fatalf("top up: %v", err)
	}
}

func (a *account) block(t *testing.T, phones ...string) {
	t.Helper()
	if _, err := a.resolver.Phones.Block(t.Context(), a.system, phones, ""); err != nil {
		t.Fatalf("block phones: %v", err)
	}
}

func whole(t *testing.T, n json.Number) int {
	t.Helper()
	v, err := n.Int64()
	if err != nil {
		t.Fatal(err)
	}
	return int(v)
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

// state is the database as the fixtures describe it: staff, contacts, the account,
// and the movements and messages that calls have made.
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
	return map[string]any{
		"contacts": contacts, "movements": movements, "staff": a.staffState(ctx, t), "account": a.accountState(t), "jobs": a.jobs(t),
	}
}

func (a *account) accountState(t *testing.T) map[string]any {
	t.Helper()
	p, err := a.resolver.Plans.Get(t.Context(), a.id)
	if err != nil || p == nil {
		t.Fatalf("plan: %v, %v", p, err)
	}
	contacts, err := a.resolver.Plans.Contacts(t.Context(), a.id)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{
		"message_balance": figure(p.MessageBalance), "customers_available": json.Number(strconv.Itoa(int(*p.ContactsLimit) - contacts)),
		"redemptions_available": json.Number(strconv.Itoa(*p.Left())),
	}
}

// jobs are the messages that calls have queued, each with its one job.
func (a *account) jobs(t *testing.T) []any {
	t.Helper()
	list := []any{}
	for _, j := range rows[struct {
		Kind, Wallet, Phone string
		Jobs                int
	}](t, a.env, `SELECT n.kind, card_type.wallet_key, card.holder_phone,
			(SELECT count(*) FROM river_job WHERE kind = 'notify_sms' AND args ->> 'notification_id' = n.id::text)
		FROM notification n
		JOIN card ON card.company_id = n.company_id AND card.id = n.card_id
		JOIN card_type ON card_type.company_id = card.company_id AND card_type.id = card.card_type_id
		WHERE n.company_id = $1
		ORDER BY n.id`, a.id) {
		if j.Jobs != 1 {
			t.Errorf("a message of kind %s has %d jobs, want 1", j.Kind, j.Jobs)
		}
		list = append(list, map[string]any{"kind": j.Kind, "wallet_key": j.Wallet, "phone": j.Phone})
	}
	return list
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
