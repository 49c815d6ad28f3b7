package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// chaosViews put side by side what was told and what the books say. An operation's
// movements are those that carry its tag as reference, description or reason.
const chaosViews = `
CREATE UNLOGGED TABLE chaos.operation AS
SELECT n, min(kind) AS kind, count(*) AS sends,
       count(*) FILTER (WHERE outcome = 'done') AS done,
       count(*) FILTER (WHERE outcome = 'replayed') AS replayed,
       count(*) FILTER (WHERE outcome = 'refused') AS refused,
       count(*) FILTER (WHERE outcome = 'unknown') AS unknown,
       count(DISTINCT digest) FILTER (WHERE outcome IN ('done', 'replayed')) AS answers
FROM chaos.answer GROUP BY n;
ALTER TABLE chaos.operation ADD PRIMARY KEY (n);

CREATE UNLOGGED TABLE chaos.effect AS
SELECT substr(tagged.tag, 3)::bigint AS n, tagged.card_id, tagged.seq, tagged.action, tagged.amount, tagged.balance,
       tagged.related_card_id, tagged.related_seq
FROM (SELECT card_id, seq, action, amount, balance_after AS balance, related_card_id, related_seq, coalesce(reference, description) AS tag FROM movement
      UNION ALL
      SELECT coupon_id, seq, 'coupon_' || action, uses, used_after, NULL, NULL, reference FROM coupon_movement) AS tagged
WHERE tagged.tag ~ '^c-[0-9]{1,18}$';
CREATE INDEX ON chaos.effect (n);
CREATE INDEX ON chaos.effect (card_id, seq);

-- Holds whose time was up, by the movement that let them go; keys and events, by what
-- they name.
CREATE UNLOGGED TABLE chaos.timed_out AS SELECT card_id, ended_seq AS seq FROM hold WHERE status = 'expired';
CREATE INDEX ON chaos.timed_out (card_id, seq);
CREATE UNLOGGED TABLE chaos.key AS
SELECT id, card_id, seq FROM idempotency_key
UNION ALL
SELECT k.id, coalesce(c.card_id, k.result_id), coalesce(c.seq, k.result_seq)
FROM operation_key AS k LEFT JOIN reward_claim AS c ON c.id = k.result_id;
CREATE UNLOGGED TABLE chaos.told AS SELECT subject_id, seq, count(*) AS times FROM event WHERE kind = 'movement_posted' GROUP BY subject_id, seq;
CREATE INDEX ON chaos.told (subject_id, seq);
SET work_mem = '128MB';
ANALYZE;`

// chaosRule is one thing that has to hold: its statement answers a line of text for
// each place where it does not.
type chaosRule struct{ name, sql string }

const operationText = `'operation ' || o.n || ' (' || o.kind || '): '`

