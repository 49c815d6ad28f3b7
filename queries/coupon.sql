-- name: CouponCreate :one
INSERT INTO coupon (company_id, id, coupon_type_id, code, customer_id, status, nominated, value, max_uses, used, valid_from, expires_on,
                    hidden, seq, issued_at, updated_at)
VALUES (@company_id, @id, @coupon_type_id, @code, @customer_id, 'active', @nominated, @value, @max_uses, 0, @valid_from, @expires_on,
        false, 1, @now, @now)
RETURNING *;

-- name: CouponMovementCreate :one
INSERT INTO coupon_movement (company_id, coupon_id, seq, action, uses, used_after, status_after, related_seq, reference, description,
                             source, store_id, customer_id, actor_kind, actor_id, posted_at, recorded_at)
VALUES (@company_id, @coupon_id, @seq, @action, @uses, @used_after, @status_after, @related_seq, @reference, @description,
        @source, @store_id, @customer_id, @actor_kind, @actor_id, @posted_at, @now)
RETURNING *;

-- name: CouponRedeem :one
-- CouponRedeem takes one use of a coupon and appends its movement, the event and
-- the key in one statement: whoever comes second waits for the row and finds it
-- used. The business day is that of the posting where the company is. No row means
-- that something refused it; CouponRefusal tells what. A key that was used at the
-- same moment breaks operation_key_pkey.
WITH used AS (
    UPDATE coupon
    SET used = coupon.used + 1, seq = coupon.seq + 1, updated_at = @now,
        status = CASE WHEN coupon.used + 1 = coupon.max_uses THEN 'consumed' ELSE coupon.status END
    FROM company
    LEFT JOIN store ON store.company_id = company.id AND store.code = sqlc.narg('store_code')::text
    WHERE company.id = @company_id
      AND coupon.company_id = @company_id AND coupon.code = @code AND NOT coupon.hidden
      AND coupon.status = 'active' AND coupon.used < coupon.max_uses
      AND (coupon.valid_from IS NULL OR coupon.valid_from <= timezone(company.time_zone, @posted_at::timestamptz)::date)
      AND (coupon.expires_on IS NULL OR coupon.expires_on >= timezone(company.time_zone, @posted_at::timestamptz)::date)
      AND (NOT coupon.nominated OR coupon.customer_id = sqlc.narg('customer_id')::uuid)
      AND (sqlc.narg('store_code')::text IS NULL OR store.id IS NOT NULL)
      AND NOT EXISTS (SELECT 1 FROM operation_key
                      WHERE operation_key.company_id = @company_id AND operation_key.id = sqlc.narg('key_id')::uuid)
    RETURNING coupon.id, coupon.seq, coupon.used, coupon.status, store.id AS store_id
), keyed AS (
    INSERT INTO operation_key (company_id, id, fingerprint, result_id, result_seq, expires_at)
    SELECT @company_id, sqlc.narg('key_id')::uuid, sqlc.narg('fingerprint')::uuid, used.id, used.seq, @key_expires_at
    FROM used
    WHERE sqlc.narg('key_id')::uuid IS NOT NULL
), told AS (
    INSERT INTO event (company_id, kind, subject_id, seq, recorded_at)
    SELECT @company_id, 'coupon_redeemed', used.id, used.seq, @now
    FROM used
)
INSERT INTO coupon_movement (company_id, coupon_id, seq, action, uses, used_after, status_after, reference, description,
                             source, store_id, customer_id, actor_kind, actor_id, posted_at, recorded_at)
SELECT @company_id, used.id, used.seq, 'redeem', 1, used.used, used.status, sqlc.narg('reference')::text, sqlc.narg('description')::text,
       @source, used.store_id, sqlc.narg('customer_id')::uuid, @actor_kind, sqlc.narg('actor_id')::uuid, @posted_at, @now
FROM used
RETURNING *;

-- name: CouponRefusal :one
-- CouponRefusal tells what stood in the way of a CouponRedeem with the same
-- arguments: one row always, each column one of its conditions.
SELECT coupon.id AS coupon_id, coupon.status, coupon.used, coupon.max_uses, coupon.nominated, coupon.customer_id,
       coalesce(coupon.valid_from > timezone(company.time_zone, @posted_at::timestamptz)::date, false)::boolean AS too_early,
       coalesce(coupon.expires_on < timezone(company.time_zone, @posted_at::timestamptz)::date, false)::boolean AS too_late,
       store.id AS store_id,
       operation_key.fingerprint, operation_key.result_id AS key_coupon_id, operation_key.result_seq AS key_seq,
       operation_key.expires_at AS key_expires_at
