package ops

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// QueueFigures are what waits in one queue, over all companies: field by field
// db.QueueFigures, so that one converts to the other.
type QueueFigures struct {
	Name                                                string
	Available, Running, Retryable, Scheduled, Discarded int64
	CompletedLastMinute                                 int64
	// OldestAt is when the oldest ready job became ready.
	OldestAt *time.Time
	PausedAt *time.Time
}

var (
	jobsDesc = prometheus.NewDesc("sello_jobs", "Jobs in a queue, by state; completed ones of the last minute.",
		[]string{"queue", "state"}, nil)
	oldestDesc = prometheus.NewDesc("sello_job_oldest_age_seconds", "How long the oldest ready job of a queue has waited.",
		[]string{"queue"}, nil)
	pausedDesc = prometheus.NewDesc("sello_queue_paused", "1 where an operator paused the queue.",
		[]string{"queue"}, nil)
)

// WatchQueues shows the figures of the job queues, read when somebody looks.
func (m *Metrics) WatchQueues(now func() time.Time, read func(context.Context) ([]QueueFigures, error)) {
	m.registry.MustRegister(&queues{now, read})
}

type queues struct {
	now  func() time.Time
	read func(context.Context) ([]QueueFigures, error)
}

func (*queues) Describe(descs chan<- *prometheus.Desc) {
	descs <- jobsDesc
	descs <- oldestDesc
	descs <- pausedDesc
}

func (q *queues) Collect(figures chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), checkTime)
	defer cancel()
	all, err := q.read(ctx)
	if err != nil {
		figures <- prometheus.NewInvalidMetric(jobsDesc, fmt.Errorf("read the queues' figures: %w", err))
		return
	}
	for _, f := range all {
		for state, n := range map[string]int64{
			"available": f.Available, "running": f.Running, "retryable": f.Retryable, "scheduled": f.Scheduled,
			"discarded": f.Discarded, "completed": f.CompletedLastMinute,
		} {
			figures <- prometheus.MustNewConstMetric(jobsDesc, prometheus.GaugeValue, float64(n), f.Name, state)
		}
		age, paused := 0.0, 0.0
		if f.OldestAt != nil {
			age = max(0, q.now().Sub(*f.OldestAt).Seconds())
		}
		if f.PausedAt != nil {
			paused = 1
		}
		figures <- prometheus.MustNewConstMetric(oldestDesc, prometheus.GaugeValue, age, f.Name)
		figures <- prometheus.MustNewConstMetric(pausedDesc, prometheus.GaugeValue, paused, f.Name)
	}
}
