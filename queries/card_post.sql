-- name: CardPost :one
-- CardPost adds a signed amount to a card and appends its movement, the event
-- and the idempotency key in one statement: the card is locked for one round
-- trip, seq has no gap, and all rows appear together. The card is named by its
-- code, or by a wallet's key and the contact's phone. Without an amount the
-- points come from what was spent by the card type's rule, in exact numerics.
-- No row means that something refused it, or that it takes more than the card's row
-- (lots, limits, holds that may be due, a wallet's messages, its plan's redemptions
-- and blocked phones): a book tells, and does. A key that was used
-- at the same moment breaks idempotency_key_pkey. The look-ups are
-- materialized: who waits for the card's lock checks the card again after it, and
-- not all that led to it.
WITH found AS MATERIALIZED (
    SELECT card.id, card.card_type_id, card.holder_phone
    FROM card
    WHERE card.company_id = @company_id AND card.code = sqlc.narg('card_code')::text
    UNION ALL
    SELECT card.id, card.card_type_id, card.holder_phone
    FROM card_type
    JOIN card ON card.company_id = card_type.company_id AND card.card_type_id = card_type.id
    WHERE card_type.company_id = @company_id AND card_type.wallet_key = sqlc.narg('wallet_key')::text
      AND card.holder_phone = sqlc.narg('phone')::text
), priced AS MATERIALIZED (
    SELECT found.id AS card_id, staff.id AS staff_id, card_type.expiry_version,
           coalesce(store.id, staff.store_id) AS store_id,
           CASE WHEN sqlc.narg('amount')::numeric IS NOT NULL THEN sqlc.narg('amount')::numeric
                WHEN card_type.accrual_percentage IS NOT NULL
                THEN round(sqlc.narg('spent')::numeric * card_type.accrual_percentage / 100, card_type.scale)
                ELSE div(sqlc.narg('spent')::numeric * card_type.ratio_points * 10::numeric ^ card_type.scale, card_type.ratio_amount)
                     / 10::numeric ^ card_type.scale
           END AS amount,
           CASE WHEN sqlc.narg('amount')::numeric IS NOT NULL THEN NULL
                ELSE coalesce(card_type.accrual_percentage, round(card_type.ratio_points / card_type.ratio_amount, 8))
           END AS rate
    FROM found
    JOIN card_type ON card_type.company_id = @company_id AND card_type.id = found.card_type_id
    LEFT JOIN staff ON staff.company_id = @company_id AND staff.number = sqlc.narg('staff_number')::bigint
    LEFT JOIN staff_right ON staff_right.company_id = @company_id AND staff_right.staff_id = staff.id
                         AND staff_right.card_type_id = found.card_type_id
    LEFT JOIN store ON store.company_id = @company_id AND store.code = sqlc.narg('store_code')::text
    WHERE card_type.archived_at IS NULL AND card_type.plain
      AND (card_type.wallet_key IS NULL OR found.holder_phone IS NULL
           OR (NOT EXISTS (SELECT 1 FROM plan
                           WHERE plan.company_id = @company_id
                             AND (@action::text = 'redeem'
                                  OR (plan.message_price IS NOT NULL
                                      AND CASE WHEN @is_sale::boolean THEN card_type.notify_sale ELSE card_type.notify_adjustment END)))
               AND NOT EXISTS (SELECT 1 FROM blocked_phone
                               WHERE blocked_phone.company_id = @company_id AND blocked_phone.phone = found.holder_phone)))
      AND (sqlc.narg('amount')::numeric IS NULL OR scale(trim_scale(sqlc.narg('amount')::numeric)) <= card_type.scale)
      AND (@action::text <> 'recharge' OR card_type.rechargeable)
      AND (NOT card_type.ticket_required OR NOT @is_sale::boolean OR sqlc.narg('reference')::text <> '')
      AND (sqlc.narg('store_code')::text IS NULL OR store.id IS NOT NULL)
      AND (sqlc.narg('staff_number')::bigint IS NULL
           OR (staff.archived_at IS NULL
               AND CASE @action::text WHEN 'accrue' THEN staff_right.accrue
                                      WHEN 'redeem' THEN staff_right.redeem
                                      ELSE staff_right.adjust END))
), moved AS (
    UPDATE card
    SET balance = card.balance + priced.amount, seq = card.seq + 1, updated_at = @now
    FROM priced
    WHERE card.company_id = @company_id AND card.id = priced.card_id
      AND card.status = 'enabled' AND card.valid_from IS NULL AND card.valid_to IS NULL AND card.hidden_at IS NULL
      AND card.expiry_version <= priced.expiry_version -- else the type is another one than it was before the wait
      AND priced.amount IS NOT NULL AND (priced.amount > 0 OR card.held = 0) AND card.debt = 0
      AND card.balance + priced.amount - card.held >= card.floor
      AND NOT EXISTS (SELECT 1 FROM idempotency_key
                      WHERE idempotency_key.company_id = @company_id AND idempotency_key.id = sqlc.narg('key_id')::uuid)
    RETURNING card.id, card.seq, card.balance, priced.amount, priced.rate, priced.staff_id, priced.store_id
), keyed AS (
    INSERT INTO idempotency_key (company_id, id, fingerprint, card_id, seq, expires_at)
    SELECT @company_id, sqlc.narg('key_id')::uuid, sqlc.narg('fingerprint')::uuid, moved.id, moved.seq, @key_expires_at
    FROM moved
    WHERE sqlc.narg('key_id')::uuid IS NOT NULL
), told AS (
    INSERT INTO event (company_id, kind, subject_id, seq, recorded_at)
    SELECT @company_id, 'movement_posted', moved.id, moved.seq, @now
    FROM moved
)
INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, spent, rate,
                      source, reference, description, store_id, staff_id, actor_id)
SELECT @company_id, moved.id, moved.seq, @action::text, moved.amount, moved.balance, @posted_at, @now,
       sqlc.narg('spent')::numeric, moved.rate, @source, nullif(sqlc.narg('reference')::text, ''), sqlc.narg('description'),
       moved.store_id, moved.staff_id, sqlc.narg('actor_id')
FROM moved
RETURNING *;

-- name: IdempotencyKeyDeleteExpired :execrows
-- IdempotencyKeyDeleteExpired frees one key whose time has passed.
DELETE FROM idempotency_key WHERE company_id = @company_id AND id = @id AND expires_at <= @now;

-- name: IdempotencyKeyPrune :execrows
-- IdempotencyKeyPrune drops a batch of a company's keys whose time has passed.
DELETE FROM idempotency_key
WHERE idempotency_key.company_id = @company_id AND idempotency_key.id IN (
    SELECT k.id FROM idempotency_key k
    WHERE k.company_id = @company_id AND k.expires_at <= @now
    LIMIT @batch_size);

-- name: MovementBySeq :one
SELECT * FROM movement WHERE company_id = @company_id AND card_id = @card_id AND seq = @seq;
