package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/postgres"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/hub/riverqueue"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
	"github.com/contactbridge/contactbridge/synchronizer"
)

// A simulation replaces the runs themselves. Scheduler, registry, queue and PostgreSQL are the real ones.
type simulation struct {
	simulate int
	accounts int
	places   int
	took     time.Duration
	asked    bool          // PostgreSQL counts statements
	linger   time.Duration // how long hubs go on after every integration has run

	contactsStored int
	partitions     string
}

func (s *simulation) declare(flags *flag.FlagSet) {
	flags.IntVar(&s.simulate, "simulate", 0, "instead of a fleet: so many integrations whose runs only take time, to measure scheduler, registry and queue; with it, --every is 30m and --duration 30s by default")
	flags.IntVar(&s.accounts, "accounts", 0, "with --simulate or --store, how many accounts there are; 0: one for each integration, or for each 5,000 contacts")
	flags.IntVar(&s.places, "places", 16, "with --simulate, runs at once of each of the --workers")
	flags.DurationVar(&s.took, "took", 3*time.Millisecond, "with --simulate, how long a run takes")
	flags.IntVar(&s.contactsStored, "store", 0, "instead of a fleet: so many contacts are stored in a directory on PostgreSQL, to measure what they take")
	flags.StringVar(&s.partitions, "partitions", "", "with --store, a file whose SQL moves the tables into partitions, such as docs/scaling.md; then everything is measured again")
	flags.BoolVar(&s.asked, "statements", false, "with --simulate, list the statements that cost PostgreSQL most; it needs the extension pg_stat_statements")
}

// A simulated fleet runs in this process, a hub for each worker, so that the processor time of hubs and of PostgreSQL are told apart.
type simulated struct {
	options
	out      io.Writer
	database *pgtest.Server
	pool     *pgxpool.Pool
	hubs     []*hub.Hub
	closers  []func()

	mu       sync.Mutex
	running  map[directory.Key]bool
	runs     map[directory.Key]int
	overlaps int
	late     []time.Duration // of each run since the phase began
	first    time.Time       // when the first of them began
	last     time.Time       // and when the last one ended
}

// A measure is what one phase came to.
type measure struct {
	runs     int
	distinct int // integrations that ran
	overlaps int
	took     time.Duration   // from the first run's beginning to the last one's end
	late     []time.Duration // of each run, ascending: how long after it was due it began
	held     int             // integrations that are still claimed
	overdue  int             // and those that are due
	load     load
}

// The phases of a simulation. Everything is due 3 s after that is written, at the earliest: hubs work by then. due is SQL, over now and
// the schedule's interval $1, in microseconds.
var (
	bySchedule = phase{name: "by schedule", due: "now + 3000000 + (random() * $1)::bigint"}
	allAtOnce  = phase{name: "all due at once", due: "now + 3000000 + 0 * $1::bigint", once: true}
)

// A phase is what is measured at a time.
type phase struct {
	name, due string
	once      bool // it ends when every integration has run
}

// simulate measures phases one after the other on the same database.
func simulate(ctx context.Context, o options, out io.Writer, phases ...phase) (measured []measure, err error) {
	if o.accounts <= 0 {
		o.accounts = o.simulate
	}
	s := &simulated{options: o, out: out}
	defer func() { err = errors.Join(err, s.close()) }()
	fmt.Fprintf(out, "simulation: %d integrations of %d accounts, every %s, runs of %s, %d workers with %d places\n", o.simulate, o.accounts, o.every, o.took, o.workers, o.places)
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	for _, p := range phases {
		m, err := s.measure(ctx, p)
		if err != nil {
			return nil, err
		}
		measured = append(measured, m)
		m.print(out, p.name)
		if err := s.statements(ctx, m.runs); err != nil {
			return nil, err
		}
	}
	return measured, s.sizes(ctx)
}

