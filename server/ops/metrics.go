package ops

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sello/server/gqlhttp"
)

// Metrics are the figures of a process. Labels come from closed sets: routes,
// codes, reasons, statement names, never anything that a caller makes up.
type Metrics struct {
	registry *prometheus.Registry

	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	inFlight  prometheus.Gauge
	limited   *prometheus.CounterVec

	operations    *prometheus.CounterVec
	operationTime *prometheus.HistogramVec
	guard         *prometheus.CounterVec
	subscriptions prometheus.Gauge
	connections   prometheus.Gauge

	postings *prometheus.CounterVec
	refusals *prometheus.CounterVec
	signIns  *prometheus.CounterVec

	statements *prometheus.HistogramVec

	webhookAttempts *prometheus.CounterVec
}

// buckets of durations, in seconds: a posting takes a few milliseconds, a report
// some seconds.
var buckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// NewMetrics makes the figures of a process, all at zero, with those of the Go
// runtime.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),

		requests:  counter("http_requests_total", "HTTP requests answered.", "method", "route", "status"),
		durations: histogram("http_request_duration_seconds", "Time from a request's headers to the end of its answer.", "route"),
		inFlight:  gauge("http_requests_in_flight", "HTTP requests being answered, open streams among them."),
		limited:   counter("http_rate_limited_total", "Requests refused by a rate limit.", "limit"),

		operations:    counter("graphql_operations_total", "GraphQL operations, by how they ended.", "kind", "transport", "outcome"),
		operationTime: histogram("graphql_operation_duration_seconds", "Time of GraphQL queries and mutations.", "kind"),
		guard:         counter("graphql_guard_refusals_total", "Documents and requests that the guard in front of GraphQL turned away.", "reason"),
		subscriptions: gauge("graphql_subscriptions", "Subscriptions running."),
		connections:   gauge("graphql_connections", "Websockets and event streams open."),

		postings: counter("postings_total", "Movements posted on cards by requests.", "action"),
		refusals: counter("refusals_total", "Operations refused, by code.", "code"),
		signIns:  counter("credential_failures_total", "Credentials refused, by reason.", "reason"),

		statements: histogram("db_statement_duration_seconds", "Time of database statements, by name.", "statement", "outcome"),

		webhookAttempts: counter("webhook_attempts_total", "Attempts to deliver to webhooks, by outcome: delivered, failed, dead.", "outcome"),
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.requests, m.durations, m.inFlight, m.limited, m.operations, m.operationTime, m.guard, m.subscriptions,
		m.connections, m.postings, m.refusals, m.signIns, m.statements, m.webhookAttempts)
	return m
}

const namespace = "sello"

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histogram(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help, Buckets: buckets,
	}, labels)
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
}

// Handler shows the figures in Prometheus' text format. Who may see them is the
// caller's matter. A figure that cannot be read, as when the database is away,
// does not hide the others.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// RequestStarted counts a request in, and the function it answers counts it out;
// route is a pattern, and status zero where the connection was taken over.
func (m *Metrics) RequestStarted() func(method, route string, status int, took time.Duration) {
	m.inFlight.Inc()
	return func(method, route string, status int, took time.Duration) {
		m.inFlight.Dec()
		m.requests.WithLabelValues(knownMethod(method), route, strconv.Itoa(status)).Inc()
		m.durations.WithLabelValues(route).Observe(took.Seconds())
	}
}

func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// RateLimited counts a request that the named limit refused.
func (m *Metrics) RateLimited(limit string) { m.limited.WithLabelValues(limit).Inc() }

// Posted counts a movement, by action (ledger.Service.Posted).
func (m *Metrics) Posted(action string) { m.postings.WithLabelValues(action).Inc() }

// Refused counts a refused operation, by code (ledger.Service.Refused).
func (m *Metrics) Refused(code string) { m.refusals.WithLabelValues(code).Inc() }

// SignInFailed counts a refused credential, by reason (auth.Config.Failed).
func (m *Metrics) SignInFailed(reason string) { m.signIns.WithLabelValues(reason).Inc() }

// GraphQL counts what the GraphQL edge tells.
func (m *Metrics) GraphQL() gqlhttp.Hooks {
	return gqlhttp.Hooks{
		Refused: func(_ context.Context, reason string) { m.guard.WithLabelValues(reason).Inc() },
		Operation: func(_ context.Context, op gqlhttp.Operation) {
			m.operations.WithLabelValues(op.Kind, op.Transport, op.Outcome).Inc()
			if op.Kind == "query" || op.Kind == "mutation" {
				m.operationTime.WithLabelValues(op.Kind).Observe(op.Duration.Seconds())
			}
		},
		Subscriptions: func(delta int) { m.subscriptions.Add(float64(delta)) },
		Connections:   func(delta int) { m.connections.Add(float64(delta)) },
	}
}
