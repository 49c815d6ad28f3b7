-- Coupons, serial codes and rewards proved from the rows alone: each statement
-- answers the rows that are wrong, of one company or, without one, of all; none is
-- what it should answer.

-- name: VerifyCoupons :many
-- VerifyCoupons finds coupons that do not say what their history does. The issue of
-- a batch's coupons is the batch: their chain begins at 1 with the next movement.
-- @sqlc-vet-disable company-first
-- Operators verify all companies at once; the filter is optional.
SELECT coupon.company_id, coupon.id, coupon.status, coupon.used, coupon.seq,
       coalesce(chain.movements, 0)::bigint AS movements, coalesce(chain.uses, 0)::bigint AS uses, coalesce(last.status_after, 'active')::text AS last_status,
       (coupon.seq <> coalesce(chain.movements, 0) OR coalesce(chain.last_seq, 0) <> coalesce(chain.movements, 0)
           OR (coupon.batch_id IS NULL AND coalesce(chain.issues, 0) <> 1))::boolean AS chain_wrong,
       (coupon.used <> coalesce(chain.uses, 0) OR coalesce(last.used_after, 0) <> coupon.used)::boolean AS used_wrong,
       (coupon.status <> coalesce(last.status_after, 'active') OR (coupon.status = 'consumed' AND coupon.used <> coupon.max_uses)
           OR (coupon.status = 'active' AND coupon.used = coupon.max_uses))::boolean AS status_wrong,
       (coupon_type.id IS NULL)::boolean AS type_missing
FROM coupon
LEFT JOIN coupon_type ON coupon_type.company_id = coupon.company_id AND coupon_type.id = coupon.coupon_type_id
LEFT JOIN (SELECT m.company_id, m.coupon_id, count(*) AS movements, max(m.seq) AS last_seq, sum(m.uses) AS uses,
                  count(*) FILTER (WHERE m.action = 'issue') AS issues
           FROM coupon_movement AS m
           WHERE sqlc.narg('company_id')::uuid IS NULL OR m.company_id = sqlc.narg('company_id')::uuid
           GROUP BY m.company_id, m.coupon_id) AS chain
    ON chain.company_id = coupon.company_id AND chain.coupon_id = coupon.id
LEFT JOIN coupon_movement AS last ON last.company_id = chain.company_id AND last.coupon_id = chain.coupon_id AND last.seq = chain.last_seq
WHERE (sqlc.narg('company_id')::uuid IS NULL OR coupon.company_id = sqlc.narg('company_id')::uuid)
  AND (coupon_type.id IS NULL
       OR coupon.seq <> coalesce(chain.movements, 0) OR coalesce(chain.last_seq, 0) <> coalesce(chain.movements, 0)
       OR (coupon.batch_id IS NULL AND coalesce(chain.issues, 0) <> 1)
       OR coupon.used <> coalesce(chain.uses, 0) OR coalesce(last.used_after, 0) <> coupon.used
       OR coupon.status <> coalesce(last.status_after, 'active') OR (coupon.status = 'consumed' AND coupon.used <> coupon.max_uses)
       OR (coupon.status = 'active' AND coupon.used = coupon.max_uses))
ORDER BY coupon.company_id, coupon.id
LIMIT @batch_size;

-- name: VerifyCouponMovements :many
-- VerifyCouponMovements finds movements without a coupon, and ones that take back
-- what is no redemption of it.
-- @sqlc-vet-disable company-first
-- Operators verify all companies at once; the filter is optional.
SELECT m.company_id, m.coupon_id, m.seq, (coupon.id IS NULL)::boolean AS coupon_missing
FROM coupon_movement AS m
LEFT JOIN coupon ON coupon.company_id = m.company_id AND coupon.id = m.coupon_id
LEFT JOIN coupon_movement AS redeemed ON redeemed.company_id = m.company_id AND redeemed.coupon_id = m.coupon_id AND redeemed.seq = m.related_seq
WHERE (sqlc.narg('company_id')::uuid IS NULL OR m.company_id = sqlc.narg('company_id')::uuid)
  AND (coupon.id IS NULL OR (m.related_seq IS NOT NULL AND (redeemed.action IS DISTINCT FROM 'redeem' OR m.related_seq >= m.seq)))
ORDER BY m.company_id, m.coupon_id, m.seq
LIMIT @batch_size;

