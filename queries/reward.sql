-- name: RewardCreate :one
INSERT INTO reward (company_id, id, code, code_key, name, description, card_type_id, price, status, valid_from, valid_until, supplied,
                    created_at, updated_at)
VALUES (@company_id, @id, @code, @code_key, @name, @description, @card_type_id, @price, 'active', @valid_from, @valid_until, @supplied,
        @now, @now)
RETURNING *;

-- name: RewardLock :one
SELECT * FROM reward WHERE company_id = @company_id AND code_key = @code_key FOR UPDATE;

-- name: RewardUpdate :one
-- RewardUpdate writes a reward that was read under RewardLock.
UPDATE reward
SET name = @name, description = @description, price = @price, status = @status, valid_from = @valid_from, valid_until = @valid_until,
    supplied = @supplied, updated_at = @now
WHERE company_id = @company_id AND id = @id
RETURNING *;

-- name: RewardStockPut :exec
-- RewardStockPut sets how many a store has left: what stands claimed stays taken.
INSERT INTO reward_stock (company_id, reward_id, store_id, supplied, updated_at)
VALUES (@company_id, @reward_id, @store_id, @left_over, @now)
ON CONFLICT (company_id, reward_id, store_id) DO UPDATE SET supplied = reward_stock.taken + excluded.supplied, updated_at = excluded.updated_at;

-- name: RewardForClaim :one
-- RewardForClaim reads all that decides whether a reward can be claimed, on the
-- company's day: the reward, the store, and the store's own stock.
SELECT sqlc.embed(reward), store.id AS store_id, (own.reward_id IS NOT NULL)::boolean AS store_stock,
       (coalesce(reward.valid_from > timezone(company.time_zone, @now::timestamptz)::date, false)
        OR coalesce(reward.valid_until < timezone(company.time_zone, @now::timestamptz)::date, false))::boolean AS outside
FROM company
JOIN reward ON reward.company_id = company.id AND reward.code_key = @code_key
LEFT JOIN store ON store.company_id = company.id AND store.code = sqlc.narg('store_code')::text
LEFT JOIN reward_stock AS own ON own.company_id = company.id AND own.reward_id = reward.id AND own.store_id = store.id
WHERE company.id = @company_id;

-- name: RewardTake :execrows
-- RewardTake takes one of a reward's stock; no row where none is left.
UPDATE reward SET taken = taken + 1, updated_at = @now
WHERE company_id = @company_id AND id = @id AND taken < supplied;

-- name: RewardStockTake :execrows
-- RewardStockTake takes one of a store's stock; no row where none is left.
UPDATE reward_stock SET taken = taken + 1, updated_at = @now
WHERE company_id = @company_id AND reward_id = @reward_id AND store_id = @store_id AND taken < supplied;

-- name: RewardPutBack :exec
UPDATE reward SET taken = taken - 1, updated_at = @now WHERE company_id = @company_id AND id = @id;

-- name: RewardStockPutBack :exec
UPDATE reward_stock SET taken = taken - 1, updated_at = @now
WHERE company_id = @company_id AND reward_id = @reward_id AND store_id = @store_id;

-- name: RewardByKey :one
SELECT * FROM reward WHERE company_id = @company_id AND code_key = @code_key;

-- name: RewardsByIDs :many
SELECT * FROM reward WHERE company_id = @company_id AND id = ANY(@ids::uuid[]) ORDER BY id;

-- name: RewardsPage :many
SELECT * FROM reward
WHERE company_id = @company_id AND id > coalesce(sqlc.narg('after')::uuid, '00000000-0000-0000-0000-000000000000')
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status')::text)
ORDER BY id
LIMIT @batch_size;

-- name: RewardStocksByRewards :many
-- RewardStocksByRewards reads the stocks that stores have of a page's rewards.
SELECT one.* FROM (SELECT DISTINCT unnest(@reward_ids::uuid[]) AS id) AS wanted
CROSS JOIN LATERAL (
    SELECT s.* FROM reward_stock AS s
    WHERE s.company_id = @company_id AND s.reward_id = wanted.id
      AND s.store_id > coalesce(sqlc.narg('after')::uuid, '00000000-0000-0000-0000-000000000000')
    ORDER BY s.store_id
    LIMIT @batch_size) AS one
ORDER BY one.reward_id, one.store_id;

