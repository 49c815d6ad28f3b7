-- Figures for reports: sums per day kept beside the books, and the checks of the
-- books that operators ask for.
-- +goose Up

-- Sums over the movements of a day: the company's business day of posted_at in the
-- zone of the generation. What no store is known of has the zero store, so that
-- all of a row's name is in its key. Sums may have more digits than one amount.
-- fillfactor: the rows of today are updated all day, and no index holds a sum.
CREATE TABLE daily_stat (
    company_id   uuid NOT NULL REFERENCES company (id),
    generation   integer NOT NULL,
    day          date NOT NULL,
    card_type_id uuid NOT NULL,
    store_id     uuid NOT NULL,
    action       text NOT NULL,
    movements    bigint NOT NULL,
    -- Sums of the amounts above and below zero, both without a sign.
    credits      numeric NOT NULL,
    debits       numeric NOT NULL,
    -- What customers spent, as the movements say, in currency.
    spent        numeric NOT NULL,
    PRIMARY KEY (company_id, generation, day, card_type_id, store_id, action)
) WITH (fillfactor = 80);

-- How far daily_stat is. Its rows come in generations: answers come from one, and
-- a rebuild makes the next beside it, which takes its place at once.
CREATE TABLE report_state (
    company_id        uuid PRIMARY KEY REFERENCES company (id),
    -- The generation that is answered from; 0: none has been built yet.
    generation        integer NOT NULL DEFAULT 0,
    -- The zone of its days.
    time_zone         text NOT NULL DEFAULT '',
    -- Movements are counted up to this event. It is one that was read, so that no
    -- crash of the server makes its number come again.
    event_id          bigint NOT NULL DEFAULT 0,
    -- What was committed before this instant is counted.
    complete_to       timestamptz,
    rebuilt_at        timestamptz,
    -- A rebuild that runs: its generation and zone, the event up to which it counts
    -- (none yet: still to be found), and the card and the number of cards it is at.
    build_generation  integer,
    build_time_zone   text,
    build_event_id    bigint,
    build_complete_to timestamptz,
    build_card_id     uuid,
    build_cards       bigint NOT NULL DEFAULT 0,
    updated_at        timestamptz NOT NULL
);

-- The books proved on request. One check of a company runs at a time.
CREATE TABLE ledger_check (
    company_id  uuid NOT NULL REFERENCES company (id),
    id          uuid NOT NULL,
    status      text NOT NULL CONSTRAINT ledger_check_status_check CHECK (status IN ('queued', 'running', 'finished', 'failed', 'cancelled')),
    note        text,
    actor_kind  text NOT NULL,
    actor_id    uuid,
    -- Of the rules that are proved one after the other, how many are.
    steps_total integer NOT NULL DEFAULT 0,
    steps_done  integer NOT NULL DEFAULT 0,
    rows_read   bigint NOT NULL DEFAULT 0,
    findings    integer NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL,
    started_at  timestamptz,
    finished_at timestamptz,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (company_id, id)
);
CREATE UNIQUE INDEX ledger_check_running_key ON ledger_check (company_id) WHERE status IN ('queued', 'running');

CREATE TABLE ledger_check_finding (
    company_id  uuid NOT NULL,
    check_id    uuid NOT NULL,
    number      integer NOT NULL,
    rule        text NOT NULL,
    card_id     uuid,
    seq         bigint,
    key_id      uuid,
    import_id   uuid,
    import_line integer,
    detail      text NOT NULL,
    PRIMARY KEY (company_id, check_id, number),
    CONSTRAINT ledger_check_finding_check_fkey FOREIGN KEY (company_id, check_id) REFERENCES ledger_check (company_id, id)
);

-- Who runs a company goes on seeing all of it.
UPDATE operator SET scopes = array(SELECT DISTINCT unnest(scopes || '{reports:read,reports:write}'::text[]) ORDER BY 1)
WHERE 'company:write' = ANY(scopes);

-- +goose Down
UPDATE operator SET scopes = array_remove(array_remove(scopes, 'reports:read'), 'reports:write');
DROP TABLE ledger_check_finding, ledger_check, report_state, daily_stat;
