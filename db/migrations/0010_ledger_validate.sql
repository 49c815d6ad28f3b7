-- What 0004 put off: it reads the whole of movement, and so holds no lock that
-- stops postings.
-- +goose NO TRANSACTION
-- +goose Up
ALTER TABLE movement VALIDATE CONSTRAINT movement_action_check;
-- Returns find what was taken back of a movement already.
CREATE INDEX CONCURRENTLY IF NOT EXISTS movement_answer_idx ON movement (company_id, related_card_id, related_seq)
    WHERE action IN ('reverse', 'expire', 'write_off') AND related_card_id IS NOT NULL;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS movement_answer_idx;
