-- Host names that stand for a company beside its code below the API's domain
-- (spec/pretii.md 2): older names, and domains of its own.
-- +goose Up

CREATE TABLE company_host (
    company_id uuid NOT NULL REFERENCES company (id),
    -- The whole name in lower case, without a port.
    host       text NOT NULL COLLATE "C",
    created_at timestamptz NOT NULL,
    PRIMARY KEY (company_id, host)
);
-- A host arrives without a company: it is what tells the company. That it has one
-- owner is seen to under a lock of its name (CompanyHostLock), since a constraint
-- over all companies could not be kept by a database that is parted by company.
CREATE INDEX company_host_host_idx ON company_host (host);

-- +goose Down
DROP TABLE company_host;
