package bench

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db/dbtest"
)

// chaosBooks are those of two cards on which seven operations were tried: 0 and 1 were
// done, 2 is a transfer, 3 was refused, nobody answered 4, which is there, nor 5, which
// is not, and 6 was sent twice.
const chaosBooks = `
INSERT INTO company (id, code, name, time_zone, language, currency, phone_prefix, created_at, updated_at)
VALUES ('00000000-0000-7000-8000-000000000001', 'prueba', 'Prueba', 'UTC', 'es', 'PEN', '+51', now(), now());
INSERT INTO card_type (company_id, id, code, name, unit, scale, created_at, updated_at)
SELECT id, id, 'puntos', 'Puntos', 'points', 0, now(), now() FROM company;
INSERT INTO card (company_id, id, card_type_id, code, status, registered_at, created_at, updated_at)
SELECT company.id, ('00000000-0000-7000-8000-00000000000' || c)::uuid, company.id, 'card' || c, 'enabled', now(), now(), now() FROM company, unnest(ARRAY['a', 'b']) AS c;
CREATE TEMP TABLE posted (card text, seq bigint, action text, amount numeric, balance numeric, reference text, other text, other_seq bigint);
INSERT INTO posted VALUES
('a', 1, 'accrue', 10, 10, 'c-0', NULL, NULL), ('a', 2, 'redeem', -3, 7, 'c-1', NULL, NULL), ('a', 3, 'transfer_out', -2, 5, 'c-2', 'b', 1),
('b', 1, 'transfer_in', 2, 2, 'c-2', 'a', 3), ('b', 2, 'accrue', 5, 7, 'c-4', NULL, NULL), ('a', 4, 'accrue', 1, 6, 'c-6', NULL, NULL);`

// chaosPost writes what was posted as the program does.
const chaosPost = `
INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source, reference, related_card_id, related_seq)
SELECT company.id, ('00000000-0000-7000-8000-00000000000' || card)::uuid, seq, action, amount, balance, now(), now(), 'graphql', reference,
       ('00000000-0000-7000-8000-00000000000' || other)::uuid, other_seq FROM company, posted;
INSERT INTO event (company_id, kind, subject_id, seq, recorded_at) SELECT company_id, 'movement_posted', card_id, seq, now() FROM movement;
INSERT INTO idempotency_key (company_id, id, fingerprint, card_id, seq, expires_at)
SELECT company_id, gen_random_uuid(), gen_random_uuid(), card_id, seq, now() + interval '1 day' FROM movement WHERE action <> 'transfer_in';
UPDATE card SET balance = m.total, seq = m.last FROM (SELECT card_id, sum(amount) AS total, max(seq) AS last FROM movement GROUP BY card_id) AS m WHERE m.card_id = card.id;`

var chaosCards = map[string]uuid.UUID{
	"a": uuid.MustParse("00000000-0000-7000-8000-00000000000a"), "b": uuid.MustParse("00000000-0000-7000-8000-00000000000b"),
}

func chaosSent(n int64, kind string, t chaosTold) chaosSend {
	for _, k := range chaosKinds {
		if k.name == kind {
			return chaosSend{&chaosOp{n: n, kind: k}, t}
		}
	}
	panic(kind)
}

type chaosSend struct {
	op   *chaosOp
	told chaosTold
}

func chaosMove(card string, seq int64, action, amount, balance string) chaosMovement {
	return chaosMovement{owner: chaosCards[card], seq: seq, action: action, amount: amount, balance: balance}
}

// chaosSends are what the clients were told.
func chaosSends() []chaosSend {
	digest := func(n byte) uuid.UUID { return uuid.UUID{n} }
	return []chaosSend{
		chaosSent(0, kindAccrue, chaosTold{outcome: chaosDone, line: chaosMove("a", 1, "accrue", "10", "10"), digest: digest(1)}),
		chaosSent(1, kindRedeem, chaosTold{outcome: chaosDone, line: chaosMove("a", 2, "redeem", "-3", "7"), digest: digest(2)}),
		chaosSent(2, kindTransfer, chaosTold{outcome: chaosDone, line: chaosMove("a", 3, "transfer_out", "-2", "5"), other: chaosMove("b", 1, "transfer_in", "2", "2"), digest: digest(3)}),
		chaosSent(3, kindRedeem, chaosTold{outcome: chaosRefused}),
		chaosSent(4, kindAccrue, chaosTold{outcome: chaosUnknown}),
		chaosSent(5, kindTransfer, chaosTold{outcome: chaosUnknown}),
		chaosSent(6, kindAccrue, chaosTold{outcome: chaosDone, line: chaosMove("a", 4, "accrue", "1", "6"), digest: digest(4)}),
		chaosSent(6, kindAccrue, chaosTold{outcome: chaosReplayed, line: chaosMove("a", 4, "accrue", "1", "6"), digest: digest(4)}),
	}
}

