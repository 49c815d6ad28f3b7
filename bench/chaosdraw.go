package bench

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// chaosType is a card type of a chaos run.
type chaosType struct {
	code, fields string
	money, lots  bool
	// total: a transfer takes all there is.
	total bool
	scale int
}

// chaosTypes are the card types; card n is of the n-th in turns.
var chaosTypes = []chaosType{
	{code: "puntos", fields: `unit: POINTS, accrualPercentage: "10", transferPolicy: PARTIAL`},
	{code: "lotes", fields: `unit: POINTS, scale: 2, accrualPercentage: "12.5", transferPolicy: PARTIAL, returnShortfall: TAKE_AVAILABLE`, lots: true, scale: 2},
	{code: "dinero", fields: `unit: MONEY, scale: 2, overdraft: "50", accrualPercentage: "3", transferPolicy: PARTIAL, returnShortfall: OVERDRAW`, money: true, scale: 2},
	{code: "limites", fields: `unit: POINTS, accrualPercentage: "10", transferPolicy: PARTIAL`},
	{code: "todo", fields: `unit: POINTS, accrualPercentage: "10", transferPolicy: TOTAL, returnShortfall: OVERDRAW`, lots: true, total: true},
}

// chaosOp is one operation: a request that is sent once or more often, always with
// the same words.
type chaosOp struct {
	n     int64
	kind  *chaosKind
	input string
	card  int
	// spent, lines: a return can say what was spent, or name lines 1 and 2.
	spent, lines bool
	// again: it is sent again where it was not acknowledged.
	again bool
}

// tag is what the operation's movements carry, by which the proof knows them.
func (o *chaosOp) tag() string { return "c-" + strconv.FormatInt(o.n, 10) }

// chaosRef is something that was made and that a later operation may name.
type chaosRef struct {
	id           string
	card         int
	amount       int
	spent, lines bool
}

// chaosPool keeps some of what was made.
type chaosPool struct{ refs []chaosRef }

// chaosPoolSize bounds what is remembered of each sort.
const chaosPoolSize = 5000

func (p *chaosPool) put(rng *rand.Rand, r chaosRef) {
	if len(p.refs) < chaosPoolSize {
		p.refs = append(p.refs, r)
		return
	}
	p.refs[rng.IntN(len(p.refs))] = r
}

// take draws one; keep leaves it there for others.
func (p *chaosPool) take(rng *rand.Rand, keep bool) (chaosRef, bool) {
	if len(p.refs) == 0 {
		return chaosRef{}, false
	}
	i := rng.IntN(len(p.refs))
	r := p.refs[i]
	if !keep {
		last := len(p.refs) - 1
		p.refs[i] = p.refs[last]
		p.refs = p.refs[:last]
	}
	return r, true
}

// chaosHead flattens the distribution of cards: of a thousand, one in 20 operations is
// on the commonest, where all stand in line, and the rest goes on beside.
const chaosHead = 5

// chaosDrawer draws operations. With sure, nothing can refuse one: cards have more
// than is taken, and what was made is named once.
type chaosDrawer struct {
	rng   *rand.Rand
	zipf  *rand.Zipf
	cards []string // codes
	sure  bool
	again int // percent
	n     int64

	holds, moves, pends, coupons, disabled chaosPool
}

func newChaosDrawer(seed uint64, cards []string, sure bool, again int) *chaosDrawer {
	rng := rand.New(rand.NewPCG(seed, 11))
	return &chaosDrawer{
		rng: rng, cards: cards, sure: sure, again: again, zipf: rand.NewZipf(rng, zipfExponent, chaosHead, uint64(len(cards)-1)),
	}
}

// draw is the next operation. What cannot be drawn yet, because nothing was made that
// it could name, is an accrual.
func (d *chaosDrawer) draw() *chaosOp {
	o := &chaosOp{n: d.n, again: d.sure || d.rng.IntN(100) < d.again}
	d.n++
	for {
		o.kind = d.kind()
		o.card = d.card()
		if input, ok := d.input(o); ok {
			o.input = input
			return o
		}
	}
}

