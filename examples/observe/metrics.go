package main

import (
	"cmp"
	"context"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/graphlicensing/licensing"
)

// A metrics is what Prometheus is told. No label names a user, so that there are
// few series.
type metrics struct {
	registry  *prometheus.Registry
	seconds   *prometheus.HistogramVec
	throttled prometheus.Counter
	results   *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "licensing_attempt_duration_seconds",
			Help:    "How long requests to Graph took, with their answers.",
			Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"op", "status"}),
		throttled: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "licensing_throttled_operations_total",
			Help: "How often an operation was refused for its frequency.",
		}),
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "licensing_results_total",
			Help: "What became of operations, by their kind, and of what kind the errors are.",
		}, []string{"operation", "outcome", "error"}),
	}
	m.registry.MustRegister(m.seconds, m.throttled, m.results)
	return m
}

// attempt counts an attempt.
func (m *metrics) attempt(_ context.Context, a licensing.Attempt) {
	m.seconds.WithLabelValues(a.Op, strconv.Itoa(a.Status)).Observe(a.Duration.Seconds())
	m.throttled.Add(float64(a.Throttled))
}

// result counts a result, by the first of the kinds that its error has.
func (m *metrics) result(r licensing.OperationResult) {
	kind := ""
	if r.Err != nil {
		kind = "other"
	}
	for _, known := range licensing.Kinds(r.Err) {
		kind = known.Error()
		break
	}
	m.results.WithLabelValues(cmp.Or(string(r.Operation.Kind), "none"), string(r.Outcome()), kind).Inc()
}

// handler serves /metrics.
func (m *metrics) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	return mux
}
