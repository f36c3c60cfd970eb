package directorytest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/contactbridge/contactbridge/directory"
)

// modelAgrees lets random runs loose on the store and on a model of a few lines, and compares after each step.
func modelAgrees(b *bench) {
	n := 0
	rapid.Check(b.T, func(t *rapid.T) {
		n++
		one := &bench{T: b.T, harness: b.harness, store: b.store, key: directory.Key{Account: "model", Integration: fmt.Sprint(n)}, now: b.clock()}
		m := model{bench: one, held: map[string]string{}, named: set{}, waiting: set{}, settings: "one"}
		for range rapid.IntRange(1, 14).Draw(t, "steps") {
			m.step(t)
			if got := m.contents(m.key); !maps.Equal(got, m.held) {
				t.Fatalf("the store holds %v, the model %v", got, m.held)
			}
			if got := m.bench.waiting(); !slices.Equal(got, slices.Sorted(maps.Keys(m.waiting))) {
				t.Fatalf("the store holds back %v, the model %v", got, m.waiting)
			}
		}
	})
}

type set map[string]bool

// A model holds the contents that a store must have, in the simplest way.
type model struct {
	*bench
	held       map[string]string
	named      set // as deleted, by the run under way or abandoned ones, and not decided about
	waiting    set // for a decision
	run        *directory.Run
	judges     bool
	exact      bool // what the last page said
	broken     bool // the run was interrupted
	restarts   int
	brought    bool
	shown      set // by this pass
	old        set // held when the run, or its last pass, started
	had        int
	created    int    // by the run, with the page that is being applied
	checkpoint string // of the integration
	settings   string
}

func (m *model) step(t *rapid.T) {
	steps := []string{"page", "page", "page", "last", "last", "fail", "restart", "yes", "no"}
	if m.run == nil {
		steps = []string{"begin", "begin", "begin", "yes", "no", "settings"}
	}
	switch rapid.SampledFrom(steps).Draw(t, "step") {
	case "begin":
		m.begin(t, rapid.Bool().Draw(t, "full"))
	case "settings":
		m.settings = rapid.SampledFrom([]string{"one", "two"}).Draw(t, "settings")
		if m.run == nil {
			m.begin(t, false)
		}
	case "page":
		m.page(t, false)
	case "last":
		m.page(t, true)
	case "fail":
		m.fail(t)
	case "restart":
		m.restart(t)
	case "yes":
		m.answer(t, m.store.DeleteHeld, func(id string) { delete(m.held, id); delete(m.old, id) })
	case "no":
		m.answer(t, m.store.KeepHeld, func(string) {})
	}
}

func (m *model) answer(t *rapid.T, say func(ctx context.Context, key directory.Key, set string) (int64, error), each func(id string)) {
	state, err := m.store.State(ctx, m.key)
	if err != nil {
		t.Fatal(err)
	}
	n, err := say(ctx, m.key, state.Held.Set)
	if (err == nil) != (len(m.waiting) > 0) || int(n) != len(m.waiting) {
		t.Fatalf("the answer for %+v: %d, %v; %d wait", state.Held, n, err, len(m.waiting))
	}
	for id := range m.waiting {
		each(id)
	}
	clear(m.waiting)
}

func (m *model) fail(t *rapid.T) {
	if err := m.store.FailRun(ctx, m.run, errors.New("x"), ""); err != nil {
		t.Fatal(err)
	}
	if rapid.IntRange(0, 4).Draw(t, "settings change") == 0 {
		m.settings += "+"
		m.begin(t, false)
		return
	}
	pages := m.run.Pages
	run, err := m.store.StartRun(ctx, m.key, directory.Start{Lease: lease, FreshFor: lease, Settings: m.settings})
	if err != nil {
		t.Fatal(err)
	}
	if run.Resumed != (pages > 0) {
		t.Fatalf("resumed = %v after %d pages", run.Resumed, pages)
	}
	if m.run = run; !run.Resumed {
		m.look()
		return
	}
	if run.Offset != "" {
		m.broken, m.judges = true, m.judges && m.exact
	}
}

func (m *model) restart(t *rapid.T) {
	initial := m.run.Kind == directory.Initial
	if err := m.store.RestartRun(ctx, m.run); err != nil {
		t.Fatal(err)
	}
	again := initial && (m.run.Checkpoint == "" || m.restarts < 2 && (m.had > 0 || m.run.Full))
	if (m.run.Kind == directory.Initial) != again {
		t.Fatalf("an initial run: %v, goes on as %s", initial, m.run.Kind)
	}
	restarts := m.restarts
	m.look()
	if m.restarts = restarts; again {
		m.restarts++
	}
}

