package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"sello/loyalty"
	"sello/loyalty/ledger"
)

// lotsText is what a card has left: sequence, amount and end of each open lot.
func (e *env) lotsText(t testing.TB, code string) string {
	t.Helper()
	var text string
	err := e.pool.QueryRow(t.Context(), `SELECT coalesce(string_agg(format('%s: %s until %s', lot.seq, trim_scale(remaining), expires_on), ', ' ORDER BY lot.seq, part), '')
		FROM lot JOIN card ON card.id = lot.card_id WHERE card.company_id = $1 AND card.code = $2 AND state <> 'closed'`, e.company, code).Scan(&text)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A sale with points used and points given is taken back in any parts, in any order,
// some of them sent again: the card ends where it would be had nothing been sold,
// with the same lots and ends, whatever has ended meanwhile.
func TestAnySplitOfReturnsIsNeverSold(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		kind := bookType{
			lots: true, days: rapid.SampledFrom([]int{3, 30}).Draw(rt, "days"), shortfall: ledger.ShortfallRefuse,
		}
		h := newHistory(t, rt, e, kind, run, map[string]int{})
		// The two cards live the same life, but that only the first one sells.
		for range rapid.IntRange(1, 3).Draw(rt, "earlier") {
			n := rapid.Int64Range(100, 3000).Draw(rt, "points")
			for i := range h.codes {
				h.post(i, ledger.Accrue, n, 0, ledger.LotTerms{}, nil)
			}
			h.pass(time.Duration(rapid.IntRange(1, 12).Draw(rt, "hours")) * time.Hour)
		}
		c := h.cards[0]
		points, spent := rapid.Int64Range(20, 2000).Draw(rt, "given"), rapid.Int64Range(1, 9000).Draw(rt, "spent")
		lines := map[int]int64{1: points / 3, 2: points / 7}
		lines[3] = points - lines[1] - lines[2]
		terms := ledger.LotTerms{Priority: new(int16(rapid.IntRange(99, 101).Draw(rt, "priority")))}
		h.post(0, ledger.Accrue, points, spent, terms, lines)
		parts := []*bookMove{c.moves[len(c.moves)-1]}
		for range rapid.IntRange(1, 2).Draw(rt, "uses") {
			if used := rapid.Int64Range(1, max(c.free()/2, 1)).Draw(rt, "used"); used <= c.free() {
				h.post(0, ledger.Redeem, -used, rapid.Int64Range(1, 900).Draw(rt, "used for"), ledger.LotTerms{}, nil)
				parts = append(parts, c.moves[len(c.moves)-1])
			}
		}
		for range 200 {
			if parts = slices.DeleteFunc(parts, func(m *bookMove) bool { return m.back == max(m.amount, -m.amount) }); len(parts) == 0 {
				break
			}
			o := parts[rapid.IntRange(0, len(parts)-1).Draw(rt, "part")]
			left := max(o.amount, -o.amount) - o.back
			switch rapid.IntRange(0, 5).Draw(rt, "way") {
			case 0:
				h.giveBack(0, o, 0, 0, 0, 0)
			case 1:
				h.giveBack(0, o, rapid.Int64Range(1, left).Draw(rt, "amount"), 0, 0, 0)
			case 2:
				h.giveBack(0, o, 0, rapid.Int64Range(1, max(o.spent, 1)).Draw(rt, "spent of it"), 0, 0)
			case 3:
				h.giveBack(0, o, 0, 0, rapid.IntRange(1, 3).Draw(rt, "line"), 0)
			case 4:
				h.giveBack(0, o, 0, 0, rapid.IntRange(1, 3).Draw(rt, "line"), rapid.Int64Range(1, left).Draw(rt, "part of it"))
			default:
				h.pass(time.Duration(rapid.IntRange(1, 40).Draw(rt, "hours")) * time.Hour)
			}
		}
		for _, o := range slices.Backward(parts) { // points used come back before those given
			h.giveBack(0, o, 0, 0, 0, 0)
		}
		h.touch(0)
		h.touch(1)
		h.agree()
		sold, never := e.lotsText(t, h.codes[0]), e.lotsText(t, h.codes[1])
		if a, b := e.balance(t, h.codes[0]), e.balance(t, h.codes[1]); a != b || sold != never {
			rt.Fatalf("after all returns: %s with lots %s, never sold %s with lots %s%s", a, sold, b, never, h.story(0))
		}
		h.proved()
	})
}

