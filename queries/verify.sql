-- The books proved from the rows alone: each statement answers the rows that are
-- wrong, of one company or, without one, of all; none is what it should answer.
-- Each goes over its tables once.

-- name: VerifyMovements :many
-- VerifyMovements finds movements that break their card's chain. A balance is
-- wrong only where it neither is the running sum nor follows from the one before:
-- so one changed figure is one finding, at its own row, and still nothing that is
-- wrong goes unseen (the first row at which the sums part breaks both). A balance
-- behind a gap follows from a row that is not there and is not held against it.
-- @sqlc-vet-disable company-first
-- Operators verify all companies at once; the filter is optional.
SELECT chain.company_id, chain.card_id, chain.seq, chain.action, chain.amount, chain.balance_after,
       chain.previous_seq::bigint AS previous_seq,
       (chain.seq <> chain.previous_seq + 1)::boolean AS gap,
       (chain.seq = chain.previous_seq + 1 AND chain.balance_after <> chain.running_sum
           AND chain.balance_after <> chain.previous_balance + chain.amount)::boolean AS balance_wrong,
       (CASE chain.action WHEN 'accrue' THEN chain.amount < 0 OR (chain.amount = 0 AND chain.spent IS NULL)
                          WHEN 'redeem' THEN chain.amount >= 0
                          WHEN 'recharge' THEN chain.amount <= 0
                          ELSE chain.amount = 0 END)::boolean AS sign_wrong
FROM (SELECT movement.company_id, movement.card_id, movement.seq, movement.action, movement.amount, movement.balance_after,
             movement.spent,
             coalesce(lag(movement.seq) OVER one_card, 0) AS previous_seq,
             coalesce(lag(movement.balance_after) OVER one_card, 0) AS previous_balance,
             sum(movement.amount) OVER one_card AS running_sum
      FROM movement
      WHERE sqlc.narg('company_id')::uuid IS NULL OR movement.company_id = sqlc.narg('company_id')::uuid
      WINDOW one_card AS (PARTITION BY movement.company_id, movement.card_id ORDER BY movement.seq)) AS chain
WHERE chain.seq <> chain.previous_seq + 1
   OR (chain.balance_after <> chain.running_sum AND chain.balance_after <> chain.previous_balance + chain.amount)
   OR CASE chain.action WHEN 'accrue' THEN chain.amount < 0 OR (chain.amount = 0 AND chain.spent IS NULL)
                        WHEN 'redeem' THEN chain.amount >= 0
                        WHEN 'recharge' THEN chain.amount <= 0
                        ELSE chain.amount = 0 END
ORDER BY chain.company_id, chain.card_id, chain.seq
LIMIT @batch_size;

-- name: VerifyCards :many
-- VerifyCards finds cards that do not say what their movements do, and movements
-- without a card. The balance is wrong where it is neither the sum nor the last
-- balance: where those two differ, VerifyMovements names the movement.
-- @sqlc-vet-disable company-first
-- Operators verify all companies at once; the filter is optional.
SELECT coalesce(card.company_id, chain.company_id)::uuid AS company_id,
       coalesce(card.id, chain.card_id)::uuid AS card_id,
       (card.id IS NULL)::boolean AS card_missing,
       coalesce(card.seq, 0)::bigint AS seq,
       coalesce(chain.last_seq, 0)::bigint AS last_seq,
       coalesce(card.balance, 0)::numeric AS balance,
       coalesce(card.held, 0)::numeric AS held,
       coalesce(card.floor, 0)::numeric AS floor,
       coalesce(chain.total, 0)::text AS total,
       (card.id IS NOT NULL AND card.seq <> coalesce(chain.last_seq, 0))::boolean AS seq_wrong,
       (card.id IS NOT NULL AND card.balance <> coalesce(chain.total, 0)
           AND card.balance <> coalesce(last.balance_after, 0))::boolean AS balance_wrong,
       (card.id IS NOT NULL AND card.balance - card.held < card.floor)::boolean AS below_floor
FROM (SELECT * FROM card AS c
      WHERE sqlc.narg('company_id')::uuid IS NULL OR c.company_id = sqlc.narg('company_id')::uuid) AS card
FULL JOIN (SELECT movement.company_id, movement.card_id, max(movement.seq) AS last_seq, sum(movement.amount) AS total
           FROM movement
           WHERE sqlc.narg('company_id')::uuid IS NULL OR movement.company_id = sqlc.narg('company_id')::uuid
           GROUP BY movement.company_id, movement.card_id) AS chain
    ON chain.company_id = card.company_id AND chain.card_id = card.id
LEFT JOIN movement AS last
    ON last.company_id = chain.company_id AND last.card_id = chain.card_id AND last.seq = chain.last_seq
