package combined

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"unsafe"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// A Source reads several sources one after the other.
type Source struct {
	parts  []*part // in the order in which they are read
	byName []int   // their indexes in the order of their names, in which they are written
}

// A part is an open source.
type part struct {
	Named
	source bridge.Source
	others []string // the prefixes that its ids must not begin with; of a part without a prefix
}

var (
	_ bridge.Source    = (*Source)(nil)
	_ bridge.Describer = (*Source)(nil)
	_ bridge.Prober    = (*Source)(nil)
	_ source.Counter   = (*Source)(nil)
	_ source.Checker   = (*Source)(nil)
	_ source.Inspector = (*Source)(nil)
)

func newSource(parts []*part) *Source {
	for _, p := range parts {
		for _, other := range parts {
			if p != other && p.Prefix == "" {
				p.others = append(p.others, other.Prefix)
			}
		}
	}
	return &Source{parts: parts, byName: byName(parts, func(p *part) string { return p.Name })}
}

// revision is raised when the same sources begin to make other contacts: see [source.SettingsOf].
const revision = "1"

// Describe implements [bridge.Describer]. The digest is over names, prefixes and digests, in the order of the names: a source that is
// added, removed, renamed or configured otherwise is another source; in which order they are read makes no difference.
func (s *Source) Describe(ctx context.Context) (bridge.Description, error) {
	said := make([]bridge.Description, len(s.parts))
	err := atOnce(len(s.parts), func(i int) (err error) {
		if describer, ok := s.parts[i].source.(bridge.Describer); ok {
			said[i], err = describer.Describe(ctx)
		}
		return named(s.parts[i].Name, err)
	})
	if err != nil {
		return bridge.Description{}, err
	}
	all := bridge.Description{Exact: true}
	settings := source.Settings{"combined": revision}
	for i, p := range s.parts {
		settings["prefix."+p.Name], settings["source."+p.Name] = p.Prefix, said[i].Digest
		all.Exact = all.Exact && said[i].Exact
	}
	all.Digest = settings.Digest()
	return all, nil
}

// Begin implements [bridge.Source].
func (s *Source) Begin(ctx context.Context, since bridge.Checkpoint) (bridge.Run, error) {
	marks, err := s.parseCheckpoint(since)
	if err != nil {
		return bridge.Run{}, err
	}
	runs, err := s.begin(ctx, marks)
	if err != nil {
		return bridge.Run{}, err
	}
	if restarted(runs, marks) {
		since, marks = "", make([]bridge.Checkpoint, len(s.parts))
		if runs, err = s.begin(ctx, marks); err != nil {
			return bridge.Run{}, err
		}
	}
	states := make([][]byte, len(runs))
	for i, run := range runs {
		states[i] = run.State
	}
	return bridge.Run{Since: since, State: s.appendState(nil, states)}, nil
}

// begin begins a run of every part.
func (s *Source) begin(ctx context.Context, since []bridge.Checkpoint) ([]bridge.Run, error) {
	runs := make([]bridge.Run, len(s.parts))
	err := atOnce(len(s.parts), func(i int) (err error) {
		runs[i], err = s.parts[i].source.Begin(ctx, since[i])
		return named(s.parts[i].Name, err)
	})
	return runs, err
}

// restarted reports whether a part reads everything although it has a checkpoint.
func restarted(runs []bridge.Run, since []bridge.Checkpoint) bool {
	for i, run := range runs {
		if since[i] != "" && run.Initial() {
			return true
		}
	}
	return false
}

// Read implements [bridge.Source].
func (s *Source) Read(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	return func(yield func(bridge.Change, error) bool) {
		runs, at, err := s.parse(run, after)
		if err != nil {
			yield(bridge.Change{}, err)
			return
		}
		r := reading{source: s, at: at, limit: limit, yield: yield}
		for i := range s.parts {
			if !at.isRead(i) && !r.part(ctx, i, runs[i]) {
				return
			}
		}
	}
}

// A reading is one call of Read.
type reading struct {
	source  *Source
	at      place
	limit   int // 0 means all
	yielded int
	yield   func(bridge.Change, error) bool
	before  []byte // what the positions of the part that is read begin with, and room for the rest
	id      []byte
}

