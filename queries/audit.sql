-- name: AuditEntryCreate :exec
INSERT INTO audit_entry (company_id, id, actor_kind, actor_id, action, target_type, target_id, detail, at)
VALUES (@company_id, @id, @actor_kind, @actor_id, @action, @target_type, @target_id, @detail, @at);

-- name: AuditEntriesPage :many
-- AuditEntriesPage lists a company's entries, newest first (ids are UUIDv7), from
-- below the id given.
SELECT * FROM audit_entry
WHERE company_id = @company_id AND (sqlc.narg('before')::uuid IS NULL OR id < sqlc.narg('before')::uuid)
ORDER BY id DESC
LIMIT @batch_size;
