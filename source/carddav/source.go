package carddav

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sort"
	"strings"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/vcard"
)

// A Source reads the address books of one user of one server.
type Source struct {
	account *account
	factory *factory
	release func() // gives the account back; more than once does nothing
}

var (
	_ bridge.Source    = (*Source)(nil)
	_ bridge.Describer = (*Source)(nil)
	_ bridge.Prober    = (*Source)(nil)
	_ source.Checker   = (*Source)(nil)
	_ source.Counter   = (*Source)(nil)
	_ source.Inspector = (*Source)(nil)
)

func invalidOffset(cause error) error { return keyset.InvalidOffset(cause) }

// Describe implements [bridge.Describer]. A position is a card's path, which no change of the card moves: a run goes on after it however
// long it was interrupted.
func (s *Source) Describe(context.Context) (bridge.Description, error) {
	return bridge.Description{Digest: s.account.digest, Exact: true}, nil
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
	var from state
	if since != "" {
		var err error
		if from, err = parseCheckpoint(since); err != nil {
			return bridge.Run{}, keyset.InvalidCheckpoint(err)
		}
	}
	b, err := fly(ctx, s.account, "begin "+string(since), func(ctx context.Context) (begun, error) {
		return s.account.begin(ctx, since, from)
	})
	if err != nil {
		return bridge.Run{}, err
	}
	run := bridge.Run{Since: b.since, State: b.state.encode()}
	s.account.keep(&list{key: keyOf(run), entries: b.entries})
	return run, nil
}

// keyOf names a run among the lists that are kept.
func keyOf(run bridge.Run) string { return string(run.Since) + "\x00" + string(run.State) }

// list returns a run's list: the one that is kept, or one that is made again.
func (s *Source) list(ctx context.Context, run bridge.Run, st state) (*list, error) {
	key := keyOf(run)
	if l := s.account.kept(key); l != nil {
		return l, nil
	}
	l, err := fly(ctx, s.account, "list "+key, func(ctx context.Context) (*list, error) {
		all, more, err := s.account.again(ctx, run, st)
		return &list{key: key, entries: all, more: more}, err
	})
	if err != nil {
		return nil, err
	}
	s.account.keep(l)
	return l, nil
}

// Read implements [bridge.Source].
func (s *Source) Read(ctx context.Context, run bridge.Run, after bridge.Position, limit int) iter.Seq2[bridge.Change, error] {
	return func(yield func(bridge.Change, error) bool) {
		r := &reading{source: s, run: run, limit: limit, yield: yield}
		if err := r.read(ctx, after); err != nil {
			yield(bridge.Change{}, fmt.Errorf("read contacts: %w", err))
		}
	}
}

// A reading is one call of Read.
type reading struct {
	source  *Source
	run     bridge.Run
	limit   int
	yield   func(bridge.Change, error) bool
	sum     uint32
	cards   *vcard.Reader
	row     record.Row
	listed  state  // markers of the list, if it was made again
	book    string // the one of the latest card
	later   state  // markers of what was asked after the run began
	more    []byte // the same, for positions
	at      bridge.Position
	yielded int
	wrong   int
	first   string // what is wrong with the first of them
	state   state
	gone    map[string]bool // cards that the server named as gone since the run began
	held    bool            // a marker was noted that no position holds yet
}

// read yields the changes. Its error is nil when yield wanted no more.
func (r *reading) read(ctx context.Context, after bridge.Position) error {
	st, err := parseState(r.run.State)
	if err != nil {
		return invalidOffset(err)
	}
	r.state, r.sum = st, runSum(r.run)
	from := ""
	var more state
	if len(after) > 0 {
		if from, more, err = parsePosition(after, r.sum); err != nil {
			return invalidOffset(err)
		}
	}
	l, err := r.source.list(ctx, r.run, st)
	if err != nil {
		return err
	}
	r.listed = l.more
	r.note(more...)
	entries := l.entries
	entries = entries[sort.Search(len(entries), func(i int) bool { return entries[i].path > from }):]
	r.cards = vcard.NewReader(r.source.factory.texts)
	err = r.readAll(ctx, entries)
	r.warn()
	return err
}

