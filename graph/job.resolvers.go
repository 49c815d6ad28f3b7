package graph

import (
	"context"
	"strconv"

	"sello/graph/model"
	"sello/loyalty/auth"
	"sello/loyalty/queue"
)

// JobRetry is the resolver for the jobRetry field.
func (r *mutationResolver) JobRetry(ctx context.Context, input model.JobRetryInput) (*model.JobPayload, error) {
	who, err := auth.Require(ctx, auth.JobsWrite)
	if err != nil {
		return nil, err
	}
	return r.steerJob(ctx, who, input.ID, r.Queue.Retry)
}

// JobCancel is the resolver for the jobCancel field.
func (r *mutationResolver) JobCancel(ctx context.Context, input model.JobCancelInput) (*model.JobPayload, error) {
	who, err := auth.Require(ctx, auth.JobsWrite)
	if err != nil {
		return nil, err
	}
	return r.steerJob(ctx, who, input.ID, r.Queue.Cancel)
}

// QueuePause is the resolver for the queuePause field.
func (r *mutationResolver) QueuePause(ctx context.Context, input model.QueuePauseInput) (*model.QueuePayload, error) {
	who, err := auth.Require(ctx, auth.Platform)
	if err != nil {
		return nil, err
	}
	q, err := r.Queue.Pause(ctx, who, input.Name)
	return queuePayload(ctx, q, err)
}

// QueueResume is the resolver for the queueResume field.
func (r *mutationResolver) QueueResume(ctx context.Context, input model.QueueResumeInput) (*model.QueuePayload, error) {
	who, err := auth.Require(ctx, auth.Platform)
	if err != nil {
		return nil, err
	}
	q, err := r.Queue.Resume(ctx, who, input.Name)
	return queuePayload(ctx, q, err)
}

// Jobs is the resolver for the jobs field.
func (r *queryResolver) Jobs(ctx context.Context, state *queue.State, kind *string, first *int, after *string) (*model.JobConnection, error) {
	who, err := auth.Require(ctx, auth.JobsRead)
	if err != nil {
		return nil, err
	}
	n, err := pageSize(first, maxPage)
	if err != nil {
		return nil, err
	}
	before, err := afterNumber("jobs", after)
	if err != nil {
		return nil, err
	}
	jobs, more, err := r.Queue.Jobs(ctx, who, queue.Filter{State: state, Kind: kind, Before: before}, n)
	if err != nil {
		return nil, err
	}
	conn := &model.JobConnection{Edges: make([]*model.JobEdge, len(jobs))}
	last := ""
	for i, j := range jobs {
		last = cursor("jobs", strconv.FormatInt(j.ID, 10))
		conn.Edges[i] = &model.JobEdge{Cursor: last, Node: j}
	}
	conn.PageInfo = pageInfo(more, last)
	return conn, nil
}

// Queues is the resolver for the queues field.
func (r *queryResolver) Queues(ctx context.Context) ([]*queue.Queue, error) {
	who, err := auth.Require(ctx, auth.JobsRead)
	if err != nil {
		return nil, err
	}
	return r.Queue.Queues(ctx, who)
}

// QueuesChanged is the resolver for the queuesChanged field.
func (r *subscriptionResolver) QueuesChanged(ctx context.Context) (<-chan []*queue.Queue, error) {
	who, err := auth.Require(ctx, auth.JobsRead)
	if err != nil {
		return nil, err
	}
	return r.followQueues(ctx, who)
}
