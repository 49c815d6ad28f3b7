package wallet_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/govalues/decimal"

	"sello/loyalty/auth"
	"sello/loyalty/ledger"
	"sello/loyalty/phone"
	"sello/loyalty/plan"
	"sello/loyalty/wording"
)

// tells makes a wallet that sends every message and has a page for its contacts.
func tells(in *ledger.NewCardType) {
	in.Name, in.CustomerURL = "Monedero Uno", "https://app.example.com/m/uno?x=1"
	in.NotifyWelcome, in.NotifySale, in.NotifyAdjustment = true, true, true
}

// prepaid is a till whose company has paid for messages at a price.
func prepaid(t *testing.T, points, balance, price string) *account {
	t.Helper()
	a := newTill(t, points, tells)
	a.setPlan(t, plan.Change{MessagePrice: ledger.Given(decimal.MustParse(price))})
	a.topUp(t, balance)
	return a
}

// together sends forms at once and counts the codes of the answers.
func (a *account) together(t *testing.T, path string, n int, params func(i int) url.Values) map[string]int {
	t.Helper()
	var mu sync.Mutex
	codes := map[string]int{}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			got, err := a.try(context.WithoutCancel(t.Context()), path, "application/x-www-form-urlencoded", params(i).Encode())
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("%s: %v", path, err)
				return
			}
			codes[got.code]++
		})
	}
	wg.Wait()
	return codes
}

// messages are the texts that were queued, oldest first.
func (a *account) messages(t *testing.T) []string {
	t.Helper()
	list := []string{}
	for _, m := range rows[struct{ Channel, Kind, To, Body string }](t, a.env,
		`SELECT channel, kind, recipient, body FROM notification WHERE company_id = $1 AND card_id IS NOT NULL ORDER BY id`, a.id) {
		list = append(list, strings.Join([]string{m.Channel, m.Kind, m.To, m.Body}, " "))
	}
	return list
}

// prove fails where the books of prepaid messages, or the ledger's, are wrong.
func (a *account) prove(t *testing.T) {
	t.Helper()
	findings, err := a.resolver.Plans.Verify(t.Context(), &a.id)
	if err != nil || len(findings) > 0 {
		t.Errorf("books of messages: %v, %v", findings, err)
	}
	wrong, err := a.resolver.Ledger.Verify(t.Context(), &a.id)
	if err != nil || len(wrong) > 0 {
		t.Errorf("books: %v, %v", wrong, err)
	}
}

func (a *account) planned(t *testing.T) *plan.Plan {
	t.Helper()
	p, err := a.resolver.Plans.Get(t.Context(), a.id)
	if err != nil || p == nil {
		t.Fatalf("plan: %v, %v", p, err)
	}
	return p
}

// TestLastRedemption: of fifty at once with one redemption left, on one contact and on
// many, one succeeds.
func TestLastRedemption(t *testing.T) {
	t.Parallel()

	for name, contacts := range map[string]int{"one contact": 1, "fifty contacts": 50} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := prepaid(t, "1000", "1000", "1")
			a.setPlan(t, plan.Change{RedemptionsLimit: ledger.Given(3)})
			phones := []string{anyPhone}
			for i := len(phones); i < contacts; i++ {
				phones = append(phones, fmt.Sprintf("47720%05d", i))
				a.contact(t, anyKey, phones[i], "Cliente", nil, "100")
			}
			for range 2 {
				if got := a.post(t, "/wallet/sale", use("1")); got.code != "new_sale_01" {
					t.Fatalf("sale: got %s", got.body)
				}
			}

			codes := a.together(t, "/wallet/sale", 50, func(i int) url.Values { return use("1", "phone="+phones[i%contacts]) })

			if diff := cmp.Diff(map[string]int{"new_sale_01": 1, "wallet_redeem_18": 49}, codes); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
			if p := a.planned(t); p.Used() != 3 || *p.Left() != 0 {
				t.Errorf("plan: got %d used and %d left, want 3 and 0", p.Used(), *p.Left())
			}
			a.prove(t)
		})
	}
}

