package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"sello/db/dbtest"
	"sello/loyalty"
	"sello/loyalty/auth"
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

// pooled is a company on a pool of so many connections.
func pooled(t *testing.T, connections int32) *env {
	t.Helper()
	config, err := pgxpool.ParseConfig(dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = connections
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return newEnvOn(t, pool)
}

func TestTransfersInBothDirectionsAtOnce(t *testing.T) {
	t.Parallel()
	e := pooled(t, 12)
	e.endsAfter(t, "points", 30, "after")
	e.setRules(t, "points", "transfer_policy = 'partial'")
	e.card(t, "7001", "1000")
	e.card(t, "7002", "1000")
	var all sync.WaitGroup
	for i := range 200 {
		from, to, amount := "7001", "7002", "3"
		if i%2 == 1 {
			from, to, amount = "7002", "7001", "2"
		}
		all.Go(func() {
			_, err := e.ledger.Transfer(t.Context(), e.who, ledger.Transfer{From: ref(from), To: ref(to), Amount: new(dec(amount)), Source: "graphql", Key: key(fmt.Sprint(i), "r")})
			if err != nil {
				t.Errorf("Transfer: %v", err)
			}
		})
	}
	all.Wait()
	if a, b := e.balance(t, "7001"), e.balance(t, "7002"); a != "900" || b != "1100" {
		t.Errorf("balances after 100 transfers either way: got %s and %s, want 900 and 1100", a, b)
	}
	e.verified(t)
}

// Holds that are captured, released and timed out at the same moment end once.
func TestHoldsEndOnce(t *testing.T) {
	t.Parallel()
	e := pooled(t, 12)
	e.endsAfter(t, "points", 30, "after")
	const holds, cards = 200, 10
	for i := range cards {
		e.card(t, fmt.Sprintf("card-%d", i), "100")
	}
	ids := make([]uuid.UUID, holds)
	for i := range ids {
		made, err := e.ledger.HoldCreate(t.Context(), e.who, ledger.NewHold{Card: ref(fmt.Sprintf("card-%d", i%cards)), Amount: dec("5"), Time: time.Minute, Source: "graphql"})
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = made.Hold.ID
	}
	var all sync.WaitGroup
	var captured, released atomic.Int64
	for i, id := range ids {
		for _, attack := range []struct {
			end  func(context.Context, auth.Principal, ledger.HoldEnd) (ledger.HoldResult, error)
			done *atomic.Int64
		}{{e.ledger.HoldCapture, &captured}, {e.ledger.HoldRelease, &released}} {
			for range 2 {
				all.Go(func() {
					_, err := attack.end(t.Context(), e.who, ledger.HoldEnd{ID: id, Source: "graphql"})
					if err == nil {
						attack.done.Add(1)
					} else if loyalty.CodeOf(err) != loyalty.CodeHoldEnded {
						t.Errorf("end a hold: %v", err)
					}
				})
			}
		}
		if i == holds/2 {
			all.Go(func() { e.pass(time.Minute) })
		}
	}
	all.Wait()
	for i := range cards { // what timed out is let go
		e.post(t, ledger.Posting{Card: ref(fmt.Sprintf("card-%d", i)), Action: ledger.Accrue, Amount: new(dec("1"))})
	}
	counts := map[string]int{}
	for _, status := range []string{"open", "captured", "released", "expired"} {
		counts[status] = e.count(t, "SELECT count(*) FROM hold WHERE status = $1", status)
	}
	expired := holds - int(captured.Load()) - int(released.Load())
	if want := map[string]int{"open": 0, "captured": int(captured.Load()), "released": int(released.Load()), "expired": expired}; cmp.Diff(want, counts) != "" {
		t.Errorf("holds: got %v, want %v", counts, want)
	}
	if n := e.count(t, "SELECT count(*) FROM movement WHERE related_seq IS NOT NULL"); n != holds {
		t.Errorf("movements that ended holds: got %d, want %d", n, holds)
	}
	if total := e.count(t, "SELECT sum(balance)::bigint FROM card"); total != cards*101-5*int(captured.Load()) {
		t.Errorf("balances: got %d after %d captures of 5", total, captured.Load())
	}
	e.verified(t)
}

// Sixty-four clients do everything to four cards, each request sent twice at once:
// both get one answer, and the books are right.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	e := pooled(t, 16)
	e.endsAfter(t, "points", 2, "after")
	e.setRules(t, "points", "transfer_policy = 'partial', return_shortfall = 'overdraw'")
	ids := make([]uuid.UUID, 4)
	for i := range ids {
		ids[i] = e.card(t, fmt.Sprintf("card-%d", i), "500").ID
	}
	var made sync.Map // holds
	var all sync.WaitGroup
	for client := range 64 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(client), 11))
			for n := range 4 {
				i := random.IntN(len(ids))
				card, k := ref(fmt.Sprintf("card-%d", i)), key(fmt.Sprintf("%d/%d", client, n), "r")
				amount := decimal.MustNew(1+random.Int64N(4000), 2)
				what, seq := random.IntN(8), int64(1+random.IntN(30))
				request := func() (string, error) {
					switch what {
					case 0, 1:
						posted, err := e.ledger.Post(t.Context(), e.who, ledger.Posting{Card: card, Action: ledger.Accrue, Amount: &amount, Source: "graphql", Key: k})
						return moved(posted.Movement), err
					case 2:
						posted, err := e.ledger.Post(t.Context(), e.who, ledger.Posting{Card: card, Action: ledger.Redeem, Amount: new(amount.Neg()), Source: "graphql", Key: k})
						return moved(posted.Movement), err
					case 3:
						held, err := e.ledger.HoldCreate(t.Context(), e.who, ledger.NewHold{Card: card, Amount: amount, Time: time.Hour, Source: "graphql", Key: k})
						if err == nil {
							made.Store(held.Hold.ID, true)
						}
						return moved(held.Movement), err
					case 4:
						end := ledger.HoldEnd{Source: "graphql", Key: k}
						made.Range(func(id, _ any) bool { end.ID = id.(uuid.UUID); return false })
						ended, err := e.ledger.HoldCapture(t.Context(), e.who, end)
						return moved(ended.Movement), err
					case 5:
						done, err := e.ledger.Transfer(t.Context(), e.who, ledger.Transfer{From: card, To: ref(fmt.Sprintf("card-%d", (i+1)%4)), Amount: &amount, Source: "graphql", Key: k})
						return moved(done.Out) + moved(done.In), err
					case 6:
						done, err := e.ledger.Reverse(t.Context(), e.who, ledger.Return{Movement: ledger.MovementKey{CardID: ids[i], Seq: seq}, Amount: new(dec("0.5")), Source: "graphql", Key: k})
						return moved(done.Movement), err
					default:
						e.pass(time.Hour)
						return "", nil
					}
				}
				var answers [2]string
				var both sync.WaitGroup
				for j := range answers {
					both.Go(func() {
						answer, err := request()
						if err != nil && loyalty.CodeOf(err) == "" {
							t.Errorf("operation %d: %v", what, err)
						}
						answers[j] = answer
					})
				}
				both.Wait()
				if answers[0] != answers[1] && answers[0] != "" && answers[1] != "" {
					t.Errorf("operation %d sent twice: got %s and %s", what, answers[0], answers[1])
				}
			}
		})
	}
	all.Wait()
	e.verified(t)
}

