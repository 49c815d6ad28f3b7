package webhook_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"sello/db"
	"sello/loyalty"
	"sello/loyalty/webhook"
)

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for _, tt := range []struct {
		name  string
		in    webhook.Input
		want  loyalty.Code
		field string
	}{
		{"no address", webhook.Input{}, loyalty.CodeRequired, "url"},
		{"blank", webhook.Input{URL: new(" ")}, loyalty.CodeRequired, "url"},
		{"no address at all", webhook.Input{URL: new("example")}, loyalty.CodeInvalid, "url"},
		{"long", webhook.Input{URL: new("https://example.com/" + strings.Repeat("x", 2000))}, loyalty.CodeTooLong, "url"},
		{"long description", webhook.Input{URL: new("https://example.com"), Description: new(strings.Repeat("ñ", 501))}, loyalty.CodeTooLong, "description"},
		{"unknown kind", webhook.Input{URL: new("https://example.com"), Kinds: &[]string{"movement_postd"}}, loyalty.CodeInvalid, "kinds"},
		{"the test's kind", webhook.Input{URL: new("https://example.com"), Kinds: &[]string{webhook.TestKind}}, loyalty.CodeInvalid, "kinds"},
	} {
		_, _, err := e.Create(t.Context(), e.who, tt.in)
		if refused, ok := err.(*loyalty.Error); !ok || refused.Code != tt.want || refused.Field != tt.field {
			t.Errorf("%s: got %v, want %s of %s", tt.name, err, tt.want, tt.field)
		}
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	other := e.tenant(t, "other")
	var last *webhook.Webhook
	for range webhook.MaxWebhooks {
		last, _ = e.hook(t, "https://example.com/in")
	}
	url := "https://example.com/in"
	if _, _, err := e.Create(t.Context(), e.who, webhook.Input{URL: &url}); loyalty.CodeOf(err) != loyalty.CodeWebhookLimitReached {
		t.Errorf("one too many: got %v", err)
	}
	other.hook(t, url)
	if err := e.Delete(t.Context(), e.who, last.ID); err != nil {
		t.Fatal(err)
	}
	e.hook(t, url)
}

// TestSecrets: encrypted where they are kept, bound to their row, rotated with an
// overlap.
func TestSecrets(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	r := newReceiver(t, nil)
	w, first := e.hook(t, r.URL)
	e.card(t, "7001")
	if n := e.count(t, `SELECT count(*) FROM webhook WHERE position(convert_to($1, 'UTF8') IN secret) > 0 OR to_jsonb(webhook)::text LIKE '%' || $1 || '%'`,
		strings.TrimPrefix(first, webhook.SecretPrefix)); n != 0 {
		t.Error("the secret is in the table in clear")
	}
	signedBy := func(secret string) bool {
		t.Helper()
		e.post(t, "7001", 1)
		e.work(t, w)
		got := r.got()
		v, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		return v.VerifyIgnoringTimestamp(got[len(got)-1].body, got[len(got)-1].header) == nil
	}
	_, second, err := e.RotateSecret(t.Context(), e.who, w.ID, 2)
	if err != nil || second == first {
		t.Fatalf("RotateSecret: got %q, error %v", second, err)
	}
	if !signedBy(first) || !signedBy(second) {
		t.Error("during the overlap: not both secrets sign")
	}
	e.pass(2 * time.Hour)
	if signedBy(first) || !signedBy(second) {
		t.Error("after the overlap: not the new secret alone signs")
	}
	_, third, err := e.RotateSecret(t.Context(), e.who, w.ID, 0)
	if err != nil || signedBy(second) || !signedBy(third) {
		t.Errorf("without an overlap: error %v", err)
	}
	for _, hours := range []int{-1, webhook.MaxOverlapHours + 1} {
		if _, _, err := e.RotateSecret(t.Context(), e.who, w.ID, hours); loyalty.CodeOf(err) != loyalty.CodeInvalid {
			t.Errorf("an overlap of %d h: got %v", hours, err)
		}
	}
	// A secret in another webhook's row opens nothing.
	other, _ := e.hook(t, r.URL)
	e.exec(t, `UPDATE webhook SET secret = (SELECT secret FROM webhook WHERE id = $1) WHERE id = $2`, w.ID, other.ID)
	e.post(t, "7001", 1)
	for {
		if _, err := e.Deliver(t.Context(), e.company, other.ID, webhook.Run{}); err != nil {
			if !strings.Contains(err.Error(), "signing secret") || strings.Contains(err.Error(), first) {
				t.Errorf("a moved secret: got %v", err)
			}
			break
		}
	}
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	r := newReceiver(t, nil)
	w, _ := e.hook(t, r.URL)
	e.card(t, "7001")
	for range 2 { // a second time changes nothing
		if got, err := e.Pause(t.Context(), e.who, w.ID); err != nil || got.State() != webhook.Paused {
			t.Fatalf("Pause: got %v, error %v", got, err)
		}
	}
	e.post(t, "7001", 3)
	if done := e.work(t, w); done != (webhook.Done{}) || len(r.got()) != 0 {
		t.Errorf("paused: got %+v and %d requests", done, len(r.got()))
	}
	if _, err := e.Test(t.Context(), e.who, w.ID); loyalty.CodeOf(err) != loyalty.CodeStateConflict {
		t.Errorf("Test of a paused one: got %v", err)
	}
	for range 2 {
		if got, err := e.Resume(t.Context(), e.who, w.ID, false); err != nil || got.State() != webhook.Enabled {
			t.Fatalf("Resume: got %v, error %v", got, err)
		}
	}
	e.work(t, w)
	if diff := cmp.Diff([]string{"7001 1", "7001 2", "7001 3"}, r.told()); diff != "" {
		t.Errorf("after the pause (-want +got):\n%s", diff)
	}

	// Events of a longer pause are gone: that is said, and not jumped over in silence.
	if _, err := e.Pause(t.Context(), e.who, w.ID); err != nil {
		t.Fatal(err)
	}
	e.post(t, "7001", 3)
	e.exec(t, `DELETE FROM event WHERE id < (SELECT max(id) FROM event)`)
	if _, err := e.Resume(t.Context(), e.who, w.ID, false); loyalty.CodeOf(err) != loyalty.CodeEventsGone {
		t.Errorf("Resume with a gap: got %v", err)
	}
	e.pass(time.Second)
	if _, err := e.Resume(t.Context(), e.who, w.ID, true); err != nil {
		t.Fatalf("Resume with skip: %v", err)
	}
	e.post(t, "7001", 1)
	e.work(t, w)
	if diff := cmp.Diff([]string{"7001 1", "7001 2", "7001 3", "7001 7"}, r.told()); diff != "" {
		t.Errorf("after the gap (-want +got):\n%s", diff)
	}
}