// Nobody gains by buying and giving back, whatever happens between: with all sales
// and uses taken back, a card has no more than what it had before.
func TestBuyAndRefundGainsNothing(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		kind := drawType(rt)
		kind.inactivity = false
		h := newHistory(t, rt, e, kind, run, map[string]int{})
		start := rapid.Int64Range(1, 3000).Draw(rt, "start")
		h.post(0, ledger.Adjust, start, 0, ledger.LotTerms{}, nil)
		c := h.cards[0]
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			n := rapid.Int64Range(1, 3000).Draw(rt, "hundredths")
			switch o := c.moves[rapid.IntRange(0, len(c.moves)-1).Draw(rt, "movement")]; rapid.IntRange(0, 6).Draw(rt, "step") {
			case 0, 1:
				h.post(0, ledger.Accrue, n, 0, ledger.LotTerms{}, nil)
			case 2, 3:
				h.post(0, ledger.Redeem, -n, 0, ledger.LotTerms{}, nil)
			case 4:
				h.hold(0, n/4+1, time.Duration(rapid.IntRange(1, 60).Draw(rt, "hours"))*time.Hour)
			case 5:
				if o.seq > 1 {
					h.giveBack(0, o, rapid.SampledFrom([]int64{0, n/3 + 1}).Draw(rt, "amount"), 0, 0, 0)
				}
			default:
				h.pass(time.Duration(rapid.IntRange(1, 50).Draw(rt, "hours")) * time.Hour)
			}
		}
		for round := range 2 { // what is refused at first may go once the uses have come back
			for _, o := range slices.Clone(c.moves) {
				if back := o.action == ledger.Accrue || o.action == ledger.Redeem; back && o.seq > 1 && o.back < max(o.amount, -o.amount) && (o.amount < 0 || round > 0) {
					h.giveBack(0, o, 0, 0, 0, 0)
				}
			}
		}
		h.pass(100 * time.Hour) // holds time out
		sold := false
		for _, o := range c.moves {
			sold = sold || o.action == ledger.Accrue && o.back < o.amount
		}
		if !sold && c.free() > start {
			rt.Fatalf("a card of %d/100 has %d/100 after all was taken back%s", start, c.free(), h.story(0))
		}
		h.proved()
	})
}

// A captured hold, returned, goes back to the lots that the hold took from.
func TestReturnOfACapturedHold(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.endsAfter(t, "points", 30, "after")
	e.card(t, "7001", "10")
	e.pass(48 * time.Hour)
	e.post(t, ledger.Posting{Card: ref("7001"), Action: ledger.Accrue, Amount: new(dec("5"))})
	before := e.lotsText(t, "7001")
	held, err := e.ledger.HoldCreate(t.Context(), e.who, ledger.NewHold{Card: ref("7001"), Amount: dec("12"), Source: "graphql"})
	if err != nil {
		t.Fatal(err)
	}
	captured, err := e.ledger.HoldCapture(t.Context(), e.who, ledger.HoldEnd{ID: held.Hold.ID, Amount: new(dec("7.5")), Source: "graphql"})
	if err != nil {
		t.Fatal(err)
	}
	of := ledger.MovementKey{CardID: captured.Movement.CardID, Seq: captured.Movement.Seq}
	for _, amount := range []string{"2.5", "5"} {
		if _, err := e.ledger.Reverse(t.Context(), e.who, ledger.Return{Movement: of, Amount: new(dec(amount)), Source: "graphql"}); err != nil {
			t.Fatal(err)
		}
	}
	if got := e.lotsText(t, "7001"); got != before {
		t.Errorf("lots after the return: got %s, want %s", got, before)
	}
	e.verified(t)
}

