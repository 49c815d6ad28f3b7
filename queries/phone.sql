-- name: PhonesBlock :execrows
-- PhonesBlock blocks phones; those that are blocked stay as they are.
INSERT INTO blocked_phone (company_id, phone, reason, created_at)
SELECT @company_id, given.phone, sqlc.narg('reason'), @now
FROM (SELECT DISTINCT unnest(@phones::text[]) AS phone) AS given
ON CONFLICT (company_id, phone) DO NOTHING;

-- name: PhonesUnblock :execrows
DELETE FROM blocked_phone WHERE company_id = @company_id AND phone = ANY(@phones::text[]);

-- name: PhonesBlocked :many
-- PhonesBlocked tells which of some phones are blocked.
SELECT phone FROM blocked_phone WHERE company_id = @company_id AND phone = ANY(@phones::text[]) ORDER BY phone;

-- name: BlockedPhonesPage :many
SELECT * FROM blocked_phone
WHERE company_id = @company_id AND phone > @after::text
ORDER BY phone
LIMIT @batch_size;

-- name: AreaPrefixesSet :exec
-- AreaPrefixesSet switches prefixes on or off, whatever their country has.
INSERT INTO area_prefix (company_id, prefix, supported, updated_at)
SELECT @company_id, given.prefix, @supported, @now
FROM (SELECT DISTINCT unnest(@prefixes::text[]) AS prefix) AS given
ON CONFLICT (company_id, prefix) DO UPDATE SET supported = excluded.supported, updated_at = excluded.updated_at;

-- name: AreaPrefixes :many
-- AreaPrefixes lists what a company switched on or off, 1,000 at most.
SELECT * FROM area_prefix WHERE company_id = @company_id ORDER BY prefix;

-- name: AreaPrefixSupported :one
-- AreaPrefixSupported is what a company says of a prefix.
SELECT supported FROM area_prefix WHERE company_id = @company_id AND prefix = @prefix;

-- name: NumberRangesClear :execrows
DELETE FROM number_range WHERE company_id = @company_id;

-- name: NumberRangesPut :exec
-- NumberRangesPut loads ranges; one that is there gets the line given.
INSERT INTO number_range (company_id, first_number, last_number, line, created_at)
SELECT DISTINCT ON (given.first_number, given.last_number)
       @company_id::uuid AS company_id, given.first_number, given.last_number, given.line, @now::timestamptz AS created_at
FROM (SELECT unnest(@first_numbers::bigint[]) AS first_number, unnest(@last_numbers::bigint[]) AS last_number, unnest(@lines::text[]) AS line,
             generate_series(1, cardinality(@lines::text[])) AS place) AS given
ORDER BY given.first_number, given.last_number, given.place DESC
ON CONFLICT (company_id, width, first_number, last_number) DO UPDATE SET line = excluded.line;

-- name: NumberRangesPage :many
-- NumberRangesPage lists ranges, those of the fewest digits first.
SELECT * FROM number_range
WHERE company_id = @company_id AND (width, first_number, last_number) > (@after_width::smallint, @after_first::bigint, @after_last::bigint)
ORDER BY width, first_number, last_number
LIMIT @batch_size;

-- name: NumberLine :one
-- NumberLine is what the narrowest range with a number in it says. A range of a width
-- begins less than so many digits' numbers before it, so each width is a short scan.
SELECT found.line
FROM (SELECT generate_series(1, 10) AS width, @number::bigint AS number) AS asked
CROSS JOIN LATERAL (
    SELECT number_range.line, number_range.last_number - number_range.first_number AS size, number_range.first_number
    FROM number_range
    WHERE number_range.company_id = @company_id AND number_range.width = asked.width::smallint
      AND number_range.first_number <= asked.number
      AND number_range.first_number > asked.number - (10::numeric ^ asked.width)::bigint
      AND number_range.last_number >= asked.number
    ORDER BY number_range.last_number - number_range.first_number, number_range.first_number DESC
    LIMIT 1
) AS found
ORDER BY found.size, found.first_number DESC
LIMIT 1;
