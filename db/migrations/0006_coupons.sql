-- Coupons: their types, the batches in which codes are made, the coupons and what
-- became of each.
-- +goose Up

-- A key of an operation that is more than a posting names what came of it, as
-- idempotency_key does for postings. id and fingerprint are made like those there.
CREATE TABLE operation_key (
    company_id  uuid NOT NULL,
    id          uuid NOT NULL,
    fingerprint uuid NOT NULL,
    -- The object that the first request made or changed, and the number of the
    -- movement in its history.
    result_id   uuid NOT NULL,
    result_seq  bigint NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (company_id, id)
);

CREATE TABLE coupon_type (
    company_id    uuid NOT NULL REFERENCES company (id),
    id            uuid NOT NULL,
    code          text NOT NULL COLLATE "C",
    name          text NOT NULL,
    format        text NOT NULL CONSTRAINT coupon_type_format_check CHECK (format IN ('printed', 'electronic')),
    -- Business days of the company: none, a fixed range (either end may be open),
    -- or up to valid_days days after the day of issue.
    validity      text NOT NULL CONSTRAINT coupon_type_validity_check CHECK (validity IN ('none', 'range', 'days')),
    valid_from    date,
    valid_until   date,
    valid_days    integer,
    max_uses      integer NOT NULL CONSTRAINT coupon_type_max_uses_check CHECK (max_uses > 0),
    -- Its coupons are somebody's: issued to a customer, used by that one only.
    nominated     boolean NOT NULL,
    -- What a coupon is worth: an amount (of which each coupon may have its own), a
    -- percentage, or what the text says.
    benefit       text NOT NULL CONSTRAINT coupon_type_benefit_check CHECK (benefit IN ('amount', 'percentage', 'text')),
    amount        numeric(19,4) CONSTRAINT coupon_type_amount_check CHECK (amount >= 0),
    percentage    numeric(7,4) CONSTRAINT coupon_type_percentage_check CHECK (percentage > 0 AND percentage <= 100),
    description   text,
    -- How codes are made: so many characters of the alphabet behind the prefix.
    code_prefix   text NOT NULL,
    code_length   integer NOT NULL,
    code_alphabet text NOT NULL,
    archived_at   timestamptz,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT coupon_type_code_key UNIQUE (company_id, code),
    CONSTRAINT coupon_type_days_check CHECK (CASE validity
        WHEN 'none' THEN valid_from IS NULL AND valid_until IS NULL AND valid_days IS NULL
        WHEN 'range' THEN coalesce(valid_from, valid_until) IS NOT NULL AND valid_days IS NULL AND coalesce(valid_from <= valid_until, true)
        ELSE valid_from IS NULL AND valid_until IS NULL AND valid_days >= 0 END)
);

-- Many coupons made by one job. What a batch has issued and where it stopped is one
-- number, moved in the transaction that makes the coupons.
CREATE TABLE coupon_batch (
    company_id      uuid NOT NULL REFERENCES company (id),
    id              uuid NOT NULL,
    coupon_type_id  uuid NOT NULL,
    status          text NOT NULL CONSTRAINT coupon_batch_status_check CHECK (status IN ('queued', 'running', 'finished', 'cancelled', 'failed')),
    name            text,
    codes_total     integer NOT NULL CONSTRAINT coupon_batch_total_check CHECK (codes_total > 0),
    codes_issued    integer NOT NULL DEFAULT 0 CONSTRAINT coupon_batch_issued_check CHECK (codes_issued BETWEEN 0 AND codes_total),
    -- Codes drawn that somebody had already.
    collisions      integer NOT NULL DEFAULT 0,
    -- What each of its coupons gets, decided when the batch is made.
    value           numeric(19,4),
    max_uses        integer NOT NULL,
    valid_from      date,
    expires_on      date,
    -- Its coupons lie between these two.
    first_coupon_id uuid,
    last_coupon_id  uuid,
    progress_seq    bigint NOT NULL DEFAULT 0,
    actor_kind      text NOT NULL,
    actor_id        uuid,
    created_at      timestamptz NOT NULL,
    started_at      timestamptz,
    finished_at     timestamptz,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT coupon_batch_type_fkey FOREIGN KEY (company_id, coupon_type_id) REFERENCES coupon_type (company_id, id)
);
CREATE INDEX coupon_batch_type_idx ON coupon_batch (company_id, coupon_type_id, id);

