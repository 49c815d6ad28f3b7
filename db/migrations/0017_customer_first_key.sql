-- Customers who are found are listed by first names and then last names
-- (spec/pretii.md 3.3). name_key alone does not tell where the first end: it puts
-- "Ana Zeta" behind "Ana María Báez".
-- +goose Up

-- The first names as name_key has them; null until a job has come past the row, and
-- until then the row is listed by name_key.
ALTER TABLE customer ADD COLUMN first_key text COLLATE "C";

-- +goose Down
ALTER TABLE customer DROP COLUMN first_key;