// What is wrong is named by its operation, and what is right is not.
func TestChaosProofNamesTheOperation(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		// before alters what is posted, after the rows, told what was answered.
		before, after string
		told          func(sends []chaosSend)
		want          string
	}{
		{name: "nothing"},
		{name: "a movement is missing", before: `DELETE FROM posted WHERE reference = 'c-1'; UPDATE posted SET balance = balance + 3 WHERE card = 'a' AND seq > 2`,
			want: "operation 1 (redeem): done, and it left nothing"},
		{name: "a movement is doubled", before: `INSERT INTO posted VALUES ('a', 5, 'accrue', 10, 16, 'c-0')`,
			want: "operation 0 (accrue): left {accrue,accrue}, and not {accrue}"},
		{name: "half an acknowledged transfer", before: `DELETE FROM posted WHERE action = 'transfer_in'`,
			want: "operation 2 (transfer): left {transfer_out}, and not {transfer_in,transfer_out}"},
		{name: "half a transfer that nobody answered", before: `INSERT INTO posted VALUES ('a', 5, 'transfer_out', -1, 5, 'c-5', 'b', 3)`,
			want: "operation 5 (transfer): left {transfer_out}, and not {transfer_in,transfer_out}"},
		{name: "halves of two amounts", before: `UPDATE posted SET amount = 3, balance = 3 WHERE action = 'transfer_in'`,
			want: "operation 2 (transfer): transfer_in of 3.0000"},
		{name: "another amount than was answered", before: `UPDATE posted SET amount = 11 WHERE reference = 'c-0'`,
			want: "operation 0 (accrue): answered accrue of 10 to 10 as movement 1"},
		{name: "another place than was answered", told: func(s []chaosSend) { s[0].told.line.seq = 9 },
			want: "operation 0 (accrue): answered accrue of 10 to 10 as movement 9"},
		{name: "what was refused is there", before: `INSERT INTO posted VALUES ('a', 5, 'redeem', -1, 5, 'c-3')`,
			want: "operation 3 (redeem): refused, and there is redeem of -1.0000"},
		{name: "what was never sent is there", before: `INSERT INTO posted VALUES ('a', 5, 'accrue', 1, 7, 'c-77')`,
			want: "operation 77 was never sent"},
		{name: "a movement is nobody's", after: `INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source)
			SELECT company_id, card_id, 3, 'write_off', -1, 6, now(), now(), 'graphql' FROM movement WHERE card_id::text LIKE '%b' AND seq = 2`,
			want: "movement 3 of card " + chaosCards["b"].String() + " is nobody's"},
		{name: "a repeat is answered otherwise", told: func(s []chaosSend) { s[7].told.digest = uuid.UUID{9} },
			want: "operation 6 (accrue): 1 answers are the first and 1 repeat it, in 2 versions"},
		{name: "two answers are the first", told: func(s []chaosSend) { s[7].told.outcome = chaosDone },
			want: "operation 6 (accrue): 2 answers are the first"},
		{name: "a repeat of nothing", told: func(s []chaosSend) { s[0].told.outcome = chaosReplayed },
			want: "operation 0 (accrue): 0 answers are the first and 1 repeat it"},
		{name: "a key is gone", after: `DELETE FROM idempotency_key WHERE card_id::text LIKE '%a' AND seq = 3`,
			want: "operation 2 (transfer): 0 keys name what it did, want 1"},
		{name: "a key too many", after: `INSERT INTO idempotency_key SELECT company_id, gen_random_uuid(), fingerprint, card_id, seq, expires_at FROM idempotency_key WHERE card_id::text LIKE '%a' AND seq = 1`,
			want: "operation 0 (accrue): 2 keys name what it did, want 1"},
		{name: "a key without an operation", after: `INSERT INTO idempotency_key SELECT company_id, gen_random_uuid(), fingerprint, card_id, 99, expires_at FROM idempotency_key LIMIT 1`,
			want: "which is no operation's"},
		{name: "an event too many", after: `INSERT INTO event (company_id, kind, subject_id, seq, recorded_at) SELECT company_id, kind, subject_id, seq, recorded_at FROM event WHERE subject_id::text LIKE '%b' AND seq = 2`,
			want: "operation 4 (accrue): 2 events tell of movement 2"},
		{name: "a balance is altered", after: `UPDATE card SET balance = balance + 1 WHERE code = 'carda'`,
			want: "card carda (" + chaosCards["a"].String() + ") says 7.0000 after 4 movements, and 4 come to 6.0000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			conn, err := pgx.Connect(ctx, dbtest.URL(t))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(ctx)
			exec := func(sql string) {
				t.Helper()
				if _, err := conn.Exec(ctx, sql); err != nil {
					t.Fatal(err)
				}
			}
			exec(chaosBooks)
			if err := prepareChaos(ctx, conn); err != nil {
				t.Fatal(err)
			}
			exec(tt.before)
			exec(chaosPost)
			exec(tt.after)
			record, err := newChaosRecord(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer record.close()
			sends := chaosSends()
			if tt.told != nil {
				tt.told(sends)
			}
			for _, s := range sends {
				if err := record.add(s.op, s.told); err != nil {
					t.Fatal(err)
				}
			}
			if err := record.load(ctx, conn); err != nil {
				t.Fatal(err)
			}

			p, err := proveChaos(ctx, conn, false, func(string, ...any) {})

			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("proof: got %v, want %q", err, tt.want)
				}
				return
			}
			want := ChaosProof{Operations: 7, Effects: 5, Movements: 6, Unacknowledged: 2, Whole: 1, None: 1}
			if err != nil || p != want {
				t.Errorf("proof: got %+v (error %v), want %+v", p, err, want)
			}
		})
	}
}