// readAll yields entries; while a batch is yielded the next one is on its way.
func (r *reading) readAll(ctx context.Context, entries []entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &pipeline{ctx: ctx, account: r.source.account, left: entries}
	defer p.wait()
	defer cancel() // before that
	p.start(r.remaining(0))
	for {
		batch, err := p.next()
		if err != nil || len(batch) == 0 {
			return err
		}
		if left := r.remaining(len(batch)); left != 0 {
			p.start(left)
		}
		if err := r.settle(ctx, batch); err != nil {
			return err
		}
		for i := range batch {
			if err := r.confirm(ctx, &batch[i]); err != nil {
				return err
			}
			if !r.pass(&batch[i]) {
				return nil
			}
		}
		if r.limit > 0 && r.yielded >= r.limit {
			return nil
		}
		p.start(r.remaining(0)) // if cards were left out
	}
}

// remaining returns how many cards are still wanted besides those that come already: -1 for all, 0 for none.
func (r *reading) remaining(coming int) int {
	if r.limit <= 0 {
		return -1
	}
	return max(0, r.limit-r.yielded-coming)
}

// A pipeline fetches one batch ahead.
type pipeline struct {
	ctx     context.Context
	account *account
	left    []entry
	coming  chan fetchedBatch // nil while nothing is on its way
}

type fetchedBatch struct {
	cards []fetched
	err   error
}

// start has at most that many cards fetched, -1 for any number, unless some are on their way.
func (p *pipeline) start(most int) {
	if p.coming != nil || most == 0 || len(p.left) == 0 {
		return
	}
	n := min(p.account.batches.next(), len(p.left))
	if most > 0 {
		n = min(n, most)
	}
	n = sameBook(p.left[:n])
	batch := p.left[:n]
	p.left = p.left[n:]
	coming := make(chan fetchedBatch, 1)
	p.coming = coming
	go func() {
		cards, err := p.account.fetch(p.ctx, batch)
		coming <- fetchedBatch{cards, err}
	}()
}

// sameBook returns how many of the entries at the front are in one book.
func sameBook(entries []entry) int {
	book := parentOf(entries[0].path)
	for i := range entries {
		if parentOf(entries[i].path) != book {
			return i
		}
	}
	return len(entries)
}

// next returns the batch that is on its way; nothing if there is none.
func (p *pipeline) next() ([]fetched, error) {
	if p.coming == nil {
		return nil, nil
	}
	got := <-p.coming
	p.coming = nil
	return got.cards, got.err
}

// wait waits for what is on its way, which nobody wants any more.
func (p *pipeline) wait() { _, _ = p.next() }

// confirm asks the server about a card that it listed and did not have: where it does not name it as gone, it has it and does not give it.
func (r *reading) confirm(ctx context.Context, f *fetched) error {
	if !f.absent || r.gone[f.path] {
		return nil
	}
	book := parentOf(f.path)
	m, ok := r.state.of(book)
	if !ok {
		f.absent, f.wrong = false, "the server lists it, and does not have it"
		return nil
	}
	there, now, err := r.source.account.goneSince(ctx, m)
	if err != nil {
		return r.source.account.bookError(err)
	}
	switch {
	case now != m: // should the card come back as it was, there are servers that name it only since this answer
		r.note(now)
	case m.mode == byDigest: // the same digest would say that nothing has changed
		r.note(marker{mode: tooOften})
	}
	if r.gone == nil {
		r.gone = map[string]bool{}
	}
	for path, gone := range there {
		if gone {
			r.gone[path] = true
		}
	}
	if gone, named := there[f.path]; gone || !named && m.mode == byDigest {
		r.gone[f.path] = true
		return nil
	}
	f.absent, f.wrong = false, "the server lists it, and does not have it"
	return nil
}

