package ldap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	client "github.com/go-ldap/ldap/v3"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/source/record"
)

// A reader reads a directory over one connection, once.
type reader struct {
	cfg      Config
	now      func() time.Time
	login    login
	conn     *conn
	root     root
	schema   schema
	mapping  *mapping
	parts    []part
	groups   []*client.Entry // of member_of, in Active Directory
	stamps   string          // the attribute with the time of the last change
	youngest int64           // entries that were created later, in seconds since 1970, are left out; 0: none
	created  int64           // when the youngest contact was created

	out        *spoolWriter
	row        record.Row      // for ids
	begun      *token          // of sync, made before anything was read; nil once it is used
	newest     int64           // the newest stamp, in seconds
	sums       bool            // all is wanted
	all        sum             // of all entries
	put        map[string]bool // ids of contacts that were written; nil where nobody asks
	seen       *atomic.Int64   // entries so far, for people; may be nil
	references int             // to other servers
	referred   []string        // some of them
}

// found is what a reading found.
type found struct {
	next  token
	whole bool // everything, not only what changed
}

// read reads what changed since a token, or everything.
func (r *reader) read(ctx context.Context, since token) (found, error) {
	if err := r.visible(ctx); err != nil {
		return found{}, err
	}
	way, err := r.way(ctx)
	if err != nil {
		return found{}, err
	}
	if since.way == way.name() {
		next, ok, err := r.changes(ctx, way, since)
		if err != nil {
			return found{}, err
		}
		if ok {
			return found{next: next}, nil
		}
	}
	return r.everything(ctx, way)
}

// A way is one of those in which a directory tells what changed.
type way interface {
	name() string
	// start returns a token of the moment: before anything is read.
	start(ctx context.Context) (token, error)
	// changes writes what changed since a token. ok is false where the token is of no use any more.
	changes(ctx context.Context, since token) (next token, ok bool, err error)
	// finish completes a token of start when everything was read.
	finish(ctx context.Context, next token) (token, error)
}

// changes reads by a way what changed since a token, unless the shape of the directory changed.
func (r *reader) changes(ctx context.Context, w way, since token) (next token, ok bool, err error) {
	shape, err := r.shape(ctx)
	if err != nil || shape != since.shape {
		return token{}, false, err
	}
	r.put = map[string]bool{}
	next, ok, err = w.changes(ctx, since)
	r.put = nil
	if !ok || err != nil {
		r.out.discard()
		return token{}, false, err
	}
	after, err := r.shape(ctx)
	if err != nil || after != shape {
		r.out.discard()
		return token{}, false, err
	}
	next.shape = shape
	return next, true, nil
}

// mostShapes is how often everything is read again because the directory was rearranged meanwhile.
const mostShapes = 3

// everything reads all contacts.
func (r *reader) everything(ctx context.Context, w way) (found, error) {
	for range mostShapes {
		r.out.discard()
		shape, err := r.shape(ctx)
		if err != nil {
			return found{}, err
		}
		next, err := w.start(ctx)
		if err != nil {
			return found{}, err
		}
		for _, p := range r.parts {
			if err := r.readPart(ctx, p, ""); err != nil {
				return found{}, err
			}
		}
		if next, err = w.finish(ctx, next); err != nil {
			return found{}, err
		}
		after, err := r.shape(ctx)
		if err != nil {
			return found{}, err
		}
		if next.shape = shape; after == shape {
			return found{next: next, whole: true}, nil
		}
	}
	return found{}, &bridge.Error{
		Code: bridge.CodeSourceUnavailable, Message: "units or groups of the directory are being changed while it is read",
		Hint: "Try again when they are not.", RetryAfter: time.Minute,
	}
}

// readPart writes the contacts of a part for which another filter holds too; it may be empty.
func (r *reader) readPart(ctx context.Context, p part, and string) error {
	return r.search(ctx, r.queryOf(p, and), func(e *client.Entry) error { return r.take(p, e) })
}

func (r *reader) queryOf(p part, and string) query {
	q := query{base: p.base, scope: client.ScopeWholeSubtree, filter: p.filter, wanted: append(slices.Clone(r.mapping.wanted), r.createdName())}
	if and != "" {
		q.filter = "(&" + p.filter + and + ")"
	}
	if p.members != nil {
		q.wanted = append(q.wanted, "uid")
	}
	if r.stamps != "" {
		q.wanted = append(q.wanted, r.stamps)
	}
	return q
}

// createdName is the attribute with the time of an entry's creation.
func (r *reader) createdName() string {
	if r.root.product == activeDirectoryServer {
		return "whenCreated"
	}
	return "createTimestamp"
}

// take writes a contact. An entry that is no member is left out.
func (r *reader) take(p part, e *client.Entry) error {
	created := secondsOf(e, r.createdName())
	if !p.members.has(e) || r.youngest > 0 && created > r.youngest {
		return nil
	}
	r.created = max(r.created, created)
	record := r.mapping.record(e, r.schema, &r.row)
	if r.put != nil {
		r.put[r.mapping.native(e)] = true
	}
	if r.stamps != "" {
		r.newest = max(r.newest, r.stampOf(e))
	}
	if r.sums {
		r.all += r.sumOf(e)
	}
	if r.seen != nil {
		r.seen.Add(1)
	}
	return r.out.put(record)
}

