package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/ledger"
)

// message is the body of a delivery: the members that Standard Webhooks
// recommends, the event's place, and whose it is.
type message struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	// Cursor is the event's place, as subscriptions give it; null for a test.
	Cursor  *string `json:"cursor"`
	Company string  `json:"company"`
	Data    any     `json:"data"`
}

// subjectKey is what an event is about.
type subjectKey struct {
	id  uuid.UUID
	seq int64
}

// payload reads what the events of one kind tell of, all of them in one statement;
// what it leaves out is told by id alone. It is read when it is sent, and holds no
// more of a person than an id or a card's code.
type payload func(ctx context.Context, q *db.Queries, company uuid.UUID, events []subjectKey) (map[subjectKey]any, error)

// payloads says what is told of each kind of event. A kind that is missing here is
// sent to those who want all, by the subject's id; to be wanted by name it needs a
// line: plain("Coupon") for an id alone, or a function that reads more.
var payloads = map[string]payload{
	"movement_posted":   movements,
	"import_progressed": importsProgress,
	DisabledEvent:       plain("Webhook"),

	"cards_issued":             plain("CardType"),
	"coupon_batch_progressed":  plain("CouponBatch"),
	"coupon_expired":           plain("Coupon"),
	"coupon_given_back":        plain("Coupon"),
	"coupon_issued":            plain("Coupon"),
	"coupon_moved":             plain("Coupon"),
	"coupon_redeemed":          plain("Coupon"),
	"coupon_voided":            plain("Coupon"),
	"customer_created":         plain("Customer"),
	"customer_erased":          plain("Customer"),
	"customer_merged":          plain("Customer"),
	"customer_updated":         plain("Customer"),
	"expiry_policy_changed":    plain("CardType"),
	"ledger_check_ended":       plain("LedgerCheck"),
	"points_expiring":          plain("Card"),
	"report_rebuild_started":   plain("Company"),
	"report_rebuilt":           plain("Company"),
	"reward_claim_cancelled":   plain("RewardClaim"),
	"reward_claim_handed_over": plain("RewardClaim"),
	"reward_claimed":           plain("RewardClaim"),
	"segment_members_changed":  plain("Segment"),

	TestKind: tests,
}

// Kinds are the kinds of events that a webhook can want by name.
func Kinds() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(payloads)), func(k string) bool { return k == TestKind })
}

// object is what is told of a subject by its id.
type object struct {
	ID string `json:"id"`
}

// plain tells the opaque id of a subject of the GraphQL type named.
func plain(typ string) payload {
	return func(_ context.Context, _ *db.Queries, _ uuid.UUID, events []subjectKey) (map[subjectKey]any, error) {
		told := map[subjectKey]any{}
		for _, e := range events {
			told[e] = object{loyalty.GlobalID(typ, e.id.String())}
		}
		return told, nil
	}
}

// unknown tells of a kind that has no line of its own.
func unknown(e subjectKey) any {
	return struct {
		SubjectID uuid.UUID `json:"subjectId"`
		Seq       int64     `json:"seq"`
	}{e.id, e.seq}
}

func tests(_ context.Context, _ *db.Queries, _ uuid.UUID, events []subjectKey) (map[subjectKey]any, error) {
	told := map[subjectKey]any{}
	for _, e := range events {
		told[e] = struct {
			Test bool `json:"test"`
		}{true}
	}
	return told, nil
}

// amount is a decimal as GraphQL shows it: a string without trailing zeros.
func amount(d decimal.Decimal) string {
	if d.IsZero() {
		return "0" // never "-0"
	}
	return d.Trim(0).String()
}

type cardTold struct {
	ID       string `json:"id"`
	Code     string `json:"code"`
	CardType string `json:"cardType"`
}

