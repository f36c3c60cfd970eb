package hub_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
)

func TestARunTellsWhatHappened(t *testing.T) {
	t.Parallel()
	f, c := newHub(t), newCRM(t, 25)
	var asked atomic.Int64
	c.answer(func(w http.ResponseWriter, _ *http.Request) bool {
		if asked.Add(1) != 2 {
			return false
		}
		http.Error(w, "too busy", http.StatusServiceUnavailable)
		return true
	})
	f.add(t, c)
	work(t, f.Hub)
	f.until(t, registry.HealthOK)
	r, err := f.RunOf(t.Context(), crmKey, f.runs(t)[0].ID)
	must(t, err)
	if !r.Kept || r.Progress != nil || r.Pages != 3 || len(r.Log.Lines) < 3 {
		t.Fatalf("%+v", r)
	}
	lines := r.Log.Lines
	if !strings.HasPrefix(lines[0].Text, "A run over every contact began") || lines[1].Level != registry.LevelWarning || !strings.Contains(lines[1].Text, "to read a page failed") {
		t.Errorf("%+v", lines)
	}
	if last := lines[len(lines)-1]; !strings.HasPrefix(last.Text, "The run is complete: 25 contacts on 3 pages") {
		t.Errorf("%+v", last)
	}
}

func TestARunThatFailedTellsWhy(t *testing.T) {
	t.Parallel()
	f, c := newHub(t), newCRM(t, 5)
	c.mu.Lock()
	c.password = "changed"
	c.mu.Unlock()
	f.add(t, c)
	work(t, f.Hub)
	f.until(t, registry.HealthBroken)
	r, err := f.RunOf(t.Context(), crmKey, f.runs(t)[0].ID)
	must(t, err)
	last := r.Log.Lines[len(r.Log.Lines)-1]
	if last.Level != registry.LevelError || !strings.Contains(last.Text, "credentials") {
		t.Errorf("%+v", r.Log)
	}
}

// Of a run without incident nothing is written: its beginning and its end are what is counted.
func TestAQuietRunIsNotWrittenDown(t *testing.T) {
	t.Parallel()
	f, c := newHub(t), newCRM(t, 25)
	f.add(t, c)
	work(t, f.Hub)
	f.until(t, registry.HealthOK)
	id := f.runs(t)[0].ID
	r, err := f.RunOf(t.Context(), crmKey, id)
	if err != nil || r.Kept || len(r.Log.Lines) != 2 || !strings.HasPrefix(r.Log.Lines[1].Text, "The run is complete: 25 contacts on 3 pages") {
		t.Errorf("%+v, %v", r, err)
	}
	for _, none := range []int64{id + 1, 0, -1} {
		if _, err := f.RunOf(t.Context(), crmKey, none); failure.Of(err).Code != failure.NotFound {
			t.Errorf("run %d: %v", none, err)
		}
	}
	ctx := hub.WithActor(t.Context(), hub.Actor{Name: "user jane", Accounts: []string{"other"}, Scopes: []registry.Scope{registry.ScopeAdmin}})
	if _, err := f.RunOf(ctx, crmKey, id); failure.Of(err).Code != failure.NotFound {
		t.Errorf("another account's run: %v", err)
	}
}

// A run of days with thousands of incidents takes no more room than others, and keeps how it began and how it ended.
func TestALogIsBounded(t *testing.T) {
	t.Parallel()
	var l hub.RunLog
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for n := range 10_000 {
		now = now.Add(time.Minute)
		l.Add(now, registry.LevelWarning, fmt.Sprintf("line %d %s", n, strings.Repeat("é", 2000)))
		l.Point(now, directory.Run{Counts: directory.Counts{Pages: int64(n), Contacts: int64(n)}})
	}
	got := l.Written()
	if len(got.Lines) != registry.MaxLogLines || got.Left != 10_000-registry.MaxLogLines || len(got.Points) >= registry.MaxRunPoints || len(got.Points) < registry.MaxRunPoints/3 {
		t.Fatalf("%d lines, %d left out, %d points", len(got.Lines), got.Left, len(got.Points))
	}
	first, last := got.Lines[0].Text, got.Lines[len(got.Lines)-1].Text
	if !strings.HasPrefix(first, "line 0 ") || !strings.HasPrefix(last, "line 9999 ") || len(first) > registry.MaxLogText || !strings.HasSuffix(first, "é…") {
		t.Errorf("from %.20s to %.20s", first, last)
	}
	for i := 1; i < len(got.Points); i++ {
		if !got.Points[i].Time.After(got.Points[i-1].Time) {
			t.Fatalf("point %d is not after the one before", i)
		}
	}
}

// A run that another process began goes on in the same log.
func TestALogGoesOn(t *testing.T) {
	t.Parallel()
	var before, l hub.RunLog
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for n := range 150 {
		before.Add(now, registry.LevelWarning, fmt.Sprintf("before %d", n))
	}
	l.Add(now, registry.LevelInfo, "it goes on")
	l.Prepend(before.Written())
	l.Add(now, registry.LevelInfo, "and on")
	got := l.Written()
	if n := len(got.Lines); n > registry.MaxLogLines || got.Lines[n-2].Text != "it goes on" || got.Lines[n-1].Text != "and on" || got.Lines[n-3].Text != "before 149" || got.Left+n != 152 {
		t.Errorf("%d lines, %d left out, %+v", n, got.Left, got.Lines[len(got.Lines)-3:])
	}
}
