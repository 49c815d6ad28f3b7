package ledger_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"sello/loyalty/ledger"
)

// Each kind of damage is found, named by its row, and nothing else is.
func TestVerifyNamesTheRow(t *testing.T) {
	t.Parallel()
	type want struct {
		check ledger.Check
		card  string
		seq   int64
	}
	for _, tt := range []struct {
		name   string
		damage []string
		want   []want
	}{
		{name: "nothing"},
		{name: "a movement is gone", damage: []string{"DELETE FROM movement WHERE card_id = @a AND seq = 2"},
			want: []want{{ledger.CheckChain, "a", 3}, {ledger.CheckKeyMovement, "a", 2}}},
		{name: "the last movement is gone", damage: []string{"DELETE FROM movement WHERE card_id = @a AND seq = 4"},
			want: []want{{ledger.CheckCardSeq, "a", 0}, {ledger.CheckCardBalance, "a", 0}, {ledger.CheckKeyMovement, "a", 4}}},
		{name: "all movements are gone", damage: []string{"DELETE FROM movement WHERE card_id = @b"},
			want: []want{{ledger.CheckCardSeq, "b", 0}, {ledger.CheckCardBalance, "b", 0}}},
		{name: "an amount is changed", damage: []string{"UPDATE movement SET amount = amount + 1 WHERE card_id = @a AND seq = 2"},
			want: []want{{ledger.CheckBalanceAfter, "a", 2}}},
		{name: "a balance after is changed", damage: []string{"UPDATE movement SET balance_after = balance_after + 0.0001 WHERE card_id = @a AND seq = 2"},
			want: []want{{ledger.CheckBalanceAfter, "a", 2}}},
		{name: "the last balance after is changed", damage: []string{"UPDATE movement SET balance_after = 7 WHERE card_id = @a AND seq = 4"},
			want: []want{{ledger.CheckBalanceAfter, "a", 4}}},
		{name: "a card's balance is changed", damage: []string{"UPDATE card SET balance = balance + 0.0001 WHERE id = @a"},
			want: []want{{ledger.CheckCardBalance, "a", 0}}},
		{name: "a card's number is changed", damage: []string{"UPDATE card SET seq = seq + 1 WHERE id = @a"},
			want: []want{{ledger.CheckCardSeq, "a", 0}}},
		{name: "a card is below its floor",
			damage: []string{"ALTER TABLE card DROP CONSTRAINT card_available_check", "UPDATE card SET held = balance + 1 WHERE id = @a"},
			want:   []want{{ledger.CheckFloor, "a", 0}, {ledger.CheckHeld, "a", 0}}},
		{name: "a card is gone", damage: []string{"DELETE FROM card WHERE id = @b"},
			want: []want{{ledger.CheckCardMissing, "b", 2}}},
		{name: "the sign is not the action's", damage: []string{"UPDATE movement SET action = 'redeem' WHERE card_id = @a AND seq = 2"},
			want: []want{{ledger.CheckSign, "a", 2}}},
		{name: "a debit is called an accrual", damage: []string{"UPDATE movement SET action = 'accrue' WHERE card_id = @a AND seq = 3"},
			want: []want{{ledger.CheckSign, "a", 3}}},
		{name: "two keys for one movement", damage: []string{"UPDATE idempotency_key SET seq = 2 WHERE card_id = @a AND seq = 3"},
			want: []want{{ledger.CheckKeyUnique, "a", 2}, {ledger.CheckKeyUnique, "a", 2}}},
		{name: "a key for a movement to come", damage: []string{"UPDATE idempotency_key SET seq = 9 WHERE card_id = @a AND seq = 3"},
			want: []want{{ledger.CheckKeyMovement, "a", 9}}},
		{name: "two movements change places", damage: []string{
			"UPDATE movement SET seq = 20 WHERE card_id = @a AND seq = 2", "UPDATE movement SET seq = 2 WHERE card_id = @a AND seq = 3",
			"UPDATE movement SET seq = 3 WHERE card_id = @a AND seq = 20"},
			want: []want{{ledger.CheckBalanceAfter, "a", 2}, {ledger.CheckBalanceAfter, "a", 3}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			other := env.other(t) // whose books stay right
			other.card(t, "theirs", "5")
			ids := map[string]uuid.UUID{"a": env.card(t, "7001", "100").ID, "b": env.card(t, "7002", "0").ID}
			for n, amount := range []string{"10", "-3", "20"} {
				action := ledger.Accrue
				if amount[0] == '-' {
					action = ledger.Redeem
				}
				env.post(t, ledger.Posting{Card: ref("7001"), Action: action, Amount: new(dec(amount)), Key: key(string(rune('a'+n)), "r")})
			}
			env.post(t, ledger.Posting{Card: ref("7002"), Action: ledger.Accrue, Amount: new(dec("1"))})
			env.post(t, ledger.Posting{Card: ref("7002"), Action: ledger.Accrue, Amount: new(dec("1"))})
			env.damage(t, ids, tt.damage...)

			for scope, company := range map[string]*uuid.UUID{"one company": &env.company, "all companies": nil} {
				findings, err := env.ledger.Verify(t.Context(), company)
				if err != nil {
					t.Fatalf("Verify: %v", err)
				}
				var got []want
				for _, f := range findings {
					if f.CompanyID != env.company {
						t.Errorf("Verify of %s: %v is of another company", scope, f)
					}
					for name, id := range ids {
						if f.CardID == id {
							got = append(got, want{f.Check, name, f.Seq})
						}
					}
				}
				if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(want{})); diff != "" {
					t.Errorf("Verify of %s: findings (-want +got):\n%s%v", scope, diff, findings)
				}
			}
			findings, err := env.ledger.Verify(t.Context(), &other.company)
			if err != nil || len(findings) != 0 {
				t.Errorf("Verify of the other company: got %v, error %v, want nothing", findings, err)
			}
		})
	}
}

