-- name: WebhookCreate :one
-- WebhookCreate begins with what is recorded from now on. Its cursor begins further
-- back, behind an event so old that no transaction can still be writing one of
-- before: there is no telling where those that write now will stand. The caller
-- holds the company's row, so that the number of webhooks holds; no row means that
-- there are as many as there may be.
INSERT INTO webhook (company_id, id, url, description, kinds, status, secret, cursor_id, events_since, actor_kind, actor_id, created_at, updated_at)
SELECT @company_id, @id, @url, @description, @kinds, 'enabled', @secret,
       coalesce((SELECT e.id FROM event e WHERE e.company_id = @company_id AND e.recorded_at < @written_by
                 ORDER BY e.id DESC LIMIT 1), 0), @now,
       @actor_kind, @actor_id, @now, @now
WHERE (SELECT count(*) FROM webhook w WHERE w.company_id = @company_id AND w.status <> 'deleted') < @most::integer
RETURNING *;

-- name: WebhookCompanyLock :one
-- @sqlc-vet-disable company-first
-- In its own table the company is the row.
SELECT id FROM company WHERE id = @company_id FOR NO KEY UPDATE;

-- name: WebhookByID :one
SELECT * FROM webhook WHERE company_id = @company_id AND id = @id AND status <> 'deleted';

-- name: WebhookLock :one
-- WebhookLock is the first lock of whoever changes a webhook or queues for it;
-- lanes are locked after it, never before.
SELECT * FROM webhook WHERE company_id = @company_id AND id = @id AND status <> 'deleted' FOR NO KEY UPDATE;

-- name: WebhooksPage :many
-- WebhooksPage lists a company's webhooks, oldest first (ids are UUIDv7), from
-- above the id given.
SELECT * FROM webhook
WHERE company_id = @company_id AND status <> 'deleted' AND (sqlc.narg('after')::uuid IS NULL OR id > sqlc.narg('after')::uuid)
ORDER BY id
LIMIT @batch_size;

-- name: WebhookChange :one
UPDATE webhook SET url = @url, description = @description, kinds = @kinds, updated_at = @now
WHERE company_id = @company_id AND id = @id
RETURNING *;

-- name: WebhookStatusSet :one
-- WebhookStatusSet begins anew: what failed before does not count any more.
UPDATE webhook
SET status = @status, disabled_reason = @disabled_reason, failures = 0, resume_at = NULL, updated_at = @now
WHERE company_id = @company_id AND id = @id
RETURNING *;

-- name: WebhookCursorSkip :one
-- WebhookCursorSkip goes on with what is recorded from now on, as WebhookCreate
-- begins.
UPDATE webhook
SET cursor_id = greatest(webhook.cursor_id, @oldest_id::bigint,
                         (SELECT e.id FROM event e WHERE e.company_id = @company_id AND e.recorded_at < @written_by
                          ORDER BY e.id DESC LIMIT 1)),
    events_since = @now, updated_at = @now
WHERE webhook.company_id = @company_id AND webhook.id = @id
RETURNING *;

-- name: WebhookRefresh :exec
-- WebhookRefresh gives what was tried before and is not delivered its full time
-- again, from now on.
WITH fresh AS (
    UPDATE webhook_delivery SET first_attempt_at = NULL, next_attempt_at = NULL
    WHERE webhook_delivery.company_id = @company_id AND webhook_delivery.webhook_id = @id
      AND webhook_delivery.status = 'pending' AND webhook_delivery.first_attempt_at IS NOT NULL
)
UPDATE webhook_lane SET due_at = @now
WHERE webhook_lane.company_id = @company_id AND webhook_lane.webhook_id = @id;

-- name: WebhookSecretSet :one
-- WebhookSecretSet puts a new secret in place; the one before it signs along until
-- its time ends.
UPDATE webhook SET secret = @secret, previous_secret = @previous_secret, previous_until = @previous_until, updated_at = @now
WHERE company_id = @company_id AND id = @id
RETURNING *;

-- name: WebhookDelete :exec
-- WebhookDelete hides a webhook and forgets its secrets; its rows go with the
-- day's pruning.
UPDATE webhook
SET status = 'deleted', disabled_reason = NULL, url = '', description = '', secret = '', previous_secret = NULL, previous_until = NULL,
    replay_after_id = NULL, replay_upto_id = NULL, replay_kinds = NULL, replay_at = NULL, updated_at = @now
