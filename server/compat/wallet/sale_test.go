package wallet_test

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/govalues/decimal"

	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/ledger"
)

const (
	anyKey   = "mk_prueba_0001"
	anyPhone = "4771234567"
)

var noon = time.Date(2024, time.March, 15, 18, 0, 0, 0, time.UTC)

// newTill is a company with a wallet, two collaborators (8101, 8102) and a contact
// with a balance.
func newTill(t *testing.T, balance string, change ...func(*ledger.NewCardType)) *account {
	t.Helper()
	a := newEnv(t, noon).open(t, "acme", "Acme", "America/Mexico_City", "the-key-of-acme's-tills")
	a.wallet(t, anyKey, change...)
	a.staff(t, company.NewStaff{Name: "Ana", Phone: "4771110001", Role: company.Cashier, StoreName: "Uno", Password: "ana-1"})
	a.staff(t, company.NewStaff{Name: "Benito", Phone: "4771110002", Role: company.Manager, StoreName: "Uno", Password: "benito-1"})
	a.contact(t, anyKey, anyPhone, "María", nil, balance)
	return a
}

// accrual is a sale of type 0, use one of type 1.
func accrual(amount string, more ...string) url.Values {
	return with(url.Values{"wallet_key": {anyKey}, "phone": {anyPhone}, "usertool_id": {"8101"}, "transaction_type": {"0"}, "transaction_amount": {amount}}, more...)
}

func use(points string, more ...string) url.Values {
	return with(url.Values{"wallet_key": {anyKey}, "phone": {anyPhone}, "usertool_id": {"8101"}, "transaction_type": {"1"}, "points_used": {points}}, more...)
}

// with sets parameters given as "name=value".
func with(params url.Values, more ...string) url.Values {
	params = maps.Clone(params)
	for _, m := range more {
		name, value, _ := strings.Cut(m, "=")
		params.Set(name, value)
	}
	return params
}

func (a *account) balance(t *testing.T) string {
	t.Helper()
	return scan[decimal.Decimal](t, a.env, `SELECT balance FROM card WHERE company_id = $1 AND holder_phone = $2`, a.id, anyPhone).Trim(0).String()
}

// sold counts the movements that calls have made, but for the cards' activations.
func (a *account) sold(t *testing.T) int {
	t.Helper()
	return scan[int](t, a.env, `SELECT count(*) FROM movement WHERE company_id = $1 AND source = 'wallet' AND action <> 'activate'`, a.id)
}

// TestSaleConcurrent: a balance is never spent twice, and nobody gets an error for
// somebody else's sale.
func TestSaleConcurrent(t *testing.T) {
	t.Parallel()
	a := newTill(t, "1000")

	var mu sync.Mutex
	codes := map[string]int{}
	balances := map[string]int{}
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			got, err := a.try(context.WithoutCancel(t.Context()), "/wallet/sale", "application/x-www-form-urlencoded", use("10").Encode())
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("sale: %v", err)
				return
			}
			codes[fmt.Sprint(got.status, " ", got.code)]++
			if got.code == "new_sale_01" {
				balances[string(got.body)]++
			}
		})
	}
	wg.Wait()

	if diff := cmp.Diff(map[string]int{"200 new_sale_01": 100, "200 wallet_redeem_10": 100}, codes); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if len(balances) != 100 {
		t.Errorf("got %d different new balances, want each of 100 once", len(balances))
	}
	if got := a.balance(t); got != "0" {
		t.Errorf("balance: got %s, want 0", got)
	}
	broken := scan[int](t, a.env, `SELECT count(*) FROM (
		SELECT seq <> row_number() OVER w OR balance_after <> sum(amount) OVER w AS wrong
		FROM movement WHERE company_id = $1 WINDOW w AS (PARTITION BY card_id ORDER BY seq)) chain WHERE wrong`, a.id)
	if broken != 0 || a.sold(t) != 100 {
		t.Errorf("the books: %d of %d movements do not follow from those before", broken, a.sold(t))
	}
}