WHERE card.id IS NULL
   OR card.seq <> coalesce(chain.last_seq, 0)
   OR (card.balance <> coalesce(chain.total, 0) AND card.balance <> coalesce(last.balance_after, 0))
   OR card.balance - card.held < card.floor
ORDER BY 1, 2
LIMIT @batch_size;

-- name: VerifyKeys :many
-- VerifyKeys finds idempotency keys whose movement is not there, and movements
-- that two keys name: a key and its movement are written together.
-- @sqlc-vet-disable company-first
-- Operators verify all companies at once; the filter is optional.
SELECT keys.company_id, keys.id, keys.card_id, keys.seq, (movement.seq IS NULL)::boolean AS movement_missing,
       keys.same::bigint AS same
FROM (SELECT k.company_id, k.id, k.card_id, k.seq,
             count(*) OVER (PARTITION BY k.company_id, k.card_id, k.seq) AS same
      FROM idempotency_key AS k
      WHERE sqlc.narg('company_id')::uuid IS NULL OR k.company_id = sqlc.narg('company_id')::uuid) AS keys
LEFT JOIN movement
    ON movement.company_id = keys.company_id AND movement.card_id = keys.card_id AND movement.seq = keys.seq
WHERE movement.seq IS NULL OR keys.same > 1
ORDER BY keys.company_id, keys.card_id, keys.seq, keys.id
LIMIT @batch_size;

-- name: VerifyImportRows :many
-- VerifyImportRows finds movements of an import that is not there, of a row that
-- failed, or with other points than their row. Rows are pruned in time; movements
-- of pruned rows have nothing to be held against.
-- @sqlc-vet-disable company-first
-- Operators verify all companies at once; the filter is optional.
SELECT movement.company_id, movement.card_id, movement.seq, movement.amount,
       movement.import_id::uuid AS import_id, coalesce(movement.import_line, 0)::integer AS import_line,
       (import.id IS NULL)::boolean AS import_missing, import_row.error_code, import_row.points
FROM movement
LEFT JOIN import ON import.company_id = movement.company_id AND import.id = movement.import_id
LEFT JOIN import_row ON import_row.company_id = movement.company_id AND import_row.import_id = movement.import_id
                    AND import_row.line = movement.import_line
WHERE (sqlc.narg('company_id')::uuid IS NULL OR movement.company_id = sqlc.narg('company_id')::uuid)
  AND movement.import_id IS NOT NULL
  AND (import.id IS NULL OR import_row.error_code IS NOT NULL OR import_row.points <> movement.amount)
ORDER BY movement.company_id, movement.card_id, movement.seq
LIMIT @batch_size;

-- name: VerifyImports :many
-- VerifyImports finds finished imports whose figures are not those of their
-- movements. A row without points is applied and posts nothing: it is counted
-- among the rows, as long as all of them are kept.
-- @sqlc-vet-disable company-first
-- Operators verify all companies at once; the filter is optional.
SELECT import.company_id, import.id, import.rows_applied, import.points_assigned,
       coalesce(posted.movements, 0)::bigint AS movements, coalesce(posted.points, 0)::text AS points,
       coalesce(staged.without_points, 0)::bigint AS without_points
FROM import
LEFT JOIN (SELECT movement.company_id, movement.import_id, count(*) AS movements, sum(movement.amount) AS points
           FROM movement
           WHERE movement.import_id IS NOT NULL
             AND (sqlc.narg('company_id')::uuid IS NULL OR movement.company_id = sqlc.narg('company_id')::uuid)
           GROUP BY movement.company_id, movement.import_id) AS posted
    ON posted.company_id = import.company_id AND posted.import_id = import.id
LEFT JOIN (SELECT import_row.company_id, import_row.import_id, count(*) AS kept,
                  count(*) FILTER (WHERE import_row.error_code IS NULL AND import_row.points = 0) AS without_points
           FROM import_row
           WHERE sqlc.narg('company_id')::uuid IS NULL OR import_row.company_id = sqlc.narg('company_id')::uuid
           GROUP BY import_row.company_id, import_row.import_id) AS staged
    ON staged.company_id = import.company_id AND staged.import_id = import.id
WHERE (sqlc.narg('company_id')::uuid IS NULL OR import.company_id = sqlc.narg('company_id')::uuid)
  AND import.status = 'finished'
  AND (import.points_assigned <> coalesce(posted.points, 0)
       OR import.rows_applied < coalesce(posted.movements, 0)
       OR (staged.kept = import.rows_total AND import.rows_applied <> coalesce(posted.movements, 0) + staged.without_points))
ORDER BY import.company_id, import.id
LIMIT @batch_size;
