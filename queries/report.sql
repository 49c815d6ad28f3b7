-- name: CardBalancesAsOf :many
-- CardBalancesAsOf sums, for each card of a page, what had been posted on it by an
-- instant: as recorded, or by business time. Both may go back from one movement of
-- a card to the next (clocks differ, postings are dated back), so the sum is taken
-- over all of the card's movements, which the primary key finds together: one
-- statement, whatever the page's size, and no index of its own on movement.
SELECT wanted.id::uuid AS card_id, coalesce(posted.balance, 0)::text AS balance
FROM unnest(@card_ids::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT sum(movement.amount) AS balance
    FROM movement
    WHERE movement.company_id = @company_id AND movement.card_id = wanted.id
      AND CASE WHEN @by_posted::boolean THEN movement.posted_at ELSE movement.recorded_at END <= @at::timestamptz
) AS posted
ORDER BY wanted.id;

-- name: ReportDue :many
-- ReportDue lists the companies whose figures have something to do: events behind
-- the place, a rebuild, a new time zone, or rows of an old generation.
-- max is one probe of the primary key; EXISTS may become a walk over all events.
-- @sqlc-vet-disable company-first
-- One planner enqueues the jobs of all companies, each by its own index probe.
SELECT company.id
FROM company
LEFT JOIN report_state ON report_state.company_id = company.id
WHERE report_state.company_id IS NULL
   OR report_state.build_generation IS NOT NULL
   OR report_state.time_zone <> company.time_zone
   OR (SELECT max(event.id) FROM event WHERE event.company_id = company.id) > report_state.event_id
   OR EXISTS (SELECT 1 FROM daily_stat WHERE daily_stat.company_id = company.id AND daily_stat.generation < report_state.generation)
ORDER BY company.id;

-- name: ReportStateEnsure :exec
INSERT INTO report_state (company_id, updated_at) VALUES (@company_id, @now) ON CONFLICT (company_id) DO NOTHING;

-- name: ReportStateRead :one
-- ReportStateRead is where a company's figures stand. place_kept: the event of the
-- place is still there, so none behind it was pruned. stale: an old generation is.
SELECT report_state.*, company.time_zone AS company_time_zone,
       EXISTS (SELECT 1 FROM event
               WHERE event.company_id = @company_id AND event.id = report_state.event_id)::boolean AS place_kept,
       EXISTS (SELECT 1 FROM daily_stat
               WHERE daily_stat.company_id = @company_id AND daily_stat.generation < report_state.generation)::boolean AS stale
FROM report_state
JOIN company ON company.id = report_state.company_id
WHERE report_state.company_id = @company_id;

-- name: ReportCount :one
-- ReportCount adds the movements of the next events, in order of number up to the
-- settled one, to the figures of their days. It tells how many events it read and
-- the last one's number; the caller moves the place in the same transaction. Rows
-- go in by key, so that two runs that meet wait and do not deadlock.
WITH span AS MATERIALIZED (
    SELECT event.id, event.kind, event.subject_id, event.seq
    FROM event
    WHERE event.company_id = @company_id AND event.id > @after_id AND event.id <= @settled_id
    ORDER BY event.id
    LIMIT @batch_size
), counted AS (
    SELECT (movement.posted_at AT TIME ZONE @time_zone::text)::date AS day, card.card_type_id,
           coalesce(movement.store_id, '00000000-0000-0000-0000-000000000000') AS store_id, movement.action,
           count(*) AS movements,
           coalesce(sum(movement.amount) FILTER (WHERE movement.amount > 0), 0) AS credits,
           coalesce(-sum(movement.amount) FILTER (WHERE movement.amount < 0), 0) AS debits,
           coalesce(sum(movement.spent), 0) AS spent
    FROM span
    JOIN movement ON movement.company_id = @company_id AND movement.card_id = span.subject_id AND movement.seq = span.seq
    JOIN card ON card.company_id = @company_id AND card.id = movement.card_id
    WHERE span.kind = 'movement_posted'
    GROUP BY 1, 2, 3, 4
), added AS (
    INSERT INTO daily_stat (company_id, generation, day, card_type_id, store_id, action, movements, credits, debits, spent)
    SELECT @company_id, @generation, counted.day, counted.card_type_id, counted.store_id, counted.action, counted.movements,
           counted.credits, counted.debits, counted.spent
    FROM counted
    ORDER BY 3, 4, 5, 6
    ON CONFLICT (company_id, generation, day, card_type_id, store_id, action) DO UPDATE
    SET movements = daily_stat.movements + excluded.movements, credits = daily_stat.credits + excluded.credits,
        debits = daily_stat.debits + excluded.debits, spent = daily_stat.spent + excluded.spent
)
SELECT count(*)::integer AS events, coalesce(max(span.id), 0)::bigint AS last_id FROM span;

