package carddav

import (
	"context"
	"slices"
)

// A server may make its tokens of what the cards hold, as Xandikos does. Of a card that is changed after it was listed, read, and changed
// back, it names nothing to those who come with the token of the list: the version between would stay. So a card that was read in another
// version than was listed gets a token of a moment when it had that version.

// namesContent reports whether tokens like this one may stand for what the cards hold: a bare digest. Those of other servers count changes, or
// the time.
func namesContent(m marker) bool {
	if m.mode == byDigest {
		return true
	}
	if len(m.token) < 32 {
		return false
	}
	for _, c := range []byte(m.token) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// moved reports whether a card was read in another version than was listed.
func (f *fetched) moved() bool { return f.etag != "" && f.now != "" && f.etag != f.now }

// settle finds a token for each card of a batch that was changed after it was listed. Where none can be found the next run reads everything.
func (r *reading) settle(ctx context.Context, batch []fetched) error {
	account := r.source.account
	for range maxQuiet {
		var moved []*fetched
		for i := range batch {
			if batch[i].moved() {
				moved = append(moved, &batch[i])
			}
		}
		if len(moved) == 0 || account.otherTags.Load() {
			return nil
		}
		m, ok := r.state.of(parentOf(moved[0].path)) // a batch is of one book
		if !ok || !namesContent(m) {
			return nil
		}
		if m.mode == byDigest {
			break
		}
		there, now, err := account.versions(ctx, m, moved)
		if err != nil {
			return account.bookError(err)
		}
		r.note(now)
		if err := account.readAgain(ctx, moved, there); err != nil {
			return err
		}
	}
	r.note(marker{mode: tooOften})
	return nil
}

// versions lists a book with the etags of certain cards, and returns the marker of that list.
func (a *account) versions(ctx context.Context, m marker, of []*fetched) (there map[string]entry, now marker, err error) {
	b := book{path: m.path, raw: m.path}
	now = m
	for _, since := range []string{m.token, ""} { // everything where some of them are not named, because they are again as they were
		var list []entry
		if list, now.token, err = a.sync(ctx, b, since); err != nil {
			return nil, now, err
		}
		there = make(map[string]entry, len(of))
		for _, e := range list {
			there[e.path] = e
		}
		if !slices.ContainsFunc(of, func(f *fetched) bool { _, named := there[f.path]; return !named }) {
			break
		}
	}
	return there, now, nil
}

// readAgain reads those cards again that have another version by now than the one that was read.
func (a *account) readAgain(ctx context.Context, cards []*fetched, there map[string]entry) error {
	var entries []entry
	var at []*fetched
	same := true // the server says of each the two etags that it said before
	for _, f := range cards {
		e, named := there[f.path]
		same = same && named && e.etag == f.etag
		if named && !e.gone && e.etag == f.now {
			f.etag = f.now
			continue
		}
		f.entry.etag = e.etag // empty where it is gone
		entries, at = append(entries, f.entry), append(at, f)
	}
	if len(entries) == 0 {
		return nil
	}
	got, err := a.fetch(ctx, entries)
	if err != nil {
		return err
	}
	for i, f := range at {
		same = same && got[i].now == f.now
		*f = got[i]
	}
	if same { // it writes them in two ways, and they tell nothing
		a.otherTags.Store(true)
	}
	return nil
}
