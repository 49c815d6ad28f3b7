package ledger_test

import (
	"testing"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/ledger"
)

// Who was erased or merged away gets no card, in whatever way cards are got; what
// they have can still be changed.
func TestNobodyGetsACard(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	into := env.person(t)
	of := func(change string, args ...any) uuid.UUID {
		id := env.person(t)
		card := env.inState(t, "points", ledger.Enabled)
		env.exec(t, `UPDATE card SET customer_id = $1, code = $2 WHERE code = $3`, id, "of-"+id.String(), card)
		env.exec(t, `UPDATE customer SET `+change+`, active = false WHERE id = $1`, append([]any{id}, args...)...)
		return id
	}
	back := of(`erased_at = now()`)
	env.exec(t, `UPDATE customer SET active = true WHERE id = $1`, back)
	for name, tt := range map[string]struct {
		customer uuid.UUID
		want     loyalty.Code
	}{
		"merged away":           {of(`merged_into_id = $2, hidden_at = now()`, into), loyalty.CodeCustomerMerged},
		"erased in part":        {of(`erased_at = now()`), loyalty.CodeCustomerErased},
		"erased":                {of(`erased_at = now(), hidden_at = now()`), loyalty.CodeCustomerNotFound},
		"inactive":              {of(`first_name = 'Eva'`), ""},
		"erased and come again": {back, ""},
	} {
		_, err := env.ledger.CardCreate(t.Context(), env.who, ledger.NewCard{CardTypeCode: "points", CustomerID: &tt.customer})
		wantCode(t, "CardCreate, "+name, err, tt.want, "customerId")
		_, err = env.ledger.CardAssign(t.Context(), env.who, ledger.CardChange{Code: env.stock(t, "points")}, tt.customer)
		wantCode(t, "CardAssign, "+name, err, tt.want, "customerId")
		_, err = env.ledger.CardActivate(t.Context(), env.who, ledger.Activation{CardChange: ledger.CardChange{Code: env.stock(t, "points")}, CustomerID: &tt.customer})
		wantCode(t, "CardActivate, "+name, err, tt.want, "customerId")
		err = db.NewStore(env.pool).InTx(t.Context(), func(tx db.Tx) error {
			_, err := env.ledger.ReassignCards(t.Context(), tx, env.who, env.person(t), tt.customer, "merge")
			return err
		})
		wantCode(t, "ReassignCards, "+name, err, tt.want, "customerId")
		_, err = env.ledger.CardDisable(t.Context(), env.who, ledger.CardChange{Code: "of-" + tt.customer.String()})
		wantCode(t, "CardDisable of the card they have, "+name, err, "", "")
	}
	env.verified(t)
}