// TestSaleTicket: a ticket makes a sale repeatable for a day, and says nothing
// about a sale that differs (spec/wallet.md 7).
func TestSaleTicket(t *testing.T) {
	t.Parallel()

	first := accrual("1000", "ticket=A-1")
	taken := use("10", "ticket=A-1", "transaction_amount=50")
	for _, tt := range []struct {
		name          string
		first, second url.Values
		later         time.Duration
		want          int
	}{
		{name: "the same again", first: first, second: first, want: 1},
		{name: "written otherwise", first: first, second: accrual("1000.00", "ticket= A-1 ", "phone=+52 477 123 4567", "points_used=7"), want: 1},
		{name: "from another collaborator", first: first, second: with(first, "usertool_id=8102"), want: 1},
		{name: "from a collaborator who does not exist", first: first, second: with(first, "usertool_id=abc"), want: 1},
		{name: "almost a day later", first: first, second: first, later: 24*time.Hour - time.Second, want: 1},
		{name: "a day later", first: first, second: first, later: 24 * time.Hour, want: 2},
		{name: "another amount", first: first, second: accrual("1000.01", "ticket=A-1"), want: 2},
		{name: "another ticket", first: first, second: accrual("1000", "ticket=A-2"), want: 2},
		{name: "another type", first: first, second: taken, want: 2},
		{name: "a use again", first: taken, second: taken, want: 1},
		{name: "a use from another collaborator", first: taken, second: with(taken, "usertool_id=8102"), want: 1},
		{name: "a use with other points", first: taken, second: with(taken, "points_used=11"), want: 2},
		{name: "a use with another amount", first: taken, second: with(taken, "transaction_amount=51"), want: 2},
		{name: "no ticket", first: accrual("1000"), second: accrual("1000"), want: 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newTill(t, "250")

			one := a.post(t, "/wallet/sale", tt.first)
			a.now = a.now.Add(tt.later)
			two := a.post(t, "/wallet/sale", tt.second)

			if one.code != "new_sale_01" || two.code != "new_sale_01" {
				t.Fatalf("got %s and %s, want two successes", one.body, two.body)
			}
			if got := a.sold(t); got != tt.want {
				t.Errorf("movements: got %d, want %d", got, tt.want)
			}
			if isRetry := tt.want == 1; isRetry != (string(one.body) == string(two.body)) || isRetry != (two.header.Get("Idempotency-Replayed") == "true") {
				t.Errorf("got %s and %s (replayed: %q), retry: %v", one.body, two.body, two.header.Get("Idempotency-Replayed"), isRetry)
			}
		})
	}
}

