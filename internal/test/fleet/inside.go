package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/contactbridge/contactbridge/internal/test/pgtest"
)

// tables are the integrations whose source the hub reads itself: a table of PostgreSQL each. Their runs are known from the directory.
type tables struct {
	list []*table
	crm  *pgxpool.Pool // where the tables are
	hub  *pgxpool.Pool // the hub's own database, for its runs
	dsn  string        // as the hub opens the tables
}

// A table is one integration's.
type table struct {
	i        int
	mu       sync.Mutex
	versions map[string]int // of each contact
	busy     bool           // a change is on its way to a caller
}

// A span is one run.
type span struct {
	began, ended time.Time // ended is zero while it is under way, or when it died
	complete     bool
}

const crmDatabase = "crm"

// startTables makes the tables, each with some contacts.
func startTables(ctx context.Context, server *pgtest.Server, o options) (t *tables, err error) {
	t = &tables{dsn: server.DSNFor("postgres", "any", crmDatabase)} // it trusts everybody, but the hub wants a password
	if t.hub, err = pgxpool.New(ctx, server.DSN("postgres")); err != nil {
		return nil, err
	}
	if _, err := t.hub.Exec(ctx, "CREATE DATABASE "+crmDatabase); err != nil {
		return nil, err
	}
	if t.crm, err = pgxpool.New(ctx, t.dsn); err != nil {
		return nil, err
	}
	for i := range o.inside {
		w := &table{i: i, versions: map[string]int{}}
		t.list = append(t.list, w)
		_, err := t.crm.Exec(ctx, fmt.Sprintf(`CREATE TABLE %s (id text PRIMARY KEY, name text, title text, phone text, updated timestamptz NOT NULL DEFAULT now());
			CREATE INDEX ON %[1]s (updated, id)`, w.name()))
		if err != nil {
			return nil, err
		}
		for n := range o.contacts {
			if err := t.put(ctx, w, n); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

func (t *tables) close() {
	for _, pool := range []*pgxpool.Pool{t.crm, t.hub} {
		if pool != nil {
			pool.Close()
		}
	}
}

func (w *table) name() string { return fmt.Sprintf("table%05d", w.i) }

// number is a contact's own.
func (w *table) number(n int) string { return fmt.Sprintf("+44203%07d", w.i*1000+n) }

// put writes the next version of a contact.
func (t *tables) put(ctx context.Context, w *table, n int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := fmt.Sprint(n)
	version := w.versions[id] + 1
	_, err := t.crm.Exec(ctx, fmt.Sprintf(`INSERT INTO %s (id, name, title, phone, updated) VALUES ($1, $2, $3, $4, clock_timestamp())
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, title = excluded.title, updated = excluded.updated`, w.name()),
		id, callerName(w, n, version), fmt.Sprint(version), w.number(n))
	if err == nil {
		w.versions[id] = version
	}
	return err
}

func callerName(w *table, n, version int) string {
	return fmt.Sprintf("Caller %d of %s, version %d", n, w.name(), version)
}

// source is the source of an integration, as the API takes it.
func (t *tables) source(w *table) map[string]any {
	return map[string]any{
		"kind": "postgres", "dsn": t.dsn, "table": w.name(), "id": "id", "updated": "updated",
		"fields": map[string]any{"name": "name", "title": "title", "phones": []string{"phone"}},
	}
}

// change goes on changing contacts until ctx is done: some tables every second.
func (t *tables) change(ctx context.Context, o options) {
	random := rand.New(rand.NewPCG(o.seed, 3))
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for len(t.list) > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for range max(1, len(t.list)/100) {
			// Contact 0 is for the changes that are followed to a caller.
			if err := t.put(context.WithoutCancel(ctx), t.list[random.IntN(len(t.list))], 1+random.IntN(o.contacts+19)); err != nil {
				fmt.Println("could not change a contact:", err)
			}
		}
	}
}

// runs reads what the directory knows of the runs of the tables' integrations, the oldest first.
func (t *tables) runs(ctx context.Context) (map[string][]span, error) {
	rows, err := t.hub.Query(ctx, `SELECT convert_from(i.name, 'UTF8'), r.started, r.finished, r.state FROM contactbridge.runs r
		JOIN contactbridge.integrations i ON i.account = r.account AND i.id = r.integration ORDER BY r.pk`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string][]span{}
	for rows.Next() {
		var name, state string
		var began, ended int64
		if err := rows.Scan(&name, &began, &ended, &state); err != nil {
			return nil, err
		}
		if !strings.HasPrefix(name, "table") {
			continue
		}
		s := span{began: time.UnixMilli(began), complete: state == "done"}
		if ended > 0 {
			s.ended = time.UnixMilli(ended)
		}
		all[name] = append(all[name], s)
	}
	return all, rows.Err()
}

// everyRanSince reports whether every table had a complete run that began after a time.
func (t *tables) everyRanSince(ctx context.Context, since time.Time) bool {
	if len(t.list) == 0 {
		return true
	}
	runs, err := t.runs(ctx)
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(t.list, func(w *table) bool {
		return !slices.ContainsFunc(runs[w.name()], func(s span) bool { return s.complete && s.began.After(since) })
	})
}

// judge returns, of the tables' runs, what [bridges.lateness] does, how many were complete since a time, and how many overlapped.
func (t *tables) judge(ctx context.Context, since, end time.Time, every time.Duration) (late []time.Duration, complete, overlaps int, err error) {
	runs, err := t.runs(ctx)
	for _, w := range t.list {
		before, last := since, time.Time{}
		for _, s := range runs[w.name()] {
			if s.began.Before(last) {
				overlaps++
			}
			if !s.complete {
				continue
			}
			last = s.ended
			if s.ended.After(since) && s.ended.Before(end) {
				complete++
				late = append(late, max(0, s.ended.Sub(before)-every))
				before = s.ended
			}
		}
		if open := end.Sub(before) - every; open > 0 {
			late = append(late, open)
		}
	}
	return late, complete, overlaps, err
}

// A freshness is how long changes took from PostgreSQL to a named caller.
type freshness struct {
	mu    sync.Mutex
	took  []time.Duration
	lost  int // never seen
	calls int // look-ups
	late  int // look-ups without an answer: time had run out, or there was an error
	asked sync.WaitGroup
}

// freshPatience is the time after which a change counts as lost. How fresh names must be is the limit of [freshness.report].
const freshPatience = 5 * time.Minute

// follow changes contact 0 of some table every now and then, and asks who is calling until the change is there.
func (e *exercise) follow(ctx context.Context, f *freshness) {
	random := rand.New(rand.NewPCG(e.seed, 4))
	tick := time.NewTicker(max(50*time.Millisecond, e.every/time.Duration(max(1, 2*len(e.tables.list)))))
	defer tick.Stop()
	for len(e.tables.list) > 0 {
		select {
		case <-ctx.Done():
			f.asked.Wait()
			return
		case <-tick.C:
		}
		w := e.tables.list[random.IntN(len(e.tables.list))]
		w.mu.Lock()
		busy := w.busy
		w.busy = true
		w.mu.Unlock()
		if !busy {
			f.asked.Go(func() { e.followOne(context.WithoutCancel(ctx), f, w) })
		}
	}
}

func (e *exercise) followOne(ctx context.Context, f *freshness, w *table) {
	defer func() { w.mu.Lock(); w.busy = false; w.mu.Unlock() }()
	err := e.tables.put(ctx, w, 0)
	if err != nil {
		fmt.Println("could not change a contact:", err)
		return
	}
	committed := time.Now()
	w.mu.Lock()
	want := callerName(w, 0, w.versions["0"])
	w.mu.Unlock()
	path := "/callerid?" + url.Values{"number": {w.number(0)}, "account": {account}}.Encode()
	var name string
	for time.Since(committed) < freshPatience {
		name, err = e.api.text(ctx, path)
		if f.count(strings.TrimSpace(name), want, committed) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	f.mu.Lock()
	f.lost++
	f.mu.Unlock()
	runs, failed := e.tables.runs(ctx)
	fmt.Printf("%s: changed at %s, the caller is still %q; runs:%s\n", w.name(), committed.Format(time.TimeOnly), name, history(runs[w.name()]))
	if err := errors.Join(err, failed); err != nil {
		fmt.Println(err)
	}
}

// count counts a look-up and its answer, and reports whether the answer is the name that was committed.
func (f *freshness) count(name, want string, committed time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	switch name {
	case "":
		f.late++
	case want:
		f.took = append(f.took, time.Since(committed))
	}
	return name == want
}

// history says when runs began, how long they took, and which were not complete.
func history(runs []span) string {
	var b strings.Builder
	for _, s := range runs {
		fmt.Fprintf(&b, " %s", s.began.Local().Format("15:04:05.0"))
		switch {
		case s.ended.IsZero():
			b.WriteString(" (not ended)")
		case !s.complete:
			b.WriteString(" (not complete)")
		default:
			fmt.Fprintf(&b, "+%.1fs", s.ended.Sub(s.began).Seconds())
		}
	}
	return b.String()
}

// report prints how fresh callers' names were, and returns an error where that was not fresh enough.
func (f *freshness) report(limit time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.took)+f.lost == 0 {
		return nil
	}
	slices.Sort(f.took)
	if len(f.took) > 0 {
		fmt.Printf("from a change in PostgreSQL to a named caller: %d changes, p50 %s, p95 %s, max %s, %d never\n", len(f.took),
			percentile(f.took, 50), percentile(f.took, 95), f.took[len(f.took)-1].Round(time.Millisecond), f.lost)
	}
	fmt.Printf("%d look-ups, %d of them without an answer in time\n", f.calls, f.late)
	switch {
	case f.lost > 0:
		return errors.New("a change never came to a caller")
	case limit > 0 && percentile(f.took, 95) > limit:
		return fmt.Errorf("a change in twenty took longer than %s", limit)
	}
	return nil
}
