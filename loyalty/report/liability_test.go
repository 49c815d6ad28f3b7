package report_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/ledger"
	"sello/loyalty/report"
)

// enter posts one entry by a book.
func (s *shop) enter(t *testing.T, card *ledger.Card, e ledger.Entry) {
	t.Helper()
	e.Source = "graphql"
	err := s.ledger.InBook(t.Context(), s.who, []uuid.UUID{card.ID}, func(_ db.Tx, b *ledger.Book) error {
		_, err := b.Account(card.ID).Post(e)
		return err
	})
	if err != nil {
		t.Fatalf("post %s %s: %v", e.Action, e.Amount, err)
	}
}

// TestLiabilityIsTheSumOfBalances: over random histories of cards that keep lots,
// with holds, and of cards that keep none and may be overdrawn, every part of the
// answer is what is recomputed from the rows, and the parts come to the whole.
func TestLiabilityIsTheSumOfBalances(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	r := random(t)
	s := e.shop(t, "Europe/Madrid", 12)
	other := e.shop(t, "Europe/Madrid", 2)
	other.post(t.Context(), t, other.cards[0], ledger.Accrue, "1000000")
	e.exec(t, `UPDATE card_type SET tracks_lots = true WHERE company_id = $1 AND code = 'points'`, s.id)
	for range 300 {
		i := r.IntN(len(s.cards))
		amount := decimal.MustNew(r.Int64N(1_000_000)+1, 4)
		if i%2 == 1 { // the wallet: no lots, an overdraft
			if r.IntN(2) == 0 {
				amount = amount.Neg()
			}
			s.enter(t, s.cards[i], ledger.Entry{Action: ledger.Adjust, Amount: amount})
			continue
		}
		now, err := e.ledger.CardByID(t.Context(), s.id, s.cards[i].ID)
		if err != nil {
			t.Fatal(err)
		}
		available, err := now.Balance.Sub(now.Held)
		if err != nil {
			t.Fatal(err)
		}
		switch k := r.IntN(6); {
		case k < 2 && available.Cmp(amount) > 0:
			s.enter(t, s.cards[i], ledger.Entry{Action: ledger.Redeem, Amount: amount.Neg()})
		case k == 2 && available.Cmp(amount) > 0:
			s.enter(t, s.cards[i], ledger.Entry{Action: ledger.Reserve, Held: amount})
			e.exec(t, `INSERT INTO hold (company_id, id, card_id, seq, status, amount, expires_at, created_at)
				SELECT company_id, gen_random_uuid(), id, seq, 'open', $3, $4, $5 FROM card WHERE company_id = $1 AND id = $2`,
				s.id, s.cards[i].ID, amount, start.AddDate(1, 0, 0), start)
		default:
			terms := ledger.LotTerms{}
			if r.IntN(3) > 0 {
				terms.ExpiresOn = new(day("2026-10-31").AddDate(0, 0, r.IntN(200)))
			}
			s.enter(t, s.cards[i], ledger.Entry{Action: ledger.Accrue, Amount: amount, Lot: terms})
		}
	}
	e.exec(t, `INSERT INTO lot (company_id, card_id, seq, part, state, amount, remaining, earned_on, expires_on, priority)
		VALUES ($1, $2, 9000, 0, 'pending', 12.5, 12.5, '2026-10-01', '2026-12-01', 100)`, s.id, s.cards[0].ID)

	for code, wantPending := range map[string]string{"points": "12.5", "wallet": "0"} {
		got, err := e.Liability(t.Context(), s.id, code)
		if err != nil {
			t.Fatal(err)
		}
		balances, held := s.balances(t, code)
		if got.Outstanding.String() != balances.String() || got.Held.String() != held.String() || got.Cards != 6 {
			t.Errorf("%s: got %s outstanding and %s held on %d cards, the cards come to %s and %s on 6",
				code, got.Outstanding, got.Held, got.Cards, balances, held)
		}
		if diff := cmp.Diff(s.ends(t, code), monthsOf(got)); diff != "" {
			t.Errorf("%s: what ends by month (-lots +answer):\n%s", code, diff)
		}
		if got.Pending.String() != wantPending || !got.KnownTo.Equal(e.Now()) {
			t.Errorf("%s: got %s pending, known to %v, want %s, to now", code, got.Pending, got.KnownTo, wantPending)
		}
		whole := got.Never.Add(got.Held).Sub(got.Overdrawn)
		for _, m := range got.Months {
			whole = whole.Add(m.Amount)
		}
		if whole.String() != got.Outstanding.String() || got.Never.Sign() < 0 {
			t.Errorf("%s: the parts come to %s, outstanding is %s; %s never ends", code, whole, got.Outstanding, got.Never)
		}
		switch {
		case code == "points" && (len(got.Months) < 3 || got.Held.Sign() == 0 || got.Overdrawn.Sign() != 0):
			t.Errorf("points: got %d months, %s held, %s overdrawn: the histories show too little", len(got.Months), got.Held, got.Overdrawn)
		case code == "wallet" && (len(got.Months) != 0 || got.Overdrawn.Sign() <= 0):
			t.Errorf("wallet: got %d months, %s overdrawn", len(got.Months), got.Overdrawn)
		}
	}
	s.bring(t)
	s.exact(t)
	if findings, err := e.ledger.Verify(t.Context(), &other.id); err != nil || len(findings) != 0 {
		t.Errorf("Verify of the other company: got %v, error %v", findings, err)
	}
	for _, code := range []string{"none", "\x00"} {
		if _, err := e.Liability(t.Context(), s.id, code); loyalty.CodeOf(err) != loyalty.CodeCardTypeNotFound {
			t.Errorf("Liability of %q: got %v", code, err)
		}
	}
}

