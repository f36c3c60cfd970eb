package bridge_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/contactbridge/contactbridge/bridge"
)

// repeating is a memory source that can be read ahead, and that may fail at a contact.
type repeating struct {
	failing
	changed *atomic.Bool
	reads   *atomic.Int32
	closed  *atomic.Int32
}

func newRepeating(m *memory, broken string) repeating {
	return repeating{failing{m, broken}, new(atomic.Bool), new(atomic.Int32), new(atomic.Int32)}
}

func (r repeating) Repeats(context.Context, bridge.Run) bool { return !r.changed.Load() }

func (r repeating) Read(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	r.reads.Add(1)
	return r.failing.Read(ctx, run, after, limit)
}

func (r repeating) Close() error {
	r.closed.Add(1)
	return r.failing.Close()
}

// handler returns a handler over the source.
func (r repeating) handler(limits bridge.Limits) *bridge.Handler {
	h := handlerOf(r.memory, limits)
	h.Open = func(ctx context.Context, auth bridge.Auth) (bridge.Source, error) {
		_, err := r.open(ctx, auth)
		return r, err
	}
	return h
}

// waitUntilClosed waits until the source has been closed so many times: until then the next page may be read ahead.
func (r repeating) waitUntilClosed(times int32) {
	for r.closed.Load() < times {
		runtime.Gosched()
	}
}

func needsTwoProcessors(t *testing.T) {
	t.Helper()
	if runtime.GOMAXPROCS(0) < 2 {
		t.Skip("OPTIONAL: no page is read ahead on one processor")
	}
}

// A page that was read ahead is the page that is read when it is asked for, byte for byte, whatever is in it, wherever it ends, and whether
// it is asked for while it is read or later.
func TestAPageReadAheadIsThePage(t *testing.T) {
	needsTwoProcessors(t)
	var ahead atomic.Int32
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(0, 300).Draw(r, "n")
		m := numbered(n)
		broken := vary(r, m)
		limits := bridge.Limits{Contacts: rapid.IntRange(1, 60).Draw(r, "contacts"), Bytes: rapid.SampledFrom([]int{500, 5000, 1 << 20}).Draw(r, "bytes")}
		waits, changes := rapid.Bool().Draw(r, "waits"), rapid.Bool().Draw(r, "changes")
		knowsDeletions := rapid.Bool().Draw(r, "knows deletions")
		ask := func(h *bridge.Handler, before func(page int)) (bodies []string) {
			for offset := ""; len(bodies) < 400; {
				before(len(bodies))
				body, _ := json.Marshal(map[string]any{"auth": credentials, "meta": map[string]any{"offset": offset, "supports_deletions": knowsDeletions}})
				a := ask(t, h, post("/crm/contact_sync", string(body)))
				text := a.body
				if a.Error != nil {
					text = string(a.Error.Code) + a.Error.Message // the identifier of the request differs
				}
				bodies = append(bodies, text)
				if a.NextOffset == nil || a.offset() == offset {
					return bodies
				}
				offset = a.offset()
			}
			return bodies
		}
		want := ask(func() *bridge.Handler {
			h := handlerOf(m, limits)
			h.Open = func(context.Context, bridge.Auth) (bridge.Source, error) { return failing{m, broken}, nil }
			return h
		}(), func(int) {})
		src := newRepeating(m, broken)
		h := src.handler(limits)
		got := ask(h, func(page int) {
			if waits {
				src.waitUntilClosed(int32(page))
			}
			src.changed.Store(changes && page%3 == 0)
		})
		h.Close()
		if len(want) != len(got) {
			r.Fatalf("%d pages where they are read ahead, and %d", len(got), len(want))
		}
		for i := range want {
			if want[i] != got[i] {
				r.Fatalf("page %d: read ahead\n%s\nand\n%s", i+1, got[i], want[i])
			}
		}
		if waits && !changes && broken == "" && len(want) > 2 && len(want) == int(src.reads.Load()) {
			ahead.Add(1)
		}
	})
	if ahead.Load() == 0 {
		t.Error("no run was read ahead: each of its pages is read once then, and none twice")
	}
}