FROM company
LEFT JOIN coupon ON coupon.company_id = company.id AND coupon.code = @code AND NOT coupon.hidden
LEFT JOIN store ON store.company_id = company.id AND store.code = sqlc.narg('store_code')::text
LEFT JOIN operation_key ON operation_key.company_id = company.id AND operation_key.id = sqlc.narg('key_id')::uuid
WHERE company.id = @company_id;

-- name: CouponLock :one
-- CouponLock takes a coupon for one transaction.
SELECT sqlc.embed(coupon),
       (coupon.expires_on IS NOT NULL AND coupon.expires_on < timezone(company.time_zone, @now::timestamptz)::date)::boolean AS past_day
FROM coupon
JOIN company ON company.id = coupon.company_id
WHERE coupon.company_id = @company_id AND coupon.code = @code AND NOT coupon.hidden
FOR UPDATE OF coupon;

-- name: CouponChange :exec
-- CouponChange writes a coupon that was read under CouponLock.
UPDATE coupon SET status = @status, used = @used, seq = @seq, updated_at = @now WHERE company_id = @company_id AND id = @id;

-- name: CouponsLock :many
-- CouponsLock takes coupons for one transaction, in the order of their ids.
SELECT sqlc.embed(coupon),
       (coupon.expires_on IS NOT NULL AND coupon.expires_on < timezone(company.time_zone, @now::timestamptz)::date)::boolean AS past_day
FROM coupon
JOIN company ON company.id = coupon.company_id
WHERE coupon.company_id = @company_id AND coupon.code = ANY(@codes::text[]) AND NOT coupon.hidden
ORDER BY coupon.id
FOR UPDATE OF coupon;

-- name: CouponRedemptions :many
-- CouponRedemptions are the uses of a coupon under a reference, and what took each
-- back.
SELECT redeemed.seq, given_back.seq AS given_back_seq
FROM coupon_movement AS redeemed
LEFT JOIN coupon_movement AS given_back ON given_back.company_id = redeemed.company_id AND given_back.coupon_id = redeemed.coupon_id
    AND given_back.related_seq = redeemed.seq
WHERE redeemed.company_id = @company_id AND redeemed.coupon_id = @coupon_id AND redeemed.action = 'redeem'
  AND redeemed.reference = @reference::text
ORDER BY redeemed.seq;

-- name: CouponMovementBySeq :one
SELECT * FROM coupon_movement WHERE company_id = @company_id AND coupon_id = @coupon_id AND seq = @seq;

-- name: CouponsByIDs :many
SELECT sqlc.embed(coupon),
       (coupon.expires_on IS NOT NULL AND coupon.expires_on < timezone(company.time_zone, @now::timestamptz)::date)::boolean AS past_day
FROM coupon
JOIN company ON company.id = coupon.company_id
WHERE coupon.company_id = @company_id AND coupon.id = ANY(@ids::uuid[]) AND NOT coupon.hidden
ORDER BY coupon.id;

-- name: CouponByCode :one
-- CouponByCode, like all readers, tells a coupon past its last day by the company's own
-- day, before the nightly job writes the status.
SELECT sqlc.embed(coupon),
       (coupon.expires_on IS NOT NULL AND coupon.expires_on < timezone(company.time_zone, @now::timestamptz)::date)::boolean AS past_day
FROM coupon
JOIN company ON company.id = coupon.company_id
WHERE coupon.company_id = @company_id AND coupon.code = @code AND NOT coupon.hidden;

-- name: CouponsPage :many
-- CouponsPage lists coupons, oldest first, from behind the id given. Those of a
-- batch lie between its first and its last.
SELECT sqlc.embed(coupon),
       (coupon.expires_on IS NOT NULL AND coupon.expires_on < timezone(company.time_zone, @now::timestamptz)::date)::boolean AS past_day
