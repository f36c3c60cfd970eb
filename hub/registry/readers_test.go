package registry_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/hub/registry"
)

func TestReadersAreKeptAndBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ok(t, w.PutAccount(t.Context(), registry.Account{Name: "acme"}))
		now := w.clock.now()
		one := registry.Reader{Account: "acme", Book: "desk", Way: "http", Name: "phones", Address: "10.0.0.1", Device: "Yealink\x00", Since: now, Last: now, Times: 2}
		ok(t, w.AddReaders(t.Context(), []registry.Reader{one}))
		one.Since, one.Last, one.Times, one.Copies = now.Add(time.Hour), now.Add(time.Hour), 3, true
		ok(t, w.AddReaders(t.Context(), []registry.Reader{one}))
		list := got(w.Readers(t.Context(), "acme", "desk"))(t)
		if len(list) != 1 || !list[0].Since.Equal(now) || !list[0].Last.Equal(now.Add(time.Hour)) || list[0].Times != 5 || !list[0].Copies || list[0].Device != "Yealink?" {
			t.Errorf("%+v", list)
		}
		var many []registry.Reader
		for n := range registry.MostReaders + 20 {
			r := one
			r.Device, r.Last = fmt.Sprint("device ", n), now.Add(time.Duration(n)*time.Minute)
			many = append(many, r)
		}
		ok(t, w.AddReaders(t.Context(), many))
		list = got(w.Readers(t.Context(), "acme", "desk"))(t)
		if len(list) != registry.MostReaders || list[0].Device != fmt.Sprint("device ", registry.MostReaders+19) {
			t.Errorf("%d readers, the last is %+v", len(list), list[0])
		}
		if other := got(w.Readers(t.Context(), "acme", "other"))(t); len(other) > 0 {
			t.Errorf("%+v read another phonebook", other)
		}
		ok(t, w.PruneReaders(t.Context(), list[10].Last.Add(time.Second)))
		if list := got(w.Readers(t.Context(), "acme", "desk"))(t); len(list) != 10 {
			t.Errorf("%d readers are left, want 10", len(list))
		}
		if at := got(w.Erasure(t.Context(), "acme", "desk"))(t); !at.IsZero() {
			t.Errorf("somebody was purged at %v", at)
		}
		ok(t, w.NoteErasure(t.Context(), "acme", []string{"desk", "other"}, now))
		ok(t, w.NoteErasure(t.Context(), "acme", []string{"desk"}, now.Add(time.Minute)))
		if at := got(w.Erasure(t.Context(), "acme", "desk"))(t); !at.Equal(now.Add(time.Minute)) {
			t.Errorf("somebody was purged at %v", at)
		}
	})
}
