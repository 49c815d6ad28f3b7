-- name: CardTypeCreate :one
INSERT INTO card_type (company_id, id, code, name, unit, scale, wallet_key, accrual_percentage, ratio_points, ratio_amount,
                       floor, rechargeable, ticket_required, birthdate_required, notify_welcome, notify_sale,
                       notify_adjustment, customer_url, redeem_url, number_length, check_digit, starting_balance, nominated,
                       one_active_card, cvv_required, load_limit, transaction_limit, transfer_policy, valid_from, valid_to,
                       valid_days, forfeit_on_expiry, return_shortfall, returned_lot_days, message_channel, created_at, updated_at)
VALUES (@company_id, @id, @code, @name, @unit, @scale, @wallet_key, @accrual_percentage, @ratio_points, @ratio_amount,
        @floor, @rechargeable, @ticket_required, @birthdate_required, @notify_welcome, @notify_sale,
        @notify_adjustment, @customer_url, @redeem_url, @number_length, @check_digit, @starting_balance, @nominated,
        @one_active_card, @cvv_required, @load_limit, @transaction_limit, @transfer_policy, @valid_from, @valid_to,
        @valid_days, @forfeit_on_expiry, @return_shortfall, @returned_lot_days, @message_channel, @now, @now)
RETURNING *;

-- name: CardTypeUpdate :one
-- CardTypeUpdate writes a card type's own rules: the caller merges, under
-- CardTypeLock. When points end is changed elsewhere.
UPDATE card_type
SET name = @name, accrual_percentage = @accrual_percentage, ratio_points = @ratio_points, ratio_amount = @ratio_amount,
    floor = @floor, rechargeable = @rechargeable, ticket_required = @ticket_required, birthdate_required = @birthdate_required,
    notify_welcome = @notify_welcome, notify_sale = @notify_sale, notify_adjustment = @notify_adjustment,
    customer_url = @customer_url, redeem_url = @redeem_url, number_length = @number_length, check_digit = @check_digit,
    starting_balance = @starting_balance, nominated = @nominated, one_active_card = @one_active_card,
    cvv_required = @cvv_required, load_limit = @load_limit, transaction_limit = @transaction_limit,
    transfer_policy = @transfer_policy, valid_from = @valid_from, valid_to = @valid_to, valid_days = @valid_days,
    forfeit_on_expiry = @forfeit_on_expiry, return_shortfall = @return_shortfall, returned_lot_days = @returned_lot_days,
    message_channel = @message_channel, archived_at = @archived_at, updated_at = @now
WHERE company_id = @company_id AND id = @id
RETURNING *;

-- name: CardTypeLock :one
-- CardTypeLock keeps others from changing a card type; cards of it come and go.
SELECT * FROM card_type WHERE company_id = @company_id AND code = @code FOR NO KEY UPDATE;

-- name: CardTypeRangesReplace :exec
-- CardTypeRangesReplace writes the number ranges of a locked card type anew.
WITH dropped AS (
    DELETE FROM card_type_range
    WHERE card_type_range.company_id = @company_id AND card_type_range.card_type_id = @card_type_id
      AND card_type_range.position > cardinality(@prefix_starts::text[])
)
INSERT INTO card_type_range (company_id, card_type_id, position, prefix_start, prefix_end, suggested)
SELECT @company_id, @card_type_id, range.position, range.prefix_start, range.prefix_end, range.suggested
FROM (SELECT generate_series(1, cardinality(@prefix_starts::text[]))::smallint AS position, unnest(@prefix_starts::text[]) AS prefix_start,
             unnest(@prefix_ends::text[]) AS prefix_end, unnest(@suggesteds::boolean[]) AS suggested) AS range
ON CONFLICT (company_id, card_type_id, position) DO UPDATE
SET prefix_start = excluded.prefix_start, prefix_end = excluded.prefix_end, suggested = excluded.suggested;

-- name: CardTypeRanges :many
-- CardTypeRanges lists the number ranges of card types in their order.
SELECT * FROM card_type_range
WHERE company_id = @company_id AND card_type_id = ANY(@card_type_ids::uuid[])
ORDER BY card_type_id, position;

-- name: CardTypeByID :one
SELECT * FROM card_type WHERE company_id = @company_id AND id = @id;

-- name: CardTypeByCode :one
SELECT * FROM card_type WHERE company_id = @company_id AND code = @code;

-- name: CardTypeByWalletKey :one
SELECT * FROM card_type WHERE company_id = @company_id AND wallet_key = @wallet_key;

-- name: CardTypesPage :many
SELECT * FROM card_type
WHERE company_id = @company_id AND (sqlc.narg('after')::uuid IS NULL OR id > sqlc.narg('after')::uuid)
  AND (NOT @wallets_only::boolean OR wallet_key IS NOT NULL)
  AND (@with_archived::boolean OR archived_at IS NULL)
ORDER BY id
LIMIT @batch_size;

-- name: CardTypesByIDs :many
SELECT * FROM card_type WHERE company_id = @company_id AND id = ANY(@ids::uuid[]) ORDER BY id;
