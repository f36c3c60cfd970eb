package bridge_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"iter"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
)

// An entry is one contact of a memory source; stamp orders it.
type entry struct {
	stamp   int
	contact contact.Contact
	deleted bool
	uncut   bool // no page may end after it

	rejected string
	again    bool
}

// A memory is a sorted source over a list in memory: the smallest that keeps the contract. Its checkpoint is the last stamp
// of the run, its bound the highest stamp when the run began. The functions, where set, are called at the place they name.
type memory struct {
	entries []entry

	onOpen  func(ctx context.Context) error
	onBegin func(ctx context.Context) error
	onClose func()
	onRead  func(ctx context.Context, i int) error // before the i-th change of a page
	probe   func(ctx context.Context) error

	mu      sync.Mutex
	opened  []bridge.Auth
	closed  atomic.Int32
	ignores bool // the limit
	stuck   bool // gives every change the same position
	unsafe  bool // has a checkpoint only at a run's end
}

var _ bridge.Source = (*memory)(nil)

// numbered returns a memory source of n contacts, each with its own stamp, n = 1, 2, ….
func numbered(n int) *memory {
	m := &memory{}
	for i := 1; i <= n; i++ {
		m.entries = append(m.entries, entry{stamp: i, contact: contact.Contact{
			ID: strconv.Itoa(i), Name: "Contact " + strconv.Itoa(i), Phones: []string{"+1555" + strconv.Itoa(1000000+i)},
		}})
	}
	return m
}

func (m *memory) open(ctx context.Context, auth bridge.Auth) (bridge.Source, error) {
	m.mu.Lock()
	m.opened = append(m.opened, auth)
	m.mu.Unlock()
	if m.onOpen != nil {
		if err := m.onOpen(ctx); err != nil {
			return nil, err
		}
	}
	if m.probe != nil {
		return probing{m}, nil
	}
	return m, nil
}

// described is a memory source that says what its checkpoints belong to.
type described struct {
	*memory
	bridge.Description
}

func (d described) Describe(context.Context) (bridge.Description, error) { return d.Description, nil }

// probing is a memory source that can be asked about its credentials.
type probing struct{ *memory }

func (p probing) Probe(ctx context.Context) error { return p.probe(ctx) }

func (m *memory) Begin(ctx context.Context, since bridge.Checkpoint) (bridge.Run, error) {
	if m.onBegin != nil {
		if err := m.onBegin(ctx); err != nil {
			return bridge.Run{}, err
		}
	}
	if _, err := parseStamp(since); err != nil {
		return bridge.Run{}, &bridge.Error{Code: bridge.CodeInvalidCheckpoint, Message: "no stamp"}
	}
	bound := 0
	for _, e := range m.entries {
		bound = max(bound, e.stamp)
	}
	return bridge.Run{Since: since, State: binary.AppendUvarint(nil, uint64(bound))}, nil
}

func (m *memory) Read(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	return func(yield func(bridge.Change, error) bool) {
		bound, n := binary.Uvarint(run.State)
		stamp, err := parseStamp(run.Since)
		place := key{stamp: stamp, id: "\xff"}
		if len(after) > 0 {
			place, err = parseKey(after)
		}
		if err != nil || n <= 0 {
			yield(bridge.Change{}, &bridge.Error{Code: bridge.CodeInvalidOffset, Message: "no such place"})
			return
		}
		count := 0
		for _, e := range m.sorted() {
			if e.stamp > int(bound) || compareKeys(keyOf(e), place) <= 0 {
				continue
			}
			if limit > 0 && count >= limit && !m.ignores {
				return
			}
			if m.onRead != nil {
				if err := m.onRead(ctx, count); err != nil {
					yield(bridge.Change{}, err)
					return
				}
			}
			if ctx.Err() != nil {
				yield(bridge.Change{}, ctx.Err())
				return
			}
			change := bridge.Change{Contact: e.contact, Deleted: e.deleted, Rejected: e.rejected, Again: e.again}
			if !e.uncut {
				change.Position = keyOf(e).position()
			}
			if m.stuck {
				change.Position = bridge.Position("0 here")
			}
			count++
			if !yield(change, nil) {
				return
			}
		}
	}
}

func (m *memory) Checkpoint(run bridge.Run, at bridge.Position, complete bool) bridge.Checkpoint {
	if complete {
		bound, _ := binary.Uvarint(run.State)
		return bridge.Checkpoint("stamp " + strconv.FormatUint(bound, 10))
	}
	if m.unsafe {
		return ""
	}
	// Others may follow with the same stamp: only the one before it is safe.
	place, err := parseKey(at)
	if err != nil || place.stamp == 0 {
		return ""
	}
	return bridge.Checkpoint("stamp " + strconv.Itoa(place.stamp-1))
}

func (m *memory) Close() error {
	if m.onClose != nil {
		m.onClose()
	}
	m.closed.Add(1)
	return nil
}

// waitUntilClosed waits until the source has been closed so many times: a handler answers first.
func (m *memory) waitUntilClosed(t testing.TB, times int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); int(m.closed.Load()) != times; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("closed %d times, not %d", m.closed.Load(), times)
		}
	}
}

func (m *memory) sorted() []entry {
	return slices.SortedStableFunc(slices.Values(m.entries), func(a, b entry) int { return compareKeys(keyOf(a), keyOf(b)) })
}

// A key is a place in the order of a memory source (E1).
type key struct {
	stamp int
	id    string
}

func keyOf(e entry) key { return key{e.stamp, e.contact.ID} }

func compareKeys(a, b key) int {
	return cmp.Or(cmp.Compare(a.stamp, b.stamp), cmp.Compare(a.id, b.id))
}

func (k key) position() bridge.Position {
	return bridge.Position(strconv.Itoa(k.stamp) + " " + k.id)
}

func parseKey(p bridge.Position) (key, error) {
	stamp, id, _ := strings.Cut(string(p), " ")
	n, err := strconv.Atoi(stamp)
	return key{n, id}, err
}

// parseStamp reads a checkpoint; none is before every stamp.
func parseStamp(c bridge.Checkpoint) (int, error) {
	if c == "" {
		return -1, nil
	}
	return strconv.Atoi(strings.TrimPrefix(string(c), "stamp "))
}

// silent is a memory source that gives three changes, waits until it is told to stop, and then ends without a word, as
// some client libraries do.
type silent struct{ *memory }

func (s silent) Read(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	return func(yield func(bridge.Change, error) bool) {
		for change, err := range s.memory.Read(ctx, run, after, limit) {
			if change.Contact.ID == "4" {
				<-ctx.Done()
				return
			}
			if !yield(change, err) {
				return
			}
		}
	}
}
