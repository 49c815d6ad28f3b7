-- Products and their single-use serial codes, rewards, claims, and every attempt at
-- either.
-- +goose Up

CREATE TABLE product (
    company_id    uuid NOT NULL REFERENCES company (id),
    id            uuid NOT NULL,
    code          text NOT NULL,
    -- Lower case; products are found in any case.
    code_key      text NOT NULL COLLATE "C",
    name          text NOT NULL,
    -- What its serial codes begin with; not its code (spec/antcrm.md 4).
    serial_prefix text NOT NULL,
    -- Points for one code.
    score         numeric(19,4) NOT NULL CONSTRAINT product_score_check CHECK (score > 0),
    status        text NOT NULL CONSTRAINT product_status_check CHECK (status IN ('active', 'inactive')),
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT product_code_key UNIQUE (company_id, code_key)
);

CREATE TABLE product_code (
    company_id       uuid NOT NULL,
    id               uuid NOT NULL,
    product_id       uuid NOT NULL,
    -- Codes made together have the same one.
    lot_id           uuid NOT NULL,
    -- As it was given or made, and in lower case as it is found by.
    code             text NOT NULL,
    code_key         text NOT NULL COLLATE "C",
    -- The code without the product's prefix.
    serial           text NOT NULL,
    status           text NOT NULL CONSTRAINT product_code_status_check CHECK (status IN ('unused', 'used', 'blocked')),
    -- Points of its own instead of the product's.
    score            numeric(19,4) CONSTRAINT product_code_score_check CHECK (score > 0),
    -- Last business day on which it can be used; null is for ever.
    expires_on       date,
    used_at          timestamptz,
    used_customer_id uuid,
    -- The movement that it became.
    used_card_id     uuid,
    used_seq         bigint,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT product_code_code_key UNIQUE (company_id, code_key),
    CONSTRAINT product_code_product_fkey FOREIGN KEY (company_id, product_id) REFERENCES product (company_id, id),
    CONSTRAINT product_code_used_check CHECK ((status = 'used') = (used_at IS NOT NULL)
        AND (status = 'used') = (used_card_id IS NOT NULL) AND (status = 'used') = (used_seq IS NOT NULL))
);
CREATE INDEX product_code_product_idx ON product_code (company_id, product_id, id);
CREATE INDEX product_code_lot_idx ON product_code (company_id, lot_id, id);
CREATE INDEX product_code_ended_idx ON product_code (company_id, status, id) WHERE status <> 'unused';
CREATE UNIQUE INDEX product_code_used_key ON product_code (company_id, used_card_id, used_seq) WHERE used_card_id IS NOT NULL;

CREATE TABLE reward (
    company_id   uuid NOT NULL REFERENCES company (id),
    id           uuid NOT NULL,
    code         text NOT NULL,
    code_key     text NOT NULL COLLATE "C",
    name         text NOT NULL,
    description  text,
    card_type_id uuid NOT NULL,
    -- In the card type's unit.
    price        numeric(19,4) NOT NULL CONSTRAINT reward_price_check CHECK (price > 0),
    status       text NOT NULL CONSTRAINT reward_status_check CHECK (status IN ('active', 'inactive')),
    -- First and last business day; null is open.
    valid_from   date,
    valid_until  date,
    -- How many were ever there (null: no end of them), and how many of them stand
    -- claimed: what is left is their difference and never below zero.
    supplied     integer,
    taken        integer NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT reward_code_key UNIQUE (company_id, code_key),
    CONSTRAINT reward_card_type_fkey FOREIGN KEY (company_id, card_type_id) REFERENCES card_type (company_id, id),
    CONSTRAINT reward_days_check CHECK (coalesce(valid_from <= valid_until, true)),
    CONSTRAINT reward_stock_left_check CHECK (taken >= 0 AND coalesce(taken <= supplied, true))
);

