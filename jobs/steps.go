package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"
)

// workSlice is how long one run of a long job works before it goes to the end of
// its queue: shorter than the job's time-out by more than one step takes, so that a
// killed worker's job is known as stuck within a minute.
const workSlice = 20 * time.Second

// backoffMax keeps the attempts of a failing job minutes apart from its end, and a
// killed worker's job from waiting.
const backoffMax = 20 * time.Second

// soon is 1, 2, 4 … s from now, at most backoffMax. It stays short, since a job
// whose worker was killed comes this way too and has done nothing wrong.
func soon(attempt int) time.Time {
	wait := time.Second << min(max(attempt, 1)-1, 10)
	return time.Now().Add(min(wait, backoffMax))
}

// inSteps takes a long job step by step until it is done, for a slice of time
// (workSlice if zero) or until the process is about to stop: then done is false, and
// the job is put to sleep for no time at all, which River counts as no attempt.
func inSteps(ctx context.Context, slice time.Duration, stopping <-chan struct{}, step func() (done bool, err error)) (done bool, err error) {
	if slice == 0 {
		slice = workSlice
	}
	until := time.Now().Add(slice)
	for {
		done, err := step()
		switch {
		case err != nil || done:
			return done, err
		case ctx.Err() != nil:
			return false, ctx.Err()
		case time.Now().After(until):
			return false, nil
		}
		select {
		case <-stopping:
			return false, nil
		default:
		}
	}
}

// untilDone is inSteps for a job that needs no word of the process's end: its steps
// are short, and what is left of it sleeps for no time.
func untilDone(ctx context.Context, step func() (done bool, err error)) error {
	done, err := inSteps(ctx, 0, nil, step)
	if err != nil || done {
		return err
	}
	return river.JobSnooze(0)
}