// balances adds the cards of a type up in Go.
func (s *shop) balances(t *testing.T, code string) (balance, held report.Sum) {
	t.Helper()
	rows, err := s.pool.Query(t.Context(), `SELECT card.balance::text, card.held::text FROM card
		JOIN card_type ON card_type.company_id = card.company_id AND card_type.id = card.card_type_id
		WHERE card.company_id = $1 AND card_type.code = $2`, s.id, code)
	if err != nil {
		t.Fatal(err)
	}
	var b, h string
	if _, err := pgx.ForEachRow(rows, []any{&b, &h}, func() error {
		balance, held = balance.Add(sum(t, b)), held.Add(sum(t, h))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return balance, held
}

// ends adds the lots of a type that end up in Go, by month.
func (s *shop) ends(t *testing.T, code string) map[string]string {
	t.Helper()
	rows, err := s.pool.Query(t.Context(), `SELECT lot.expires_on, lot.remaining::text FROM lot
		JOIN card ON card.company_id = lot.company_id AND card.id = lot.card_id
		JOIN card_type ON card_type.company_id = card.company_id AND card_type.id = card.card_type_id
		WHERE lot.company_id = $1 AND card_type.code = $2 AND lot.state = 'open' AND lot.expires_on IS NOT NULL`, s.id, code)
	if err != nil {
		t.Fatal(err)
	}
	months := map[string]report.Sum{}
	var on time.Time
	var remaining string
	if _, err := pgx.ForEachRow(rows, []any{&on, &remaining}, func() error {
		month := on.Format("2006-01") + "-01"
		months[month] = months[month].Add(sum(t, remaining))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for month, amount := range months {
		texts[month] = amount.String()
	}
	return texts
}

func monthsOf(l *report.Liability) map[string]string {
	texts := map[string]string{}
	for _, m := range l.Months {
		texts[m.Month.Format(time.DateOnly)] = m.Amount.String()
	}
	return texts
}

// TestFiguresOfAllActions: what a book posts is counted by what it does.
func TestFiguresOfAllActions(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	s := e.shop(t, "UTC", 1)
	for _, in := range []ledger.Entry{
		{Action: ledger.Accrue, Amount: dec("100")}, {Action: ledger.Expire, Amount: dec("-30")}, {Action: ledger.Expire, Amount: dec("5")},
		{Action: ledger.WriteOff, Amount: dec("-2")}, {Action: ledger.TransferIn, Amount: dec("7")}, {Action: ledger.TransferOut, Amount: dec("-3")},
		{Action: ledger.Reverse, Amount: dec("4")}, {Action: ledger.Reverse, Amount: dec("-6")}, {Action: ledger.Reserve, Held: dec("1")},
		{Action: ledger.Release, Held: dec("-1")}, {Action: ledger.Enable},
	} {
		s.enter(t, s.cards[0], in)
	}
	s.bring(t)
	s.exact(t)
	d, err := e.Daily(t.Context(), s.id, report.Range{From: day("2026-10-04"), To: day("2026-10-04")})
	if err != nil {
		t.Fatal(err)
	}
	f := d.Total
	for what, tt := range map[string][2]string{
		"issued": {f.Issued.String(), "100"}, "expired": {f.Expired.String(), "25"}, "written off": {f.WrittenOff.String(), "2"},
		"transferred in": {f.TransferredIn.String(), "7"}, "transferred out": {f.TransferredOut.String(), "3"},
		"returned up": {f.ReturnedUp.String(), "4"}, "returned down": {f.ReturnedDown.String(), "6"}, "net": {f.Net().String(), "75"},
		"breakage": {f.BreakageRate().String(), "0.25"},
	} {
		if tt[0] != tt[1] {
			t.Errorf("%s: got %s, want %s", what, tt[0], tt[1])
		}
	}
	if f.Movements != 11 {
		t.Errorf("movements: got %d, want 11", f.Movements)
	}
}
