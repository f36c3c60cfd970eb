package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/directory/postgres"
	"github.com/contactbridge/contactbridge/internal/test/pgtest"
)

const account = "acme"

// A run of the fleet.
type exercise struct {
	options
	database *pgtest.Server
	bridges  *bridges
	tables   *tables
	workers  []*process
	webs     []*process
	api      *caller
	kills    int
}

func fleet(ctx context.Context, dir string, o options) (err error) {
	fmt.Printf("fleet: %d integrations on bridges and %d inside the hub, every %s, %d workers, %d webs, a worker killed every %s, for %s, seed %d\n",
		o.integrations, o.inside, o.every, o.workers, o.webs, o.kill, o.duration, o.seed)
	e := &exercise{options: o}
	defer func() { err = errors.Join(err, e.close()) }()
	if err := e.start(ctx, dir); err != nil {
		return err
	}
	if err := e.addIntegrations(ctx); err != nil {
		return fmt.Errorf("add the integrations: %w", err)
	}
	if err := e.until(ctx, "every integration has run", func() bool {
		least, _ := e.bridges.complete()
		return least > 0 && e.tables.everyRanSince(ctx, time.Time{})
	}); err != nil {
		return err
	}
	return e.measure(ctx)
}

// start starts the database, the bridges and all processes.
func (e *exercise) start(ctx context.Context, dir string) (err error) {
	if e.database, err = pgtest.Start(ctx, "max_connections=1000"); err != nil {
		return err
	}
	if e.bridges, err = startBridges(e.options); err != nil {
		return err
	}
	if e.tables, err = startTables(ctx, e.database, e.options); err != nil {
		return fmt.Errorf("make the tables that the hub reads itself: %w", err)
	}
	binary, err := build(ctx, dir)
	if err != nil {
		return err
	}
	config := filepath.Join(dir, "hub.yaml")
	if err := os.WriteFile(config, []byte(e.config()), 0o600); err != nil {
		return err
	}
	env := []string{"FLEET_TOKEN=" + secret(), "FLEET_KEY=" + secret()}
	e.api = &caller{token: env[0][len("FLEET_TOKEN="):]}
	for n := range e.options.webs {
		p, err := newProcess(dir, binary, config, "web", n, env)
		if err != nil {
			return err
		}
		e.webs = append(e.webs, p)
	}
	for n := range e.options.workers {
		p, err := newProcess(dir, binary, config, "worker", n, env)
		if err != nil {
			return err
		}
		e.workers = append(e.workers, p)
	}
	e.api.webs = e.webs
	var group errgroup.Group
	for _, p := range slices.Concat(e.webs, e.workers) { // all at once: they must agree on who makes the tables
		if err := p.start(); err != nil {
			return err
		}
		group.Go(func() error { return p.ready(ctx) })
	}
	return group.Wait()
}

func (e *exercise) config() string {
	return fmt.Sprintf(`database: %s
log: {level: warn}
accounts: {%s: {region: US}}
tokens: {fleet: {scopes: [admin], value: "${FLEET_TOKEN}"}}
secrets: {key_env: FLEET_KEY}
network: {allow: [127.0.0.1/32]}
workers: 16
per_account: 16
per_host: 16
`, e.database.DSN("postgres"), account)
}

// secret is a random key.
func secret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(b)
}

func (e *exercise) addIntegrations(ctx context.Context) error {
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range e.integrations {
		group.Go(func() error {
			return e.api.call(ctx, "POST", "/api/v1/integrations?account="+account, map[string]any{
				"name": name(i), "bridge": e.bridges.url + "/" + name(i) + "/contact_sync", "schedule": map[string]any{"every": e.every.String()},
				"auth": map[string]string{"username": "agent", "password": password(i)},
			}, nil)
		})
	}
	for _, w := range e.tables.list {
		group.Go(func() error {
			return e.api.call(ctx, "POST", "/api/v1/integrations?account="+account, map[string]any{
				"name": w.name(), "source": e.tables.source(w), "schedule": map[string]any{"every": e.every.String()},
			}, nil)
		})
	}
	err := group.Wait()
	fmt.Printf("%d integrations added through the API in %.1f s\n", e.integrations+e.options.inside, time.Since(began).Seconds())
	return err
}