func TestReadChaos(t *testing.T) {
	t.Parallel()
	const id = "TW92ZW1lbnQ6MDAwMDAwMDAtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDBhLzc" // Movement:…a/7
	body := func(replayed bool) string {
		return fmt.Sprintf(`{"data":{"op":{"movement":{"id":%q,"seq":7,"action":"ACCRUE","amount":"5","balanceAfter":"12"},"replayed":%t,"userErrors":[]}}}`, id, replayed)
	}
	first, again := readChaos(wireAnswer{status: 200, body: []byte(body(false))}), readChaos(wireAnswer{status: 200, body: []byte(body(true))})

	want := chaosMovement{id, chaosCards["a"], 7, "accrue", "5", "12"}
	if first.outcome != chaosDone || first.line != want {
		t.Errorf("a first answer: got %+v, want %s %+v", first, chaosDone, want)
	}
	if again.outcome != chaosReplayed || again.digest != first.digest {
		t.Errorf("a repeat: got %+v, want %s with the digest of the first, %s", again, chaosReplayed, first.digest)
	}
	other := readChaos(wireAnswer{status: 200, body: []byte(strings.Replace(body(true), `"5"`, `"6"`, 1))})
	if other.digest == first.digest {
		t.Error("another answer has the digest of the first")
	}
	for _, tt := range []struct {
		name, body string
		status     int
		outcome    chaosOutcome
		fault      bool
	}{
		{"a refusal", `{"data":{"op":{"movement":null,"replayed":false,"userErrors":[{"code":"INSUFFICIENT_BALANCE"}]}}}`, 200, chaosRefused, false},
		{"the first is still running", `{"data":{"op":{"movement":null,"userErrors":[{"code":"IDEMPOTENCY_IN_PROGRESS"}]}}}`, 200, chaosUnknown, false},
		{"a fault", `{"errors":[{"message":"no","extensions":{"code":"INTERNAL_SERVER_ERROR"}}],"data":null}`, 200, chaosUnknown, true},
		{"too slow", `{"errors":[{"message":"the operation took too long","extensions":{"code":"UNAVAILABLE"}}],"data":null}`, 200, chaosUnknown, false},
		{"no JSON", `bad gateway`, 502, chaosUnknown, true},
	} {
		if got := readChaos(wireAnswer{status: tt.status, body: []byte(tt.body)}); got.outcome != tt.outcome || got.fault != tt.fault {
			t.Errorf("%s: got %+v, want %s, fault %t", tt.name, got, tt.outcome, tt.fault)
		}
	}
}

func TestPlanFaults(t *testing.T) {
	t.Parallel()
	plan := planFaults(rand.New(rand.NewPCG(1, 1)), 1000, 5, 2)

	count := map[string]int{}
	last := int64(0)
	for _, f := range plan {
		count[f.What]++
		if f.At <= last || f.At > 950 {
			t.Errorf("%s at %d, after one at %d", f.What, f.At, last)
		}
		last = f.At
	}
	if count[faultKill] != 5 || count[faultImmediate] != 1 || count[faultFast] != 1 {
		t.Errorf("got %v, want 5 kills and one restart of each sort", count)
	}
}

// A seed draws the same operations, whatever was answered being equal.
func TestChaosDrawer(t *testing.T) {
	t.Parallel()
	cards := make([]string, 50)
	for i := range cards {
		cards[i] = fmt.Sprint("card", i)
	}
	for _, sure := range []bool{false, true} {
		d, again := newChaosDrawer(7, cards, sure, 70), newChaosDrawer(7, cards, sure, 70)
		met := map[string]int{}
		for n := range 20_000 {
			o, same := d.draw(), again.draw()
			if o.input != same.input {
				t.Fatalf("operation %d: one seed drew %s and %s", n, o.input, same.input)
			}
			met[o.kind.name]++
			told := chaosTold{object: fmt.Sprint("o", n), name: fmt.Sprint("n", n), line: chaosMovement{id: fmt.Sprint("m", n), amount: "9"}}
			d.learn(o, told)
			again.learn(same, told)
		}
		for _, k := range chaosKinds {
			if wanted := k.weight > 0 && !sure || k.sure > 0 && sure; (met[k.name] > 50) != wanted {
				t.Errorf("sure %t: %s was drawn %d times", sure, k.name, met[k.name])
			}
		}
	}
}