// part reads a part from the place on. It reports whether the next one is to be read.
func (r *reading) part(ctx context.Context, index int, run bridge.Run) (goesOn bool) {
	p, after := r.source.parts[index], r.at.in(index)
	left := 0
	if r.limit > 0 {
		if left = r.limit - r.yielded; left == 0 {
			return false
		}
	}
	r.before = r.source.appendBefore(r.before[:0], r.at, index)
	begin, yielded := len(r.before), r.yielded
	for change, err := range p.source.Read(ctx, run, after, left) {
		if err != nil {
			r.yield(bridge.Change{}, named(p.Name, err))
			return false
		}
		if len(change.Position) > 0 {
			r.before = append(r.before[:begin], change.Position...)
			change.Position = r.before
		}
		r.name(p, &change)
		r.yielded++
		if !r.yield(change, nil) {
			return false
		}
	}
	if left > 0 && r.yielded-yielded >= left {
		return false // it may have ended for the limit
	}
	if r.yielded > yielded {
		after = append(bridge.Position(nil), r.before[begin:]...)
	}
	r.at.finish(index, after)
	return true
}

// name gives a change the id that it has among those of all parts. One that could be another part's is rejected without its
// id: it is unknown to which source it belongs.
func (r *reading) name(p *part, change *bridge.Change) {
	if change.Rejected != "" {
		change.Rejected = p.Name + ": " + change.Rejected
	}
	id := change.Contact.ID
	for _, prefix := range p.others {
		if strings.HasPrefix(id, prefix) {
			change.Rejected = fmt.Sprintf("%s: the id %q begins with %q, as those of another source do", p.Name, id, prefix)
			change.Contact.ID, change.Deleted = "", false
			return
		}
	}
	if p.Prefix != "" && id != "" {
		r.id = append(append(r.id[:0], p.Prefix...), id...)
		change.Contact.ID = unsafe.String(unsafe.SliceData(r.id), len(r.id)) // valid until the iteration goes on, as everything in a change
	}
}

// Checkpoint implements [bridge.Source].
func (s *Source) Checkpoint(run bridge.Run, at bridge.Position, complete bool) bridge.Checkpoint {
	runs, reached, err := s.parse(run, at)
	if err != nil {
		return run.Since
	}
	marks := make([]bridge.Checkpoint, len(s.parts))
	for i, p := range s.parts {
		marks[i] = runs[i].Since
		if !complete && !reached.isRead(i) && reached.current != i {
			continue // it is still to be read
		}
		if mark := p.source.Checkpoint(runs[i], reached.in(i), complete); mark != "" {
			marks[i] = mark
		}
	}
	return s.formatCheckpoint(marks)
}

// Probe implements [bridge.Prober].
func (s *Source) Probe(ctx context.Context) error {
	return atOnce(len(s.parts), func(i int) error {
		p := s.parts[i]
		if prober, ok := p.source.(bridge.Prober); ok {
			return named(p.Name, prober.Probe(ctx))
		}
		_, err := p.source.Begin(ctx, "")
		return named(p.Name, err)
	})
}

// Check implements [source.Checker].
func (s *Source) Check(ctx context.Context) error {
	return atOnce(len(s.parts), func(i int) error {
		p := s.parts[i]
		if checker, ok := p.source.(source.Checker); ok {
			return named(p.Name, checker.Check(ctx))
		}
		_, err := p.source.Begin(ctx, "")
		return named(p.Name, err)
	})
}

// Count implements [source.Counter]: -1 if one of the parts does not know.
func (s *Source) Count(ctx context.Context) (int64, error) {
	counts := make([]int64, len(s.parts))
	err := atOnce(len(s.parts), func(i int) (err error) {
		counts[i] = -1
		if counter, ok := s.parts[i].source.(source.Counter); ok {
			counts[i], err = counter.Count(ctx)
		}
		return named(s.parts[i].Name, err)
	})
	sum := int64(0)
	for _, n := range counts {
		if n < 0 || err != nil {
			return -1, err
		}
		sum += n
	}
	return sum, nil
}

// Close implements [bridge.Source].
func (s *Source) Close() error {
	var errs []error
	for _, p := range s.parts {
		errs = append(errs, named(p.Name, p.source.Close()))
	}
	return errors.Join(errs...)
}
