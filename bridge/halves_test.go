package bridge_test

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/contactbridge/contactbridge/bridge"
)

// halved is a memory source that finds the middle of a page.
type halved struct {
	*memory
	broken string // the id that cannot be read; empty if there is none
	reads  *atomic.Int32
}

func (h halved) Split(ctx context.Context, run bridge.Run, after bridge.Position, limit int) (middle bridge.Position, first int) {
	n := 0
	for change, err := range h.memory.Read(ctx, run, after, limit) {
		if err != nil || change.Again {
			break
		}
		if n++; n <= limit/2 && len(change.Position) > 0 {
			middle, first = change.Position, n
		}
	}
	return middle, first
}

func (h halved) Read(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	h.reads.Add(1)
	return failing{h.memory, h.broken}.Read(ctx, run, after, limit)
}

// failing is a memory source that fails at a contact.
type failing struct {
	*memory
	broken string
}

func (f failing) Read(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	return func(yield func(bridge.Change, error) bool) {
		for change, err := range f.memory.Read(ctx, run, after, limit) {
			if err == nil && f.broken != "" && change.Contact.ID == f.broken {
				yield(bridge.Change{}, errors.New("the service broke the connection"))
				return
			}
			if !yield(change, err) {
				return
			}
		}
	}
}

// vary makes some of a source's contacts other than most are, and draws the id of one at which reading fails; empty for none.
func vary(r *rapid.T, m *memory) (broken string) {
	n := len(m.entries)
	for i := range m.entries {
		e := &m.entries[i]
		switch rapid.IntRange(0, 19).Draw(r, "what") {
		case 0:
			e.deleted = true
		case 1:
			e.rejected = "no number"
		case 2:
			e.contact.Name = ""
		case 3:
			e.contact.Address = strings.Repeat("x", rapid.IntRange(0, 4000).Draw(r, "size"))
		case 4:
			e.uncut = i < n-1
		case 5:
			e.again = rapid.IntRange(0, 9).Draw(r, "again") == 0
		}
	}
	if n > 0 && rapid.Bool().Draw(r, "fails") {
		broken = strconv.Itoa(rapid.IntRange(1, n).Draw(r, "at"))
	}
	return broken
}

// A page whose halves were read at once is the page that is read from one end to the other, byte for byte, whatever is in it and
// wherever it ends.
func TestAPageInHalvesIsThePage(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		t.Skip("OPTIONAL: no page is made in halves on one processor")
	}
	var reads, whole atomic.Int32
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(0, 700).Draw(r, "n")
		m := numbered(n)
		broken := vary(r, m)
		limits := bridge.Limits{Contacts: rapid.IntRange(100, 400).Draw(r, "contacts"), Bytes: rapid.SampledFrom([]int{5000, 20_000, 60_000, 1 << 20}).Draw(r, "bytes")}
		ask := func(src bridge.Source) (bodies []string) {
			h := handlerOf(m, limits)
			h.Open = func(context.Context, bridge.Auth) (bridge.Source, error) { return src, nil }
			for offset := ""; len(bodies) < 200; {
				whole.Add(1)
				a := page(t, h, "", offset)
				body := a.body
				if a.Error != nil {
					body = string(a.Error.Code) // the identifier of the request differs
				}
				bodies = append(bodies, body)
				if a.NextOffset == nil || a.offset() == offset {
					return bodies
				}
				offset = a.offset()
			}
			return bodies
		}
		want, got := ask(failing{m, broken}), ask(halved{m, broken, &reads})
		if len(want) != len(got) {
			r.Fatalf("%d pages in halves, and %d", len(got), len(want))
		}
		for i := range want {
			if want[i] != got[i] {
				r.Fatalf("page %d: in halves\n%s\nand\n%s", i+1, got[i], want[i])
			}
		}
	})
	if reads.Load() <= whole.Load()/2 {
		t.Errorf("%d readings of %d pages: none was made in halves", reads.Load(), whole.Load()/2)
	}
}
