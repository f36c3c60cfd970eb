package bridge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
)

func withPrepare(h *bridge.Handler, f func()) *bridge.Handler {
	h.Prepare = func(*contact.Contact) { f() }
	return h
}

// pages follows a run to its end and gives what each page held.
func pages(t testing.TB, h *bridge.Handler, checkpoint string) []answer {
	t.Helper()
	var all []answer
	for offset := ""; ; {
		a := page(t, h, checkpoint, offset)
		if a.status != 200 {
			t.Fatalf("page %d: %d %s", len(all)+1, a.status, a.body)
		}
		all = append(all, a)
		if a.NextOffset == nil {
			return all
		}
		if a.offset() == offset || len(all) > 1000 {
			t.Fatalf("page %d: no progress", len(all))
		}
		offset = a.offset()
	}
}

// shape returns the ids of each page.
func shape(all []answer) string {
	var ids []string
	for _, a := range all {
		ids = append(ids, a.ids())
	}
	return strings.Join(ids, " | ")
}

func TestPagesEndByContacts(t *testing.T) {
	for n, want := range map[int]string{0: "", 1: "1", 2: "1 2", 3: "1 2 | 3", 4: "1 2 | 3 4", 5: "1 2 | 3 4 | 5"} {
		for _, ignores := range []bool{false, true} {
			m := numbered(n)
			m.ignores = ignores
			if got := shape(pages(t, handlerOf(m, bridge.Limits{Contacts: 2}), "")); got != want {
				t.Errorf("%d contacts: got %q, want %q", n, got, want)
			}
			m.waitUntilClosed(t, len(m.opened))
		}
	}
}

func TestPagesEndByBytes(t *testing.T) {
	m := numbered(9)
	m.entries[4].contact.Address = strings.Repeat("x", 500)
	all := pages(t, handlerOf(m, bridge.Limits{Bytes: 200}), "")
	if got, want := shape(all), "1 2 3 | 4 | 5 | 6 7 8 | 9"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for i, a := range all {
		if end := strings.Index(a.body, `]`+`,"next_offset"`); i != 2 && end > 200 {
			t.Errorf("page %d has %d bytes of contacts", i+1, end)
		}
	}
}

// slowly makes a source take its time before each change, and give up when it is told to.
func slowly(m *memory, pause time.Duration) *memory {
	m.onRead = func(ctx context.Context, _ int) error { return wait(ctx, pause) }
	return m
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// timed calls f and says how long it took by the clock of the bubble.
func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// P12: a source that yields one contact a second gives small pages, never a failed request, and loses nothing.
func TestPagesEndByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := handlerOf(slowly(numbered(20), time.Second), bridge.Limits{})
		var all []answer
		for offset, n := "", 1; n == 1 || offset != ""; n++ {
			var a answer
			if took := timed(func() { a = page(t, h, "", offset) }); took > 7*time.Second {
				t.Errorf("page %d took %v", n, took)
			}
			if a.status != 200 {
				t.Fatalf("page %d: %s", n, a.body)
			}
			all = append(all, a)
			offset = a.offset()
		}
		got := strings.Join(strings.Fields(strings.ReplaceAll(shape(all), "|", "")), " ")
		if want := "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"; got != want || len(all) < 3 {
			t.Errorf("%d pages: %s", len(all), shape(all))
		}
	})
}

func TestAPageWithNothingByItsTimeWaitsForOneChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := handlerOf(slowly(numbered(3), 8*time.Second), bridge.Limits{})
		var a answer
		took := timed(func() { a = page(t, h, "", "") })
		if took != 8*time.Second || a.ids() != "1" || a.NextOffset == nil {
			t.Errorf("after %v: %s", took, a.body)
		}
	})
}

func TestASourceWithNothingInTimeIsATimeout(t *testing.T) {
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for place, m := range map[string]*memory{
		"open": {onOpen: hang}, "begin": {onBegin: hang}, "read": slowly(numbered(1), time.Hour), "probe": {probe: hang},
	} {
		synctest.Test(t, func(t *testing.T) {
			path := "/crm/contact_sync"
			if m.probe != nil {
				path = "/crm/auth_validation"
			}
			var a answer
			took := timed(func() { a = ask(t, handlerOf(m, bridge.Limits{}), post(path, syncBody("", ""))) })
			checkError(t, a, 504, bridge.CodeSourceTimeout)
			if took != 9*time.Second || a.header.Get("Retry-After") == "" {
				t.Errorf("%s: after %v, Retry-After %q", place, took, a.header.Get("Retry-After"))
			}
		})
	}
}