// movementOf is the key of a posting's movement.
func movementOf(p ledger.Posted) ledger.MovementKey {
	return ledger.MovementKey{CardID: p.Movement.CardID, Seq: p.Movement.Seq}
}

func (e *env) giveBack(t testing.TB, p ledger.Posted) {
	t.Helper()
	if _, err := e.ledger.Reverse(t.Context(), e.who, ledger.Return{Movement: movementOf(p), Source: "graphql"}); err != nil {
		t.Fatalf("Reverse: %v", err)
	}
}

// A sale whose points are spent is taken back from other points; when what was spent
// comes back, it goes to those.
func TestReturnedPointsGoToTheLotsThatStoodIn(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.endsAfter(t, "points", 30, "after")
	e.card(t, "7001", "100")
	before := e.lotsText(t, "7001")
	sale := e.post(t, ledger.Posting{Card: ref("7001"), Action: ledger.Accrue, Amount: new(dec("40")), Lot: ledger.LotTerms{Priority: new(int16(1))}})
	use := e.post(t, ledger.Posting{Card: ref("7001"), Action: ledger.Redeem, Amount: new(dec("-40"))}) // from the sale's lot
	e.giveBack(t, sale)
	if got := e.lotsText(t, "7001"); got != "1: 60 until 2026-04-01" {
		t.Errorf("lots after the sale's return: got %s, want 60 of the first", got)
	}
	e.giveBack(t, use)
	if got := e.lotsText(t, "7001"); got != before {
		t.Errorf("lots after both returns: got %s, want %s", got, before)
	}
	e.verified(t)
}

// What a return could not take, because it was spent or held, is taken when that
// comes back.
func TestWhatWasWrittenOffIsTakenWhenItComesBack(t *testing.T) {
	t.Parallel()
	for _, lots := range []bool{false, true} {
		t.Run(fmt.Sprintf("with lots %t", lots), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			if lots {
				e.endsAfter(t, "points", 30, "after")
			}
			e.setRules(t, "points", "return_shortfall = 'take_available'")
			e.card(t, "7001", "5")
			sale := e.post(t, ledger.Posting{Card: ref("7001"), Action: ledger.Accrue, Amount: new(dec("40"))})
			use := e.post(t, ledger.Posting{Card: ref("7001"), Action: ledger.Redeem, Amount: new(dec("-25"))})
			held, err := e.ledger.HoldCreate(t.Context(), e.who, ledger.NewHold{Card: ref("7001"), Amount: dec("20"), Source: "graphql"})
			if err != nil {
				t.Fatal(err)
			}
			e.giveBack(t, sale) // nothing is available
			if got := e.balance(t, "7001"); got != "20" {
				t.Errorf("balance after the return: got %s, want the 20 that are held", got)
			}
			if _, err := e.ledger.HoldRelease(t.Context(), e.who, ledger.HoldEnd{ID: held.Hold.ID, Source: "graphql"}); err != nil {
				t.Fatal(err)
			}
			if got := e.balance(t, "7001"); got != "0" {
				t.Errorf("balance after the hold's release: got %s, want 0", got)
			}
			e.giveBack(t, use)
			if got := e.balance(t, "7001"); got != "5" {
				t.Errorf("balance after all came back: got %s, want the 5 of before", got)
			}
			after := e.post(t, ledger.Posting{Card: ref("7001"), Action: ledger.Redeem, Amount: new(dec("-3"))})
			e.giveBack(t, after) // what was spent after the return is nobody's debt
			if got := e.balance(t, "7001"); got != "5" {
				t.Errorf("balance after a later use and its return: got %s, want 5", got)
			}
			e.verified(t)
		})
	}
}

