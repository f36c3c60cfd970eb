package web

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

const (
	defaultSeries = 10_000
	scrapeCache   = 5 * time.Second // several servers that scrape read the registry once
	scrapeTime    = 5 * time.Second // that reading it may take: Prometheus itself waits for 10 s
	scrapePage    = 1000
)

// healths are the states of health, the worst first: what has no room among the series is well.
var healths = []registry.Health{registry.HealthBroken, registry.HealthGuarded, registry.HealthFailing, registry.HealthNew, registry.HealthOK}

// integrations are the metrics of how integrations stand, read from the registry when they are asked for.
type integrations struct {
	hub    *hub.Hub
	logger *slog.Logger
	clock  func() time.Time
	most   int

	freshness, health, lateness                     *prometheus.Desc
	count, stalest, latest, waiting, running, error *prometheus.Desc
	leftOut, storage                                *prometheus.Desc

	mu   sync.Mutex
	read time.Time
	last standing
}

// A standing is how all integrations stood when they were read.
type standing struct {
	one      []registry.Integration // those that have series of their own
	byHealth map[registry.Health]int
	stalest  time.Time // oldest Fresh of those that run by themselves; zero: no integration runs by itself
	due      []time.Time
	left     int
	failed   bool
}

func newIntegrations(o HandlerOptions) *integrations {
	c := &integrations{hub: o.Hub, logger: o.Logger, clock: o.Clock, most: cmp.Or(o.MostSeries, defaultSeries)}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("contactbridge_"+name, help, labels, nil)
	}
	one := []string{"account", "integration"}
	c.freshness = describe("integration_freshness_seconds", "Age of what the directory knows: everything that was committed before is in it. Absent until a run was complete.", one...)
	c.health = describe("integration_health", "1 for the state of health that the integration is in.", append(one, "health")...)
	c.lateness = describe("integration_due_lateness_seconds", "How long the integration has been due without a run; 0 where it is not due.", one...)
	c.count = describe("integrations", "Integrations by health.", "health")
	c.stalest = describe("freshness_worst_seconds", "Freshness of the least fresh integration that runs by itself; of one that never had a complete run, the time since it was added.")
	c.latest = describe("due_lateness_worst_seconds", "Lateness of the integration that has been due longest.")
	c.waiting = describe("runs_waiting", "Integrations that are due and that no process works on: the queue.")
	c.running = describe("runs_under_way", "Runs under way in this process.")
	c.leftOut = describe("integrations_without_series", "Integrations that have no series of their own, because there are too many.")
	c.storage = describe("storage_failed", "1 where this process has found that the hub's database cannot be written, such as on a full disk: runs wait.")
	c.error = describe("registry_read_failed", "1 where the registry could not be read: what stands here is as of the last time.")
	return c
}

// Describe tells of all metrics.
func (c *integrations) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.freshness, c.health, c.lateness, c.count, c.stalest, c.latest, c.waiting, c.running, c.leftOut, c.storage, c.error} {
		to <- d
	}
}

// Collect tells of their values.
func (c *integrations) Collect(to chan<- prometheus.Metric) {
	s, now := c.standing(), c.clock()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for i := range s.one {
		one := &s.one[i]
		account, name := one.Account, one.Key.Integration
		if !one.Status.Fresh.IsZero() {
			gauge(c.freshness, since(now, one.Status.Fresh), account, name)
		}
		gauge(c.health, 1, account, name, string(healthOf(one)))
		gauge(c.lateness, since(now, dueOf(one)), account, name)
	}
	for _, h := range healths {
		gauge(c.count, float64(s.byHealth[h]), string(h))
	}
	late, waiting := 0.0, 0
	for _, due := range s.due {
		if !due.After(now) {
			waiting, late = waiting+1, max(late, since(now, due))
		}
	}
	gauge(c.stalest, since(now, s.stalest))
	gauge(c.latest, late)
	gauge(c.waiting, float64(waiting))
	gauge(c.running, float64(len(c.hub.Running())))
	gauge(c.leftOut, float64(s.left))
	gauge(c.storage, oneIf(c.hub.Writable() != nil))
	gauge(c.error, oneIf(s.failed))
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// since is how many seconds ago a time was; 0 for none, and for the future.
func since(now, then time.Time) float64 {
	if then.IsZero() {
		return 0
	}
	return max(0, now.Sub(then).Seconds())
}

func healthOf(i *registry.Integration) registry.Health {
	return cmp.Or(i.Status.Health, registry.HealthNew)
}

// dueOf is when an integration should have begun to run; zero if no run is due.
func dueOf(i *registry.Integration) time.Time {
	if i.Paused || i.Status.Worker != "" {
		return time.Time{}
	}
	return i.Status.Due
}

// standing reads the registry, unless that was just done or tried.
func (c *integrations) standing() standing {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock()
	if !c.read.IsZero() && now.Sub(c.read) < scrapeCache {
		return c.last
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	s, err := c.readAll(ctx)
	c.read = c.clock()
	if err != nil {
		c.logger.Error("metrics: read the registry", "error", err)
		c.last.failed = true
		return c.last
	}
	c.last = s
	return s
}

func (c *integrations) readAll(ctx context.Context) (standing, error) {
	s := standing{byHealth: map[registry.Health]int{}}
	after := directory.Key{}
	for {
		page, err := c.hub.Listed(ctx, after, scrapePage)
		if err != nil {
			return s, err
		}
		for i := range page {
			s.add(&page[i])
		}
		if s.one = append(s.one, page...); len(s.one) > 2*c.most {
			s.cut(c.most)
		}
		if len(page) < scrapePage {
			s.cut(c.most)
			return s, nil
		}
		after = page[len(page)-1].Key
	}
}

func (s *standing) add(i *registry.Integration) {
	s.byHealth[healthOf(i)]++
	if due := dueOf(i); !due.IsZero() {
		s.due = append(s.due, due)
	}
	fresh := i.Status.Fresh
	if fresh.IsZero() {
		fresh = i.Created
	}
	if !i.Paused && !i.Schedule.Off && (s.stalest.IsZero() || fresh.Before(s.stalest)) {
		s.stalest = fresh
	}
}

// cut leaves so many integrations, those that fare worst.
func (s *standing) cut(most int) {
	if len(s.one) <= most {
		return
	}
	slices.SortFunc(s.one, func(a, b registry.Integration) int {
		return cmp.Or(
			cmp.Compare(slices.Index(healths, healthOf(&a)), slices.Index(healths, healthOf(&b))),
			a.Status.Fresh.Compare(b.Status.Fresh),
			cmp.Compare(a.Account, b.Account), cmp.Compare(a.Key.Integration, b.Key.Integration))
	})
	s.left += len(s.one) - most
	s.one = slices.Clone(s.one[:most])
}
