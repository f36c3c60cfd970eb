package ldapbook

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/contactbridge/contactbridge/directory"
	"github.com/contactbridge/contactbridge/phonebook"
)

// A plan says by which index the entries are found that a filter may fit. The filter is compared with each of them afterwards.
type plan struct {
	way  way
	text string // words
	// Of numbers: what is asked for, the beginning, the end.
	number, starts, ending string
	begins                 [][]string // beginnings of words of names ([phonebook.Scan])
	contains               []string   // what all names have that fit; of words, where the index finds too many
	from                   string     // of a scan: where it begins
	any                    []plan     // of which each may find entries
}

type way int

// From the cheapest on.
const (
	wayNone way = iota // nothing fits
	wayNumber
	wayBegins // words of names
	wayWords
	wayAny
	wayContains // a part of names
	wayScan
)

// planOf chooses how the entries are found.
func planOf(f *filter) plan {
	switch f.op {
	case opAnd:
		return planAnd(f)
	case opOr:
		return planOr(f)
	case opNever:
		return plan{way: wayNone}
	case opNot:
		if f.children[0].undefined() || f.children[0].everyone() {
			return plan{way: wayNone}
		}
		return plan{way: wayScan}
	}
	a, ok := attributeOf(f.attr)
	switch {
	case !ok:
		return plan{way: wayNone}
	case f.op == opPresent:
		return plan{way: wayScan}
	case a.kind == kindNumber:
		return planNumber(f)
	case f.op == opGreater && a.byName && a.name != "sn": // names are kept in the order of their first words
		return plan{way: wayScan, from: folded(f.value)}
	case f.op == opGreater, f.op == opLess:
		return plan{way: wayScan}
	case a.kind == kindText && a.indexed:
		return planText(f, a)
	case f.everyone():
		return plan{way: wayScan}
	}
	return plan{way: wayNone} // addresses and ids are shown, and not looked for
}

// undefined reports whether a filter is true of no entry, and not false of any either: nobody has its attributes.
func (f *filter) undefined() bool {
	switch f.op {
	case opAnd, opOr, opNot:
		return len(f.children) > 0 && !slices.ContainsFunc(f.children, func(c *filter) bool { return !c.undefined() })
	case opNever:
		return true
	}
	_, known := attributeOf(f.attr)
	return !known
}

// everyone reports whether a filter asks for the class of all entries.
func (f *filter) everyone() bool {
	a, known := attributeOf(f.attr)
	if !known || a.name != "objectClass" {
		return false
	}
	return f.op == opPresent || f.op == opEqual && slices.ContainsFunc(classes, func(class string) bool { return strings.EqualFold(class, f.value) })
}

func planAnd(f *filter) plan {
	best := plan{way: wayScan}
	var words []string
	begins, onlyNames := [][]string{nil}, true
	for _, c := range f.children {
		p := planOf(c)
		if p.way == wayWords || p.way == wayBegins && p.text != "" {
			words = append(words, p.text)
			onlyNames = onlyNames && p.way == wayBegins
		}
		if p.way == wayBegins {
			begins = both(begins, p.begins)
		}
		if p.way < best.way || p.way == best.way && p.from > best.from {
			best = p
		}
	}
	if best.way == wayBegins || best.way == wayWords {
		best.begins = begins
		if len(words) > 0 { // all of them
			best.text = strings.Join(words, " ")
		}
		if !onlyNames {
			best.way = wayWords
		}
		if len(begins[0]) == 0 {
			best.begins = nil
		}
	}
	return best
}

// mostBegins is how many ways of spelling some beginnings are looked for at once.
const mostBegins = 24

// both returns the lists that are made of one of some and one of others; where these are too many, only some.
func both(some, others [][]string) (all [][]string) {
	if len(some)*len(others) > mostBegins {
		return some
	}
	for _, a := range some {
		for _, b := range others {
			all = append(all, slices.Concat(a, b))
		}
	}
	return all
}