// TestOneContactOneMessage: of eight at once who register one phone, one does, and one
// message is queued and paid.
func TestOneContactOneMessage(t *testing.T) {
	t.Parallel()
	a := prepaid(t, "0", "100", "1.5")
	before := a.planned(t).MessageBalance

	codes := a.together(t, "/wallet/contact/add", 8, func(int) url.Values { return newContact() })

	if codes["contact_add_01"] != 1 || codes["wallet_manager_08"]+codes["wallet_manager_13"] != 7 {
		t.Errorf("answers: got %v, want one contact_add_01", codes)
	}
	if n := scan[int](t, a.env, `SELECT count(*) FROM card WHERE company_id = $1 AND holder_phone = '4772223333'`, a.id); n != 1 {
		t.Errorf("contacts: got %d, want 1", n)
	}
	if jobs := a.jobs(t); len(jobs) != 1 {
		t.Errorf("messages: got %v, want 1", jobs)
	}
	if paid, _ := before.Sub(a.planned(t).MessageBalance); paid.Cmp(decimal.MustParse("1.5")) != 0 {
		t.Errorf("paid: got %s, want 1.5", paid)
	}
	a.prove(t)
}

// TestContactQuota: of twenty at once with three contacts left, three are registered;
// who is archived makes room.
func TestContactQuota(t *testing.T) {
	t.Parallel()
	a := newTill(t, "0")
	a.setPlan(t, plan.Change{ContactsLimit: ledger.Given(4)})

	codes := a.together(t, "/wallet/contact/add", 20, func(i int) url.Values { return newContact(fmt.Sprintf("phone=47730%05d", i)) })

	if diff := cmp.Diff(map[string]int{"contact_add_01": 3, "wallet_manager_18": 17}, codes); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	card, err := a.resolver.Query().Card(auth.WithPrincipal(t.Context(), a.system), nil, new(anyKey), new(anyPhone))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.resolver.Ledger.CardStatusSet(t.Context(), a.system, card.Code, ledger.Disabled); err != nil {
		t.Fatal(err)
	}
	if got := a.post(t, "/wallet/contact/add", newContact()); got.code != "contact_add_01" {
		t.Errorf("after one was archived: got %s", got.body)
	}
	// The archived one comes back as a contact like any other.
	if got := a.post(t, "/wallet/contact/add", newContact("phone="+anyPhone)); got.code != "wallet_manager_18" {
		t.Errorf("reactivating without room: got %s", got.body)
	}
}

// TestMessageBalanceConcurrent: sales at once never take more than what was paid in,
// and what is refused posts nothing.
func TestMessageBalanceConcurrent(t *testing.T) {
	t.Parallel()
	a := prepaid(t, "0", "5", "0.5")
	for i := range 10 {
		a.contact(t, anyKey, fmt.Sprintf("47740%05d", i), "Cliente", nil, "0") // each takes its welcome
	}
	a.topUp(t, "7.25")

	codes := a.together(t, "/wallet/sale", 60, func(i int) url.Values { return accrual("10", fmt.Sprintf("phone=47740%05d", i%10)) })

	if diff := cmp.Diff(map[string]int{"new_sale_01": 14, "wallet_redeem_13": 46}, codes); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if got := a.planned(t).MessageBalance.Trim(0).String(); got != "0.25" {
		t.Errorf("balance: got %s, want 0.25", got)
	}
	sales := scan[int](t, a.env, `SELECT count(*) FROM movement WHERE company_id = $1 AND action = 'accrue'`, a.id)
	told := scan[int](t, a.env, `SELECT count(*) FROM notification WHERE company_id = $1 AND kind = 'wallet_sale'`, a.id)
	if sales != 14 || told != 14 {
		t.Errorf("got %d sales and %d messages, want 14 each", sales, told)
	}
	a.prove(t)
}

