-- name: PostingsRead :many
-- PostingsRead finds what a batch of postings names: the card, the staff member
-- with their rights on its type, the store, and the use of the idempotency key.
-- '' and zero ids stand for what a posting does not name. n is its place in the
-- batch, from 1.
SELECT asked.n::integer AS n,
       by_code.id AS code_card_id, by_phone.id AS phone_card_id,
       wallet.id AS wallet_id, wallet.archived_at AS wallet_archived_at,
       wallet.ticket_required AS wallet_ticket_required,
       store.id AS store_id,
       staff.id AS staff_id, staff.store_id AS staff_store_id, staff.archived_at AS staff_archived_at,
       staff_right.accrue, staff_right.redeem, staff_right.adjust,
       key.fingerprint, key.card_id AS key_card_id, key.seq AS key_seq, key.expires_at AS key_expires_at
FROM (SELECT generate_series(1, cardinality(@card_codes::text[])) AS n,
             unnest(@card_codes::text[]) AS card_code, unnest(@wallet_keys::text[]) AS wallet_key, unnest(@phones::text[]) AS phone,
             unnest(@staff_numbers::bigint[]) AS staff_number, unnest(@with_staff::boolean[]) AS with_staff,
             unnest(@store_codes::text[]) AS store_code, unnest(@key_ids::uuid[]) AS key_id) AS asked
LEFT JOIN card AS by_code ON by_code.company_id = @company_id AND by_code.code = asked.card_code AND by_code.hidden_at IS NULL
LEFT JOIN card_type AS wallet ON wallet.company_id = @company_id AND wallet.wallet_key = nullif(asked.wallet_key, '')
LEFT JOIN card AS by_phone ON by_phone.company_id = @company_id AND by_phone.card_type_id = wallet.id AND by_phone.holder_phone = asked.phone
    AND by_phone.hidden_at IS NULL
LEFT JOIN store ON store.company_id = @company_id AND store.code = nullif(asked.store_code, '')
LEFT JOIN staff ON asked.with_staff AND staff.company_id = @company_id AND staff.number = asked.staff_number
LEFT JOIN staff_right ON staff_right.company_id = @company_id AND staff_right.staff_id = staff.id
    AND staff_right.card_type_id = coalesce(by_code.card_type_id, wallet.id)
LEFT JOIN idempotency_key AS key ON key.company_id = @company_id AND key.id = asked.key_id
ORDER BY asked.n;

-- name: CardsLock :many
-- CardsLock locks cards in the order of their ids, which every statement that
-- takes more than one keeps, and waits for them. What hangs on a card (lots,
-- holds) is read after it: a statement that waited sees the old rows.
SELECT sqlc.embed(card), sqlc.embed(card_type), company.time_zone
FROM card
JOIN card_type ON card_type.company_id = card.company_id AND card_type.id = card.card_type_id
JOIN company ON company.id = card.company_id
WHERE card.company_id = @company_id AND card.id = ANY(@ids::uuid[])
ORDER BY card.id
FOR NO KEY UPDATE OF card;

-- name: CardsLockFree :many
-- CardsLockFree is CardsLock for a batch that waits for nobody: cards that others
-- hold are left out.
SELECT sqlc.embed(card), sqlc.embed(card_type), company.time_zone
FROM card
JOIN card_type ON card_type.company_id = card.company_id AND card_type.id = card.card_type_id
JOIN company ON company.id = card.company_id
WHERE card.company_id = @company_id AND card.id = ANY(@ids::uuid[])
ORDER BY card.id
FOR NO KEY UPDATE OF card SKIP LOCKED;