type movementTold struct {
	ID           string    `json:"id"`
	Card         cardTold  `json:"card"`
	Seq          int64     `json:"seq"`
	Action       string    `json:"action"`
	Amount       string    `json:"amount"`
	BalanceAfter string    `json:"balanceAfter"`
	PostedAt     time.Time `json:"postedAt"`
	Source       string    `json:"source"`
	Reference    *string   `json:"reference"`
	Store        *string   `json:"store"`
}

func movements(ctx context.Context, q *db.Queries, company uuid.UUID, events []subjectKey) (map[subjectKey]any, error) {
	cards, seqs := make([]uuid.UUID, len(events)), make([]int64, len(events))
	for i, e := range events {
		cards[i], seqs[i] = e.id, e.seq
	}
	rows, err := q.WebhookMovements(ctx, db.WebhookMovementsParams{CompanyID: company, CardIds: cards, Seqs: seqs})
	if err != nil {
		return nil, fmt.Errorf("read movements to tell of: %w", err)
	}
	told := make(map[subjectKey]any, len(rows))
	for _, m := range rows {
		told[subjectKey{m.CardID, m.Seq}] = movementTold{
			ID:   (&ledger.Movement{Movement: db.Movement{CardID: m.CardID, Seq: m.Seq}}).GlobalID(),
			Card: cardTold{ID: loyalty.GlobalID("Card", m.CardID.String()), Code: m.CardCode, CardType: m.CardTypeCode},
			Seq:  m.Seq, Action: m.Action, Amount: amount(m.Amount), BalanceAfter: amount(m.BalanceAfter),
			PostedAt: m.PostedAt.UTC(), Source: m.Source, Reference: m.Reference, Store: m.StoreCode,
		}
	}
	return told, nil
}

func importsProgress(ctx context.Context, q *db.Queries, company uuid.UUID, events []subjectKey) (map[subjectKey]any, error) {
	var ids []uuid.UUID
	for _, e := range events {
		ids = append(ids, e.id)
	}
	rows, err := q.WebhookImports(ctx, company, ids)
	if err != nil {
		return nil, fmt.Errorf("read imports to tell of: %w", err)
	}
	told := map[subjectKey]any{}
	for _, row := range rows {
		for _, e := range events {
			if e.id == row.ID {
				told[e] = struct {
					ID          string `json:"id"`
					Status      string `json:"status"`
					RowsTotal   int32  `json:"rowsTotal"`
					RowsApplied int32  `json:"rowsApplied"`
					RowsFailed  int32  `json:"rowsFailed"`
				}{loyalty.GlobalID("Import", row.ID.String()), row.Status, row.RowsTotal, row.RowsApplied, row.RowsFailed}
			}
		}
	}
	return told, nil
}

// bodies makes the bodies of deliveries, a statement for each kind among them.
func (s *Service) bodies(ctx context.Context, company db.Company, deliveries []db.WebhookDelivery) (map[int64][]byte, error) {
	events := map[string][]subjectKey{}
	for _, d := range deliveries {
		events[d.Kind] = append(events[d.Kind], subjectKey{d.SubjectID, d.SubjectSeq})
	}
	told := map[string]map[subjectKey]any{}
	for kind, of := range events {
		read, known := payloads[kind]
		if !known {
			continue
		}
		var err error
		if told[kind], err = read(ctx, s.db.Queries, company.ID, of); err != nil {
			return nil, err
		}
	}
	bodies := make(map[int64][]byte, len(deliveries))
	for _, d := range deliveries {
		e := subjectKey{d.SubjectID, d.SubjectSeq}
		data, known := told[d.Kind][e]
		if !known {
			data = unknown(e)
		}
		body, err := json.Marshal(message{
			Type: d.Kind, Timestamp: d.OccurredAt.UTC(), Cursor: (&Delivery{WebhookDelivery: d}).Cursor(), Company: company.Code, Data: data,
		})
		if err != nil {
			return nil, fmt.Errorf("write a delivery's body: %w", err)
		}
		bodies[d.Seq] = body
	}
	return bodies, nil
}
