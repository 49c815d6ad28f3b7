-- Points that end: the policy and its preview, and what the jobs do to many cards
-- at once. Batches walk an index from behind the last row they saw, lock their
-- cards in the order of ids, and look again in a statement of their own.

-- name: CardTypePolicyLock :one
-- CardTypePolicyLock takes a card type for a change of its policy.
SELECT sqlc.embed(card_type), company.time_zone
FROM card_type
JOIN company ON company.id = card_type.company_id
WHERE card_type.company_id = @company_id AND card_type.code = @code
FOR NO KEY UPDATE OF card_type;

-- name: CardTypeShare :one
-- CardTypeShare reads a card type whose policy stays what it is until the
-- transaction ends.
SELECT sqlc.embed(card_type), company.time_zone
FROM card_type
JOIN company ON company.id = card_type.company_id
WHERE card_type.company_id = @company_id AND card_type.id = @id
FOR SHARE OF card_type;

-- name: CardTypeExpirySet :one
-- CardTypeExpirySet sets the rules by which a type's points end. With apply its
-- cards are behind from here on, until a job has brought them up to it.
UPDATE card_type
SET expiry_policy = @expiry_policy, expiry_date = sqlc.narg('expiry_date'), expiry_count = @expiry_count, expiry_unit = @expiry_unit,
    pending_days = sqlc.narg('pending_days'), notice_days = @notice_days::smallint[],
    tracks_lots = tracks_lots OR @tracks_lots::boolean,
    expiry_set_on = @set_on::date,
    expiry_version = expiry_version + CASE WHEN @apply::boolean THEN 1 ELSE 0 END,
    expiry_redates = CASE WHEN @apply::boolean THEN @redates::boolean ELSE expiry_redates END,
    expiry_applying = @apply::boolean,
    updated_at = @now
WHERE company_id = @company_id AND id = @id
RETURNING *;

-- name: CardTypesApplying :many
-- CardTypesApplying finds policies whose job may have been lost, of all companies.
-- @sqlc-vet-disable company-first
-- One plan serves every company; what it enqueues names company_id.
SELECT company_id, id, expiry_version FROM card_type WHERE expiry_applying ORDER BY company_id, id;

-- name: CardsBehind :many
-- CardsBehind lists cards of a type that its policy has not reached.
SELECT id FROM card
WHERE company_id = @company_id AND card_type_id = @card_type_id AND expiry_version < @expiry_version AND id > @after
ORDER BY id
LIMIT @batch_size;

-- name: CardsTake :many
-- CardsTake locks cards in the order of their ids and waits for them.
SELECT id FROM card
WHERE company_id = @company_id AND id = ANY(@ids::uuid[])
ORDER BY id
FOR NO KEY UPDATE;

-- name: CardsTakeFree :many
-- CardsTakeFree is CardsTake for a batch that waits for nobody.
SELECT id FROM card
WHERE company_id = @company_id AND id = ANY(@ids::uuid[])
ORDER BY id
FOR NO KEY UPDATE SKIP LOCKED;

-- name: ExpiryApplied :execrows
-- ExpiryApplied notes that a policy has reached all of its cards.
UPDATE card_type SET expiry_applying = false, updated_at = @now
WHERE company_id = @company_id AND id = @id AND expiry_version = @expiry_version AND expiry_applying;

