-- name: CustomersErase :exec
-- CustomersErase anonymises a customer and those merged into them. Texts become
-- "-"; null where that cannot be: e-mail, document and code are unique, and a phone
-- is a number that somebody may dial. A partly erased customer keeps the code and
-- is found by it; all others are found by nothing.
WITH gone AS (
    DELETE FROM customer_contact
    USING customer AS person
    WHERE person.company_id = @company_id AND (person.id = @id OR person.merged_into_id = @id)
      AND customer_contact.company_id = person.company_id AND customer_contact.customer_id = person.id
)
UPDATE customer
SET first_name = '-', last_name = '-', email = NULL, phone = NULL, document = NULL, document_key = NULL, birthdate = NULL,
    attributes = '{}', name_key = '', first_key = '', active = false, erased_at = @now::timestamptz, updated_at = @now::timestamptz,
    code = CASE WHEN customer.id = @id AND NOT @total::boolean THEN customer.code END,
    qr_code = CASE WHEN customer.id = @id AND NOT @total::boolean THEN @qr_code::text ELSE 'erased-' || customer.id::text END,
    hidden_at = CASE WHEN customer.id = @id AND NOT @total::boolean THEN customer.hidden_at ELSE @now::timestamptz END,
    merged_into_id = NULL
WHERE customer.company_id = @company_id AND (customer.id = @id OR customer.merged_into_id = @id);

-- name: NotificationsErase :exec
-- NotificationsErase takes a person out of the messages to them and about them.
-- What was to be sent is not.
UPDATE notification
SET recipient = '-', subject = '-', body = '-', attachment = NULL,
    status = CASE WHEN notification.status = 'queued' THEN 'failed' ELSE notification.status END,
    error = CASE WHEN notification.status = 'queued' OR notification.error IS NOT NULL THEN 'erased' END
WHERE notification.company_id = @company_id
  AND (notification.recipient = ANY(@recipients::text[]) OR notification.subject_id = ANY(@subject_ids::uuid[])
       OR notification.card_id = ANY(@subject_ids::uuid[]));

-- name: RewardClaimsErase :exec
-- RewardClaimsErase takes what somebody wrote out of the claims of people and cards.
UPDATE reward_claim
SET reference = CASE WHEN reference IS NOT NULL THEN '-' END, description = CASE WHEN description IS NOT NULL THEN '-' END, updated_at = @now
WHERE company_id = @company_id AND (customer_id = ANY(@customer_ids::uuid[]) OR card_id = ANY(@card_ids::uuid[]))
  AND (reference IS NOT NULL OR description IS NOT NULL);

-- name: CustomerErasureCreate :exec
INSERT INTO customer_erasure (company_id, id, customer_ids, emails, document_keys, created_at)
VALUES (@company_id, @id, @customer_ids, @emails, @document_keys, @now);

-- name: CustomerErasureLock :one
SELECT * FROM customer_erasure WHERE company_id = @company_id AND id = @id FOR UPDATE;

-- name: CustomerErasureLinked :one
-- CustomerErasureLinked drops a batch of the staged rows that posted on the person's
-- cards: each is named by its movement.
WITH linked AS (
    SELECT r.import_id, r.line
    FROM card
    JOIN movement ON movement.company_id = card.company_id AND movement.card_id = card.id AND movement.import_id IS NOT NULL
    JOIN import_row r ON r.company_id = movement.company_id AND r.import_id = movement.import_id AND r.line = movement.import_line
    WHERE card.company_id = @company_id AND card.customer_id = ANY(@customer_ids::uuid[])
    ORDER BY r.import_id, r.line
    LIMIT @batch_size
), gone AS (
    DELETE FROM import_row
    USING linked
    WHERE import_row.company_id = @company_id AND import_row.import_id = linked.import_id AND import_row.line = linked.line
    RETURNING 1
)
SELECT count(*)::integer AS rows_deleted FROM gone;

-- name: CustomerErasureStep :one
-- CustomerErasureStep looks through the next staged rows of the company's imports
-- for a person and drops theirs: the row that created the customer, those with
-- their e-mail or document, and those with one of them anywhere in the cells. The
-- mail about an import that tells of such a row loses its words.
WITH batch AS MATERIALIZED (
    SELECT r.import_id, r.line,
           (r.row_id = ANY(@customer_ids::uuid[]) OR r.email = ANY(@emails::text[])
               OR lower(r.document) = ANY(@document_keys::text[]) OR lower(r.document COLLATE "C") = ANY(@document_keys::text[]) OR lower(r.raw) ~ sqlc.narg('pattern')::text) IS TRUE AS theirs
    FROM import_row r
    WHERE r.company_id = @company_id
      AND (r.import_id, r.line) > (@after_import_id::uuid, @after_line::integer)
    ORDER BY r.import_id, r.line
    LIMIT @batch_size
), gone AS (
    DELETE FROM import_row
    USING batch
    WHERE import_row.company_id = @company_id AND import_row.import_id = batch.import_id AND import_row.line = batch.line AND batch.theirs
    RETURNING import_row.import_id, import_row.error_code
), silenced AS (
    UPDATE notification SET body = '-', attachment = NULL
    WHERE notification.company_id = @company_id
      AND notification.subject_id IN (SELECT gone.import_id FROM gone WHERE gone.error_code IS NOT NULL)
)
SELECT (SELECT count(*) FROM batch)::integer AS rows_read,
       (SELECT count(*) FROM gone)::integer AS rows_deleted,
       coalesce((SELECT batch.import_id FROM batch ORDER BY batch.import_id DESC, batch.line DESC LIMIT 1), @after_import_id::uuid)::uuid AS last_import_id,
       coalesce((SELECT batch.line FROM batch ORDER BY batch.import_id DESC, batch.line DESC LIMIT 1), @after_line::integer)::integer AS last_line;

-- name: CustomerErasureAdvance :exec
-- CustomerErasureAdvance notes how far the search is, in its batch's transaction;
-- with the last one what was searched for is forgotten.
UPDATE customer_erasure
SET cursor_import_id = @cursor_import_id, cursor_line = @cursor_line, rows_deleted = rows_deleted + @rows_deleted::integer,
    finished_at = sqlc.narg('finished_at'),
    emails = CASE WHEN sqlc.narg('finished_at')::timestamptz IS NULL THEN emails ELSE '{}' END,
    document_keys = CASE WHEN sqlc.narg('finished_at')::timestamptz IS NULL THEN document_keys ELSE '{}' END
WHERE company_id = @company_id AND id = @id;
