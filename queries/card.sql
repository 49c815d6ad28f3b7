-- name: CardCreate :one
INSERT INTO card (company_id, id, card_type_id, customer_id, code, status, floor, holder_name, holder_phone, holder_birthdate,
                  registered_at, created_at, updated_at)
VALUES (@company_id, @id, @card_type_id, @customer_id, @code, @status, @floor, @holder_name, @holder_phone, @holder_birthdate,
        @now, @now, @now)
RETURNING *;

-- name: CardByID :one
SELECT * FROM card WHERE company_id = @company_id AND id = @id;

-- name: CardByCode :one
SELECT * FROM card WHERE company_id = @company_id AND code = @code;

-- name: CardByHolderPhone :one
SELECT * FROM card WHERE company_id = @company_id AND card_type_id = @card_type_id AND holder_phone = @holder_phone;

-- name: CardReactivate :one
-- CardReactivate gives an archived contact its card back: balance and movements
-- are kept, name and a given birthdate replaced (spec/wallet.md 3.5).
UPDATE card
SET status = 'enabled', holder_name = @holder_name,
    holder_birthdate = coalesce(sqlc.narg('holder_birthdate'), holder_birthdate),
    registered_at = @now, updated_at = @now
WHERE company_id = @company_id AND id = @id AND status <> 'enabled'
RETURNING *;

-- name: CardStatusSet :one
-- CardStatusSet moves a card to another state; the states it may come from are
-- the caller's rule. No row: it was in none of them.
UPDATE card
SET status = @status, updated_at = @now
WHERE company_id = @company_id AND id = @id AND status = ANY(@from_statuses::text[])
RETURNING *;

-- name: CardsPage :many
-- CardsPage lists a company's cards, oldest first, from behind the id given.
SELECT * FROM card
WHERE company_id = @company_id AND (sqlc.narg('after')::uuid IS NULL OR id > sqlc.narg('after')::uuid)
ORDER BY id
LIMIT @batch_size;

-- name: CardsByTypes :many
-- CardsByTypes lists the first cards of each type of a page in registration
-- order: one statement, whatever the page's size.
SELECT card.*
FROM unnest(@card_type_ids::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT * FROM card
    WHERE card.company_id = @company_id AND card.card_type_id = wanted.id
      AND (NOT @enabled_only::boolean OR card.status = 'enabled')
      AND (card.registered_at, card.id) > (@after_registered_at::timestamptz, @after::uuid)
    ORDER BY card.registered_at, card.id
    LIMIT @batch_size
) AS card
ORDER BY card.card_type_id, card.registered_at, card.id;

-- name: CardsByIDs :many
SELECT * FROM card WHERE company_id = @company_id AND id = ANY(@ids::uuid[]) ORDER BY id;

-- name: CardsByCustomers :many
-- CardsByCustomers lists the first cards of each customer of a page: one
-- statement, whatever the page's size.
SELECT card.*
FROM unnest(@customer_ids::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT * FROM card
    WHERE card.company_id = @company_id AND card.customer_id = wanted.id
      AND (sqlc.narg('after')::uuid IS NULL OR card.id > sqlc.narg('after')::uuid)
    ORDER BY card.id
    LIMIT @batch_size
) AS card
ORDER BY card.customer_id, card.id;

-- name: CardsCount :one
SELECT count(*) FROM card WHERE company_id = @company_id;