-- name: ExpiryPreview :many
-- ExpiryPreview sums what ends when, if a card type's points were to end by the
-- policy given from today on: per day, per month and in all, with the members that
-- lose (customers; a card of nobody counts for itself). The first day of the
-- calendar stands for no day: a row of a month, or with neither of all. It reckons
-- as LotsConform does. Pending points end as well, once their day has made them points; what of
-- them pays a debt does not.
WITH ending AS MATERIALIZED (
    SELECT card_clock.card_id, coalesce(card_clock.customer_id, card_clock.card_id) AS member_id, lot.remaining,
           CASE WHEN @redates::boolean
                THEN expiry_end_since(@policy, sqlc.narg('date'), @count, @unit,
                                      CASE WHEN @policy::text = 'inactivity' THEN coalesce(card_clock.used_on, card_clock.registered_on) ELSE lot.earned_on END,
                                      card_clock.registered_on, @today::date)
                ELSE lot.expires_on
           END AS expires_on
    FROM card_clock
    JOIN lot ON lot.company_id = card_clock.company_id AND lot.card_id = card_clock.card_id
    WHERE @tracks_lots::boolean AND card_clock.company_id = @company_id AND card_clock.card_type_id = @card_type_id AND lot.state = 'open'
    UNION ALL
    SELECT pending.card_id, pending.member_id,
           CASE WHEN pending.available < 0 THEN least(pending.remaining, greatest(pending.available + pending.so_far, 0)) ELSE pending.remaining END,
           pending.expires_on
    FROM (SELECT waiting.*,
                 sum(waiting.remaining) OVER (PARTITION BY waiting.card_id
                     ORDER BY waiting.vests_on, waiting.priority, waiting.expires_on NULLS LAST, waiting.seq, waiting.part) AS so_far
          FROM (SELECT card_clock.card_id, coalesce(card_clock.customer_id, card_clock.card_id) AS member_id, card_clock.available, lot.remaining,
                       lot.vests_on, lot.priority, lot.seq, lot.part,
                       CASE WHEN @redates::boolean
                            THEN expiry_end_since(@policy, sqlc.narg('date'), @count, @unit,
                                                  CASE WHEN @policy::text = 'inactivity' THEN coalesce(card_clock.used_on, card_clock.registered_on) ELSE lot.earned_on END,
                                                  card_clock.registered_on, @today::date)
                            ELSE lot.expires_on
                       END AS expires_on
                FROM lot
                JOIN card_clock ON card_clock.company_id = lot.company_id AND card_clock.card_id = lot.card_id
                WHERE @tracks_lots::boolean AND lot.company_id = @company_id AND lot.state = 'pending' AND lot.vests_on IS NOT NULL
                  AND card_clock.card_type_id = @card_type_id AND card_clock.status <> 'cancelled') AS waiting) AS pending
    UNION ALL
    SELECT card_clock.card_id, coalesce(card_clock.customer_id, card_clock.card_id), untracked_lot.remaining,
           expiry_end_since(@policy, sqlc.narg('date'), @count, @unit,
                            CASE WHEN @policy::text = 'inactivity' THEN coalesce(card_clock.used_on, card_clock.registered_on)
                                 ELSE (untracked_lot.posted_at AT TIME ZONE card_clock.time_zone)::date END,
                            card_clock.registered_on, @today::date)
    FROM untracked_lot
    JOIN card_clock ON card_clock.company_id = untracked_lot.company_id AND card_clock.card_id = untracked_lot.card_id
    WHERE NOT @tracks_lots::boolean AND @redates::boolean AND untracked_lot.company_id = @company_id AND untracked_lot.card_type_id = @card_type_id
), lost AS MATERIALIZED (
    SELECT ending.card_id, ending.member_id, ending.expires_on, date_trunc('month', ending.expires_on::timestamp)::date AS month, sum(ending.remaining) AS amount
    FROM ending
    WHERE ending.expires_on IS NOT NULL AND ending.remaining > 0
    GROUP BY ending.card_id, ending.member_id, ending.expires_on
)
SELECT coalesce(lost.expires_on, '0001-01-01')::date AS expires_on, coalesce(lost.month, '0001-01-01')::date AS month, coalesce(sum(lost.amount), 0)::numeric AS amount,
       count(DISTINCT lost.card_id)::bigint AS cards, count(DISTINCT lost.member_id)::bigint AS members
FROM lost
GROUP BY GROUPING SETS ((lost.expires_on), (lost.month), ())
ORDER BY 2, 1;

