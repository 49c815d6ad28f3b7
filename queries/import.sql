-- name: ImportStage :exec
-- ImportStage opens an import that nobody sees yet: its rows follow by COPY.
INSERT INTO import (company_id, id, kind, status, file_name, sha256, bytes, forced, card_type_id, recipient, delimiter,
                    encoding, header, rows_total, actor_kind, actor_id, created_at, updated_at)
VALUES (@company_id, @id, 'points', 'uploading', @file_name, @sha256, @bytes, @forced, @card_type_id, @recipient, @delimiter,
        @encoding, @header, 0, @actor_kind, @actor_id, @now, @now);

-- name: ImportQueue :one
-- ImportQueue makes a staged import visible. The same bytes, queued by another
-- upload meanwhile, break import_sha256_key. No row: it was taken for dead.
UPDATE import
SET status = 'queued', rows_total = @rows_total, refusal_code = @refusal_code, refusal_message = @refusal_message,
    progress_seq = progress_seq + 1, updated_at = @now
WHERE company_id = @company_id AND id = @id AND status = 'uploading'
RETURNING *;

-- name: ImportBySHA256 :one
-- ImportBySHA256 finds the import of the same bytes (spec/pretii.md 4.5).
SELECT * FROM import
WHERE company_id = @company_id AND sha256 = @sha256 AND NOT forced AND status <> 'uploading';

-- name: ImportByID :one
SELECT * FROM import WHERE company_id = @company_id AND id = @id AND status <> 'uploading';

-- name: ImportsByIDs :many
SELECT * FROM import
WHERE company_id = @company_id AND id = ANY(@ids::uuid[]) AND status <> 'uploading'
ORDER BY id;

-- name: ImportsPage :many
-- ImportsPage lists a company's imports, newest first (ids are UUIDv7), from
-- below the id given.
SELECT * FROM import
WHERE company_id = @company_id AND status <> 'uploading'
  AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before')::uuid)
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status')::text)
ORDER BY id DESC
LIMIT @batch_size;

-- name: ImportsCount :one
SELECT count(*) FROM import WHERE company_id = @company_id AND status <> 'uploading';

-- name: ImportLock :one
-- ImportLock takes the import for one transaction: chunks, cancelling and
-- reprocessing of one import follow each other.
SELECT * FROM import WHERE company_id = @company_id AND id = @id AND status <> 'uploading' FOR UPDATE;

-- name: ImportCompanyLock :exec
-- ImportCompanyLock makes the chunks of a company's imports follow each other
-- until the transaction ends: two files with the same customers would deadlock. Who
-- merges or erases customers takes it too, as a chunk opens cards for customers whom
-- it read without locking them.
-- @sqlc-vet-disable company-first
-- The company is the lock's name; it touches no table.
SELECT pg_advisory_xact_lock(hashtextextended(concat('import', @company_id::uuid), 0));

-- name: BatchPlanner :exec
-- BatchPlanner keeps statements over a batch on index probes for one transaction.
-- Their joins all go from a batch of known size to an indexed table, and a hash join
-- there reads the whole table for each batch.
-- @sqlc-vet-disable company-first
-- It touches no table.
SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true);

-- name: ImportStart :one
UPDATE import
SET status = 'running', started_at = coalesce(started_at, @now), progress_seq = progress_seq + 1, updated_at = @now
WHERE company_id = @company_id AND id = @id AND status = 'queued'
RETURNING *;

-- name: ImportDuplicates :many
-- ImportDuplicates finds rows whose e-mail an earlier good row of the file has,
-- some at a time: those that ImportDuplicatesMark has marked are not found
-- again. It only reads: a transaction id held for this long would hold back
-- the readers of events.
SELECT repeated.line, repeated.first_line::integer AS first_line
FROM (SELECT r.line, min(r.line) OVER (PARTITION BY r.email) AS first_line
      FROM import_row r
      WHERE r.company_id = @company_id AND r.import_id = @import_id AND r.error_code IS NULL) AS repeated
WHERE repeated.line > repeated.first_line
ORDER BY repeated.line
LIMIT @batch_size;

