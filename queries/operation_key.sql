-- name: OperationKeyByID :one
-- OperationKeyByID reads the first answer that a key stands for.
SELECT * FROM operation_key WHERE company_id = @company_id AND id = @id;

-- name: OperationKeyCreate :exec
-- OperationKeyCreate notes what came of a request, in the transaction that does it.
-- A request with the same key that was faster breaks operation_key_pkey.
INSERT INTO operation_key (company_id, id, fingerprint, result_id, result_seq, expires_at)
VALUES (@company_id, @id, @fingerprint, @result_id, @result_seq, @expires_at);

-- name: OperationKeyDeleteExpired :execrows
-- OperationKeyDeleteExpired frees one key whose time has passed.
DELETE FROM operation_key WHERE company_id = @company_id AND id = @id AND expires_at <= @now;

-- name: OperationKeyPrune :execrows
-- OperationKeyPrune drops a batch of a company's keys whose time has passed.
DELETE FROM operation_key
WHERE operation_key.company_id = @company_id AND operation_key.id IN (
    SELECT k.id FROM operation_key k
    WHERE k.company_id = @company_id AND k.expires_at <= @now
    LIMIT @batch_size);
