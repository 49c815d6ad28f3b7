package ledger_test

import (
	"testing"

	"github.com/google/uuid"

	"sello/db"
	"sello/loyalty/ledger"
)

// What of a card changes besides its figures is written: alone too, and once.
func TestBookWritesWhatElseChanged(t *testing.T) {
	t.Parallel()
	env := newEnv(t)
	env.card(t, "7001", "10")
	card := env.cardNow(t, "7001")
	inBook := func(fn func(tx db.Tx, b *ledger.Book, a *ledger.Account) error) {
		t.Helper()
		err := env.ledger.InBook(t.Context(), env.who, []uuid.UUID{card.ID}, func(tx db.Tx, b *ledger.Book) error { return fn(tx, b, b.Account(card.ID)) })
		if err != nil {
			t.Fatalf("InBook: %v", err)
		}
	}

	inBook(func(_ db.Tx, _ *ledger.Book, a *ledger.Account) error {
		a.Alter("alone")
		return nil
	})
	if got := env.cardNow(t, "7001").Reason(); got != "alone" {
		t.Errorf("a change without a movement: got reason %q, want alone", got)
	}

	inBook(func(tx db.Tx, b *ledger.Book, a *ledger.Account) error {
		a.Alter("written")
		if err := b.Write(t.Context()); err != nil {
			return err
		}
		// A statement of the same transaction says otherwise after it.
		if _, err := tx.Conn.Exec(t.Context(), `UPDATE card SET status_reason = 'later' WHERE id = $1`, card.ID); err != nil {
			return err
		}
		_, err := a.Post(ledger.Entry{Action: ledger.Adjust, Amount: dec("1"), Source: "test"})
		return err
	})
	if got := env.cardNow(t, "7001").Reason(); got != "later" {
		t.Errorf("a change that was written before: got reason %q, want later", got)
	}
	env.verified(t)
}
