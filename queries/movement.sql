-- name: MovementsByCards :many
-- MovementsByCards lists the newest movements of each card of a page, from below
-- the number given: one statement, whatever the page's size.
SELECT movement.*
FROM unnest(@card_ids::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT * FROM movement
    WHERE movement.company_id = @company_id AND movement.card_id = wanted.id AND movement.seq < @before_seq
    ORDER BY movement.seq DESC
    LIMIT @batch_size
) AS movement
ORDER BY movement.card_id, movement.seq DESC;

-- name: MovementByKey :one
-- MovementByKey reads one movement as MovementsByKeys does, by a plan that is kept:
-- that of a list is made anew for the length of each.
SELECT movement.*
FROM movement
JOIN card ON card.company_id = @company_id AND card.id = movement.card_id AND card.hidden_at IS NULL
WHERE movement.company_id = @company_id AND movement.card_id = @card_id AND movement.seq = @seq;

-- name: MovementsByKeys :many
-- MovementsByKeys reads movements by card and number, but for those of hidden cards.
SELECT movement.*
FROM (SELECT unnest(@card_ids::uuid[]) AS card_id, unnest(@seqs::bigint[]) AS seq) AS wanted
JOIN movement ON movement.company_id = @company_id AND movement.card_id = wanted.card_id AND movement.seq = wanted.seq
JOIN card ON card.company_id = @company_id AND card.id = movement.card_id AND card.hidden_at IS NULL
ORDER BY movement.card_id, movement.seq;

-- name: LotsByMovements :many
-- LotsByMovements lists what the movements of a page did to lots: the lots that they
-- made, and what they took from lots (negative) or gave back.
SELECT moved.card_id::uuid AS moved_card_id, moved.seq::bigint AS moved_seq, moved.amount::numeric AS moved_amount, sqlc.embed(lot)
FROM (
    SELECT lot_entry.card_id, lot_entry.seq, lot_entry.lot_seq, lot_entry.lot_part, lot_entry.amount
    FROM (SELECT unnest(@card_ids::uuid[]) AS card_id, unnest(@seqs::bigint[]) AS seq) AS wanted
    JOIN lot_entry ON lot_entry.company_id = @company_id AND lot_entry.card_id = wanted.card_id AND lot_entry.seq = wanted.seq
    UNION ALL
    SELECT made.card_id, made.seq, made.seq, made.part, made.amount
    FROM (SELECT unnest(@card_ids::uuid[]) AS card_id, unnest(@seqs::bigint[]) AS seq) AS wanted
    JOIN lot AS made ON made.company_id = @company_id AND made.card_id = wanted.card_id AND made.seq = wanted.seq
) AS moved
JOIN lot ON lot.company_id = @company_id AND lot.card_id = moved.card_id AND lot.seq = moved.lot_seq AND lot.part = moved.lot_part
ORDER BY moved.card_id, moved.seq, lot.seq, lot.part, moved.amount DESC;

-- name: LinesByMovements :many
-- LinesByMovements lists the lines of the movements of a page.
SELECT movement_line.*
FROM (SELECT unnest(@card_ids::uuid[]) AS card_id, unnest(@seqs::bigint[]) AS seq) AS wanted
JOIN movement_line ON movement_line.company_id = @company_id AND movement_line.card_id = wanted.card_id AND movement_line.seq = wanted.seq
ORDER BY movement_line.card_id, movement_line.seq, movement_line.line;

-- name: ReversalsByMovements :many
-- ReversalsByMovements lists the returns of each movement of a page, oldest first.
SELECT movement.*
FROM (SELECT unnest(@card_ids::uuid[]) AS card_id, unnest(@seqs::bigint[]) AS seq) AS wanted
CROSS JOIN LATERAL (
    SELECT * FROM movement
    WHERE movement.company_id = @company_id AND movement.related_card_id = wanted.card_id AND movement.related_seq = wanted.seq
      AND movement.action = 'reverse'
    ORDER BY movement.seq
    LIMIT @batch_size
) AS movement
ORDER BY movement.card_id, movement.seq;

-- name: ReversedByMovements :many
-- ReversedByMovements is what has been taken back of each movement of a page, of
-- points that were still pending too (those returns move no balance).
SELECT answer.related_card_id::uuid AS card_id, answer.related_seq::bigint AS seq,
       sum(abs(answer.amount) - coalesce(pending.amount, 0))::numeric AS amount
FROM (SELECT unnest(@card_ids::uuid[]) AS card_id, unnest(@seqs::bigint[]) AS seq) AS wanted
JOIN movement AS answer ON answer.company_id = @company_id AND answer.related_card_id = wanted.card_id AND answer.related_seq = wanted.seq
    AND answer.action = 'reverse'
LEFT JOIN LATERAL (
    SELECT sum(lot_entry.amount) AS amount FROM lot_entry
    WHERE answer.amount = 0 AND lot_entry.company_id = @company_id AND lot_entry.card_id = answer.card_id AND lot_entry.seq = answer.seq
) AS pending ON true
GROUP BY answer.related_card_id, answer.related_seq
ORDER BY answer.related_card_id, answer.related_seq;