-- name: VerifyCouponBatches :many
-- VerifyCouponBatches finds batches that do not say how many coupons they have, and
-- finished ones that are not full.
-- @sqlc-vet-disable company-first
-- Operators verify all companies at once; the filter is optional.
SELECT b.company_id, b.id, b.status, b.codes_total, b.codes_issued, coalesce(made.coupons, 0)::bigint AS coupons
FROM coupon_batch AS b
LEFT JOIN (SELECT c.company_id, c.batch_id, count(*) AS coupons, min(c.id::text) AS first_id, max(c.id::text) AS last_id
           FROM coupon AS c
           WHERE c.batch_id IS NOT NULL AND (sqlc.narg('company_id')::uuid IS NULL OR c.company_id = sqlc.narg('company_id')::uuid)
           GROUP BY c.company_id, c.batch_id) AS made
    ON made.company_id = b.company_id AND made.batch_id = b.id
WHERE (sqlc.narg('company_id')::uuid IS NULL OR b.company_id = sqlc.narg('company_id')::uuid)
  AND (b.codes_issued <> coalesce(made.coupons, 0) OR (b.status = 'finished' AND b.codes_issued <> b.codes_total)
       OR made.first_id < b.first_coupon_id::text OR made.last_id > b.last_coupon_id::text)
ORDER BY b.company_id, b.id
LIMIT @batch_size;

-- name: VerifyProductCodes :many
-- VerifyProductCodes finds used serial codes whose movement is not there.
-- @sqlc-vet-disable company-first
-- Operators verify all companies at once; the filter is optional.
SELECT code.company_id, code.id, code.used_card_id::uuid AS card_id, code.used_seq::bigint AS seq
FROM product_code AS code
LEFT JOIN movement ON movement.company_id = code.company_id AND movement.card_id = code.used_card_id AND movement.seq = code.used_seq
    AND movement.action = 'accrue'
WHERE (sqlc.narg('company_id')::uuid IS NULL OR code.company_id = sqlc.narg('company_id')::uuid)
  AND code.status = 'used' AND movement.seq IS NULL
ORDER BY code.company_id, code.id
LIMIT @batch_size;

-- name: VerifyRewardStock :many
-- VerifyRewardStock finds stocks that do not say how many claims stand against them.
-- @sqlc-vet-disable company-first
-- Operators verify all companies at once; the filter is optional.
SELECT pool.company_id, pool.reward_id, pool.store_id, pool.taken, coalesce(claimed.claims, 0)::bigint AS claims
FROM (SELECT r.company_id, r.id AS reward_id, NULL::uuid AS store_id, r.taken FROM reward AS r
      UNION ALL
      SELECT s.company_id, s.reward_id, s.store_id, s.taken FROM reward_stock AS s) AS pool
LEFT JOIN (SELECT c.company_id, c.reward_id, CASE WHEN c.stock = 'store' THEN c.store_id END AS store_id, count(*) AS claims
           FROM reward_claim AS c
           WHERE c.status <> 'cancelled' AND c.stock <> 'unlimited'
           GROUP BY 1, 2, 3) AS claimed
    ON claimed.company_id = pool.company_id AND claimed.reward_id = pool.reward_id AND claimed.store_id IS NOT DISTINCT FROM pool.store_id
WHERE (sqlc.narg('company_id')::uuid IS NULL OR pool.company_id = sqlc.narg('company_id')::uuid)
  AND pool.taken <> coalesce(claimed.claims, 0)
ORDER BY pool.company_id, pool.reward_id, pool.store_id
LIMIT @batch_size;

-- name: VerifyRewardClaims :many
-- VerifyRewardClaims finds claims whose points were not taken, or not given back.
-- @sqlc-vet-disable company-first
-- Operators verify all companies at once; the filter is optional.
SELECT c.company_id, c.id, c.card_id, c.seq, coalesce(given_back.amount, 0)::text AS returned,
       (taken.seq IS NULL)::boolean AS taken_missing
FROM reward_claim AS c
LEFT JOIN movement AS taken ON taken.company_id = c.company_id AND taken.card_id = c.card_id AND taken.seq = c.seq
    AND taken.action = 'redeem' AND taken.amount = -c.price
LEFT JOIN movement AS given_back ON given_back.company_id = c.company_id AND given_back.card_id = c.card_id AND given_back.seq = c.cancel_seq
WHERE (sqlc.narg('company_id')::uuid IS NULL OR c.company_id = sqlc.narg('company_id')::uuid)
  AND (taken.seq IS NULL OR (c.status = 'cancelled' AND given_back.seq IS NULL))
ORDER BY c.company_id, c.id
LIMIT @batch_size;