-- name: ImportDuplicatesMark :exec
-- ImportDuplicatesMark rejects rows with an e-mail of an earlier row. Of a good
-- row error_value is the e-mail as written, where that differs.
-- The argument's ids pass through a part of their own for the reason told at
-- ImportChunkApply.
WITH repeated AS MATERIALIZED (
    SELECT @company_id::uuid AS company_id, @import_id::uuid AS import_id,
           unnest(@lines::integer[]) AS line, unnest(@first_lines::integer[]) AS first_line
)
UPDATE import_row
SET error_code = @error_code::text, error_value = coalesce(import_row.error_value, left(import_row.email, 100)),
    error_line = repeated.first_line
FROM repeated
WHERE import_row.company_id = repeated.company_id AND import_row.import_id = repeated.import_id
  AND import_row.line = repeated.line;

-- name: ImportChecked :exec
UPDATE import SET checked = true, updated_at = @now WHERE company_id = @company_id AND id = @id;

-- name: ImportBeat :one
-- ImportBeat counts one more message of progress while the file is looked through.
UPDATE import SET progress_seq = progress_seq + 1, updated_at = @now
WHERE company_id = @company_id AND id = @id AND status = 'running' AND NOT checked
RETURNING *;

-- name: ImportChunkApply :one
-- ImportChunkApply applies the next rows of an import in one statement
-- (spec/pretii.md 4.4). chunk takes them in file order; a later pass takes only
-- the rows it can mend. found looks up customer (who a merged one is now, the heir),
-- owner of the document and card, of several one that is usable;
-- judged rejects, a document going to the earliest row that really takes it, and
-- the second of two e-mails of one person (of before and after a merge);
-- the rest writes. Joins go from the chunk to a table by its index only, never
-- from one part to another (BatchPlanner), so RETURNING carries what the next
-- part needs. Updates take company_id from the part, not from the argument:
-- with a constant the planner, which knows nothing of a company or a file that
-- has just arrived, may walk the table and rescan the part for each row; IS TRUE
-- keeps it from the index of all cards of a type for the same reason.
-- Movements go in by card: neighbouring index pages are written
-- together. expected tells the cards that had to move: where moved differs,
-- a card changed its state under the statement and it has to run again.
-- Card types that keep lots get one for each posting, less what pays a debt
-- (Account.earn says the same), and a use moves the ends of the card's other lots
-- (used_until); the parts that do so are not begun for other types. Points of a file
-- are usable at once, also where accruals wait. Cards are opened with the days that
-- the type gives those that are opened today; where these have passed none is
-- (opens), and where they are still to come none with points (opens_usable).
WITH chunk AS MATERIALIZED (
    SELECT r.company_id, r.import_id, r.line, r.row_id, r.first_name, r.last_name, r.email, r.document,
           lower(r.document COLLATE "C") AS document_key, r.points, r.first_key, r.last_key,
           r.error_code, r.error_value
    FROM import_row r
    WHERE r.company_id = @company_id AND r.import_id = @import_id AND r.line > @after_line
      AND (@pass::smallint = 1 OR (r.pass < @pass::smallint AND r.error_code = ANY(@mendable::text[])))
    ORDER BY r.line
    LIMIT @batch_size
), found AS MATERIALIZED (
    SELECT DISTINCT ON (known.line)
           known.company_id, known.import_id, known.line, known.row_id, known.first_name, known.last_name, known.email, known.document, known.document_key,
           known.points, known.first_key, known.last_key, known.error_value, known.customer_id, known.qr_code,
           known.customer_id IS NOT NULL AND coalesce(known.has_last_name, '') = '' AND known.last_name IS NOT NULL AS fills_name,
           known.document_key IS NOT NULL AND known.has_document_key IS NULL AS takes_document,
           account.id AS card_id,
           CASE WHEN owner.id IS NOT NULL THEN @document_taken::text
                WHEN account.id IS NULL AND (NOT @opens::boolean OR known.points > 0 AND NOT @opens_usable::boolean) THEN @card_not_enabled::text
                WHEN known.points > 0 AND NOT (account.status = 'enabled' AND coalesce(account.valid_from <= @today::date, true)
                                               AND coalesce(account.valid_to >= @today::date, true)) THEN @card_not_enabled::text
                WHEN known.points > 0 AND account.balance + known.points >= 1000000000000000 THEN @balance_too_large::text
           END AS fault
    FROM (SELECT chunk.company_id, chunk.import_id, chunk.line, chunk.row_id, chunk.first_name, chunk.last_name, chunk.email, chunk.document, chunk.document_key,
                 chunk.points, chunk.first_key, chunk.last_key, chunk.error_value,
                 coalesce(heir.id, met.id) AS customer_id,
                 CASE WHEN heir.id IS NULL THEN met.qr_code ELSE heir.qr_code END AS qr_code,
                 CASE WHEN heir.id IS NULL THEN met.last_name ELSE heir.last_name END AS has_last_name,
                 CASE WHEN heir.id IS NULL THEN met.document_key ELSE heir.document_key END AS has_document_key
          FROM chunk
          LEFT JOIN customer AS met ON met.company_id = @company_id AND met.email = chunk.email
          LEFT JOIN customer AS heir ON heir.company_id = @company_id AND heir.id = met.merged_into_id
          WHERE chunk.error_code IS NULL OR @pass::smallint > 1) AS known
    LEFT JOIN customer AS owner ON owner.company_id = @company_id
        AND owner.document_key = CASE WHEN known.has_document_key IS DISTINCT FROM known.document_key THEN known.document_key END
    LEFT JOIN card AS account ON account.company_id = @company_id AND account.customer_id = known.customer_id
        AND (account.card_type_id = @card_type_id) IS TRUE
    ORDER BY known.line, (account.status = 'enabled' AND coalesce(account.valid_from <= @today::date, true) AND coalesce(account.valid_to >= @today::date, true)) DESC,
             account.id
), judged AS MATERIALIZED (
    SELECT claim.company_id, claim.import_id, claim.line, claim.row_id, claim.first_name, claim.last_name, claim.email, claim.document, claim.document_key,
           claim.points, claim.first_key, claim.last_key, claim.error_value, claim.customer_id, claim.qr_code,
           claim.fills_name, claim.takes_document, claim.card_id, claim.first_line,
           CASE WHEN claim.customer_id IS NOT NULL AND claim.line > claim.first_line THEN @email_repeated::text
                WHEN claim.document_key IS NOT NULL AND claim.line > claim.taken_line THEN @document_taken::text
                ELSE claim.fault
           END AS fault
    FROM (SELECT found.*,
                 min(found.line) OVER (PARTITION BY found.customer_id) AS first_line,
                 min(found.line) FILTER (WHERE found.fault IS NULL AND found.takes_document)
                     OVER (PARTITION BY found.document_key) AS taken_line
          FROM found) AS claim
), accepted AS MATERIALIZED (
    SELECT judged.company_id, judged.line, judged.row_id, judged.first_name, judged.last_name, judged.email, judged.document, judged.document_key,
           judged.points, judged.customer_id, judged.fills_name, judged.takes_document, judged.card_id,
           btrim(judged.first_key || ' ' || judged.last_key) AS name_key,
           judged.first_key, judged.last_key,
           CASE WHEN judged.card_id IS NOT NULL THEN NULL
                WHEN judged.customer_id IS NULL
                     OR EXISTS (SELECT 1 FROM card AS other
                                WHERE other.company_id = @company_id AND other.code = judged.qr_code)
                THEN 'PRT-' || overlay(replace(gen_random_uuid()::text, '-', '') PLACING '' FROM 13 FOR 8)
                ELSE judged.qr_code
           END AS code
    FROM judged
    WHERE judged.fault IS NULL
), created AS (
    INSERT INTO customer (company_id, id, first_name, last_name, email, document, document_key, qr_code, name_key, first_key,
                          created_at, updated_at)
    SELECT @company_id, accepted.row_id, accepted.first_name, accepted.last_name, accepted.email, accepted.document,
           accepted.document_key, accepted.code, accepted.name_key, accepted.first_key,
           @now, @now
    FROM accepted
    WHERE accepted.customer_id IS NULL
    RETURNING 1
), filled AS (
    UPDATE customer
    SET last_name = CASE WHEN accepted.fills_name THEN accepted.last_name ELSE customer.last_name END,
        name_key = CASE WHEN accepted.fills_name THEN btrim(customer.name_key || ' ' || accepted.last_key) ELSE customer.name_key END,
        document = CASE WHEN accepted.takes_document THEN accepted.document ELSE customer.document END,
        document_key = CASE WHEN accepted.takes_document THEN accepted.document_key ELSE customer.document_key END,
        updated_at = @now
    FROM accepted
    WHERE customer.company_id = accepted.company_id AND customer.id = accepted.customer_id
      AND (accepted.fills_name OR accepted.takes_document)
      AND (NOT accepted.fills_name OR coalesce(customer.last_name, '') = '')
      AND (NOT accepted.takes_document OR customer.document_key IS NULL)
    RETURNING 1
), opened AS (
    INSERT INTO card (company_id, id, card_type_id, customer_id, code, status, balance, floor, seq, expiry_version, valid_from, valid_to,
                      registered_at, created_at, updated_at)
    SELECT @company_id, accepted.row_id, @card_type_id, coalesce(accepted.customer_id, accepted.row_id), accepted.code, 'enabled',
           accepted.points, @floor, CASE WHEN accepted.points > 0 THEN 1 ELSE 0 END, @expiry_version,
           sqlc.narg('valid_from')::date, sqlc.narg('valid_to')::date, @now, @now, @now
    FROM accepted
    WHERE accepted.card_id IS NULL
), moved AS (
    UPDATE card
    SET balance = card.balance + accepted.points, seq = card.seq + 1, updated_at = @now,
        debt = least(card.debt, greatest(card.floor - (card.balance + accepted.points - card.held), 0))
    FROM accepted
    WHERE card.company_id = accepted.company_id AND card.id = accepted.card_id AND accepted.points > 0 AND card.status = 'enabled'
      AND card.expiry_version >= @expiry_version
    RETURNING card.id, card.seq, card.balance, accepted.points, accepted.line, card.registered_at,
              least(accepted.points, greatest(card.balance - card.held, 0)) AS remaining
), posting AS MATERIALIZED (
    SELECT moved.id, moved.seq, moved.balance, moved.points, moved.line, moved.registered_at, moved.remaining FROM moved
    UNION ALL
    SELECT accepted.row_id, 1, accepted.points, accepted.points, accepted.line, @now, accepted.points
    FROM accepted WHERE accepted.card_id IS NULL AND accepted.points > 0
    ORDER BY 1
), earned AS (
    INSERT INTO lot (company_id, card_id, seq, part, state, amount, remaining, earned_on, expires_on, priority)
    SELECT @company_id, posting.id, posting.seq, 0, CASE WHEN posting.remaining > 0 THEN 'open' ELSE 'closed' END,
           posting.points, posting.remaining, @today::date,
           expiry_end(@expiry_policy::text, sqlc.narg('expiry_date')::date, @expiry_count::integer, @expiry_unit::text, @today::date,
                      timezone(@time_zone::text, posting.registered_at)::date),
           100
    FROM posting
    WHERE @tracks_lots::boolean
), paid AS (
    INSERT INTO lot_entry (company_id, card_id, seq, lot_seq, lot_part, amount)
    SELECT @company_id, posting.id, posting.seq, posting.seq, 0, posting.remaining - posting.points
    FROM posting
    WHERE @tracks_lots::boolean AND posting.remaining < posting.points
), used AS (
    UPDATE lot
    SET expires_on = sqlc.narg('used_until')::date
    FROM accepted
    WHERE sqlc.narg('used_until')::date IS NOT NULL AND accepted.points > 0
      AND lot.company_id = accepted.company_id AND lot.card_id = accepted.card_id AND lot.state <> 'closed'
      AND (lot.expires_on IS NULL OR lot.expires_on < sqlc.narg('used_until')::date)
), booked AS (
    INSERT INTO movement (company_id, card_id, seq, action, amount, balance_after, posted_at, recorded_at, source, description,
                          actor_id, import_id, import_line)
    SELECT @company_id, posting.id, posting.seq, 'accrue', posting.points, posting.balance, @now, @now, 'import', @description::text,
           sqlc.narg('actor_id')::uuid, @import_id, posting.line
    FROM posting
), told AS (
    INSERT INTO event (company_id, kind, subject_id, seq, recorded_at)
    SELECT @company_id, 'movement_posted', posting.id, posting.seq, @now
    FROM posting
), marked AS (
    UPDATE import_row
    SET error_code = judged.fault,
        error_value = CASE judged.fault WHEN @document_taken::text THEN left(judged.document, 100)
                                        ELSE coalesce(judged.error_value, left(judged.email, 100)) END,
        error_line = CASE WHEN judged.fault = @email_repeated::text THEN judged.first_line END,
        pass = @pass::smallint
    FROM judged
    WHERE import_row.company_id = judged.company_id AND import_row.import_id = judged.import_id AND import_row.line = judged.line
      AND (judged.fault IS NOT NULL OR @pass::smallint > 1)
)
SELECT (SELECT count(*) FROM chunk)::integer AS rows_read,
       (SELECT coalesce(max(chunk.line), 0) FROM chunk)::integer AS last_line,
       (SELECT count(*) FROM accepted)::integer AS rows_applied,
       (SELECT count(*) FROM created)::integer AS customers_created,
       (SELECT count(*) FROM filled)::integer AS customers_updated,
       (SELECT count(*) FROM accepted WHERE accepted.fills_name OR accepted.takes_document AND accepted.customer_id IS NOT NULL)::integer AS to_update,
       (SELECT coalesce(sum(accepted.points), 0) FROM accepted)::bigint AS points_assigned,
       (SELECT count(*) FROM accepted WHERE accepted.points > 0 AND accepted.card_id IS NOT NULL)::integer AS expected,
       (SELECT count(*) FROM moved)::integer AS moved;

