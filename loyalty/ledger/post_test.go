package ledger_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/govalues/decimal"

	"sello/loyalty"
	"sello/loyalty/company"
	"sello/loyalty/ledger"
)

func TestPostAmounts(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.cardType(t, ledger.NewCardType{Code: "whole", Scale: 0})
	env.cardType(t, ledger.NewCardType{Code: "overdraft", Scale: 2, Overdraft: new(dec("50"))})
	env.cardType(t, ledger.NewCardType{Code: "rechargeable", Scale: 2, Rechargeable: true})

	for _, tt := range []struct {
		name, cardType, start string
		action                ledger.Action
		amount, want          string
		refusal               loyalty.Code
		field                 string
	}{
		{name: "accrue credits", start: "0", action: ledger.Accrue, amount: "10.5", want: "10.5"},
		{name: "accrue takes no debit", start: "5", action: ledger.Accrue, amount: "-1", want: "5", refusal: loyalty.CodeAmountNotPositive, field: "points"},
		{name: "accrue takes no zero", start: "5", action: ledger.Accrue, amount: "0", want: "5", refusal: loyalty.CodeAmountNotPositive, field: "points"},
		{name: "redeem debits to exactly zero", start: "10.5", action: ledger.Redeem, amount: "-10.5", want: "0"},
		{name: "redeem takes no credit", start: "10", action: ledger.Redeem, amount: "1", want: "10", refusal: loyalty.CodeAmountNotPositive, field: "points"},
		{name: "redeem refuses the least too much", start: "10", action: ledger.Redeem, amount: "-10.0001", want: "10", refusal: loyalty.CodeInsufficientBalance, field: "points"},
		{name: "redeem from nothing", start: "0", action: ledger.Redeem, amount: "-0.0001", want: "0", refusal: loyalty.CodeInsufficientBalance, field: "points"},
		{name: "adjust credits", start: "1", action: ledger.Adjust, amount: "2", want: "3"},
		{name: "adjust debits", start: "3", action: ledger.Adjust, amount: "-2", want: "1"},
		{name: "adjust takes no zero", start: "3", action: ledger.Adjust, amount: "0.00", want: "3", refusal: loyalty.CodeAmountNotPositive, field: "points"},
		{name: "adjust does not overdraw", start: "3", action: ledger.Adjust, amount: "-4", want: "3", refusal: loyalty.CodeInsufficientBalance, field: "points"},
		{name: "recharge credits", cardType: "rechargeable", start: "1", action: ledger.Recharge, amount: "100.25", want: "101.25"},
		{name: "recharge where the type forbids it", start: "1", action: ledger.Recharge, amount: "5", want: "1", refusal: loyalty.CodeCardNotRechargeable, field: "card"},
		{name: "recharge takes no debit", cardType: "rechargeable", start: "1", action: ledger.Recharge, amount: "-1", want: "1", refusal: loyalty.CodeAmountNotPositive, field: "amount"},
		{name: "four decimals", start: "0", action: ledger.Accrue, amount: "0.0001", want: "0.0001"},
		{name: "five decimals", start: "0", action: ledger.Accrue, amount: "1.00005", want: "0", refusal: loyalty.CodeAmountTooPrecise, field: "points"},
		{name: "more decimals than the type keeps", cardType: "whole", start: "1", action: ledger.Accrue, amount: "0.5", want: "1", refusal: loyalty.CodeAmountTooPrecise, field: "points"},
		{name: "zeros are no decimals", cardType: "whole", start: "1", action: ledger.Accrue, amount: "2.0000", want: "3"},
		{name: "the largest amount", start: "0", action: ledger.Accrue, amount: "999999999999999.9999", want: "999999999999999.9999"},
		{name: "an amount beyond the ledger", start: "0", action: ledger.Accrue, amount: "1000000000000000", want: "0", refusal: loyalty.CodeAmountTooLarge, field: "points"},
		{name: "a balance beyond the ledger", start: "999999999999999.9999", action: ledger.Accrue, amount: "0.0001", want: "999999999999999.9999", refusal: loyalty.CodeAmountTooLarge, field: "points"},
		{name: "overdraft to its floor", cardType: "overdraft", start: "0", action: ledger.Redeem, amount: "-50", want: "-50"},
		{name: "overdraft below its floor", cardType: "overdraft", start: "0", action: ledger.Redeem, amount: "-50.01", want: "0", refusal: loyalty.CodeInsufficientBalance, field: "points"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code := "amounts-" + cardCode(tt.name)
			if tt.cardType == "" {
				tt.cardType = "points"
			}
			env.cardOf(t, tt.cardType, code, tt.start)

			posted, err := env.ledger.Post(t.Context(), env.who, ledger.Posting{
				Card: ref(code), Action: tt.action, Amount: new(dec(tt.amount)), Source: "graphql",
			})

			wantRefusal(t, err, tt.refusal, tt.field)
			if got := env.balance(t, code); got != tt.want {
				t.Errorf("balance: got %s, want %s", got, tt.want)
			}
			if err == nil && posted.Movement.BalanceAfter.Trim(0).String() != tt.want {
				t.Errorf("balance after: got %s, want %s", posted.Movement.BalanceAfter, tt.want)
			}
		})
	}
	t.Cleanup(func() { // after the parallel cases
		findings, err := env.ledger.Verify(context.WithoutCancel(t.Context()), &env.company)
		if err != nil || len(findings) > 0 {
			t.Errorf("Verify: got %v, error %v", findings, err)
		}
	})
}

