package graph

import (
	"context"
	"strconv"

	"sello/graph/model"
	"sello/loyalty"
	"sello/loyalty/auth"
	"sello/loyalty/queue"
)

func (r *Resolver) steerJob(ctx context.Context, who auth.Principal, id string, steer func(context.Context, auth.Principal, int64) (*queue.Job, error)) (*model.JobPayload, error) {
	var job *queue.Job
	var err error = loyalty.Refuse(loyalty.CodeJobNotFound, "id")
	if n, ok := jobNumber(id); ok {
		job, err = steer(ctx, who, n)
	}
	return jobPayload(ctx, job, err)
}

func jobPayload(ctx context.Context, job *queue.Job, err error) (*model.JobPayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.JobPayload{Job: job, UserErrors: refused}, nil
}

func queuePayload(ctx context.Context, q *queue.Queue, err error) (*model.QueuePayload, error) {
	refused, err := userErrors(ctx, err)
	if err != nil {
		return nil, err
	}
	return &model.QueuePayload{Queue: q, UserErrors: refused}, nil
}

func jobNumber(id string) (int64, bool) {
	kind, key, ok := loyalty.ParseGlobalID(id)
	if !ok || kind != "Job" {
		return 0, false
	}
	n, err := strconv.ParseInt(key, 10, 64)
	return n, err == nil
}