-- name: ImportChunkCards :many
-- ImportChunkCards locks the cards of the type that the next rows of an import may
-- post on, in the order of their ids, and waits for them.
SELECT card.id
FROM (SELECT r.company_id, r.email FROM import_row r
      WHERE r.company_id = @company_id AND r.import_id = @import_id AND r.line > @after_line
        AND (@pass::smallint = 1 OR (r.pass < @pass::smallint AND r.error_code = ANY(@mendable::text[])))
      ORDER BY r.line
      LIMIT @batch_size) AS chunk
JOIN customer ON customer.company_id = chunk.company_id AND customer.email = chunk.email
JOIN card ON card.company_id = customer.company_id AND card.customer_id = customer.id
WHERE (card.card_type_id = @card_type_id) IS TRUE
ORDER BY card.id
FOR NO KEY UPDATE OF card;

-- name: ImportAdvance :one
-- ImportAdvance moves the cursor over a chunk, in the chunk's transaction.
UPDATE import
SET cursor_line = @cursor_line,
    rows_applied = rows_applied + @applied::integer,
    rows_failed = rows_failed + @failed::integer,
    customers_created = customers_created + @created::integer,
    customers_updated = customers_updated + @updated::integer,
    points_assigned = points_assigned + @points::bigint,
    progress_seq = progress_seq + 1, updated_at = @now
