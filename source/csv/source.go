package csv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
)

// A Source reads the contacts of one file.
type Source struct {
	file    *file
	release func() // gives the file back; more than once does nothing
}

var (
	_ bridge.Source    = (*Source)(nil)
	_ bridge.Describer = (*Source)(nil)
	_ bridge.Prober    = (*Source)(nil)
	_ source.Counter   = (*Source)(nil)
	_ source.Checker   = (*Source)(nil)
	_ source.Inspector = (*Source)(nil)
)

// Describe implements [bridge.Describer]. A position is a place in one version of the file, and offsets of another version
// are refused, so that no run is made of two.
func (s *Source) Describe(context.Context) (bridge.Description, error) {
	return bridge.Description{Digest: s.file.scope, Exact: true}, nil
}

// Begin implements [bridge.Source].
func (s *Source) Begin(ctx context.Context, since bridge.Checkpoint) (bridge.Run, error) {
	run, err := s.begin(ctx, since)
	if err != nil {
		return bridge.Run{}, fmt.Errorf("begin run: %w", err)
	}
	return run, nil
}

func (s *Source) begin(ctx context.Context, since bridge.Checkpoint) (bridge.Run, error) {
	opened, v, err := s.file.open(ctx)
	if err != nil {
		return bridge.Run{}, err
	}
	if err := opened.Close(); err != nil {
		return bridge.Run{}, s.file.wrap(err)
	}
	state := state{sum: v.sum, sorted: v.index != nil}
	if state.sorted {
		state.horizon = v.index.horizon
	}
	if since != "" {
		c, err := parseCheckpoint(since, state.sorted)
		if err != nil {
			return bridge.Run{}, keyset.InvalidCheckpoint(err)
		}
		state.unchanged = c.version == v.sum.short()
		if !state.sorted && !state.unchanged {
			since = "" // another version is read whole (E10)
		}
	}
	return bridge.Run{Since: since, State: state.encode()}, nil
}

// Read implements [bridge.Source].
func (s *Source) Read(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	return func(yield func(bridge.Change, error) bool) {
		r := &reading{file: s.file, limit: limit, yield: yield}
		if err := r.read(ctx, run, after); err != nil {
			yield(bridge.Change{}, fmt.Errorf("read contacts: %w", err))
		}
	}
}

// A reading is one call of Read.
type reading struct {
	file     *file
	limit    int
	yield    func(bridge.Change, error) bool
	opened   *os.File
	version  *version
	records  *records
	row      record.Row
	position []byte
	yielded  int
	faults   int
	fault    string // the first of them
}

// read yields the changes. Its error is nil when yield wanted no more.
func (r *reading) read(ctx context.Context, run bridge.Run, after bridge.Position) (err error) {
	state, err := parseState(run.State)
	if err != nil {
		return keyset.InvalidOffset(err)
	}
	if r.opened, r.version, err = r.file.open(ctx); err != nil {
		return err
	}
	defer func() {
		if closing := r.opened.Close(); err == nil && closing != nil {
			err = r.file.wrap(closing)
		}
	}()
	if state.sum != r.version.sum {
		return changed(nil)
	}
	if state.sorted != (r.version.index != nil) {
		return keyset.InvalidOffset(errors.New("a run of another configuration"))
	}
	r.records = r.version.records(r.opened)
	switch {
	case state.sorted:
		err = r.sorted(ctx, run, state, after)
	default:
		err = r.unsorted(ctx, state, after)
	}
	r.warn()
	return err
}

// changed is the error of a run whose file is not what it was when the run began.
func changed(cause error) error {
	return &bridge.Error{
		Code:    bridge.CodeInvalidOffset,
		Message: "the file has changed since this run began",
		Hint:    "start the run again from its checkpoint; if the file changes all the time, replace it by renaming a complete one over it, less often",
		Err:     cause,
	}
}

// check looks from time to time whether reading may go on.
func (r *reading) check(ctx context.Context, n int) error {
	if n%checkEvery == 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		return r.unchanged()
	}
	return nil
}

func (r *reading) unchanged() error {
	if err := r.file.unchanged(r.opened, r.version.info); err != nil {
		return changed(err)
	}
	return nil
}

// unsorted reads the records in the order of the file.
func (r *reading) unsorted(ctx context.Context, state state, after bridge.Position) error {
	if len(after) > 0 {
		offset, err := parseOffset(after)
		if err != nil {
			return keyset.InvalidOffset(err)
		}
		starts, err := r.version.starts.has(ctx, r.records, offset)
		if err != nil {
			return r.file.wrapReading(ctx, err)
		}
		if !starts {
			return keyset.InvalidOffset(errors.New("no row starts there"))
		}
		r.records.seek(offset, 0)
	}
	if state.unchanged {
		return ctx.Err()
	}
	noted := r.records.end
	for n := 0; r.wantsMore() || len(r.position) == 0; n++ { // never to end where no page may
		if err := r.check(ctx, n); err != nil {
			return err
		}
		if r.records.end-noted >= startsEvery {
			noted = r.records.end
			r.version.starts.note(noted)
		}
		fault, err := r.records.read()
		if errors.Is(err, io.EOF) {
			return r.unchanged()
		}
		if err != nil {
			return r.file.wrap(err)
		}
		if fault == emptyRow {
			continue
		}
		if fault == good {
			r.fill()
		} else {
			r.reject(r.records.explain(fault, r.line()))
		}
		r.position = appendOffset(r.position[:0], r.records.end)
		if r.records.doubt > 0 && r.records.end < r.version.info.Size() {
			r.position = r.position[:0] // what comes is read with this in mind
		}
		if !r.pass() {
			return nil
		}
	}
	return nil
}

