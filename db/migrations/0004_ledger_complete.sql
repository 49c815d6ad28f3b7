-- The ledger's second half: rules and the life of cards, lots that end, holds,
-- transfers and returns. Movements keep their shape; what they may do is widened,
-- and 0010 validates that outside a long lock.
-- +goose Up

ALTER TABLE card_type
    -- Numbers of new cards: all digits of one, and how the last is reckoned.
    ADD COLUMN number_length smallint CONSTRAINT card_type_number_length_check CHECK (number_length BETWEEN 4 AND 32),
    ADD COLUMN check_digit text NOT NULL DEFAULT 'none' CONSTRAINT card_type_check_digit_check CHECK (check_digit IN ('none', 'luhn')),
    ADD COLUMN starting_balance numeric(19,4) NOT NULL DEFAULT 0 CONSTRAINT card_type_starting_balance_check CHECK (starting_balance >= 0),
    -- An enabled card of the type belongs to a customer.
    ADD COLUMN nominated boolean NOT NULL DEFAULT false,
    -- A customer has one enabled card of the type at most.
    ADD COLUMN one_active_card boolean NOT NULL DEFAULT false,
    ADD COLUMN cvv_required boolean NOT NULL DEFAULT false,
    -- Most that one recharge, and one accrual or redemption, moves; none: no limit.
    ADD COLUMN load_limit numeric(19,4) CONSTRAINT card_type_load_limit_check CHECK (load_limit > 0),
    ADD COLUMN transaction_limit numeric(19,4) CONSTRAINT card_type_transaction_limit_check CHECK (transaction_limit > 0),
    ADD COLUMN transfer_policy text NOT NULL DEFAULT 'none' CONSTRAINT card_type_transfer_policy_check CHECK (transfer_policy IN ('none', 'partial', 'total')),
    -- Validity of new cards: a range of days, or so many days from the first.
    ADD COLUMN valid_from date,
    ADD COLUMN valid_to date,
    ADD COLUMN valid_days integer CONSTRAINT card_type_valid_days_check CHECK (valid_days > 0),
    -- What is left on a card is written off when the card's validity ends.
    ADD COLUMN forfeit_on_expiry boolean NOT NULL DEFAULT false,
    -- When points end: never; on a date, and that day of each later year; so many
    -- days or months after they were earned; at the end of the month, quarter, year
    -- or card's year in which they were (count: so many later); so many days or
    -- months after the card was last used.
    ADD COLUMN expiry_policy text NOT NULL DEFAULT 'never'
        CONSTRAINT card_type_expiry_policy_check CHECK (expiry_policy IN ('never', 'fixed_date', 'after', 'period_end', 'inactivity')),
    ADD COLUMN expiry_date date,
    ADD COLUMN expiry_count smallint NOT NULL DEFAULT 0 CONSTRAINT card_type_expiry_count_check CHECK (expiry_count BETWEEN 0 AND 3660),
    ADD COLUMN expiry_unit text NOT NULL DEFAULT 'day'
        CONSTRAINT card_type_expiry_unit_check CHECK (expiry_unit IN ('day', 'month', 'quarter', 'year', 'anniversary')),
    -- Cards of the type keep lots. Set by the first policy that needs them, for ever.
    ADD COLUMN tracks_lots boolean NOT NULL DEFAULT false,
    -- Grows with each change of policy; a card whose expiry_version is behind is
    -- brought up to it before anything is posted. expiry_redates: what was earned
    -- before the change gets new ends too. While expiry_applying, cards are behind.
    ADD COLUMN expiry_version integer NOT NULL DEFAULT 0,
    ADD COLUMN expiry_redates boolean NOT NULL DEFAULT false,
    ADD COLUMN expiry_applying boolean NOT NULL DEFAULT false,
    -- Accruals are pending for so many days; none: usable at once.
    ADD COLUMN pending_days smallint CONSTRAINT card_type_pending_days_check CHECK (pending_days > 0),
    -- Customers are told so many days before points end.
    ADD COLUMN notice_days smallint[] NOT NULL DEFAULT '{}',
    -- A return that takes back more than is available: refused, takes what there
    -- is, or leaves a debt that the next points pay.
    ADD COLUMN return_shortfall text NOT NULL DEFAULT 'refuse'
        CONSTRAINT card_type_return_shortfall_check CHECK (return_shortfall IN ('refuse', 'take_available', 'overdraw')),
    -- Points that a return gives back to a lot that has ended meanwhile live on for
    -- so many days; 0: they end at once.
    ADD COLUMN returned_lot_days smallint NOT NULL DEFAULT 0 CONSTRAINT card_type_returned_lot_days_check CHECK (returned_lot_days BETWEEN 0 AND 3660),
    ADD CONSTRAINT card_type_expiry_check CHECK (
        CASE expiry_policy
            WHEN 'fixed_date' THEN expiry_date IS NOT NULL
            WHEN 'after' THEN expiry_count > 0 AND expiry_unit IN ('day', 'month')
            WHEN 'period_end' THEN expiry_unit <> 'day'
            WHEN 'inactivity' THEN expiry_count > 0 AND expiry_unit IN ('day', 'month')
            ELSE true
        END),
    ADD CONSTRAINT card_type_lots_check CHECK (tracks_lots OR (expiry_policy = 'never' AND pending_days IS NULL)),
    ADD CONSTRAINT card_type_validity_check CHECK (valid_to >= valid_from AND (valid_days IS NULL OR (valid_from IS NULL AND valid_to IS NULL)));
