package ledger_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"pgregory.net/rapid"

	"sello/loyalty"
	"sello/loyalty/ledger"
)

// history is one random history: two cards of one type, in the database and in the
// model.
type history struct {
	*env
	rt    *rapid.T
	t     *testing.T
	kind  string
	codes [2]string
	ids   [2]uuid.UUID
	cards [2]*bookCard
	holds map[*bookHold]uuid.UUID
	keys  int
	tally map[string]int
}

func hundredths(n int64) *decimal.Decimal { return new(decimal.MustNew(n, 2)) }

// setRules gives a card type rules that no operation of this package sets.
func (e *env) setRules(t testing.TB, code, columns string, args ...any) {
	t.Helper()
	e.exec(t, fmt.Sprintf("UPDATE card_type SET %s WHERE company_id = '%s' AND code = '%s'", columns, e.company, code), args...)
}

// endsAfter makes points of a card type end, so many days after they were earned or
// the card was used; 0 days: never, but with lots.
func (e *env) endsAfter(t testing.TB, code string, days int, policy string) {
	t.Helper()
	if days == 0 {
		policy = "never"
	}
	e.setRules(t, code, "tracks_lots = true, expiry_policy = $1, expiry_count = $2, expiry_unit = 'day', expiry_redates = true, expiry_version = 1", policy, days)
}

func newHistory(t *testing.T, rt *rapid.T, e *env, kind bookType, run int, tally map[string]int) *history {
	h := &history{tally: tally, env: e, rt: rt, t: t, kind: fmt.Sprintf("kind-%d", run), holds: map[*bookHold]uuid.UUID{}}
	h.cardType(t, ledger.NewCardType{Code: h.kind, Scale: 2, Overdraft: hundredths(-kind.floor), Rechargeable: true})
	h.setRules(t, h.kind, "transfer_policy = 'partial', return_shortfall = $1, returned_lot_days = $2", kind.shortfall, kind.backDays)
	if kind.lots {
		h.endsAfter(t, h.kind, kind.days, map[bool]string{true: "inactivity", false: "after"}[kind.inactivity])
	}
	for i := range h.cards {
		h.codes[i] = fmt.Sprintf("%s-%d", h.kind, i)
		h.ids[i] = h.cardOf(t, h.kind, h.codes[i], "0").ID
		h.cards[i] = &bookCard{t: &kind}
	}
	return h
}

// begin lets the type's cards keep lots from now on.
func (h *history) begin(days int) {
	k := h.cards[0].t
	k.lots, k.days = true, days
	h.endsAfter(h.t, h.kind, days, "after")
}

func (h *history) now() time.Time { return *h.clock.Load() }

func (h *history) key() *ledger.Key {
	h.keys++
	return key(fmt.Sprintf("%s/%d", h.kind, h.keys), "r")
}

// touch makes the ledger post what is due on a card, by a request that is refused.
func (h *history) touch(i int) {
	_, err := h.ledger.Post(h.t.Context(), h.who, ledger.Posting{Card: ref(h.codes[i]), Action: ledger.Redeem, Amount: new(dec("-900000000000")), Source: "graphql"})
	if loyalty.CodeOf(err) != loyalty.CodeInsufficientBalance {
		h.rt.Fatalf("touch: %v", err)
	}
	h.cards[i].settle(h.now())
}

// told holds an answer against what the model says: the refusal, or the movement.
func (h *history) told(what string, m *ledger.Movement, err error, want *bookMove, refusal loyalty.Code) {
	h.t.Helper()
	h.tally[strings.TrimRight(what, " 0123456789")+" "+string(refusal)]++
	if got := loyalty.CodeOf(err); got != refusal || err != nil && got == "" {
		h.rt.Fatalf("%s: got error %v, want refusal %q", what, err, refusal)
	}
	if refusal != "" {
		for i := range h.cards { // a refusal leaves what is due undone
			h.touch(i)
		}
		return
	}
	if m.Seq != want.seq || m.Amount.Cmp(*hundredths(want.amount)) != 0 {
		h.rt.Fatalf("%s: got movement %d of %s, want %d of %d/100", what, m.Seq, m.Amount, want.seq, want.amount)
	}
}