// fill makes the row the contact of the record that was read last.
func (r *reading) fill() {
	r.version.mapping.contact(&r.row, r.records.fields)
	r.version.mapping.id.number(&r.row, r.records.start)
}

// sorted reads the records in the order of the index.
func (r *reading) sorted(ctx context.Context, run bridge.Run, state state, after bridge.Position) error {
	x := r.version.index
	next := 0
	if !run.Initial() {
		since, err := parseCheckpoint(run.Since, true)
		if err != nil {
			return keyset.InvalidOffset(err)
		}
		next = x.behind(since.updated, since.id, since.hasID)
	}
	if len(after) > 0 {
		at, err := parsePlace(after)
		if err != nil || !x.has(at) || at.rank < next {
			return keyset.InvalidOffset(err)
		}
		next = at.rank + 1
	}
	if state.unchanged {
		return ctx.Err()
	}
	for n := 0; next < len(x.rows) && r.wantsMore(); n++ {
		if err := r.check(ctx, n); err != nil {
			return err
		}
		p := x.rows[next]
		if reason, bad := x.faults[p.offset]; bad {
			r.reject(reason)
			r.position = appendPlace(r.position[:0], rank{rank: next, updated: p.updated})
			if !r.pass() {
				return nil
			}
			next++
			continue
		}
		r.records.seek(p.offset, 0)
		fault, err := r.records.read()
		if err != nil && !errors.Is(err, io.EOF) {
			return r.file.wrap(err)
		}
		if errors.Is(err, io.EOF) || fault != good {
			return changed(nil)
		}
		r.fill()
		if r.row.Contact.ID != string(x.id(p)) {
			return changed(nil)
		}
		r.position = appendPlace(r.position[:0], rank{rank: next, updated: p.updated, id: r.row.Contact.ID})
		if !r.pass() {
			return nil
		}
		next++
	}
	if next == len(x.rows) {
		return r.unchanged()
	}
	return nil
}

func (r *reading) wantsMore() bool { return r.limit <= 0 || r.yielded < r.limit }

// pass yields the row.
func (r *reading) pass() bool {
	r.yielded++
	r.row.Position = r.position
	return r.yield(r.row.Change, nil)
}

// reject makes the row one that cannot be read (D8).
func (r *reading) reject(reason string) {
	r.row.Start("", false)
	r.row.Rejected = reason
	if r.faults++; r.faults == 1 {
		r.fault = reason
	}
}

// line returns the line number of the record that was read.
func (r *reading) line() int { return r.version.lines.number(r.version, r.opened, r.records.start) }

// warn says once for every version of the file that rows were left out.
func (r *reading) warn() {
	if r.faults > 0 && r.version.warned.CompareAndSwap(false, true) {
		r.file.factory.logger.Warn("rows of a CSV file cannot be read: no contact is taken for gone while they are there",
			"file", r.file.name(), "rows", r.faults, "first", r.fault, "hint", "contactbridge preview lists them")
	}
}

// Checkpoint implements [bridge.Source].
func (s *Source) Checkpoint(run bridge.Run, at bridge.Position, complete bool) bridge.Checkpoint {
	return checkpointOf(run, at, complete)
}

// Probe implements [bridge.Prober]: the credentials are good if they name a file that can be read.
func (s *Source) Probe(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	opened, _, err := s.file.openRegular()
	if err != nil {
		return fmt.Errorf("check credentials: %w", err)
	}
	return opened.Close()
}

// Check implements [source.Checker]: the file can be read, and its first row has the configured columns.
func (s *Source) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	opened, _, err := s.file.openRegular()
	if err != nil {
		return fmt.Errorf("check source: %w", err)
	}
	defer func() { _ = opened.Close() }() // it was only read
	if err := s.file.readHeader(opened, &version{}); err != nil {
		return fmt.Errorf("check source: %w", err)
	}
	return nil
}

// Count implements [source.Counter]: the number of rows. It is counted once for every version of the file.
func (s *Source) Count(ctx context.Context) (int64, error) {
	opened, v, err := s.file.open(ctx)
	if err != nil {
		return -1, fmt.Errorf("count contacts: %w", err)
	}
	defer func() { _ = opened.Close() }() // it was only read
	if v.index != nil {
		return int64(len(v.index.rows) - len(v.index.faults)), nil
	}
	if n := v.count.Load(); n >= 0 {
		return n, nil
	}
	n := int64(0)
	r := v.records(opened)
	for read := 0; ; read++ {
		if read%checkEvery == 0 && ctx.Err() != nil {
			return -1, ctx.Err()
		}
		fault, err := r.read()
		if errors.Is(err, io.EOF) {
			v.count.Store(n)
			return n, nil
		}
		if err != nil {
			return -1, fmt.Errorf("count contacts: %w", s.file.wrap(err))
		}
		if fault == good {
			n++
		}
	}
}

// Close implements [bridge.Source].
func (s *Source) Close() error {
	s.release()
	return nil
}