// A source that does not listen when it is told to stop must not delay the answer, nor write into it later, and is closed
// only when it has come to its end.
func TestASourceThatIgnoresCancellationIsLeftBehind(t *testing.T) {
	for place, c := range map[string]struct {
		change func(m *memory)
		status int
		took   time.Duration
	}{
		"open":  {func(m *memory) { m.onOpen = func(context.Context) error { time.Sleep(time.Minute); return nil } }, 504, 9 * time.Second},
		"begin": {func(m *memory) { m.onBegin = func(context.Context) error { time.Sleep(time.Minute); return nil } }, 504, 9 * time.Second},
		"read": {func(m *memory) {
			m.onRead = func(_ context.Context, i int) error {
				if i == 3 {
					time.Sleep(time.Minute)
				}
				return nil
			}
		}, 200, 7 * time.Second},
		"close": {func(m *memory) { m.entries = m.entries[:3]; m.onClose = func() { time.Sleep(time.Minute) } }, 200, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := numbered(10)
			c.change(m)
			var a answer
			took := timed(func() { a = page(t, handlerOf(m, bridge.Limits{}), "", "") })
			if a.status != c.status || took != c.took {
				t.Fatalf("%s: %d after %v", place, a.status, took)
			}
			if a.status == 200 && a.ids() != "1 2 3" {
				t.Errorf("%s: got %s", place, a.ids())
			}
			if m.closed.Load() != 0 {
				t.Errorf("%s: closed while it was read", place)
			}
			other := shape(pages(t, handlerOf(numbered(6), bridge.Limits{Contacts: 2}), "")) // takes the page's memory over
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if m.closed.Load() != 1 {
				t.Errorf("%s: closed %d times", place, m.closed.Load())
			}
			if other != "1 2 | 3 4 | 5 6" {
				t.Errorf("%s: another page holds %s", place, other)
			}
		})
	}
}

// T11: an iteration that stops without a word because it was told to must not pass for the end of the run.
func TestAStoppedIterationIsNotTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := numbered(10)
		h := handlerOf(m, bridge.Limits{})
		h.Open = func(ctx context.Context, _ bridge.Auth) (bridge.Source, error) { return silent{m}, nil }
		a := page(t, h, "", "")
		if a.ids() != "1 2 3" || a.NextOffset == nil {
			t.Errorf("got %s", a.body)
		}
		// After the third nothing comes in time.
		checkError(t, page(t, h, "", a.offset()), 504, bridge.CodeSourceTimeout)
	})
}

func TestACallerThatHasGoneEndsTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen bridge.Observation
		m := slowly(numbered(3), time.Hour)
		h := handlerOf(m, bridge.Limits{})
		h.Observe = func(o bridge.Observation) { seen = o }
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		w := httptest.NewRecorder()
		took := timed(func() { h.ServeHTTP(w, post("/crm/contact_sync", syncBody("", "")).WithContext(ctx)) })
		synctest.Wait()
		if took != 2*time.Second || seen.Code != bridge.CodeCanceled || seen.Status != 0 || m.closed.Load() != 1 {
			t.Errorf("after %v: %+v, closed %d times", took, seen, m.closed.Load())
		}
		// It may be there all the same: the context ends with the server, too. Then silence would be an empty 200 (T11).
		checkError(t, readAnswer(t, w.Result()), 503, bridge.CodeSourceUnavailable)
	})
}

func TestASourceThatEndsItsGoroutineIsATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{onBegin: func(context.Context) error { runtime.Goexit(); return nil }}
		checkError(t, page(t, handlerOf(m, bridge.Limits{}), "", ""), 504, bridge.CodeSourceTimeout)
	})
}