-- name: LotsConform :execrows
-- LotsConform brings locked cards up to their type's expiry policy. A card that has
-- no lots yet gets those that make up its balance; lots of before get new ends
-- where the change says so. OFFSET 0 keeps the view's window below the card: pulled
-- up, it would be reckoned over all the company's movements. Updates take company_id
-- from the part, as in ImportChunkApply.
WITH behind AS MATERIALIZED (
    SELECT card_clock.company_id, card_clock.card_id AS id, card_clock.expiry_version AS version, card_clock.registered_on, card_clock.time_zone,
           card_type.expiry_policy, card_type.expiry_date, card_type.expiry_count, card_type.expiry_unit, card_type.expiry_redates,
           card_type.expiry_version, card_type.expiry_set_on,
           CASE WHEN card_type.expiry_policy = 'inactivity' THEN coalesce(card_clock.used_on, card_clock.registered_on) END AS used_on
    FROM card_clock
    JOIN card_type ON card_type.company_id = @company_id AND card_type.id = card_clock.card_type_id
    WHERE card_clock.company_id = @company_id AND card_clock.card_id = ANY(@card_ids::uuid[]) AND card_clock.expiry_version < card_type.expiry_version
), made AS (
    INSERT INTO lot (company_id, card_id, seq, part, state, amount, remaining, earned_on, expires_on, priority)
    SELECT behind.company_id, behind.id, untracked_lot.seq, 0, 'open', untracked_lot.remaining, untracked_lot.remaining,
           (untracked_lot.posted_at AT TIME ZONE behind.time_zone)::date,
           CASE WHEN behind.expiry_redates
                THEN expiry_end_since(behind.expiry_policy, behind.expiry_date, behind.expiry_count, behind.expiry_unit,
                                      coalesce(behind.used_on, (untracked_lot.posted_at AT TIME ZONE behind.time_zone)::date),
                                      behind.registered_on, behind.expiry_set_on)
           END,
           100
    FROM behind
    CROSS JOIN LATERAL (
        SELECT * FROM untracked_lot AS u WHERE u.company_id = behind.company_id AND u.card_id = behind.id
        OFFSET 0
    ) AS untracked_lot
    WHERE behind.version = 0
), redated AS (
    UPDATE lot
    SET expires_on = expiry_end_since(behind.expiry_policy, behind.expiry_date, behind.expiry_count, behind.expiry_unit,
                                      coalesce(behind.used_on, lot.earned_on), behind.registered_on, behind.expiry_set_on)
    FROM behind
    WHERE lot.company_id = behind.company_id AND lot.card_id = behind.id AND lot.state <> 'closed' AND behind.expiry_redates AND behind.version > 0
)
UPDATE card
SET expiry_version = behind.expiry_version
FROM behind
WHERE card.company_id = behind.company_id AND card.id = behind.id;

-- name: LotsOfCards :many
-- LotsOfCards reads what locked cards have left, in spending order.
SELECT * FROM lot
WHERE company_id = @company_id AND card_id = ANY(@card_ids::uuid[]) AND state <> 'closed'
ORDER BY card_id, priority, expires_on NULLS LAST, seq, part;

-- name: LotsByKeys :many
-- LotsByKeys reads lots by their movement, closed ones too.
SELECT lot.*
FROM (SELECT unnest(@seqs::bigint[]) AS seq) AS wanted
JOIN lot ON lot.company_id = @company_id AND lot.card_id = @card_id AND lot.seq = wanted.seq
ORDER BY lot.seq, lot.part;

-- name: LotEntriesByMovement :many
-- LotEntriesByMovement reads what one movement took from lots, and what the
-- movements that answered it gave back.
SELECT lot_entry.lot_seq, lot_entry.lot_part, lot_entry.seq, lot_entry.amount
FROM lot_entry
WHERE lot_entry.company_id = @company_id AND lot_entry.card_id = @card_id AND lot_entry.seq = ANY(@seqs::bigint[])
ORDER BY lot_entry.seq, lot_entry.lot_seq, lot_entry.lot_part;

