-- name: OperatorCreate :one
-- operator_email_key refuses an address that the company has already.
INSERT INTO operator (company_id, id, email, name, password_hash, scopes, created_at, updated_at)
VALUES (@company_id, @id, @email, @name, @password_hash, @scopes, @now, @now)
RETURNING *;

-- name: OperatorByID :one
SELECT * FROM operator WHERE company_id = @company_id AND id = @id;

-- name: OperatorForSignIn :one
-- OperatorForSignIn finds the operator of an address in one statement, whether
-- the company or the address is unknown: both take the same time.
SELECT operator.*
FROM company
JOIN operator ON operator.company_id = company.id AND operator.email = @email
WHERE company.code = @company_code;

-- name: OperatorsPage :many
-- OperatorsPage lists a company's operators, oldest first (ids are UUIDv7), from
-- above the id given.
SELECT * FROM operator
WHERE company_id = @company_id AND (sqlc.narg('after')::uuid IS NULL OR id > sqlc.narg('after')::uuid)
ORDER BY id
LIMIT @batch_size;

-- name: OperatorLock :one
-- OperatorLock keeps an operator's scopes as they are until the transaction
-- that depends on them has ended.
SELECT * FROM operator WHERE company_id = @company_id AND id = @id FOR UPDATE;

-- name: OperatorDisable :one
-- OperatorDisable answers no row when the operator is disabled already: the first
-- moment stays.
UPDATE operator SET disabled_at = @now::timestamptz, updated_at = @now
WHERE company_id = @company_id AND id = @id AND disabled_at IS NULL
RETURNING *;

-- name: OperatorPasswordSet :one
UPDATE operator SET password_hash = @password_hash, updated_at = @now
WHERE company_id = @company_id AND id = @id
RETURNING *;

-- name: OperatorPasswordRehash :execrows
-- OperatorPasswordRehash replaces a hash of the same password under older
-- parameters; none is replaced when the password changed meanwhile.
UPDATE operator SET password_hash = @password_hash
WHERE company_id = @company_id AND id = @id AND password_hash = @old_hash;

-- name: OperatorSessionCreate :execrows
-- OperatorSessionCreate starts a session for the password that was verified. The
-- share lock makes a change of password at the same moment wait, so that it ends
-- this session too; no row when the change came first.
WITH who AS (
    SELECT operator.id FROM operator
    WHERE operator.company_id = @company_id AND operator.id = @operator_id
      AND operator.password_hash = @password_hash AND operator.disabled_at IS NULL
    FOR SHARE
)
INSERT INTO operator_session (company_id, id, operator_id, secret_hash, rotated_at, expires_at, created_at)
SELECT @company_id, @id, who.id, @secret_hash, @now, @expires_at, @now
FROM who;

-- name: OperatorSessionRotate :one
-- OperatorSessionRotate puts a new refresh token in the place of the one given,
-- in one statement: of two at the same moment the second waits for the row, sees
-- the new hash and matches nothing.
UPDATE operator_session
SET previous_hash = operator_session.secret_hash, secret_hash = @new_hash,
    rotated_at = @now, expires_at = @expires_at
FROM operator
WHERE operator_session.company_id = @company_id AND operator_session.id = @id
  AND operator_session.secret_hash = @secret_hash
  AND operator_session.ended_at IS NULL AND operator_session.expires_at > @now
  AND operator.company_id = @company_id AND operator.id = operator_session.operator_id
  AND operator.disabled_at IS NULL
RETURNING operator.*;

-- name: OperatorSessionState :one
-- OperatorSessionState is what an access token stands for at this moment.
SELECT operator_session.expires_at, operator_session.ended_at,
       operator.id AS operator_id, operator.email, operator.scopes, operator.disabled_at
FROM operator_session
JOIN operator ON operator.company_id = operator_session.company_id AND operator.id = operator_session.operator_id
WHERE operator_session.company_id = @company_id AND operator_session.id = @id;

-- name: OperatorSessionEnd :one
-- OperatorSessionEnd ends a live session and tells whose it was; no row when
-- there is none.
UPDATE operator_session SET ended_at = @now::timestamptz
WHERE company_id = @company_id AND id = @id AND ended_at IS NULL AND expires_at > @now
RETURNING operator_id;

-- name: OperatorSessionsEnd :many
-- OperatorSessionsEnd ends all live sessions of an operator and tells which.
WITH ended AS (
    UPDATE operator_session SET ended_at = @now::timestamptz
    WHERE operator_session.company_id = @company_id AND operator_session.operator_id = @operator_id
      AND operator_session.ended_at IS NULL
    RETURNING operator_session.id
)
SELECT ended.id FROM ended ORDER BY ended.id;

-- name: OperatorSessionsPrune :execrows
-- OperatorSessionsPrune drops a batch of a company's sessions that were over
-- before the moment given.
DELETE FROM operator_session
WHERE operator_session.company_id = @company_id AND operator_session.id IN (
    SELECT s.id FROM operator_session s
    WHERE s.company_id = @company_id AND (s.expires_at < @before OR s.ended_at < @before)
    ORDER BY s.id
    LIMIT @batch_size);
