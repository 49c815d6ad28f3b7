package bench

import (
	"math/rand/v2"
	"strconv"
)

// Distribution says how often each card is drawn.
type Distribution string

// The distributions: all cards alike; the first ones far oftener, with an exponent
// of 1.1; one card only.
const (
	Uniform Distribution = "uniform"
	Zipf    Distribution = "zipf"
	OneCard Distribution = "one card"
)

const zipfExponent = 1.1

// draw is one posting to make. The run's name and n make its key.
type draw struct {
	client, n int32
	card      int32
	points    int32 // negative: a redemption
}

// key is the idempotency key, unique in the installation.
func (d draw) key(dst []byte, run string) []byte {
	dst = append(dst, run...)
	dst = append(dst, '-')
	dst = strconv.AppendInt(dst, int64(d.client), 36)
	dst = append(dst, '-')
	return strconv.AppendInt(dst, int64(d.n), 36)
}

// drawer draws the postings of one client.
type drawer struct {
	rng    *rand.Rand
	zipf   *rand.Zipf
	cards  int
	redeem int // percent
	one    bool
	next   draw
}

func newDrawer(seed uint64, client, cards, redeemPercent int, d Distribution) *drawer {
	rng := rand.New(rand.NewPCG(seed, uint64(client)+1))
	w := &drawer{rng: rng, cards: cards, redeem: redeemPercent, one: d == OneCard, next: draw{client: int32(client)}}
	if d == Zipf && cards > 1 {
		w.zipf = rand.NewZipf(rng, zipfExponent, 1, uint64(cards-1))
	}
	return w
}

func (w *drawer) draw() draw {
	d := w.next
	w.next.n++
	switch {
	case w.one:
		d.card = 0
	case w.zipf != nil:
		d.card = int32(spread(w.zipf.Uint64(), uint64(w.cards)))
	default:
		d.card = int32(w.rng.IntN(w.cards))
	}
	d.points = 1 + w.rng.Int32N(20)
	if w.rng.IntN(100) < w.redeem {
		d.points = -d.points
	}
	return d
}

// spread takes ranks to cards that are not neighbours: popular cards do not lie on
// one page. It is one to one, since the factor is a prime greater than any count.
func spread(rank, cards uint64) uint64 { return rank * 2654435761 % cards }