-- name: ReportPlaceMove :execrows
-- ReportPlaceMove moves a company's place behind what was counted. No row: another
-- run has moved it meanwhile, and the whole transaction is undone.
UPDATE report_state
SET event_id = @to_id, complete_to = coalesce(sqlc.narg('complete_to'), complete_to), updated_at = @now
WHERE company_id = @company_id AND generation = @generation AND event_id = @from_id;

-- name: ReportBuildBegin :execrows
-- ReportBuildBegin begins the next generation. No row: one is being built already.
UPDATE report_state
SET build_generation = report_state.generation + 1, build_time_zone = company.time_zone, build_event_id = NULL,
    build_complete_to = NULL, build_card_id = NULL, build_cards = 0, updated_at = @now
FROM company
WHERE report_state.company_id = @company_id AND company.id = report_state.company_id AND report_state.build_generation IS NULL;

-- name: ReportBuildPlace :execrows
-- ReportBuildPlace gives a rebuild its place: the company's newest settled event,
-- of which there is one, as its beginning wrote it.
UPDATE report_state
SET build_event_id = (SELECT max(event.id) FROM event WHERE event.company_id = @company_id AND event.id <= @settled_id),
    build_complete_to = @complete_to, updated_at = @now
WHERE report_state.company_id = @company_id AND report_state.build_generation = @build_generation AND report_state.build_event_id IS NULL;

-- name: ReportPlanner :exec
-- ReportPlanner keeps ReportBuildChunk on hash joins for one transaction. It joins
-- thousands of cards with their movements, and those with all later events; of tables
-- that have just filled up the planner thinks that they hold a few, and compares each
-- row with each.
-- @sqlc-vet-disable company-first
-- It touches no table.
SELECT set_config('enable_nestloop', 'off', true);

-- name: ReportBuildChunk :one
-- ReportBuildChunk counts the movements of the next cards, but for those whose
-- event is behind the rebuild's place: they are counted from there on once the
-- generation is answered from. Movement and event appear together, so this holds
-- at whatever moment a chunk is read; a card that comes later with a number below
-- has such movements only. No lock and no transaction id is held while it reads.
-- The edges keep a merge join from the movements of all cards before.
WITH chunk AS MATERIALIZED (
    SELECT card.id, card.card_type_id
    FROM card
    WHERE card.company_id = @company_id AND card.id > coalesce(sqlc.narg('after')::uuid, '00000000-0000-0000-0000-000000000000')
    ORDER BY card.id
    LIMIT @batch_size
), edge AS MATERIALIZED (
    SELECT (SELECT low.id FROM chunk AS low ORDER BY low.id LIMIT 1) AS first_id,
           (SELECT high.id FROM chunk AS high ORDER BY high.id DESC LIMIT 1) AS last_id
), counted AS (
    SELECT (movement.posted_at AT TIME ZONE @time_zone::text)::date AS day, chunk.card_type_id,
           coalesce(movement.store_id, '00000000-0000-0000-0000-000000000000') AS store_id, movement.action,
           count(*) AS movements,
           coalesce(sum(movement.amount) FILTER (WHERE movement.amount > 0), 0) AS credits,
           coalesce(-sum(movement.amount) FILTER (WHERE movement.amount < 0), 0) AS debits,
           coalesce(sum(movement.spent), 0) AS spent
    FROM chunk
    JOIN movement ON movement.company_id = @company_id AND movement.card_id = chunk.id
        AND movement.card_id BETWEEN (SELECT edge.first_id FROM edge) AND (SELECT edge.last_id FROM edge)
    WHERE NOT EXISTS (SELECT 1 FROM event
                      WHERE event.company_id = @company_id AND event.id > @place_id AND event.kind = 'movement_posted'
                        AND event.subject_id = movement.card_id AND event.seq = movement.seq)
    GROUP BY 1, 2, 3, 4
), added AS (
    INSERT INTO daily_stat (company_id, generation, day, card_type_id, store_id, action, movements, credits, debits, spent)
    SELECT @company_id, @generation, counted.day, counted.card_type_id, counted.store_id, counted.action, counted.movements,
           counted.credits, counted.debits, counted.spent
    FROM counted
    ORDER BY 3, 4, 5, 6
    ON CONFLICT (company_id, generation, day, card_type_id, store_id, action) DO UPDATE
    SET movements = daily_stat.movements + excluded.movements, credits = daily_stat.credits + excluded.credits,
        debits = daily_stat.debits + excluded.debits, spent = daily_stat.spent + excluded.spent
)
SELECT count(*)::integer AS cards,
       coalesce((SELECT edge.last_id FROM edge), '00000000-0000-0000-0000-000000000000')::uuid AS last_id