WHERE company_id = @company_id AND id = @id;

-- name: WebhookReplayStart :one
UPDATE webhook
SET replay_after_id = @after_id::bigint, replay_upto_id = @upto_id::bigint, replay_kinds = @kinds, replay_at = @now::timestamptz, updated_at = @now
WHERE company_id = @company_id AND id = @id
RETURNING *;

-- name: WebhookOldestEvent :one
-- WebhookOldestEvent is the first event that is kept, and when it happened; no row
-- if the company has none.
SELECT id, recorded_at FROM event WHERE company_id = @company_id ORDER BY id LIMIT 1;

-- name: WebhookEventBefore :one
-- WebhookEventBefore is the number behind which all events since a time stand: one
-- below the first of them, or the last that is settled. Numbers are not quite in
-- the order of time; the first one counts, so that none is left out.
SELECT coalesce((SELECT e.id - 1 FROM event e
                 WHERE e.company_id = @company_id AND e.recorded_at >= @since AND e.id <= @upto_id
                 ORDER BY e.id LIMIT 1), @upto_id::bigint)::bigint AS id;

-- name: WebhooksDue :many
-- WebhooksDue lists the webhooks that have something to do: an index probe or two
-- for each one that is enabled.
-- @sqlc-vet-disable company-first
-- One watcher per process looks for the work of all companies.
SELECT w.company_id, w.id FROM webhook w
WHERE w.status = 'enabled' AND (w.resume_at IS NULL OR w.resume_at <= @now::timestamptz)
  AND (w.replay_upto_id IS NOT NULL
       OR EXISTS (SELECT 1 FROM event e WHERE e.company_id = w.company_id AND e.id > w.cursor_id AND e.id <= @settled_id)
       OR EXISTS (SELECT 1 FROM webhook_lane l WHERE l.company_id = w.company_id AND l.webhook_id = w.id AND l.due_at <= @now::timestamptz))
ORDER BY w.company_id, w.id;

-- name: WebhookOldestPending :one
-- WebhookOldestPending is since when an enabled webhook has had something to send,
-- of all companies; the epoch if none has. For the metrics.
-- @sqlc-vet-disable company-first
-- The figure is of the installation, not of a company.
SELECT coalesce(min(d.created_at), 'epoch')::timestamptz AS oldest_at
FROM webhook w
CROSS JOIN LATERAL (
    SELECT p.created_at FROM webhook_delivery p
    WHERE p.company_id = w.company_id AND p.webhook_id = w.id AND p.status = 'pending'
    ORDER BY p.seq
    LIMIT 1
) AS d
WHERE w.status = 'enabled';

-- name: WebhookQueueEvents :one
-- WebhookQueueEvents turns the next events of a range into deliveries, with the
-- lanes they are sent by, in one statement. The caller holds the webhook's row. A
-- lane that is there is locked, not changed: whoever ends a lane waits and then
-- sees what was added to it.
WITH looked AS MATERIALIZED (
    SELECT e.id, e.kind, e.subject_id, e.seq, e.recorded_at
    FROM event e
    WHERE e.company_id = @company_id AND e.id > @after_id AND e.id <= @upto_id
    ORDER BY e.id
    LIMIT @batch_size
), wanted AS MATERIALIZED (
    SELECT looked.id, looked.kind, looked.subject_id, looked.seq, looked.recorded_at, row_number() OVER (ORDER BY looked.id) AS place
    FROM looked
    WHERE (cardinality(@kinds::text[]) = 0 OR looked.kind = ANY(@kinds::text[]))
      AND looked.recorded_at >= @events_since::timestamptz
), queued AS (
    INSERT INTO webhook_delivery (company_id, webhook_id, seq, event_id, kind, subject_id, subject_seq, occurred_at, replay, status, created_at)
    SELECT @company_id, @webhook_id, wanted.place + @last_seq::bigint, wanted.id, wanted.kind, wanted.subject_id, wanted.seq,
           wanted.recorded_at, @replay, 'pending', @now::timestamptz
    FROM wanted
), laned AS (
    INSERT INTO webhook_lane (company_id, webhook_id, subject_id, due_at)
    SELECT @company_id, @webhook_id, w.subject_id, @now::timestamptz
    FROM (SELECT DISTINCT wanted.subject_id FROM wanted ORDER BY wanted.subject_id) AS w
    ON CONFLICT (company_id, webhook_id, subject_id) DO UPDATE SET due_at = webhook_lane.due_at
)
SELECT (SELECT count(*) FROM looked) AS looked,
       (SELECT coalesce(max(looked.id), 0) FROM looked)::bigint AS last_id,
       (SELECT count(*) FROM wanted) AS queued;

