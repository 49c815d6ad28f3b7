package bench

import (
	"fmt"
	"math/rand/v2"
)

// PostingOptions shape a load of postings.
type PostingOptions struct {
	Clients, Operations, Cards int
	// RepeatPercent of the operations are earlier ones again, by their key, some
	// while the first is still under way.
	RepeatPercent int
	Seed          uint64
}

// operation is one request to post. A repeat is the same operation once more.
type operation struct {
	card   int
	redeem bool
	points int64
	key    string
}

func (o operation) amount() int64 {
	if o.redeem {
		return -o.points
	}
	return o.points
}

// plan is a list of operations in the order in which clients take them.
type plan struct {
	operations []operation
	// net and count are what the distinct operations come to, by card.
	net   []int64
	count []int
	// redeemed is the most that a card may have to give, in any order.
	redeemed []int64
}

// newPlan draws two accruals for each redemption, on cards at random. name keeps
// the keys of rounds apart.
func newPlan(o PostingOptions, name string) plan {
	rng := rand.New(rand.NewPCG(o.Seed, uint64(len(name))+17))
	p := plan{net: make([]int64, o.Cards), count: make([]int, o.Cards), redeemed: make([]int64, o.Cards)}
	repeats := make([]bool, o.Operations)
	for _, at := range rng.Perm(o.Operations - 1)[:min(o.Operations-1, o.Operations*o.RepeatPercent/100)] {
		repeats[at+1] = true
	}
	for i := range o.Operations {
		if repeats[i] {
			// Half of the repeats are of what is under way or has just been answered.
			back := 1 + rng.IntN(i)
			if rng.IntN(2) == 0 {
				back = 1 + rng.IntN(min(i, 2*o.Clients))
			}
			p.operations = append(p.operations, p.operations[i-back])
			continue
		}
		op := operation{
			card: rng.IntN(o.Cards), redeem: rng.IntN(3) == 0, points: 1 + rng.Int64N(20), key: fmt.Sprintf("%s-%06d", name, i),
		}
		p.operations = append(p.operations, op)
		p.net[op.card] += op.amount()
		p.count[op.card]++
		if op.redeem {
			p.redeemed[op.card] += op.points
		}
	}
	return p
}
