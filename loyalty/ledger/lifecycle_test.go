package ledger_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/ledger"
)

// person adds a customer.
func (e *env) person(t testing.TB) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	e.exec(t, `INSERT INTO customer (company_id, id, first_name, qr_code, name_key, created_at, updated_at)
		VALUES ($1, $2, 'Ana', $3, 'ana', now(), now())`, e.company, id, id.String())
	return id
}

// stock puts one card on stock and answers its code.
func (e *env) stock(t testing.TB, cardType string) string {
	t.Helper()
	out, err := e.ledger.CardsIssue(t.Context(), e.who, cardType, 1)
	if err != nil {
		t.Fatalf("CardsIssue(%q): %v", cardType, err)
	}
	return out.First
}

// inState is the code of a card in a state.
func (e *env) inState(t testing.TB, cardType string, status ledger.Status) string {
	t.Helper()
	code := e.stock(t, cardType)
	in := ledger.CardChange{Code: code, Reason: "made so"}
	var err error
	switch status {
	case ledger.Enabled:
		_, err = e.ledger.CardActivate(t.Context(), e.who, ledger.Activation{CardChange: in})
	case ledger.Disabled:
		if _, err = e.ledger.CardActivate(t.Context(), e.who, ledger.Activation{CardChange: in}); err == nil {
			_, err = e.ledger.CardDisable(t.Context(), e.who, in)
		}
	case ledger.Cancelled:
		_, err = e.ledger.CardCancel(t.Context(), e.who, in, false)
	}
	if err != nil {
		t.Fatalf("bring a card into state %s: %v", status, err)
	}
	return code
}

func (e *env) cardNow(t testing.TB, code string) *ledger.Card {
	t.Helper()
	c, err := e.ledger.CardByCode(t.Context(), e.company, code)
	if err != nil || c == nil {
		t.Fatalf("CardByCode(%q): got %v, error %v", code, c, err)
	}
	return c
}

// actions are the actions of a card's movements, oldest first, with their amounts.
func (e *env) actions(t testing.TB, code string) string {
	t.Helper()
	page, err := e.ledger.MovementsOf(t.Context(), e.company, e.cardNow(t, code), nil, 100)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range page.Movements {
		all = append(all, m.Action+" "+m.Amount.Trim(0).String())
	}
	slices.Reverse(all)
	return strings.Join(all, ", ")
}

func wantCode(t *testing.T, what string, err error, want loyalty.Code, field string) {
	t.Helper()
	if got := loyalty.CodeOf(err); got != want || (err != nil && want == "") {
		t.Errorf("%s: got refusal %q (error %v), want %q", what, got, err, want)
		return
	}
	if want != "" && err.Error() != loyalty.Refuse(want, field).Error() {
		t.Errorf("%s: got %v, want %v", what, err, loyalty.Refuse(want, field))
	}
}

