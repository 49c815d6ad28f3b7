-- name: NotificationCreate :one
-- NotificationCreate queues a message. attempt numbers the messages about one
-- subject: the caller holds the subject's row, so that the numbers follow.
INSERT INTO notification (company_id, id, channel, kind, subject_id, attempt, recipient, subject, body, attachment, status, created_at)
SELECT @company_id, @id, @channel::text, @kind::text, @subject_id::uuid,
       (SELECT coalesce(max(n.attempt), 0) + 1 FROM notification n
        WHERE n.company_id = @company_id AND n.kind = @kind::text AND n.subject_id = @subject_id::uuid AND n.channel = @channel::text),
       @recipient, @subject, @body, @attachment, 'queued', @now
RETURNING *;

-- name: NotificationsCreate :exec
-- NotificationsCreate queues messages, several about one subject among them. The
-- caller holds what keeps others from telling of the same subjects meanwhile.
INSERT INTO notification (company_id, id, channel, kind, subject_id, attempt, recipient, subject, body, status, created_at)
SELECT @company_id, new.id, 'email', new.kind, new.subject_id,
       row_number() OVER (PARTITION BY new.kind, new.subject_id ORDER BY new.id)
       + coalesce((SELECT max(n.attempt) FROM notification n
                   WHERE n.company_id = @company_id AND n.kind = new.kind AND n.subject_id = new.subject_id AND n.channel = 'email'), 0),
       new.recipient, new.subject, new.body, 'queued', @now
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@kinds::text[]) AS kind, unnest(@subject_ids::uuid[]) AS subject_id,
             unnest(@recipients::text[]) AS recipient, unnest(@subjects::text[]) AS subject, unnest(@bodies::text[]) AS body) AS new;

-- name: NotificationByID :one
SELECT * FROM notification WHERE company_id = @company_id AND id = @id;

-- name: NotificationsByIDs :many
SELECT * FROM notification WHERE company_id = @company_id AND id = ANY(@ids::uuid[]) ORDER BY id;

-- name: NotificationsPage :many
-- NotificationsPage lists a company's messages, newest first (ids are UUIDv7),
-- from below the id given.
SELECT * FROM notification
WHERE company_id = @company_id
  AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before')::uuid)
  AND (sqlc.narg('status')::text IS NULL OR status = sqlc.narg('status')::text)
ORDER BY id DESC
LIMIT @batch_size;

-- name: NotificationsBySubjects :many
-- NotificationsBySubjects lists the messages about the objects of a page.
SELECT * FROM notification
WHERE company_id = @company_id AND kind = @kind AND subject_id = ANY(@subject_ids::uuid[])
ORDER BY subject_id, attempt, channel;

-- name: NotificationEnd :execrows
-- NotificationEnd tells what became of a message, once.
UPDATE notification
SET status = @status, error = @error,
    sent_at = CASE WHEN @status = 'sent' THEN @now::timestamptz END
WHERE company_id = @company_id AND id = @id AND status = 'queued';

-- name: NotificationRetry :one
-- NotificationRetry queues a failed message again.
UPDATE notification SET status = 'queued', error = NULL
WHERE company_id = @company_id AND id = @id AND status = 'failed'
RETURNING *;

-- name: NotificationTextsCreate :exec
-- NotificationTextsCreate queues messages to phones, each of a movement of a card. A
-- message is its own subject: a card has many of one kind. A zero price is none.
INSERT INTO notification (company_id, id, channel, kind, subject_id, attempt, recipient, subject, body, status, created_at, card_id, seq, price)
SELECT @company_id, new.id, new.channel, new.kind, new.id, 1, new.recipient, '', new.body, 'queued', @now, new.card_id, new.seq, nullif(new.price, 0)
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@channels::text[]) AS channel, unnest(@kinds::text[]) AS kind,
             unnest(@recipients::text[]) AS recipient, unnest(@bodies::text[]) AS body, unnest(@card_ids::uuid[]) AS card_id,
             unnest(@seqs::bigint[]) AS seq, unnest(@prices::numeric[]) AS price) AS new;

-- name: NotificationPriceTake :one
-- NotificationPriceTake takes the price off a message that is not to be sent any
-- more, and answers what it was: once, whoever asks again.
UPDATE notification
SET price = NULL
FROM (SELECT n.id, n.price FROM notification AS n WHERE n.company_id = @company_id AND n.id = @id FOR UPDATE) AS old
WHERE notification.company_id = @company_id AND notification.id = old.id AND notification.status = 'failed' AND old.price IS NOT NULL
RETURNING old.price::numeric AS price;

-- name: NotificationPriceSet :exec
-- NotificationPriceSet notes what a message that is tried again was charged.
UPDATE notification SET price = @price::numeric WHERE company_id = @company_id AND id = @id;

-- name: NotificationsOverdue :many
-- NotificationsOverdue finds paid messages that nobody sends any more: queued since
-- before a moment by which their job had given up, or failed with their price on them.
-- @sqlc-vet-disable company-first
-- One sweep serves every company; what it does to a message names company_id.
SELECT company_id, id, status FROM notification
WHERE price IS NOT NULL AND status IN ('queued', 'failed') AND (status = 'failed' OR created_at < @before)
ORDER BY company_id, id
LIMIT @batch_size;
