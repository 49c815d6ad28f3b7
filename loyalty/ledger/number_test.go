package ledger_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sello/loyalty"
	"sello/loyalty/ledger"
)

// ranged is a card type whose numbers come from ranges.
func (e *env) ranged(t testing.TB, code string, length int, check ledger.CheckDigit, ranges ...ledger.NumberRange) {
	t.Helper()
	e.cardType(t, ledger.NewCardType{Code: code, NumberLength: &length, CheckDigit: check, Ranges: ranges})
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.ranged(t, "plain", 5, "", ledger.NumberRange{Start: "70", End: "70"}, ledger.NumberRange{Start: "1", End: "2", Suggested: true})
	next := func(cardType string) string {
		n, err := env.ledger.CardNumberNext(t.Context(), env.who, cardType)
		if err != nil {
			return string(loyalty.CodeOf(err))
		}
		return n
	}
	for i, want := range []string{"10000", "10001"} {
		if got := next("plain"); got != want {
			t.Errorf("number %d of the suggested range: got %s, want %s", i, got, want)
		}
	}
	if _, err := env.ledger.CardCreate(t.Context(), env.who, ledger.NewCard{CardTypeCode: "plain", Code: "10002"}); err != nil {
		t.Fatalf("a number by hand: %v", err)
	}
	if got := next("plain"); got != "10003" {
		t.Errorf("the number behind one that was taken by hand: got %s, want 10003", got)
	}
	if _, err := env.ledger.CardsIssue(t.Context(), env.who, "plain", 5000); err != nil {
		t.Fatal(err)
	}
	// The rest of two prefixes of 10,000, then of the other range's 1,000.
	for _, count := range []int{5000, 5000} {
		if _, err := env.ledger.CardsIssue(t.Context(), env.who, "plain", count); err != nil {
			t.Fatal(err)
		}
	}
	_, err := env.ledger.CardsIssue(t.Context(), env.who, "plain", 5000+1000)
	wantCode(t, "too many at once", err, loyalty.CodeInvalid, "count")
	out, err := env.ledger.CardsIssue(t.Context(), env.who, "plain", 4996)
	if err != nil || out.Last != "29999" {
		t.Fatalf("the last of the suggested range: got %+v, error %v", out, err)
	}
	_, err = env.ledger.CardsIssue(t.Context(), env.who, "plain", 1001)
	wantCode(t, "more than there are", err, loyalty.CodeNumbersUsedUp, "cardTypeCode")
	if out, err = env.ledger.CardsIssue(t.Context(), env.who, "plain", 1000); err != nil || out.First != "70000" || out.Last != "70999" {
		t.Fatalf("the other range, of which nothing was lost: got %+v, error %v", out, err)
	}
	if got := next("plain"); got != string(loyalty.CodeNumbersUsedUp) {
		t.Errorf("a number more: got %s", got)
	}
	env.verified(t)
}

func TestCheckDigit(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.ranged(t, "luhn", 11, ledger.Luhn, ledger.NumberRange{Start: "799273980", End: "799273989"})
	for i := range 71 {
		n, err := env.ledger.CardNumberNext(t.Context(), env.who, "luhn")
		if err != nil || len(n) != 11 || !luhnHolds(n) {
			t.Fatalf("number %d: got %s, error %v", i, n, err)
		}
	}
	// 79927398713 is the textbook's number.
	if _, err := env.ledger.CardCreate(t.Context(), env.who, ledger.NewCard{CardTypeCode: "luhn", Code: "79927398713"}); err != nil {
		t.Errorf("a number with the right check digit: %v", err)
	}
	for name, code := range map[string]string{
		"a wrong check digit": "79927398710", "another length": "7992739871", "another prefix": "79927000018", "no number": "7992739871A",
	} {
		_, err := env.ledger.CardCreate(t.Context(), env.who, ledger.NewCard{CardTypeCode: "luhn", Code: code})
		wantCode(t, name, err, loyalty.CodeInvalid, "code")
	}
	env.verified(t)
}

// luhnHolds reckons from the left, as nobody else does.
func luhnHolds(number string) bool {
	sum := 0
	for i, c := range number {
		d := int(c - '0')
		if (len(number)-i)%2 == 0 {
			d = d*2/10 + d*2%10
		}
		sum += d
	}
	return sum%10 == 0
}

// 1,000 requests from 20 connections, some of which are rolled back: no gap, no
// double (issue 3).
func TestNextNumberUnderConcurrency(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.ranged(t, "wide", 10, ledger.Luhn, ledger.NumberRange{Start: "55", End: "55"})
	const clients, each = 20, 50
	numbers := make([][]string, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for k := range each {
				if i%2 == 0 {
					n, err := env.ledger.CardNumberNext(t.Context(), env.who, "wide")
					if err != nil {
						t.Errorf("CardNumberNext: %v", err)
						return
					}
					numbers[i] = append(numbers[i], n)
					continue
				}
				if k%5 == 0 { // one that takes a number and is refused
					_, err := env.ledger.CardCreate(t.Context(), env.who, ledger.NewCard{CardTypeCode: "wide", Amount: new(dec("-1"))})
					if loyalty.CodeOf(err) != loyalty.CodeAmountNotPositive {
						t.Errorf("CardCreate with a charge below zero: got error %v", err)
					}
				}
				c, err := env.ledger.CardCreate(t.Context(), env.who, ledger.NewCard{CardTypeCode: "wide"})
				if err != nil {
					t.Errorf("CardCreate: %v", err)
					return
				}
				numbers[i] = append(numbers[i], c.Code)
			}
		})
	}
	wg.Wait()
	all := slices.Sorted(slices.Values(slices.Concat(numbers...)))
	if len(all) != clients*each {
		t.Fatalf("numbers: got %d, want %d", len(all), clients*each)
	}
	for i, n := range all {
		if want := fmt.Sprintf("55%07d", i); n[:9] != want || !luhnHolds(n) {
			t.Fatalf("number %d: got %s, want %s and its check digit", i, n, want)
		}
	}
	env.verified(t)
}