-- name: RewardClaimCreate :one
INSERT INTO reward_claim (company_id, id, reward_id, card_id, seq, customer_id, store_id, stock, price, status, reference, description,
                          source, actor_kind, actor_id, claimed_at, updated_at)
VALUES (@company_id, @id, @reward_id, @card_id, @seq, @customer_id, @store_id, @stock, @price, 'issued', @reference, @description,
        @source, @actor_kind, @actor_id, @now, @now)
RETURNING *;

-- name: RewardClaimByID :one
SELECT * FROM reward_claim WHERE company_id = @company_id AND id = @id;

-- name: RewardClaimsByIDs :many
SELECT * FROM reward_claim WHERE company_id = @company_id AND id = ANY(@ids::uuid[]) ORDER BY id;

-- name: RewardClaimLock :one
SELECT * FROM reward_claim WHERE company_id = @company_id AND id = @id FOR UPDATE;

-- name: RewardClaimEnd :one
-- RewardClaimEnd hands a claim over or cancels it; it was read under
-- RewardClaimLock.
UPDATE reward_claim SET status = @status, cancel_seq = @cancel_seq, ended_at = @now, updated_at = @now
WHERE company_id = @company_id AND id = @id
RETURNING *;

-- name: RewardClaimsPage :many
-- RewardClaimsPage lists claims, newest first, from below the id given.
SELECT * FROM reward_claim
WHERE company_id = @company_id AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before')::uuid)
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status')::text)
  AND (sqlc.narg('reward_id')::uuid IS NULL OR reward_id = sqlc.narg('reward_id')::uuid)
  AND (sqlc.narg('customer_id')::uuid IS NULL OR customer_id = sqlc.narg('customer_id')::uuid)
ORDER BY id DESC
LIMIT @batch_size;

-- name: RewardClaimsMoveToCustomer :execrows
UPDATE reward_claim SET customer_id = @into_customer_id::uuid, updated_at = @now
WHERE company_id = @company_id AND customer_id = @from_customer_id::uuid;

-- name: RewardAttemptCreate :exec
INSERT INTO reward_attempt (company_id, id, kind, error, score, card_id, customer_id, seq, product_id, product_code_id, reward_id, claim_id,
                            source, attempted_at)
VALUES (@company_id, @id, @kind, @error, @score, @card_id, @customer_id, @seq, @product_id, @product_code_id, @reward_id, @claim_id,
        @source, @now);

-- name: RewardAttemptsPage :many
-- RewardAttemptsPage lists attempts, newest first, from below the id given.
SELECT * FROM reward_attempt
WHERE company_id = @company_id AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before')::uuid)
  AND (sqlc.narg('kind')::text IS NULL OR kind = sqlc.narg('kind')::text)
  AND (sqlc.narg('customer_id')::uuid IS NULL OR customer_id = sqlc.narg('customer_id')::uuid)
  AND (sqlc.narg('failed')::boolean IS NULL OR (error IS NOT NULL) = sqlc.narg('failed')::boolean)
ORDER BY id DESC
LIMIT @batch_size;

-- name: RewardAttemptsByTime :many
-- RewardAttemptsByTime is one numbered page of attempts of known people, the latest
-- first. OFFSET, since a dialect counts its pages (spec/antcrm.md 3). until is
-- the first moment that is too late. Those of people who were erased are not shown.
SELECT attempt.* FROM reward_attempt AS attempt
JOIN customer AS person ON person.company_id = attempt.company_id AND person.id = attempt.customer_id
WHERE attempt.company_id = @company_id AND attempt.kind = @kind
  AND (person.hidden_at IS NULL OR person.merged_into_id IS NOT NULL)
  AND (sqlc.narg('since')::timestamptz IS NULL OR attempt.attempted_at >= sqlc.narg('since')::timestamptz)
  AND (sqlc.narg('until')::timestamptz IS NULL OR attempt.attempted_at < sqlc.narg('until')::timestamptz)
  AND (sqlc.narg('customer_ids')::uuid[] IS NULL OR attempt.customer_id = ANY(sqlc.narg('customer_ids')::uuid[]))
ORDER BY attempt.attempted_at DESC, attempt.id DESC
LIMIT @batch_size OFFSET @skip;

-- name: RewardAttemptsMoveToCustomer :exec
UPDATE reward_attempt SET customer_id = @into_customer_id::uuid
WHERE company_id = @company_id AND customer_id = @from_customer_id::uuid AND kind = @kind;
