-- name: ProductCreate :one
INSERT INTO product (company_id, id, code, code_key, name, serial_prefix, score, status, created_at, updated_at)
VALUES (@company_id, @id, @code, @code_key, @name, @serial_prefix, @score, 'active', @now, @now)
RETURNING *;

-- name: ProductUpdate :one
-- ProductUpdate changes what is given. Serial codes that exist keep their spelling.
UPDATE product
SET name = coalesce(sqlc.narg('name'), name), serial_prefix = coalesce(sqlc.narg('serial_prefix'), serial_prefix),
    score = coalesce(sqlc.narg('score'), score), status = coalesce(sqlc.narg('status'), status), updated_at = @now
WHERE company_id = @company_id AND code_key = @code_key
RETURNING *;

-- name: ProductByKey :one
SELECT * FROM product WHERE company_id = @company_id AND code_key = @code_key;

-- name: ProductsByKeys :many
SELECT * FROM product WHERE company_id = @company_id AND code_key = ANY(@code_keys::text[]) ORDER BY id;

-- name: ProductsByIDs :many
SELECT * FROM product WHERE company_id = @company_id AND id = ANY(@ids::uuid[]) ORDER BY id;

-- name: ProductsPage :many
SELECT * FROM product
WHERE company_id = @company_id AND id > coalesce(sqlc.narg('after')::uuid, '00000000-0000-0000-0000-000000000000')
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status')::text)
ORDER BY id
LIMIT @batch_size;

-- name: ProductCodesCreate :many
-- ProductCodesCreate makes the codes that nobody has, and answers which.
INSERT INTO product_code (company_id, id, product_id, lot_id, code, code_key, serial, status, score, expires_on, created_at, updated_at)
SELECT @company_id, given.id, given.product_id, @lot_id, given.code, given.code_key, given.serial, 'unused', given.score, given.expires_on, @now, @now
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@product_ids::uuid[]) AS product_id, unnest(@codes::text[]) AS code,
             unnest(@code_keys::text[]) AS code_key, unnest(@serials::text[]) AS serial,
             nullif(unnest(@scores::text[]), '')::numeric AS score, nullif(unnest(@days::text[]), '')::date AS expires_on
      ORDER BY 4) AS given
ON CONFLICT (company_id, code_key) DO NOTHING
RETURNING id;

-- name: ProductCodeLock :one
-- ProductCodeLock takes a serial code for one transaction.
SELECT sqlc.embed(code), sqlc.embed(product),
       (code.expires_on IS NOT NULL AND code.expires_on < timezone(company.time_zone, @now::timestamptz)::date)::boolean AS past_day
FROM product_code AS code
JOIN product ON product.company_id = code.company_id AND product.id = code.product_id
JOIN company ON company.id = code.company_id
WHERE code.company_id = @company_id AND code.code_key = @code_key
FOR UPDATE OF code;

-- name: ProductCodeUse :exec
-- ProductCodeUse writes what became of a code that was read under ProductCodeLock.
UPDATE product_code
SET status = 'used', used_at = @now, used_customer_id = @used_customer_id, used_card_id = @used_card_id::uuid, used_seq = @used_seq::bigint,
    updated_at = @now
WHERE company_id = @company_id AND id = @id;

-- name: ProductCodeStatusSet :exec
-- ProductCodeStatusSet blocks or frees a code that was read under ProductCodeLock.
UPDATE product_code SET status = @status, updated_at = @now WHERE company_id = @company_id AND id = @id;

-- name: ProductCodeExpirySet :exec
-- ProductCodeExpirySet changes the last day of a code that was read under
-- ProductCodeLock.
UPDATE product_code SET expires_on = @expires_on, updated_at = @now WHERE company_id = @company_id AND id = @id;

-- name: ProductCodeByKey :one
SELECT sqlc.embed(code),
       (code.expires_on IS NOT NULL AND code.expires_on < timezone(company.time_zone, @now::timestamptz)::date)::boolean AS past_day
FROM product_code AS code
JOIN company ON company.id = code.company_id
WHERE code.company_id = @company_id AND code.code_key = @code_key;

-- name: ProductCodeByID :one
SELECT sqlc.embed(code),
       (code.expires_on IS NOT NULL AND code.expires_on < timezone(company.time_zone, @now::timestamptz)::date)::boolean AS past_day
FROM product_code AS code
JOIN company ON company.id = code.company_id
WHERE code.company_id = @company_id AND code.id = @id;

-- name: ProductCodesByIDs :many
SELECT sqlc.embed(code),
       (code.expires_on IS NOT NULL AND code.expires_on < timezone(company.time_zone, @now::timestamptz)::date)::boolean AS past_day
FROM product_code AS code
JOIN company ON company.id = code.company_id
WHERE code.company_id = @company_id AND code.id = ANY(@ids::uuid[])
ORDER BY code.id;

-- name: ProductCodesPage :many
SELECT sqlc.embed(code),
       (code.expires_on IS NOT NULL AND code.expires_on < timezone(company.time_zone, @now::timestamptz)::date)::boolean AS past_day
FROM product_code AS code
JOIN company ON company.id = code.company_id
WHERE code.company_id = @company_id AND code.id > coalesce(sqlc.narg('after')::uuid, '00000000-0000-0000-0000-000000000000')
  AND (sqlc.narg('product_id')::uuid IS NULL OR code.product_id = sqlc.narg('product_id')::uuid)
  AND (sqlc.narg('lot_id')::uuid IS NULL OR code.lot_id = sqlc.narg('lot_id')::uuid)
  AND (sqlc.narg('customer_id')::uuid IS NULL OR code.used_customer_id = sqlc.narg('customer_id')::uuid)
  AND (sqlc.narg('status')::text IS NULL
       OR (sqlc.narg('status')::text = code.status AND NOT (code.status = 'unused' AND code.expires_on IS NOT NULL
           AND code.expires_on < timezone(company.time_zone, @now::timestamptz)::date))
       OR (sqlc.narg('status')::text = 'expired' AND code.status = 'unused' AND code.expires_on IS NOT NULL
           AND code.expires_on < timezone(company.time_zone, @now::timestamptz)::date))
ORDER BY code.id
LIMIT @batch_size;

-- name: ProductCodesMoveToCustomer :execrows
UPDATE product_code SET used_customer_id = @into_customer_id::uuid, updated_at = @now
WHERE company_id = @company_id AND used_customer_id = @from_customer_id::uuid;