// TestIdempotencyKey is the header's contract (spec/wallet.md 7).
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()

	update := url.Values{"wallet_key": {anyKey}, "phone": {anyPhone}, "usertool_id": {"8101"}, "transaction_type": {"0"}, "transaction_amount": {"5"}}
	const conflict = `{"success":false,"message":"La llave de idempotencia ya fue usada con otros datos","status":409,"code":"idempotency_conflict"}`
	type call struct {
		path   string
		params url.Values
		key    string
		want   string
	}
	for _, tt := range []struct {
		name  string
		calls []call
		want  int
	}{
		{"the same again", []call{{"/wallet/sale", accrual("10"), "k", "new_sale_01"}, {"/wallet/sale", accrual("10.0"), "k", "new_sale_01"}}, 1},
		{"other data", []call{{"/wallet/sale", accrual("10"), "k", "new_sale_01"}, {"/wallet/sale", accrual("11"), "k", "idempotency_conflict"}}, 1},
		{"before the ticket", []call{
			{"/wallet/sale", accrual("10", "ticket=A"), "k1", "new_sale_01"}, {"/wallet/sale", accrual("10", "ticket=A"), "k2", "new_sale_01"},
			{"/wallet/sale", accrual("10", "ticket=B"), "k2", "idempotency_conflict"},
		}, 2},
		{"another path", []call{{"/wallet/sale", accrual("10"), "k", "new_sale_01"}, {"/wallet/balance/update", update, "k", "balance_update_01"}}, 2},
		{"an update again", []call{{"/wallet/balance/update", update, "k", "balance_update_01"}, {"/wallet/balance/update", update, "k", "balance_update_01"}}, 1},
		{"an update with other data", []call{
			{"/wallet/balance/update", update, "k", "balance_update_01"}, {"/wallet/balance/update", with(update, "transaction_type=1"), "k", "idempotency_conflict"},
		}, 1},
		{"after a failure", []call{
			{"/wallet/sale", use("300"), "k", "wallet_redeem_10"}, {"/wallet/sale", use("200"), "k", "new_sale_01"},
		}, 1},
		{"a long key of any bytes", []call{
			{"/wallet/sale", accrual("10"), strings.Repeat("é\"", 400), "new_sale_01"}, {"/wallet/sale", accrual("10"), strings.Repeat("é\"", 400), "new_sale_01"},
		}, 1},
		{"a blank key is none", []call{{"/wallet/sale", accrual("10"), " ", "new_sale_01"}, {"/wallet/sale", accrual("10"), " ", "new_sale_01"}}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newTill(t, "250")
			for i, c := range tt.calls {
				got, err := a.try(t.Context(), c.path, "application/x-www-form-urlencoded", c.params.Encode(), "Idempotency-Key: "+c.key)
				if err != nil {
					t.Fatal(err)
				}
				if got.code != c.want {
					t.Errorf("call %d: got %s, want %s", i+1, got.body, c.want)
				}
				if got.code == "idempotency_conflict" && (got.status != 409 || string(got.body) != conflict) {
					t.Errorf("call %d: got %d %s, want 409 %s", i+1, got.status, got.body, conflict)
				}
			}
			if got := a.sold(t); got != tt.want {
				t.Errorf("movements: got %d, want %d", got, tt.want)
			}
		})
	}
}

// TestIdempotencyKeyConcurrent: of calls at once with one key one posts, and all
// get its answer.
func TestIdempotencyKeyConcurrent(t *testing.T) {
	t.Parallel()
	a := newTill(t, "0")

	bodies := make([]string, 20)
	var wg sync.WaitGroup
	for i := range bodies {
		wg.Go(func() {
			got, err := a.try(context.WithoutCancel(t.Context()), "/wallet/sale", "application/x-www-form-urlencoded", accrual("100").Encode(), "Idempotency-Key: k")
			if err != nil {
				t.Errorf("sale: %v", err)
				return
			}
			bodies[i] = string(got.body)
		})
	}
	wg.Wait()

	if slices.Sort(bodies); bodies[0] != bodies[len(bodies)-1] || !strings.Contains(bodies[0], `"newBalance":10,`) {
		t.Errorf("got %s and %s, want one answer of 10 points", bodies[0], bodies[len(bodies)-1])
	}
	if got := a.sold(t); got != 1 {
		t.Errorf("movements: got %d, want 1", got)
	}
}

