package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync/atomic"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
)

// A Source reads the contacts of the files of one location.
type Source struct {
	files   *files
	release func() // gives the files back; more than once does nothing

	looked atomic.Bool            // Repeats has opened the files
	kept   atomic.Pointer[opened] // by Repeats, for the next reading; may be nil
}

var (
	_ bridge.Source    = (*Source)(nil)
	_ bridge.Describer = (*Source)(nil)
	_ bridge.Prober    = (*Source)(nil)
	_ bridge.Splitter  = (*Source)(nil)
	_ bridge.Encoder   = (*Source)(nil)
	_ bridge.Repeater  = (*Source)(nil)
	_ source.Counter   = (*Source)(nil)
	_ source.Checker   = (*Source)(nil)
	_ source.Inspector = (*Source)(nil)
)

// Describe implements [bridge.Describer]. A position is a place in one version of the files, and offsets of another version
// are refused, so that no run is made of two.
func (s *Source) Describe(context.Context) (bridge.Description, error) {
	return bridge.Description{Digest: s.files.scope, Exact: true}, nil
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
	o, err := s.files.open(ctx)
	if err != nil {
		return bridge.Run{}, err
	}
	defer o.close()
	v := o.version
	state := state{sum: v.sum, names: v.names.short(), sorted: v.index != nil}
	if state.sorted {
		state.horizon = v.index.horizon
	}
	if since != "" {
		c, err := parseCheckpoint(since, state.sorted, s.files.factory.kind())
		if err != nil {
			return bridge.Run{}, keyset.InvalidCheckpoint(err)
		}
		state.unchanged = c.version == v.sum.text()
		if !state.unchanged && s.readsWhole(c, state) {
			since = ""
		}
	}
	return bridge.Run{Since: since, State: state.encode()}, nil
}

// readsWhole reports whether a run over a version that is not the checkpoint's reads everything. Without an order it does (E10), and
// over other files, since what is in them may be old. So it does where the version is older than the checkpoint (T13): a checkpoint is
// never beyond the horizon that it was made with, so a backup was put back, a clock was set back, or the newest records were removed.
// The run's own checkpoint is made with the lower horizon, so the next run goes on from there.
func (s *Source) readsWhole(c checkpoint, state state) bool {
	if !state.sorted || c.names != state.names {
		return true
	}
	older := c.compare(checkpoint{updated: state.horizon}) > 0
	if older {
		s.files.factory.deps.Logger.Warn("the file is older than the checkpoint: an earlier version was put back, a clock was set back, or its newest records were removed, so everything is read again",
			"file", s.files.name())
	}
	return older
}

// Read implements [bridge.Source].
func (s *Source) Read(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	return s.ReadEncoded(ctx, run, after, limit, bridge.Encoding{})
}

// ReadEncoded implements [bridge.Encoder]. With the zero Encoding it encodes nothing.
func (s *Source) ReadEncoded(
	ctx context.Context, run bridge.Run, after bridge.Position, limit int, e bridge.Encoding,
) iter.Seq2[bridge.Change, error] {
	return func(yield func(bridge.Change, error) bool) {
		r := &reading{files: s.files, o: s.kept.Swap(nil), limit: limit, yield: yield, sent: e.Sent, give: e.Take}
		if err := r.read(ctx, run, after); err != nil {
			yield(bridge.Change{}, fmt.Errorf("read contacts: %w", err))
		}
	}
}

// A reading is one call of Read.
type reading struct {
	files    *files
	limit    int
	yield    func(bridge.Change, error) bool
	sent     func(*contact.Contact) bool                   // whether a contact is sent as it is; nil where none is encoded
	give     func(json []byte, after bridge.Position) bool // gives away a contact that was encoded; nil where it is yielded
	o        *opened                                       // nil until it is opened
	version  *version
	cursor   *cursor
	row      record.Row
	json     []byte // of the last contact that was encoded
	encoded  int    // contacts
	missed   int    // records that it was tried with in vain
	position []byte
	yielded  int
	faults   int
	fault    string // the first of them
}

