package imports_test

import (
	"testing"
	"time"

	"sello/loyalty/imports"
	"sello/loyalty/ledger"
)

// verified fails where the ledger's books are wrong.
func (e *env) verified(t *testing.T) {
	t.Helper()
	e.books(t)
	findings, err := ledger.New(e.store, func() time.Time { return now }).Verify(t.Context(), nil)
	if err != nil || len(findings) > 0 {
		t.Errorf("Verify: got %v, error %v", findings, err)
	}
}

// Points of a file get lots where the card type keeps them, on cards that its policy
// has reached first.
func TestPointsOfAFileEnd(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.exec(t, `UPDATE card_type SET expiry_policy = 'after', expiry_count = 1, expiry_unit = 'month', tracks_lots = true, expiry_version = 1,
		expiry_redates = true, expiry_applying = true, expiry_set_on = '2024-03-15' WHERE id = $1`, e.cardType)
	debtor := e.customer(t, "Dora", "", "dora@example.com", "", "PRT-dora", 0)
	e.exec(t, `UPDATE card SET floor = -10, balance = -4, seq = 1 WHERE id = $1`, debtor)
	e.exec(t, `INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source)
		VALUES ($1, $2, 1, 'redeem', -4, -4, $3, $3, 'pretii')`, e.company, debtor, now)
	e.exec(t, `UPDATE card SET valid_to = '2024-03-14' WHERE code = $1`, qrAnabel)
	imp, _ := e.upload(t, imports.Upload{}, header+
		"Ana,,ana.quispe@example.com,,6\nDora,,dora@example.com,,10\nNuevo,,nuevo@example.com,,7\nAnabel,,anabel@example.com,,5\n")

	got := e.apply(t, imp.ID)

	if got.Totals().Rejected != 1 || e.errors(t, imp.ID)[0].Code != imports.CardNotEnabled {
		t.Errorf("a card that is no longer valid: got %+v", e.errors(t, imp.ID))
	}
	for code, want := range map[string]string{
		qrAna:      "{\"120.0000 of 120.0000 until 2024-04-15\",\"6.0000 of 6.0000 until 2024-04-15\"}",
		"PRT-dora": "{\"6.0000 of 10.0000 until 2024-04-15\"}",
	} {
		e.same(t, want, `SELECT array_agg(remaining || ' of ' || amount || ' until ' || expires_on ORDER BY lot.seq) FROM lot JOIN card ON id = card_id WHERE code = $1`, code)
	}
	e.same(t, "7.0000 1", `SELECT remaining || ' ' || expiry_version FROM lot JOIN card c ON c.id = card_id JOIN customer u ON u.id = c.customer_id WHERE u.email = 'nuevo@example.com'`)
	e.same(t, -4, `SELECT trim_scale(amount) FROM lot_entry WHERE card_id = $1`, debtor)
	e.verified(t)
}

// A use by file moves the ends of a type whose points end with inactivity.
func TestAFileIsAUse(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.exec(t, `UPDATE card_type SET expiry_policy = 'inactivity', expiry_count = 10, expiry_unit = 'day', tracks_lots = true, expiry_version = 1,
		expiry_redates = true, expiry_set_on = '2024-03-01' WHERE id = $1`, e.cardType)
	e.exec(t, `UPDATE card SET expiry_version = 1`)
	e.exec(t, `INSERT INTO lot (company_id, card_id, seq, part, state, amount, remaining, earned_on, expires_on, priority)
		SELECT company_id, id, 1, 0, 'open', balance, balance, '2024-03-08', '2024-03-18', 100 FROM card WHERE balance > 0`)
	imp, _ := e.upload(t, imports.Upload{}, header+"Ana,,ana.quispe@example.com,,6\nJosé,,jose.munoz@example.com,,0\n")

	e.apply(t, imp.ID)

	e.same(t, "{2024-03-25,2024-03-25}", `SELECT array_agg(expires_on) FROM lot JOIN card ON id = card_id WHERE code = $1`, qrAna)
	e.same(t, "{2024-03-18}", `SELECT array_agg(expires_on) FROM lot JOIN card ON id = card_id WHERE code = $1`, qrJose)
	books := ledger.New(e.store, func() time.Time { return now.AddDate(0, 0, 20) })
	if did, err := books.PointsExpire(t.Context(), e.company, nil); err != nil || did.Lots != 3 {
		t.Errorf("PointsExpire: got %+v, error %v, want three lots", did, err)
	}
	e.verified(t)
}