func (h *history) post(i int, action ledger.Action, n, spent int64, terms ledger.LotTerms, lines map[int]int64) {
	c, now := h.cards[i], h.now()
	p := ledger.Posting{Card: ref(h.codes[i]), Action: action, Amount: hundredths(n), Lot: terms, Source: "graphql", Key: h.key()}
	if spent > 0 {
		p.Spent = hundredths(spent)
	}
	for number, part := range lines {
		p.Lines = append(p.Lines, ledger.Line{Number: number, Amount: hundredths(part)})
	}
	slices.SortFunc(p.Lines, func(a, b ledger.Line) int { return a.Number - b.Number })
	if c.t.lots || n < 0 && c.held > 0 || c.free() < c.t.floor || len(lines) > 0 || n < 0 && c.free()+n < c.t.floor {
		c.settle(now) // else it is one statement, which leaves holds alone
	}
	var m *bookMove
	refusal := loyalty.Code("")
	switch {
	case n < 0 && c.free()+n < c.t.floor:
		refusal = loyalty.CodeInsufficientBalance
	case terms.VestsOn != nil || terms.Pending:
		m = c.add(ledger.Pend, 0, 0, now)
		l := c.earn(m, n, n)
		if l.pending = true; terms.VestsOn != nil {
			l.vests = int(terms.VestsOn.Unix() / 86400)
		}
	default:
		var usable int64
		m, usable = c.change(func() *bookMove { return c.add(action, n, 0, now) })
		if c.t.lots && n > 0 {
			c.earn(m, n, usable)
		} else if c.t.lots {
			c.spend(m, -usable, anyLot)
		}
	}
	if m != nil {
		m.spent, m.lines, m.linesBack = spent, lines, map[int]int64{}
		if m.lot != nil && terms.Priority != nil {
			m.lot.priority = int(*terms.Priority)
		}
		if m.lot != nil && terms.ExpiresOn != nil {
			m.lot.ends = int(terms.ExpiresOn.Unix() / 86400)
		}
		if action != ledger.Adjust {
			c.use(m.day)
		}
	}
	posted, err := h.ledger.Post(h.t.Context(), h.who, p)
	h.told(string(action), posted.Movement, err, m, refusal)
	if refusal != "" {
		return
	}
	if again, err := h.ledger.Post(h.t.Context(), h.who, p); err != nil || !again.Replayed || again.Movement.Seq != m.seq {
		h.rt.Fatalf("%s again: got %+v, error %v", action, again, err)
	}
}

func (h *history) hold(i int, n int64, keep time.Duration) {
	c := h.cards[i]
	c.settle(h.now())
	var m *bookMove
	refusal := loyalty.CodeInsufficientBalance
	if c.free()-n >= c.t.floor {
		var lost int64
		m, lost = c.change(func() *bookMove { return c.add(ledger.Reserve, 0, n, h.now()) })
		if refusal = ""; c.t.lots {
			c.spend(m, -lost, anyLot)
		}
	}
	got, err := h.ledger.HoldCreate(h.t.Context(), h.who, ledger.NewHold{Card: ref(h.codes[i]), Amount: *hundredths(n), Time: keep, Source: "graphql", Key: h.key()})
	h.told("hold", got.Movement, err, m, refusal)
	if refusal == "" {
		made := &bookHold{move: m, amount: n, until: h.now().Add(keep), open: true}
		c.holds = append(c.holds, made)
		h.holds[made] = got.Hold.ID
	}
}

func (h *history) endHold(i int, made *bookHold, captured int64) {
	c := h.cards[i]
	c.settle(h.now())
	open := made.open
	var m *bookMove
	refusal := loyalty.CodeHoldEnded
	in := ledger.HoldEnd{ID: h.holds[made], Source: "graphql", Key: h.key()}
	end, action := h.ledger.HoldRelease, ledger.Release
	if captured > 0 {
		in.Amount, end, action = hundredths(captured), h.ledger.HoldCapture, ledger.Redeem
	}
	if open {
		refusal = ""
		n := len(c.moves)
		c.end(made, captured, action, h.now())
		m = c.moves[n]
	}
	got, err := end(h.t.Context(), h.who, in)
	h.told("end a hold", got.Movement, err, m, refusal)
}

