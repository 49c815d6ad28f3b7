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
       (CASE WHEN chain.action = 'accrue' THEN chain.amount < 0 OR (chain.amount = 0 AND chain.spent IS NULL)
                          WHEN chain.action = 'redeem' THEN chain.amount >= 0
                          WHEN chain.action IN ('recharge', 'transfer_in') THEN chain.amount <= 0
                          WHEN chain.action = 'transfer_out' THEN chain.amount >= 0
                          WHEN chain.action = 'expire' THEN chain.amount > 0 AND chain.related_seq IS NULL
                          WHEN chain.action = 'adjust' THEN chain.amount = 0
                          WHEN chain.action IN ('reverse', 'write_off') THEN false
                          ELSE chain.amount <> 0 END)::boolean AS sign_wrong
FROM (SELECT movement.company_id, movement.card_id, movement.seq, movement.action, movement.amount, movement.balance_after,
             movement.spent, movement.related_seq,
             coalesce(lag(movement.seq) OVER one_card, 0) AS previous_seq,
             coalesce(lag(movement.balance_after) OVER one_card, 0) AS previous_balance,
             sum(movement.amount) OVER one_card AS running_sum
      FROM movement
      WHERE sqlc.narg('company_id')::uuid IS NULL OR movement.company_id = sqlc.narg('company_id')::uuid
      WINDOW one_card AS (PARTITION BY movement.company_id, movement.card_id ORDER BY movement.seq)) AS chain
WHERE chain.seq <> chain.previous_seq + 1
   OR (chain.balance_after <> chain.running_sum AND chain.balance_after <> chain.previous_balance + chain.amount)
   OR CASE WHEN chain.action = 'accrue' THEN chain.amount < 0 OR (chain.amount = 0 AND chain.spent IS NULL)
                      WHEN chain.action = 'redeem' THEN chain.amount >= 0
                      WHEN chain.action IN ('recharge', 'transfer_in') THEN chain.amount <= 0
                      WHEN chain.action = 'transfer_out' THEN chain.amount >= 0
                      WHEN chain.action = 'expire' THEN chain.amount > 0 AND chain.related_seq IS NULL
                      WHEN chain.action = 'adjust' THEN chain.amount = 0
                      WHEN chain.action IN ('reverse', 'write_off') THEN false
                      ELSE chain.amount <> 0 END
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
       (card.id IS NOT NULL AND card.balance - card.held < card.floor - card.debt)::boolean AS below_floor
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
   OR card.balance - card.held < card.floor - card.debt
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

-- name: VerifyLots :many
-- VerifyLots finds lots whose remainder is not their amount and what movements
-- took and gave, and lots without their movement.
-- @sqlc-vet-disable company-first
-- Operators verify all companies at once; the filter is optional.
SELECT lot.company_id, lot.card_id, lot.seq, lot.part, lot.amount, lot.remaining,
       coalesce(entries.total, 0)::text AS entries, (movement.seq IS NULL)::boolean AS movement_missing
FROM (SELECT * FROM lot AS l
      WHERE sqlc.narg('company_id')::uuid IS NULL OR l.company_id = sqlc.narg('company_id')::uuid) AS lot
LEFT JOIN (SELECT lot_entry.company_id, lot_entry.card_id, lot_entry.lot_seq, lot_entry.lot_part, sum(lot_entry.amount) AS total
           FROM lot_entry
           WHERE sqlc.narg('company_id')::uuid IS NULL OR lot_entry.company_id = sqlc.narg('company_id')::uuid
           GROUP BY lot_entry.company_id, lot_entry.card_id, lot_entry.lot_seq, lot_entry.lot_part) AS entries
    ON entries.company_id = lot.company_id AND entries.card_id = lot.card_id AND entries.lot_seq = lot.seq AND entries.lot_part = lot.part
LEFT JOIN movement ON movement.company_id = lot.company_id AND movement.card_id = lot.card_id AND movement.seq = lot.seq
WHERE lot.remaining <> lot.amount + coalesce(entries.total, 0) OR movement.seq IS NULL
ORDER BY lot.company_id, lot.card_id, lot.seq, lot.part
LIMIT @batch_size;

-- name: VerifyLotSums :many
-- VerifyLotSums finds cards whose open lots do not come to what is available. A card
-- that its type's policy has not reached yet has none.
-- @sqlc-vet-disable company-first
-- Operators verify all companies at once; the filter is optional.
SELECT card.company_id, card.id, card.balance, card.held, coalesce(sums.total, 0)::text AS lots
FROM card
JOIN card_type ON card_type.company_id = card.company_id AND card_type.id = card.card_type_id
LEFT JOIN (SELECT lot.company_id, lot.card_id, sum(lot.remaining) AS total
           FROM lot
           WHERE lot.state = 'open' AND (sqlc.narg('company_id')::uuid IS NULL OR lot.company_id = sqlc.narg('company_id')::uuid)
           GROUP BY lot.company_id, lot.card_id) AS sums ON sums.company_id = card.company_id AND sums.card_id = card.id
