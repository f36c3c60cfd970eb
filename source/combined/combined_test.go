package combined_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/internal/clock"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/combined"
	"github.com/contactbridge/contactbridge/source/memory"
)

// stores are parts that are stores in memory.
type stores []struct {
	name, prefix string
	store        *memory.Store
}

// newStores makes stores with n contacts each. The first has no prefix.
func newStores(n int, names ...string) stores {
	var list stores
	for i, name := range names {
		store := memory.NewStore(clock.System{})
		tx := store.Begin()
		for id := range n {
			tx.PutAt(contact.Contact{ID: string(rune('a' + id)), Name: name}, time.Now().Add(-time.Hour+time.Duration(id)*time.Second))
		}
		tx.Commit()
		prefix := combined.DefaultPrefix(name)
		if i == 0 {
			prefix = ""
		}
		list = append(list, struct {
			name, prefix string
			store        *memory.Store
		}{name, prefix, store})
	}
	return list
}

// open opens the parts in an order.
func (s stores) open(t *testing.T, order ...int) *combined.Source {
	t.Helper()
	var parts []combined.Part
	for _, i := range order {
		parts = append(parts, combined.Part{Name: s[i].name, Prefix: s[i].prefix, Factory: s[i].store.Factory()})
	}
	return openParts(t, parts...)
}

func openParts(t *testing.T, parts ...combined.Part) *combined.Source {
	t.Helper()
	factory := combined.New(parts)
	src, err := factory.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(src.Close(), factory.Close()) })
	return src.(*combined.Source)
}

