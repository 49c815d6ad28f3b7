package webhook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sello/db"
)

// lookAgain is how often a run that has nothing at hand looks for more.
const lookAgain = 250 * time.Millisecond

// Run says how long one call of Deliver may work.
type Run struct {
	// Slice is when it gives way; zero for never.
	Slice time.Duration
	// Linger is how long it waits for more after everything is done.
	Linger time.Duration
	// Stopping is closed when the process is about to stop; nil for never.
	Stopping <-chan struct{}
}

// Done counts what a run did.
type Done struct {
	Events    int64 `json:"events"`
	Delivered int   `json:"delivered"`
	Failed    int   `json:"failed"`
	// More tells that it gave way before everything was done.
	More bool `json:"more"`
}

// Deliver serves one webhook: it turns events into deliveries and sends what is
// due, some lanes at a time, until nothing is left to do now. It may run twice at
// the same time and be killed at any point. What is under way when it has to stop
// is finished.
func (s *Service) Deliver(ctx context.Context, company, webhook uuid.UUID, r Run) (Done, error) {
	s.ran(webhook, 1)
	defer s.ran(webhook, -1)
	row, err := s.db.CompanyByID(ctx, company)
	if err != nil {
		return Done{}, fmt.Errorf("read a company: %w", err)
	}
	d := &delivering{Service: s, company: row, webhook: webhook, results: make(chan result, s.parallel+1)}
	done, err := d.loop(ctx, r)
	for d.inFlight > 0 { // requests and the notes of them end by themselves
		err = errors.Join(err, d.take(<-d.results))
	}
	done.Events, done.Delivered, done.Failed = d.events, d.delivered, d.failed
	return done, err
}

// delivering is one run.
type delivering struct {
	*Service
	company  db.Company
	webhook  uuid.UUID
	results  chan result
	inFlight int

	events            int64
	delivered, failed int
}

// result is what came of one delivery.
type result struct {
	delivered bool
	err       error
}

func (d *delivering) take(r result) error {
	d.inFlight--
	switch {
	case r.err != nil:
	case r.delivered:
		d.delivered++
	default:
		d.failed++
	}
	return r.err
}

func (d *delivering) loop(ctx context.Context, r Run) (Done, error) {
	over, lingered := alarm(r.Slice), (<-chan time.Time)(nil)
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	for {
		busy, err := d.step(ctx)
		if err != nil {
			return Done{}, err
		}
		switch {
		case busy || d.inFlight > 0:
			lingered = nil
		case r.Linger <= 0:
			return Done{}, nil
		case lingered == nil:
			lingered = alarm(r.Linger)
		}
		select {
		case <-ctx.Done():
			return Done{More: true}, nil
		case <-r.Stopping:
			return Done{More: true}, nil
		case <-over:
			return Done{More: true}, nil
		default:
		}
		if busy {
			continue
		}
		select {
		case <-ctx.Done():
			return Done{More: true}, nil
		case <-r.Stopping:
			return Done{More: true}, nil
		case <-over:
			return Done{More: true}, nil
		case <-lingered:
			return Done{}, nil
		case res := <-d.results:
			if err := d.take(res); err != nil {
				return Done{}, err
			}
		case <-look.C:
		}
	}
}

// alarm is a channel of that time, or one that never comes for zero.
func alarm(t time.Duration) <-chan time.Time {
	if t <= 0 {
		return nil
	}
	return time.After(t)
}

// step takes up what is due, as far as there is room, and queues more where that
// is less than there is room for. busy means that the next step may find more.
func (d *delivering) step(ctx context.Context) (busy bool, err error) {
	for more := true; more; { // what has ended makes room
		select {
		case r := <-d.results:
			if err := d.take(r); err != nil {
				return false, err
			}
		default:
			more = false
		}
	}
	w, err := d.db.WebhookByID(ctx, d.company.ID, d.webhook)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read a webhook: %w", err)
	}
	now := d.now()
	if Status(w.Status) != Enabled || (w.ResumeAt != nil && now.Before(*w.ResumeAt)) {
		return false, nil
	}
	room, failing := d.parallel-d.inFlight, w.Failures >= failuresInARow
	if failing {
		room = 1 - d.inFlight
	}
	if room <= 0 {
		return false, nil
	}
	started, err := d.start(ctx, w, room, failing, now)
	if err != nil || started >= room {
		return started > 0 && !failing, err
	}
	most := int32(eventsTogether)
	if failing {
		// While nothing arrives, events wait where they are: a few, to try with.
		most = probeEvents
	}
	looked, err := d.fanOut(ctx, d.company.ID, d.webhook, most)
	d.events += looked
	return looked > 0, err
}

// start takes lanes and sends the next delivery of each. Of a webhook that fails
// it takes the one that has waited longest and the newest: one delivery that no
// receiver could take must not keep the others from proving that it is well.
func (d *delivering) start(ctx context.Context, w db.Webhook, room int, failing bool, now time.Time) (started int, err error) {
	lanes, err := d.lanes(ctx, room, false, now)
	if err == nil && failing && len(lanes) > 0 {
		var newest []uuid.UUID
		newest, err = d.lanes(ctx, 1, true, now)
		lanes = append(lanes, newest...)
	}
	if err != nil || len(lanes) == 0 {
		return 0, err
	}
	next, err := d.db.WebhookDeliveriesNext(ctx, db.WebhookDeliveriesNextParams{
		CompanyID: w.CompanyID, WebhookID: w.ID, SubjectIds: lanes,
	})
	if err != nil {
		return 0, fmt.Errorf("read deliveries: %w", err)
	}
	for _, lane := range lanes {
		if !slices.ContainsFunc(next, func(n db.WebhookDelivery) bool { return n.SubjectID == lane }) {
			if err := d.endLane(ctx, w, lane, now); err != nil {
				return 0, err
			}
		}
	}
	secrets, err := d.secrets(w, now)
	if err != nil {
		return 0, err
	}
	bodies, err := d.bodies(ctx, d.company, next)
	if err != nil {
		return 0, err
	}
	for _, n := range next {
		d.inFlight++
		// Once sent it is noted, whatever becomes of the job.
		go d.deliver(context.WithoutCancel(ctx), w, n, secrets, bodies[n.Seq])
	}
	return len(next), nil
}

func (d *delivering) lanes(ctx context.Context, most int, newest bool, now time.Time) ([]uuid.UUID, error) {
	lanes, err := d.db.WebhookLanesTake(ctx, db.WebhookLanesTakeParams{
		CompanyID: d.company.ID, WebhookID: d.webhook, Now: now, Until: now.Add(lease), Newest: newest, BatchSize: int32(most),
	})
	return lanes, during("take what is due", err)
}

// deliver sends one delivery and notes what came of it.
func (d *delivering) deliver(ctx context.Context, w db.Webhook, n db.WebhookDelivery, secrets [][]byte, body []byte) {
	at := d.now()
	out := d.request(ctx, w, n, secrets, body, at)
	d.results <- result{delivered: out.delivered(), err: d.note(ctx, w, n, at, out)}
}