// Returns by amount and by what was spent are reckoned apart.
func TestReturnsByAmountAndBySpent(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.cardType(t, ledger.NewCardType{Code: "whole"})
	e.cardOf(t, "whole", "7001", "0")
	sale := e.post(t, ledger.Posting{Card: ref("7001"), Action: ledger.Accrue, Amount: new(dec("10")), Spent: new(dec("99"))})
	for _, tt := range []struct {
		amount, spent, want string
		refusal             loyalty.Code
	}{
		{amount: "3", want: "-3"}, {spent: "33", want: "-3"}, {spent: "33", want: "-3"}, {spent: "33.0001", refusal: loyalty.CodeReturnTooLarge},
		{spent: "33", want: "-1"}, {spent: "0.01", refusal: loyalty.CodeReturnTooLarge}, {amount: "1", refusal: loyalty.CodeReturnTooLarge},
	} {
		in := ledger.Return{Movement: movementOf(sale), Source: "graphql"}
		if tt.amount != "" {
			in.Amount = new(dec(tt.amount))
		} else {
			in.Spent = new(dec(tt.spent))
		}
		got, err := e.ledger.Reverse(t.Context(), e.who, in)
		if loyalty.CodeOf(err) != tt.refusal || err == nil && got.Movement.Amount.Cmp(dec(tt.want)) != 0 {
			t.Errorf("return of %s%s: got %+v, error %v, want %s%s", tt.amount, tt.spent, got.Movement, err, tt.want, tt.refusal)
		}
	}
	e.verified(t)
}

// A posting that waits for a card while the card begins to keep lots keeps them.
func TestPostWhileACardBeginsToKeepLots(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	c := e.card(t, "7001", "10")
	holder, err := e.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Rollback(t.Context()) }()
	if _, err := holder.Exec(t.Context(), "SELECT FROM card WHERE id = $1 FOR UPDATE", c.ID); err != nil {
		t.Fatal(err)
	}
	posted := make(chan error)
	go func() {
		_, err := e.ledger.Post(t.Context(), e.who, ledger.Posting{Card: ref("7001"), Action: ledger.Accrue, Amount: new(dec("4")), Source: "graphql"})
		posted <- err
	}()
	for e.count(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 0 {
		continue
	}
	for _, sql := range []string{
		"UPDATE card_type SET tracks_lots = true, expiry_version = 1 WHERE id = $2 AND $1::uuid IS NOT NULL",
		"INSERT INTO lot (company_id, card_id, seq, part, state, amount, remaining, earned_on, priority) SELECT company_id, $1, 1, 0, 'open', 10, 10, '2026-03-02', 100 FROM card_type WHERE id = $2",
		"UPDATE card SET expiry_version = 1 WHERE id = $1 AND card_type_id = $2",
	} {
		if _, err := holder.Exec(t.Context(), sql, c.ID, c.CardTypeID); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	if err := holder.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-posted; err != nil {
		t.Fatalf("Post: %v", err)
	}
	if got, want := e.lotsText(t, "7001"), "1: 10 until , 2: 4 until "; got != want {
		t.Errorf("lots: got %q, want %q", got, want)
	}
	e.verified(t)
}

// What is due is posted as it fell due, whoever looks and however late.
func TestWhatIsDueDoesNotDependOnWhoLooks(t *testing.T) {
	t.Parallel()
	var stories [2]string
	for i := range stories {
		e := newEnv(t)
		e.endsAfter(t, "points", 3, "after")
		e.setRules(t, "points", "returned_lot_days = 4")
		e.card(t, "7001", "10")
		e.post(t, ledger.Posting{Card: ref("7001"), Action: ledger.Accrue, Amount: new(dec("6")), Lot: ledger.LotTerms{VestsOn: new(time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC))}})
		for _, hours := range []time.Duration{30, 100} {
			if _, err := e.ledger.HoldCreate(t.Context(), e.who, ledger.NewHold{Card: ref("7001"), Amount: dec("3"), Time: hours * time.Hour, Source: "graphql"}); err != nil {
				t.Fatal(err)
			}
		}
		for range 24 {
			e.pass(12 * time.Hour)
			if i == 0 { // somebody looks twice a day
				_, _ = e.ledger.Post(t.Context(), e.who, ledger.Posting{Card: ref("7001"), Action: ledger.Redeem, Amount: new(dec("-1000")), Source: "graphql"})
			}
		}
		_, err := e.ledger.Post(t.Context(), e.who, ledger.Posting{Card: ref("7001"), Action: ledger.Redeem, Amount: new(dec("-1000")), Source: "graphql"})
		if loyalty.CodeOf(err) != loyalty.CodeInsufficientBalance {
			t.Fatal(err)
		}
		row := e.pool.QueryRow(t.Context(), "SELECT string_agg(format('%s %s %s %s %s', seq, action, amount, held, posted_at AT TIME ZONE 'UTC'), E'\n' ORDER BY seq) FROM movement")
		if err := row.Scan(&stories[i]); err != nil {
			t.Fatal(err)
		}
		e.verified(t)
	}
	if diff := cmp.Diff(stories[0], stories[1]); diff != "" {
		t.Errorf("looked at often and once (-often +once):\n%s", diff)
	}
}

