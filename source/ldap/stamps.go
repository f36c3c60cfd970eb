package ldap

import (
	"context"
	"slices"
	"strings"
	"time"

	client "github.com/go-ldap/ldap/v3"
)

// A stampWay reads by the time of the last change. Entries with a stamp in the overlap before the newest one are read
// again by every run, and delivered again if any of them changed: a fingerprint in the token tells.
type stampWay struct{ r *reader }

func (stampWay) name() string { return changesStamp }

// start implements [way].
func (w stampWay) start(context.Context) (token, error) {
	w.r.newest = 0
	return token{way: changesStamp}, nil
}

// finish implements [way]: it reads the overlap once more, for the fingerprint, and because entries may have moved to a part
// that was read already.
func (w stampWay) finish(ctx context.Context, next token) (token, error) {
	next.number = max(w.settled(), 0)
	list, err := w.window(ctx, next.number)
	next.print = printOf(list, next.number)
	return next, err
}

// settled returns the stamp, in seconds, up to which everything is visible: the overlap before the newest one that was read. It is
// a stamp of the server's, so our clock does not matter, unless a stamp lies in the future.
func (w stampWay) settled() int64 {
	return min(w.r.newest, w.r.now().Unix()) - int64(w.r.cfg.Overlap.Seconds())
}

// A stamped entry is one of those in the overlap.
type stamped struct {
	stamp int64
	sum   sum
	left  string // its id, if it is in no part
}

// printOf is the fingerprint of the entries at and after a stamp.
func printOf(list []stamped, from int64) string {
	var all sum
	for _, s := range list {
		if s.stamp >= from {
			all += s.sum
		}
	}
	return all.String()
}

// changes implements [way].
func (w stampWay) changes(ctx context.Context, since token) (token, bool, error) {
	list, err := w.window(ctx, since.number)
	if err != nil {
		return token{}, false, err
	}
	if printOf(list, since.number) == since.print {
		w.r.out.discard()
		return since, true, nil
	}
	var left []string
	for _, s := range list {
		if s.left != "" {
			left = append(left, s.left)
		}
	}
	if err := w.r.gone(ctx, left); err != nil {
		return token{}, false, err
	}
	next := token{way: changesStamp, number: max(since.number, w.settled())}
	next.print = printOf(list, next.number)
	return next, true, nil
}

// window writes the contacts at and after a stamp, and lists them with the entries that are in no part. The wide search comes first.
func (w stampWay) window(ctx context.Context, from int64) ([]stamped, error) {
	r := w.r
	and := "(" + r.stamps + ">=" + formatTime(time.Unix(from, 0)) + ")"
	outside := map[string]int64{}
	if r.mapping.id == nil && from > 0 {
		q := query{scope: client.ScopeWholeSubtree, filter: "(&" + r.wide() + and + ")", wanted: []string{r.mapping.idNative, r.stamps}}
		for _, q.base = range r.contextsOf() {
			err := r.search(ctx, q, func(e *client.Entry) error {
				outside[r.mapping.native(e)] = r.stampOf(e)
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	var list []stamped
	for _, p := range r.parts {
		err := r.search(ctx, r.queryOf(p, and), func(e *client.Entry) error {
			if !p.members.has(e) {
				return nil
			}
			delete(outside, r.mapping.native(e))
			list = append(list, stamped{stamp: r.stampOf(e), sum: r.sumOf(e)})
			return r.take(p, e)
		})
		if err != nil {
			return nil, err
		}
	}
	for id, stamp := range outside {
		s := stamped{stamp: stamp, left: id}
		s.sum.add("left", id)
		list = append(list, s)
	}
	return list, nil
}

// stampOf returns an entry's stamp in seconds, 0 without one.
func (r *reader) stampOf(e *client.Entry) int64 { return secondsOf(e, r.stamps) }

// secondsOf returns a time of an entry in seconds since 1970, 0 without one.
func secondsOf(e *client.Entry, attribute string) int64 {
	t, ok := parseTime(e.GetEqualFoldAttributeValue(attribute))
	if !ok {
		return 0
	}
	return t.Unix()
}

// sumOf is the digest of what was read of an entry.
func (r *reader) sumOf(e *client.Entry) sum {
	texts := []string{e.DN}
	for _, a := range e.Attributes {
		values := slices.Clone(a.Values)
		slices.Sort(values)
		texts = append(texts, strings.ToLower(a.Name), strings.Join(values, "\x00"))
	}
	var s sum
	s.add(texts...)
	return s
}

// A wholeWay reads everything, and compares it with what was read before (E10).
type wholeWay struct{ r *reader }

func (wholeWay) name() string { return changesWhole }

// start implements [way].
func (w wholeWay) start(context.Context) (token, error) {
	w.r.all, w.r.sums = 0, true
	return token{way: changesWhole}, nil
}

// finish implements [way].
func (w wholeWay) finish(ctx context.Context, next token) (token, error) {
	for _, p := range w.r.parts[:len(w.r.parts)-1] { // an entry may have moved to a part that was read already
		if err := w.r.readPart(ctx, p, ""); err != nil {
			return token{}, err
		}
	}
	next.print = w.r.all.String()
	return next, nil
}

// changes implements [way].
func (w wholeWay) changes(ctx context.Context, since token) (token, bool, error) {
	now, err := w.start(ctx)
	if err != nil {
		return token{}, false, err
	}
	for _, p := range w.r.parts {
		if err := w.r.readPart(ctx, p, ""); err != nil {
			return token{}, false, err
		}
	}
	now, err = w.finish(ctx, now)
	w.r.out.discard()
	return since, now.print == since.print, err
}