// chaosRules are the rules of every run.
var chaosRules = []chaosRule{
	{"acknowledged operations are there as they were answered", `
		SELECT 'operation ' || a.n || ' (' || a.kind || '): answered ' || a.action || ' of ' || a.amount || ' to ' || a.balance || ' as movement ' || a.seq
		       || ' of ' || a.card_id || ', and there is ' || coalesce(e.action || ' of ' || e.amount || ' to ' || e.balance || ' of operation ' || e.n, 'none')
		FROM (SELECT DISTINCT n, kind, card_id, seq, action, amount, balance FROM chaos.answer WHERE card_id IS NOT NULL
		      UNION SELECT n, kind, other_card_id, other_seq, other_action, other_amount, other_balance FROM chaos.answer WHERE other_card_id IS NOT NULL) AS a
		LEFT JOIN chaos.effect AS e ON e.card_id = a.card_id AND e.seq = a.seq
		WHERE e.n IS NULL OR e.n <> a.n OR e.action <> a.action OR e.amount <> a.amount OR e.balance <> a.balance
		ORDER BY a.n, a.seq`},
	{"acknowledged operations are there", `
		SELECT ` + operationText + ` || 'done, and it left nothing'
		FROM chaos.operation AS o
		WHERE o.done + o.replayed > 0 AND NOT EXISTS (SELECT 1 FROM chaos.effect AS e WHERE e.n = o.n)
		ORDER BY o.n`},
	{"operations are there once and whole, or not at all", `
		SELECT ` + operationText + ` || 'left ' || e.actions::text || ', and not ' || k.actions::text
		FROM (SELECT n, array_agg(action ORDER BY action) AS actions FROM chaos.effect GROUP BY n) AS e
		JOIN chaos.operation AS o ON o.n = e.n
		JOIN chaos.kind AS k ON k.kind = o.kind
		WHERE e.actions <> k.actions
		ORDER BY o.n`},
	{"the halves of a transfer name each other and come to nothing", `
		SELECT ` + operationText + ` || e.action || ' of ' || e.amount || ' on ' || e.card_id || ', and the other half is ' || coalesce(h.amount || ' on ' || h.card_id, 'none')
		FROM chaos.effect AS e
		JOIN chaos.operation AS o ON o.n = e.n
		LEFT JOIN chaos.effect AS h ON h.n = e.n AND h.card_id = e.related_card_id AND h.seq = e.related_seq
		WHERE e.action IN ('transfer_in', 'transfer_out')
		  AND (h.n IS NULL OR h.amount <> -e.amount OR h.related_card_id <> e.card_id OR h.related_seq <> e.seq)
		ORDER BY o.n`},
	{"refused operations leave nothing", `
		SELECT ` + operationText + ` || 'refused, and there is ' || e.action || ' of ' || e.amount || ' as movement ' || e.seq || ' of ' || e.card_id
		FROM chaos.operation AS o
		JOIN chaos.effect AS e ON e.n = o.n
		WHERE o.done + o.replayed + o.unknown = 0
		ORDER BY o.n`},
	{"one answer is the first, and the others repeat it", `
		SELECT ` + operationText + ` || o.done || ' answers are the first and ' || o.replayed || ' repeat it, in ' || o.answers || ' versions'
		FROM chaos.operation AS o
		WHERE o.done > 1 OR o.answers > 1 OR (o.done = 0 AND o.replayed > 0 AND o.unknown = 0)
		ORDER BY o.n`},
	{"nothing is there that nobody asked for", `
		SELECT 'operation ' || e.n || ' was never sent: ' || e.action || ' of ' || e.amount || ' as movement ' || e.seq || ' of ' || e.card_id
		FROM chaos.effect AS e
		WHERE NOT EXISTS (SELECT 1 FROM chaos.operation AS o WHERE o.n = e.n)
		UNION ALL
		-- What an operation brings about is in its own transaction, on the same card: an
		-- expiry or a write-off that a return needs, points that pass from lot to lot. A
		-- hold whose time was up is let go by whoever comes by, refused or not.
		SELECT 'movement ' || m.seq || ' of card ' || m.card_id || ' is nobody''s: ' || m.action || ' of ' || m.amount
		FROM movement AS m
		LEFT JOIN chaos.opening AS b ON b.card_id = m.card_id
		LEFT JOIN chaos.effect AS own ON own.card_id = m.card_id AND own.seq = m.seq
		WHERE m.seq > coalesce(b.seq, 0) AND own.n IS NULL
		  AND NOT (m.action = 'release' AND EXISTS (SELECT 1 FROM chaos.timed_out AS t WHERE t.card_id = m.card_id AND t.seq = m.seq))
		  AND NOT ((m.action IN ('write_off', 'expire') OR (m.action = 'reverse' AND m.amount = 0)) AND EXISTS (
		      SELECT 1 FROM movement AS cause
		      LEFT JOIN chaos.timed_out AS t ON t.card_id = cause.card_id AND t.seq = cause.seq
		      LEFT JOIN chaos.effect AS e ON e.card_id = cause.card_id AND e.seq = cause.seq
		      WHERE cause.company_id = m.company_id AND cause.card_id = m.card_id AND cause.seq BETWEEN m.seq - 50 AND m.seq + 50
		        AND cause.xmin = m.xmin AND (t.seq IS NOT NULL OR e.n IS NOT NULL)))`},
	{"each operation has one key, which names what it did", `
		SELECT ` + operationText + ` || count(i.id) || ' keys name what it did, want 1'
		FROM chaos.operation AS o
		JOIN chaos.kind AS k ON k.kind = o.kind AND k.keyed
		JOIN chaos.effect AS e ON e.n = o.n
		LEFT JOIN chaos.key AS i ON i.card_id = e.card_id AND i.seq = e.seq
		GROUP BY o.n, o.kind HAVING count(i.id) <> 1
		UNION ALL
		SELECT 'key ' || i.id || ' names movement ' || i.seq || ' of ' || i.card_id || ', which is no operation''s'
		FROM chaos.key AS i
		LEFT JOIN chaos.opening AS b ON b.card_id = i.card_id
		LEFT JOIN chaos.effect AS e ON e.card_id = i.card_id AND e.seq = i.seq
		WHERE i.seq > coalesce(b.seq, 0) AND e.n IS NULL`},
	{"each operation has one event for each of its movements", `
		SELECT ` + operationText + ` || coalesce(v.times, 0) || ' events tell of movement ' || e.seq || ' of ' || e.card_id || ', want 1'
		FROM chaos.effect AS e
		JOIN chaos.operation AS o ON o.n = e.n AND o.kind NOT LIKE 'coupon%'
		LEFT JOIN chaos.told AS v ON v.subject_id = e.card_id AND v.seq = e.seq
		WHERE coalesce(v.times, 0) <> 1
		ORDER BY o.n`},
	{"balances are the sums of their movements", `
		SELECT 'card ' || card.code || ' (' || card.id || ') says ' || card.balance || ' after ' || card.seq || ' movements, and ' || m.movements || ' come to ' || m.total
		FROM card
		JOIN (SELECT card_id, count(*) AS movements, max(seq) AS last, sum(amount) AS total FROM movement GROUP BY card_id) AS m ON m.card_id = card.id
		WHERE card.balance <> m.total OR card.seq <> m.movements OR card.seq <> m.last
		ORDER BY card.code`},
	{"lots come to what is available", `
		SELECT 'card ' || card.code || ' (' || card.id || ') has ' || greatest(card.balance - card.held, 0) || ' available, and its lots come to ' || coalesce(sum(lot.remaining), 0)
		FROM card
		JOIN card_type ON card_type.company_id = card.company_id AND card_type.id = card.card_type_id AND card_type.tracks_lots
		LEFT JOIN lot ON lot.company_id = card.company_id AND lot.card_id = card.id AND lot.state = 'open'
		GROUP BY card.company_id, card.id HAVING coalesce(sum(lot.remaining), 0) <> greatest(card.balance - card.held, 0)
		ORDER BY card.code`},
	{"claims have their movement, and stock and uses are counted", `
		SELECT 'claim ' || c.id || ' has no movement of its price'
		FROM reward_claim AS c
		LEFT JOIN chaos.effect AS e ON e.card_id = c.card_id AND e.seq = c.seq
		WHERE e.n IS NULL OR e.amount <> -c.price
		UNION ALL
		SELECT ` + operationText + ` || 'points were taken and there is no claim'
		FROM chaos.operation AS o
		JOIN chaos.effect AS e ON e.n = o.n AND o.kind = 'reward'
		WHERE NOT EXISTS (SELECT 1 FROM reward_claim AS c WHERE c.card_id = e.card_id AND c.seq = e.seq)
		UNION ALL
		SELECT 'reward ' || r.code || ' says ' || r.taken || ' taken, and there are ' || count(c.id) || ' claims'
		FROM reward AS r LEFT JOIN reward_claim AS c ON c.reward_id = r.id AND c.status <> 'cancelled'
		WHERE r.supplied IS NOT NULL
		GROUP BY r.id, r.code, r.taken HAVING count(c.id) <> r.taken
		UNION ALL
		SELECT 'coupon ' || c.code || ' says ' || c.used || ' uses, and its movements come to ' || sum(m.uses)
		FROM coupon AS c JOIN coupon_movement AS m ON m.coupon_id = c.id
		GROUP BY c.id, c.code, c.used, c.seq HAVING sum(m.uses) <> c.used OR count(*) <> c.seq`},
}