func TestKindsAndUpdate(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	r, second := newReceiver(t, nil), newReceiver(t, nil)
	w, _ := e.hook(t, r.URL, "import_progressed")
	all, _ := e.hook(t, second.URL)
	e.card(t, "7001")
	e.post(t, "7001", 1)
	strange := uuid.New()
	e.exec(t, `INSERT INTO event (company_id, kind, subject_id, seq, recorded_at) VALUES ($1, 'coupon_frobbed', $2, 7, $3)`, e.company, strange, noon)
	if done := e.work(t, w); done.Events != 2 || done.Delivered != 0 {
		t.Errorf("unwanted events: got %+v, want them passed over", done)
	}
	// A kind that nobody has described is told by its subject.
	e.work(t, all)
	got := second.got()
	if len(got) != 2 || !strings.Contains(string(got[0].body)+string(got[1].body), fmt.Sprintf(`"data":{"subjectId":%q,"seq":7}`, strange)) {
		t.Errorf("a kind without a description: got %v", got)
	}
	changed, err := e.Update(t.Context(), e.who, w.ID, webhook.Input{URL: &second.URL, Kinds: &[]string{}, Description: new(" to the ERP ")})
	if err != nil || changed.Url != second.URL || len(changed.Kinds) != 0 || changed.Description != "to the ERP" {
		t.Errorf("Update: got %+v, error %v", changed, err)
	}
	e.post(t, "7001", 1)
	e.work(t, w)
	if n := len(r.got()); n != 0 || second.told()[2] != "7001 2" {
		t.Errorf("after the update: %d at the old address, %v at the new one", n, second.told())
	}
}

func TestTest(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	r := newReceiver(t, nil)
	w, _ := e.hook(t, r.URL, "movement_posted")
	d, err := e.Test(t.Context(), e.who, w.ID)
	if err != nil || d.Kind != webhook.TestKind || d.Cursor() != nil {
		t.Fatalf("Test: got %+v, error %v", d, err)
	}
	if n := e.count(t, `SELECT count(*) FROM river_job WHERE kind = 'webhook_deliver' AND args ->> 'webhook_id' = $1`, w.ID.String()); n != 1 {
		t.Errorf("%d jobs were enqueued", n)
	}
	e.work(t, w)
	got := r.got()
	if len(got) != 1 || got[0].message.Type != webhook.TestKind || !got[0].message.Data.Test || got[0].id != d.MessageID() {
		t.Errorf("received %v", got)
	}
}

