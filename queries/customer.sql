-- name: CustomerCreate :one
INSERT INTO customer (company_id, id, code, active, first_name, last_name, email, phone, document, document_key, qr_code, birthdate,
                      attributes, name_key, first_key, created_at, updated_at)
VALUES (@company_id, @id, @code, @active, @first_name, @last_name, @email, @phone, @document, @document_key, @qr_code, @birthdate,
        @attributes, @name_key, @first_key, @now, @now)
RETURNING *;

-- name: CustomerUpdate :one
-- CustomerUpdate changes what is given: the caller merges, under CustomerLock.
UPDATE customer
SET code = @code, active = @active, first_name = @first_name, last_name = @last_name, email = @email, phone = @phone, document = @document,
    document_key = @document_key, birthdate = @birthdate, attributes = @attributes,
    name_key = @name_key, first_key = @first_key, updated_at = @now
WHERE company_id = @company_id AND id = @id
RETURNING *;

-- name: CustomersLock :many
-- CustomersLock takes customers in the order of their ids, so that two who take the
-- same ones do not wait for each other; hidden ones too.
SELECT * FROM customer WHERE company_id = @company_id AND id = ANY(@ids::uuid[]) ORDER BY id FOR UPDATE;

-- name: CustomerByID :one
-- Look-ups of one customer answer a merged one too: it says who it is now.
SELECT * FROM customer
WHERE company_id = @company_id AND id = @id AND (hidden_at IS NULL OR merged_into_id IS NOT NULL);

-- name: CustomerByCode :one
SELECT * FROM customer
WHERE company_id = @company_id AND code = @code::text AND (hidden_at IS NULL OR merged_into_id IS NOT NULL);

-- name: CustomerByEmail :one
SELECT * FROM customer
WHERE company_id = @company_id AND email = @email AND (hidden_at IS NULL OR merged_into_id IS NOT NULL);

-- name: CustomerByDocument :one
SELECT * FROM customer
WHERE company_id = @company_id AND document_key = @document_key AND (hidden_at IS NULL OR merged_into_id IS NOT NULL);

-- name: CustomerByQRCode :one
SELECT * FROM customer
WHERE company_id = @company_id AND qr_code = @qr_code AND (hidden_at IS NULL OR merged_into_id IS NOT NULL);

-- name: CustomerByPhone :one
-- CustomerByPhone finds the person behind a phone: the first registered of several,
-- and one who was merged only where there is no other.
SELECT * FROM customer
WHERE company_id = @company_id AND phone = @phone AND (hidden_at IS NULL OR merged_into_id IS NOT NULL)
ORDER BY merged_into_id IS NOT NULL, id
LIMIT 1;

-- name: CustomerPhoneLock :exec
-- CustomerPhoneLock makes registrations of one phone follow each other until the
-- transaction ends, so that a person is created once.
-- @sqlc-vet-disable company-first
-- It touches no table; the company is part of what is locked.
SELECT pg_advisory_xact_lock(hashtextextended(concat(@company_id::uuid, @phone::text), 0));

-- name: CustomersByIDs :many
SELECT * FROM customer
WHERE company_id = @company_id AND id = ANY(@ids::uuid[]) AND (hidden_at IS NULL OR merged_into_id IS NOT NULL)
ORDER BY id;

-- name: CustomersPage :many
SELECT * FROM customer
WHERE company_id = @company_id AND hidden_at IS NULL AND (sqlc.narg('after')::uuid IS NULL OR id > sqlc.narg('after')::uuid)
ORDER BY id
LIMIT @batch_size;

-- name: CustomersCount :one
SELECT count(*) FROM customer WHERE company_id = @company_id AND hidden_at IS NULL;

-- name: CustomersSearch :many
-- CustomersSearch finds customers as spec/pretii.md 3.3 says: each rule is an
-- index probe of its own, a customer counts at its best rule, and a page goes on
-- behind (rank, first names and names, id), the names parted by what no name has. A
-- null argument switches its rule off.
WITH hit AS (
    SELECT id, 1 AS rank FROM customer WHERE company_id = @company_id AND email = sqlc.narg('text_key')::text
    UNION ALL
    SELECT id, 1 FROM customer WHERE company_id = @company_id AND document_key = sqlc.narg('text_key')::text
    UNION ALL
    SELECT id, 1 FROM customer WHERE company_id = @company_id AND qr_code = sqlc.narg('exact')::text
    UNION ALL
    SELECT id, 1 FROM customer WHERE company_id = @company_id AND code = sqlc.narg('exact')::text
    UNION ALL
    SELECT id, 2 FROM customer WHERE company_id = @company_id AND reverse(phone) COLLATE "C" LIKE sqlc.narg('phone_suffix')::text
    UNION ALL
    SELECT id, 3 FROM customer WHERE company_id = @company_id AND email LIKE sqlc.narg('prefix')::text
    UNION ALL
    SELECT id, 3 FROM customer WHERE company_id = @company_id AND document_key LIKE sqlc.narg('prefix')::text
    UNION ALL
    SELECT id, 4 FROM customer WHERE company_id = @company_id
        AND array_to_tsvector(string_to_array(
            right(company_id::text, 8) || replace(name_key, ' ', ' ' || right(company_id::text, 8)), ' ')) @@ sqlc.narg('words')::text::tsquery
)
SELECT sqlc.embed(customer), best.rank::integer AS rank, (coalesce(customer.first_key, customer.name_key) || E'\x01' || customer.name_key)::text AS sort_key
FROM (SELECT hit.id, min(hit.rank) AS rank FROM hit GROUP BY hit.id) AS best
JOIN customer ON customer.company_id = @company_id AND customer.id = best.id
WHERE customer.hidden_at IS NULL
  AND (best.rank, coalesce(customer.first_key, customer.name_key) || E'\x01' || customer.name_key, customer.id) > (@after_rank::integer, @after_sort_key::text, @after::uuid)