-- name: LotExpired :one
-- LotExpired is how much of the lots of one movement has expired.
SELECT coalesce(-sum(lot_entry.amount), 0)::numeric AS expired
FROM lot_entry
JOIN movement ON movement.company_id = lot_entry.company_id AND movement.card_id = lot_entry.card_id AND movement.seq = lot_entry.seq
WHERE lot_entry.company_id = @company_id AND lot_entry.card_id = @card_id AND lot_entry.lot_seq = @lot_seq
  AND lot_entry.amount < 0 AND movement.action = 'expire';

-- name: WriteOffsSince :many
-- WriteOffsSince is what returns on a card could not take, by the movement that they
-- took back, and have not taken since: those that came after a movement. The earliest
-- comes first: what may still come back for it is the least.
SELECT movement.related_seq::bigint AS related_seq, sum(movement.amount)::numeric AS amount
FROM movement
WHERE movement.company_id = @company_id AND movement.card_id = @card_id AND movement.seq > @seq
  AND movement.action = 'write_off' AND movement.related_seq IS NOT NULL
GROUP BY movement.related_seq
HAVING sum(movement.amount) > 0
ORDER BY min(movement.seq) FILTER (WHERE movement.amount > 0);

-- name: LotSubstitutes :many
-- LotSubstitutes is what returns of movements took from lots that these did not
-- make, less what was passed on to those since. What was written off stands for
-- nobody's lot.
SELECT answer.related_seq::bigint AS origin_seq, lot_entry.lot_seq, lot_entry.lot_part, (-sum(lot_entry.amount))::numeric AS amount
FROM movement AS answer
JOIN lot_entry ON lot_entry.company_id = answer.company_id AND lot_entry.card_id = answer.card_id AND lot_entry.seq = answer.seq
JOIN movement AS made ON made.company_id = answer.company_id AND made.card_id = answer.card_id AND made.seq = lot_entry.lot_seq
WHERE answer.company_id = @company_id AND answer.related_card_id = @card_id::uuid AND answer.related_seq = ANY(@seqs::bigint[])
  AND answer.action IN ('reverse', 'expire', 'write_off')
  AND lot_entry.lot_seq <> answer.related_seq AND made.action <> 'write_off'
GROUP BY answer.related_seq, lot_entry.lot_seq, lot_entry.lot_part
HAVING sum(lot_entry.amount) < 0
ORDER BY answer.related_seq, lot_entry.lot_seq, lot_entry.lot_part;

-- name: HoldsDue :many
-- HoldsDue reads the holds of locked cards whose time is up.
SELECT * FROM hold
WHERE company_id = @company_id AND card_id = ANY(@card_ids::uuid[]) AND status = 'open' AND expires_at <= @now
ORDER BY card_id, expires_at, seq;

-- name: HoldByID :one
SELECT * FROM hold WHERE company_id = @company_id AND id = @id;

-- name: HoldByMovement :one
SELECT * FROM hold WHERE company_id = @company_id AND card_id = @card_id AND seq = @seq;