// sureRule holds where nothing can refuse an operation.
var sureRule = chaosRule{"every operation has its effect", `
	SELECT ` + operationText + ` || 'left nothing; ' || o.refused || ' of ' || o.sends || ' sends were refused'
	FROM chaos.operation AS o
	WHERE NOT EXISTS (SELECT 1 FROM chaos.effect AS e WHERE e.n = o.n)
	ORDER BY o.n`}

// chaosFindings is how many places of one rule are read.
const chaosFindings = 100

// check looks for places where the rule does not hold.
func (r chaosRule) check(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, fmt.Sprintf(`SELECT found.what FROM (%s) AS found (what) LIMIT %d`, r.sql, chaosFindings))
	if err != nil {
		return fmt.Errorf("check that %s: %w", r.name, err)
	}
	wrong, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("check that %s: %w", r.name, err)
	}
	return several("it does not hold that "+r.name, wrong)
}

// ChaosProof is what the books were found to hold.
type ChaosProof struct {
	// Operations that were sent, and those that left something.
	Operations int64 `json:"operations"`
	Effects    int64 `json:"effects"`
	// Movements of cards since the run began, those that operations brought about
	// included, and of coupons.
	Movements int64 `json:"movements"`
	// Unacknowledged are the operations with a send that nobody answered; of them
	// Settled got an answer later, Whole got none and are there, None are not.
	Unacknowledged int64 `json:"unacknowledged"`
	Settled        int64 `json:"settled"`
	Whole          int64 `json:"left_whole"`
	None           int64 `json:"left_nothing"`
}

