-- name: CustomerMergedAway :exec
-- CustomerMergedAway hides a customer behind the one they are now, and leads those
-- who were merged into them there too. What the other one takes over leaves the
-- row: each of it is unique in the company.
UPDATE customer
SET merged_into_id = @into_id::uuid, hidden_at = coalesce(hidden_at, @now), active = false, updated_at = @now,
    code = CASE WHEN customer.id = @from_id AND @takes_code::boolean THEN NULL ELSE customer.code END,
    email = CASE WHEN customer.id = @from_id AND @takes_email::boolean THEN NULL ELSE customer.email END,
    document = CASE WHEN customer.id = @from_id AND @takes_document::boolean THEN NULL ELSE customer.document END,
    document_key = CASE WHEN customer.id = @from_id AND @takes_document::boolean THEN NULL ELSE customer.document_key END
WHERE customer.company_id = @company_id AND (customer.id = @from_id OR customer.merged_into_id = @from_id);

-- name: CustomersMergedInto :many
-- CustomersMergedInto are those who were merged into a customer.
SELECT * FROM customer WHERE company_id = @company_id AND merged_into_id = @into_id::uuid ORDER BY id;

-- name: CardsMove :exec
-- CardsMove gives all cards of one customer to another, locked in the order in which
-- everybody locks cards. Their movements stay.
WITH theirs AS (
    SELECT c.id FROM card c
    WHERE c.company_id = @company_id AND c.customer_id = @from_id::uuid
    ORDER BY c.id
    FOR NO KEY UPDATE
)
UPDATE card SET customer_id = @into_id::uuid, updated_at = @now
FROM theirs
WHERE card.company_id = @company_id AND card.id = theirs.id;

-- name: CardTypeOneActiveOfBoth :one
-- CardTypeOneActiveOfBoth finds a card type of which a customer has one enabled card
-- at most and two customers together have two.
SELECT card_type.code
FROM card AS a
JOIN card AS b ON b.company_id = a.company_id AND b.card_type_id = a.card_type_id
JOIN card_type ON card_type.company_id = a.company_id AND card_type.id = a.card_type_id
WHERE a.company_id = @company_id AND a.customer_id = @from_id::uuid AND b.customer_id = @into_id::uuid
  AND a.status = 'enabled' AND b.status = 'enabled' AND card_type.one_active_card
ORDER BY card_type.code
LIMIT 1;
