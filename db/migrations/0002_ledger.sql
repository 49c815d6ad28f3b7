-- Customers, card types, cards and the movements that are the books.
-- +goose Up

CREATE TABLE customer (
    company_id  uuid NOT NULL REFERENCES company (id),
    id          uuid NOT NULL,
    first_name  text NOT NULL,
    last_name   text,
    -- Lower case; COLLATE "C" so that the unique index serves prefixes too.
    email       text COLLATE "C",
    -- E.164.
    phone       text COLLATE "C",
    document    text,
    -- Lower case.
    document_key text COLLATE "C",
    -- What the customer's QR code holds: unguessable.
    qr_code     text NOT NULL COLLATE "C",
    birthdate   date,
    attributes  jsonb NOT NULL DEFAULT '{}',
    -- The words of the name in lower case without accents, single spaces between.
    name_key    text NOT NULL COLLATE "C",
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT customer_email_key UNIQUE (company_id, email),
    CONSTRAINT customer_document_key UNIQUE (company_id, document_key),
    CONSTRAINT customer_qr_code_key UNIQUE (company_id, qr_code)
);
-- The words of the name, each behind the end of the company's id: one GIN index
-- serves "begins some word of the name" within one company, with nothing beyond
-- PostgreSQL's core. Queries repeat the expression to the letter.
CREATE INDEX customer_name_words_idx ON customer USING gin (array_to_tsvector(string_to_array(
    right(company_id::text, 8) || replace(name_key, ' ', ' ' || right(company_id::text, 8)), ' ')));
CREATE INDEX customer_phone_idx ON customer (company_id, phone);
CREATE INDEX customer_phone_suffix_idx ON customer (company_id, reverse(phone) COLLATE "C");

CREATE TABLE card_type (
    company_id         uuid NOT NULL REFERENCES company (id),
    id                 uuid NOT NULL,
    code               text NOT NULL,
    name               text NOT NULL,
    unit               text NOT NULL CONSTRAINT card_type_unit_check CHECK (unit IN ('points', 'money', 'stickers', 'miles')),
    -- Decimals of an amount on its cards, 0 to 4.
    scale              smallint NOT NULL CONSTRAINT card_type_scale_check CHECK (scale BETWEEN 0 AND 4),
    -- A wallet (monedero) is a card type with a public key.
    wallet_key         text,
    -- Accrual from an amount spent: a percentage of it, or ratio_points for each
    -- ratio_amount. Neither: amounts have to be given.
    accrual_percentage numeric(7,4) CONSTRAINT card_type_percentage_check CHECK (accrual_percentage >= 0),
    ratio_points       numeric(19,4),
    ratio_amount       numeric(19,4),
    -- Least available amount of a new card; below zero is an overdraft.
    floor              numeric(19,4) NOT NULL DEFAULT 0 CONSTRAINT card_type_floor_check CHECK (floor <= 0),
    rechargeable       boolean NOT NULL DEFAULT true,
    ticket_required    boolean NOT NULL DEFAULT false,
    birthdate_required boolean NOT NULL DEFAULT false,
    notify_welcome     boolean NOT NULL DEFAULT true,
    notify_sale        boolean NOT NULL DEFAULT true,
    notify_adjustment  boolean NOT NULL DEFAULT true,
    -- Page where the customer sees the card; page where staff redeem.
    customer_url       text NOT NULL DEFAULT '',
    redeem_url         text NOT NULL DEFAULT '',
    archived_at        timestamptz,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT card_type_code_key UNIQUE (company_id, code),
    CONSTRAINT card_type_wallet_key_key UNIQUE (company_id, wallet_key),
    CONSTRAINT card_type_rule_check CHECK (
        (accrual_percentage IS NULL OR ratio_points IS NULL)
        AND (ratio_points IS NULL) = (ratio_amount IS NULL)
        AND (ratio_points IS NULL OR (ratio_points > 0 AND ratio_amount > 0)))
);

-- What a staff member may do on a card type. A row without a right is a
-- permission that lacks it, which legacy answers tell from no row at all.
CREATE TABLE staff_right (
    company_id   uuid NOT NULL REFERENCES company (id),
    staff_id     uuid NOT NULL,
    card_type_id uuid NOT NULL,
    accrue       boolean NOT NULL,
    redeem       boolean NOT NULL,
    adjust       boolean NOT NULL,
    PRIMARY KEY (company_id, staff_id, card_type_id),
    CONSTRAINT staff_right_staff_fkey FOREIGN KEY (company_id, staff_id) REFERENCES staff (company_id, id),
    CONSTRAINT staff_right_card_type_fkey FOREIGN KEY (company_id, card_type_id) REFERENCES card_type (company_id, id)
);

