package webhook_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"sello/loyalty"
	"sello/loyalty/webhook"
)

func TestDelivers(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.card(t, "7000")
	e.post(t, "7000", 1) // before there is a webhook: not told
	e.pass(time.Second)
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ received, _ int) {
		_, _ = w.Write([]byte("thank\x00s " + strings.Repeat("x", 4000)))
	})
	w, secret := e.hook(t, r.URL+"/in?key=1")
	card := e.card(t, "7001")
	e.post(t, "7001", 2)

	if done := e.work(t, w); done.Delivered != 2 || done.Failed != 0 {
		t.Fatalf("Deliver: got %+v, want two movements delivered", done)
	}
	got := r.got()
	if len(got) != 2 {
		t.Fatalf("received %d, want 2", len(got))
	}
	m := got[1].message
	if m.Type != "movement_posted" || m.Company != "acme" || !m.Timestamp.Equal(e.Now()) || m.Data.Card.ID != card.GlobalID() ||
		m.Data.Card.Code != "7001" || m.Data.Card.CardType != "points" || m.Data.Seq != 2 || m.Data.Amount != "10.5" ||
		m.Data.BalanceAfter != "21" || m.Data.Action != "adjust" {
		t.Errorf("the second movement: got %s", got[1].body)
	}
	if got[0].header.Get("Content-Type") != "application/json" || m.Cursor == nil || got[1].id != "evt_"+*m.Cursor || got[0].id == got[1].id {
		t.Errorf("headers: got %v for %s", got[1].header, got[1].body)
	}
	// The signature, by somebody else's implementation. It looks at the time itself,
	// which stands still here.
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatalf("the secret %q is none for receivers: %v", secret, err)
	}
	for _, g := range got {
		if err := verifier.VerifyIgnoringTimestamp(g.body, g.header); err != nil {
			t.Errorf("a receiver cannot verify %v: %v", g.header, err)
		}
	}
	if err := verifier.VerifyIgnoringTimestamp([]byte(`{}`), got[0].header); err == nil {
		t.Error("another body has the same signature")
	}
	if want := fmt.Sprint(e.Now().Unix()); got[0].timestamp != want {
		t.Errorf("webhook-timestamp: got %s, want %s", got[0].timestamp, want)
	}

	log := e.log(t, w)
	if len(log) != 2 || log[0].State() != webhook.Delivered || log[0].MessageID() != got[0].id || log[0].EndedAt == nil {
		t.Fatalf("the log: got %+v", log)
	}
	attempts, err := e.Attempts(t.Context(), e.company, log[0])
	if err != nil || len(attempts) != 1 {
		t.Fatalf("Attempts: got %v, error %v", attempts, err)
	}
	a := attempts[0]
	if *a.StatusCode != 200 || a.Error != nil || !strings.HasPrefix(*a.Response, "thank\uFFFDs xxx") || len(*a.Response) > 1100 {
		t.Errorf("the attempt: got status %v, error %v, response %q", a.StatusCode, a.Error, *a.Response)
	}
	if n := e.count(t, `SELECT count(*) FROM webhook_lane`); n != 0 {
		t.Errorf("%d lanes are left", n)
	}
	if again := e.work(t, w); again != (webhook.Done{}) {
		t.Errorf("a second run: got %+v, want nothing to do", again)
	}
}

// TestOrder: whatever the receiver does and however many are sent at a time, what
// it takes of a card for the first time comes in the card's order, nothing is
// missing, and cards do not wait for each other.
func TestOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			chance := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test's dice
			plan := map[string]int{}                 // how often each message is refused
			var taken []received
			r := newReceiver(t, nil)
			r.answer = func(w http.ResponseWriter, _ *http.Request, got received, before int) {
				r.mu.Lock()
				defer r.mu.Unlock()
				if _, known := plan[got.id]; !known {
					plan[got.id] = []int{0, 0, 0, 1, 2, 3}[chance.IntN(6)]
				}
				if before < plan[got.id] {
					w.WriteHeader([]int{500, 503, 400, 302}[chance.IntN(4)])
					return
				}
				taken = append(taken, got)
			}
			w, _ := e.hook(t, r.URL)
			var cards []string
			for i := range 7 {
				cards = append(cards, fmt.Sprintf("card-%d", i))
				e.card(t, cards[i])
			}
			posted := map[string]int{}
			for range 60 {
				c := cards[chance.IntN(len(cards))]
				e.post(t, c, 1)
				posted[c]++
				if chance.IntN(10) == 0 {
					e.work(t, w)
				}
			}
			for range 200 {
				e.work(t, w)
				if e.count(t, `SELECT count(*) FROM webhook_delivery WHERE status = 'pending'`) == 0 {
					break
				}
				e.pass(time.Minute)
			}
			last := map[string]int64{}
			for _, g := range taken {
				c := g.message.Data.Card.Code
				if g.message.Data.Seq != last[c]+1 {
					t.Errorf("card %s: got movement %d behind %d", c, g.message.Data.Seq, last[c])
				}
				last[c] = g.message.Data.Seq
			}
			for _, c := range cards {
				if int(last[c]) != posted[c] {
					t.Errorf("card %s: %d of %d movements arrived", c, last[c], posted[c])
				}
			}
			if r.most > 8 {
				t.Errorf("%d requests at a time, want at most 8", r.most)
			}
		})
	}
}

