package carddav

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source"
)

// An account is what is known of one user of one server. It lives as long as the factory keeps it, and holds nothing that another
// process could not find out again.
type account struct {
	client *client
	path   string // of the configured URL
	wanted []string
	digest string // what checkpoints belong to

	root context.Context // ends with the account
	stop context.CancelFunc
	work sync.WaitGroup

	mu      sync.Mutex
	found   *place
	lists   []*list // the latest one first
	flights map[string]*flight

	batches   batches
	otherTags atomic.Bool // the server's etags in lists differ from those of cards
}

// A list holds the cards of a run, by their paths.
type list struct {
	key     string // the run's
	entries []entry
	more    state // of a list that was made again
	bytes   int
}

func (a *account) close() error {
	a.stop()
	a.work.Wait()
	return nil
}

// where names the server for people.
func (a *account) where() string {
	a.client.mu.Lock()
	defer a.client.mu.Unlock()
	return a.client.base.Host
}

// maxLists is how much memory the lists of runs may take. The latest one is always kept.
const maxLists = 32 << 20

// keep keeps a run's list for its next pages.
func (a *account) keep(l *list) {
	for _, e := range l.entries {
		l.bytes += 80 + len(e.path) + len(e.etag)
		if e.raw != e.path {
			l.bytes += len(e.raw)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lists = slices.Insert(slices.DeleteFunc(a.lists, func(o *list) bool { return o.key == l.key }), 0, l)
	total := 0
	for i, o := range a.lists {
		if total += o.bytes; i > 0 && total > maxLists {
			clear(a.lists[i:])
			a.lists = a.lists[:i]
			return
		}
	}
}

// kept returns a run's list, if it is still there.
func (a *account) kept(key string) *list {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.lists {
		if l.key == key {
			return l
		}
	}
	return nil
}

// A flight is work that may take longer than a request.
type flight struct {
	done   chan struct{}
	result any
	err    error
}

const (
	flightTime = 10 * time.Minute // how long work may take
	againAfter = 3 * time.Second  // when a synchronizer asks again
	landedFor  = 2 * time.Minute  // how long a result waits for somebody who asks again
)

// fly does work that may take longer than a request may. It goes on while nobody waits, and is given to the first who asks again. Nobody
// else gets it: a run must know of what was there when it was asked for.
func fly[T any](ctx context.Context, a *account, key string, work func(context.Context) (T, error)) (result T, err error) {
	if err := ctx.Err(); err != nil {
		return result, err
	}
	f := a.waiting(key)
	if f == nil {
		f = &flight{done: make(chan struct{})}
		a.work.Go(func() {
			ctx, cancel := context.WithTimeout(a.root, flightTime)
			defer cancel()
			f.result, f.err = work(ctx)
			close(f.done)
		})
	}
	select {
	case <-f.done:
		result, _ = f.result.(T)
		return result, f.err
	case <-ctx.Done():
		a.leave(key, f)
		return result, ctx.Err()
	case <-halfOf(ctx):
		a.leave(key, f)
		return result, &bridge.Error{
			Code: bridge.CodeSourceUnavailable, Message: fmt.Sprintf("%s is still listing the cards", a.where()),
			Hint: "Nothing: the list goes on being made, and the run begins when it is there.", RetryAfter: againAfter, Err: source.ErrBusy,
		}
	}
}

// halfOf is done when half of the time of a request is over: the other half is for its first cards. Where there is no limit it never is.
func halfOf(ctx context.Context) <-chan time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return nil
	}
	return time.After(time.Until(deadline) / 2)
}

// waiting takes work that somebody began and did not wait for.
func (a *account) waiting(key string) *flight {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.flights[key]
	delete(a.flights, key)
	return f
}

// leave leaves work to the one who asks again, for a while.
func (a *account) leave(key string, f *flight) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.flights[key] = f
	a.work.Go(func() {
		<-f.done
		left := time.NewTimer(landedFor)
		defer left.Stop()
		select {
		case <-left.C:
		case <-a.root.Done():
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.flights[key] == f {
			delete(a.flights, key)
		}
	})
}

