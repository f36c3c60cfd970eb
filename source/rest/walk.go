package rest

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/contactbridge/contactbridge/bridge"
	"github.com/contactbridge/contactbridge/contact"
	"github.com/contactbridge/contactbridge/source"
	"github.com/contactbridge/contactbridge/source/keyset"
	"github.com/contactbridge/contactbridge/source/record"
	"github.com/contactbridge/contactbridge/source/stamp"
)

// A walk is one call of Read: it goes through the segments of a run, from a place on.
type walk struct {
	ctx    context.Context
	client *client
	f      *factory
	l      *Language
	run    bridge.Run
	name   string // of the run, for the page cache
	state  state
	since  checkpoint // of an incremental run
	plan   []segment
	at     place
	began  bool // at is after a record, not at a segment's beginning

	limit   int
	yielded int
	yield   func(bridge.Change, error) bool
	stopped bool // yield returned false
	uncut   bool // the last change had no position
	whole   bool // the next one must have none
	row     record.Row
	shown   map[uint64]bool

	position bridge.Position // of the last change; used again
	link     []textPart      // the language's link, with what is the same for all records filled in
}

// ids is the seed of a walk's hashes.
var ids = maphash.MakeSeed()

// plan returns the segments of a run.
func (l *Language) plan(initial bool) []segment {
	if initial && !l.List.IsZero() {
		return []segment{listed}
	}
	plan := []segment{flow}
	switch {
	case l.isSorted():
		plan = []segment{settled, fresh}
	case l.Changes.Order == orderNewest:
		plan = []segment{flow, again}
	}
	if !initial && l.Deletions.By == "request" {
		return slices.Concat([]segment{deleted}, plan, []segment{left})
	}
	return plan
}

// isSorted reports whether changes can be read from any record on, so that any record can be a checkpoint.
func (l *Language) isSorted() bool {
	return l.Changes.Order == orderUpdated && l.Changes.Page.By == "keyset" && l.Changes.Token == ""
}

// isAscending reports whether a flow comes in the order of its stamps.
func (l *Language) isAscending() bool { return l.Changes.Order == orderUpdated && !l.isSorted() }

// newWalk checks a run and a position.
func (s *Source) newWalk(ctx context.Context, run bridge.Run, after bridge.Position, limit int) (*walk, error) {
	w := &walk{
		ctx: ctx, client: s.client, f: s.factory, l: s.factory.language, run: run, limit: limit, name: string(run.Since) + "\x00" + string(run.State),
		plan: s.factory.language.plan(run.Initial()),
	}
	var err error
	if w.state, err = parseState(run.State); err != nil {
		return nil, keyset.InvalidOffset(err)
	}
	if !run.Initial() {
		if w.since, err = parseCheckpoint(run.Since); err != nil {
			return nil, keyset.InvalidOffset(err)
		}
	}
	w.at.segment = w.plan[0]
	if len(after) > 0 {
		if w.at, err = parsePlace(after); err != nil || !slices.Contains(w.plan, w.at.segment) {
			return nil, keyset.InvalidOffset(err)
		}
		w.began = true
	}
	if w.link, err = s.client.linkParts(ctx); err != nil {
		return nil, err
	}
	if limit > 0 || w.l.Changes.Token != "" {
		w.shown = map[uint64]bool{}
	}
	return w, nil
}

// read goes through the segments.
func (w *walk) read() error {
	for {
		var done bool
		var err error
		switch w.at.segment {
		case settled:
			done, err = w.settled()
		case fresh:
			done, err = w.fresh()
		case deleted, listed, flow, again, left:
			done, err = w.flowing()
		}
		if err != nil || !done || w.stopped {
			return err
		}
		next := slices.Index(w.plan, w.at.segment) + 1
		if next == len(w.plan) {
			return nil
		}
		w.at, w.began = place{segment: w.plan[next], stamp: w.at.keep(w.plan[next]), gone: w.at.gone}, false
	}
}

// keep returns the stamp that goes on into the next segment.
func (p place) keep(next segment) int64 {
	if next == again || next == left {
		return p.stamp
	}
	return 0
}

