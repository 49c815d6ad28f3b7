package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Posted is the program's answer to one operation.
type Posted struct {
	Status int
	// Code is the refusal, or the first error's code; "" where it was done.
	Code     string
	Replayed bool
	// Movement and Seq name the line of the ledger; a till is not told them.
	Movement string
	Seq      int
	// Balance is the card's after the movement.
	Balance string

	took time.Duration
}

// Poster sends one operation the way a kind of client would.
type Poster interface {
	post(ctx context.Context, op operation) (Posted, error)
}

// PostingRun is one load of postings.
type PostingRun struct {
	Operations int           `json:"operations"`
	Distinct   int           `json:"distinct"`
	Replayed   int           `json:"replayed"`
	Took       time.Duration `json:"took_ns"`
	P50        time.Duration `json:"p50_ns"`
	P99        time.Duration `json:"p99_ns"`
	Statuses   map[int]int   `json:"statuses"`
	Window     Window        `json:"window"`
}

// PerSecond is the rate of answers, repeats included.
func (r PostingRun) PerSecond() float64 { return float64(r.Operations) / r.Took.Seconds() }

// Bank is a set of cards of an installation and what has to be on them.
type Bank struct {
	*Installation
	Server *Process

	cards   []bankCard
	balance []int64 // expected
	seq     []int   // expected
	staff   int64
}

// bankCard is a card by both of its names.
type bankCard struct{ code, phone string }

// bankWallet is the wallet of all cards; opening is what is put on each.
const (
	bankWallet = "mk_prueba_0123456789"
	opening    = 10_000
)

// NewBank starts a server and opens cards, contacts of a wallet on which a unit
// spent is a point, with an opening balance.
func NewBank(ctx context.Context, i *Installation, cards int) (*Bank, error) {
	b := &Bank{Installation: i, cards: make([]bankCard, cards), balance: make([]int64, cards), seq: make([]int, cards)}
	var err error
	if b.Server, err = i.Serve(ctx); err != nil {
		return nil, err
	}
	if b.staff, err = i.tillAndWallet(ctx); err != nil {
		return nil, err
	}
	return b, together(ctx, 8, cards, b.open)
}

// tillAndWallet makes the wallet and somebody who works its till, whose number it
// answers.
func (i *Installation) tillAndWallet(ctx context.Context) (staff int64, err error) {
	if err := i.cardType(ctx, `code: "monedero", name: "Monedero", unit: POINTS, walletKey: "`+bankWallet+`", accrualPercentage: "100", notifyWelcome: false, notifySale: false`); err != nil {
		return 0, err
	}
	var made struct {
		StaffCreate struct {
			StaffMember struct{ Number int64 }
			UserErrors  []UserError
		}
	}
	err = i.Client.Ask(ctx, i.ServerKey, `mutation { staffCreate(input: {name: "Caja Uno", phone: "5550000001", role: CASHIER, storeName: "Centro", password: "caja-uno"}) {
		staffMember { number } userErrors { code message } } }`, nil, &made)
	if err == nil {
		err = refusal(made.StaffCreate.UserErrors)
	}
	if err != nil {
		return 0, fmt.Errorf("take on a staff member: %w", err)
	}
	return made.StaffCreate.StaffMember.Number, nil
}

// open registers one contact and puts the opening balance on the card.
func (b *Bank) open(ctx context.Context, n int) error {
	phone := fmt.Sprintf("55%08d", 10_000_000+n)
	var made struct {
		ContactRegister struct {
			Card       struct{ Code string }
			UserErrors []UserError
		}
	}
	err := b.Client.Ask(ctx, b.ServerKey, `mutation($phone: String!, $name: String!) { contactRegister(input: {walletKey: "`+bankWallet+`", phone: $phone, name: $name}) {
		card { code } userErrors { code message } } }`, map[string]any{"phone": phone, "name": personOf(n).first + " " + personOf(n).last}, &made)
	if err == nil {
		err = refusal(made.ContactRegister.UserErrors)
	}
	if err != nil {
		return fmt.Errorf("open a card: %w", err)
	}
	b.cards[n] = bankCard{code: made.ContactRegister.Card.Code, phone: phone}
	got, err := b.GraphQL().post(ctx, operation{card: n, points: opening, key: fmt.Sprintf("opening-%d", n)})
	if err == nil && (got.Status != http.StatusOK || got.Code != "") {
		err = fmt.Errorf("status %d, %s", got.Status, got.Code)
	}
	if err != nil {
		return fmt.Errorf("open a card: %w", err)
	}
	b.balance[n], b.seq[n] = opening, 2 // after the card's activation
	return nil
}

