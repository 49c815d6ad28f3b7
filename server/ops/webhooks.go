package ops

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var webhookOldestDesc = prometheus.NewDesc("sello_webhook_oldest_age_seconds",
	"How long the oldest delivery of an enabled webhook has waited.", nil, nil)

// WebhookAttempted counts an attempt to deliver, by outcome
// (webhook.Config.Attempted).
func (m *Metrics) WebhookAttempted(outcome string) { m.webhookAttempts.WithLabelValues(outcome).Inc() }

// WatchWebhooks shows how far webhooks are behind, read when somebody looks.
func (m *Metrics) WatchWebhooks(oldest func(context.Context) (time.Duration, error)) {
	m.registry.MustRegister(&webhookAge{oldest})
}

type webhookAge struct {
	read func(context.Context) (time.Duration, error)
}

func (*webhookAge) Describe(descs chan<- *prometheus.Desc) { descs <- webhookOldestDesc }

func (w *webhookAge) Collect(figures chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), checkTime)
	defer cancel()
	age, err := w.read(ctx)
	if err != nil {
		figures <- prometheus.NewInvalidMetric(webhookOldestDesc, fmt.Errorf("read how far webhooks are behind: %w", err))
		return
	}
	figures <- prometheus.MustNewConstMetric(webhookOldestDesc, prometheus.GaugeValue, age.Seconds())
}
