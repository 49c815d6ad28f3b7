-- What a change of a card type's expiry policy needs: the day from which it
-- counts, and in one place what a card's lots are ended by, so that the preview of
-- a change and the change itself cannot differ.
-- +goose Up

-- The company's day on which the policy was last set: no change of it ends points
-- before that day is over.
ALTER TABLE card_type ADD COLUMN expiry_set_on date;

-- What decides when a card's points end, beside the policy: registered_on and
-- used_on (the last time that the customer used it; null is never) are days of the
-- company. used_on costs a look into the card's movements where it is read.
CREATE VIEW card_clock AS
SELECT card.company_id, card.id AS card_id, card.card_type_id, card.customer_id, card.status, card.expiry_version, card.balance - card.held AS available,
       company.time_zone, (card.registered_at AT TIME ZONE company.time_zone)::date AS registered_on,
       (SELECT (movement.posted_at AT TIME ZONE company.time_zone)::date
        FROM movement
        WHERE movement.company_id = card.company_id AND movement.card_id = card.id
          AND (movement.action IN ('redeem', 'recharge', 'pend') OR (movement.action = 'accrue' AND movement.related_seq IS NULL))
        ORDER BY movement.seq DESC LIMIT 1) AS used_on
FROM card
JOIN company ON company.id = card.company_id;

-- As before, and for one card type alone too: what is asked of the columns of the
-- window's partition reaches the tables below it.
DROP VIEW untracked_lot;
CREATE VIEW untracked_lot AS
SELECT credit.company_id, credit.card_type_id, credit.card_id, credit.seq, credit.amount, credit.posted_at,
       least(credit.amount, credit.available - credit.newer)::numeric(19,4) AS remaining
FROM (SELECT movement.company_id, card.card_type_id, movement.card_id, movement.seq, movement.amount, movement.posted_at,
             card.balance - card.held AS available,
             coalesce(sum(movement.amount) OVER (PARTITION BY movement.company_id, card.card_type_id, movement.card_id ORDER BY movement.seq DESC
                                                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS newer
      FROM movement
      JOIN card ON card.company_id = movement.company_id AND card.id = movement.card_id
      WHERE movement.amount > 0) AS credit
WHERE credit.newer < credit.available;

-- The end that a policy set on a day gives to points of before.
-- +goose StatementBegin
CREATE FUNCTION expiry_end_since(policy text, fixed date, count integer, unit text, earned_on date, registered_on date, set_on date) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN policy <> 'never' THEN greatest(expiry_end(policy, fixed, count, unit, earned_on, registered_on), set_on) END
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION expiry_end_since;
DROP VIEW untracked_lot;
DROP VIEW card_clock;
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
ALTER TABLE card_type DROP COLUMN expiry_set_on;
