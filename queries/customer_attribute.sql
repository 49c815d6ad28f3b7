-- name: CustomerAttributesLock :exec
-- CustomerAttributesLock is taken to change a company's definitions, until the
-- transaction ends: who writes customers' attributes meanwhile has ended, and who
-- begins afterwards sees the change.
-- @sqlc-vet-disable company-first
-- It touches no table; the company is what is locked.
SELECT pg_advisory_xact_lock(hashtextextended(concat('customer_attribute', @company_id::uuid), 0));

-- name: CustomerAttributesLockShared :exec
-- CustomerAttributesLockShared is taken to write customers' attributes by the
-- definitions that are read next; writers do not hold up each other.
-- @sqlc-vet-disable company-first
-- It touches no table; the company is what is locked.
SELECT pg_advisory_xact_lock_shared(hashtextextended(concat('customer_attribute', @company_id::uuid), 0));

-- name: CustomerAttributeCreate :one
-- CustomerAttributeCreate defines an attribute. A company without customers has
-- nothing to put into the index.
INSERT INTO customer_attribute (company_id, id, code, name, type, required, options, indexed_at, created_at, updated_at)
SELECT @company_id, @id, @code, @name, @type, @required, @options,
       CASE WHEN NOT EXISTS (SELECT 1 FROM customer WHERE customer.company_id = @company_id) THEN @now::timestamptz END, @now, @now
RETURNING *;

-- name: CustomerAttributeUpdate :one
UPDATE customer_attribute
SET name = @name, required = @required, options = @options, updated_at = @now
WHERE company_id = @company_id AND id = @id
RETURNING *;

-- name: CustomerAttributeArchive :one
-- CustomerAttributeArchive archives, or brings back where archived_at is null.
UPDATE customer_attribute
SET archived_at = CASE WHEN @archived::boolean THEN coalesce(archived_at, @now) END, updated_at = @now
WHERE company_id = @company_id AND code = @code
RETURNING *;

-- name: CustomerAttributeByCode :one
SELECT * FROM customer_attribute WHERE company_id = @company_id AND code = @code;

-- name: CustomerAttributeByID :one
SELECT * FROM customer_attribute WHERE company_id = @company_id AND id = @id;

-- name: CustomerAttributes :many
-- CustomerAttributes are all definitions of a company, of which there are few.
SELECT * FROM customer_attribute WHERE company_id = @company_id ORDER BY id;

-- name: CustomerAttributesPage :many
SELECT * FROM customer_attribute
WHERE company_id = @company_id AND (@with_archived::boolean OR archived_at IS NULL)
  AND (sqlc.narg('after')::uuid IS NULL OR id > sqlc.narg('after')::uuid)
ORDER BY id
LIMIT @batch_size;

-- name: CustomerAttributeValuesSet :exec
-- CustomerAttributeValuesSet makes the index say of a customer what is given and
-- nothing else.
WITH gone AS (
    DELETE FROM customer_attribute_value
    WHERE customer_attribute_value.company_id = @company_id AND customer_attribute_value.customer_id = @customer_id
      AND customer_attribute_value.attribute_id <> ALL(@attribute_ids::uuid[])
)
INSERT INTO customer_attribute_value (company_id, attribute_id, value, customer_id)
SELECT @company_id, unnest(@attribute_ids::uuid[]), unnest(@values::text[]), @customer_id
ON CONFLICT (company_id, customer_id, attribute_id) DO UPDATE SET value = excluded.value;

-- name: CustomerAttributeValuesDelete :exec
DELETE FROM customer_attribute_value WHERE company_id = @company_id AND customer_id = ANY(@customer_ids::uuid[]);

-- name: CustomersByAttribute :many
-- CustomersByAttribute lists customers with a value, oldest first: a range of the
-- index's key, whatever the number of those who have it.
SELECT customer.*
FROM customer_attribute_value AS v
JOIN customer ON customer.company_id = v.company_id AND customer.id = v.customer_id
WHERE v.company_id = @company_id AND v.attribute_id = @attribute_id AND v.value = @value
  AND v.customer_id > @after::uuid AND customer.hidden_at IS NULL
ORDER BY v.customer_id
LIMIT @batch_size;

-- name: CustomerAttributeIndexBatch :one
-- CustomerAttributeIndexBatch tells how far the next batch of customers goes; no row
-- where none is left.
SELECT batch.id AS upto
FROM (SELECT customer.id FROM customer
      WHERE customer.company_id = @company_id AND customer.id > @after::uuid
      ORDER BY customer.id
      LIMIT @batch_size) AS batch
ORDER BY batch.id DESC
LIMIT 1;

-- name: CustomerAttributeIndexValues :many
-- CustomerAttributeIndexValues are the values that a batch of customers has under
-- a name. The customers stay as they are until the transaction ends.
SELECT customer.id, (customer.attributes -> @code::text)::text AS value
FROM customer
WHERE customer.company_id = @company_id AND customer.id > @after::uuid AND customer.id <= @upto::uuid
  AND customer.hidden_at IS NULL AND customer.attributes -> @code::text IS NOT NULL
ORDER BY customer.id
FOR SHARE;

-- name: CustomerAttributeIndexAdd :exec
-- CustomerAttributeIndexAdd puts values of many customers into the index.
INSERT INTO customer_attribute_value (company_id, attribute_id, value, customer_id)
SELECT @company_id, @attribute_id, unnest(@values::text[]), unnest(@customer_ids::uuid[])
ON CONFLICT (company_id, customer_id, attribute_id) DO UPDATE SET value = excluded.value;

-- name: CustomerAttributeIndexAdvance :exec
-- CustomerAttributeIndexAdvance notes how far the index goes, in the batch's own
-- transaction.
UPDATE customer_attribute
SET indexed_to = coalesce(sqlc.narg('indexed_to'), indexed_to), indexed_at = sqlc.narg('indexed_at')
WHERE company_id = @company_id AND id = @id;

-- name: CustomerAttributeLock :one
SELECT * FROM customer_attribute WHERE company_id = @company_id AND id = @id FOR NO KEY UPDATE;