FROM coupon
JOIN company ON company.id = coupon.company_id
WHERE coupon.company_id = @company_id AND NOT coupon.hidden
  AND coupon.id > coalesce(sqlc.narg('after')::uuid, '00000000-0000-0000-0000-000000000000')
  AND (sqlc.narg('type_id')::uuid IS NULL OR coupon.coupon_type_id = sqlc.narg('type_id')::uuid)
  AND (sqlc.narg('customer_id')::uuid IS NULL OR coupon.customer_id = sqlc.narg('customer_id')::uuid)
  AND (sqlc.narg('batch_id')::uuid IS NULL OR (coupon.batch_id = sqlc.narg('batch_id')::uuid
       AND coupon.id >= sqlc.narg('first_id')::uuid AND coupon.id <= sqlc.narg('last_id')::uuid))
  AND (sqlc.narg('status')::text IS NULL
       OR (sqlc.narg('status')::text = coupon.status AND NOT (coupon.status = 'active' AND coupon.expires_on IS NOT NULL
           AND coupon.expires_on < timezone(company.time_zone, @now::timestamptz)::date))
       OR (sqlc.narg('status')::text = 'expired' AND coupon.status = 'active' AND coupon.expires_on IS NOT NULL
           AND coupon.expires_on < timezone(company.time_zone, @now::timestamptz)::date))
ORDER BY coupon.id
LIMIT @batch_size;

-- name: CouponsByCustomers :many
-- CouponsByCustomers reads the first coupons of each of a page's customers.
SELECT sqlc.embed(coupon),
       (coupon.expires_on IS NOT NULL AND coupon.expires_on < timezone(company.time_zone, @now::timestamptz)::date)::boolean AS past_day
FROM (SELECT DISTINCT unnest(@customer_ids::uuid[]) AS id) AS owner
JOIN company ON company.id = @company_id
CROSS JOIN LATERAL (
    SELECT * FROM coupon AS c
    WHERE c.company_id = @company_id AND c.customer_id = owner.id AND NOT c.hidden
      AND c.id > coalesce(sqlc.narg('after')::uuid, '00000000-0000-0000-0000-000000000000')
    ORDER BY c.id
    LIMIT @batch_size) AS one
JOIN coupon ON coupon.company_id = @company_id AND coupon.id = one.id
ORDER BY coupon.customer_id, coupon.id;

-- name: CouponMovementsByCoupons :many
-- CouponMovementsByCoupons reads the newest movements of each of a page's coupons,
-- from below a number. The issue of a batch's coupon is its batch, shown as 0.
SELECT one.coupon_id::uuid AS coupon_id, one.seq::bigint AS seq, one.action::text AS action, one.uses::integer AS uses,
       one.used_after::integer AS used_after, one.status_after::text AS status_after, one.related_seq, one.reference, one.description,
       one.source::text AS source, one.store_id, one.customer_id, one.actor_kind::text AS actor_kind, one.actor_id,
       one.posted_at::timestamptz AS posted_at, one.recorded_at::timestamptz AS recorded_at
FROM (SELECT DISTINCT unnest(@coupon_ids::uuid[]) AS id) AS wanted
CROSS JOIN LATERAL (
    (SELECT m.coupon_id, m.seq, m.action, m.uses, m.used_after, m.status_after, m.related_seq, m.reference, m.description,
            m.source, m.store_id, m.customer_id, m.actor_kind, m.actor_id, m.posted_at, m.recorded_at
     FROM coupon_movement AS m
     WHERE m.company_id = @company_id AND m.coupon_id = wanted.id AND m.seq < @before_seq
     ORDER BY m.seq DESC
     LIMIT @batch_size)
    UNION ALL
    SELECT c.id, 0, 'issue', 0, 0, 'active', NULL, NULL, b.name, 'batch', NULL, NULL, b.actor_kind, b.actor_id, c.issued_at, c.issued_at
    FROM coupon AS c
    JOIN coupon_batch AS b ON b.company_id = c.company_id AND b.id = c.batch_id
    WHERE c.company_id = @company_id AND c.id = wanted.id AND @before_seq > 0
    ORDER BY 2 DESC
    LIMIT @batch_size) AS one
ORDER BY one.coupon_id, one.seq DESC;

