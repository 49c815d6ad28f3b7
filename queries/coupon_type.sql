-- name: CouponTypeCreate :one
INSERT INTO coupon_type (company_id, id, code, name, format, validity, valid_from, valid_until, valid_days, max_uses, nominated,
                         benefit, amount, percentage, description, code_prefix, code_length, code_alphabet, created_at, updated_at)
VALUES (@company_id, @id, @code, @name, @format, @validity, @valid_from, @valid_until, @valid_days, @max_uses, @nominated,
        @benefit, @amount, @percentage, @description, @code_prefix, @code_length, @code_alphabet, @now, @now)
RETURNING *;

-- name: CouponTypeLock :one
SELECT * FROM coupon_type WHERE company_id = @company_id AND code = @code FOR UPDATE;

-- name: CouponTypeUpdate :one
-- CouponTypeUpdate writes a type that was read under CouponTypeLock.
UPDATE coupon_type
SET name = @name, format = @format, validity = @validity, valid_from = @valid_from, valid_until = @valid_until, valid_days = @valid_days,
    max_uses = @max_uses, nominated = @nominated, benefit = @benefit, amount = @amount, percentage = @percentage,
    description = @description, code_prefix = @code_prefix, code_length = @code_length, code_alphabet = @code_alphabet,
    archived_at = @archived_at, updated_at = @now
WHERE company_id = @company_id AND id = @id
RETURNING *;

-- name: CouponTypeByCode :one
SELECT * FROM coupon_type WHERE company_id = @company_id AND code = @code;

-- name: CouponTypeShare :one
-- CouponTypeShare reads a type that must not be archived or changed before the
-- transaction has made coupons of it.
SELECT * FROM coupon_type WHERE company_id = @company_id AND code = @code FOR SHARE;

-- name: CouponTypeByID :one
SELECT * FROM coupon_type WHERE company_id = @company_id AND id = @id;

-- name: CouponTypesByIDs :many
SELECT * FROM coupon_type WHERE company_id = @company_id AND id = ANY(@ids::uuid[]) ORDER BY id;

-- name: CouponTypesPage :many
SELECT * FROM coupon_type
WHERE company_id = @company_id AND (sqlc.narg('after')::uuid IS NULL OR id > sqlc.narg('after')::uuid)
  AND (@with_archived::boolean OR archived_at IS NULL)
ORDER BY id
LIMIT @batch_size;
