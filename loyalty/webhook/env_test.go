package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"sello/db"
	"sello/db/dbtest"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/ledger"
	"sello/loyalty/webhook"
)

var noon = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)

// clock is the time of a test: it stands still until it is told to pass.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) pass(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

// env is a company with a ledger and webhooks, on a database of the test's own.
type env struct {
	*webhook.Service
	*clock
	pool    *pgxpool.Pool
	ledger  *ledger.Service
	company uuid.UUID
	code    string
	who     auth.Principal
	mails   *[]webhook.Mail
	counts  *counts
}

// counts are the attempts by outcome.
type counts struct {
	mu sync.Mutex
	by map[string]int
}

func (c *counts) add(outcome string) { c.mu.Lock(); defer c.mu.Unlock(); c.by[outcome]++ }

func newEnv(t *testing.T) *env {
	t.Helper()
	e := &env{pool: dbtest.New(t), clock: &clock{now: noon}, mails: &[]webhook.Mail{}, counts: &counts{by: map[string]int{}}}
	e.Service = e.service(t, e.pool, webhook.Config{AllowPrivate: true})
	e.ledger = ledger.New(db.NewStore(e.pool), e.Now)
	return e.tenant(t, "acme")
}

// tenant is another company on the same installation.
func (e *env) tenant(t *testing.T, code string) *env {
	t.Helper()
	other := *e
	c, err := (&company.Service{DB: db.NewStore(e.pool), Now: e.Now}).Create(t.Context(), company.NewCompany{
		Code: code, Name: code, TimeZone: "America/Mexico_City", Language: "es", Currency: "MXN", PhonePrefix: "+52",
	})
	if err != nil {
		t.Fatalf("create a company: %v", err)
	}
	other.company, other.code, other.who = c.ID, code, auth.System(c.ID)
	_, err = e.ledger.CardTypeCreate(t.Context(), other.who, ledger.NewCardType{Code: "points", Name: "Points", Unit: ledger.Points, Scale: 2})
	if err != nil {
		t.Fatalf("create a card type: %v", err)
	}
	return &other
}

// service is that of one process: another pool is another process.
func (e *env) service(t *testing.T, pool *pgxpool.Pool, c webhook.Config) *webhook.Service {
	t.Helper()
	c.DB, c.Now, c.Secret = db.NewStore(pool), e.Now, []byte("a secret of this test only, long enough")
	c.Attempted = e.counts.add
	c.Send = func(_ context.Context, _ db.Tx, _ uuid.UUID, m webhook.Mail) error {
		*e.mails = append(*e.mails, m)
		return nil
	}
	s, err := webhook.New(c)
	if err != nil {
		t.Fatalf("webhook.New: %v", err)
	}
	inserter, err := river.NewClient(riverpgxv5.New(pool), &river.Config{})
	if err != nil {
		t.Fatalf("make a client of the queue: %v", err)
	}
	s.Jobs = inserter
	return s
}

// card opens a card.
func (e *env) card(t *testing.T, code string) *ledger.Card {
	t.Helper()
	// As imports open one: without a line in the books before the first posting.
	_, err := e.pool.Exec(t.Context(), `INSERT INTO card (company_id, id, card_type_id, code, status, registered_at, created_at, updated_at)
		SELECT company_id, $2, id, $3, 'enabled', $4, $4, $4 FROM card_type WHERE company_id = $1 AND code = 'points'`,
		e.who.CompanyID, uuid.Must(uuid.NewV7()), code, e.Now())
	if err != nil {
		t.Fatalf("open card %s: %v", code, err)
	}
	c, err := e.ledger.CardByCode(t.Context(), e.who.CompanyID, code)
	if err != nil || c == nil {
		t.Fatalf("open card %s: got %v, error %v", code, c, err)
	}
	return c
}

// post gives points on a card, n times.
func (e *env) post(t *testing.T, card string, n int) {
	t.Helper()
	for range n {
		_, err := e.ledger.Post(t.Context(), e.who, ledger.Posting{
			Card: ledger.CardRef{Code: card}, Action: ledger.Adjust, Amount: new(decimal.MustParse("10.50")), Source: "graphql",
		})
		if err != nil {
			t.Fatalf("post on %s: %v", card, err)
		}
	}
}

// hook makes a webhook to a receiver and answers its secret.
func (e *env) hook(t *testing.T, url string, kinds ...string) (*webhook.Webhook, string) {
	t.Helper()
	in := webhook.Input{URL: &url}
	if kinds != nil {
		in.Kinds = &kinds
	}
	w, secret, err := e.Create(t.Context(), e.who, in)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	return w, secret
}