// pass yields what became of an entry. What a run that began from a checkpoint finds gone it says, since it was listed as changed: otherwise
// the contact would stay in a version that was old already when the run began.
func (r *reading) pass(f *fetched) bool {
	id := f.path
	switch {
	case f.absent && r.run.Initial() && !r.held:
		return true
	case f.absent: // in an initial run for its position, which holds the marker of that answer
		r.row.Start(id, true)
	case f.gone:
		r.row.Start(id, true)
	case f.wrong != "":
		r.reject(id, f.path, f.wrong)
	default:
		card := r.cards.Read(f.card)
		switch {
		case card.Group && r.run.Initial():
			return true
		case card.Group: // it may have been a contact before
			r.row.Start(id, true)
		case card.Wrong != "":
			r.reject(id, f.path, card.Wrong)
		default:
			r.row.Start(id, false)
			if err := r.source.factory.mapper.Fill(&r.row, card.Values); err != nil {
				r.reject(id, f.path, err.Error())
			}
		}
	}
	if book := parentOf(f.path); book != r.book { // only of books that are read from it does a list need its marker
		r.book = book
		if m, ok := r.listed.of(book); ok {
			r.note(m)
		}
	}
	r.yielded++
	r.at = appendPosition(r.at, r.sum, r.more, f.path)
	r.row.Position, r.held = r.at, false
	return r.yield(r.row.Change, nil)
}

// note has the positions from now on hold markers, too.
func (r *reading) note(more ...marker) {
	if len(more) > 0 {
		r.later = r.later.gather(more...)
		r.more, r.held = r.later.encode(), true
	}
}

// reject makes the row a card that cannot be read (D8).
func (r *reading) reject(id, path, why string) {
	r.row.Start(id, false)
	r.row.Rejected = fmt.Sprintf("the card %s: %s", path, why)
	if r.wrong++; r.wrong == 1 {
		r.first = strings.Clone(r.row.Rejected)
	}
}

// warn says that cards were left out.
func (r *reading) warn() {
	if r.wrong > 0 {
		r.source.factory.deps.Logger.Warn("cards cannot be read: the contacts stay as they were",
			"server", r.source.account.where(), "cards", r.wrong, "first", r.first, "hint", "contactbridge preview lists them")
	}
}

// Checkpoint implements [bridge.Source]. The cards of a run have no order in time, so that only a complete one has a checkpoint (E7): that of
// its begin, with the markers of lists that were made again.
func (s *Source) Checkpoint(run bridge.Run, at bridge.Position, complete bool) bridge.Checkpoint {
	if !complete {
		return run.Since
	}
	st, err := parseState(run.State)
	if err != nil {
		return ""
	}
	if len(at) > 0 {
		if _, more, err := parsePosition(at, runSum(run)); err == nil {
			st = st.with(more)
		}
	}
	return st.checkpoint()
}

// Probe implements [bridge.Prober].
func (s *Source) Probe(ctx context.Context) error {
	if err := s.probe(ctx); err != nil {
		return fmt.Errorf("check credentials: %w", err)
	}
	return nil
}

// probe asks the server anew.
func (s *Source) probe(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.account.forget()
	_, err := s.account.books(ctx)
	return err
}

// Check implements [source.Checker]: the address books are there.
func (s *Source) Check(ctx context.Context) error {
	if err := s.probe(ctx); err != nil {
		return fmt.Errorf("check source: %w", err)
	}
	return nil
}

// Count implements [source.Counter]: the number of cards. Groups are only known when they are read, and count.
func (s *Source) Count(ctx context.Context) (int64, error) {
	n, err := s.count(ctx)
	if err != nil {
		return -1, fmt.Errorf("count contacts: %w", err)
	}
	return n, nil
}

func (s *Source) count(ctx context.Context) (int64, error) {
	if err := ctx.Err(); err != nil {
		return -1, err
	}
	b, err := s.account.begin(ctx, "", nil)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		return -1, ctx.Err()
	}
	if err != nil {
		return -1, err
	}
	return int64(len(b.entries)), nil
}

// Close implements [bridge.Source].
func (s *Source) Close() error {
	s.release()
	return nil
}