func (m *model) begin(t *rapid.T, full bool) {
	state, err := m.store.State(ctx, m.key)
	if err != nil {
		t.Fatal(err)
	}
	run, err := m.store.StartRun(ctx, m.key, directory.Start{Full: full, Lease: lease, FreshFor: lease, Settings: m.settings})
	if err != nil {
		t.Fatal(err)
	}
	if last := state.LastRun; last != nil && last.Settings != m.settings {
		m.checkpoint = ""
		clear(m.named)
	}
	if want := m.checkpoint; !full && run.Since != want {
		t.Fatalf("the run starts from %q, want %q", run.Since, want)
	}
	m.run = run
	m.look()
}

// look notes what there is when a pass starts.
func (m *model) look() {
	m.shown, m.old, m.had = set{}, set{}, len(m.held)
	m.judges, m.exact, m.broken, m.brought, m.restarts = m.run.Kind == directory.Initial, false, false, false, 0
	for id := range m.held {
		m.old[id] = true
	}
}

func (m *model) show(id string) {
	m.shown[id] = true
	delete(m.named, id)
	delete(m.waiting, id)
}

func (m *model) page(t *rapid.T, last bool) {
	id := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"})
	page := directory.PageChanges{
		Deleted: rapid.SliceOfN(id, 0, 2).Draw(t, "deleted"), Guard: directory.Guard{Share: 0.4, Min: 1},
		Exact: rapid.Bool().Draw(t, "exact"), Restarted: rapid.IntRange(0, 3).Draw(t, "restarted") == 0,
	}
	if !last {
		page.NextOffset = "more"
	}
	if rapid.Bool().Draw(t, "sets a checkpoint") {
		page.Checkpoint = fmt.Sprint("c", m.run.ID, ".", m.run.Pages)
	}
	if page.Restarted && m.run.Offset == "" && m.run.Kind == directory.Incremental {
		m.judges = true
	}
	m.judges = m.judges && !(m.broken && !page.Exact)
	m.exact = page.Exact
	inPage := set{}
	m.created = int(m.run.Created)
	for _, who := range rapid.SliceOfN(id, 0, 6).Draw(t, "contacts") {
		name := rapid.SampledFrom([]string{"Ann", "Bob"}).Draw(t, "name")
		page.Contacts = append(page.Contacts, person(who, name, ""))
		if _, there := m.held[who]; !there {
			m.created++
		}
		m.held[who], inPage[who], m.brought = name, true, true // a rejected contact is shown, but not brought (D9)
	}
	for _, who := range rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "", "x"}), 0, 1).Draw(t, "rejected") {
		page.Rejected = append(page.Rejected, directory.Rejected{ID: who, Reason: "x"})
		inPage[who] = true
		m.judges = m.judges && who != ""
	}
	for _, who := range page.Deleted {
		if _, there := m.held[who]; there && !inPage[who] && !m.waiting[who] {
			m.named[who] = true
		}
	}
	delete(inPage, "")
	for who := range inPage {
		m.show(who)
	}
	guarded := last && m.end()
	err := m.tryApply(m.run, page)
	if errors.As(err, new(*directory.GuardedError)) != guarded || (err != nil && !guarded) {
		t.Fatalf("apply: %v; guarded must be %v", err, guarded)
	}
	if last {
		m.checkpoint, m.run = m.run.Checkpoint, nil
	}
}

// end deletes what was named, and what a complete initial run did not show, unless the guard refuses.
func (m *model) end() (guarded bool) {
	gone := maps.Clone(m.named)
	if m.judges {
		maps.Copy(gone, m.waiting)
		for id := range m.old {
			if !m.shown[id] {
				gone[id] = true
			}
		}
	}
	clear(m.named)
	guard := directory.Guard{Share: 0.4, Min: 1}
	if guard.Refuses(int64(min(len(gone), m.had)), int64(m.had)) || guard.Refuses(int64(len(gone)), int64(m.had+m.created)) || m.judges && len(gone) > 0 && !m.brought {
		maps.Copy(m.waiting, gone)
		return true
	}
	for id := range gone {
		delete(m.held, id)
		delete(m.waiting, id)
	}
	return false
}