-- name: WebhookAdvance :exec
-- WebhookAdvance notes how far the live events have become deliveries.
UPDATE webhook SET cursor_id = @cursor_id, last_seq = @last_seq WHERE company_id = @company_id AND id = @id;

-- name: WebhookReplayAdvance :exec
-- WebhookReplayAdvance notes how far a replay is; without a place it has ended.
UPDATE webhook
SET last_seq = @last_seq,
    replay_after_id = sqlc.narg('after_id')::bigint,
    replay_upto_id = CASE WHEN sqlc.narg('after_id')::bigint IS NULL THEN NULL ELSE replay_upto_id END,
    replay_kinds = CASE WHEN sqlc.narg('after_id')::bigint IS NULL THEN NULL ELSE replay_kinds END,
    replay_at = CASE WHEN sqlc.narg('after_id')::bigint IS NULL THEN NULL ELSE replay_at END
WHERE company_id = @company_id AND id = @id;

-- name: WebhookQueueTest :one
-- WebhookQueueTest queues a delivery that tells of no event; its subject is the
-- webhook itself. The caller holds the webhook's row.
WITH numbered AS (
    UPDATE webhook SET last_seq = webhook.last_seq + 1
    WHERE webhook.company_id = @company_id AND webhook.id = @webhook_id
    RETURNING webhook.last_seq
), laned AS (
    INSERT INTO webhook_lane (company_id, webhook_id, subject_id, due_at)
    VALUES (@company_id, @webhook_id, @webhook_id, @now::timestamptz)
    ON CONFLICT (company_id, webhook_id, subject_id) DO UPDATE SET due_at = webhook_lane.due_at
)
INSERT INTO webhook_delivery (company_id, webhook_id, seq, kind, subject_id, subject_seq, occurred_at, replay, status, created_at)
SELECT @company_id, @webhook_id, numbered.last_seq, @kind, @webhook_id, 0, @now::timestamptz, false, 'pending', @now::timestamptz
FROM numbered
RETURNING *;

-- name: WebhookLanesTake :many
-- WebhookLanesTake takes the lanes that are due, the longest waiting first, or,
-- for a second look at a webhook that fails, the newest; each until a time that
-- its sending does not outlast.
WITH due AS (
    SELECT l.subject_id
    FROM webhook_lane l
    JOIN webhook w ON w.company_id = l.company_id AND w.id = l.webhook_id
    WHERE l.company_id = @company_id AND l.webhook_id = @webhook_id AND l.due_at <= @now::timestamptz
      AND w.status = 'enabled' AND (w.resume_at IS NULL OR w.resume_at <= @now::timestamptz)
    ORDER BY CASE WHEN @newest::boolean THEN -extract(epoch FROM l.due_at) ELSE extract(epoch FROM l.due_at) END, l.subject_id
    LIMIT @batch_size
    FOR NO KEY UPDATE OF l SKIP LOCKED
)
UPDATE webhook_lane SET due_at = @until
FROM due
WHERE webhook_lane.company_id = @company_id AND webhook_lane.webhook_id = @webhook_id AND webhook_lane.subject_id = due.subject_id
RETURNING webhook_lane.subject_id;

-- name: WebhookDeliveriesNext :many
-- WebhookDeliveriesNext reads the next delivery of each lane.
SELECT delivery.*
FROM unnest(@subject_ids::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT * FROM webhook_delivery
    WHERE webhook_delivery.company_id = @company_id AND webhook_delivery.webhook_id = @webhook_id
      AND webhook_delivery.status = 'pending' AND webhook_delivery.subject_id = wanted.id
    ORDER BY webhook_delivery.seq
    LIMIT 1
) AS delivery
ORDER BY delivery.seq;

-- name: WebhookLaneLock :one
-- WebhookLaneLock holds a lane, so that what is queued meanwhile is seen by the
-- statement that ends it.
SELECT subject_id FROM webhook_lane
WHERE company_id = @company_id AND webhook_id = @webhook_id AND subject_id = @subject_id
FOR UPDATE;