-- name: LotsDue :many
-- LotsDue walks the lots of a company that have ended, from behind the last seen.
SELECT lot.expires_on::date AS expires_on, lot.card_id FROM lot
WHERE lot.company_id = @company_id AND lot.state = 'open' AND lot.expires_on < @today::date
  AND (lot.expires_on, lot.card_id) > (@after_on::date, @after_card::uuid)
ORDER BY lot.expires_on, lot.card_id
LIMIT @batch_size;

-- name: LotsVesting :many
-- LotsVesting walks cards with pending points whose day has come.
SELECT lot.vests_on::date AS vests_on, lot.card_id FROM lot
WHERE lot.company_id = @company_id AND lot.state = 'pending' AND lot.vests_on <= @today::date
  AND (lot.vests_on, lot.card_id) > (@after_on::date, @after_card::uuid)
ORDER BY lot.vests_on, lot.card_id
LIMIT @batch_size;

-- name: LotsExpire :one
-- LotsExpire posts on locked cards what Account.expire posts on one: a movement for
-- each day on which lots have ended, at that day's end. A card of which more is due
-- (a hold, points that vest, a policy) is left to a book. Each part follows from the
-- first alone, and joins go from it to a table by its index (BatchPlanner). The first
-- goes from the cards to the lots of each: on a day of which the planner has no figures
-- yet it takes the lots that have ended for one, and would look for the cards in all of
-- them. So it is shown no condition that the index of what is due has.
WITH due AS MATERIALIZED (
    SELECT card.company_id, card.id AS card_id, ended.seq, ended.part, ended.remaining, ended.expires_on, card.seq AS card_seq, card.balance,
           ended.n, ended.so_far
    FROM card
    JOIN card_type ON card_type.company_id = card.company_id AND card_type.id = card.card_type_id
    CROSS JOIN LATERAL (
        SELECT lot.seq, lot.part, lot.remaining, lot.expires_on,
               dense_rank() OVER (ORDER BY lot.expires_on) AS n,
               sum(lot.remaining) OVER (ORDER BY lot.expires_on) AS so_far
        FROM lot
        WHERE lot.company_id = card.company_id AND lot.card_id = card.id AND lot.state = 'open' AND coalesce(lot.expires_on, 'infinity') < @today::date
    ) AS ended
    WHERE card.company_id = @company_id AND card.id = ANY(@card_ids::uuid[]) AND card.expiry_version >= card_type.expiry_version
      AND NOT EXISTS (SELECT 1 FROM lot AS waiting
                      WHERE waiting.company_id = card.company_id AND waiting.card_id = card.id AND waiting.state = 'pending' AND waiting.vests_on <= @today::date)
      AND (card.held = 0 OR NOT EXISTS (SELECT 1 FROM hold
                                        WHERE hold.company_id = card.company_id AND hold.card_id = card.id AND hold.status = 'open' AND hold.expires_at <= @now::timestamptz))
), posting AS MATERIALIZED (
    SELECT due.company_id, due.card_id, due.card_seq + due.n AS seq, due.balance - due.so_far AS balance, due.expires_on, sum(due.remaining) AS amount
    FROM due
    GROUP BY due.company_id, due.card_id, due.card_seq, due.n, due.balance, due.so_far, due.expires_on
), moved AS (
    UPDATE card
    SET balance = last.balance, seq = last.seq, debt = 0, updated_at = @now::timestamptz
    FROM (SELECT posting.company_id, posting.card_id, max(posting.seq) AS seq, min(posting.balance) AS balance
          FROM posting
          GROUP BY posting.company_id, posting.card_id) AS last
    WHERE card.company_id = last.company_id AND card.id = last.card_id
    RETURNING 1
), closed AS (
    UPDATE lot
    SET remaining = 0, state = 'closed'
    FROM due
    WHERE lot.company_id = due.company_id AND lot.card_id = due.card_id AND lot.seq = due.seq AND lot.part = due.part
    RETURNING 1
), taken AS (
    INSERT INTO lot_entry (company_id, card_id, seq, lot_seq, lot_part, amount)
    SELECT due.company_id, due.card_id, due.card_seq + due.n, due.seq, due.part, -due.remaining
    FROM due
), booked AS (
    INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source)
    SELECT posting.company_id, posting.card_id, posting.seq, 'expire', -posting.amount, posting.balance,
           (posting.expires_on + 1)::timestamp AT TIME ZONE @time_zone::text, @now::timestamptz, 'system'
    FROM posting
    ORDER BY posting.card_id, posting.seq
    RETURNING 1
), told AS (
    INSERT INTO event (company_id, kind, subject_id, seq, recorded_at)
    SELECT posting.company_id, 'movement_posted', posting.card_id, posting.seq, @now::timestamptz
    FROM posting
    ORDER BY posting.card_id, posting.seq
)
SELECT (SELECT count(*) FROM moved)::bigint AS cards, (SELECT count(*) FROM closed)::bigint AS lots, (SELECT count(*) FROM booked)::bigint AS movements;