func begin(t *testing.T, src bridge.Source, since bridge.Checkpoint) bridge.Run {
	t.Helper()
	run, err := src.Begin(t.Context(), since)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// read reads at most limit changes after a position, and where it ended.
func read(t *testing.T, src bridge.Source, run bridge.Run, after bridge.Position, limit int) (ids []string, at bridge.Position) {
	t.Helper()
	at = after
	for change, err := range src.Read(t.Context(), run, after, limit) {
		if err != nil {
			t.Fatal(err)
		}
		id := strings.Clone(change.Contact.ID)
		if change.Rejected != "" {
			id = "rejected: " + change.Rejected
		}
		ids, at = append(ids, id), slices.Clone(change.Position)
		if len(ids) == limit {
			break
		}
	}
	return ids, at
}

func TestRunGoesOnInTheMiddleOfAnyPart(t *testing.T) {
	s := newStores(3, "one", "two", "three")
	src := s.open(t, 0, 1, 2)
	run := begin(t, src, "")
	all, end := read(t, src, run, nil, 0)
	want := []string{"a", "b", "c", "two:a", "two:b", "two:c", "three:a", "three:b", "three:c"}
	if !slices.Equal(all, want) {
		t.Fatalf("read %q", all)
	}
	for cut := range want {
		_, at := read(t, src, run, nil, cut+1)
		if rest, _ := read(t, s.open(t, 0, 1, 2), run, at, 0); !slices.Equal(rest, want[cut+1:]) {
			t.Errorf("after %s: %q", want[cut], rest)
		}
		// Another order of the file changes nothing but the order of what is still to be read.
		rest, _ := read(t, s.open(t, 2, 1, 0), run, at, 0)
		if slices.Sort(rest); !slices.Equal(rest, slices.Sorted(slices.Values(want[cut+1:]))) {
			t.Errorf("after %s, and in another order: %q", want[cut], rest)
		}
	}
	if next, _ := read(t, src, begin(t, src, src.Checkpoint(run, end, true)), nil, 0); len(next) > 0 {
		t.Errorf("the next run brought %q", next)
	}
}

// The checkpoint of a page in the middle begins a run that is initial for the parts that were not read, incremental for the others,
// and not an initial one: it does not decide which contacts are gone (D8).
func TestCheckpointInTheMiddleMixesPartsAndJudgesNobody(t *testing.T) {
	s := newStores(3, "one", "two", "three")
	src := s.open(t, 0, 1, 2)
	run := begin(t, src, "")
	_, at := read(t, src, run, nil, 5)
	mixed := begin(t, src, src.Checkpoint(run, at, false))
	if mixed.Initial() {
		t.Error("a run that does not read everything is an initial one")
	}
	if got, _ := read(t, src, mixed, nil, 0); !slices.Equal(got, []string{"two:c", "three:a", "three:b", "three:c"}) {
		t.Errorf("it read %q", got)
	}
}

// restarting is a source that restarts from any checkpoint while it is set to.
type restarting struct {
	bridge.Source
	now *bool
}

func (r restarting) Begin(ctx context.Context, since bridge.Checkpoint) (bridge.Run, error) {
	if *r.now {
		since = ""
	}
	return r.Source.Begin(ctx, since)
}

// opening is a factory of one source.
type opening struct {
	source bridge.Source
	err    error
}

func (o opening) Open(context.Context, bridge.Auth) (bridge.Source, error) { return o.source, o.err }
func (opening) Close() error                                               { return nil }

// Who is gone from one part can be told only by a run that shows everybody: the parts restart together (D8, D10).
func TestOnePartThatRestartsRestartsAll(t *testing.T) {
	s := newStores(2, "one", "two")
	now := false
	src := openParts(t,
		combined.Part{Name: "one", Factory: s[0].store.Factory()},
		combined.Part{Name: "two", Prefix: "two:", Factory: opening{source: restarting{s[1].store.Source(), &now}}})
	run := begin(t, src, "")
	_, at := read(t, src, run, nil, 0)
	checkpoint := src.Checkpoint(run, at, true)
	if run := begin(t, src, checkpoint); run.Initial() {
		t.Error("a run in which nothing restarts is an initial one")
	}
	now = true
	run = begin(t, src, checkpoint)
	if got, _ := read(t, src, run, nil, 0); !run.Initial() || !slices.Equal(got, []string{"a", "b", "two:a", "two:b"}) {
		t.Errorf("where one part restarts the run is initial: %t, and reads %q", run.Initial(), got)
	}
}

// A file without updated that was read to its end has not got the checkpoint of its end until the run has: a run in place of an
// interrupted one must show everybody again, or those who are gone from the file would stay (E7, E10).
func TestFileHasItsCheckpointWhenTheRunIsAtItsEnd(t *testing.T) {
	file := newFile(t, "")
	stored := newStores(3, "rest")
	if err := file.Put(time.Now(), contact.Contact{ID: "x", Name: "X"}, contact.Contact{ID: "y", Name: "Y"}); err != nil {
		t.Fatal(err)
	}
	factory, err := file.factory()
	if err != nil {
		t.Fatal(err)
	}
	whole := combined.New([]combined.Part{{Name: "file", Factory: factory}, {Name: "rest", Prefix: "rest:", Factory: stored[0].store.Factory()}})
	src, err := whole.Open(t.Context(), credentials)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = errors.Join(src.Close(), whole.Close()) }()
	run := begin(t, src, "")
	_, end := read(t, src, run, nil, 0)
	complete := src.Checkpoint(run, end, true)

	if err := file.Put(time.Now(), contact.Contact{ID: "z", Name: "Z"}); err != nil {
		t.Fatal(err)
	}
	run = begin(t, src, complete)
	if !run.Initial() {
		t.Fatal("a changed file does not restart the run")
	}
	_, at := read(t, src, run, nil, 4) // the file, and one more
	if run := begin(t, src, src.Checkpoint(run, at, false)); run.Initial() {
		t.Error("the checkpoint of an initial run's page begins an initial run")
	} else if got, _ := read(t, src, run, nil, 0); len(got) != 5 {
		t.Errorf("a run in place of the interrupted one reads %q, and not the whole file", got)
	}
}