// damage changes rows behind the back of every trigger. @a and @b are cards.
func (e *env) damage(t *testing.T, ids map[string]uuid.UUID, statements ...string) {
	t.Helper()
	conn, err := e.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for _, sql := range slices.Concat([]string{"SET session_replication_role = replica"}, statements, []string{"RESET session_replication_role"}) {
		for name, id := range ids {
			sql = strings.ReplaceAll(sql, "@"+name, "'"+id.String()+"'")
		}
		if tag, err := conn.Exec(t.Context(), sql); err != nil || (tag.Update() || tag.Delete()) && tag.RowsAffected() == 0 {
			t.Fatalf("%s: %s, error %v", sql, tag, err)
		}
	}
}

func TestVerifyHoldsImportsAgainstTheirMovements(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, damage string
		want         []ledger.Check
	}{
		{name: "nothing"},
		{name: "rows pruned", damage: "DELETE FROM import_row"},
		{name: "a posted row is marked failed", damage: "UPDATE import_row SET error_code = 'x' WHERE line = 2", want: []ledger.Check{ledger.CheckImportRow}},
		{name: "a row has other points", damage: "UPDATE import_row SET points = 7 WHERE line = 2", want: []ledger.Check{ledger.CheckImportRow}},
		{name: "points assigned are wrong", damage: "UPDATE import SET points_assigned = points_assigned + 1", want: []ledger.Check{ledger.CheckImportTotals}},
		{name: "rows applied are too many", damage: "UPDATE import SET rows_applied = rows_applied + 1", want: []ledger.Check{ledger.CheckImportTotals}},
		{name: "rows applied are too few", damage: "UPDATE import SET rows_applied = 1", want: []ledger.Check{ledger.CheckImportTotals}},
		{name: "still running", damage: "UPDATE import SET status = 'running', rows_applied = 1"},
		{name: "the import is gone", damage: "DELETE FROM import", want: []ledger.Check{ledger.CheckImportMissing, ledger.CheckImportMissing}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := newEnv(t)
			card, id := env.card(t, "7001", "0"), uuid.New()
			env.exec(t, `INSERT INTO import (company_id, id, kind, status, file_name, sha256, bytes, forced, card_type_id, delimiter, encoding,
				header, rows_total, rows_applied, rows_failed, points_assigned, actor_kind, created_at, updated_at)
				VALUES ($1, $2, 'points', 'finished', 'f.csv', '', 1, false, $3, ';', 'utf-8', 'h', 4, 3, 1, 30, 'system', now(), now())`,
				env.company, id, env.base.ID)
			env.exec(t, `INSERT INTO import_row (company_id, import_id, line, row_id, first_name, points, first_key, last_key, error_code, raw)
				VALUES ($1, $2, 2, gen_random_uuid(), 'A', 10, 'a', '', NULL, ''), ($1, $2, 3, gen_random_uuid(), 'A', 20, 'a', '', NULL, ''),
				       ($1, $2, 4, gen_random_uuid(), 'A', 0, 'a', '', NULL, ''), ($1, $2, 5, gen_random_uuid(), 'A', 9, 'a', '', 'bad', '')`,
				env.company, id)
			env.exec(t, `INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source, import_id, import_line)
				VALUES ($1, $2, 1, 'accrue', 10, 10, now(), now(), 'import', $3, 2), ($1, $2, 2, 'accrue', 20, 30, now(), now(), 'import', $3, 3)`,
				env.company, card.ID, id)
			env.exec(t, "UPDATE card SET balance = 30, seq = 2 WHERE id = $1", card.ID)
			if tt.damage != "" {
				env.exec(t, tt.damage)
			}

			findings, err := env.ledger.Verify(t.Context(), &env.company)
			if err != nil {
				t.Fatalf("Verify: %v", err)
			}
			var got []ledger.Check
			for _, f := range findings {
				got = append(got, f.Check)
				if f.ImportID != id {
					t.Errorf("finding %v: names import %v, want %v", f, f.ImportID, id)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("checks that found something (-want +got):\n%s%v", diff, findings)
			}
		})
	}
}

