package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// torture lets writers loose while our bridge and two naive ones are synchronized, and judges every run.
func torture(ctx context.Context, dir string, o options) (err error) {
	binary, err := build(ctx, dir)
	if err != nil {
		return err
	}
	d, err := o.open(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	o.hard = true
	fmt.Printf("torture: %s, stamps as %s, %v, %d writers, %d customers, seed %d\n", o.source, o.stamps, o.duration, o.writers, o.rows, o.seed)

	writing, stopWriting := context.WithCancel(ctx)
	defer stopWriting()
	h := newHistory()
	waitForWriters, err := startWriters(writing, d, h, o, new(sync.RWMutex))
	if err != nil {
		return fmt.Errorf("fill the table: %w", err)
	}
	b, err := newBridge(binary, dir, d.source())
	if err != nil {
		return err
	}
	if err := b.start(ctx); err != nil {
		return err
	}
	defer b.kill()

	subjects, err := newSubjects(ctx, d, b, binary, dir, o)
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	for _, s := range subjects {
		group.Go(func() { s.follow(writing, h) })
	}
	lasts(ctx, subjects, o.duration)
	stopWriting()
	group.Wait()
	if err := waitForWriters(); err != nil {
		return err
	}
	return judge(subjects, h, o)
}

// leastRuns is how many runs of our bridge are judged at least.
const leastRuns = 3

// lasts returns after the duration. On a slow machine the torture lasts longer, until it can be judged, but ten times as long at most.
func lasts(ctx context.Context, subjects []*subject, duration time.Duration) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for ctx.Err() == nil {
		ready := !slices.ContainsFunc(subjects, func(s *subject) bool { return !s.ready.Load() })
		if took := time.Since(began); took >= duration && ready || took >= 10*duration {
			return
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// A subject is one bridge that is synchronized over and over and judged after each run.
type subject struct {
	name, binary, db string
	naive            bool
	url              func() string
	random           *rand.Rand
	tally            tally
	ready            atomic.Bool // to be judged: there were enough runs, or it was caught
	bridge           *bridge     // gets a new mapping in the middle of runs; nil: the mapping stays
	remapped         bool        // it was changed, and no run since has been judged
}

func newSubjects(ctx context.Context, d database, b *bridge, binary, dir string, o options) ([]*subject, error) {
	random := rand.New(rand.NewPCG(o.seed, 1<<32))
	endpoint := []string{"small", "medium", "large"}[random.IntN(3)] // one: another address would be another bridge, which starts over
	subjects := []*subject{{
		name: "contactbridge", binary: binary, db: filepath.Join(dir, "contacts.db"), random: random, bridge: b,
		url: func() string { return b.url(endpoint) },
	}}
	for i, kind := range []string{"max", "now"} {
		url, err := serveNaive(ctx, d.(reader), kind)
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, &subject{
			name: "naive: " + kind, binary: binary, naive: true, db: filepath.Join(dir, kind+".db"),
			random: rand.New(rand.NewPCG(o.seed, uint64(i))), url: func() string { return url },
		})
	}
	return subjects, nil
}

// follow runs until the writers end, then once more.
func (s *subject) follow(writing context.Context, h *history) {
	var earlier map[int64]int64
	for last := false; !last; {
		last = writing.Err() != nil
		earlier = s.once(context.WithoutCancel(writing), h, earlier, last)
		s.ready.Store(s.naive && s.tally.violated > 0 || !s.naive && s.tally.runs >= leastRuns)
		if s.naive {
			// Naive bridges need no thoroughness, and the machine is small.
			select {
			case <-writing.Done():
			case <-time.After(time.Second):
			}
		}
	}
}

// once does one run and judges the directory after it.
func (s *subject) once(ctx context.Context, h *history, earlier map[int64]int64, full bool) map[int64]int64 {
	extra := []string{}
	// A naive bridge would be healed by a full run; ours must also notice rows that are gone without a trace.
	if full = !s.naive && s.tally.runs > 0 && (full || s.random.IntN(8) == 0); full {
		extra = []string{"--full"}
	}
	before, started, changed := h.snapshot(), time.Now(), s.remap(ctx)
	r, err := complete(synchronize(ctx, s.binary, s.url(), s.db, extra...))
	s.tally.slowest = max(s.tally.slowest, time.Since(started))
	if err = errors.Join(err, changed()); err != nil {
		s.tally.errors = append(s.tally.errors, err.Error())
		time.Sleep(100 * time.Millisecond)
		return earlier
	}
	now, err := held(ctx, s.db)
	if err != nil {
		s.tally.errors = append(s.tally.errors, err.Error())
		return earlier
	}
	s.tally.runs++
	if r.Kind == "initial" {
		s.tally.fullRuns++
	}
	s.tally.pages += r.Pages
	s.tally.contacts += r.Contacts
	s.tally.checked += int64(len(before))
	s.tally.add(h.verify(before, now, r.Kind == "initial"))
	s.tally.add(regressions(earlier, now))
	s.tally.add(h.disappearances(earlier, now))
	return now
}

// remap changes the bridge's mapping at a random moment of one run of ten. The function that it returns waits until that is done,
// or, where another run has followed, looks at what has become of the contacts (D10).
func (s *subject) remap(ctx context.Context) (done func() error) {
	switch {
	case s.bridge == nil || s.tally.runs == 0:
		return func() error { return nil }
	case s.remapped:
		s.remapped = false
		return func() error {
			found, err := mapped(ctx, s.db, s.bridge.company())
			s.tally.add(found)
			return err
		}
	case s.random.IntN(10) > 0:
		return func() error { return nil }
	}
	s.remapped = true
	s.tally.remaps++
	wait, result := time.Duration(s.random.Int64N(int64(time.Second))), make(chan error, 1)
	go func() {
		time.Sleep(wait)
		result <- s.bridge.remap(ctx)
	}()
	return func() error { return <-result }
}

// judge prints what was found and decides.
func judge(subjects []*subject, h *history, o options) error {
	fmt.Printf("%-16s %6s %6s %7s %10s %12s %10s\n", "", "runs", "full", "pages", "contacts", "rows checked", "violations")
	var failures []error
	for _, s := range subjects {
		t := &s.tally
		fmt.Printf("%-16s %6d %6d %7d %10d %12d %10d\n", s.name, t.runs, t.fullRuns, t.pages, t.contacts, t.checked, t.violated)
		switch {
		case s.naive && t.violated == 0:
			failures = append(failures, fmt.Errorf("%s lost nothing: the torture has no teeth (longer --duration?)", s.name))
		case !s.naive && t.violated > 0:
			for _, v := range t.violations {
				fmt.Println("  ", v)
			}
			failures = append(failures, fmt.Errorf("%d violations by %s", t.violated, s.name))
		case !s.naive && t.runs < leastRuns:
			failures = append(failures, fmt.Errorf("only %d runs came to their end", t.runs))
		}
		if len(t.errors) > 0 {
			failures = append(failures, fmt.Errorf("%s: %d runs failed; the first: %s", s.name, len(t.errors), t.errors[0]))
		}
	}
	fmt.Printf("%d commits, %d changes of the mapping, slowest run %v, seed %d\n", h.commits, subjects[0].tally.remaps, subjects[0].tally.slowest.Round(time.Millisecond), o.seed)
	if err := errors.Join(failures...); err != nil {
		return err
	}
	fmt.Println("no contact was lost, and both naive bridges were caught")
	return nil
}