ORDER BY best.rank, coalesce(customer.first_key, customer.name_key) || E'\x01' || customer.name_key, customer.id
LIMIT @batch_size;

-- name: CustomersSearchPage :many
-- CustomersSearchPage is CustomersSearch for who counts pages (spec/pretii.md 3.3): its
-- answer tells how many there are, so all of them are collected for each page anyway,
-- and OFFSET costs no more.
WITH hit AS (
    SELECT id, 1 AS rank FROM customer WHERE company_id = @company_id AND email = sqlc.narg('text_key')::text
    UNION ALL
    SELECT id, 1 FROM customer WHERE company_id = @company_id AND document_key = sqlc.narg('text_key')::text
    UNION ALL
    SELECT id, 1 FROM customer WHERE company_id = @company_id AND qr_code = sqlc.narg('exact')::text
    UNION ALL
    SELECT id, 1 FROM customer WHERE company_id = @company_id AND code = sqlc.narg('exact')::text
    UNION ALL
    SELECT id, 2 FROM customer WHERE company_id = @company_id AND reverse(phone) COLLATE "C" LIKE sqlc.narg('phone_suffix')::text
    UNION ALL
    SELECT id, 3 FROM customer WHERE company_id = @company_id AND email LIKE sqlc.narg('prefix')::text
    UNION ALL
    SELECT id, 3 FROM customer WHERE company_id = @company_id AND document_key LIKE sqlc.narg('prefix')::text
    UNION ALL
    SELECT id, 4 FROM customer WHERE company_id = @company_id
        AND array_to_tsvector(string_to_array(
            right(company_id::text, 8) || replace(name_key, ' ', ' ' || right(company_id::text, 8)), ' ')) @@ sqlc.narg('words')::text::tsquery
)
SELECT sqlc.embed(customer), count(*) OVER () AS total
FROM (SELECT hit.id, min(hit.rank) AS rank FROM hit GROUP BY hit.id) AS best
JOIN customer ON customer.company_id = @company_id AND customer.id = best.id
WHERE customer.hidden_at IS NULL
ORDER BY best.rank, coalesce(customer.first_key, customer.name_key) || E'\x01' || customer.name_key, customer.id
LIMIT @batch_size OFFSET @skip::bigint;

-- name: CustomersSearchCount :one
-- CustomersSearchCount counts those of CustomersSearchPage, for a page behind the last.
WITH hit AS (
    SELECT id, 1 AS rank FROM customer WHERE company_id = @company_id AND email = sqlc.narg('text_key')::text
    UNION ALL
    SELECT id, 1 FROM customer WHERE company_id = @company_id AND document_key = sqlc.narg('text_key')::text
    UNION ALL
    SELECT id, 1 FROM customer WHERE company_id = @company_id AND qr_code = sqlc.narg('exact')::text
    UNION ALL
    SELECT id, 1 FROM customer WHERE company_id = @company_id AND code = sqlc.narg('exact')::text
    UNION ALL
    SELECT id, 2 FROM customer WHERE company_id = @company_id AND reverse(phone) COLLATE "C" LIKE sqlc.narg('phone_suffix')::text
    UNION ALL
    SELECT id, 3 FROM customer WHERE company_id = @company_id AND email LIKE sqlc.narg('prefix')::text
    UNION ALL
    SELECT id, 3 FROM customer WHERE company_id = @company_id AND document_key LIKE sqlc.narg('prefix')::text
    UNION ALL
    SELECT id, 4 FROM customer WHERE company_id = @company_id
        AND array_to_tsvector(string_to_array(
            right(company_id::text, 8) || replace(name_key, ' ', ' ' || right(company_id::text, 8)), ' ')) @@ sqlc.narg('words')::text::tsquery
)
SELECT count(DISTINCT customer.id)
FROM hit
JOIN customer ON customer.company_id = @company_id AND customer.id = hit.id
WHERE customer.hidden_at IS NULL;

-- name: CustomersFirstKeyMissing :many
-- CustomersFirstKeyMissing reads customers from before first_key, some at a time, from
-- behind an id.
SELECT id, first_name FROM customer
WHERE company_id = @company_id AND first_key IS NULL AND id > @after
ORDER BY id
LIMIT @batch_size;

-- name: CustomersFirstKeySet :execrows
-- CustomersFirstKeySet leaves out who was renamed or erased meanwhile.
UPDATE customer
SET first_key = given.first_key
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@first_names::text[]) AS first_name, unnest(@first_keys::text[]) AS first_key) AS given
WHERE customer.company_id = @company_id AND customer.id = given.id AND customer.first_key IS NULL AND customer.first_name = given.first_name;
