package graph_test

import (
	"strconv"
	"testing"

	"sello/graph/graphtest"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/imports"
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

// nodeIDs are the opaque ids of one object of each type of a filled company. It
// imports a file, which leaves a notification and a job.
func nodeIDs(t *testing.T, c *graphtest.Company) map[string]string {
	t.Helper()
	imp := c.Import(t, "nodes-"+c.Code+".csv", goodRow)
	c.Apply(t, imp.ID)
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
		"Company": a.Text("company", "id"), "Store": a.Text("store", "id"), "Staff": a.Text("staffMember", "id"),
		"Customer": first("customers"), "Card": a.Text("card", "id"), "CardType": a.Text("card", "cardType", "id"),
		"Movement": a.Text("card", "movements", "edges", 0, "node", "id"), "ApiKey": first("apiKeys"),
		"Import": (&imports.Import{Import: imp.Import}).GlobalID(), "Notification": first("notifications"), "Job": first("jobs"),
	}
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