func planOr(f *filter) plan {
	var parts []plan
	for _, c := range f.children {
		p := planOf(c)
		switch {
		case p.way == wayNone || slices.ContainsFunc(parts, p.equal):
		case p.way == wayScan:
			return plan{way: wayScan}
		default:
			parts = append(parts, p)
		}
	}
	switch len(parts) {
	case 0:
		return plan{way: wayNone}
	case 1:
		return parts[0]
	}
	names := plan{way: wayBegins}
	for _, p := range parts {
		names.begins = append(names.begins, p.begins...)
		if p.way != wayBegins || len(names.begins) > mostBegins {
			return plan{way: wayAny, any: parts}
		}
	}
	return names
}

// wider looks for the parts of names, in all of them, instead of for the beginnings of their words.
func (p plan) wider() plan {
	if (p.way == wayWords || p.way == wayBegins) && len(p.contains) > 0 {
		return plan{way: wayContains, contains: p.contains}
	}
	parts := p.any
	p.any = nil
	for _, part := range parts {
		p.any = append(p.any, part.wider())
	}
	return p
}

func (p plan) equal(other plan) bool {
	return p.way == other.way && p.text == other.text && p.number == other.number && p.starts == other.starts && p.ending == other.ending && slices.Equal(p.contains, other.contains) &&
		len(p.any)+len(other.any) == 0
}

func planNumber(f *filter) plan {
	if joined, ok := f.joined(); ok && f.op == opSubstrings {
		return plan{way: wayNumber, number: joined}
	}
	if f.op == opEqual {
		if phonebook.OnlyDigits(f.value) == "" {
			return plan{way: wayNone}
		}
		return plan{way: wayNumber, number: f.value}
	}
	if f.op != opSubstrings || !digitsOnly(f.initial) || !digitsOnly(f.final) || slices.ContainsFunc(f.any, func(p string) bool { return !digitsOnly(p) }) {
		return plan{way: wayNone}
	}
	p := plan{way: wayNumber, starts: phonebook.OnlyDigits(f.initial), ending: phonebook.OnlyDigits(f.final)}
	switch {
	case p.starts != "":
		if p.ending = ""; len(p.starts) >= wholeNumber && len(f.any) == 0 && f.final == "" {
			p.number = f.initial
		}
		if strings.Trim(p.starts, "0") == "" {
			return plan{way: wayScan}
		}
	case len(p.ending) >= 6:
	case len(f.any) > 0 && len(f.any[0]) >= 3 && p.ending == "":
		// The middle of a number is found at its beginning and at its end: no index has what lies between.
		p.starts = phonebook.OnlyDigits(f.any[0])
		p.ending = p.starts
	default:
		return plan{way: wayNone}
	}
	return p
}

func planText(f *filter, a *attribute) plan {
	if f.op == opEqual {
		if folded(f.value) == "" {
			return plan{way: wayNone}
		}
		return named(f.value, a)
	}
	var parts []string
	for _, piece := range slices.Concat([]string{f.initial}, f.any, []string{f.final}) {
		if folded(piece) != "" {
			parts = append(parts, piece)
		}
	}
	if folded(f.initial) != "" {
		p := named(f.initial, a)
		if a.byName {
			p.contains = parts
		}
		return p
	}
	switch {
	case len(parts) == 0:
		return plan{way: wayScan}
	case !a.byName: // companies and addresses are found by the beginnings of their words
		return plan{way: wayWords, text: parts[0]}
	}
	return plan{way: wayContains, contains: parts}
}

// named finds entries by the beginnings of words.
func named(text string, a *attribute) plan {
	p := plan{way: wayWords, text: text}
	if a.byName {
		p.way = wayBegins
		for _, spelt := range spellings(text) {
			p.begins = append(p.begins, strings.Fields(spelt))
		}
	}
	return p
}

// direct reports whether a walk through names passes few members that the plan does not find: they are kept by the first letters of
// words. The index finds those with the beginnings of longer words, of which there may be few among many.
func (p plan) direct() bool {
	long := func(word string) bool { return utf8.RuneCountInString(word) > directory.WordLetters }
	return p.way == wayBegins && !slices.ContainsFunc(p.begins, func(words []string) bool { return slices.ContainsFunc(words, long) })
}

