-- name: PlanByCompany :one
-- PlanByCompany reads a company's plan and what day it is there.
SELECT sqlc.embed(plan), timezone(company.time_zone, @now::timestamptz)::date AS today
FROM plan
JOIN company ON company.id = plan.company_id
WHERE plan.company_id = @company_id;

-- name: PlanLock :one
-- PlanLock locks what a company has with the platform: the last lock of every
-- transaction that takes from it, so that they queue and do not deadlock.
SELECT sqlc.embed(plan), sqlc.embed(company), timezone(company.time_zone, @now::timestamptz)::date AS today
FROM plan
JOIN company ON company.id = plan.company_id
WHERE plan.company_id = @company_id
FOR NO KEY UPDATE OF plan;

-- name: PlanCreate :exec
-- PlanCreate gives a company a plan without limits; one that is there stays.
INSERT INTO plan (company_id, period_unit, period_anchor, period_starts_on, period_ends_on, created_at, updated_at)
SELECT @company_id, 'month', company.first_day, company.first_day, plan_period_start('month', company.first_day, 1), @now, @now
FROM (SELECT date_trunc('month', timezone(c.time_zone, @now::timestamptz))::date AS first_day FROM company AS c WHERE c.id = @company_id) AS company
ON CONFLICT (company_id) DO NOTHING;

-- name: PlanUpdate :one
-- PlanUpdate writes a locked plan's terms. The present period is the one that the
-- day is in by them; what is used in it stays used.
UPDATE plan
SET contacts_limit = sqlc.narg('contacts_limit'), redemptions_limit = sqlc.narg('redemptions_limit'), message_price = sqlc.narg('message_price'),
    period_unit = @period_unit::text, period_anchor = @period_anchor::date,
    period_starts_on = plan_period_start(@period_unit::text, @period_anchor::date, plan_period_number(@period_unit::text, @period_anchor::date, @today::date)),
    period_ends_on = plan_period_start(@period_unit::text, @period_anchor::date, plan_period_number(@period_unit::text, @period_anchor::date, @today::date) + 1),
    updated_at = @now
WHERE company_id = @company_id
RETURNING *;

-- name: PlansTurn :many
-- PlansTurn begins the new period of plans whose period has ended by their company's
-- own calendar, and notes what was used in the old one: of all companies, or of the
-- one given. Run again it finds nothing. Whoever has a plan locked turns it.
-- @sqlc-vet-disable company-first
-- One turn serves every company; each of its rows is held to its own company_id.
WITH due AS MATERIALIZED (
    SELECT plan.company_id, plan.period_starts_on, plan.period_ends_on, plan.redemptions_used, plan.redemptions_limit,
           plan_period_number(plan.period_unit, plan.period_anchor, timezone(company.time_zone, @now::timestamptz)::date) AS number
    FROM plan
    JOIN company ON company.id = plan.company_id
    WHERE plan.period_ends_on <= timezone(company.time_zone, @now::timestamptz)::date
      AND (sqlc.narg('only')::uuid IS NULL OR plan.company_id = sqlc.narg('only')::uuid)
    ORDER BY plan.company_id
    LIMIT @batch_size
    FOR NO KEY UPDATE OF plan SKIP LOCKED
), ended AS (
    INSERT INTO plan_period (company_id, starts_on, ends_on, redemptions_used, redemptions_limit, ended_at)
    SELECT due.company_id, due.period_starts_on, due.period_ends_on, due.redemptions_used, due.redemptions_limit, @now
    FROM due
    ON CONFLICT (company_id, starts_on) DO UPDATE
    SET ends_on = excluded.ends_on, redemptions_used = plan_period.redemptions_used + excluded.redemptions_used,
        redemptions_limit = excluded.redemptions_limit, ended_at = excluded.ended_at
)
UPDATE plan
SET redemptions_used = 0,
    period_starts_on = plan_period_start(plan.period_unit, plan.period_anchor, due.number),
    period_ends_on = plan_period_start(plan.period_unit, plan.period_anchor, due.number + 1),
    updated_at = @now
FROM due
WHERE plan.company_id = due.company_id
RETURNING plan.company_id;

