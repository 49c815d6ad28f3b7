-- Companies, the people who work for them, and the credentials that name them.
-- Every table of a company has company_id first in its keys, so that the schema
-- can be distributed by company as it stands.
-- +goose Up

CREATE TABLE company (
    id           uuid PRIMARY KEY,
    code         text NOT NULL CONSTRAINT company_code_key UNIQUE
                 CONSTRAINT company_code_check CHECK (code ~ '^[a-z0-9][a-z0-9-]{1,39}$'),
    name         text NOT NULL,
    -- IANA zone: business days, periods and legacy formats use it.
    time_zone    text NOT NULL,
    -- BCP 47 language of texts that reach the company's people: en, es, pt, vi.
    language     text NOT NULL,
    -- ISO 4217.
    currency     text NOT NULL,
    -- Calling code with its plus sign, put before national phone numbers.
    phone_prefix text NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);

-- The card type that a dialect without card types of its own works on.
CREATE TABLE company_setting (
    company_id uuid NOT NULL REFERENCES company (id),
    name       text NOT NULL,
    value      jsonb NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (company_id, name)
);

-- Next values of numbers that people read: staff numbers, card numbers.
CREATE TABLE company_counter (
    company_id uuid NOT NULL REFERENCES company (id),
    name       text NOT NULL,
    value      bigint NOT NULL,
    PRIMARY KEY (company_id, name)
);

CREATE TABLE store (
    company_id  uuid NOT NULL REFERENCES company (id),
    id          uuid NOT NULL,
    code        text NOT NULL,
    name        text NOT NULL,
    -- Lower case, single spaces: the name as it is compared.
    name_key    text NOT NULL,
    archived_at timestamptz,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT store_code_key UNIQUE (company_id, code)
);
CREATE INDEX store_name_key_idx ON store (company_id, name_key);

CREATE TABLE staff (
    company_id           uuid NOT NULL REFERENCES company (id),
    id                   uuid NOT NULL,
    -- The number tills know the person by (spec/wallet.md usertool_id).
    number               bigint NOT NULL,
    name                 text NOT NULL,
    name_key             text NOT NULL,
    -- National number of ten digits in the wallet dialect.
    phone                text NOT NULL,
    role                 text NOT NULL CONSTRAINT staff_role_check CHECK (role IN ('cashier', 'manager')),
    store_id             uuid NOT NULL,
    password_hash        text,
    -- HMAC of the password under a server secret: finds equal passwords of one
    -- company without keeping any (spec/wallet.md 3.9). Gone once archived.
    password_fingerprint bytea,
    archived_at          timestamptz,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT staff_number_key UNIQUE (company_id, number),
    CONSTRAINT staff_store_fkey FOREIGN KEY (company_id, store_id) REFERENCES store (company_id, id)
);
-- In this order: PostgreSQL reports the first that is broken, and tills are told of
-- name and password before phone (spec/wallet.md 3.9).
CREATE UNIQUE INDEX staff_active_name_key ON staff (company_id, name_key) WHERE archived_at IS NULL;
CREATE UNIQUE INDEX staff_active_password_key ON staff (company_id, password_fingerprint) WHERE archived_at IS NULL;
CREATE UNIQUE INDEX staff_active_phone_key ON staff (company_id, phone) WHERE archived_at IS NULL;

-- People of a company who sign in with e-mail and password (dashboards).
CREATE TABLE operator (
    company_id    uuid NOT NULL REFERENCES company (id),
    id            uuid NOT NULL,
    email         text NOT NULL COLLATE "C",
    name          text NOT NULL,
    password_hash text NOT NULL,
    scopes        text[] NOT NULL,
    disabled_at   timestamptz,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT operator_email_key UNIQUE (company_id, email)
);

-- One signed-in operator. The refresh token rotates at each use; the hash of the
-- one before is kept so that its reuse ends the session.
CREATE TABLE operator_session (
    company_id    uuid NOT NULL REFERENCES company (id),
    id            uuid NOT NULL,
    operator_id   uuid NOT NULL,
    secret_hash   bytea NOT NULL,
    previous_hash bytea,
    rotated_at    timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT operator_session_operator_fkey FOREIGN KEY (company_id, operator_id) REFERENCES operator (company_id, id)
);
CREATE INDEX operator_session_operator_idx ON operator_session (company_id, operator_id);

CREATE TABLE api_key (
    company_id   uuid NOT NULL REFERENCES company (id),
    id           uuid NOT NULL,
    kind         text NOT NULL CONSTRAINT api_key_kind_check CHECK (kind IN ('server', 'wallet', 'pretii', 'antcrm')),
    name         text NOT NULL,
    -- SHA-256 of the key: it is random, so a slow hash would protect nothing.
    hash         bytea NOT NULL,
    -- Last four characters, to tell keys apart in a list.
    hint         text NOT NULL,
    scopes       text[] NOT NULL,
    -- Where results of what the key starts are sent (spec/pretii.md 4.1).
    contact_email text,
    created_by   uuid,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    -- Written at most once a minute.
    last_used_at timestamptz,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT api_key_hash_key UNIQUE (company_id, hash)
);
-- A key arrives without a company: it is what tells the company.
CREATE INDEX api_key_hash_idx ON api_key (hash);

CREATE TABLE audit_entry (
    company_id  uuid NOT NULL REFERENCES company (id),
    id          uuid NOT NULL,
    actor_kind  text NOT NULL,
    actor_id    uuid,
    action      text NOT NULL,
    target_type text NOT NULL,
    target_id   uuid,
    -- What changed, without personal data: names of fields, codes, states.
    detail      jsonb NOT NULL DEFAULT '{}',
    at          timestamptz NOT NULL,
    PRIMARY KEY (company_id, id)
);
CREATE INDEX audit_entry_target_idx ON audit_entry (company_id, target_id, id);

-- +goose Down
DROP TABLE audit_entry, api_key, operator_session, operator, staff, store, company_counter, company_setting, company;