// moved is a movement as an answer tells it.
func moved(m *ledger.Movement) string {
	if m == nil {
		return ""
	}
	return fmt.Sprintf("[%s/%d %s %s %s %s]", m.CardID, m.Seq, m.Action, m.Amount.Trim(0), m.BalanceAfter.Trim(0), m.PostedAt.UTC())
}

// The writer: postings of many companies at once, some on cards that somebody else
// keeps locked, some of callers who have gone, some that are refused, some twice.
func TestPostingsWrittenTogether(t *testing.T) {
	t.Parallel()
	e := pooled(t, 16)
	companies := []*env{e, e.other(t), e.other(t)}
	for _, c := range companies {
		c.ledger = e.ledger // one writer for all
		c.clock.Store(e.clock.Load())
		for i := range 6 {
			c.card(t, fmt.Sprintf("card-%d", i), "0")
		}
	}
	holder, err := e.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(t.Context(), "SELECT FROM card WHERE code = 'card-5' FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	var free, stuck sync.WaitGroup
	var actors sync.Map
	for n := range 600 {
		c := companies[n%3]
		i := n / 3 % 6
		who := c.who
		who.Subject = uuid.NewSHA1(uuid.Nil, []byte(fmt.Sprint(n/2)))
		p := ledger.Posting{Card: ref(fmt.Sprintf("card-%d", i)), Action: ledger.Accrue, Amount: new(dec("1")), Source: "graphql", Key: key(fmt.Sprintf("%s/%d", c.company, n/18), "r")}
		ctx, refusal := t.Context(), loyalty.Code("")
		if p.Key = key(fmt.Sprintf("%d", n), "r"); n%7 == 0 { // sent twice
			p.Key = key(fmt.Sprintf("twice %d", n), "r")
		}
		switch n % 10 {
		case 3:
			p.Action, p.Amount, refusal = ledger.Redeem, new(dec("-100000")), loyalty.CodeInsufficientBalance
		case 5:
			ctx = gone
		}
		group := &free
		if i == 5 {
			group = &stuck
		}
		times := 1
		if n%7 == 0 {
			times = 2
		}
		for range times {
			group.Go(func() {
				posted, err := e.ledger.Post(ctx, who, p)
				switch {
				case ctx == gone:
					if !errors.Is(err, context.Canceled) {
						t.Errorf("Post of somebody who has gone: got %+v, error %v", posted, err)
					}
				case loyalty.CodeOf(err) != refusal || err != nil && refusal == "":
					t.Errorf("Post: got error %v, want refusal %q", err, refusal)
				case err == nil:
					if posted.Movement.ActorID == nil || *posted.Movement.ActorID != who.Subject {
						t.Errorf("Post of %s is said to be of %v", who.Subject, posted.Movement.ActorID)
					}
					actors.Store(moved(posted.Movement), who.Subject)
				}
			})
		}
	}
	free.Wait() // while the sixth card of each company is locked
	if err := holder.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	stuck.Wait()
	told := 0
	actors.Range(func(_, _ any) bool { told++; return true })
	// Callers who have gone may have been posted for all that.
	if n := e.count(t, "SELECT count(*) FROM movement WHERE action = 'accrue'"); n < told || n > told+60 {
		t.Errorf("%d movements, %d were told", n, told)
	}
	for _, c := range companies { // no card is left busy, and no slot is lost
		for i := range 6 {
			c.post(t, ledger.Posting{Card: ref(fmt.Sprintf("card-%d", i)), Action: ledger.Accrue, Amount: new(dec("1"))})
		}
	}
	e.verified(t)
}

// One posting that a constraint refuses spoils none of those written with it.
func TestOneBadPostingSpoilsNoOther(t *testing.T) {
	t.Parallel()
	e := pooled(t, 8)
	e.exec(t, `ALTER TABLE movement ADD CONSTRAINT poison CHECK (reference IS DISTINCT FROM 'poison')`)
	for i := range 40 {
		e.card(t, fmt.Sprintf("card-%d", i), "0")
	}
	var all sync.WaitGroup
	for n := range 400 {
		p := ledger.Posting{Card: ref(fmt.Sprintf("card-%d", n%40)), Action: ledger.Accrue, Amount: new(dec("1")), Source: "graphql"}
		if n%25 == 0 {
			p.Reference = "poison"
		}
		all.Go(func() {
			_, err := e.ledger.Post(t.Context(), e.who, p)
			if bad := err != nil && strings.Contains(err.Error(), "poison"); bad != (p.Reference == "poison") || err != nil && !bad {
				t.Errorf("Post of %q: got error %v", p.Reference, err)
			}
		})
	}
	all.Wait()
	if n := e.count(t, "SELECT count(*) FROM movement WHERE action = 'accrue'"); n != 400-16 {
		t.Errorf("movements: got %d, want 384", n)
	}
	e.verified(t)
}

// Postings refused because the first of their key came just before repeat its answer.
func TestSameRequestAtOnceOnLastPoints(t *testing.T) {
	t.Parallel()
	a := pooled(t, 12)
	a.endsAfter(t, "points", 30, "after")
	// Two processes: each with a writer of its own.
	second := ledger.New(a.ledger.DB, a.ledger.Now)
	for round := range 15 {
		code := fmt.Sprintf("card-%d", round)
		a.card(t, code, "10")
		p := ledger.Posting{Card: ref(code), Action: ledger.Redeem, Amount: new(dec("-10")), Source: "graphql", Key: key(code, "r")}
		var all sync.WaitGroup
		var first, again atomic.Int64
		for n := range 8 {
			s := []*ledger.Service{a.ledger, second}[n%2]
			all.Go(func() {
				posted, err := s.Post(t.Context(), a.who, p)
				switch {
				case err != nil:
					t.Errorf("Post: %v", err)
				case posted.Replayed:
					again.Add(1)
				default:
					first.Add(1)
				}
			})
		}
		all.Wait()
		if first.Load() != 1 || again.Load() != 7 {
			t.Errorf("%d first answers and %d repeats, want 1 and 7", first.Load(), again.Load())
		}
	}
	a.verified(t)
}
