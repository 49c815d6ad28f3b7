package ops

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

var (
	connectionsDesc = prometheus.NewDesc("sello_db_connections", "Connections of the pool, by state.",
		[]string{"state"}, nil)
	connectionsMaxDesc = prometheus.NewDesc("sello_db_connections_max", "Most connections that the pool opens.", nil, nil)
	acquiredDesc       = prometheus.NewDesc("sello_db_acquires_total", "Connections taken from the pool.", nil, nil)
	waitedDesc         = prometheus.NewDesc("sello_db_acquire_waits_total", "Connections that had to be waited for.", nil, nil)
	waitTimeDesc       = prometheus.NewDesc("sello_db_acquire_seconds_total", "Time spent taking connections.", nil, nil)
)

// WatchPool shows the figures of the database pool.
func (m *Metrics) WatchPool(pool *pgxpool.Pool) { m.registry.MustRegister(poolFigures{pool}) }

type poolFigures struct{ pool *pgxpool.Pool }

func (poolFigures) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{connectionsDesc, connectionsMaxDesc, acquiredDesc, waitedDesc, waitTimeDesc} {
		descs <- d
	}
}

func (p poolFigures) Collect(figures chan<- prometheus.Metric) {
	s := p.pool.Stat()
	show := func(kind prometheus.ValueType, desc *prometheus.Desc, value float64, labels ...string) {
		figures <- prometheus.MustNewConstMetric(desc, kind, value, labels...)
	}
	show(prometheus.GaugeValue, connectionsDesc, float64(s.AcquiredConns()), "used")
	show(prometheus.GaugeValue, connectionsDesc, float64(s.IdleConns()), "idle")
	show(prometheus.GaugeValue, connectionsDesc, float64(s.ConstructingConns()), "opening")
	show(prometheus.GaugeValue, connectionsMaxDesc, float64(s.MaxConns()))
	show(prometheus.CounterValue, acquiredDesc, float64(s.AcquireCount()))
	show(prometheus.CounterValue, waitedDesc, float64(s.EmptyAcquireCount()))
	show(prometheus.CounterValue, waitTimeDesc, s.AcquireDuration().Seconds())
}

// Tracer times the statements of a pool: set it as the pool's
// ConnConfig.Tracer before the pool is made.
func (m *Metrics) Tracer() pgx.QueryTracer { return tracer{m} }

type tracer struct{ metrics *Metrics }

type traceKey struct{}

type trace struct {
	statement string
	start     time.Time
}

func (tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, traceKey{}, trace{statementName(data.SQL), time.Now()})
}

func (t tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	started, ok := ctx.Value(traceKey{}).(trace)
	if !ok {
		return
	}
	outcome := "ok"
	if data.Err != nil {
		outcome = "error"
	}
	t.metrics.statements.WithLabelValues(started.statement, outcome).Observe(time.Since(started.start).Seconds())
}

// statementName is the name that a compiled statement carries in its first line;
// River's carry one too, in a comment of their own form, and all else is "other".
func statementName(sql string) string {
	name, ok := strings.CutPrefix(sql, "-- name: ")
	if !ok {
		return "other"
	}
	end := strings.IndexAny(name, " \n")
	if end <= 0 {
		return "other"
	}
	return name[:end]
}
