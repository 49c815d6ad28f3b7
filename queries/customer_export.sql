-- What is held about a person, for their export: read in pages, so that the size of
-- what there is does not matter.

-- name: ExportSegments :many
SELECT segment.code, segment.name, m.added_at, m.updated_at
FROM customer_segment AS m
JOIN segment ON segment.company_id = m.company_id AND segment.id = m.segment_id
WHERE m.company_id = @company_id AND m.customer_id = @customer_id
ORDER BY m.segment_id;

-- name: ExportCards :many
SELECT sqlc.embed(card), card_type.code AS card_type_code, card_type.unit
FROM card
JOIN card_type ON card_type.company_id = card.company_id AND card_type.id = card.card_type_id
WHERE card.company_id = @company_id AND card.customer_id = @customer_id AND card.id > @after::uuid
ORDER BY card.id
LIMIT @batch_size;

-- name: ExportMovements :many
-- ExportMovements pages a card's movements, oldest first, each with the cells of the
-- imported row that made it, as long as they are kept.
SELECT sqlc.embed(movement), r.raw
FROM movement
LEFT JOIN import_row r ON r.company_id = movement.company_id AND r.import_id = movement.import_id AND r.line = movement.import_line
WHERE movement.company_id = @company_id AND movement.card_id = @card_id AND movement.seq > @after_seq AND movement.seq <= @upto_seq
ORDER BY movement.seq
LIMIT @batch_size;

-- name: ExportNotifications :many
-- ExportNotifications pages the messages to a person and about them, their cards too.
SELECT n.*
FROM notification n
WHERE n.company_id = @company_id AND n.id > @after::uuid
  AND (n.recipient = ANY(@recipients::text[]) OR n.subject_id = ANY(@subject_ids::uuid[]) OR n.card_id = ANY(@subject_ids::uuid[]))
ORDER BY n.id
LIMIT @batch_size;

-- name: ExportAuditEntries :many
-- ExportAuditEntries pages what was done to a person and to their cards.
SELECT a.*
FROM audit_entry a
WHERE a.company_id = @company_id AND a.id > @after::uuid
  AND a.target_id = ANY(@target_ids::uuid[])
ORDER BY a.id
LIMIT @batch_size;