// TestSaleRefusals are causes that the fixtures have no case of.
func TestSaleRefusals(t *testing.T) {
	t.Parallel()

	long := strings.Repeat("é", 101)
	tickets := func(in *ledger.NewCardType) { in.TicketRequired = true }
	whole := func(in *ledger.NewCardType) { in.Scale = 0 }
	ruleless := func(in *ledger.NewCardType) { in.Percentage = nil }
	for _, tt := range []struct {
		name   string
		change func(*ledger.NewCardType)
		params url.Values
		want   string
	}{
		{"a blank phone", nil, accrual("10", "phone= "), "new_sale_03"},
		{"a blank type", nil, accrual("10", "transaction_type= "), "new_sale_05"},
		{"a blank amount", nil, accrual(" "), "new_sale_06"},
		{"a blank collaborator", nil, accrual("10", "usertool_id= "), "new_sale_09"},
		{"blank points", nil, use(" "), "new_sale_08"},
		{"points of three decimals", nil, use("1.001"), "wallet_redeem_07"},
		{"too many points", nil, use("100000000"), "wallet_redeem_07"},
		{"too large an amount", nil, accrual("100000000"), "wallet_redeem_03"},
		{"a bad amount beside points", nil, use("10", "transaction_amount=x"), "new_sale_07"},
		{"an amount below zero beside points", nil, use("10", "transaction_amount=-1"), "wallet_redeem_03"},
		{"a blank amount beside points", nil, use("10", "transaction_amount= "), "new_sale_01"},
		{"a collaborator who is no integer", nil, accrual("10", "usertool_id=8101.0"), "new_sale_13"},
		{"no integer, and no contact", nil, accrual("10", "usertool_id=x", "phone=4770000000"), "new_sale_12"},
		{"a wallet key with NUL", nil, accrual("10", "wallet_key="+anyKey+"\x00"), "new_sale_10"},
		{"a ticket of 100 characters", tickets, accrual("10", "ticket="+long[2:]), "new_sale_01"},
		{"a ticket of 101", tickets, accrual("10", "ticket="+long), "wallet_redeem_12"},
		{"a ticket of 101 and no contact", tickets, accrual("10", "ticket="+long, "phone=4770000000"), "wallet_redeem_12"},
		{"a ticket of 101 and no wallet", tickets, accrual("10", "ticket="+long, "wallet_key=mk_none_at_all"), "new_sale_10"},
		{"a ticket of 101 that nobody requires", nil, accrual("10", "ticket="+long), "new_sale_01"},
		{"a ticket with NUL", nil, accrual("10", "ticket=a\x00b"), "new_sale_01"},
		{"parts of a point in a wallet of whole ones", whole, use("1.5"), "wallet_redeem_07"},
		{"a wallet without a rule", ruleless, accrual("10"), "internal_error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var change []func(*ledger.NewCardType)
			if tt.change != nil {
				change = append(change, tt.change)
			}
			a := newTill(t, "250", change...)

			got := a.post(t, "/wallet/sale", tt.params)

			if got.code != tt.want {
				t.Errorf("got %s, want %s", got.body, tt.want)
			}
			want := 0
			if tt.want == "new_sale_01" {
				want = 1
			}
			if n := a.sold(t); n != want {
				t.Errorf("movements: got %d, want %d", n, want)
			}
		})
	}
}

// TestSaleInGraphQL: what a till posts, GraphQL's resolvers show at once, with who
// did it where.
func TestSaleInGraphQL(t *testing.T) {
	t.Parallel()
	a := newTill(t, "250")

	if got := a.post(t, "/wallet/sale", accrual("123.45", "ticket=A-1")); got.code != "new_sale_01" {
		t.Fatalf("sale: got %s", got.body)
	}

	ctx := auth.WithPrincipal(t.Context(), a.system)
	card, err := a.resolver.Query().Card(ctx, nil, new(anyKey), new(anyPhone))
	if err != nil || card == nil {
		t.Fatalf("card: %v, %v", card, err)
	}
	list, err := a.resolver.Card().Movements(ctx, card, new(1), nil)
	if err != nil {
		t.Fatal(err)
	}
	m := list.Edges[0].Node
	staff, err := a.resolver.Movement().StaffMember(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	store, err := a.resolver.Movement().Store(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%s %s of %s at %s: %s after, ticket %s, by %d in %s through %s",
		m.Kind(), m.Amount.Trim(0), m.Spent.Trim(0), m.Rate.Trim(0), m.BalanceAfter.Trim(0), *m.Reference, staff.Number, store.Name, m.Source)
	if want := "accrue 12.35 of 123.45 at 10: 262.35 after, ticket A-1, by 8101 in Uno through wallet"; got != want {
		t.Errorf("movement: got  %s\nwant %s", got, want)
	}
}