// scanning is what is left of a plan where the index finds too many.
func (p plan) scanning() plan {
	if len(p.begins) > 0 && p.way != wayAny {
		return plan{way: wayBegins, begins: p.begins}
	}
	return plan{way: wayScan, from: p.from}
}

// A limit says when a search ends.
type limit struct {
	entries int
	until   time.Time
	clock   func() time.Time
}

// A finding is what a search found.
type finding struct {
	entries []phonebook.Entry
	more    bool // there are others that fit
	late    bool // not everything was looked at
	next    cursor
}

// A cursor is where the next page of a search begins.
type cursor struct {
	Skip int            `json:"s,omitempty"` // entries that were found, of a search by an index
	Scan phonebook.Scan `json:"c"`
}

// A searcher runs one search.
type searcher struct {
	view   *phonebook.View
	filter *filter
	asked  []asked
	limit  limit
	paged  bool // other pages may follow: all of them have one order
}

func (s *searcher) fits(e *phonebook.Entry) bool {
	return s.filter.eval(&subject{Entry: e, view: s.view, asked: s.asked}) == yes
}

// run finds entries from a cursor on, in the order of names.
func (s *searcher) run(ctx context.Context, at cursor) (f finding, err error) {
	p := planOf(s.filter)
	switch {
	case p.way == wayNone:
		return f, nil
	case p.way == wayScan, p.direct():
		return s.scan(ctx, p, at)
	case p.way == wayContains && !slices.ContainsFunc(p.contains, func(part string) bool { return len(spellings(part)) > 1 }):
		return s.scan(ctx, p, at) // only where one spelling of the parts is possible can one walk find them
	case at.Scan.From != "" || at.Scan.Skip > 0:
		return s.scan(ctx, p.scanning(), at)
	}
	if p.way == wayBegins {
		if missing, err := s.view.Unsearchable(ctx); err != nil {
			return f, err
		} else if missing {
			return s.scan(ctx, p, at) // names are kept with the contacts, the index at a run's end
		}
	}
	found, more, err := s.candidates(ctx, p, at)
	if err != nil {
		return f, err
	}
	if more && (s.paged || len(found) <= at.Skip+s.limit.entries) {
		return s.scan(ctx, p.scanning(), at)
	}
	found = found[min(at.Skip, len(found)):]
	f.more = len(found) > s.limit.entries
	f.entries = found[:min(len(found), s.limit.entries)]
	f.next.Skip = at.Skip + len(f.entries)
	f.entries, err = s.view.Carded(ctx, f.entries)
	return f, err
}

// fewFound is how many entries are looked for at first: most searches want no more than those.
const fewFound = 256

// candidates finds entries that fit by the index. more says that there are others; then those found are not the first ones by name.
func (s *searcher) candidates(ctx context.Context, p plan, at cursor) (found []phonebook.Entry, more bool, err error) {
	for _, try := range []struct {
		plan
		most int
	}{{p, fewFound}, {p, phonebook.MostFound}, {p.wider(), phonebook.MostFound}} {
		if found, more, err = s.index(ctx, try.plan, try.most); err != nil {
			return nil, false, err
		}
		found = slices.DeleteFunc(s.view.Each(found), func(e phonebook.Entry) bool { return !s.fits(&e) })
		// Names are kept in their order, and members with beginnings of words are found in it: better than more candidates.
		if !more || p.way == wayBegins || len(found) > at.Skip+s.limit.entries {
			break
		}
	}
	if p.way == wayBegins && more {
		found = nil
	}
	return found, more, nil
}

