package bench

import "testing"

func TestPlan(t *testing.T) {
	t.Parallel()

	p := newPlan(PostingOptions{Clients: 8, Operations: 1000, Cards: 7, RepeatPercent: 20, Seed: 3}, "x")

	distinct := p.distinct()
	if len(p.operations) != 1000 || len(distinct) != 800 {
		t.Fatalf("operations: got %d, %d of them distinct, want 1000 and 800", len(p.operations), len(distinct))
	}
	net, count, redeemed := make([]int64, 7), make([]int, 7), make([]int64, 7)
	byKey := map[string]operation{}
	for _, op := range distinct {
		net[op.card] += op.amount()
		count[op.card]++
		if op.redeem {
			redeemed[op.card] += op.points
		}
		byKey[op.key] = op
	}
	for card := range 7 {
		if net[card] != p.net[card] || count[card] != p.count[card] || redeemed[card] != p.redeemed[card] {
			t.Errorf("card %d: got %d in %d operations, %d of it redeemed, want %d, %d and %d",
				card, p.net[card], p.count[card], p.redeemed[card], net[card], count[card], redeemed[card])
		}
	}
	for i, op := range p.operations {
		if byKey[op.key] != op {
			t.Errorf("operation %d repeats %s as another request", i, op.key)
		}
	}
}

func TestCheckAnswersFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	p := plan{operations: []operation{{card: 0, points: 1, key: "a"}, {card: 0, points: 1, key: "b"}, {card: 0, points: 1, key: "a"}}}
	right := []Posted{
		{Status: 200, Movement: "m1", Seq: 1, Balance: "1"}, {Status: 200, Movement: "m2", Seq: 2, Balance: "2"},
		{Status: 200, Movement: "m1", Seq: 1, Balance: "1", Replayed: true},
	}
	if err := checkAnswers(p, right); err != nil {
		t.Fatalf("right answers: %v", err)
	}

	for name, change := range map[string]func([]Posted){
		"a conflict":                     func(a []Posted) { a[1].Status = 409 },
		"a refusal":                      func(a []Posted) { a[1].Code = "INSUFFICIENT_BALANCE" },
		"a repeat posted again":          func(a []Posted) { a[2] = Posted{Status: 200, Movement: "m3", Seq: 3, Balance: "3"} },
		"a repeat with another balance":  func(a []Posted) { a[2].Balance = "2" },
		"a first answer marked replayed": func(a []Posted) { a[1].Replayed = true },
		"one movement for two keys":      func(a []Posted) { a[1].Movement = "m1" },
	} {
		answers := append([]Posted{}, right...)
		change(answers)
		if checkAnswers(p, answers) == nil {
			t.Errorf("%s: found nothing wrong", name)
		}
	}
}
