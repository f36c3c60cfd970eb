package web

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/contactbridge/contactbridge/directory"
)

// Runs count what the runs of this process did. Give [Runs.Observe] to the hub and the Runs to [HandlerOptions.Collectors].
type Runs struct {
	runs     *prometheus.CounterVec
	contacts *prometheus.CounterVec
	bytes    prometheus.Counter
	pages    prometheus.Counter
	duration *prometheus.HistogramVec
}

// NewRuns makes counters that stand at zero.
func NewRuns() *Runs {
	r := &Runs{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "contactbridge_runs_total", Help: "Runs that ended in this process, by kind and state.",
		}, []string{"kind", "state"}),
		contacts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "contactbridge_run_contacts_total", Help: "Contacts of complete runs, by what became of them.",
		}, []string{"change"}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "contactbridge_run_bytes_total", Help: "Bytes of the bridges' answers to complete runs."}),
		pages: prometheus.NewCounter(prometheus.CounterOpts{Name: "contactbridge_run_pages_total", Help: "Pages of complete runs."}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "contactbridge_run_duration_seconds", Help: "Time from a complete run's start to its end.",
			Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600},
		}, []string{"kind"}),
	}
	for _, kind := range []directory.Kind{directory.Initial, directory.Incremental} {
		for _, state := range []directory.RunState{directory.Done, directory.Failed, directory.Guarded} {
			r.runs.WithLabelValues(string(kind), string(state)) // rates need a zero to start from
		}
	}
	return r
}

// Observe counts one run.
func (r *Runs) Observe(run directory.Run) {
	r.runs.WithLabelValues(string(run.Kind), string(run.State)).Inc()
	if run.State != directory.Done && run.State != directory.Guarded {
		return // it is resumed, and counts what it did when it is complete
	}
	for change, n := range map[string]int64{
		"created": run.Created, "updated": run.Counts.Updated, "unchanged": run.Unchanged, "deleted": run.Deleted, "rejected": run.Rejected,
	} {
		r.contacts.WithLabelValues(change).Add(float64(n))
	}
	r.bytes.Add(float64(run.Bytes))
	r.pages.Add(float64(run.Pages))
	if !run.Finished.IsZero() && !run.Started.IsZero() {
		r.duration.WithLabelValues(string(run.Kind)).Observe(run.Finished.Sub(run.Started).Seconds())
	}
}

func (r *Runs) parts() []prometheus.Collector {
	return []prometheus.Collector{r.runs, r.contacts, r.bytes, r.pages, r.duration}
}

// Describe tells of all metrics.
func (r *Runs) Describe(to chan<- *prometheus.Desc) {
	for _, p := range r.parts() {
		p.Describe(to)
	}
}

// Collect tells of their values.
func (r *Runs) Collect(to chan<- prometheus.Metric) {
	for _, p := range r.parts() {
		p.Collect(to)
	}
}