// Run posts a plan and checks every answer, every card and the books.
func (b *Bank) Run(ctx context.Context, o PostingOptions, through Poster, round string) (PostingRun, error) {
	p := newPlan(o, round)
	for card, points := range p.redeemed {
		if points > b.balance[card] {
			return PostingRun{}, fmt.Errorf("card %d could be asked for more than it has", card)
		}
	}
	r := PostingRun{Operations: len(p.operations), Statuses: map[int]int{}}
	answers := make([]Posted, len(p.operations))
	w := openWindow(b.options.DatabasePID, b.Server)
	err := together(ctx, o.Clients, len(p.operations), func(ctx context.Context, i int) error {
		begun := time.Now()
		got, err := through.post(ctx, p.operations[i])
		got.took = time.Since(begun)
		answers[i] = got
		return err
	})
	r.Window = w.close()
	r.Took = r.Window.Took
	if err != nil {
		return r, err
	}
	times := make([]time.Duration, len(answers))
	for i, a := range answers {
		times[i] = a.took
		r.Statuses[a.Status]++
		if a.Replayed {
			r.Replayed++
		}
	}
	r.P50, r.P99 = percentiles(times)
	for card := range p.net {
		b.balance[card] += p.net[card]
		b.seq[card] += p.count[card]
		r.Distinct += p.count[card]
	}
	return r, errors.Join(checkAnswers(p, answers), b.Check(ctx))
}

// percentiles sorts times and tells their middle and their 99th hundredth.
func percentiles(times []time.Duration) (p50, p99 time.Duration) {
	slices.Sort(times)
	return times[len(times)/2], times[len(times)*99/100]
}

// checkAnswers wants every operation done, and all answers to one key the same,
// all but one of them marked as repeats.
func checkAnswers(p plan, answers []Posted) error {
	var wrong []string
	first := map[string]Posted{}
	firsts := map[string]int{}
	lines := map[string]string{}
	for i, op := range p.operations {
		a := answers[i]
		if a.Status != http.StatusOK || a.Code != "" {
			wrong = append(wrong, fmt.Sprintf("%s: got status %d, %s", op.key, a.Status, a.Code))
			continue
		}
		if !a.Replayed {
			firsts[op.key]++
		}
		if earlier, met := first[op.key]; met && (a.Movement != earlier.Movement || a.Seq != earlier.Seq || a.Balance != earlier.Balance) {
			wrong = append(wrong, fmt.Sprintf("%s: answered as movement %d of balance %s, and as %d of %s", op.key, earlier.Seq, earlier.Balance, a.Seq, a.Balance))
		}
		first[op.key] = a
		if a.Movement == "" {
			continue
		}
		if key, met := lines[a.Movement]; met && key != op.key {
			wrong = append(wrong, fmt.Sprintf("%s and %s are one movement", key, op.key))
		}
		lines[a.Movement] = op.key
	}
	for key, n := range firsts {
		if n != 1 {
			wrong = append(wrong, fmt.Sprintf("%s: %d answers claim to be the first", key, n))
		}
	}
	if len(firsts) != len(first) {
		wrong = append(wrong, fmt.Sprintf("%d of %d keys have a first answer", len(firsts), len(first)))
	}
	return several("answers", wrong)
}

