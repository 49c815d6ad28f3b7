-- name: CustomerContactsOf :many
-- CustomerContactsOf reads the phones and e-mails of customers, with those of who was
-- merged into them: owner_id is who they are now.
SELECT sqlc.embed(contact), coalesce(person.merged_into_id, person.id)::uuid AS owner_id
FROM customer AS person
JOIN customer_contact AS contact ON contact.company_id = person.company_id AND contact.customer_id = person.id
WHERE person.company_id = @company_id AND (person.id = ANY(@ids::uuid[]) OR person.merged_into_id = ANY(@ids::uuid[]))
ORDER BY contact.id;

-- name: CustomersByContact :many
-- CustomersByContact tells whose the phones and e-mails are, each found by its form
-- among what was given and among the customers' own: the phone in any of the ways in
-- which an E.164 number can stand for it. The first registered comes first.
SELECT found.kind::text AS kind, found.value_key::text AS value_key, coalesce(person.merged_into_id, person.id)::uuid AS customer_id
FROM (
    SELECT contact.kind, contact.value_key, contact.customer_id, 0 AS place
    FROM customer_contact AS contact
    WHERE contact.company_id = @company_id
      AND (contact.kind = 'phone' AND contact.value_key = ANY(@phone_keys::text[]) OR contact.kind = 'email' AND contact.value_key = ANY(@email_keys::text[]))
    UNION ALL
    SELECT 'phone', own.value_key, customer.id, 1
    FROM (SELECT unnest(@own_phones::text[]) AS phone, unnest(@own_phone_keys::text[]) AS value_key) AS own
    JOIN customer ON customer.company_id = @company_id AND customer.phone = own.phone
    UNION ALL
    SELECT 'email', customer.email, customer.id, 1
    FROM customer WHERE customer.company_id = @company_id AND customer.email = ANY(@email_keys::text[])
) AS found
JOIN customer AS person ON person.company_id = @company_id AND person.id = found.customer_id
WHERE person.hidden_at IS NULL OR person.merged_into_id IS NOT NULL
ORDER BY found.place, person.merged_into_id IS NOT NULL, person.id;

-- name: CustomerContactsAdd :execrows
-- CustomerContactsAdd adds phones and e-mails that nobody has.
INSERT INTO customer_contact (company_id, id, customer_id, kind, label, value, value_key, created_at)
SELECT @company_id, given.id, @customer_id, given.kind, given.label, given.value, given.value_key, @now
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@kinds::text[]) AS kind, unnest(@labels::text[]) AS label,
             unnest(@values::text[]) AS value, unnest(@value_keys::text[]) AS value_key
      ORDER BY 2, 5) AS given
ON CONFLICT (company_id, kind, value_key) DO NOTHING;

-- name: CustomerNumberSet :one
-- CustomerNumberSet gives a customer the next number of the company, taken from the
-- counter by the same statement, where there is none yet.
WITH bare AS (
    SELECT customer.id FROM customer WHERE customer.company_id = @company_id AND customer.id = @id AND customer.number IS NULL FOR UPDATE
), next AS (
    INSERT INTO company_counter (company_id, name, value)
    SELECT @company_id, 'customer', 1 FROM bare
    ON CONFLICT (company_id, name) DO UPDATE SET value = company_counter.value + 1
    RETURNING value
)
UPDATE customer SET number = next.value, updated_at = @now
FROM next
WHERE customer.company_id = @company_id AND customer.id = @id
RETURNING customer.number;

-- name: CustomerNameSet :exec
-- CustomerNameSet names a customer who has no name yet.
UPDATE customer SET first_name = @first_name, name_key = @name_key, first_key = @first_key, updated_at = @now
WHERE company_id = @company_id AND id = @id AND first_name = '';