-- A plain type's postings need nothing but the card's row: CardPost does them in
-- one statement. The others go through a book.
ALTER TABLE card_type ADD COLUMN plain boolean NOT NULL
    GENERATED ALWAYS AS (NOT tracks_lots AND NOT cvv_required AND load_limit IS NULL AND transaction_limit IS NULL) STORED;

-- The numbers of a type's new cards, taken from the suggested range first.
CREATE TABLE card_type_range (
    company_id   uuid NOT NULL,
    card_type_id uuid NOT NULL,
    position     smallint NOT NULL,
    -- Digits, the same number of them: a card's number begins with one of prefix_start … prefix_end.
    prefix_start text NOT NULL COLLATE "C",
    prefix_end   text NOT NULL COLLATE "C",
    suggested    boolean NOT NULL,
    PRIMARY KEY (company_id, card_type_id, position),
    CONSTRAINT card_type_range_card_type_fkey FOREIGN KEY (company_id, card_type_id) REFERENCES card_type (company_id, id),
    CONSTRAINT card_type_range_check CHECK (prefix_start ~ '^[0-9]{1,18}$' AND prefix_end ~ '^[0-9]{1,18}$'
        AND length(prefix_start) = length(prefix_end) AND prefix_start <= prefix_end)
);

ALTER TABLE card
    -- Days of the company, both inclusive; none: no bound.
    ADD COLUMN valid_from date,
    ADD COLUMN valid_to date,
    -- HMAC of the CVV under a server secret.
    ADD COLUMN cvv_hash bytea,
    -- The card type's expiry_version that the card's lots follow.
    ADD COLUMN expiry_version integer NOT NULL DEFAULT 0,
    -- Why and when the card came into its state.
    ADD COLUMN status_reason text,
    ADD COLUMN status_at timestamptz,
    -- The card that took this one's place.
    ADD COLUMN replaced_by_id uuid,
    -- Erased persons' cards are found by nobody.
    ADD COLUMN hidden_at timestamptz,
    -- How far a return has taken the card below its floor; credits pay it.
    ADD COLUMN debt numeric(19,4) NOT NULL DEFAULT 0 CONSTRAINT card_debt_check CHECK (debt >= 0),
    DROP CONSTRAINT card_available_check,
    ADD CONSTRAINT card_available_check CHECK (balance - held >= floor - debt),
    ADD CONSTRAINT card_validity_check CHECK (valid_to >= valid_from),
    ADD CONSTRAINT card_replaced_by_fkey FOREIGN KEY (company_id, replaced_by_id) REFERENCES card (company_id, id);
-- Cards whose validity ends: nothing that a posting changes is in it.
CREATE INDEX card_valid_to_idx ON card (company_id, valid_to, id) WHERE valid_to IS NOT NULL AND status = 'enabled';

ALTER TABLE movement
    -- Signed change of what is held; null is none.
    ADD COLUMN held numeric(19,4),
    -- The movement that this one answers: what a return takes back, the other half
    -- of a transfer, the hold that is captured or released, the accrual that vests.
    ADD COLUMN related_card_id uuid,
    ADD COLUMN related_seq bigint,
    DROP CONSTRAINT movement_action_check,
    ADD CONSTRAINT movement_action_check CHECK (action IN (
        'accrue', 'redeem', 'adjust', 'recharge', 'expire', 'transfer_out', 'transfer_in', 'reverse', 'write_off',
        'hold', 'release', 'pend', 'extend',
        'activate', 'assign', 'enable', 'disable', 'cancel', 'replace')) NOT VALID;