WHERE company_id = @company_id AND id = @id
RETURNING *;

-- name: ImportEnd :one
-- ImportEnd puts a locked import into a final state.
UPDATE import
SET status = @status, started_at = CASE WHEN @status = 'cancelled' THEN started_at ELSE coalesce(started_at, @now) END,
    refusal_code = coalesce(sqlc.narg('refusal_code'), refusal_code),
    refusal_message = coalesce(sqlc.narg('refusal_message'), refusal_message),
    finished_at = @now, progress_seq = progress_seq + 1, updated_at = @now
WHERE company_id = @company_id AND id = @id
RETURNING *;

-- name: ImportQueueAgain :one
-- ImportQueueAgain queues a locked import again: from its cursor where pass is
-- the same, from the file's beginning for the rows that failed where it is new.
UPDATE import
SET status = 'queued', finished_at = NULL,
    started_at = CASE WHEN pass = @pass THEN started_at END,
    cursor_line = CASE WHEN pass = @pass THEN cursor_line ELSE 0 END,
    pass = @pass, progress_seq = progress_seq + 1, updated_at = @now
WHERE company_id = @company_id AND id = @id
RETURNING *;

-- name: ImportErrorsPage :many
-- ImportErrorsPage lists rejected rows in file order from behind a line. Rows
-- that the first pass has not reached are not told: their import still counts.
SELECT r.line, r.error_code, r.error_value, r.error_line, r.raw
FROM import_row r
JOIN import ON import.company_id = r.company_id AND import.id = r.import_id
WHERE r.company_id = @company_id AND r.import_id = @import_id AND r.line > @after_line AND r.error_code IS NOT NULL
  AND (import.pass > 1 OR r.line <= import.cursor_line)