// Every operation in every state: what it leaves, or that it is refused, and what it
// adds to the books.
func TestEveryTransition(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.cardType(t, ledger.NewCardType{Code: "cvv", CVVRequired: true})
	owner := env.person(t)
	operations := map[string]struct {
		do func(code string) error
		// want is the state that each state becomes; no word: refused.
		want   map[ledger.Status]ledger.Status
		action string
	}{
		"activate": {
			func(code string) error {
				_, err := env.ledger.CardActivate(t.Context(), env.who, ledger.Activation{CardChange: ledger.CardChange{Code: code, Reason: "why"}})
				return err
			}, map[ledger.Status]ledger.Status{ledger.Inactive: ledger.Enabled, ledger.Disabled: ledger.Enabled}, "activate",
		},
		"assign": {
			func(code string) error {
				_, err := env.ledger.CardAssign(t.Context(), env.who, ledger.CardChange{Code: code, Reason: "why"}, owner)
				return err
			}, map[ledger.Status]ledger.Status{ledger.Inactive: ledger.Inactive, ledger.Enabled: ledger.Enabled, ledger.Disabled: ledger.Disabled}, "assign",
		},
		"unassign": {
			func(code string) error {
				if c := env.cardNow(t, code); c.State() != ledger.Cancelled {
					if _, err := env.ledger.CardAssign(t.Context(), env.who, ledger.CardChange{Code: code}, owner); err != nil {
						return err
					}
				}
				_, err := env.ledger.CardUnassign(t.Context(), env.who, ledger.CardChange{Code: code, Reason: "why"})
				return err
			}, map[ledger.Status]ledger.Status{ledger.Inactive: ledger.Inactive, ledger.Enabled: ledger.Enabled, ledger.Disabled: ledger.Disabled}, "assign",
		},
		"enable": {
			func(code string) error {
				_, err := env.ledger.CardEnable(t.Context(), env.who, ledger.CardChange{Code: code, Reason: "why"})
				return err
			}, map[ledger.Status]ledger.Status{ledger.Disabled: ledger.Enabled}, "enable",
		},
		"disable": {
			func(code string) error {
				_, err := env.ledger.CardDisable(t.Context(), env.who, ledger.CardChange{Code: code, Reason: "why"})
				return err
			}, map[ledger.Status]ledger.Status{ledger.Enabled: ledger.Disabled}, "disable",
		},
		"cancel": {
			func(code string) error {
				_, err := env.ledger.CardCancel(t.Context(), env.who, ledger.CardChange{Code: code, Reason: "why"}, false)
				return err
			}, map[ledger.Status]ledger.Status{ledger.Inactive: ledger.Cancelled, ledger.Enabled: ledger.Cancelled, ledger.Disabled: ledger.Cancelled}, "cancel",
		},
		"replace": {
			func(code string) error {
				_, err := env.ledger.CardReplace(t.Context(), env.who, ledger.Replacement{CardChange: ledger.CardChange{Code: code, Reason: "why"}})
				return err
			}, map[ledger.Status]ledger.Status{ledger.Enabled: ledger.Cancelled, ledger.Disabled: ledger.Cancelled}, "replace",
		},
		"reset the CVV": {
			func(code string) error {
				_, err := env.ledger.CardCVVReset(t.Context(), env.who, ledger.CardChange{Code: code, Reason: "why"})
				return err
			}, map[ledger.Status]ledger.Status{ledger.Enabled: ledger.Enabled, ledger.Disabled: ledger.Disabled}, "",
		},
	}
	for name, op := range operations {
		for _, from := range []ledger.Status{ledger.Inactive, ledger.Enabled, ledger.Disabled, ledger.Cancelled} {
			code := env.inState(t, "cvv", from)
			before := env.cardNow(t, code)

			err := op.do(code)

			after := env.cardNow(t, code)
			to, allowed := op.want[from]
			if !allowed {
				wantCode(t, name+" a card that is "+string(from), err, loyalty.CodeStateConflict, "code")
				if after.Status != before.Status || after.Seq != before.Seq {
					t.Errorf("%s of a card that is %s was refused and left %s, movement %d", name, from, after.Status, after.Seq)
				}
				continue
			}
			if err != nil || after.State() != to {
				t.Errorf("%s of a card that is %s: got %s, error %v, want %s", name, from, after.Status, err, to)
			}
			if to != from && (after.Reason() != "why" || after.StatusAt == nil || !after.StatusAt.Equal(noon)) {
				t.Errorf("%s of a card that is %s: got reason %q at %v", name, from, after.Reason(), after.StatusAt)
			}
			if last := env.actions(t, code); op.action != "" && !strings.HasSuffix(last, op.action+" 0") {
				t.Errorf("%s of a card that is %s left the books at %s", name, from, last)
			}
		}
	}
	// Each has its audit entry with the reason.
	if n := env.count(t, `SELECT count(DISTINCT action) FROM audit_entry WHERE company_id = $1 AND detail ->> 'reason' = 'why'`, env.company); n != 8 {
		t.Errorf("audited operations: got %d, want 8", n)
	}
	env.verified(t)
}

