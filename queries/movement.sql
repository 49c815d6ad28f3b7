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

-- name: MovementsByKeys :many
-- MovementsByKeys reads movements by card and number, for subscribers and replays.
SELECT movement.*
FROM (SELECT unnest(@card_ids::uuid[]) AS card_id, unnest(@seqs::bigint[]) AS seq) AS wanted
JOIN movement ON movement.company_id = @company_id AND movement.card_id = wanted.card_id AND movement.seq = wanted.seq
ORDER BY movement.card_id, movement.seq;