// TestMessages: what customers are told, by the wallet's channel and in the company's
// words, with a link that leads back to them and to nobody else's company.
func TestMessages(t *testing.T) {
	t.Parallel()
	a := prepaid(t, "0", "100", "1")
	channel := ledger.WhatsApp

	for _, call := range []struct {
		path   string
		params url.Values
	}{
		{"/wallet/contact/add", newContact()},
		{"/wallet/sale", accrual("123.45", "phone=4772223333")},
		{"/wallet/sale", use("2.35", "phone=4772223333")},
		{"/wallet/balance/update", url.Values{"wallet_key": {anyKey}, "phone": {"4772223333"}, "usertool_id": {"8101"}, "transaction_type": {"0"}, "transaction_amount": {"5"}}},
	} {
		if got := a.post(t, call.path, call.params); !strings.HasSuffix(got.code, "_01") {
			t.Fatalf("%s: got %s", call.path, got.body)
		}
	}
	if _, err := a.resolver.Ledger.CardTypeUpdate(t.Context(), a.system, anyKey, ledger.CardTypeChange{Channel: &channel}); err != nil {
		t.Fatal(err)
	}
	body := "¡{puntos} puntos, {nombre}! {saldo} en {wallet} {enlace}"
	if _, err := a.resolver.Messages.Set(t.Context(), a.system, wording.Sale, "es", &body); err != nil {
		t.Fatal(err)
	}
	if got := a.post(t, "/wallet/sale", accrual("10", "phone=4772223333")); got.code != "new_sale_01" {
		t.Fatalf("sale: got %s", got.body)
	}

	card, err := a.resolver.Query().Card(auth.WithPrincipal(t.Context(), a.system), nil, new(anyKey), new("4772223333"))
	if err != nil {
		t.Fatal(err)
	}
	token := a.resolver.Wallets.Token(a.id, card.ID)
	link := "https://app.example.com/m/uno?token=" + token + "&x=1"
	if diff := cmp.Diff([]string{
		"sms wallet_welcome +524772223333 Hola Juan, ya tienes tu monedero Monedero Uno. Consulta tu saldo aquí: " + link,
		"sms wallet_sale +524772223333 Monedero Uno: tu nuevo saldo es 12.35.",
		"sms wallet_sale +524772223333 Monedero Uno: tu nuevo saldo es 10.",
		"sms wallet_adjustment +524772223333 Monedero Uno: tu nuevo saldo es 15.",
		"whatsapp wallet_sale +524772223333 ¡1 puntos, Juan! 16 en Monedero Uno " + link,
	}, a.messages(t)); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	ctx := auth.WithPrincipal(t.Context(), a.system)
	for name, tt := range map[string]struct {
		token string
		want  bool
	}{
		"the contact's": {token, true}, "another company's": {a.resolver.Wallets.Token(card.ID, card.ID), false},
		"cut short": {token[:len(token)-1], false}, "altered": {"B" + token[1:], false}, "none": {"", false}, "no base64": {"%%", false},
	} {
		found, err := a.resolver.Query().WalletContact(ctx, tt.token)
		if err != nil || (found != nil) != tt.want || tt.want && found.ID != card.ID {
			t.Errorf("a token that is %s: got %v, %v", name, found, err)
		}
	}
	a.prove(t)
}

// TestMessagesNotSent: a switch that is off, a company without a price, and a price of
// nothing.
func TestMessagesNotSent(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name   string
		change func(*ledger.NewCardType)
		plan   *plan.Change
		want   int
	}{
		{name: "without a plan", change: tells, want: 0},
		{name: "without a price", change: tells, plan: &plan.Change{RedemptionsLimit: ledger.Given(9)}, want: 0},
		{name: "for nothing", change: tells, plan: &plan.Change{MessagePrice: ledger.Given(decimal.Zero)}, want: 3},
		{
			name: "switched off", change: func(in *ledger.NewCardType) {}, want: 0,
			plan: &plan.Change{MessagePrice: ledger.Given(decimal.One)}, // and no balance to pay it
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newTill(t, "10", tt.change)
			if tt.plan != nil {
				a.setPlan(t, *tt.plan)
			}
			for _, params := range []url.Values{accrual("10"), use("5")} {
				if got := a.post(t, "/wallet/sale", params); got.code != "new_sale_01" {
					t.Fatalf("sale: got %s", got.body)
				}
			}
			if got := a.post(t, "/wallet/contact/add", newContact()); got.code != "contact_add_01" {
				t.Fatalf("contact/add: got %s", got.body)
			}
			if got := a.jobs(t); len(got) != tt.want {
				t.Errorf("messages: got %v, want %d", got, tt.want)
			}
			if n := scan[int](t, a.env, `SELECT count(*) FROM message_movement WHERE company_id = $1`, a.id); n != 0 {
				t.Errorf("charges: got %d, want none", n)
			}
		})
	}
}

