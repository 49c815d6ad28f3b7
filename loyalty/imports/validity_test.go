package imports_test

import (
	"testing"
	"time"

	"sello/loyalty/auth"
	"sello/loyalty/imports"
	"sello/loyalty/ledger"
)

// Cards that a file opens are valid as those that are opened by hand. The company's
// day is 2024-03-15.
func TestCardsOfAFileAreValidAsOthers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, rule string
		// with and without are the days of the new cards with and without points; "" is
		// a row that was refused.
		with, without string
	}{
		{"for ever", `valid_days = NULL`, "{NULL,NULL}", "{NULL,NULL}"},
		{"for days", `valid_days = 30`, "{2024-03-15,2024-04-13}", "{2024-03-15,2024-04-13}"},
		{"for a day", `valid_days = 1`, "{2024-03-15,2024-03-15}", "{2024-03-15,2024-03-15}"},
		{"until a day", `valid_to = '2024-03-15'`, "{NULL,2024-03-15}", "{NULL,2024-03-15}"},
		{"between days", `valid_from = '2024-01-01', valid_to = '2024-12-31'`, "{2024-01-01,2024-12-31}", "{2024-01-01,2024-12-31}"},
		{"no longer", `valid_to = '2024-03-14'`, "", ""},
		{"not yet", `valid_from = '2024-03-16'`, "", "{2024-03-16,NULL}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.exec(t, `UPDATE card_type SET `+tt.rule+` WHERE id = $1`, e.cardType)
			imp, _ := e.upload(t, imports.Upload{}, header+"Nuevo,,with@example.com,,7\nNueva,,without@example.com,,0\nAna,,ana.quispe@example.com,,1\n")

			got := e.apply(t, imp.ID)

			refused := int64(0)
			for of, want := range map[string]string{"with": tt.with, "without": tt.without} {
				if want == "" {
					refused++
				}
				e.same(t, want, `SELECT coalesce((SELECT array[c.valid_from, c.valid_to]::text FROM card c JOIN customer u ON u.company_id = c.company_id AND u.id = c.customer_id
					WHERE u.email = $1), '')`, of+"@example.com")
			}
			if got.Totals().Rejected != refused {
				t.Errorf("rejected: got %d, want %d", got.Totals().Rejected, refused)
			}
			for _, refusal := range e.errors(t, imp.ID) {
				if refusal.Code != imports.CardNotEnabled {
					t.Errorf("refused with %s, want %s", refusal.Code, imports.CardNotEnabled)
				}
			}
			// By hand the same comes of it.
			by, err := ledger.New(e.store, func() time.Time { return now }).CardCreate(t.Context(), auth.System(e.company), ledger.NewCard{CardTypeCode: "puntos", Code: "BY-HAND"})
			if (err == nil) != (tt.without != "") {
				t.Errorf("CardCreate: error %v", err)
			}
			if err == nil {
				e.same(t, tt.without, `SELECT array[valid_from, valid_to]::text FROM card WHERE id = $1`, by.ID)
			}
			e.verified(t)
		})
	}
}