// work serves a webhook until it has nothing to do now.
func (e *env) work(t *testing.T, w *webhook.Webhook) webhook.Done {
	t.Helper()
	return e.workBy(t, e.Service, w)
}

func (e *env) workBy(t *testing.T, s *webhook.Service, w *webhook.Webhook) webhook.Done {
	t.Helper()
	var all webhook.Done
	for {
		done, err := s.Deliver(t.Context(), e.company, w.ID, webhook.Run{})
		if err != nil {
			t.Fatalf("Deliver: %v", err)
		}
		all.Events, all.Delivered, all.Failed = all.Events+done.Events, all.Delivered+done.Delivered, all.Failed+done.Failed
		if done.Events == 0 && done.Delivered == 0 && !e.behind(t, w) {
			return all
		}
	}
}

// behind tells that a webhook has not come to the company's last event though it
// may: other tests' transactions share the server, and until they have ended the
// events behind them are not settled.
func (e *env) behind(t *testing.T, w *webhook.Webhook) bool {
	t.Helper()
	return e.count(t, `SELECT count(*) FROM webhook WHERE id = $1 AND status = 'enabled' AND (resume_at IS NULL OR resume_at <= $2)
		AND (replay_upto_id IS NOT NULL OR cursor_id < (SELECT coalesce(max(id), 0) FROM event WHERE company_id = $3))`,
		w.ID, e.Now(), e.company) > 0
}

// read is the webhook as it is now.
func (e *env) read(t *testing.T, w *webhook.Webhook) *webhook.Webhook {
	t.Helper()
	now, err := e.ByID(t.Context(), e.company, w.ID)
	if err != nil || now == nil {
		t.Fatalf("ByID: got %v, error %v", now, err)
	}
	return now
}

// log is a webhook's deliveries, the oldest first.
func (e *env) log(t *testing.T, w *webhook.Webhook) []*webhook.Delivery {
	t.Helper()
	page, err := e.Deliveries(t.Context(), e.company, w, webhook.Filter{}, 1000)
	if err != nil {
		t.Fatalf("Deliveries: %v", err)
	}
	for i, j := 0, len(page.Deliveries)-1; i < j; i, j = i+1, j-1 {
		page.Deliveries[i], page.Deliveries[j] = page.Deliveries[j], page.Deliveries[i]
	}
	return page.Deliveries
}

func (e *env) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := e.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func (e *env) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	if err := e.pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// received is one request that a receiver got.
type received struct {
	id, timestamp, signature string
	header                   http.Header
	body                     []byte
	message                  struct {
		Type, Company string
		Cursor        *string
		Timestamp     time.Time
		Data          struct {
			ID           string
			Seq          int64
			Amount       string
			BalanceAfter string
			Action       string
			Test         bool
			SubjectID    string
			Card         struct{ ID, Code, CardType string }
		}
	}
}

// receiver records what it gets, and answers as a test wants.
type receiver struct {
	*httptest.Server
	mu  sync.Mutex
	all []received
	// answer may misbehave; nil answers 200.
	answer func(w http.ResponseWriter, r *http.Request, got received, before int)
	// inside is how many requests are being answered, and most the highest.
	inside, most int
}

func newReceiver(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, got received, before int)) *receiver {
	t.Helper()
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		got := received{
			id: req.Header.Get("webhook-id"), timestamp: req.Header.Get("webhook-timestamp"),
			signature: req.Header.Get("webhook-signature"), header: req.Header.Clone(), body: body,
		}
		if err := json.Unmarshal(body, &got.message); err != nil {
			t.Errorf("the receiver cannot read %q: %v", body, err)
		}
		r.mu.Lock()
		before := 0
		for _, earlier := range r.all {
			if earlier.id == got.id {
				before++
			}
		}
		r.all = append(r.all, got)
		r.inside++
		r.most = max(r.most, r.inside)
		r.mu.Unlock()
		defer func() { r.mu.Lock(); r.inside--; r.mu.Unlock() }()
		if r.answer != nil {
			r.answer(w, req, got, before)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) got() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received{}, r.all...)
}

// told are what was received, as "card seq".
func (r *receiver) told() []string {
	var all []string
	for _, g := range r.got() {
		all = append(all, fmt.Sprintf("%s %d", g.message.Data.Card.Code, g.message.Data.Seq))
	}
	return all
}

var _ webhook.Enqueuer = (*river.Client[pgx.Tx])(nil)