// read yields the changes. Its error is nil when yield wanted no more.
func (r *reading) read(ctx context.Context, run bridge.Run, after bridge.Position) (err error) {
	defer func() {
		if r.o != nil {
			r.o.close()
		}
	}()
	state, err := parseState(run.State)
	if err != nil {
		return keyset.InvalidOffset(err)
	}
	if r.o == nil {
		if r.o, err = r.files.open(ctx); err != nil {
			return err
		}
	}
	r.version = r.o.version
	if state.sum != r.version.sum {
		return changed(nil)
	}
	if state.sorted != (r.version.index != nil) {
		return keyset.InvalidOffset(errors.New("a run of another configuration"))
	}
	r.cursor = r.o.cursor()
	if state.sorted {
		err = r.sorted(ctx, run, state, after)
	} else {
		err = r.unsorted(ctx, state, after)
	}
	r.warn()
	return err
}

// changed returns the error of a run with files that have changed since the run began.
func changed(cause error) error {
	return &bridge.Error{
		Code:    bridge.CodeInvalidOffset,
		Message: "the file has changed since this run began",
		Hint:    "Start the run again from its checkpoint. If the file changes all the time, replace it less often, by renaming a complete one over it.",
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
	if err := r.o.unchanged(); err != nil {
		return changed(err)
	}
	return nil
}

// broken makes an error of the cursor the run's: a file that is no longer the version's ends it.
func (r *reading) broken(ctx context.Context, err error) error {
	err = r.files.wrapReading(ctx, err)
	if errors.Is(err, errReplaced) || errors.Is(err, errWritten) {
		return changed(err)
	}
	return err
}

// unsorted reads the records in the order of the files.
func (r *reading) unsorted(ctx context.Context, state state, after bridge.Position) error {
	if len(after) > 0 {
		offset, err := parseOffset(after)
		if err != nil {
			return keyset.InvalidOffset(err)
		}
		found, err := r.version.starts.find(ctx, r.cursor, offset)
		if err != nil {
			return r.broken(ctx, err)
		}
		if !found {
			return keyset.InvalidOffset(errors.New("no record starts there"))
		}
	}
	if state.unchanged {
		return ctx.Err()
	}
	noted := r.cursor.End.Offset
	for n := 0; r.wantsMore() || len(r.position) == 0; n++ { // never to end where no page may
		if err := r.check(ctx, n); err != nil {
			return err
		}
		if end := r.cursor.End; end.Offset-noted >= startsEvery && !r.cursor.Uncut {
			noted = end.Offset
			r.version.starts.note(end)
		}
		if err := r.cursor.next(); errors.Is(err, io.EOF) {
			return r.unchanged()
		} else if err != nil {
			return r.broken(ctx, err)
		}
		if r.cursor.Fault == nil {
			r.fill(ctx)
		} else {
			r.reject("", r.cursor.explain(r.cursor.Reason))
		}
		r.position = appendOffset(r.position[:0], r.cursor.End.Offset)
		if r.cursor.Uncut {
			r.position = r.position[:0]
		}
		if !r.pass() {
			return nil
		}
	}
	return nil
}

// fill makes the row the contact of the record that was read last.
func (r *reading) fill(ctx context.Context) {
	if r.sent != nil && r.missed <= r.encoded+mostMissed {
		if r.encode() {
			r.encoded++
			return
		}
		r.missed++
	}
	m := r.version.mapping
	r.row.Bare = r.cursor.Bare
	if err := m.contact(&r.row, r.cursor.Values); err != nil {
		id := strings.Clone(r.row.Contact.ID)
		r.findLine(ctx)
		r.reject(id, r.cursor.explain(err.Error()))
		return
	}
	m.id.number(&r.row, r.cursor.Start.Offset)
}

// mostMissed is how many more records may be encoded in vain than are encoded. In some files every record has a list that is taken apart before
// it is sent: to try each would take longer than to make contacts of them at once.
const mostMissed = 8

// encode makes the row the JSON of the record that was read last. It returns false where that takes the contact.
func (r *reading) encode() bool {
	m := r.version.mapping
	id, ok := m.idColumn(r.cursor.Values)
	if !ok || m.isGone(r.cursor.Values) {
		return false
	}
	if r.json, ok = m.fields.AppendJSON(r.json[:0], &r.row, id, r.cursor.Values); !ok || !r.sent(&r.row.Contact) {
		return false
	}
	r.row.JSON = r.json
	return true
}

// findLine finds the line of the record that was read last, where reading jumped to it. What it holds is lost.
func (r *reading) findLine(ctx context.Context) {
	if r.cursor.Start.Line > 0 {
		return
	}
	offset := r.cursor.Start.Offset
	if found, err := r.version.starts.find(ctx, r.cursor, offset); err == nil && found {
		r.cursor.Start = r.cursor.End
	}
}

// sorted reads the records in the order of the index.
func (r *reading) sorted(ctx context.Context, run bridge.Run, state state, after bridge.Position) error {
	x := r.version.index
	next, err := x.next(run, after, r.files.factory.kind())
	if err != nil {
		return err
	}
	if state.unchanged {
		return ctx.Err()
	}
	for n := 0; next < len(x.rows) && (r.wantsMore() || len(r.position) == 0); n++ {
		if err := r.check(ctx, n); err != nil {
			return err
		}
		if err := r.take(ctx, x.rows[next]); err != nil {
			return err
		}
		r.position = r.position[:0]
		if len(r.row.Contact.ID) <= contact.MaxID { // else the offset would be too long: the page ends elsewhere
			r.position = appendPlace(r.position, rank{rank: next, updated: x.rows[next].updated(), id: r.row.Contact.ID})
		}
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

// next returns the first row of the index that comes after a position of a run.
func (x *index) next(run bridge.Run, after bridge.Position, kind string) (int, error) {
	next := 0
	if !run.Initial() {
		since, err := parseCheckpoint(run.Since, true, kind)
		if err != nil {
			return 0, keyset.InvalidOffset(err)
		}
		next = x.after(since.updated, since.id, since.hasID)
	}
	if len(after) > 0 {
		at, err := parsePlace(after)
		if err != nil || !x.has(at) || at.rank < next {
			return 0, keyset.InvalidOffset(err)
		}
		next = at.rank + 1
	}
	return next, nil
}

// Split implements [bridge.Splitter]: the index knows where the middle of a page is.
func (s *Source) Split(ctx context.Context, run bridge.Run, after bridge.Position, limit int) (middle bridge.Position, first int) {
	state, err := parseState(run.State)
	if err != nil || !state.sorted || state.unchanged {
		return nil, 0
	}
	if s.files.acquire(ctx) != nil {
		return nil, 0
	}
	v := s.files.known // it is not waited for another one: Read does that
	s.files.unlock()
	if v == nil || v.index == nil || state.sum != v.sum {
		return nil, 0
	}
	x := v.index
	next, err := x.next(run, after, s.files.factory.kind())
	if err != nil {
		return nil, 0
	}
	first = min(limit, len(x.rows)-next) / 2
	if first <= 0 {
		return nil, 0
	}
	last := next + first - 1
	id := x.id(x.rows[last])
	if len(id) > contact.MaxID {
		return nil, 0
	}
	return appendPlace(nil, rank{rank: last, updated: x.rows[last].updated(), id: string(id)}), first
}

// Repeats implements [bridge.Repeater]: the files are still the version that the run is over, and could be opened. A version that is looked at
// again for every page, because a file is so young, is not repeated, nor are more files than a reading holds open.
func (s *Source) Repeats(ctx context.Context, run bridge.Run) bool {
	state, err := parseState(run.State)
	if err != nil || s.files.acquire(ctx) != nil {
		return false
	}
	v := s.files.known // another one is for Read to examine
	v.retain()
	s.files.unlock()
	if v == nil {
		return false
	}
	o := &opened{files: s.files, version: v}
	if v.settle || v.sum != state.sum || len(v.files) > mostOpen || !o.repeats(!s.looked.Load()) {
		o.close()
		return false
	}
	if s.looked.Store(true); len(o.open) == 0 {
		o.close()
	} else if before := s.kept.Swap(o); before != nil {
		before.close()
	}
	return true
}

// repeats reports whether the files are the version's. With open it opens them too.
func (o *opened) repeats(open bool) bool {
	list, _, err := o.files.find()
	if err != nil || !same(o.version.files, list) {
		return false
	}
	for i := range list {
		if !open {
			break
		}
		if _, err := o.get(i); err != nil {
			return false
		}
	}
	return true
}

// take makes the row the record at a place of the index.
func (r *reading) take(ctx context.Context, p place) error {
	if reason, bad := r.version.index.faults[p.offset()]; bad {
		r.reject("", reason)
		return nil
	}
	if err := r.cursor.seek(Place{Offset: p.offset()}); err != nil {
		return r.broken(ctx, err)
	}
	if err := r.cursor.next(); errors.Is(err, io.EOF) || err == nil && r.cursor.Fault != nil {
		return changed(nil)
	} else if err != nil {
		return r.broken(ctx, err)
	}
	r.fill(ctx)
	if r.row.Contact.ID != string(r.version.index.id(p)) {
		return changed(nil)
	}
	return nil
}

func (r *reading) wantsMore() bool { return r.limit <= 0 || r.yielded < r.limit }

// pass yields the row.
func (r *reading) pass() bool {
	r.yielded++
	if r.give != nil && r.row.JSON != nil {
		return r.give(r.row.JSON, r.position)
	}
	r.row.Position = r.position
	return r.yield(r.row.Change, nil)
}

// reject makes the row one that cannot be read (D8). Its id may be empty.
func (r *reading) reject(id, reason string) {
	r.row.Start(id, false)
	r.row.Rejected = reason
	if r.faults++; r.faults == 1 {
		r.fault = reason
	}
}

// warn says once for every version of the files that records were left out.
func (r *reading) warn() {
	if r.faults > 0 && r.version.warned.CompareAndSwap(false, true) {
		r.files.factory.deps.Logger.Warn("records of a file cannot be read: no contact is taken for gone while they are there",
			"file", r.files.name(), "records", r.faults, "first", r.fault, "hint", "contactbridge preview lists them")
	}
}

// Checkpoint implements [bridge.Source].
func (s *Source) Checkpoint(run bridge.Run, at bridge.Position, complete bool) bridge.Checkpoint {
	return checkpointOf(run, at, complete, s.files.factory.kind())
}

// Probe implements [bridge.Prober]: the credentials are good if they name files that can be read.
func (s *Source) Probe(ctx context.Context) error {
	if err := s.probe(ctx); err != nil {
		return fmt.Errorf("check credentials: %w", err)
	}
	return nil
}

func (s *Source) probe(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	list, many, err := s.files.find()
	if err != nil {
		return err
	}
	o := &opened{files: s.files, version: newVersion(list, many, s.files.factory.deps.Clock.Now())}
	defer o.closeFiles()
	_, err = o.get(0)
	return err
}

// Check implements [source.Checker]: the files can be read, and have the configured columns. What has to be read for that is not
// read again by the first page. A new version that takes longer than ctx allows is good as far as anybody knows.
func (s *Source) Check(ctx context.Context) error {
	o, err := s.files.open(ctx)
	if errors.Is(err, source.ErrBusy) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("check source: %w", err)
	}
	o.close()
	return nil
}

// Count implements [source.Counter]: the number of records. They are counted once for every version of the files.
func (s *Source) Count(ctx context.Context) (int64, error) {
	n, err := s.count(ctx)
	if err != nil {
		return -1, fmt.Errorf("count contacts: %w", err)
	}
	return n, nil
}

func (s *Source) count(ctx context.Context) (int64, error) {
	o, err := s.files.open(ctx)
	if err != nil {
		return -1, err
	}
	defer o.close()
	v := o.version
	if v.index != nil {
		return int64(len(v.index.rows) - len(v.index.faults)), nil
	}
	if n := v.count.Load(); n >= 0 {
		return n, nil
	}
	n := int64(0)
	c := o.cursor()
	for read := 0; ; read++ {
		if read%checkEvery == 0 && ctx.Err() != nil {
			return -1, ctx.Err()
		}
		if err := c.next(); errors.Is(err, io.EOF) {
			v.count.Store(n)
			return n, nil
		} else if err != nil {
			return -1, s.files.wrapReading(ctx, err)
		}
		if c.Fault == nil {
			n++
		}
	}
}

// Close implements [bridge.Source].
func (s *Source) Close() error {
	if o := s.kept.Swap(nil); o != nil {
		o.close()
	}
	s.release()
	return nil
}