// ahead asks for two pages of a run, and waits until others were read ahead: three, unless the first of them cannot be. It returns the offset of that.
func (r repeating) ahead(t *testing.T, h *bridge.Handler, pages int32) (offset string) {
	t.Helper()
	first := page(t, h, "", "")
	r.waitUntilClosed(1)
	if n := r.reads.Load(); n != 1 {
		t.Fatalf("%d readings after the first page, which nobody may go on with", n)
	}
	second := page(t, h, "", first.offset())
	r.waitUntilClosed(2)
	if n := r.reads.Load(); n != 2+pages {
		t.Fatalf("%d readings after the second page", n)
	}
	return second.offset()
}

func TestAPageIsReadAheadOnce(t *testing.T) {
	needsTwoProcessors(t)
	src := newRepeating(numbered(10), "")
	h := src.handler(bridge.Limits{Contacts: 2})
	defer h.Close()
	offset := src.ahead(t, h, 3)
	third := page(t, h, "", offset)
	src.waitUntilClosed(3)
	if got := third.ids(); got != "5 6" || src.reads.Load() != 5 {
		t.Errorf("%q after %d readings", got, src.reads.Load())
	}
	again := page(t, h, "", offset)
	src.waitUntilClosed(4)
	if got := again.body; got != third.body || src.reads.Load() != 6 {
		t.Errorf("asked for once more it is %s after %d readings, and was %s", got, src.reads.Load(), third.body)
	}
	fourth := page(t, h, "", third.offset())
	fifth := page(t, h, "", fourth.offset())
	src.waitUntilClosed(6)
	if got := fourth.ids() + " " + fifth.ids(); got != "7 8 9 10" || fifth.offset() != "" || src.reads.Load() != 6 {
		t.Errorf("%q after %d readings", got, src.reads.Load())
	}
}

// What was read ahead is not sent once the source may read something else.
func TestAPageReadAheadIsDroppedWhenItMayHaveChanged(t *testing.T) {
	needsTwoProcessors(t)
	src := newRepeating(numbered(10), "")
	h := src.handler(bridge.Limits{Contacts: 2})
	defer h.Close()
	offset := src.ahead(t, h, 3)
	src.changed.Store(true)
	src.memory.entries[4].contact.Company = "Changed"
	if third := page(t, h, "", offset); third.ids() != "5 6" || !strings.Contains(third.body, "Changed") {
		t.Error(third.body)
	}
}

// What was read ahead with some credentials is for no others, and none that are refused get it.
func TestAPageReadAheadIsForItsCaller(t *testing.T) {
	needsTwoProcessors(t)
	src := newRepeating(numbered(10), "")
	h := src.handler(bridge.Limits{Contacts: 2})
	defer h.Close()
	var refused error
	h.Authenticate = func(bridge.Auth) error { return refused }
	offset := src.ahead(t, h, 3)
	ask := func(meta string, auth map[string]string) answer {
		text, _ := json.Marshal(auth)
		return ask(t, h, post("/crm/contact_sync", `{"auth":`+string(text)+`,"meta":{`+meta+`"offset":"`+offset+`"}}`))
	}
	src.memory.entries[4].contact.Company = "Read now"
	for i, auth := range []map[string]string{{"username": "agent", "password": "wrong"}, {"username": "agentpassword", "pass-word-7": ""}} {
		if a := ask("", auth); !strings.Contains(a.body, "Read now") {
			t.Errorf("%v: %s", auth, a.body)
		}
		src.waitUntilClosed(int32(3 + i))
	}
	own := map[string]string(credentials)
	if a := ask(`"supports_deletions":true,`, own); !strings.Contains(a.body, "Read now") {
		t.Errorf("a request that differs: %s", a.body)
	}
	refused = &bridge.Error{Code: bridge.CodeUnauthorized, Message: "not any more"}
	if a := ask("", own); a.Error == nil || a.Error.Code != bridge.CodeUnauthorized {
		t.Errorf("credentials that are refused: %s", a.body)
	}
	refused = nil
	if a := ask("", own); strings.Contains(a.body, "Read now") || a.ids() != "5 6" {
		t.Errorf("the request that it was read for: %s", a.body)
	}
}