// gone writes the deletions of entries, by the server's own ids, but for those that were written as contacts. Where ids are others
// than the server's nothing can be said.
func (r *reader) gone(ctx context.Context, ids []string) error {
	if r.mapping.id != nil || len(ids) == 0 {
		return nil
	}
	if err := r.lookAgain(ctx, ids); err != nil {
		return err
	}
	for _, id := range ids {
		if r.put[id] {
			continue
		}
		if err := r.out.put(&rec{id: []byte(id), key: []byte(id), kind: kindDeleted}); err != nil {
			return err
		}
	}
	return nil
}

// lookAgain looks for entries that seem to be gone, where there are several parts: they may have moved to one that was read before.
func (r *reader) lookAgain(ctx context.Context, ids []string) error {
	if len(r.parts) < 2 {
		return nil
	}
	for range 2 {
		for _, p := range r.parts {
			missing := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return r.put[id] })
			for some := range slices.Chunk(missing, mostInOneFilter) {
				if err := r.readPart(ctx, p, r.oneOf(some)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// oneOf is the filter of entries with one of the server's own ids.
func (r *reader) oneOf(ids []string) string {
	var filter strings.Builder
	for _, id := range ids {
		value := client.EscapeFilter(id)
		if b, ok := parseID(id); ok && r.root.product == activeDirectoryServer {
			value = filterBytes([]byte(guidBytes(b)))
		}
		fmt.Fprintf(&filter, "(%s=%s)", r.mapping.idNative, value)
	}
	return "(|" + filter.String() + ")"
}

// guidBytes is the opposite of [guidText]: the bytes in the order of Active Directory.
func guidBytes(b []byte) string {
	return string([]byte{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6]}) + string(b[8:])
}

// count counts the contacts until enough says so; the error is errEnough then.
func (r *reader) count(ctx context.Context, enough func() bool) (int64, error) {
	ids := map[string]bool{}
	for _, p := range r.parts {
		q := query{base: p.base, scope: client.ScopeWholeSubtree, filter: p.filter, wanted: []string{r.mapping.idNative, "uid"}}
		err := r.search(ctx, q, func(e *client.Entry) error {
			if p.members.has(e) {
				ids[r.mapping.native(e)] = true
			}
			if enough() {
				return errEnough
			}
			return nil
		})
		if errors.Is(err, errEnough) {
			return int64(len(ids)), err
		}
		if err != nil {
			return -1, err
		}
	}
	return int64(len(ids)), nil
}

// way returns the way in which changes are found.
func (r *reader) way(ctx context.Context) (way, error) {
	choice := r.cfg.Changes
	if choice == changesAuto && r.root.product == activeDirectoryServer {
		choice = changesUSN
	}
	if choice == changesAuto {
		var err error
		if choice, err = r.try(ctx); err != nil {
			return nil, err
		}
	}
	switch choice {
	case changesLog:
		return logWay{r}, nil
	case changesSync:
		return syncWay{r}, nil
	case changesUSN:
		return usnWay{r}, nil
	case changesWhole:
		return wholeWay{r}, nil
	}
	r.stamps = "modifyTimestamp"
	if r.root.product == activeDirectoryServer {
		r.stamps = "whenChanged"
	}
	if choice == changesAuto {
		if ok, err := r.stampsAreVisible(ctx); err != nil || !ok {
			r.stamps = ""
			return wholeWay{r}, err
		}
	}
	return stampWay{r}, nil
}

// try returns the way that a server other than Active Directory has besides stamps, or auto.
func (r *reader) try(ctx context.Context) (choice string, err error) {
	var w way
	switch {
	case r.root.product == ds389 && r.root.value("changeLog") != "":
		w = logWay{r}
	case r.root.product != ds389 && r.root.has("supportedControl", syncRequest):
		w = syncWay{r}
	default:
		return changesAuto, nil
	}
	begun, err := w.start(ctx)
	if e, ok := errors.AsType[*bridge.Error](err); ok && e.Code != bridge.CodeSourceUnavailable && ctx.Err() == nil {
		return changesAuto, nil // it does not have it, or the reader may not use it
	}
	if w.name() == changesSync {
		r.begun = &begun
	}
	return w.name(), err
}

// stampsAreVisible reports whether contacts have a time of their last change that may be read.
func (r *reader) stampsAreVisible(ctx context.Context) (bool, error) {
	for _, p := range r.parts {
		visible, any := false, false
		_, err := r.page(ctx, r.queryOf(p, ""), client.NewControlPaging(1), func(e *client.Entry) error {
			any, visible = true, r.stampOf(e) > 0
			return nil
		})
		if err != nil || any {
			return visible, err
		}
	}
	return true, nil
}
