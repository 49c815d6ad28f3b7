package jobs_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/govalues/decimal"

	"sello/db"
	"sello/db/dbtest"
	"sello/loyalty/auth"
	"sello/loyalty/company"
	"sello/loyalty/ledger"
	"sello/loyalty/notify"
	"sello/loyalty/plan"
)

// texter refuses what goes to one phone and counts the others.
type texter struct {
	mu   sync.Mutex
	sent map[uuid.UUID]int
}

const refusedPhone = "+520000000000"

func (x *texter) SendText(_ context.Context, m notify.Outgoing) error {
	if m.To == refusedPhone {
		return &notify.PermanentError{Reason: "refused"}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sent[m.ID]++
	return nil
}

func (*texter) Outcome() notify.Status { return notify.Sent }

// TestNotifySMS: messages that were queued with what they tell go out by their jobs;
// one that is refused is paid back, and its job is there for operators.
func TestNotifySMS(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	c := config(t, pool, &buffer{})
	store := db.NewStore(pool)
	plans, out := &plan.Service{DB: store, Now: time.Now}, &texter{sent: map[uuid.UUID]int{}}
	c.Notify.Texter, c.Notify.Accounts = out, plans
	client := newClient(t, c)
	made, err := (&company.Service{DB: store, Now: time.Now}).Create(t.Context(), company.NewCompany{
		Code: "acme", Name: "Acme", TimeZone: "UTC", Language: "es", Currency: "MXN", PhonePrefix: "+52",
	})
	if err != nil {
		t.Fatal(err)
	}
	who := auth.System(made.ID)
	_, err = plans.Set(t.Context(), who, plan.Change{MessagePrice: ledger.Given(decimal.One)})
	_, _, paid := plans.TopUp(t.Context(), who, plan.Money{Amount: decimal.Ten})
	if err := errors.Join(err, paid); err != nil {
		t.Fatal(err)
	}
	var refused uuid.UUID
	for i, to := range []string{"+520000000001", "+520000000002", refusedPhone} {
		refused = uuid.Must(uuid.NewV7())
		err := store.InTx(t.Context(), func(tx db.Tx) error {
			a, err := plans.Open(t.Context(), tx, who.CompanyID)
			if err != nil {
				return err
			}
			price, err := a.Charge(refused)
			if err != nil {
				return err
			}
			text := notify.Text{ID: refused, Channel: notify.BySMS, Kind: "wallet_sale", To: to, Body: "Hola", CardID: refused, Seq: int64(i), Price: price}
			return errors.Join(a.Write(t.Context()), c.Notify.QueueTexts(t.Context(), tx, who.CompanyID, []notify.Text{text}))
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	work(t, client, map[string]int{"notify_sms": 3})

	if len(out.sent) != 2 {
		t.Errorf("sent: got %v, want two messages", out.sent)
	}
	for id, n := range out.sent {
		if n != 1 {
			t.Errorf("message %s was sent %d times", id, n)
		}
	}
	n, err := c.Notify.Get(t.Context(), who.CompanyID, refused)
	if err != nil || n.State() != notify.Failed || n.Price != nil {
		t.Errorf("the refused one: got %v, %v, want it failed and paid back", n, err)
	}
	if p, err := plans.Get(t.Context(), who.CompanyID); err != nil || p.MessageBalance.Cmp(decimal.MustParse("8")) != 0 {
		t.Errorf("balance: got %v, %v, want 8", p, err)
	}
	var states string
	err = pool.QueryRow(t.Context(), `SELECT string_agg(state::text, ' ' ORDER BY id) FROM river_job WHERE kind = 'notify_sms'`).Scan(&states)
	if err != nil || states != "completed completed cancelled" {
		t.Errorf("jobs: got %s, %v", states, err)
	}
}

// TestLimitReset: the periodic job begins periods that are over.
func TestLimitReset(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	c := config(t, pool, &buffer{})
	client := newClient(t, c)
	made, err := (&company.Service{DB: c.Notify.DB, Now: time.Now}).Create(t.Context(), company.NewCompany{
		Code: "acme", Name: "Acme", TimeZone: "UTC", Language: "es", Currency: "MXN", PhonePrefix: "+52",
	})
	if err != nil {
		t.Fatal(err)
	}
	before := &plan.Service{DB: c.Notify.DB, Now: func() time.Time { return time.Now().AddDate(0, 0, -3) }}
	if _, err := before.Set(t.Context(), auth.System(made.ID), plan.Change{PeriodUnit: new(plan.Day), RedemptionsLimit: ledger.Given(5)}); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), `UPDATE plan SET redemptions_used = 5`); err != nil {
		t.Fatal(err)
	}

	work(t, client, map[string]int{plan.LimitReset{}.Kind(): 1})

	var used, ended int
	err = pool.QueryRow(t.Context(), `SELECT (SELECT redemptions_used FROM plan), (SELECT redemptions_used FROM plan_period)`).Scan(&used, &ended)
	if err != nil || used != 0 || ended != 5 {
		t.Errorf("got %d used and %d in the period that ended, %v, want 0 and 5", used, ended, err)
	}
}