// until waits for a condition, as long as everything may take twice.
func (e *exercise) until(ctx context.Context, what string, holds func() bool) error {
	began := time.Now()
	for !holds() {
		if time.Since(began) > 2*(e.every+e.late) {
			return fmt.Errorf("after %s it does not hold that %s", time.Since(began).Round(time.Second), what)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	fmt.Printf("%s, after %.1f s\n", what, time.Since(began).Seconds())
	return nil
}

// measure lets time pass, kills workers meanwhile, and judges.
func (e *exercise) measure(ctx context.Context) error {
	since := time.Now()
	_, before := e.bridges.complete()
	changing, stop := context.WithTimeout(ctx, e.duration)
	defer stop()
	go e.bridges.change(changing, e.options)
	var changes sync.WaitGroup
	var fresh freshness
	changes.Go(func() { e.tables.change(changing, e.options) })
	changes.Go(func() { e.follow(changing, &fresh) })
	if err := e.killWorkers(changing); err != nil {
		return err
	}
	end := time.Now()
	late := e.bridges.lateness(since, end, e.every)
	_, after := e.bridges.complete()
	lateInside, inside, overlapsInside, err := e.tables.judge(ctx, since, end, e.every)
	if err != nil {
		return err
	}
	late = append(late, lateInside...)
	overlaps := e.bridges.overlaps() + overlapsInside
	changes.Wait()
	if ctx.Err() != nil || len(late) == 0 {
		return errors.Join(ctx.Err(), errors.New("nothing ran"))
	}
	slices.Sort(late)
	fmt.Printf("%d runs on bridges and %d inside in %s, %d workers killed\nlateness: p50 %s, p99 %s, max %s\n%d overlaps\n", after-before, inside, end.Sub(since).Round(time.Second), e.kills,
		percentile(late, 50), percentile(late, 99), late[len(late)-1].Round(time.Millisecond), overlaps)
	notFresh := fresh.report(e.options.fresh)
	if err := e.compare(ctx); err != nil {
		return err
	}
	switch {
	case notFresh != nil:
		return notFresh
	case overlaps > 0:
		return errors.New("two runs of one integration overlapped")
	case late[len(late)-1] > e.late:
		return fmt.Errorf("a run was more than %s late", e.late)
	}
	fmt.Println("every integration ran on time, no two runs overlapped, nothing was lost")
	return nil
}

func percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[min(len(sorted)-1, len(sorted)*p/100)].Round(time.Millisecond)
}

// killWorkers kills a worker every now and then, and starts it again, until ctx is done.
func (e *exercise) killWorkers(ctx context.Context) error {
	random := mathrand.New(mathrand.NewPCG(e.seed, 2))
	for {
		if e.kill <= 0 {
			<-ctx.Done()
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(e.kill):
		}
		victim := e.workers[random.IntN(len(e.workers))]
		victim.kill()
		e.kills++
		if err := victim.start(); err != nil {
			return err
		}
	}
}

// compare waits until every integration has run once more than it had when the changes ended, and compares row by row.
func (e *exercise) compare(ctx context.Context) (err error) {
	ended := time.Now()
	if err := e.until(ctx, "every integration has run since the last change", func() bool {
		return !slices.ContainsFunc(e.bridges.list, func(w *watched) bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.busy > 0 || w.runs[len(w.runs)-1].Before(ended)
		}) && e.tables.everyRanSince(ctx, ended)
	}); err != nil {
		return err
	}
	store, err := postgres.Open(ctx, e.database.DSN("postgres"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	rows := 0
	for i, w := range e.bridges.list {
		key := directory.Key{Account: account, Integration: name(i)}
		var contacts map[string]string
		// The last run's page may still be on its way into the database.
		for range 100 {
			if contacts, err = titles(ctx, store, key); err != nil {
				return err
			}
			if w.same(contacts) {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if !w.same(contacts) {
			return fmt.Errorf("%s: the bridge has %v, the directory %v", name(i), w.versions, contacts)
		}
		rows += len(contacts)
	}
	for _, w := range e.tables.list {
		contacts, err := titles(ctx, store, directory.Key{Account: account, Integration: w.name()})
		if err != nil {
			return err
		}
		if !same(w.versions, contacts) {
			return fmt.Errorf("%s: the table has %v, the directory %v", w.name(), w.versions, contacts)
		}
		rows += len(contacts)
	}
	fmt.Printf("%d rows compared, none differed\n", rows)
	return nil
}

func titles(ctx context.Context, store directory.Store, key directory.Key) (map[string]string, error) {
	contacts, err := store.Contacts(ctx, key, "", 10000)
	held := map[string]string{}
	for _, c := range contacts {
		held[c.ID] = c.Title
	}
	return held, err
}

// same reports whether the directory holds what the bridge does.
func (w *watched) same(held map[string]string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return same(w.versions, held)
}

func same(versions map[string]int, held map[string]string) bool {
	if len(held) != len(versions) {
		return false
	}
	for id, v := range versions {
		if held[id] != fmt.Sprint(v) {
			return false
		}
	}
	return true
}

func (e *exercise) close() error {
	for _, p := range slices.Concat(e.workers, e.webs) {
		p.kill()
	}
	if e.bridges != nil {
		_ = e.bridges.server.Close()
	}
	if e.tables != nil {
		e.tables.close()
	}
	if e.database != nil {
		return e.database.Stop()
	}
	return nil
}
