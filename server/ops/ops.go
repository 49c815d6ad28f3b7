// Package ops shows a process to those who run it: whether it lives, whether it is
// ready, and its figures (design.md 11). Processes that serve mount it on their
// listener, workers on one of its own.
package ops

import (
	"net/http"
)

// Handler serves /livez, /readyz and /metrics to everybody who can reach it: for a
// listener that only the operators' network reaches (OPS_ADDR).
func Handler(health *Health, metrics *Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /livez", health.Live())
	mux.Handle("GET /readyz", health.Ready())
	mux.Handle("GET /metrics", metrics.Handler())
	return mux
}