-- name: PlanWrite :exec
-- PlanWrite writes what a transaction took from a locked plan: its figures, and the
-- lines of the messages' books. '' and zero ids stand for null.
WITH lines AS (
    INSERT INTO message_movement (company_id, seq, action, amount, balance_after, notification_id, reference, actor_id, recorded_at)
    SELECT @company_id, line.seq, line.action, line.amount, line.balance_after,
           nullif(line.notification_id, '00000000-0000-0000-0000-000000000000'), nullif(line.reference, ''),
           nullif(line.actor_id, '00000000-0000-0000-0000-000000000000'), @now
    FROM (SELECT unnest(@seqs::bigint[]) AS seq, unnest(@actions::text[]) AS action, unnest(@amounts::numeric[]) AS amount,
                 unnest(@balances_after::numeric[]) AS balance_after, unnest(@notification_ids::uuid[]) AS notification_id,
                 unnest(@refs::text[]) AS reference, unnest(@actor_ids::uuid[]) AS actor_id) AS line
)
UPDATE plan
SET redemptions_used = @redemptions_used, message_balance = @message_balance, message_seq = @message_seq, updated_at = @now
WHERE plan.company_id = @company_id;

-- name: MessageMovementBySeq :one
SELECT * FROM message_movement WHERE company_id = @company_id AND seq = @seq;

-- name: MessageMovementsPage :many
-- MessageMovementsPage lists the lines of a company's prepaid messages, newest first,
-- from below the number given.
SELECT * FROM message_movement
WHERE company_id = @company_id AND (sqlc.narg('before')::bigint IS NULL OR seq < sqlc.narg('before')::bigint)
ORDER BY seq DESC
LIMIT @batch_size;

-- name: PlanPeriodsPage :many
-- PlanPeriodsPage lists periods that have ended, the latest first.
SELECT * FROM plan_period
WHERE company_id = @company_id AND (sqlc.narg('before')::date IS NULL OR starts_on < sqlc.narg('before')::date)
ORDER BY starts_on DESC
LIMIT @batch_size;

-- name: ContactsCount :one
-- ContactsCount counts a company's active contacts over all its wallets, as far as
-- the most that is asked for.
SELECT count(*)
FROM (
    SELECT 1 FROM card
    WHERE card.company_id = @company_id AND card.status = 'enabled' AND card.holder_phone IS NOT NULL AND card.hidden_at IS NULL
    LIMIT @most
) AS contact;

-- name: VerifyPlans :many
-- VerifyPlans finds plans whose messages' books do not say what they say: lines
-- numbered from 1 without a gap, each balance the sum of all before, the last the
-- plan's; and lines of no message.
-- @sqlc-vet-disable company-first
-- A check reads every company, or the one given.
SELECT found.company_id, found.seq::bigint AS seq, found.detail::text AS detail
FROM (
    SELECT plan.company_id, 0 AS seq,
           concat('balance ', plan.message_balance, ' with ', plan.message_seq, ' lines, of ', coalesce(total.amount, 0), ' in ', coalesce(total.lines, 0)) AS detail
    FROM plan
    LEFT JOIN (SELECT m.company_id, sum(m.amount) AS amount, count(*) AS lines, max(m.seq) AS last FROM message_movement AS m GROUP BY m.company_id) AS total
        ON total.company_id = plan.company_id
    WHERE plan.message_balance <> coalesce(total.amount, 0) OR plan.message_seq <> coalesce(total.lines, 0) OR plan.message_seq <> coalesce(total.last, 0)
    UNION ALL
    SELECT line.company_id, line.seq, concat('balance after ', line.balance_after, ', sum ', line.total)
    FROM (SELECT m.company_id, m.seq, m.balance_after, sum(m.amount) OVER (PARTITION BY m.company_id ORDER BY m.seq) AS total FROM message_movement AS m) AS line
    WHERE line.balance_after <> line.total
    UNION ALL
    SELECT paid.company_id, 0, concat('message ', paid.notification_id, ' was charged ', paid.amount, ' and says ', coalesce(n.price, 0))
    FROM (SELECT m.company_id, m.notification_id, -sum(m.amount) AS amount FROM message_movement AS m
          WHERE m.notification_id IS NOT NULL GROUP BY m.company_id, m.notification_id) AS paid
    LEFT JOIN notification AS n ON n.company_id = paid.company_id AND n.id = paid.notification_id
    WHERE paid.amount <> coalesce(n.price, 0)
) AS found
WHERE sqlc.narg('only')::uuid IS NULL OR found.company_id = sqlc.narg('only')::uuid
ORDER BY found.company_id, found.seq
LIMIT @batch_size;