-- name: CouponsExpire :one
-- CouponsExpire ends a batch of a company's coupons whose last day has passed, the
-- longest due first. Who waited for a row that a redemption had finds what became
-- of it. Of coupons that nobody has, nobody is told.
WITH due AS (
    SELECT c.id FROM coupon AS c
    WHERE c.company_id = @company_id AND c.status = 'active' AND c.expires_on IS NOT NULL AND c.expires_on < @day::date
    ORDER BY c.expires_on
    LIMIT @batch_size
    FOR UPDATE
), ended AS (
    UPDATE coupon
    SET status = 'expired', seq = coupon.seq + 1, updated_at = @now
    FROM due
    WHERE coupon.company_id = @company_id AND coupon.id = due.id
    RETURNING coupon.id, coupon.seq, coupon.used, coupon.customer_id
), noted AS (
    INSERT INTO coupon_movement (company_id, coupon_id, seq, action, uses, used_after, status_after, source, customer_id, actor_kind,
                                 posted_at, recorded_at)
    SELECT @company_id, ended.id, ended.seq, 'expire', 0, ended.used, 'expired', 'job', ended.customer_id, 'system', @now, @now
    FROM ended
), told AS (
    INSERT INTO event (company_id, kind, subject_id, seq, recorded_at)
    SELECT @company_id, 'coupon_expired', ended.id, ended.seq, @now
    FROM ended
    WHERE ended.customer_id IS NOT NULL
)
SELECT count(*) FROM ended;

-- name: CouponsVoidOfCustomer :one
-- CouponsVoidOfCustomer voids what can be voided of a person's coupons and hides
-- them all. Rows are locked in the order of their ids.
WITH theirs AS (
    SELECT c.id, c.status IN ('active', 'expired') AS voids FROM coupon AS c
    WHERE c.company_id = @company_id AND c.customer_id = @customer_id::uuid AND NOT c.hidden
    ORDER BY c.id
    FOR UPDATE
), ended AS (
    UPDATE coupon
    SET status = CASE WHEN theirs.voids THEN 'voided' ELSE coupon.status END,
        seq = CASE WHEN theirs.voids THEN coupon.seq + 1 ELSE coupon.seq END, hidden = true, updated_at = @now
    FROM theirs
    WHERE coupon.company_id = @company_id AND coupon.id = theirs.id
    RETURNING coupon.id, coupon.seq, coupon.used, theirs.voids
), noted AS (
    INSERT INTO coupon_movement (company_id, coupon_id, seq, action, uses, used_after, status_after, description, source,
                                 actor_kind, actor_id, posted_at, recorded_at)
    SELECT @company_id, ended.id, ended.seq, 'void', 0, ended.used, 'voided', @description::text, @source, @actor_kind, sqlc.narg('actor_id')::uuid,
           @now, @now
    FROM ended
    WHERE ended.voids
), told AS (
    INSERT INTO event (company_id, kind, subject_id, seq, recorded_at)
    SELECT @company_id, 'coupon_voided', ended.id, ended.seq, @now
    FROM ended
    WHERE ended.voids
)
SELECT count(*) FROM ended;

-- name: CouponsMoveToCustomer :one
-- CouponsMoveToCustomer gives a person's coupons to another one.
WITH theirs AS (
    SELECT c.id FROM coupon AS c
    WHERE c.company_id = @company_id AND c.customer_id = @from_customer_id::uuid AND NOT c.hidden
    ORDER BY c.id
    FOR UPDATE
), moved AS (
    UPDATE coupon
    SET customer_id = @into_customer_id::uuid, seq = coupon.seq + 1, updated_at = @now
    FROM theirs
    WHERE coupon.company_id = @company_id AND coupon.id = theirs.id
    RETURNING coupon.id, coupon.seq, coupon.used, coupon.status
), noted AS (
    INSERT INTO coupon_movement (company_id, coupon_id, seq, action, uses, used_after, status_after, source, customer_id,
                                 actor_kind, actor_id, posted_at, recorded_at)
    SELECT @company_id, moved.id, moved.seq, 'move', 0, moved.used, moved.status, @source, @into_customer_id::uuid,
           @actor_kind, sqlc.narg('actor_id')::uuid, @now, @now
    FROM moved
), told AS (
    INSERT INTO event (company_id, kind, subject_id, seq, recorded_at)
    SELECT @company_id, 'coupon_moved', moved.id, moved.seq, @now
    FROM moved
)
SELECT count(*) FROM moved;
