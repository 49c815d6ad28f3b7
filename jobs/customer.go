package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"sello/loyalty/customer"
)

// CustomerAttributeIndex works [customer.AttributeIndex].
type CustomerAttributeIndex struct {
	river.WorkerDefaults[customer.AttributeIndex]

	Customers *customer.Service
}

// Work indexes one attribute.
func (w *CustomerAttributeIndex) Work(ctx context.Context, job *river.Job[customer.AttributeIndex]) error {
	return untilDone(ctx, func() (bool, error) {
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
	return untilDone(ctx, func() (bool, error) {
		return w.Customers.TraceEraseStep(ctx, job.Args.CompanyID, job.Args.ErasureID)
	})
}
