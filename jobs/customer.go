package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"sello/loyalty/customer"
)

// customerSlice is how long one run works before it goes to the end of its queue:
// shorter than a job's time-out by more than a step takes.
const customerSlice = 20 * time.Second

// CustomerAttributeIndex works [customer.AttributeIndex].
type CustomerAttributeIndex struct {
	river.WorkerDefaults[customer.AttributeIndex]

	Customers *customer.Service
}

// Work indexes one attribute.
func (w *CustomerAttributeIndex) Work(ctx context.Context, job *river.Job[customer.AttributeIndex]) error {
	return inSteps(ctx, func() (bool, error) {
		return w.Customers.AttributeIndexStep(ctx, job.Args.CompanyID, job.Args.AttributeID)
	})
}

// CustomerTraceErase works [customer.TraceErase].
type CustomerTraceErase struct {
	river.WorkerDefaults[customer.TraceErase]

	Customers *customer.Service
}

// Work looks for one erased person.
func (w *CustomerTraceErase) Work(ctx context.Context, job *river.Job[customer.TraceErase]) error {
	return inSteps(ctx, func() (bool, error) {
		return w.Customers.TraceEraseStep(ctx, job.Args.CompanyID, job.Args.ErasureID)
	})
}

// inSteps takes steps until one was the last. A run that has worked for its slice
// ends asleep for no time at all, which River counts as no attempt.
func inSteps(ctx context.Context, step func() (done bool, err error)) error {
	until := time.Now().Add(customerSlice)
	for {
		done, err := step()
		switch {
		case err != nil || done:
			return err
		case time.Now().After(until):
			return river.JobSnooze(0)
		}
	}
}
