-- Customers as call centres know them: by any of several phones and e-mails, and by
-- a number; and the history of attempts in the order of time, which they read by
-- pages (spec/antcrm.md 3).
-- +goose NO TRANSACTION
-- +goose Up

-- The customer's number in the company, given when somebody first needs one.
ALTER TABLE customer ADD COLUMN IF NOT EXISTS number bigint;
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS customer_number_key ON customer (company_id, number) WHERE number IS NOT NULL;

-- Phones and e-mails of a customer beside, or as, customer.phone and customer.email:
-- here as they were given, with what they are for. One is one customer's at most.
CREATE TABLE IF NOT EXISTS customer_contact (
    company_id  uuid NOT NULL,
    id          uuid NOT NULL,
    customer_id uuid NOT NULL,
    kind        text NOT NULL CONSTRAINT customer_contact_kind_check CHECK (kind IN ('phone', 'email')),
    -- What it is for: Work, Mobile.
    label       text NOT NULL,
    value       text NOT NULL,
    -- The form in which it is found.
    value_key   text NOT NULL COLLATE "C",
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT customer_contact_value_key UNIQUE (company_id, kind, value_key),
    CONSTRAINT customer_contact_customer_fkey FOREIGN KEY (company_id, customer_id) REFERENCES customer (company_id, id)
);
CREATE INDEX IF NOT EXISTS customer_contact_customer_idx ON customer_contact (company_id, customer_id, id);

CREATE INDEX CONCURRENTLY IF NOT EXISTS reward_attempt_time_idx ON reward_attempt (company_id, kind, attempted_at, id);

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS reward_attempt_time_idx;
DROP TABLE IF EXISTS customer_contact;
DROP INDEX CONCURRENTLY IF EXISTS customer_number_key;
ALTER TABLE customer DROP COLUMN IF EXISTS number;
