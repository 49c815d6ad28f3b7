-- name: EventsTail :many
-- EventsTail reads what every company has told since the place given, as far as
-- it is final: below the oldest transaction that still runs.
-- @sqlc-vet-disable company-first
-- One reader per process serves the subscribers of all companies.
SELECT * FROM event
WHERE (tx, id) > (@after_tx::bigint, @after_id::bigint)
  AND tx < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
ORDER BY tx, id
LIMIT @batch_size;

-- name: EventsSince :many
-- EventsSince reads one company's events behind a subscriber's place, up to the
-- place where the live feed takes over. No kinds are all kinds.
SELECT * FROM event
WHERE company_id = @company_id
  AND (cardinality(@kinds::text[]) = 0 OR kind = ANY(@kinds))
  AND (tx, id) > (@after_tx::bigint, @after_id::bigint)
  AND (tx, id) <= (@upto_tx::bigint, @upto_id::bigint)
ORDER BY tx, id
LIMIT @batch_size;

-- name: EventsHead :one
-- EventsHead is the place of the newest final event, where a tail starts.
-- @sqlc-vet-disable company-first
-- One reader per process serves the subscribers of all companies.
SELECT coalesce(max(tx), 0)::bigint AS tx, coalesce(max(id), 0)::bigint AS id
FROM (SELECT tx, id FROM event
      WHERE tx < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
      ORDER BY tx DESC, id DESC LIMIT 1) AS newest;

-- name: EventsKept :one
-- EventsKept is the place of a company's oldest event that is kept, zero if it
-- has none, and the number that no transaction has yet: a place beyond it is of
-- another database.
SELECT coalesce(max(oldest.tx), 0)::bigint AS oldest_tx, coalesce(max(oldest.id), 0)::bigint AS oldest_id,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next_tx
FROM (SELECT tx, id FROM event WHERE company_id = @company_id ORDER BY tx, id LIMIT 1) AS oldest;

-- name: EventCreate :exec
INSERT INTO event (company_id, kind, subject_id, seq, recorded_at) VALUES (@company_id, @kind, @subject_id, @seq, @now);

-- name: EventsPrune :execrows
-- EventsPrune drops a batch of a company's events older than the time given,
-- the oldest first. The newest of them stays: it proves that nothing behind it
-- is missing, and that a company without events never had any.
DELETE FROM event
WHERE event.company_id = @company_id AND (event.tx, event.id) IN (
    SELECT old.tx, old.id
    FROM (SELECT e.tx, e.id, lead(e.id) OVER (ORDER BY e.tx, e.id) AS next_id
          FROM event e
          WHERE e.company_id = @company_id AND e.recorded_at < @older_than
          ORDER BY e.tx, e.id
          LIMIT @batch_size) AS old
    WHERE old.next_id IS NOT NULL);
