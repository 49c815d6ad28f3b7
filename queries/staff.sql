-- name: StoreCreate :one
INSERT INTO store (company_id, id, code, name, name_key, created_at, updated_at)
VALUES (@company_id, @id, @code, @name, @name_key, @now, @now)
RETURNING *;

-- name: StoreUpdate :one
UPDATE store
SET name = coalesce(sqlc.narg('name'), name),
    name_key = coalesce(sqlc.narg('name_key'), name_key),
    archived_at = CASE sqlc.narg('archived')::boolean WHEN true THEN coalesce(archived_at, @now) WHEN false THEN NULL ELSE archived_at END,
    updated_at = @now
WHERE company_id = @company_id AND id = @id
RETURNING *;

-- name: StoreByID :one
SELECT * FROM store WHERE company_id = @company_id AND id = @id;

-- name: StoreByCode :one
SELECT * FROM store WHERE company_id = @company_id AND code = @code;

-- name: StoreByNameKey :one
-- StoreByNameKey finds a store by its name as people write it; the oldest of equals.
SELECT * FROM store WHERE company_id = @company_id AND name_key = @name_key ORDER BY id LIMIT 1;

-- name: StoresPage :many
SELECT * FROM store
WHERE company_id = @company_id AND (sqlc.narg('after')::uuid IS NULL OR id > sqlc.narg('after')::uuid)
ORDER BY id
LIMIT @batch_size;

-- name: StoresByIDs :many
SELECT * FROM store WHERE company_id = @company_id AND id = ANY(@ids::uuid[]) ORDER BY id;

-- name: StaffCreate :one
INSERT INTO staff (company_id, id, number, name, name_key, phone, role, store_id, password_hash, password_fingerprint, created_at, updated_at)
VALUES (@company_id, @id, @number, @name, @name_key, @phone, @role, @store_id, @password_hash, @password_fingerprint, @now, @now)
RETURNING *;

-- name: StaffArchive :one
-- StaffArchive ends a staff member's work: name, phone and password are free again.
UPDATE staff
SET archived_at = @now, password_hash = NULL, password_fingerprint = NULL, updated_at = @now
WHERE company_id = @company_id AND id = @id AND archived_at IS NULL
RETURNING *;

-- name: StaffByID :one
SELECT * FROM staff WHERE company_id = @company_id AND id = @id;

-- name: StaffByNumber :one
SELECT * FROM staff WHERE company_id = @company_id AND number = @number;

-- name: StaffActiveByPhone :one
SELECT * FROM staff WHERE company_id = @company_id AND phone = @phone AND archived_at IS NULL;

-- name: StaffPage :many
SELECT * FROM staff
WHERE company_id = @company_id AND number > @after
ORDER BY number
LIMIT @batch_size;

-- name: StaffByIDs :many
SELECT * FROM staff WHERE company_id = @company_id AND id = ANY(@ids::uuid[]) ORDER BY id;

-- name: StaffRightPut :one
INSERT INTO staff_right (company_id, staff_id, card_type_id, accrue, redeem, adjust)
VALUES (@company_id, @staff_id, @card_type_id, @accrue, @redeem, @adjust)
ON CONFLICT (company_id, staff_id, card_type_id)
DO UPDATE SET accrue = excluded.accrue, redeem = excluded.redeem, adjust = excluded.adjust
RETURNING *;

-- name: StaffRightDelete :execrows
DELETE FROM staff_right WHERE company_id = @company_id AND staff_id = @staff_id AND card_type_id = @card_type_id;

-- name: StaffRightsGrantAll :exec
-- StaffRightsGrantAll gives a new staff member every right on every active wallet
-- (spec/wallet.md 3.9).
INSERT INTO staff_right (company_id, staff_id, card_type_id, accrue, redeem, adjust)
SELECT card_type.company_id, @staff_id, card_type.id, true, true, true
FROM card_type
WHERE card_type.company_id = @company_id AND card_type.wallet_key IS NOT NULL AND card_type.archived_at IS NULL;

-- name: StaffRightsByStaff :many
SELECT * FROM staff_right
WHERE company_id = @company_id AND staff_id = ANY(@staff_ids::uuid[])
ORDER BY staff_id, card_type_id;