// proveChaos holds the books against the record, rule by rule, and names what is
// wrong by its operation.
func proveChaos(ctx context.Context, conn *pgx.Conn, sure bool, say func(string, ...any)) (p ChaosProof, err error) {
	if _, err := conn.Exec(ctx, chaosViews); err != nil {
		return p, fmt.Errorf("prepare the proof: %w", err)
	}
	rules := chaosRules
	if sure {
		rules = append(rules[:len(rules):len(rules)], sureRule)
	}
	for _, r := range rules {
		begun := time.Now()
		err = errors.Join(err, r.check(ctx, conn))
		say("  %6.2f s: %s", time.Since(begun).Seconds(), r.name)
	}
	if err != nil {
		return p, err
	}
	err = conn.QueryRow(ctx, `
		SELECT count(*), count(*) FILTER (WHERE there), count(*) FILTER (WHERE o.unknown > 0),
		       count(*) FILTER (WHERE o.unknown > 0 AND o.done + o.replayed + o.refused > 0),
		       count(*) FILTER (WHERE o.unknown > 0 AND o.done + o.replayed + o.refused = 0 AND there),
		       count(*) FILTER (WHERE o.unknown > 0 AND o.done + o.replayed + o.refused = 0 AND NOT there),
		       (SELECT count(*) FROM movement AS m LEFT JOIN chaos.opening AS b ON b.card_id = m.card_id WHERE m.seq > coalesce(b.seq, 0))
		         + (SELECT count(*) FROM coupon_movement)
		FROM (SELECT *, EXISTS (SELECT 1 FROM chaos.effect AS e WHERE e.n = operation.n) AS there FROM chaos.operation) AS o`).
		Scan(&p.Operations, &p.Effects, &p.Unacknowledged, &p.Settled, &p.Whole, &p.None, &p.Movements)
	if err != nil {
		return p, fmt.Errorf("count what was proved: %w", err)
	}
	return p, nil
}