func TestCardsIssue(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.ranged(t, "stock", 9, "", ledger.NumberRange{Start: "9", End: "9"})
	for _, count := range []int{0, -1, 5001} {
		_, err := env.ledger.CardsIssue(t.Context(), env.who, "stock", count)
		wantCode(t, fmt.Sprint(count, " cards"), err, loyalty.CodeInvalid, "count")
	}
	_, err := env.ledger.CardsIssue(t.Context(), env.who, "none", 1)
	wantCode(t, "a type that is not there", err, loyalty.CodeCardTypeNotFound, "cardTypeCode")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if out, err := env.ledger.CardsIssue(t.Context(), env.who, "stock", 250); err != nil || out.Count != 250 {
				t.Errorf("CardsIssue: got %+v, error %v", out, err)
			}
		})
	}
	wg.Wait()
	if n := env.count(t, `SELECT count(*) FROM card WHERE status = 'inactive' AND customer_id IS NULL AND seq = 0 AND code::bigint BETWEEN 900000000 AND 900000999`); n != 1000 {
		t.Errorf("cards on stock: got %d, want 1,000", n)
	}
	c, err := env.ledger.CardNext(t.Context(), env.company, "stock")
	if err != nil || c == nil || c.Code != "900000000" {
		t.Fatalf("CardNext: got %v, error %v, want the first", c, err)
	}
	owner := env.person(t)
	if _, err := env.ledger.CardActivate(t.Context(), env.who, ledger.Activation{CardChange: ledger.CardChange{Code: c.Code}, CustomerID: &owner}); err != nil {
		t.Fatal(err)
	}
	if c, err = env.ledger.CardNext(t.Context(), env.company, "stock"); err != nil || c.Code != "900000001" {
		t.Errorf("CardNext after it: got %v, error %v, want the second", c, err)
	}
	if c, err = env.ledger.CardNext(t.Context(), env.company, "points"); err != nil || c != nil {
		t.Errorf("CardNext of an empty stock: got %v, error %v", c, err)
	}
	env.verified(t)
}

func TestWrongCVVs(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.ledger.Secret = []byte(strings.Repeat("s", 32))
	env.cardType(t, ledger.NewCardType{Code: "gift", CVVRequired: true, TransferPolicy: ledger.TransferPartial})
	opened, err := env.ledger.CardOpen(t.Context(), env.who, ledger.NewCard{CardTypeCode: "gift", Code: "gift-1", Amount: new(dec("100"))})
	if err != nil {
		t.Fatal(err)
	}
	env.card(t, "other", "0")
	wrong := map[bool]string{true: "001", false: "000"}[opened.CVV == "000"]
	ways := map[string]func(cvv string) error{
		"Post": func(cvv string) error {
			_, err := env.ledger.Post(t.Context(), env.who, ledger.Posting{Card: ref("gift-1"), Action: ledger.Redeem, Amount: new(dec("-1")), CVV: cvv, Source: "graphql"})
			return err
		},
		"HoldCreate": func(cvv string) error {
			_, err := env.ledger.HoldCreate(t.Context(), env.who, ledger.NewHold{Card: ref("gift-1"), Amount: dec("1"), CVV: cvv})
			return err
		},
		"Transfer": func(cvv string) error {
			_, err := env.ledger.Transfer(t.Context(), env.who, ledger.Transfer{From: ref("gift-1"), To: ref("other"), Amount: new(dec("1")), CVV: cvv})
			return err
		},
	}
	for name, way := range ways {
		// Four wrong ones are forgotten for a right one.
		for range 4 {
			wantCode(t, name+" with a wrong CVV", way(wrong), loyalty.CodeCVVWrong, "cvv")
		}
		wantCode(t, name+" with the right one", way(opened.CVV), "", "")
		// Many at once are tried no more often than one by one.
		var tried sync.Map
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { tried.Store(i, loyalty.CodeOf(way(wrong))) })
		}
		wg.Wait()
		counts := map[loyalty.Code]int{}
		tried.Range(func(_, code any) bool { counts[code.(loyalty.Code)]++; return true })
		if counts[loyalty.CodeCVVWrong] != 5 || counts[loyalty.CodeCVVLocked] != 15 {
			t.Errorf("%s, 20 wrong CVVs at once: got %v, want 5 wrong and 15 locked", name, counts)
		}
		wantCode(t, name+" with the right one while locked", way(opened.CVV), loyalty.CodeCVVLocked, "cvv")
		env.pass(15 * time.Minute)
		wantCode(t, name+" with one more wrong one", way(wrong), loyalty.CodeCVVWrong, "cvv")
		env.pass(15 * time.Minute)
		wantCode(t, name+" after twice the time", way(opened.CVV), loyalty.CodeCVVLocked, "cvv")
		env.pass(15 * time.Minute)
		wantCode(t, name+" with the right one at last", way(opened.CVV), "", "")
	}
	again, err := env.ledger.CardCVVReset(t.Context(), env.who, ledger.CardChange{Code: "gift-1"})
	if err != nil || len(again.CVV) != 3 {
		t.Fatalf("CardCVVReset: got %+v, error %v", again, err)
	}
	wantCode(t, "the new CVV", ways["Post"](again.CVV), "", "")
	env.verified(t)
}