func TestActivate(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.cardType(t, ledger.NewCardType{
		Code: "gift", Unit: ledger.Money, Scale: 2, StartingBalance: dec("5.50"), LoadLimit: new(dec("100")), ValidDays: new(30), CVVRequired: true,
	})
	code := env.stock(t, "gift")
	owner := env.person(t)
	k := key("activate", "a")
	in := ledger.Activation{CardChange: ledger.CardChange{Code: code, Reason: "sold", Source: "graphql", Key: k}, CustomerID: &owner}

	out, err := env.ledger.CardActivate(t.Context(), env.who, in)

	if err != nil || out.Replayed || len(out.CVV) != 3 || out.Card.State() != ledger.Enabled || *out.Card.CustomerID != owner {
		t.Fatalf("CardActivate: got %+v, error %v", out, err)
	}
	if got := env.actions(t, code); got != "activate 0, accrue 5.5" {
		t.Errorf("the books: got %s", got)
	}
	c := env.cardNow(t, code)
	if days := c.ValidFrom.Format(time.DateOnly) + " " + c.ValidTo.Format(time.DateOnly); days != "2026-03-02 2026-03-31" {
		t.Errorf("validity of 30 days: got %s", days)
	}
	again, err := env.ledger.CardActivate(t.Context(), env.who, in)
	if err != nil || !again.Replayed || again.CVV != "" || again.Card.ID != out.Card.ID || env.cardNow(t, code).Seq != 2 {
		t.Errorf("CardActivate again: got %+v, error %v", again, err)
	}
	if strings.Contains(string(c.CvvHash), out.CVV) || len(c.CvvHash) != 32 {
		t.Errorf("the CVV is kept as %x", c.CvvHash)
	}

	charged := env.stock(t, "gift")
	for amount, code := range map[string]loyalty.Code{"-1": loyalty.CodeAmountNotPositive, "1.001": loyalty.CodeAmountTooPrecise, "100.01": loyalty.CodeAmountOverLimit} {
		_, err := env.ledger.CardActivate(t.Context(), env.who, ledger.Activation{CardChange: ledger.CardChange{Code: charged}, Amount: new(dec(amount))})
		wantCode(t, "a charge of "+amount, err, code, "amount")
	}
	yesterday := time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)
	_, err = env.ledger.CardActivate(t.Context(), env.who, ledger.Activation{CardChange: ledger.CardChange{Code: charged}, ValidTo: &yesterday})
	wantCode(t, "a validity that is over", err, loyalty.CodeInvalid, "validTo")
	if _, err := env.ledger.CardActivate(t.Context(), env.who, ledger.Activation{CardChange: ledger.CardChange{Code: charged}, Amount: new(dec("100"))}); err != nil {
		t.Fatal(err)
	}
	if got := env.actions(t, charged); got != "activate 0, recharge 100" {
		t.Errorf("the books of a charged card: got %s", got)
	}
	// Back to use: what it began with is not given again.
	for _, do := range []func() error{
		func() error {
			_, err := env.ledger.CardDisable(t.Context(), env.who, ledger.CardChange{Code: code})
			return err
		},
		func() error {
			_, err := env.ledger.CardActivate(t.Context(), env.who, ledger.Activation{CardChange: ledger.CardChange{Code: code}})
			return err
		},
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	if got := env.balance(t, code); got != "5.5" {
		t.Errorf("balance of a card that was put back: got %s", got)
	}
	env.verified(t)
}

