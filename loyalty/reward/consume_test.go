package reward_test

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sello/loyalty"
	"sello/loyalty/catalog"
	"sello/loyalty/ledger"
	"sello/loyalty/reward"
)

const listHeader = "code,product_code,expires_on,score\n"

func TestProductRules(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.product(t, "TIVI01")
	for _, tt := range []struct {
		name  string
		in    catalog.NewProduct
		code  loyalty.Code
		field string
	}{
		{"a code twice in another case", catalog.NewProduct{Code: "tivi01", Name: "x", SerialPrefix: "X", Score: dec("1")}, loyalty.CodeTaken, "code"},
		{"no name", catalog.NewProduct{Code: "A", SerialPrefix: "X", Score: dec("1")}, loyalty.CodeRequired, "name"},
		{"no prefix", catalog.NewProduct{Code: "A", Name: "x", Score: dec("1")}, loyalty.CodeInvalid, "serialPrefix"},
		{"no points", catalog.NewProduct{Code: "A", Name: "x", SerialPrefix: "X"}, loyalty.CodeAmountNotPositive, "score"},
		{"five decimals", catalog.NewProduct{Code: "A", Name: "x", SerialPrefix: "X", Score: dec("0.00001")}, loyalty.CodeAmountTooPrecise, "score"},
	} {
		_, err := e.catalog.ProductCreate(t.Context(), e.who, tt.in)
		refused(t, tt.name, err, tt.code, tt.field)
	}
	_, err := e.catalog.ProductUpdate(t.Context(), e.who, "none", catalog.ProductChange{})
	refused(t, "no such product", err, loyalty.CodeProductNotFound, "code")
	changed, err := e.catalog.ProductUpdate(t.Context(), e.who, "tivi01", catalog.ProductChange{Score: new(dec("7"))})
	if err != nil || changed.Score.String() != "7.0000" || changed.Name != "Tivi" {
		t.Errorf("ProductUpdate: got %+v, error %v", changed, err)
	}
	other := e.other(t)
	_, err = other.catalog.ProductUpdate(t.Context(), other.who, "TIVI01", catalog.ProductChange{})
	refused(t, "another company's product", err, loyalty.CodeProductNotFound, "code")
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.product(t, "TIVI01")
	_, err := e.catalog.Generate(t.Context(), e.who, catalog.NewCodes{ProductCode: "TIVI01", Count: catalog.MaxGenerated + 1})
	refused(t, "too many", err, loyalty.CodeInvalid, "count")
	_, err = e.catalog.Generate(t.Context(), e.who, catalog.NewCodes{ProductCode: "none", Count: 1})
	refused(t, "no product", err, loyalty.CodeProductNotFound, "productCode")
	in := catalog.NewCodes{ProductCode: "TIVI01", Count: 12_000, Score: new(dec("5")), ExpiresOn: day("2026-12-31"), Key: key("k", "a")}
	made, err := e.catalog.Generate(t.Context(), e.who, in)
	if err != nil || made.Created != 12_000 {
		t.Fatalf("Generate: got %+v, error %v", made, err)
	}
	if again, err := e.catalog.Generate(t.Context(), e.who, in); err != nil || !again.Replayed || again.LotID != made.LotID || again.Created != 12_000 {
		t.Errorf("the same key: got %+v, error %v", again, err)
	}
	if n := e.count(t, `SELECT count(DISTINCT code_key) FROM product_code WHERE lot_id = $1 AND score = 5 AND expires_on = '2026-12-31'`, made.LotID); n != 12_000 {
		t.Errorf("%d codes are there", n)
	}
	page, more, err := e.catalog.Codes(t.Context(), e.company, catalog.CodeFilter{LotID: &made.LotID, ProductCode: new("tivi01"), Status: new(catalog.CodeUnused)}, nil, 5)
	if err != nil || !more || len(page) != 5 {
		t.Fatalf("Codes: got %d, error %v", len(page), err)
	}
	form := regexp.MustCompile(`^TIVI[2-9a-hjkmnp-z]{11}$`)
	for _, c := range page {
		if !form.MatchString(c.Code) || c.Code != "TIVI"+c.Serial {
			t.Errorf("a code is %q, its serial %q", c.Code, c.Serial)
		}
	}
}