// TestRefusalOrder: which of two refusals a till is told (spec/wallet.md 3.5 and 3.7).
func TestRefusalOrder(t *testing.T) {
	t.Parallel()
	a := newTill(t, "100", tells)
	a.setPlan(t, plan.Change{
		MessagePrice: ledger.Given(decimal.One), ContactsLimit: ledger.Given(0), RedemptionsLimit: ledger.Given(0), PeriodUnit: new(plan.Day),
	})
	a.block(t, anyPhone)
	if _, err := a.resolver.Phones.RangesLoad(t.Context(), a.system, []phone.Range{{First: "4772223333", Last: "4772223333", Line: phone.Landline}, {First: "1002223333", Last: "1002223333", Line: phone.Landline}}, false); err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		path   string
		params url.Values
		want   string
		mend   func()
	}{
		{"/wallet/sale", use("101"), "wallet_redeem_10", func() {}},
		{"/wallet/sale", use("1"), "wallet_redeem_13", func() { a.topUp(t, "10") }},
		{"/wallet/sale", use("1"), "wallet_redeem_14", func() {
			if _, err := a.resolver.Phones.Unblock(t.Context(), a.system, []string{anyPhone}); err != nil {
				t.Fatal(err)
			}
		}},
		{"/wallet/sale", use("1"), "wallet_redeem_18", func() { a.now = a.now.Add(24 * time.Hour) }},
		{"/wallet/sale", use("1"), "wallet_redeem_18", func() { a.setPlan(t, plan.Change{RedemptionsLimit: ledger.Optional[int]{Set: true}}) }},
		{"/wallet/sale", use("1"), "new_sale_01", func() {}},
		{"/wallet/contact/add", newContact("phone=1002223333"), "wallet_manager_15", func() {}},
		{"/wallet/contact/add", newContact("customer_birthdate=x"), "wallet_manager_14", func() {}},
		{"/wallet/contact/add", newContact("customer_birthdate=x", "phone=4772223334"), "wallet_manager_09", func() { a.topUp(t, "0") }},
		{"/wallet/contact/add", newContact("phone=4772223334"), "wallet_manager_18", func() { a.setPlan(t, plan.Change{ContactsLimit: ledger.Given(9)}) }},
		{"/wallet/contact/add", newContact("phone=4772223334"), "wallet_manager_11", func() { a.topUp(t, "1") }},
		{"/wallet/contact/add", newContact("phone=4772223334"), "contact_add_01", func() {}},
	}
	for i, step := range steps {
		if got := a.post(t, step.path, step.params); got.code != step.want {
			t.Errorf("step %d: got %s, want %s", i+1, got.body, step.want)
		}
		step.mend()
	}
	a.prove(t)
}

