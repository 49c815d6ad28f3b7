-- What is left on a card is read before each of its movements: open lots and open
-- holds have indexes of their own, or a card with years behind it would be read
-- through all that is closed.
-- +goose NO TRANSACTION
-- +goose Up
CREATE INDEX CONCURRENTLY IF NOT EXISTS lot_left_idx ON lot (company_id, card_id) WHERE state <> 'closed';
CREATE INDEX CONCURRENTLY IF NOT EXISTS hold_open_idx ON hold (company_id, card_id) WHERE status = 'open';

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS hold_open_idx;
DROP INDEX CONCURRENTLY IF EXISTS lot_left_idx;
