-- Customers as people know them: a code of the company's own, attributes that the
-- company defines, segments; and how a person leaves: erased, or merged with
-- another row of the same person.
-- +goose Up

ALTER TABLE customer
    -- The name by which the company's other systems know the customer.
    ADD COLUMN code text COLLATE "C",
    ADD COLUMN active boolean NOT NULL DEFAULT true,
    -- When the personal data was erased.
    ADD COLUMN erased_at timestamptz,
    -- Found by no list, search or look-up: wholly erased, or merged.
    ADD COLUMN hidden_at timestamptz,
    -- Who the customer is now. It always leads to one that is not merged itself, so
    -- one step is enough. The row keeps what the other one has a value of its own
    -- for, so that an old e-mail address still leads to the person.
    ADD COLUMN merged_into_id uuid,
    ADD CONSTRAINT customer_merged_into_fkey FOREIGN KEY (company_id, merged_into_id) REFERENCES customer (company_id, id),
    ADD CONSTRAINT customer_merged_check CHECK (merged_into_id IS NULL OR hidden_at IS NOT NULL);
-- Both are built over rows that have nothing in them yet.
CREATE UNIQUE INDEX customer_code_key ON customer (company_id, code) WHERE code IS NOT NULL;
CREATE INDEX customer_merged_into_idx ON customer (company_id, merged_into_id) WHERE merged_into_id IS NOT NULL;

-- What a company wants to know of its customers. A company without definitions may
-- put anything into customer.attributes.
CREATE TABLE customer_attribute (
    company_id  uuid NOT NULL REFERENCES company (id),
    id          uuid NOT NULL,
    code        text NOT NULL COLLATE "C",
    name        text NOT NULL,
    type        text NOT NULL CONSTRAINT customer_attribute_type_check CHECK (type IN ('text', 'integer', 'decimal', 'boolean', 'date', 'choice')),
    required    boolean NOT NULL,
    options     text[] NOT NULL DEFAULT '{}',
    -- The values that customers had under this name before it was defined are put
    -- into the index by a job: those of customers up to this id are in.
    indexed_to  uuid,
    -- When all were; until then nobody can be looked for by the attribute.
    indexed_at  timestamptz,
    archived_at timestamptz,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT customer_attribute_code_key UNIQUE (company_id, code),
    CONSTRAINT customer_attribute_options_check CHECK ((type = 'choice') = (cardinality(options) > 0))
);

-- Who has a value: customer.attributes once more, in the order in which customers
-- are looked for. A page of a value that half of the customers have is a range of
-- the key; GIN on the column would collect and sort all of them, and all companies'.
CREATE TABLE customer_attribute_value (
    company_id   uuid NOT NULL,
    attribute_id uuid NOT NULL,
    -- The value's one canonical text.
    value        text NOT NULL COLLATE "C",
    customer_id  uuid NOT NULL,
    PRIMARY KEY (company_id, attribute_id, value, customer_id),
    CONSTRAINT customer_attribute_value_attribute_fkey FOREIGN KEY (company_id, attribute_id) REFERENCES customer_attribute (company_id, id),
    CONSTRAINT customer_attribute_value_customer_fkey FOREIGN KEY (company_id, customer_id) REFERENCES customer (company_id, id)
);
CREATE UNIQUE INDEX customer_attribute_value_customer_key ON customer_attribute_value (company_id, customer_id, attribute_id);

CREATE TABLE segment (
    company_id  uuid NOT NULL REFERENCES company (id),
    id          uuid NOT NULL,
    code        text NOT NULL COLLATE "C",
    name        text NOT NULL,
    archived_at timestamptz,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT segment_code_key UNIQUE (company_id, code)
);

CREATE TABLE customer_segment (
    company_id  uuid NOT NULL,
    segment_id  uuid NOT NULL,
    customer_id uuid NOT NULL,
    added_at    timestamptz NOT NULL,
    -- When the membership was last confirmed.
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (company_id, segment_id, customer_id),
    CONSTRAINT customer_segment_segment_fkey FOREIGN KEY (company_id, segment_id) REFERENCES segment (company_id, id),
    CONSTRAINT customer_segment_customer_fkey FOREIGN KEY (company_id, customer_id) REFERENCES customer (company_id, id)
);
CREATE INDEX customer_segment_customer_idx ON customer_segment (company_id, customer_id, segment_id);

-- A person who was erased, while a job looks for them in the files that were
-- imported. What they are known by there is kept for that long and no longer.
CREATE TABLE customer_erasure (
    company_id   uuid NOT NULL REFERENCES company (id),
    id           uuid NOT NULL,
    -- The customer, and those merged into it.
    customer_ids uuid[] NOT NULL,
    emails       text[] NOT NULL,
    document_keys text[] NOT NULL,
    -- How far: rows of imports up to this one are done.
    cursor_import_id uuid,
    cursor_line  integer NOT NULL DEFAULT 0,
    rows_deleted integer NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL,
    finished_at  timestamptz,
    PRIMARY KEY (company_id, id),
    CONSTRAINT customer_erasure_forgets_check CHECK (finished_at IS NULL OR (emails = '{}' AND document_keys = '{}'))
);

-- Messages to somebody, and about something: for their export and their erasure.
CREATE INDEX notification_recipient_idx ON notification (company_id, recipient);
CREATE INDEX notification_subject_idx ON notification (company_id, subject_id, id);

-- +goose Down
DROP INDEX notification_recipient_idx, notification_subject_idx;
DROP TABLE customer_erasure, customer_segment, segment, customer_attribute_value, customer_attribute;
DROP INDEX customer_code_key, customer_merged_into_idx;
ALTER TABLE customer DROP COLUMN code, DROP COLUMN active, DROP COLUMN erased_at, DROP COLUMN hidden_at, DROP COLUMN merged_into_id;