-- What is left of one earning, and when it ends. The parts of a movement are the
-- lots that a transfer brought along. remaining = amount + the lot's entries.
-- fillfactor and index: taking from a lot stays a heap-only update until it closes.
CREATE TABLE lot (
    company_id uuid NOT NULL,
    card_id    uuid NOT NULL,
    seq        bigint NOT NULL,
    part       smallint NOT NULL,
    -- pending: earned, not yet usable, no part of the balance. open. closed: empty.
    state      text NOT NULL CONSTRAINT lot_state_check CHECK (state IN ('pending', 'open', 'closed')),
    amount     numeric(19,4) NOT NULL CONSTRAINT lot_amount_check CHECK (amount > 0),
    remaining  numeric(19,4) NOT NULL CONSTRAINT lot_remaining_check CHECK (remaining BETWEEN 0 AND amount),
    -- Days of the company. expires_on is the last on which it can be spent.
    earned_on  date NOT NULL,
    expires_on date,
    -- The day from which a pending lot can be used; none: when it is said.
    vests_on   date,
    -- Lots with a smaller number are spent first.
    priority   smallint NOT NULL,
    PRIMARY KEY (company_id, card_id, seq, part),
    CONSTRAINT lot_card_fkey FOREIGN KEY (company_id, card_id) REFERENCES card (company_id, id),
    CONSTRAINT lot_open_check CHECK ((state = 'closed') = (remaining = 0))
) WITH (fillfactor = 85);
CREATE INDEX lot_due_idx ON lot (company_id, expires_on, card_id) WHERE state = 'open' AND expires_on IS NOT NULL;
CREATE INDEX lot_vests_idx ON lot (company_id, vests_on, card_id) WHERE state = 'pending' AND vests_on IS NOT NULL;

-- What a movement took from a lot (negative) or gave back to it.
CREATE TABLE lot_entry (
    company_id uuid NOT NULL,
    card_id    uuid NOT NULL,
    seq        bigint NOT NULL,
    lot_seq    bigint NOT NULL,
    lot_part   smallint NOT NULL,
    amount     numeric(19,4) NOT NULL CONSTRAINT lot_entry_amount_check CHECK (amount <> 0),
    PRIMARY KEY (company_id, card_id, seq, lot_seq, lot_part)
);
CREATE INDEX lot_entry_lot_idx ON lot_entry (company_id, card_id, lot_seq, lot_part);
CREATE TRIGGER lot_entry_append_only BEFORE UPDATE OR DELETE ON lot_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Part of a balance that is spoken for until it is captured, released or timed out.
-- seq is the movement that holds it; the sum of open amounts is the card's held.
CREATE TABLE hold (
    company_id uuid NOT NULL,
    id         uuid NOT NULL,
    card_id    uuid NOT NULL,
    seq        bigint NOT NULL,
    status     text NOT NULL CONSTRAINT hold_status_check CHECK (status IN ('open', 'captured', 'released', 'expired')),
    amount     numeric(19,4) NOT NULL CONSTRAINT hold_amount_check CHECK (amount > 0),
    captured   numeric(19,4) NOT NULL DEFAULT 0 CONSTRAINT hold_captured_check CHECK (captured BETWEEN 0 AND amount),
    expires_at timestamptz NOT NULL,
    -- The movement that ended it.
    ended_seq  bigint,
    ended_at   timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (company_id, id),
    CONSTRAINT hold_movement_key UNIQUE (company_id, card_id, seq),
    CONSTRAINT hold_card_fkey FOREIGN KEY (company_id, card_id) REFERENCES card (company_id, id),
    CONSTRAINT hold_end_check CHECK ((status = 'open') = (ended_seq IS NULL))
);
CREATE INDEX hold_due_idx ON hold (company_id, expires_at, id) WHERE status = 'open';

-- The lines of a sale, so that a return can name them.
CREATE TABLE movement_line (
    company_id uuid NOT NULL,
    card_id    uuid NOT NULL,
    seq        bigint NOT NULL,
    line       integer NOT NULL,
    -- The line's part of the movement's amount (without its sign).
    amount     numeric(19,4) NOT NULL CONSTRAINT movement_line_amount_check CHECK (amount >= 0),
    code       text,
    PRIMARY KEY (company_id, card_id, seq, line)
);
CREATE TRIGGER movement_line_append_only BEFORE UPDATE OR DELETE ON movement_line
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Told once: so many days before, that so much of a card ends on a day.
CREATE TABLE expiry_notice (
    company_id uuid NOT NULL,
    card_id    uuid NOT NULL,
    expires_on date NOT NULL,
    days       smallint NOT NULL,
    amount     numeric(19,4) NOT NULL,
    told_at    timestamptz NOT NULL,
    PRIMARY KEY (company_id, card_id, expires_on, days),
    CONSTRAINT expiry_notice_card_fkey FOREIGN KEY (company_id, card_id) REFERENCES card (company_id, id)
);