func TestPagesEndOnlyWhereTheOrderCanBeCut(t *testing.T) {
	uncut := func(n int, where ...int) *memory {
		m := numbered(n)
		m.ignores = true
		for _, i := range where {
			m.entries[i-1].uncut = true
		}
		return m
	}
	for _, c := range []struct {
		name   string
		m      *memory
		limits bridge.Limits
		want   string
	}{
		{"an earlier place is taken", uncut(6, 3, 4), bridge.Limits{Contacts: 4}, "1 2 | 3 4 5 6"},
		{"a page grows where there is none", uncut(6, 1, 2, 3), bridge.Limits{Contacts: 2}, "1 2 3 4 | 5 6"},
		{"so it does by bytes", uncut(6, 1, 2, 3), bridge.Limits{Bytes: 130}, "1 2 3 4 | 5 6"},
		{"a run without any place", uncut(6, 1, 2, 3, 4, 5, 6), bridge.Limits{Contacts: 2}, "1 2 3 4 5 6"},
		{"the last ones", uncut(6, 5, 6), bridge.Limits{Contacts: 4}, "1 2 3 4 | 5 6"},
	} {
		if got := shape(pages(t, handlerOf(c.m, c.limits), "")); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	for name, limits := range map[string]bridge.Limits{"contacts": {Contacts: 2}, "bytes": {Bytes: 100}} {
		m := uncut(20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
		a := page(t, handlerOf(m, limits), "", "")
		checkError(t, a, 502, bridge.CodeSourceBroken)
		if !strings.Contains(a.Error.Hint, "limits") {
			t.Errorf("%s: hint %q", name, a.Error.Hint)
		}
	}
}

// E8: no progress is an error.
func TestASourceThatDoesNotMoveIsBroken(t *testing.T) {
	m := numbered(5)
	m.stuck = true
	h := handlerOf(m, bridge.Limits{})
	a := page(t, h, "", "") // the first time its position is new
	if a.ids() != "1" || a.NextOffset == nil {
		t.Fatalf("got %s", a.body)
	}
	checkError(t, page(t, h, "", a.offset()), 502, bridge.CodeSourceBroken)
}

// What a source could give before it failed is sent; the next page tells of the failure.
func TestAFailureFurtherOnDoesNotCostThePage(t *testing.T) {
	var seen bridge.Observation
	m := numbered(5)
	m.onRead = func(_ context.Context, i int) error {
		if i == 2 {
			return &bridge.Error{Code: bridge.CodeRateLimited, Message: "limited", Hint: "wait", RetryAfter: time.Minute}
		}
		return nil
	}
	h := handlerOf(m, bridge.Limits{})
	h.Observe = func(o bridge.Observation) { seen = o }
	a := page(t, h, "", "")
	if a.ids() != "1 2" || a.NextOffset == nil || seen.Cut != bridge.CutError {
		t.Errorf("got %s, %+v", a.body, seen)
	}
	m.onRead = func(context.Context, int) error {
		return &bridge.Error{Code: bridge.CodeRateLimited, Message: "m", Hint: "h"}
	}
	checkError(t, page(t, h, "", a.offset()), 429, bridge.CodeRateLimited)
}

// D6: a contact without an id is left out, one without a name gets the best there is, and the page goes on.
func TestABadContactDoesNotStopThePage(t *testing.T) {
	m := numbered(4)
	m.entries[1].contact.ID = " "
	m.entries[2].contact.Name, m.entries[2].contact.Company = "", "Example"
	m.entries[3].contact = contact.Contact{ID: "4", Name: "\xff\x00"}
	a := page(t, handlerOf(m, bridge.Limits{}), "", "")
	got := *a.Contacts
	if a.ids() != "1 3 4" || got[1].Name != "Example" || got[2].Name != "\uFFFD\x00" {
		t.Errorf("got %s", a.body)
	}
}

// D8: a record that cannot be sent was shown all the same, which only a synchronizer that finds deletions hears.
func TestRejectedRecordsAreToldD8(t *testing.T) {
	m := numbered(5)
	m.entries[0].contact.ID = ""
	m.entries[1].rejected = "line 3: too many cells"
	m.entries[3].contact.ID, m.entries[3].rejected = "", "line 5: a quote is not closed"
	h := handlerOf(m, bridge.Limits{})
	var log bytes.Buffer
	h.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	a := ask(t, h, post("/crm/contact_sync", strings.Replace(syncBody("", ""), `"meta":{`, `"meta":{"supports_deletions":true,`, 1)))
	want := `"rejected_contacts":[{"reason":"the contact has no id"},{"id":"2","reason":"line 3: too many cells"},{"reason":"line 5: a quote is not closed"}]`
	if a.ids() != "3 5" || !strings.Contains(a.body, want) {
		t.Errorf("got %s, want in it %s", a.body, want)
	}
	if !strings.Contains(log.String(), `"rejected":2,"rejected_records":["2 line 3: too many cells","line 5: a quote is not closed"]`) {
		t.Errorf("the log does not name the records: %s", log.String())
	}
	if a := page(t, h, "", ""); a.ids() != "3 5" || strings.Contains(a.body, "rejected") {
		t.Errorf("to a synchronizer that finds no deletions: %s", a.body)
	}
}

// E12, P10: what a run looks at once more is on pages of its own, so that no page holds an id twice.
func TestWhatComesAgainIsOnPagesOfItsOwnE12(t *testing.T) {
	m := numbered(5)
	m.entries[3].contact.ID, m.entries[3].again = "1", true
	m.entries[4].contact.ID, m.entries[4].again = "2", true
	h := handlerOf(m, bridge.Limits{Contacts: 10})
	first := page(t, h, "", "")
	if first.ids() != "1 2 3" || first.offset() == "" {
		t.Fatalf("first page: %s", first.body)
	}
	if second := page(t, h, "", first.offset()); second.ids() != "1 2" || second.offset() != "" {
		t.Errorf("second page: %s", second.body)
	}
}

// D11: a page is bounded in the records that it rejects as well.
func TestRejectedRecordsCountAgainstThePagesLimits(t *testing.T) {
	m := numbered(100)
	for i := range m.entries {
		m.entries[i].rejected = strings.Repeat("x", 100)
	}
	h := handlerOf(m, bridge.Limits{Bytes: 1000})
	a := ask(t, h, post("/crm/contact_sync", strings.Replace(syncBody("", ""), `"meta":{`, `"meta":{"supports_deletions":true,`, 1)))
	if a.offset() == "" || len(a.body) > 2500 {
		t.Errorf("a page of %d bytes, offset %q", len(a.body), a.offset())
	}
}

func TestPrepareCannotHurtTheSource(t *testing.T) {
	m := numbered(2)
	h := handlerOf(m, bridge.Limits{})
	h.Prepare = func(c *contact.Contact) {
		c.Phones[0] = "+49" + c.ID
		c.Name = ""
	}
	a := page(t, h, "", "")
	if got := *a.Contacts; got[0].Phones[0] != "+491" || got[1].Name != "+492" {
		t.Errorf("got %s", a.body)
	}
	if m.entries[0].contact.Phones[0] != "+15551000001" {
		t.Errorf("the source's own phones became %v", m.entries[0].contact.Phones)
	}
}

// D7: a deletion is told to who understands it; for all others the endpoint chooses.
func TestDeletions(t *testing.T) {
	m := numbered(4)
	m.entries[1].deleted, m.entries[2].deleted = true, true
	m.entries[1].contact.Company = "Example"
	m.entries[2].contact.Name = ""
	understands := strings.Replace(syncBody("", ""), `"meta":{`, `"meta":{"supports_deletions":true,`, 1)
	for _, c := range []struct {
		onDelete     bridge.OnDelete
		body         string
		ids, deleted string
	}{
		{"", understands, "1 4", "2 3"},
		{bridge.BlankDeleted, understands, "1 4", "2 3"},
		{"", syncBody("", ""), "1 4", ""},
		{bridge.SkipDeleted, syncBody("", ""), "1 4", ""},
		{bridge.BlankDeleted, syncBody("", ""), "1 2 3 4", ""},
	} {
		h := handlerOf(m, bridge.Limits{})
		h.OnDelete = c.onDelete
		a := ask(t, h, post("/crm/contact_sync", c.body))
		if a.ids() != c.ids || strings.Join(a.Deleted, " ") != c.deleted {
			t.Errorf("%q: got %s", c.onDelete, a.body)
		}
		if c.ids == "1 2 3 4" {
			blanked := fmt.Sprintf("%+v", (*a.Contacts)[1:3])
			if want := "[{ID:2 Name:Contact 2 Company: Address: Phones:[]} {ID:3 Name:3 Company: Address: Phones:[]}]"; blanked != want {
				t.Errorf("got %s, want %s", blanked, want)
			}
		}
	}
}

func TestDeletionsCountAgainstThePagesLimits(t *testing.T) {
	m := numbered(5)
	for i := range m.entries {
		m.entries[i].deleted = true
	}
	understands := strings.Replace(syncBody("", ""), `"meta":{`, `"meta":{"supports_deletions":true,`, 1)
	a := ask(t, handlerOf(m, bridge.Limits{Contacts: 2}), post("/crm/contact_sync", understands))
	if strings.Join(a.Deleted, " ") != "1 2" || a.NextOffset == nil {
		t.Errorf("got %s", a.body)
	}
	// For who does not understand them the pages are empty, but they move on.
	all := pages(t, handlerOf(m, bridge.Limits{Contacts: 2}), "")
	if shape(all) != " |  | " || all[2].checkpoint() == "" {
		t.Errorf("got %q", shape(all))
	}
}

// P7, P9, D2: which checkpoint a page sets.
func TestCheckpoints(t *testing.T) {
	m := numbered(4)
	h := handlerOf(m, bridge.Limits{Contacts: 2})
	text := func(a answer) string {
		source, _, _ := strings.Cut(a.checkpoint(), "~")
		return source
	}
	all := pages(t, h, "")
	if text(all[0]) != "stamp 1" || text(all[1]) != "stamp 4" {
		t.Errorf("initial run: %s, %s", text(all[0]), text(all[1]))
	}
	last := all[1].checkpoint()
	if a := page(t, h, last, ""); a.body != `{"contacts":[],"synchronization_checkpoint":"`+last+`"}` {
		t.Errorf("nothing new: %s", a.body)
	}
	m.entries = append(m.entries, numbered(7).entries[4:]...)
	m.unsafe = true // has none before the end
	all = pages(t, h, last)
	if shape(all) != "5 6 | 7" || all[0].checkpoint() != last || text(all[1]) != "stamp 7" {
		t.Errorf("incremental run: %s, %s, %s", shape(all), text(all[0]), text(all[1]))
	}
	if a := page(t, h, "", ""); a.Checkpoint != nil {
		t.Errorf("initial run without a safe place: %s", a.body)
	}
}

// E4: an offset knows its run, whatever the request says besides.
func TestTheOffsetsOwnRunGoes(t *testing.T) {
	h := handlerOf(numbered(4), bridge.Limits{Contacts: 1})
	first := pages(t, h, "")
	since := first[0].checkpoint() // "stamp 0"
	a := page(t, h, since, "")
	for _, checkpoint := range []string{since, "", first[2].checkpoint(), "made up"} {
		if b := page(t, h, checkpoint, a.offset()); b.ids() != "2" {
			t.Errorf("checkpoint %q: got %s", checkpoint, b.body)
		}
	}
}

// Resuming anywhere, by any page size, at any replica, gives what one straight read gives: nothing lost, nothing twice.
func TestResumingAnywhereEqualsOneRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &memory{ignores: rapid.Bool().Draw(t, "ignores")}
		for i := range rapid.IntRange(0, 30).Draw(t, "contacts") {
			m.entries = append(m.entries, entry{
				stamp:   rapid.IntRange(1, 5).Draw(t, "stamp"), // ties
				deleted: rapid.IntRange(0, 4).Draw(t, "deleted") == 0,
				uncut:   m.ignores && rapid.IntRange(0, 3).Draw(t, "uncut") == 0,
				contact: contact.Contact{ID: fmt.Sprintf("c%02d", i), Name: rapid.StringN(0, 30, -1).Draw(t, "name")},
			})
		}
		since := ""
		if rapid.Bool().Draw(t, "incremental") {
			since = stampCheckpoint(t, m, rapid.IntRange(1, 5).Draw(t, "since"))
		}
		straight := walk(t, m, since, func() bridge.Limits { return bridge.Limits{} })
		paged := walk(t, m, since, func() bridge.Limits {
			return bridge.Limits{Contacts: rapid.IntRange(8, 12).Draw(t, "page"), Bytes: rapid.IntRange(300, 900).Draw(t, "bytes")}
		})
		if straight != paged {
			t.Fatalf("straight %s\npaged    %s", straight, paged)
		}
	})
}

