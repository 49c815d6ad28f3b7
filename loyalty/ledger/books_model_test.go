package ledger_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"sello/loyalty"
	"sello/loyalty/ledger"
)

// The books in integers: hundredths of a point, days since 1970 in the company's
// zone (six hours behind UTC), and no SQL. Written from what design.md and the
// operations' comments say, to hold the ledger against.

const never = 1 << 30

type (
	bookLot struct {
		seq                         int64
		part, priority, ends, vests int
		full, left, broken          int64
		pending, writtenOff         bool
	}
	bookMove struct {
		seq                                 int64
		action                              ledger.Action
		amount, spent                       int64
		day                                 int
		took, stoodIn                       map[*bookLot]int64
		of                                  *bookMove // the hold that is captured, the pending points that vest
		answers                             []*bookMove
		back, spentBack, bySpent, unexpired int64
		lines, linesBack                    map[int]int64
		lot                                 *bookLot // what it earned
	}
	bookHold struct {
		move   *bookMove
		amount int64
		until  time.Time
		open   bool
	}
	bookType struct {
		lots           bool
		floor          int64
		days, backDays int
		inactivity     bool
		shortfall      ledger.Shortfall
	}
	bookCard struct {
		t             *bookType
		balance, held int64
		lots          []*bookLot
		moves         []*bookMove
		holds         []*bookHold
		conformed     bool
	}
)

func dayAt(at time.Time) int     { return int(at.Add(-6*time.Hour).Unix() / 86400) }
func dayStart(day int) time.Time { return time.Unix(int64(day)*86400, 0).Add(6 * time.Hour) }
func (c *bookCard) free() int64  { return c.balance - c.held }
func (l *bookLot) open() bool    { return !l.pending && l.left > 0 }

func inOrder(a, b *bookLot) int {
	return cmp.Or(a.priority-b.priority, a.ends-b.ends, int(a.seq-b.seq), a.part-b.part)
}

func (c *bookCard) add(action ledger.Action, amount, held int64, at time.Time) *bookMove {
	c.balance, c.held = c.balance+amount, c.held+held
	m := &bookMove{seq: int64(len(c.moves) + 1), action: action, amount: amount, day: dayAt(at), took: map[*bookLot]int64{}, stoodIn: map[*bookLot]int64{}}
	c.moves = append(c.moves, m)
	return m
}

// change is what a movement means to lots: usable points only.
func (c *bookCard) change(move func() *bookMove) (*bookMove, int64) {
	before := max(c.free(), 0)
	m := move()
	return m, max(c.free(), 0) - before
}

func (c *bookCard) spend(m *bookMove, amount int64, keep func(*bookLot) bool) (rest int64) {
	for _, l := range slices.SortedFunc(slices.Values(c.lots), inOrder) {
		if part := min(amount, l.left); l.open() && keep(l) && part > 0 {
			l.left, amount, m.took[l] = l.left-part, amount-part, m.took[l]+part
		}
	}
	return amount
}

func anyLot(*bookLot) bool { return true }

func (c *bookCard) earn(m *bookMove, amount, left int64) *bookLot {
	l := &bookLot{seq: m.seq, priority: 100, full: amount, left: left, ends: never, writtenOff: m.action == ledger.WriteOff}
	if c.t.days > 0 {
		l.ends = m.day + c.t.days
	}
	m.lot = l
	c.lots = append(c.lots, l)
	return l
}

func (c *bookCard) use(day int) {
	for _, l := range c.lots {
		if c.t.inactivity && (l.pending || l.left > 0) && (l.ends == never || l.ends < day+c.t.days) {
			l.ends = day + c.t.days
		}
	}
}

func (c *bookCard) expire(today int) bool {
	first := never
	for _, l := range c.lots {
		if l.open() && l.ends < today {
			first = min(first, l.ends)
		}
	}
	if first == never {
		return false
	}
	m := c.add(ledger.Expire, 0, 0, dayStart(first+1))
	for _, l := range c.lots {
		if l.open() && l.ends == first {
			c.balance, m.amount, l.broken, l.left = c.balance-l.left, m.amount-l.left, l.broken+l.left, 0
		}
	}
	return true
}