func TestIDThatCouldBeAnotherPartsIsRejected(t *testing.T) {
	s := newStores(1, "one", "two")
	s[0].store.Put(contact.Contact{ID: "two:a", Name: "Impostor"}, contact.Contact{ID: "two", Name: "None"})
	src := s.open(t, 0, 1)
	got, _ := read(t, src, begin(t, src, ""), nil, 0)
	slices.Sort(got)
	if want := []string{"a", `rejected: one: the id "two:a" begins with "two:", as those of another source do`, "two", "two:a"}; !slices.Equal(got, want) {
		t.Errorf("read %q", got)
	}
}

// failing is a source. All its methods fail.
type failing struct{ err error }

func (f failing) Begin(context.Context, bridge.Checkpoint) (bridge.Run, error) {
	return bridge.Run{}, f.err
}

func (f failing) Read(context.Context, bridge.Run, bridge.Position, int) iter.Seq2[bridge.Change, error] {
	return func(yield func(bridge.Change, error) bool) { yield(bridge.Change{}, f.err) }
}
func (failing) Checkpoint(bridge.Run, bridge.Position, bool) bridge.Checkpoint { return "" }
func (failing) Close() error                                                   { return nil }
func (f failing) Probe(context.Context) error                                  { return f.err }
func (f failing) Check(context.Context) error                                  { return f.err }
func (f failing) Count(context.Context) (int64, error)                         { return -1, f.err }
func (f failing) Describe(context.Context) (bridge.Description, error) {
	return bridge.Description{}, f.err
}

func (f failing) Inspect(context.Context) (source.Inspection, error) {
	problems := []source.Problem{{Severity: source.Note, Message: "slow"}, {Severity: source.Failure, Message: "no index"}}
	return source.Inspection{Problems: problems, Unused: []string{"note"}, Facts: []source.Fact{{Name: "order"}}}, f.err
}

func TestEveryMessageNamesItsSource(t *testing.T) {
	cause := &bridge.Error{Code: bridge.CodeUnauthorized, Message: "the password is wrong", Hint: "Correct it.", RetryAfter: time.Second}
	s := newStores(1, "one")
	src := openParts(t,
		combined.Part{Name: "one", Factory: s[0].store.Factory()},
		combined.Part{Name: "two", Prefix: "two:", Factory: opening{source: failing{cause}}})
	_, describing := src.Describe(t.Context())
	_, beginning := src.Begin(t.Context(), "")
	_, counting := src.Count(t.Context())
	found, inspecting := src.Inspect(t.Context())
	for what, err := range map[string]error{
		"Describe": describing, "Begin": beginning, "Count": counting, "Inspect": inspecting, "Probe": src.Probe(t.Context()), "Check": src.Check(t.Context()),
	} {
		got, ok := errors.AsType[*bridge.Error](err)
		if !ok || got.Message != "two: the password is wrong" || got.Code != cause.Code || got.Hint != cause.Hint || got.RetryAfter != time.Second {
			t.Errorf("%s: %#v", what, err)
		}
	}
	if len(found.Problems) != 2 || found.Problems[1].Message != "two: slow" || found.Problems[0].Message != "two: no index" || found.Unused[0] != "two: note" ||
		!slices.ContainsFunc(found.Facts, func(f source.Fact) bool { return f.Name == "two: order" }) ||
		found.Facts[0].Value != "one (ids as they are), then two (ids two:…)" {
		t.Errorf("inspected %+v", found)
	}
	factory := combined.New([]combined.Part{{Name: "one", Factory: s[0].store.Factory()}, {Name: "two", Factory: opening{err: cause}}})
	if _, err := factory.Open(t.Context(), nil); err == nil || err.Error() != "two: the password is wrong" {
		t.Errorf("Open: %v", err)
	}
	if cause.Message != "the password is wrong" {
		t.Error("the source's own error was changed")
	}
}