FROM chunk;

-- name: ReportBuildMove :execrows
-- ReportBuildMove moves a rebuild behind the cards that were counted. No row:
-- another run has moved it meanwhile, and the whole transaction is undone.
UPDATE report_state
SET build_card_id = sqlc.narg('to_card_id'), build_cards = build_cards + @cards, updated_at = @now
WHERE company_id = @company_id AND build_generation = @build_generation
  AND build_card_id IS NOT DISTINCT FROM sqlc.narg('from_card_id')::uuid;

-- name: ReportBuildEnd :execrows
-- ReportBuildEnd answers from the generation that was built, from now on.
UPDATE report_state
SET generation = build_generation, time_zone = build_time_zone, event_id = build_event_id, complete_to = build_complete_to,
    rebuilt_at = @now::timestamptz, build_generation = NULL, build_time_zone = NULL, build_event_id = NULL, build_complete_to = NULL,
    build_card_id = NULL, build_cards = build_cards + @cards, updated_at = @now
WHERE company_id = @company_id AND build_generation = @build_generation
  AND build_card_id IS NOT DISTINCT FROM sqlc.narg('from_card_id')::uuid;

-- name: ReportStaleDelete :execrows
-- ReportStaleDelete drops some rows of generations that nobody answers from.
DELETE FROM daily_stat
WHERE daily_stat.company_id = @company_id AND daily_stat.ctid = ANY (ARRAY(
    SELECT old.ctid
    FROM daily_stat AS old
    JOIN report_state ON report_state.company_id = old.company_id AND old.generation < report_state.generation
    WHERE old.company_id = @company_id
    LIMIT @batch_size));

-- name: DailyStats :many
-- DailyStats sums a company's figures per day and action, on one snapshot with the
-- instant up to which they are complete: now, if no event waits behind the place,
-- else when the place was looked for. On a replica it is not later than the last
-- transaction that has arrived there. There is one row at least, with no action if
-- there is no figure. A card type or store that there is not is told by its id.
WITH place AS MATERIALIZED (
    SELECT company.time_zone AS company_time_zone, coalesce(report_state.time_zone, '') AS time_zone,
           coalesce(report_state.generation, 0) AS generation,
           coalesce(CASE WHEN (SELECT max(event.id) FROM event WHERE event.company_id = @company_id) > report_state.event_id
                         THEN report_state.complete_to
                         WHEN pg_is_in_recovery()
                         THEN greatest(report_state.complete_to, least(@now::timestamptz, pg_last_xact_replay_timestamp()))
                         ELSE greatest(report_state.complete_to, @now::timestamptz)
                    END, 'epoch') AS complete_to,
           card_type.id AS card_type_id, store.id AS store_id
    FROM company
    LEFT JOIN report_state ON report_state.company_id = company.id
    LEFT JOIN card_type ON card_type.company_id = company.id AND card_type.code = sqlc.narg('card_type_code')::text
    LEFT JOIN store ON store.company_id = company.id AND store.code = sqlc.narg('store_code')::text
    WHERE company.id = @company_id
)
SELECT place.company_time_zone, place.time_zone, place.generation::integer AS generation, place.complete_to::timestamptz AS complete_to,
       place.card_type_id, place.store_id,
       coalesce(stat.day, @from_day)::date AS day, coalesce(stat.action, '') AS action,
       coalesce(stat.movements, 0)::bigint AS movements, coalesce(stat.credits, 0)::text AS credits,
       coalesce(stat.debits, 0)::text AS debits, coalesce(stat.spent, 0)::text AS spent