// Points that became usable, paid what was spent on credit and ended, all before anybody
// looked: what can be spent is what a book reckons, and looking posts nothing.
func TestAvailableOfPointsThatPaidAndEnded(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.cardType(t, ledger.NewCardType{Code: "credit", Scale: 2, Overdraft: new(dec("25"))})
	e.endsAfter(t, "credit", 2, "after")
	e.cardOf(t, "credit", "7002", "0")
	usable := e.clock.Load().AddDate(0, 0, 3).Truncate(24 * time.Hour)
	e.post(t, ledger.Posting{Card: ref("7002"), Action: ledger.Accrue, Amount: new(dec("2")), Lot: ledger.LotTerms{VestsOn: &usable, ExpiresOn: &usable}})
	e.post(t, ledger.Posting{Card: ref("7002"), Action: ledger.Redeem, Amount: new(dec("-1"))})
	e.pass(5 * 24 * time.Hour)
	before := e.cardNow(t, "7002")
	said, err := e.ledger.AvailableOf(t.Context(), e.company, before)
	if err != nil || !said.IsZero() {
		t.Errorf("what can be spent: got %s, error %v, want 0: of 2 points 1 paid the credit, and 1 has ended", said, err)
	}
	if after := e.cardNow(t, "7002"); after.Seq != before.Seq || after.Balance != before.Balance {
		t.Errorf("a look has posted: %s after %d, before it %s after %d", after.Balance, after.Seq, before.Balance, before.Seq)
	}
	e.post(t, ledger.Posting{Card: ref("7002"), Action: ledger.Accrue, Amount: new(dec("1"))})
	if got := e.balance(t, "7002"); got != "1" {
		t.Errorf("balance after a posting: got %s, want 1", got)
	}
	e.verified(t)
}

// What was held before the card kept lots is a new earning when it comes back, and may
// have ended since: what can be spent is said so before anything is posted.
func TestAvailableOfAHoldFromBeforeLots(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.card(t, "7001", "10")
	if _, err := e.ledger.HoldCreate(t.Context(), e.who, ledger.NewHold{Card: ref("7001"), Amount: dec("3"), Time: 2 * time.Hour, Source: "graphql"}); err != nil {
		t.Fatal(err)
	}
	e.endsAfter(t, "points", 2, "after")
	e.post(t, ledger.Posting{Card: ref("7001"), Action: ledger.Accrue, Amount: new(dec("1"))})
	e.pass(93 * time.Hour)
	c, err := e.ledger.CardByCode(t.Context(), e.company, "7001")
	if err != nil {
		t.Fatal(err)
	}
	said, err := e.ledger.AvailableOf(t.Context(), e.company, c)
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.ledger.Post(t.Context(), e.who, ledger.Posting{Card: ref("7001"), Action: ledger.Redeem, Amount: new(dec("-1000")), Source: "graphql"})
	refused, is := errors.AsType[*loyalty.Error](err)
	if !is || refused.Params["available"] != said.Trim(0).String() {
		t.Errorf("said %s, refused with %v %v", said, err, refused)
	}
	e.verified(t)
}