-- name: CardsPastValidity :many
-- CardsPastValidity walks the enabled cards of a company whose last day is over.
SELECT card.id, card.valid_to::date AS valid_to, card_type.forfeit_on_expiry
FROM card
JOIN card_type ON card_type.company_id = card.company_id AND card_type.id = card.card_type_id
WHERE card.company_id = @company_id AND card.status = 'enabled' AND card.valid_to < @today::date
  AND (card.valid_to, card.id) > (@after_on::date, @after_card::uuid)
ORDER BY card.valid_to, card.id
LIMIT @batch_size;

-- name: CardsExpire :execrows
-- CardsExpire disables locked cards whose last day is over: a movement of nothing
-- tells, what they hold stays.
WITH moved AS (
    UPDATE card
    SET status = 'disabled', status_reason = @reason::text, status_at = @now::timestamptz, seq = card.seq + 1, updated_at = @now::timestamptz
    WHERE card.company_id = @company_id AND card.id = ANY(@ids::uuid[]) AND card.status = 'enabled' AND card.valid_to < @today::date
    RETURNING card.company_id, card.id, card.seq, card.balance, card.valid_to
), told AS (
    INSERT INTO event (company_id, kind, subject_id, seq, recorded_at)
    SELECT moved.company_id, 'movement_posted', moved.id, moved.seq, @now::timestamptz FROM moved ORDER BY moved.id
)
INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source)
SELECT moved.company_id, moved.id, moved.seq, 'expire', 0, moved.balance,
       (moved.valid_to + 1)::timestamp AT TIME ZONE @time_zone::text, @now::timestamptz, 'system'
FROM moved
ORDER BY moved.id;

-- name: CardsDisable :exec
-- CardsDisable disables locked cards whose movements a book writes.
UPDATE card SET status = 'disabled', status_reason = @reason::text, status_at = @now::timestamptz, updated_at = @now::timestamptz
WHERE company_id = @company_id AND id = ANY(@ids::uuid[]);

-- name: HoldsOpen :many
-- HoldsOpen lists the open holds of locked cards.
SELECT * FROM hold
WHERE company_id = @company_id AND card_id = ANY(@card_ids::uuid[]) AND status = 'open'
ORDER BY card_id, seq;

-- name: HoldsOverdueCompanies :many
-- HoldsOverdueCompanies finds companies with holds whose time is up.
-- @sqlc-vet-disable company-first
-- One sweep serves every company; what it does to a hold names company_id.
SELECT DISTINCT company_id FROM hold WHERE status = 'open' AND expires_at <= @now ORDER BY company_id;

-- name: ExpiryNoticeLock :exec
-- ExpiryNoticeLock makes batches of a company's notices follow each other until the
-- transaction ends.
-- @sqlc-vet-disable company-first
-- The company is the lock's name; it touches no table.
SELECT pg_advisory_xact_lock(hashtextextended(concat('expiry_notice', @company_id::uuid), 0));

