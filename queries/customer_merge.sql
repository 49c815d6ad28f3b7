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