// cardCode makes a card's code of a case's name.
func cardCode(name string) string {
	code := []byte(name)
	for i, c := range code {
		if c == ' ' {
			code[i] = '-'
		}
	}
	return string(code)
}

func wantRefusal(t *testing.T, err error, code loyalty.Code, field string) {
	t.Helper()
	if got := loyalty.CodeOf(err); got != code || (code == "" && err != nil) {
		t.Fatalf("got refusal %q (error %v), want %q", got, err, code)
	}
	if code == "" {
		return
	}
	if got := err.(*loyalty.Error).Field; got != field {
		t.Errorf("field at fault: got %q, want %q", got, field)
	}
}

func TestPostComputesFromWhatWasSpent(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	for _, in := range []ledger.NewCardType{
		{Code: "5-percent", Scale: 2, Percentage: new(dec("5"))},
		{Code: "whole-7", Scale: 0, Percentage: new(dec("7.5"))},
		{Code: "third", Scale: 4, Percentage: new(dec("33.3333"))},
		{Code: "1-per-10", Scale: 0, Ratio: &ledger.Ratio{Points: dec("1"), Amount: dec("10")}},
		{Code: "3-per-7", Scale: 2, Ratio: &ledger.Ratio{Points: dec("3"), Amount: dec("7")}},
		{Code: "most", Scale: 0, Percentage: new(dec("999.9999"))},
	} {
		env.cardType(t, in)
	}
	for _, tt := range []struct {
		cardType, spent, points, rate string
		refusal                       loyalty.Code
		field                         string
	}{
		{cardType: "5-percent", spent: "100", points: "5", rate: "5"},
		{cardType: "5-percent", spent: "0.1", points: "0.01", rate: "5"}, // 0.005: half goes up
		{cardType: "5-percent", spent: "0.09", points: "0", rate: "5"},   // 0.0045: a sale without points is a movement all the same
		{cardType: "5-percent", spent: "999999999999999.9999", points: "50000000000000", rate: "5"},
		{cardType: "whole-7", spent: "20", points: "2", rate: "7.5"},      // 1.5
		{cardType: "whole-7", spent: "19.9999", points: "1", rate: "7.5"}, // 1.4999925
		{cardType: "third", spent: "1", points: "0.3333", rate: "33.3333"},
		{cardType: "1-per-10", spent: "99.9999", points: "9", rate: "0.1"}, // begun tens do not count
		{cardType: "1-per-10", spent: "100", points: "10", rate: "0.1"},
		{cardType: "3-per-7", spent: "10", points: "4.28", rate: "0.42857143"}, // 4.2857
		{cardType: "points", spent: "10", refusal: loyalty.CodeAccrualRuleMissing, field: "spent"},
		{cardType: "5-percent", spent: "0", refusal: loyalty.CodeAmountNotPositive, field: "spent"},
		{cardType: "5-percent", spent: "-1", refusal: loyalty.CodeAmountNotPositive, field: "spent"},
		{cardType: "5-percent", spent: "1.00005", refusal: loyalty.CodeAmountTooPrecise, field: "spent"},
		{cardType: "5-percent", spent: "1000000000000000", refusal: loyalty.CodeAmountTooLarge, field: "spent"},
		{cardType: "most", spent: "200000000000000", refusal: loyalty.CodeAmountTooLarge, field: "spent"},
	} {
		name := tt.cardType + " of " + tt.spent
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code := "spent-" + cardCode(decimalName(name))
			env.cardOf(t, tt.cardType, code, "0")

			posted, err := env.ledger.Post(t.Context(), env.who, ledger.Posting{
				Card: ref(code), Action: ledger.Accrue, Spent: new(dec(tt.spent)), Source: "wallet",
			})

			wantRefusal(t, err, tt.refusal, tt.field)
			if err != nil {
				return
			}
			m := posted.Movement
			got := []string{m.Amount.Trim(0).String(), m.Rate.Trim(0).String(), m.Spent.Trim(0).String()}
			if diff := cmp.Diff([]string{tt.points, tt.rate, dec(tt.spent).Trim(0).String()}, got); diff != "" {
				t.Errorf("points, rate and spent (-want +got):\n%s", diff)
			}
		})
	}
}

