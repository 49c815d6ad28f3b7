package ledger_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"sello/db/dbtest"
	"sello/loyalty"
	"sello/loyalty/ledger"
)

// What is in the books stays: the database itself refuses.
func TestBooksAreAppendOnly(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.card(t, "7001", "10")
	for _, sql := range []string{
		"UPDATE movement SET amount = 5", "UPDATE movement SET description = 'x'", "DELETE FROM movement", "TRUNCATE movement",
		"DELETE FROM card", "UPDATE audit_entry SET action = 'x'", "DELETE FROM audit_entry",
	} {
		if _, err := env.pool.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "never changed or deleted") {
			t.Errorf("%s: got error %v, want a refusal", sql, err)
		}
	}
	env.verified(t)
}

// statements counts what a pool sends.
type statements struct{ atomic.Int64 }

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if data.SQL != "begin" && data.SQL != "commit" && !strings.HasPrefix(data.SQL, "-- name: BeginPlanned ") {
		s.Add(1)
	}
	return ctx
}

func (s *statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func newCountedEnv(t *testing.T) (*env, *statements) {
	t.Helper()
	config, err := pgxpool.ParseConfig(dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	counted := &statements{}
	config.ConnConfig.Tracer = counted
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return newEnvOn(t, pool), counted
}

func TestPostIsOneStatement(t *testing.T) {
	t.Parallel()
	env, sent := newCountedEnv(t)
	env.card(t, "7001", "0")
	before := sent.Load()

	env.post(t, ledger.Posting{Card: ref("7001"), Action: ledger.Accrue, Amount: new(dec("1")), Key: key("k", "r")})

	if n := sent.Load() - before; n != 1 {
		t.Errorf("statements of a posting: got %d, want 1", n)
	}
}

// What a page leads to is read for the whole page at once, and once.
func TestListsBelowListsAreOneStatement(t *testing.T) {
	t.Parallel()
	env, sent := newCountedEnv(t)
	env.cardType(t, ledger.NewCardType{Code: "other"})
	for i := range 12 {
		cardType := []string{"points", "other"}[i%2]
		env.cardOf(t, cardType, fmt.Sprintf("card-%d", i), "5")
		env.post(t, ledger.Posting{Card: ref(fmt.Sprintf("card-%d", i)), Action: ledger.Accrue, Amount: new(dec("1"))})
	}
	before := sent.Load()
	page, more, err := env.ledger.Cards(t.Context(), env.company, ledger.CardFilter{}, nil, 10)
	if err != nil || len(page) != 10 || !more {
		t.Fatalf("Cards: got %d cards, more %t, error %v, want 10 and more", len(page), more, err)
	}
	for i, c := range page {
		if c.Code != fmt.Sprintf("card-%d", i) {
			t.Errorf("card %d of the page: got %s", i, c.Code)
		}
		typ, err := env.ledger.TypeOf(t.Context(), env.company, c)
		if err != nil || typ == nil || typ.ID != c.CardTypeID {
			t.Errorf("TypeOf(%s): got %v, error %v", c.Code, typ, err)
		}
		movements, err := env.ledger.MovementsOf(t.Context(), env.company, c, nil, 1)
		if err != nil || len(movements.Movements) != 1 || movements.Movements[0].Seq != 2 || !movements.More {
			t.Fatalf("MovementsOf(%s): got %+v, error %v, want the newest of two", c.Code, movements, err)
		}
		back, err := env.ledger.CardOf(t.Context(), env.company, movements.Movements[0])
		if err != nil || back == nil || back.ID != c.ID {
			t.Errorf("CardOf: got %v, error %v, want %s", back, err, c.Code)
		}
	}
	if n := sent.Load() - before; n != 4 { // cards, types, movements, cards of the movements
		t.Errorf("statements of 10 cards with type, movements and their cards: got %d, want 4", n)
	}
}

func TestMovementsPageBackwards(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	c := env.card(t, "7001", "0")
	for range 7 {
		env.post(t, ledger.Posting{Card: ref("7001"), Action: ledger.Accrue, Amount: new(dec("1"))})
	}
	var got []int64
	var before *int64
	for {
		page, err := env.ledger.MovementsOf(t.Context(), env.company, c, before, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Movements {
			got = append(got, m.Seq)
		}
		if !page.More {
			break
		}
		before = &page.Movements[len(page.Movements)-1].Seq
	}
	if fmt.Sprint(got) != "[7 6 5 4 3 2 1]" {
		t.Errorf("movements over three pages: got %v, want 7 to 1", got)
	}
}

func TestCardsOfOtherCompaniesAreNotSeen(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	other := env.other(t)
	theirs := other.card(t, "7001", "5")
	if c, err := env.ledger.CardByID(t.Context(), env.company, theirs.ID); c != nil || err != nil {
		t.Errorf("CardByID of another company's card: got %v, error %v", c, err)
	}
	if m, err := env.ledger.Movement(t.Context(), env.company, theirs.ID, 1); m != nil || err != nil {
		t.Errorf("Movement on another company's card: got %v, error %v", m, err)
	}
	if found, err := env.ledger.CardsByIDs(t.Context(), env.company, []uuid.UUID{theirs.ID}); len(found) != 0 || err != nil {
		t.Errorf("CardsByIDs of another company's card: got %v, error %v", found, err)
	}
	if _, err := env.ledger.CardStatusSet(t.Context(), env.who, "7001", ledger.Disabled); loyalty.CodeOf(err) != loyalty.CodeCardNotFound {
		t.Errorf("CardStatusSet on another company's card: got error %v", err)
	}
}

func TestCardCreate(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.card(t, "7001", "0")
	for _, tt := range []struct {
		name    string
		in      ledger.NewCard
		refusal loyalty.Code
		field   string
	}{
		{"code in use", ledger.NewCard{CardTypeCode: "points", Code: "7001"}, loyalty.CodeTaken, "code"},
		{"short code", ledger.NewCard{CardTypeCode: "points", Code: "700"}, loyalty.CodeInvalid, "code"},
		{"code with a blank", ledger.NewCard{CardTypeCode: "points", Code: "70 01"}, loyalty.CodeInvalid, "code"},
		{"unknown type", ledger.NewCard{CardTypeCode: "none", Code: "7002"}, loyalty.CodeCardTypeNotFound, "cardTypeCode"},
		{"type that is no text", ledger.NewCard{CardTypeCode: "\x00", Code: "7002"}, loyalty.CodeCardTypeNotFound, "cardTypeCode"},
		{"unknown customer", ledger.NewCard{CardTypeCode: "points", Code: "7002", CustomerID: new(uuid.New())}, loyalty.CodeCustomerNotFound, "customerId"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := env.ledger.CardCreate(t.Context(), env.who, tt.in)
			wantRefusal(t, err, tt.refusal, tt.field)
		})
	}
	first, err := env.ledger.CardCreate(t.Context(), env.who, ledger.NewCard{CardTypeCode: "points"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := env.ledger.CardCreate(t.Context(), env.who, ledger.NewCard{CardTypeCode: "points"})
	if err != nil {
		t.Fatal(err)
	}
	if first.Code != "7000000000000001" || second.Code != "7000000000000002" {
		t.Errorf("codes by themselves: got %s and %s, want 7000000000000001 and …2", first.Code, second.Code)
	}
	if first.State() != ledger.Enabled || !first.Balance.IsZero() {
		t.Errorf("new card: got %s with %s, want enabled with nothing", first.State(), first.Balance)
	}
}

func TestCardTypeCreate(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	good := ledger.NewCardType{Code: "new", Name: "New", Unit: ledger.Points}
	env.cardType(t, ledger.NewCardType{Code: "wallet", WalletKey: new("wallet-key-1")})
	for name, tt := range map[string]struct {
		change  func(*ledger.NewCardType)
		refusal loyalty.Code
		field   string
	}{
		"code in use":          {func(in *ledger.NewCardType) { in.Code = "points" }, loyalty.CodeTaken, "code"},
		"wallet key in use":    {func(in *ledger.NewCardType) { in.WalletKey = new("wallet-key-1") }, loyalty.CodeTaken, "walletKey"},
		"short wallet key":     {func(in *ledger.NewCardType) { in.WalletKey = new("short") }, loyalty.CodeInvalid, "walletKey"},
		"no name":              {func(in *ledger.NewCardType) { in.Name = " " }, loyalty.CodeRequired, "name"},
		"long name":            {func(in *ledger.NewCardType) { in.Name = strings.Repeat("ñ", 101) }, loyalty.CodeTooLong, "name"},
		"name that is no text": {func(in *ledger.NewCardType) { in.Name = "a\xff" }, loyalty.CodeInvalid, "name"},
		"five decimals":        {func(in *ledger.NewCardType) { in.Scale = 5 }, loyalty.CodeInvalid, "scale"},
		"both rules": {func(in *ledger.NewCardType) {
			in.Percentage, in.Ratio = new(dec("1")), &ledger.Ratio{Points: dec("1"), Amount: dec("1")}
		}, loyalty.CodeInvalid, "accrualRatio"},
		"percentage below zero":            {func(in *ledger.NewCardType) { in.Percentage = new(dec("-1")) }, loyalty.CodeInvalid, "accrualPercentage"},
		"percentage too large":             {func(in *ledger.NewCardType) { in.Percentage = new(dec("1000")) }, loyalty.CodeInvalid, "accrualPercentage"},
		"percentage that would be rounded": {func(in *ledger.NewCardType) { in.Percentage = new(dec("1.00005")) }, loyalty.CodeInvalid, "accrualPercentage"},
		"ratio that would be rounded":      {func(in *ledger.NewCardType) { in.Ratio = &ledger.Ratio{Points: dec("1.00005"), Amount: dec("1")} }, loyalty.CodeInvalid, "accrualRatio"},
		"ratio of nothing":                 {func(in *ledger.NewCardType) { in.Ratio = &ledger.Ratio{Points: dec("1")} }, loyalty.CodeAmountNotPositive, "accrualRatio"},
		"overdraft below zero":             {func(in *ledger.NewCardType) { in.Overdraft = new(dec("-1")) }, loyalty.CodeInvalid, "overdraft"},
		"overdraft beyond the ledger":      {func(in *ledger.NewCardType) { in.Overdraft = new(dec("1000000000000000")) }, loyalty.CodeInvalid, "overdraft"},
		"address of another kind":          {func(in *ledger.NewCardType) { in.CustomerURL = "javascript:alert(1)" }, loyalty.CodeInvalid, "customerUrl"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := good
			tt.change(&in)
			_, err := env.ledger.CardTypeCreate(t.Context(), env.who, in)
			wantRefusal(t, err, tt.refusal, tt.field)
		})
	}
}