FROM place
LEFT JOIN LATERAL (
    SELECT d.day, d.action, sum(d.movements) AS movements, sum(d.credits) AS credits, sum(d.debits) AS debits, sum(d.spent) AS spent
    FROM daily_stat AS d
    WHERE d.company_id = @company_id AND d.generation = place.generation
      AND d.day BETWEEN @from_day::date AND @to_day::date
      AND (sqlc.narg('card_type_code')::text IS NULL OR d.card_type_id = place.card_type_id)
      AND (sqlc.narg('store_code')::text IS NULL OR d.store_id = place.store_id)
      AND (sqlc.narg('action')::text IS NULL OR d.action = sqlc.narg('action')::text)
    GROUP BY d.day, d.action
) AS stat ON true
ORDER BY day, action;

-- name: LedgerCheckCreate :one
INSERT INTO ledger_check (company_id, id, status, note, actor_kind, actor_id, created_at, updated_at)
VALUES (@company_id, @id, 'queued', @note, @actor_kind, @actor_id, @now, @now)
RETURNING *;

-- name: LedgerCheckByID :one
SELECT * FROM ledger_check WHERE company_id = @company_id AND id = @id;

-- name: LedgerChecksPage :many
-- LedgerChecksPage lists a company's checks, newest first, from behind the id given.
SELECT * FROM ledger_check
WHERE company_id = @company_id AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before')::uuid)
ORDER BY id DESC
LIMIT @batch_size;

-- name: LedgerCheckStart :one
-- LedgerCheckStart takes a check up, for the first time or again after a killed
-- run. No row: it has ended.
UPDATE ledger_check
SET status = 'running', started_at = coalesce(started_at, @now), steps_total = @steps_total, steps_done = 0, rows_read = 0,
    findings = 0, updated_at = @now
WHERE company_id = @company_id AND id = @id AND status IN ('queued', 'running')
RETURNING *;

-- name: LedgerCheckStep :execrows
-- LedgerCheckStep notes one more rule as proved. No row: the check has ended.
UPDATE ledger_check
SET steps_done = @steps_done, rows_read = @rows_read, findings = @findings, updated_at = @now
WHERE company_id = @company_id AND id = @id AND status = 'running';

-- name: LedgerCheckEnd :one
-- LedgerCheckEnd ends a check. No row: it has ended before.
UPDATE ledger_check
SET status = @status, finished_at = @now::timestamptz, updated_at = @now, findings = coalesce(sqlc.narg('findings'), findings),
    steps_done = coalesce(sqlc.narg('steps_done'), steps_done)
WHERE company_id = @company_id AND id = @id AND status IN ('queued', 'running')
RETURNING *;

-- name: LedgerChecksSilent :many
-- LedgerChecksSilent lists checks of which nothing was heard since the time given:
-- their jobs are lost.
-- @sqlc-vet-disable company-first
-- One sweep looks after the checks of all companies; few are under way.
SELECT company_id, id FROM ledger_check
WHERE status IN ('queued', 'running') AND updated_at < @older_than
ORDER BY company_id, id;

-- name: LedgerCheckRows :one
-- LedgerCheckRows counts the rows that a check of the books reads.
SELECT ((SELECT count(*) FROM movement WHERE movement.company_id = @company_id)
      + (SELECT count(*) FROM card WHERE card.company_id = @company_id)
      + (SELECT count(*) FROM idempotency_key WHERE idempotency_key.company_id = @company_id)
      + (SELECT count(*) FROM import WHERE import.company_id = @company_id)
      + (SELECT count(*) FROM lot WHERE lot.company_id = @company_id)
      + (SELECT count(*) FROM lot_entry WHERE lot_entry.company_id = @company_id)
      + (SELECT count(*) FROM hold WHERE hold.company_id = @company_id))::bigint AS rows_read;

