-- name: CardTypeCreate :one
INSERT INTO card_type (company_id, id, code, name, unit, scale, wallet_key, accrual_percentage, ratio_points, ratio_amount,
                       floor, rechargeable, ticket_required, birthdate_required, notify_welcome, notify_sale,
                       notify_adjustment, customer_url, redeem_url, created_at, updated_at)
VALUES (@company_id, @id, @code, @name, @unit, @scale, @wallet_key, @accrual_percentage, @ratio_points, @ratio_amount,
        @floor, @rechargeable, @ticket_required, @birthdate_required, @notify_welcome, @notify_sale,
        @notify_adjustment, @customer_url, @redeem_url, @now, @now)
RETURNING *;

-- name: CardTypeUpdate :one
-- CardTypeUpdate changes what is given. The accrual rule is replaced as a whole.
UPDATE card_type
SET name = coalesce(sqlc.narg('name'), name),
    accrual_percentage = CASE WHEN @set_rule::boolean THEN sqlc.narg('accrual_percentage') ELSE accrual_percentage END,
    ratio_points = CASE WHEN @set_rule::boolean THEN sqlc.narg('ratio_points') ELSE ratio_points END,
    ratio_amount = CASE WHEN @set_rule::boolean THEN sqlc.narg('ratio_amount') ELSE ratio_amount END,
    rechargeable = coalesce(sqlc.narg('rechargeable'), rechargeable),
    ticket_required = coalesce(sqlc.narg('ticket_required'), ticket_required),
    birthdate_required = coalesce(sqlc.narg('birthdate_required'), birthdate_required),
    notify_welcome = coalesce(sqlc.narg('notify_welcome'), notify_welcome),
    notify_sale = coalesce(sqlc.narg('notify_sale'), notify_sale),
    notify_adjustment = coalesce(sqlc.narg('notify_adjustment'), notify_adjustment),
    customer_url = coalesce(sqlc.narg('customer_url'), customer_url),
    redeem_url = coalesce(sqlc.narg('redeem_url'), redeem_url),
    archived_at = CASE sqlc.narg('archived')::boolean WHEN true THEN coalesce(archived_at, @now) WHEN false THEN NULL ELSE archived_at END,
    updated_at = @now
WHERE company_id = @company_id AND id = @id
RETURNING *;

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
