package notify_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"sello/db"
	"sello/db/dbtest"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/ledger"
	"sello/loyalty/notify"
	"sello/loyalty/plan"
)

const secret = "a secret of this test only"

var noon = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)

// provider is a fake that records, and answers one status after the other.
type provider struct {
	*httptest.Server
	mu       sync.Mutex
	answers  []int
	requests []*http.Request
	bodies   [][]byte
}

func newProvider(t *testing.T, answers ...int) *provider {
	t.Helper()
	p := &provider{answers: answers}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read a message: %v", err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.requests, p.bodies = append(p.requests, r), append(p.bodies, body)
		status := http.StatusOK
		if len(p.answers) > 0 {
			status, p.answers = p.answers[0], p.answers[1:]
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "refused +524771234567")
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) texter(t *testing.T) *notify.HTTPTexter {
	t.Helper()
	texter, err := notify.NewHTTPTexter(notify.HTTPConfig{URL: p.URL + "/messages", Secret: secret, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	return texter
}

// TestHTTPTexter: what goes over the wire, signed, and what each answer means.
func TestHTTPTexter(t *testing.T) {
	t.Parallel()
	m := notify.Outgoing{ID: uuid.MustParse("01890000-0000-7000-8000-000000000001"), Channel: notify.ByWhatsApp, To: "+524771234567", Body: "Hola <María> & \"tú\""}
	for status, want := range map[int]string{
		200: "", 201: "", 202: "", 204: "",
		400: "permanent", 413: "permanent", 422: "permanent",
		301: "later", 307: "later", 401: "later", 403: "later", 404: "later", 408: "later", 409: "later", 425: "later", 429: "later", 500: "later", 503: "later",
	} {
		p := newProvider(t, status)
		err := p.texter(t).SendText(t.Context(), m)
		got := ""
		if _, ok := errors.AsType[*notify.PermanentError](err); ok {
			got = "permanent"
		} else if _, ok := errors.AsType[*notify.SendError](err); ok {
			got = "later"
		} else if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("answer %d: got %q (%v), want %q", status, got, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "477") {
			t.Errorf("answer %d: the reason names the person: %v", status, err)
		}
		if len(p.requests) != 1 {
			t.Fatalf("answer %d: got %d requests, want 1", status, len(p.requests))
		}
		r, body := p.requests[0], p.bodies[0]
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(m.ID.String() + ".1772452800."))
		mac.Write(body)
		if got, want := r.Header.Get("Webhook-Signature"), "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)); got != want {
			t.Errorf("signature: got %s, want %s", got, want)
		}
		if r.Method != http.MethodPost || r.URL.Path != "/messages" || r.Header.Get("Idempotency-Key") != m.ID.String() ||
			r.Header.Get("Webhook-Id") != m.ID.String() || r.Header.Get("Webhook-Timestamp") != "1772452800" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("request: got %s %s %v", r.Method, r.URL.Path, r.Header)
		}
		var sent map[string]string
		if err := json.Unmarshal(body, &sent); err != nil || len(sent) != 4 || sent["id"] != m.ID.String() || sent["channel"] != "whatsapp" || sent["to"] != m.To || sent["text"] != m.Body {
			t.Errorf("body: got %s, %v", body, err)
		}
	}
	gone := newProvider(t)
	texter := gone.texter(t)
	gone.Close()
	if _, ok := errors.AsType[*notify.SendError](texter.SendText(t.Context(), m)); !ok {
		t.Error("a provider that is away: want an error that another attempt may mend")
	}
}

func TestNewHTTPTexterRefuses(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"https://sms.example.com/send": true, "http://127.0.0.1:1/x": true, "http://localhost/x": true, "http://[::1]:9/": true,
		"http://sms.example.com/send": false, "ftp://sms.example.com": false, "sms.example.com": false, "": false, "https://user:pass@sms.example.com": false, "https://": false,
	} {
		if _, err := notify.NewHTTPTexter(notify.HTTPConfig{URL: address, Secret: secret}); (err == nil) != ok {
			t.Errorf("address %q: got %v, want it taken: %v", address, err, ok)
		}
	}
	if _, err := notify.NewHTTPTexter(notify.HTTPConfig{URL: "https://sms.example.com", Secret: "short"}); err == nil {
		t.Error("a short secret: got no error")
	}
}

// env is messages of one company that pays for them.
type env struct {
	pool   *pgxpool.Pool
	notify *notify.Service
	plans  *plan.Service
	who    auth.Principal
	now    time.Time
}