// start starts PostgreSQL as one is used, with commits that reach the disk, and makes accounts and integrations.
func (s *simulated) start(ctx context.Context) (err error) {
	settings := []string{"max_connections=500", "fsync=on", "full_page_writes=on", "shared_buffers=1GB"}
	if s.asked {
		settings = append(settings, "shared_preload_libraries=pg_stat_statements")
	}
	if s.database, err = pgtest.Start(ctx, settings...); err != nil {
		return err
	}
	if err := s.openHubs(ctx); err != nil { // they make the tables
		return err
	}
	s.closeHubs()
	if s.pool, err = pgxpool.New(ctx, s.database.DSN("postgres")); err != nil {
		return err
	}
	if s.asked {
		if _, err := s.pool.Exec(ctx, "CREATE EXTENSION pg_stat_statements"); err != nil {
			return err
		}
	}
	return s.fill(ctx)
}

// fill makes accounts and integrations, past the registry: one by one they would take longer than what is measured. None is due yet.
func (s *simulated) fill(ctx context.Context) error {
	if err := s.write(ctx, `INSERT INTO contactbridge.hub_accounts (name, region, time_zone, managed, created)
		SELECT 'account' || i, 'US', 'UTC', false, 1 FROM generate_series(1, $1) i`, s.accounts); err != nil {
		return err
	}
	return s.write(ctx, `INSERT INTO contactbridge.hub_integrations (account, name, config, scheduled, paused, managed, created, updated)
		SELECT 'account' || 1 + i % $2, 'integration' || i, $3, true, false, false, 1, 1 FROM generate_series(1, $1) i`,
		s.simulate, s.accounts, fmt.Sprintf(`{"bridge":"https://bridge.example.com/contact_sync","every":%d}`, s.every))
}

// write does what is not measured, and has PostgreSQL count its rows at once: a session may otherwise do so a second later, when hubs work.
func (s *simulated) write(ctx context.Context, statement string, values ...any) error {
	return s.pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
		if _, err := c.Exec(ctx, statement, values...); err != nil {
			return err
		}
		_, err := c.Exec(ctx, "SELECT pg_stat_force_next_flush()")
		return err
	})
}

func (s *simulated) openHubs(ctx context.Context) error {
	for n := range s.workers {
		if err := s.addHub(ctx, s.database.DSN("postgres"), n); err != nil {
			return err
		}
	}
	return nil
}

func (s *simulated) closeHubs() {
	for _, f := range slices.Backward(s.closers) {
		f()
	}
	s.hubs, s.closers = nil, nil
}

// addHub adds a worker, with pools of its own as a process has.
func (s *simulated) addHub(ctx context.Context, dsn string, n int) error {
	r, err := registry.Open(ctx, dsn, registry.OpenOptions{})
	if err != nil {
		return err
	}
	s.closers = append(s.closers, func() { _ = r.Close() })
	store, err := postgres.Open(ctx, dsn)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, func() { _ = store.Close() })
	queue, err := riverqueue.Open(ctx, dsn)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, queue.Close)
	h := hub.New(r, store)
	h.Dispatcher, h.Synchronize = queue, s.run
	// All bridges are at one host; what that host bears is not what is measured.
	h.Options = hub.Options{Name: fmt.Sprintf("worker-%d", n), Workers: s.places, PerHost: s.places}
	s.hubs = append(s.hubs, h)
	return nil
}

func (s *simulated) close() error {
	s.closeHubs()
	if s.pool != nil {
		s.pool.Close()
	}
	if s.database == nil {
		return nil
	}
	return s.database.Stop()
}

// run stands for a run: it takes its time, and notes when it began and whether another one of the integration was under way.
func (s *simulated) run(ctx context.Context, c registry.Claim, _ map[string]string, _ string) (synchronizer.Report, error) {
	began := time.Now()
	s.mu.Lock()
	if s.running[c.Key] {
		s.overlaps++
	}
	if s.running[c.Key] = true; len(s.late) == 0 {
		s.first = began
	}
	s.late = append(s.late, began.Sub(c.Late))
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.running, c.Key)
		s.runs[c.Key]++
		s.last = time.Now()
	}()
	select {
	case <-ctx.Done():
		return synchronizer.Report{}, ctx.Err()
	case <-time.After(s.took):
	}
	return synchronizer.Report{Account: c.Account, Integration: c.Key.Integration, Kind: directory.Incremental, State: directory.Done, Pages: 1}, nil
}