func TestAdd(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.product(t, "TIVI01")
	for _, tt := range []struct {
		name, csv string
		code      loyalty.Code
	}{
		{"nothing", "", loyalty.CodeInvalid},
		{"another header", "code,product\nx,y\n", loyalty.CodeInvalid},
		{"no lines", listHeader, loyalty.CodeRequired},
		{"a line of three", listHeader + "abc,TIVI01,\n", loyalty.CodeInvalid},
		{"too many lines", listHeader + strings.Repeat("abc,TIVI01,,\n", catalog.MaxLines+1), loyalty.CodeTooLong},
		{"a NUL", listHeader + "a\x00c,TIVI01,,\n", loyalty.CodeInvalid},
	} {
		_, err := e.catalog.Add(t.Context(), e.who, tt.csv, nil)
		refused(t, tt.name, err, tt.code, "csv")
	}
	made, err := e.catalog.Add(t.Context(), e.who, "\ufeff"+listHeader+
		"TIVInpmx8b98pfg,TIVI01,,\n"+ // 2
		"tiviABC,tivi01,2026-12-31,25\n"+ // 3: its spelling is kept
		"plain99,TIVI01,,\n"+ // 4: the serial alone
		"TIVIplain99,TIVI01,,\n"+ // 5: the same again
		"other1,NONE,,\n"+ // 6
		"a b,TIVI01,,\n"+ // 7
		"late01,TIVI01,31.12.2026,\n"+ // 8
		"cheap1,TIVI01,,-1\n", nil) // 9
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, r := range made.Rejected {
		left = append(left, fmt.Sprintf("%d %s %s", r.Line, r.Code, r.Reason))
	}
	want := []string{"6 other1 PRODUCT_NOT_FOUND", "7 a b INVALID", "8 late01 INVALID", "9 cheap1 INVALID", "5 TIVIplain99 TAKEN"}
	if diff := cmp.Diff(want, left); diff != "" || made.Created != 3 {
		t.Errorf("Add: created %d, left out (-want +got):\n%s", made.Created, diff)
	}
	for text, spelling := range map[string]string{"TIVInpmx8b98pfg": "TIVInpmx8b98pfg", " TIVIabc ": "tiviABC", "tiviPLAIN99": "TIVIplain99"} {
		if c, err := e.catalog.CodeByText(t.Context(), e.company, text); err != nil || c == nil || c.Code != spelling {
			t.Errorf("CodeByText(%q): got %+v, error %v", text, c, err)
		}
	}
}

