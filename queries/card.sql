-- name: CardCreate :one
INSERT INTO card (company_id, id, card_type_id, customer_id, code, status, floor, holder_name, holder_phone, holder_birthdate,
                  registered_at, created_at, updated_at)
VALUES (@company_id, @id, @card_type_id, @customer_id, @code, @status, @floor, @holder_name, @holder_phone, @holder_birthdate,
        @now, @now, @now)
RETURNING *;

-- name: CardsIssue :exec
-- CardsIssue puts cards on stock: inactive, empty, of no customer.
INSERT INTO card (company_id, id, card_type_id, code, status, floor, registered_at, created_at, updated_at)
SELECT @company_id, stock.id, @card_type_id, stock.code, 'inactive', @floor, @now, @now, @now
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@codes::text[]) AS code) AS stock;

-- name: CardByID :one
SELECT * FROM card WHERE company_id = @company_id AND id = @id AND hidden_at IS NULL;

-- name: CardByCode :one
SELECT * FROM card WHERE company_id = @company_id AND code = @code AND hidden_at IS NULL;

-- name: CardByHolderPhone :one
SELECT * FROM card
WHERE company_id = @company_id AND card_type_id = @card_type_id AND holder_phone = @holder_phone AND hidden_at IS NULL;

-- name: CardHolderSet :one
-- CardHolderSet says who holds a locked card: a contact's name, phone and birthdate
-- as given at the till (spec/wallet.md 3.5).
UPDATE card
SET holder_name = sqlc.narg('holder_name'), holder_phone = sqlc.narg('holder_phone'), holder_birthdate = sqlc.narg('holder_birthdate'),
    updated_at = @now
WHERE company_id = @company_id AND id = @id
RETURNING *;

-- name: CardsLifeWrite :exec
-- CardsLifeWrite writes what a book did to its locked cards besides their figures.
-- '', zero ids, the first day of the calendar and its first moment stand for null.
UPDATE card
SET status = life.status, status_reason = nullif(life.status_reason, ''), status_at = nullif(life.status_at, '0001-01-01 00:00:00+00'),
    customer_id = nullif(life.customer_id, '00000000-0000-0000-0000-000000000000'),
    valid_from = nullif(life.valid_from, '0001-01-01'), valid_to = nullif(life.valid_to, '0001-01-01'),
    replaced_by_id = nullif(life.replaced_by_id, '00000000-0000-0000-0000-000000000000'),
    registered_at = life.registered_at, floor = life.floor, updated_at = @now
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@statuses::text[]) AS status, unnest(@status_reasons::text[]) AS status_reason,
             unnest(@status_ats::timestamptz[]) AS status_at, unnest(@customer_ids::uuid[]) AS customer_id,
             unnest(@valid_froms::date[]) AS valid_from, unnest(@valid_tos::date[]) AS valid_to,
             unnest(@replaced_by_ids::uuid[]) AS replaced_by_id, unnest(@registered_ats::timestamptz[]) AS registered_at,
             unnest(@floors::numeric[]) AS floor) AS life
WHERE card.company_id = @company_id AND card.id = life.id;

-- name: CardsHide :exec
-- CardsHide takes locked cards out of everybody's sight: their codes and phones are
-- free again, and nothing tells whose they were.
UPDATE card
SET code = gone.code, holder_name = NULL, holder_phone = NULL, holder_birthdate = NULL, cvv_hash = NULL, hidden_at = @now, updated_at = @now
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@codes::text[]) AS code) AS gone
WHERE card.company_id = @company_id AND card.id = gone.id;

-- name: CardCvvSet :exec
-- CardCvvSet gives a locked card a new CVV, and forgets the wrong ones.
UPDATE card
SET cvv_hash = @cvv_hash, cvv_failures = 0, cvv_locked_until = NULL, updated_at = @now
WHERE company_id = @company_id AND id = @id;

-- name: CardCvvNote :exec
-- CardCvvNote notes on a locked card how many CVVs in a row were wrong.
UPDATE card
SET cvv_failures = @cvv_failures, cvv_locked_until = sqlc.narg('cvv_locked_until')
WHERE company_id = @company_id AND id = @id;

-- name: CardCustomersLock :many
-- CardCustomersLock locks customers in the order of their ids, before any of their
-- cards: rules over all cards of a customer hold among transactions that begin so.
SELECT id, active, erased_at, hidden_at, merged_into_id FROM customer
WHERE company_id = @company_id AND id = ANY(@ids::uuid[])
ORDER BY id
FOR NO KEY UPDATE;

-- name: CardsOnlyActive :many
-- CardsOnlyActive lists the enabled cards of locked customers that are of a type of
-- which a customer has one at most.
SELECT card.id, card.card_type_id, card.code
FROM card
JOIN card_type ON card_type.company_id = card.company_id AND card_type.id = card.card_type_id
WHERE card.company_id = @company_id AND card.customer_id = ANY(@customer_ids::uuid[]) AND card.status = 'enabled'
  AND card.hidden_at IS NULL AND card_type.one_active_card
