-- The life of cards: wrong CVVs in a row are counted, lists of cards by type and
-- state have an index, and so has the stock that waits for a customer. Nothing that
-- a posting changes is in either.
-- +goose NO TRANSACTION
-- +goose Up
ALTER TABLE card
    -- Wrong CVVs since the last right one; from the fifth on the card refuses all
    -- CVVs until cvv_locked_until.
    ADD COLUMN IF NOT EXISTS cvv_failures smallint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS cvv_locked_until timestamptz;
CREATE INDEX CONCURRENTLY IF NOT EXISTS card_status_idx ON card (company_id, card_type_id, status, id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS card_stock_idx ON card (company_id, card_type_id, length(code), code)
    WHERE status = 'inactive' AND customer_id IS NULL;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS card_stock_idx;
DROP INDEX CONCURRENTLY IF EXISTS card_status_idx;
ALTER TABLE card DROP COLUMN IF EXISTS cvv_failures, DROP COLUMN IF EXISTS cvv_locked_until;
