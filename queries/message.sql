-- name: MessageTemplates :many
-- MessageTemplates lists a company's own texts, of one language or of all.
SELECT * FROM message_template
WHERE company_id = @company_id AND (sqlc.narg('language')::text IS NULL OR language = sqlc.narg('language')::text)
ORDER BY kind, language;

-- name: MessageTemplatePut :one
INSERT INTO message_template (company_id, kind, language, body, updated_at)
VALUES (@company_id, @kind, @language, @body, @now)
ON CONFLICT (company_id, kind, language) DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at
RETURNING *;

-- name: MessageTemplateDelete :execrows
DELETE FROM message_template WHERE company_id = @company_id AND kind = @kind AND language = @language;