-- There is no foreign key to the type or the batch: rows come only from statements
-- that have read them, neither is ever deleted, and `verify` looks for strays. A
-- check of each of five million rows would cost a batch a good part of its time.
CREATE TABLE coupon (
    company_id     uuid NOT NULL,
    id             uuid NOT NULL,
    coupon_type_id uuid NOT NULL,
    batch_id       uuid,
    code           text NOT NULL COLLATE "C",
    customer_id    uuid,
    -- expired is what the nightly job writes; readers know a coupon past its last
    -- day without it.
    status         text NOT NULL CONSTRAINT coupon_status_check CHECK (status IN ('active', 'consumed', 'voided', 'expired')),
    nominated      boolean NOT NULL,
    value          numeric(19,4),
    max_uses       integer NOT NULL,
    used           integer NOT NULL,
    -- First and last valid business day; null is open.
    valid_from     date,
    expires_on     date,
    -- Its person asked to be forgotten: nobody finds it any more.
    hidden         boolean NOT NULL,
    -- Number of the last movement in its history.
    seq            bigint NOT NULL,
    issued_at      timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT coupon_code_key UNIQUE (company_id, code),
    CONSTRAINT coupon_customer_fkey FOREIGN KEY (company_id, customer_id) REFERENCES customer (company_id, id),
    CONSTRAINT coupon_used_check CHECK (used BETWEEN 0 AND max_uses)
) WITH (fillfactor = 95);
CREATE INDEX coupon_type_idx ON coupon (company_id, coupon_type_id, id);
CREATE INDEX coupon_customer_idx ON coupon (company_id, customer_id, id) WHERE customer_id IS NOT NULL;
-- What the nightly job looks for, and lists of what is not active any more.
CREATE INDEX coupon_expires_idx ON coupon (company_id, expires_on) WHERE status = 'active' AND expires_on IS NOT NULL;
CREATE INDEX coupon_ended_idx ON coupon (company_id, status, id) WHERE status <> 'active';

-- The history of a coupon: a gapless chain. The issue of a batch's coupons is the
-- batch itself (five million rows that say the same would be no history); readers
-- are shown it as movement 0.
CREATE TABLE coupon_movement (
    company_id   uuid NOT NULL,
    coupon_id    uuid NOT NULL,
    seq          bigint NOT NULL,
    action       text NOT NULL CONSTRAINT coupon_movement_action_check CHECK (action IN ('issue', 'redeem', 'give_back', 'void', 'expire', 'move')),
    -- Change of the uses, and the uses and the status right after it.
    uses         integer NOT NULL,
    used_after   integer NOT NULL,
    status_after text NOT NULL,
    -- give_back: the redemption it takes back.
    related_seq  bigint,
    reference    text,
    description  text,
    source       text NOT NULL,
    store_id     uuid,
    customer_id  uuid,
    actor_kind   text NOT NULL,
    actor_id     uuid,
    posted_at    timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (company_id, coupon_id, seq),
    CONSTRAINT coupon_movement_uses_check CHECK (uses = CASE action WHEN 'redeem' THEN 1 WHEN 'give_back' THEN -1 ELSE 0 END
        AND (action = 'give_back') = (related_seq IS NOT NULL))
);
-- A redemption is taken back at most once, whatever is retried.
CREATE UNIQUE INDEX coupon_movement_given_back_key ON coupon_movement (company_id, coupon_id, related_seq) WHERE related_seq IS NOT NULL;

CREATE TRIGGER coupon_movement_append_only BEFORE UPDATE OR DELETE ON coupon_movement
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER coupon_movement_no_truncate BEFORE TRUNCATE ON coupon_movement
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER coupon_no_delete BEFORE DELETE ON coupon
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- +goose Down
DROP TABLE coupon_movement, coupon, coupon_batch, coupon_type, operation_key;
