// Package webhook tells a company's own systems what happened, by HTTP (design.md
// 6): signed as Standard Webhooks says, at least once, in order for each card (or
// import, or whatever an event is about), tried again for three days, and sent
// again from any place that is still kept.
//
// Nothing of it is in the way of those who post. Events are rows that are written
// anyway; [Service.Watch] sees that there are new ones and enqueues one job for each
// webhook that has work, and the job ([Service.Deliver]) turns events into
// deliveries, a batch in one transaction that also moves the webhook's cursor, and
// sends them. What one subject still has to be sent is a lane: lanes go side by
// side, and within a lane one delivery at a time. A lane is taken for as long as
// sending may last, so that a killed worker's comes again by itself, and at most the
// delivery that was under way is sent twice.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"sello/db"
	"sello/loyalty"
)

// Status says whether a webhook is sent anything.
type Status string

// The states of a webhook.
const (
	Enabled Status = "enabled"
	// Paused: an operator stopped it. What happens meanwhile waits.
	Paused Status = "paused"
	// Disabled: it stopped by itself; DisabledReason tells why.
	Disabled Status = "disabled"
)

// Reason is why a webhook was disabled.
type Reason string

// Why a webhook was disabled.
const (
	// Failing: nothing has arrived for as long as deliveries are tried.
	Failing Reason = "failing"
	// Gone: the receiver answered 410.
	Gone Reason = "gone"
)

// DeliveryState is what became of a delivery.
type DeliveryState string

// The states of a delivery.
const (
	Pending   DeliveryState = "pending"
	Delivered DeliveryState = "delivered"
	// Dead: given up after its time.
	Dead DeliveryState = "dead"
)

// Limits and times.
const (
	// MaxWebhooks is how many a company may have.
	MaxWebhooks = 20
	// TryFor is how long a delivery is tried, from its first attempt on.
	TryFor = 72 * time.Hour
	// KeepEvents is how long events are kept at least.
	KeepEvents = 7 * 24 * time.Hour

	// writtenWithin is longer than a transaction that writes events can last: the
	// database ends those that are idle or whose statement takes long.
	writtenWithin = 10 * time.Minute

	defaultTimeout  = 10 * time.Second
	defaultParallel = 8
	// lease is how long a lane is taken for: longer than a request and the notes
	// before and after it.
	lease = 45 * time.Second
	// eventsTogether is how many events one transaction turns into deliveries.
	eventsTogether = 500
	// probeEvents is how many of them become deliveries at a time of a webhook that
	// fails.
	probeEvents = 8
	// maxResponse is how much of an answer is kept.
	maxResponse = 1024

	// The pause after a delivery's first failed attempt; each one after it is three
	// times as long, up to the limit, and up to a fifth more or less.
	backoffFirst = 5 * time.Second
	backoffMost  = 3 * time.Hour

	// From so many failures in a row on, of whatever lanes, the webhook as a whole
	// rests between attempts, and is tried with little at a time.
	failuresInARow = 5
	restFirst      = 5 * time.Second
	restMost       = time.Minute
)

// TestKind is the kind of a delivery that tells of no event.
const TestKind = "webhook_test"

// DisabledEvent is the kind of the event of a webhook that was disabled by itself.
const DisabledEvent = "webhook_disabled"

// Enqueuer inserts jobs in the transaction that causes them: River's client.
type Enqueuer interface {
	InsertTx(ctx context.Context, tx pgx.Tx, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error)
	InsertManyTx(ctx context.Context, tx pgx.Tx, params []river.InsertManyParams) ([]*rivertype.JobInsertResult, error)
}

// Mail is something to tell an operator, in the transaction that makes it true.
type Mail struct {
	Kind      string
	SubjectID uuid.UUID
	Recipient string
	Subject   string
	Body      string
}

// Config is what New needs. DB, Now and Secret are required.
type Config struct {
	DB  *db.Store
	Now func() time.Time
	// Secret is the server's: signing secrets are encrypted under it.
	Secret []byte
	// AllowPrivate lets http and private addresses pass: for development and tests.
	AllowPrivate bool
	// Send mails an operator; nil for nobody to be told.
	Send func(ctx context.Context, tx db.Tx, company uuid.UUID, m Mail) error
	// Attempted counts attempts by outcome: delivered, failed, dead.
	Attempted func(outcome string)
	// Timeout bounds one request, ten seconds if zero; Parallel is how many a webhook
	// is sent at a time, eight if zero.
	Timeout  time.Duration
	Parallel int
}