// TestConsumeRefusals meets each refusal in its order, and what is noted of it.
func TestConsumeRefusals(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.product(t, "TIVI01")
	e.card(t, "points", "C-ANA", "0")
	e.card(t, "points", "SHUT", "0")
	if _, err := e.ledger.CardStatusSet(t.Context(), e.who, "SHUT", ledger.Disabled); err != nil {
		t.Fatal(err)
	}
	// It is 01:00 of the 3rd in Vietnam.
	list := listHeader + "USED,TIVI01,,\nBLOCKED,TIVI01,,\nOVER,TIVI01,2026-03-02,\nTODAY,TIVI01,2026-03-03,7\nFINE,TIVI01,,\n"
	if _, err := e.catalog.Add(t.Context(), e.who, list, nil); err != nil {
		t.Fatal(err)
	}
	block := func(blocked bool) {
		t.Helper()
		if _, err := e.catalog.Block(t.Context(), e.who, "tiviblocked", blocked); err != nil {
			t.Fatal(err)
		}
	}
	block(true)
	first, err := e.consume("tiviused", "C-ANA")
	if err != nil || first.Movement.Amount.String() != "100.0000" || first.Code.State() != catalog.CodeUsed || *first.Movement.Reference != "TIVIUSED" {
		t.Fatalf("Consume: got %+v, error %v", first.Code, err)
	}
	for _, tt := range []struct {
		code, card string
		want       loyalty.Code
		field      string
	}{
		{"NONE", "NOBODY", loyalty.CodeProductCodeNotFound, "code"},
		{"a\x00", "C-ANA", loyalty.CodeProductCodeNotFound, "code"},
		{"TIVIUSED", "NOBODY", loyalty.CodeCardNotFound, "card"},
		{"TIVIUSED", "SHUT", loyalty.CodeCardNotEnabled, "card"},
		{"TIVIUSED", "C-ANA", loyalty.CodeProductCodeUsed, "code"},
		{"TIVIBLOCKED", "C-ANA", loyalty.CodeProductCodeInactive, "code"},
		{"TIVIOVER", "C-ANA", loyalty.CodeProductCodeInactive, "code"},
	} {
		_, err := e.consume(tt.code, tt.card)
		refused(t, tt.code+" on "+tt.card, err, tt.want, tt.field)
	}
	if _, err := e.consume("TIVITODAY", "C-ANA"); err != nil {
		t.Errorf("on its last day: %v", err)
	}
	block(false)
	if _, err := e.consume("TIVIBLOCKED", "C-ANA"); err != nil {
		t.Errorf("once it is free: %v", err)
	}
	if _, err := e.catalog.Expire(t.Context(), e.who, "TIVIOVER", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := e.catalog.ProductUpdate(t.Context(), e.who, "TIVI01", catalog.ProductChange{Status: new(catalog.ProductInactive)}); err != nil {
		t.Fatal(err)
	}
	_, err = e.consume("TIVIFINE", "C-ANA")
	refused(t, "of an inactive product", err, loyalty.CodeProductCodeInactive, "code")
	_, err = e.catalog.Block(t.Context(), e.who, "TIVIUSED", true)
	refused(t, "block of a used one", err, loyalty.CodeProductCodeUsed, "code")
	_, err = e.catalog.Expire(t.Context(), e.who, "TIVIUSED", day("2026-01-01"))
	refused(t, "expiry of a used one", err, loyalty.CodeProductCodeUsed, "code")
	other := e.other(t)
	other.card(t, "points", "THEIRS", "0")
	_, err = other.consume("TIVIFINE", "THEIRS")
	refused(t, "another company's code", err, loyalty.CodeProductCodeNotFound, "code")
	_, err = other.catalog.Block(t.Context(), other.who, "TIVIFINE", true)
	refused(t, "another company's code", err, loyalty.CodeProductCodeNotFound, "code")
	if got := e.balance(t, "C-ANA"); got != "207" {
		t.Errorf("the card has %s, want 207", got)
	}
	want := []string{
		"100 PRODUCT_CODE_INACTIVE", "100 done", "7 done", "100 PRODUCT_CODE_INACTIVE", "100 PRODUCT_CODE_INACTIVE", "100 PRODUCT_CODE_USED", "100 done",
	}
	if diff := cmp.Diff(want, e.attempts(t, reward.Consumed)); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
	e.verified(t)
}

// TestConsumeAtOnce: sixteen at once with one code, on two cards: one succeeds.
func TestConsumeAtOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.product(t, "TIVI01")
	e.card(t, "points", "C-ANA", "0")
	e.card(t, "points", "C-EVA", "0")
	if _, err := e.catalog.Add(t.Context(), e.who, listHeader+"ONCE,TIVI01,,\nKEYED,TIVI01,,\n", nil); err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		clients.Go(func() { _, errs[i] = e.consume("TIVIONCE", []string{"C-ANA", "C-EVA"}[i%2]) })
	}
	clients.Wait()
	done := 0
	for _, err := range errs {
		if err == nil {
			done++
		} else if loyalty.CodeOf(err) != loyalty.CodeProductCodeUsed {
			t.Errorf("Consume: %v", err)
		}
	}
	if total := e.count(t, `SELECT sum(balance)::int FROM card WHERE company_id = $1`, e.company); done != 1 || total != 100 {
		t.Errorf("%d of 16 succeeded, the cards have %d", done, total)
	}
	if n := e.count(t, `SELECT count(*) FROM reward_attempt WHERE error = 'PRODUCT_CODE_USED'`); n != 15 {
		t.Errorf("%d failed attempts are noted, want 15", n)
	}
	in := catalog.Use{Code: "TIVIKEYED", Card: ledger.CardRef{Code: "C-ANA"}, Source: "antcrm", Key: key("k", "a")}
	for i := range 2 {
		if used, err := e.catalog.Consume(t.Context(), e.who, in); err != nil || used.Replayed != (i == 1) || used.Movement == nil {
			t.Errorf("with a key, time %d: got %+v, error %v", i+1, used, err)
		}
	}
	in.Key = key("k", "b")
	_, err := e.catalog.Consume(t.Context(), e.who, in)
	refused(t, "the key for another request", err, loyalty.CodeIdempotencyMismatch, "idempotencyKey")
	e.verified(t)
}

// TestCodeDays: a code past its last day is shown expired at once.
func TestCodeDays(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.product(t, "TIVI01")
	if _, err := e.catalog.Add(t.Context(), e.who, listHeader+"A1B,TIVI01,2026-03-03,\n", nil); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		pass time.Duration
		want catalog.CodeStatus
	}{{0, catalog.CodeUnused}, {22*time.Hour + 59*time.Minute, catalog.CodeUnused}, {time.Minute, catalog.CodeExpired}} {
		e.pass(tt.pass)
		c, err := e.catalog.CodeByText(t.Context(), e.company, "TIVIA1B")
		if err != nil || c.State() != tt.want {
			t.Errorf("at %v: got %s, error %v, want %s", e.clock.Load(), c.State(), err, tt.want)
		}
		page, _, err := e.catalog.Codes(t.Context(), e.company, catalog.CodeFilter{Status: &tt.want}, nil, 5)
		if err != nil || len(page) != 1 {
			t.Errorf("codes that are %s at %v: got %d, error %v", tt.want, e.clock.Load(), len(page), err)
		}
	}
}
