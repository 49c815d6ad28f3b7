package ledger_test

import (
	"cmp"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sello/loyalty/ledger"
)

func drawType(rt *rapid.T) bookType {
	return bookType{
		lots: rapid.Bool().Draw(rt, "lots"), floor: rapid.SampledFrom([]int64{0, 0, -2500}).Draw(rt, "floor"),
		days: rapid.SampledFrom([]int{0, 2, 5, 30}).Draw(rt, "days"), backDays: rapid.SampledFrom([]int{0, 0, 3}).Draw(rt, "returned lots' days"),
		inactivity: rapid.IntRange(0, 3).Draw(rt, "inactivity") == 0,
		shortfall:  rapid.SampledFrom([]ledger.Shortfall{ledger.ShortfallRefuse, ledger.ShortfallTakeAvailable, ledger.ShortfallOverdraw}).Draw(rt, "shortfall"),
	}
}

// Whatever happens to two cards, in whatever order, the ledger says what the model
// says after each step, and verify finds nothing at the end.
func TestBooksAgreeWithTheModel(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	run, tally := 0, map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		run++
		kind := drawType(rt)
		if kind.inactivity = kind.inactivity && kind.lots && kind.days > 0; !kind.lots {
			kind.days = 0
		}
		h := newHistory(t, rt, e, kind, run, tally)
		for range rapid.IntRange(5, 40).Draw(rt, "steps") {
			h.step()
			h.agree()
		}
		h.proved()
	})
	for _, what := range slices.Sorted(maps.Keys(tally)) {
		t.Logf("%6d %s", tally[what], what)
	}
}

func (h *history) step() {
	rt := h.rt
	i := rapid.IntRange(0, 1).Draw(rt, "card")
	c := h.cards[i]
	n := rapid.Int64Range(1, 6000).Draw(rt, "hundredths")
	move := func() *bookMove {
		if len(c.moves) == 0 {
			return nil
		}
		return c.moves[rapid.IntRange(0, len(c.moves)-1).Draw(rt, "movement")]
	}
	switch rapid.SampledFrom([]string{
		"accrue", "accrue", "accrue", "redeem", "redeem", "adjust", "recharge", "hold", "hold", "capture", "release", "transfer",
		"return", "return", "return", "return", "extend", "vest", "pass", "pass", "begin",
	}).Draw(rt, "step") {
	case "accrue":
		var terms ledger.LotTerms
		if c.t.lots {
			today := time.Unix(int64(dayAt(h.now()))*86400, 0).UTC()
			switch rapid.IntRange(0, 6).Draw(rt, "terms") {
			case 0:
				terms.Priority = new(int16(rapid.IntRange(98, 102).Draw(rt, "priority")))
			case 1:
				terms.ExpiresOn = new(today.AddDate(0, 0, rapid.IntRange(0, 9).Draw(rt, "ends in")))
			case 2:
				terms.VestsOn = new(today.AddDate(0, 0, rapid.IntRange(1, 4).Draw(rt, "vests in")))
			case 3:
				terms.Pending = true
			}
		}
		var lines map[int]int64
		if rapid.Bool().Draw(rt, "with lines") && n > 10 {
			lines = map[int]int64{1: n / 3, 2: n / 5}
			lines[3] = n - lines[1] - lines[2]
		}
		h.post(i, ledger.Accrue, n, rapid.Int64Range(0, 9000).Draw(rt, "spent"), terms, lines)
	case "redeem":
		h.post(i, ledger.Redeem, -n, 0, ledger.LotTerms{}, nil)
	case "adjust":
		h.post(i, ledger.Adjust, cmp.Or(n-3000, 1), 0, ledger.LotTerms{}, nil)
	case "recharge":
		h.post(i, ledger.Recharge, n, 0, ledger.LotTerms{}, nil)
	case "hold":
		h.hold(i, n/2+1, time.Duration(rapid.IntRange(1, 200).Draw(rt, "hours"))*time.Hour)
	case "capture", "release":
		if len(c.holds) > 0 {
			made := c.holds[rapid.IntRange(0, len(c.holds)-1).Draw(rt, "hold")]
			h.endHold(i, made, rapid.SampledFrom([]int64{0, made.amount, (made.amount + 1) / 2}).Draw(rt, "captured"))
		}
	case "transfer":
		if rapid.Bool().Draw(rt, "all") {
			c.settle(h.now())
			n = max(c.free(), 0)
		}
		h.transfer(i, n)
	case "return":
		o := move()
		if o == nil {
			return
		}
		switch rapid.IntRange(0, 3).Draw(rt, "way") {
		case 0:
			h.giveBack(i, o, 0, 0, 0, 0)
		case 1:
			h.giveBack(i, o, n/2+1, 0, 0, 0)
		case 2:
			h.giveBack(i, o, 0, rapid.SampledFrom([]int64{n, max(o.spent/3, 1), max(o.spent-o.spentBack, 1)}).Draw(rt, "spent"), 0, 0)
		default:
			h.giveBack(i, o, 0, 0, rapid.IntRange(1, 3).Draw(rt, "line"), rapid.SampledFrom([]int64{0, 0, n/9 + 1}).Draw(rt, "part"))
		}
	case "extend":
		h.extend(i, rapid.IntRange(0, 20).Draw(rt, "days"))
	case "vest":
		if o := move(); o != nil {
			h.vest(i, o)
		}
	case "pass":
		h.pass(time.Duration(rapid.IntRange(1, 100).Draw(rt, "hours")) * time.Hour)
	case "begin":
		if !c.t.lots && len(c.moves) > 4 {
			h.begin(rapid.SampledFrom([]int{2, 5, 30}).Draw(rt, "days"))
			h.touch(0)
			h.touch(1)
		}
	}
}