// A posting in one statement and the same through a book write the same rows.
func TestOneStatementAndABookWriteTheSame(t *testing.T) {
	t.Parallel()
	rows := map[string][]string{}
	for _, way := range []string{"statement", "book"} {
		e := newEnv(t)
		e.cardType(t, ledger.NewCardType{Code: "percent", Scale: 2, Percentage: new(dec("7.25")), Rechargeable: true, Overdraft: new(dec("20"))})
		e.cardType(t, ledger.NewCardType{Code: "ratio", Scale: 1, Ratio: &ledger.Ratio{Points: dec("3"), Amount: dec("7")}})
		if way == "book" {
			e.exec(t, "UPDATE card_type SET load_limit = 100000, transaction_limit = 100000")
		}
		member := e.member(t, "Ana", "5510000000")
		e.exec(t, "INSERT INTO staff_right (company_id, staff_id, card_type_id, accrue, redeem, adjust) SELECT $1, $2, id, true, true, true FROM card_type", e.company, member.ID)
		e.who.Subject = uuid.NewSHA1(uuid.Nil, []byte("somebody"))
		for _, cardType := range []string{"points", "percent", "ratio"} {
			e.cardOf(t, cardType, "card-"+cardType, "0")
			for i, p := range []ledger.Posting{
				{Action: ledger.Accrue, Amount: new(dec("12.50")), Spent: new(dec("99.9999")), Reference: " T-1 ", Description: "Compra"},
				{Action: ledger.Accrue, Spent: new(dec("123.45"))}, {Action: ledger.Accrue, Spent: new(dec("0.0001"))},
				{Action: ledger.Redeem, Amount: new(dec("-1.5")), StaffNumber: &member.Number, At: noon.Add(-time.Hour + 1234*time.Nanosecond)},
				{Action: ledger.Adjust, Amount: new(dec("-2")), Source: "wallet", StoreCode: "none"}, {Action: ledger.Recharge, Amount: new(dec("50"))},
				{Action: ledger.Redeem, Amount: new(dec("-25.000"))}, {Action: ledger.Redeem, Amount: new(dec("-40"))},
			} {
				p.Card, p.Key = ref("card-"+cardType), key(fmt.Sprint(cardType, i), "r")
				if p.Source == "" {
					p.Source = "graphql"
				}
				e.pass(time.Second)
				_, err := e.ledger.Post(t.Context(), e.who, p)
				rows[way] = append(rows[way], fmt.Sprintf("%s %d: %v", cardType, i, err))
			}
		}
		read, err := e.pool.Query(t.Context(), `SELECT concat_ws('|', c.code, m.seq, action, amount, balance_after, posted_at, m.recorded_at, spent, rate, m.held, source, reference, description,
			store_id IS NULL, staff_id IS NULL, actor_id, related_seq, k.id, k.fingerprint, k.expires_at, e.kind, e.recorded_at, c.balance, c.held, c.seq, c.debt, c.updated_at)
			FROM movement m JOIN card c ON c.id = m.card_id
			LEFT JOIN idempotency_key k ON k.card_id = m.card_id AND k.seq = m.seq LEFT JOIN event e ON e.subject_id = m.card_id AND e.seq = m.seq
			ORDER BY c.code, m.seq`)
		if err != nil {
			t.Fatal(err)
		}
		written, err := pgx.CollectRows(read, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		if rows[way] = append(rows[way], written...); len(written) < 12 {
			t.Fatalf("%s: only %d movements", way, len(written))
		}
		e.verified(t)
	}
	if diff := cmp.Diff(rows["statement"], rows["book"]); diff != "" {
		t.Errorf("one statement and a book differ (-statement +book):\n%s", diff)
	}
}
