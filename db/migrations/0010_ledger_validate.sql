-- What 0004 put off: it reads the whole of movement, and so holds no lock that
-- stops postings.
-- +goose NO TRANSACTION
-- +goose Up
ALTER TABLE movement VALIDATE CONSTRAINT movement_action_check;
-- Returns find what was taken back of a movement already.
CREATE INDEX CONCURRENTLY IF NOT EXISTS movement_reversal_idx ON movement (company_id, related_card_id, related_seq) WHERE action = 'reverse';

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS movement_reversal_idx;