// An error or a panic while a page is read ahead is nobody's: the page is read when it is asked for.
func TestErrorsWhileReadingAheadAreForgotten(t *testing.T) {
	needsTwoProcessors(t)
	for name, fail := range map[string]func() error{
		"an error": func() error { return errors.New("not now") },
		"a panic":  func() error { panic("not now") },
	} {
		t.Run(name, func(t *testing.T) {
			src := newRepeating(numbered(10), "")
			src.memory.onRead = func(context.Context, int) error {
				if src.reads.Load() == 3 {
					return fail()
				}
				return nil
			}
			h := src.handler(bridge.Limits{Contacts: 2})
			defer h.Close()
			offset := src.ahead(t, h, 1)
			if third := page(t, h, "", offset); third.ids() != "5 6" {
				t.Error(third.body)
			}
		})
	}
}

// A page that is not asked for soon is dropped, and so is one whose reading takes long: a request for it does not wait.
func TestAPageReadAheadIsNotKept(t *testing.T) {
	needsTwoProcessors(t)
	t.Run("not asked for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			src := newRepeating(numbered(10), "")
			h := src.handler(bridge.Limits{Contacts: 2})
			offset := src.ahead(t, h, 3)
			time.Sleep(3 * time.Second)
			src.memory.entries[4].contact.Company = "Read now"
			if third := page(t, h, "", offset); !strings.Contains(third.body, "Read now") {
				t.Error(third.body)
			}
			h.Close()
		})
	})
	t.Run("never read", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			src := newRepeating(numbered(10), "")
			src.memory.onRead = func(ctx context.Context, _ int) error {
				if src.reads.Load() == 3 {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			}
			h := src.handler(bridge.Limits{Contacts: 2})
			second := page(t, h, "", page(t, h, "", "").offset())
			synctest.Wait()
			began := time.Now()
			if third := page(t, h, "", second.offset()); third.ids() != "5 6" {
				t.Error(third.body)
			}
			if waited := time.Since(began); waited > 2*time.Second {
				t.Errorf("the request waited %v", waited)
			}
			h.Close()
		})
	})
}

// Close ends what is read ahead, closes its source, and waits for that.
func TestCloseEndsReadingAhead(t *testing.T) {
	needsTwoProcessors(t)
	src := newRepeating(numbered(10), "")
	began := make(chan struct{})
	src.memory.onRead = func(ctx context.Context, _ int) error {
		if src.reads.Load() == 3 {
			close(began)
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	h := src.handler(bridge.Limits{Contacts: 2})
	second := page(t, h, "", page(t, h, "", "").offset())
	<-began
	h.Close()
	if n := src.closed.Load(); n != 2 {
		t.Errorf("%d sources of 2 were closed when Close returned", n)
	}
	if third := page(t, h, "", second.offset()); third.ids() != "5 6" {
		t.Error(third.body)
	}
	src.waitUntilClosed(3)
	if n := src.reads.Load(); n != 4 {
		t.Errorf("%d readings: something was read ahead after Close", n)
	}
}

// Many callers that read at once get what each of them would get alone.
func TestManyCallersAreReadAhead(t *testing.T) {
	src := newRepeating(numbered(500), "")
	h := src.handler(bridge.Limits{Contacts: 7})
	h.Authenticate = bridge.AllowAnyone
	var callers sync.WaitGroup
	for i := range 8 {
		auth := `{"name":"` + strconv.Itoa(i/2) + `"}` // two of each
		callers.Go(func() {
			n := 0
			for offset := ""; ; {
				a := ask(t, h, post("/crm/contact_sync", `{"auth":`+auth+`,"meta":{"offset":"`+offset+`"}}`))
				for _, id := range strings.Fields(a.ids()) {
					if n++; id != strconv.Itoa(n) {
						t.Errorf("contact %s in place %d", id, n)
					}
				}
				if offset = a.offset(); offset == "" {
					break
				}
			}
			if n != 500 {
				t.Errorf("%d contacts", n)
			}
		})
	}
	callers.Wait()
	h.Close()
}
