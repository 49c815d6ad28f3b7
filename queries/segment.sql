-- name: SegmentCreate :one
INSERT INTO segment (company_id, id, code, name, created_at, updated_at)
VALUES (@company_id, @id, @code, @name, @now, @now)
RETURNING *;

-- name: SegmentUpdate :one
UPDATE segment SET name = @name, updated_at = @now
WHERE company_id = @company_id AND code = @code
RETURNING *;

-- name: SegmentArchive :one
-- SegmentArchive archives, or brings back.
UPDATE segment
SET archived_at = CASE WHEN @archived::boolean THEN coalesce(archived_at, @now) END, updated_at = @now
WHERE company_id = @company_id AND code = @code
RETURNING *;

-- name: SegmentByID :one
SELECT * FROM segment WHERE company_id = @company_id AND id = @id;

-- name: SegmentByCode :one
SELECT * FROM segment WHERE company_id = @company_id AND code = @code;

-- name: SegmentLock :one
-- SegmentLock makes changes of one segment's members follow each other. It leaves
-- foreign keys alone, which a merge of two customers checks while it holds them.
SELECT * FROM segment WHERE company_id = @company_id AND code = @code FOR NO KEY UPDATE;

-- name: SegmentsPage :many
SELECT * FROM segment
WHERE company_id = @company_id AND (@with_archived::boolean OR archived_at IS NULL)
  AND (sqlc.narg('after')::uuid IS NULL OR id > sqlc.narg('after')::uuid)
ORDER BY id
LIMIT @batch_size;

-- name: SegmentsCount :one
SELECT count(*) FROM segment WHERE company_id = @company_id AND (@with_archived::boolean OR archived_at IS NULL);

-- name: SegmentsByCustomers :many
-- SegmentsByCustomers lists the first segments of each customer of a page, oldest
-- segment first: one statement, whatever the page's size.
SELECT sqlc.embed(segment), m.customer_id, m.added_at, m.updated_at
FROM unnest(@customer_ids::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT * FROM customer_segment
    WHERE customer_segment.company_id = @company_id AND customer_segment.customer_id = wanted.id
      AND (sqlc.narg('after')::uuid IS NULL OR customer_segment.segment_id > sqlc.narg('after')::uuid)
    ORDER BY customer_segment.segment_id
    LIMIT @batch_size
) AS m
JOIN segment ON segment.company_id = @company_id AND segment.id = m.segment_id
ORDER BY m.customer_id, m.segment_id;

-- name: SegmentMembersBySegments :many
-- SegmentMembersBySegments lists the first members of each segment of a page, by
-- the age of the customer: one statement, whatever the page's size.
SELECT sqlc.embed(customer), m.segment_id, m.added_at, m.updated_at
FROM unnest(@segment_ids::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT * FROM customer_segment
    WHERE customer_segment.company_id = @company_id AND customer_segment.segment_id = wanted.id
      AND (sqlc.narg('after')::uuid IS NULL OR customer_segment.customer_id > sqlc.narg('after')::uuid)
    ORDER BY customer_segment.customer_id
    LIMIT @batch_size
) AS m
JOIN customer ON customer.company_id = @company_id AND customer.id = m.customer_id
ORDER BY m.segment_id, m.customer_id;

-- name: SegmentMembersCount :many
-- SegmentMembersCount counts the members of each segment of a page.
SELECT customer_segment.segment_id, count(*) AS members
FROM customer_segment
WHERE customer_segment.company_id = @company_id AND customer_segment.segment_id = ANY(@segment_ids::uuid[])
GROUP BY customer_segment.segment_id
ORDER BY customer_segment.segment_id;

-- name: CustomersOfRefs :many
-- CustomersOfRefs finds customers by id or code and keeps them from being erased or
-- merged until the transaction ends.
SELECT * FROM customer
WHERE company_id = @company_id AND hidden_at IS NULL AND (id = ANY(@ids::uuid[]) OR code = ANY(@codes::text[]))
ORDER BY id
FOR KEY SHARE;

-- name: SegmentMembersOf :many
-- SegmentMembersOf tells who of some customers is a member.
SELECT customer_id FROM customer_segment
WHERE company_id = @company_id AND segment_id = @segment_id AND customer_id = ANY(@customer_ids::uuid[])
ORDER BY customer_id;

-- name: SegmentMembersPut :exec
-- SegmentMembersPut adds members; those who are there get a new time stamp.
INSERT INTO customer_segment (company_id, segment_id, customer_id, added_at, updated_at)
SELECT @company_id, @segment_id, unnest(@customer_ids::uuid[]), @now, @now
ON CONFLICT (company_id, segment_id, customer_id) DO UPDATE SET updated_at = excluded.updated_at;

-- name: SegmentMembersDelete :execrows
DELETE FROM customer_segment
WHERE company_id = @company_id AND segment_id = @segment_id AND customer_id = ANY(@customer_ids::uuid[]);

-- name: SegmentMembersClear :execrows
DELETE FROM customer_segment WHERE company_id = @company_id AND segment_id = @segment_id;

-- name: SegmentsMove :exec
-- SegmentsMove gives the memberships of one customer to another, who keeps those
-- of their own.
WITH moved AS (
    DELETE FROM customer_segment
    WHERE customer_segment.company_id = @company_id AND customer_segment.customer_id = @from_id
    RETURNING customer_segment.segment_id, customer_segment.added_at
)
INSERT INTO customer_segment (company_id, segment_id, customer_id, added_at, updated_at)
SELECT @company_id, moved.segment_id, @into_id, moved.added_at, @now
FROM moved
ON CONFLICT (company_id, segment_id, customer_id) DO NOTHING;

-- name: SegmentsLeave :exec
-- SegmentsLeave ends all memberships of some customers.
DELETE FROM customer_segment WHERE company_id = @company_id AND customer_id = ANY(@customer_ids::uuid[]);