ORDER BY card.card_type_id, card.id;

-- name: CardIDsOfCustomers :many
SELECT id FROM card WHERE company_id = @company_id AND customer_id = ANY(@customer_ids::uuid[]) AND hidden_at IS NULL ORDER BY id;

-- name: CardsHolderErase :execrows
-- CardsHolderErase takes the holder off the cards of some customers, locked in the
-- order in which everybody locks cards. The code of a wallet's contact is their
-- phone: an internal one takes its place.
WITH theirs AS (
    SELECT c.id FROM card AS c
    WHERE c.company_id = @company_id AND c.customer_id = ANY(@customer_ids::uuid[])
    ORDER BY c.id
    FOR NO KEY UPDATE
)
UPDATE card
SET holder_name = CASE WHEN card.holder_name IS NOT NULL THEN '-' END, holder_phone = NULL, holder_birthdate = NULL,
    code = CASE WHEN card.code LIKE '%' || card.holder_phone THEN 'erased-' || card.id::text ELSE card.code END,
    updated_at = @now
FROM theirs
WHERE card.company_id = @company_id AND card.id = theirs.id;

-- name: CardHoldsOpen :many
-- CardHoldsOpen lists the open holds of a locked card.
SELECT * FROM hold WHERE company_id = @company_id AND card_id = @card_id AND status = 'open' ORDER BY seq;

-- name: CardNext :one
-- CardNext is the next card of a type on stock: the lowest code, by length, then
-- text, of those that are inactive, nobody's and not past their validity. An index
-- probe; nothing is reserved (spec/promo-2.md, NextCardNumber).
SELECT card.*
FROM card
WHERE card.company_id = @company_id AND card.card_type_id = @card_type_id AND card.status = 'inactive' AND card.customer_id IS NULL
  AND card.hidden_at IS NULL
  AND (card.valid_to IS NULL OR card.valid_to >= (SELECT timezone(company.time_zone, @now::timestamptz)::date FROM company WHERE company.id = @company_id))
ORDER BY length(card.code), card.code
LIMIT 1;

-- name: CardNumberLock :one
-- CardNumberLock is the last number that was given out of a sequence. Whoever asks
-- waits until the one before has committed or rolled back, so nothing is left out
-- and nothing comes twice.
INSERT INTO company_counter (company_id, name, value)
VALUES (@company_id, @name, @before_first::bigint)
ON CONFLICT (company_id, name) DO UPDATE SET value = company_counter.value
RETURNING value;

-- name: CardNumberSet :exec
UPDATE company_counter SET value = @value WHERE company_id = @company_id AND name = @name;

-- name: CardCodesTaken :many
-- CardCodesTaken tells which of some codes cards have already.
SELECT code FROM card WHERE company_id = @company_id AND code = ANY(@codes::text[]) ORDER BY code;

-- name: CardsPage :many
-- CardsPage lists a company's cards, oldest first, from behind the id given.
SELECT * FROM card
WHERE company_id = @company_id AND hidden_at IS NULL AND (sqlc.narg('after')::uuid IS NULL OR id > sqlc.narg('after')::uuid)
ORDER BY id
LIMIT @batch_size;

-- name: CardsByStatusPage :many
-- CardsByStatusPage lists the cards of a type, of a state or of both, oldest first:
-- an index probe for each type and state, of which there are few.
SELECT card.*
FROM card_type
CROSS JOIN unnest(@statuses::text[]) AS wanted (status)
CROSS JOIN LATERAL (
    SELECT * FROM card
    WHERE card.company_id = card_type.company_id AND card.card_type_id = card_type.id AND card.status = wanted.status
      AND card.id > coalesce(sqlc.narg('after')::uuid, '00000000-0000-0000-0000-000000000000') AND card.hidden_at IS NULL
    ORDER BY card.id
    LIMIT @batch_size
) AS card
WHERE card_type.company_id = @company_id AND (sqlc.narg('card_type_code')::text IS NULL OR card_type.code = sqlc.narg('card_type_code')::text)
ORDER BY card.id
LIMIT @batch_size;

-- name: CardsOfCustomerPage :many
-- CardsOfCustomerPage lists a customer's cards, of a type, a state or both.
SELECT card.*
FROM card
JOIN card_type ON card_type.company_id = card.company_id AND card_type.id = card.card_type_id
WHERE card.company_id = @company_id AND card.customer_id = @customer_id::uuid AND card.status = ANY(@statuses::text[])
  AND card.hidden_at IS NULL
  AND (sqlc.narg('card_type_code')::text IS NULL OR card_type.code = sqlc.narg('card_type_code')::text)
  AND (sqlc.narg('after')::uuid IS NULL OR card.id > sqlc.narg('after')::uuid)
ORDER BY card.id
LIMIT @batch_size;

