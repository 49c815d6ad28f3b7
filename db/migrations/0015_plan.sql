-- What a company has with the platform: quotas of its plan, prepaid messages with
-- their price, and books of what they cost; the phones that its wallets take
-- (spec/wallet.md 4.2, 5 and 6); and the texts of messages to customers.
-- +goose Up

-- One row a company, and one lock for all that a sale takes from it. Without a row
-- nothing is limited and no message goes to a phone.
CREATE TABLE plan (
    company_id         uuid PRIMARY KEY REFERENCES company (id),
    -- Most active contacts over all wallets; null: no limit.
    contacts_limit     integer CONSTRAINT plan_contacts_limit_check CHECK (contacts_limit >= 0),
    -- Most redemptions at the tills in one period; null: no limit.
    redemptions_limit  integer CONSTRAINT plan_redemptions_limit_check CHECK (redemptions_limit >= 0),
    redemptions_used   integer NOT NULL DEFAULT 0 CONSTRAINT plan_redemptions_used_check CHECK (redemptions_used >= 0),
    -- Billing periods are counted from the anchor in business days of the company, so
    -- that no change of its clocks moves them. The present one has starts_on in it and
    -- ends_on not.
    period_unit        text NOT NULL CONSTRAINT plan_period_unit_check CHECK (period_unit IN ('day', 'week', 'month', 'quarter', 'year')),
    period_anchor      date NOT NULL,
    period_starts_on   date NOT NULL,
    period_ends_on     date NOT NULL,
    -- Of one message, in the company's currency; null: no message goes to a phone.
    message_price      numeric(19,4) CONSTRAINT plan_message_price_check CHECK (message_price >= 0),
    message_balance    numeric(19,4) NOT NULL DEFAULT 0 CONSTRAINT plan_message_balance_check CHECK (message_balance >= 0),
    -- Number of the last line of the messages' books.
    message_seq        bigint NOT NULL DEFAULT 0,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    CONSTRAINT plan_period_check CHECK (period_starts_on < period_ends_on)
) WITH (fillfactor = 50);

-- The books of prepaid messages: one gapless chain a company.
CREATE TABLE message_movement (
    company_id      uuid NOT NULL REFERENCES plan (company_id),
    seq             bigint NOT NULL,
    action          text NOT NULL CONSTRAINT message_movement_action_check CHECK (action IN ('top_up', 'correct', 'charge', 'refund')),
    amount          numeric(19,4) NOT NULL,
    balance_after   numeric(19,4) NOT NULL,
    -- The message that a charge or a refund is for.
    notification_id uuid,
    reference       text,
    actor_id        uuid,
    recorded_at     timestamptz NOT NULL,
    PRIMARY KEY (company_id, seq),
    CONSTRAINT message_movement_sign_check CHECK (CASE action WHEN 'charge' THEN amount < 0 WHEN 'correct' THEN amount <> 0 ELSE amount > 0 END)
);
CREATE TRIGGER message_movement_append_only BEFORE UPDATE OR DELETE ON message_movement
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER message_movement_no_truncate BEFORE TRUNCATE ON message_movement
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Periods that have ended.
CREATE TABLE plan_period (
    company_id        uuid NOT NULL REFERENCES plan (company_id),
    starts_on         date NOT NULL,
    ends_on           date NOT NULL,
    redemptions_used  integer NOT NULL,
    redemptions_limit integer,
    ended_at          timestamptz NOT NULL,
    PRIMARY KEY (company_id, starts_on)
);

-- The number of the period that a day is in, counted from the anchor's, which is 0.
-- +goose StatementBegin
CREATE FUNCTION plan_period_number(unit text, anchor date, today date) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE unit
        WHEN 'day' THEN today - anchor
        WHEN 'week' THEN floor((today - anchor) / 7.0)::integer
        ELSE floor((
            (extract(year FROM today) - extract(year FROM anchor)) * 12 + extract(month FROM today) - extract(month FROM anchor)
            -- A month is full on the anchor's day, or on its last day where it has none.
            - CASE WHEN extract(day FROM today) < least(extract(day FROM anchor),
                        extract(day FROM date_trunc('month', today::timestamp) + interval '1 month' - interval '1 day')) THEN 1 ELSE 0 END
        ) / CASE unit WHEN 'month' THEN 1 WHEN 'quarter' THEN 3 ELSE 12 END)::integer
    END
