package directorytest

import (
	"errors"
	"fmt"
	"maps"

	"pgregory.net/rapid"

	"github.com/contactbridge/contactbridge/directory"
)

// modelAgrees lets random runs loose on the store and on a model of a few lines, and compares after each step.
func modelAgrees(b *bench) {
	n := 0
	rapid.Check(b.T, func(t *rapid.T) {
		n++
		one := &bench{T: b.T, harness: b.harness, store: b.store, key: directory.Key{Account: "model", Integration: fmt.Sprint(n)}, now: b.clock()}
		m := model{bench: one, held: map[string]string{}}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			m.step(t)
			if got := m.contents(m.key); !maps.Equal(got, m.held) {
				t.Fatalf("the store holds %v, the model %v", got, m.held)
			}
		}
	})
}

// A model is what a store must hold, kept in the simplest way there is.
type model struct {
	*bench
	held       map[string]string
	run        *directory.Run
	shown      map[string]bool // by the run; nil when it judges nobody
	old        map[string]bool // held when the run, or its last pass, started
	had        int
	checkpoint string // of the integration
}

func (m *model) step(t *rapid.T) {
	if m.run == nil {
		m.begin(t, rapid.Bool().Draw(t, "full"))
		return
	}
	switch rapid.SampledFrom([]string{"page", "page", "page", "last", "last", "fail", "restart"}).Draw(t, "step") {
	case "page":
		m.page(t, false)
	case "last":
		m.page(t, true)
	case "fail":
		if err := m.store.FailRun(ctx, m.run, errors.New("x"), ""); err != nil {
			t.Fatal(err)
		}
		pages := m.run.Pages
		run, err := m.store.StartRun(ctx, m.key, directory.Start{Lease: lease, FreshFor: lease})
		if err != nil {
			t.Fatal(err)
		}
		if run.Resumed != (pages > 0) {
			t.Fatalf("resumed = %v after %d pages", run.Resumed, pages)
		}
		if m.run = run; !run.Resumed {
			m.look()
		}
	case "restart":
		if err := m.store.RestartRun(ctx, m.run); err != nil {
			t.Fatal(err)
		}
		judged := m.shown != nil
		m.look()
		if !judged {
			m.shown = nil
		}
	}
}

func (m *model) begin(t *rapid.T, full bool) {
	run, err := m.store.StartRun(ctx, m.key, directory.Start{Full: full, Lease: lease, FreshFor: lease})
	if err != nil {
		t.Fatal(err)
	}
	if want := m.checkpoint; !full && run.Since != want {
		t.Fatalf("the run starts from %q, want %q", run.Since, want)
	}
	m.run = run
	m.look()
}

// look notes what there is when a pass starts.
func (m *model) look() {
	m.shown, m.old, m.had = nil, map[string]bool{}, len(m.held)
	if m.run.Kind == directory.Initial {
		m.shown = map[string]bool{}
	}
	for id := range m.held {
		m.old[id] = true
	}
}

func (m *model) page(t *rapid.T, last bool) {
	id := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"})
	page := directory.Page{Last: last, Deleted: rapid.SliceOfN(id, 0, 2).Draw(t, "deleted"), Guard: directory.Guard{Share: 0.4, Min: 1}}
	if !last {
		page.NextOffset = "more"
	}
	if rapid.Bool().Draw(t, "sets a checkpoint") {
		page.Checkpoint = fmt.Sprint("c", m.run.ID, ".", m.run.Pages)
	}
	inPage := map[string]bool{}
	for _, who := range rapid.SliceOfN(id, 0, 6).Draw(t, "contacts") {
		name := rapid.SampledFrom([]string{"Ann", "Bob"}).Draw(t, "name")
		page.Contacts = append(page.Contacts, person(who, name, ""))
		m.held[who], inPage[who] = name, true
		if m.shown != nil {
			m.shown[who] = true
		}
	}
	for _, who := range page.Deleted {
		if !inPage[who] {
			delete(m.held, who)
			delete(m.old, who) // a new contact of that id is younger than the run
		}
	}
	guarded := last && m.infer()
	err := m.tryApply(m.run, page)
	if errors.As(err, new(*directory.GuardedError)) != guarded || (err != nil && !guarded) {
		t.Fatalf("apply: %v; guarded must be %v", err, guarded)
	}
	if last {
		m.checkpoint, m.run = m.run.Checkpoint, nil
	}
}

// infer deletes what a complete initial run did not show, unless the guard refuses.
func (m *model) infer() (guarded bool) {
	var gone []string
	for id := range m.old {
		if m.shown != nil && !m.shown[id] {
			gone = append(gone, id)
		}
	}
	if m.had == 0 {
		return false
	}
	if guard := (directory.Guard{Share: 0.4, Min: 1}); guard.Refuses(int64(len(gone)), int64(m.had)) {
		return true
	}
	for _, id := range gone {
		delete(m.held, id)
	}
	return false
}