func (c *bookCard) vest(l *bookLot, at time.Time) *bookMove {
	m, usable := c.change(func() *bookMove { return c.add(ledger.Accrue, l.left, 0, at) })
	m.of, l.pending, l.vests, l.left = c.moves[l.seq-1], false, 0, usable
	return m
}

func (c *bookCard) settle(now time.Time) {
	if c.t.lots && !c.conformed {
		c.conform()
	}
	for today := dayAt(now); ; {
		var vests *bookLot
		ends := never
		for _, l := range c.lots {
			if l.open() && l.ends < today {
				ends = min(ends, l.ends)
			}
			if l.pending && l.vests > 0 && l.vests <= today && (vests == nil || l.vests < vests.vests) {
				vests = l
			}
		}
		next := now.Add(time.Nanosecond) // a hold is due at its very moment
		if ends != never {
			next = dayStart(ends + 1)
		}
		if vests != nil && dayStart(vests.vests).Before(next) {
			next, ends = dayStart(vests.vests), never
		} else {
			vests = nil
		}
		var due *bookHold
		for _, h := range c.holds {
			if h.open && h.until.Before(next) && (due == nil || h.until.Before(due.until)) {
				due = h
			}
		}
		switch {
		case due != nil:
			c.end(due, 0, ledger.Release, due.until)
		case vests != nil:
			c.vest(vests, next)
		case ends == never:
			return
		default:
			c.expire(ends + 1)
		}
	}
}

// conform opens lots for what is free: the newest credits that make it up.
func (c *bookCard) conform() {
	c.conformed = true
	free := c.free()
	for i := len(c.moves) - 1; i >= 0 && free > 0; i-- {
		if m := c.moves[i]; m.amount > 0 {
			l := c.earn(m, min(m.amount, free), min(m.amount, free))
			free -= l.left
		}
	}
}

func (c *bookCard) end(h *bookHold, captured int64, action ledger.Action, at time.Time) {
	h.open = false
	m, usable := c.change(func() *bookMove { return c.add(action, -captured, -h.amount, at) })
	m.of = h.move
	c.comeBack(m, []*bookMove{h.move}, h.amount-captured, usable, at)
	if action == ledger.Redeem {
		c.use(m.day)
	}
}

func (c *bookCard) refill(m *bookMove, lacking map[*bookLot]int64, amount int64) (given []*bookLot) {
	for _, l := range slices.Backward(slices.SortedFunc(maps.Keys(lacking), inOrder)) {
		if part := min(amount, lacking[l]); part > 0 {
			if l.ends < m.day && c.t.backDays > 0 {
				l.ends = m.day + c.t.backDays
			}
			l.left, m.took[l], amount, given = l.left+part, m.took[l]-part, amount-part, append(given, l)
		}
	}
	if amount > 0 {
		given = append(given, c.earn(m, amount, amount))
	}
	return given
}

func (c *bookCard) comeBack(m *bookMove, takers []*bookMove, back, usable int64, at time.Time) {
	if back <= 0 {
		return
	}
	var given []*bookLot
	if c.t.lots {
		lacking := map[*bookLot]int64{}
		for _, taker := range takers {
			for l, n := range taker.took {
				lacking[l] += n
			}
		}
		given = c.refill(m, lacking, usable)
	}
	// What was written off is taken now, the earliest first.
	since := func(o *bookMove) int {
		i := slices.IndexFunc(o.answers, func(a *bookMove) bool { return a.action == ledger.WriteOff && a.amount > 0 && a.seq > takers[0].seq })
		if i < 0 {
			return math.MaxInt
		}
		return int(o.answers[i].seq)
	}
	for _, o := range slices.SortedStableFunc(slices.Values(c.moves), func(x, y *bookMove) int { return since(x) - since(y) }) {
		written := int64(0)
		for _, a := range o.answers {
			if a.action == ledger.WriteOff && a.seq > takers[0].seq {
				written += a.amount
			}
		}
		if n := min(written, back, max(c.free()-c.t.floor, 0)); n > 0 {
			back -= n
			w, lost := c.change(func() *bookMove { return c.add(ledger.WriteOff, -n, 0, at) })
			o.answers = append(o.answers, w)
			if c.t.lots {
				c.spend(w, c.spend(w, -lost, func(l *bookLot) bool { return slices.Contains(given, l) }), anyLot)
				o.standIn(w)
			}
		}
	}
	for _, l := range given { // and lots of returned sales pass on
		o, sum := c.moves[l.seq-1], int64(0)
		for _, n := range o.stoodIn {
			sum += max(n, 0)
		}
		if n := min(sum, l.left); n > 0 && o != m {
			p := c.add(ledger.Reverse, 0, 0, at)
			l.left -= n
			c.refill(p, o.stoodIn, n)
			o.standIn(p)
		}
	}
	for c.expire(m.day) {
	}
}

