-- Webhooks: where a company's events are sent, what is still to be sent, and what
-- became of it.
-- +goose Up

CREATE TABLE webhook (
    company_id  uuid NOT NULL REFERENCES company (id),
    id          uuid NOT NULL,
    url         text NOT NULL,
    description text NOT NULL,
    -- Kinds of events wanted; none are all.
    kinds       text[] NOT NULL,
    status      text NOT NULL CONSTRAINT webhook_status_check CHECK (status IN ('enabled', 'paused', 'disabled', 'deleted')),
    -- Why it was disabled, by itself: nobody takes its events (failing), or the
    -- receiver says that it is gone (410).
    disabled_reason text CONSTRAINT webhook_reason_check CHECK (disabled_reason IN ('failing', 'gone')),
    -- The signing secret, encrypted under a key of the server; the one before signs
    -- beside it until previous_until.
    secret          bytea NOT NULL,
    previous_secret bytea,
    previous_until  timestamptz,
    -- The last event of the company that was looked at: what follows is still to
    -- become deliveries. Always an event of the company, so that pruning can be told
    -- from silence; zero if it had none.
    cursor_id   bigint NOT NULL,
    -- What was recorded before is not sent, but by a replay.
    events_since timestamptz NOT NULL,
    -- A replay that runs: events behind replay_after_id up to replay_upto_id become
    -- deliveries again before any new one does.
    replay_after_id bigint,
    replay_upto_id  bigint,
    replay_kinds    text[],
    replay_at       timestamptz,
    -- Number of the last delivery.
    last_seq    bigint NOT NULL DEFAULT 0,
    -- Attempts that failed since the last that did not. From some number on nothing
    -- is sent before resume_at, and then one at a time until one arrives.
    failures    integer NOT NULL DEFAULT 0,
    resume_at   timestamptz,
    -- When one arrived last; exact to a minute.
    last_success_at timestamptz,
    actor_kind  text NOT NULL,
    actor_id    uuid,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT webhook_replay_check CHECK ((replay_after_id IS NULL) = (replay_upto_id IS NULL)),
    CONSTRAINT webhook_disabled_check CHECK ((status = 'disabled') = (disabled_reason IS NOT NULL))
);

-- One event for one webhook, and what became of it. What the event tells of is
-- read when it is sent: no person's data is kept here.
CREATE TABLE webhook_delivery (
    company_id  uuid NOT NULL,
    webhook_id  uuid NOT NULL,
    -- The order in which what concerns one subject is sent.
    seq         bigint NOT NULL,
    -- The event's number; none for a test.
    event_id    bigint,
    kind        text NOT NULL,
    subject_id  uuid NOT NULL,
    subject_seq bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    -- Sent again because somebody asked for it.
    replay      boolean NOT NULL,
    status      text NOT NULL CONSTRAINT webhook_delivery_status_check CHECK (status IN ('pending', 'delivered', 'dead')),
    attempts    integer NOT NULL DEFAULT 0,
    first_attempt_at timestamptz,
    -- When it is tried again, after a failure.
    next_attempt_at  timestamptz,
    -- When it was delivered or given up.
    ended_at    timestamptz,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (company_id, webhook_id, seq),
    CONSTRAINT webhook_delivery_webhook_fkey FOREIGN KEY (company_id, webhook_id) REFERENCES webhook (company_id, id)
);
-- The next of a subject, and the oldest of a webhook, that is still to be sent.
CREATE INDEX webhook_delivery_pending_idx ON webhook_delivery (company_id, webhook_id, subject_id, seq) WHERE status = 'pending';
CREATE INDEX webhook_delivery_oldest_idx ON webhook_delivery (company_id, webhook_id, seq) WHERE status = 'pending';
CREATE INDEX webhook_delivery_status_idx ON webhook_delivery (company_id, webhook_id, status, seq);
CREATE INDEX webhook_delivery_created_idx ON webhook_delivery (company_id, created_at);

-- One try. response is the beginning of the answer's body.
CREATE TABLE webhook_attempt (
    company_id  uuid NOT NULL,
    webhook_id  uuid NOT NULL,
    seq         bigint NOT NULL,
    -- Counts from one.
    attempt     integer NOT NULL,
    at          timestamptz NOT NULL,
    duration_ms integer NOT NULL,
    status_code integer,
    error       text,
    response    text,
    PRIMARY KEY (company_id, webhook_id, seq, attempt),
    CONSTRAINT webhook_attempt_delivery_fkey FOREIGN KEY (company_id, webhook_id, seq)
        REFERENCES webhook_delivery (company_id, webhook_id, seq) ON DELETE CASCADE
);

-- A subject (a card, an import) that has something to be sent to a webhook, and
-- when. Whoever sends takes lanes, not deliveries: one at a time of each subject,
-- the lowest number first. Taking it moves due_at behind the time that sending
-- may take, so that a killed worker's lane comes again by itself.
CREATE TABLE webhook_lane (
    company_id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    due_at     timestamptz NOT NULL,
    PRIMARY KEY (company_id, webhook_id, subject_id),
    CONSTRAINT webhook_lane_webhook_fkey FOREIGN KEY (company_id, webhook_id) REFERENCES webhook (company_id, id)
);
CREATE INDEX webhook_lane_due_idx ON webhook_lane (company_id, webhook_id, due_at);

-- +goose Down
DROP TABLE webhook_lane, webhook_attempt, webhook_delivery, webhook;
