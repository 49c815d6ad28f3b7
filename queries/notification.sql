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