// isFull reports whether as many changes were yielded as wanted, and the last one ends where a page may.
func (w *walk) isFull() bool { return w.limit > 0 && w.yielded >= w.limit && !w.uncut }

// moment returns a stamp as a request asks for it.
func (w *walk) moment(at int64) moment { return moment{stamp.Moment(at), w.client.zone} }

// bound returns the time from which on a request asks, so that every record at or after a stamp comes.
func (w *walk) bound(r *Reading, at int64) moment {
	t := stamp.Moment(at).Add(-r.Since.Margin)
	if g := r.Since.Granularity; g > 0 {
		t = t.Truncate(g).Add(-g) // its days may begin in any zone
		if g >= 24*time.Hour {
			t = t.Add(-g)
		}
	} else {
		from, _ := w.unit(at)
		t = stamp.Moment(w.clear(from)).Add(-r.Since.Margin)
	}
	if r.Since.Exclusive {
		t = t.Add(-w.l.Updated.precision())
	}
	if t.Before(time.Unix(0, 0)) {
		t = time.Unix(0, 0)
	}
	return moment{t, w.client.zone}
}

// settled reads the records up to the horizon by (updated, id).
func (w *walk) settled() (done bool, err error) {
	if !w.began {
		w.at.stamp, w.at.id = beginning-1, ""
		if !w.run.Initial() {
			w.at.stamp, w.at.id = w.since.stamp, w.since.id
		}
	}
	for !w.isFull() {
		if w.at.stamp > w.state.horizon {
			return true, nil
		}
		if w.at.among {
			if done, err := w.among(); err != nil || !done || w.stopped {
				return false, err
			}
			continue
		}
		last, err := w.chapter(w.state.horizon)
		if err != nil || last || w.stopped {
			return last, err
		}
	}
	return false, nil
}

// chapter reads one page of the records after the place by (updated, id), up to a stamp. last says that there are no more.
func (w *walk) chapter(to int64) (last bool, err error) {
	from := w.at
	since := from.stamp
	if from.id == "" {
		since++ // all records of that stamp were read
	}
	p := w.client.pages.covering(w.name, since, w.f.deps.Clock.Now())
	if p == nil || !w.goesOn(p, from) {
		if p, err = w.client.fetch(w.ctx, w.name, w.f.asks("changes"), scope{"since": w.bound(&w.l.Changes, since)}, ""); err != nil {
			return false, err
		}
		w.client.pages.cover(w.name, since, p)
	}
	all, err := w.ascending(p)
	if err != nil {
		return false, err
	}
	items := all
	if p.more {
		items = w.complete(all)
	}
	items = slices.DeleteFunc(slices.Clone(items), func(i item) bool { return i.noTime || !i.isAfter(from) })
	if p.count == 0 && p.more {
		return false, &bridge.Error{
			Code: bridge.CodeSourceBroken, Message: "an answer has no records, but says that there are more",
			Hint: "The user may see none of them: let it read all records, or narrow the request to those that it may read.",
		}
	}
	w.untimed(all)
	if w.stopped {
		return false, nil
	}
	if len(items) == 0 && p.more {
		return w.skip(all, since, to)
	}
	for _, i := range items {
		if i.stamp > to {
			return true, nil
		}
		if w.isFull() || w.stopped {
			return false, nil
		}
		w.at.stamp, w.at.id, w.began = i.stamp, i.id, true
		w.whole = i.id == "" // others of that stamp come after it, and a run that went on here would begin after all of them
		w.show(i, w.at)
		w.whole = false
	}
	return !p.more, nil
}

// untimed yields the records of a page that have no time of change (E9). They have no place in the order, so no page ends after one. That a
// record is there is known, whatever it lacks: it is sent, and comes again with every request that gives it.
func (w *walk) untimed(items []item) {
	w.whole = true
	for _, i := range items {
		if i.noTime {
			w.show(i, w.at)
		}
	}
	w.whole = false
}