-- name: BookWrite :exec
-- BookWrite writes what a book did to its locked cards: the cards' new state, the
-- movements, their events in the movements' order, and the idempotency keys.
-- '' and zero ids stand for null. A key that was used at the same moment breaks
-- idempotency_key_pkey.
WITH moved AS (
    UPDATE card
    SET balance = changed.balance, held = changed.held, debt = changed.debt, seq = changed.seq, updated_at = @now
    FROM (SELECT unnest(@card_ids::uuid[]) AS id, unnest(@balances::numeric[]) AS balance, unnest(@helds::numeric[]) AS held,
                 unnest(@debts::numeric[]) AS debt, unnest(@seqs::bigint[]) AS seq) AS changed
    WHERE card.company_id = @company_id AND card.id = changed.id
), entry AS MATERIALIZED (
    SELECT generate_series(1, cardinality(@movement_card_ids::uuid[])) AS n,
           unnest(@movement_card_ids::uuid[]) AS card_id, unnest(@movement_seqs::bigint[]) AS seq,
           unnest(@actions::text[]) AS action, unnest(@amounts::numeric[]) AS amount, unnest(@balances_after::numeric[]) AS balance_after,
           unnest(@posted_ats::timestamptz[]) AS posted_at,
           unnest(@spents::text[]) AS spent, unnest(@rates::text[]) AS rate, unnest(@movement_helds::text[]) AS held,
           unnest(@sources::text[]) AS source, unnest(@refs::text[]) AS reference, unnest(@descriptions::text[]) AS description,
           unnest(@store_ids::uuid[]) AS store_id, unnest(@staff_ids::uuid[]) AS staff_id, unnest(@actor_ids::uuid[]) AS actor_id,
           unnest(@related_card_ids::uuid[]) AS related_card_id, unnest(@related_seqs::bigint[]) AS related_seq,
           unnest(@key_ids::uuid[]) AS key_id, unnest(@fingerprints::uuid[]) AS fingerprint, unnest(@key_expires_ats::timestamptz[]) AS key_expires_at
), keyed AS (
    INSERT INTO idempotency_key (company_id, id, fingerprint, card_id, seq, expires_at)
    SELECT @company_id, entry.key_id, entry.fingerprint, entry.card_id, entry.seq, entry.key_expires_at
    FROM entry
    WHERE entry.key_id <> '00000000-0000-0000-0000-000000000000'
), told AS (
    INSERT INTO event (company_id, kind, subject_id, seq, recorded_at)
    SELECT @company_id, 'movement_posted', entry.card_id, entry.seq, @now
    FROM entry
    ORDER BY entry.n
)
INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, spent, rate, held,
                      source, reference, description, store_id, staff_id, actor_id, related_card_id, related_seq)
SELECT @company_id, entry.card_id, entry.seq, entry.action, entry.amount, entry.balance_after, entry.posted_at, @now,
       nullif(entry.spent, '')::numeric, nullif(entry.rate, '')::numeric, nullif(entry.held, '')::numeric,
       entry.source, nullif(entry.reference, ''), nullif(entry.description, ''),
       nullif(entry.store_id, '00000000-0000-0000-0000-000000000000'), nullif(entry.staff_id, '00000000-0000-0000-0000-000000000000'),
       nullif(entry.actor_id, '00000000-0000-0000-0000-000000000000'),
       nullif(entry.related_card_id, '00000000-0000-0000-0000-000000000000'), nullif(entry.related_seq, 0)
FROM entry
ORDER BY entry.n;

-- name: LotsWrite :exec
-- LotsWrite writes what a book did to the lots of its locked cards: lots made, lots
-- changed, and what each movement took or gave. The first day of the calendar
-- stands for no day.
WITH made AS (
    INSERT INTO lot (company_id, card_id, seq, part, state, amount, remaining, earned_on, expires_on, vests_on, priority)
    SELECT @company_id, new.card_id, new.seq, new.part, new.state, new.amount, new.remaining, new.earned_on,
           nullif(new.expires_on, '0001-01-01'), nullif(new.vests_on, '0001-01-01'), new.priority
    FROM (SELECT unnest(@new_card_ids::uuid[]) AS card_id, unnest(@new_seqs::bigint[]) AS seq, unnest(@new_parts::smallint[]) AS part,
                 unnest(@new_states::text[]) AS state, unnest(@new_amounts::numeric[]) AS amount, unnest(@new_remainings::numeric[]) AS remaining,
                 unnest(@new_earned_ons::date[]) AS earned_on, unnest(@new_expires_ons::date[]) AS expires_on,
                 unnest(@new_vests_ons::date[]) AS vests_on, unnest(@new_priorities::smallint[]) AS priority) AS new
), altered AS (
    UPDATE lot
    SET state = changed.state, remaining = changed.remaining, expires_on = nullif(changed.expires_on, '0001-01-01'),
        vests_on = nullif(changed.vests_on, '0001-01-01')
    FROM (SELECT unnest(@card_ids::uuid[]) AS card_id, unnest(@seqs::bigint[]) AS seq, unnest(@parts::smallint[]) AS part,
                 unnest(@states::text[]) AS state, unnest(@remainings::numeric[]) AS remaining,
                 unnest(@expires_ons::date[]) AS expires_on, unnest(@vests_ons::date[]) AS vests_on) AS changed
    WHERE lot.company_id = @company_id AND lot.card_id = changed.card_id AND lot.seq = changed.seq AND lot.part = changed.part
)
INSERT INTO lot_entry (company_id, card_id, seq, lot_seq, lot_part, amount)
SELECT @company_id, entry.card_id, entry.seq, entry.lot_seq, entry.lot_part, entry.amount
FROM (SELECT unnest(@entry_card_ids::uuid[]) AS card_id, unnest(@entry_seqs::bigint[]) AS seq, unnest(@entry_lot_seqs::bigint[]) AS lot_seq,
             unnest(@entry_lot_parts::smallint[]) AS lot_part, unnest(@entry_amounts::numeric[]) AS amount) AS entry;