func TestCheckpointOfOtherPartsIsRefused(t *testing.T) {
	s := newStores(2, "one", "two", "three")
	src := s.open(t, 0, 1)
	run := begin(t, src, "")
	_, at := read(t, src, run, nil, 0)
	checkpoint := src.Checkpoint(run, at, true)
	for what, other := range map[string]*combined.Source{"a part less": s.open(t, 0), "other parts": s.open(t, 0, 2)} {
		if _, err := other.Begin(t.Context(), checkpoint); bridge.CodeOf(err) != bridge.CodeInvalidCheckpoint {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, err := range s.open(t, 0).Read(t.Context(), run, at, 0) {
		if bridge.CodeOf(err) != bridge.CodeInvalidOffset {
			t.Errorf("an offset of more parts: %v", err)
		}
	}
}

func TestPrefixesThatCouldCollide(t *testing.T) {
	for _, test := range []struct {
		prefixes []string
		problems int
	}{
		{[]string{"a:", "b:"}, 0},
		{[]string{"", "b:"}, 0},
		{[]string{"", ""}, 1},
		{[]string{"a", "a"}, 1},
		{[]string{"a", "ab"}, 1},
		{[]string{"ab", "", "a"}, 1},
		{[]string{" a"}, 1},
		{[]string{"a\n"}, 1},
		{[]string{strings.Repeat("a", 65)}, 1},
		{strings.Split(strings.Repeat("x,", 20)+"x", ","), 211}, // too many, and every pair
	} {
		var parts []combined.Named
		for i, prefix := range test.prefixes {
			parts = append(parts, combined.Named{Name: string(rune('a' + i)), Prefix: prefix})
		}
		problems := 0
		if joined, ok := combined.Check(parts).(interface{ Unwrap() []error }); ok {
			problems = len(joined.Unwrap())
		}
		if problems != test.problems {
			t.Errorf("%q: %d problems, want %d: %v", test.prefixes, problems, test.problems, combined.Check(parts))
		}
	}
}

func TestPrefixesTakeNoMemoryPerContact(t *testing.T) {
	small, large := newStores(2, "one", "two"), newStores(100, "one", "two")
	allocations := func(s stores) float64 {
		src := s.open(t, 0, 1)
		run := begin(t, src, "")
		return testing.AllocsPerRun(20, func() {
			for _, err := range src.Read(t.Context(), run, nil, 0) {
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	if few, many := allocations(small), allocations(large); many > few+20 {
		t.Errorf("%v allocations for 4 contacts, %v for 200", few, many)
	}
}

type panicking struct{ failing }

func (panicking) Begin(context.Context, bridge.Checkpoint) (bridge.Run, error) { panic("a defect") }

// A panic in a part is the caller's, who knows what to do with it.
func TestPanicOfAPartReachesTheCaller(t *testing.T) {
	src := openParts(t, combined.Part{Name: "one", Factory: opening{source: panicking{}}})
	defer func() {
		if recover() == nil {
			t.Error("the panic was lost")
		}
	}()
	_, _ = src.Begin(t.Context(), "")
}

// BenchmarkRead compares reading two stores as one with reading them by themselves. An operation is a contact.
func BenchmarkRead(b *testing.B) {
	s := newStores(1000, "one", "two")
	parts := []*memory.Source{s[0].store.Source(), s[1].store.Source()}
	both, err := combined.New([]combined.Part{
		{Name: "one", Prefix: "one:", Factory: s[0].store.Factory()}, {Name: "two", Prefix: "two:", Factory: s[1].store.Factory()},
	}).Open(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	for name, sources := range map[string][]bridge.Source{"apart": {parts[0], parts[1]}, "combined": {both}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; n < b.N; {
				for _, src := range sources {
					run, err := src.Begin(b.Context(), "")
					if err != nil {
						b.Fatal(err)
					}
					for _, err := range src.Read(b.Context(), run, nil, 0) {
						if err != nil {
							b.Fatal(err)
						}
						n++
					}
				}
			}
		})
	}
}