// TestOtherCardsGoOn: one delivery that nobody takes holds up its card only.
func TestOtherCardsGoOn(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, got received, _ int) {
		if got.message.Data.Card.Code == "poison" {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	w, _ := e.hook(t, r.URL)
	e.card(t, "poison")
	e.card(t, "good")
	e.post(t, "poison", 2)
	e.post(t, "good", 3)
	e.work(t, w)
	// Long enough for the webhook as a whole to count as failing by now: the good
	// card's next movement arrives within the minute all the same.
	for range 12 {
		e.pass(30 * time.Minute)
		e.work(t, w)
	}
	e.post(t, "good", 1)
	e.pass(time.Minute)
	e.work(t, w)
	var good, poison []string
	for _, told := range r.told() {
		if strings.HasPrefix(told, "good") {
			good = append(good, told)
		} else {
			poison = append(poison, told)
		}
	}
	if diff := cmp.Diff([]string{"good 1", "good 2", "good 3", "good 4"}, good); diff != "" {
		t.Errorf("the good card (-want +got):\n%s", diff)
	}
	if slices.Contains(poison, "poison 2") || len(poison) < 5 {
		t.Errorf("the other card: got %v, want its first movement again and again", poison)
	}
	// The poison dies of age; the card goes on, and the webhook too, as it works.
	for e.count(t, `SELECT count(*) FROM webhook_delivery WHERE status = 'dead'`) == 0 {
		e.pass(time.Hour)
		e.work(t, w)
	}
	if e.read(t, w).State() != webhook.Enabled {
		t.Error("the webhook was disabled though others arrived")
	}
	e.pass(time.Minute)
	e.work(t, w)
	if !slices.Contains(r.told(), "poison 2") {
		t.Error("the card's next movement was not sent after the first was given up")
	}
}

// TestGivesUp: nothing arrives for three days. The delivery is tried with growing
// pauses under one id, given up, and the webhook disabled; somebody is told.
func TestGivesUp(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.exec(t, `INSERT INTO operator (company_id, id, email, name, password_hash, scopes, created_at, updated_at) VALUES
		($1, gen_random_uuid(), 'boss@acme.test', 'B', '', '{webhooks:write}', $2, $2),
		($1, gen_random_uuid(), 'clerk@acme.test', 'C', '', '{cards:read}', $2, $2)`, e.company, noon)
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ received, _ int) {
		w.WriteHeader(http.StatusInternalServerError)
	})
	w, _ := e.hook(t, r.URL)
	e.card(t, "7001")
	e.post(t, "7001", 2)
	for i := 0; e.read(t, w).State() == webhook.Enabled; i++ {
		if i > 72*60 {
			t.Fatal("still enabled after three days")
		}
		e.work(t, w)
		if i < 10 {
			e.pass(time.Minute)
		} else {
			e.pass(10 * time.Minute)
		}
	}
	if took := e.Now().Sub(noon); took < webhook.TryFor || took > webhook.TryFor+time.Hour {
		t.Errorf("disabled after %v, want about %v", took, webhook.TryFor)
	}
	now := e.read(t, w)
	if now.State() != webhook.Disabled || now.Why() == nil || *now.Why() != webhook.Failing {
		t.Errorf("the webhook: got %s for %v", now.Status, now.DisabledReason)
	}
	got := r.got()
	if n := len(got); n < 25 || n > 45 {
		t.Errorf("%d attempts in three days, want some thirty", n)
	}
	var at []int64
	for _, g := range got {
		if g.id != got[0].id {
			t.Errorf("a retry has the id %s, the first attempt %s", g.id, got[0].id)
		}
		var unix int64
		_, _ = fmt.Sscan(g.timestamp, &unix)
		at = append(at, unix)
	}
	if first, last := at[1]-at[0], at[len(at)-2]-at[len(at)-3]; first > 120 || last < 2*3600 {
		t.Errorf("the pauses: got %d s first and %d s last", first, last)
	}
	log := e.log(t, w)
	if log[0].State() != webhook.Dead || log[1].State() != webhook.Pending || e.counts.by["dead"] != 1 {
		t.Errorf("the deliveries: got %s and %s, counts %v", log[0].State(), log[1].State(), e.counts.by)
	}
	if len(*e.mails) != 1 || (*e.mails)[0].Recipient != "boss@acme.test" || !strings.Contains((*e.mails)[0].Body, "tres días") {
		t.Errorf("mails: got %+v", *e.mails)
	}
	if n := e.count(t, `SELECT count(*) FROM event WHERE company_id = $1 AND kind = 'webhook_disabled'`, e.company); n != 1 {
		t.Errorf("%d events tell of it", n)
	}
	if n := e.count(t, `SELECT count(*) FROM audit_entry WHERE company_id = $1 AND action = 'webhook_disable' AND actor_kind = 'system'`, e.company); n != 1 {
		t.Errorf("%d audit entries tell of it", n)
	}

	// Mended and resumed, it goes on with the second; the dead one comes again when
	// somebody asks for it.
	r.mu.Lock()
	r.all, r.answer = nil, nil
	r.mu.Unlock()
	if _, err := e.Retry(t.Context(), e.who, w.ID, log[1].Seq); loyalty.CodeOf(err) != loyalty.CodeStateConflict {
		t.Errorf("Retry of one that waits: got %v", err)
	}
	if _, err := e.Resume(t.Context(), e.who, w.ID, false); err != nil {
		t.Fatal(err)
	}
	e.work(t, w)
	if diff := cmp.Diff([]string{"7001 2", " 0"}, r.told()); diff != "" {
		t.Errorf("after the resume (-want +got):\n%s", diff)
	}
	if _, err := e.Retry(t.Context(), e.who, w.ID, log[0].Seq); err != nil {
		t.Fatal(err)
	}
	e.work(t, w)
	if diff := cmp.Diff([]string{"7001 2", " 0", "7001 1"}, r.told()); diff != "" {
		t.Errorf("after the retry (-want +got):\n%s", diff)
	}
}