ORDER BY r.line
LIMIT @batch_size;

-- name: ImportErrorsByImports :many
-- ImportErrorsByImports lists the first rejected rows of several imports, as
-- ImportErrorsPage does for one: a page of imports with their errors is one
-- statement, and each import an index probe of its own.
SELECT import.id AS import_id, r.line, r.error_code, r.error_value, r.error_line
FROM import
CROSS JOIN LATERAL (
    SELECT import_row.line, import_row.error_code, import_row.error_value, import_row.error_line
    FROM import_row
    WHERE import_row.company_id = @company_id AND import_row.import_id = import.id AND import_row.line > @after_line
      AND import_row.error_code IS NOT NULL AND (import.pass > 1 OR import_row.line <= import.cursor_line)
    ORDER BY import_row.line
    LIMIT @batch_size
) AS r
WHERE import.company_id = @company_id AND import.id = ANY(@import_ids::uuid[])
ORDER BY import.id, r.line;

-- name: ImportUploadsDead :many
-- ImportUploadsDead finds uploads that ended without a word, of all companies.
-- @sqlc-vet-disable company-first
-- One sweep serves every company; what it does to an import names company_id.
SELECT company_id, id FROM import WHERE status = 'uploading' AND created_at < @older_than ORDER BY company_id, id;

