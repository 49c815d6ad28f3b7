package bench

import (
	"context"
	"fmt"
)

// Openings: what a card begins with. In a run that nothing may refuse it is more than
// is ever taken.
const (
	chaosOpening     = "300"
	chaosSureOpening = "100000000"
)

// openChaos sets up the card types, a coupon type, a reward and the cards, whose
// codes it answers.
func openChaos(ctx context.Context, i *Installation, o ChaosOptions) ([]string, error) {
	opening, uses, stock := chaosOpening, 2, fmt.Sprintf(", stock: %d", 1+o.Operations/200)
	if o.sure() {
		opening, uses, stock = chaosSureOpening, 1_000_000, ""
	}
	for _, t := range chaosTypes {
		if err := i.cardType(ctx, fmt.Sprintf(`code: %q, name: %q, %s`, t.code, t.code, t.fields)); err != nil {
			return nil, err
		}
	}
	setUp := []string{
		fmt.Sprintf(`op: couponTypeCreate(input: {code: "cupon", name: "Cupón", format: ELECTRONIC, benefit: AMOUNT, amount: "5", maxUses: %d})`, uses),
		fmt.Sprintf(`op: rewardCreate(input: {code: "premio", name: "Premio", cardTypeCode: "puntos", price: "5"%s})`, stock),
	}
	for _, t := range chaosTypes {
		if t.lots {
			setUp = append(setUp, fmt.Sprintf(`op: cardTypeExpirySet(input: {cardTypeCode: %q, policy: AFTER, count: 12, unit: MONTH, applyTo: ALL_POINTS})`, t.code))
		}
	}
	for _, what := range setUp {
		if err := i.ask(ctx, what); err != nil {
			return nil, err
		}
	}
	cards := make([]string, o.Cards)
	err := together(ctx, 8, o.Cards, func(ctx context.Context, n int) error {
		cards[n] = fmt.Sprintf("CH-%06d", n)
		return i.ask(ctx, fmt.Sprintf(`op: cardCreate(input: {cardTypeCode: %q, code: %q, amount: %q, idempotencyKey: %q})`,
			chaosTypes[n%len(chaosTypes)].code, cards[n], opening, "open-"+cards[n]))
	})
	if err != nil {
		return nil, err
	}
	// Limits come after the openings, which are above them.
	return cards, i.ask(ctx, `op: cardTypeUpdate(input: {code: "limites", transactionLimit: "60", loadLimit: "80"})`)
}

// ask runs a mutation that has to be done.
func (i *Installation) ask(ctx context.Context, mutation string) error {
	var made struct {
		Op struct{ UserErrors []UserError }
	}
	err := i.Client.Ask(ctx, i.ServerKey, `mutation { `+mutation+` { userErrors { code message } } }`, nil, &made)
	if err == nil {
		err = refusal(made.Op.UserErrors)
	}
	if err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	return nil
}
