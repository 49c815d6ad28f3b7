-- name: APIKeyCreate :one
INSERT INTO api_key (company_id, id, kind, name, hash, hint, scopes, contact_email, created_by, expires_at, created_at)
VALUES (@company_id, @id, @kind, @name, @hash, @hint, @scopes, @contact_email, @created_by, @expires_at, @now)
RETURNING *;

-- name: APIKeyByHash :one
-- APIKeyByHash finds the key that a caller presents. Keys of our own making never
-- meet; of imported ones that two companies hold, the older decides alone, also
-- once it is revoked: nobody takes over a key by importing it a second time.
-- @sqlc-vet-disable company-first
-- The key is what tells the company (index api_key_hash_idx).
SELECT * FROM api_key WHERE hash = @hash ORDER BY created_at, company_id LIMIT 1;

-- name: APIKeyByID :one
SELECT * FROM api_key WHERE company_id = @company_id AND id = @id;

-- name: APIKeysPage :many
-- APIKeysPage lists a company's keys, oldest first (ids are UUIDv7), from above
-- the id given.
SELECT * FROM api_key
WHERE company_id = @company_id AND (sqlc.narg('after')::uuid IS NULL OR id > sqlc.narg('after')::uuid)
ORDER BY id
LIMIT @batch_size;

-- name: APIKeyRevoke :one
-- APIKeyRevoke answers no row when the key is revoked already: the first moment
-- stays.
UPDATE api_key SET revoked_at = @now::timestamptz
WHERE company_id = @company_id AND id = @id AND revoked_at IS NULL
RETURNING *;

-- name: APIKeyTouch :execrows
-- APIKeyTouch notes the use of a key unless somebody did since the moment given:
-- many servers write one row a minute between them.
UPDATE api_key SET last_used_at = @now::timestamptz
WHERE company_id = @company_id AND id = @id AND (last_used_at IS NULL OR last_used_at <= @before::timestamptz);
