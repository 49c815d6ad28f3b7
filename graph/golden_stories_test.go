package graph_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/govalues/decimal"

	"sello/graph/graphtest"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/imports"
	"sello/loyalty/ledger"
	"sello/loyalty/notify"
)

// rows of a points file.
const (
	goodRow  = "Rosa,Ibáñez,rosa@example.com,D-001,50"
	otherRow = "Luis,,luis@example.com,,7"
	badRow   = "Sin,Correo,not-an-address,D-002,10"
	blankRow = ",,,,"
)

func prepareImports(s *story) {
	s.Fill(s.t, 0)
	fine := s.Import(s.t, "fine.csv", otherRow)
	s.Apply(s.t, fine.ID)
	failed := s.Import(s.t, "some.csv", goodRow, badRow, "Ana,,ana@example.com,,-5", "Eva,,eva@example.com,,3")
	s.Apply(s.t, failed.ID)
	queued := s.Import(s.t, "late.csv", "Tarde,,late@example.com,,1")
	s.saved["fine"], s.saved["queued"] = fine.GlobalID(), queued.GlobalID()
	s.hooks["work"] = func(s *story) {
		s.Apply(s.t, failed.ID) // one after the other, so that their mails have an order
		s.Apply(s.t, queued.ID)
		s.Work(s.t)
	}
}