-- name: ImportsSilent :many
-- ImportsSilent finds imports whose job is lost: queued or running, and
-- untouched for longer than any queue or back-off lasts.
-- @sqlc-vet-disable company-first
-- One sweep serves every company; what it does to an import names company_id.
SELECT company_id, id FROM import WHERE status IN ('queued', 'running') AND updated_at < @older_than ORDER BY company_id, id;

-- name: ImportsSpent :many
-- ImportsSpent finds imports that ended before a time and still keep rows.
SELECT id FROM import
WHERE import.company_id = @company_id AND import.finished_at < @older_than AND import.status IN ('finished', 'refused', 'cancelled')
  AND EXISTS (SELECT 1 FROM import_row r WHERE r.company_id = import.company_id AND r.import_id = import.id)
ORDER BY id
LIMIT @batch_size;

-- name: ImportRowsDelete :execrows
-- ImportRowsDelete drops the first rows of an import: a range of its key, which
-- no missing statistics can turn into a join.
DELETE FROM import_row
WHERE import_row.company_id = @company_id AND import_row.import_id = @import_id AND import_row.line <= (
    SELECT max(batch.line) FROM (
        SELECT r.line FROM import_row r
        WHERE r.company_id = @company_id AND r.import_id = @import_id
        ORDER BY r.line
        LIMIT @batch_size) AS batch);

-- name: ImportUploadDelete :exec
-- ImportUploadDelete drops an upload that never became an import.
DELETE FROM import WHERE company_id = @company_id AND id = @id AND status = 'uploading';
