-- name: CouponBatchCreate :one
INSERT INTO coupon_batch (company_id, id, coupon_type_id, status, name, codes_total, value, max_uses, valid_from, expires_on,
                          actor_kind, actor_id, created_at, updated_at)
VALUES (@company_id, @id, @coupon_type_id, 'queued', @name, @codes_total, @value, @max_uses, @valid_from, @expires_on,
        @actor_kind, @actor_id, @now, @now)
RETURNING *;

-- name: CouponBatchLock :one
-- CouponBatchLock takes the batch for one transaction: its chunks, and cancelling
-- it, follow each other.
SELECT * FROM coupon_batch WHERE company_id = @company_id AND id = @id FOR UPDATE;

-- name: CouponBatchByID :one
SELECT * FROM coupon_batch WHERE company_id = @company_id AND id = @id;

-- name: CouponBatchesByIDs :many
SELECT * FROM coupon_batch WHERE company_id = @company_id AND id = ANY(@ids::uuid[]) ORDER BY id;

-- name: CouponBatchesPage :many
-- CouponBatchesPage lists batches, newest first, from below the id given.
SELECT * FROM coupon_batch
WHERE company_id = @company_id AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before')::uuid)
  AND (sqlc.narg('type_id')::uuid IS NULL OR coupon_type_id = sqlc.narg('type_id')::uuid)
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status')::text)
ORDER BY id DESC
LIMIT @batch_size;

-- name: CouponBatchStep :one
-- CouponBatchStep moves a batch on: to a state, over the coupons just made.
UPDATE coupon_batch
SET status = @status, codes_issued = codes_issued + @issued, collisions = collisions + @collisions,
    first_coupon_id = least(first_coupon_id, sqlc.narg('first_coupon_id')::uuid),
    last_coupon_id = greatest(last_coupon_id, sqlc.narg('last_coupon_id')::uuid),
    progress_seq = progress_seq + 1, started_at = coalesce(started_at, sqlc.narg('started_at')::timestamptz),
    finished_at = sqlc.narg('finished_at')::timestamptz, updated_at = @now
WHERE company_id = @company_id AND id = @id
RETURNING *;

-- name: CouponsCopy :copyfrom
-- CouponsCopy makes a chunk of a batch's coupons. A code that somebody has breaks
-- coupon_code_key, and the whole chunk with it.
INSERT INTO coupon (company_id, id, coupon_type_id, batch_id, code, status, nominated, value, max_uses, used, valid_from, expires_on,
                    hidden, seq, issued_at, updated_at)
VALUES (@company_id, @id, @coupon_type_id, @batch_id, @code, @status, @nominated, @value, @max_uses, @used, @valid_from, @expires_on,
        @hidden, @seq, @issued_at, @updated_at);

-- name: CouponsInsertFree :one
-- CouponsInsertFree makes those of a chunk's coupons whose codes are free: the way
-- round a collision, which costs more than CouponsCopy.
WITH made AS (
    INSERT INTO coupon (company_id, id, coupon_type_id, batch_id, code, status, nominated, value, max_uses, used, valid_from, expires_on,
                        hidden, seq, issued_at, updated_at)
    SELECT @company_id, drawn.id, @coupon_type_id, @batch_id, drawn.code, 'active', @nominated, sqlc.narg('value')::numeric, @max_uses, 0,
           sqlc.narg('valid_from')::date, sqlc.narg('expires_on')::date, false, 0, @now, @now
    FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@codes::text[]) AS code) AS drawn
    ON CONFLICT (company_id, code) DO NOTHING
    RETURNING 1
)
SELECT count(*) FROM made;

-- name: CouponBatchCodes :many
-- CouponBatchCodes reads a batch's codes in the order of their ids, some at a time.
SELECT coupon.id, coupon.code, coupon.status, coupon.used, coupon.expires_on,
       (coupon.expires_on IS NOT NULL AND coupon.expires_on < timezone(company.time_zone, @now::timestamptz)::date)::boolean AS past_day
FROM coupon
JOIN company ON company.id = coupon.company_id
WHERE coupon.company_id = @company_id AND coupon.batch_id = @batch_id::uuid AND coupon.id > @after::uuid AND coupon.id <= @last_id::uuid
  AND NOT coupon.hidden
ORDER BY coupon.id
LIMIT @batch_size;

-- name: CouponBatchesSilent :many
-- CouponBatchesSilent finds batches of all companies that should run and have not
-- said anything for longer than their job can take: it is lost.
-- @sqlc-vet-disable company-first
-- The sweep looks after all companies at once.
SELECT company_id, id FROM coupon_batch
WHERE status IN ('queued', 'running') AND updated_at < @older_than
ORDER BY company_id, id;