func prepareCoupons(s *story) {
	s.Fill(s.t, 1)
	s.saved["customer"] = s.Names.Customers[0].GlobalID()
	s.hooks["make"] = func(s *story) {
		id, _ := loyalty.ParseUUID("CouponBatch", s.saved["batch"])
		for done := false; !done; {
			var err error
			if done, err = s.Resolver.Coupons.MakeStep(s.t.Context(), s.ID, id); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// prepareJobs leaves a job done, one given up, one that waits, and one of
// another company.
func prepareJobs(s *story) {
	job := func(company any, kind, queue, state string, errors string, final bool) (id int64) {
		s.t.Helper()
		err := s.Pool.QueryRow(s.t.Context(), `INSERT INTO river_job
			(args, attempt, max_attempts, kind, queue, state, created_at, scheduled_at, attempted_at, finalized_at, errors)
			VALUES (jsonb_build_object('company_id', $1::uuid), CASE WHEN $5::jsonb IS NULL THEN 0 ELSE 1 END, 3, $2, $3, $4::river_job_state,
			        $6, $6, CASE WHEN $5::jsonb IS NULL THEN NULL ELSE $6::timestamptz END, CASE WHEN $7 THEN $6::timestamptz END,
			        CASE WHEN $5::jsonb IS NULL THEN NULL ELSE ARRAY[$5::jsonb] END)
			RETURNING id`, company, kind, queue, state, nullable(errors), graphtest.Noon, final).Scan(&id)
		if err != nil {
			s.t.Fatal(err)
		}
		return id
	}
	other := s.Env.Company(s.t, "other")
	s.Exec(s.t, `INSERT INTO river_queue (name, created_at, updated_at) VALUES ('imports', now(), now()), ('notify', now(), now())`)
	s.saved["foreign"] = jobID(job(other.ID, "import_apply", "imports", "available", "", false))
	job(s.ID, "import_apply", "imports", "available", "", false)
	job(s.ID, "notify_email", "notify", "discarded",
		`{"at":"2026-03-02T18:00:00Z","attempt":1,"error":"the mail server is away","trace":""}`, true)
	job(s.ID, "notify_email", "notify", "completed", "", true)
}

func preparePlan(s *story) {
	s.Fill(s.t, 0)
	s.saved["cardsOnly"] = s.KeyWith(s.t, auth.CardsRead)
	s.hooks["tomorrow"] = func(s *story) { s.Clock.Pass(24 * time.Hour) }
	s.hooks["refuse"] = func(s *story) {
		s.t.Helper()
		list, err := s.Resolver.Notify.List(s.t.Context(), s.ID, nil, nil, 1)
		if err == nil {
			err = s.Resolver.Notify.GiveUp(s.t.Context(), s.ID, list[0].ID, &notify.PermanentError{Reason: "the provider refuses the message"})
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

func prepareNodes(s *story) {
	s.Fill(s.t, 1)
	for kind, id := range nodeIDs(s.t, s.Company) {
		s.saved[kind] = id
	}
	s.saved["cardsOnly"] = s.KeyWith(s.t, auth.CardsRead)
}

func prepareFollow(s *story) {
	s.Fill(s.t, 1)
	imp := s.Import(s.t, "fine.csv", blankRow, goodRow)
	s.Apply(s.t, imp.ID)
	s.saved["import"] = imp.GlobalID()
}

// prepareReports leaves figures of some days, and a row that somebody altered.
func prepareReports(s *story) {
	s.Fill(s.t, 2)
	s.saved["cardsOnly"] = s.KeyWith(s.t, auth.CardsRead)
	s.hooks["count"] = func(s *story) {
		s.t.Helper()
		for done := false; !done; {
			var err error
			if done, err = s.Resolver.Reports.Step(s.t.Context(), s.ID); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	s.hooks["work"] = func(s *story) { s.Work(s.t) }
	s.hooks["lots"] = endingPoints
	s.hooks["alter"] = func(s *story) {
		s.t.Helper()
		conn, err := s.Pool.Acquire(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		defer conn.Release()
		for _, sql := range []string{
			`SET session_replication_role = replica`,
			`UPDATE movement SET amount = 20 WHERE seq = 2 AND card_id = '` + s.Names.Cards[0].ID.String() + `'`,
			`UPDATE idempotency_key SET seq = 90 WHERE card_id = '` + s.Names.Cards[1].ID.String() + `'`,
			`RESET session_replication_role`,
		} {
			if _, err := conn.Exec(s.t.Context(), sql); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// endingPoints leaves a card whose points end on two days, and some that wait.
func endingPoints(s *story) {
	s.t.Helper()
	code, books, ctx := s.Code+"-ending", s.Resolver.Ledger, s.t.Context()
	_, err := books.CardTypeCreate(ctx, s.System, ledger.NewCardType{Code: code, Name: "Ending", Unit: ledger.Points})
	if err != nil {
		s.t.Fatal(err)
	}
	card, err := books.CardCreate(ctx, s.System, ledger.NewCard{CardTypeCode: code, Code: "ending-1"})
	if err != nil {
		s.t.Fatal(err)
	}
	s.Exec(s.t, `UPDATE card SET expiry_version = 1 WHERE company_id = $1 AND id = $2`, s.ID, card.ID)
	for _, step := range []struct {
		rule   string
		action ledger.Action
		points string
	}{
		{"tracks_lots = true, expiry_version = 1, expiry_policy = 'fixed_date', expiry_date = '2026-12-31'", ledger.Accrue, "5"},
		{"expiry_date = '2026-06-30'", ledger.Accrue, "3"},
		{"expiry_policy = 'never'", ledger.Accrue, "2"},
		{"pending_days = 30", ledger.Accrue, "7"},
		{"pending_days = NULL", ledger.Redeem, "-1"},
	} {
		s.Exec(s.t, `UPDATE card_type SET `+step.rule+` WHERE company_id = $1 AND code = $2`, s.ID, code)
		_, err := books.Post(ctx, s.System, ledger.Posting{
			Card: ledger.CardRef{Code: card.Code}, Action: step.action, Amount: new(decimal.MustParse(step.points)), Source: "graphql",
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// prepareWebhooks has a receiver that takes everything but the first it gets.
func prepareWebhooks(s *story) {
	s.Fill(s.t, 1)
	s.Clock.Pass(time.Second) // what was before is not sent
	got := 0
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if got++; got == 1 {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		}
	}))
	s.t.Cleanup(receiver.Close)
	s.saved["receiver"] = receiver.URL + "/in"
	hook := func() uuid.UUID {
		id, _ := loyalty.ParseUUID("Webhook", s.saved["hook"])
		return id
	}
	s.hooks["post"] = func(s *story) {
		s.Post(s.t, s.Names.Cards[0].Code, 5)
		s.Post(s.t, s.Names.Cards[0].Code, 6)
		s.Serve(s.t, hook())
		s.Clock.Pass(10 * time.Second)
		s.Serve(s.t, hook())
	}
	s.hooks["serve"] = func(s *story) { s.Serve(s.t, hook()) }
}

// prepareLots lets points of the programme end ten days after they were earned, and
// move between cards.
func prepareLots(s *story) {
	s.Fill(s.t, 2)
	s.Exec(s.t, `UPDATE card_type SET tracks_lots = true, expiry_policy = 'after', expiry_count = 10, expiry_unit = 'day', expiry_redates = true,
		expiry_version = 1, transfer_policy = 'partial' WHERE company_id = $1 AND code = $2`, s.ID, s.Names.Programme)
	s.hooks["tomorrow"] = func(s *story) { s.Clock.Pass(24 * time.Hour) }
	s.hooks["in two weeks"] = func(s *story) { s.Clock.Pass(14 * 24 * time.Hour) }
}

// nodeIDs are the opaque ids of one object of each type of a filled company. It
// imports a file, which leaves a notification and a job, and holds a point.
func nodeIDs(t *testing.T, c *graphtest.Company) map[string]string {
	t.Helper()
	rewarding := c.FillRewards(t)
	held, err := c.Resolver.Ledger.HoldCreate(t.Context(), c.System, ledger.NewHold{
		Card: ledger.CardRef{Code: c.Names.Cards[0].Code}, Amount: decimal.One, Source: "graphql",
	})
	if err != nil {
		t.Fatal(err)
	}
	imp := c.Import(t, "nodes-"+c.Code+".csv", goodRow)
	c.Apply(t, imp.ID)
	check, err := c.Resolver.Reports.CheckStart(t.Context(), c.System, "books of "+c.Code)
	if err != nil {
		t.Fatal(err)
	}
	hook, delivery := c.Webhook(t)
	c.FillPlan(t)
	made := c.Query(t, `mutation($attribute: String!, $segment: String!) {
		customerAttributeCreate(input: { code: $attribute, name: $attribute, type: TEXT }) { attribute { id } }
		segmentCreate(input: { code: $segment, name: $segment }) { segment { id } }
	}`, map[string]any{"attribute": c.Code + "-size", "segment": c.Code + "-segment"})
	a := c.Query(t, `query($card: String!, $store: String!, $staff: Int!) {
		company { id }
		store(code: $store) { id }
		staffMember(number: $staff) { id }
		customers(first: 1) { edges { node { id } } }
		card(code: $card) { id cardType { id } movements(first: 1) { edges { node { id } } } }
		apiKeys(first: 1) { edges { node { id } } }
		notifications(first: 1) { edges { node { id } } }
		jobs(kind: "import_apply", first: 1) { edges { node { id } } }
	}`, map[string]any{"card": c.Names.Cards[0].Code, "store": c.Names.Store, "staff": c.Names.Staff[0]})
	first := func(list string) string { return a.Text(list, "edges", 0, "node", "id") }
	ids := map[string]string{
		"Hold":    held.Hold.GlobalID(),
		"Company": a.Text("company", "id"), "Store": a.Text("store", "id"), "Staff": a.Text("staffMember", "id"),
		"Customer": first("customers"), "Card": a.Text("card", "id"), "CardType": a.Text("card", "cardType", "id"),
		"Movement": a.Text("card", "movements", "edges", 0, "node", "id"), "ApiKey": first("apiKeys"),
		"Import": (&imports.Import{Import: imp.Import}).GlobalID(), "Notification": first("notifications"), "Job": first("jobs"),
		"LedgerCheck": check.GlobalID(),
		"Webhook":     hook.GlobalID(), "WebhookDelivery": delivery.GlobalID(),
		"CustomerAttribute": made.Text("customerAttributeCreate", "attribute", "id"), "Segment": made.Text("segmentCreate", "segment", "id"),
	}
	maps.Copy(ids, rewarding)
	for kind, id := range ids {
		if id == "" {
			t.Fatalf("the filled company has no %s", kind)
		}
	}
	return ids
}

func jobID(n int64) string { return loyalty.GlobalID("Job", strconv.FormatInt(n, 10)) }

func nullable(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