-- name: CardsByTypes :many
-- CardsByTypes lists the first cards of each type of a page in registration
-- order: one statement, whatever the page's size.
SELECT card.*
FROM unnest(@card_type_ids::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT * FROM card
    WHERE card.company_id = @company_id AND card.card_type_id = wanted.id AND card.hidden_at IS NULL
      AND (NOT @enabled_only::boolean OR card.status = 'enabled')
      AND (card.registered_at, card.id) > (@after_registered_at::timestamptz, @after::uuid)
    ORDER BY card.registered_at, card.id
    LIMIT @batch_size
) AS card
ORDER BY card.card_type_id, card.registered_at, card.id;

-- name: CardsByIDs :many
SELECT * FROM card WHERE company_id = @company_id AND id = ANY(@ids::uuid[]) AND hidden_at IS NULL ORDER BY id;

-- name: CardsByCustomers :many
-- CardsByCustomers lists the first cards of each customer of a page: one
-- statement, whatever the page's size.
SELECT card.*
FROM unnest(@customer_ids::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT * FROM card
    WHERE card.company_id = @company_id AND card.customer_id = wanted.id AND card.hidden_at IS NULL
      AND (sqlc.narg('after')::uuid IS NULL OR card.id > sqlc.narg('after')::uuid)
    ORDER BY card.id
    LIMIT @batch_size
) AS card
ORDER BY card.customer_id, card.id;

-- name: CardsCount :one
SELECT count(*) FROM card WHERE company_id = @company_id AND hidden_at IS NULL;

-- name: CardsByStatusCount :one
SELECT count(*)
FROM card_type
JOIN card ON card.company_id = card_type.company_id AND card.card_type_id = card_type.id
WHERE card_type.company_id = @company_id AND (sqlc.narg('card_type_code')::text IS NULL OR card_type.code = sqlc.narg('card_type_code')::text)
  AND card.status = ANY(@statuses::text[]) AND card.hidden_at IS NULL;

-- name: CardsOfCustomerCount :one
SELECT count(*)
FROM card
JOIN card_type ON card_type.company_id = card.company_id AND card_type.id = card.card_type_id
WHERE card.company_id = @company_id AND card.customer_id = @customer_id::uuid AND card.status = ANY(@statuses::text[])
  AND card.hidden_at IS NULL
  AND (sqlc.narg('card_type_code')::text IS NULL OR card_type.code = sqlc.narg('card_type_code')::text);

-- name: CardsFloorSet :one
-- CardsFloorSet gives the next cards of a type another floor, in the order of their
-- ids. What a card is below it already is a debt, which credits pay. No row: there
-- are no more.
WITH next AS MATERIALIZED (
    SELECT card.id
    FROM unnest(ARRAY['disabled', 'enabled', 'inactive']) AS wanted (status)
    CROSS JOIN LATERAL (
        SELECT c.id FROM card AS c
        WHERE c.company_id = @company_id AND c.card_type_id = @card_type_id AND c.status = wanted.status AND c.id > @after
        ORDER BY c.id
        LIMIT @batch_size
    ) AS card
    ORDER BY card.id
    LIMIT @batch_size
), locked AS MATERIALIZED (
    SELECT card.id FROM card
    WHERE card.company_id = @company_id AND card.id IN (SELECT next.id FROM next)
    ORDER BY card.id
    FOR NO KEY UPDATE
), changed AS (
    UPDATE card
    SET floor = sqlc.arg('floor')::numeric, debt = greatest(sqlc.arg('floor')::numeric - (card.balance - card.held), 0), updated_at = @now
    FROM locked
    WHERE card.company_id = @company_id AND card.id = locked.id AND card.floor <> sqlc.arg('floor')::numeric
    RETURNING 1
)
SELECT (SELECT locked.id FROM locked ORDER BY locked.id DESC LIMIT 1)::uuid AS last_id,
       (SELECT count(*) FROM changed)::bigint AS cards
FROM locked
LIMIT 1;

-- name: CardOfCustomer :one
-- CardOfCustomer is the account that a customer has in a programme: an enabled card of
-- the type, else one that is disabled. Of several, as after a merge, it is the one with
-- most to spend, so that what they own pays for what they ask, and a new one adds to it.
SELECT * FROM card
WHERE company_id = @company_id AND customer_id = @customer_id::uuid AND card_type_id = @card_type_id AND status IN ('enabled', 'disabled')
  AND hidden_at IS NULL
ORDER BY status = 'disabled', balance - held - floor DESC, created_at, id
LIMIT 1;

-- name: CardsOfProgramme :many
-- CardsOfProgramme are the accounts of customers in the programme that the company keeps
-- points in (its setting points_card_type), each as CardOfCustomer picks it.
SELECT DISTINCT ON (card.customer_id) card.*
FROM company_setting AS setting
JOIN card_type ON card_type.company_id = @company_id AND card_type.code = setting.value #>> '{}'
JOIN card ON card.company_id = @company_id AND card.customer_id = ANY(@customer_ids::uuid[]) AND card.card_type_id = card_type.id
WHERE setting.company_id = @company_id AND setting.name = 'points_card_type'
  AND card.status IN ('enabled', 'disabled') AND card.hidden_at IS NULL
ORDER BY card.customer_id, card.status = 'disabled', card.balance - card.held - card.floor DESC, card.created_at, card.id;