-- name: NoticeDaysMost :one
-- NoticeDaysMost is the farthest distance at which a company tells; 0 is none.
SELECT coalesce(max(distance.days), 0)::integer AS days
FROM card_type
CROSS JOIN LATERAL unnest(card_type.notice_days) AS distance (days)
WHERE card_type.company_id = @company_id AND card_type.archived_at IS NULL;

-- name: ExpiryNotices :many
-- ExpiryNotices walks what of enabled cards ends until a day, from behind the last
-- seen, and tells once of each: at the smallest of the type's distances that is not
-- below the days that are left. So a late run tells what still counts, and larger
-- distances that were missed are not made up for. days is null for what was told
-- before or is not to be told.
WITH ending AS MATERIALIZED (
    SELECT lot.company_id, lot.card_id, lot.expires_on, sum(lot.remaining) AS amount
    FROM lot
    WHERE lot.company_id = @company_id AND lot.state = 'open' AND lot.expires_on >= @today::date AND lot.expires_on <= @until::date
      AND (lot.expires_on, lot.card_id) > (@after_on::date, @after_card::uuid)
    GROUP BY lot.company_id, lot.expires_on, lot.card_id
    ORDER BY lot.expires_on, lot.card_id
    LIMIT @batch_size
), near AS MATERIALIZED (
    SELECT ending.company_id, ending.card_id, ending.expires_on, ending.amount,
           (SELECT min(distance.days) FROM unnest(card_type.notice_days) AS distance (days) WHERE distance.days >= ending.expires_on - @today::date) AS days
    FROM ending
    JOIN card ON card.company_id = ending.company_id AND card.id = ending.card_id
    JOIN card_type ON card_type.company_id = card.company_id AND card_type.id = card.card_type_id
    WHERE card.status = 'enabled' AND card_type.archived_at IS NULL AND card.expiry_version >= card_type.expiry_version
), noted AS (
    INSERT INTO expiry_notice (company_id, card_id, expires_on, days, amount, told_at)
    SELECT near.company_id, near.card_id, near.expires_on, near.days, near.amount, @now::timestamptz
    FROM near
    WHERE near.days IS NOT NULL
    ON CONFLICT DO NOTHING
    RETURNING expiry_notice.card_id, expiry_notice.expires_on, expiry_notice.days
), told AS (
    INSERT INTO event (company_id, kind, subject_id, recorded_at)
    SELECT @company_id, 'points_expiring', noted.card_id, @now::timestamptz FROM noted ORDER BY noted.expires_on, noted.card_id
)
SELECT ending.expires_on::date AS expires_on, ending.card_id, ending.amount::numeric AS amount, noted.days,
       card.code, card_type.name AS card_type_name, customer.first_name, customer.email
FROM ending
JOIN card ON card.company_id = ending.company_id AND card.id = ending.card_id
JOIN card_type ON card_type.company_id = card.company_id AND card_type.id = card.card_type_id
LEFT JOIN noted ON noted.card_id = ending.card_id AND noted.expires_on = ending.expires_on
LEFT JOIN customer ON noted.days IS NOT NULL AND customer.company_id = card.company_id AND customer.id = card.customer_id
ORDER BY ending.expires_on, ending.card_id;

-- name: ExpiryNoticesByCards :many
-- ExpiryNoticesByCards lists what the cards of a page were told, newest first: one
-- statement, whatever the page's size.
SELECT notice.*
FROM unnest(@card_ids::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT * FROM expiry_notice
    WHERE expiry_notice.company_id = @company_id AND expiry_notice.card_id = wanted.id
    ORDER BY expiry_notice.expires_on DESC, expiry_notice.days
    LIMIT @batch_size
) AS notice
ORDER BY notice.card_id, notice.expires_on DESC, notice.days;
