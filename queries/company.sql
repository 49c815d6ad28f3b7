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

-- name: CompanyByHost :one
-- CompanyByHost is the company that a host name stands for: by its code where the name
-- has one, else by a name of its own.
-- @sqlc-vet-disable company-first
-- A host arrives without a company; its id is what this tells.
SELECT named.id
FROM (SELECT company.id, 0 AS place FROM company WHERE company.code = sqlc.narg('code')::text
      UNION ALL
      SELECT company_host.company_id, 1 FROM company_host WHERE company_host.host = @host::text) AS named
ORDER BY named.place
LIMIT 1;

-- name: CompanyHosts :many
SELECT * FROM company_host WHERE company_id = @company_id ORDER BY host;

-- name: CompanyHostLock :exec
-- CompanyHostLock makes those who give a host name away follow each other until the
-- transaction ends: it has one owner, whichever company that is.
-- @sqlc-vet-disable company-first
-- It touches no table; the name is what is locked, over all companies.
SELECT pg_advisory_xact_lock(hashtextextended(concat('host ', @host::text), 0));

-- name: CompanyHostPut :one
-- CompanyHostPut gives a company a host name; one that it has stays as it is.
INSERT INTO company_host (company_id, host, created_at)
VALUES (@company_id, @host, @now)
ON CONFLICT (company_id, host) DO UPDATE SET created_at = company_host.created_at
RETURNING *;

-- name: CompanyHostDelete :one
DELETE FROM company_host WHERE company_id = @company_id AND host = @host RETURNING *;