func decimalName(name string) string {
	out := []byte(name)
	for i, c := range out {
		if c == '.' {
			out[i] = '_'
		}
	}
	return string(out)
}

func TestPostKeepsWhatItIsTold(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	card := env.card(t, "7001", "0")
	member := env.member(t, "Ana", "5512345678")
	yesterday := noon.Add(-24 * time.Hour)

	m := env.post(t, ledger.Posting{
		Card: ref("7001"), Action: ledger.Adjust, Amount: new(dec("3")), Spent: new(dec("99.5")), Reference: " T-1 ",
		Description: "Disculpa", Source: "wallet", At: yesterday,
	}).Movement

	if m.CardID != card.ID || m.Seq != 1 || m.Kind() != ledger.Adjust {
		t.Errorf("movement: got %s %d on card %s, want adjust 1 on %s", m.Kind(), m.Seq, m.CardID, card.ID)
	}
	if !m.PostedAt.Equal(yesterday) || !m.RecordedAt.Equal(noon) {
		t.Errorf("posted at %v, recorded at %v, want %v and %v", m.PostedAt, m.RecordedAt, yesterday, noon)
	}
	if m.Reference == nil || *m.Reference != "T-1" || m.Description == nil || *m.Description != "Disculpa" || m.Source != "wallet" {
		t.Errorf("reference %v, description %v, source %q", m.Reference, m.Description, m.Source)
	}
	if m.Rate != nil || m.StaffID != nil || m.StoreID != nil || m.ActorID != nil {
		t.Errorf("rate %v, staff %v, store %v, actor %v: want none", m.Rate, m.StaffID, m.StoreID, m.ActorID)
	}
	// A staff member's sale is one of the staff member's store, unless another is named.
	other, err := env.staff.StoreCreate(t.Context(), env.who, "N-1", "Norte")
	if err != nil {
		t.Fatal(err)
	}
	env.right(t, member, "points", company.Rights{Accrue: true})
	p := ledger.Posting{Card: ref("7001"), Action: ledger.Accrue, Amount: new(dec("1")), StaffNumber: &member.Number}
	if m := env.post(t, p).Movement; m.StaffID == nil || *m.StaffID != member.ID || m.StoreID == nil || *m.StoreID != member.StoreID {
		t.Errorf("staff %v, store %v: want %v of %v", m.StaffID, m.StoreID, member.ID, member.StoreID)
	}
	p.StoreCode = "N-1"
	if m := env.post(t, p).Movement; m.StoreID == nil || *m.StoreID != other.ID {
		t.Errorf("store: got %v, want %v", m.StoreID, other.ID)
	}
}

func (e *env) right(t testing.TB, m *company.Staff, cardType string, in company.Rights) {
	t.Helper()
	if _, err := e.staff.StaffRightSet(t.Context(), e.who, m.Number, cardType, in); err != nil {
		t.Fatalf("StaffRightSet: %v", err)
	}
}