func TestNominated(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.cardType(t, ledger.NewCardType{Code: "named", Nominated: true})
	_, err := env.ledger.CardCreate(t.Context(), env.who, ledger.NewCard{CardTypeCode: "named"})
	wantCode(t, "CardCreate without a customer", err, loyalty.CodeCustomerRequired, "customerId")
	code, owner, other := env.stock(t, "named"), env.person(t), env.person(t)
	_, err = env.ledger.CardActivate(t.Context(), env.who, ledger.Activation{CardChange: ledger.CardChange{Code: code}})
	wantCode(t, "CardActivate without a customer", err, loyalty.CodeCustomerRequired, "customerId")
	if _, err := env.ledger.CardActivate(t.Context(), env.who, ledger.Activation{CardChange: ledger.CardChange{Code: code}, CustomerID: &owner}); err != nil {
		t.Fatal(err)
	}
	_, err = env.ledger.CardAssign(t.Context(), env.who, ledger.CardChange{Code: code}, other)
	wantCode(t, "CardAssign to another customer", err, loyalty.CodeCardHasCustomer, "code")
	_, err = env.ledger.CardUnassign(t.Context(), env.who, ledger.CardChange{Code: code})
	wantCode(t, "CardUnassign of an enabled card", err, loyalty.CodeCustomerRequired, "code")
	_, err = env.ledger.CardAssign(t.Context(), env.who, ledger.CardChange{Code: code}, uuid.New())
	wantCode(t, "CardAssign to nobody", err, loyalty.CodeCustomerNotFound, "customerId")
	stranger := env.other(t).person(t)
	_, err = env.ledger.CardAssign(t.Context(), env.who, ledger.CardChange{Code: code}, stranger)
	wantCode(t, "CardAssign to another company's customer", err, loyalty.CodeCustomerNotFound, "customerId")
	env.verified(t)
}

// Two parallel activations for one customer: exactly one, however they come about.
func TestOneActiveCard(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.cardType(t, ledger.NewCardType{Code: "one", OneActiveCard: true})
	for round := range 4 {
		owner := env.person(t)
		disabled := env.inState(t, "one", ledger.Disabled)
		enabled := env.inState(t, "one", ledger.Enabled)
		stock := env.stock(t, "one")
		if _, err := env.ledger.CardAssign(t.Context(), env.who, ledger.CardChange{Code: disabled}, owner); err != nil {
			t.Fatal(err)
		}
		ways := []func() error{
			func() error {
				_, err := env.ledger.CardActivate(t.Context(), env.who, ledger.Activation{CardChange: ledger.CardChange{Code: stock}, CustomerID: &owner})
				return err
			},
			func() error {
				_, err := env.ledger.CardEnable(t.Context(), env.who, ledger.CardChange{Code: disabled})
				return err
			},
			func() error {
				_, err := env.ledger.CardAssign(t.Context(), env.who, ledger.CardChange{Code: enabled}, owner)
				return err
			},
			func() error {
				_, err := env.ledger.CardCreate(t.Context(), env.who, ledger.NewCard{CardTypeCode: "one", CustomerID: &owner})
				return err
			},
		}
		errs := make([]error, len(ways))
		var wg sync.WaitGroup
		for i, way := range ways {
			wg.Go(func() { errs[i] = way() })
		}
		wg.Wait()
		done := 0
		for i, err := range errs {
			if err == nil {
				done++
			} else if loyalty.CodeOf(err) != loyalty.CodeActiveCardExists {
				t.Errorf("round %d, way %d: got error %v", round, i, err)
			}
		}
		if n := env.count(t, `SELECT count(*) FROM card WHERE customer_id = $1 AND status = 'enabled'`, owner); done != 1 || n != 1 {
			t.Errorf("round %d: %d of %d ways were done, %d cards are enabled, want 1", round, done, len(ways), n)
		}
	}
	env.verified(t)
}