// measure makes integrations due, and lets hubs work for the duration, or until every integration has run.
func (s *simulated) measure(ctx context.Context, p phase) (m measure, err error) {
	s.running, s.runs, s.late, s.overlaps = map[directory.Key]bool{}, map[directory.Key]int{}, nil, 0
	if err := s.write(ctx, "UPDATE contactbridge.hub_integrations SET due = "+p.due+" FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now) AS clock",
		s.every.Microseconds()); err != nil {
		return m, err
	}
	if _, err := s.pool.Exec(ctx, "VACUUM ANALYZE contactbridge.hub_integrations"); err != nil {
		return m, err
	}
	if err := errors.Join(s.openHubs(ctx), s.resetStatements(ctx)); err != nil {
		return m, err
	}
	before, err := s.look(ctx)
	if err != nil {
		return m, err
	}
	if err := s.work(ctx, p.once); err != nil {
		return m, err
	}
	s.closeHubs() // a session reports what it did when it ends
	after, err := s.look(ctx)
	if err != nil {
		return m, err
	}
	m.load = after.since(before)
	m.took, m.overlaps, m.late, m.distinct = s.last.Sub(s.first), s.overlaps, s.late, len(s.runs)
	for _, n := range s.runs {
		m.runs += n
	}
	slices.Sort(m.late)
	if m.runs == 0 {
		return m, errors.New("nothing ran")
	}
	err = s.pool.QueryRow(ctx, `SELECT count(*) FILTER (WHERE token <> ''), count(*) FILTER (WHERE ready > 0 AND ready <= extract(epoch FROM clock_timestamp()) * 1000000)
		FROM contactbridge.hub_integrations`).Scan(&m.held, &m.overdue)
	return m, err
}

// work lets all hubs work until the time is over, or until every integration has run, and waits for the runs under way.
func (s *simulated) work(ctx context.Context, once bool) error {
	working, stop := context.WithTimeout(ctx, s.duration)
	defer stop()
	ended := make(chan error, len(s.hubs))
	for _, h := range s.hubs {
		go func() { ended <- h.Work(working) }()
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for working.Err() == nil {
		select {
		case <-working.Done():
		case <-tick.C:
			s.mu.Lock()
			all := once && len(s.runs) == s.simulate && time.Since(s.last) >= s.linger
			s.mu.Unlock()
			if all {
				stop()
			}
		}
	}
	var errs []error
	for range s.hubs {
		errs = append(errs, <-ended)
	}
	return errors.Join(append(errs, ctx.Err())...)
}

func (m measure) print(out io.Writer, name string) {
	n := float64(m.runs)
	fmt.Fprintf(out, "\n%s: %d runs in %.1f s, %.0f claims/s, %d overlaps\n", name, m.runs, m.took.Seconds(), n/m.took.Seconds(), m.overlaps)
	if len(m.late) > 0 {
		fmt.Fprintf(out, "begun after they were due: p50 %s, p95 %s, p99 %s, max %s\n", percentile(m.late, 50), percentile(m.late, 95), percentile(m.late, 99), percentile(m.late, 100))
	}
	w := tabwriter.NewWriter(out, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "load\tin all\tfor a claim\t")
	l := m.load
	for _, row := range []struct {
		name  string
		all   float64
		scale float64
		unit  string
	}{
		{"processor, PostgreSQL", l.server.Seconds(), 1000, "ms"},
		{"processor, hubs", l.hubs.Seconds(), 1000, "ms"},
		{"transactions", float64(l.transactions), 1, ""},
		{"log (WAL), bytes", float64(l.wal), 1, ""},
	} {
		fmt.Fprintf(w, "%s\t%s\t%.2f %s\t\n", row.name, amount(row.all), row.all/n*row.scale, row.unit)
	}
	for _, t := range l.tables {
		fmt.Fprintf(w, "rows written, %s\t%d\t%.2f\t\n", t.name, t.rows, float64(t.rows)/n)
	}
	w.Flush()
}

func amount(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.1f s", v)
	}
	return fmt.Sprintf("%.0f", v)
}