func TestFindingReadsOnOneLine(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("00000000-0000-7000-8000-000000000001")
	for _, tt := range []struct {
		finding ledger.Finding
		want    string
	}{
		{ledger.Finding{Check: ledger.CheckChain, CompanyID: id, CardID: id, Seq: 3, Detail: "follows movement 1"},
			"chain: company " + id.String() + " card " + id.String() + " movement 3: follows movement 1"},
		{ledger.Finding{Check: ledger.CheckImportRow, CompanyID: id, ImportID: id, ImportLine: 2, Detail: "x"},
			"import_row: company " + id.String() + " import " + id.String() + " line 2: x"},
	} {
		if got := tt.finding.String(); got != tt.want {
			t.Errorf("String: got %q, want %q", got, tt.want)
		}
	}
}

// BenchmarkVerify proves the books of 50,000 cards with 1,000,000 movements.
func BenchmarkVerify(b *testing.B) {
	env := newEnv(b)
	env.exec(b, `INSERT INTO card (company_id, id, card_type_id, code, status, balance, seq, registered_at, created_at, updated_at)
		SELECT $1, gen_random_uuid(), $2, 'card-' || n, 'enabled', 20, 20, now(), now(), now() FROM generate_series(1, 50000) n`,
		env.company, env.base.ID)
	env.exec(b, `INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source)
		SELECT company_id, id, n, 'accrue', 1, n, now(), now(), 'graphql' FROM generate_series(1, 20) n, card`)
	env.exec(b, `INSERT INTO idempotency_key (company_id, id, fingerprint, card_id, seq, expires_at)
		SELECT company_id, gen_random_uuid(), gen_random_uuid(), card_id, seq, now() FROM movement WHERE seq <= 10`)
	env.exec(b, "ANALYZE")
	for b.Loop() {
		env.verified(b)
	}
}
