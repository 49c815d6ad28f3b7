-- Imports, and what they tell by mail.
-- +goose Up

CREATE TABLE import (
    company_id   uuid NOT NULL REFERENCES company (id),
    id           uuid NOT NULL,
    kind         text NOT NULL CONSTRAINT import_kind_check CHECK (kind IN ('points')),
    -- uploading rows are invisible; queued, running, finished, refused (the file
    -- as a whole), failed (given up), cancelled.
    status       text NOT NULL CONSTRAINT import_status_check CHECK (status IN ('uploading', 'queued', 'running', 'finished', 'refused', 'failed', 'cancelled')),
    file_name    text NOT NULL,
    sha256       bytea NOT NULL,
    bytes        bigint NOT NULL,
    -- The bytes were sent again on purpose: not held against the earlier import.
    forced       boolean NOT NULL,
    card_type_id uuid NOT NULL,
    recipient    text,
    delimiter    text NOT NULL,
    encoding     text NOT NULL,
    -- The header as one CSV record.
    header       text NOT NULL,
    refusal_code text,
    refusal_message text,
    -- How far: rows of this pass up to cursor_line are done. pass grows by one at
    -- each reprocess, which takes up only the rows that failed.
    pass         smallint NOT NULL DEFAULT 1,
    checked      boolean NOT NULL DEFAULT false,
    cursor_line  integer NOT NULL DEFAULT 0,
    rows_total   integer NOT NULL,
    rows_applied integer NOT NULL DEFAULT 0,
    rows_failed  integer NOT NULL DEFAULT 0,
    customers_created integer NOT NULL DEFAULT 0,
    customers_updated integer NOT NULL DEFAULT 0,
    points_assigned numeric(19,4) NOT NULL DEFAULT 0,
    -- Steps taken, so that progress has an order.
    progress_seq bigint NOT NULL DEFAULT 0,
    actor_kind   text NOT NULL,
    actor_id     uuid,
    created_at   timestamptz NOT NULL,
    started_at   timestamptz,
    finished_at  timestamptz,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT import_card_type_fkey FOREIGN KEY (company_id, card_type_id) REFERENCES card_type (company_id, id)
);
-- Two uploads of the same bytes at once make one import.
CREATE UNIQUE INDEX import_sha256_key ON import (company_id, sha256) WHERE NOT forced AND status <> 'uploading';

-- The staged file. row_id is made at upload: the id of the customer that the row
-- creates if there is none, and of the card that it opens.
CREATE TABLE import_row (
    company_id  uuid NOT NULL,
    import_id   uuid NOT NULL,
    line        integer NOT NULL,
    pass        smallint NOT NULL DEFAULT 1,
    row_id      uuid NOT NULL,
    first_name  text NOT NULL,
    last_name   text,
    email       text COLLATE "C",
    document    text,
    points      bigint NOT NULL,
    -- The names as people search them.
    first_key   text NOT NULL,
    last_key    text NOT NULL,
    error_code  text,
    error_value text,
    -- The first line with the same e-mail, where error_code is email_duplicado.
    error_line  integer,
    -- The cells as one CSV record.
    raw         text NOT NULL,
    PRIMARY KEY (company_id, import_id, line)
);
CREATE INDEX import_row_error_idx ON import_row (company_id, import_id, line) WHERE error_code IS NOT NULL;

-- Mails (later SMS) that the platform sends, and those kept where no server is set.
CREATE TABLE notification (
    company_id uuid NOT NULL REFERENCES company (id),
    id         uuid NOT NULL,
    channel    text NOT NULL CONSTRAINT notification_channel_check CHECK (channel IN ('email', 'sms')),
    kind       text NOT NULL,
    subject_id uuid NOT NULL,
    -- Which end of the subject it tells: an import has one for each pass.
    attempt    smallint NOT NULL,
    recipient  text NOT NULL,
    subject    text NOT NULL,
    body       text NOT NULL,
    -- Name of the file that goes with it, made anew when it is sent.
    attachment text,
    status     text NOT NULL CONSTRAINT notification_status_check CHECK (status IN ('queued', 'sent', 'kept', 'failed')),
    error      text,
    sent_at    timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT notification_subject_key UNIQUE (company_id, kind, subject_id, attempt, channel)
);

-- +goose Down
DROP TABLE notification, import_row, import;