// TestNewPeriod: redemptions are there again with the period's first business day,
// whether or not the job has run.
func TestNewPeriod(t *testing.T) {
	t.Parallel()

	for _, jobRuns := range []bool{false, true} {
		t.Run(fmt.Sprint("the job has run: ", jobRuns), func(t *testing.T) {
			t.Parallel()
			a := newTill(t, "100")
			a.setPlan(t, plan.Change{RedemptionsLimit: ledger.Given(1), PeriodUnit: new(plan.Day)})
			at := func(now time.Time, want string) {
				t.Helper()
				a.now = now
				if jobRuns {
					if _, err := a.resolver.Plans.Turn(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if got := a.post(t, "/wallet/sale", use("1")); got.code != want {
					t.Errorf("at %s: got %s, want %s", now, got.body, want)
				}
			}
			// Noon in Mexico City is 18:00 UTC.
			at(noon, "new_sale_01")
			at(noon.Add(11*time.Hour+59*time.Minute), "wallet_redeem_18")
			at(noon.Add(12*time.Hour), "new_sale_01")
			at(noon.Add(12*time.Hour), "wallet_redeem_18")
			if got := scan[string](t, a.env, `SELECT string_agg(starts_on || ' ' || redemptions_used, ', ') FROM plan_period WHERE company_id = $1`, a.id); got != "2024-03-15 1" {
				t.Errorf("periods: got %s", got)
			}
		})
	}
}

// TestIdempotencyKeyOfOthers: the header's contract on the methods that post nothing
// (spec/wallet.md 7).
func TestIdempotencyKeyOfOthers(t *testing.T) {
	t.Parallel()
	add := url.Values{"type": {"cajero"}, "employee_name": {"Fer"}, "business_name": {"Dos"}, "number": {"4771110006"}, "password": {"fer-9012"}}

	for _, tt := range []struct {
		path, ok      string
		params, other url.Values
		refused       string // without the key
	}{
		{"/wallet/contact/add", "contact_add_01", newContact(), newContact("customer_name=Otro"), "wallet_manager_08"},
		{"/employee/add", "toolusers_01", add, with(add, "password=other-1"), "err_toolusers_03"},
		{"/employee/disable", "toolusers_01", url.Values{"number": {"4771110002"}}, url.Values{"number": {"4771110001"}}, "err_toolusers_04"},
	} {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			a := newTill(t, "0")
			call := func(params url.Values, headers ...string) reply {
				t.Helper()
				got, err := a.try(t.Context(), tt.path, "application/x-www-form-urlencoded", params.Encode(), headers...)
				if err != nil {
					t.Fatal(err)
				}
				return got
			}
			first := call(tt.params, "Idempotency-Key: k")
			second := call(tt.params, "Idempotency-Key: k")
			if first.code != tt.ok || string(first.body) != string(second.body) || first.header.Get("Idempotency-Replayed") != "" || second.header.Get("Idempotency-Replayed") != "true" {
				t.Errorf("got %s and %s (replayed: %q), want the first answer again", first.body, second.body, second.header.Get("Idempotency-Replayed"))
			}
			if got := call(tt.other, "Idempotency-Key: k"); got.status != 409 || got.code != "idempotency_conflict" {
				t.Errorf("other data: got %d %s", got.status, got.body)
			}
			if got := call(tt.params); got.code != tt.refused {
				t.Errorf("without the key: got %s, want %s", got.body, tt.refused)
			}
			a.now = a.now.Add(24 * time.Hour)
			if got := call(tt.params, "Idempotency-Key: k"); got.code != tt.refused {
				t.Errorf("a day later: got %s, want %s", got.body, tt.refused)
			}
		})
	}
}

// TestIdempotencyKeyOfContactsAtOnce: who waits for the first of several calls with a
// key gets its answer.
func TestIdempotencyKeyOfContactsAtOnce(t *testing.T) {
	t.Parallel()
	a := newTill(t, "0")
	var wg sync.WaitGroup
	bodies := make([]string, 10)
	for i := range bodies {
		wg.Go(func() {
			got, err := a.try(context.WithoutCancel(t.Context()), "/wallet/contact/add", "application/x-www-form-urlencoded", newContact().Encode(), "Idempotency-Key: k")
			if err != nil {
				t.Errorf("contact/add: %v", err)
			}
			bodies[i] = string(got.body)
		})
	}
	wg.Wait()
	for _, body := range bodies {
		if !strings.Contains(body, `"contact_add_01"`) {
			t.Errorf("got %s, want contact_add_01", body)
		}
	}
}

// TestWalletInGraphQL: the terms are the company's, whoever posts.
func TestWalletInGraphQL(t *testing.T) {
	t.Parallel()
	a := prepaid(t, "100", "3", "1")
	a.block(t, "4775550000")
	a.contact(t, anyKey, "4775550000", "Rosa", nil, "0")
	post := func(number string) string {
		t.Helper()
		_, err := a.resolver.Ledger.Post(t.Context(), a.system, ledger.Posting{
			Card: ledger.CardRef{WalletKey: anyKey, Phone: number}, Action: ledger.Redeem, Amount: new(decimal.MustParse("-1")), Source: "graphql",
		})
		if err != nil {
			return err.Error()
		}
		return ""
	}
	if got := post("4775550000"); got != "refused: INSUFFICIENT_BALANCE (points)" {
		t.Errorf("without points: got %q", got)
	}
	if _, err := a.resolver.Ledger.Post(t.Context(), a.system, ledger.Posting{
		Card: ledger.CardRef{WalletKey: anyKey, Phone: "4775550000"}, Action: ledger.Adjust, Amount: new(decimal.One), Source: "graphql",
	}); err == nil || err.Error() != "refused: PHONE_BLOCKED (card)" {
		t.Errorf("a blocked phone: got %v", err)
	}
	for i, want := range []string{"", "", "", "refused: MESSAGE_BALANCE_LOW"} {
		if got := post(anyPhone); got != want {
			t.Errorf("posting %d: got %q, want %q", i+1, got, want)
		}
	}
	a.prove(t)
}
