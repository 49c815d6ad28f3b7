package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"sello/loyalty/ledger"
)

// PolicyApply works [ledger.ExpiryPolicyApply].
type PolicyApply struct {
	river.WorkerDefaults[ledger.ExpiryPolicyApply]
	sliced
}

// Work brings the card type's cards up to its expiry policy.
func (w *PolicyApply) Work(ctx context.Context, job *river.Job[ledger.ExpiryPolicyApply]) error {
	cards, done, err := w.Ledger.PolicyApply(ctx, job.Args, w.pace())
	return sliceEnd(ctx, map[string]any{"cards": cards, "done": done}, done, err)
}
