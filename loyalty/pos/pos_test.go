package pos_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/db/dbtest"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/coupon"
	"sello/loyalty/ledger"
	"sello/loyalty/pos"
)

var noon = time.Date(2026, time.March, 2, 18, 0, 0, 0, time.UTC)

// env is a company with a card and coupons, on a database of the test's own.
type env struct {
	pos.Service
	store *db.Store
	who   auth.Principal
	sale  ledger.MovementKey
}

// newEnv sells for 10 points under T-1, with the coupons A and B, and under T-2 with C;
// D was not used.
func newEnv(t *testing.T) *env {
	t.Helper()
	e := &env{store: db.NewStore(dbtest.New(t))}
	now := func() time.Time { return noon }
	e.Ledger, e.Coupons = ledger.New(e.store, now), coupon.New(e.store, now)
	c, err := (&company.Service{DB: e.store, Now: now}).Create(t.Context(), company.NewCompany{
		Code: "acme", Name: "Acme", TimeZone: "America/Lima", Language: "es", Currency: "PEN", PhonePrefix: "+51",
	})
	if err != nil {
		t.Fatal(err)
	}
	e.who = auth.System(c.ID)
	_, err = e.Ledger.CardTypeCreate(t.Context(), e.who, ledger.NewCardType{Code: "points", Name: "Points", Unit: ledger.Points})
	if err == nil {
		_, err = e.Ledger.CardCreate(t.Context(), e.who, ledger.NewCard{CardTypeCode: "points", Code: "CARD"})
	}
	if err == nil {
		_, err = e.Coupons.TypeCreate(t.Context(), e.who, "CAFE", coupon.Rules{
			Name: "Café", Format: coupon.Printed, Validity: coupon.Always, MaxUses: 1, Benefit: coupon.Text, Description: "Un café",
			Codes: coupon.Codes{Length: 10, Alphabet: "ABCDEFGHJKMNPQRSTUVWXYZ23456789"},
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	sold, err := e.Ledger.Post(t.Context(), e.who, ledger.Posting{
		Card: ledger.CardRef{Code: "CARD"}, Action: ledger.Accrue, Amount: new(decimal.MustParse("10")), Reference: "T-1", Source: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	e.sale = ledger.MovementKey{CardID: sold.Movement.CardID, Seq: sold.Movement.Seq}
	for code, reference := range map[string]string{"A": "T-1", "B": "T-1", "C": "T-2", "D": ""} {
		if _, err := e.Coupons.Issue(t.Context(), e.who, coupon.NewCoupon{TypeCode: "CAFE", Code: "COUPON-" + code, Source: "test"}); err != nil {
			t.Fatal(err)
		}
		if reference == "" {
			continue
		}
		if _, err := e.Coupons.Redeem(t.Context(), e.who, coupon.Redemption{Code: "COUPON-" + code, Reference: reference, Source: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func (e *env) back(ctx context.Context, key *ledger.Key, amount string, codes ...string) (ledger.Returned, error) {
	for i, code := range codes {
		codes[i] = "COUPON-" + code
	}
	in := pos.Return{CouponCodes: codes, Return: ledger.Return{Movement: e.sale, Source: "test", Key: key}}
	if amount != "" {
		in.Amount = new(decimal.MustParse(amount))
	}
	return e.Service.Return(ctx, e.who, in)
}

// shows holds the card's balance and the uses of all coupons.
func (e *env) shows(t *testing.T, what, want string) {
	t.Helper()
	card, err := e.Ledger.CardByCode(t.Context(), e.who.CompanyID, "CARD")
	if err != nil {
		t.Fatal(err)
	}
	got := card.Balance.Trim(0).String()
	for _, code := range []string{"A", "B", "C", "D"} {
		c, err := e.Coupons.ByCode(t.Context(), e.who.CompanyID, "COUPON-"+code)
		if err != nil {
			t.Fatal(err)
		}
		got += fmt.Sprintf(" %s%d", code, c.Used)
	}
	if got != want {
		t.Errorf("%s: got balance and uses %s, want %s", what, got, want)
	}
}

func key(n byte, request string) *ledger.Key {
	return &ledger.Key{ID: uuid.UUID{n}, Fingerprint: uuid.NewSHA1(uuid.NameSpaceOID, []byte(request))}
}

func TestReturnWithCoupons(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for name, tt := range map[string]struct {
		codes  []string
		amount string
		want   loyalty.Code
		field  string
		named  string
	}{
		"used with another sale": {[]string{"A", "C"}, "", loyalty.CodeCouponNotRedeemed, "couponCodes", "COUPON-C"},
		"not used":               {[]string{"D", "A"}, "", loyalty.CodeCouponNotRedeemed, "couponCodes", "COUPON-D"},
		"not there":              {[]string{"A", "E"}, "", loyalty.CodeCouponNotFound, "couponCodes", "COUPON-E"},
		"no code at all":         {[]string{"A", "\x00"}, "", loyalty.CodeCouponNotFound, "couponCodes", "COUPON-\x00"},
		"too many":               {make([]string, 21), "", loyalty.CodeTooLong, "couponCodes", ""},
		"more points than given": {[]string{"A"}, "11", loyalty.CodeReturnTooLarge, "amount", ""},
	} {
		_, err := e.back(t.Context(), key(9, name), tt.amount, tt.codes...)
		refusal, ok := errors.AsType[*loyalty.Error](err)
		if !ok || refusal.Code != tt.want || refusal.Field != tt.field || refusal.Params["code"] != tt.named {
			t.Errorf("%s: got %#v, want %s of %s, code %q", name, err, tt.want, tt.field, tt.named)
		}
		e.shows(t, name, "10 A1 B1 C1 D0")
	}

	first, err := e.back(t.Context(), key(1, "A"), "4", "A")
	if err != nil || first.Replayed {
		t.Fatalf("Return: got %+v, error %v", first, err)
	}
	e.shows(t, "returned", "6 A0 B1 C1 D0")
	again, err := e.back(t.Context(), key(1, "A"), "4", "A")
	if err != nil || !again.Replayed || again.Movement.Seq != first.Movement.Seq {
		t.Errorf("the same again: got %+v, error %v", again, err)
	}
	_, err = e.back(t.Context(), key(1, "A and B"), "4", "A", "B")
	if got := loyalty.CodeOf(err); got != loyalty.CodeIdempotencyMismatch {
		t.Errorf("the same key with other codes: got %q (%v)", got, err)
	}
	e.shows(t, "asked again", "6 A0 B1 C1 D0")
	// What was given back stays so, whoever names it again.
	if _, err := e.back(t.Context(), key(2, "rest"), "", "A", "B", "B"); err != nil {
		t.Errorf("the rest: %v", err)
	}
	e.shows(t, "the rest", "0 A0 B0 C1 D0")
	e.verified(t)
}

// Of many at once with one key one returns and the others repeat it.
func TestReturnAtOnce(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	var wg sync.WaitGroup
	done := make([]ledger.Returned, 8)
	for i := range done {
		wg.Go(func() {
			var err error
			if done[i], err = e.back(t.Context(), key(1, "all"), "", "B", "A"); err != nil {
				t.Errorf("Return: %v", err)
			}
		})
	}
	wg.Wait()
	fresh := 0
	for _, d := range done {
		if !d.Replayed {
			fresh++
		}
	}
	if fresh != 1 {
		t.Errorf("returns that were not repeated: got %d, want 1", fresh)
	}
	e.shows(t, "all at once", "0 A0 B0 C1 D0")
	e.verified(t)
}

// A sale without a reference has no coupons.
func TestReturnWithoutReference(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	sold, err := e.Ledger.Post(t.Context(), e.who, ledger.Posting{
		Card: ledger.CardRef{Code: "CARD"}, Action: ledger.Accrue, Amount: new(decimal.MustParse("1")), Source: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	e.sale.Seq = sold.Movement.Seq
	_, err = e.back(t.Context(), nil, "", "A")
	if got := loyalty.CodeOf(err); got != loyalty.CodeCouponNotRedeemed {
		t.Errorf("got %q (%v)", got, err)
	}
	e.shows(t, "refused", "11 A1 B1 C1 D0")
}

func (e *env) verified(t *testing.T) {
	t.Helper()
	books, err := e.Ledger.Verify(t.Context(), nil)
	if err != nil || len(books) > 0 {
		t.Errorf("the books: got %v, error %v", books, err)
	}
	coupons, err := e.Coupons.Verify(t.Context(), nil)
	if err != nil || len(coupons) > 0 {
		t.Errorf("the coupons: got %v, error %v", coupons, err)
	}
}