// goesOn reports whether a page that was read before has records after a place, and all others of their stamps.
func (w *walk) goesOn(p *page, from place) bool {
	if !p.more || len(p.items) == 0 {
		return true
	}
	last, _ := w.unit(p.items[len(p.items)-1].stamp)
	return slices.ContainsFunc(p.items, func(i item) bool { return !i.noTime && i.stamp < last && i.isAfter(from) })
}

// isAfter reports whether a record with a stamp comes after a place in the order (updated, id).
func (i item) isAfter(p place) bool {
	return i.stamp > p.stamp || i.stamp == p.stamp && p.id != "" && i.id > p.id
}

// ascending checks that a page has the order that is declared, and puts the records of one stamp in the order of their ids.
func (w *walk) ascending(p *page) ([]item, error) {
	step := w.l.Updated.precision().Microseconds()
	last := int64(0)
	seen := false
	for _, i := range p.items {
		if i.noTime {
			continue
		}
		if seen && i.stamp <= last-step {
			return nil, w.disorder("changes", "updated")
		}
		last, seen = max(last, i.stamp), true
	}
	items := slices.Clone(p.items)
	slices.SortStableFunc(items, func(a, b item) int {
		if a.noTime || b.noTime {
			return 0
		}
		return cmp.Or(cmp.Compare(a.stamp, b.stamp), strings.Compare(a.id, b.id))
	})
	return items, nil
}

// disorder returns the error of an answer whose records are not in the order that is declared (E8).
func (w *walk) disorder(request, by string) error {
	return &bridge.Error{
		Code: bridge.CodeSourceBroken, Message: fmt.Sprintf("the records of %s do not come in the order of %s", request, by),
		Hint: "Add the parameter that sorts them, or set " + request + ".order to none.",
	}
}

// complete returns the records of a page that is not the last without those of its last stamp, of which there may be more.
func (w *walk) complete(items []item) []item {
	end := len(items)
	for end > 0 && items[end-1].noTime {
		end--
	}
	if end == 0 {
		return items
	}
	last, _ := w.unit(items[end-1].stamp)
	for end > 0 && (items[end-1].noTime || items[end-1].stamp >= last) {
		end--
	}
	return items[:end]
}

// skip moves on where a page that is not the last has no record of which all others of its stamp are known: to that stamp, or, where
// the whole page has it, to its records by their ids.
func (w *walk) skip(items []item, since, to int64) (last bool, err error) {
	since, _ = w.unit(since)
	timed := slices.DeleteFunc(slices.Clone(items), func(i item) bool { return i.noTime || i.stamp < since })
	if len(timed) == 0 {
		return false, &bridge.Error{Code: bridge.CodeSourceBroken, Message: "a whole page of records has no time of change that was asked for", Hint: "Check updated.path, and the parameter with {{since}}."}
	}
	first, _ := w.unit(timed[0].stamp)
	stamp, _ := w.unit(timed[len(timed)-1].stamp)
	switch {
	case stamp > to:
		return true, nil
	case first < stamp:
		w.at.stamp, w.at.id, w.began = stamp-1, "", true
		return false, nil
	case w.l.ByID.IsZero():
		return false, w.tooMany(stamp)
	}
	w.at.stamp, w.at.id, w.at.among, w.began = stamp, "", true, true
	return false, nil
}

// tooMany returns the error of a page that is full of records which requests for changes cannot tell apart.
func (w *walk) tooMany(at int64) error {
	from, before := w.unit(at)
	written := keyset.Instant.FormatStamp(keyset.IntValue(from))
	if before-from <= w.l.Updated.precision().Microseconds() {
		return &bridge.Error{
			Code: bridge.CodeSourceBroken, Message: "more records than a page holds have one time of change, " + written,
			Hint: "Set changes.page.size to more, or add by_id, which reads such records by their ids.",
		}
	}
	return &bridge.Error{
		Code:    bridge.CodeSourceBroken,
		Message: fmt.Sprintf("more records than a page holds were changed within %s from %s on, and {{since}} is written no finer than that", text(time.Duration(before-from)*time.Microsecond), written),
		Hint:    "Set changes.page.size to more, write finer times if the service takes them, such as {{since|rfc3339_ms}}, or add by_id, which reads such records by their ids.",
	}
}