// TestMisbehaviour: what receivers do wrong, and what the log tells of it.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	elsewhere := newReceiver(t, nil)
	for _, tt := range []struct {
		name, problem string
		status        int32
		answer        func(w http.ResponseWriter, r *http.Request, got received, before int)
	}{
		{"500", "the receiver answered 500", 500, func(w http.ResponseWriter, _ *http.Request, _ received, _ int) { http.Error(w, "oh", 500) }},
		{"404", "the receiver answered 404", 404, func(w http.ResponseWriter, r *http.Request, _ received, _ int) { http.NotFound(w, r) }},
		{"redirect", "redirects are not followed", 307, func(w http.ResponseWriter, r *http.Request, _ received, _ int) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}},
		{"closes", "EOF", 0, func(w http.ResponseWriter, _ *http.Request, _ received, _ int) { panic(http.ErrAbortHandler) }},
		{"slow", "no answer in time", 0, func(_ http.ResponseWriter, r *http.Request, _ received, _ int) { <-r.Context().Done() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.Service = e.service(t, e.pool, webhook.Config{AllowPrivate: true, Timeout: 200 * time.Millisecond})
			r := newReceiver(t, func(w http.ResponseWriter, req *http.Request, got received, before int) {
				if before == 0 {
					tt.answer(w, req, got, before)
				}
			})
			w, _ := e.hook(t, r.URL)
			e.card(t, "7001")
			e.post(t, "7001", 1)
			e.work(t, w)
			log := e.log(t, w)
			attempts, err := e.Attempts(t.Context(), e.company, log[0])
			if err != nil || len(attempts) != 1 {
				t.Fatalf("Attempts: got %v, error %v", attempts, err)
			}
			a := attempts[0]
			if a.Error == nil || *a.Error != tt.problem || (a.StatusCode == nil) != (tt.status == 0) || (a.StatusCode != nil && *a.StatusCode != tt.status) {
				t.Errorf("the attempt: got error %v, status %v", *a.Error, a.StatusCode)
			}
			if log[0].State() != webhook.Pending || log[0].NextAttemptAt == nil || !log[0].NextAttemptAt.After(noon) {
				t.Errorf("the delivery: got %+v", log[0])
			}
			e.pass(10 * time.Second)
			e.work(t, w)
			if log := e.log(t, w); log[0].State() != webhook.Delivered || log[0].WebhookDelivery.Attempts != 2 {
				t.Errorf("after another try: got %s after %d attempts", log[0].State(), log[0].WebhookDelivery.Attempts)
			}
		})
	}
	if n := len(elsewhere.got()); n != 0 {
		t.Errorf("a redirect was followed %d times", n)
	}
}