func (d *chaosDrawer) kind() *chaosKind {
	weight := func(k *chaosKind) int {
		if d.sure {
			return k.sure
		}
		return k.weight
	}
	sum := 0
	for _, k := range chaosKinds {
		sum += weight(k)
	}
	at := d.rng.IntN(sum)
	for _, k := range chaosKinds {
		if at -= weight(k); at < 0 {
			return k
		}
	}
	panic("weights do not add up")
}

func (d *chaosDrawer) card() int {
	return int(spread(d.zipf.Uint64(), uint64(len(d.cards))))
}

func (d *chaosDrawer) typeOf(card int) chaosType { return chaosTypes[card%len(chaosTypes)] }

// amount is from 1 to most, with decimals where the card has them.
func (d *chaosDrawer) amount(card, most int) string {
	whole := strconv.Itoa(1 + d.rng.IntN(most))
	if d.typeOf(card).scale == 2 && d.rng.IntN(2) == 0 {
		whole += fmt.Sprintf(".%02d", d.rng.IntN(100))
	}
	return whole
}

// input is the operation's request; ok is false where it cannot be.
func (d *chaosDrawer) input(o *chaosOp) (input string, ok bool) {
	var b strings.Builder
	add := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	add(`{`)
	if o.kind.keyed {
		add(`"idempotencyKey":"k-%d",`, o.n)
	}
	tag := "reference"
	t := d.typeOf(o.card)
	card := func() { add(`"card":{"code":%q},`, d.cards[o.card]) }
	most := 70 // now and then more than a limit, or than there is
	if d.sure {
		most = 40
	}
	keep := !d.sure && d.rng.IntN(10) < 3
	switch o.kind.name {
	case kindAccrue:
		card()
		add(`"points":%q,`, d.amount(o.card, most/2+10))
		if t.lots && d.rng.IntN(3) == 0 {
			add(`"lot":{"priority":%d},`, 90+d.rng.IntN(20))
		}
	case kindSpend:
		card()
		add(`"spent":"%d.%02d",`, 20+d.rng.IntN(200), d.rng.IntN(100))
		o.spent = true
	case kindLines:
		card()
		first, second := 1+d.rng.IntN(15), 1+d.rng.IntN(15)
		add(`"points":"%d","lines":[{"number":1,"points":"%d","code":"A-1"},{"number":2,"points":"%d"}],`, first+second, first, second)
		o.lines = true
	case kindPend:
		if !t.lots {
			return "", false
		}
		card()
		add(`"points":%q,"lot":{"pending":true},`, d.amount(o.card, most/2))
	case kindVest:
		r, found := d.pends.take(d.rng, keep)
		if !found {
			return "", false
		}
		o.card, tag = r.card, "description"
		add(`"movementId":%q,`, r.id)
	case kindRedeem:
		card()
		add(`"points":%q,`, d.amount(o.card, most))
	case kindAdjust:
		card()
		sign := ""
		if d.rng.IntN(2) == 0 {
			sign = "-"
		}
		add(`"points":"%s%s",`, sign, d.amount(o.card, most/2))
	case kindRecharge:
		card()
		add(`"amount":%q,`, d.amount(o.card, most+20))
	case kindHold:
		card()
		seconds := 86_400
		if !d.sure && d.rng.IntN(10) == 0 {
			seconds = 1 + d.rng.IntN(5) // its time is up on the way
		}
		add(`"amount":%q,"seconds":%d,`, d.amount(o.card, most*2/3), seconds)
	case kindCapture, kindRelease:
		r, found := d.holds.take(d.rng, keep)
		if !found {
			return "", false
		}
		o.card = r.card
		add(`"holdId":%q,`, r.id)
		if o.kind.name == kindCapture && r.amount > 0 && d.rng.IntN(2) == 0 {
			add(`"amount":"%d",`, 1+d.rng.IntN(r.amount))
		}
	case kindTransfer:
		to := d.card()
		same := o.card == to || t.money != d.typeOf(to).money
		if same || d.sure && t.total {
			return "", false
		}
		add(`"from":{"code":%q},"to":{"code":%q},`, d.cards[o.card], d.cards[to])
		if !t.total && (d.sure || d.rng.IntN(10) > 0) {
			add(`"amount":"%d",`, 1+d.rng.IntN(most*2/3))
		}
	case kindReverse:
		r, found := d.moves.take(d.rng, keep)
		if !found {
			return "", false
		}
		o.card = r.card
		add(`"movementId":%q,`, r.id)
		switch way := d.rng.IntN(4); {
		case way == 0 && r.amount > 0:
			add(`"amount":"%d",`, 1+d.rng.IntN(r.amount))
		case way == 1 && r.spent:
			add(`"spent":"%d",`, 10+d.rng.IntN(10))
		case way <= 2 && r.lines:
			add(`"lines":[{"number":%d}],`, 1+d.rng.IntN(2))
		}
	case kindExtend:
		if !t.lots {
			return "", false
		}
		card()
		tag = "reason"
		add(`"expiresOn":"20%02d-%02d-15",`, 40+d.rng.IntN(50), 1+d.rng.IntN(12))
	case kindReward:
		if t.code != "puntos" {
			return "", false
		}
		card()
		add(`"code":"premio",`)
	case kindCouponIssue:
		add(`"typeCode":"cupon",`)
	case kindCouponRedeem:
		r, found := d.coupons.take(d.rng, keep)
		if !found {
			return "", false
		}
		add(`"code":%q,`, r.id)
	case kindDisable: // one of the rarely used cards, so that it stands in few ways
		o.card, tag = d.rng.IntN(len(d.cards)), "reason"
		add(`"code":%q,`, d.cards[o.card])
	case kindEnable:
		r, found := d.disabled.take(d.rng, keep)
		if !found {
			return "", false
		}
		o.card, tag = r.card, "reason"
		add(`"code":%q,`, d.cards[o.card])
	}
	add(`%q:%q}`, tag, o.tag())
	return b.String(), true
}

