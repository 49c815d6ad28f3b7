-- Contacts are counted against the plan's limit, and messages found by their card,
-- without a look at the tables' other rows; and so are paid
-- messages that may have to be paid back. Whoever is told of a movement is told once.
-- +goose NO TRANSACTION
-- +goose Up
CREATE INDEX CONCURRENTLY IF NOT EXISTS card_contact_idx ON card (company_id) WHERE status = 'enabled' AND holder_phone IS NOT NULL AND hidden_at IS NULL;
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS notification_movement_key ON notification (company_id, card_id, seq, kind) WHERE card_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS notification_paid_idx ON notification (company_id, id) WHERE price IS NOT NULL AND status IN ('queued', 'failed');
ALTER TABLE notification VALIDATE CONSTRAINT notification_channel_check;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS notification_paid_idx;
DROP INDEX CONCURRENTLY IF EXISTS notification_movement_key;
DROP INDEX CONCURRENTLY IF EXISTS card_contact_idx;