-- name: WebhookLaneEnd :exec
-- WebhookLaneEnd moves a lane to its next delivery, or drops it when there is none.
-- The caller holds the lane.
WITH more AS MATERIALIZED (
    SELECT EXISTS (SELECT 1 FROM webhook_delivery d
                   WHERE d.company_id = @company_id AND d.webhook_id = @webhook_id AND d.status = 'pending'
                     AND d.subject_id = @subject_id) AS any_pending
), moved AS (
    UPDATE webhook_lane SET due_at = @due_at
    FROM more
    WHERE webhook_lane.company_id = @company_id AND webhook_lane.webhook_id = @webhook_id
      AND webhook_lane.subject_id = @subject_id AND more.any_pending
)
DELETE FROM webhook_lane USING more
WHERE webhook_lane.company_id = @company_id AND webhook_lane.webhook_id = @webhook_id
  AND webhook_lane.subject_id = @subject_id AND NOT more.any_pending;

-- name: WebhookDeliveryMark :execrows
-- WebhookDeliveryMark notes an attempt and what it leaves the delivery in. It
-- changes nothing where somebody else has noted one since the delivery was read.
WITH marked AS (
    UPDATE webhook_delivery
    SET attempts = webhook_delivery.attempts + 1, status = @status, first_attempt_at = coalesce(webhook_delivery.first_attempt_at, @at),
        next_attempt_at = sqlc.narg('next_attempt_at')::timestamptz, ended_at = sqlc.narg('ended_at')::timestamptz
    WHERE webhook_delivery.company_id = @company_id AND webhook_delivery.webhook_id = @webhook_id AND webhook_delivery.seq = @seq
      AND webhook_delivery.status = 'pending' AND webhook_delivery.attempts = @attempts
    RETURNING webhook_delivery.attempts
)
INSERT INTO webhook_attempt (company_id, webhook_id, seq, attempt, at, duration_ms, status_code, error, response)
SELECT @company_id, @webhook_id, @seq, marked.attempts, @at, @duration_ms, sqlc.narg('status_code')::integer,
       sqlc.narg('error')::text, sqlc.narg('response')::text
FROM marked;

-- name: WebhookSucceeded :execrows
-- WebhookSucceeded notes that something arrived; written once a minute, or to end
-- a row of failures.
UPDATE webhook SET failures = 0, resume_at = NULL, last_success_at = @now::timestamptz
WHERE company_id = @company_id AND id = @id
  AND (failures > 0 OR resume_at IS NOT NULL OR last_success_at IS NULL OR last_success_at <= @before::timestamptz);

-- name: WebhookFailed :exec
-- WebhookFailed counts a failure and says how long the webhook rests. The caller
-- holds its row.
UPDATE webhook SET failures = @failures, resume_at = @resume_at WHERE company_id = @company_id AND id = @id;

-- name: WebhookDeliveryBySeq :one
SELECT d.* FROM webhook_delivery d
JOIN webhook w ON w.company_id = d.company_id AND w.id = d.webhook_id
WHERE d.company_id = @company_id AND d.webhook_id = @webhook_id AND d.seq = @seq AND w.status <> 'deleted';

-- name: WebhookDeliveryRetry :one
-- WebhookDeliveryRetry gives a dead delivery its full time again. It comes before
-- what its subject still has to be sent. The caller holds the webhook's row.
WITH again AS (
    UPDATE webhook_delivery SET status = 'pending', first_attempt_at = NULL, next_attempt_at = NULL, ended_at = NULL
    WHERE webhook_delivery.company_id = @company_id AND webhook_delivery.webhook_id = @webhook_id
      AND webhook_delivery.seq = @seq AND webhook_delivery.status = 'dead'
    RETURNING *
), laned AS (
    INSERT INTO webhook_lane (company_id, webhook_id, subject_id, due_at)
    SELECT @company_id, @webhook_id, again.subject_id, @now::timestamptz FROM again
    ON CONFLICT (company_id, webhook_id, subject_id) DO UPDATE SET due_at = webhook_lane.due_at
)
SELECT * FROM again;

-- name: WebhookDeliveriesByWebhooks :many
-- WebhookDeliveriesByWebhooks lists the newest deliveries of each webhook of a
-- page, from below the number given.
SELECT delivery.*
FROM unnest(@webhook_ids::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT * FROM webhook_delivery
    WHERE webhook_delivery.company_id = @company_id AND webhook_delivery.webhook_id = wanted.id
      AND webhook_delivery.seq < @before_seq
      AND (sqlc.narg('status')::text IS NULL OR webhook_delivery.status = sqlc.narg('status')::text)
      AND (sqlc.narg('kind')::text IS NULL OR webhook_delivery.kind = sqlc.narg('kind')::text)
    ORDER BY webhook_delivery.seq DESC
    LIMIT @batch_size
) AS delivery
ORDER BY delivery.webhook_id, delivery.seq DESC;