// newAccount makes what is known of a user of a server: nothing yet.
func newAccount(at *url.URL, user, password string, wanted []string, digest string, deps source.Deps) *account {
	root, stop := context.WithCancel(context.Background())
	transport := deps.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	c := &client{transport: transport, clock: deps.Clock, user: user, password: password, base: url.URL{Scheme: at.Scheme, Host: at.Host}}
	c.digest.user, c.digest.password = user, password
	return &account{
		client: c, path: at.EscapedPath(), wanted: wanted, digest: digest, root: root, stop: stop, flights: map[string]*flight{},
	}
}

// A begun is a run that begins, with its list.
type begun struct {
	since   bridge.Checkpoint
	state   state
	entries []entry
}

// begin fixes a run. An initial one lists every card; any other what the server names as changed.
func (a *account) begin(ctx context.Context, since bridge.Checkpoint, from state) (begun, error) {
	books, err := a.books(ctx)
	if err != nil {
		return begun{}, err
	}
	if since != "" {
		b, err := a.beginSince(ctx, books, from)
		b.since = since
		if err == nil || !errors.Is(err, errTokenRefused) {
			return b, a.bookError(err)
		}
	}
	var b begun
	for _, book := range books {
		m, entries, err := a.markWhole(ctx, book)
		if err != nil {
			return begun{}, a.bookError(err)
		}
		b.state, b.entries = append(b.state, m), append(b.entries, entries...)
	}
	b.entries = sorted(b.entries)
	return b, nil
}

// beginSince begins a run from a checkpoint. Where that is of no use any more the error is errTokenRefused.
func (a *account) beginSince(ctx context.Context, books []book, from state) (begun, error) {
	for _, m := range from {
		if !slices.ContainsFunc(books, func(b book) bool { return b.path == m.path }) {
			return begun{}, errTokenRefused // a book is gone: nothing names its cards any more
		}
	}
	var b begun
	for _, book := range books {
		m, known := from.of(book.path)
		var entries []entry
		var err error
		switch {
		case !known:
			m, entries, err = a.markWhole(ctx, book)
		case m.mode == byDigest:
			m, err = a.markUnchanged(ctx, book, m)
		default:
			m, entries, err = a.markChanges(ctx, book, from.all(book.path))
		}
		if err != nil {
			return begun{}, err
		}
		b.state, b.entries = append(b.state, m), append(b.entries, entries...)
	}
	b.entries = sorted(b.entries)
	return b, nil
}

// markWhole lists all cards of a book and how far that goes.
func (a *account) markWhole(ctx context.Context, b book) (marker, []entry, error) {
	if b.canSync {
		entries, token, err := a.sync(ctx, b, "")
		if err == nil {
			entries = slices.DeleteFunc(entries, func(e entry) bool { return e.gone })
			return marker{path: b.path, mode: byToken, token: token}, entries, nil
		}
		if !errors.Is(err, errNoSync) {
			return marker{}, nil, err
		}
	}
	entries, digest, err := a.whole(ctx, b)
	return marker{path: b.path, mode: byDigest, token: digest}, entries, err
}

// markUnchanged returns the marker of a book without tokens that is as it was.
func (a *account) markUnchanged(ctx context.Context, b book, m marker) (marker, error) {
	_, digest, err := a.whole(ctx, b)
	if err == nil && (digest != m.token || digest == "") {
		err = errTokenRefused // what is gone is not named: everything is read
	}
	return m, err
}