// Check compares every card with the model, as its owner would see it, and
// verifies the books.
func (b *Bank) Check(ctx context.Context) error {
	var mu sync.Mutex
	var wrong []string
	err := together(ctx, 8, len(b.cards), func(ctx context.Context, n int) error {
		var got struct {
			Card struct {
				Balance string
				Seq     int
			}
		}
		if err := b.Client.Ask(ctx, b.ServerKey, `query($code: String!) { card(code: $code) { balance seq } }`, map[string]any{"code": b.cards[n].code}, &got); err != nil {
			return fmt.Errorf("read a card: %w", err)
		}
		if got.Card.Balance != fmt.Sprint(b.balance[n]) || got.Card.Seq != b.seq[n] {
			mu.Lock()
			defer mu.Unlock()
			wrong = append(wrong, fmt.Sprintf("card %d: got %s after %d movements, want %d after %d", n, got.Card.Balance, got.Card.Seq, b.balance[n], b.seq[n]))
		}
		return nil
	})
	return errors.Join(err, several("balances", wrong), b.Verify(ctx))
}

// Drained is what became of many redemptions of one card sent at once.
type Drained struct {
	Done, Refused int
	// Slowest is how long the last answer took.
	Slowest time.Duration `json:"slowest_ns"`
}

// Exhaust sends 200 redemptions of 10 at once to a card with 1,000: exactly 100
// have to be done, and 100 refused as beyond the balance.
func (b *Bank) Exhaust(ctx context.Context, card int) (Drained, error) {
	if err := b.leave(ctx, card, 1000); err != nil {
		return Drained{}, err
	}
	round := fmt.Sprintf("drain-%d-%d", card, b.seq[card])
	answers, errs := make([]Posted, 200), make([]error, 200)
	ready := make(chan struct{})
	var g sync.WaitGroup
	for i := range answers {
		g.Go(func() {
			<-ready
			begun := time.Now()
			answers[i], errs[i] = b.GraphQL().post(ctx, operation{card: card, redeem: true, points: 10, key: fmt.Sprintf("%s-%d", round, i)})
			answers[i].took = time.Since(begun)
		})
	}
	close(ready)
	g.Wait()
	var d Drained
	var other []string
	for _, a := range answers {
		d.Slowest = max(d.Slowest, a.took)
		switch {
		case a.Status == http.StatusOK && a.Code == "" && !a.Replayed:
			d.Done++
		case a.Status == http.StatusOK && a.Code == "INSUFFICIENT_BALANCE":
			d.Refused++
		default:
			other = append(other, fmt.Sprintf("status %d, %s", a.Status, a.Code))
		}
	}
	b.balance[card] -= 10 * int64(d.Done)
	b.seq[card] += d.Done
	err := errors.Join(errs...)
	if err == nil && (d.Done != 100 || d.Refused != 100) {
		err = fmt.Errorf("of 200 redemptions of 10 on a card with 1,000 %d were done and %d refused, the slowest after %s", d.Done, d.Refused, d.Slowest)
	}
	return d, errors.Join(err, several("answers", other), b.Check(ctx))
}

// leave adjusts a card's balance to so much.
func (b *Bank) leave(ctx context.Context, card int, points int64) error {
	op := operation{card: card, points: points - b.balance[card], key: fmt.Sprintf("leave-%d-%d", card, b.seq[card])}
	if op.points < 0 {
		op.redeem, op.points = true, -op.points
	}
	got, err := b.GraphQL().post(ctx, op)
	if err == nil && (got.Status != http.StatusOK || got.Code != "") {
		err = fmt.Errorf("set a card's balance: status %d, %s", got.Status, got.Code)
	}
	b.balance[card] += op.amount()
	b.seq[card]++
	return err
}

// together does n things with so many at a time, in order of their beginning,
// until one fails.
func together(ctx context.Context, workers, n int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var g sync.WaitGroup
	for range workers {
		g.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	g.Wait()
	return context.Cause(ctx)
}