-- name: HoldCreate :one
INSERT INTO hold (company_id, id, card_id, seq, status, amount, expires_at, created_at)
VALUES (@company_id, @id, @card_id, @seq, 'open', @amount, @expires_at, @now)
RETURNING *;

-- name: HoldEnd :one
-- HoldEnd ends an open hold on a locked card. No row: somebody else ended it.
UPDATE hold
SET status = @status, captured = @captured, ended_seq = @ended_seq, ended_at = @now
WHERE company_id = @company_id AND id = @id AND status = 'open'
RETURNING *;

-- name: MovementLinesCreate :exec
INSERT INTO movement_line (company_id, card_id, seq, line, amount, code)
SELECT @company_id, @card_id, @seq, entry.line, entry.amount, nullif(entry.code, '')
FROM (SELECT unnest(@lines::integer[]) AS line, unnest(@amounts::numeric[]) AS amount, unnest(@codes::text[]) AS code) AS entry;

-- name: MovementLines :many
-- MovementLines lists the lines of movements of one card.
SELECT * FROM movement_line
WHERE company_id = @company_id AND card_id = @card_id AND seq = ANY(@seqs::bigint[])
ORDER BY seq, line;

-- name: MovementAnswers :many
-- MovementAnswers lists the returns of a movement, and what they said not to have
-- expired or could not take.
SELECT * FROM movement
WHERE company_id = @company_id AND related_card_id = @card_id::uuid AND related_seq = @seq::bigint
  AND action IN ('reverse', 'expire', 'write_off')
ORDER BY card_id, seq;

-- name: IdempotencyKeyRead :one
SELECT * FROM idempotency_key WHERE company_id = @company_id AND id = @id;

-- name: LotsByCards :many
-- LotsByCards lists what the cards of a page have left, in spending order, pending
-- lots last: one statement, whatever the page's size.
SELECT lot.*
FROM unnest(@card_ids::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT * FROM lot
    WHERE lot.company_id = @company_id AND lot.card_id = wanted.id AND lot.state <> 'closed'
    ORDER BY lot.state = 'pending', lot.priority, lot.expires_on NULLS LAST, lot.seq, lot.part
    LIMIT @batch_size
) AS lot
ORDER BY lot.card_id, lot.state = 'pending', lot.priority, lot.expires_on NULLS LAST, lot.seq, lot.part;

-- name: CardsDue :many
-- CardsDue tells for each card of a page what is due and not yet posted: lots that
-- have ended or become usable, holds whose time is up. What can be spent does not
-- wait for a job. What would come of something due only to end by now is in neither:
-- on its way a hold that comes back, or points that became usable, may have paid for
-- something or been passed on. by_book tells of these (Service.settled).
SELECT card.id,
       coalesce(lots.ended, 0)::numeric AS ended, coalesce(lots.vested, 0)::numeric AS vested, coalesce(lots.waiting, 0)::numeric AS waiting,
       coalesce(holds.due, 0)::numeric AS released, (holds.due IS NOT NULL OR coalesce(lots.passed, false))::boolean AS by_book