// among reads the records of one stamp by their ids.
func (w *walk) among() (done bool, err error) {
	if w.l.ByID.isPaged() {
		return w.backward()
	}
	from, to := w.unit(w.at.stamp)
	done, err = w.byID(from, to)
	if done && !w.stopped && err == nil {
		w.at = w.after(w.at)
	}
	return done, err
}

// after returns the place after all records of one stamp.
func (w *walk) after(at place) place {
	_, to := w.unit(at.stamp)
	return place{segment: settled, stamp: to - 1, gone: at.gone}
}

// fresh reads the records after the horizon by their ids.
func (w *walk) fresh() (done bool, err error) {
	switch {
	case w.l.ByID.isPaged():
		w.at.among = true
		return w.flowing()
	case w.l.ByID.IsZero():
		return w.chase()
	}
	return w.byID(w.state.horizon+1, w.state.horizon+forever.Microseconds())
}

// forever is how far into the future records are asked for that are stamped there by mistake.
const forever = 10 * 365 * 24 * time.Hour

// byID reads the records with a stamp of from and before to, by their ids, until there are no more, or none that were there when the
// second page was read.
func (w *walk) byID(from, to int64) (done bool, err error) {
	p := w.f.asks("by_id")
	for !w.isFull() && !w.stopped {
		values := scope{"from": w.moment(w.clear(from)), "before": w.moment(to), "after_id": cmp.Or(w.at.id, p.reading.FirstID), "direction": w.direction(0), "cursor": w.at.cursor}
		if w.began && w.at.id != "" && w.at.bound == "" && w.at.segment == fresh && p.reading.isBounded() {
			if err := w.findBound(p, values); err != nil || w.at.bound == "" {
				return err == nil, err
			}
		}
		got, err := w.client.fetch(w.ctx, w.name, p, values, "")
		if err != nil {
			return false, err
		}
		if last, err := w.take(got, from, to); err != nil || last || w.stopped {
			return last, err
		}
		if !got.more {
			return true, nil
		}
		if p.reading.Page.By == "cursor" && !w.isFull() {
			if err := w.at.follow(got.next); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// take yields the records of a page in the order of ids. last says that the bound was reached.
func (w *walk) take(p *page, from, to int64) (last bool, err error) {
	moved := false
	asked := w.at.id // the page has what comes after it
	for _, i := range p.items {
		if w.isFull() || w.stopped {
			return false, nil
		}
		if i.id == "" {
			w.reject(i, nil)
			continue
		}
		if w.l.ByID.Page.By == "cursor" && w.at.id != "" && !w.l.ByID.comesAfter(i.id, w.at.id) {
			moved = true // it was read before: the page begins before the place
			continue
		}
		if w.at.id != "" && (i.id == w.at.id || i.id == asked || w.l.ByID.IDs != "" && !w.l.ByID.comesAfter(i.id, w.at.id)) {
			return false, w.disorder("by_id", "id")
		}
		if w.at.bound != "" && w.l.ByID.comesAfter(i.id, w.at.bound) {
			return true, nil
		}
		moved = true
		w.at.id, w.began = i.id, true
		if i.noTime || i.stamp >= from && i.stamp < to {
			w.show(i, w.at)
		}
	}
	if p.more && !moved {
		return false, &bridge.Error{Code: bridge.CodeSourceBroken, Message: "a whole page of records has no id", Hint: "Check id."}
	}
	return false, nil
}

// comesAfter compares two ids in the order that is declared.
func (r *Reading) comesAfter(a, b string) bool {
	if r.IDs == idsNumber && isDigits(a) && isDigits(b) {
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		return len(a) > len(b) || len(a) == len(b) && a > b
	}
	return a > b
}

// The orders of ids.
const (
	idsNumber = "number"
)

func isDigits(id string) bool { return id != "" && strings.Trim(id, "0123456789") == "" }

// isBounded reports whether the greatest id can be found and recognised.
func (r *Reading) isBounded() bool { return len(r.Directions) == 2 && r.IDs != "" }

// direction returns what {{direction}} stands for.
func (w *walk) direction(i int) string {
	if i < len(w.l.ByID.Directions) {
		return w.l.ByID.Directions[i]
	}
	return ""
}

// findBound finds the greatest id that there is now: what is added later belongs to the next run, or the run might never end (E3).
func (w *walk) findBound(p purpose, values scope) error {
	backward := values.with(scope{"direction": w.direction(1), "cursor": ""})
	got, err := w.client.fetch(w.ctx, w.name, p, backward, "")
	if err != nil {
		return err
	}
	for _, i := range got.items {
		if i.id != "" {
			w.at.bound = i.id
			return nil
		}
	}
	return nil
}

// chase reads the records after the horizon in the order of their stamps, where they cannot be read by id. Those that change while it
// reads come again, further on.
func (w *walk) chase() (done bool, err error) {
	if !w.began {
		w.at.stamp, w.at.id = w.state.horizon, ""
	}
	for !w.isFull() {
		last, err := w.chapter(w.state.began + forever.Microseconds())
		if err != nil || last || w.stopped {
			return last, err
		}
	}
	return false, nil
}

// show yields a record.
func (w *walk) show(i item, at place) {
	w.position = at.append(w.position[:0])
	position := w.position
	if w.whole || len(at.id) > contact.MaxID { // an offset with such an id would be too long
		position = nil
	}
	if i.fault != "" || i.id == "" {
		w.reject(i, position)
		return
	}
	gone, merged, err := w.judge(i)
	w.row.Start(i.id, gone)
	if err == nil && !gone {
		err = w.f.mapping.fields.Fill(&w.row, i.values)
	}
	if err != nil {
		i.fault = err.Error()
		w.reject(i, position)
		return
	}
	if gone && w.run.Initial() && (at.segment == settled || at.segment == fresh) {
		return // who is not shown is gone, and what is gone after the horizon comes again with the next run
	}
	if w.row.Contact.URL == "" && len(w.link) > 0 && !gone {
		w.row.Contact.URL = w.url(i)
	}
	for _, id := range merged {
		if id != i.id {
			w.send(bridge.Change{Contact: contactOf(id), Deleted: true}, nil)
		}
	}
	w.send(w.row.Change, position)
}

// judge says whether a record is deleted, or is no contact, and which others were merged into it.
func (w *walk) judge(i item) (gone bool, merged []string, err error) {
	if i.isGone {
		return true, nil, nil
	}
	m := w.f.mapping
	w.row.Bare = i.bare
	if m.deleted != nil {
		text, err := m.deleted.Text(&w.row, i.values)
		if err != nil {
			return false, nil, err
		}
		if source.IsGone(text) {
			return true, nil, nil
		}
	}
	if m.keep != nil {
		text, err := m.keep.Text(&w.row, i.values)
		if err != nil {
			return false, nil, err
		}
		if !source.IsGone(text) { // any text that says yes
			return true, nil, nil
		}
	}
	if m.merged == nil || w.run.Initial() {
		return false, nil, nil
	}
	text, err := m.merged.Text(&w.row, i.values)
	for id := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
		merged = append(merged, id)
	}
	return false, merged, err
}

// reject yields a record that cannot be read as a contact.
func (w *walk) reject(i item, position bridge.Position) {
	w.row.Start(i.id, false)
	w.row.Rejected = cmp.Or(i.fault, "it has no id")
	w.send(w.row.Change, position)
}

// note takes a contact for one that was yielded before.
func (w *walk) note(id string) {
	if w.shown != nil && id != "" {
		w.shown[maphash.String(ids, id)] = true
	}
}

// send yields a change.
func (w *walk) send(c bridge.Change, position bridge.Position) {
	if w.stopped {
		return
	}
	if w.shown != nil && c.Contact.ID != "" {
		hash := maphash.String(ids, c.Contact.ID)
		c.Again = w.shown[hash]
		w.shown[hash] = true
	}
	c.Position = position
	w.uncut = len(position) == 0
	w.yielded++
	w.stopped = !w.yield(c, nil)
}