// index finds what may fit, some of it. more says that there is more of it.
func (s *searcher) index(ctx context.Context, p plan, most int) (found []phonebook.Entry, more bool, err error) {
	add := func(entries []phonebook.Entry, others bool, failed error) {
		found, more = append(found, entries...), more || others
		if err == nil {
			err = failed
		}
	}
	for _, part := range p.any {
		entries, others, failed := s.index(ctx, part, most)
		add(entries, others, failed)
	}
	texts := []string{}
	if p.way == wayBegins {
		for _, words := range p.begins {
			texts = append(texts, strings.Join(words, " "))
		}
	} else if p.text != "" {
		texts = spellings(p.text)
	}
	for _, text := range texts {
		entries, others, failed := s.view.Words(ctx, text, most)
		add(entries, others, failed)
	}
	if p.way == wayContains {
		tried := [][]string{}
		for way := range ways {
			parts := foldAll(p.contains, way)
			if slices.ContainsFunc(tried, func(other []string) bool { return slices.Equal(other, parts) }) {
				continue
			}
			tried = append(tried, parts)
			entries, others, failed := s.containing(ctx, parts)
			add(entries, others, failed)
		}
	}
	if p.number != "" {
		entries, failed := s.view.Number(ctx, p.number, phonebook.MostFound)
		add(entries, false, failed)
	}
	if p.starts != "" {
		entries, others, failed := s.view.Starts(ctx, p.starts, most)
		add(entries, others, failed)
	}
	if p.ending != "" {
		entries, failed := s.view.Ending(ctx, p.ending)
		add(entries, false, failed)
	}
	return found, more, err
}

// containing finds entries that have parts in their names.
func (s *searcher) containing(ctx context.Context, parts []string) (found []phonebook.Entry, more bool, err error) {
	_, done, err := s.view.Scan(ctx, phonebook.Scan{Contains: parts}, func(e *phonebook.Entry) bool {
		found = append(found, *e)
		return len(found) < phonebook.MostFound && !s.limit.clock().After(s.limit.until)
	})
	return found, !done, err
}

// scan goes through names, until there are enough entries or the time is over.
func (s *searcher) scan(ctx context.Context, p plan, at cursor) (f finding, err error) {
	start := at.Scan
	if start.From == "" && start.Skip == 0 {
		start.From = p.from
	}
	switch start.Contains, start.Begins = nil, nil; p.way {
	case wayContains:
		start.Contains = foldAll(p.contains, 0)
	case wayBegins:
		start.Begins = p.begins
	}
	skip := at.Skip // of a search that went by an index until now
	visit := func(e *phonebook.Entry) bool {
		switch {
		case s.limit.clock().After(s.limit.until) || ctx.Err() != nil:
			f.late = true
			return false
		case !s.fits(e):
			return true
		case skip > 0:
			skip--
			return true
		case len(f.entries) == s.limit.entries:
			f.more = true
			return false
		}
		f.entries = append(f.entries, *e)
		return true
	}
	f.next.Scan, _, err = s.view.Scan(ctx, start, visit)
	f.next.Scan.Contains, f.next.Scan.Begins = nil, nil // the filter says them
	if err == nil {
		err = ctx.Err()
	}
	return f, err
}

// mostSorted is how many entries are put in another order than that of names.
const mostSorted = 20_000

// sorted is run in an order; nil is that of names. done says that they are in that order: where too many fit they are not.
func (s *searcher) sorted(ctx context.Context, at cursor, less func(a, b *phonebook.Entry) int) (f finding, done bool, err error) {
	if less == nil {
		f, err = s.run(ctx, at)
		return f, true, err
	}
	all := *s
	all.limit.entries = mostSorted
	if f, err = all.run(ctx, cursor{}); err != nil {
		return f, false, err
	}
	if f.more || f.late {
		s.limit.until = s.limit.clock().Add(500 * time.Millisecond)
		f, err = s.run(ctx, at)
		return f, false, err
	}
	slices.SortStableFunc(f.entries, func(a, b phonebook.Entry) int { return less(&a, &b) })
	f.entries = f.entries[min(at.Skip, len(f.entries)):]
	f.more = len(f.entries) > s.limit.entries
	f.entries = f.entries[:min(len(f.entries), s.limit.entries)]
	f.next = cursor{Skip: at.Skip + len(f.entries)}
	return f, true, nil
}
