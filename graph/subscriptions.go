package graph

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strconv"
	"time"

	"github.com/google/uuid"

	"sello/db"
	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/imports"
	"sello/loyalty/ledger"
	"sello/loyalty/queue"
)

// A subscriber's movements are read together, this many at a time, when they come
// faster than they are taken.
const eventsTogether = 100

// queuesEvery is how often the queues' figures are looked at for a subscriber.
const queuesEvery = time.Second

func eventCursor(p db.Place) string {
	return loyalty.EventCursor(p.ID)
}

func afterEvent(after *string) (*db.Place, error) {
	key, err := parseCursor("events", after, 1)
	if err != nil || key == nil {
		return nil, err
	}
	id, err := strconv.ParseInt(key[0], 10, 64)
	if err != nil {
		return nil, badInput("after is not a cursor of this subscription")
	}
	return &db.Place{ID: id}, nil
}

// followMovements sends a company's movements, or one card's, as they are posted.
func (r *Resolver) followMovements(ctx context.Context, company uuid.UUID, cardCode, after *string) (<-chan *model.MovementEvent, error) {
	from, err := afterEvent(after)
	if err != nil {
		return nil, err
	}
	var only *uuid.UUID
	if cardCode != nil {
		card, err := r.Ledger.CardByCode(ctx, company, *cardCode)
		if err != nil {
			return nil, err
		}
		if card == nil {
			return nil, badInput("there is no card with this code")
		}
		only = &card.ID
	}
	sub, err := r.Feed.Subscribe(ctx, company, from, "movement_posted")
	if errors.Is(err, db.ErrPlaceGone) {
		return nil, badInput("after is too old: the events behind it are no longer kept; read the movements and subscribe anew")
	}
	if err != nil {
		return nil, err
	}
	out := make(chan *model.MovementEvent)
	go func() {
		defer close(out)
		for {
			batch, open := together(ctx, sub.Events)
			if !r.sendMovements(ctx, company, only, batch, out) || !open {
				return
			}
		}
	}()
	return out, nil
}

// together waits for an event and takes along those that are there already.
func together(ctx context.Context, events <-chan db.Event) (batch []db.Event, open bool) {
	select {
	case <-ctx.Done():
		return nil, false
	case e, ok := <-events:
		if !ok {
			return nil, false
		}
		batch = append(batch, e)
	}
	for len(batch) < eventsTogether {
		select {
		case e, ok := <-events:
			if !ok {
				return batch, false
			}
			batch = append(batch, e)
		default:
			return batch, true
		}
	}
	return batch, true
}

func (r *Resolver) sendMovements(ctx context.Context, company uuid.UUID, only *uuid.UUID, batch []db.Event, out chan<- *model.MovementEvent) bool {
	var keys []ledger.MovementKey
	for _, e := range batch {
		if only == nil || e.SubjectID == *only {
			keys = append(keys, ledger.MovementKey{CardID: e.SubjectID, Seq: e.Seq})
		}
	}
	if len(keys) == 0 {
		return ctx.Err() == nil
	}
	found, err := r.Ledger.MovementsByKeys(ctx, company, keys)
	if err != nil {
		if ctx.Err() == nil {
			// The subscription ends; its client resumes behind the last cursor.
			slog.ErrorContext(ctx, "subscription ended: movements could not be read", "error", err)
		}
		return false
	}
	for _, e := range batch {
		m := found[ledger.MovementKey{CardID: e.SubjectID, Seq: e.Seq}]
		if m == nil {
			continue
		}
		select {
		case out <- &model.MovementEvent{Cursor: eventCursor(e.Place()), Movement: m}:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// followImport sends an import's figures now and at each step, until it ends.
func (r *Resolver) followImport(ctx context.Context, company, id uuid.UUID) (<-chan *imports.Import, error) {
	// Subscribed before the first look, so that no step falls between the two.
	sub, err := r.Feed.Subscribe(ctx, company, nil, imports.ProgressEvent)
	if err != nil {
		return nil, err
	}
	current, err := r.Imports.Get(ctx, company, id)
	if err != nil {
		return nil, asked(ctx, err)
	}
	out := make(chan *imports.Import)
	go func() {
		defer close(out)
		for {
			select {
			case out <- current:
			case <-ctx.Done():
				return
			}
			for seen := current.ProgressSeq; current.ProgressSeq <= seen; {
				if current.State().Final() {
					return
				}
				if !awaitStep(ctx, sub.Events, id) {
					return
				}
				if current, err = r.Imports.Get(ctx, company, id); err != nil {
					if ctx.Err() == nil {
						slog.ErrorContext(ctx, "subscription ended: the import could not be read", "error", err)
					}
					return
				}
			}
		}
	}()
	return out, nil
}

// awaitStep waits for a step of one import and takes along all that are there.
func awaitStep(ctx context.Context, events <-chan db.Event, id uuid.UUID) bool {
	for {
		batch, open := together(ctx, events)
		if !open {
			return false
		}
		for _, e := range batch {
			if e.SubjectID == id {
				return true
			}
		}
	}
}

// followQueues sends the queues' figures now and when they change. They are
// looked at, not told: a queue's depth changes with every job, and an event for
// each would cost more than the job.
func (r *Resolver) followQueues(ctx context.Context, who auth.Principal) (<-chan []*queue.Queue, error) {
	current, err := r.Queue.Queues(ctx, who)
	if err != nil {
		return nil, err
	}
	out := make(chan []*queue.Queue)
	go func() {
		defer close(out)
		tick := time.NewTicker(queuesEvery)
		defer tick.Stop()
		send := true
		for {
			if send {
				select {
				case out <- current:
				case <-ctx.Done():
					return
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			next, err := r.Queue.Queues(ctx, who)
			if err != nil {
				if ctx.Err() == nil {
					slog.WarnContext(ctx, "queues could not be read for a subscriber", "error", err)
				}
				send = false
				continue
			}
			send = !sameFigures(current, next)
			current = next
		}
	}()
	return out, nil
}

func sameFigures(a, b []*queue.Queue) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !reflect.DeepEqual(a[i].QueueFigures, b[i].QueueFigures) {
			return false
		}
	}
	return true
}