-- The last day on which points earned on a day can be spent (Expiry.End in Go says
-- the same, and a test holds the two together). For 'inactivity' earned_on is the
-- day of the card's last use.
-- +goose StatementBegin
CREATE FUNCTION expiry_end(policy text, fixed date, count integer, unit text, earned_on date, registered_on date) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE policy
        WHEN 'fixed_date' THEN
            CASE WHEN fixed >= earned_on THEN fixed
                 ELSE (fixed + make_interval(years => (extract(year FROM earned_on) - extract(year FROM fixed)
                     + CASE WHEN (fixed + make_interval(years => (extract(year FROM earned_on) - extract(year FROM fixed))::integer))::date < earned_on
                            THEN 1 ELSE 0 END)::integer))::date
            END
        WHEN 'after' THEN CASE unit WHEN 'day' THEN earned_on + count ELSE (earned_on + make_interval(months => count))::date END
        WHEN 'inactivity' THEN CASE unit WHEN 'day' THEN earned_on + count ELSE (earned_on + make_interval(months => count))::date END
        WHEN 'period_end' THEN
            CASE unit
                WHEN 'month' THEN (date_trunc('month', earned_on::timestamp) + make_interval(months => count + 1))::date - 1
                WHEN 'quarter' THEN (date_trunc('quarter', earned_on::timestamp) + make_interval(months => 3 * (count + 1)))::date - 1
                WHEN 'year' THEN (date_trunc('year', earned_on::timestamp) + make_interval(years => count + 1))::date - 1
                ELSE (registered_on + make_interval(years => (extract(year FROM earned_on) - extract(year FROM registered_on)
                     + CASE WHEN (registered_on + make_interval(years => (extract(year FROM earned_on) - extract(year FROM registered_on))::integer))::date <= earned_on
                            THEN 1 ELSE 0 END)::integer + count))::date - 1
            END
    END
$$;
-- +goose StatementEnd

-- What a card without lots has left of each earning, had it always spent the oldest
-- first: the newest credits that make up what is available. A type that begins to
-- keep lots begins with these.
CREATE VIEW untracked_lot AS
SELECT credit.company_id, credit.card_id, credit.seq, credit.amount, credit.posted_at,
       least(credit.amount, credit.available - credit.newer)::numeric(19,4) AS remaining
FROM (SELECT movement.company_id, movement.card_id, movement.seq, movement.amount, movement.posted_at,
             card.balance - card.held AS available,
             coalesce(sum(movement.amount) OVER (PARTITION BY movement.company_id, movement.card_id ORDER BY movement.seq DESC
                                                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS newer
      FROM movement
      JOIN card ON card.company_id = movement.company_id AND card.id = movement.card_id
      WHERE movement.amount > 0) AS credit
WHERE credit.newer < credit.available;

-- +goose Down
DROP VIEW untracked_lot;
DROP FUNCTION expiry_end;
DROP TABLE expiry_notice, movement_line, hold, lot_entry, lot, card_type_range;
ALTER TABLE movement DROP CONSTRAINT movement_action_check,
    ADD CONSTRAINT movement_action_check CHECK (action IN ('accrue', 'redeem', 'adjust', 'recharge')) NOT VALID,
    DROP COLUMN held, DROP COLUMN related_card_id, DROP COLUMN related_seq;
DROP INDEX card_valid_to_idx;
ALTER TABLE card DROP CONSTRAINT card_available_check;
ALTER TABLE card DROP COLUMN debt, ADD CONSTRAINT card_available_check CHECK (balance - held >= floor),
    DROP COLUMN valid_from, DROP COLUMN valid_to, DROP COLUMN cvv_hash, DROP COLUMN expiry_version, DROP COLUMN status_reason,
    DROP COLUMN status_at, DROP COLUMN replaced_by_id, DROP COLUMN hidden_at;
ALTER TABLE card_type DROP COLUMN plain;
ALTER TABLE card_type DROP COLUMN number_length, DROP COLUMN check_digit, DROP COLUMN starting_balance, DROP COLUMN nominated,
    DROP COLUMN one_active_card, DROP COLUMN cvv_required, DROP COLUMN load_limit, DROP COLUMN transaction_limit,
    DROP COLUMN transfer_policy, DROP COLUMN valid_from, DROP COLUMN valid_to, DROP COLUMN valid_days, DROP COLUMN forfeit_on_expiry,
    DROP COLUMN expiry_policy, DROP COLUMN expiry_date, DROP COLUMN expiry_count, DROP COLUMN expiry_unit, DROP COLUMN tracks_lots,
    DROP COLUMN expiry_version, DROP COLUMN expiry_redates, DROP COLUMN expiry_applying, DROP COLUMN pending_days, DROP COLUMN notice_days,
    DROP COLUMN return_shortfall, DROP COLUMN returned_lot_days;