-- name: LedgerFindingsCreate :exec
-- LedgerFindingsCreate keeps what a check found; empty members do not apply.
INSERT INTO ledger_check_finding (company_id, check_id, number, rule, card_id, seq, key_id, import_id, import_line, detail)
SELECT @company_id, @check_id, f.number, f.rule,
       nullif(f.card_id, '00000000-0000-0000-0000-000000000000'), nullif(f.seq, 0),
       nullif(f.key_id, '00000000-0000-0000-0000-000000000000'),
       nullif(f.import_id, '00000000-0000-0000-0000-000000000000'), nullif(f.import_line, 0), f.detail
FROM (SELECT unnest(@numbers::integer[]) AS number, unnest(@rules::text[]) AS rule, unnest(@card_ids::uuid[]) AS card_id,
             unnest(@seqs::bigint[]) AS seq, unnest(@key_ids::uuid[]) AS key_id, unnest(@import_ids::uuid[]) AS import_id,
             unnest(@import_lines::integer[]) AS import_line, unnest(@details::text[]) AS detail) AS f;

-- name: LedgerFindingsByChecks :many
-- LedgerFindingsByChecks lists the first findings of each check of a page, from
-- behind the number given: one statement, whatever the page's size.
SELECT finding.*
FROM unnest(@check_ids::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT * FROM ledger_check_finding AS f
    WHERE f.company_id = @company_id AND f.check_id = wanted.id AND f.number > @after_number
    ORDER BY f.number
    LIMIT @batch_size
) AS finding
ORDER BY finding.check_id, finding.number;

-- name: Liability :one
-- Liability is what a card type's members are owed, on one snapshot: the balances
-- and what holds reserve of them, and of the lots, which stand for what is available,
-- those that have an end and those that cannot be used yet, which are no part of
-- the balances. overdrawn is what less than nothing is available. A card type that
-- there is not has no id. On a replica known_to is the last transaction's time.
SELECT company.time_zone, card_type.id AS card_type_id,
       (CASE WHEN pg_is_in_recovery() THEN coalesce(least(@now::timestamptz, pg_last_xact_replay_timestamp()), 'epoch')
             ELSE @now::timestamptz END)::timestamptz AS known_to,
       coalesce(owed.cards, 0)::bigint AS cards, coalesce(owed.balance, 0)::text AS balance,
       coalesce(owed.held, 0)::text AS held, coalesce(owed.overdrawn, 0)::text AS overdrawn,
       coalesce(lots.months, '{}')::date[] AS months, coalesce(lots.amounts, '{}')::text[] AS amounts,
       coalesce(lots.pending, 0)::text AS pending
FROM company
LEFT JOIN card_type ON card_type.company_id = company.id AND card_type.code = @card_type_code
LEFT JOIN LATERAL (
    SELECT count(*) AS cards, sum(card.balance) AS balance, sum(card.held) AS held,
           -sum(card.balance - card.held) FILTER (WHERE card.balance < card.held) AS overdrawn
    FROM card
    WHERE card.company_id = @company_id AND card.card_type_id = card_type.id
) AS owed ON true
LEFT JOIN LATERAL (
    SELECT array_agg(part.month ORDER BY part.month) FILTER (WHERE part.state = 'open') AS months,
           array_agg(part.amount::text ORDER BY part.month) FILTER (WHERE part.state = 'open') AS amounts,
           sum(part.amount) FILTER (WHERE part.state = 'pending') AS pending
    FROM (SELECT lot.state, CASE lot.state WHEN 'open' THEN date_trunc('month', lot.expires_on::timestamp)::date END AS month,
                 sum(lot.remaining) AS amount
          FROM lot
          JOIN card ON card.company_id = @company_id AND card.id = lot.card_id
          WHERE lot.company_id = @company_id AND card.card_type_id = card_type.id
            AND (lot.state = 'pending' OR (lot.state = 'open' AND lot.expires_on IS NOT NULL))
          GROUP BY 1, 2) AS part
) AS lots ON true
WHERE company.id = @company_id;