-- fillfactor leaves room on the page, and no index holds balance, seq or
-- updated_at: a posting stays a heap-only update.
CREATE TABLE card (
    company_id   uuid NOT NULL REFERENCES company (id),
    id           uuid NOT NULL,
    card_type_id uuid NOT NULL,
    customer_id  uuid,
    code         text NOT NULL COLLATE "C",
    status       text NOT NULL CONSTRAINT card_status_check CHECK (status IN ('inactive', 'enabled', 'disabled', 'cancelled')),
    balance      numeric(19,4) NOT NULL DEFAULT 0,
    held         numeric(19,4) NOT NULL DEFAULT 0 CONSTRAINT card_held_check CHECK (held >= 0),
    floor        numeric(19,4) NOT NULL DEFAULT 0,
    -- Number of the last movement; the chain of a card has no gap.
    seq          bigint NOT NULL DEFAULT 0,
    -- A wallet's contact: name, ten-digit phone and birthdate as given at the till.
    holder_name      text,
    holder_phone     text COLLATE "C",
    holder_birthdate date,
    -- When the card last became enabled: contacts are listed in this order.
    registered_at timestamptz NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT card_code_key UNIQUE (company_id, code),
    CONSTRAINT card_holder_phone_key UNIQUE (company_id, card_type_id, holder_phone),
    CONSTRAINT card_card_type_fkey FOREIGN KEY (company_id, card_type_id) REFERENCES card_type (company_id, id),
    CONSTRAINT card_customer_fkey FOREIGN KEY (company_id, customer_id) REFERENCES customer (company_id, id),
    CONSTRAINT card_available_check CHECK (balance - held >= floor)
) WITH (fillfactor = 90);
CREATE INDEX card_customer_idx ON card (company_id, customer_id, id);
CREATE INDEX card_card_type_idx ON card (company_id, card_type_id, registered_at, id);

-- The books: one gapless chain per card. There is no foreign key to card: rows
-- come only from statements that update the card itself, cards are never
-- deleted, and `verify` looks for strays (it would cost an import 11 to 60 %).
CREATE TABLE movement (
    company_id    uuid NOT NULL,
    card_id       uuid NOT NULL,
    seq           bigint NOT NULL,
    action        text NOT NULL CONSTRAINT movement_action_check CHECK (action IN ('accrue', 'redeem', 'adjust', 'recharge')),
    -- Signed, in the card type's unit.
    amount        numeric(19,4) NOT NULL,
    balance_after numeric(19,4) NOT NULL,
    -- Business time, and the time of recording.
    posted_at     timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL,
    -- What the customer spent, in currency, and the percentage or the points per
    -- unit of currency in force at that moment.
    spent         numeric(19,4),
    rate          numeric(19,8),
    -- Where the posting came from: graphql, wallet, pretii, antcrm, import.
    source        text NOT NULL,
    reference     text,
    description   text,
    store_id      uuid,
    staff_id      uuid,
    -- The operator or API key behind the posting.
    actor_id      uuid,
    import_id     uuid,
    import_line   integer,
    PRIMARY KEY (company_id, card_id, seq)
);
-- One row of an import posts at most once, whatever is retried.
CREATE UNIQUE INDEX movement_import_key ON movement (company_id, import_id, import_line) WHERE import_id IS NOT NULL;

-- +goose StatementBegin
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% rows are never changed or deleted', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER movement_append_only BEFORE UPDATE OR DELETE ON movement
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER movement_no_truncate BEFORE TRUNCATE ON movement
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER card_no_delete BEFORE DELETE ON card
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A key names one posting for ever it is kept. id and fingerprint are the first
-- 16 bytes of SHA-256 over (operation, principal, key) and over the request.
CREATE TABLE idempotency_key (
    company_id  uuid NOT NULL,
    id          uuid NOT NULL,
    fingerprint uuid NOT NULL,
    card_id     uuid NOT NULL,
    seq         bigint NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (company_id, id)
);

-- What somebody outside may care about, written in the transaction that does it.
-- Readers go by id. It is taken while the row that it tells of is locked, so the
-- events of one card, or of one import, have it in their order; what stands up to
-- an id is final when every transaction that had begun to write by the time the id
-- was taken has ended (EventsSettling). For that, three things have to hold: the
-- writer has its transaction id before it takes the number, which is why the
-- default asks for it first (CASE keeps the order; an insert alone would do it the
-- other way round); numbers are given out one by one (CACHE 1): a session that
-- keeps some in stock would use them late; and nobody names an id.
CREATE SEQUENCE event_id_seq CACHE 1;
CREATE TABLE event (
    company_id  uuid NOT NULL,
    id          bigint NOT NULL DEFAULT (CASE WHEN pg_current_xact_id() IS NOT NULL THEN nextval('event_id_seq') END),
    kind        text NOT NULL,
    subject_id  uuid NOT NULL,
    -- Number of the movement on its card, or of the import's progress step.
    seq         bigint NOT NULL DEFAULT 0,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (company_id, id)
);
ALTER SEQUENCE event_id_seq OWNED BY event.id;
CREATE INDEX event_tail_idx ON event (id);

-- +goose Down
DROP TABLE event, idempotency_key, movement, card, staff_right, card_type, customer;
DROP TRIGGER audit_entry_append_only ON audit_entry;
DROP FUNCTION refuse_change;