// learn keeps what an operation made that others may name. It is told of first answers
// only.
func (d *chaosDrawer) learn(o *chaosOp, t chaosTold) {
	whole, _, _ := strings.Cut(strings.TrimPrefix(t.line.amount, "-"), ".")
	amount, _ := strconv.Atoi(whole) // a whole number, or 0 for no part
	r := chaosRef{id: t.line.id, card: o.card, amount: amount, spent: o.spent, lines: o.lines}
	switch o.kind.name {
	case kindAccrue, kindSpend, kindLines, kindRedeem, kindAdjust, kindRecharge, kindCapture:
		d.moves.put(d.rng, r)
	case kindReverse:
		if !d.sure && d.rng.IntN(10) < 2 { // which is not taken back
			d.moves.put(d.rng, r)
		}
	case kindPend:
		if d.rng.IntN(2) == 0 {
			d.pends.put(d.rng, r)
		} else {
			d.moves.put(d.rng, r)
		}
		if !d.sure {
			d.pends.put(d.rng, r)
		}
	case kindHold:
		d.holds.put(d.rng, chaosRef{id: t.object, card: o.card, amount: holdAmount(o.input)})
	case kindCouponIssue:
		for range 3 {
			d.coupons.put(d.rng, chaosRef{id: t.name})
		}
	case kindDisable:
		d.disabled.put(d.rng, chaosRef{card: o.card})
	}
}

// holdAmount is the whole part of what a request wants to hold.
func holdAmount(input string) int {
	_, rest, _ := strings.Cut(input, `"amount":"`)
	whole, _, _ := strings.Cut(rest, `"`)
	whole, _, _ = strings.Cut(whole, ".")
	n, _ := strconv.Atoi(whole)
	return n
}