FROM card
JOIN card_type ON card_type.company_id = card.company_id AND card_type.id = card.card_type_id
JOIN (SELECT company.id, timezone(company.time_zone, @now::timestamptz)::date AS today, company.time_zone FROM company WHERE company.id = @company_id) AS home
    ON home.id = card.company_id
LEFT JOIN LATERAL (
    SELECT sum(lot.remaining) FILTER (WHERE lot.state = 'open' AND lot.expires_on < home.today) AS ended,
           sum(lot.remaining) FILTER (WHERE lot.state = 'pending' AND lot.vests_on <= home.today AND card.status <> 'cancelled'
                                        AND coalesce(lot.expires_on, 'infinity') >= home.today) AS vested,
           sum(lot.remaining) FILTER (WHERE lot.state = 'pending' AND coalesce(lot.vests_on, 'infinity') > home.today) AS waiting,
           bool_or(lot.state = 'pending' AND lot.vests_on <= home.today AND lot.expires_on < home.today) AS passed
    FROM lot
    WHERE card_type.tracks_lots AND lot.company_id = card.company_id AND lot.card_id = card.id AND lot.state <> 'closed'
) AS lots ON true
LEFT JOIN LATERAL (
    SELECT sum(hold.amount - coalesce(taken.gone, 0)
               -- What no lot gave is a new earning of the day on which it comes back.
               - CASE WHEN card_type.tracks_lots AND expiry_end(card_type.expiry_policy, card_type.expiry_date, card_type.expiry_count, card_type.expiry_unit,
                                                                timezone(home.time_zone, hold.expires_at)::date,
                                                                timezone(home.time_zone, card.registered_at)::date) < home.today
                      THEN hold.amount - coalesce(taken.amount, 0) ELSE 0 END) AS due
    FROM hold
    LEFT JOIN LATERAL (
        SELECT -sum(lot_entry.amount) AS amount,
               -sum(lot_entry.amount) FILTER (
                   WHERE CASE WHEN card_type.returned_lot_days > 0 AND lot.expires_on < timezone(home.time_zone, hold.expires_at)::date
                              THEN timezone(home.time_zone, hold.expires_at)::date + card_type.returned_lot_days
                              ELSE lot.expires_on END < home.today) AS gone
        FROM lot_entry
        JOIN lot ON lot.company_id = lot_entry.company_id AND lot.card_id = lot_entry.card_id AND lot.seq = lot_entry.lot_seq AND lot.part = lot_entry.lot_part
        WHERE lot_entry.company_id = hold.company_id AND lot_entry.card_id = hold.card_id AND lot_entry.seq = hold.seq
    ) AS taken ON card_type.tracks_lots
    WHERE card.held > 0 AND hold.company_id = card.company_id AND hold.card_id = card.id AND hold.status = 'open' AND hold.expires_at <= @now::timestamptz
) AS holds ON true
WHERE card.company_id = @company_id AND card.id = ANY(@card_ids::uuid[])
ORDER BY card.id;

-- name: HoldsByCards :many
-- HoldsByCards lists the holds of the cards of a page, newest first.
SELECT hold.*
FROM unnest(@card_ids::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT * FROM hold
    WHERE hold.company_id = @company_id AND hold.card_id = wanted.id AND hold.seq < @before_seq
      AND (NOT @open_only::boolean OR hold.status = 'open')
    ORDER BY hold.seq DESC
    LIMIT @batch_size
) AS hold
ORDER BY hold.card_id, hold.seq DESC;

-- name: HoldsOverdue :many
-- HoldsOverdue finds cards of a company with holds whose time is up.
SELECT DISTINCT card_id FROM hold
WHERE company_id = @company_id AND status = 'open' AND expires_at <= @now
ORDER BY card_id
LIMIT @batch_size;