// Service runs webhooks; it is safe for concurrent use. Jobs is set before it is used.
type Service struct {
	Jobs Enqueuer

	db        *db.Store
	now       func() time.Time
	vault     *vault
	client    *http.Client
	settled   *db.Settled
	send      func(ctx context.Context, tx db.Tx, company uuid.UUID, m Mail) error
	attempted func(outcome string)
	private   bool
	timeout   time.Duration
	parallel  int

	mu sync.Mutex
	// running counts the runs of this process by webhook: no job is planned for what
	// is being looked after.
	running map[uuid.UUID]int
}

// New makes a service.
func New(c Config) (*Service, error) {
	if c.DB == nil || c.Now == nil || len(c.Secret) == 0 {
		return nil, errors.New("webhook: DB, Now and Secret are required")
	}
	v, err := newVault(c.Secret)
	if err != nil {
		return nil, err
	}
	s := &Service{
		db: c.DB, now: c.Now, vault: v, settled: db.NewSettled(c.DB), send: c.Send, attempted: c.Attempted,
		private: c.AllowPrivate, timeout: c.Timeout, parallel: c.Parallel, running: map[uuid.UUID]int{},
	}
	if s.timeout <= 0 {
		s.timeout = defaultTimeout
	}
	if s.parallel <= 0 {
		s.parallel = defaultParallel
	}
	if s.attempted == nil {
		s.attempted = func(string) {}
	}
	s.client = newClient(s.timeout, s.parallel, s.private)
	return s, nil
}

// Webhook is where a company's events are sent.
type Webhook struct {
	db.Webhook
	batch *loyalty.Batch[Webhook]
}

// GlobalID is the webhook's opaque id.
func (w *Webhook) GlobalID() string { return loyalty.GlobalID("Webhook", w.ID.String()) }

// State says whether it is sent anything.
func (w *Webhook) State() Status { return Status(w.Status) }

// Why is the reason why it is disabled; nil if it is not.
func (w *Webhook) Why() *Reason { return (*Reason)(w.DisabledReason) }

// Cursor is the place of the last event that was looked at for it; nil if the
// company had none.
func (w *Webhook) Cursor() *string {
	if w.CursorID == 0 {
		return nil
	}
	return new(loyalty.EventCursor(w.CursorID))
}

// Replay is a replay that runs.
type Replay struct {
	// After and UpTo are cursors: what is between them is still to be queued.
	After, UpTo string
	Kinds       []string
	StartedAt   time.Time
}

// Replaying is the webhook's replay; nil if none runs.
func (w *Webhook) Replaying() *Replay {
	if w.ReplayUptoID == nil || w.ReplayAfterID == nil || w.ReplayAt == nil {
		return nil
	}
	return &Replay{
		After: loyalty.EventCursor(*w.ReplayAfterID), UpTo: loyalty.EventCursor(*w.ReplayUptoID),
		Kinds: append([]string{}, w.ReplayKinds...), StartedAt: *w.ReplayAt,
	}
}

// Delivery is one event for one webhook.
type Delivery struct {
	db.WebhookDelivery
	batch *loyalty.Batch[Delivery]
}

// GlobalID is the delivery's opaque id: a webhook and a number.
func (d *Delivery) GlobalID() string {
	return loyalty.GlobalID("WebhookDelivery", d.WebhookID.String()+"/"+strconv.FormatInt(d.Seq, 10))
}

// ParseDeliveryKey takes the key of a delivery's opaque id apart.
func ParseDeliveryKey(key string) (webhook uuid.UUID, seq int64, ok bool) {
	w, n, found := strings.Cut(key, "/")
	webhook, err := uuid.Parse(w)
	if !found || err != nil {
		return uuid.UUID{}, 0, false
	}
	seq, err = strconv.ParseInt(n, 10, 64)
	return webhook, seq, err == nil && seq > 0
}

// State is what became of it.
func (d *Delivery) State() DeliveryState { return DeliveryState(d.Status) }

// MessageID is the header webhook-id: of an event always the same, however often
// it is sent, so that receivers know what they have.
func (d *Delivery) MessageID() string {
	if d.EventID == nil {
		return fmt.Sprintf("test_%s_%d", d.WebhookID, d.Seq)
	}
	return "evt_" + loyalty.EventCursor(*d.EventID)
}

// Cursor is the event's place; nil for a test.
func (d *Delivery) Cursor() *string {
	if d.EventID == nil {
		return nil
	}
	return new(loyalty.EventCursor(*d.EventID))
}

// Attempt is one try.
type Attempt struct{ db.WebhookAttempt }
