package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"sello/loyalty/ledger"
)

// expirySlice is how long one run of a job over many cards works before it goes to
// the end of its queue: shorter than the job's time-out by more than a batch takes.
const expirySlice = 20 * time.Second

// sliced are the ledger's jobs over many cards: batch after batch, for a slice of
// time.
type sliced struct {
	Ledger *ledger.Service
	// Stopping is closed when the process is about to stop: the job then gives way
	// after its batch instead of being cut off. Nil: never.
	Stopping <-chan struct{}
	// Slice is expirySlice if zero.
	Slice time.Duration
}

// pace ends with the slice, and when the process is about to stop.
func (s sliced) pace() ledger.Pace {
	until := time.Now().Add(or(s.Slice, expirySlice))
	return func() bool {
		select {
		case <-s.Stopping:
			return false
		default:
			return time.Now().Before(until)
		}
	}
}

// early puts a day's job off whose day has not begun on this process's clock.
func (s sliced) early(ctx context.Context, company uuid.UUID, day string) error {
	if day == "" {
		return nil
	}
	on, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return river.JobCancel(err) // no retry can mend the arguments
	}
	begun, err := s.Ledger.Begun(ctx, company, on)
	if err == nil && !begun {
		err = river.JobSnooze(time.Minute)
	}
	return err
}

// sliceEnd shows operators what a run did. A run that is not the last one ends
// asleep for no time at all, which River counts as no attempt; so does one that was
// cut off because the process stops.
func sliceEnd(ctx context.Context, did any, done bool, err error) error {
	if err != nil {
		if errors.Is(ctx.Err(), context.Canceled) && !errors.Is(context.Cause(ctx), river.ErrJobCancelledRemotely) {
			return river.JobSnooze(0)
		}
		return err
	}
	if err := output(ctx, did); err != nil {
		return err
	}
	if !done {
		return river.JobSnooze(0)
	}
	return nil
}
