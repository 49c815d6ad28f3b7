-- name: CompanyCreate :one
-- @sqlc-vet-disable company-first
-- In its own table the company is the row.
INSERT INTO company (id, code, name, time_zone, language, currency, phone_prefix, created_at, updated_at)
VALUES (@company_id, @code, @name, @time_zone, @language, @currency, @phone_prefix, @now, @now)
RETURNING *;

-- name: CompanyByCode :one
-- CompanyByCode finds the company that a sign-in names.
-- @sqlc-vet-disable company-first
-- A sign-in arrives with the company's code; its id is what this tells.
SELECT * FROM company WHERE code = @code;

-- name: CompanyByID :one
-- @sqlc-vet-disable company-first
-- In its own table the company is the row.
SELECT * FROM company WHERE id = @company_id;

-- name: CompaniesAll :many
-- CompaniesAll lists every company, for the periodic jobs that start one job each.
-- @sqlc-vet-disable company-first
-- The list of companies itself belongs to no company.
SELECT * FROM company ORDER BY id;

-- name: CompanyUpdate :one
-- @sqlc-vet-disable company-first
-- In its own table the company is the row.
UPDATE company
SET name = coalesce(sqlc.narg('name'), name),
    time_zone = coalesce(sqlc.narg('time_zone'), time_zone),
    language = coalesce(sqlc.narg('language'), language),
    updated_at = @now
WHERE id = @company_id
RETURNING *;

-- name: SettingByName :one
SELECT value FROM company_setting WHERE company_id = @company_id AND name = @name;

-- name: SettingPut :exec
INSERT INTO company_setting (company_id, name, value, updated_at)
VALUES (@company_id, @name, @value, @now)
ON CONFLICT (company_id, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at;

-- name: CounterNext :one
-- CounterNext takes the next number of a sequence of the company: without gaps
-- among committed transactions, as the row stays locked until the end.
INSERT INTO company_counter (company_id, name, value)
VALUES (@company_id, @name, @first::bigint)
ON CONFLICT (company_id, name) DO UPDATE SET value = company_counter.value + 1
RETURNING value;