func TestPostRefuses(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	other := env.other(t)
	other.card(t, "theirs", "100")
	theirs := other.member(t, "Zoe", "5500000000")
	env.card(t, "open", "100")
	env.card(t, "closed", "100")
	if _, err := env.ledger.CardStatusSet(t.Context(), env.who, "closed", ledger.Disabled); err != nil {
		t.Fatal(err)
	}
	env.cardType(t, ledger.NewCardType{Code: "old"})
	env.cardOf(t, "old", "old-card", "5")
	if _, err := env.ledger.CardTypeUpdate(t.Context(), env.who, "old", ledger.CardTypeChange{Archived: new(true)}); err != nil {
		t.Fatal(err)
	}
	env.cardType(t, ledger.NewCardType{Code: "ticketed", WalletKey: new("wallet-key-1"), TicketRequired: true})
	env.cardOf(t, "ticketed", "ticketed-card", "5")
	member, nobody, gone := env.member(t, "Ana", "5512345678"), env.member(t, "Bea", "5512345679"), env.member(t, "Cid", "5512345680")
	env.right(t, member, "points", company.Rights{Redeem: true})
	if _, err := env.staff.StaffArchive(t.Context(), env.who, &gone.Number, ""); err != nil {
		t.Fatal(err)
	}
	long := make([]byte, 256)
	for i := range long {
		long[i] = 'x'
	}
	one := new(dec("1"))

	for _, tt := range []struct {
		name    string
		p       ledger.Posting
		refusal loyalty.Code
		field   string
	}{
		{"no card named", ledger.Posting{Action: ledger.Accrue, Amount: one}, loyalty.CodeRequired, "card"},
		{"card named twice", ledger.Posting{Card: ledger.CardRef{Code: "open", Phone: "5511111111"}, Action: ledger.Accrue, Amount: one}, loyalty.CodeRequired, "card"},
		{"unknown card", ledger.Posting{Card: ref("nothing"), Action: ledger.Accrue, Amount: one}, loyalty.CodeCardNotFound, "card"},
		{"code that no card can have", ledger.Posting{Card: ref("a\x00b"), Action: ledger.Accrue, Amount: one}, loyalty.CodeCardNotFound, "card"},
		{"code that is no text", ledger.Posting{Card: ref("a\xffb"), Action: ledger.Accrue, Amount: one}, loyalty.CodeCardNotFound, "card"},
		{"another company's card", ledger.Posting{Card: ref("theirs"), Action: ledger.Accrue, Amount: one}, loyalty.CodeCardNotFound, "card"},
		{"disabled card", ledger.Posting{Card: ref("closed"), Action: ledger.Accrue, Amount: one}, loyalty.CodeCardNotEnabled, "card"},
		{"archived type", ledger.Posting{Card: ref("old-card"), Action: ledger.Accrue, Amount: one}, loyalty.CodeCardTypeArchived, "card"},
		{"unknown wallet", ledger.Posting{Card: ledger.CardRef{WalletKey: "wallet-key-2", Phone: "5512345678"}, Action: ledger.Accrue, Amount: one}, loyalty.CodeCardTypeNotFound, "card"},
		{"unknown contact", ledger.Posting{Card: ledger.CardRef{WalletKey: "wallet-key-1", Phone: "5512345678"}, Action: ledger.Accrue, Amount: one, Reference: "T"}, loyalty.CodeCardNotFound, "card"},
		{"sale without a ticket", ledger.Posting{Card: ref("ticketed-card"), Action: ledger.Redeem, Amount: new(dec("-1")), Reference: "  "}, loyalty.CodeTicketRequired, "reference"},
		{"neither points nor spent", ledger.Posting{Card: ref("open"), Action: ledger.Accrue}, loyalty.CodeRequired, "points"},
		{"redemption of what was spent", ledger.Posting{Card: ref("open"), Action: ledger.Redeem, Spent: one}, loyalty.CodeRequired, "points"},
		{"recharge of nothing", ledger.Posting{Card: ref("open"), Action: ledger.Recharge}, loyalty.CodeRequired, "amount"},
		{"long reference", ledger.Posting{Card: ref("open"), Action: ledger.Accrue, Amount: one, Reference: string(long[:101])}, loyalty.CodeTooLong, "reference"},
		{"reference with NUL", ledger.Posting{Card: ref("open"), Action: ledger.Accrue, Amount: one, Reference: "a\x00b"}, loyalty.CodeInvalid, "reference"},
		{"long description", ledger.Posting{Card: ref("open"), Action: ledger.Accrue, Amount: one, Description: string(long)}, loyalty.CodeTooLong, "description"},
		{"unknown staff", ledger.Posting{Card: ref("open"), Action: ledger.Accrue, Amount: one, StaffNumber: new(int64(99))}, loyalty.CodeStaffNotFound, "staffNumber"},
		{"another company's staff", ledger.Posting{Card: ref("open"), Action: ledger.Accrue, Amount: one, StaffNumber: new(theirs.Number + 100)}, loyalty.CodeStaffNotFound, "staffNumber"},
		{"archived staff", ledger.Posting{Card: ref("open"), Action: ledger.Accrue, Amount: one, StaffNumber: &gone.Number}, loyalty.CodeStaffArchived, "staffNumber"},
		{"staff without a permission", ledger.Posting{Card: ref("open"), Action: ledger.Accrue, Amount: one, StaffNumber: &nobody.Number}, loyalty.CodeStaffNoPermission, "staffNumber"},
		{"staff without the right to accrue", ledger.Posting{Card: ref("open"), Action: ledger.Accrue, Amount: one, StaffNumber: &member.Number}, loyalty.CodeStaffRightMissing, "staffNumber"},
		{"staff without the right to adjust", ledger.Posting{Card: ref("open"), Action: ledger.Adjust, Amount: one, StaffNumber: &member.Number}, loyalty.CodeStaffRightMissing, "staffNumber"},
		{"unknown store", ledger.Posting{Card: ref("open"), Action: ledger.Accrue, Amount: one, StoreCode: "nowhere"}, loyalty.CodeStoreNotFound, "storeCode"},
		{"store code with NUL", ledger.Posting{Card: ref("open"), Action: ledger.Accrue, Amount: one, StoreCode: "\x00"}, loyalty.CodeStoreNotFound, "storeCode"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.p.Source = "graphql"

			_, err := env.ledger.Post(t.Context(), env.who, tt.p)

			wantRefusal(t, err, tt.refusal, tt.field)
		})
	}
	t.Run("and redeems where the right is there", func(t *testing.T) {
		t.Parallel()
		env.post(t, ledger.Posting{Card: ref("open"), Action: ledger.Redeem, Amount: new(dec("-1")), StaffNumber: &member.Number})
	})
	t.Run("and adjusts without a ticket", func(t *testing.T) {
		t.Parallel()
		env.post(t, ledger.Posting{Card: ref("ticketed-card"), Action: ledger.Adjust, Amount: new(dec("-1"))})
	})
}