-- name: WebhookOldestPendings :many
-- WebhookOldestPendings is since when each webhook of a page has had something to
-- send.
SELECT wanted.id::uuid AS webhook_id, delivery.created_at
FROM unnest(@webhook_ids::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT webhook_delivery.created_at FROM webhook_delivery
    WHERE webhook_delivery.company_id = @company_id AND webhook_delivery.webhook_id = wanted.id AND webhook_delivery.status = 'pending'
    ORDER BY webhook_delivery.seq
    LIMIT 1
) AS delivery
ORDER BY wanted.id;

-- name: WebhookAttemptsByDeliveries :many
SELECT webhook_attempt.*
FROM (SELECT unnest(@webhook_ids::uuid[]) AS webhook_id, unnest(@seqs::bigint[]) AS seq) AS wanted
JOIN webhook_attempt ON webhook_attempt.company_id = @company_id AND webhook_attempt.webhook_id = wanted.webhook_id
                    AND webhook_attempt.seq = wanted.seq
ORDER BY webhook_attempt.webhook_id, webhook_attempt.seq, webhook_attempt.attempt;

-- name: WebhookMovements :many
-- WebhookMovements reads movements as deliveries tell of them.
SELECT m.card_id, m.seq, m.action, m.amount, m.balance_after, m.posted_at, m.source, m.reference,
       card.code AS card_code, card_type.code AS card_type_code, store.code AS store_code
FROM (SELECT unnest(@card_ids::uuid[]) AS card_id, unnest(@seqs::bigint[]) AS seq) AS wanted
JOIN movement m ON m.company_id = @company_id AND m.card_id = wanted.card_id AND m.seq = wanted.seq
JOIN card ON card.company_id = @company_id AND card.id = m.card_id
JOIN card_type ON card_type.company_id = @company_id AND card_type.id = card.card_type_id
LEFT JOIN store ON store.company_id = @company_id AND store.id = m.store_id
ORDER BY m.card_id, m.seq;

-- name: WebhookImports :many
-- WebhookImports reads imports as deliveries tell of them.
SELECT id, status, rows_total, rows_applied, rows_failed FROM import
WHERE company_id = @company_id AND id = ANY(@ids::uuid[])
ORDER BY id;

-- name: WebhookRecipients :many
-- WebhookRecipients are the operators who are told about a webhook: those who can
-- do something about it.
SELECT email FROM operator
WHERE company_id = @company_id AND disabled_at IS NULL AND @scope::text = ANY(scopes)
ORDER BY id
LIMIT @most;

-- name: WebhookDeliveriesPrune :execrows
-- WebhookDeliveriesPrune drops a batch of deliveries that were made before a time,
-- and of webhooks that were deleted, with their attempts.
DELETE FROM webhook_delivery
WHERE webhook_delivery.company_id = @company_id AND (webhook_delivery.webhook_id, webhook_delivery.seq) IN (
    SELECT d.webhook_id, d.seq FROM webhook_delivery d
    WHERE d.company_id = @company_id AND d.created_at < @older_than
    UNION
    SELECT d.webhook_id, d.seq
    FROM webhook w
    JOIN webhook_delivery d ON d.company_id = w.company_id AND d.webhook_id = w.id
    WHERE w.company_id = @company_id AND w.status = 'deleted'
    LIMIT @batch_size);

-- name: WebhooksPrune :execrows
-- WebhooksPrune drops the deleted webhooks that have no delivery left.
WITH gone AS MATERIALIZED (
    SELECT w.id FROM webhook w
    WHERE w.company_id = @company_id AND w.status = 'deleted'
      AND NOT EXISTS (SELECT 1 FROM webhook_delivery d WHERE d.company_id = @company_id AND d.webhook_id = w.id)
), lanes AS (
    DELETE FROM webhook_lane USING gone
    WHERE webhook_lane.company_id = @company_id AND webhook_lane.webhook_id = gone.id
    RETURNING webhook_lane.webhook_id
)
DELETE FROM webhook USING gone
WHERE webhook.company_id = @company_id AND webhook.id = gone.id AND (SELECT count(*) FROM lanes) >= 0;