// standIn notes lots that a return took from in the place of the sale's own.
func (o *bookMove) standIn(m *bookMove) {
	for l, n := range m.took {
		if l.seq != o.seq && !l.writtenOff {
			o.stoodIn[l] += n
		}
	}
}

// reverse takes back an amount that is not more than what is left.
func (c *bookCard) reverse(o *bookMove, n int64, now time.Time) (*bookMove, loyalty.Code) {
	switch own := func(l *bookLot) bool { return l.seq == o.seq }; {
	case o.lot != nil && o.lot.pending:
		o.lot.left -= n
		o.lot.pending = o.lot.left > 0
		return c.add(ledger.Reverse, 0, 0, now), ""
	case o.amount < 0:
		takers := []*bookMove{o}
		if o.of != nil {
			takers = []*bookMove{o.of, o}
		}
		m, usable := c.change(func() *bookMove { return c.add(ledger.Reverse, n, 0, now) })
		c.comeBack(m, append(takers, o.answers...), n, usable, now)
		return m, ""
	default:
		left, broken := int64(0), -o.unexpired
		for _, l := range c.lots {
			if own(l) {
				broken += l.broken
				if l.open() {
					left += l.left
				}
			}
		}
		gone := min(n-left, broken)
		free := c.free()
		if c.t.lots && gone > 0 {
			free += gone
		}
		lacking := n - (free - c.t.floor)
		if lacking > 0 && c.t.shortfall == ledger.ShortfallRefuse {
			return nil, loyalty.CodeInsufficientBalance
		}
		if c.t.lots && gone > 0 {
			_, back := c.change(func() *bookMove { return c.add(ledger.Expire, gone, 0, now) })
			o.unexpired += gone
			for _, l := range c.lots {
				if room := min(back, l.full-l.left); own(l) && room > 0 {
					l.left, back = l.left+room, back-room
				}
			}
		}
		if lacking > 0 && c.t.shortfall == ledger.ShortfallTakeAvailable {
			w, usable := c.change(func() *bookMove { return c.add(ledger.WriteOff, min(lacking, n), 0, now) })
			o.answers = append(o.answers, w)
			if c.t.lots {
				c.earn(w, min(lacking, n), usable)
			}
		}
		m, lost := c.change(func() *bookMove { return c.add(ledger.Reverse, -n, 0, now) })
		if c.t.lots {
			c.spend(m, c.spend(m, -lost, own), anyLot)
			o.standIn(m)
		}
		return m, ""
	}
}

// text is the card's lots as the database would list them.
func (c *bookCard) text() string {
	var b strings.Builder
	for _, l := range slices.SortedFunc(slices.Values(c.lots), func(a, b *bookLot) int { return cmp.Or(int(a.seq-b.seq), a.part-b.part) }) {
		state := map[bool]string{true: "open", false: "closed"}[l.left > 0]
		if l.pending {
			state = "pending"
		}
		ends := "never"
		if l.ends != never {
			ends = time.Unix(int64(l.ends)*86400, 0).UTC().Format(time.DateOnly)
		}
		fmt.Fprintf(&b, "%d.%d %s %d %s\n", l.seq, l.part, state, l.left, ends)
	}
	return b.String()
}