func TestPostTellsWhatIsAvailable(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.card(t, "7001", "10.50")
	env.exec(t, "UPDATE card SET held = 4 WHERE code = '7001'")

	_, err := env.ledger.Post(t.Context(), env.who, ledger.Posting{
		Card: ref("7001"), Action: ledger.Redeem, Amount: new(dec("-6.51")), Source: "graphql",
	})

	wantRefusal(t, err, loyalty.CodeInsufficientBalance, "points")
	if got := err.(*loyalty.Error).Params["available"]; got != "6.5" {
		t.Errorf("available: got %q, want 6.5: holds are not spent", got)
	}
}

func TestPostCountsPostingsAndRefusals(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.card(t, "7001", "0")
	var posted, refused []string
	env.ledger.Posted = func(a ledger.Action) { posted = append(posted, string(a)) }
	env.ledger.Refused = func(code string) { refused = append(refused, code) }
	p := ledger.Posting{Card: ref("7001"), Action: ledger.Accrue, Amount: new(decimal.One), Source: "graphql", Key: key("k", "r")}

	for range 2 { // the second is a replay
		env.post(t, p)
	}
	p.Key, p.Action, p.Amount = nil, ledger.Redeem, new(dec("-5"))
	if _, err := env.ledger.Post(t.Context(), env.who, p); err == nil {
		t.Fatal("Post of more than there is: got no error")
	}

	if diff := cmp.Diff([][]string{{"accrue"}, {"INSUFFICIENT_BALANCE"}}, [][]string{posted, refused}); diff != "" {
		t.Errorf("counted postings and refusals (-want +got):\n%s", diff)
	}
}