WHERE (sqlc.narg('company_id')::uuid IS NULL OR card.company_id = sqlc.narg('company_id')::uuid)
  AND coalesce(sums.total, 0) <> CASE WHEN card_type.tracks_lots AND card.expiry_version > 0
                                      THEN greatest(card.balance - card.held, 0) ELSE 0 END
ORDER BY card.company_id, card.id
LIMIT @batch_size;

-- name: VerifyHolds :many
-- VerifyHolds finds cards whose held is not what their open holds and their
-- movements come to.
-- @sqlc-vet-disable company-first
-- Operators verify all companies at once; the filter is optional.
SELECT card.company_id, card.id, card.held, coalesce(open.total, 0)::text AS holds, coalesce(moved.total, 0)::text AS movements
FROM card
LEFT JOIN (SELECT hold.company_id, hold.card_id, sum(hold.amount) AS total
           FROM hold
           WHERE hold.status = 'open' AND (sqlc.narg('company_id')::uuid IS NULL OR hold.company_id = sqlc.narg('company_id')::uuid)
           GROUP BY hold.company_id, hold.card_id) AS open ON open.company_id = card.company_id AND open.card_id = card.id
LEFT JOIN (SELECT movement.company_id, movement.card_id, sum(movement.held) AS total
           FROM movement
           WHERE movement.held IS NOT NULL AND (sqlc.narg('company_id')::uuid IS NULL OR movement.company_id = sqlc.narg('company_id')::uuid)
           GROUP BY movement.company_id, movement.card_id) AS moved ON moved.company_id = card.company_id AND moved.card_id = card.id
WHERE (sqlc.narg('company_id')::uuid IS NULL OR card.company_id = sqlc.narg('company_id')::uuid)
  AND (card.held <> coalesce(open.total, 0) OR card.held <> coalesce(moved.total, 0))
ORDER BY card.company_id, card.id
LIMIT @batch_size;

-- name: VerifyPairs :many
-- VerifyPairs finds halves of transfers whose other half is not there or of another
-- amount, and returns that come to more than what they return.
-- @sqlc-vet-disable company-first
-- Operators verify all companies at once; the filter is optional.
SELECT movement.company_id, movement.card_id, movement.seq, movement.action, movement.amount,
       (other.seq IS NULL)::boolean AS other_missing, coalesce(other.amount, 0)::numeric AS other_amount
FROM movement
LEFT JOIN movement AS other
    ON other.company_id = movement.company_id AND other.card_id = movement.related_card_id AND other.seq = movement.related_seq
WHERE (sqlc.narg('company_id')::uuid IS NULL OR movement.company_id = sqlc.narg('company_id')::uuid)
  AND ((movement.action IN ('transfer_out', 'transfer_in')
        AND (other.seq IS NULL OR other.amount <> -movement.amount
             OR other.related_card_id <> movement.card_id OR other.related_seq <> movement.seq))
       OR (movement.action = 'reverse' AND other.seq IS NULL))
ORDER BY movement.company_id, movement.card_id, movement.seq
LIMIT @batch_size;

-- name: VerifyReturns :many
-- VerifyReturns finds movements of which more was taken back than they came to.
-- @sqlc-vet-disable company-first
-- Operators verify all companies at once; the filter is optional.
SELECT origin.company_id, origin.card_id, origin.seq, origin.amount, taken.total::text AS returned
FROM (SELECT movement.company_id, movement.related_card_id, movement.related_seq, sum(abs(movement.amount)) AS total
      FROM movement
      WHERE movement.action = 'reverse' AND (sqlc.narg('company_id')::uuid IS NULL OR movement.company_id = sqlc.narg('company_id')::uuid)
      GROUP BY movement.company_id, movement.related_card_id, movement.related_seq) AS taken
JOIN movement AS origin
    ON origin.company_id = taken.company_id AND origin.card_id = taken.related_card_id AND origin.seq = taken.related_seq
LEFT JOIN lot ON lot.company_id = origin.company_id AND lot.card_id = origin.card_id AND lot.seq = origin.seq AND lot.part = 0
WHERE taken.total > CASE origin.action WHEN 'pend' THEN coalesce(lot.amount, 0) ELSE abs(origin.amount) END
ORDER BY origin.company_id, origin.card_id, origin.seq
LIMIT @batch_size;