// markChanges lists what has changed in a book since a checkpoint's markers of it. Several reports tell of one state only if nothing was
// changed between them, so it asks again when something was.
func (a *account) markChanges(ctx context.Context, b book, from []marker) (m marker, all []entry, err error) {
	m = marker{path: b.path, mode: byToken}
	for range maxQuiet {
		all = nil
		for i, since := range from {
			entries, token, err := a.sync(ctx, b, since.token)
			if errors.Is(err, errNoSync) {
				err = errTokenRefused
			}
			if err != nil {
				return m, nil, err
			}
			if all = append(entries, all...); i == 0 { // the latest first: it counts
				m.token = token
			}
		}
		all = sorted(all)
		if len(from) == 1 {
			break
		}
		since, token, err := a.sync(ctx, b, m.token)
		if err != nil {
			return m, nil, err
		}
		if token == m.token && len(since) == 0 {
			break
		}
	}
	return m, all, nil
}

// maxQuiet is how often several reports are asked for until nothing is changed between them.
const maxQuiet = 5

// again makes the list of a run that began before, maybe in another process. It holds at least what the first one held. more says how far it
// goes.
func (a *account) again(ctx context.Context, run bridge.Run, s state) (all []entry, more state, err error) {
	var from state
	if !run.Initial() {
		if from, err = parseCheckpoint(run.Since); err != nil {
			return nil, nil, invalidOffset(err)
		}
	}
	books, err := a.books(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range s {
		at := slices.IndexFunc(books, func(b book) bool { return b.path == m.path })
		if at < 0 {
			return nil, nil, a.bookError(errBookGone)
		}
		now, entries, err := a.since(ctx, books[at], m, from.all(m.path))
		if err != nil {
			return nil, nil, a.bookError(err)
		}
		if now != m {
			more = append(more, now)
		}
		all = append(all, entries...)
	}
	return sorted(all), more, nil
}

// since lists the cards of one book again, by the mode that the run began with.
func (a *account) since(ctx context.Context, b book, m marker, before []marker) (marker, []entry, error) {
	switch {
	case m.mode == byDigest && len(before) > 0:
		return m, nil, nil // it was unchanged
	case m.mode == byDigest:
		entries, _, err := a.whole(ctx, b)
		return m, entries, err
	case len(before) > 0:
		return a.markChanges(ctx, b, before)
	}
	entries, token, err := a.sync(ctx, b, "")
	return marker{path: b.path, mode: byToken, token: token}, slices.DeleteFunc(entries, func(e entry) bool { return e.gone }), err
}

// bookError makes an error of a list one that says what to do.
func (a *account) bookError(err error) error {
	switch {
	case errors.Is(err, errBookGone), errors.Is(err, errTokenRefused):
		a.forget()
		return &bridge.Error{
			Code: bridge.CodeInvalidOffset, Message: "an address book is gone, or the server no longer knows from where this run began",
			Hint: "Start the run again from its checkpoint.", Err: err,
		}
	case errors.Is(err, errNoProgress):
		return &bridge.Error{
			Code: bridge.CodeSourceBroken, Message: err.Error(), Hint: "This is a defect of the server: ask its operator.", Err: err,
		}
	}
	return explained(err, a.where())
}

// unencrypted reports whether a password goes over a network as it is.
func (a *account) unencrypted() bool {
	a.client.mu.Lock()
	base := a.client.base
	a.client.mu.Unlock()
	host := base.Hostname()
	address := net.ParseIP(host)
	return base.Scheme == "http" && host != "localhost" && (address == nil || !address.IsLoopback()) && a.client.password != ""
}

// goneSince asks what became of a book's cards since a marker, and returns the marker of the answer. Cards that are gone are true; those that
// are there, false.
func (a *account) goneSince(ctx context.Context, m marker) (there map[string]bool, now marker, err error) {
	b := book{path: m.path, raw: m.path}
	var entries []entry
	now = m
	if m.mode == byDigest {
		entries, _, err = a.whole(ctx, b)
	} else {
		entries, now.token, err = a.sync(ctx, b, m.token)
	}
	there = make(map[string]bool, len(entries))
	for _, e := range entries {
		there[e.path] = e.gone
	}
	return there, now, err
}