func TestOneActiveCardOfTwoCustomers(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.cardType(t, ledger.NewCardType{Code: "one", OneActiveCard: true})
	ana, eva := env.person(t), env.person(t)
	for _, owner := range []uuid.UUID{ana, eva} {
		if _, err := env.ledger.CardCreate(t.Context(), env.who, ledger.NewCard{CardTypeCode: "one", CustomerID: &owner}); err != nil {
			t.Fatal(err)
		}
	}
	store := db.NewStore(env.pool)
	for name, tt := range map[string]struct {
		ask  func(tx db.Tx) error
		want loyalty.Code
	}{
		"one alone": {func(tx db.Tx) error { return ledger.OneActiveCards(t.Context(), tx, env.company, []uuid.UUID{ana}) }, ""},
		"both": {func(tx db.Tx) error {
			return ledger.OneActiveCards(t.Context(), tx, env.company, []uuid.UUID{ana, eva})
		}, loyalty.CodeActiveCardExists},
		"somebody else": {func(tx db.Tx) error {
			return ledger.OneActiveCards(t.Context(), tx, env.company, []uuid.UUID{ana, uuid.New()})
		}, loyalty.CodeCustomerNotFound},
		"merged in full": {func(tx db.Tx) error {
			_, err := env.ledger.ReassignCards(t.Context(), tx, env.who, ana, eva, "merge")
			return err
		}, loyalty.CodeActiveCardExists},
	} {
		if got := loyalty.CodeOf(store.InTx(t.Context(), tt.ask)); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
	// Without the second card, the first one's goes over.
	env.exec(t, `UPDATE card SET status = 'disabled' WHERE customer_id = $1`, eva)
	err := store.InTx(t.Context(), func(tx db.Tx) error {
		n, err := env.ledger.ReassignCards(t.Context(), tx, env.who, ana, eva, "merge")
		if n != 1 {
			t.Errorf("ReassignCards: got %d cards, want 1", n)
		}
		return err
	})
	if n := env.count(t, `SELECT count(*) FROM card WHERE customer_id = $1`, eva); err != nil || n != 2 {
		t.Errorf("cards after the merge: got %d, error %v, want 2", n, err)
	}
	env.verified(t)
}

func TestCancel(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.card(t, "full", "10")
	hold, err := env.ledger.HoldCreate(t.Context(), env.who, ledger.NewHold{Card: ref("full"), Amount: dec("4")})
	if err != nil {
		t.Fatal(err)
	}
	in := ledger.CardChange{Code: "full", Reason: "fraud", Key: key("cancel", "c")}
	_, err = env.ledger.CardCancel(t.Context(), env.who, in, false)
	wantCode(t, "a card with a hold", err, loyalty.CodeHoldOpen, "code")
	env.card(t, "left", "0.5")
	_, err = env.ledger.CardCancel(t.Context(), env.who, ledger.CardChange{Code: "left"}, false)
	wantCode(t, "a card with a balance", err, loyalty.CodeBalanceLeft, "code")

	out, err := env.ledger.CardCancel(t.Context(), env.who, in, true)

	if err != nil || out.Card.State() != ledger.Cancelled || !out.Card.Balance.IsZero() || !out.Card.Held.IsZero() {
		t.Fatalf("CardCancel: got %+v, error %v", out.Card, err)
	}
	if got := env.actions(t, "full"); got != "adjust 10, hold 0, release 0, write_off -10, cancel 0" {
		t.Errorf("the books: got %s", got)
	}
	again, err := env.ledger.CardCancel(t.Context(), env.who, in, true)
	if err != nil || !again.Replayed || again.Card.ID != out.Card.ID {
		t.Errorf("CardCancel again: got %+v, error %v", again, err)
	}
	_, err = env.ledger.HoldCapture(t.Context(), env.who, ledger.HoldEnd{ID: hold.Hold.ID})
	wantCode(t, "HoldCapture after it", err, loyalty.CodeHoldEnded, "holdId")
	// A debt is given up, too.
	env.cardType(t, ledger.NewCardType{Code: "credit", Scale: 2, Overdraft: new(dec("50"))})
	env.cardOf(t, "credit", "owes", "-20")
	if _, err := env.ledger.CardCancel(t.Context(), env.who, ledger.CardChange{Code: "owes"}, true); err != nil || env.balance(t, "owes") != "0" {
		t.Errorf("CardCancel of a card that owes: error %v, balance %s", err, env.balance(t, "owes"))
	}
	env.verified(t)
}

func TestReplace(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	lots := env.cardType(t, ledger.NewCardType{Code: "lots", Scale: 2})
	env.exec(t, `UPDATE card_type SET tracks_lots = true, expiry_policy = 'after', expiry_count = 90, expiry_unit = 'day', expiry_version = 1 WHERE id = $1`, lots.ID)
	owner := env.person(t)
	if _, err := env.ledger.CardCreate(t.Context(), env.who, ledger.NewCard{CardTypeCode: "lots", Code: "lost", CustomerID: &owner}); err != nil {
		t.Fatal(err)
	}
	for _, amount := range []string{"3", "4.25"} {
		env.post(t, ledger.Posting{Card: ref("lost"), Action: ledger.Accrue, Amount: new(dec(amount))})
		env.pass(24 * time.Hour)
	}
	vests := time.Date(2026, time.April, 1, 0, 0, 0, 0, time.UTC)
	env.post(t, ledger.Posting{Card: ref("lost"), Action: ledger.Accrue, Amount: new(dec("9")), Lot: ledger.LotTerms{VestsOn: &vests}})
	held, err := env.ledger.HoldCreate(t.Context(), env.who, ledger.NewHold{Card: ref("lost"), Amount: dec("1")})
	if err != nil {
		t.Fatal(err)
	}
	in := ledger.Replacement{CardChange: ledger.CardChange{Code: "lost", Reason: "lost", Key: key("replace", "r")}}
	_, err = env.ledger.CardReplace(t.Context(), env.who, in)
	wantCode(t, "CardReplace with a hold", err, loyalty.CodeHoldOpen, "code")
	if _, err := env.ledger.HoldRelease(t.Context(), env.who, ledger.HoldEnd{ID: held.Hold.ID}); err != nil {
		t.Fatal(err)
	}
	ends := func(code string) string {
		all, err := env.ledger.LotsOf(t.Context(), env.company, env.cardNow(t, code))
		if err != nil {
			t.Fatal(err)
		}
		var text []string
		for _, l := range all {
			text = append(text, fmt.Sprintf("%s %s %s", l.State, l.Remaining.Trim(0), l.ExpiresOn.Format(time.DateOnly)))
		}
		return strings.Join(text, ", ")
	}
	before := ends("lost")

	out, err := env.ledger.CardReplace(t.Context(), env.who, in)

	if err != nil || out.Replaced.State() != ledger.Cancelled || *out.Replaced.ReplacedByID != out.Card.ID || out.Card.State() != ledger.Enabled ||
		*out.Card.CustomerID != owner {
		t.Fatalf("CardReplace: got %+v of %+v, error %v", out.Card, out.Replaced, err)
	}
	if got := env.balance(t, out.Card.Code); got != "7.25" || env.balance(t, "lost") != "0" {
		t.Errorf("balances: got %s of the new card, %s of the old one", got, env.balance(t, "lost"))
	}
	if got := ends(out.Card.Code); got != before || ends("lost") != "" || !strings.Contains(got, "pending 9") {
		t.Errorf("lots: got %q, and %q of the old card, want %q and none", got, ends("lost"), before)
	}
	again, err := env.ledger.CardReplace(t.Context(), env.who, in)
	if err != nil || !again.Replayed || again.Card.ID != out.Card.ID || again.Replaced.Code != "lost" {
		t.Errorf("CardReplace again: got %+v, error %v", again, err)
	}
	// The pending points come to the new card.
	env.pass(40 * 24 * time.Hour)
	env.post(t, ledger.Posting{Card: ref(out.Card.Code), Action: ledger.Redeem, Amount: new(dec("-16.25"))})
	env.verified(t)
}

func TestReplaceByACardOnStock(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.cardType(t, ledger.NewCardType{Code: "credit", Scale: 2, Overdraft: new(dec("50")), OneActiveCard: true, CVVRequired: true})
	owner := env.person(t)
	opened, err := env.ledger.CardOpen(t.Context(), env.who, ledger.NewCard{CardTypeCode: "credit", Code: "owes", CustomerID: &owner})
	if err != nil {
		t.Fatal(err)
	}
	env.post(t, ledger.Posting{Card: ref("owes"), Action: ledger.Redeem, Amount: new(dec("-20")), CVV: opened.CVV})
	other := env.inState(t, "points", ledger.Inactive)
	stock, used := env.stock(t, "credit"), env.inState(t, "credit", ledger.Enabled)
	for newCode, want := range map[string]loyalty.Code{other: loyalty.CodeTaken, used: loyalty.CodeTaken, "no code": loyalty.CodeInvalid} {
		_, err := env.ledger.CardReplace(t.Context(), env.who, ledger.Replacement{CardChange: ledger.CardChange{Code: "owes"}, NewCode: newCode})
		wantCode(t, "CardReplace by "+newCode, err, want, "newCode")
	}

	out, err := env.ledger.CardReplace(t.Context(), env.who, ledger.Replacement{CardChange: ledger.CardChange{Code: "owes"}, NewCode: stock})

	if err != nil || out.Card.Code != stock || len(out.CVV) != 3 || env.balance(t, stock) != "-20" || env.balance(t, "owes") != "0" {
		t.Errorf("CardReplace of a card that owes: got %+v, error %v, balances %s and %s", out, err, env.balance(t, stock), env.balance(t, "owes"))
	}
	env.verified(t)
}

func TestErase(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	owner := env.person(t)
	if _, err := env.ledger.CardCreate(t.Context(), env.who, ledger.NewCard{CardTypeCode: "points", Code: "private-1", CustomerID: &owner, Amount: new(dec("8"))}); err != nil {
		t.Fatal(err)
	}
	if _, err := env.ledger.CardCreate(t.Context(), env.who, ledger.NewCard{CardTypeCode: "points", Code: "private-2", CustomerID: &owner}); err != nil {
		t.Fatal(err)
	}
	if _, err := env.ledger.HoldCreate(t.Context(), env.who, ledger.NewHold{Card: ref("private-1"), Amount: dec("3")}); err != nil {
		t.Fatal(err)
	}
	env.exec(t, `UPDATE card SET holder_name = 'Ana', holder_phone = '5511111111' WHERE code = 'private-2'`)
	first := env.cardNow(t, "private-1")
	err := db.NewStore(env.pool).InTx(t.Context(), func(tx db.Tx) error {
		n, err := env.ledger.EraseCards(t.Context(), tx, env.who, owner)
		if n != 2 {
			t.Errorf("EraseCards: got %d cards, want 2", n)
		}
		return err
	})
	if err != nil {
		t.Fatalf("EraseCards: %v", err)
	}
	if n := env.count(t, `SELECT count(*) FROM card WHERE customer_id = $1 AND status = 'cancelled' AND hidden_at IS NOT NULL AND balance = 0
		AND held = 0 AND code LIKE 'erased-%' AND holder_name IS NULL AND holder_phone IS NULL`, owner); n != 2 {
		t.Errorf("cards that are gone: got %d, want 2", n)
	}
	if n := env.count(t, `SELECT count(*) FROM movement WHERE action = 'write_off' AND amount = -8 AND description = 'ERASURE'`); n != 1 {
		t.Errorf("movements that write off: got %d, want 1", n)
	}
	// Nobody finds them.
	for name, read := range map[string]func() (any, error){
		"CardByID": func() (any, error) {
			c, err := env.ledger.CardByID(t.Context(), env.company, first.ID)
			return c == nil, err
		},
		"CardByCode": func() (any, error) {
			c, err := env.ledger.CardByCode(t.Context(), env.company, "private-1")
			return c == nil, err
		},
		"Cards": func() (any, error) {
			all, _, err := env.ledger.Cards(t.Context(), env.company, ledger.CardFilter{}, nil, 10)
			return len(all) == 0, err
		},
		"of a person": func() (any, error) {
			all, _, err := env.ledger.Cards(t.Context(), env.company, ledger.CardFilter{CustomerID: &owner}, nil, 10)
			return len(all) == 0, err
		},
		"of a state": func() (any, error) {
			all, _, err := env.ledger.Cards(t.Context(), env.company, ledger.CardFilter{Status: ledger.Cancelled}, nil, 10)
			return len(all) == 0, err
		},
		"Movement": func() (any, error) {
			m, err := env.ledger.Movement(t.Context(), env.company, first.ID, 1)
			return m == nil, err
		},
		"CardsCount": func() (any, error) {
			n, err := env.ledger.CardsCount(t.Context(), env.company, ledger.CardFilter{})
			return n == 0, err
		},
	} {
		if gone, err := read(); err != nil || gone != true {
			t.Errorf("%s still finds an erased card (error %v)", name, err)
		}
	}
	env.card(t, "private-1", "1") // its number is free
	env.verified(t)
}