func TestGone(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ received, _ int) { w.WriteHeader(http.StatusGone) })
	w, _ := e.hook(t, r.URL)
	e.card(t, "7001")
	e.card(t, "7002")
	e.post(t, "7001", 1)
	e.work(t, w)
	e.post(t, "7002", 1)
	e.pass(time.Hour)
	e.work(t, w)
	if now := e.read(t, w); now.State() != webhook.Disabled || *now.Why() != webhook.Gone || len(r.got()) != 1 {
		t.Errorf("after 410: got %s for %v and %d requests", now.Status, now.DisabledReason, len(r.got()))
	}
	if log := e.log(t, w); log[0].State() != webhook.Pending {
		t.Errorf("the delivery: got %s, want it to wait for a resume", log[0].State())
	}
}

// TestRetryAfter: a receiver that is busy says when to come again.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ received, before int) {
		if before == 0 {
			w.Header().Set("Retry-After", "600")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	w, _ := e.hook(t, r.URL)
	e.card(t, "7001")
	e.post(t, "7001", 1)
	e.work(t, w)
	e.pass(599 * time.Second)
	e.work(t, w)
	if n := len(r.got()); n != 1 {
		t.Errorf("%d requests before the time that the receiver asked for", n)
	}
	e.pass(time.Second)
	e.work(t, w)
	if n := len(r.got()); n != 2 {
		t.Errorf("%d requests after it", n)
	}
}

// TestKilled: the worker dies between sending and noting. Its lane comes again by
// itself, its delivery is sent a second time under the same id, and no other one.
func TestKilled(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	r := newReceiver(t, nil)
	w, _ := e.hook(t, r.URL)
	e.card(t, "7001")
	e.post(t, "7001", 3)

	// Another process: its own connections, which are gone in the middle.
	dying, err := pgxpool.NewWithConfig(t.Context(), e.pool.Config())
	if err != nil {
		t.Fatal(err)
	}
	r.answer = func(_ http.ResponseWriter, _ *http.Request, got received, before int) {
		if got.message.Data.Seq == 2 && before == 0 {
			dying.Close()
		}
	}
	doomed := e.service(t, dying, webhook.Config{AllowPrivate: true})
	for { // the first look may find nothing settled yet
		done, err := doomed.Deliver(t.Context(), e.company, w.ID, webhook.Run{})
		if err != nil {
			break
		}
		if done.Delivered == 3 {
			t.Fatal("the worker lived")
		}
	}
	if diff := cmp.Diff([]string{"7001 1", "7001 2"}, r.told()); diff != "" {
		t.Fatalf("before the end (-want +got):\n%s", diff)
	}
	e.work(t, w) // the lane is still the dead worker's
	if n := len(r.got()); n != 2 {
		t.Errorf("%d requests while the lane was taken", n)
	}
	e.pass(time.Minute)
	e.work(t, w)
	if diff := cmp.Diff([]string{"7001 1", "7001 2", "7001 2", "7001 3"}, r.told()); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	if got := r.got(); got[1].id != got[2].id || string(got[1].body) != string(got[2].body) {
		t.Errorf("the second copy: got %s and %s", got[1].body, got[2].body)
	}
}

// TestTwoWorkers: two at once on one webhook send nothing twice.
func TestTwoWorkers(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	r := newReceiver(t, nil)
	w, _ := e.hook(t, r.URL)
	for i := range 10 {
		card := fmt.Sprintf("card-%d", i)
		e.card(t, card)
		e.post(t, card, 4)
	}
	other := e.service(t, e.pool, webhook.Config{AllowPrivate: true})
	ended := make(chan error, 2)
	for _, s := range []*webhook.Service{e.Service, other} {
		go func() {
			_, err := s.Deliver(t.Context(), e.company, w.ID, webhook.Run{})
			ended <- err
		}()
	}
	for range 2 {
		if err := <-ended; err != nil {
			t.Errorf("Deliver: %v", err)
		}
	}
	e.work(t, w)
	told := r.told()
	slices.Sort(told)
	if n := len(slices.Compact(slices.Clone(told))); n != 40 || len(told) != 40 {
		t.Errorf("received %d, %d of them different, want 40", len(told), n)
	}
}