func (h *history) transfer(i int, n int64) {
	from, to := h.cards[i], h.cards[1-i]
	from.settle(h.now())
	to.settle(h.now())
	var out *bookMove
	refusal := loyalty.CodeInsufficientBalance
	if n > 0 && n <= max(from.free(), 0) {
		refusal = ""
		out = from.add(ledger.TransferOut, -n, 0, h.now())
		in, usable := to.change(func() *bookMove { return to.add(ledger.TransferIn, n, 0, h.now()) })
		if from.t.lots {
			debt, part, rest := n-usable, 0, n
			for _, l := range slices.SortedFunc(slices.Values(from.lots), inOrder) {
				if moved := min(rest, l.left); l.open() && moved > 0 {
					l.left, rest = l.left-moved, rest-moved
					paid := min(debt, moved)
					debt -= paid
					made := to.earn(in, moved, moved-paid)
					made.part, made.priority, made.ends = part, l.priority, l.ends
					part++
				}
			}
		}
	}
	got, err := h.ledger.Transfer(h.t.Context(), h.who, ledger.Transfer{From: ref(h.codes[i]), To: ref(h.codes[1-i]), Amount: hundredths(n), Source: "graphql", Key: h.key()})
	if n == 0 {
		refusal = loyalty.CodeAmountNotPositive
	}
	h.told("transfer", got.Out, err, out, refusal)
}

// giveBack returns a movement: by amount (in hundredths), by spent, by a line, or
// wholly where all are 0.
func (h *history) giveBack(i int, o *bookMove, amount, spent int64, line int, partOfLine int64) {
	c := h.cards[i]
	c.settle(h.now())
	if o.action == ledger.Accrue && o.of != nil {
		o = o.of
	}
	whole := max(o.amount, -o.amount)
	if o.action == ledger.Pend {
		whole = o.lot.full
	}
	in := ledger.Return{Movement: ledger.MovementKey{CardID: h.ids[i], Seq: o.seq}, Source: "graphql", Key: h.key()}
	n, refusal := whole-o.back, loyalty.Code("")
	switch {
	case !slices.Contains([]ledger.Action{ledger.Accrue, ledger.Redeem, ledger.Adjust, ledger.Recharge, ledger.Pend}, o.action):
		refusal = loyalty.CodeNotReversible
	case amount > 0:
		n, in.Amount = amount, hundredths(amount)
	case spent > 0:
		in.Spent = hundredths(spent)
		switch {
		case o.spent == 0:
			refusal = loyalty.CodeNotReversible
		case spent > o.spent-o.spentBack:
			refusal = loyalty.CodeReturnTooLarge
		case spent < o.spent-o.spentBack:
			n = min(whole*(o.spentBack+spent)/o.spent-o.bySpent, n)
		}
		if refusal == "" && o.back == whole {
			refusal = loyalty.CodeReturnTooLarge
		}
	case line > 0:
		in.Lines = []ledger.ReturnLine{{Number: line}}
		if n = o.lines[line] - o.linesBack[line]; partOfLine > 0 {
			n, in.Lines[0].Amount = partOfLine, hundredths(partOfLine)
		}
		switch {
		case o.lines[line] == 0:
			refusal = loyalty.CodeLinesMismatch
		case n == 0, n > o.lines[line]-o.linesBack[line]:
			refusal = loyalty.CodeReturnTooLarge
		}
	case n == 0:
		refusal = loyalty.CodeReturnTooLarge
	}
	if refusal == "" && n > whole-o.back {
		refusal = loyalty.CodeReturnTooLarge
	}
	var m *bookMove
	if refusal == "" {
		m, refusal = c.reverse(o, n, h.now())
	}
	if refusal == "" {
		o.back += n
		if spent > 0 {
			o.spentBack, o.bySpent = o.spentBack+spent, o.bySpent+n
		}
		if line > 0 {
			o.linesBack[line] += n
		}
		o.answers = append(o.answers, m)
	}
	got, err := h.ledger.Reverse(h.t.Context(), h.who, in)
	h.told(fmt.Sprintf("return of %s %d", o.action, o.seq), got.Movement, err, m, refusal)
	if refusal != "" {
		return
	}
	if again, err := h.ledger.Reverse(h.t.Context(), h.who, in); err != nil || !again.Replayed || again.Movement.Seq != m.seq {
		h.rt.Fatalf("return again: got %+v, error %v", again, err)
	}
}