-- The stock that a store has of its own; a store without takes of the reward's.
CREATE TABLE reward_stock (
    company_id uuid NOT NULL,
    reward_id  uuid NOT NULL,
    store_id   uuid NOT NULL,
    supplied   integer NOT NULL,
    taken      integer NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (company_id, reward_id, store_id),
    CONSTRAINT reward_stock_reward_fkey FOREIGN KEY (company_id, reward_id) REFERENCES reward (company_id, id),
    CONSTRAINT reward_stock_store_fkey FOREIGN KEY (company_id, store_id) REFERENCES store (company_id, id),
    CONSTRAINT reward_stock_store_left_check CHECK (taken >= 0 AND taken <= supplied)
);

CREATE TABLE reward_claim (
    company_id    uuid NOT NULL,
    id            uuid NOT NULL,
    reward_id     uuid NOT NULL,
    card_id       uuid NOT NULL,
    -- The movement that took the points, and the one that gave them back.
    seq           bigint NOT NULL,
    cancel_seq    bigint,
    customer_id   uuid,
    store_id      uuid,
    -- Which stock it was taken from, and goes back to.
    stock         text NOT NULL CONSTRAINT reward_claim_stock_check CHECK (stock IN ('unlimited', 'reward', 'store')),
    price         numeric(19,4) NOT NULL,
    status        text NOT NULL CONSTRAINT reward_claim_status_check CHECK (status IN ('issued', 'handed_over', 'cancelled')),
    reference     text,
    description   text,
    source        text NOT NULL,
    actor_kind    text NOT NULL,
    actor_id      uuid,
    claimed_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT reward_claim_movement_key UNIQUE (company_id, card_id, seq),
    CONSTRAINT reward_claim_reward_fkey FOREIGN KEY (company_id, reward_id) REFERENCES reward (company_id, id),
    CONSTRAINT reward_claim_cancelled_check CHECK ((status = 'cancelled') = (cancel_seq IS NOT NULL) AND (status = 'issued') = (ended_at IS NULL)
        AND (stock <> 'store' OR store_id IS NOT NULL))
);
CREATE INDEX reward_claim_reward_idx ON reward_claim (company_id, reward_id, id);
CREATE INDEX reward_claim_customer_idx ON reward_claim (company_id, customer_id, id);
CREATE INDEX reward_claim_status_idx ON reward_claim (company_id, status, id);

-- Every use of a serial code and every claim that was tried by somebody known on
-- something known: those that failed (error), which change nothing else, and those
-- that succeeded. The history that spec/antcrm.md 3 shows is this list.
CREATE TABLE reward_attempt (
    company_id      uuid NOT NULL,
    id              uuid NOT NULL,
    kind            text NOT NULL CONSTRAINT reward_attempt_kind_check CHECK (kind IN ('consume', 'claim')),
    error           text,
    -- Points that it was about.
    score           numeric(19,4) NOT NULL,
    card_id         uuid NOT NULL,
    customer_id     uuid,
    seq             bigint,
    product_id      uuid,
    product_code_id uuid,
    reward_id       uuid,
    claim_id        uuid,
    source          text NOT NULL,
    attempted_at    timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT reward_attempt_outcome_check CHECK ((error IS NULL) = (seq IS NOT NULL)
        AND CASE kind WHEN 'consume' THEN product_id IS NOT NULL AND product_code_id IS NOT NULL AND reward_id IS NULL
                      ELSE reward_id IS NOT NULL AND product_id IS NULL AND (claim_id IS NULL) = (error IS NOT NULL) END)
);
CREATE INDEX reward_attempt_kind_idx ON reward_attempt (company_id, kind, id);
CREATE INDEX reward_attempt_customer_idx ON reward_attempt (company_id, customer_id, kind, id);

CREATE TRIGGER product_code_no_delete BEFORE DELETE ON product_code
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER reward_claim_no_delete BEFORE DELETE ON reward_claim
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER reward_attempt_no_delete BEFORE DELETE ON reward_attempt
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- +goose Down
DROP TABLE reward_attempt, reward_claim, reward_stock, reward, product_code, product;