// TestReplay sends exactly the range again, in order, before what is new.
func TestReplay(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	r := newReceiver(t, nil)
	w, _ := e.hook(t, r.URL)
	e.card(t, "aaaa")
	e.card(t, "bbbb")
	var places []int64
	for i := range 6 {
		e.pass(time.Minute)
		e.post(t, []string{"aaaa", "bbbb"}[i%2], 1)
		places = append(places, int64(e.count(t, `SELECT max(id) FROM event`)))
	}
	e.work(t, w)
	before := r.got()
	ids := map[string]string{}
	for _, g := range before {
		ids[fmt.Sprintf("%s %d", g.message.Data.Card.Code, g.message.Data.Seq)] = g.id
	}
	place := func(i int) *db.Place { return &db.Place{ID: places[i]} }
	for _, tt := range []struct {
		name string
		in   webhook.Range
		want []string
	}{
		{"between two places", webhook.Range{After: place(0), UpTo: place(3)}, []string{"aaaa 2", "bbbb 1", "bbbb 2"}},
		{"from a place on", webhook.Range{After: place(3)}, []string{"aaaa 3", "bbbb 3"}},
		{"from the beginning", webhook.Range{After: &db.Place{}, UpTo: place(0)}, []string{"aaaa 1"}},
		{"since a time", webhook.Range{Since: new(noon.Add(5 * time.Minute))}, []string{"aaaa 3", "bbbb 3"}},
		{"of other kinds", webhook.Range{After: place(0), Kinds: []string{"import_progressed"}}, nil},
		{"nothing", webhook.Range{After: place(5)}, nil},
	} {
		r.mu.Lock()
		r.all = nil
		r.mu.Unlock()
		if _, err := e.Replay(t.Context(), e.who, w.ID, tt.in); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		e.work(t, w)
		byCard := map[string][]string{}
		for _, g := range r.got() {
			c := g.message.Data.Card.Code
			byCard[c] = append(byCard[c], fmt.Sprintf("%s %d", c, g.message.Data.Seq))
			if told := byCard[c][len(byCard[c])-1]; g.id != ids[told] {
				t.Errorf("%s: %s has the id %s, at first it had %s", tt.name, told, g.id, ids[told])
			}
		}
		if diff := cmp.Diff(tt.want, append(byCard["aaaa"], byCard["bbbb"]...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if now := e.read(t, w); now.Replaying() != nil {
			t.Errorf("%s: still runs: %+v", tt.name, now.Replaying())
		}
	}

	// What is new waits for a replay, and one replay for another.
	e.post(t, "aaaa", 1)
	if _, err := e.Replay(t.Context(), e.who, w.ID, webhook.Range{After: &db.Place{}}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Replay(t.Context(), e.who, w.ID, webhook.Range{After: &db.Place{}}); loyalty.CodeOf(err) != loyalty.CodeReplayRunning {
		t.Errorf("a second replay: got %v", err)
	}
	r.mu.Lock()
	r.all = nil
	r.mu.Unlock()
	e.work(t, w)
	var a []string
	for _, told := range r.told() {
		if strings.HasPrefix(told, "a") {
			a = append(a, told)
		}
	}
	if diff := cmp.Diff([]string{"aaaa 1", "aaaa 2", "aaaa 3", "aaaa 4"}, a); diff != "" {
		t.Errorf("a replay and something new (-want +got):\n%s", diff)
	}

	// What is no longer kept is refused.
	e.exec(t, `DELETE FROM event WHERE id < $1`, places[3])
	for name, in := range map[string]webhook.Range{
		"after": {After: place(1)}, "since": {Since: new(noon.Add(-10 * 24 * time.Hour))},
	} {
		_, err := e.Replay(t.Context(), e.who, w.ID, in)
		if refused, ok := err.(*loyalty.Error); !ok || refused.Code != loyalty.CodeEventsGone || refused.Field != name ||
			refused.Params["oldest"] != loyalty.EventCursor(places[3]) {
			t.Errorf("a replay %s what is gone: got %v", name, err)
		}
	}
	for name, in := range map[string]webhook.Range{"neither": {}, "both": {After: place(4), Since: &noon}} {
		if _, err := e.Replay(t.Context(), e.who, w.ID, in); loyalty.CodeOf(err) != loyalty.CodeRequired {
			t.Errorf("a replay with %s: got %v", name, err)
		}
	}
	if _, err := e.Replay(t.Context(), e.who, w.ID, webhook.Range{After: place(5), UpTo: place(4)}); loyalty.CodeOf(err) != loyalty.CodeInvalid {
		t.Error("a range that ends before it begins is taken")
	}
}

// TestAnotherCompany: nothing of a company's events and webhooks is another one's.
func TestAnotherCompany(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	other := e.tenant(t, "other")
	mine, theirs := newReceiver(t, nil), newReceiver(t, nil)
	w, _ := e.hook(t, mine.URL)
	x, _ := other.hook(t, theirs.URL)
	e.card(t, "7001")
	other.card(t, "7001")
	e.post(t, "7001", 1)
	other.post(t, "7001", 2)
	e.work(t, w)
	other.work(t, x)
	if len(mine.got()) != 1 || mine.got()[0].message.Company != "acme" || len(theirs.got()) != 2 || theirs.got()[0].message.Company != "other" {
		t.Errorf("received %v and %v", mine.told(), theirs.told())
	}
	ctx, seq := t.Context(), e.log(t, w)[0].Seq
	for name, do := range map[string]func() error{
		"Update": func() error { _, err := other.Update(ctx, other.who, w.ID, webhook.Input{}); return err },
		"Pause":  func() error { _, err := other.Pause(ctx, other.who, w.ID); return err },
		"Resume": func() error { _, err := other.Resume(ctx, other.who, w.ID, false); return err },
		"Delete": func() error { return other.Delete(ctx, other.who, w.ID) },
		"Rotate": func() error { _, _, err := other.RotateSecret(ctx, other.who, w.ID, 1); return err },
		"Replay": func() error {
			_, err := other.Replay(ctx, other.who, w.ID, webhook.Range{After: &db.Place{}})
			return err
		},
		"Test":  func() error { _, err := other.Test(ctx, other.who, w.ID); return err },
		"Retry": func() error { _, err := other.Retry(ctx, other.who, w.ID, seq); return err },
	} {
		if err := do(); loyalty.CodeOf(err) != loyalty.CodeNotFound {
			t.Errorf("%s of another company's: got %v", name, err)
		}
	}
	if got, err := e.ByID(ctx, other.company, w.ID); got != nil || err != nil {
		t.Errorf("ByID of another company's: got %v, error %v", got, err)
	}
	if got, err := e.DeliveryByKey(ctx, other.company, w.ID, seq); got != nil || err != nil {
		t.Errorf("DeliveryByKey of another company's: got %v, error %v", got, err)
	}
}

// TestPlan enqueues one job for each webhook that has work, and none for the rest.
func TestPlan(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ received, before int) {
		if before == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	w, _ := e.hook(t, r.URL)
	paused, _ := e.hook(t, r.URL)
	if _, err := e.Pause(t.Context(), e.who, paused.ID); err != nil {
		t.Fatal(err)
	}
	other := e.tenant(t, "other")
	other.hook(t, r.URL)
	e.card(t, "7001")
	plan := func(want int, when string) {
		t.Helper()
		planned := 0
		for i := 0; i < 3 || planned < want; i++ { // each look gets further where others write
			n, err := e.Plan(t.Context())
			if err != nil {
				t.Fatalf("Plan: %v", err)
			}
			planned += n
		}
		if planned != want {
			t.Errorf("Plan %s: got %d, want %d", when, planned, want)
		}
	}
	plan(0, "without an event")
	e.post(t, "7001", 1)
	plan(1, "after an event")
	plan(0, "while its job waits")
	e.work(t, w)
	e.exec(t, `UPDATE river_job SET state = 'completed', finalized_at = now() WHERE kind = 'webhook_deliver'`)
	plan(0, "before the next attempt")
	e.pass(10 * time.Second)
	plan(1, "when the next attempt is due")
	if age, err := e.Oldest(t.Context()); err != nil || age != 10*time.Second {
		t.Errorf("Oldest: got %v, error %v", age, err)
	}
	e.work(t, w)
	if age, err := e.Oldest(t.Context()); err != nil || age != 0 {
		t.Errorf("Oldest with nothing left: got %v, error %v", age, err)
	}
}

func TestDeleteAndPrune(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	r := newReceiver(t, nil)
	w, _ := e.hook(t, r.URL)
	kept, _ := e.hook(t, r.URL)
	e.card(t, "7001")
	e.post(t, "7001", 3)
	e.work(t, w)
	e.work(t, kept)
	if err := e.Delete(t.Context(), e.who, w.ID); err != nil {
		t.Fatal(err)
	}
	if got, err := e.ByID(t.Context(), e.company, w.ID); got != nil || err != nil {
		t.Errorf("a deleted webhook: got %v, error %v", got, err)
	}
	for _, want := range []int64{2, 1, 0} {
		if n, err := e.Prune(t.Context(), e.company, noon, 2); err != nil || n != want {
			t.Errorf("Prune: got %d, error %v, want %d", n, err, want)
		}
	}
	if n := e.count(t, `SELECT count(*) FROM webhook`); n != 1 {
		t.Errorf("%d webhooks are left", n)
	}
	if n, err := e.Prune(t.Context(), e.company, noon.Add(time.Second), 100); err != nil || n != 3 {
		t.Errorf("Prune of an old log: got %d, error %v", n, err)
	}
	if n := e.count(t, `SELECT count(*) FROM webhook_attempt`); n != 0 {
		t.Errorf("%d attempts are left", n)
	}
	e.post(t, "7001", 1)
	e.work(t, kept)
	if told := r.told(); told[len(told)-1] != "7001 4" {
		t.Errorf("after pruning: got %v", told)
	}
}
