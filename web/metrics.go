package web

import (
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/contactbridge/contactbridge/web/internal/exchange"
)

// metrics are the hub's counters and measurements, in a registry of their own.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	callers  *prometheus.CounterVec
	calls    *prometheus.CounterVec

	// What is counted at every request is looked up by its labels once.
	ofRequests resolved[ofRequest, prometheus.Counter]
	ofDuration resolved[string, prometheus.Observer]
	ofCallers  resolved[string, prometheus.Counter]
	ofCalls    resolved[ofCall, prometheus.Counter]
}

type ofRequest struct {
	route, method string
	status        int
}

type ofCall struct{ account, recognized string }

// resolved are metrics by their labels. Those of a vector are never removed, and there are as many as the vector has.
type resolved[K comparable, M any] struct {
	mu    sync.RWMutex
	known map[K]M
}

func (r *resolved[K, M]) of(labels K, resolve func() M) M {
	r.mu.RLock()
	metric, known := r.known[labels]
	r.mu.RUnlock()
	if known {
		return metric
	}
	metric = resolve()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[K]M{}
	}
	r.known[labels] = metric
	return metric
}

func newMetrics(o HandlerOptions) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "contactbridge_http_requests_total", Help: "Requests by route, method and status.",
		}, []string{"route", "method", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "contactbridge_http_request_duration_seconds", Help: "Time from a request's arrival to the end of its answer. Event streams last as long as a client listens.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route"}),
		callers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "contactbridge_callers_total", Help: "Callers that were looked up: match, none, withheld, late (the time was up), error.",
		}, []string{"result"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "contactbridge_calls_total", Help: "Calls that were answered, by account: named, ambiguous, unknown, withheld. The recognition rate is named among the first three.",
		}, []string{"account", "result"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "contactbridge_build_info", Help: "Always 1; what runs stands in the labels.",
		ConstLabels: prometheus.Labels{"version": o.Version, "go": runtime.Version()},
	})
	build.Set(1)
	for _, result := range []string{"match", "none", "withheld", "late", "error"} {
		m.callers.WithLabelValues(result) // rates need a zero to start from
	}
	m.registry.MustRegister(m.requests, m.duration, m.callers, m.calls, build, newIntegrations(o), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(o.Collectors...)
	return m
}

// looked counts one lookup of a caller.
func (m *metrics) looked(result, account, recognized string) {
	m.ofCallers.of(result, func() prometheus.Counter { return m.callers.WithLabelValues(result) }).Inc()
	if recognized != "" {
		m.ofCalls.of(ofCall{account, recognized}, func() prometheus.Counter { return m.calls.WithLabelValues(account, recognized) }).Inc()
	}
}

var knownMethods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead}

// observe counts one request.
func (m *metrics) observe(x *exchange.Exchange) {
	method := x.Method
	if !slices.Contains(knownMethods, method) {
		method = "other" // anyone can make methods up
	}
	m.ofRequests.of(ofRequest{x.Route, method, x.Status}, func() prometheus.Counter {
		return m.requests.WithLabelValues(x.Route, method, strconv.Itoa(x.Status))
	}).Inc()
	m.ofDuration.of(x.Route, func() prometheus.Observer { return m.duration.WithLabelValues(x.Route) }).Observe(x.Took.Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
