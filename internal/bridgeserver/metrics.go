package bridgeserver

import (
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/contactbridge/contactbridge/bridge"
)

// metrics are the bridge's counters, in a registry of their own.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	contacts *prometheus.CounterVec
	agents   *prometheus.CounterVec
	deleted  *prometheus.CounterVec
	leftOut  *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	pages    *prometheus.CounterVec
	restarts *prometheus.CounterVec
	open     *prometheus.GaugeVec
}

func newMetrics(version string) *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "contactbridge_" + name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	m.requests = counter("requests_total", "Requests by endpoint, path and outcome: ok, or the code of the error.", "endpoint", "path", "code")
	m.contacts = counter("contacts_total", "Contacts sent.", "endpoint")
	m.agents = counter("agents_total", "Agents sent.", "endpoint")
	m.deleted = counter("deleted_contacts_total", "Deletions sent, in whatever form.", "endpoint")
	m.leftOut = counter("left_out_contacts_total", "Contacts that could not be sent: they have no id.", "endpoint")
	m.bytes = counter("answer_bytes_total", "Bytes of pages, before compression.", "endpoint")
	m.pages = counter("pages_total", "Pages by what ended them: end, contacts, bytes, time, error.", "endpoint", "cut")
	m.restarts = counter("restarts_total", "Requests with a checkpoint that were answered as an initial run, by reason: unknown (the checkpoint belongs to another configuration, tenant, bridge or version), unusable (the source no longer accepts it), source (the source reads everything by itself).", "endpoint", "reason")
	m.duration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "contactbridge_request_duration_seconds", Help: "Time from a request's arrival to the end of its answer. The protocol allows 10 s.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 7.5, 9, 10},
	}, []string{"endpoint", "path"})
	m.open = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "contactbridge_open_sources", Help: "Sources that requests have open."}, []string{"endpoint"})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "contactbridge_build_info", Help: "Always 1; what runs stands in the labels.",
		ConstLabels: prometheus.Labels{"version": version, "go": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(m.duration, m.open, build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// observe counts one request.
func (m *metrics) observe(o bridge.Observation) {
	code := string(o.Code)
	if code == "" {
		code = "ok"
	}
	m.requests.WithLabelValues(o.Endpoint, o.Path, code).Inc()
	if o.Endpoint == "" {
		return
	}
	m.duration.WithLabelValues(o.Endpoint, o.Path).Observe(o.Duration.Seconds())
	if o.Agents > 0 {
		m.agents.WithLabelValues(o.Endpoint).Add(float64(o.Agents))
	}
	if o.Cut == "" {
		return
	}
	m.pages.WithLabelValues(o.Endpoint, string(o.Cut)).Inc()
	if o.Restart != "" {
		m.restarts.WithLabelValues(o.Endpoint, string(o.Restart)).Inc()
	}
	m.contacts.WithLabelValues(o.Endpoint).Add(float64(o.Contacts))
	m.deleted.WithLabelValues(o.Endpoint).Add(float64(o.Deleted))
	m.leftOut.WithLabelValues(o.Endpoint).Add(float64(o.LeftOut))
	m.bytes.WithLabelValues(o.Endpoint).Add(float64(o.Bytes))
}

// openSources counts an endpoint's open sources up and down.
func (m *metrics) openSources(name string) func(delta float64) {
	return m.open.WithLabelValues(name).Add
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