// stampCheckpoint returns the checkpoint that a memory source gives when its highest stamp is this one.
func stampCheckpoint(t rapid.TB, m *memory, stamp int) string {
	t.Helper()
	probe := &memory{entries: []entry{{stamp: stamp, contact: contact.Contact{ID: "x"}}}}
	w := httptest.NewRecorder()
	handlerOf(probe, bridge.Limits{}).ServeHTTP(w, post("/contact_sync", syncBody("", "")))
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatal(err)
	}
	return a.checkpoint()
}

// walk follows a run, every page asked twice of a new handler with limits of its own, and gives all contacts and all deletions in order.
func walk(t rapid.TB, m *memory, since string, limits func() bridge.Limits) string {
	t.Helper()
	var changes, gone []string
	for offset, n := "", 0; n == 0 || offset != ""; n++ {
		body := strings.Replace(syncBody(since, offset), `"meta":{`, `"meta":{"supports_deletions":true,`, 1)
		h := handlerOf(m, limits())
		var bodies [2]bytes.Buffer
		for i := range bodies {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, post("/contact_sync", body))
			if w.Code != 200 || n > 100 {
				t.Fatalf("page %d: %d %s", n, w.Code, w.Body)
			}
			bodies[i] = *w.Body
		}
		if bodies[0].String() != bodies[1].String() {
			t.Fatalf("asked twice: %s\n%s", &bodies[0], &bodies[1])
		}
		var a answer
		if err := json.Unmarshal(bodies[0].Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		for _, c := range *a.Contacts {
			changes = append(changes, fmt.Sprintf("%s=%q", c.ID, c.Name))
		}
		gone = append(gone, a.Deleted...)
		offset = a.offset()
	}
	return fmt.Sprintf("%s, gone %s", changes, gone)
}