$$;
-- +goose StatementEnd

-- The first day of a period. It is reckoned from the anchor and not from the period
-- before: one that begins on the 31st does so again after a short month.
-- +goose StatementBegin
CREATE FUNCTION plan_period_start(unit text, anchor date, number integer) RETURNS date
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE unit
        WHEN 'day' THEN anchor + number
        WHEN 'week' THEN anchor + 7 * number
        ELSE (anchor + make_interval(months => number * CASE unit WHEN 'month' THEN 1 WHEN 'quarter' THEN 3 ELSE 12 END))::date
    END
$$;
-- +goose StatementEnd

-- Phones that tills sell nothing to and messages do not go to.
CREATE TABLE blocked_phone (
    company_id uuid NOT NULL REFERENCES company (id),
    -- National number of ten digits.
    phone      text NOT NULL COLLATE "C" CONSTRAINT blocked_phone_check CHECK (phone ~ '^[0-9]{10}$'),
    reason     text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (company_id, phone)
);

-- Prefixes that a company switched off or on: the others are as their country has them.
CREATE TABLE area_prefix (
    company_id uuid NOT NULL REFERENCES company (id),
    prefix     text NOT NULL COLLATE "C" CONSTRAINT area_prefix_check CHECK (prefix ~ '^[0-9]{3}$'),
    supported  boolean NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (company_id, prefix)
);

-- Ranges of the public numbering plan. width is the number of digits of their size
-- and first in the key, so that a number's ranges are found by one short scan for
-- each width instead of through all that begin below it.
CREATE TABLE number_range (
    company_id   uuid NOT NULL REFERENCES company (id),
    first_number bigint NOT NULL,
    last_number  bigint NOT NULL,
    line         text NOT NULL CONSTRAINT number_range_line_check CHECK (line IN ('landline', 'mobile')),
    width        smallint NOT NULL GENERATED ALWAYS AS (length((last_number - first_number)::text)) STORED,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (company_id, width, first_number, last_number),
    CONSTRAINT number_range_check CHECK (first_number BETWEEN 0 AND last_number AND last_number <= 9999999999)
);

-- What a company says instead of the platform's own texts.
CREATE TABLE message_template (
    company_id uuid NOT NULL REFERENCES company (id),
    kind       text NOT NULL CONSTRAINT message_template_kind_check CHECK (kind IN ('wallet_welcome', 'wallet_sale', 'wallet_adjustment')),
    language   text NOT NULL CONSTRAINT message_template_language_check CHECK (language IN ('en', 'es', 'pt', 'vi')),
    body       text NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (company_id, kind, language)
);

-- How a wallet's messages go.
ALTER TABLE card_type ADD COLUMN message_channel text NOT NULL DEFAULT 'sms'
    CONSTRAINT card_type_message_channel_check CHECK (message_channel IN ('sms', 'whatsapp'));

-- Messages to phones: of which card, told of which of its movements, and what is
-- charged for them as it stands: null again once it is given back.
ALTER TABLE notification
    ADD COLUMN card_id uuid,
    ADD COLUMN seq bigint,
    ADD COLUMN price numeric(19,4),
    DROP CONSTRAINT notification_channel_check,
    ADD CONSTRAINT notification_channel_check CHECK (channel IN ('email', 'sms', 'whatsapp')) NOT VALID;

-- +goose Down
ALTER TABLE notification
    DROP CONSTRAINT notification_channel_check,
    DROP COLUMN price, DROP COLUMN seq, DROP COLUMN card_id,
    ADD CONSTRAINT notification_channel_check CHECK (channel IN ('email', 'sms')) NOT VALID;
ALTER TABLE card_type DROP COLUMN message_channel;
DROP TABLE message_template, number_range, area_prefix, blocked_phone;
DROP FUNCTION plan_period_start, plan_period_number;
DROP TABLE plan_period, message_movement, plan;
