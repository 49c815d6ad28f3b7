-- name: EventsLast :one
-- EventsLast is the number of the last event, written or still being written.
-- @sqlc-vet-disable company-first
-- One reader per process serves the subscribers of all companies.
SELECT coalesce(pg_sequence_last_value('event_id_seq'), 0)::bigint AS id;

-- name: EventsSettling :one
-- EventsSettling is the number that the next transaction to write will have, and
-- that of the oldest which is still writing (or the next one's, if none is).
-- Every event of before this statement is of a transaction below next_tx, and
-- final once oldest_tx has come that far. The next one is not the snapshot's xmax,
-- which is just behind the newest that has ended: others beyond it may be writing.
-- age counts from the transaction counter as long as the asking transaction has
-- not written; the rest puts its 32 bits behind xmax.
-- @sqlc-vet-disable company-first
-- It touches no table.
SELECT pg_snapshot_xmin(now.snapshot)::text::bigint AS oldest_tx,
       (pg_snapshot_xmax(now.snapshot)::text::bigint
        + ((age('3'::xid)::bigint + 3 - pg_snapshot_xmax(now.snapshot)::text::bigint) & 4294967295))::bigint AS next_tx
FROM (SELECT pg_current_snapshot() AS snapshot) AS now;

-- name: EventsTail :many
-- EventsTail reads what every company has told since the event given, as far as
-- it is settled.
-- @sqlc-vet-disable company-first
-- One reader per process serves the subscribers of all companies.
SELECT * FROM event
WHERE id > @after_id AND id <= @settled_id
ORDER BY id
LIMIT @batch_size;

-- name: EventsSince :many
-- EventsSince reads one company's events behind a subscriber's place, up to the
-- place where the live feed takes over. No kinds are all kinds.
SELECT * FROM event
WHERE company_id = @company_id
  AND (cardinality(@kinds::text[]) = 0 OR kind = ANY(@kinds))
  AND id > @after_id AND id <= @upto_id
ORDER BY id
LIMIT @batch_size;

-- name: EventsHead :one
-- EventsHead is the newest settled event, where a tail starts. It is not the
-- settled number itself, which a crash may let come again while it is nobody's.
-- @sqlc-vet-disable company-first
-- One reader per process serves the subscribers of all companies.
SELECT coalesce(max(id), 0)::bigint AS id FROM event WHERE id <= @settled_id;

-- name: EventsKept :one
-- EventsKept is a company's oldest event that is kept, zero if it has none, and
-- the number of the last event of all: a place beyond it is of another database.
SELECT coalesce(min(id), 0)::bigint AS oldest_id,
       coalesce(pg_sequence_last_value('event_id_seq'), 0)::bigint AS last_id
FROM event WHERE company_id = @company_id;

-- name: EventCreate :exec
INSERT INTO event (company_id, kind, subject_id, seq, recorded_at) VALUES (@company_id, @kind, @subject_id, @seq, @now);

-- name: EventsPrune :execrows
-- EventsPrune drops a batch of a company's events older than the time given,
-- the oldest first. The newest of them stays: it proves that nothing behind it
-- is missing, and that a company without events never had any.
DELETE FROM event
WHERE event.company_id = @company_id AND event.id IN (
    SELECT old.id
    FROM (SELECT e.id, lead(e.id) OVER (ORDER BY e.id) AS next_id
          FROM event e
          WHERE e.company_id = @company_id AND e.recorded_at < @older_than
          ORDER BY e.id
          LIMIT @batch_size) AS old
    WHERE old.next_id IS NOT NULL);