func newEnv(t *testing.T, texter notify.Texter) *env {
	t.Helper()
	e := &env{pool: dbtest.New(t), now: noon}
	store := db.NewStore(e.pool)
	clock := func() time.Time { return e.now }
	jobs, err := river.NewClient(riverpgxv5.New(e.pool), &river.Config{})
	if err != nil {
		t.Fatal(err)
	}
	e.plans = &plan.Service{DB: store, Now: clock}
	e.notify = &notify.Service{DB: store, Jobs: jobs, Mailer: notify.Keeper{}, Texter: texter, Accounts: e.plans, Now: clock}
	c, err := (&company.Service{DB: store, Now: clock}).Create(t.Context(), company.NewCompany{
		Code: "acme", Name: "Acme", TimeZone: "UTC", Language: "es", Currency: "MXN", PhonePrefix: "+52",
	})
	if err != nil {
		t.Fatal(err)
	}
	e.who = auth.System(c.ID)
	if _, err := e.plans.Set(t.Context(), e.who, plan.Change{MessagePrice: ledger.Given(decimal.MustParse("0.75"))}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := e.plans.TopUp(t.Context(), e.who, plan.Money{Amount: decimal.MustParse("2")}); err != nil {
		t.Fatal(err)
	}
	return e
}

// queue charges for a message and queues it, as a sale does.
func (e *env) queue(t *testing.T) uuid.UUID {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	err := e.notify.DB.InTx(t.Context(), func(tx db.Tx) error {
		a, err := e.plans.Open(t.Context(), tx, e.who.CompanyID)
		if err != nil {
			return err
		}
		price, err := a.Charge(id)
		if err != nil {
			return err
		}
		if err := a.Write(t.Context()); err != nil {
			return err
		}
		return e.notify.QueueTexts(t.Context(), tx, e.who.CompanyID, []notify.Text{{
			ID: id, Channel: notify.BySMS, Kind: "wallet_sale", To: "+524771234567", Body: "Hola", CardID: id, Seq: 1, Price: price,
		}})
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// state is a message's state with the company's balance.
func (e *env) state(t *testing.T, id uuid.UUID) string {
	t.Helper()
	n, err := e.notify.Get(t.Context(), e.who.CompanyID, id)
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.plans.Get(t.Context(), e.who.CompanyID)
	if err != nil {
		t.Fatal(err)
	}
	price, reason := "free", ""
	if n.Price != nil {
		price = n.Price.Trim(0).String()
	}
	if n.Error != nil {
		reason = ": " + *n.Error
	}
	if findings, err := e.plans.Verify(t.Context(), nil); err != nil || len(findings) > 0 {
		t.Errorf("verify: %v, %v", findings, err)
	}
	return n.Status + " " + price + " of " + p.MessageBalance.Trim(0).String() + reason
}

func (e *env) is(t *testing.T, id uuid.UUID, what, want string) {
	t.Helper()
	if got := e.state(t, id); got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// TestSentOnce: a message is charged when it is queued and by no run of its job, and
// goes under one key.
func TestSentOnce(t *testing.T) {
	t.Parallel()
	p := newProvider(t, 503, 202)
	e := newEnv(t, p.texter(t))
	id := e.queue(t)
	e.is(t, id, "queued", "queued 0.75 of 1.25")
	if err := e.notify.Send(t.Context(), e.who.CompanyID, id); err == nil {
		t.Error("a provider that is not there for it: got no error")
	}
	e.is(t, id, "after a failure", "queued 0.75 of 1.25")
	for range 3 {
		if err := e.notify.Send(t.Context(), e.who.CompanyID, id); err != nil {
			t.Error(err)
		}
	}
	e.is(t, id, "sent", "sent 0.75 of 1.25")
	if len(p.requests) != 2 || p.requests[0].Header.Get("Idempotency-Key") != p.requests[1].Header.Get("Idempotency-Key") {
		t.Errorf("got %d requests, want 2 under one key", len(p.requests))
	}
	if err := e.notify.GiveUp(t.Context(), e.who.CompanyID, id, errors.New("late")); err != nil {
		t.Error(err)
	}
	e.is(t, id, "given up after it was sent", "sent 0.75 of 1.25")
}

// TestRefund: who gives up gives the price back, once; who tries again pays again.
func TestRefund(t *testing.T) {
	t.Parallel()
	p := newProvider(t, 422, 202)
	e := newEnv(t, p.texter(t))
	id := e.queue(t)
	err := e.notify.Send(t.Context(), e.who.CompanyID, id)
	if _, ok := errors.AsType[*notify.PermanentError](err); !ok {
		t.Fatalf("send: got %v, want a refusal for good", err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := e.notify.GiveUp(context.WithoutCancel(t.Context()), e.who.CompanyID, id, err); err != nil {
				t.Errorf("give up: %v", err)
			}
		})
	}
	wg.Wait()
	e.is(t, id, "given up", "failed free of 2: the message provider refuses the message (422)")
	if _, err := e.notify.Retry(t.Context(), e.who.CompanyID, id); err != nil {
		t.Fatal(err)
	}
	e.is(t, id, "tried again", "queued 0.75 of 1.25")
	if _, err := e.notify.Retry(t.Context(), e.who.CompanyID, id); loyalty.CodeOf(err) != loyalty.CodeStateConflict {
		t.Errorf("try a queued one again: got %v", err)
	}
	if err := e.notify.Send(t.Context(), e.who.CompanyID, id); err != nil {
		t.Error(err)
	}
	e.is(t, id, "sent", "sent 0.75 of 1.25")

	// A failed one is not tried where it cannot be paid.
	poor := e.queue(t)
	if err := e.notify.GiveUp(t.Context(), e.who.CompanyID, poor, err); err != nil {
		t.Fatal(err)
	}
	if _, _, err := e.plans.TopUp(t.Context(), e.who, plan.Money{Amount: decimal.MustParse("-1"), Correction: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.notify.Retry(t.Context(), e.who.CompanyID, poor); loyalty.CodeOf(err) != loyalty.CodeMessageBalanceLow {
		t.Errorf("try one again without money: got %v", err)
	}
	e.is(t, poor, "not paid", "failed free of 0.25: the message provider refuses the message (422)")
}

// TestOverdue: paid messages that nobody sends are given up and paid back; those that
// may still go, and those of erased people, are treated as such.
func TestOverdue(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	lost := e.queue(t)
	e.now = e.now.Add(5 * 24 * time.Hour)
	erased := e.queue(t)
	if _, err := e.pool.Exec(t.Context(), `UPDATE notification SET status = 'failed', error = 'erased', recipient = '-' WHERE id = $1`, erased); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{2, 0} {
		if n, err := e.notify.Overdue(t.Context()); err != nil || n != want {
			t.Errorf("overdue: got %d, %v, want %d", n, err, want)
		}
	}
	e.is(t, lost, "lost", "failed free of 2: the message was never taken up")
	e.is(t, erased, "erased", "failed free of 2: erased")
	if _, err := e.notify.Retry(t.Context(), e.who.CompanyID, erased); loyalty.CodeOf(err) != loyalty.CodeStateConflict {
		t.Errorf("try an erased one again: got %v", err)
	}
	waiting := e.queue(t)
	if n, err := e.notify.Overdue(t.Context()); err != nil || n != 0 {
		t.Errorf("overdue with one that waits: got %d, %v, want 0", n, err)
	}
	// The job of one whose recipient was erased pays back by itself.
	if _, err := e.pool.Exec(t.Context(), `UPDATE notification SET status = 'failed', error = 'erased', recipient = '-' WHERE id = $1`, waiting); err != nil {
		t.Fatal(err)
	}
	if err := e.notify.Send(t.Context(), e.who.CompanyID, waiting); err != nil {
		t.Fatal(err)
	}
	e.is(t, waiting, "erased before its job", "failed free of 2: erased")
}

// TestCancelledJob: who cancels a message's job gets the price back, whether the platform
// hears of it or finds the job; a message that was tried again since is left alone.
func TestCancelledJob(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	client, err := river.NewClient(riverpgxv5.New(e.pool), &river.Config{})
	if err != nil {
		t.Fatal(err)
	}
	// cancel ends the newest job of a message as the job console does.
	cancel := func(id uuid.UUID) (args []byte) {
		t.Helper()
		var job int64
		err := e.pool.QueryRow(t.Context(), `SELECT id, args FROM river_job WHERE kind = 'notify_sms' AND args ->> 'notification_id' = $1 ORDER BY id DESC LIMIT 1`, id.String()).Scan(&job, &args)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.JobCancel(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		return args
	}
	sweep := func(what string, want int) {
		t.Helper()
		if n, err := e.notify.Overdue(t.Context()); err != nil || n != want {
			t.Errorf("%s: got %d given up, error %v, want %d", what, n, err, want)
		}
	}
	heard, found := e.queue(t), e.queue(t)
	if err := e.notify.JobCancelled(t.Context(), cancel(heard)); err != nil {
		t.Fatal(err)
	}
	e.is(t, heard, "cancelled by an operator", "failed free of 1.25: the job was cancelled")
	sweep("nothing else is cancelled", 0)
	cancel(found)
	sweep("cancelled in the console", 1)
	e.is(t, found, "cancelled in the console", "failed free of 2: the job was cancelled")
	if _, err := e.notify.Retry(t.Context(), e.who.CompanyID, found); err != nil {
		t.Fatal(err)
	}
	sweep("tried again since", 0)
	e.is(t, found, "tried again since", "queued 0.75 of 1.25")
	cancel(found)
	sweep("and cancelled again", 1)
	e.is(t, found, "and cancelled again", "failed free of 2: the job was cancelled")
	if err := e.notify.JobCancelled(t.Context(), []byte(`{`)); err == nil {
		t.Error("arguments that cannot be read: got no error")
	}
}

// TestTextKeeper: without a provider a message is kept, and the log names neither the
// phone nor the text.
func TestTextKeeper(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	e := newEnv(t, notify.TextKeeper{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	id := e.queue(t)
	if err := e.notify.Send(t.Context(), e.who.CompanyID, id); err != nil {
		t.Fatal(err)
	}
	e.is(t, id, "kept", "kept 0.75 of 1.25")
	if text := log.String(); !strings.Contains(text, id.String()) || strings.Contains(text, "477") || strings.Contains(text, "Hola") {
		t.Errorf("log: got %s", text)
	}
}