func (h *history) extend(i, days int) {
	c := h.cards[i]
	c.settle(h.now())
	until := dayAt(h.now()) + days
	var m *bookMove
	refusal := loyalty.CodeLotNotFound
	for _, l := range c.lots {
		if (l.pending || l.left > 0) && l.ends < until {
			l.ends, refusal = until, ""
		}
	}
	if !c.t.lots {
		refusal = loyalty.CodeLotsNotKept
	}
	if refusal == "" {
		m = c.add(ledger.Extend, 0, 0, h.now())
	}
	got, err := h.ledger.LotsExtend(h.t.Context(), h.who, ledger.LotExtension{
		Card: ref(h.codes[i]), ExpiresOn: time.Unix(int64(until)*86400, 0).UTC(), Reason: "goodwill", Source: "graphql", Key: h.key(),
	})
	h.told("extend", got.Movement, err, m, refusal)
}

func (h *history) vest(i int, o *bookMove) {
	c := h.cards[i]
	c.settle(h.now())
	var m *bookMove
	refusal := loyalty.CodeNotPending
	if o.lot != nil && o.lot.pending {
		m, refusal = c.vest(o.lot, h.now()), ""
	}
	got, err := h.ledger.Vest(h.t.Context(), h.who, ledger.Vesting{Movement: ledger.MovementKey{CardID: h.ids[i], Seq: o.seq}, Source: "graphql", Key: h.key()})
	h.told("vest", got.Movement, err, m, refusal)
}

// pass moves the clock on; what can be spent then is said before anything is posted.
func (h *history) pass(d time.Duration) {
	h.env.pass(d)
	for i, c := range h.cards {
		row, err := h.ledger.CardByCode(h.t.Context(), h.company, h.codes[i])
		if err != nil {
			h.rt.Fatal(err)
		}
		said, err := h.ledger.AvailableOf(h.t.Context(), h.company, row)
		if err != nil {
			h.rt.Fatal(err)
		}
		conformed := c.conformed
		h.touch(i)
		if (conformed || !c.t.lots) && said.Cmp(*hundredths(c.free())) != 0 {
			h.rt.Fatalf("AvailableOf(%s) before what was due was posted: got %s, want %d/100\n%s", h.codes[i], said, c.free(), h.story(i))
		}
	}
}

// agree holds both cards, their lots and holds against the model.
func (h *history) agree() {
	h.t.Helper()
	for i, c := range h.cards {
		var balance, held, open string
		var seq int64
		row := h.pool.QueryRow(h.t.Context(), `SELECT trunc(card.balance * 100)::text, trunc(held * 100)::text, seq,
			coalesce((SELECT string_agg(format(E'%s.%s %s %s %s\n', lot.seq, part, state, trunc(remaining * 100), coalesce(expires_on::text, 'never')), '' ORDER BY lot.seq, part)
			          FROM lot WHERE lot.card_id = card.id), '')
			FROM card WHERE id = $1`, h.ids[i])
		if err := row.Scan(&balance, &held, &seq, &open); err != nil {
			h.rt.Fatal(err)
		}
		got := fmt.Sprintf("balance %s held %s after %d\n%s", balance, held, seq, open)
		if want := fmt.Sprintf("balance %d held %d after %d\n%s", c.balance, c.held, len(c.moves), c.text()); got != want {
			h.rt.Fatalf("card %d: got %s\nwant %s\nits movements: %s", i, got, want, h.story(i))
		}
	}
}

// story is a card's movements, for a failure's reader.
func (h *history) story(i int) string {
	rows, err := h.pool.Query(h.t.Context(), `SELECT format('%s %s %s -> %s held %s answers %s at %s: %s', m.seq, action, m.amount, balance_after, held, related_seq, posted_at,
		(SELECT string_agg(format('%s.%s %s', lot_seq, lot_part, e.amount), ', ') FROM lot_entry e WHERE e.card_id = m.card_id AND e.seq = m.seq))
		FROM movement m WHERE card_id = $1 ORDER BY m.seq`, h.ids[i])
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for rows.Next() {
		var line string
		_ = rows.Scan(&line)
		b.WriteString("\n  " + line)
	}
	return b.String()
}

func (h *history) proved() {
	h.t.Helper()
	findings, err := h.ledger.Verify(h.t.Context(), &h.company)
	if err != nil || len(findings) > 0 {
		h.rt.Fatalf("Verify: got %v, error %v\n%s\n%s", findings, err, h.story(0), h.story(1))
	}
}
